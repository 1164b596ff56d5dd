package engine_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/catalog"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/problem"
	"github.com/orderly-oms/orderly/internal/promise"
)

// publish puts a policy in force.
func (n *node) publish(kind policy.Kind, name, text string) {
	n.tb.Helper()
	ctx, m := n.tb.Context(), engine.Meta{Actor: "test"}
	if _, err := n.SavePolicy(ctx, kind, name, text, "", m); err != nil {
		n.tb.Fatal(err)
	}
	if _, err := n.PublishPolicy(ctx, kind, name, engine.Publish{}, m); err != nil {
		n.tb.Fatal(err)
	}
}

// promising opens a node with six stores between Kiel and Hanover, of which all have S0 and
// S1, only L03 has S2 and only L04 has S3; with a courier for the same day and transfers between stores.
func promising(tb testing.TB) *node {
	tb.Helper()
	n := open(tb, stores["sqlite"](tb)(), newClock())
	n.retailer(6, 2, 100)
	n.put(engine.Document{Kind: engine.KindCarrier, ID: "bikes", Value: &network.Carrier{ID: "bikes", Services: []network.Service{{
		ID: "bike", Currency: "EUR", DistanceBands: []network.DistanceBand{{UpToKM: ptr(int64(40)), Zone: 1}},
		Rates: []network.Rate{{Zone: 1, TransitDays: 0, Brackets: []network.Bracket{{UpToGrams: 20_000, Price: 900}}}},
	}}}})
	for i, sku := range []string{"S2", "S3"} {
		n.put(engine.Document{Kind: engine.KindSKU, ID: sku, Value: skuOf(sku)})
		n.receive(sku, fmt.Sprintf("L0%d", 3+i), 10)
	}
	n.publish(policy.KindSourcing, "main", transferring(""))
	n.publish(policy.KindPromise, "main", "kind: promise\nname: main\npromise:\n  same_day_max_km: 40\n  same_day_service: bike\n  price: \"order.value > 5000 ? 0 : 495\"\n")
	return n
}

// transferring is a sourcing policy that lets stores ship to each other.
func transferring(limits string) string {
	return "kind: sourcing\nname: main\nsourcing:\n  groups:\n    - name: all\n      transfers: true\n      limits: {line_split: when_needed" + limits + "}\n" +
		"      cost:\n        - term: carrier\n        - term: split\n          value: \"100\"\n"
}

func (n *node) receive(sku, location string, units int64) {
	n.tb.Helper()
	a := engine.Adjustments{Reason: "receipt", Items: []engine.Adjustment{{SKU: sku, Location: location, Quantity: units}}}
	if units < 0 {
		a.Reason = "damage"
	}
	if _, err := n.Adjust(n.tb.Context(), &a, engine.Meta{Actor: "test"}); err != nil {
		n.tb.Fatal(err)
	}
}

// wanted is a request for one unit of each SKU to Hamburg.
func wanted(skus ...string) engine.PromiseRequest {
	b := basket("", skus...)
	r := engine.PromiseRequest{Channel: b.Channel, Destination: b.ShipTo}
	for _, s := range skus {
		r.Items = append(r.Items, engine.PromiseItem{SKU: s, Quantity: 1, UnitPrice: ptr(int64(1999))})
	}
	return r
}

func (n *node) promises(r engine.PromiseRequest) *engine.Promises {
	n.tb.Helper()
	p, err := n.Promises(&r)
	if err != nil {
		n.tb.Fatal(err)
	}
	return p
}

func (n *node) confirm(r engine.PromiseRequest, option string) *inventory.Reservation {
	n.tb.Helper()
	reply, err := n.Confirm(n.tb.Context(), &engine.Confirmation{PromiseRequest: r, Option: option}, engine.Meta{Actor: "test"})
	if err != nil {
		n.tb.Fatal(err)
	}
	return reply.Value.(*inventory.Reservation)
}

