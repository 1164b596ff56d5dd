package policy

import (
	"fmt"
	"slices"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/problem"
)

// CompiledAvailability is an AvailabilitySection.
type CompiledAvailability struct {
	Rules []CompiledBuffer
}

// CompiledBuffer is a BufferRule.
type CompiledBuffer struct {
	Name      string
	Channels  []string
	Types     []string
	Locations TagRule
	Products  TagRule
	When      *Expr // nil: always
	Buffer    int64
	Safety    int64
	Percent   int64
	Hide      bool
}

// Choose returns the first rule that matches order.channel, sku and location; nil:
// nothing is held back beside the position's own safety stock. A rule that cannot be
// evaluated does not match; the first such error is returned beside the choice.
func (a *CompiledAvailability) Choose(f *Facts) (rule *CompiledBuffer, failed error) {
	row, failed := a.ChooseRow(f)
	if row < 0 {
		return nil, failed
	}
	return &a.Rules[row], failed
}

// ChooseRow is Choose that says which of Rules it is; -1: none.
func (a *CompiledAvailability) ChooseRow(f *Facts) (row int, failed error) {
	for i := range a.Rules {
		ok, err := a.Rules[i].matches(f)
		if err != nil && failed == nil {
			failed = fmt.Errorf("rule %s: %w", a.Rules[i].Name, err)
		}
		if ok {
			return i, failed
		}
	}
	return -1, failed
}

func (r *CompiledBuffer) matches(f *Facts) (bool, error) {
	if len(r.Channels) > 0 && (f.Order == nil || !slices.Contains(r.Channels, f.Order.Channel)) {
		return false, nil
	}
	if len(r.Types) > 0 && (f.Location == nil || !slices.Contains(r.Types, f.Location.Type)) {
		return false, nil
	}
	var at, of []string
	if f.Location != nil {
		at = f.Location.Tags
	}
	if f.SKU != nil {
		of = f.SKU.Tags
	}
	if !r.Locations.Admits(at) || !r.Products.Admits(of) {
		return false, nil
	}
	if r.When == nil {
		return true, nil
	}
	return r.When.Bool(f)
}

// Holdback is what the rule keeps of a position. A nil rule keeps nothing.
func (r *CompiledBuffer) Holdback() inventory.Holdback {
	if r == nil {
		return inventory.Holdback{}
	}
	return inventory.Holdback{Safety: r.Safety, Buffer: r.Buffer, Percent: r.Percent, Hide: r.Hide}
}

// Offer is what a channel without a buffer of its own may be offered of a position: free
// is on hand less reserved and allocated, safety the position's own safety stock.
func (r *CompiledBuffer) Offer(free, safety int64) int64 {
	h := r.Holdback()
	return h.Left(free, safety)
}

func (c *compiler) availability(s *AvailabilitySection) *CompiledAvailability {
	out := &CompiledAvailability{}
	c.count("availability.rules", len(s.Rules), MaxRules)
	names := make([]string, len(s.Rules))
	rows := make([]row, len(s.Rules))
	for i := range s.Rules {
		r, at := &s.Rules[i], problem.At("availability.rules", i)
		names[i] = r.Name
		c.ids(at+".channels", r.Channels)
		for j, typ := range r.Types {
			c.oneOf(problem.At(at+".types", j), typ, "dc", "store", "vendor")
		}
		c.tags(at+".locations", r.Locations)
		c.tags(at+".products", r.Products)
		c.within(at+".buffer", r.Buffer, 0, maxUnits)
		c.within(at+".safety", r.Safety, 0, maxUnits)
		c.within(at+".percent", r.Percent, 0, 100)
		if r.Hide && r.Buffer+r.Safety+r.Percent > 0 {
			c.warning(at+".hide", CodeIdle, "hides everything; buffer, safety and percent change nothing")
		}
		known := len(c.bad)
		o := CompiledBuffer{
			Name: r.Name, Channels: r.Channels, Types: r.Types, Locations: r.Locations, Products: r.Products,
			Buffer: r.Buffer, Safety: r.Safety, Percent: r.Percent, Hide: r.Hide,
			When: c.condition(at+".when", r.When, scope{allowed: UsesOrder | UsesSKU | UsesLocation, only: []string{"order.channel"}}),
		}
		out.Rules = append(out.Rules, o)
		rows[i] = row{
			name: r.Name, at: at, channels: r.Channels, types: r.Types, locations: r.Locations, products: r.Products, when: conjuncts(o.When),
			outcome: fmt.Sprint(r.Buffer, r.Safety, r.Percent, r.Hide), broken: len(c.bad) > known,
		}
	}
	c.unique("availability.rules", names)
	c.table(rows)
	return out
}
