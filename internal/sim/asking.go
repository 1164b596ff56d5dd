package sim

import (
	"context"
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/api"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/promise"
)

// choose asks when the basket can be there, confirms an option, and returns the
// reservation to order with and what was promised. Nothing: there is no such option, or
// it was gone before it was confirmed; the shopper orders all the same.
func (w *world) choose(ctx context.Context, n *order.New) (reservation string, offer *inventory.Offer) {
	w.shoppers.asked.Add(1)
	q := engine.PromiseRequest{Channel: n.Channel, Destination: n.ShipTo, Customer: n.Customer.ID}
	for _, l := range n.Lines {
		price := l.UnitPrice
		q.Items = append(q.Items, engine.PromiseItem{SKU: l.SKU, Quantity: l.Quantity, UnitPrice: &price})
	}
	if n.Method == order.Pickup {
		q.Kinds, q.Locations = []promise.OptionKind{promise.Pickup}, []string{n.PickupLocation}
	} else {
		q.Kinds, q.Services = []promise.OptionKind{promise.Ship, promise.SameDay}, []string{serviceOf(n)}
	}
	var answer api.PromiseAnswer
	if w.shop.post(ctx, "promise", "/v1/promises", &q, &answer) != nil {
		return "", nil // counted with the answers
	}
	option := wanted(answer.Options, n)
	if option == nil {
		return "", nil
	}
	c := engine.Confirmation{PromiseRequest: q, Option: option.ID, TTLSeconds: reserveSeconds, DeliverBy: option.DeliverBy}
	var r inventory.Reservation
	if w.shop.post(ctx, "confirm", "/v1/promises/confirm", &c, &r) != nil {
		return "", nil // somebody else took the units, or the date has passed
	}
	w.shoppers.confirmed.Add(1)
	switch by := latest(r.Offer); {
	case r.Offer == nil:
		w.watch.note("reservation %s of option %s holds no promise", r.ID, option.ID)
	case by.After(option.DeliverBy):
		w.watch.note("option %s was shown for %s and confirmed for %s", option.ID, option.DeliverBy, by)
	}
	return r.ID, r.Offer
}

// serviceOf is the carrier service that an order asks for, or else gets.
func serviceOf(n *order.New) string {
	if n.Service == "" {
		return "ground"
	}
	return n.Service
}

// wanted is the first option, the soonest, of the kind that the shopper pays for.
// It comes by bicycle the same day when a courier was asked for and that can be.
func wanted(options []api.PromiseOption, n *order.New) *api.PromiseOption {
	var ship *api.PromiseOption
	for i := range options {
		o := &options[i]
		switch {
		case o.Kind == promise.Pickup && o.Location == n.PickupLocation:
			return o
		case o.Kind == promise.SameDay && o.Service == n.Service:
			return o
		case o.Kind == promise.Ship && o.Service == serviceOf(n) && ship == nil:
			ship = o
		}
	}
	return ship
}

// latest is the end of a promise: that of its last shipment.
func latest(offer *inventory.Offer) (by time.Time) {
	if offer == nil {
		return by
	}
	for i := range offer.Shipments {
		if t := offer.Shipments[i].DeliverBy; t.After(by) {
			by = t
		}
	}
	return by
}

// compareOffer checks that an order got exactly what was confirmed.
func (w *world) compareOffer(o *order.Order, offer *inventory.Offer) {
	if by := latest(offer); !o.Promise.DeliverBy.Equal(by) {
		w.watch.note("order %s is promised for %s, confirmed was %s (%s)", o.ExternalID, o.Promise.DeliverBy, by, offer.Option)
		return
	}
	from := map[string]bool{} // several shipments of a plan from one location leave as one
	for i := range offer.Shipments {
		from[offer.Shipments[i].Location] = true
	}
	if len(o.Fulfillments) != len(from) {
		w.watch.note("order %s has %d fulfillments, confirmed were %d locations (%s)", o.ExternalID, len(o.Fulfillments), len(from), offer.Option)
		return
	}
	for i := range o.Fulfillments {
		if f := &o.Fulfillments[i]; !slices.ContainsFunc(offer.Shipments, func(s inventory.OfferShipment) bool {
			return s.Location == f.Location && s.Via == f.Via && s.Service == f.Service && s.Cost == f.Cost &&
				s.ShipBy.Equal(f.Promise.ShipBy) && s.DeliverBy.Equal(f.Promise.DeliverBy)
		}) {
			w.watch.note("fulfillment %s at %s by %s is not what was confirmed: %+v", f.ID, f.Location, f.Promise.DeliverBy, offer.Shipments)
			return
		}
	}
	w.shoppers.kept.Add(1)
}
