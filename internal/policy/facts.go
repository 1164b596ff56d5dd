package policy

import "time"

// Facts are what expressions can read. An expression names them as order.channel,
// line.quantity, sku.tags, location.type, candidate.distance_km, now. Pointers that
// an expression does not use (Expr.Uses) may be nil.
type Facts struct {
	Order     *Order
	Line      *Line
	SKU       *SKU
	Location  *Location
	Candidate *Candidate
	Stock     *Stock
	Returned  *Returned
	Exception *Exception
	Subject   *Subject
	Now       time.Time
	// Lines are all lines of the order. Only Select reads them: a condition on a line
	// holds for the order when it holds for any of them.
	Lines []OrderLine
}

// OrderLine is one line with its article.
type OrderLine struct {
	Line *Line
	SKU  *SKU // nil: the catalog does not have it
}

// Order is the order (or basket) that is decided about. Amounts are minor units.
type Order struct {
	Channel    string            // order.channel
	Method     string            // order.method: ship, pickup
	Service    string            // order.service: carrier service asked for, "" any
	Currency   string            // order.currency
	Value      int64             // order.value: Σ line values
	Units      int64             // order.units
	WeightG    int64             // order.weight_g
	Lines      int64             // order.lines: number of lines
	Customer   string            // order.customer: id
	Country    string            // order.country: of the destination
	PostalCode string            // order.postal_code
	Region     string            // order.region
	City       string            // order.city
	Attributes map[string]string // order.attributes
	PlacedAt   time.Time         // order.placed_at
	Attempt    int64             // order.attempt: how often units were given to locations before
}

// Line is one line of it.
type Line struct {
	SKU       string // line.sku
	Quantity  int64  // line.quantity: units to place now
	UnitPrice int64  // line.unit_price
	Value     int64  // line.value: quantity × what the customer pays per unit
	WeightG   int64  // line.weight_g: of all units
}

// SKU is the catalog's view of the line's article.
type SKU struct {
	ID         string            // sku.id
	Category   string            // sku.category
	Tags       []string          // sku.tags
	Attributes map[string]string // sku.attributes
	WeightG    int64             // sku.weight_g: of one unit
	Price      int64             // sku.price: list price
	Kit        bool              // sku.kit
}

// Location is a place that may fulfil.
type Location struct {
	ID           string   // location.id
	Type         string   // location.type: dc, store, vendor
	Country      string   // location.country
	PostalCode   string   // location.postal_code
	Region       string   // location.region
	City         string   // location.city
	TimeZone     string   // location.time_zone
	Tags         []string // location.tags
	Capabilities []string // location.capabilities
	Priority     int64    // location.priority
}

// Candidate is the location seen from this order.
type Candidate struct {
	DistanceKm    float64 // candidate.distance_km; 20038 (half the equator, rounded up) when unknown
	DistanceKnown bool    // candidate.distance_known
	Complete      bool    // candidate.complete: has every unit to place
	Fill          float64 // candidate.fill: share of the units it has, 0..1
	Preferred     bool    // candidate.preferred: the order asks for it
	OrdersLeft    int64   // candidate.orders_left: capacity of the day and hour; -1 no limit
	CapacityUsed  float64 // candidate.capacity_used: share of the day's order capacity, 0..1
	FailureRate   float64 // candidate.failure_rate: share of lines rejected or short, from history, 0..1
	DaysToDeliver int64   // candidate.days: calendar days from now to delivery with the cheapest service; -1 unknown
	DaysLate      int64   // candidate.days_late: days after order's promise or request; 0 in time or unknown
	Carrier       int64   // candidate.carrier: cheapest charge for what it would ship alone, minor units
}

// Stock is the position of the line's SKU at the location (kits: the scarcest part).
type Stock struct {
	Available     int64   // stock.available: units it may give this channel
	OnHand        int64   // stock.on_hand
	Safety        int64   // stock.safety
	Velocity      float64 // stock.velocity: units sold a day, from history
	WeeksOfSupply float64 // stock.weeks_of_supply: available ÷ (7 × velocity); 9999 when nothing sells
	BrokenRun     bool    // stock.broken_run: other sizes of its style are missing here
	Price         int64   // stock.opportunity_price: minor units a unit is worth left here
}

// Returned is what a customer sends or brings back. ("return" is a reserved word of CEL.)
type Returned struct {
	Reason    string // returned.reason: as the customer gave it
	Condition string // returned.condition: as declared or inspected
	Method    string // returned.method: mail, store
	Quantity  int64  // returned.quantity: units
	Days      int64  // returned.days: since delivery; 0 when unknown
}

// Subject is the order, fulfillment or return that is in a flow.
type Subject struct {
	State            string   // subject.state: of the flow
	Status           string   // subject.status: of the order, fulfillment or return itself
	Reason           string   // subject.reason: of the event, "" when it has none
	Payment          string   // subject.payment: of the order, like none, pending, authorized, captured
	Method           string   // subject.method: ship, pickup; of a return mail, store
	Via              string   // subject.via: pickup location that a fulfillment is shipped to; "" otherwise
	Attempts         int64    // subject.attempts: how often units of the order were given to locations
	Tries            int64    // subject.tries: how often the timer that fired did so in this state, now included; 0: no timer
	Hours            int64    // subject.hours: whole hours in the state
	Units            int64    // subject.units: that are or were to reach the customer; of a return, to come back
	UnitsOpen        int64    // subject.units_open: of the order, with no location; of a return, still to come
	UnitsBackordered int64    // subject.units_backordered: of the order, waiting for stock
	Value            int64    // subject.value: of its units, minor units
	Promised         bool     // subject.promised: there is a promised date
	PromiseHours     int64    // subject.promise_hours: whole hours until it, negative when past; 0 without one
	Holds            []string // subject.holds: types of the order's holds in force
	Exceptions       []string // subject.exceptions: types of open exceptions about it
}
