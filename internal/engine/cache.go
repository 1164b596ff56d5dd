package engine

import (
	"context"
	"sync"

	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/store"
)

// Entry is a record with its decoded value. Entries and values are never
// changed once made; a new version is a new entry.
type Entry struct {
	store.Record
	// Value is the decoded body: *order.Order, *inventory.Reservation, …
	Value any
}

// cache keeps recently used entries. It has two generations: when the young one
// is full it becomes the old one and the old one is dropped, so it is bounded
// and what is in use survives.
type cache struct {
	mu         sync.Mutex
	young, old map[store.Key]*Entry
	max        int // entries per generation
}

func newCache(size int) *cache {
	c := &cache{max: size / 2}
	c.clear()
	return c
}

func (c *cache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.young, c.old = map[store.Key]*Entry{}, nil
}

func (c *cache) get(k store.Key) *Entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	if en, ok := c.young[k]; ok {
		return en
	}
	en, ok := c.old[k]
	if ok {
		c.add(en)
	}
	return en
}

// put keeps the entry unless a newer version is there.
func (c *cache) put(en *Entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, g := range []map[store.Key]*Entry{c.young, c.old} {
		if has, ok := g[en.Key]; ok && has.Version >= en.Version {
			return
		}
	}
	c.add(en)
}

func (c *cache) add(en *Entry) {
	if len(c.young) >= c.max {
		c.young, c.old = make(map[store.Key]*Entry, c.max/4), c.young
	}
	c.young[en.Key] = en
}

func (c *cache) drop(k store.Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.young, k)
	delete(c.old, k)
}

// peek is get for those who read behind the others: it does not keep an entry in use.
func (c *cache) peek(k store.Key) *Entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	if en, ok := c.young[k]; ok {
		return en
	}
	return c.old[k]
}

// Durable returns a record as it is stored, ErrNotFound when there is none. Memory only has what is
// durable, and of a store that no other node writes to it has the latest.
func (e *Engine) Durable(ctx context.Context, k store.Key) (*store.Record, error) {
	if en := e.own(k); en != nil {
		return &en.Record, nil
	}
	records, err := e.store.Load(ctx, []store.Key{k})
	if err != nil {
		return nil, err
	}
	if len(records) == 0 {
		return nil, ErrNotFound
	}
	return &records[0], nil
}

// stored reads a record from the store, whatever memory has of it. Errors: ErrNotFound, those of the store.
func (e *Engine) stored(ctx context.Context, k store.Key) (*Entry, error) {
	records, err := e.store.Load(ctx, []store.Key{k})
	if err != nil {
		return nil, err
	}
	if len(records) == 0 {
		return nil, ErrNotFound
	}
	return decode(records[0])
}

// own is what memory has of a record when no other node can have written it; else nil.
func (e *Engine) own(k store.Key) *Entry {
	if !e.store.Exclusive() {
		return nil
	}
	return e.cache.get(k)
}

// ReadOrder returns an order as it is stored. Errors: ErrNotFound, those of the store.
func (e *Engine) ReadOrder(ctx context.Context, id string) (*order.Order, error) {
	k := e.OrderKey(id)
	if en := e.own(k); en != nil {
		return en.Value.(*order.Order), nil
	}
	r, err := e.Durable(ctx, k)
	if err != nil {
		return nil, err
	}
	en, err := decode(*r)
	if err != nil {
		return nil, err
	}
	return en.Value.(*order.Order), nil
}
