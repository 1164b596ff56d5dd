package price

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Nowhere is the location that stands for not shipping a line at all.
const Nowhere = ""

// maxCandidates bounds the locations one class chooses from: those that ship a line cheapest.
const maxCandidates = 16

// Line is one SKU of an order. A line is never split between locations here.
type Line struct {
	SKU      string
	Quantity int64 // units, > 0
}

// Stock is what one position can promise until its next receipt.
type Stock struct {
	SKU, Location string
	Quantity      int64 // units, >= 0
	// Horizon is the time until the next receipt; 0: that of the market.
	Horizon time.Duration
}

// Costs say what shipping costs, in minor units, prices of stock apart. They
// must give the same answer to the same question during a solve.
type Costs interface {
	// Shipment is the cost of one more shipment from the location to the zone; false if it does
	// not ship there. For Nowhere it is what an order costs once that is not shipped whole.
	Shipment(zone, location string) (cost int64, ok bool)
	// Unit is the cost of one unit in that shipment; for Nowhere, of a unit not shipped.
	Unit(zone, location, sku string) int64
}

// Class is a kind of order: the same lines to the same zone.
type Class struct {
	Zone     string
	Lines    []Line // 1 to MaxLines, sorted by SKU, each SKU once
	Expected float64
}

// Market is what prices are about.
type Market struct {
	Stock   []Stock
	Costs   Costs
	Horizon time.Duration // how far ahead orders compete for the stock, > 0
}

// choice is one class as the dual sees it.
type choice struct {
	lines     int
	quantity  [MaxLines]float64
	offers    []Offer[float64]
	positions []int32 // offers × lines; noPosition: costs nothing more
}

// noPosition marks offers without stock behind them.
const noPosition = -1

// model is a market with classes, numbered and in a fixed order.
type model struct {
	stock    []Stock   // sorted by SKU, then location; quantity > 0
	units    []float64 // stock scaled to the market's horizon
	choices  []choice
	expected []float64 // per class
}

// sortStock returns the positions that have units, in order, and refuses what makes no sense.
func sortStock(m *Market) ([]Stock, error) {
	stock := make([]Stock, 0, len(m.Stock))
	for _, s := range m.Stock {
		if s.Quantity < 0 || s.Horizon < 0 || s.Location == Nowhere {
			return nil, fmt.Errorf("position %s at %q: quantity %d, horizon %s", s.SKU, s.Location, s.Quantity, s.Horizon)
		}
		if s.Quantity > 0 {
			stock = append(stock, s)
		}
	}
	slices.SortFunc(stock, func(a, b Stock) int {
		return cmp.Or(cmp.Compare(a.SKU, b.SKU), cmp.Compare(a.Location, b.Location))
	})
	for i := 1; i < len(stock); i++ {
		if stock[i].SKU == stock[i-1].SKU && stock[i].Location == stock[i-1].Location {
			return nil, fmt.Errorf("position %s at %s is listed twice", stock[i].SKU, stock[i].Location)
		}
	}
	return stock, nil
}

// newModel numbers the market's positions and lays out what each class can choose from.
func newModel(m *Market, classes []Class) (*model, error) {
	if m.Horizon <= 0 {
		return nil, fmt.Errorf("a market needs a horizon above 0, not %s", m.Horizon)
	}
	stock, err := sortStock(m)
	if err != nil {
		return nil, err
	}
	p := &model{stock: stock, units: make([]float64, len(stock)), choices: make([]choice, len(classes)), expected: make([]float64, len(classes))}
	first := map[string]int{} // of each SKU
	for i, s := range stock {
		p.units[i] = float64(s.Quantity)
		if s.Horizon > 0 && s.Horizon < m.Horizon {
			// A receipt comes before the horizon ends: what is here has to last only until then.
			p.units[i] *= float64(m.Horizon) / float64(s.Horizon)
		}
		if _, seen := first[s.SKU]; !seen {
			first[s.SKU] = i
		}
	}
	for i := range classes {
		if n := len(classes[i].Lines); n < 1 || n > MaxLines {
			return nil, fmt.Errorf("a class has 1 to %d lines, not %d", MaxLines, n)
		}
		p.expected[i] = classes[i].Expected
		p.choices[i] = p.layOut(m.Costs, &classes[i], first)
	}
	return p, nil
}

// candidate is a location of one class before the cheapest are taken.
type candidate struct {
	location  string
	offer     Offer[float64]
	positions [MaxLines]int32
	perLine   float64
}

// layOut finds what a class can choose from.
func (p *model) layOut(costs Costs, c *Class, first map[string]int) choice {
	n := len(c.Lines)
	byLocation := map[string]*candidate{}
	var list []*candidate
	for l, line := range c.Lines {
		at, ok := first[line.SKU]
		for ; ok && at < len(p.stock) && p.stock[at].SKU == line.SKU; at++ {
			if p.stock[at].Quantity < line.Quantity {
				continue
			}
			location := p.stock[at].Location
			k := byLocation[location]
			if k == nil {
				fixed, ships := costs.Shipment(c.Zone, location)
				if !ships {
					continue
				}
				k = &candidate{location: location, offer: Offer[float64]{Fixed: float64(fixed)}}
				byLocation[location], list = k, append(list, k)
			}
			k.offer.Has |= 1 << l
			k.offer.Unit[l] = float64(line.Quantity * costs.Unit(c.Zone, location, line.SKU))
			k.positions[l] = int32(at)
		}
	}
	for _, k := range list {
		total, lines := k.offer.Fixed, 0.0
		for l := range n {
			if k.offer.Has>>l&1 == 1 {
				total, lines = total+k.offer.Unit[l], lines+1
			}
		}
		k.perLine = total / lines
	}
	slices.SortFunc(list, func(a, b *candidate) int {
		return cmp.Or(cmp.Compare(a.perLine, b.perLine), cmp.Compare(a.location, b.location))
	})
	list = append(list[:min(len(list), maxCandidates)], unshipped(costs, c))
	out := choice{lines: n, offers: make([]Offer[float64], len(list)), positions: make([]int32, len(list)*n)}
	for l, line := range c.Lines {
		out.quantity[l] = float64(line.Quantity)
	}
	for i, k := range list {
		out.offers[i] = k.offer
		copy(out.positions[i*n:], k.positions[:n])
	}
	return out
}

// unshipped is the candidate that has every line, because it ships none.
func unshipped(costs Costs, c *Class) *candidate {
	fixed, _ := costs.Shipment(c.Zone, Nowhere)
	k := &candidate{location: Nowhere, offer: Offer[float64]{Fixed: float64(fixed), Has: 1<<len(c.Lines) - 1}}
	for l, line := range c.Lines {
		k.offer.Unit[l] = float64(line.Quantity * costs.Unit(c.Zone, Nowhere, line.SKU))
		k.positions[l] = noPosition
	}
	return k
}
