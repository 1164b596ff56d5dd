package pay

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/jsonenc"
	"github.com/orderly-oms/orderly/internal/lease"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/payment"
	"github.com/orderly-oms/orderly/internal/store"
)

const (
	// actor is who the log names for what providers say.
	actor       = "payments"
	readerName  = "payments"
	readRows    = 500
	leaseLength = 15 * time.Second
	// lookInterval is how often providers are read again, and whether a report is due.
	lookInterval = 2 * time.Second
	// saveInterval is how often the place in the log is stored: what was read since may be sent again after a crash.
	saveInterval = 5 * time.Second
	// callers is how many calls one provider gets at a time, maxWaiting how many wait for it; further ones
	// are left to the orders, which ask what became of them.
	callers    = 16
	maxWaiting = 4096
	// After failuresInRow without a clear answer, a provider is left alone for restAfter, twice as long each time, at most restMost.
	failuresInRow = 8
	restAfter     = time.Second
	restMost      = time.Minute
	// bookTries is how often an outcome is brought to its order when the store is busy or away.
	bookTries = 5
	bookPause = 200 * time.Millisecond
	stopWait  = 5 * time.Second
)

// Options of a Worker. The zero value is for production.
type Options struct {
	Transport http.RoundTripper
	Timeout   time.Duration // of a call; default DefaultTimeout
	Lease     time.Duration // default 15 s
	Log       *slog.Logger
}

// Stats count what a worker did.
type Stats struct {
	Calls, Inquiries, Unclear, Left atomic.Int64
}

// Worker carries payments to providers. One node of several does.
type Worker struct {
	engine    *engine.Engine
	providers *Providers
	books     *Books
	opt       Options
	log       *slog.Logger
	lease     *lease.Lease
	Stats     Stats

	desks   map[string]*desk // by provider
	started time.Time        // when the owner began; reports due are looked for from then on

	stop    context.CancelFunc
	stopped chan struct{}
}

// NewWorker makes a worker; Run starts it.
func NewWorker(e *engine.Engine, opt Options) *Worker {
	if opt.Lease == 0 {
		opt.Lease = leaseLength
	}
	if opt.Log == nil {
		opt.Log = slog.Default()
	}
	if opt.Transport == nil {
		opt.Transport = &http.Transport{MaxIdleConnsPerHost: callers, IdleConnTimeout: 90 * time.Second}
	}
	w := &Worker{engine: e, providers: NewProviders(e), opt: opt, log: opt.Log, desks: map[string]*desk{}}
	w.books = NewBooks(e, opt)
	w.lease = lease.New(e, lease.Options{
		Key: engine.ReferenceKey(engine.KindPaymentLease, "worker"), State: "lease", Event: "payment_lease.taken", Actor: actor,
		Length: opt.Lease, Longest: opt.Lease / 2, Log: opt.Log,
	})
	return w
}

// Run starts carrying. The engine must run. Call it once.
func (w *Worker) Run() {
	ctx, cancel := context.WithCancel(context.Background())
	w.stop, w.stopped = cancel, make(chan struct{})
	go func() {
		defer close(w.stopped)
		for ctx.Err() == nil && w.wanted(ctx) {
			if epoch, ok := w.lease.Acquire(ctx); ok {
				w.own(ctx, epoch)
			}
		}
	}()
}

// wanted waits until there is a provider, so that a store without payments has no lease to renew; false: ctx ended.
func (w *Worker) wanted(ctx context.Context) bool {
	for {
		if all, err := w.providers.read(ctx); err == nil && len(all) > 0 {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(lookInterval):
		}
	}
}

// Stop ends carrying, before the engine is closed. Calls that are being made get a few seconds.
func (w *Worker) Stop() {
	if w.stop != nil {
		w.stop()
		<-w.stopped
	}
}

// own carries until ctx ends or another node took over.
func (w *Worker) own(ctx context.Context, epoch int64) {
	running, cancel := context.WithCancel(ctx)
	var tasks sync.WaitGroup
	tasks.Go(func() { w.reportsDue(running) })
	fenced := w.follow(running, epoch)
	cancel()
	for _, d := range w.desks {
		d.close()
	}
	clear(w.desks)
	tasks.Wait()
	if fenced {
		w.log.Info("payments: another node carries them now")
		return
	}
	w.lease.Release(epoch)
}

