package order_test

import (
	"testing"

	"github.com/orderly-oms/orderly/internal/order"
)

// TestEdgesArePublished walks every state that a fulfillment of two units can
// reach and compares the steps seen with order.Edges: none missing, none unreachable.
func TestEdgesArePublished(t *testing.T) {
	t.Parallel()
	seen := map[order.Edge]bool{}
	via := at("dc", lq("1", 2))
	via.Via = "shop"
	for _, start := range []*order.Order{
		place(t, capture(t, newOrder(order.Ship, 2)), at("dc", lq("1", 2))),
		place(t, capture(t, newOrder(order.Pickup, 2)), at("dc", lq("1", 2))),
		place(t, capture(t, newOrder(order.Pickup, 2)), via),
	} {
		walk(t, start, map[string]bool{}, func(command string, before, after *order.Order) {
			from, to := before.Fulfillments[0].Status, after.Fulfillments[0].Status
			if from != to {
				seen[order.Edge{Command: command, From: from, To: to}] = true
			}
		})
	}
	published := map[order.Edge]bool{}
	for _, e := range order.Edges {
		if published[e] {
			t.Errorf("%+v is published twice", e)
		}
		published[e] = true
		if !seen[e] {
			t.Errorf("%+v is published, but nothing takes it", e)
		}
	}
	for e := range seen {
		if !published[e] {
			t.Errorf("%+v is not published", e)
		}
	}
}

func walk(t *testing.T, o *order.Order, visited map[string]bool, note func(string, *order.Order, *order.Order)) {
	state := *o
	state.Version, state.UpdatedAt, state.HoldCount = 0, noon, 0
	state.Holds = make([]order.Hold, len(o.Holds))
	state.Fulfillments = []order.Fulfillment{{Status: o.Fulfillments[0].Status, Lines: o.Fulfillments[0].Lines, Via: o.Fulfillments[0].Via}}
	key := toJSON(t, &state)
	if visited[key] {
		return
	}
	visited[key] = true
	choices := [][]order.LineQuantity{nil, {lq("1", 1)}, {short("1", 0, 1)}, {short("1", 0, 2)}, {short("1", 1, 1)}}
	for _, lines := range choices {
		for _, command := range commands {
			if events, err := o.Decide("o1-1", order.Step{Command: command, Lines: lines}); err == nil {
				next := fold(t, o, events...)
				note(command, o, next)
				walk(t, next, visited, note)
			}
		}
		if events, err := o.Cancel(order.Cancellation{Lines: lines}); err == nil {
			next := fold(t, o, events...)
			note("cancel", o, next)
			walk(t, next, visited, note)
		}
	}
	for q := range int64(2) {
		if events, err := o.Reship(order.Reship{Lines: []order.LineQuantity{lq("1", q+1)}}); err == nil {
			next := fold(t, o, events...)
			note("reship", o, next)
			walk(t, next, visited, note)
		}
	}
	if len(o.Holds) == 0 {
		if events, err := o.Hold(order.NewHold{Type: order.HoldFraud}, "test", noon); err == nil {
			next := fold(t, o, events...)
			note("hold", o, next)
			walk(t, next, visited, note)
		}
		return
	}
	events, err := o.ReleaseHold(o.Holds[0].ID, "test", "")
	if err != nil {
		t.Fatal(err)
	}
	next := fold(t, o, events...)
	note("release", o, next)
	walk(t, next, visited, note)
}

// TestStepsInEveryState asks for every command in every state.
func TestStepsInEveryState(t *testing.T) {
	t.Parallel()
	type path struct {
		status   order.FulfillmentStatus
		method   order.Method
		commands []string
	}
	for _, p := range []path{
		{order.FulfillmentOpen, order.Ship, nil},
		{order.FulfillmentAccepted, order.Ship, []string{"accept"}},
		{order.FulfillmentPicked, order.Ship, []string{"accept", "pick"}},
		{order.FulfillmentPacked, order.Ship, []string{"pick", "pack"}},
		{order.FulfillmentShipped, order.Ship, []string{"ship"}},
		{order.FulfillmentDelivered, order.Ship, []string{"ship", "deliver"}},
		{order.FulfillmentRejected, order.Ship, []string{"reject"}},
		{order.FulfillmentReady, order.Pickup, []string{"accept", "ready"}},
		{order.FulfillmentHandedOver, order.Pickup, []string{"ready", "handover"}},
	} {
		o := place(t, capture(t, newOrder(p.method, 2)), at("dc", lq("1", 2)))
		for _, c := range p.commands {
			o = step(t, o, c)
		}
		if got := o.Fulfillments[0].Status; got != p.status {
			t.Fatalf("%v led to %s, want %s", p.commands, got, p.status)
		}
		for _, command := range commands {
			events, err := o.Decide("o1-1", order.Step{Command: command})
			var to order.FulfillmentStatus // empty: refused
			switch command + " " + string(p.status) {
			case "accept open":
				to = order.FulfillmentAccepted
			case "reject open", "reject accepted":
				to = order.FulfillmentRejected
			case "pick open", "pick accepted":
				to = order.FulfillmentPicked
			case "pack picked":
				to = order.FulfillmentPacked
			case "ship open", "ship accepted", "ship picked", "ship packed":
				to = order.FulfillmentShipped
			case "handover ready":
				to = order.FulfillmentHandedOver
			case "deliver shipped":
				to = order.FulfillmentDelivered
			case "ready open", "ready accepted", "ready picked", "ready packed":
				wantRefusal(t, events, err, order.CodeWrongMethod, "")
				continue
			}
			if to == "" {
				wantRefusal(t, events, err, order.CodeWrongState, "")
			} else if err != nil {
				t.Errorf("%s in %s: %v", command, p.status, err)
			} else if got := fold(t, o, events...).Fulfillments[0].Status; got != to {
				t.Errorf("%s in %s led to %s, want %s", command, p.status, got, to)
			}
		}
	}
}
