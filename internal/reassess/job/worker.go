package job

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/lease"
	"github.com/orderly-oms/orderly/internal/store"
)

const (
	actor = "reassessment"
	// lookInterval is how often a node looks for jobs that another node took in.
	lookInterval = 5 * time.Second
	// saveInterval is how often progress is kept.
	saveInterval = 10 * time.Second
	// tickInterval is how often a job that is being made is looked after.
	tickInterval = time.Second
	leaseLength  = 30 * time.Second
	eventLease   = "reassessment_worker.updated"
)

// Make makes a reassessment and returns its report as JSON. It ends soon after ctx does. report may be called by one
// goroutine at a time.
type Make func(ctx context.Context, r *Request, report func(Progress)) (json.RawMessage, error)

// Worker makes the jobs of a store, while no other node does.
type Worker struct {
	jobs  *Jobs
	make  Make
	log   *slog.Logger
	lease *lease.Lease
	stop  context.CancelFunc
	done  sync.WaitGroup
	// everyDay: it asks for jobs by itself; asked is the day for which it has.
	everyDay bool
	asked    time.Time
}

// NewWorker returns a worker that Run starts.
func NewWorker(j *Jobs, m Make, log *slog.Logger) *Worker {
	return &Worker{jobs: j, make: m, log: log, lease: lease.New(j.engine, lease.Options{
		Key: engine.ReferenceKey(engine.KindReassessmentLease, "worker"), State: engine.StateActive, Event: eventLease, Actor: actor, Length: leaseLength, Log: log,
	})}
}

// Run makes jobs until Stop.
func (w *Worker) Run() {
	ctx, cancel := context.WithCancel(context.Background())
	w.stop = cancel
	w.done.Go(func() {
		left := true // jobs that were being made when a node ended
		for ctx.Err() == nil {
			if err := w.askDaily(ctx); err != nil && ctx.Err() == nil {
				w.log.Warn("reassessment: could not ask for that of the day", "error", err)
			}
			more, err := w.turn(ctx, left)
			if err != nil && ctx.Err() == nil {
				w.log.Warn("reassessment: could not look for jobs", "error", err)
			}
			left = left && err != nil
			if !more {
				w.wait(ctx)
			}
		}
	})
}

// Stop ends the job that is being made, which is then interrupted, and waits until that is kept.
func (w *Worker) Stop() {
	if w.stop != nil {
		w.stop()
		w.done.Wait()
	}
}

func (w *Worker) wait(ctx context.Context) {
	timer := time.NewTimer(lookInterval)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-w.jobs.wake:
	case <-timer.C:
	}
}

// turn makes the oldest job that waits, if no other node makes jobs. The lease is taken only when there is something to
// do, so that a store without jobs is not written to.
func (w *Worker) turn(ctx context.Context, left bool) (more bool, err error) {
	waiting, err := w.find(ctx, Waiting, 1)
	if err != nil {
		return false, err
	}
	running := 0
	if left {
		r, err := w.find(ctx, Running, 1)
		if err != nil {
			return false, err
		}
		running = len(r)
	}
	if len(waiting)+running == 0 {
		return false, nil
	}
	epoch, ok := w.lease.Acquire(ctx)
	if !ok {
		return false, nil
	}
	defer w.lease.Release(epoch)
	if err := w.interrupt(ctx); err != nil {
		return false, err
	}
	if waiting, err = w.find(ctx, Waiting, 1); err != nil || len(waiting) == 0 {
		return false, err
	}
	return true, w.one(ctx, waiting[0].ID, epoch)
}

func (w *Worker) find(ctx context.Context, state string, limit int) ([]store.Record, error) {
	return w.jobs.engine.Store().Find(ctx, store.Query{Kind: engine.KindReassessment, State: state, Ascending: true, Limit: limit})
}

// interrupt marks jobs that a node which is gone was making. Who has the lease makes jobs, and begins with none.
func (w *Worker) interrupt(ctx context.Context) error {
	for {
		left, err := w.find(ctx, Running, 100)
		if err != nil || len(left) == 0 {
			return err
		}
		for i := range left {
			if err := w.move(ctx, left[i].ID, Running, func(x *Job, _ time.Time) { x.State = Interrupted }); err != nil {
				return err
			}
		}
	}
}

