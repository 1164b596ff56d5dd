package engine

import (
	"fmt"

	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/policy"
)

// holdFacts are what a holds policy reads of an order.
func (e *Engine) holdFacts(o *order.Order, lines bool) *policy.Facts {
	of := orderFacts(o)
	f := &policy.Facts{Order: &of, Now: o.UpdatedAt}
	if !lines {
		return f
	}
	for i := range o.Lines {
		l := &o.Lines[i]
		if q := l.Quantity - l.Cancelled; q > 0 {
			sku := e.skuFacts(l.SKU, len(l.Parts) > 0)
			f.Lines = append(f.Lines, policy.OrderLine{SKU: sku, Line: &policy.Line{
				SKU: l.SKU, Quantity: q, UnitPrice: l.UnitPrice, Value: l.UnitValue() * q, WeightG: sku.WeightG * q,
			}})
		}
	}
	return f
}

// holdPolicy is the holds policy in force for an order, with the facts to ask it about; nil: none is published for it.
func (e *Engine) holdPolicy(o *order.Order) (*policy.CompiledHolds, *policy.Facts, string) {
	set := e.Policies()
	if !set.Has(policy.KindHolds) {
		return nil, nil, ""
	}
	f := e.holdFacts(o, set.UsesLines(policy.KindHolds))
	c, version, ok := set.Choose(policy.KindHolds, f)
	if !ok {
		return nil, nil, ""
	}
	if c.Holds.UsesLines() && f.Lines == nil {
		f = e.holdFacts(o, true)
	}
	return c.Holds, f, policyName(c, version)
}

// policyHolds are the holds that the policy in force wants for an order as it is at its last
// change, by the rule that wants each; nil: none. by is who places them.
func (e *Engine) policyHolds(o *order.Order) (rules []string, holds []order.NewHold, by string) {
	h, f, name := e.holdPolicy(o)
	if h == nil {
		return nil, nil, ""
	}
	matching, err := h.Matching(f)
	if err != nil {
		e.log.Debug("a rule of a holds policy cannot be evaluated", "policy", name, "order", o.ID, "error", err)
	}
	for _, r := range matching {
		n := order.NewHold{Type: r.Type, Blocks: r.Blocks, Reason: r.Reason, Owner: r.Owner, OnExpiry: r.OnExpiry}
		if n.Reason == "" {
			n.Reason = "rule " + r.Name
		}
		if r.Expires > 0 {
			n.ExpiresAt = o.UpdatedAt.Add(r.Expires)
		}
		rules, holds = append(rules, r.Name), append(holds, n)
	}
	return rules, holds, "policy:" + name
}

// hold places the holds that the policy in force wants. Of an order that existed before, only
// those that it did not want then: what somebody has looked at and released stays so.
func (c *change) hold() error {
	e := c.tx.e
	rules, holds, by := e.policyHolds(c.now)
	if len(holds) == 0 {
		return nil
	}
	had := map[string]bool{}
	if c.before != nil {
		was, _, _ := e.policyHolds(c.before)
		for _, r := range was {
			had[r] = true
		}
	}
	for i, n := range holds {
		if had[rules[i]] {
			continue
		}
		events, err := c.now.Hold(n, by, c.tx.Now)
		if err != nil {
			return fmt.Errorf("rule %s: %w", rules[i], err)
		}
		if err := c.add(events...); err != nil {
			return err
		}
	}
	return nil
}

// adjustmentLimit is up to what sum an order's adjustments need no approval, minor units; negative: any.
func (e *Engine) adjustmentLimit(o *order.Order) int64 {
	h, _, _ := e.holdPolicy(o)
	if h == nil {
		return -1
	}
	return h.WithoutApproval
}
