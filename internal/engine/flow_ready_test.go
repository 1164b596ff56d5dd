package engine_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/catalog"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/flow"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/policy"
)

// ready opens a node with three stores, of which L02 is the nearest, and ready flows in force.
func ready(t *testing.T, stock int64, files ...string) *node {
	t.Helper()
	n := open(t, stores["sqlite"](t)(), newClock())
	n.retailer(3, 2, stock)
	n.follows(files...)
	return n
}

// follows puts ready flows in force.
func (n *node) follows(files ...string) {
	n.tb.Helper()
	for _, e := range flow.Library() {
		if slices.Contains(files, e.File) {
			n.publish(e.Flow.Policy.Kind, e.Flow.Name, e.Text)
		}
	}
}

// becomes gives a location another type.
func (n *node) becomes(id string, to network.LocationType) {
	n.tb.Helper()
	l, _ := n.Directory().Location(id)
	next := *l
	next.Type = to
	n.put(engine.Document{Kind: engine.KindLocation, ID: id, Value: &next})
}

// passes lets time go by in steps, so that what repeats does.
func (n *node) passes(d, step time.Duration) {
	n.tb.Helper()
	for ; d > 0; d -= step {
		n.pass(min(d, step))
	}
}

// told counts the messages that an order asked for, by recipient and template.
func (n *node) messages(o string) map[string]int {
	n.tb.Helper()
	out := map[string]int{}
	for _, e := range n.history(o) {
		switch e.Type {
		case order.EventNotify:
			out[strings.TrimSpace(e.Value+" "+e.Name)]++
		case order.EventFulfillmentReminded:
			out["reminded"]++
		}
	}
	return out
}

const day = 24 * time.Hour

func TestReadyShipFromDC(t *testing.T) {
	t.Parallel()
	n := ready(t, 5, "ship-from-dc.yaml", "ship-from-store.yaml")
	n.becomes("L02", network.DC)
	o := n.capture(basket("1", "S0"))
	f := o.Fulfillments[0].ID
	expect(t, "captured", n.instance(o.ID, f), "ship-from-dc@1 open")
	n.passes(5*time.Hour, 30*time.Minute)
	expect(t, "reminders", n.messages(o.ID)["reminded"], 3)
	expect(t, "no answer", n.instance(o.ID, f), "ship-from-dc@1 silent")
	expectAll(t, "no answer", n.exceptions(o.ID, f), "acceptance_overdue")
	n.step(f, "accept", order.Step{})
	expectAll(t, "accepted", n.exceptions(o.ID, f))
	n.passes(5*day, 4*time.Hour)
	expectAll(t, "not shipped", n.exceptions(o.ID, f), "promise_at_risk", "shipment_overdue")
	n.step(f, "ship", order.Step{})
	expect(t, "shipped", n.instance(o.ID, f), "ship-from-dc@1 shipped")
	n.passes(10*day, day)
	expectAll(t, "not delivered", n.exceptions(o.ID, f), "delivery_overdue")
	n.step(f, "deliver", order.Step{})
	expect(t, "delivered", n.instance(o.ID, f), "ship-from-dc@1 delivered")
	expectAll(t, "delivered", n.exceptions(o.ID, f))
	n.audited()
}

