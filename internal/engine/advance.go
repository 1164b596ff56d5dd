package engine

import (
	"github.com/orderly-oms/orderly/internal/order"
)

// react lets the flows of the order, its fulfillments and its returns react to the events they have not seen.
func (c *change) react() error {
	c.reacted = len(c.events)
	return nil
}

// wakeOrder does what the time has come for: what waited too long is cancelled, holds end, stop
// requests that nobody answered and timers of flows fire, and stock is looked for.
func (e *Engine) wakeOrder(tx *Tx, en *Entry) (*Reply, error) {
	o := en.Value.(*order.Order)
	c := tx.change(o)
	if err := c.add(o.Overdue(tx.Now)...); err != nil {
		return nil, err
	}
	for range order.MaxHolds {
		events, err := c.now.ExpireHolds(tx.Now)
		if err != nil {
			return nil, err
		}
		if len(events) == 0 {
			break
		}
		if err := c.add(events...); err != nil {
			return nil, err
		}
	}
	if err := c.wakeStock(); err != nil {
		return nil, err
	}
	_, err := c.save()
	return &Reply{}, err
}

// wakeStock looks for units that wait once their time has come. While a hold keeps them from being
// sourced, the next look is put off.
func (c *change) wakeStock() error {
	o := c.now
	if o.RetryAt.IsZero() || o.RetryAt.After(c.tx.Now) || !anyUnplaced(o) {
		return nil
	}
	if o.Held(order.BlocksSourcing) {
		return c.add(order.Event{Type: order.EventRetryScheduled, At: c.tx.e.retryAt(o, o.Unplaced(), c.tx.Now)})
	}
	return c.place()
}
