package webhook

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/lease"
)

// Limits of a worker.
const (
	// DefaultAttempts are made before a delivery is dead: about two days with the schedule.
	DefaultAttempts = 10
	MaxAttempts     = 20
	defaultLease    = 30 * time.Second
	pollInterval    = 500 * time.Millisecond // for changes of subscriptions
	// wakeInterval is how long commits are gathered before the log is read again.
	wakeInterval = 20 * time.Millisecond
	restartDelay = time.Second      // after an error of the store
	stopGrace    = 3 * time.Second  // for attempts in flight when the node stops
	saveTimeout  = 30 * time.Second // of one commit
)

var (
	errFenced = errors.New("webhook: another node delivers now")
	errMoved  = errors.New("webhook: a request changed the subscription's progress")
	errGone   = errors.New("webhook: the subscription is removed")
)

// Options configure a Worker. The zero value works.
type Options struct {
	Attempts int // before a delivery is dead; default DefaultAttempts, at most MaxAttempts
	// Waits are between the attempts of one delivery; the last repeats. Default DefaultWaits.
	Waits []time.Duration
	// Lease is for how long a node that says nothing still owns the deliveries where
	// several nodes share a store; default 30 s. It renews it every third of that.
	Lease  time.Duration
	Jitter func() float64 // 0 ≤ jitter < 1; default random
	Log    *slog.Logger   // default slog.Default
}

// Stats counts since start.
type Stats struct {
	Delivered, Failed, Died atomic.Int64
}

// Worker delivers, on one node at a time. Its life: Run waits for the lease,
// starts a runner for each active subscription and follows changes; when the lease
// is lost it stops them all and waits for it again. Stop lets attempts in flight
// finish, saves how far they came and gives the lease back.
type Worker struct {
	engine *engine.Engine
	sender *Sender
	opt    Options
	log    *slog.Logger
	lease  *lease.Lease
	Stats  Stats

	heads atomic.Pointer[[]int64]
	lost  chan struct{} // a runner was fenced

	mu      sync.Mutex
	runners map[string]*runner

	stop    context.CancelFunc
	stopped chan struct{}
}

// NewWorker makes a worker; Run starts it.
func NewWorker(e *engine.Engine, sender *Sender, opt Options) *Worker {
	if opt.Attempts == 0 {
		opt.Attempts = DefaultAttempts
	}
	opt.Attempts = min(max(opt.Attempts, 1), MaxAttempts)
	if len(opt.Waits) == 0 {
		opt.Waits = DefaultWaits
	}
	if opt.Lease == 0 {
		opt.Lease = defaultLease
	}
	if opt.Jitter == nil {
		opt.Jitter = rand.Float64
	}
	if opt.Log == nil {
		opt.Log = slog.Default()
	}
	return &Worker{engine: e, sender: sender, opt: opt, log: opt.Log, lease: newLease(e, &opt), lost: make(chan struct{}, 1), runners: map[string]*runner{}}
}

// Run starts delivering. The engine must run. Call it once.
func (w *Worker) Run() {
	ctx, cancel := context.WithCancel(context.Background())
	w.stop, w.stopped = cancel, make(chan struct{})
	go func() {
		defer close(w.stopped)
		for ctx.Err() == nil {
			if epoch, ok := w.lease.Acquire(ctx); ok {
				w.own(ctx, epoch)
			}
		}
	}()
}

// Stop ends deliveries, before the engine is closed. Attempts in flight get 3
// seconds; what they came to is saved.
func (w *Worker) Stop() {
	if w.stop != nil {
		w.stop()
		<-w.stopped
	}
}

// newLease is who delivers.
func newLease(e *engine.Engine, opt *Options) *lease.Lease {
	return lease.New(e, lease.Options{
		Key: progressKey("lease"), State: "lease", Event: "webhook_progress.leased", Actor: actor,
		Length: opt.Lease, Longest: attemptTimeout, Log: opt.Log,
	})
}

// actor is who the log names for what the worker writes.
const actor = "webhooks"

// renew tells other nodes that this one is alive. Returns lease.ErrFenced when it owns nothing any more.
func (w *Worker) renew(ctx context.Context, epoch int64) error {
	err := w.lease.Renew(ctx, epoch)
	if err == nil {
		w.wakeAll()
	}
	return err
}

// own delivers until ctx ends or the lease is lost.
func (w *Worker) own(ctx context.Context, epoch int64) {
	select {
	case <-w.lost: // from an epoch before
	default:
	}
	running, cancel := context.WithCancel(ctx)
	fenced := w.follow(running, epoch)
	cancel()
	w.stopAll()
	if !fenced {
		w.lease.Release(epoch)
	} else {
		w.log.Info("webhooks: another node delivers now")
	}
}

// follow keeps runners and lease going. It reports whether another node took over.
func (w *Worker) follow(ctx context.Context, epoch int64) (fenced bool) {
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	var renew <-chan time.Time
	if every := w.lease.Interval(); every > 0 {
		t := time.NewTicker(every)
		defer t.Stop()
		renew = t.C
	}
	w.reconcile(ctx, epoch)
	for {
		changed := w.engine.Changed() // before reading, so that no commit between is missed
		w.readHeads(ctx)
		select {
		case <-ctx.Done():
			return false
		case <-w.lost:
			return true
		case <-poll.C:
			w.reconcile(ctx, epoch)
		case <-renew:
			if err := w.renew(ctx, epoch); errors.Is(err, lease.ErrFenced) {
				return true
			} else if err != nil && ctx.Err() == nil {
				w.log.Warn("webhooks: could not renew the lease", "error", err)
			}
		case <-changed:
			pause(ctx, wakeInterval)
		}
	}
}

// readHeads looks how long the log is and wakes the runners when it grew.
func (w *Worker) readHeads(ctx context.Context) {
	w.mu.Lock()
	idle := len(w.runners) == 0
	w.mu.Unlock()
	if idle {
		return
	}
	heads, err := w.engine.Store().Heads(ctx)
	if err != nil {
		return // the runners find out, too; the poll tries again
	}
	w.heads.Store(&heads)
	w.wakeAll()
}

func (w *Worker) wakeAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.runners {
		r.nudge()
	}
}

// pause waits; false when ctx ended.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
