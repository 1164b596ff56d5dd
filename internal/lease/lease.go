// Package lease lets one node of several own a task that only one may do at a time:
// deliver webhooks, carry payments to providers.
//
// A lease is a record. Its owner writes it anew every third of its length; another node
// takes it when the record has stayed the same for a whole length by that
// node's own clock, so clocks of nodes need not agree. Every owner gets an epoch of its own, one
// higher than the one before.
//
// What it promises: a node that was paused and replaced finds out at its next Renew, and whoever stores
// the epoch beside what the task writes can refuse it before that. MayBegin says whether
// something that takes a while may still begin.
//
// What it does not do: promise that two nodes never believe at the same moment that they own
// the task. What must not happen twice needs a guard or an idempotency key of its own.
package lease

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/store"
)

const (
	// pollInterval is the longest pause between two looks at a lease that another node has.
	pollInterval = 500 * time.Millisecond
	saveTimeout  = 30 * time.Second // of one commit
)

// ErrFenced: another node owns the task now.
var ErrFenced = errors.New("lease: another node owns the task now")

// Options say what is leased.
type Options struct {
	Key   store.Key // of the record
	State string    // of the record
	// Event is the type of the log rows that a change of owner and a renewal write.
	Event string
	Actor string // who the log names
	// Length is for how long a node that says nothing still owns the task.
	Length time.Duration
	// Longest is how long what MayBegin allows may take.
	Longest time.Duration
	Log     *slog.Logger
}

// Lease is one node's view of a lease. One goroutine acquires, renews and releases; MayBegin may be asked by any.
type Lease struct {
	engine *engine.Engine
	opt    Options
	id     string // this node's name in the record
	// validUntil is until when something may begin, on this process's clock.
	validUntil atomic.Pointer[time.Time]
}

// New makes a lease that this node does not own yet.
func New(e *engine.Engine, opt Options) *Lease {
	return &Lease{engine: e, opt: opt, id: e.NewID()}
}

// record is who owns the task. Its version tells that the owner is alive.
type record struct {
	Owner string `json:"owner"` // id of the node; empty: nobody
	Epoch int64  `json:"epoch"`
}

// Acquire waits until this node owns the task and returns its epoch; false: ctx ended. The guess that the
// owner before is dead only decides when to take over: that it cannot write any more follows from the epoch.
func (l *Lease) Acquire(ctx context.Context) (epoch int64, ok bool) {
	exclusive := l.engine.Store().Exclusive()
	seen, since := int64(-1), time.Now()
	for {
		version, free, err := l.read(ctx)
		switch {
		case err != nil:
			l.warn(ctx, "could not read the lease", err)
		case free || exclusive || version == seen && time.Since(since) >= l.opt.Length:
			start := time.Now()
			if epoch, err := l.take(ctx, version); err == nil {
				l.renewed(start)
				return epoch, true
			} else if !errors.Is(err, ErrFenced) {
				l.warn(ctx, "could not take the lease", err)
			}
		case version != seen:
			seen, since = version, time.Now()
		}
		if !Wait(ctx, min(pollInterval, l.opt.Length/3)) {
			return 0, false
		}
	}
}

func (l *Lease) warn(ctx context.Context, what string, err error) {
	if ctx.Err() == nil {
		l.opt.Log.Warn(l.opt.Actor+": "+what, "error", err)
	}
}

func (l *Lease) read(ctx context.Context) (version int64, free bool, err error) {
	records, err := l.engine.Store().Load(ctx, []store.Key{l.opt.Key})
	if err != nil || len(records) == 0 {
		return 0, true, err
	}
	var r record
	err = json.Unmarshal(records[0].Body, &r)
	return records[0].Version, r.Owner == "", err
}

// take makes this node the owner, unless the record moved since it was read.
func (l *Lease) take(ctx context.Context, version int64) (epoch int64, err error) {
	r, err := l.write(ctx, func(r *record, stored int64) error {
		if stored != version {
			return ErrFenced
		}
		r.Owner, r.Epoch = l.id, r.Epoch+1
		return nil
	})
	return r.Epoch, err
}

// write changes the record as change says, and returns it. change may run more
// than once, and still after ctx has ended: it must touch nothing but the record.
func (l *Lease) write(ctx context.Context, change func(r *record, version int64) error) (record, error) {
	ctx, cancel := context.WithTimeout(ctx, saveTimeout)
	defer cancel()
	key := l.opt.Key
	reply, err := l.engine.Submit(ctx, &engine.Command{Stream: key, Actor: l.opt.Actor, Decide: func(tx *engine.Tx) (*engine.Reply, error) {
		var r record
		version := int64(0)
		if en := tx.Entry(key); en != nil {
			var err error
			if r, err = decode(en); err != nil {
				return nil, err
			}
			version = en.Version
		}
		if err := change(&r, version); err != nil {
			return nil, err
		}
		en := tx.Put(store.Record{Key: key, State: l.opt.State, CreatedAt: tx.Now}, &r)
		return &engine.Reply{Value: r}, tx.Emit(key, en.Version, []any{struct {
			Type string `json:"type"`
			record
		}{l.opt.Event, r}}, nil)
	}})
	if err != nil {
		return record{}, err
	}
	return reply.Value.(record), nil
}

// decode reads the record, which memory holds as it was written or as it was stored.
func decode(en *engine.Entry) (r record, err error) {
	if v, ok := en.Value.(*record); ok {
		return *v, nil
	}
	return r, json.Unmarshal(en.Body, &r)
}

// renewed notes that the record was written at or after start. Something may begin while it will end before
// another node takes over.
func (l *Lease) renewed(start time.Time) {
	until := start.Add(max(l.opt.Length-l.opt.Longest, l.opt.Length/2))
	l.validUntil.Store(&until)
}

// MayBegin reports whether something that takes as long as Options.Longest may begin now.
func (l *Lease) MayBegin() bool {
	until := l.validUntil.Load()
	return until != nil && (l.engine.Store().Exclusive() || time.Now().Before(*until))
}

// Interval is how often the owner renews; 0: never, because no other process can write to the store.
func (l *Lease) Interval() time.Duration {
	if l.engine.Store().Exclusive() {
		return 0
	}
	return l.opt.Length / 3
}

// Renew tells other nodes that this one is alive. Errors: ErrFenced, and those of the engine.
func (l *Lease) Renew(ctx context.Context, epoch int64) error {
	start := time.Now()
	_, err := l.write(ctx, func(r *record, _ int64) error {
		if r.Epoch != epoch {
			return ErrFenced
		}
		return nil
	})
	if err == nil {
		l.renewed(start)
	}
	return err
}

// Release lets another node take over at once.
func (l *Lease) Release(epoch int64) {
	_, err := l.write(context.Background(), func(r *record, _ int64) error {
		if r.Epoch != epoch {
			return ErrFenced
		}
		r.Owner = ""
		return nil
	})
	if err != nil && !errors.Is(err, ErrFenced) {
		l.warn(context.Background(), "could not give the lease back; another node takes over when it has run out", err)
	}
}

// Wait waits; false when ctx ended before.
func Wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