// errMoved: the job is not in the state that it is to be moved from.
var errMoved = errors.New("the reassessment is in another state")

// move changes a job that is in a state; one that is not stays as it is.
func (w *Worker) move(ctx context.Context, id, from string, f func(x *Job, now time.Time)) error {
	_, err := w.jobs.change(ctx, id, engine.Meta{Actor: actor}, func(x *Job, now time.Time) error {
		if x.State != from {
			return errMoved
		}
		f(x, now)
		return nil
	})
	return err
}

// one makes a job.
func (w *Worker) one(ctx context.Context, id string, epoch int64) error {
	err := w.move(ctx, id, Waiting, func(x *Job, now time.Time) { x.State, x.Started, x.Progress = Running, now, nil })
	if errors.Is(err, errMoved) {
		return nil
	}
	if err != nil {
		return err
	}
	x, err := w.jobs.Get(ctx, id)
	if err != nil {
		return err
	}
	making, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	progress := &latest{}
	var watching sync.WaitGroup
	watching.Go(func() { w.watch(making, cancel, id, epoch, progress) })
	body, err := w.make(making, &x.Request, progress.set)
	cause := context.Cause(making)
	cancel(nil)
	watching.Wait()
	return w.end(x, body, err, cause, ctx.Err() != nil)
}

// errCancelled: somebody cancelled the job.
var errCancelled = errors.New("cancelled")

// end keeps what became of a job, also while the node ends: what is made is made.
func (w *Worker) end(made *Job, body []byte, failed, cause error, stopping bool) error {
	if errors.Is(cause, errCancelled) {
		return nil // kept by whoever cancelled it
	}
	ctx, cancel := context.WithTimeout(context.Background(), leaseLength)
	defer cancel()
	fenced := errors.Is(cause, lease.ErrFenced)
	if failed == nil && !fenced {
		if body, failed = w.remember(ctx, made, body); failed == nil {
			failed = w.jobs.keep(ctx, made.ID, body)
		}
	}
	err := w.move(ctx, made.ID, Running, func(x *Job, now time.Time) {
		x.Progress = nil
		switch {
		case fenced, failed != nil && stopping:
			x.State = Interrupted
		case failed == nil:
			x.State, x.Ended = Done, now
		default:
			x.State, x.Ended, x.Error = Failed, now, failed.Error()
		}
	})
	if errors.Is(err, errMoved) {
		return nil
	}
	return err
}

// latest is the newest progress.
type latest struct {
	mu    sync.Mutex
	p     Progress
	fresh bool
}

func (l *latest) set(p Progress) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.p, l.fresh = p, true
}

func (l *latest) take() (Progress, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p, ok := l.p, l.fresh
	l.fresh = false
	return p, ok
}

// watch keeps the lease and the progress of a job that is being made, and ends it when it was cancelled
// or another node makes jobs.
func (w *Worker) watch(ctx context.Context, cancel context.CancelCauseFunc, id string, epoch int64, progress *latest) {
	var renewed, saved time.Time
	for lease.Wait(ctx, tickInterval) {
		if every := w.lease.Interval(); every > 0 && time.Since(renewed) >= every {
			renewed = time.Now()
			if err := w.lease.Renew(ctx, epoch); errors.Is(err, lease.ErrFenced) {
				cancel(lease.ErrFenced)
				return
			}
		}
		x, err := w.jobs.Get(ctx, id)
		if err == nil && x.State != Running {
			cancel(errCancelled)
			return
		}
		if time.Since(saved) < saveInterval {
			continue
		}
		if p, ok := progress.take(); ok {
			saved = time.Now()
			if err := w.move(ctx, id, Running, func(x *Job, _ time.Time) { x.Progress = &p }); err != nil && ctx.Err() == nil && !errors.Is(err, errMoved) {
				w.log.Warn("reassessment: could not keep progress", "id", id, "error", err)
			}
		}
	}
}
