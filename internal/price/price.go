// Package price learns what a unit is worth where it is: the opportunity price
// that a plan adds to the cost of taking it.
//
// The cheapest plan for one order can be dear for the season: it takes the last
// unit near a city that will ask for it tomorrow. A Learner observes the
// orders as classes (destination zone and lines), and now and then solves for the
// prices at which the cheapest plans of all expected orders, each made alone, fit
// the stock: the Lagrangian dual of planning them together. It needs no forecast:
// demand is what was seen, with the uncertainty that little evidence has.
//
// It promises that prices are never negative, that a position which cannot run out costs
// nothing, that the same observations give the same prices on every
// machine, and that memory stays within stated limits. A shift of demand is noticed
// and what was learned before it is forgotten.
//
// It does not decide orders, read stock or know calendars. Lines are not split here, and costs are
// linear in units, so prices are estimates where an order's real cost is not. Bound is proven
// only where it says so.
package price

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"
)

// Position is the price of one position, with what it follows from.
type Position struct {
	SKU      string `json:"sku"`
	Location string `json:"location"`
	Unit     int64  `json:"unit"`  // minor units of money, > 0
	Stock    int64  `json:"stock"` // units at the time
	// Demand is how many units orders would take here within the horizon if stock cost nothing.
	Demand  float64       `json:"demand"`
	Horizon time.Duration `json:"horizon_ns"` // how long the stock has to last
}

// Prices are the outcome of a solve. They do not change; many goroutines may read them.
type Prices struct {
	Version int64     `json:"version"` // of the learner that made them, from 1
	At      time.Time `json:"at"`
	Orders  float64   `json:"orders"` // that were learned from, aged
	Since   time.Time `json:"since"`  // when the demand they describe began
	// Positions above 0, sorted by SKU, then location.
	Positions []Position `json:"positions"`

	units map[position]int64
}

func (p *Prices) index() {
	p.units = make(map[position]int64, len(p.Positions))
	for _, at := range p.Positions {
		p.units[position{at.SKU, at.Location}] = at.Unit
	}
}

// Unit is the price of one unit there in minor units; 0 when it is worth no more than
// its cost, or nothing is known. A nil *Prices knows nothing.
func (p *Prices) Unit(sku, location string) int64 {
	if p == nil {
		return 0
	}
	return p.units[position{sku, location}]
}

// Of returns the priced positions of one SKU, sorted by location.
func (p *Prices) Of(sku string) []Position {
	if p == nil {
		return nil
	}
	from, _ := slices.BinarySearchFunc(p.Positions, sku, func(at Position, sku string) int { return cmp.Compare(at.SKU, sku) })
	to := from
	for to < len(p.Positions) && p.Positions[to].SKU == sku {
		to++
	}
	return slices.Clone(p.Positions[from:to])
}

// UnmarshalJSON reads what encoding wrote, and refuses prices that no solve makes.
func (p *Prices) UnmarshalJSON(data []byte) error {
	type plain Prices
	if err := json.Unmarshal(data, (*plain)(p)); err != nil {
		return err
	}
	for i, at := range p.Positions {
		if at.Unit <= 0 {
			return fmt.Errorf("position %d: a price is above 0, not %d", i, at.Unit)
		}
		if i > 0 && cmp.Or(cmp.Compare(p.Positions[i-1].SKU, at.SKU), cmp.Compare(p.Positions[i-1].Location, at.Location)) >= 0 {
			return fmt.Errorf("position %d is out of order", i)
		}
	}
	p.index()
	return nil
}

// curveOrders is how many orders a curve is worth as evidence.
const curveOrders = 10

// Blend is the price of one unit when a curve asks the given price for it: the
// curve's alone while nothing is learned, ever less of it with each order learned from.
// A nil *Prices leaves the curve's.
func (p *Prices) Blend(sku, location string, curve int64) int64 {
	if p == nil {
		return curve
	}
	known := p.Orders / (p.Orders + curveOrders)
	return int64(math.Round(known*float64(p.Unit(sku, location)) + (1-known)*float64(curve)))
}
