package sourcing

import "time"

// Limits of what a decision keeps for its explanation.
const (
	// MaxNamed is how many locations an exclusion names; Count has them all.
	MaxNamed = 5
	// MaxAlternatives is how many alternatives a shipment keeps.
	MaxAlternatives = 2
	// MaxExclusions is how many different exclusions a decision keeps.
	MaxExclusions = 40
)

// Decision is one choice with its reasons, as it is kept with the order. All
// amounts are minor units of the order's currency. Explain says it in sentences.
type Decision struct {
	Policy string `json:"policy"` // name@version
	// Method is how the search was done: exact, sequence (first in rank), none, or a
	// bounded search by its name.
	Method string `json:"method"`
	// Cost is what the plan costs by the policy's terms, without what unplaced units
	// count; Gap is how far it may be above the least possible, 0 when the search was complete.
	Cost int64 `json:"cost"`
	Gap  int64 `json:"gap,omitempty"`
	// Candidates counts the locations looked at.
	Candidates int         `json:"candidates"`
	Excluded   []Exclusion `json:"excluded,omitempty"`
	Shipments  []Shipment  `json:"shipments"`
	Unplaced   []Units     `json:"unplaced,omitempty"`
	// Otherwise is what happens to unplaced units: backorder, preorder, hold, exception, cancel, reject.
	Otherwise string `json:"otherwise,omitempty"`
	Queue     string `json:"queue,omitempty"`
	// CancelAt is when units still unplaced are cancelled; zero: never.
	CancelAt time.Time `json:"cancel_at,omitzero"`
	// Facts are the versions of the learned facts it read, like history@12; empty: none.
	Facts []string `json:"facts,omitempty"`
}

// Exclusion is one reason why locations were not used.
type Exclusion struct {
	Group  string `json:"group,omitempty"`
	Rule   string `json:"rule"`
	Reason string `json:"reason"`
	// Line is the line concerned; "": the whole location.
	Line string `json:"line,omitempty"`
	// Locations are those excluded, at most MaxNamed of Count.
	Locations []string `json:"locations"`
	Count     int      `json:"count"`
	// Values are the facts the rule read of the first location, like "candidate.distance_km=812".
	Values []string `json:"values,omitempty"`
}

// Shipment is what one location was given by one rule group.
type Shipment struct {
	Location string  `json:"location"`
	Group    string  `json:"group,omitempty"`
	Service  string  `json:"service,omitempty"`
	Lines    []Units `json:"lines"`
	Cost     int64   `json:"cost"`
	Terms    []Cost  `json:"terms,omitempty"`
	// Carrier is the carrier's charge, unweighted; 0 when none is known.
	Carrier int64 `json:"carrier,omitempty"`
	// Via is the pickup location of goods that another location ships there.
	Via string `json:"via,omitempty"`
	// Alternatives are the next best locations for the same lines.
	Alternatives []Alternative `json:"alternatives,omitempty"`

	deliver, shipBy time.Time
}

// ShipBy is when the parcel leaves; zero: unknown.
func (s *Shipment) ShipBy() time.Time { return s.shipBy }

// Deliver is when the parcel arrives by the calendar; zero: unknown.
func (s *Shipment) Deliver() time.Time { return s.deliver }

// Units is a number of units of a line.
type Units struct {
	Line     string `json:"line"`
	Quantity int64  `json:"quantity"`
}

// Cost is one term of a cost.
type Cost struct {
	Term   string `json:"term"`
	Amount int64  `json:"amount"`
}

// Alternative is a location that could have shipped the same lines.
type Alternative struct {
	Location string `json:"location"`
	Service  string `json:"service,omitempty"`
	Cost     int64  `json:"cost"`
	Terms    []Cost `json:"terms,omitempty"`
}
