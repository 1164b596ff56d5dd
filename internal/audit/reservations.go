package audit

import (
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/store"
)

// reservationFolder replays a reservation.
type reservationFolder struct {
	*auditor
	key store.Key
	now *inventory.Reservation
	bad bool // it cannot be replayed any further
}

func (f *reservationFolder) row(c *store.Commit) {
	if f.bad {
		return
	}
	list, ok := events[inventory.ReservationEvent](f.auditor, c)
	if !ok {
		f.bad = true
		return
	}
	for _, e := range list {
		if !f.event(c, e) {
			f.bad = true
			return
		}
	}
}

func (f *reservationFolder) event(c *store.Commit, e inventory.ReservationEvent) bool {
	if was := f.now; was != nil && was.Status != inventory.ReservationHeld {
		f.endsOnce.add("reservation %s was %s and has %s after it, at version %d", f.key.ID, was.Status, e.Type, c.Version)
		return false
	}
	next, err := f.now.Apply(e, c.Version)
	if err != nil {
		f.replay.add("reservation %s cannot follow its event of version %d: %v", f.key.ID, c.Version, err)
		return false
	}
	f.now = next
	switch e.Type {
	case inventory.EventReservationHeld:
		if !f.checkHolds() {
			return false
		}
		f.checkMoves(c, next.Movements(true, ""))
	case inventory.EventReservationExtended:
		f.checkMoves(c, nil)
	case inventory.EventReservationReleased, inventory.EventReservationExpired:
		f.checkMoves(c, next.Movements(false, ""))
	case inventory.EventReservationClaimed: // gives back what the order does not use; the leak check sees whether that is right
	}
	if e.Type == inventory.EventReservationExpired && c.Time.Before(next.ExpiresAt) {
		f.expiry.add("reservation %s expired at %s, before its time %s", f.key.ID, c.Time, next.ExpiresAt)
	}
	return true
}

// checkHolds checks that a new reservation holds what it says, and all of it
// unless less was asked for. It returns false when its holds cannot be followed.
func (f *reservationFolder) checkHolds() bool {
	r := f.now
	held := make([]int64, len(r.Lines))
	for _, h := range r.Holds {
		f.ranges.LookedAt++
		if h.Line < 0 || h.Line >= len(held) || h.Quantity <= 0 {
			f.ranges.add("reservation %s holds %d units for line %d, which cannot be", r.ID, h.Quantity, h.Line)
			return false
		}
		held[h.Line] += h.Quantity
	}
	f.wholeOrNothing.LookedAt++
	for i, l := range r.Lines {
		if l.Held != held[i] || l.Held > l.Requested || l.Held < l.Requested && !r.Partial {
			f.wholeOrNothing.add("reservation %s asked for %d of %s and says it holds %d; its holds are of %d (partial: %v)",
				r.ID, l.Requested, l.SKU, l.Held, held[i], r.Partial)
			break
		}
	}
	return true
}

func (f *reservationFolder) end(r *store.Record) {
	f.endsOnce.LookedAt++
	f.expiry.LookedAt++
	if f.bad || f.now == nil {
		return
	}
	open := f.now.Status == inventory.ReservationHeld
	if open {
		for _, m := range f.now.Movements(true, "") {
			f.stock.at(inventory.PositionKey{SKU: m.SKU, Location: m.Location}).wanted.Reserved += m.Quantity
		}
	}
	if r == nil {
		if open { // ended ones are removed after a while
			f.atomicity.add("reservation %s is held by its events but not stored", f.key.ID)
		}
		return
	}
	f.checkBody(r, f.now)
	if r.State != string(f.now.Status) {
		f.endsOnce.add("reservation %s is filed as %s; its events say %s", r.ID, r.State, f.now.Status)
	}
	f.checkColumns(r, r.State, f.now.Channel, "", f.now.CreatedAt)
	switch {
	case open && r.Wake.IsZero():
		f.expiry.add("reservation %s is held until %s, but no timer will end it", r.ID, f.now.ExpiresAt)
	case open && !sameTime(r.Wake, f.now.ExpiresAt):
		f.timers.add("reservation %s is held until %s, but its timer is set to %s", r.ID, f.now.ExpiresAt, r.Wake)
	}
}
