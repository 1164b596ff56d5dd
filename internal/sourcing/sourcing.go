// Package sourcing decides which locations fulfil the lines of an order, and why.
//
// It promises that Decide is a pure function of facts and policy: the same facts
// give the same decision, byte for byte, in whatever order sites and lines come;
// that it never gives a location more than it has, never uses one that a rule
// excludes, and reports every unit it could not place; and that every decision
// carries its explanation: candidates, exclusions with the rule and the values it
// read, the cost terms of the winner and of the best alternatives.
//
// It does not gather facts (the engine does), search (package exact), hold stock,
// set dates (package promise), or keep anything.
package sourcing

import (
	"cmp"
	"math"
	"slices"

	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/sourcing/exact"
)

// UnknownDistance ranks a candidate last.
const UnknownDistance = math.MaxFloat64

// Candidate is a location that may fulfil, for Plan.
type Candidate struct {
	Location   string
	DistanceKm float64 // UnknownDistance when either address has no coordinates
	Priority   int     // lower is preferred among equally distant ones
	// Available has, per line of the problem, the units the location may give (kits: whole kits), ≥ 0.
	Available []int64
}

// Problem is what Plan places: Quantity[i] units of line i.
type Problem struct {
	Quantity   []int64
	Candidates []Candidate
}

// Share is what one location is given: Quantity[i] units of line i.
type Share struct {
	Candidate int // index into the problem's candidates
	Quantity  []int64
}

// Result is what Plan answers.
type Result struct {
	Shares []Share
	// Missing has, per line, the units no candidate could give.
	Missing []int64
	// Complete reports that one location fulfils everything.
	Complete bool
}

// Plan is the plain rule that decisions are measured against: the nearest location
// that has everything; when there is none, the nearest location takes what it has, then the
// next, until all is placed or no candidate is left. Lines that one location can
// fill whole are not split. Ties are broken by priority, then location id.
func Plan(p Problem) Result {
	order := make([]int, len(p.Candidates))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		x, y := &p.Candidates[a], &p.Candidates[b]
		return cmp.Or(cmp.Compare(x.DistanceKm, y.DistanceKm), cmp.Compare(x.Priority, y.Priority), cmp.Compare(x.Location, y.Location))
	})
	q := sequence{
		quantity: p.Quantity, group: make([]int, len(p.Quantity)), value: make([]int64, len(p.Quantity)),
		split: exact.SplitWhenNeeded, limits: policy.Limits{},
	}
	for _, i := range order {
		q.places = append(q.places, place{available: p.Candidates[i].Available, units: exact.NoLimit, value: exact.NoLimit})
	}
	plan := q.plan()
	r := Result{Missing: plan.Unfilled}
	for _, s := range plan.Shares {
		r.Shares = append(r.Shares, Share{Candidate: order[s.Location], Quantity: s.Quantity})
	}
	r.Complete = len(r.Shares) == 1 && slices.Equal(r.Shares[0].Quantity, p.Quantity)
	return r
}
