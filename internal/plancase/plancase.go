// Package plancase is the planning problem as people exchange it: a JSON object
// with lines, locations, prices and limits in, a plan with SKUs and location ids out.
// Files of cases (`orderly plan`) and requests that bring their own facts use it.
//
// It promises that a case it accepts can be searched (every bound of package exact
// holds), that one it refuses comes with the pointer of each bad field
// (problem.Invalid), and that unknown fields are ignored: a case may carry an optimum or notes.
//
// It does not search and it reads no stock, policies or tariffs: the case has every number.
package plancase

import "github.com/orderly-oms/orderly/internal/sourcing/exact"

// Limits of a case. Money is in minor units, weights in grams.
const (
	MaxBytes     = 64 << 20 // of one case as JSON
	MaxLines     = exact.MaxLines
	MaxLocations = exact.MaxLocations
	// MaxQuantity bounds the units of a line; what one location has may be more.
	MaxQuantity  = 1_000_000
	MaxAvailable = int64(1) << 53
	// MaxUnitAmount bounds the money and the weight of one unit, so that a line of
	// MaxQuantity stays within exact.MaxLineAmount.
	MaxUnitAmount = exact.MaxLineAmount / MaxQuantity
	// MaxShipmentAmount bounds a location's cost of a shipment.
	MaxShipmentAmount = exact.MaxCharge
	// MaxRate bounds each number of a rate card, MaxZone the zones, so that every
	// charge stays within exact.MaxCharge up to MaxShipmentGrams.
	MaxRate          = 1_000_000
	MaxZone          = 100
	MaxShipmentGrams = int64(10_000_000)
)

// Split names a rule of exact.Split.
type Split string

// The split rules.
const (
	Never      Split = "never"
	WhenNeeded Split = "when_needed"
	Always     Split = "always"
)

// Case is a problem. Decode makes valid ones.
type Case struct {
	ID        string     `json:"id"`
	Lines     []Line     `json:"lines"`
	Locations []Location `json:"locations"`
	RateCard  *RateCard  `json:"rate_card"` // absent: no carrier charge
	LineSplit Split      `json:"line_split"`
	// MaxShipments is the most locations that ship; absent: any number.
	MaxShipments *int64 `json:"max_shipments"`
	// MinShipmentValue and MinRemainderValue are as in exact.Problem; absent: any.
	MinShipmentValue  int64 `json:"min_shipment_value"`
	MinRemainderValue int64 `json:"min_remainder_value"`
}

// Line is one thing to ship. A SKU may be on several lines.
type Line struct {
	SKU            string `json:"sku"`
	Quantity       int64  `json:"quantity"`
	UnitGrams      int64  `json:"unit_weight_g"`
	UnitCancelCost int64  `json:"unit_cancel_cost"`     // for each unit that does not ship
	UnitValue      int64  `json:"unit_value,omitempty"` // for the value limits
	Group          int64  `json:"group,omitempty"`      // > 0: ships with the other lines of the group or not at all
}

// Location is one place that may ship. UnitCost and Available have an entry for each line.
type Location struct {
	ID           string  `json:"id"`
	Open         *bool   `json:"open"` // false: it ships nothing; absent: open
	Zone         int64   `json:"zone"`
	ShipmentCost int64   `json:"shipment_cost"` // once, if it ships anything
	UnitCost     []int64 `json:"unit_cost"`     // for each unit; negative: a credit
	Available    []int64 `json:"available"`
	MaxUnits     *int64  `json:"max_units"` // of its shipment; absent: any
	MaxValue     *int64  `json:"max_value"`
}

// RateCard is a carrier's charge by zone and started pounds.
type RateCard struct {
	Base      int64 `json:"base"`
	PerZone   int64 `json:"per_zone"`
	PerLB     int64 `json:"per_lb"`
	PerZoneLB int64 `json:"per_zone_lb"`
}

// gramsPerPound is how the rate card counts: a pound is started at its first gram.
const gramsPerPound = 454

// zoneTariff is the rate card for one zone.
type zoneTariff struct {
	base, perPound int64
}

// Price returns base + per_zone×z + (per_lb + per_zone_lb×z) × started pounds;
// ok false above MaxShipmentGrams.
func (t zoneTariff) Price(grams int64) (int64, bool) {
	if grams > MaxShipmentGrams {
		return 0, false
	}
	return t.base + t.perPound*((grams+gramsPerPound-1)/gramsPerPound), true
}

// Problem writes the case for the search. Closed locations are left out; places
// maps its locations to those of the case.
func (c *Case) Problem() (p *exact.Problem, places []int) {
	p = &exact.Problem{
		Lines: make([]exact.Line, len(c.Lines)), MaxShipments: exact.NoLimit,
		MinShipmentValue: c.MinShipmentValue, MinRemainderValue: c.MinRemainderValue,
	}
	switch c.LineSplit {
	case WhenNeeded:
		p.Split = exact.SplitWhenNeeded
	case Always:
		p.Split = exact.SplitAlways
	}
	if c.MaxShipments != nil {
		p.MaxShipments = int(*c.MaxShipments)
	}
	for i, l := range c.Lines {
		p.Lines[i] = exact.Line{Quantity: l.Quantity, Unfilled: l.UnitCancelCost, Grams: l.UnitGrams, Value: l.UnitValue, Group: int(l.Group)}
	}
	tariffs := make(map[int64]int) // by zone
	for i := range c.Locations {
		l := &c.Locations[i]
		if l.Open != nil && !*l.Open {
			continue
		}
		tariff := -1
		if c.RateCard != nil {
			at, ok := tariffs[l.Zone]
			if !ok {
				at = len(p.Tariffs)
				tariffs[l.Zone] = at
				p.Tariffs = append(p.Tariffs, c.RateCard.tariff(l.Zone))
			}
			tariff = at
		}
		p.Locations = append(p.Locations, exact.Location{
			Shipment: l.ShipmentCost, Unit: l.UnitCost, Available: l.Available, Tariff: tariff,
			MaxUnits: limit(l.MaxUnits), MaxValue: limit(l.MaxValue),
		})
		places = append(places, i)
	}
	return p, places
}

func (r *RateCard) tariff(zone int64) exact.Tariff {
	return zoneTariff{base: r.Base + r.PerZone*zone, perPound: r.PerLB + r.PerZoneLB*zone}
}

func limit(n *int64) int64 {
	if n == nil {
		return exact.NoLimit
	}
	return *n
}
