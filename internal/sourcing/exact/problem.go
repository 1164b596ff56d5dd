// Package exact finds the cheapest way to fulfil the lines of one order from
// many locations: which location ships which lines, what stays unfilled.
//
// It promises the least total cost in integer minor units. Among plans of equal cost
// it prefers fewer shipments, then fewer unfilled units, then fewer lines with
// unfilled units, then the lowest location indexes, compared in ascending order;
// so callers that list locations in a fixed order get the same plan every time.
// Which lines a location ships is not a further tie-break: among plans equal in all that, the
// order of lines decides.
//
// Orders of up to some fourteen lines are searched whole, whatever the number of
// locations (Solver.Work and maxStates bound it; split lines count by their units). Beyond, it says so:
// Result.Method names what was done and Result.Bound is a proven lower bound on
// the cost.
//
// It does not know policies, carriers, stock or orders: the caller brings prices
// and limits as numbers. A location makes at most one shipment per problem.
package exact

// Split says whether the units of one line may come from several locations.
type Split int

// The split rules.
const (
	// SplitNever: a line ships whole from one location or stays unfilled whole.
	SplitNever Split = iota
	// SplitWhenNeeded: a line that some location has whole (Available, whatever
	// else limits its shipment) follows SplitNever; any other line may be split by
	// units, and its missing units stay unfilled one by one.
	SplitWhenNeeded
	// SplitAlways: every line may be split by units.
	SplitAlways
)

// Bounds of a problem, so that every sum fits an int64. Solve panics beyond them.
const (
	MaxLines     = 500
	MaxLocations = 10_000
	// MaxQuantity bounds the units of a line.
	MaxQuantity = 1 << 30
	// MaxLineAmount bounds, for each line, quantity times what one unit costs (either
	// sign), is worth, weighs, or costs unfilled.
	MaxLineAmount = int64(1) << 49
	// MaxCharge bounds a shipment's own cost and a tariff's price, either sign.
	MaxCharge = int64(1) << 44
)

// NoLimit is the value of a limit that does not bind. A limit of 0 admits nothing.
const NoLimit = -1

// Line is one thing to fulfil.
type Line struct {
	Quantity int64 // units, > 0
	Unfilled int64 // minor units for each unit that no location ships
	Grams    int64 // weight of one unit
	Value    int64 // minor units of one unit, for the value limits
	// Group, when above 0, joins lines that ship from one location or not at all
	// (every line of the group whole).
	Group int
}

// Location is one place that may ship.
type Location struct {
	Shipment  int64   // minor units, once when the location ships anything
	Unit      []int64 // minor units per unit of line i; may be negative (a credit)
	Available []int64 // units of line i it may give, ≥ 0
	Tariff    int     // index into Problem.Tariffs of its carrier charge; -1: none
	MaxUnits  int64   // of the shipment, NoLimit: any
	MaxValue  int64   // minor units of the shipment, NoLimit: any
}

// Tariff is a carrier's charge by weight, of any shape. Bounds of problems that are
// too large to search whole rely on prices that do not fall as the weight rises,
// and on a carrier that refuses a weight refusing every heavier one.
type Tariff interface {
	// Price returns the charge of one shipment in minor units; ok false: the
	// carrier does not take it.
	Price(grams int64) (price int64, ok bool)
}

// Problem is one order to plan. Solve does not change it.
type Problem struct {
	Lines     []Line
	Locations []Location // in the order of the last tie-break
	Tariffs   []Tariff
	Split     Split
	// MaxShipments bounds how many locations ship. NoLimit: any number.
	MaxShipments int
	// MinShipmentValue is the least value of each shipment; 0: any.
	MinShipmentValue int64
	// MinRemainderValue is the least value of what stays unfilled, unless nothing
	// does: a remainder below it may not be left over. 0: any. Shipping nothing is
	// always allowed, so every problem has a plan.
	MinRemainderValue int64
}

// Share is what one location ships.
type Share struct {
	Location int     // index into the problem's locations
	Quantity []int64 // per line, ≥ 0, not all 0
	Cost     int64   // shipment + units + carrier charge
}

// Result is a plan.
type Result struct {
	Shares   []Share // ascending by location
	Unfilled []int64 // units per line that no location ships
	Cost     int64   // Σ share costs + Σ unfilled × Line.Unfilled
	Bound    int64   // no plan costs less; equal to Cost when the search was complete
	Method   string  // "exact", or how a large problem was searched
}
