package sim

import (
	"context"
	"encoding/json"
	"sync/atomic"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/order"
)

const (
	// askingShare of shoppers call or write about an order that is on its way, and lateShare of those whose parcel is late.
	askingShare = .015
	lateShare   = .35
)

// careTypes are the events that customer care follows.
const careTypes = order.EventExceptionOpened

// care is the people who answer customers and look into exceptions. What they do takes their time, which the
// server is told; the orders go on without it.
type care struct {
	w      *world
	client *client

	touches atomic.Int64
}

var agents = []string{"ayse", "bernd", "chiara", "dmitri"}

// hear takes up an exception.
func (k *care) hear(e *engine.Published) {
	var event order.Event
	if json.Unmarshal(e.Data, &event) != nil || event.Exception == nil || e.Stream.Kind != engine.KindOrder {
		return // the watcher reports what cannot be read
	}
	if e.Time.Before(k.w.began) {
		return // looked into by an earlier run
	}
	k.touch(e.Stream.ID, "exception_work", event.Exception.Type, .2, 4)
}

// asked may have a customer ask about an order, some hours from now.
func (k *care) asked(o string, share float64, cause string) {
	if newChance(k.w.data.Seed, "asked", cause, o).happens(share) {
		k.touch(o, "customer_contact", cause, 4, 40)
	}
}

// touch books somebody's work about an order, between so many hours from now.
func (k *care) touch(o, action, cause string, from, to float64) {
	c := newChance(k.w.data.Seed, "care", action, cause, o)
	touch := engine.NewTouch{By: pick(c, agents), Action: action, Cause: cause, Seconds: c.whole(90, 600)}
	k.w.agenda.in(c.between(from, to), func(ctx context.Context) {
		if k.client.post(ctx, "", "/v1/orders/"+o+"/touches", &touch, nil) == nil {
			k.touches.Add(1)
		}
	})
}
