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
	"github.com/orderly-oms/orderly/internal/store"
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
	id     string // owner in the lease
	Stats  Stats

	heads atomic.Pointer[[]int64]
	// validUntil is until when attempts may begin, on this process's clock.
	validUntil atomic.Pointer[time.Time]
	lost       chan struct{} // a runner was fenced

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
	return &Worker{engine: e, sender: sender, opt: opt, log: opt.Log, id: e.NewID(), lost: make(chan struct{}, 1), runners: map[string]*runner{}}
}

// Run starts delivering. The engine must run. Call it once.
func (w *Worker) Run() {
	ctx, cancel := context.WithCancel(context.Background())
	w.stop, w.stopped = cancel, make(chan struct{})
	go func() {
		defer close(w.stopped)
		for ctx.Err() == nil {
			if epoch, ok := w.acquire(ctx); ok {
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

// lease is who delivers. Its record's version tells that the owner is alive.
type lease struct {
	Owner string `json:"owner"` // id of the worker; empty: nobody
	Epoch int64  `json:"epoch"`
}

var leaseKey = progressKey("lease")

const stateLease = "lease"

// acquire waits until this node owns the deliveries. The owner before is taken for dead
// when its record stayed the same for the length of a lease by this node's clock,
// so clocks of nodes need not agree. That guess only decides when to take over: that the
// owner before cannot write any more follows from the epoch.
func (w *Worker) acquire(ctx context.Context) (int64, bool) {
	exclusive := w.engine.Store().Exclusive()
	seen, since := int64(-1), time.Now()
	for {
		version, free, err := w.readLease(ctx)
		switch {
		case err != nil:
			if ctx.Err() == nil {
				w.log.Warn("webhooks: could not read the lease", "error", err)
			}
		case free || exclusive || version == seen && time.Since(since) >= w.opt.Lease:
			start := time.Now()
			if epoch, err := w.takeLease(ctx, version); err == nil {
				w.renewed(start)
				return epoch, true
			} else if ctx.Err() == nil && !errors.Is(err, errFenced) {
				w.log.Warn("webhooks: could not take the lease", "error", err)
			}
		case version != seen:
			seen, since = version, time.Now()
		}
		if !pause(ctx, min(pollInterval, w.opt.Lease/3)) {
			return 0, false
		}
	}
}

func (w *Worker) readLease(ctx context.Context) (version int64, free bool, err error) {
	records, err := w.engine.Store().Load(ctx, []store.Key{leaseKey})
	if err != nil || len(records) == 0 {
		return 0, true, err
	}
	l, err := valueOf[lease](&engine.Entry{Record: records[0]})
	return records[0].Version, l.Owner == "", err
}

// takeLease makes this node the owner, unless the record moved since it was read.
func (w *Worker) takeLease(ctx context.Context, version int64) (epoch int64, err error) {
	l, err := w.writeLease(ctx, func(l *lease, stored int64) error {
		if stored != version {
			return errFenced
		}
		l.Owner, l.Epoch = w.id, l.Epoch+1
		return nil
	})
	return l.Epoch, err
}

// writeLease changes the lease record as change says, and returns it. change may run more
// than once, and still after ctx has ended: it must touch nothing but the lease.
func (w *Worker) writeLease(ctx context.Context, change func(l *lease, version int64) error) (lease, error) {
	ctx, cancel := context.WithTimeout(ctx, saveTimeout)
	defer cancel()
	reply, err := w.engine.Submit(ctx, &engine.Command{Stream: leaseKey, Actor: actor, Decide: func(tx *engine.Tx) (*engine.Reply, error) {
		var l lease
		version := int64(0)
		if en := tx.Entry(leaseKey); en != nil {
			var err error
			if l, err = valueOf[lease](en); err != nil {
				return nil, err
			}
			version = en.Version
		}
		if err := change(&l, version); err != nil {
			return nil, err
		}
		en := tx.Put(store.Record{Key: leaseKey, State: stateLease, CreatedAt: tx.Now}, &l)
		return &engine.Reply{Value: l}, tx.Emit(leaseKey, en.Version, []any{struct {
			Type string `json:"type"`
			lease
		}{"webhook_progress.leased", l}}, nil)
	}})
	if err != nil {
		return lease{}, err
	}
	return reply.Value.(lease), nil
}

// actor is who the log names for what the worker writes.
const actor = "webhooks"

// renewed notes that the lease was written at or after start. Attempts may begin
// while they will end before another node takes over.
func (w *Worker) renewed(start time.Time) {
	until := start.Add(max(w.opt.Lease-attemptTimeout, w.opt.Lease/2))
	w.validUntil.Store(&until)
}

// maySend reports whether an attempt may begin now.
func (w *Worker) maySend() bool {
	return w.engine.Store().Exclusive() || time.Now().Before(*w.validUntil.Load())
}

// renew tells other nodes that this one is alive. Returns errFenced when it owns nothing any more.
func (w *Worker) renew(ctx context.Context, epoch int64) error {
	start := time.Now()
	_, err := w.writeLease(ctx, func(l *lease, _ int64) error {
		if l.Epoch != epoch {
			return errFenced
		}
		return nil
	})
	if err == nil {
		w.renewed(start)
		w.wakeAll()
	}
	return err
}

// release lets another node take over at once.
func (w *Worker) release(epoch int64) {
	_, err := w.writeLease(context.Background(), func(l *lease, _ int64) error {
		if l.Epoch != epoch {
			return errFenced
		}
		l.Owner = ""
		return nil
	})
	if err != nil && !errors.Is(err, errFenced) {
		w.log.Warn("webhooks: could not give the lease back; another node takes over when it has run out", "error", err)
	}
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
		w.release(epoch)
	} else {
		w.log.Info("webhooks: another node delivers now")
	}
}

// follow keeps runners and lease going. It reports whether another node took over.
func (w *Worker) follow(ctx context.Context, epoch int64) (fenced bool) {
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	var renew <-chan time.Time
	if !w.engine.Store().Exclusive() {
		t := time.NewTicker(w.opt.Lease / 3)
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
			if err := w.renew(ctx, epoch); errors.Is(err, errFenced) {
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
