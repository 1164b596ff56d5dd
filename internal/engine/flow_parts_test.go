package engine_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/flow"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/policy"
)

var clerk = engine.Meta{Actor: "clerk"}

// delivered captures an order for one unit of each SKU and brings it to its customer.
func (n *node) delivered(external string, skus ...string) *order.Order {
	n.tb.Helper()
	o := n.capture(basket(external, skus...))
	n.step(o.Fulfillments[0].ID, "ship", order.Step{})
	return n.step(o.Fulfillments[0].ID, "deliver", order.Step{})
}

// back authorises a return of one unit of a line by mail.
func (n *node) back(o *order.Order, line string) *order.Return {
	n.tb.Helper()
	reply, err := n.AuthorizeReturn(n.tb.Context(), o.ID, &order.NewReturn{Lines: []order.NewReturnLine{{Line: line, Quantity: 1, Reason: "too_small"}}}, false, clerk)
	if err != nil {
		n.tb.Fatal(err)
	}
	return reply.Value.(*engine.ReturnAnswer).Return
}

// instance is where a part of an order is in its flow.
func (n *node) instance(order, of string) string {
	n.tb.Helper()
	at := n.stored(order).FlowOf(of)
	if at == nil {
		n.tb.Fatalf("%q of order %s is in no flow", of, order)
	}
	return at.Flow + " " + at.State
}

// open lists the types of an order's open exceptions about a part of it.
func (n *node) exceptions(o, of string) (types []string) {
	n.tb.Helper()
	for _, x := range n.stored(o).Exceptions {
		if x.FulfillmentID+x.ReturnID == of {
			types = append(types, x.Type)
		}
	}
	return types
}

