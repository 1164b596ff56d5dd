package bench

import (
	"time"

	"github.com/orderly-oms/orderly/internal/price"
)

// streamPolicy decides a season's orders one after the other. It knows the stock,
// the costs and the length of the season, and what has arrived so far.
type streamPolicy interface {
	// tick is told of each period before its order.
	tick(w *world, period int) error
	// decide says which location ships each item of the order.
	decide(w *world, period int, a arrival, from []int)
}

// StreamPolicies are the policies of a stream run, in the order of the report.
var StreamPolicies = []string{"priority", "nearest-complete", "nearest", "myopic-exact", "price-curve", "learned"}

func newStreamPolicy(name string) streamPolicy {
	switch name {
	case "priority":
		return priority{}
	case "nearest-complete":
		return nearestComplete{}
	case "nearest":
		return nearest{}
	case "myopic-exact":
		return myopic{}
	case "price-curve":
		return curved{price.Curve{Top: curveTop, Bend: curveBend}}
	case "learned":
		return &learned{curve: price.Curve{Top: curveTop, Bend: curveBend}}
	}
	panic("bench: no policy " + name)
}

type untimed struct{}

func (untimed) tick(*world, int) error { return nil }

// priority asks the locations in one fixed order for each item.
type priority struct{ untimed }

func (priority) decide(w *world, _ int, a arrival, from []int) {
	for i, item := range w.in.Types[a.kind] {
		from[i] = unshipped
		for k := range streamLocations {
			if w.left[k][item] > 0 {
				from[i] = k
				break
			}
		}
	}
}

// nearest asks the nearest location first for each item.
type nearest struct{ untimed }

func (nearest) decide(w *world, _ int, a arrival, from []int) {
	for i, item := range w.in.Types[a.kind] {
		from[i] = unshipped
		for _, k := range w.nearest[a.region] {
			if w.left[k][item] > 0 {
				from[i] = k
				break
			}
		}
	}
}

// nearestComplete takes the nearest location that has everything, otherwise what
// the nearest has, then the next.
type nearestComplete struct{ untimed }

func (nearestComplete) decide(w *world, period int, a arrival, from []int) {
	items := w.in.Types[a.kind]
	for _, k := range w.nearest[a.region] {
		all := true
		for _, item := range items {
			all = all && w.left[k][item] > 0
		}
		if all {
			for i := range from {
				from[i] = k
			}
			return
		}
	}
	nearest{}.decide(w, period, a, from)
}

// myopic makes the cheapest plan of each order.
type myopic struct{ untimed }

func (myopic) decide(w *world, _ int, a arrival, from []int) {
	w.cheapest(a, from, func(int, int) int64 { return 0 })
}

// The curve of the stream run: the last unit is worth about one more shipment.
const (
	curveTop  = 90_000
	curveBend = 1.0
)

// curved adds the price of the curve on used stock.
type curved struct{ price.Curve }

func (curved) tick(*world, int) error { return nil }

func (c curved) decide(w *world, _ int, a arrival, from []int) {
	w.cheapest(a, from, func(k, item int) int64 { return c.Unit(w.left[k][item], w.in.Stock[k][item]) })
}

// learned adds the prices that a learner finds as the season runs, blended with the
// curve while little is learned.
type learned struct {
	learner *price.Learner
	curve   price.Curve
	prices  *price.Prices
	next    int // period of the next solve
}

// The learner solves first after firstSolve periods, again when a
// twelfth more have passed, and at least every solveEvery.
const (
	firstSolve = 50
	solveEvery = 100
)

func (l *learned) tick(w *world, period int) error {
	if l.learner == nil {
		learner, err := price.NewLearner(price.Options{Seed: w.seed}, streamStart)
		if err != nil {
			return err
		}
		l.learner, l.next = learner, firstSolve
	}
	if period < l.next {
		return nil
	}
	l.next = period + min(max(firstSolve, period/12), solveEvery)
	var err error
	l.prices, err = l.learner.Solve(w.market(w.in.Periods-period), streamStart.Add(time.Duration(period)*streamPeriod))
	return err
}

func (l *learned) decide(w *world, period int, a arrival, from []int) {
	w.cheapest(a, from, func(k, item int) int64 {
		return l.prices.Blend(name(item), name(k), l.curve.Unit(w.left[k][item], w.in.Stock[k][item]))
	})
	l.learner.Observe(name(a.region), linesOf(w.in.Types[a.kind]), streamStart.Add(time.Duration(period)*streamPeriod))
}
