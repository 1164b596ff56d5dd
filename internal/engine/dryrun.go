package engine

import (
	"slices"

	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/sourcing"
)

// Trial is what would become of an order.
type Trial struct {
	Order     *order.Order
	Decisions []*sourcing.Decision
	Waiting   *order.Waiting
	// Refused reports that the order would be refused: the policy rejects what cannot be placed whole.
	Refused bool
}

// Try decides an order on the facts of this moment and changes nothing. candidate,
// when not nil, decides instead of the policy in force. Errors: problem.Invalid, *order.Refusal.
func (e *Engine) Try(n *order.New, candidate *policy.Compiled) (*Trial, error) {
	if err := n.Validate(); err != nil {
		return nil, err
	}
	s, err := e.prepare(n)
	if err != nil {
		return nil, err
	}
	now := e.Now()
	start := e.tried(n, order.Captured{ID: "trial", At: now, Parts: e.Parts}, candidate)
	o, err := order.Fold(nil, []order.Event{start}, 1, now)
	if err != nil {
		return nil, err
	}
	p := &placing{e: e, book: e.Book(), now: now, s: s, o: o, policy: candidate}
	placed, err := p.run(nil)
	if err != nil {
		return nil, err
	}
	t := &Trial{Order: o, Decisions: p.plan.Decisions, Refused: (s.reject || placed.rejected) && placed.missing()}
	if len(placed.events) > 0 {
		if t.Order, err = order.Fold(o, placed.events, 1, now); err != nil {
			return nil, err
		}
	}
	t.Waiting = t.Order.Waiting
	return t, nil
}

// tried starts an order as capture would, with its kits apart when the policy that decides wants that.
func (e *Engine) tried(n *order.New, c order.Captured, decides *policy.Compiled) order.Event {
	start := n.Capture(c)
	if !slices.ContainsFunc(start.Order.Lines, func(l order.Line) bool { return len(l.Parts) > 0 }) {
		return start
	}
	if decides == nil {
		decides, _ = e.sourcingPolicy(start.Order, nil, c.At)
	}
	if slices.ContainsFunc(decides.Sourcing.Groups, func(g policy.CompiledGroup) bool { return g.Limits.Kits == "component" }) {
		c.Weigh = e.listPrice
		start = n.Capture(c)
	}
	return start
}
