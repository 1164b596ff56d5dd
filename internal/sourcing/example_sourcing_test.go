package sourcing_test

import (
	"fmt"

	"github.com/orderly-oms/orderly/internal/sourcing"
)

// No location has all of three tents and two ropes. The ropes stay together at
// the store that has both; the tents, which nobody has whole, come from where
// they are, nearest first.
func ExamplePlan() {
	p := sourcing.Problem{
		Quantity: []int64{3, 2}, // tents, ropes
		Candidates: []sourcing.Candidate{
			{Location: "berlin", DistanceKm: 4, Available: []int64{2, 1}},
			{Location: "hamburg", DistanceKm: 255, Available: []int64{0, 2}},
			{Location: "munich", DistanceKm: 504, Available: []int64{2, 0}},
		},
	}
	r := sourcing.Plan(p)
	for _, s := range r.Shares {
		fmt.Println(p.Candidates[s.Candidate].Location, s.Quantity)
	}
	fmt.Println("missing", r.Missing)
	// Output:
	// berlin [2 0]
	// hamburg [0 2]
	// munich [1 0]
	// missing [0 0]
}

// A farther location that has everything is preferred to several nearer ones.
func ExamplePlan_complete() {
	p := sourcing.Problem{
		Quantity: []int64{1, 1},
		Candidates: []sourcing.Candidate{
			{Location: "berlin", DistanceKm: 4, Available: []int64{1, 0}},
			{Location: "munich", DistanceKm: 504, Available: []int64{1, 1}},
		},
	}
	r := sourcing.Plan(p)
	fmt.Println(p.Candidates[r.Shares[0].Candidate].Location, r.Complete)
	// Output: munich true
}
