package inventory

import (
	"fmt"
	"time"
)

// Account is one side of a movement: where units are before or after it.
// Four accounts live inside a position (Free, Reserved, Allocated, Picked); the
// others are outside it and keep the journal balanced.
type Account string

// The accounts of the stock journal.
const (
	Free      Account = "free"      // on hand, promised to nobody
	Reserved  Account = "reserved"  // on hand, held for a basket
	Allocated Account = "allocated" // on hand, belongs to a fulfillment
	Picked    Account = "picked"    // on hand, taken from the shelf for a fulfillment

	Supplier   Account = "supplier"   // source of receipts
	Shipped    Account = "shipped"    // left the location for the customer
	Adjustment Account = "adjustment" // counted differences, damage, loss

	ReturnPending Account = "return_pending" // came back, not yet decided about
	Refurbished   Account = "refurbished"    // came back, to be repaired or repacked
	Scrapped      Account = "scrapped"
	ToVendor      Account = "to_vendor" // came back, goes back to who supplied it
)

// Movement is one double-entry line of the stock journal: Quantity units of SKU
// at Location leave From and enter To. Because each line names both sides, every
// movement sums to zero by construction; balances are derived.
type Movement struct {
	SKU      string  `json:"sku"`
	Location string  `json:"location"`
	From     Account `json:"from"`
	To       Account `json:"to"`
	Quantity int64   `json:"quantity"` // stock units, > 0
	Reason   string  `json:"reason,omitempty"`
}

// MaxQuantity bounds every quantity and every balance in stock units, far below
// the int64 edge so that no sum of two can overflow.
const MaxQuantity = int64(1) << 53

// Validate reports a movement that no position could take whatever its balance.
func (m Movement) Validate() error {
	switch {
	case m.SKU == "" || m.Location == "":
		return fmt.Errorf("movement without sku or location")
	case m.Quantity <= 0 || m.Quantity > MaxQuantity:
		return fmt.Errorf("movement of %d units: must be between 1 and %d", m.Quantity, MaxQuantity)
	case m.From == m.To:
		return fmt.Errorf("movement from %q to itself", m.From)
	}
	return nil
}

// ReasonCorrected marks a movement from Adjustment to Free that an order needed
// because a count had found fewer units than the order's location then handled: what left
// the building, or was searched for, was in the building after all or counted as lost already.
const ReasonCorrected = "count_corrected"

// Cover returns the movements with corrections put in where one of them would
// take on_hand below zero. onHand is what each position has before them.
func Cover(moves []Movement, onHand func(PositionKey) int64) []Movement {
	left := map[PositionKey]int64{}
	out := moves[:0:0]
	for _, m := range moves {
		k, d := PositionKey{m.SKU, m.Location}, m.Delta().OnHand
		if _, known := left[k]; !known {
			left[k] = onHand(k)
		}
		if missing := -(left[k] + d); d < 0 && missing > 0 {
			out = append(out, Movement{SKU: m.SKU, Location: m.Location, From: Adjustment, To: Free, Quantity: missing, Reason: ReasonCorrected})
			left[k] += missing
		}
		left[k] += d
		out = append(out, m)
	}
	return out
}

// IsTake reports whether the movement promises free units to somebody. Only
// takes are guarded by availability: a count that finds less than expected
// must be recorded even when it leaves a position short.
func (m Movement) IsTake() bool {
	return m.From == Free && (m.To == Reserved || m.To == Allocated)
}

// PositionKey names a position.
type PositionKey struct {
	SKU, Location string
}

// Position is the stock of one SKU at one location. OnHand counts every unit in
// the building, so Reserved and Allocated are parts of it and Picked is part of
// Allocated. All quantities are stock units.
type Position struct {
	SKU       string `json:"sku"`
	Location  string `json:"location"`
	OnHand    int64  `json:"on_hand"`
	Reserved  int64  `json:"reserved"`
	Allocated int64  `json:"allocated"`
	Picked    int64  `json:"picked"`
	Safety    int64  `json:"safety"`
	// AsOf is the time of the last absolute count; zero when never counted.
	AsOf time.Time `json:"as_of,omitzero"`
	// Changed is the time of the last movement that changed OnHand.
	Changed time.Time `json:"changed,omitzero"`
}

// Key returns the position's name.
func (p Position) Key() PositionKey { return PositionKey{p.SKU, p.Location} }

// Available is what may still be promised from the position before any channel
// buffer: on_hand − reserved − allocated − safety. It is negative when a count
// found less than was already promised.
func (p Position) Available() int64 { return p.OnHand - p.Reserved - p.Allocated - p.Safety }

// Delta is a change of the counters of a position. Deltas add up in any order,
// so the deltas of several movements can be applied at once.
type Delta struct {
	OnHand, Reserved, Allocated, Picked int64
}

// Plus returns the sum of two deltas.
func (d Delta) Plus(o Delta) Delta {
	return Delta{d.OnHand + o.OnHand, d.Reserved + o.Reserved, d.Allocated + o.Allocated, d.Picked + o.Picked}
}

// Minus returns d without o.
func (d Delta) Minus(o Delta) Delta {
	return Delta{d.OnHand - o.OnHand, d.Reserved - o.Reserved, d.Allocated - o.Allocated, d.Picked - o.Picked}
}

// Available is the change of Position.Available that the delta makes.
func (d Delta) Available() int64 { return d.OnHand - d.Reserved - d.Allocated }

// Delta returns the change of the position's counters that the movement makes.
func (m Movement) Delta() Delta {
	return m.To.share(m.Quantity).Plus(m.From.share(-m.Quantity))
}

// share is how q units in the account show in the counters of a position.
func (a Account) share(q int64) Delta {
	switch a {
	case Free:
		return Delta{OnHand: q}
	case Reserved:
		return Delta{OnHand: q, Reserved: q}
	case Allocated:
		return Delta{OnHand: q, Allocated: q}
	case Picked:
		return Delta{OnHand: q, Allocated: q, Picked: q}
	}
	return Delta{}
}

// Add returns the position with the delta applied.
func (p Position) Add(d Delta) Position {
	p.OnHand += d.OnHand
	p.Reserved += d.Reserved
	p.Allocated += d.Allocated
	p.Picked += d.Picked
	return p
}
