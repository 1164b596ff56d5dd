package promise

import (
	"cmp"
	"slices"
	"time"
)

// MaxBoardRows bounds a board.
const MaxBoardRows = 5000

// Row is one location on a board. A zero Deliver or Ready means that it does not
// ship there, or is no pickup store.
type Row struct {
	Location     string
	Deliver      time.Time // the promise of a parcel that is ordered now
	DeliverUntil time.Time // until when orders get that promise
	Ready        time.Time // when a pickup that is ordered now is ready
	ReadyUntil   time.Time
}

// Board is when each location could deliver to one destination, or have a pickup
// ready. It is immutable: make a new one when its ValidUntil has passed, and when
// locations, carriers, policy or what was learned change. The dates of a Calendar that
// has answered before cost a look-up each.
type Board struct {
	rows       []Row
	byDeliver  []int32 // rows by date, then location
	byReady    []int32
	validUntil time.Time
}

// NewBoard returns a board of at most MaxBoardRows; further rows are left out.
func NewBoard(rows []Row) *Board {
	b := &Board{rows: slices.Clone(rows[:min(len(rows), MaxBoardRows)])}
	b.byDeliver = b.sorted(func(r *Row) (time.Time, time.Time) { return r.Deliver, r.DeliverUntil })
	b.byReady = b.sorted(func(r *Row) (time.Time, time.Time) { return r.Ready, r.ReadyUntil })
	return b
}

func (b *Board) sorted(date func(*Row) (when, until time.Time)) []int32 {
	var order []int32
	for i := range b.rows {
		when, until := date(&b.rows[i])
		if when.IsZero() {
			continue
		}
		order = append(order, int32(i))
		if b.validUntil.IsZero() || until.Before(b.validUntil) {
			b.validUntil = until
		}
	}
	slices.SortFunc(order, func(x, y int32) int {
		p, _ := date(&b.rows[x])
		q, _ := date(&b.rows[y])
		return cmp.Or(p.Compare(q), cmp.Compare(b.rows[x].Location, b.rows[y].Location))
	})
	return order
}

// ValidUntil is when the first of its dates changes; zero when it has none.
func (b *Board) ValidUntil() time.Time { return b.validUntil }

// Rows are its rows, to line availability up with; do not change them.
func (b *Board) Rows() []Row { return b.rows }

// Soonest is the earliest way by one method.
type Soonest struct {
	By       time.Time // zero: cannot be had
	Location string    // that has everything, or the last that is needed
	// Split tells that no location has everything so soon, but several together do.
	Split bool
	// ValidUntil is when the answer changes if stock does not. Dates only get later
	// with time, so it is that of the locations used.
	ValidUntil time.Time
}

// Quick is the earliest date per method.
type Quick struct {
	Deliver Soonest
	// Pickup is never split: everything waits at one store.
	Pickup Soonest
}

// Earliest answers for a quantity ≥ 1 of one SKU, of which location i of the rows may give available[i].
func (b *Board) Earliest(available []int64, quantity int64) Quick {
	deliver := func(r *Row) (time.Time, time.Time) { return r.Deliver, r.DeliverUntil }
	ready := func(r *Row) (time.Time, time.Time) { return r.Ready, r.ReadyUntil }
	return Quick{
		Deliver: b.soonest(b.byDeliver, deliver, true, available, quantity),
		Pickup:  b.soonest(b.byReady, ready, false, available, quantity),
	}
}

func (b *Board) soonest(order []int32, date func(*Row) (when, until time.Time), split bool, available []int64, quantity int64) Soonest {
	var together Soonest
	missing := quantity
	for _, i := range order {
		have := available[i]
		if have <= 0 {
			continue
		}
		when, until := date(&b.rows[i])
		if !together.By.IsZero() && missing <= 0 && when.After(together.By) {
			break // a whole one would come later than the parts
		}
		if have >= quantity {
			return Soonest{By: when, Location: b.rows[i].Location, ValidUntil: until}
		}
		if split && missing > 0 {
			missing -= have
			if together.ValidUntil.IsZero() || until.Before(together.ValidUntil) {
				together.ValidUntil = until
			}
			together.By, together.Location, together.Split = when, b.rows[i].Location, true
		}
	}
	if missing > 0 {
		return Soonest{}
	}
	return together
}
