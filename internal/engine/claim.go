package engine

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/plant"
	"github.com/orderly-oms/orderly/internal/sourcing"
	"github.com/orderly-oms/orderly/internal/store"
)

// CodeOfferMismatch refuses an order that claims a promise made for another one.
const CodeOfferMismatch = "offer_mismatch"

// heldAt is a SKU at a location.
type heldAt struct{ sku, location string }

// claimed is what a reservation brings to the order that claims it. Nil: nothing.
type claimed struct {
	reservation *inventory.Reservation
	// units are what it holds for the order's SKUs, of those that fit the kits of today.
	units map[heldAt]int64
	used  map[heldAt]int64 // of them, what the order takes
	offer *inventory.Offer // nil: no promise was confirmed, so the policy is free to choose
	loose bool             // what the policy leaves where it is held is not taken from there
}

// left is what is held of a SKU at a location and not used yet.
func (c *claimed) left(sku, location string) int64 {
	if c == nil {
		return 0
	}
	at := heldAt{sku, location}
	return c.units[at] - c.used[at]
}

// use takes up to q held units.
func (c *claimed) use(sku, location string, q int64) int64 {
	n := min(c.left(sku, location), q)
	if n > 0 {
		c.used[heldAt{sku, location}] += n
	}
	return max(n, 0)
}

// takeOffer gives demands what a confirmed promise holds for them, where it holds it.
func (p *placing) takeOffer(demands []demand) {
	if p.held == nil || p.held.offer == nil {
		return
	}
	rule := "reservation"
	var d sourcing.Decision
	if json.Unmarshal(p.held.offer.Decision, &d) == nil && d.Policy != "" {
		rule = d.Policy
		p.plan.Decisions = append(p.plan.Decisions, &d)
	}
	p.takeHeld(demands, rule, "promised so as option "+p.held.offer.Option)
}

// takeHeld gives demands held units where they are. Held units are not free stock, so
// nothing of it counts as taken.
func (p *placing) takeHeld(demands []demand, rule, reason string) {
	if p.held == nil || p.held.loose {
		return
	}
	for _, h := range p.held.reservation.Holds {
		sku := p.held.reservation.Lines[h.Line].SKU
		for j := range demands {
			d := &demands[j]
			if d.line.SKU != sku || d.left == 0 {
				continue
			}
			if q := p.held.use(sku, h.Location, min(d.left, h.Quantity)); q > 0 {
				sh := p.give(h.Location)
				sh.rule, sh.reason, sh.beyond = rule, reason, true
				sh.add(d.line, q, q)
				d.left -= q
			}
		}
	}
}

// promised gives a placement of held units the dates that were promised with them.
// A placement that holds more than was promised is dated anew.
func (c *claimed) promised(pl *order.Placement) bool {
	if c == nil || c.offer == nil || units(pl.Lines) != units(pl.Reserved) {
		return false
	}
	for _, s := range c.offer.Shipments {
		if s.Location == pl.Location {
			pl.Service, pl.Via, pl.Zone, pl.Cost = s.Service, s.Via, s.Zone, s.Cost
			pl.Promise = order.Promise{
				ShipBy: s.ShipBy, DeliverBy: s.DeliverBy, Calendar: s.Calendar, Probability: s.Probability, Policy: c.offer.Policy,
			}
			return true
		}
	}
	return false
}

func units(lines []order.LineQuantity) (n int64) {
	for _, l := range lines {
		n += l.Quantity
	}
	return n
}

// claim looks up the reservation an order is made from, and what of it the order may use.
func (e *Engine) claim(tx *Tx, key store.Key, o *order.Order) (*claimed, error) {
	if key.ID == "" {
		return nil, nil
	}
	refuse := func(format string, args ...any) error {
		return &order.Refusal{Code: CodeReservationEnded, Pointer: "reservation_id", Message: fmt.Sprintf(format, args...)}
	}
	en := tx.Entry(key)
	if en == nil {
		return nil, refuse("there is no reservation %q", key.ID)
	}
	r := en.Value.(*inventory.Reservation)
	switch {
	case r.Channel != o.Channel:
		return nil, refuse("reservation %s belongs to channel %q", r.ID, r.Channel)
	case r.Status != inventory.ReservationHeld || !r.ExpiresAt.After(tx.Now):
		return nil, refuse("reservation %s is %s or past its expiry; reserve again or order without it", r.ID, r.Status)
	}
	return e.claimedBy(r, o)
}

// claimedBy is what a reservation that is held brings to an order; nil for none.
func (e *Engine) claimedBy(r *inventory.Reservation, o *order.Order) (*claimed, error) {
	if r == nil {
		return nil, nil
	}
	if err := matchOffer(r.Offer, o); err != nil {
		return nil, err
	}
	c := &claimed{reservation: r, offer: r.Offer, units: map[heldAt]int64{}, used: map[heldAt]int64{}}
	for _, h := range r.Holds {
		l := &r.Lines[h.Line]
		if slices.Equal(l.Parts, e.Parts(l.SKU)) { // else the kit was changed meanwhile: its units are sourced anew
			c.units[heldAt{l.SKU, h.Location}] += h.Quantity
		}
	}
	return c, nil
}

// settle ends the reservation of an order that was placed: what the order does not use is released.
func (e *Engine) settle(tx *Tx, c *claimed, orderID string) error {
	if c == nil {
		return nil
	}
	unused := *c.reservation
	unused.Holds = nil
	for _, h := range c.reservation.Holds {
		at := heldAt{unused.Lines[h.Line].SKU, h.Location}
		use := min(h.Quantity, c.used[at])
		c.used[at] -= use
		if rest := h.Quantity - use; rest > 0 {
			unused.Holds = append(unused.Holds, inventory.Hold{Line: h.Line, Location: h.Location, Quantity: rest})
		}
	}
	event := inventory.ReservationEvent{Type: inventory.EventReservationClaimed, OrderID: orderID}
	if plant.On(plant.DoubleRelease) {
		unused.Holds = c.reservation.Holds
	}
	return tx.saveReservation(c.reservation, event, unused.Movements(false, "reservation claimed"))
}

// matchOffer refuses an order whose way to the customer is not the one promised.
func matchOffer(offer *inventory.Offer, o *order.Order) error {
	if offer == nil {
		return nil
	}
	refuse := func(pointer, format string, args ...any) error {
		return &order.Refusal{Code: CodeOfferMismatch, Pointer: pointer, Message: fmt.Sprintf(format, args...)}
	}
	switch {
	case offer.Method != string(o.Method):
		return refuse("method", "the promise is for %s", offer.Method)
	case offer.PickupLocation != o.PickupLocation:
		return refuse("pickup_location", "the promise is for pickup at %q", offer.PickupLocation)
	case offer.Service != "" && o.Service != "" && offer.Service != o.Service:
		return refuse("service", "the promise is for service %q; leave the service out or ask for a new promise", offer.Service)
	case o.ShipTo != nil && o.Method == order.Ship && (offer.PostalCode != o.ShipTo.PostalCode || offer.Country != o.ShipTo.Country):
		return refuse("ship_to.postal_code", "the promise is for %s %s", offer.Country, offer.PostalCode)
	}
	return nil
}
