package dst

import (
	"encoding/json"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/promise"
)

// ask is a shopper who wants to know when it can be there, and has an option confirmed.
func (w *World) ask(n *order.New) {
	q := &engine.PromiseRequest{Channel: n.Channel, Destination: n.ShipTo}
	for _, l := range n.Lines {
		q.Items = append(q.Items, engine.PromiseItem{SKU: l.SKU, Quantity: l.Quantity, UnitPrice: new(l.UnitPrice)})
	}
	if n.Method == order.Pickup {
		q.Locations = []string{n.PickupLocation}
	}
	node := w.some()
	if node == nil {
		w.buy(n)
		return
	}
	var shown *engine.Promises
	var err error
	alive := node.on(func(e *engine.Engine) { shown, err = e.Promises(q) })
	w.say("%s: ask %s", node.name, n.ExternalID)
	if !alive || err != nil || len(shown.Options) == 0 {
		w.buy(n)
		return
	}
	w.cover.hit(operations, "ask")
	o := shown.Options[w.r.IntN(len(shown.Options))]
	w.confirm(n, q, &o)
}

func (w *World) confirm(n *order.New, q *engine.PromiseRequest, o *promise.Option) {
	c := &engine.Confirmation{PromiseRequest: *q, Option: o.ID, TTLSeconds: w.whole(60, 7200), DeliverBy: o.DeliverBy}
	m := &message{name: "confirm " + n.ExternalID, do: func(e *engine.Engine, m engine.Meta) (*engine.Reply, error) {
		again := *c
		return e.Confirm(ctx, &again, m)
	}}
	m.settled = func(reply *engine.Reply, err error) {
		if err != nil {
			w.buy(n)
			return
		}
		var r inventory.Reservation
		if json.Unmarshal(reply.Body, &r) == nil && r.Offer != nil {
			n.Method, n.PickupLocation, n.Service = order.Method(r.Offer.Method), r.Offer.PickupLocation, r.Offer.Service
			if n.Method == order.Pickup {
				n.ShipTo = nil
			}
		}
		n.ReservationID = reservationID(reply)
		w.in(w.between(0, 90*time.Minute), func() { w.buy(n) })
	}
	w.send(w.between(0, 10*time.Minute), m)
}

// reservationID is that of an answer, whether it is the first one or a remembered one.
func reservationID(reply *engine.Reply) string {
	if r, ok := reply.Value.(*inventory.Reservation); ok {
		return r.ID
	}
	var r inventory.Reservation
	if err := json.Unmarshal(reply.Body, &r); err != nil {
		fail(38, "remembered answers are whole", "%.200s: %v", reply.Body, err)
	}
	return r.ID
}
