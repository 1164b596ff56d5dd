package audit

import (
	"testing"

	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/store"
)

// One hold takes the place of another, a release, and a hold of what is held, which nothing publishes;
// the same of fulfillments that the row itself makes.
func TestHoldInPlaceOfAnother(t *testing.T) {
	held := &order.Order{ID: "o1", Status: order.StatusAllocated, Fulfillments: []order.Fulfillment{{ID: "o1-1", Status: order.FulfillmentHeld}}}
	open := &order.Order{ID: "o1", Status: order.StatusAllocated, Fulfillments: []order.Fulfillment{{ID: "o1-1", Status: order.FulfillmentOpen}}}
	shipped := &order.Order{ID: "o1", Status: order.StatusFulfilled, Fulfillments: []order.Fulfillment{{ID: "o1-1", Status: order.FulfillmentShipped}}}
	ship := order.Event{Type: order.EventFulfillmentShipped, FulfillmentID: "o1-1"}
	release := order.Event{Type: order.EventFulfillmentReleased, FulfillmentID: "o1-1"}
	hold := order.Event{Type: order.EventFulfillmentHeld, FulfillmentID: "o1-1"}
	made := func(status order.FulfillmentStatus) order.Event {
		return order.Event{Type: order.EventFulfillmentCreated, Fulfillment: &order.Fulfillment{ID: "o1-1", Status: status}}
	}
	for _, test := range []struct {
		name   string
		now    *order.Order
		next   *order.Order
		events []order.Event
		wrong  int64
	}{
		{"replaced", held, held, []order.Event{release, hold}, 0},
		{"released", held, open, []order.Event{release}, 0},
		{"held twice", held, held, []order.Event{hold}, 1},
		{"made held, and released", nil, open, []order.Event{made(order.FulfillmentHeld), release}, 0},
		{"made open, and held", nil, held, []order.Event{made(order.FulfillmentOpen), hold}, 0},
		{"made open, and released", nil, open, []order.Event{made(order.FulfillmentOpen), release}, 1},
		{"released, and shipped", held, shipped, []order.Event{release, ship}, 0},
		{"made held, released, and shipped", nil, shipped, []order.Event{made(order.FulfillmentHeld), release, ship}, 0},
		{"shipped, though held", held, shipped, []order.Event{ship}, 1},
		{"released, and never made", nil, open, []order.Event{release}, 1},
	} {
		a := &auditor{checks: newChecks()}
		f := &orderFolder{auditor: a, now: test.now}
		f.checkSteps(&store.Commit{Version: 2}, test.next, test.events)
		if int64(a.edges.Violations) != test.wrong {
			t.Errorf("%s: %d violations, want %d: %v", test.name, a.edges.Violations, test.wrong, a.edges.First)
		}
	}
}
