package webhook

import (
	"context"
	"net/http"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
)

// settle does what the outcome of an attempt asks for.
func (s *session) settle(res result) error {
	it := res.item
	s.flying--
	if it.retry {
		s.retries--
	}
	switch {
	case res.cancelled:
		s.queue.land(it)
	case res.local != nil:
		return res.local
	case res.Delivered():
		s.delivered(it)
	case res.Status == http.StatusGone:
		s.queue.land(it)
		return s.halt("the receiver answered 410 Gone: it wants no more")
	default:
		return s.failed(it, &res.Outcome)
	}
	return nil
}

func (s *session) delivered(it *item) {
	now := s.w.engine.Now()
	s.w.Stats.Delivered.Add(1)
	s.p.Delivered++
	s.p.LastDelivered = now
	s.failing = false
	it.delivered = true
	s.queue.remove(it)
	s.pass(it)
	switch {
	case it.parked:
		delete(s.parkedBy, it.record.Event)
		s.p.Pending--
		s.mark(it)
	case it.record != nil: // it was dead, and a replay sent it again
		delete(s.deadBy, it.record.Event)
		s.p.Dead--
		s.mark(it)
	}
	if s.unsaved++; s.unsaved == 1 {
		s.unsavedSince = now
	}
}

// pass lets the cursor pass an item, once.
func (s *session) pass(it *item) {
	if it.open {
		it.open = false
		s.tracks[it.ref.bucket].closed(it.ref.seq)
	}
}

// failed writes an event down as pending, with all those behind it, or as dead.
func (s *session) failed(it *item, out *Outcome) error {
	now := s.w.engine.Now()
	s.w.Stats.Failed.Add(1)
	s.p.LastFailed, s.p.LastError = now, out.Error
	if !s.failing {
		s.failing = true
		s.w.log.Warn("webhooks: a delivery failed; it is tried again", "subscription", s.id, "event", it.id(), "error", out.Error)
	}
	if !it.parked {
		s.park(it, it.event)
	}
	d := it.record
	d.Attempts++
	d.LastAt, d.LastStatus, d.LastError = now, out.Status, out.Error
	s.mark(it)
	for _, next := range it.stream.items[1:] {
		if !next.parked {
			s.park(next, next.event)
		}
	}
	if d.Attempts < s.w.opt.Attempts {
		d.Next = now.Add(backoff(s.w.opt.Waits, d.Attempts, s.w.opt.Jitter(), out.RetryAfter)).Truncate(time.Microsecond)
		s.queue.land(it)
		return nil
	}
	d.State, d.Next = Dead, time.Time{}
	delete(s.parkedBy, d.Event)
	s.deadBy[d.Event] = d
	s.p.Pending--
	s.p.Dead++
	s.w.Stats.Died.Add(1)
	s.w.log.Warn("webhooks: a delivery is dead; later events of its stream go on", "subscription", s.id, "delivery", d.ID, "event", d.Event,
		"attempts", d.Attempts, "error", out.Error)
	s.queue.remove(it)
	if len(s.deadBy) >= maxDead {
		return s.halt("there are too many dead deliveries; mend the receiver, try them again or remove the subscription")
	}
	return nil
}

// id is the event's.
func (it *item) id() string {
	if it.event != nil {
		return it.event.ID
	}
	return it.record.Event
}

// halt stops sending and pauses the subscription; the runner is stopped when the worker sees that.
func (s *session) halt(reason string) error {
	if s.halted {
		return nil
	}
	s.halted = true
	s.w.log.Warn("webhooks: pausing a subscription", "subscription", s.id, "reason", reason)
	ctx, cancel := context.WithTimeout(context.Background(), saveTimeout)
	defer cancel()
	return s.suspend(ctx, reason)
}

// commit stores what changed, when there is enough of it or it waited long enough.
// One commit is under way at a time; what changes meanwhile goes into the next.
func (s *session) commit(now time.Time) {
	late := s.unsaved > 0 && !now.Before(s.unsavedSince.Add(saveDelay))
	if !s.committing && (len(s.order) > 0 || s.unsaved >= maxUnsaved || late || s.skipped() >= skippedRows) {
		s.beginCommit()
	}
}

// skipped counts the rows that the cursor could pass.
func (s *session) skipped() (rows int64) {
	for b := range s.tracks {
		rows += s.tracks[b].cursor() - s.saved[b]
	}
	return rows
}

func (s *session) beginCommit() {
	n := min(len(s.order), maxChanges)
	changes := make([]change, n)
	for i, id := range s.order[:n] {
		it := s.changed[id]
		delete(s.changed, id)
		// What this commit writes down the cursor of this commit may pass.
		s.pass(it)
		changes[i] = change{Delivery: *it.record, remove: it.delivered}
	}
	s.order = s.order[n:]
	cursor := make(engine.Cursor, len(s.tracks))
	for b := range s.tracks {
		cursor[b] = s.tracks[b].cursor()
	}
	s.p.Cursor, s.saved = cursor, cursor
	s.unsaved, s.committing = 0, true
	p := s.p
	go func() { s.committed <- s.save(p, changes) }()
}

// drain ends a session that is stopped: attempts under way may finish for a while, and
// what they came to is stored.
func (s *session) drain(attempts context.Context, cut context.CancelFunc) error {
	grace := time.AfterFunc(stopGrace, cut)
	defer grace.Stop()
	for {
		if !s.committing && (len(s.order) > 0 || s.flying == 0 && s.unsaved > 0) {
			s.beginCommit()
		}
		if !s.committing && s.flying == 0 {
			return nil
		}
		select {
		case res := <-s.results:
			if err := s.settle(res); err != nil {
				return err
			}
		case err := <-s.committed:
			if s.committing = false; err != nil {
				return err
			}
		}
	}
}

// observe keeps the numbers for the metrics.
func (s *session) observe(now time.Time) {
	lag := int64(0)
	if heads := s.w.heads.Load(); heads != nil {
		for b := range s.tracks {
			lag += max((*heads)[b]-s.tracks[b].read, 0)
		}
	}
	lag += int64(s.queue.live)
	s.lag.Store(lag)
	if lag == 0 {
		s.caughtUp.Store(now.UnixNano())
	}
	s.pending.Store(int64(s.p.Pending))
	s.dead.Store(int64(s.p.Dead))
}
