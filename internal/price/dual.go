package price

import (
	"fmt"
	"math"
)

// dual maximises the Lagrangian of a model over prices >= 0.
type dual struct {
	*model
	assign  Assigner[float64]
	offers  [maxCandidates + 1]Offer[float64]
	count   []float64 // per class: orders that come
	use     []float64 // per position: units taken at the last prices
	scarce  []bool    // per position: could run out at these counts, and is to be priced
	left    []bool    // per position: not to be priced
	ceiling []float64 // per position: no price needs to be higher
}

// newDual returns a dual for the expected counts.
func newDual(m *model) *dual {
	d := &dual{model: m, count: m.expected, use: make([]float64, len(m.stock)), scarce: make([]bool, len(m.stock)), left: make([]bool, len(m.stock)), ceiling: make([]float64, len(m.stock))}
	for i := range m.choices {
		c := &m.choices[i]
		nowhere := &c.offers[len(c.offers)-1]
		for k, o := range c.offers[:len(c.offers)-1] {
			for l := range c.lines {
				if o.Has>>l&1 == 1 {
					at := c.positions[k*c.lines+l]
					// Not shipping a unit is never dearer than its whole penalty.
					d.ceiling[at] = max(d.ceiling[at], (nowhere.Fixed+nowhere.Unit[l])/c.quantity[l])
				}
			}
		}
	}
	d.findScarce()
	return d
}

// findScarce marks the positions that would run out if everybody who could took
// from them. The others are worth nothing more at any prices.
func (d *dual) findScarce() {
	most := make([]float64, len(d.stock))
	for i := range d.choices {
		c := &d.choices[i]
		for at, position := range c.positions {
			if position != noPosition && c.offers[at/c.lines].Has>>(at%c.lines)&1 == 1 {
				most[position] += d.count[i] * c.quantity[at%c.lines]
			}
		}
	}
	for i := range d.stock {
		d.scarce[i] = most[i] > d.units[i] && !d.left[i]
	}
}

// value is the Lagrangian at the prices: no policy's expected cost is below it when
// every class chooses from all locations. It leaves what each position gave in use.
func (d *dual) value(prices []float64) float64 {
	clear(d.use)
	total := 0.0
	for i := range d.choices {
		if d.count[i] == 0 {
			continue
		}
		c := &d.choices[i]
		total += d.count[i] * d.serve(c, prices, d.count[i])
	}
	for i, p := range prices {
		total -= p * d.units[i]
	}
	return total
}

// serve plans one class at the prices and adds count times what it takes to use.
func (d *dual) serve(c *choice, prices []float64, count float64) float64 {
	offers := d.offers[:len(c.offers)]
	copy(offers, c.offers)
	for k := range offers[:len(offers)-1] {
		for l := range c.lines {
			if offers[k].Has>>l&1 == 1 {
				offers[k].Unit[l] += c.quantity[l] * prices[c.positions[k*c.lines+l]]
			}
		}
	}
	cost, ok := d.assign.Cheapest(offers, c.lines)
	if !ok {
		panic("price: a class has no plan, although not shipping is one")
	}
	for l := range c.lines {
		if at := c.positions[d.assign.ByLine[l]*c.lines+l]; at != noPosition {
			d.use[at] += count * c.quantity[l]
		}
	}
	return cost
}

// Steps of the ascent, as shares of a position's ceiling.
const (
	firstStep = 0.10
	lastStep  = 0.002
	warmStep  = 0.03
)

// ascend improves prices in place over a number of rounds, with steps that shrink
// from first to last, and leaves the mean of the later half in them: single
// rounds swing between plans of equal cost, their mean does not. It returns the best
// value met.
//
// A step goes by how far a position is from balance in proportion to what it has
// and gives, so that slow and fast sellers settle equally soon.
func (d *dual) ascend(prices []float64, rounds int, first, last float64) float64 {
	best := math.Inf(-1)
	mean := make([]float64, len(prices))
	kept := 0.0
	shrink := math.Pow(last/first, 1/float64(max(1, rounds-1)))
	step := first
	for round := range rounds {
		best = max(best, d.value(prices))
		for i := range prices {
			if !d.scarce[i] {
				prices[i] = 0
				continue
			}
			balance := (d.use[i] - d.units[i]) / (d.use[i] + d.units[i])
			prices[i] = min(d.ceiling[i], max(0, prices[i]+step*d.ceiling[i]*balance))
		}
		step *= shrink
		if round >= rounds/2 {
			kept++
			for i, p := range prices {
				mean[i] += p
			}
		}
	}
	for i := range prices {
		prices[i] = mean[i] / kept
	}
	return max(best, d.value(prices))
}

// Limits of Bound.
const (
	MinBoundRounds = 10
	MaxBoundRounds = 100_000
)

// Bound returns a value in minor units that no policy's expected cost is below, if
// orders come as the classes expect: the Lagrangian dual after so many rounds of
// ascent (MinBoundRounds to MaxBoundRounds). It fails when a class could choose from more locations than
// are looked at, because the value would then bound nothing.
func Bound(m Market, classes []Class, rounds int) (float64, error) {
	if rounds < MinBoundRounds || rounds > MaxBoundRounds {
		return 0, fmt.Errorf("a bound takes %d to %d rounds, not %d", MinBoundRounds, MaxBoundRounds, rounds)
	}
	locations := map[string]bool{}
	for _, s := range m.Stock {
		locations[s.Location] = true
	}
	if len(locations) > maxCandidates {
		return 0, fmt.Errorf("a bound takes at most %d locations, not %d", maxCandidates, len(locations))
	}
	p, err := newModel(&m, classes)
	if err != nil {
		return 0, err
	}
	return newDual(p).ascend(make([]float64, len(p.stock)), rounds, firstStep, lastStep/20), nil
}
