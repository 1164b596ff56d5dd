package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/orderly-oms/orderly/internal/exception"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/store"
)

const (
	// maxShortOrders bounds how many orders are looked through for one short position.
	maxShortOrders = 10_000
	// shortPage is how many of them are read at a time.
	shortPage = 500

	shortActor  = "stock"
	shortReason = "the location has fewer than were promised from it"
)

// shortfall takes from orders what a location turns out not to have: a correction, a count or goods damaged
// on receipt left it with less than was promised from it. Only as many units as are missing are
// decided again: first those nobody accepted, of the latest promises; where work has begun the location is
// asked to stop; what is picked stays. What is still missing then is an exception about the position.
//
// It is a view in memory of the positions that became short, fed by the commits of this node. After a start every
// position is looked at once, so that a crash in between loses nothing.
type shortfall struct {
	e *Engine

	mu    sync.Mutex
	fresh map[inventory.PositionKey]bool
	all   bool // every position is looked at
}

func newShortfall(e *Engine) *shortfall {
	return &shortfall{e: e, all: true, fresh: map[inventory.PositionKey]bool{}}
}

// begin has every position looked at, because memory was read anew.
func (s *shortfall) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = true
}

// lowered notes the positions of a durable batch that lost stock which nobody was given.
func (s *shortfall) lowered(changes []store.PositionChange) {
	for i := range changes {
		if c := &changes[i]; c.Delta.OnHand < 0 && c.Delta.OnHand < c.Delta.Reserved+c.Delta.Allocated && !inventory.IsCapacity(c.SKU) {
			s.mu.Lock()
			s.fresh[c.PositionKey] = true
			s.mu.Unlock()
		}
	}
}

// run decides again what short positions cannot serve.
func (s *shortfall) run(ctx context.Context) {
	s.mu.Lock()
	fresh, all := s.fresh, s.all
	if len(fresh) == 0 && !all {
		s.mu.Unlock()
		return
	}
	s.fresh, s.all = map[inventory.PositionKey]bool{}, false
	s.mu.Unlock()
	if all {
		s.e.Book().EachAll(func(p inventory.Position) bool {
			if missing(p) > 0 && !inventory.IsCapacity(p.SKU) {
				fresh[p.Key()] = true
			}
			return true
		})
	}
	keys := make([]inventory.PositionKey, 0, len(fresh))
	for k := range fresh {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b inventory.PositionKey) int {
		return cmp.Or(cmp.Compare(a.SKU, b.SKU), cmp.Compare(a.Location, b.Location))
	})
	for _, k := range keys {
		if err := s.take(ctx, k); err != nil {
			if ctx.Err() == nil {
				s.e.log.Warn("what a location lacks could not be taken from its orders; it is tried again", "location", k.Location, "sku", k.SKU, "error", err)
			}
			s.mu.Lock()
			s.fresh[k] = true
			s.mu.Unlock()
		}
	}
}

// missing is how many units were promised from a position and are not there.
func missing(p inventory.Position) int64 { return max(p.Reserved+p.Allocated-p.OnHand, 0) }

func (s *shortfall) missing(k inventory.PositionKey) int64 {
	p, _ := s.e.Book().Get(k)
	return missing(p)
}

// take takes what is missing at a position from its orders.
func (s *shortfall) take(ctx context.Context, k inventory.PositionKey) error {
	left := s.missing(k)
	if left == 0 {
		return nil
	}
	orders, err := s.orders(ctx, k)
	if err != nil {
		return err
	}
	for _, o := range orders {
		left -= o.Stopping(k.Location, k.SKU)
	}
	for _, o := range orders {
		if left <= 0 {
			return nil
		}
		taken, err := s.takeFrom(ctx, o.ID, k, left)
		if err != nil {
			return err
		}
		left -= taken
	}
	if left = min(left, s.missing(k)); left <= 0 {
		return nil
	}
	n := strconv.FormatInt(left, 10)
	_, err = s.e.RaiseException(ctx, exception.Standalone{
		ID:   ExceptionIDFor(order.ExceptionShort, k.SKU, k.Location, n, s.e.Now().UTC().Format(time.DateOnly)),
		Type: order.ExceptionShort, Location: k.Location, By: shortActor,
		Message: fmt.Sprintf("%s lacks %s of %s that are reserved or picked for orders: count it again, or free what baskets hold", k.Location, n, k.SKU),
		Data:    map[string]string{"sku": k.SKU, "units": n},
	}, Meta{Actor: shortActor})
	return err
}