// claiming is an order for a basket as an option of it asks.
func claiming(external string, r engine.PromiseRequest, o *promise.Option, reservation string) *order.New {
	var skus []string
	for _, it := range r.Items {
		skus = append(skus, it.SKU)
	}
	b := basket(external, skus...)
	for i := range r.Items {
		b.Lines[i].Quantity = r.Items[i].Quantity
	}
	b.ReservationID = reservation
	if o.Request.Kind == promise.Pickup || o.Request.Kind == promise.ShipToStore {
		b.Method, b.PickupLocation, b.ShipTo = order.Pickup, o.Request.Location, nil
	}
	return b
}

// sameAs reports how an order differs from the option it was promised as.
func sameAs(o *promise.Option, got *order.Order) error {
	if !got.Promise.DeliverBy.Equal(o.DeliverBy) || !got.Promise.ShipBy.Equal(o.ShipBy) {
		return fmt.Errorf("the order's promise is %+v, the option's %s and %s", got.Promise, o.ShipBy, o.DeliverBy)
	}
	if len(got.Fulfillments) != len(o.Plan.Shipments) || len(got.Unplaced()) > 0 {
		return fmt.Errorf("%d fulfillments, %d units unplaced; want %d and none", len(got.Fulfillments), len(got.Unplaced()), len(o.Plan.Shipments))
	}
	for i := range o.Plan.Shipments {
		s := &o.Plan.Shipments[i]
		at := slices.IndexFunc(got.Fulfillments, func(f order.Fulfillment) bool { return f.Location == s.Location })
		if at < 0 {
			return fmt.Errorf("nothing from %s", s.Location)
		}
		f := &got.Fulfillments[at]
		if f.Via != s.Via || !f.Promise.DeliverBy.Equal(o.DeliverBy) || f.Promise.Policy != "main@1" {
			return fmt.Errorf("from %s via %q by %s under %q; want via %q by %s", f.Location, f.Via, f.Promise.DeliverBy, f.Promise.Policy, s.Via, o.DeliverBy)
		}
		carried := o.Request.Kind != promise.Pickup && (o.Request.Kind != promise.ShipToStore || s.Via != "")
		if carried && (f.Service != o.Request.Service || f.Zone == 0 || f.Promise.Calendar.IsZero() || f.Promise.Probability == 0 || f.Cost != s.Carrier) {
			return fmt.Errorf("from %s with %+v", f.Location, f)
		}
		var units, want int64
		for _, l := range f.Lines {
			units += l.Quantity
		}
		for _, u := range s.Lines {
			want += u.Quantity
		}
		if units != want {
			return fmt.Errorf("%d units from %s, want %d", units, f.Location, want)
		}
	}
	return nil
}

// Every option of several baskets is confirmed; then the world changes, and the orders
// get what was promised all the same.
func TestOrdersGetWhatWasConfirmed(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		request engine.PromiseRequest
		limits  string
		kinds   []promise.OptionKind // that there must be
	}{
		"one SKU":           {wanted("S0"), "", []promise.OptionKind{promise.Ship, promise.Pickup, promise.SameDay}},
		"two of one":        {wanted("S0", "S1"), "", []promise.OptionKind{promise.Ship, promise.Pickup, promise.SameDay}},
		"a split plan":      {wanted("S2", "S3"), "", []promise.OptionKind{promise.Ship, promise.ShipToStore}},
		"partly at a store": {wanted("S0", "S2"), "", []promise.OptionKind{promise.Ship, promise.ShipToStore}},
		"a kit":             {wanted("K", "S0"), "", []promise.OptionKind{promise.Ship, promise.Pickup}},
		"a kit apart":       {wanted("K", "S3"), ", kits: component", []promise.OptionKind{promise.Ship, promise.ShipToStore}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := promising(t)
			if tc.limits != "" {
				n.publish(policy.KindSourcing, "main", transferring(tc.limits))
			}
			p := n.promises(tc.request)
			if p.Policy != "main@1" || p.Currency != "EUR" {
				t.Errorf("policy %q, currency %q", p.Policy, p.Currency)
			}
			var reservations []string
			for i := range p.Options[:min(len(p.Options), 8)] {
				reservations = append(reservations, n.confirm(tc.request, p.Options[i].ID).ID)
			}
			for _, k := range tc.kinds {
				if !slices.ContainsFunc(p.Options, func(o promise.Option) bool { return o.Request.Kind == k }) {
					t.Errorf("no option of kind %s in %+v; excluded %v", k, ids(p.Options), p.Excluded)
				}
			}
			n.clock.advance(14 * time.Minute)
			n.publish(policy.KindPromise, "main", "kind: promise\nname: main\npromise: {extra_days: 7}\n")
			n.publish(policy.KindSourcing, "main", transferring(", max_shipments: 1"))
			for i, r := range reservations {
				o := &p.Options[i]
				if err := sameAs(o, n.capture(claiming(fmt.Sprint("w-", i), tc.request, o, r))); err != nil {
					t.Errorf("%s: %v", o.ID, err)
				}
			}
		})
	}
}