func TestReadyShipFromStore(t *testing.T) {
	t.Parallel()
	n := ready(t, 5, "ship-from-dc.yaml", "ship-from-store.yaml")
	o := n.capture(basket("1", "S0", "S1"))
	silent := o.Fulfillments[0]
	expect(t, "captured", n.instance(o.ID, silent.ID), "ship-from-store@1 open")
	n.passes(4*time.Hour, 30*time.Minute)
	expect(t, "reminders", n.messages(o.ID)["reminded"], 4)
	expect(t, "taken back", n.instance(o.ID, silent.ID), "ship-from-store@1 cancelled")
	o = n.stored(o.ID)
	if len(o.Fulfillments) != 2 || o.Fulfillments[1].Location == silent.Location {
		t.Fatalf("placed again at %+v", o.Fulfillments)
	}
	second := o.Fulfillments[1].ID
	n.step(second, "accept", order.Step{})
	expect(t, "accepted", n.instance(o.ID, second), "ship-from-store@1 working")
	o = n.step(second, "pick", order.Step{Lines: []order.LineQuantity{{Line: "1", Quantity: 1}, {Line: "2", Short: 1}}})
	expect(t, "short", n.instance(o.ID, second), "ship-from-store@1 picked")
	if len(o.Fulfillments) != 3 {
		t.Fatalf("the short unit is nowhere: %+v", o.Fulfillments)
	}
	third := o.Fulfillments[2].ID
	n.step(second, "ship", order.Step{})
	n.step(second, "deliver", order.Step{})
	n.step(third, "accept", order.Step{})
	n.passes(25*time.Hour, time.Hour)
	expect(t, "accepted and not picked", n.instance(o.ID, third), "ship-from-store@1 resourcing")
	n.step(third, "refuse_stop", order.Step{Reason: "in my hands"})
	expect(t, "not given back", n.instance(o.ID, third), "ship-from-store@1 going_on")
	n.step(third, "ship", order.Step{})
	o = n.step(third, "deliver", order.Step{})
	expect(t, "the end", n.instance(o.ID, third)+", "+string(o.Status), "ship-from-store@1 delivered, delivered")
	n.equalsStore()
	n.audited()
}

// pickup is an order that is collected.
func pickup(external, location string, skus ...string) *order.New {
	b := basket(external, skus...)
	b.Method, b.PickupLocation, b.ShipTo = order.Pickup, location, nil
	return b
}

func TestReadyPickupInStore(t *testing.T) {
	t.Parallel()
	n := ready(t, 5, "pickup-in-store.yaml", "curbside.yaml", "ship-to-store.yaml")
	o := n.capture(pickup("1", "L01", "S0"))
	f := o.Fulfillments[0].ID
	expect(t, "captured", n.instance(o.ID, f), "pickup-in-store@1 open")
	n.passes(3*time.Hour, 30*time.Minute)
	expect(t, "no answer", n.instance(o.ID, f), "pickup-in-store@1 silent")
	expectAll(t, "no answer", n.exceptions(o.ID, f), "acceptance_overdue")
	n.step(f, "accept", order.Step{})
	n.step(f, "ready", order.Step{})
	expectAll(t, "ready", n.exceptions(o.ID, f))
	n.passes(8*day, 12*time.Hour)
	got := n.messages(o.ID)
	expect(t, "told that it is ready", got["customer pickup_ready"], 1)
	expect(t, "reminded", got["customer pickup_reminder"], 3)
	expect(t, "nobody came", n.instance(o.ID, f), "pickup-in-store@1 uncollected")
	o = n.stored(o.ID)
	expect(t, "the order", o.Status, order.StatusCancelled)
	if p := n.position("S0", "L01"); p.OnHand != 5 || p.Allocated+p.Picked != 0 {
		t.Errorf("the stock is %+v", p)
	}
	collected := n.capture(pickup("2", "L01", "S0"))
	n.step(collected.Fulfillments[0].ID, "ready", order.Step{})
	n.step(collected.Fulfillments[0].ID, "handover", order.Step{})
	expect(t, "collected", n.instance(collected.ID, collected.Fulfillments[0].ID), "pickup-in-store@1 handed_over")
	n.equalsStore()
	n.audited()
}

