package engine

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/sourcing"
	"github.com/orderly-oms/orderly/internal/store"
)

// CodeOfferMismatch refuses an order that claims a promise made for another one.
const CodeOfferMismatch = "offer_mismatch"

// heldUnits are units of a SKU that a claimed reservation holds at a location.
type heldUnits struct {
	sku      string
	location string
	quantity int64
}

// claimed is what a reservation brings to the order that claims it. Nil: nothing.
type claimed struct {
	units []heldUnits
	offer *inventory.Offer
}

// takeHeld gives demands what the reservation holds for them. Held units are not
// free stock, so nothing of it counts as taken.
func (p *placing) takeHeld(demands []demand, c *claimed) {
	if c == nil {
		return
	}
	rule, reason := "reservation", "a reservation holds the units here"
	if c.offer != nil {
		reason = "promised so as option " + c.offer.Option
		var d sourcing.Decision
		if json.Unmarshal(c.offer.Decision, &d) == nil && d.Policy != "" {
			rule = d.Policy
			p.plan.Decisions = append(p.plan.Decisions, &d)
		}
	}
	for i := range c.units {
		h := &c.units[i]
		for j := range demands {
			d := &demands[j]
			if q := min(h.quantity, d.left); d.line.SKU == h.sku && q > 0 {
				sh := p.give(h.location)
				sh.rule, sh.reason, sh.beyond = rule, reason, true
				sh.add(d.line, q, q)
				h.quantity -= q
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
			pl.Service, pl.Via, pl.Cost = s.Service, s.Via, s.Cost
			pl.Promise = order.Promise{ShipBy: s.ShipBy, DeliverBy: s.DeliverBy}
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

// claim ends the reservation an order was made from. It returns what the
// reservation held for the order's SKUs; what the order does not use is released.
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
	if err := matchOffer(r.Offer, o); err != nil {
		return nil, err
	}
	wanted := map[string]int64{}
	for i := range o.Lines {
		wanted[o.Lines[i].SKU] += o.Lines[i].Quantity
	}
	unused := *r
	unused.Holds = nil
	var held []heldUnits
	for _, h := range r.Holds {
		sku := r.Lines[h.Line].SKU
		use := min(h.Quantity, wanted[sku])
		if !slices.EqualFunc(r.Lines[h.Line].Parts, e.Parts(sku), func(a, b inventory.Part) bool { return a == b }) {
			use = 0 // the kit was changed meanwhile: its units are sourced anew
		}
		wanted[sku] -= use
		if use > 0 {
			held = append(held, heldUnits{sku: sku, location: h.Location, quantity: use})
		}
		if rest := h.Quantity - use; rest > 0 {
			unused.Holds = append(unused.Holds, inventory.Hold{Line: h.Line, Location: h.Location, Quantity: rest})
		}
	}
	event := inventory.ReservationEvent{Type: inventory.EventReservationClaimed, OrderID: o.ID}
	return &claimed{units: held, offer: r.Offer}, tx.saveReservation(r, event, unused.Movements(false, "reservation claimed"))
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