func expect[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func expectAll(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// A return follows its flow from the start to its end, and what waits too long asks a person.
func TestReturnsFollowTheirFlow(t *testing.T) {
	each(t, func(t *testing.T, n *node) {
		n.retailer(2, 1, 5)
		n.takesBack("L00", nil, "returns")
		n.publish(policy.KindReturns, "looked-at", "kind: returns\nname: looked-at\nreturns: {rules: [{name: all, to: L00}], inspect: 'true'}\n")
		o := n.delivered("R-1", "S0")
		r := n.back(o, "1")
		expect(t, "authorised", n.instance(o.ID, r.ID), "default@0 authorized")
		if _, err := n.SendReturn(background, r.ID, "c", "T-1", clerk); err != nil {
			t.Fatal(err)
		}
		expect(t, "sent", n.instance(o.ID, r.ID), "default@0 in_transit")
		n.pass(22 * 24 * time.Hour)
		expectAll(t, "on its way for three weeks", n.exceptions(o.ID, r.ID), "return_delayed")
		if _, err := n.ReceiveReturn(background, r.ID, &order.Receipt{Location: "L00"}, clerk); err != nil {
			t.Fatal(err)
		}
		expect(t, "received", n.instance(o.ID, r.ID), "default@0 received")
		expectAll(t, "it arrived", n.exceptions(o.ID, r.ID))
		n.pass(3*24*time.Hour + time.Minute)
		expectAll(t, "nobody looks at it", n.exceptions(o.ID, r.ID), "inspection_overdue")
		if _, err := n.InspectReturn(background, r.ID, &order.Inspection{Lines: []order.InspectedLine{{Line: "1", Accepted: 1}}}, false, clerk); err != nil {
			t.Fatal(err)
		}
		if got := n.instance(o.ID, r.ID); got == "default@0 inspected" {
			if _, err := n.DisposeReturn(background, r.ID, &order.Disposal{Disposition: order.Restock}, clerk); err != nil {
				t.Fatal(err)
			}
		}
		expect(t, "looked at and put back", n.instance(o.ID, r.ID), "default@0 closed")
		expectAll(t, "closed", n.exceptions(o.ID, r.ID))
		if wake := n.stored(o.ID).NextWake(); !wake.IsZero() {
			t.Errorf("it wants to be woken at %v", wake)
		}
		n.equalsStore()
		n.audited()
	})
}

func TestReturnsExpireAndAreCancelledInTheirFlow(t *testing.T) {
	t.Parallel()
	n := open(t, stores["sqlite"](t)(), newClock())
	n.retailer(2, 2, 5)
	n.takesBack("L00", nil, "returns")
	o := n.delivered("R-2", "S0", "S1")
	r1, r2 := n.back(o, "1"), n.back(o, "2")
	if _, err := n.CancelReturn(background, r2.ID, "changed their mind", clerk); err != nil {
		t.Fatal(err)
	}
	expect(t, "cancelled", n.instance(o.ID, r2.ID), "default@0 cancelled")
	n.pass(r1.ExpiresAt.Sub(n.Now()) + time.Minute)
	expect(t, "its time is over", n.instance(o.ID, r1.ID), "default@0 expired")
	n.audited()
}

// Goods that nobody announced begin a flow, and may end it in the same commit.
func TestBlindReturnsAreInAFlow(t *testing.T) {
	t.Parallel()
	n := open(t, stores["sqlite"](t)(), newClock())
	n.retailer(2, 1, 5)
	n.takesBack("L00", nil, "returns")
	o := n.delivered("R-3", "S0")
	reply, err := n.ReceiveBlind(background, &engine.BlindReturn{OrderID: o.ID, Receipt: order.Receipt{Location: "L00", Lines: []order.ReceivedLine{{Line: "1", Quantity: 1}}}}, clerk)
	if err != nil {
		t.Fatal(err)
	}
	r := reply.Value.(*engine.ReturnAnswer).Return
	at := n.stored(o.ID).FlowOf(r.ID)
	if at == nil || at.State != string(r.Status) {
		t.Errorf("the return is %s, its flow at %+v", r.Status, at)
	}
	n.audited()
}

// what happened to a part of an order that its flow has no answer to is in the log, and with a person when the flow says so.
func TestNoEventIsMissedSilently(t *testing.T) {
	each(t, func(t *testing.T, n *node) {
		n.retailer(2, 1, 5)
		n.takesBack("L00", nil, "returns")
		deaf := func(subject, end string) string {
			return `kind: ` + subject + `_flow
name: deaf
flow:
  missed: exception
  states:
    - name: only
      timers: [{name: t, after: 60d, every: 60d}]
      on:
        - {event: timer.t, do: [exception: {type: slow, message: slow}]}
        - {event: ` + end + `, to: end}
    - {name: end, final: true}
`
		}
		n.publish(policy.KindOrderFlow, "deaf", deaf("order", "order.cancelled"))
		n.publish(policy.KindFulfillmentFlow, "deaf", deaf("fulfillment", "fulfillment.lost"))
		n.publish(policy.KindReturnFlow, "deaf", deaf("return", "return.closed"))
		o := n.capture(basket("M-1", "S0"))
		f := o.Fulfillments[0].ID
		n.step(f, "accept", order.Step{})
		if _, err := n.Change(background, o.ID, clerk, func(o *order.Order) ([]order.Event, error) {
			return o.Hold(order.NewHold{Type: "question", Reason: "why"}, "ada", n.Now())
		}); err != nil {
			t.Fatal(err)
		}
		expectAll(t, "order", n.exceptions(o.ID, ""), "flow_missed")
		if _, err := n.Change(background, o.ID, clerk, func(o *order.Order) ([]order.Event, error) { return o.ReleaseHolds("", "ada", "answered"), nil }); err != nil {
			t.Fatal(err)
		}
		n.step(f, "ship", order.Step{})
		expectAll(t, "fulfillment", n.exceptions(o.ID, f), "flow_missed")
		n.step(f, "deliver", order.Step{})
		r := n.back(o, "1")
		if _, err := n.SendReturn(background, r.ID, "c", "T-2", clerk); err != nil {
			t.Fatal(err)
		}
		expectAll(t, "return", n.exceptions(o.ID, r.ID), "flow_missed")
		var missed []string
		for _, e := range n.history(o.ID) {
			if e.Type == order.EventFlowMissed {
				missed = append(missed, strings.TrimPrefix(e.Moves[0].Of, o.ID)+" "+e.Moves[0].Event+" in "+e.Moves[0].From)
			}
		}
		expectAll(t, "the log", missed, "-1 fulfillment.accepted in only", " order.held in only", " order.hold_released in only",
			"-1 fulfillment.picked in only", "-1 fulfillment.packed in only", "-1 fulfillment.shipped in only", "-1 fulfillment.delivered in only", "-r1 return.in_transit in only")
		n.audited()
	})
}

// Orders, fulfillments and returns in flight stay on their version until they are migrated.
func TestSubjectsInFlightMigrate(t *testing.T) {
	each(t, func(t *testing.T, n *node) {
		n.retailer(2, 2, 5)
		n.takesBack("L00", nil, "returns")
		o := n.delivered("G-1", "S0", "S1")
		r, gone := n.back(o, "1"), n.back(o, "2")
		if _, err := n.CancelReturn(background, gone.ID, "no", clerk); err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(libraryText(t, "return-default.yaml"), "name: default", "name: ours")
		text = text[:strings.Index(text, "examples:")]
		text = strings.ReplaceAll(text, "name: authorized", "name: announced")
		n.publish(policy.KindReturnFlow, "ours", text)
		expect(t, "published", n.instance(o.ID, r.ID), "default@0 authorized")
		to := n.FlowByName(policy.KindReturnFlow, "ours@1")
		if _, err := n.PlanFlowMigration(to, "default", nil); err == nil || !strings.Contains(err.Error(), "authorized") {
			t.Errorf("a state without a successor: %v", err)
		}
		if _, err := n.PlanFlowMigration(to, "default", map[string]string{"authorized": "announced", "nothing": "announced"}); err == nil || !strings.Contains(err.Error(), "nothing") {
			t.Errorf("a mapping of no state: %v", err)
		}
		plan, err := n.PlanFlowMigration(to, "default", map[string]string{"authorized": "announced"})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := n.MigrateFlows(background, o.ID, plan, clerk); err != nil {
				t.Fatal(err)
			}
		}
		expect(t, "migrated", n.instance(o.ID, r.ID), "ours@1 announced")
		expect(t, "in a final state", n.instance(o.ID, gone.ID), "default@0 cancelled")
		expect(t, "of another subject", n.instance(o.ID, ""), "default@0 done")
		migrated := 0
		for _, e := range n.history(o.ID) {
			if e.Type == order.EventFlowMigrated {
				migrated++
			}
		}
		expect(t, "migrations in the log", migrated, 1)
		n.pass(r.ExpiresAt.Sub(n.Now()) + 25*time.Hour)
		expect(t, "it goes on", n.instance(o.ID, r.ID), "ours@1 expired")
		n.audited()
	})
}

// history are all events of an order.
func (n *node) history(id string) (out []order.Event) {
	n.tb.Helper()
	events, _, err := n.Events(background, make(engine.Cursor, n.store.Buckets()), 1<<20, nil)
	if err != nil {
		n.tb.Fatal(err)
	}
	for i := range events {
		if p := &events[i]; p.Stream.Kind == engine.KindOrder && p.Stream.ID == id {
			var e order.Event
			if err := json.Unmarshal(p.Data, &e); err != nil {
				n.tb.Fatal(err)
			}
			out = append(out, e)
		}
	}
	return out
}

// libraryText is the text of a ready flow.
func libraryText(t *testing.T, file string) string {
	t.Helper()
	for _, e := range flow.Library() {
		if e.File == file {
			return e.Text
		}
	}
	t.Fatalf("the library has no %s", file)
	return ""
}

// What happens to an exception is heard by the flow of the part that it is about, and by no other.
func TestFlowsHearOfTheirExceptions(t *testing.T) {
	t.Parallel()
	n := open(t, stores["sqlite"](t)(), newClock())
	n.retailer(2, 1, 5)
	n.takesBack("L00", nil, "returns")
	for subject, end := range map[string]string{"fulfillment": "fulfillment.lost", "return": "return.closed"} {
		n.publish(policy.Kind(subject+"_flow"), "listens", `kind: `+subject+`_flow
name: listens
flow:
  ignore: [`+subject+`.*]
  states:
    - name: calm
      timers: [{name: t, after: 60d, every: 60d}]
      on:
        - {event: timer.t, do: [exception: {type: slow, message: slow}]}
        - {event: exception.opened, when: '"question" in subject.exceptions', to: asked}
        - {event: `+end+`, to: end}
    - name: asked
      timers: [{name: t, after: 60d, every: 60d}]
      on:
        - {event: timer.t, do: [exception: {type: slow, message: slow}]}
        - {event: exception.closed, when: '!("question" in subject.exceptions)', to: calm}
    - {name: end, final: true}
`)
	}
	o := n.delivered("X-1", "S0")
	f, r := o.Fulfillments[0].ID, n.back(o, "1").ID
	where := func(what, of, other string) {
		t.Helper()
		expect(t, what, n.instance(o.ID, f)+", "+n.instance(o.ID, r), "listens@1 "+of+", listens@1 "+other)
	}
	where("nothing is asked", "calm", "calm")
	about := n.raise(o, order.Exception{Type: "question", FulfillmentID: f, Message: "?"})
	where("about the fulfillment", "asked", "calm")
	n.raise(o, order.Exception{Type: "question", ReturnID: r, Message: "?"})
	where("about the return", "asked", "asked")
	if _, err := n.Change(background, o.ID, clerk, func(o *order.Order) ([]order.Event, error) {
		return o.CloseException(strings.TrimPrefix(about, o.ID+"-"), "ada", "answered")
	}); err != nil {
		t.Fatal(err)
	}
	where("answered", "calm", "asked")
	n.audited()
}

// What a flow asks for and the order does not allow is work for a person, and is tried again as the flow says.
func TestActionsThatAreRefusedAreTriedAgain(t *testing.T) {
	t.Parallel()
	n := open(t, stores["sqlite"](t)(), newClock())
	n.retailer(2, 2, 5)
	n.takesBack("L00", nil, "returns")
	n.publish(policy.KindReturns, "looked-at", "kind: returns\nname: looked-at\nreturns: {rules: [{name: all, to: L00}], inspect: 'true'}\n")
	n.publish(policy.KindReturnFlow, "strict", `kind: return_flow
name: strict
flow:
  ignore: [return.*]
  states:
    - name: waits
      timers: [{name: patience, after: 2d, every: 1d, times: 2}]
      on:
        - {event: timer.patience, do: [cancel: {reason: "try {subject.tries}"}]}
        - {event: timer.patience.exhausted, to: asked, do: [exception: {type: return_stuck, message: it cannot be cancelled}]}
    - name: asked
      timers: [{name: t, after: 60d, every: 60d}]
      on: [{event: timer.t, do: [exception: {type: return_stuck, message: slow}]}]
    - {name: end, final: true}
  on: [{events: [return.cancelled, return.closed], to: end}]
`)
	o := n.delivered("A-1", "S0", "S1")
	never, came := n.back(o, "1").ID, n.back(o, "2").ID
	if _, err := n.ReceiveReturn(background, came, &order.Receipt{Location: "L00"}, clerk); err != nil {
		t.Fatal(err)
	}
	n.pass(2*day + time.Minute)
	expect(t, "nothing came", n.instance(o.ID, never)+" "+string(n.stored(o.ID).Return(never).Status), "strict@1 end cancelled")
	expectAll(t, "something came", n.exceptions(o.ID, came), "flow_action_failed")
	expect(t, "it is tried again", n.instance(o.ID, came), "strict@1 waits")
	n.passes(2*day+time.Minute, day)
	expectAll(t, "in vain", n.exceptions(o.ID, came), "flow_action_failed", "return_stuck")
	expect(t, "in vain", n.instance(o.ID, came), "strict@1 asked")
	n.audited()
}