func ids(options []promise.Option) (out []string) {
	for i := range options {
		out = append(out, options[i].ID)
	}
	return out
}

func TestConfirmedPromisesAreKeptToTheirTerms(t *testing.T) {
	t.Parallel()
	n := promising(t)
	ctx := t.Context()
	r := wanted("S0")
	ship, pickup := &promise.Option{Request: promise.Request{Kind: promise.Ship}}, &promise.Option{Request: promise.Request{Kind: promise.Pickup, Location: "L02"}}
	refused := func(what, code, pointer string, b *order.New) {
		t.Helper()
		var refusal *order.Refusal
		if _, err := n.Capture(ctx, b, engine.Meta{}); !errors.As(err, &refusal) || refusal.Code != code || refusal.Pointer != pointer {
			t.Errorf("%s: %v, want %s at %s", what, err, code, pointer)
		}
	}
	held := n.confirm(r, "ship:ground").ID
	refused("another method", engine.CodeOfferMismatch, "method", claiming("a", r, pickup, held))
	elsewhere := claiming("a", r, ship, held)
	elsewhere.ShipTo.PostalCode = "80331"
	refused("another destination", engine.CodeOfferMismatch, "ship_to.postal_code", elsewhere)
	faster := claiming("a", r, ship, held)
	faster.Service = "bike"
	refused("another service", engine.CodeOfferMismatch, "service", faster)
	store := n.confirm(r, "pickup:L02").ID
	refused("another store", engine.CodeOfferMismatch, "pickup_location", claiming("a", r, &promise.Option{Request: promise.Request{Kind: promise.Pickup, Location: "L01"}}, store))
	n.capture(claiming("a", r, ship, held))
	refused("a second claim", engine.CodeReservationEnded, "reservation_id", claiming("b", r, ship, held))
	n.clock.advance(inventory.DefaultReservationTTL)
	refused("an expired one", engine.CodeReservationEnded, "reservation_id", claiming("c", r, pickup, store))
}

func TestConfirmRefusesWhatHasChanged(t *testing.T) {
	t.Parallel()
	n := promising(t)
	ctx := t.Context()
	r := wanted("S2")
	shown := n.promises(r).Options[0]
	confirm := func(c engine.Confirmation) error {
		_, err := n.Confirm(ctx, &c, engine.Meta{Actor: "test"})
		return err
	}
	refused := func(what, code, pointer string, err error) {
		t.Helper()
		var refusal *order.Refusal
		if !errors.As(err, &refusal) || refusal.Code != code || refusal.Pointer != pointer {
			t.Errorf("%s: %v, want %s at %s", what, err, code, pointer)
		}
	}
	n.clock.advance(72 * time.Hour)
	refused("a later date", engine.CodePromiseChanged, "deliver_by", confirm(engine.Confirmation{PromiseRequest: r, Option: shown.ID, DeliverBy: shown.DeliverBy}))
	n.receive("S2", "L03", -10)
	refused("sold out", engine.CodePromiseChanged, "option", confirm(engine.Confirmation{PromiseRequest: r, Option: shown.ID}))
	var bad problem.Invalid
	if err := confirm(engine.Confirmation{PromiseRequest: r, Option: "fly:me"}); !errors.As(err, &bad) {
		t.Errorf("no id of an option: %v", err)
	}
	if err := confirm(engine.Confirmation{PromiseRequest: r, Option: shown.ID, TTLSeconds: -1}); !errors.As(err, &bad) {
		t.Errorf("a negative time to live: %v", err)
	}
	if err := confirm(engine.Confirmation{PromiseRequest: engine.PromiseRequest{Channel: "nowhere", Items: r.Items}, Option: shown.ID}); !errors.As(err, &bad) {
		t.Errorf("an unknown channel: %v", err)
	}
}

