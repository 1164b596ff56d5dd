package dst

import (
	"fmt"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
)

// shoppers come one after the other, some at the same moment.
func (w *World) shoppers() {
	at := w.now
	for i := range w.opt.Orders {
		if w.chance(.8) {
			at = at.Add(w.between(0, 40*time.Minute))
		}
		w.at(at, func() { w.visit(i) })
	}
}

// shopping is when the last one has come.
func (w *World) shopping() (last time.Time) {
	for _, t := range w.agenda {
		if t.at.After(last) && t.at.Before(w.now.Add(time.Duration(w.opt.Orders+1)*40*time.Minute)) {
			last = t.at
		}
	}
	return last
}

// visit is one shopper: some hold a basket first, some ask for a promise.
func (w *World) visit(i int) {
	n := w.basket(fmt.Sprintf("x%d", i))
	switch {
	case n.Channel == marketChannel:
		w.buy(n)
	case w.chance(.2):
		w.reserve(n)
	case w.chance(.2):
		w.ask(n)
	default:
		w.buy(n)
	}
}

// basket is what a shopper wants.
func (w *World) basket(external string) *order.New {
	n := &order.New{
		Channel: webChannel, ExternalID: external, Customer: order.Customer{ID: fmt.Sprintf("c%d", w.whole(1, 20)), Name: "Ada Lovelace"},
		ShipTo: &network.Address{
			Name: "Ada Lovelace", Line1: "Hauptstr. 1", City: "Town", PostalCode: fmt.Sprintf("%d", w.whole(10000, 99999)), Country: "DE",
			Latitude: new(49 + float64(w.whole(0, 400))/100), Longitude: new(9 + float64(w.whole(0, 300))/100),
		},
	}
	switch {
	case w.chance(.2):
		n.Channel, n.Method, n.ShipTo = pickupChannel, order.Pickup, nil
		n.PickupLocation = w.retailer.locations[w.whole(1, int64(len(w.retailer.locations)-1))].ID
	case w.chance(.15):
		n.Channel = marketChannel
	}
	seen := map[string]bool{}
	for range w.whole(1, 4) {
		s := choose(w, w.retailer.skus...).SKU
		if seen[s] {
			continue
		}
		seen[s] = true
		l := order.NewLine{SKU: s, Quantity: w.whole(1, 3), UnitPrice: w.whole(1, 9999)}
		if w.chance(.3) {
			l.Discount = w.whole(0, l.UnitPrice*l.Quantity)
		}
		if w.chance(.5) {
			l.Tax = w.whole(0, 999)
		}
		n.Lines = append(n.Lines, l)
	}
	if w.chance(.4) {
		n.Shipping = w.whole(0, 999)
	}
	switch {
	case n.Method == order.Pickup && w.chance(.4):
		n.Attributes = map[string]string{"handover": "curbside"}
	case w.chance(.15):
		n.Attributes = map[string]string{"customer_type": "business", "terms": "account"}
		n.Lines[0].UnitPrice *= choose(w, 1, 1, int64(1000))
	case w.chance(.1):
		n.Attributes = map[string]string{"customer_orders": "0"}
		n.Lines[0].UnitPrice *= 20
	}
	w.tender(n)
	return n
}

// buy places the order.
func (w *World) buy(n *order.New) {
	m := &message{name: "capture " + n.ExternalID, do: func(e *engine.Engine, m engine.Meta) (*engine.Reply, error) {
		c := *n
		return e.Capture(ctx, &c, m)
	}}
	m.settled = func(r *engine.Reply, err error) {
		if err == nil {
			w.bought(n, r.Value, r.Body)
		}
	}
	w.send(0, m)
}

// bought is a shopper with an order, who may think again.
func (w *World) bought(n *order.New, value any, body []byte) {
	id := w.watch.external[n.Channel+"\x00"+n.ExternalID]
	if id == "" {
		fail(16, "an acknowledged order exists", "order %q of channel %s was acknowledged and is not in the log", n.ExternalID, n.Channel)
	}
	if w.chance(.08) {
		w.in(w.between(0, 24*time.Hour), func() { w.buyAgain(n, id, false) })
	}
	if w.chance(.05) {
		w.in(w.between(0, 24*time.Hour), func() { w.buyAgain(n, id, true) })
	}
	w.serve(id)
	for range choose(w, 0, 0, 0, 0, 0, 1, 1, 2) {
		w.in(w.between(0, 30*time.Hour), func() { w.cancel(id) })
	}
}

