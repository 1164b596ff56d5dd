package engine

import (
	"context"
	"errors"
	"net/http"

	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/plant"
)

// Step carries a fulfillment one step on. The reply's value is the order; Repeated when the
// step's effect was there already and nothing changed. A report about units that were taken back
// meanwhile is refused with order.CodeLate, once the exception about it is durable.
func (e *Engine) Step(ctx context.Context, fulfillmentID string, s order.Step, m Meta) (*Reply, error) {
	id := OrderOfFulfillment(fulfillmentID)
	reply, err := e.step(ctx, id, fulfillmentID, s, m)
	var refused *order.Refusal
	if errors.As(err, &refused) && refused.Code == order.CodeLate {
		if plant.On(plant.LateSwallowed) {
			return &Reply{Status: http.StatusOK}, nil
		}
		// The refusal is only given when somebody will know of it: else the sender tries again.
		if _, failed := e.changeOrder(ctx, id, Meta{Actor: m.Actor}, func(tx *Tx, o *order.Order) ([]order.Event, error) {
			return o.Late(fulfillmentID, s, tx.Now), nil
		}); failed != nil {
			return nil, failed
		}
	}
	return reply, err
}

func (e *Engine) step(ctx context.Context, id, fulfillmentID string, s order.Step, m Meta) (*Reply, error) {
	key := e.OrderKey(id)
	return e.Submit(ctx, &Command{Stream: key, Actor: m.Actor, Key: m.Key, Manual: m.Manual, Decide: func(tx *Tx) (*Reply, error) {
		o, err := tx.order(key, m)
		if err != nil {
			return nil, err
		}
		s.At = tx.Now
		events, err := o.Decide(fulfillmentID, s)
		if err != nil {
			return nil, err
		}
		if len(events) == 0 {
			reply := tx.okReply(o)
			reply.Repeated = true
			return reply, nil
		}
		c := tx.change(o)
		if err := c.add(events...); err != nil {
			return nil, err
		}
		if s.Command == "handover" && o.Payment != nil {
			cash, err := c.now.CashAtHandover(m.who(), tx.Now)
			if err != nil {
				return nil, err
			}
			if err := c.add(cash...); err != nil {
				return nil, err
			}
		}
		next, err := c.save()
		if err != nil {
			return nil, err
		}
		return tx.okReply(next), nil
	}})
}
