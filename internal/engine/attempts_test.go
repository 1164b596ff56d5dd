package engine_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/exception"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/policy"
)

// attempts is a sourcing policy that asks so many locations.
func attempts(most int, action string) string {
	return fmt.Sprintf("kind: sourcing\nname: main\nsourcing:\n  groups: [{name: all, cost: [{term: carrier}]}]\n  max_attempts: %d\n  otherwise: {action: %s}\n", most, action)
}

// unanswered is the fulfillment that a location has not answered yet; nil: none.
func unanswered(o *order.Order) *order.Fulfillment {
	at := slices.IndexFunc(o.Fulfillments, func(f order.Fulfillment) bool { return f.Status == order.FulfillmentOpen })
	if at < 0 {
		return nil
	}
	return &o.Fulfillments[at]
}

func (n *node) rejected(o *order.Order, times int) *order.Order {
	n.tb.Helper()
	for range times {
		o = n.step(unanswered(o).ID, "reject", order.Step{Reason: "busy"})
	}
	return o
}

// Units that came back from as many locations as the policy allows wait for a person, whatever comes into stock or
// time brings; each release is one more location.
func TestAttemptsEndWithAPerson(t *testing.T) {
	each(t, func(t *testing.T, n *node) {
		n.retailer(8, 2, 5)
		m := engine.Meta{Actor: "ada"}
		for _, action := range []string{"backorder", "cancel", "exception", "hold, queue: desk"} {
			n.publish(policy.KindSourcing, "main", attempts(3, action))
			o := n.rejected(n.capture(basket("", "S0")), 3)
			waits := func(what string, want ...string) {
				t.Helper()
				o = n.stored(o.ID)
				if unanswered(o) != nil || o.Lines[0].Backordered != 1 || !o.RetryAt.IsZero() {
					t.Fatalf("%s, %s: %s, %d backordered, looked for at %s", action, what, placesOf(o), o.Lines[0].Backordered, o.RetryAt)
				}
				expectAll(t, action+", "+what, n.exceptions(o.ID, ""), want...)
			}
			waits("three gave it back", "attempts_exhausted")
			n.pass(12 * time.Hour)
			n.stocked("S0", "L07", 1)
			waits("time and stock came", "attempts_exhausted")
			r, err := n.Release(background, o.ID, m)
			if err != nil || unanswered(r.Value.(*order.Order)) == nil {
				t.Fatalf("%s: released, and it is with nobody: %v", action, err)
			}
			expect(t, action+": exceptions once released", len(r.Value.(*order.Order).Exceptions), 0)
			o = n.rejected(r.Value.(*order.Order), 1)
			waits("a fourth gave it back", "attempts_exhausted")
			x := o.Exceptions[slices.IndexFunc(o.Exceptions, func(x order.Exception) bool { return x.Type == order.ExceptionAttempts })]
			if _, err := n.FixException(background, o.ID+"-"+x.ID, exception.FixRetrySourcing, exception.Args{}, false, nil, m); err != nil {
				t.Fatalf("%s: fix: %v", action, err)
			}
			if o = n.stored(o.ID); unanswered(o) == nil || len(o.Exceptions) != 0 {
				t.Errorf("%s: fixed: %s, %+v", action, placesOf(o), o.Exceptions)
			}
		}
		n.sound()
	})
}

// Only the line that came back too often waits; another one that nobody has is looked for as ever.
func TestAttemptsAreOfALine(t *testing.T) {
	each(t, func(t *testing.T, n *node) {
		n.retailer(4, 2, 0)
		n.publish(policy.KindSourcing, "main", attempts(2, "backorder"))
		for i := range 4 {
			n.stocked("S0", fmt.Sprintf("L%02d", i), 3)
		}
		o := n.rejected(n.capture(basket("", "S0", "S1")), 2)
		if o.RetryAt.IsZero() || o.Waiting != nil && o.Waiting.Action != order.WaitBackorder {
			t.Fatalf("the other line is not looked for: %+v at %s", o.Waiting, o.RetryAt)
		}
		n.stocked("S1", "L03", 1)
		n.pass(6 * time.Hour)
		o = n.stored(o.ID)
		if o.Lines[0].Backordered != 1 || o.Lines[1].Allocated != 1 {
			t.Errorf("%s", placesOf(o))
		}
		expectAll(t, "both", n.exceptions(o.ID, ""), order.ExceptionAttempts)
		n.sound()
	})
}

// However units come back, no line is given by itself to more locations than the policy allows.
func TestAttemptsNeverExceedTheCap(t *testing.T) {
	t.Parallel()
	n := inline(t)
	n.retailer(7, 2, 100_000)
	publishedCap := map[int]bool{}
	rapid.Check(t, func(r *rapid.T) {
		most := rapid.IntRange(1, 4).Draw(r, "cap")
		if !publishedCap[most] {
			clear(publishedCap)
			publishedCap[most] = true
			n.publish(policy.KindSourcing, "main", attempts(most, rapid.SampledFrom([]string{"backorder", "exception", "cancel"}).Draw(r, "otherwise")))
		}
		b := basket("", "S0", "S1")
		b.Lines[0].Quantity = int64(rapid.IntRange(1, 3).Draw(r, "units"))
		o := n.capture(b)
		for range rapid.IntRange(1, 12).Draw(r, "steps") {
			before := len(o.Fulfillments)
			if f := unanswered(o); f != nil {
				some := slices.DeleteFunc(slices.Clone(f.Lines), func(l order.FulfillmentLine) bool { return l.Quantity == 0 })
				back := order.Step{Lines: []order.LineQuantity{{Line: rapid.SampledFrom(some).Draw(r, "line").Line, Quantity: 1}}}
				switch rapid.SampledFrom([]string{"reject", "short", "lose"}).Draw(r, "how") {
				case "reject":
					o = n.step(f.ID, "reject", order.Step{Lines: back.Lines, Reason: "busy"})
				case "short":
					o = n.step(f.ID, "pick", order.Step{Lines: []order.LineQuantity{{Line: back.Lines[0].Line, Short: 1}}})
				case "lose":
					n.step(f.ID, "ship", order.Step{})
					o = n.step(f.ID, "lose", order.Step{})
				}
			}
			n.pass(time.Hour)
			n.tasks()
			o = n.stored(o.ID)
			for i := before; i < len(o.Fulfillments); i++ {
				for _, l := range o.Fulfillments[i].Lines {
					if o.Attempted(l.Line) >= int64(most) {
						r.Fatalf("line %s came back %d times and was given to another: %s", l.Line, o.Attempted(l.Line), placesOf(o))
					}
				}
			}
			told := slices.ContainsFunc(o.Exceptions, func(x order.Exception) bool { return x.Type == order.ExceptionAttempts })
			for _, q := range o.Unplaced() {
				if o.Attempted(q.Line) >= int64(most) && !told {
					r.Fatalf("line %s came back %d times and nobody is told: %s", q.Line, o.Attempted(q.Line), placesOf(o))
				}
			}
		}
	})
	n.audited()
}
