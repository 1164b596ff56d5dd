package engine

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/store"
)

const (
	// wakingInterval is how often what came into stock is looked at for orders that wait for it.
	wakingInterval = 50 * time.Millisecond
	// maxWakes is how many waiting orders look for stock at the same time; they share commits.
	maxWakes = 256
	// wakingPage is how many waiting orders are read at a time after the start.
	wakingPage = 1000
)

// waking lets orders that wait for stock have it as soon as it comes, the oldest promise first and no
// more of them than it serves. It is a view in memory of the orders that wait, fed by the commits of this node and,
// where there are others, their log rows; after a start they are read from the store. Nothing depends on it:
// an order that it misses looks again at its RetryAt.
type waking struct {
	e *Engine

	mu      sync.Mutex
	bySKU   map[string]map[string]*waiter // stocked SKU, order id
	byOrder map[string]*waiter
	fresh   map[string]bool // SKUs of which units came free
	unread  []store.Key     // orders of other nodes that may wait now
	state   int             // of wakingStates, that is read
	after   string
}

// wakingStates are those of orders in which units wait.
var wakingStates = []order.Status{order.StatusBackordered, order.StatusOpen}

// waiter is an order that waits for stock.
type waiter struct {
	key  store.Key
	due  time.Time
	need map[string]int64 // units by stocked SKU
}

func newWaking(e *Engine) *waking {
	w := &waking{e: e}
	w.begin()
	return w
}

// begin forgets everything and reads the waiting orders anew.
func (w *waking) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bySKU, w.byOrder, w.fresh = map[string]map[string]*waiter{}, map[string]*waiter{}, map[string]bool{}
	w.unread, w.state, w.after = nil, 0, ""
}

// waits reports that units of the order are looked for whenever there may be stock.
func waits(o *order.Order) bool {
	if o.Held(order.BlocksSourcing) || !anyUnplaced(o) {
		return false
	}
	return o.Waiting == nil || o.Waiting.Action == order.WaitBackorder || o.Waiting.Action == order.WaitPreorder
}

// changed notes what an order waits for after a command. It is called once that is durable.
func (w *waking) changed(o *order.Order) {
	wait := waits(o)
	w.mu.Lock()
	defer w.mu.Unlock()
	if was := w.byOrder[o.ID]; was != nil {
		for sku := range was.need {
			if delete(w.bySKU[sku], o.ID); len(w.bySKU[sku]) == 0 {
				delete(w.bySKU, sku)
			}
		}
		delete(w.byOrder, o.ID)
	}
	if !wait {
		return
	}
	n := &waiter{key: w.e.OrderKey(o.ID), due: o.Promise.DeliverBy, need: map[string]int64{}}
	if n.due.IsZero() {
		n.due = o.WantedBy
	}
	if n.due.IsZero() {
		n.due = o.PlacedAt
	}
	for _, q := range o.Unplaced() {
		l := o.Line(q.Line)
		eachStocked(l.SKU, l.Parts, q.Quantity, func(sku string, units int64) { n.need[sku] += units })
	}
	w.byOrder[o.ID] = n
	for sku := range n.need {
		if w.bySKU[sku] == nil {
			w.bySKU[sku] = map[string]*waiter{}
		}
		w.bySKU[sku][o.ID] = n
	}
}

// freed notes the positions of a durable batch of which more may be promised than before.
func (w *waking) freed(changes []store.PositionChange) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.bySKU) == 0 {
		return
	}
	for i := range changes {
		if c := &changes[i]; (c.Delta.Available() > 0 || c.Safety != nil) && w.bySKU[c.SKU] != nil {
			w.fresh[c.SKU] = true
		}
	}
}

// followed notes orders that began to wait at other nodes.
func (w *waking) followed(rows []store.Commit) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range rows {
		r := &rows[i]
		if r.Stream.Kind != KindOrder || r.Node == w.e.opt.Node {
			continue
		}
		if w.byOrder[r.Stream.ID] != nil || bytes.Contains(r.Events, []byte(order.EventBackordered)) {
			w.unread = append(w.unread, r.Stream)
		}
	}
}

