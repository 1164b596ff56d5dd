// Package policy is the retailer's decision logic as data: versioned YAML documents
// with CEL expressions and decision tables, checked when they are saved.
//
// It promises that a document either compiles or is refused with problems that
// name line and column; that a compiled policy is immutable, safe for concurrent
// use and deterministic; that every expression has a bounded cost; and that of two
// versions it can say what differs. Facts are typed: an expression that names
// something there is not, or compares a number with a text, does not compile.
//
// It does not decide anything itself (sourcing, promise and inventory do, with
// what it compiled), read a clock, or keep documents.
package policy

import "time"

// Kind says what a policy steers.
type Kind string

// The kinds of policy.
const (
	KindSourcing     Kind = "sourcing"     // who fulfils
	KindPromise      Kind = "promise"      // what date is offered, with how much slack
	KindAvailability Kind = "availability" // what is held back from channels
	KindReturns      Kind = "returns"      // where returned goods go
)

// Kinds lists them all.
var Kinds = []Kind{KindSourcing, KindPromise, KindAvailability, KindReturns, KindHolds, KindExceptions, KindPayment}

// Document is one policy as it is written, in YAML. Exactly the section of its
// kind is present. Every text that holds an expression is CEL over Facts.
type Document struct {
	Kind        Kind   `yaml:"kind"`
	Name        string `yaml:"name"` // an identifier, unique within the kind
	Description string `yaml:"description"`
	Select      Select `yaml:"select"`

	Sourcing     *SourcingSection     `yaml:"sourcing"`
	Promise      *PromiseSection      `yaml:"promise"`
	Availability *AvailabilitySection `yaml:"availability"`
	Returns      *ReturnsSection      `yaml:"returns"`
	Holds        *HoldsSection        `yaml:"holds"`
	Exceptions   *ExceptionsSection   `yaml:"exceptions"`
	Payment      *PaymentSection      `yaml:"payment"`

	// Examples are run by "policy test" and before every publication.
	Examples []Example `yaml:"examples"`

	places *places // of a document that was parsed
}

// Select says for which orders a published policy applies. An empty list or text
// is no condition. Of several that apply, the highest Priority decides, then the
// lowest name; channels may thus override a default.
type Select struct {
	Channels []string  `yaml:"channels"`
	Methods  []string  `yaml:"methods"`  // ship, pickup
	Services []string  `yaml:"services"` // carrier service ids
	When     string    `yaml:"when"`     // CEL over order, now, line and sku; with line or sku: true when true for any line
	From     time.Time `yaml:"from"`     // included
	Until    time.Time `yaml:"until"`    // excluded
	Priority int       `yaml:"priority"`
}

// SourcingSection is how an order finds its locations: rule groups tried in
// sequence, each on what those before left unplaced, and what happens to the rest.
type SourcingSection struct {
	Groups    []Group   `yaml:"groups"`
	Otherwise Otherwise `yaml:"otherwise"`
	// Prices says which opportunity prices the term "opportunity" and
	// stock.opportunity_price use: off (default), curve, learned.
	Prices string `yaml:"prices"`
	// ChangeCost is what moving a unit's fulfillment that was not accepted yet must
	// save at least, in minor units, when open orders are decided again. Default 0.
	ChangeCost int64 `yaml:"change_cost"`
	// MaxMoves is how often one order may be moved by deciding again. Default 3.
	MaxMoves *int64 `yaml:"max_moves"`
	// MaxAttempts is after how many locations that gave units of a line back (rejected, not found, lost, or taken back
	// from one that is not asked again) no other is asked by itself. 1 to 100. Default 5.
	MaxAttempts *int64 `yaml:"max_attempts"`
}

// Group is one rule group.
type Group struct {
	Name string `yaml:"name"`
	// When skips the group unless true. CEL over order and now.
	When string `yaml:"when"`
	// Locations and Products admit by tags, before the filters.
	Locations TagRule  `yaml:"locations"`
	Products  TagRule  `yaml:"products"`
	Filters   []Filter `yaml:"filters"`
	// Cost, when present, makes the group find the plan of least total cost.
	Cost []Term `yaml:"cost"`
	// Sort, when present instead, ranks locations; the first that has everything
	// takes it, else each in turn takes what it can.
	Sort   []SortKey `yaml:"sort"`
	Limits Limits    `yaml:"limits"`
	// Accept: any (default) keeps whatever the group could place; complete keeps it
	// only when nothing is left unplaced, else the group places nothing.
	Accept string `yaml:"accept"`
	// Transfers lets a pickup order be filled from another location that ships to the
	// pickup location (ship to store), at Cost's carrier charge between the two.
	Transfers bool `yaml:"transfers"`
}

