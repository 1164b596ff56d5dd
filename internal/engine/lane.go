package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/plant"
	"github.com/orderly-oms/orderly/internal/store"
)

// lane decides and commits the commands of one bucket, batch after batch.
type lane struct {
	e      *Engine
	bucket int
	queue  chan *request
}

type request struct {
	command *Command
	id      string
	done    chan struct{} // closed when reply or err is set
	reply   *Reply
	err     error
}

// Submit has the command decided and committed, and returns its answer once it
// is durable. A context that ends while the command waits does not take it back: the
// caller then does not know the outcome, and an idempotency key finds out.
func (e *Engine) Submit(ctx context.Context, c *Command) (*Reply, error) {
	if !e.enter() {
		return nil, ErrClosed
	}
	defer e.submits.Done()
	if c.Key != nil {
		if _, busy := e.inflight.LoadOrStore(c.Key.Key, struct{}{}); busy {
			return nil, ErrInFlight
		}
	}
	r := &request{command: c, id: e.opt.NewID(), done: make(chan struct{})}
	if !e.enqueue(c.lane(), r) {
		e.forget(c)
		return nil, ErrBusy
	}
	select {
	case <-r.done:
		return r.reply, r.err
	case <-ctx.Done():
		return nil, fmt.Errorf("gave up waiting, the command may still take effect: %w", ctx.Err())
	}
}

// enqueue hands a request to a lane; false: its queue is full. An inline engine decides it at once.
func (e *Engine) enqueue(lane int, r *request) bool {
	if e.opt.Inline {
		e.decideInline(lane, []*request{r})
		return true
	}
	select {
	case e.lanes[lane].queue <- r:
		return true
	default:
		return false
	}
}

func (e *Engine) forget(c *Command) {
	if c.Key != nil {
		e.inflight.Delete(c.Key.Key)
	}
}

func (r *request) finish(e *Engine, reply *Reply, err error) {
	r.reply, r.err = reply, err
	e.forget(r.command)
	if err != nil {
		e.Stats.Refused.Add(1)
	}
	close(r.done)
}

func (l *lane) run() {
	requests := make([]*request, 0, maxBatchCommands)
	for {
		select {
		case r := <-l.queue:
			requests = append(requests[:0], r)
		case <-l.e.stop:
			l.drain()
			return
		}
		requests = l.gather(requests)
		l.process(requests)
	}
}

// gatherRounds is how often a lane lets others run before it decides.
const gatherRounds = 3

// gather adds everything that waits. Requests that are being read at this
// moment are about to wait too: letting their goroutines run first costs nothing
// when there are none, and under load makes batches larger and commits fewer.
func (l *lane) gather(requests []*request) []*request {
	for round := 0; ; round++ {
		had := len(requests)
	fill:
		for len(requests) < maxBatchCommands {
			select {
			case r := <-l.queue:
				requests = append(requests, r)
			default:
				break fill
			}
		}
		if round == gatherRounds || len(requests) == maxBatchCommands || (round > 0 && len(requests) == had) {
			return requests
		}
		runtime.Gosched()
	}
}

// drain answers what was still waiting when the node stopped.
func (l *lane) drain() {
	for {
		select {
		case r := <-l.queue:
			r.finish(l.e, nil, ErrClosed)
		default:
			return
		}
	}
}