func TestReadyCurbside(t *testing.T) {
	t.Parallel()
	n := ready(t, 5, "pickup-in-store.yaml", "curbside.yaml")
	b := pickup("1", "L01", "S0")
	b.Attributes = map[string]string{"handover": "curbside"}
	o := n.capture(b)
	f := o.Fulfillments[0].ID
	n.step(f, "accept", order.Step{})
	n.step(f, "arrive", order.Step{Reason: "bay 4"})
	expect(t, "too early", n.instance(o.ID, f), "curbside@1 early")
	n.pass(16 * time.Minute)
	expectAll(t, "too early", n.exceptions(o.ID, f), "customer_waiting")
	n.step(f, "ready", order.Step{})
	expect(t, "ready", n.instance(o.ID, f), "curbside@1 outside")
	n.step(f, "arrive", order.Step{Reason: "still here"}) // once is enough
	n.passes(11*time.Minute, time.Minute)
	expect(t, "the store was told", n.messages(o.ID)["location customer_here"], 4)
	n.step(f, "handover", order.Step{})
	expect(t, "brought out", n.instance(o.ID, f), "curbside@1 handed_over")
	expectAll(t, "brought out", n.exceptions(o.ID, f))
	n.audited()
}

func TestReadyShipToStore(t *testing.T) {
	t.Parallel()
	n := ready(t, 0, "pickup-in-store.yaml", "ship-to-store.yaml", "ship-from-store.yaml")
	n.publish(policy.KindSourcing, "main", transferring(""))
	n.receive("S0", "L02", 3)
	o := n.capture(pickup("1", "L01", "S0"))
	f := o.Fulfillments[0]
	if f.Via != "L01" {
		t.Fatalf("not a transfer: %+v", f)
	}
	n.passes(5*time.Hour, time.Hour)
	expect(t, "reminded", n.messages(o.ID)["reminded"], 1)
	n.step(f.ID, "accept", order.Step{})
	n.step(f.ID, "ship", order.Step{})
	expect(t, "shipped", n.instance(o.ID, f.ID), "ship-to-store@1 in_transit")
	n.passes(8*day, day)
	expectAll(t, "does not arrive", n.exceptions(o.ID, f.ID), "delivery_overdue")
	n.step(f.ID, "ready", order.Step{})
	expect(t, "arrived", n.instance(o.ID, f.ID), "ship-to-store@1 ready")
	expectAll(t, "arrived", n.exceptions(o.ID, f.ID))
	n.step(f.ID, "handover", order.Step{})
	expect(t, "collected", n.instance(o.ID, f.ID), "ship-to-store@1 handed_over")
	n.audited()
}

func TestReadyDropship(t *testing.T) {
	t.Parallel()
	n := ready(t, 0, "dropship.yaml", "ship-from-store.yaml")
	n.becomes("L02", network.Vendor)
	n.receive("S0", "L02", 5)
	o := n.capture(basket("1", "S0"))
	f := o.Fulfillments[0].ID
	expect(t, "captured", n.instance(o.ID, f), "dropship@1 open")
	n.passes(2*day, 6*time.Hour)
	expect(t, "reminded", n.messages(o.ID)["reminded"], 2)
	expect(t, "no answer", n.instance(o.ID, f), "dropship@1 escalated")
	expectAll(t, "no answer", n.exceptions(o.ID, f), "acceptance_overdue")
	n.passes(3*day, 6*time.Hour)
	expect(t, "no answer at all", n.instance(o.ID, f), "dropship@1 cancelled")
	expectAll(t, "no answer at all", n.exceptions(o.ID, f))
	expect(t, "the customer is told", n.messages(o.ID)["customer vendor_cancelled"], 1)
	expect(t, "the order", n.stored(o.ID).Status, order.StatusCancelled)

	o = n.capture(basket("2", "S0"))
	f = o.Fulfillments[0].ID
	n.step(f, "accept", order.Step{})
	n.passes(7*day, 12*time.Hour)
	expectAll(t, "acknowledged and late", n.exceptions(o.ID, f), "shipment_overdue")
	n.step(f, "ship", order.Step{})
	n.step(f, "deliver", order.Step{})
	expect(t, "delivered", n.instance(o.ID, f), "dropship@1 delivered")
	n.audited()
}