// TagRule admits what has at least one tag of Include (if any) and none of Exclude.
type TagRule struct {
	Include []string `yaml:"include"`
	Exclude []string `yaml:"exclude"`
}

// Filter keeps what its expression is true for.
type Filter struct {
	Name   string `yaml:"name"`
	Keep   string `yaml:"keep"`   // CEL over order, location, candidate, now; and line, sku, stock, then it is asked per line
	Reason string `yaml:"reason"` // for people, when it is false
}

// Term is one part of the cost of a plan, in minor units.
type Term struct {
	// Term is one of Terms, or any other name with Value given.
	Term string `yaml:"term"`
	// Weight multiplies; up to three decimals are kept. Default 1.
	Weight *float64 `yaml:"weight"`
	// Value is CEL giving minor units (int or double, rounded half away from zero).
	// Optional for built-in terms whose meaning needs none.
	Value string `yaml:"value"`
	// Per says what Value of pick or of a term of your own is paid for: shipment (default) or unit.
	Per string `yaml:"per"`
}

// The built-in terms.
const (
	TermCarrier     = "carrier"     // the carrier's charge for the parcel, by zone and weight; Value must be absent
	TermPick        = "pick"        // handling; Value required
	TermSplit       = "split"       // for each shipment beyond the order's first; Value required
	TermDistance    = "distance"    // per shipment, Value (minor units) × km; unknown distance counts half the equator
	TermLateness    = "lateness"    // Value (minor units) × days late
	TermMarkdown    = "markdown"    // a credit per unit that would be marked down; Value required, subtracted
	TermCapacity    = "capacity"    // per shipment, Value × share of the day's capacity used, squared
	TermRisk        = "risk"        // per unit, Value (cost of one failed unit) × the location's failure rate
	TermCarbon      = "carbon"      // Value (price of one kg CO2e) × km × kg × CarbonGramsPerTonneKm
	TermOpportunity = "opportunity" // per unit, what the unit is worth left where it is; Value must be absent
)

// Terms lists the built-in terms.
var Terms = []string{
	TermCarrier, TermPick, TermSplit, TermDistance, TermLateness, TermMarkdown, TermCapacity, TermRisk, TermCarbon, TermOpportunity,
}

// SortKey ranks locations; the first key decides, then the next, at last the location id.
type SortKey struct {
	// By is one of SortKeys, or "value" with Value given.
	By         string `yaml:"by"`
	Value      string `yaml:"value"` // CEL over order, location, candidate, now giving a number
	Descending bool   `yaml:"descending"`
}

// SortKeys lists the built-in rankings: distance (nearest first, unknown last),
// balance (most units of the order's SKUs first), sequence (the location's
// priority), sales_velocity (slowest first), weeks_of_supply (most first),
// broken_run (locations with broken size runs first), cost (cheapest carrier charge first).
var SortKeys = []string{"distance", "balance", "sequence", "sales_velocity", "weeks_of_supply", "broken_run", "cost"}

// Limits bound a plan. An absent limit does not bind; 0 admits nothing.
type Limits struct {
	MaxShipments      *int64   `yaml:"max_shipments"`       // locations, over the whole group
	MinShipmentValue  int64    `yaml:"min_shipment_value"`  // minor units, each shipment; 0: any
	MinRemainderValue int64    `yaml:"min_remainder_value"` // minor units, of what is left unplaced unless nothing is; 0: any
	MaxDistanceKm     *float64 `yaml:"max_distance_km"`     // an unknown distance is beyond any limit
	LineSplit         string   `yaml:"line_split"`          // never, when_needed (default), always
	// KeepTogether names an attribute of SKUs: lines that share its value ship from one location.
	KeepTogether string `yaml:"keep_together"`
	// Kits: whole (default; all components of a kit from one location) or component.
	Kits string `yaml:"kits"`
	// MaxUnits and MaxValue bound each shipment.
	MaxUnits *int64 `yaml:"max_units"`
	MaxValue *int64 `yaml:"max_value"`
	// UnplacedCost is what a unit left unplaced counts, minor units. A plan leaves units
	// unplaced when placing them costs more. Default 1,000,000.
	UnplacedCost *int64 `yaml:"unplaced_cost"`
	// IgnoreCapacity lets the group use locations whose capacity is used up. Default false.
	IgnoreCapacity bool `yaml:"ignore_capacity"`
}