// The last unit is confirmed once, and the same request gets the same answer.
func TestConfirmHoldsTheLastUnitOnce(t *testing.T) {
	t.Parallel()
	n := promising(t)
	n.receive("S2", "L03", -9)
	c := engine.Confirmation{PromiseRequest: wanted("S2"), Option: "ship:ground"}
	m := engine.Meta{Actor: "test", Key: &engine.IdempotencyKey{Key: "k", Hash: []byte{1}}}
	one, err := n.Confirm(t.Context(), &c, m)
	if err != nil {
		t.Fatal(err)
	}
	again, err := n.Confirm(t.Context(), &c, m)
	if err != nil || !again.Repeated || string(again.Body) != string(one.Body) {
		t.Errorf("repeated: %v, %v", again, err)
	}
	var refusal *order.Refusal
	if _, err := n.Confirm(t.Context(), &c, engine.Meta{}); !errors.As(err, &refusal) || refusal.Code != engine.CodePromiseChanged {
		t.Errorf("a second confirmation of the last unit: %v", err)
	}
	n.clock.advance(inventory.DefaultReservationTTL)
	n.FireTimersInOrder(t.Context())
	n.confirm(c.PromiseRequest, c.Option) // it is there again
}

func TestPromiseRequestsAreChecked(t *testing.T) {
	t.Parallel()
	n := promising(t)
	many := make([]engine.PromiseItem, engine.MaxPromiseItems+1)
	for i := range many {
		many[i] = engine.PromiseItem{SKU: "S0", Quantity: 1}
	}
	for name, r := range map[string]engine.PromiseRequest{
		"no items":         {Channel: "web"},
		"too many items":   {Channel: "web", Items: many},
		"unknown channel":  {Channel: "nowhere", Items: many[:1]},
		"unknown SKU":      {Channel: "web", Items: []engine.PromiseItem{{SKU: "none", Quantity: 1}}},
		"no quantity":      {Channel: "web", Items: []engine.PromiseItem{{SKU: "S0"}}},
		"unknown location": {Channel: "web", Items: many[:1], Locations: []string{"nowhere"}},
		"unknown kind":     {Channel: "web", Items: many[:1], Kinds: []promise.OptionKind{"fly"}},
	} {
		var bad problem.Invalid
		if _, err := n.Promises(&r); !errors.As(err, &bad) {
			t.Errorf("%s: %v", name, err)
		}
	}
	all := engine.PromiseRequest{Channel: "web", Items: many[:engine.MaxPromiseItems], Destination: wanted("S0").Destination}
	if _, err := n.Promises(&all); err != nil {
		t.Errorf("as many items as may be: %v", err)
	}
	near := engine.PromiseRequest{Channel: "web", Items: many[:1], Locations: []string{"L05"}}
	if got := ids(n.promises(near).Options); !slices.Equal(got, []string{"pickup:L05"}) {
		t.Errorf("without a destination only the store that was named: %v", got)
	}
}

func skuOf(id string) *catalog.SKU { return &catalog.SKU{SKU: id, WeightG: 300} }
