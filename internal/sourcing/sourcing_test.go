package sourcing_test

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/orderly-oms/orderly/internal/sourcing"
)

// drawProblem makes problems with ties, unknown distances and empty shelves.
func drawProblem(t *rapid.T) sourcing.Problem {
	lines := rapid.IntRange(1, 4).Draw(t, "lines")
	p := sourcing.Problem{Quantity: rapid.SliceOfN(rapid.Int64Range(1, 5), lines, lines).Draw(t, "quantity")}
	for i := range rapid.IntRange(0, 6).Draw(t, "candidates") {
		p.Candidates = append(p.Candidates, sourcing.Candidate{
			Location:   fmt.Sprint("l", i),
			DistanceKm: rapid.SampledFrom([]float64{0, 10, 10, 20, sourcing.UnknownDistance}).Draw(t, "km"),
			Priority:   rapid.IntRange(0, 1).Draw(t, "priority"),
			Available:  rapid.SliceOfN(rapid.Int64Range(0, 6), lines, lines).Draw(t, "available"),
		})
	}
	return p
}

func before(a, b sourcing.Candidate) bool {
	switch {
	case a.DistanceKm != b.DistanceKm:
		return a.DistanceKm < b.DistanceKm
	case a.Priority != b.Priority:
		return a.Priority < b.Priority
	}
	return a.Location < b.Location
}

func covers(c sourcing.Candidate, quantity []int64) bool {
	for i, q := range quantity {
		if c.Available[i] < q {
			return false
		}
	}
	return true
}

// named is a plan by location instead of index, to compare plans of shuffled candidates.
func named(p sourcing.Problem, r sourcing.Result) any {
	var shares []string
	for _, s := range r.Shares {
		shares = append(shares, fmt.Sprint(p.Candidates[s.Candidate].Location, s.Quantity))
	}
	return []any{shares, r.Missing, r.Complete}
}

func TestPlanProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := drawProblem(t)
		was := fmt.Sprint(p)
		r := sourcing.Plan(p)
		if fmt.Sprint(p) != was {
			t.Fatalf("the problem was changed to %v from %v", p, was)
		}
		checkUnits(t, p, r)
		checkComplete(t, p, r)
		shuffled := sourcing.Problem{Quantity: p.Quantity, Candidates: rapid.Permutation(p.Candidates).Draw(t, "shuffled")}
		if got, want := named(shuffled, sourcing.Plan(shuffled)), named(p, r); !reflect.DeepEqual(got, want) {
			t.Fatalf("shuffled candidates give %v, want %v", got, want)
		}
	})
}

func checkUnits(t *rapid.T, p sourcing.Problem, r sourcing.Result) {
	given := make([]int64, len(p.Quantity))
	givers := make([]int, len(p.Quantity))
	total := make([]int64, len(p.Quantity)) // at all candidates
	whole := make([]bool, len(p.Quantity))
	for _, c := range p.Candidates {
		for i, n := range c.Available {
			total[i] += n
			whole[i] = whole[i] || n >= p.Quantity[i]
		}
	}
	for j, s := range r.Shares {
		c := p.Candidates[s.Candidate]
		if j > 0 && !before(p.Candidates[r.Shares[j-1].Candidate], c) {
			t.Fatalf("shares are not nearest first, or name a location twice: %+v", r)
		}
		var units int64
		for i, q := range s.Quantity {
			if q < 0 || q > c.Available[i] {
				t.Fatalf("%s gives %d of line %d, has %d", c.Location, q, i, c.Available[i])
			}
			if q > 0 {
				givers[i]++
			}
			given[i] += q
			units += q
		}
		if units == 0 {
			t.Fatalf("%s gives nothing", c.Location)
		}
	}
	for i, q := range p.Quantity {
		if given[i]+r.Missing[i] != q || r.Missing[i] != max(q-total[i], 0) {
			t.Fatalf("line %d: %d given, %d missing of %d; the candidates have %d", i, given[i], r.Missing[i], q, total[i])
		}
		if whole[i] && givers[i] != 1 {
			t.Fatalf("line %d is split over %d locations though one has it whole", i, givers[i])
		}
	}
}

func checkComplete(t *rapid.T, p sourcing.Problem, r sourcing.Result) {
	var best *sourcing.Candidate
	for i := range p.Candidates {
		c := &p.Candidates[i]
		if covers(*c, p.Quantity) && (best == nil || before(*c, *best)) {
			best = c
		}
	}
	if r.Complete != (best != nil) {
		t.Fatalf("complete is %v: %+v", r.Complete, r)
	}
	if best != nil && (len(r.Shares) != 1 || p.Candidates[r.Shares[0].Candidate].Location != best.Location) {
		t.Fatalf("nearest complete location is %s, plan %+v", best.Location, r)
	}
}

func TestTies(t *testing.T) {
	t.Parallel()
	has := []int64{1}
	all := []sourcing.Candidate{ // best first
		{Location: "z", DistanceKm: 1, Priority: 9, Available: has},
		{Location: "y", DistanceKm: 2, Priority: 0, Available: has},
		{Location: "b", DistanceKm: 2, Priority: 1, Available: has},
		{Location: "c", DistanceKm: 2, Priority: 1, Available: has},
		{Location: "a", DistanceKm: sourcing.UnknownDistance, Priority: 0, Available: has},
	}
	for i := range all {
		candidates := slices.Clone(all[i:])
		slices.Reverse(candidates)
		r := sourcing.Plan(sourcing.Problem{Quantity: []int64{1}, Candidates: candidates})
		if got := candidates[r.Shares[0].Candidate].Location; got != all[i].Location {
			t.Errorf("chose %s, want %s", got, all[i].Location)
		}
	}
}

func TestNoCandidates(t *testing.T) {
	t.Parallel()
	r := sourcing.Plan(sourcing.Problem{Quantity: []int64{2, 3}})
	if r.Complete || len(r.Shares) != 0 || !slices.Equal(r.Missing, []int64{2, 3}) {
		t.Errorf("%+v", r)
	}
}
