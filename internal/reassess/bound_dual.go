package reassess

import (
	"context"
	"math"

	"github.com/orderly-oms/orderly/internal/sourcing/exact"
)

// dual is the problem of serving classes of orders from shared stock, without the limits of stock: these are paid for by
// prices. At any prices the cheapest plans of all orders, less the stock at these prices, cost no more than any way of serving
// them that keeps to the stock (Lagrangian duality). ascend looks for the prices at which that is most.
//
// Amounts are minor units times dualScale, so that prices may be fractions.
type dual struct {
	classes []dualClass
	supply  []float64 // units by position
	solver  exact.Solver
	use     []float64 // units by position that the last plans took
	scarce  []bool
	ceiling []float64
	plain   float64 // cost of the classes that no scarce position concerns
	priced  []int   // the others
}

// dualScale is how many parts a minor unit has.
const dualScale = 100

// dualClass is orders that cost the same to serve from everywhere and want the same.
type dualClass struct {
	count   float64
	problem exact.Problem // without prices
	// positions are of the problem's locations and lines: index into supply, or −1 where there is always enough.
	positions [][]int32
	base      [][]int64 // Unit of each location, without prices
	cost      float64   // of the plan at the last prices, count times
}

// prepare finds what can run out at all.
func (d *dual) prepare() {
	d.use, d.scarce, d.ceiling = make([]float64, len(d.supply)), make([]bool, len(d.supply)), make([]float64, len(d.supply))
	most := make([]float64, len(d.supply))
	for i := range d.classes {
		c := &d.classes[i]
		for k := range c.positions {
			for l, at := range c.positions[k] {
				if at >= 0 {
					most[at] += c.count * float64(c.problem.Lines[l].Quantity)
				}
			}
		}
	}
	for k := range most {
		d.scarce[k] = most[k] > d.supply[k]
	}
	for i := range d.classes {
		c := &d.classes[i]
		concerned := false
		cost := d.plan(c, nil)
		for k := range c.positions {
			for l, at := range c.positions[k] {
				if at >= 0 && d.scarce[at] {
					concerned = true
					d.ceiling[at] = max(d.ceiling[at], 4*cost/float64(c.problem.Lines[l].Quantity))
				}
			}
		}
		if concerned {
			d.priced = append(d.priced, i)
		} else {
			c.cost = cost * c.count
			d.plain += c.cost
		}
	}
}

// plan is the cost of the cheapest plan of one order of a class at the prices, and adds what it takes to use.
func (d *dual) plan(c *dualClass, prices []int64) float64 {
	p := &c.problem
	for k := range p.Locations {
		copy(p.Locations[k].Unit, c.base[k])
		for l, at := range c.positions[k] {
			if at >= 0 && prices != nil {
				p.Locations[k].Unit[l] += prices[at]
			}
		}
	}
	r := d.solver.Solve(p)
	for i := range r.Shares {
		s := &r.Shares[i]
		for l, q := range s.Quantity {
			if at := c.positions[s.Location][l]; at >= 0 && q > 0 {
				d.use[at] += c.count * float64(q)
			}
		}
	}
	return float64(r.Bound)
}

// value is the Lagrangian at the prices. It leaves what each position gave in use.
func (d *dual) value(prices []int64) float64 {
	clear(d.use)
	total := d.plain
	for _, i := range d.priced {
		c := &d.classes[i]
		c.cost = c.count * d.plan(c, prices)
		total += c.cost
	}
	for k, p := range prices {
		total -= float64(p) * d.supply[k]
	}
	return total
}

// Steps of the ascent, as shares of a position's ceiling.
const (
	firstStep = 0.10
	lastStep  = 0.0001
)

// ascend returns the best value met in a number of rounds, with the prices it was met at. Steps shrink, and go by how far a
// position is from balance in proportion to what it has and gives.
func (d *dual) ascend(ctx context.Context, rounds int) (best float64, at []int64, err error) {
	d.prepare()
	prices, exactly := make([]int64, len(d.supply)), make([]float64, len(d.supply))
	mean, kept := make([]float64, len(d.supply)), 0.0
	best = math.Inf(-1)
	if len(d.priced) == 0 {
		rounds = 0
	}
	look := func() {
		if v := d.value(prices); v > best {
			best, at = v, append(at[:0], prices...)
		}
	}
	step, shrink := firstStep, math.Pow(lastStep/firstStep, 1/float64(max(1, rounds-1)))
	for round := range rounds {
		if err := ctx.Err(); err != nil {
			return 0, nil, err
		}
		look()
		for k := range prices {
			if !d.scarce[k] {
				continue
			}
			balance := (d.use[k] - d.supply[k]) / max(d.use[k]+d.supply[k], 1)
			exactly[k] = min(d.ceiling[k], max(0, exactly[k]+step*d.ceiling[k]*balance))
			prices[k] = int64(exactly[k])
		}
		step *= shrink
		if round >= rounds/2 {
			kept++
			for k := range exactly {
				mean[k] += exactly[k]
			}
		}
	}
	for k := range prices {
		if kept > 0 {
			prices[k] = int64(mean[k] / kept)
		}
	}
	look()
	return best, at, nil
}