// buyAgain sends an order a second time under another idempotency key, the same or with other content.
func (w *World) buyAgain(n *order.New, id string, other bool) {
	c := *n
	if other {
		c.Note = "changed"
	}
	m := &message{name: "capture-again " + n.ExternalID, do: func(e *engine.Engine, m engine.Meta) (*engine.Reply, error) {
		again := c
		return e.Capture(ctx, &again, m)
	}}
	m.settled = func(r *engine.Reply, err error) {
		switch {
		case other && err == nil:
			fail(16, "an order exists once", "order %q was taken with other content", n.ExternalID)
		case err != nil || other:
		case !r.Repeated:
			fail(16, "an order exists once", "order %q was taken again", n.ExternalID)
		}
	}
	w.send(0, m)
}

// cancel takes back an order, whole or some units, now and then guarded by a version that may be old.
func (w *World) cancel(id string) {
	t := w.watch.orders[id]
	o := t.now
	if t.before != nil && w.chance(.3) {
		o = t.before
	}
	c := order.Cancellation{Reason: "changed my mind"}
	if w.chance(.5) {
		l := choose(w, o.Lines...)
		c.Lines = []order.LineQuantity{{Line: l.ID, Quantity: w.whole(1, l.Quantity)}}
	}
	m := &message{name: "cancel " + id, do: func(e *engine.Engine, m engine.Meta) (*engine.Reply, error) { return e.Cancel(ctx, id, c, m) }}
	if w.chance(.5) {
		m.ifVersion = o.Version
	}
	w.send(0, m)
}

// reserve holds the basket, and then buys, waits longer, gives it back or forgets it.
func (w *World) reserve(n *order.New) {
	r := &inventory.NewReservation{Channel: n.Channel, TTLSeconds: w.whole(60, 7200), Partial: w.chance(.3)}
	for _, l := range n.Lines {
		r.Lines = append(r.Lines, inventory.NewReservationLine{SKU: l.SKU, Quantity: l.Quantity})
	}
	m := &message{name: "reserve " + n.ExternalID, do: func(e *engine.Engine, m engine.Meta) (*engine.Reply, error) { return e.Reserve(ctx, r, m) }}
	m.settled = func(reply *engine.Reply, err error) {
		if err != nil {
			w.buy(n)
			return
		}
		w.held(n, reservationID(reply))
	}
	w.send(0, m)
}

// held is a shopper whose basket is held.
func (w *World) held(n *order.New, id string) {
	n.ReservationID = id
	if w.chance(.2) {
		w.in(w.between(0, time.Hour), func() {
			w.send(0, &message{name: "extend " + id, do: func(e *engine.Engine, m engine.Meta) (*engine.Reply, error) {
				return e.ExtendReservation(ctx, id, time.Hour, m)
			}})
		})
	}
	if w.chance(.3) {
		w.in(w.between(0, 2*time.Hour), func() {
			w.send(0, &message{name: "give-back " + id, do: func(e *engine.Engine, m engine.Meta) (*engine.Reply, error) { return e.ReleaseReservation(ctx, id, m) }})
		})
	}
	if w.chance(.75) {
		w.in(w.between(0, 2*time.Hour), func() { w.buy(n) })
	}
}

// tender says with what a basket is paid: nothing, one thing, or two.
func (w *World) tender(n *order.New) {
	total := n.Shipping
	for _, l := range n.Lines {
		total += l.UnitPrice*l.Quantity - l.Discount + l.Tax
	}
	if total < 2 || w.chance(.4) {
		return
	}
	first := total
	if w.chance(.3) {
		first = w.whole(1, total-1)
		n.Tenders = append(n.Tenders, order.Tender{Type: "gift_card", Amount: total - first, Reference: "g"})
	}
	n.Tenders = append(n.Tenders, order.Tender{Type: choose(w, "card", "card", "account"), Amount: first, Reference: "tok"})
}
