package plancase

import "github.com/orderly-oms/orderly/internal/sourcing/exact"

// Plan is the answer to a case. Cost = Σ shipment costs + what cancelled units cost.
type Plan struct {
	ID        string     `json:"id"`
	Cost      int64      `json:"cost"`
	Shipments []Shipment `json:"shipments"` // in the order of the case's locations
	Cancelled []Units    `json:"cancelled"` // in the order of the case's lines
	// Method is "exact" when no plan is better.
	Method string `json:"method"`
	// Bound is there when the cost was not proven least: no plan costs less than it.
	Bound *int64 `json:"bound,omitempty"`
}

// Shipment is what one location ships and what that costs, the carrier included.
type Shipment struct {
	Location string  `json:"location"`
	Lines    []Units `json:"lines"`
	Cost     int64   `json:"cost"`
}

// Units are so many of a line.
type Units struct {
	SKU      string `json:"sku"`
	Quantity int64  `json:"quantity"`
}

// Solve plans the case.
func (c *Case) Solve(s *exact.Solver) *Plan {
	p, places := c.Problem()
	r := s.Solve(p)
	plan := &Plan{ID: c.ID, Cost: r.Cost, Shipments: make([]Shipment, 0, len(r.Shares)), Cancelled: c.units(r.Unfilled), Method: r.Method}
	if r.Bound < r.Cost {
		plan.Bound = &r.Bound
	}
	for _, share := range r.Shares {
		plan.Shipments = append(plan.Shipments, Shipment{Location: c.Locations[places[share.Location]].ID, Lines: c.units(share.Quantity), Cost: share.Cost})
	}
	return plan
}

func (c *Case) units(quantity []int64) []Units {
	list := []Units{}
	for i, n := range quantity {
		if n > 0 {
			list = append(list, Units{SKU: c.Lines[i].SKU, Quantity: n})
		}
	}
	return list
}