// run reads what is to be read and serves what came into stock.
func (w *waking) run(ctx context.Context) {
	w.read(ctx)
	w.mu.Lock()
	skus := make([]string, 0, len(w.fresh))
	for sku := range w.fresh {
		skus = append(skus, sku)
	}
	clear(w.fresh)
	w.mu.Unlock()
	slices.Sort(skus)
	for _, sku := range skus {
		w.serve(ctx, sku)
	}
}

// read takes in a page of waiting orders after a start, and those that other nodes changed.
func (w *waking) read(ctx context.Context) {
	w.mu.Lock()
	keys, state, after := w.unread, w.state, w.after
	w.unread = nil
	w.mu.Unlock()
	for len(keys) > 0 && ctx.Err() == nil {
		page := keys[:min(len(keys), wakingPage)]
		keys = keys[len(page):]
		if records, err := w.e.store.Load(ctx, page); err == nil {
			w.take(records)
		}
	}
	if state == len(wakingStates) {
		return
	}
	records, err := w.e.store.Find(ctx, store.Query{
		Kind: KindOrder, State: string(wakingStates[state]), Before: after, Limit: wakingPage, Ascending: true,
	})
	if err != nil {
		return // the next look tries again
	}
	w.take(records)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.state != state || w.after != after {
		return // it was begun anew
	}
	if len(records) < wakingPage {
		w.state, w.after = state+1, ""
	} else {
		w.after = records[len(records)-1].ID
	}
}

// take notes orders as they are stored, unless a newer state is in memory.
func (w *waking) take(records []store.Record) {
	for _, r := range records {
		if en := w.e.cache.get(r.Key); en != nil && en.Version > r.Version {
			continue
		}
		if en, err := decode(r); err == nil {
			w.changed(en.Value.(*order.Order))
		}
	}
}

// serve lets as many orders look for a SKU as there is stock for, the most urgent first. Those that
// cannot have it, because it lies where they may not be sent from, leave it to those after them.
func (w *waking) serve(ctx context.Context, sku string) {
	tried := map[string]bool{}
	for ctx.Err() == nil {
		next := w.next(sku, tried)
		if len(next) == 0 {
			return
		}
		for len(next) > 0 {
			page := next[:min(len(next), maxWakes)]
			next = next[len(page):]
			var wait sync.WaitGroup
			for _, n := range page {
				tried[n.key.ID] = true
				if w.e.opt.Inline {
					w.wake(ctx, n)
					continue
				}
				wait.Go(func() { w.wake(ctx, n) })
			}
			wait.Wait()
		}
	}
}

// next are the orders that what is free of a SKU serves, without those that were tried.
func (w *waking) next(sku string, tried map[string]bool) (out []*waiter) {
	var free int64
	w.e.Book().Each(sku, func(p inventory.Position) bool {
		free += max(p.Available(), 0)
		return true
	})
	if free == 0 {
		return nil
	}
	w.mu.Lock()
	all := make([]*waiter, 0, len(w.bySKU[sku]))
	for id, n := range w.bySKU[sku] {
		if !tried[id] {
			all = append(all, n)
		}
	}
	w.mu.Unlock()
	slices.SortFunc(all, func(a, b *waiter) int { return cmp.Or(a.due.Compare(b.due), compare(a.key.ID, b.key.ID)) })
	for _, n := range all {
		if free <= 0 {
			break
		}
		out = append(out, n)
		free -= n.need[sku]
	}
	return out
}

// wake lets an order that still waits look for stock; in vain, it stays as it is.
func (w *waking) wake(ctx context.Context, n *waiter) {
	_, err := w.e.Submit(ctx, &Command{Stream: n.key, Actor: "stock", Decide: func(tx *Tx) (*Reply, error) {
		en := tx.Entry(n.key)
		if en == nil || !waits(en.Value.(*order.Order)) {
			return &Reply{}, nil
		}
		o := en.Value.(*order.Order)
		c := tx.change(o)
		if err := c.place(); err != nil {
			return nil, err
		}
		if units(c.now.Unplaced()) == units(o.Unplaced()) {
			return &Reply{}, nil
		}
		_, err := c.save()
		return &Reply{}, err
	}})
	if err != nil && ctx.Err() == nil {
		w.e.log.Warn("an order could not have stock that came in; it looks again at its time", "order", n.key.ID, "error", err)
	}
}
