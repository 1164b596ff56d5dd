// Package roi is the ledger of what deciding with the policies in force is worth, against a baseline
// policy that was pinned when they went live.
//
// An order that was placed while a baseline is pinned carries what the baseline would have decided beside what was
// decided (order.Baseline). Of such an order, LineOf makes one line: expected cost of both, what its
// shipments really cost, what was promised and kept, and the work of people. Sums are lines added up; they can
// be taken away again, so that a ledger can follow an order that goes on after it was done. A Statement says
// what the sums of a month mean, currency by currency, with the assumptions behind them in sentences.
//
// It promises: a statement is the sum of the lines of its orders, exactly, in whichever order they were added
// and however often the adding was stopped and taken up again; amounts of different currencies are never added;
// what does not compare is counted, with the reason, and not guessed at; of too few orders nothing is concluded.
//
// It does not know what the baseline's shipments would really have cost, because they were never sent; the
// statement shows how far expected and real cost of those that were sent lie apart. It does not read a clock, the log or
// carriers' invoices.
package roi

import (
	"cmp"
	"time"

	"github.com/orderly-oms/orderly/internal/order"
)

// MinOrders is how many compared orders a conclusion takes at least.
const MinOrders = 100

// Pin is a version of what the ledger compares with. It is in force from From until the next one.
type Pin struct {
	Version int64     `json:"version"`
	From    time.Time `json:"from"`
	By      string    `json:"by"`
	Reason  string    `json:"reason,omitempty"`
	// Off: nothing is pinned from then on. Everything below is empty.
	Off bool `json:"off,omitempty"`
	// Sourcing is the baseline, name@version; Promise dates what it decides, "": the promise policy in force.
	Sourcing string `json:"sourcing,omitempty"`
	Promise  string `json:"promise,omitempty"`
	// Currency is that of the amounts below, which are stated, in minor units: what a minute of a person costs, and what
	// the system costs in a month.
	Currency    string `json:"currency,omitempty"`
	MinuteCost  int64  `json:"minute_cost,omitempty"`
	MonthlyCost int64  `json:"monthly_cost,omitempty"`
	// TouchesPerOrder and MinutesPerTouch are stated for the time before; nil and 0: unknown.
	TouchesPerOrder *float64 `json:"touches_per_order,omitempty"`
	MinutesPerTouch float64  `json:"minutes_per_touch,omitempty"`
}

// Why the costs of an order are not compared.
const (
	NotDone       = "not_done"          // it may still change
	NotDelivered  = "cancelled"         // nothing of it was sent in the end
	NotSame       = "changed"           // units were cancelled or added after the decision, so both decided something else
	NotByBaseline = "baseline_unplaced" // the baseline had no location for some units
	NotSent       = "not_sent"          // units are counted as fulfilled without a shipment
)

// Line is one order in the ledger. Amounts are minor units of its currency.
type Line struct {
	Order    string    `json:"order"`
	At       time.Time `json:"at"` // when it came; its month is that of the statement
	Currency string    `json:"currency"`
	Pin      int64     `json:"pin"` // version of the baseline
	Status   string    `json:"status"`
	// NotCompared says why its costs are not in the comparison; empty: they are.
	NotCompared string `json:"not_compared,omitempty"`

	// Baseline and Expected are the expected costs of what the baseline would have decided and of what was
	// decided first; Real is what its shipments that left cost, re-sourced and lost ones included.
	Baseline int64 `json:"baseline_cost"`
	Expected int64 `json:"expected_cost"`
	Real     int64 `json:"real_cost"`

	BaselineShipments int64 `json:"baseline_shipments"`
	Shipments         int64 `json:"shipments"` // that left
	// BaselineUnplaced and Unplaced are units that nobody was given at first, by either.
	BaselineUnplaced int64 `json:"baseline_unplaced,omitempty"`
	Unplaced         int64 `json:"unplaced,omitempty"`

	// BaselineBy and PromisedBy are the delivery dates of either; Arrived is when the last of it was delivered, of
	// an order that was shipped whole; zero: unknown.
	BaselineBy time.Time `json:"baseline_by,omitzero"`
	PromisedBy time.Time `json:"promised_by,omitzero"`
	Arrived    time.Time `json:"arrived,omitzero"`

	Touches      int64 `json:"touches,omitempty"`
	TouchSeconds int64 `json:"touch_seconds,omitempty"`
}

// LineOf is an order's line as the order is now; not ok: no baseline was booked for it.
func LineOf(o *order.Order) (l Line, ok bool) {
	if o == nil || o.Baseline == nil {
		return l, false
	}
	b := o.Baseline
	l = Line{
		Order: o.ID, At: o.CreatedAt, Currency: o.Currency, Pin: b.Pin, Status: string(o.Status),
		Baseline: b.Would.Cost, Expected: b.Did.Cost, BaselineShipments: b.Would.Shipments,
		BaselineUnplaced: b.Would.Unplaced, Unplaced: b.Did.Unplaced,
		BaselineBy: b.Would.DeliverBy, PromisedBy: b.Did.DeliverBy,
		Touches: int64(o.Touches), TouchSeconds: o.TouchSeconds,
	}
	for i := range o.Fulfillments {
		f := &o.Fulfillments[i]
		if left(f) {
			l.Real += f.Cost
			l.Shipments++
		}
	}
	l.NotCompared = cmp.Or(incomparable(o), unlike(&l))
	if o.Status == order.StatusDelivered && o.Method == order.Ship && l.NotCompared != NotSame && l.NotCompared != NotSent {
		l.Arrived = arrived(o)
	}
	return l, true
}

// left reports that a shipment was on its way or collected.
func left(f *order.Fulfillment) bool {
	if !f.ShippedAt.IsZero() {
		return true
	}
	for i := range f.Lines {
		if f.Lines[i].Shipped > 0 {
			return true
		}
	}
	return false
}

// incomparable says why the order is not one that both decided and that was carried out.
func incomparable(o *order.Order) string {
	switch o.Status {
	case order.StatusCancelled:
		return NotDelivered
	case order.StatusDelivered:
	default:
		return NotDone
	}
	var units int64
	for i := range o.Lines {
		if o.Lines[i].Cancelled > 0 {
			return NotSame
		}
		units += o.Lines[i].Quantity
	}
	if units != o.Baseline.Units {
		return NotSame
	}
	return ""
}

func unlike(l *Line) string {
	switch {
	case l.BaselineUnplaced > 0:
		return NotByBaseline
	case l.Shipments == 0:
		return NotSent
	}
	return ""
}

// arrived is when the last shipment that reached the customer did.
func arrived(o *order.Order) (last time.Time) {
	for i := range o.Fulfillments {
		if f := &o.Fulfillments[i]; f.DeliveredAt.After(last) {
			last = f.DeliveredAt
		}
	}
	return last
}
