package sourcing

import "time"

// Decision is one choice with its reasons, as it is kept with the order. All
// amounts are minor units of the order's currency.
type Decision struct {
	At     time.Time `json:"at"`
	Policy string    `json:"policy"` // name@version
	// Group is the rule group that placed most units; "" when nothing was placed.
	Group string `json:"group,omitempty"`
	// Method is how the search was done: exact, sequence, or a bounded search.
	Method string `json:"method"`
	// Cost is what the plan costs by the policy's terms, Bound what no plan could have
	// cost less; they are equal when the search was complete.
	Cost  int64 `json:"cost"`
	Bound int64 `json:"bound,omitempty"`
	// Candidates counts the locations looked at.
	Candidates int         `json:"candidates"`
	Excluded   []Exclusion `json:"excluded,omitempty"`
	Shipments  []Shipment  `json:"shipments"`
	Unplaced   []Units     `json:"unplaced,omitempty"`
	// Otherwise is what happens to unplaced units: backorder, preorder, hold, exception, cancel, reject.
	Otherwise string `json:"otherwise,omitempty"`
	Queue     string `json:"queue,omitempty"`
	// CancelAfter is when units still unplaced are cancelled; zero: never.
	CancelAfter time.Time `json:"cancel_after,omitzero"`
	// Prices is the version of the opportunity prices used; 0: none.
	Prices int64 `json:"prices,omitempty"`
}

// Exclusion is one reason why locations were not used.
type Exclusion struct {
	Group  string `json:"group,omitempty"`
	Rule   string `json:"rule"`
	Reason string `json:"reason"`
	// Line is the line concerned; "": the whole location.
	Line string `json:"line,omitempty"`
	// Locations are those excluded, at most MaxNamed, of Count.
	Locations []string `json:"locations"`
	Count     int      `json:"count"`
	// Values are the facts the rule read of the first location, like "candidate.distance_km=812".
	Values []string `json:"values,omitempty"`
}

// Shipment is what one location was given.
type Shipment struct {
	Location string  `json:"location"`
	Group    string  `json:"group,omitempty"`
	Service  string  `json:"service,omitempty"`
	Lines    []Units `json:"lines"`
	Cost     int64   `json:"cost"`
	Terms    []Cost  `json:"terms,omitempty"`
	// Via is the pickup location of goods that another location ships there.
	Via     string    `json:"via,omitempty"`
	ShipBy  time.Time `json:"ship_by,omitzero"`
	Deliver time.Time `json:"deliver,omitzero"`
	// Alternatives are the next best locations for the same lines.
	Alternatives []Alternative `json:"alternatives,omitempty"`
	// Flip says what would have made the best alternative win.
	Flip string `json:"flip,omitempty"`
}

// Units is a number of units of a line. Part names the component when a kit is
// shipped by component.
type Units struct {
	Line     string `json:"line"`
	Quantity int64  `json:"quantity"`
	Part     string `json:"part,omitempty"`
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