func TestReadyPreOrder(t *testing.T) {
	t.Parallel()
	n := ready(t, 0, "pre-order.yaml", "backorder.yaml")
	n.put(engine.Document{Kind: engine.KindSKU, ID: "S0", Value: &catalog.SKU{SKU: "S0", WeightG: 300, Tags: []string{"preorder"}}})
	o := n.capture(basket("1", "S0"))
	expect(t, "captured", n.instance(o.ID, "")+", "+string(o.Status), "pre-order@1 waiting, backordered")
	n.passes(29*day, day)
	expect(t, "news", n.messages(o.ID)["customer preorder_news"], 2)
	n.receive("S0", "L02", 5)
	n.passes(10*day, day)
	expect(t, "the supply came", n.instance(o.ID, ""), "pre-order@1 working")
	f := n.stored(o.ID).Fulfillments[0].ID
	n.step(f, "ship", order.Step{})
	n.step(f, "deliver", order.Step{})
	expect(t, "delivered", n.instance(o.ID, ""), "pre-order@1 done")

	late := n.capture(basket("2", "S0", "S1"))
	n.passes(130*day, 5*day)
	expectAll(t, "no supply", n.exceptions(late.ID, ""), "backorder_overdue")
	n.audited()
}

func TestReadyBackorder(t *testing.T) {
	t.Parallel()
	n := ready(t, 0, "pre-order.yaml", "backorder.yaml")
	n.receive("S1", "L02", 5)
	o := n.capture(basket("1", "S0", "S1"))
	expect(t, "captured", n.instance(o.ID, ""), "backorder@1 waiting")
	n.passes(15*day, day)
	expect(t, "told", n.messages(o.ID)["customer backorder_notice"], 1)
	expect(t, "the offer", n.instance(o.ID, ""), "backorder@1 offered")
	n.passes(8*day, day)
	expectAll(t, "no answer", n.exceptions(o.ID, ""), "backorder_overdue")
	n.passes(28*day, day)
	o = n.stored(o.ID)
	expect(t, "given up", n.instance(o.ID, "")+", "+string(o.Status), "backorder@1 working, allocated")
	expect(t, "only what waited is cancelled", o.Line("1").Cancelled*10+o.Line("2").Cancelled, 10)
	n.step(o.Fulfillments[0].ID, "ship", order.Step{})
	n.step(o.Fulfillments[0].ID, "deliver", order.Step{})
	expect(t, "the rest arrives", n.instance(o.ID, ""), "backorder@1 done")
	n.audited()
}

func TestReadyMarketplace(t *testing.T) {
	t.Parallel()
	n := ready(t, 5, "marketplace.yaml", "backorder.yaml")
	n.put(engine.Document{Kind: engine.KindChannel, ID: "marketplace-de", Value: &network.Channel{ID: "marketplace-de", Type: network.Marketplace, Currency: "EUR", Service: "ground"}})
	b := basket("1", "S0")
	b.Channel = "marketplace-de"
	o := n.capture(b)
	f := o.Fulfillments[0].ID
	expect(t, "captured", n.instance(o.ID, ""), "marketplace@1 working")
	by := o.Promise.ShipBy
	if by.IsZero() {
		t.Fatal("no ship-by date")
	}
	n.passes(by.Sub(n.Now())-time.Hour, time.Hour)
	expectAll(t, "an hour left", n.exceptions(o.ID, ""), "promise_at_risk")
	n.passes(3*time.Hour, time.Hour)
	expect(t, "late", n.instance(o.ID, ""), "marketplace@1 late")
	expectAll(t, "late", n.exceptions(o.ID, ""), "order_overdue")
	n.step(f, "ship", order.Step{})
	expect(t, "shipped", n.instance(o.ID, ""), "marketplace@1 shipped")
	expectAll(t, "shipped", n.exceptions(o.ID, ""))
	n.step(f, "deliver", order.Step{})
	expect(t, "delivered", n.instance(o.ID, ""), "marketplace@1 done")
	n.audited()
}

