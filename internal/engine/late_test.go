package engine_test

import (
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/order"
)

// A location that ships what was given to another one is told so, and somebody is asked about the goods; the
// message that comes again adds nothing.
func TestLateMessagesAreAnsweredAndAsked(t *testing.T) {
	eachQuiet(t, func(t *testing.T, n *node) {
		n.retailer(2, 1, 5)
		o := n.capture(basket("W-1", "S0"))
		first := o.Fulfillments[0].ID
		n.step(first, "reject", order.Step{Reason: "capacity"})
		for range 2 {
			s := order.Step{Command: "ship", Parcels: []order.Parcel{{Carrier: "c", Tracking: "T1"}}}
			if _, err := n.Step(background, first, s, engine.Meta{Actor: "test"}); code(err) != order.CodeLate {
				t.Fatalf("a shipment of what was rejected: %v", err)
			}
			n.pass(time.Second)
			o = n.stored(o.ID)
			if len(o.Exceptions) != 1 || o.Exceptions[0].Type != order.ExceptionLate || o.Exceptions[0].Data["tracking"] != "T1" {
				t.Fatalf("open exceptions: %+v", o.Exceptions)
			}
		}
		n.audited()
	})
}
