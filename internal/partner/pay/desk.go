package pay

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/lease"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/payment"
	"github.com/orderly-oms/orderly/internal/store"
)

// job is one call to be made.
type job struct {
	order string
	op    payment.Operation
	ask   bool
}

// desk is where calls for one provider wait, so that a slow one holds up no other.
type desk struct {
	w        *Worker
	provider atomic.Pointer[Provider] // nil: it is not known
	caller   atomic.Pointer[Client]
	jobs     chan job
	ctx      context.Context // of calls
	cancel   context.CancelFunc
	busy     sync.WaitGroup

	mu      sync.Mutex
	callers int
	fails   int           // calls in a row without a clear answer
	rest    time.Duration // how long it was left alone last
	until   time.Time     // left alone until then
}

func newDesk(w *Worker) *desk {
	d := &desk{w: w, jobs: make(chan job, maxWaiting)}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	return d
}

// put lets a job wait. With too many, it is left to the order, which asks what became of it. One goroutine puts.
func (d *desk) put(j job) {
	select {
	case d.jobs <- j:
	default:
		d.w.Stats.Left.Add(1)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.callers < callers && (d.callers == 0 || len(d.jobs) > 0) {
		d.callers++
		d.busy.Go(d.work)
	}
}

// close ends the desk: calls that are being made get a little time, those that wait are left to the orders.
func (d *desk) close() {
	close(d.jobs)
	for range d.jobs { // drops what waits
	}
	t := time.AfterFunc(stopWait, d.cancel)
	defer t.Stop()
	d.busy.Wait()
	d.cancel()
}

// work makes calls until none waits.
func (d *desk) work() {
	for {
		select {
		case j, ok := <-d.jobs:
			if !ok {
				return
			}
			d.call(&j)
			continue
		default:
		}
		d.mu.Lock()
		if len(d.jobs) == 0 {
			d.callers--
			d.mu.Unlock()
			return
		}
		d.mu.Unlock()
	}
}

func (d *desk) call(j *job) {
	o, err := d.w.engine.ReadOrder(d.ctx, j.order)
	if err != nil {
		d.w.warn(d.ctx, "could not read order "+j.order, err)
		return
	}
	if !current(o, j) {
		return
	}
	out, ok := d.outcome(j)
	if ok {
		d.book(j, &out)
	}
}

// current reports whether the call is still to be made: what was read again after a restart may be over.
func current(o *order.Order, j *job) bool {
	if o.Payment == nil {
		return false
	}
	op := o.Payment.Operation(j.op.ID)
	return op != nil && (op.State == payment.Pending || op.State == payment.Unknown) && op.Attempts <= j.op.Attempts
}

// outcome calls the provider; false: nothing is to be booked.
func (d *desk) outcome(j *job) (out payment.Outcome, ok bool) {
	p, caller := d.provider.Load(), d.caller.Load()
	switch {
	case p == nil || caller == nil:
		return unclear(j.op.ID, fmt.Sprintf("there is no payment provider %q: PUT /v1/payment-providers/%s", j.op.Provider, j.op.Provider)), true
	case p.Paused:
		return out, false
	case d.resting():
		return unclear(j.op.ID, "the provider was not asked, because it did not answer clearly several times in a row"), true
	}
	if j.ask {
		d.w.Stats.Inquiries.Add(1)
		out = caller.Ask(d.ctx, j.op.ID)
	} else {
		d.w.Stats.Calls.Add(1)
		out = caller.Do(d.ctx, &j.op)
	}
	d.answered(out.Status != payment.Unknown)
	return out, d.ctx.Err() == nil || out.Status != payment.Unknown
}

func (d *desk) resting() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return time.Now().Before(d.until)
}

// answered counts answers that were not clear, and leaves a provider that gives no others alone for a while.
func (d *desk) answered(clear bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if clear {
		d.fails, d.rest = 0, 0
		return
	}
	d.w.Stats.Unclear.Add(1)
	if d.fails++; d.fails%failuresInRow == 0 {
		d.rest = min(max(2*d.rest, restAfter), restMost)
		d.until = time.Now().Add(d.rest)
	}
}

// book brings an outcome to its order. One that cannot be brought is asked for again by the order.
func (d *desk) book(j *job, out *payment.Outcome) {
	for try := 1; ; try++ {
		_, err := d.w.engine.PaymentResult(d.ctx, j.order, *out, engine.Meta{Actor: actor})
		var no *order.Refusal
		switch {
		case err == nil || errors.As(err, &no) || errors.Is(err, engine.ErrNotFound) || errors.Is(err, engine.ErrClosed) || d.ctx.Err() != nil:
			return
		case try == bookTries || !errors.Is(err, store.ErrUnavailable) && !errors.Is(err, store.ErrFull) && !errors.Is(err, engine.ErrBusy) && !errors.Is(err, store.ErrUnknown):
			d.w.warn(d.ctx, "an outcome could not be booked; the order asks for it again", err)
			return
		}
		if !lease.Wait(d.ctx, time.Duration(try)*bookPause) {
			return
		}
	}
}
