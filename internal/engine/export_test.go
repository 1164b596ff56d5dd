package engine

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/promise"
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

// CaptureAt takes an order whose units all go to one location, if its capacity admits them or
// beyond says that they go there all the same; else it is refused with CodeOutOfStock.
func (e *Engine) CaptureAt(ctx context.Context, n *order.New, location string, beyond bool) (*Reply, error) {
	if err := n.Validate(); err != nil {
		return nil, err
	}
	n.Currency, n.Method = "EUR", order.Ship
	id := e.idWithHash(hashByte(n.Channel, n.ExternalID))
	c := &Command{Stream: e.OrderKey(id), Actor: "test", Unique: &Unique{Kind: KindOrder, Channel: n.Channel, ExternalID: n.ExternalID}}
	c.Decide = func(tx *Tx) (*Reply, error) {
		start := n.Capture(order.Captured{ID: id, At: tx.Now, Fingerprint: n.Fingerprint(), Parts: e.Parts})
		o, err := order.Fold(nil, []order.Event{start}, 1, tx.Now)
		if err != nil {
			return nil, err
		}
		l, _ := e.Directory().Location(location)
		lines := o.Unplaced()
		orders, units, value := e.capacityLeft(tx.Book(), l, tx.Now)
		for m, left := range map[order.Measure]int64{order.MeasureOrders: orders, order.MeasureUnits: units, order.MeasureValue: value} {
			if left >= 0 && left < o.Load(m, lines) && !beyond {
				return nil, &order.Refusal{Code: CodeOutOfStock, Message: "no capacity left"}
			}
		}
		uses, err := tx.useCapacity(l, o, lines, beyond)
		if err != nil {
			return nil, err
		}
		events, err := o.Place(order.Plan{Placements: []order.Placement{{Location: location, Lines: lines, Capacity: uses}}}, tx.Now)
		if err != nil {
			return nil, err
		}
		o, err = tx.saveOrder(nil, append([]order.Event{start}, events...))
		return &Reply{Value: o}, err
	}
	return e.Submit(ctx, c)
}

// CapacityLeft is what a location's capacity admits now.
func (e *Engine) CapacityLeft(location string) (orders, units, value int64) {
	l, _ := e.Directory().Location(location)
	return e.capacityLeft(e.Book(), l, e.Now())
}

// Sweep runs one sweep.
func (e *Engine) Sweep(ctx context.Context) { e.sweep(ctx) }

// Follow reads what other nodes wrote.
func (e *Engine) Follow(ctx context.Context) { e.follow(ctx) }

// QuickAnew is Quick with nothing remembered.
func (e *Engine) QuickAnew(r QuickRequest) (*QuickAnswer, error) {
	return e.quick(r, func(e *Engine, k boardKey, s *shop, now time.Time) *promise.Board {
		fresh := e.newShop(s.directory, must(s.directory.Channel(k.channel)), e.Book())
		return makeBoard(k, fresh, e.lore().delays(), e.queues.Load(), promise.NewCalendar(), now)
	})
}

func must[T any](v T, ok bool) T {
	if !ok {
		panic("engine: not there")
	}
	return v
}

// BoardRows is how many rows of boards are remembered.
func (e *Engine) BoardRows() (rows int) {
	e.boards.mu.Lock()
	defer e.boards.mu.Unlock()
	for _, generation := range []map[boardKey]*knownBoard{e.boards.young, e.boards.old} {
		for _, b := range generation {
			rows += len(b.board.Rows())
		}
	}
	return rows
}

// ReadOpenPromises reads open orders into the ledger until all are there.
func (e *Engine) ReadOpenPromises(ctx context.Context) {
	for !e.PromiseLedger(ctx).Loaded {
		e.promised.readPage(ctx)
	}
}

// MaxBoardRows bounds the remembered boards twice.
const MaxBoardRows = maxBoardRows

// Change decides about an order by its state alone.
func (e *Engine) Change(ctx context.Context, id string, m Meta, decide func(o *order.Order) ([]order.Event, error)) (*Reply, error) {
	return e.changeOrder(ctx, id, m, func(_ *Tx, o *order.Order) ([]order.Event, error) { return decide(o) })
}

// ReadExceptions reads the queue of exceptions from the store.
func (e *Engine) ReadExceptions(ctx context.Context) {
	for loaded := false; !loaded; loaded, _ = e.exceptions.status() {
		e.exceptions.readPage(ctx)
	}
}
