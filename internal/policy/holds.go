package policy

import (
	"cmp"
	"fmt"
	"math"
	"time"

	"github.com/orderly-oms/orderly/internal/problem"
)

// KindHolds says which orders stop by themselves, and what customer service may give away unasked.
const KindHolds Kind = "holds"

// maxHoldHours is how long a rule's hold may last: what an order admits.
const maxHoldHours = 366 * 24

// HoldsSection is which orders stop before locations work on them.
type HoldsSection struct {
	// Rules are asked when an order is captured, and those that did not match before
	// again when it is edited. Every one that matches places its hold.
	Rules []HoldRule `yaml:"rules"`
	// Adjustments says what may be given to the customers of these orders.
	Adjustments AdjustmentLimit `yaml:"adjustments"`
}

// AdjustmentLimit bounds appeasements and price adjustments of one order.
type AdjustmentLimit struct {
	// WithoutApproval is up to what sum, minor units of the order's currency, they need no
	// approval. Absent: any; 0: all need it.
	WithoutApproval *int64 `yaml:"without_approval"`
}

// HoldRule is one reason to stop an order.
type HoldRule struct {
	Name string `yaml:"name"`
	When string `yaml:"when"` // CEL over order, now, line and sku; with line or sku: true when true for any line
	// Type is fraud, payment, address, customer, credit, approval or a name of your own.
	Type   string `yaml:"type"`
	Blocks string `yaml:"blocks"` // release (default) or sourcing
	Reason string `yaml:"reason"`
	Owner  string `yaml:"owner"`
	// ExpiresHours is when OnExpiry happens; fractions count, 0.5 are 30 minutes. Default: 72.
	ExpiresHours float64 `yaml:"expires_hours"`
	OnExpiry     string  `yaml:"on_expiry"` // release, cancel or exception (default)
}

// CompiledHolds is a HoldsSection with its defaults filled in.
type CompiledHolds struct {
	Rules []CompiledHold
	// WithoutApproval is the limit of adjustments, minor units; negative: none.
	WithoutApproval int64
}

// CompiledHold is a HoldRule.
type CompiledHold struct {
	HoldRule
	Expires time.Duration // 0: the order's default
	when    *Expr         // nil: always
}

// Matching returns the rules that stop an order, in their order. A rule that cannot be
// evaluated does not match; the first such error is returned beside the others.
func (h *CompiledHolds) Matching(f *Facts) (rules []*CompiledHold, failed error) {
	for i := range h.Rules {
		r := &h.Rules[i]
		ok, err := r.matches(f)
		if err != nil {
			failed = cmp.Or(failed, fmt.Errorf("rule %s: %w", r.Name, err))
		}
		if ok {
			rules = append(rules, r)
		}
	}
	return rules, failed
}

func (r *CompiledHold) matches(f *Facts) (bool, error) {
	if r.when == nil {
		return true, nil
	}
	if r.when.uses&(UsesLine|UsesSKU) == 0 {
		return r.when.Bool(f)
	}
	var failed error
	one := *f
	for i := range f.Lines {
		one.Line, one.SKU = f.Lines[i].Line, f.Lines[i].SKU
		ok, err := r.when.Bool(&one)
		if ok {
			return true, nil
		}
		failed = cmp.Or(failed, err)
	}
	return false, failed
}

// UsesLines reports whether a rule reads lines or articles, so that Facts.Lines must be filled in.
func (h *CompiledHolds) UsesLines() bool {
	for i := range h.Rules {
		if w := h.Rules[i].when; w != nil && w.uses&(UsesLine|UsesSKU) != 0 {
			return true
		}
	}
	return false
}

func (c *compiler) holds(s *HoldsSection) *CompiledHolds {
	out := &CompiledHolds{WithoutApproval: -1}
	if limit := s.Adjustments.WithoutApproval; limit != nil {
		out.WithoutApproval = *limit
		c.within("holds.adjustments.without_approval", *limit, 0, MaxAmount)
	}
	c.count("holds.rules", len(s.Rules), MaxRules)
	names := make([]string, len(s.Rules))
	for i := range s.Rules {
		names[i] = s.Rules[i].Name
		out.Rules = append(out.Rules, c.holdRule(problem.At("holds.rules", i), &s.Rules[i]))
	}
	c.unique("holds.rules", names)
	return out
}

func (c *compiler) holdRule(at string, r *HoldRule) CompiledHold {
	out := CompiledHold{HoldRule: *r}
	c.identifier(at+".type", r.Type)
	out.Blocks = cmp.Or(r.Blocks, "release")
	c.oneOf(at+".blocks", out.Blocks, "release", "sourcing")
	out.OnExpiry = cmp.Or(r.OnExpiry, "exception")
	c.oneOf(at+".on_expiry", out.OnExpiry, "release", "cancel", "exception")
	c.share(at+".expires_hours", r.ExpiresHours, 0, maxHoldHours)
	out.Expires = time.Duration(math.Round(r.ExpiresHours*3600)) * time.Second
	if r.ExpiresHours > 0 && out.Expires == 0 {
		c.add(at+".expires_hours", problem.OutOfRange, "is less than a second")
	}
	for _, x := range []struct{ name, value string }{{"reason", r.Reason}, {"owner", r.Owner}} {
		if len(x.value) > maxHoldTextBytes {
			c.add(at+"."+x.name, problem.TooLong, "has %d bytes; at most %d are allowed", len(x.value), maxHoldTextBytes)
		}
	}
	out.when = c.condition(at+".when", r.When, scope{allowed: UsesOrder | UsesLine | UsesSKU | UsesNow})
	return out
}

const maxHoldTextBytes = 200

func (c *Compiled) decideHolds(g *Given) (map[string]any, error) {
	rules, err := c.Holds.Matching(g.facts())
	names := make([]string, len(rules))
	for i, r := range rules {
		names[i] = r.Name
	}
	return map[string]any{"holds": names}, err
}
