package engine

import (
	"context"
	"time"

	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/store"
)

// A relocation is the work of taking away from a closed location what it has not accepted, or from one whose capacity was
// cut what is beyond that. It is written in the commit that does so and is due at once; whichever node wakes it first has
// it for relocationLease, so that one node works and another goes on when that one ends. It is looked at again until
// nothing is found, because orders under way may still arrive.

// Types of its events.
const (
	EventRelocationStarted  = "relocation.started"  // a location was closed, or its capacity cut
	EventRelocationRunning  = "relocation.running"  // a node has begun, or goes on
	EventRelocationPaused   = "relocation.paused"   // it is looked at again later
	EventRelocationFinished = "relocation.finished" // nothing is left to move, or the location is open again (of a cut: closed)
)

// RelocationEventTypes lists every type, for documentation and subscriptions.
var RelocationEventTypes = []string{EventRelocationStarted, EventRelocationRunning, EventRelocationPaused, EventRelocationFinished}

const (
	relocationLease = time.Minute
	// relocationPause is the wait before the second look; it doubles from look to look.
	relocationPause = 30 * time.Second
	// maxRelocationLooks is after how many looks what cannot be moved is left to people.
	maxRelocationLooks = 10

	stateRelocating = "running"
	stateRelocated  = "finished"

	relocationActor  = "relocation"
	relocationReason = "the location closed"
)

// relocation is its record.
type relocation struct {
	Location string `json:"location"`
	Capacity bool   `json:"capacity,omitempty"` // it is open, and its capacity was cut
	Node     string `json:"node,omitempty"`     // that has it
	Looks    int    `json:"looks"`
	// Orders moved so far, units of them without another location, and orders that could not be moved at the last look.
	Moved    int64 `json:"moved"`
	Unplaced int64 `json:"unplaced"`
	Failed   int64 `json:"failed"`
}

type relocationEvent struct {
	Type string `json:"type"`
	relocation
}

func relocationKey(location string) store.Key { return ReferenceKey(KindRelocation, location) }

// closings are the relocations that putting documents may start.
func closings(docs []Document) (keys []store.Key) {
	for i := range docs {
		if l, ok := docs[i].Value.(*network.Location); ok && (!l.IsActive() || l.Capacity.IsLimited()) {
			keys = append(keys, relocationKey(l.ID))
		}
	}
	return keys
}

// startRelocation begins one when a document closes a location that was open, or cuts its capacity.
func (tx *Tx) startRelocation(was *Entry, d Document) error {
	l, ok := d.Value.(*network.Location)
	if !ok || was == nil || was.State != StateActive {
		return nil
	}
	before, ok := was.Value.(*network.Location)
	if !ok || !before.IsActive() {
		return nil
	}
	if !l.IsActive() {
		return tx.putRelocation(EventRelocationStarted, relocation{Location: l.ID}, tx.Now)
	}
	if tx.isCut(before, l) {
		return tx.putRelocation(EventRelocationStarted, relocation{Location: l.ID, Capacity: true}, tx.Now)
	}
	return nil
}

// putRelocation writes its next version; wake zero: it is finished.
func (tx *Tx) putRelocation(event string, r relocation, wake time.Time) error {
	key, state := relocationKey(r.Location), stateRelocating
	if wake.IsZero() {
		state = stateRelocated
	}
	en := tx.Put(store.Record{Key: key, CreatedAt: tx.Now, State: state, Wake: wake}, &r)
	return tx.Emit(key, en.Version, []relocationEvent{{event, r}}, nil)
}

// wakeRelocation takes a relocation that is due for this node and lets it run in the background.
func (e *Engine) wakeRelocation(tx *Tx, en *Entry) (*Reply, error) {
	r := *en.Value.(*relocation)
	at := ReferenceKey(KindLocation, r.Location)
	if err := tx.load(at); err != nil { // the directory may be behind
		return nil, err
	}
	if l := tx.Entry(at); l == nil || l.Value.(*network.Location).IsActive() != r.Capacity {
		return &Reply{}, tx.putRelocation(EventRelocationFinished, r, time.Time{})
	}
	r.Node = e.opt.Node
	r.Looks++
	if err := tx.putRelocation(EventRelocationRunning, r, tx.Now.Add(relocationLease)); err != nil {
		return nil, err
	}
	tx.After(func() { e.background(func() { e.relocate(r.Location, r.Capacity) }) })
	return &Reply{}, nil
}

// relocate moves what a closed location has not accepted, or an open one has beyond its capacity. Relocations of one node run one after the other.
func (e *Engine) relocate(location string, capacity bool) {
	e.relocating.Lock()
	defer e.relocating.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-e.stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	if !e.store.Exclusive() {
		e.follow(ctx) // another node may have changed the location
	}
	j := &joint{request: &Reoptimise{Location: location, Reason: relocationReason}, actor: relocationActor, closedOnly: true}
	renewAt := e.Now().Add(relocationLease / 2)
	j.beat = func() {
		if now := e.Now(); now.After(renewAt) {
			renewAt = now.Add(relocationLease / 2)
			e.keepRelocation(ctx, location, func(tx *Tx, r relocation) error {
				return tx.putRelocation(EventRelocationRunning, r, tx.Now.Add(relocationLease))
			})
		}
	}
	work := e.reoptimise
	if capacity {
		j.closedOnly, work = false, e.lighten
	}
	err := work(ctx, j)
	if err != nil {
		if ctx.Err() == nil {
			e.log.Warn("a location's orders could not all be moved; it is tried again", "location", location, "error", err)
		}
		return // the lease ends and somebody goes on
	}
	e.keepRelocation(ctx, location, func(tx *Tx, r relocation) error {
		r.Moved, r.Unplaced, r.Failed = r.Moved+j.out.Moved, r.Unplaced+j.out.Unplaced, j.out.Failed
		if j.out.Looked == 0 || r.Looks >= maxRelocationLooks {
			return tx.putRelocation(EventRelocationFinished, r, time.Time{})
		}
		return tx.putRelocation(EventRelocationPaused, r, tx.Now.Add(relocationPause<<(r.Looks-1)))
	})
}

// keepRelocation changes a relocation that this node still has.
func (e *Engine) keepRelocation(ctx context.Context, location string, change func(*Tx, relocation) error) {
	key := relocationKey(location)
	_, err := e.Submit(ctx, &Command{Stream: key, Actor: relocationActor, Decide: func(tx *Tx) (*Reply, error) {
		en := tx.Entry(key)
		if en == nil || en.State != stateRelocating || en.Value.(*relocation).Node != e.opt.Node {
			return &Reply{}, nil
		}
		return &Reply{}, change(tx, *en.Value.(*relocation))
	}})
	if err != nil && ctx.Err() == nil {
		e.log.Warn("could not note how far a relocation is", "location", location, "error", err)
	}
}
