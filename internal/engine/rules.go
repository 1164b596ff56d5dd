package engine

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/sourcing"
)

// ruleCache keeps what follows from the published policies, for as long as they stay.
type ruleCache struct {
	set      *policy.Set
	needs    sync.Map // *policy.Compiled → needs
	unsplit  sync.Map // *policy.Compiled → *policy.Compiled
	settings sync.Map // settingsKey → *promise.Settings
	withheld atomic.Pointer[withholdings]
}

func (e *Engine) rules() *ruleCache {
	set := e.Policies()
	if c := e.ruleCache.Load(); c != nil && c.set == set {
		return c
	}
	c := &ruleCache{set: set}
	e.ruleCache.Store(c)
	return c
}

// needs is what a compiled policy reads beyond the plain facts, so that the rest is not gathered.
type needs struct {
	stock, dates, prices, history bool
	curve                         bool // prices are those of the curve, not the learned ones
}

func (e *Engine) needs(c *policy.Compiled) needs {
	r := e.rules()
	if n, ok := r.needs.Load(c); ok {
		return n.(needs)
	}
	n := needsOf(c)
	r.needs.Store(c, n)
	return n
}

func needsOf(c *policy.Compiled) (n needs) {
	see := func(x *policy.Expr) {
		if x == nil {
			return
		}
		for _, name := range x.Reads() {
			switch {
			case strings.HasPrefix(name, "stock."):
				n.stock, n.history = true, true
				n.prices = n.prices || name == "stock.opportunity_price"
			case name == "candidate.days" || name == "candidate.days_late":
				n.dates = true
			case name == "candidate.failure_rate":
				n.history = true
			}
		}
	}
	for i := range c.Sourcing.Groups {
		g := &c.Sourcing.Groups[i]
		see(g.When)
		for k := range g.Filters {
			see(g.Filters[k].Keep)
		}
		for k := range g.Terms {
			see(g.Terms[k].Value)
			n.dates = n.dates || g.Terms[k].Name == policy.TermLateness
			n.prices = n.prices || g.Terms[k].Name == policy.TermOpportunity
			n.history = n.history || g.Terms[k].Name == policy.TermRisk
		}
		for k := range g.Sort {
			see(g.Sort[k].Value)
			switch g.Sort[k].By {
			case "sales_velocity", "weeks_of_supply", "broken_run":
				n.stock, n.history = true, true
			}
		}
	}
	n.prices = n.prices && c.Sourcing.Prices != "off"
	if n.curve = n.prices && c.Sourcing.Prices == "curve"; n.curve {
		n.prices, n.history = false, true
	}
	return n
}

// unsplit is a sourcing policy whose groups ship from one location or not at all.
func (e *Engine) unsplit(c *policy.Compiled) *policy.Compiled {
	r := e.rules()
	if u, ok := r.unsplit.Load(c); ok {
		return u.(*policy.Compiled)
	}
	one := int64(1)
	section := *c.Sourcing
	section.Groups = make([]policy.CompiledGroup, len(c.Sourcing.Groups))
	for i, g := range c.Sourcing.Groups {
		g.Limits.MaxShipments, g.Accept = &one, "complete"
		section.Groups[i] = g
	}
	u := *c
	u.Sourcing = &section
	r.unsplit.Store(c, &u)
	return &u
}

// transfers reports whether any sourcing policy in force at a moment, or challenging those, lets locations ship to pickup locations.
func (e *Engine) transfers(now time.Time) bool {
	with := func(c *policy.Compiled) bool {
		return slices.ContainsFunc(c.Sourcing.Groups, func(g policy.CompiledGroup) bool { return g.Transfers })
	}
	return slices.ContainsFunc(e.Policies().InForce(policy.KindSourcing, now), func(p policy.Published) bool { return with(p.Compiled) }) ||
		slices.ContainsFunc(e.runningTrials(), func(t *trial) bool { return with(t.second.policy) })
}

// choose returns the policy of a kind that decides about an order, else the program's own.
func (e *Engine) choose(kind policy.Kind, f *policy.Facts) (*policy.Compiled, int64) {
	if c, version, ok := e.Policies().Choose(kind, f); ok {
		return c, version
	}
	return policy.Default(kind), 0
}

// policyName is how decisions call a policy.
func policyName(c *policy.Compiled, version int64) string { return sourcing.Name(c.Name, version) }