// process decides and commits one batch, again and again while other nodes win
// its guards, and answers every command in it.
func (l *lane) process(requests []*request) {
	e := l.e
	e.Stats.Batches.Add(1)
	e.Stats.Commands.Add(int64(len(requests)))
	fresh := e.store.Exclusive() || plant.On(plant.StaleReadDecides)
	for attempt := 0; ; {
		e.trust.RLock()
		b, outcomes, err := l.decide(requests, attempt > 0, fresh)
		if err == nil && !fresh && slices.ContainsFunc(outcomes, func(o outcome) bool { return o.err != nil }) {
			// Nobody is refused because of what another node has changed already: the
			// store guards what is written, but not what is refused.
			b.takeBack(e)
			e.trust.RUnlock()
			l.refresh(requests)
			fresh = true
			continue
		}
		if err == nil && stale(outcomes) && !e.store.Exclusive() && !plant.On(plant.StaleReadDecides) {
			b.takeBack(e)
			err = fmt.Errorf("%w: record and stock in memory contradict each other", store.ErrConflict)
		}
		if err == nil && b.writes() {
			if err = e.commit(&b.store); err == nil {
				l.publish(b)
			} else if !plant.On(plant.FailedCommitStays) {
				b.takeBack(e)
			}
		}
		e.trust.RUnlock()

		switch {
		case err == nil || plant.On(plant.AckBeforeDurable):
			for i, r := range requests {
				r.finish(e, outcomes[i].reply, outcomes[i].err)
			}
			return
		case errors.Is(err, store.ErrConflict) && attempt < maxAttempts:
			attempt++
			e.Stats.Conflicts.Add(1)
			l.refresh(requests)
			continue
		case errors.Is(err, store.ErrConflict):
			err = fmt.Errorf("%w (%v)", ErrContention, err)
		case errors.Is(err, store.ErrBroken):
			e.opt.Fatal(err)
		case errors.Is(err, store.ErrUnknown):
			// Answered before the reload, so that callers are not kept waiting for it.
			if !plant.On(plant.UnknownIsFailure) {
				e.distrust(err)
			}
		}
		e.log.Error("batch not committed", "bucket", l.bucket, "commands", len(requests), "error", err)
		for _, r := range requests {
			r.finish(e, nil, err)
		}
		return
	}
}

// commit writes a batch whole or not at all.
func (e *Engine) commit(b *store.Batch) error {
	if plant.On(plant.EventLostOnCrash) {
		state := *b
		state.Commits = nil
		if err := e.store.Commit(context.Background(), &state); err != nil {
			return err
		}
		b = &store.Batch{Bucket: b.Bucket, Commits: b.Commits}
	}
	return e.store.Commit(context.Background(), b)
}

// stale reports a decision that stock and record contradict: another node changed both, and
// the follower brought the one into memory after the other had been loaded; or both nodes
// took the same units and this node's commit, which the store refuses, has not come back yet.
func stale(outcomes []outcome) bool {
	return slices.ContainsFunc(outcomes, func(o outcome) bool { return errors.Is(o.err, errImpossible) })
}

// refresh brings memory up to date after a refused guard.
func (l *lane) refresh(requests []*request) {
	for _, r := range requests {
		l.e.cache.drop(r.command.Stream)
		for _, k := range r.command.Needs {
			l.e.cache.drop(k)
		}
	}
	if l.e.store.Exclusive() {
		return
	}
	if err := l.e.sync(context.Background()); err != nil {
		l.e.log.Warn("could not follow the log after a conflict", "error", err)
	}
}

type outcome struct {
	reply *Reply
	err   error
}

// decide runs the decisions of a batch against memory. A careful batch first
// looks up in the store what an earlier attempt assumed not to exist; another one does so for
// the commands it refuses, unless memory is not fresh and it is made again anyway.
func (l *lane) decide(requests []*request, careful, fresh bool) (*batch, []outcome, error) {
	e := l.e
	loaded, err := l.load(requests)
	if err != nil {
		return nil, nil, err
	}
	var past lookedUp
	if careful {
		if past, err = l.lookUp(requests); err != nil {
			return nil, nil, err
		}
	}
	b := newBatch(l.bucket, loaded)
	outcomes := make([]outcome, len(requests))
	now := e.Now()
	e.decide.Lock()
	for i, r := range requests {
		outcomes[i] = l.decideOne(b, r, now, past)
	}
	e.decide.Unlock()
	if !careful && fresh {
		if err := l.reconsider(b, requests, outcomes, now); err != nil {
			b.takeBack(e)
			return nil, nil, err
		}
	}
	if b.writes() {
		if err := b.seal(); err != nil {
			b.takeBack(e)
			return nil, nil, err
		}
	}
	return b, outcomes, nil
}

