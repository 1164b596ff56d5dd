package engine

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/jsonenc"
	"github.com/orderly-oms/orderly/internal/plant"
	"github.com/orderly-oms/orderly/internal/store"
)

const followPage = 500 // log rows per read

// follower is this node's place in the log: everything at or below it is in memory.
type follower struct {
	mu   sync.Mutex // held while rows are applied, so that they are applied in order
	seqs []int64    // by bucket
	// current is when memory was last known to hold everything in the log, in unix nanoseconds.
	current atomic.Int64
}

func (f *follower) reset(heads []int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seqs = slices.Clone(heads)
}

// wrote moves the place past rows this node just wrote, when nothing of another
// node lies between; otherwise the next sync reads over them.
func (f *follower) wrote(commits []store.Commit) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range commits {
		if b := commits[i].Stream.Bucket; commits[i].Seq == f.seqs[b]+1 || plant.On(plant.CursorSkips) {
			f.seqs[b] = commits[i].Seq
		}
	}
}

// follow is sync for the ticker.
func (e *Engine) follow(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	e.trust.RLock()
	defer e.trust.RUnlock()
	if err := e.sync(ctx); err != nil && ctx.Err() == nil {
		e.log.Warn("could not follow the log", "error", err)
	}
}

// sync reads what other nodes wrote, up to the heads of the log, into memory.
func (e *Engine) sync(ctx context.Context) error {
	start := e.Now()
	heads, err := e.store.Heads(ctx)
	if err != nil {
		return err
	}
	f := &e.follower
	f.mu.Lock()
	defer f.mu.Unlock()
	seen := false
	for bucket, head := range heads {
		for f.seqs[bucket] < head {
			rows, err := e.store.Log(ctx, bucket, f.seqs[bucket], followPage)
			if err != nil {
				return err
			}
			if len(rows) == 0 {
				break
			}
			if err := e.absorb(ctx, rows); err != nil {
				return err
			}
			f.seqs[bucket] = rows[len(rows)-1].Seq
			seen = true
		}
	}
	f.current.Store(start.UnixNano())
	if seen {
		e.announce()
	}
	return nil
}

// Lag is how far memory may trail what other nodes wrote; 0 where none can.
func (e *Engine) Lag() time.Duration {
	if e.store.Exclusive() {
		return 0
	}
	return e.Now().Sub(time.Unix(0, e.follower.current.Load()))
}

// absorb applies log rows of other nodes to memory. Nothing is applied when it
// fails, so that the same rows can be read again.
func (e *Engine) absorb(ctx context.Context, rows []store.Commit) error {
	var changed []store.Key
	var marks []markEvent
	for i := range rows {
		r := &rows[i]
		if r.Node == e.opt.Node {
			continue
		}
		if slices.Contains(referenceKinds, r.Stream.Kind) {
			changed = append(changed, r.Stream)
		}
		if r.Stream.Kind == KindStock {
			var events []markEvent
			if err := jsonenc.Unmarshal(r.Events, &events); err != nil {
				return err
			}
			marks = append(marks, events...)
		}
	}
	records, err := e.store.Load(ctx, changed)
	if err != nil {
		return err
	}
	e.decide.Lock()
	defer e.decide.Unlock()
	book := e.book.Load()
	for i := range rows {
		r := &rows[i]
		if r.Node == e.opt.Node {
			continue
		}
		for _, m := range r.Movements {
			k, d := inventory.PositionKey{SKU: m.SKU, Location: m.Location}, m.Delta()
			book.Apply(k, d)
			if d.OnHand != 0 {
				book.SetChanged(k, r.Time)
			}
		}
		e.cache.drop(r.Stream)
	}
	for _, m := range marks {
		m.apply(book)
	}
	e.promised.followed(rows)
	e.waking.followed(rows)
	e.exceptions.followed(rows)
	return e.absorbReference(records)
}
