package price

import (
	"math"
	"time"
)

// Solve returns prices for the market as it is at the moment, from the orders
// observed so far. It begins from the prices of the last solve, and draws futures
// (Options.Scenarios) because the mean of what a unit is worth in each is what it is worth now, which
// one average future does not show. Without orders, all prices are 0.
//
// It takes some seconds for 5,000 classes and 43 locations: call it in the background.
func (l *Learner) Solve(m Market, at time.Time) (*Prices, error) {
	at = later(at, l.last)
	belief := l.believe(m.Horizon, at)
	p, err := newModel(&m, belief.classes)
	if err != nil {
		return nil, err
	}
	d := newDual(p)
	start, rounds, first := make([]float64, len(p.stock)), l.options.Rounds, warmStep
	for i, s := range p.stock {
		start[i] = l.warm[position{s.SKU, s.Location}]
	}
	if len(l.warm) == 0 {
		rounds, first = 3*rounds, firstStep
	}
	wanted := d.wanted()
	d.limit(l.options.MaxPositions, wanted)
	d.ascend(start, rounds, first, lastStep)
	prices := l.average(d, belief, start)
	l.version++
	clear(l.warm)
	out := &Prices{Version: l.version, At: at, Orders: l.Orders(), Since: l.began}
	for i, s := range p.stock {
		if start[i] > 0 {
			l.warm[position{s.SKU, s.Location}] = start[i]
		}
		if unit := int64(math.Round(prices[i])); unit > 0 {
			out.Positions = append(out.Positions, Position{
				SKU: s.SKU, Location: s.Location, Unit: unit, Stock: s.Quantity, Horizon: ends(s, &m), Demand: wanted[i] * float64(s.Quantity) / p.units[i],
			})
		}
	}
	out.index()
	return out, nil
}

func ends(s Stock, m *Market) time.Duration {
	if s.Horizon > 0 {
		return min(s.Horizon, m.Horizon)
	}
	return m.Horizon
}

// average returns the mean prices over drawn futures, each solved from start.
func (l *Learner) average(d *dual, belief *demand, start []float64) []float64 {
	mean := make([]float64, len(start))
	prices := make([]float64, len(start))
	d.count = make([]float64, len(belief.classes))
	random := random{state: l.options.Seed + uint64(l.version)*0x9e3779b97f4a7c15}
	for range l.options.Scenarios {
		belief.draw(&random, d.count)
		d.findScarce()
		copy(prices, start)
		d.ascend(prices, l.options.Rounds, firstStep, lastStep)
		for i, p := range prices {
			mean[i] += p / float64(l.options.Scenarios)
		}
	}
	return mean
}

// wanted is per position how many units would be taken within the horizon if all stock were free.
func (d *dual) wanted() []float64 {
	d.value(make([]float64, len(d.stock)))
	out := make([]float64, len(d.use))
	copy(out, d.use)
	return out
}

// limit leaves only the most wanted scarce positions to be priced.
func (d *dual) limit(most int, wanted []float64) {
	n := 0
	for _, i := range byNeed(wanted) {
		if d.scarce[i] {
			if n++; n > most {
				d.scarce[i], d.left[i] = false, true
			}
		}
	}
}
