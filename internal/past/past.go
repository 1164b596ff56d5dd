// Package past is a retailer's history as a replay needs it: what was asked, what was
// decided, what came of it, and what stock and rules were at the time, in the order in which it
// happened.
//
// A history is a sequence of entries. It comes from the log of a running system (package
// past/extract) or from a folder of plain CSV files of any other system (package past/folder), and is
// kept in one file that is written once, grown at its end and read from the beginning at any
// speed (Create, Append, Open). Reading needs memory for one entry, and not for the history.
//
// It promises: what is read is what was written, entry by entry; a file that was cut off or damaged is
// noticed and named, and what is before the damage can be read; a file says what it was made from,
// up to where, and which assumptions are in it.
//
// It does not decide anything, know policies, or judge whether what happened was right.
package past

import (
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/order"
)

// Header says what a history is and where it came from.
type Header struct {
	// Source is where it came from: "log" or "csv".
	Source string `json:"source"`
	// Origin identifies the store or folder, so that a history is never grown from another one.
	Origin string `json:"origin"`
	// Currency is that of most orders; amounts of orders in others are not added up with it.
	Currency string `json:"currency"`
	// Cursors is the place in the log up to which it goes, by bucket; nil for CSV.
	Cursors []int64 `json:"cursors,omitempty"`
	// Orders, From and Until describe what is in it: how many orders, and when the first and last entry was.
	Orders int64     `json:"orders"`
	From   time.Time `json:"from,omitzero"`
	Until  time.Time `json:"until,omitzero"`
	// Recorded says that decisions were recorded with their policies, so that they can be repeated and
	// compared byte for byte. Histories from CSV only know where goods left from.
	Recorded bool `json:"recorded"`
	// Quality lists what was missing and what was assumed instead.
	Quality []Finding `json:"quality,omitempty"`
}

// Finding is something that a history lacks or that is odd about it.
type Finding struct {
	// Subject is what it is about, like "deliveries.csv" or "location s4".
	Subject string `json:"subject"`
	// Missing says what is missing or wrong, Assumed what was assumed instead.
	Missing string `json:"missing"`
	Assumed string `json:"assumed"`
	// Count is how many rows, orders or places it concerns, of Of.
	Count int64 `json:"count"`
	Of    int64 `json:"of"`
	// Matters says how much it may change the results: "high", "some" or "little", and Why says for which numbers.
	Matters string `json:"matters"`
	Why     string `json:"why"`
}

// Entry is one thing that happened. Exactly one of the pointers and lists is set.
//
// Entries ascend by time. Document and Policy take effect for entries with a later
// time only: what was decided at the same moment was decided before it was known.
type Entry struct {
	At time.Time

	Document *Document
	Policy   *Policy
	Learned  *Learned
	// Stock are changes of positions that no order made: receipts, sales in a store, counts, reservations, capacity that was opened.
	Stock []Stock
	// Decision is an order that comes, or units of an order that are to be placed again.
	Decision *Decision
	// Step is something that happened to an order and was not decided here.
	Step *Step
}

// Document is reference data that was put: kind is "channel", "location", "network", "carrier", "sku" or "supply".
type Document struct {
	Kind    string
	ID      string
	Removed bool
	JSON    []byte // as the API takes it; nil when Removed
}

// Policy is a version of a policy that was published.
type Policy struct {
	Kind      string
	Name      string
	Version   int64
	From      time.Time // when it is in force from; not before the entry's time in effect
	Withdrawn bool      // from From on no version is in force
	Text      string    // YAML; "" when Withdrawn
}

// Learned is a snapshot of learned facts, or of the work that waits at locations, that decisions name ID@Version.
type Learned struct {
	ID      string
	Version int64
	State   []byte // JSON, as its learner wrote it
}

// Stock is a change of one position. Safety, when not nil, replaces its safety stock.
type Stock struct {
	inventory.PositionKey
	inventory.Delta
	Safety *int64
	// Why is "sale" (units sold or given out elsewhere), "receipt", "count", "reservation", "capacity", "return" or "other".
	Why string
}

// Decision is a moment at which units of an order were to be placed. The first of an order is its
// capture.
type Decision struct {
	// Order numbers the orders of the history from 0, in the order in which they came.
	Order int64
	// First: State is the order as it was captured, and has not been in the history before.
	First bool
	// State is the order right before locations were looked for: of a first decision what came with
	// it, else with everything that happened to it, but without its payments, which no decision reads. It belongs to
	// the reader of the entry.
	State *order.Order
	// Asked: a person wanted it, so that locations that failed before may be asked again.
	Asked bool
	// Reject: the channel refuses an order that cannot be placed whole.
	Reject bool
	// Held is the reservation that the order claims, JSON of inventory.Reservation; nil: none.
	Held []byte
	// Joint: it was decided together with other orders (a closed location, a backlog): a replay
	// takes what was recorded, unless the order is on another course by then.
	Joint bool
	// Placed is what was decided; of an order that was held at capture and placed later, nothing.
	Placed []Placed
	// Unplaced are units that no location got, Waiting what becomes of them (order.Wait…).
	Unplaced []order.LineQuantity
	Waiting  string
	// Facts are the versions of learned facts that the decisions read, like "history@12".
	Facts []string
	// Hashes are of the events that the decision was recorded as: the first 8 bytes of the SHA-256 of the JSON
	// of each, in their order. Nil for CSV.
	Hashes []uint64
	// Moves are the movements of stock and capacity that the placing made.
	Moves []inventory.Movement
	// Bucket and Seq are the row of the log, to show it.
	Bucket int
	Seq    int64
}

// Placed is what one location got.
type Placed struct {
	Location string
	Service  string
	Via      string
	Lines    []order.LineQuantity
	Cost     int64 // minor units
	Promise  order.Promise
}

// StepKind is what happened.
type StepKind uint8

// The kinds of steps. Stored: add at the end.
const (
	StepAccepted  StepKind = iota + 1 // a fulfillment was accepted
	StepRejected                      // units of a fulfillment were rejected, or not found (Lost)
	StepShipped                       // units left, or were collected
	StepDelivered                     // a fulfillment reached the customer
	StepCancelled                     // units of an order were cancelled by or for the customer
	StepWithdrawn                     // units were taken back from a location
	StepTouched                       // a person worked on the order
	StepException                     // an exception was opened
	StepLost                          // units were lost on their way or came back
	StepDone                          // nothing more happens to the order
	StepOther                         // stock moved for another reason; only Moves matters
)

// Step is something that happened to an order.
type Step struct {
	Order int64
	Kind  StepKind
	// Fulfillment numbers the order's recorded fulfillments from 1, in the order of their creation; 0: the order itself.
	Fulfillment int
	// Lines are the units concerned; nil: all that are left of the fulfillment or order.
	Lines []order.LineQuantity
	// Lost: rejected units were not in the location's stock.
	Lost bool
	// Exclude: the location is not asked again for the order.
	Exclude bool
	// Seconds is how long a person worked, Reason why: a cause of touches, type of exception or code.
	Seconds int64
	Reason  string
	// Moves are the movements of stock and capacity that it made.
	Moves []inventory.Movement
}
