package dst

import (
	"fmt"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/policy"
)

// sourcingPolicies are what the retailer tries one after the other.
var sourcingPolicies = []string{`
kind: sourcing
name: main
sourcing:
  change_cost: 100
  max_moves: 3
  groups:
    - name: cheapest
      cost:
        - term: carrier
        - term: split
          value: "120"
      limits:
        max_shipments: 2
  otherwise:
    action: backorder
    cancel_after_hours: 200
`, `
kind: sourcing
name: main
sourcing:
  groups:
    - name: whole
      cost:
        - term: distance
          value: "2"
      limits:
        max_shipments: 1
  otherwise:
    action: hold
    queue: desk
    partial: false
`, `
kind: sourcing
name: main
sourcing:
  groups:
    - name: anywhere
      cost:
        - term: carrier
      limits:
        ignore_capacity: true
  otherwise:
    action: exception
    queue: desk
    cancel_after_hours: 48
`, `
kind: sourcing
name: main
sourcing:
  groups:
    - name: parts
      cost:
        - term: carrier
      limits:
        kits: component
      transfers: true
  otherwise:
    action: cancel
`}

// publish saves a policy and puts it in force.
func (w *World) publish(e *engine.Engine, text string) {
	meta := engine.Meta{Actor: "retailer"}
	if _, err := e.SavePolicy(ctx, policy.KindSourcing, "main", text, "", meta); err != nil {
		fail(0, "the retailer can be loaded", "%v", err)
	}
	if _, err := e.PublishPolicy(ctx, policy.KindSourcing, "main", engine.Publish{}, meta); err != nil {
		fail(0, "the retailer can be loaded", "%v", err)
	}
}

// operators change the retailer and look after orders while they are under way.
func (w *World) operators() {
	span := time.Duration(w.opt.Orders+1) * 25 * time.Minute
	for range w.opt.Orders/5 + 2 {
		at := w.now.Add(w.between(0, span))
		switch w.r.IntN(10) {
		case 0:
			w.at(at, w.newPolicy)
		case 1:
			w.at(at, func() { w.close(choose(w, w.retailer.locations...)) })
		case 2:
			w.at(at, w.setSafety)
		case 3:
			w.at(at, w.reoptimise)
		case 4:
			w.at(at, w.capacity)
		case 5:
			w.at(at, w.bulk)
		case 8:
			w.at(at, w.experiment)
		case 6, 7:
			r := choose(w, w.rules...)
			w.at(at, func() { w.enact(r) })
		default:
			w.at(at, w.releaseWaiting)
		}
	}
}

// newPolicy publishes another policy in the middle of the run, now and then for later.
func (w *World) newPolicy() {
	text := choose(w, sourcingPolicies...)
	m := &message{name: "save-policy", do: func(e *engine.Engine, m engine.Meta) (*engine.Reply, error) {
		return e.SavePolicy(ctx, policy.KindSourcing, "main", text, "", m)
	}}
	m.settled = func(_ *engine.Reply, err error) {
		p := engine.Publish{}
		if w.chance(.3) {
			p.At = w.now.Add(w.between(time.Minute, 10*time.Hour))
		}
		w.send(0, &message{name: "publish-policy", do: func(e *engine.Engine, m engine.Meta) (*engine.Reply, error) {
			return e.PublishPolicy(ctx, policy.KindSourcing, "main", p, m)
		}})
	}
	w.send(0, m)
}

// put replaces a location.
func (w *World) put(name string, l network.Location) {
	w.send(0, &message{name: name + " " + l.ID, do: func(e *engine.Engine, m engine.Meta) (*engine.Reply, error) {
		return e.PutDocuments(ctx, []engine.Document{{Kind: engine.KindLocation, ID: l.ID, Value: &l}}, m)
	}})
}

// close shuts a location for some hours.
func (w *World) close(l network.Location) {
	shut := l
	shut.Status, shut.SuspendedReason = network.Suspended, "water damage"
	w.put("close", shut)
	w.in(w.between(time.Hour, 30*time.Hour), func() { w.put("reopen", l) })
}

// capacity cuts what a location can do.
func (w *World) capacity() {
	i := w.r.IntN(len(w.retailer.locations))
	l := w.retailer.locations[i]
	l.Capacity.OrdersPerDay = new(w.whole(0, 6))
	w.retailer.locations[i] = l
	w.put("capacity", l)
}

func (w *World) setSafety() {
	items := []engine.SafetyItem{{SKU: w.anySKU(), Location: w.anyRoom().id, Quantity: w.whole(0, 3)}}
	w.send(0, &message{name: "safety " + items[0].SKU, do: func(e *engine.Engine, m engine.Meta) (*engine.Reply, error) { return e.SetSafety(ctx, items, m) }})
}

// reoptimise decides the backlog again, on a node of its own.
func (w *World) reoptimise() {
	n := w.some()
	if n == nil {
		return
	}
	var err error
	alive := n.on(func(e *engine.Engine) {
		_, err = e.Reoptimise(ctx, &engine.Reoptimise{}, engine.Meta{Actor: "operator"})
	})
	w.say("%s: reoptimise -> %v", n.name, err)
	if alive && err == nil {
		w.cover.hit(operations, "reoptimise")
	}
}

// releaseWaiting lets units in a queue look for stock again.
func (w *World) releaseWaiting() {
	for _, id := range w.watch.sequence {
		if o := w.watch.orders[id].now; !o.Status.Final() && o.Waiting != nil {
			w.release(o)
			return
		}
	}
}

func (w *World) release(o *order.Order) {
	id := o.ID
	w.send(0, &message{name: "release " + id, do: func(e *engine.Engine, m engine.Meta) (*engine.Reply, error) { return e.Release(ctx, id, m) }})
}

// desk is what people do when everything else is over: they release, give up, and look after what is left.
func (w *World) desk(o *order.Order, day int) {
	if len(o.Holds) > 0 {
		if day >= w.weather.patience {
			w.releaseHolds(o)
		}
		return
	}
	if len(o.Unplaced()) == 0 {
		return
	}
	if day < w.weather.giveUp {
		w.release(o)
		return
	}
	id := o.ID
	c := order.Cancellation{Lines: o.Unplaced(), Reason: fmt.Sprintf("nothing came in %d days", day)}
	w.send(0, &message{name: "give-up " + id, do: func(e *engine.Engine, m engine.Meta) (*engine.Reply, error) { return e.Cancel(ctx, id, c, m) }})
}
