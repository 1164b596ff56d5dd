package sourcing

import (
	"time"

	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/sourcing/exact"
)

// Facts are everything a decision may depend on. Decide changes none of it.
type Facts struct {
	Now   time.Time
	Order policy.Order
	Lines []Line
	// Sites are the locations of the channel's networks that can do what the order
	// needs, ascending by id.
	Sites []Site
	// Refused are locations that are not asked again, with why ("rejected it before").
	Refused []Refusal
	// Forced, when not empty, is the only location that may be used.
	Forced string
	// Preferred are locations that the order asks for; they win among plans of equal cost.
	Preferred []string
	// Wanted is when the customer has or wants it by; zero: any time, so nothing is late.
	Wanted time.Time
	// Learned are the versions of the learned facts in it, for the record.
	Learned []string
}

// Line is something to place.
type Line struct {
	ID       string
	Quantity int64 // units to place
	Facts    policy.Line
	SKU      *policy.SKU
	Grams    int64 // of one unit
	Value    int64 // minor units of one unit
}

// Site is a location as a candidate.
type Site struct {
	Location  *policy.Location
	Candidate policy.Candidate // Complete, Fill and Carrier are filled in by Decide
	// Available has, per line, the units the location may give (kits: whole kits).
	Available []int64
	// Stock has, per line, the position; nil when no expression asks for it.
	Stock []policy.Stock
	// Prices has, per line, what a unit is worth left here, minor units; nil: nothing.
	Prices []int64
	// Services are the ways it may ship; none for pickup, or when the carrier's charge is unknown.
	Services []Service
	// Via, when not empty, is the pickup location this site would ship to.
	Via string
	// OrdersLeft, UnitsLeft and ValueLeft are what its capacity still admits; exact.NoLimit: any.
	OrdersLeft, UnitsLeft, ValueLeft int64
}

// Service is one way a site may ship.
type Service struct {
	ID string
	// Tariff is the carrier's charge by weight; nil: unknown. Sites with the same charges
	// share one value, which saves the search work.
	Tariff  exact.Tariff
	ShipBy  time.Time // when the parcel leaves
	Deliver time.Time // when it arrives; zero: unknown
}

// Refusal says that a location is not asked, and why.
type Refusal struct {
	Location, Reason string
}
