package audit

import (
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/store"
)

// checkTimer tells a timer that a running node left alone from one that came due
// while no node ran. A node ran for long enough when it wrote something after the
// timer's time, and again an allowance later.
func (a *auditor) checkTimer(r *store.Record) {
	if r.Wake.IsZero() {
		return
	}
	a.timers.LookedAt++
	if !r.Wake.Before(a.newest) {
		return
	}
	i, _ := slices.BinarySearchFunc(a.alive, r.Wake, time.Time.Compare)
	if i == len(a.alive) || a.newest.Sub(a.alive[i]) <= timerAllowance {
		a.waiting++
		return
	}
	check := &a.timers
	if r.Kind == engine.KindReservation {
		check = &a.expiry
	}
	check.add("%s %s was due at %s and was not woken, though nodes wrote at %s and until %s",
		r.Kind, r.ID, r.Wake.Format(time.RFC3339), a.alive[i].Format(time.RFC3339), a.newest.Format(time.RFC3339))
}

func (a *auditor) endTimers() {
	if a.waiting > 0 {
		a.timers.note("%d timers came due shortly before the newest row of the log; they fire while a node runs", a.waiting)
	}
}
