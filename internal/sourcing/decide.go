package sourcing

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/sourcing/exact"
)

// decider is the scratch of one decision.
type decider struct {
	f    *Facts
	c    *policy.CompiledSourcing
	vars policy.Facts
	out  *Decision

	left     []int64 // per line, units that no group placed yet
	shipped  int     // shipments of the groups so far
	merged   exclusions
	problem  exact.Problem
	cands    []candidate
	numbers  []int64 // backing of the candidates' slices
	parts    []int64 // the same, of their parts
	services []Service
	tariffs  []siteTariff
	byTariff map[tariffKey]int
	solver   exact.Solver
}

// candidate is a site that a group may use.
type candidate struct {
	site      int // index into Facts.Sites
	available []int64
	fixed     int64 // per shipment
	unit      []int64
	parts     []int64 // see price
	tariff    int     // index into decider.tariffs, -1: none
}

var deciders = sync.Pool{New: func() any { return new(decider) }}

// Decide chooses which locations fulfil the lines, by a compiled sourcing policy.
// name is what the decision calls the policy: its name and version. It never
// fails: an expression that cannot be evaluated excludes the location it was asked
// about, with the error as the reason, and what cannot be placed is reported.
func Decide(f *Facts, c *policy.Compiled, name string) *Decision {
	d := deciders.Get().(*decider)
	defer d.release()
	d.f, d.c = sorted(f), c.Sourcing
	d.out = &Decision{Policy: name, Method: "none", Candidates: len(f.Sites), Facts: f.Learned, Shipments: []Shipment{}}
	d.vars = policy.Facts{Order: &f.Order, Now: f.Now}
	d.left = d.left[:0]
	for i := range f.Lines {
		d.left = append(d.left, min(f.Lines[i].Quantity, exact.MaxQuantity))
	}
	for i := range d.c.Groups {
		if d.complete() {
			break
		}
		d.group(&d.c.Groups[i])
	}
	d.finish()
	return d.out
}

// sorted returns facts whose sites ascend by id, the same when they do already.
func sorted(f *Facts) *Facts {
	byID := func(a, b Site) int { return strings.Compare(a.Location.ID, b.Location.ID) }
	if slices.IsSortedFunc(f.Sites, byID) {
		return f
	}
	ordered := *f
	ordered.Sites = slices.SortedFunc(slices.Values(f.Sites), byID)
	return &ordered
}

// release gives the scratch back without what it points to.
func (d *decider) release() {
	d.f, d.c, d.out, d.shipped = nil, nil, nil, 0
	d.vars = policy.Facts{}
	d.merged.reset()
	clear(d.problem.Locations)
	clear(d.problem.Tariffs)
	clear(d.tariffs)
	clear(d.byTariff)
	deciders.Put(d)
}

func (d *decider) complete() bool {
	for _, q := range d.left {
		if q > 0 {
			return false
		}
	}
	return true
}

// group lets one rule group place what is left.
func (d *decider) group(g *policy.CompiledGroup) {
	if g.When != nil {
		ok, err := g.When.Bool(&d.vars)
		if err != nil {
			d.merged.add(g.Name, "when", "the group's condition failed: "+err.Error(), "", "", nil)
		}
		if err != nil || !ok {
			return
		}
	}
	d.admit(g)
	if len(d.cands) == 0 {
		return
	}
	var plan exact.Result
	if len(g.Sort) > 0 {
		plan = d.inSequence(g)
	} else {
		plan = d.cheapest(g)
	}
	if g.Accept == "complete" && anyPositive(plan.Unfilled) {
		d.merged.add(g.Name, "accept", "the group is only used when it can place everything", "", "", nil)
		return
	}
	d.take(g, &plan)
}

// take adds a group's plan to the decision.
func (d *decider) take(g *policy.CompiledGroup, plan *exact.Result) {
	if len(plan.Shares) == 0 {
		return
	}
	if d.out.Method == "none" || plan.Method != "exact" {
		d.out.Method = plan.Method
	}
	d.out.Gap += plan.Cost - plan.Bound
	split := d.splitCost(g)
	for i := range plan.Shares {
		share := &plan.Shares[i]
		c := &d.cands[share.Location]
		s := d.describe(g, c, share.Quantity)
		s.Alternatives = d.alternatives(g, plan, share)
		if d.shipped == 0 && split != 0 {
			s.Terms, s.Cost = dropTerm(s.Terms, policy.TermSplit), s.Cost-split
			for k := range s.Alternatives {
				a := &s.Alternatives[k]
				a.Terms, a.Cost = dropTerm(a.Terms, policy.TermSplit), a.Cost-split
			}
		}
		d.shipped++
		d.out.Cost += s.Cost
		d.out.Shipments = append(d.out.Shipments, s)
		for line, q := range share.Quantity {
			d.left[line] -= q
		}
	}
}

func dropTerm(terms []Cost, name string) []Cost {
	out := terms[:0]
	for _, t := range terms {
		if t.Term != name {
			out = append(out, t)
		}
	}
	return out
}

// taken is how many units of a line earlier groups took at a site.
func (d *decider) taken(location, line string) (n int64) {
	for i := range d.out.Shipments {
		if s := &d.out.Shipments[i]; s.Location == location {
			for _, u := range s.Lines {
				if u.Line == line {
					n += u.Quantity
				}
			}
		}
	}
	return n
}

// finish says what happens to what is left and closes the explanation.
func (d *decider) finish() {
	other := &d.c.Otherwise
	left := !d.complete()
	if left && other.Partial != nil && !*other.Partial && len(d.out.Shipments) > 0 {
		d.merged.add("", "otherwise", "nothing is placed unless everything can be", "", "", nil)
		d.out.Shipments, d.out.Cost, d.out.Gap = []Shipment{}, 0, 0
		for i := range d.f.Lines {
			d.left[i] = d.f.Lines[i].Quantity
		}
	}
	d.join()
	for i, q := range d.left {
		if q > 0 {
			d.out.Unplaced = append(d.out.Unplaced, Units{Line: d.f.Lines[i].ID, Quantity: q})
		}
	}
	if left {
		d.out.Otherwise, d.out.Queue = other.Action, other.Queue
		if other.CancelAfterHours > 0 {
			d.out.CancelAt = d.f.Now.Add(time.Duration(other.CancelAfterHours) * time.Hour)
		}
	}
	d.out.Excluded = d.merged.list()
}

// Name is how decisions call a policy.
func Name(name string, version int64) string { return fmt.Sprintf("%s@%d", name, version) }
