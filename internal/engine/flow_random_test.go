package engine_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/flow"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/problem"
)

// Under all ready flows at once, whatever happens to orders in whatever sequence: nothing is ever left
// that neither a timer nor a person will see, and replaying the log gives what is stored.
func TestReadyFlowsSurviveEverything(t *testing.T) {
	t.Parallel()
	files := []string{}
	for _, e := range flow.Library() {
		if !e.Default {
			files = append(files, e.File)
		}
	}
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			n := ready(t, 3, files...)
			n.becomes("L00", network.DC)
			n.takesBack("L01", nil, network.CanReturn, network.CanPickup)
			n.publish(policy.KindSourcing, "main", transferring(""))
			w := &weather{node: n, Rand: rand.New(rand.NewPCG(seed, 7))}
			for i := range 200 {
				w.happens(i)
			}
			if w.done == 0 || len(w.orders) == 0 {
				t.Fatal("nothing happened")
			}
			n.audited()
			n.passes(60*day, 3*day)
			n.audited()
			n.equalsStore()
		})
	}
}

// weather is everything that may happen to orders.
type weather struct {
	*node
	*rand.Rand
	orders []string
	done   int
}

// may takes an answer that is either done or a refusal.
func (w *weather) may(_ *engine.Reply, err error) {
	w.tb.Helper()
	var refusal *order.Refusal
	var invalid problem.Invalid
	switch {
	case err == nil:
		w.done++
	case errors.As(err, &refusal), errors.As(err, &invalid), errors.Is(err, engine.ErrNotFound):
	default:
		w.tb.Fatal(err)
	}
}

func (w *weather) pick(list ...string) string { return list[w.IntN(len(list))] }

func (w *weather) happens(i int) {
	if len(w.orders) == 0 || w.IntN(6) == 0 {
		w.comes(i)
		return
	}
	o := w.stored(w.orders[max(0, len(w.orders)-1-w.IntN(6))])
	switch w.IntN(12) {
	case 0, 1:
		w.pass(time.Duration(w.Int64N(int64(30 * time.Hour))))
	case 2:
		w.pass(time.Duration(w.Int64N(int64(20 * day))))
	case 3:
		c := order.Cancellation{Reason: "x"}
		if w.IntN(2) == 0 {
			c.Lines = []order.LineQuantity{{Line: "1", Quantity: 1}}
		}
		w.may(w.Cancel(background, o.ID, c, clerk))
	case 4:
		w.may(w.Change(background, o.ID, clerk, func(o *order.Order) ([]order.Event, error) {
			if len(o.Holds) > 0 {
				return o.ReleaseHolds("", "ada", "enough"), nil
			}
			return o.Hold(order.NewHold{Type: "question", Blocks: w.pick(order.BlocksRelease, order.BlocksSourcing), Reason: "?"}, "ada", w.Now())
		}))
	case 5:
		w.may(w.AuthorizeReturn(background, o.ID, &order.NewReturn{Lines: []order.NewReturnLine{{Line: "1", Quantity: 1}}}, true, clerk))
	case 6:
		w.comesBack(o)
	case 7:
		w.receive(w.pick("S0", "S1"), w.pick("L00", "L01", "L02"), 1+w.Int64N(3))
	default:
		w.steps(o)
	}
}

// comes captures one of the orders that the ready flows are for.
func (w *weather) comes(i int) {
	b := basket(fmt.Sprint("w", i), w.pick("S0", "S1"), "K")
	if w.IntN(3) == 0 {
		b.Method, b.PickupLocation, b.ShipTo = order.Pickup, w.pick("L01", "L02"), nil
	}
	b.Attributes = map[string]string{}
	if w.IntN(3) == 0 {
		b.Attributes["handover"] = "curbside"
	}
	if w.IntN(4) == 0 {
		b.Attributes["customer_type"], b.Attributes["terms"] = "business", "account"
		b.Lines[0].UnitPrice = 1_200_000
	}
	reply, err := w.Capture(background, b, clerk)
	w.may(reply, err)
	if err == nil {
		w.orders = append(w.orders, reply.Value.(*order.Order).ID)
	}
}

func (w *weather) steps(o *order.Order) {
	if len(o.Fulfillments) == 0 {
		return
	}
	f := &o.Fulfillments[w.IntN(len(o.Fulfillments))]
	s := order.Step{Command: order.Commands[w.IntN(len(order.Commands))], Reason: w.pick("", "damaged")}
	if s.Command == "delay" {
		s.ExpectedAt = w.Now().Add(50 * time.Hour)
	}
	if w.IntN(4) == 0 && len(f.Lines) > 0 {
		s.Lines = []order.LineQuantity{{Line: f.Lines[0].Line, Quantity: 1}}
		if s.Command == "pick" {
			s.Lines[0] = order.LineQuantity{Line: f.Lines[0].Line, Short: 1}
		}
	}
	w.may(w.Step(background, f.ID, s, clerk))
}

func (w *weather) comesBack(o *order.Order) {
	if len(o.Returns) == 0 {
		return
	}
	id := o.Returns[w.IntN(len(o.Returns))].ID
	switch w.IntN(4) {
	case 0:
		w.may(w.SendReturn(background, id, "c", "T", clerk))
	case 1:
		w.may(w.CancelReturn(background, id, "no", clerk))
	case 2:
		w.may(w.ReceiveReturn(background, id, &order.Receipt{Location: "L01"}, clerk))
	default:
		w.may(w.DisposeReturn(background, id, &order.Disposal{Disposition: order.Restock}, clerk))
	}
}