// follow reads the log and hands out what it asks for. It reports whether another node took over.
func (w *Worker) follow(ctx context.Context, epoch int64) (fenced bool) {
	cursor, err := w.place(ctx)
	for err != nil {
		w.warn(ctx, "could not read the place in the log", err)
		if !lease.Wait(ctx, lookInterval) {
			return false
		}
		cursor, err = w.place(ctx)
	}
	saved, savedAt := slices.Clone(cursor), time.Now()
	renew, look := time.Now(), time.Time{}
	for {
		changed := w.engine.Changed() // before reading, so that no commit between is missed
		if now := time.Now(); now.Sub(look) >= lookInterval {
			w.look(ctx)
			look = now
		}
		if every := w.lease.Interval(); every > 0 && time.Since(renew) >= every {
			renew = time.Now()
			if err := w.lease.Renew(ctx, epoch); errors.Is(err, lease.ErrFenced) {
				return true
			} else if err != nil {
				w.warn(ctx, "could not renew the lease", err)
			}
		}
		more, err := w.read(ctx, cursor)
		if err != nil {
			w.warn(ctx, "could not read the log", err)
		}
		if !slices.Equal(saved, cursor) && (time.Since(savedAt) >= saveInterval || ctx.Err() != nil) {
			w.save(cursor)
			saved, savedAt = slices.Clone(cursor), time.Now()
		}
		if more && ctx.Err() == nil {
			continue
		}
		select {
		case <-ctx.Done():
			if !slices.Equal(saved, cursor) {
				w.save(cursor)
			}
			return false
		case <-changed:
			lease.Wait(ctx, 2*time.Millisecond) // more commits come together
		case <-time.After(lookInterval / 4):
		}
	}
}

// place is where reading goes on; at the first time, at the beginning.
func (w *Worker) place(ctx context.Context) ([]int64, error) {
	cursor, err := w.engine.Store().Cursor(ctx, readerName)
	if err == nil && len(cursor) == 0 {
		cursor = make([]int64, w.engine.Store().Buckets())
	}
	return cursor, err
}

// save stores the place. What an owner before saves late only makes what it has sent be sent again.
func (w *Worker) save(cursor []int64) {
	ctx, cancel := context.WithTimeout(context.Background(), stopWait)
	defer cancel()
	if err := w.engine.Store().SaveCursor(ctx, readerName, cursor); err != nil {
		w.log.Warn("payments: could not store the place in the log; what was sent since may be sent again under the same ids", "error", err)
	}
}

func (w *Worker) warn(ctx context.Context, what string, err error) {
	if ctx.Err() == nil {
		w.log.Warn("payments: "+what, "error", err)
	}
}

// look brings the desks in line with the providers as stored.
func (w *Worker) look(ctx context.Context) {
	all, err := w.providers.read(ctx)
	if err != nil {
		w.warn(ctx, "could not read the providers", err)
		return
	}
	for i := range all {
		p := &all[i]
		d := w.desks[p.ID]
		if d == nil {
			d = newDesk(w)
			w.desks[p.ID] = d
		}
		if was := d.provider.Load(); was == nil || was.Version != p.Version {
			d.provider.Store(p)
			d.caller.Store(NewClient(p, w.opt.Transport, w.opt.Timeout))
		}
	}
}

var mark = []byte(`"payment.`)

// read hands out a page of each bucket and moves the cursor; more: there is more to be read.
func (w *Worker) read(ctx context.Context, cursor []int64) (more bool, err error) {
	for bucket := range cursor {
		rows, err := w.engine.Store().Log(ctx, bucket, cursor[bucket], readRows)
		if err != nil {
			return false, err
		}
		for i := range rows {
			if r := &rows[i]; r.Stream.Kind == engine.KindOrder && bytes.Contains(r.Events, mark) {
				w.handOut(r)
			}
			cursor[bucket] = rows[i].Seq
		}
		more = more || len(rows) == readRows
	}
	return more, nil
}

// requested is what the worker reads of an event.
type requested struct {
	Type    string             `json:"type"`
	Payment *payment.Operation `json:"payment"`
}

func (w *Worker) handOut(r *store.Commit) {
	var events []requested
	if err := jsonenc.Unmarshal(r.Events, &events); err != nil {
		w.log.Error("payments: a row of the log cannot be read", "order", r.Stream.ID, "version", r.Version, "error", err)
		return
	}
	for i := range events {
		e := &events[i]
		if e.Type != order.EventPaymentRequested && e.Type != order.EventPaymentInquiry || e.Payment == nil || e.Payment.Provider == "" {
			continue
		}
		d := w.desks[e.Payment.Provider]
		if d == nil { // it may have been made since the last look
			w.look(context.Background())
			if d = w.desks[e.Payment.Provider]; d == nil {
				d = newDesk(w)
				w.desks[e.Payment.Provider] = d
			}
		}
		d.put(job{order: r.Stream.ID, op: *e.Payment, ask: e.Type == order.EventPaymentInquiry})
	}
}

// Register adds the worker's figures to the server's metrics.
func (w *Worker) Register(reg prometheus.Registerer) {
	counter := func(name, help string, n *atomic.Int64) {
		reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return float64(n.Load()) }))
	}
	counter("orderly_payment_calls_total", "Operations that payment providers were asked for.", &w.Stats.Calls)
	counter("orderly_payment_inquiries_total", "Times that payment providers were asked what became of an operation.", &w.Stats.Inquiries)
	counter("orderly_payment_unclear_total", "Calls without a clear answer.", &w.Stats.Unclear)
	counter("orderly_payment_left_total", "Calls that were not made because too many waited; the orders ask again.", &w.Stats.Left)
}
