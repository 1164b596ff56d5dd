package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/promise"
)

const (
	// risksInterval is how often promises that came at risk are looked at.
	risksInterval = time.Second

	riskReason = "its promise is at risk there"
)

// risks acts on promises at risk where the promise policy says so (on_risk): once for each, before it is broken. Which ones
// it acted on is in memory: after a start those still at risk are looked at again, and an exception that is open is not opened twice.
type risks struct {
	e     *Engine
	mu    sync.Mutex
	acted map[string]bool // fulfillments
}

func (r *risks) run(ctx context.Context) {
	e := r.e
	if !slices.ContainsFunc(e.Policies().InForce(policy.KindPromise, e.Now()), func(x policy.Published) bool { return x.Compiled.Promise.OnRisk != policy.RiskShow }) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := map[string]bool{}
	for _, p := range e.PromisesAtRisk(ctx, 0, "", maxRisks).Items {
		if now[p.ID] = true; r.acted[p.ID] || !p.DeliverBy.After(e.Now()) {
			continue
		}
		err := r.act(ctx, &p)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			now[p.ID] = false // the next look tries again
			e.log.Warn("a promise at risk could not be acted on; it is tried again", "fulfillment", p.ID, "error", err)
		}
	}
	r.acted = now
}

// act gives the units to a location that keeps the promise, if the policy says so and there is one; else it asks a person.
func (r *risks) act(ctx context.Context, p *promise.Risk) error {
	e := r.e
	command := func(decide func(tx *Tx, o *order.Order, f *order.Fulfillment) error) error {
		key := e.OrderKey(p.Order)
		_, err := e.Submit(ctx, &Command{Stream: key, Actor: order.ByPromises, Decide: func(tx *Tx) (*Reply, error) {
			o, err := tx.order(key, Meta{})
			if err != nil {
				return nil, err
			}
			f := o.Fulfillment(p.ID)
			if f == nil || !f.Promise.DeliverBy.Equal(p.DeliverBy) {
				return &Reply{}, nil
			}
			return &Reply{}, decide(tx, o, f)
		}})
		return err
	}
	switch e.promiseRules(&policy.Order{Channel: p.Channel}, e.Now()).policy.OnRisk {
	case policy.RiskRedecide:
		if err := command((*Tx).rescue); !errors.Is(err, errStays) {
			return err
		}
	case policy.RiskException:
	default:
		return nil
	}
	return command(func(tx *Tx, o *order.Order, f *order.Fulfillment) error {
		_, err := tx.saveOrder(o, o.AtRisk(f, p.Probability, tx.Now))
		return err
	})
}

// rescue gives a fulfillment that nobody accepted to other locations. Returns errStays when they would not keep its promise.
func (tx *Tx) rescue(o *order.Order, f *order.Fulfillment) error {
	if f.Status != order.FulfillmentOpen {
		return errStays
	}
	events, err := o.Resource(f.ID, riskReason, true, tx.Now)
	if err != nil {
		return fmt.Errorf("%w: %w", errStays, err)
	}
	c := tx.change(o)
	if err := c.add(events...); err != nil {
		return err
	}
	if _, err := c.save(); err != nil {
		return err
	}
	if units(c.now.Unplaced()) > units(o.Unplaced()) {
		return errStays
	}
	for i := len(o.Fulfillments); i < len(c.now.Fulfillments); i++ {
		if by := c.now.Fulfillments[i].Promise.DeliverBy; by.IsZero() || by.After(f.Promise.DeliverBy) {
			return errStays
		}
	}
	return nil
}
