package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/exception"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/policy"
)

// A promise at risk is an exception, once, before it is broken, whatever the flow; it closes when the units arrive.
func TestPromiseAtRiskAsksAPersonOnce(t *testing.T) {
	t.Parallel()
	for _, on := range []string{"show", "exception", "redecide"} {
		t.Run(on, func(t *testing.T) {
			t.Parallel()
			n := inline(t)
			n.retailer(1, 1, 5) // nobody else has it
			n.publish(policy.KindPromise, "dates", fmt.Sprintf("kind: promise\nname: dates\npromise: {on_risk: %s}\n", on))
			o, o2 := n.capture(basket("", "S0")), n.capture(basket("", "S0"))
			asked := func(what string, want int) (id string) {
				t.Helper()
				open := 0
				for _, x := range n.stored(o.ID).Exceptions {
					if x.Type == order.ExceptionPromise {
						open, id = open+1, x.ID
					}
				}
				expect(t, what, open, want)
				return id
			}
			n.tasks()
			asked("at once", 0)
			n.clock.at.Store(o.Promise.DeliverBy.Add(-2 * time.Hour).UnixNano())
			n.tasks()
			if on == "show" {
				asked("shown only", 0)
				return
			}
			x := asked("two hours before", 1)
			other := n.stored(o2.ID)
			expect(t, "the other", len(other.Exceptions) > 0, true)
			n.step(other.Fulfillments[0].ID, "ship", order.Step{})
			n.step(other.Fulfillments[0].ID, "deliver", order.Step{})
			for _, x := range n.stored(o2.ID).Exceptions {
				if x.Type == order.ExceptionPromise {
					t.Error("it arrived, and its promise is still at risk")
				}
			}
			if _, err := n.FixException(background, o.ID+"-"+x, exception.FixClose, exception.Args{Reason: "the customer knows"}, false, nil, engine.Meta{Actor: "ada"}); err != nil {
				t.Fatal(err)
			}
			n.clock.advance(time.Hour)
			n.tasks()
			asked("it was dealt with", 0)
			n.audited()
		})
	}
}

// With redecide, units that nobody accepted go to a location that keeps the promise; an accepted fulfillment stays.
func TestPromiseAtRiskIsDecidedAgain(t *testing.T) {
	t.Parallel()
	for _, accepted := range []bool{false, true} {
		n := inline(t)
		n.retailer(3, 1, 5)
		n.publish(policy.KindPromise, "dates", "kind: promise\nname: dates\npromise: {on_risk: redecide, at_risk: 0.999}\n")
		o := n.capture(basket("", "S0"))
		f := o.Fulfillments[0]
		if accepted {
			n.step(f.ID, "accept", order.Step{})
		}
		for range 72 {
			n.clock.advance(time.Hour)
			n.tasks()
			if o = n.stored(o.ID); len(o.Fulfillments) > 1 || len(o.Exceptions) > 0 {
				break
			}
		}
		last := o.Fulfillments[len(o.Fulfillments)-1]
		moved := last.Location != f.Location && last.Promise.DeliverBy.Compare(f.Promise.DeliverBy) <= 0
		if moved == accepted || !n.Now().Before(f.Promise.DeliverBy) {
			t.Errorf("accepted %t, at %s of %s: %s, %+v", accepted, n.Now(), f.Promise.DeliverBy, placesOf(o), o.Exceptions)
		}
		n.sound()
	}
}
