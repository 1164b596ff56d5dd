package webhook

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
)

// Limits of one subscription.
const (
	maxFlying        = 16     // attempts at once
	maxFlyingRetries = 8      // of these for pending deliveries, so that new events always have room
	maxLive          = 256    // events in memory that were not tried yet; about, whole log rows are read
	maxPending       = 10_000 // pending deliveries; beyond it the log is not read on
	maxDead          = 10_000 // dead deliveries; beyond it the subscription is paused
	maxOpenRows      = 50_000 // log rows between the cursor and the place read to
	readRows         = 128    // log rows per read
	maxChanges       = 128    // delivery records per commit
	deliveryPage     = 900    // records per read when a session begins

	// Delivered events are sent again after a crash when their passing is not saved yet: at most this many, or this long.
	maxUnsaved  = 256
	saveDelay   = time.Second
	skippedRows = 10_000 // rows without wanted events are passed in steps of this many
)

// session is what a runner holds in memory. One goroutine owns it; attempts and
// commits run beside it and report through channels.
type session struct {
	*runner
	p      progress
	queue  *queue
	tracks []track
	saved  engine.Cursor // as stored
	// parkedBy and deadBy are the delivery records by event.
	parkedBy map[string]*item
	deadBy   map[string]*Delivery

	changed map[string]*item // by id of the delivery record: what is to be stored
	order   []string         // of changed, oldest first

	flying, retries int
	results         chan result
	committing      bool
	committed       chan error
	unsaved         int // delivered since the last commit
	unsavedSince    time.Time
	halted          bool // the subscription is being paused
	failing         bool // has been logged
}

// result is what an attempt came to.
type result struct {
	item *item
	Outcome
	local     error // the event could not be read; the receiver saw nothing
	cancelled bool  // the attempt was cut off; what the receiver saw is not known
}

// open claims the progress and reads the deliveries.
func (r *runner) open(ctx context.Context) (*session, error) {
	p, err := r.claim(ctx)
	if err != nil {
		return nil, err
	}
	s := &session{
		runner: r, p: p, queue: newQueue(), tracks: make([]track, len(p.Cursor)), saved: slices.Clone(p.Cursor),
		parkedBy: map[string]*item{}, deadBy: map[string]*Delivery{}, changed: map[string]*item{},
		results: make(chan result, maxFlying), committed: make(chan error, 1),
	}
	for b := range s.tracks {
		s.tracks[b].read = p.Cursor[b]
	}
	r.generation.Store(p.Generation)
	if err := s.loadDeliveries(ctx); err != nil {
		return nil, err
	}
	s.p.Pending, s.p.Dead = len(s.parkedBy), len(s.deadBy)
	return s, nil
}

func (s *session) loadDeliveries(ctx context.Context) error {
	var pending []*item
	for _, state := range []State{Pending, Dead} {
		for after, more := "", true; more; {
			page, rest, err := findDeliveries(ctx, s.w.engine.Store(), s.id, state, after, deliveryPage)
			if err != nil {
				return err
			}
			for i := range page {
				d := &page[i]
				after = d.ID
				if d.State == Dead {
					s.deadBy[d.Event] = d
					continue
				}
				at, err := parseRef(d.Event)
				if err != nil {
					return err
				}
				if d.LastAt.Before(s.p.Resumed) {
					d.Next = time.Time{}
				}
				pending = append(pending, &item{ref: at, record: d, parked: true})
			}
			more = rest
		}
	}
	slices.SortFunc(pending, func(a, b *item) int { return a.ref.compare(b.ref) })
	for _, it := range pending {
		s.parkedBy[it.record.Event] = it
		s.queue.add(s.streamOf(it.record.Stream, it.record.Event), it)
	}
	return nil
}

// streamOf is what keeps order among its events.
func (s *session) streamOf(st engine.PublishedStream, event string) string {
	if !s.sub.Load().Ordered {
		return event
	}
	return string(st.Kind) + "/" + st.ID
}

// run delivers until ctx ends (nil), or the session is not current any more.
func (s *session) run(ctx context.Context) error {
	attempts, cut := context.WithCancel(context.Background())
	err := s.loop(ctx, attempts)
	if err == nil {
		err = s.drain(attempts, cut)
	}
	cut()
	for s.flying > 0 {
		s.settle(<-s.results)
	}
	if s.committing {
		<-s.committed
	}
	return err
}

// loop is the session's work. It returns nil when ctx ended.
func (s *session) loop(ctx, attempts context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if s.generation.Load() != s.p.Generation {
			return errMoved
		}
		more, err := s.read(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		now := s.w.engine.Now()
		s.dispatch(attempts, now)
		s.commit(now)
		s.observe(now)
		timer.Reset(s.nap(now, more))
		select {
		case <-ctx.Done():
			return nil
		case res := <-s.results:
			if err := s.settle(res); err != nil {
				return err
			}
		case err := <-s.committed:
			if s.committing = false; err != nil {
				return err
			}
		case <-s.wake:
		case <-timer.C:
		}
	}
}

