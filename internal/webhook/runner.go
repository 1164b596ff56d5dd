package webhook

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync/atomic"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/plant"
	"github.com/orderly-oms/orderly/internal/store"
)

// runner delivers to one subscription for as long as this node owns the lease.
// Its life is a row of sessions: each claims the progress for the epoch, reads the
// deliveries, and delivers until it is stopped, or until something else than itself
// changed what it holds in memory.
type runner struct {
	w     *Worker
	id    string
	epoch int64
	sub   atomic.Pointer[Subscription]
	// generation is that of the progress as stored; a session that began with another one ends.
	generation atomic.Int64
	wake       chan struct{}
	cancel     context.CancelFunc
	stopping   bool // guarded by Worker.mu
	done       chan struct{}

	// for metrics
	pending, dead, lag atomic.Int64
	caughtUp           atomic.Int64 // unix nanoseconds
}

func startRunner(ctx context.Context, w *Worker, s *Subscription, epoch int64) *runner {
	ctx, cancel := context.WithCancel(ctx)
	r := &runner{w: w, id: s.ID, epoch: epoch, wake: make(chan struct{}, 1), cancel: cancel, done: make(chan struct{})}
	r.sub.Store(s)
	r.caughtUp.Store(w.engine.Now().UnixNano())
	go func() {
		defer close(r.done)
		r.run(ctx)
	}()
	return r
}

func (r *runner) stop() {
	r.stopping = true
	r.cancel()
}

func (r *runner) ended() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// follow takes over a changed subscription.
func (r *runner) follow(s *Subscription, generation int64) {
	r.sub.Store(s)
	r.generation.Store(generation)
	r.nudge()
}

func (r *runner) nudge() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *runner) run(ctx context.Context) {
	for ctx.Err() == nil {
		s, err := r.open(ctx)
		if err == nil {
			err = s.run(ctx)
		}
		switch {
		case err == nil, errors.Is(err, errMoved):
		case errors.Is(err, errGone):
			<-ctx.Done() // the next look at the subscriptions stops this runner
		case errors.Is(err, errFenced):
			select {
			case r.w.lost <- struct{}{}:
			default:
			}
			<-ctx.Done()
		default:
			if ctx.Err() == nil {
				r.w.log.Warn("webhooks: deliveries were interrupted; going on from what is stored", "subscription", r.id, "error", err)
			}
			pause(ctx, restartDelay)
		}
	}
}

// claim writes the runner's epoch into the progress. From then on nothing that
// a worker of an epoch before decided can be written.
func (r *runner) claim(ctx context.Context) (progress, error) {
	key := progressKey(r.id)
	ctx, cancel := context.WithTimeout(ctx, saveTimeout)
	defer cancel()
	reply, err := r.w.engine.Submit(ctx, &engine.Command{Stream: key, Actor: actor, Decide: func(tx *engine.Tx) (*engine.Reply, error) {
		en := tx.Entry(key)
		if en == nil || en.State != progressOpen {
			return nil, errGone
		}
		next, err := valueOf[progress](en)
		if err != nil {
			return nil, err
		}
		if next.Epoch > r.epoch {
			return nil, errFenced
		}
		next.Epoch = r.epoch
		_, err = putProgress(tx, &next, progressOpen, "webhook_progress.claimed")
		return &engine.Reply{Value: next}, err
	}})
	if err != nil {
		return progress{}, err
	}
	p := reply.Value.(progress)
	p.Cursor = slices.Clone(p.Cursor)
	return p, nil
}

// change is one delivery record as it is to be stored.
type change struct {
	Delivery
	remove bool
}

func (c *change) event() string {
	switch {
	case c.State == Dead:
		return "delivery.dead"
	case c.Attempts == 0:
		return "delivery.waiting"
	}
	return "delivery.failed"
}

// save commits progress and deliveries together, if the progress is still what the
// session took over. Errors: errFenced, errMoved, and those of the engine.
func (r *runner) save(p progress, changes []change) error {
	key := progressKey(r.id)
	needs := make([]store.Key, len(changes))
	for i := range changes {
		needs[i] = deliveryKey(changes[i].ID)
	}
	// Not ended by a stop: what the attempts came to is to be kept.
	ctx, cancel := context.WithTimeout(context.Background(), saveTimeout)
	defer cancel()
	_, err := r.w.engine.Submit(ctx, &engine.Command{Stream: key, Needs: needs, Actor: actor, Decide: func(tx *engine.Tx) (*engine.Reply, error) {
		stored, err := r.guard(tx)
		if err != nil {
			return nil, err
		}
		if stored.Generation != p.Generation {
			return nil, errMoved
		}
		if _, err := putProgress(tx, &p, progressOpen, "webhook_progress.moved"); err != nil {
			return nil, err
		}
		for i := range changes {
			c := &changes[i]
			if c.remove || c.State == Dead && plant.On(plant.PoisonSwallowed) {
				err = removeDelivery(tx, c.ID, "delivery.delivered")
			} else {
				err = putDelivery(tx, &c.Delivery, c.event())
			}
			if err != nil {
				return nil, err
			}
		}
		return &engine.Reply{Status: http.StatusOK}, nil
	}})
	return err
}

// guard refuses what a session decides on progress that is not its own any more.
// The progress is written by the same commit, whose guard refuses it when this node's memory is stale.
func (r *runner) guard(tx *engine.Tx) (progress, error) {
	en := tx.Entry(progressKey(r.id))
	if en == nil || en.State != progressOpen {
		return progress{}, errGone
	}
	stored, err := valueOf[progress](en)
	switch {
	case err != nil:
		return stored, err
	case stored.Epoch != r.epoch:
		return stored, errFenced
	}
	return stored, nil
}

// suspend pauses the subscription, because going on makes no sense.
func (r *runner) suspend(ctx context.Context, reason string) error {
	key := subscriptionKey(r.id)
	_, err := r.w.engine.Submit(ctx, &engine.Command{Stream: key, Needs: []store.Key{progressKey(r.id)}, Actor: actor, Decide: func(tx *engine.Tx) (*engine.Reply, error) {
		if _, err := r.guard(tx); err != nil {
			return nil, err
		}
		en := tx.Entry(key)
		if en == nil || en.State != string(Active) {
			return &engine.Reply{}, nil
		}
		s, err := valueOf[Subscription](en)
		if err != nil {
			return nil, err
		}
		s.Status, s.Reason, s.UpdatedAt = Paused, reason, tx.Now
		_, err = put(tx, &s, "webhook.paused")
		return &engine.Reply{}, err
	}})
	return err
}