// Otherwise is what happens to units no group could place.
type Otherwise struct {
	// Action: backorder (default), preorder, hold, exception, cancel, reject (refuse the order at capture).
	Action string `yaml:"action"`
	// Queue names the hold's queue, for hold and exception.
	Queue string `yaml:"queue"`
	// CancelAfterHours cancels what is still unplaced after so many hours; 0: never.
	CancelAfterHours int64 `yaml:"cancel_after_hours"`
	// Partial false places nothing unless everything can be placed. Default true.
	Partial *bool `yaml:"partial"`
}

// PromiseSection steers dates.
type PromiseSection struct {
	// Quantile of observed delays that is added to the calendar's date, 0.5..0.999. Default 0.95.
	Quantile float64 `yaml:"quantile"`
	// MinObservations below which a coarser level of the history answers. Default 30.
	MinObservations int64 `yaml:"min_observations"`
	// ExtraDays are added to every date. Default 0.
	ExtraDays int64 `yaml:"extra_days"`
	// WindowDays is the width of the date window offered. Default 0: one day.
	WindowDays int64 `yaml:"window_days"`
	// Holidays is the ISO country of the carrier's holidays; "" none; "destination": that of the address.
	Holidays string `yaml:"holidays"`
	// DeliveryDays are the weekdays carriers deliver on. Default monday to saturday.
	DeliveryDays []string `yaml:"delivery_days"`
	// SameDayMaxKm offers same-day delivery from stores within the distance; 0: none.
	SameDayMaxKm float64 `yaml:"same_day_max_km"`
	// SameDayService is the carrier service it goes with.
	SameDayService string `yaml:"same_day_service"`
	// PickupMaxKm bounds how far pickup stores are offered. Default 100.
	PickupMaxKm float64 `yaml:"pickup_max_km"`
	// MaxOptions bounds the list. Default 20.
	MaxOptions int64 `yaml:"max_options"`
	// Price is CEL over order and candidate giving what the customer pays, minor units. Default: order's shipping is unknown, 0.
	Price string `yaml:"price"`
	// AtRisk is the probability of being kept below which a promise is shown as at risk. Default 0.5.
	AtRisk float64 `yaml:"at_risk"`
	// OnRisk is what follows, once, when it is: show (default), exception, or redecide, which gives units that nobody accepted to
	// a location that keeps the promise, and else opens the exception.
	OnRisk string `yaml:"on_risk"`
}

// What may follow when a promise is at risk.
const (
	RiskShow      = "show"
	RiskException = "exception"
	RiskRedecide  = "redecide"
)

// AvailabilitySection is a decision table of what is held back.
type AvailabilitySection struct {
	// Rules are tried in order; the first that matches decides the position's buffer and safety.
	Rules []BufferRule `yaml:"rules"`
}

// BufferRule is one row.
type BufferRule struct {
	Name      string   `yaml:"name"`
	Channels  []string `yaml:"channels"`
	Locations TagRule  `yaml:"locations"`
	Types     []string `yaml:"types"` // location types
	Products  TagRule  `yaml:"products"`
	When      string   `yaml:"when"` // CEL over order.channel, sku, location
	// Buffer is withheld from the channel; Safety is held back from all, beside the
	// position's own safety stock, of which the larger counts (subtracted once).
	Buffer int64 `yaml:"buffer"`
	Safety int64 `yaml:"safety"`
	// Percent of what is available that is withheld as well, 0..100, rounded up.
	Percent int64 `yaml:"percent"`
	// Hide offers nothing of the position.
	Hide bool `yaml:"hide"`
}

// Example is an order with facts and what must be decided about it. Only what
// Expect names is compared; what it may name depends on the kind (docs/policies.md).
type Example struct {
	Name   string         `yaml:"name"`
	Given  Given          `yaml:"given"`
	Expect map[string]any `yaml:"expect"`
}