// nap is how long nothing happens by itself.
func (s *session) nap(now time.Time, more bool) time.Duration {
	if more && !s.full() {
		return 0
	}
	d := time.Minute
	if at, ok := s.queue.due(); ok && s.retries < maxFlyingRetries && s.flying < maxFlying && s.maySend() {
		d = min(d, at.Sub(now))
	}
	if s.unsaved > 0 && !s.committing {
		d = min(d, s.unsavedSince.Add(saveDelay).Sub(now))
	}
	return max(d, 0)
}

func (s *session) maySend() bool { return !s.halted && s.w.lease.MayBegin() }

// full reports that no more may be read until something that is open ends.
func (s *session) full() bool {
	rows := 0
	for b := range s.tracks {
		rows += len(s.tracks[b].open)
	}
	return s.halted || s.queue.live >= maxLive || s.queue.parked >= maxPending || rows >= maxOpenRows
}

// read takes the next rows of each bucket. more: there are further ones.
func (s *session) read(ctx context.Context) (more bool, err error) {
	heads := s.w.heads.Load()
	if heads == nil {
		return false, nil
	}
	sub := s.sub.Load()
	for b := range s.tracks {
		t := &s.tracks[b]
		if t.read >= (*heads)[b] {
			continue
		}
		if s.full() {
			return true, nil
		}
		events, last, err := s.w.engine.BucketEvents(ctx, b, t.read, readRows, sub.Wants)
		if err != nil {
			return false, fmt.Errorf("reading the log: %w", err)
		}
		for i := range events {
			if err := s.take(t, &events[i]); err != nil {
				return false, err
			}
		}
		t.read = last
		more = more || last < (*heads)[b]
	}
	return more, nil
}

// take puts an event on its way.
func (s *session) take(t *track, e *engine.Published) error {
	if s.parkedBy[e.ID] != nil {
		return nil // a replay met an event that is on its way already
	}
	at, err := parseRef(e.ID)
	if err != nil {
		return err
	}
	it := &item{ref: at, event: e, record: s.deadBy[e.ID], open: true}
	t.opened(at.seq)
	if s.queue.add(s.streamOf(e.Stream, e.ID), it) {
		s.park(it, e)
	}
	return nil
}

// park makes an item a pending delivery.
func (s *session) park(it *item, e *engine.Published) {
	now := s.w.engine.Now()
	if it.record == nil {
		it.record = &Delivery{
			ID: s.w.engine.NewID(), Subscription: s.id, Event: e.ID, Type: e.Type, Stream: e.Stream, Version: e.Version, CreatedAt: now,
		}
	} else { // it was dead, and a replay sends it again
		delete(s.deadBy, it.record.Event)
		s.p.Dead--
	}
	it.record.State, it.record.Attempts, it.record.Next = Pending, 0, time.Time{}
	s.parkedBy[it.record.Event] = it
	s.p.Pending++
	s.queue.park(it)
	s.mark(it)
}

// mark notes that the item's delivery record is to be stored, or removed when it is delivered.
func (s *session) mark(it *item) {
	if _, ok := s.changed[it.record.ID]; !ok {
		s.order = append(s.order, it.record.ID)
	}
	s.changed[it.record.ID] = it
}

// dispatch begins as many attempts as there is room for.
func (s *session) dispatch(attempts context.Context, now time.Time) {
	if !s.maySend() {
		return
	}
	for s.flying < maxFlying && s.retries < maxFlyingRetries {
		it := s.queue.nextDue(now)
		if it == nil {
			break
		}
		s.retries++
		s.launch(attempts, it)
	}
	for s.flying < maxFlying {
		it := s.queue.nextReady()
		if it == nil {
			break
		}
		s.launch(attempts, it)
	}
}

func (s *session) launch(ctx context.Context, it *item) {
	s.flying++
	e, at, sub := it.event, it.ref, s.sub.Load()
	go func() { s.results <- s.attempt(ctx, sub, it, e, at) }()
}

// attempt runs beside the session and touches none of it.
func (r *runner) attempt(ctx context.Context, sub *Subscription, it *item, e *engine.Published, at ref) result {
	if e == nil {
		events, _, err := r.w.engine.BucketEvents(ctx, at.bucket, at.seq-1, 1, nil)
		if err != nil {
			return result{item: it, local: err}
		}
		if at.index >= len(events) {
			return result{item: it, local: fmt.Errorf("log row %d/%d has no event %d", at.bucket, at.seq, at.index)}
		}
		e = &events[at.index]
	}
	message, err := body(e)
	if err != nil {
		return result{item: it, local: err}
	}
	out := r.w.sender.Send(ctx, sub, e.ID, r.w.engine.Now(), message)
	return result{item: it, Outcome: out, cancelled: ctx.Err() != nil && !out.Delivered()}
}
