package audit

import (
	"testing"

	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/store"
)

// One hold takes the place of another, a release, and a hold of what is held, which nothing publishes.
func TestHoldInPlaceOfAnother(t *testing.T) {
	held := &order.Order{ID: "o1", Status: order.StatusAllocated, Fulfillments: []order.Fulfillment{{ID: "o1-1", Status: order.FulfillmentHeld}}}
	open := &order.Order{ID: "o1", Status: order.StatusAllocated, Fulfillments: []order.Fulfillment{{ID: "o1-1", Status: order.FulfillmentOpen}}}
	release := order.Event{Type: order.EventFulfillmentReleased, FulfillmentID: "o1-1"}
	hold := order.Event{Type: order.EventFulfillmentHeld, FulfillmentID: "o1-1"}
	for _, test := range []struct {
		name   string
		next   *order.Order
		events []order.Event
		wrong  int64
	}{
		{"replaced", held, []order.Event{release, hold}, 0},
		{"released", open, []order.Event{release}, 0},
		{"held twice", held, []order.Event{hold}, 1},
	} {
		a := &auditor{checks: newChecks()}
		f := &orderFolder{auditor: a, now: held}
		f.checkSteps(&store.Commit{Version: 2}, test.next, test.events)
		if int64(a.edges.Violations) != test.wrong {
			t.Errorf("%s: %d violations, want %d: %v", test.name, a.edges.Violations, test.wrong, a.edges.First)
		}
	}
}
