package engine

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/plant"
	"github.com/orderly-oms/orderly/internal/store"
)

const duePage = 1000 // records woken at once per bucket

// FireTimers wakes every record whose time has come. Run does it continually. A wake-up is a command
// like any other and decides from the record's own state, so several nodes
// may wake the same record: one wins, for the others nothing is left to do.
func (e *Engine) FireTimers(ctx context.Context) {
	for bucket := range e.lanes {
		for e.fireDue(ctx, bucket) == duePage {
		}
	}
}

// fireDue wakes a page of due records of a bucket, waits until they are
// decided, and returns how many there were (0 on an error, which is logged).
func (e *Engine) fireDue(ctx context.Context, bucket int) int {
	keys, err := e.store.Due(ctx, bucket, e.Now(), duePage)
	if err != nil {
		if ctx.Err() == nil {
			e.log.Warn("could not read due timers", "bucket", bucket, "error", err)
		}
		return 0
	}
	var wait sync.WaitGroup
	var failed atomic.Bool
	for _, k := range keys {
		c := e.wakeCommand(k)
		if c == nil || plant.On(plant.TimerLostOnRestart) && e.cache.get(k) == nil {
			continue
		}
		wake := func() {
			if _, err := e.Submit(ctx, c); err != nil {
				e.log.Warn("wake-up failed; it is tried again", "kind", k.Kind, "id", k.ID, "error", err)
				failed.Store(true)
			}
		}
		if e.opt.Inline {
			wake()
		} else {
			wait.Go(wake)
		}
	}
	wait.Wait()
	e.Stats.Wakes.Add(int64(len(keys)))
	if failed.Load() {
		return 0 // not again at once
	}
	return len(keys)
}

// Waker decides what a due record of some kind does. It runs like Command.Decide.
type Waker func(tx *Tx, en *Entry) (*Reply, error)

func (e *Engine) wakeCommand(k store.Key) *Command {
	var wake Waker
	switch k.Kind {
	case KindOrder:
		wake = e.wakeOrder
	case KindReservation:
		wake = e.wakeReservation
	case KindRelocation:
		wake = e.wakeRelocation
	default:
		return nil
	}
	return &Command{Stream: k, Actor: "timer", Decide: func(tx *Tx) (*Reply, error) {
		en := tx.Entry(k)
		if en == nil || en.Wake.IsZero() || en.Wake.After(tx.Now) {
			return &Reply{}, nil
		}
		return wake(tx, en)
	}}
}

// endedRetention is how long ended reservations can still be read.
const endedRetention = 72 * time.Hour

var endedReservations = []string{
	string(inventory.ReservationClaimed), string(inventory.ReservationReleased), string(inventory.ReservationExpired),
}

// sweep removes what retention no longer asks for.
func (e *Engine) sweep(ctx context.Context) {
	e.closeCapacity(ctx)
	now := e.Now()
	for range 100 {
		n, err := e.store.Purge(ctx, now, KindReservation, endedReservations, now.Add(-endedRetention-inventory.MaxReservationTTL), 1000)
		if err != nil && ctx.Err() == nil {
			e.log.Warn("sweep failed; it is tried again", "error", err)
		}
		if n == 0 || err != nil {
			return
		}
	}
}