// takeFrom takes up to some units from one order and places them elsewhere in the same commit.
func (s *shortfall) takeFrom(ctx context.Context, id string, k inventory.PositionKey, most int64) (taken int64, err error) {
	key := s.e.OrderKey(id)
	_, err = s.e.Submit(ctx, &Command{Stream: key, Actor: shortActor, Decide: func(tx *Tx) (*Reply, error) {
		taken = 0 // it may be decided more than once
		o, err := tx.order(key, Meta{})
		if err != nil {
			return nil, err
		}
		var events []order.Event
		events, taken = o.TakeMissing(order.Missing{Location: k.Location, SKU: k.SKU, Units: min(most, s.missing(k))}, shortReason, tx.Now)
		if len(events) == 0 {
			return &Reply{}, nil
		}
		c := tx.change(o)
		if err := c.add(events...); err != nil {
			return nil, err
		}
		if err := c.settle(); err != nil {
			return nil, err
		}
		if alone := c.now.Unplaced(); units(alone) > units(o.Unplaced()) {
			if err := c.add(c.now.Short(k.Location, alone, tx.Now)...); err != nil {
				return nil, err
			}
		}
		_, err = c.save()
		return &Reply{}, err
	}})
	return taken, err
}

// orders are those that have units of the position: first those of which nobody accepted them, of each the latest
// promise first.
func (s *shortfall) orders(ctx context.Context, k inventory.PositionKey) ([]*order.Order, error) {
	var out []*order.Order
	for _, sku := range s.sold(k.SKU) {
		for _, state := range backlogStates {
			q := store.Query{Kind: KindOrder, State: string(state), Term: "sku:" + sku, Limit: shortPage}
			for len(out) < maxShortOrders {
				records, err := s.e.store.Find(ctx, q)
				if err != nil {
					return nil, err
				}
				for _, r := range records {
					en, err := decode(r)
					if err != nil {
						return nil, err
					}
					o := en.Value.(*order.Order)
					if slices.ContainsFunc(o.Fulfillments, func(f order.Fulfillment) bool { return f.Location == k.Location }) {
						out = append(out, o)
					}
				}
				if len(records) < shortPage {
					break
				}
				q.Before = records[len(records)-1].ID
			}
		}
	}
	waits := func(o *order.Order) bool {
		return slices.ContainsFunc(o.Fulfillments, func(f order.Fulfillment) bool {
			return f.Location == k.Location && (f.Status == order.FulfillmentOpen || f.Status == order.FulfillmentHeld)
		})
	}
	due := func(o *order.Order) time.Time { return o.Promise.DeliverBy }
	slices.SortFunc(out, func(a, b *order.Order) int {
		if x, y := waits(a), waits(b); x != y {
			if x {
				return -1
			}
			return 1
		}
		return cmp.Or(due(b).Compare(due(a)), cmp.Compare(b.ID, a.ID))
	})
	return slices.CompactFunc(out, func(a, b *order.Order) bool { return a.ID == b.ID }), nil
}

// sold are the SKU and the kits it is a part of.
func (s *shortfall) sold(sku string) []string {
	out := []string{sku}
	for kit := range s.e.Catalog().All() {
		for _, part := range kit.Components {
			if part.SKU == sku {
				out = append(out, kit.SKU)
			}
		}
	}
	slices.Sort(out[1:])
	return out
}
