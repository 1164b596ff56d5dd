package stats

import "math"

// Group sums up what one group of an experiment did, one value per order.
type Group struct {
	N    int64   `json:"n"`
	Mean float64 `json:"mean"`
	// Square is the sum of squared deviations from the mean.
	Square float64 `json:"square"`
}

// Add counts one value.
func (g *Group) Add(x float64) {
	g.N++
	off := x - g.Mean
	g.Mean += off / float64(g.N)
	g.Square += off * (x - g.Mean)
}

// variance of single values.
func (g *Group) variance() float64 { return g.Square / float64(g.N-1) }

// MinGroup is the fewest orders in each group that an interval is given for.
const MinGroup = 100

// Sequence is the interval of other − base that holds at every look: when it is looked at after
// every order and the experiment ends at the first that excludes none, a difference that is not
// there is found with a chance of 1 − level at most, for large groups. ok is false before each group has MinGroup.
//
// It is narrowest, for its kind, when about tightest orders were seen in all.
func Sequence(base, other Group, level float64, tightest int64) (low, high float64, ok bool) {
	if base.N < MinGroup || other.N < MinGroup {
		return math.Inf(-1), math.Inf(1), false
	}
	n := float64(base.N + other.N)
	// The standard error times the root of n behaves as the deviation of one order would.
	v := n * (base.variance()/float64(base.N) + other.variance()/float64(other.N))
	alpha := 1 - level
	m := float64(max(tightest, 2*MinGroup))
	rho2 := (-2*math.Log(alpha) + math.Log(-2*math.Log(alpha)+1)) / m
	half := math.Sqrt(v * 2 * (n*rho2 + 1) / (n * n * rho2) * math.Log(math.Sqrt(n*rho2+1)/alpha))
	change := other.Mean - base.Mean
	return change - half, change + half, true
}
