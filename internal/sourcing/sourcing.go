// Package sourcing decides which locations fulfil the lines of an order.
//
// It promises that Plan is a pure function: the same problem gives the same
// plan, ties broken by distance, then priority, then location id. It never
// gives a location more than it has, never uses a location that is not a
// candidate, and reports every unit it could not place.
//
// It does not read stock, channels or policies (the caller brings the candidates
// and what each has), price carriers, or hold anything.
package sourcing

import (
	"cmp"
	"math"
	"slices"
)

// Rule names the rule that Plan applies, with its version, for the decision log.
const Rule = "nearest-complete/1"

// UnknownDistance ranks a candidate last.
const UnknownDistance = math.MaxFloat64

// Candidate is a location that may fulfil.
type Candidate struct {
	Location   string
	DistanceKm float64 // UnknownDistance when either address has no coordinates
	Priority   int     // lower is preferred among equally distant ones
	// Available has, per line of the problem, the units the location may give (kits: whole kits), ≥ 0.
	Available []int64
}

// Problem is what is to be placed: Quantity[i] units of line i.
type Problem struct {
	Quantity   []int64
	Candidates []Candidate
}

// Share is what one location is given: Quantity[i] units of line i.
type Share struct {
	Candidate int // index into the problem's candidates
	Quantity  []int64
}

// Result is a plan.
type Result struct {
	Shares []Share
	// Missing has, per line, the units no candidate could give.
	Missing []int64
	// Complete reports that one location fulfils everything.
	Complete bool
}

// Plan chooses the nearest location that has everything; when there is none,
// the nearest location takes what it has, then the next, until all is placed or no
// candidate is left. Lines that one location can fill whole are not split.
func Plan(p Problem) Result {
	order := make([]int, len(p.Candidates))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		x, y := &p.Candidates[a], &p.Candidates[b]
		return cmp.Or(cmp.Compare(x.DistanceKm, y.DistanceKm), cmp.Compare(x.Priority, y.Priority), cmp.Compare(x.Location, y.Location))
	})
	for _, i := range order {
		if covers(p.Candidates[i].Available, p.Quantity) {
			return Result{
				Shares:   []Share{{Candidate: i, Quantity: slices.Clone(p.Quantity)}},
				Missing:  make([]int64, len(p.Quantity)),
				Complete: true,
			}
		}
	}
	return greedy(p, order)
}

func covers(available, quantity []int64) bool {
	for i, q := range quantity {
		if available[i] < q {
			return false
		}
	}
	return true
}

func greedy(p Problem, order []int) Result {
	missing := slices.Clone(p.Quantity)
	whole := make([]bool, len(missing)) // some location has the whole line
	for i, q := range p.Quantity {
		for c := range p.Candidates {
			whole[i] = whole[i] || p.Candidates[c].Available[i] >= q
		}
	}
	var shares []Share
	for _, c := range order {
		var share []int64
		for i, need := range missing {
			take := min(need, p.Candidates[c].Available[i])
			if take <= 0 || (whole[i] && take < need) {
				continue
			}
			if share == nil {
				share = make([]int64, len(missing))
			}
			share[i] = take
			missing[i] -= take
		}
		if share != nil {
			shares = append(shares, Share{Candidate: c, Quantity: share})
		}
	}
	return Result{Shares: shares, Missing: missing}
}
