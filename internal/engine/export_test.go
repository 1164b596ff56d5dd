package engine

import (
	"context"
	"runtime"
	"slices"
	"strings"

	"github.com/orderly-oms/orderly/internal/store"
)

// AwaitReload waits until a reload that has begun, if any, is over.
func (e *Engine) AwaitReload() {
	for e.reloading.Load() > 0 {
		e.trust.RLock()
		runtime.Gosched()
		e.trust.RUnlock()
	}
}

// RunLanes starts deciding without timers and follower, for tests that fire those themselves.
func (e *Engine) RunLanes() {
	for _, l := range e.lanes {
		e.workers.Go(l.run)
	}
}

// FireTimersInOrder is FireTimers one record at a time, by time and id, so that
// stores with different buckets wake records in the same order.
func (e *Engine) FireTimersInOrder(ctx context.Context) {
	var due []store.Key
	for bucket := range e.lanes {
		keys, err := e.store.Due(ctx, bucket, e.Now(), duePage)
		if err != nil {
			panic(err)
		}
		due = append(due, keys...)
	}
	slices.SortFunc(due, func(a, b store.Key) int { return strings.Compare(a.ID, b.ID) })
	for _, k := range due {
		if _, err := e.Submit(ctx, e.wakeCommand(k)); err != nil {
			panic(err)
		}
	}
}
