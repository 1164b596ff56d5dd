package replay

import "time"

// Result is what became of the orders of a period in one scenario. Amounts are minor units of the history's currency.
type Result struct {
	Scenario string `json:"scenario"`
	// Days are in order; an order counts on the day it came, with everything that became of it.
	Days  []Day `json:"days"`
	Total Day   `json:"total"`
	// Decisions counts how often locations were looked for; OnCourse of Orders stayed where history had them.
	Decisions int64 `json:"decisions"`
	OnCourse  int64 `json:"on_course"`
	// Identity says how far recorded decisions were repeated; nil when the scenario is not that of the record.
	Identity *Identity `json:"identity,omitempty"`
	// Locations are what each location had, and Lanes from where goods went where (location, zone of
	// destination), both largest first.
	Locations []LocationUse `json:"locations,omitempty"`
	Lanes     []Lane        `json:"lanes,omitempty"`
	// Rules are how often each rule of the sourcing policies mattered, by policy, group and rule.
	Rules []RuleUse `json:"rules,omitempty"`
	// Orders is what became of every order, when Options.KeepOrders asks for it; by number.
	Orders []OrderResult `json:"-"`
	// Notes are assumptions that the run had to make, in sentences.
	Notes []string `json:"notes,omitempty"`
	// Took is how long the run took, DecideP50 and DecideP99 how long one decision takes.
	Took      time.Duration `json:"took_ns"`
	DecideP50 time.Duration `json:"decide_p50_ns"`
	DecideP99 time.Duration `json:"decide_p99_ns"`
}

// Day is counters of the orders that came on a day (UTC).
type Day struct {
	Date   string `json:"date,omitempty"` // 2026-11-26; empty: the total
	Orders int64  `json:"orders"`
	Units  int64  `json:"units"`
	// Cost is what carriers charge for the shipments of the orders, Shipments how many there are.
	Cost      int64 `json:"cost"`
	Shipments int64 `json:"shipments"`
	// Shipped counts orders with at least one shipment, Split those with more than one.
	Shipped int64 `json:"shipped"`
	Split   int64 `json:"split"`
	// Promised counts orders with a delivery date when they were placed, PromisedHours how far ahead these were in sum.
	Promised      int64 `json:"promised"`
	PromisedHours int64 `json:"promised_hours"`
	// Judged counts promised orders of which it is known, or drawn, when they arrived; Kept of them, when that was in time.
	Judged int64 `json:"judged"`
	Kept   int64 `json:"kept"`
	// Backordered counts orders with units that no location had when they came (a stock-out), BackorderedUnits these units.
	Backordered      int64 `json:"backordered"`
	BackorderedUnits int64 `json:"backordered_units"`
	// CancelledUnits were never sent; Cancelled counts orders of which nothing was. Lost is what the
	// customer would have paid for the cancelled units.
	CancelledUnits int64 `json:"cancelled_units"`
	Cancelled      int64 `json:"cancelled"`
	Lost           int64 `json:"lost"`
	// Rejections counts units that locations rejected or did not find.
	Rejections int64 `json:"rejections"`
	// Touches counts what people did about the orders, TouchSeconds how long that took.
	Touches      int64 `json:"touches"`
	TouchSeconds int64 `json:"touch_seconds"`
	// Drawn counts outcomes that history does not contain and that were drawn.
	Drawn int64 `json:"drawn"`
}

// Identity is how far the recorded decisions were repeated.
type Identity struct {
	Decisions int64 `json:"decisions"` // that were decided again
	Same      int64 `json:"same"`      // byte for byte
	SameCost  int64 `json:"same_cost"` // to the cent
	// Joint counts decisions that were made for many orders together and taken as recorded; Unrecorded
	// those that the history knows no policy or facts of.
	Joint      int64 `json:"joint"`
	Unrecorded int64 `json:"unrecorded"`
	// Differences are the first MaxDifferences that were not the same.
	Differences []Difference `json:"differences,omitempty"`
}

// MaxDifferences is how many differences are listed.
const MaxDifferences = 100

// Difference is a decision that was not repeated as it was recorded.
type Difference struct {
	Order    string    `json:"order"`
	At       time.Time `json:"at"`
	Recorded string    `json:"recorded"` // in a sentence: who got what, for how much
	Replayed string    `json:"replayed"`
	Bucket   int       `json:"bucket"`
	Sequence int64     `json:"sequence"`
}

// LocationUse is what a location had to do.
type LocationUse struct {
	Location  string `json:"location"`
	Shipments int64  `json:"shipments"`
	Units     int64  `json:"units"`
	Cost      int64  `json:"cost"`
	Rejected  int64  `json:"rejected"`  // fulfillments of which it rejected or did not find something
	NotFound  int64  `json:"not_found"` // of these, those of which it did not find something
}

// Lane is the shipments from a location to a zone of destination.
type Lane struct {
	Location  string  `json:"location"`
	Zone      string  `json:"zone"` // "DE 80": country and the beginning of the postal code
	Shipments int64   `json:"shipments"`
	Cost      int64   `json:"cost"`
	FromLat   float64 `json:"from_lat"`
	FromLon   float64 `json:"from_lon"`
	ToLat     float64 `json:"to_lat"`
	ToLon     float64 `json:"to_lon"`
}

// RuleUse is how often a rule of a sourcing policy mattered.
type RuleUse struct {
	Policy string `json:"policy"`
	Group  string `json:"group"`
	Rule   string `json:"rule"`
	// Decisions counts decisions in which it excluded a location, or in which the group placed something (Rule empty).
	Decisions int64 `json:"decisions"`
	// Excluded is how many locations it excluded, of Asked.
	Excluded int64 `json:"excluded"`
	Asked    int64 `json:"asked"`
}

// OrderResult is what became of one order.
type OrderResult struct {
	Number int64
	ID     string
	At     time.Time
	Cost   int64
	// Locations are those that sent something, with + between them.
	Locations string
	// Service is the carrier service of its first shipment, as "carrier/service"; "" when it was collected or never sent.
	Service   string
	Shipments int32
	Promised  time.Time // the delivery date when it was placed; zero: none
	Delivered time.Time // when it arrived, recorded or drawn; zero: unknown
	Backorder bool
	Cancelled int64 // units
	Units     int64
	Sent      int64 // of Units, those that are in a shipment
	OnCourse  bool
	Drawn     bool
	// Why is the reason of its first decision, in sentences (sourcing.Explain); kept for orders that are not on course,
	// and for those that Options.Explain names.
	Why []string
}