func TestReadyB2BApproval(t *testing.T) {
	t.Parallel()
	n := ready(t, 50, "b2b-approval.yaml")
	buy := func(external string, units, price int64) *order.Order {
		b := basket(external, "S0")
		b.Lines[0].Quantity, b.Lines[0].UnitPrice = units, price
		b.Attributes = map[string]string{"customer_type": "business", "terms": "account"}
		return n.capture(b)
	}
	release := func(o *order.Order, hold string) {
		t.Helper()
		if _, err := n.Change(background, o.ID, clerk, func(o *order.Order) ([]order.Event, error) { return o.ReleaseHolds(hold, "ada", "yes"), nil }); err != nil {
			t.Fatal(err)
		}
	}
	small := buy("1", 1, 1000)
	expect(t, "small", n.instance(small.ID, ""), "b2b-approval@1 working")
	large := buy("2", 20, 60_000)
	expect(t, "large", n.instance(large.ID, ""), "b2b-approval@1 approval")
	if len(large.Fulfillments) != 0 {
		t.Error("it was placed before it was approved")
	}
	n.passes(4*day, 12*time.Hour)
	got := n.messages(large.ID)
	expect(t, "reminded", got["customer approval_reminder"], 2)
	expect(t, "the team", got["team approval_overdue"], 1)
	expectAll(t, "overdue", n.exceptions(large.ID, ""), "approval_overdue")
	release(large, "approval")
	expect(t, "approved", n.instance(large.ID, ""), "b2b-approval@1 credit")
	expectAll(t, "approved", n.exceptions(large.ID, ""))
	n.passes(13*time.Hour, time.Hour)
	expectAll(t, "no credit decision", n.exceptions(large.ID, ""), "approval_overdue")
	release(large, "credit")
	expect(t, "granted", n.instance(large.ID, ""), "b2b-approval@1 working")
	if len(n.stored(large.ID).Fulfillments) == 0 {
		t.Error("it is not placed")
	}
	forgotten := buy("3", 2, 400_000)
	n.passes(15*day, 12*time.Hour)
	expect(t, "forgotten", n.instance(forgotten.ID, ""), "b2b-approval@1 cancelled")
	n.audited()
}

func TestReadyMailReturn(t *testing.T) {
	t.Parallel()
	n := ready(t, 5, "mail-return.yaml")
	n.takesBack("L00", nil, "returns")
	n.publish(policy.KindReturns, "looked-at", "kind: returns\nname: looked-at\nreturns: {rules: [{name: all, to: L00}], inspect: 'true'}\n")
	o := n.delivered("1", "S0", "S1")
	r := n.back(o, "1")
	expect(t, "authorised", n.instance(o.ID, r.ID), "mail-return@1 authorized")
	n.passes(r.ExpiresAt.Sub(n.Now())-time.Hour, 12*time.Hour)
	got := n.messages(o.ID)
	expect(t, "reminders", got["customer return_reminder"]*10+got["customer return_last_reminder"], 11)
	if _, err := n.SendReturn(background, r.ID, "c", "T-1", clerk); err != nil {
		t.Fatal(err)
	}
	if _, err := n.ReceiveReturn(background, r.ID, &order.Receipt{Location: "L00"}, clerk); err != nil {
		t.Fatal(err)
	}
	n.passes(3*day, 12*time.Hour)
	expect(t, "the warehouse is told", n.messages(o.ID)["location inspection_due"], 1)
	expectAll(t, "nobody looks", n.exceptions(o.ID, r.ID), "inspection_overdue")
	if _, err := n.InspectReturn(background, r.ID, &order.Inspection{Lines: []order.InspectedLine{{Line: "1", Accepted: 1, Disposition: order.Restock}}}, false, clerk); err != nil {
		t.Fatal(err)
	}
	expect(t, "put back", n.instance(o.ID, r.ID), "mail-return@1 closed")
	expectAll(t, "put back", n.exceptions(o.ID, r.ID))

	never := n.back(o, "2")
	n.passes(31*day, day)
	expect(t, "nothing came", n.instance(o.ID, never.ID), "mail-return@1 expired")
	n.audited()
}