func (l *lane) decideOne(b *batch, r *request, now time.Time, past lookedUp) outcome {
	c := r.command
	if c.Key != nil {
		if a := past.answers[c.Key.Key]; a != nil {
			if !bytes.Equal(a.Hash, c.Key.Hash) {
				return outcome{err: ErrKeyReused}
			}
			return outcome{reply: &Reply{Status: a.Status, Header: a.Header, Body: a.Body, Repeated: true}}
		}
	}
	tx := &Tx{e: l.e, b: b, Now: now, Command: r.id, actor: c.Actor, manual: c.Manual, past: past}
	reply, err := c.Decide(tx)
	if err == nil {
		err = tx.keep(c.Unique, c.Key, reply)
	}
	if err != nil {
		if !plant.On(plant.RefusalStays) {
			tx.rollback()
		}
		return outcome{err: err}
	}
	return outcome{reply: reply}
}

// reconsider looks up, for commands that were refused, whether that is because they took
// effect when they were sent before: a repeated cancellation is refused by the state that the
// first one made, and is to get the first one's answer.
func (l *lane) reconsider(b *batch, requests []*request, outcomes []outcome, now time.Time) error {
	var refused []*request
	var at []int
	for i, r := range requests {
		if u := r.command.Unique; outcomes[i].err != nil && (r.command.Key != nil || u != nil && u.ExternalID != "") {
			refused, at = append(refused, r), append(at, i)
		}
	}
	if len(refused) == 0 {
		return nil
	}
	past, err := l.lookUp(refused)
	if err != nil || len(past.answers)+len(past.unique) == 0 {
		return err
	}
	l.e.decide.Lock()
	defer l.e.decide.Unlock()
	for i, r := range refused {
		outcomes[at[i]] = l.decideOne(b, r, now, past)
	}
	return nil
}

// load brings the records that the commands name from cache or store.
func (l *lane) load(requests []*request) (map[store.Key]*Entry, error) {
	loaded := make(map[store.Key]*Entry, len(requests))
	var missing []store.Key
	need := func(k store.Key) {
		if _, ok := loaded[k]; ok {
			return
		}
		en := l.e.cache.get(k)
		if en == nil {
			missing = append(missing, k)
		}
		loaded[k] = en
	}
	for _, r := range requests {
		if r.command.Unique == nil { // else the stream is about to be made
			need(r.command.Stream)
		}
		for _, k := range r.command.Needs {
			need(k)
		}
	}
	if len(missing) == 0 {
		return loaded, nil
	}
	records, err := l.e.store.Load(context.Background(), missing)
	if err != nil {
		return nil, err
	}
	for _, rec := range records {
		en, err := decode(rec)
		if err != nil {
			return nil, err
		}
		loaded[rec.Key] = en
		l.e.cache.put(en)
	}
	return loaded, nil
}

// lookedUp is what a careful batch looked up: remembered answers by key, and
// records by the channel's own id.
type lookedUp struct {
	answers map[string]*store.Answer
	unique  map[Unique]store.Key
	entries map[store.Key]*Entry
}

func (l *lane) lookUp(requests []*request) (lookedUp, error) {
	h := lookedUp{answers: map[string]*store.Answer{}, unique: map[Unique]store.Key{}, entries: map[store.Key]*Entry{}}
	ctx := context.Background()
	for _, r := range requests {
		if k := r.command.Key; k != nil {
			a, err := l.e.store.Answer(ctx, l.e.answerBucket(k.Key), k.Key)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return h, err
			}
			if a != nil {
				h.answers[k.Key] = a
			}
		}
		if u := r.command.Unique; u != nil && u.ExternalID != "" {
			found, err := l.e.store.Find(ctx, store.Query{Kind: u.Kind, Channel: u.Channel, ExternalID: u.ExternalID, Limit: 1})
			if err != nil {
				return h, err
			}
			for _, rec := range found {
				en, err := decode(rec)
				if err != nil {
					return h, err
				}
				h.unique[*u] = en.Key
				h.entries[en.Key] = en
			}
		}
	}
	return h, nil
}

// publish makes a durable batch visible: cache, follower's place, waiting log readers.
func (l *lane) publish(b *batch) {
	for k := range b.deleted {
		l.e.cache.drop(k)
	}
	for _, en := range b.entries {
		l.e.cache.put(en)
	}
	for _, f := range b.after {
		f()
	}
	if !plant.On(plant.StockWakesNobody) {
		l.e.waking.freed(b.store.Positions)
	}
	l.e.shortfall.lowered(b.store.Positions)
	l.e.follower.wrote(b.store.Commits)
	l.e.announce()
}
