package engine_test

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
)

// message is one condition reported about an order.
type message struct {
	name string
	send func(n *node, r *rapid.T, o *order.Order) error
}

// stepMessage reports a step of a fulfillment, which may be one that lost its units long ago.
func stepMessage(command string, s order.Step) message {
	return message{command, func(n *node, r *rapid.T, o *order.Order) error {
		s.Command = command
		f := o.Fulfillments[rapid.IntRange(0, len(o.Fulfillments)-1).Draw(r, "fulfillment")]
		if s.Lines != nil {
			s.Lines = []order.LineQuantity{{Line: f.Lines[0].Line, Quantity: s.Lines[0].Quantity, Short: s.Lines[0].Short}}
		}
		before := n.stored(o.ID)
		_, err := n.Step(background, f.ID, s, engine.Meta{Actor: "test"})
		if now := n.stored(o.ID); err != nil && now.Version != before.Version && len(now.Exceptions) == 0 && code(err) != order.CodeLate {
			r.Fatalf("%s was refused with %v and changed the order", command, err)
		}
		return err
	}}
}

func messages() []message {
	one := []order.LineQuantity{{Quantity: 1}}
	return []message{
		stepMessage("accept", order.Step{}),
		stepMessage("reject", order.Step{Reason: "busy"}),
		stepMessage("reject", order.Step{Reason: "busy", Lines: one}),
		stepMessage("pick", order.Step{}),
		stepMessage("pick", order.Step{Lines: one}),
		stepMessage("pick", order.Step{Lines: []order.LineQuantity{{Short: 1}}}),
		stepMessage("ship", order.Step{}),
		stepMessage("deliver", order.Step{}),
		stepMessage("lose", order.Step{}),
		stepMessage("undeliverable", order.Step{}),
		stepMessage("delay", order.Step{ExpectedAt: newClock().now().Add(200 * time.Hour)}),
		stepMessage("stopped", order.Step{}),
		stepMessage("stop_refused", order.Step{}),
		{"cancel", func(n *node, r *rapid.T, o *order.Order) error {
			l := rapid.SampledFrom(o.Lines).Draw(r, "line").ID
			_, err := n.Cancel(background, o.ID, order.Cancellation{Reason: "changed my mind", Lines: []order.LineQuantity{{Line: l, Quantity: 1}}}, engine.Meta{Actor: "test"})
			return err
		}},
		{"close", func(n *node, r *rapid.T, _ *order.Order) error {
			n.status(rapid.SampledFrom([]string{"L00", "L01", "L02"}).Draw(r, "location"), rapid.SampledFrom([]network.Status{network.Suspended, network.Active}).Draw(r, "status"))
			return nil
		}},
		{"capacity", func(n *node, r *rapid.T, _ *order.Order) error {
			n.limit(network.Capacity{OrdersPerDay: ptr(rapid.Int64Range(0, 3).Draw(r, "orders"))})
			return nil
		}},
		{"stock", func(n *node, r *rapid.T, _ *order.Order) error {
			_, err := n.Adjust(background, &engine.Adjustments{Reason: "damaged", Items: []engine.Adjustment{{
				SKU: rapid.SampledFrom([]string{"S0", "S1"}).Draw(r, "sku"), Location: rapid.SampledFrom([]string{"L00", "L01", "L02"}).Draw(r, "location"),
				Quantity: rapid.SampledFrom([]int64{-3, -1, 2}).Draw(r, "units"),
			}}}, engine.Meta{Actor: "test"})
			return err
		}},
		{"time", func(n *node, r *rapid.T, _ *order.Order) error {
			n.pass(time.Duration(rapid.Int64Range(1, 30).Draw(r, "hours")) * time.Hour)
			return nil
		}},
	}
}

// counted are the units of a line by what became of them; none is two things at once.
func counted(r *rapid.T, o *order.Order) {
	for i := range o.Lines {
		l := &o.Lines[i]
		if sum := l.Open() + l.Backordered + l.Allocated + l.Fulfilled + l.Cancelled; sum != l.Quantity || l.Open() < 0 || l.Backordered < 0 || l.Allocated < 0 || l.Fulfilled < 0 || l.Cancelled < 0 {
			r.Fatalf("line %s: %d ordered, %+v", l.ID, l.Quantity, l)
		}
		if l.Fulfilled+l.Cancelled > l.Quantity {
			r.Fatalf("line %s: %d units are both cancelled and shipped", l.ID, l.Fulfilled+l.Cancelled-l.Quantity)
		}
		var shipped int64
		for k := range o.Fulfillments {
			for _, fl := range o.Fulfillments[k].Lines {
				if fl.Line == l.ID {
					shipped += fl.Shipped
				}
			}
		}
		if shipped != l.Fulfilled {
			r.Fatalf("line %s: %d shipped by locations, %d in the order", l.ID, shipped, l.Fulfilled)
		}
	}
}

// Whatever is reported about an order, late, twice or in any order: every unit is one thing, what is repeated changes
// nothing more, and stock and capacity agree with the orders at the end.
func TestConditionsConvergeInAnyOrder(t *testing.T) {
	t.Parallel()
	all := messages()
	rapid.Check(t, func(r *rapid.T) {
		n := inline(t)
		n.retailer(3, 2, 6)
		n.limit(network.Capacity{OrdersPerDay: ptr(int64(5))})
		b := basket("", "S0", "S1")
		b.Lines[0].Quantity = 3
		o := n.capture(b)
		for range rapid.IntRange(4, 14).Draw(r, "messages") {
			o = n.stored(o.ID)
			m := rapid.SampledFrom(all).Draw(r, "message")
			if err := m.send(n, r, o); err != nil {
				var refused *order.Refusal
				if !errors.As(err, &refused) {
					r.Fatalf("%s: %v", m.name, err)
				}
			}
			n.tasks()
			counted(r, n.stored(o.ID))
		}
		// The last word of every location once more, and again: the second time says nothing new.
		o = n.stored(o.ID)
		var first []byte
		for range 2 {
			for i := range o.Fulfillments {
				for _, command := range []string{"accept", "ship", "deliver"} {
					if _, err := n.Step(background, o.Fulfillments[i].ID, order.Step{Command: command}, engine.Meta{Actor: "test"}); err != nil && code(err) == "" {
						r.Fatalf("%s: %v", command, err)
					}
				}
			}
			n.tasks()
			now := n.stored(o.ID)
			counted(r, now)
			body, err := json.Marshal(now)
			if err != nil {
				r.Fatal(err)
			}
			if first != nil && !slices.Equal(first, body) {
				r.Fatalf("repeated messages changed the order:\n%s\n%s", first, body)
			}
			first = body
		}
		n.sound()
	})
}
