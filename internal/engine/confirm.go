package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/problem"
	"github.com/orderly-oms/orderly/internal/promise"
	"github.com/orderly-oms/orderly/internal/sourcing"
	"github.com/orderly-oms/orderly/internal/store"
)

// Confirmation asks for an option of a basket to be held.
type Confirmation struct {
	PromiseRequest
	Option     string `json:"option"`                // id of the option
	TTLSeconds int64  `json:"ttl_seconds,omitempty"` // default 900, 1..604800
	// DeliverBy is what the customer was shown; the option is refused when it would be later now.
	DeliverBy time.Time `json:"deliver_by,omitzero"`
}

// Confirm holds the stock and the plan of an option until it expires: an order that
// names the reservation gets exactly that promise. The reply's value is the
// *inventory.Reservation. Errors: problem.Invalid, *order.Refusal with
// CodePromiseChanged, those of Submit.
func (e *Engine) Confirm(ctx context.Context, c *Confirmation, m Meta) (*Reply, error) {
	request, ok := promise.ParseID(c.Option)
	if !ok {
		var bad problem.Invalid
		bad.Add("option", problem.Malformed, "%.100q is no id of an option; send one that POST /v1/promises gave", c.Option)
		return nil, bad.Err()
	}
	if err := inventory.ValidateTTL(c.TTLSeconds); err != nil {
		return nil, err
	}
	prepared, err := e.offering(&c.PromiseRequest, e.Book(), e.Now())
	if err != nil {
		return nil, err
	}
	prepared.sources(prepared.order(request)) // the slow part, before the turn of the command
	id := e.opt.NewID()
	id = id[:len(id)-2] + fmt.Sprintf("%02x", hashByte(id))
	key := e.ReservationKey(id)
	return e.Submit(ctx, &Command{
		Stream: key, Actor: m.Actor, Key: m.Key, Unique: &Unique{Kind: KindReservation},
		Decide: func(tx *Tx) (*Reply, error) {
			of := *prepared
			of.book = tx.Book()
			of.at(tx.Now)
			o, err := of.confirmable(request, c.DeliverBy)
			if err != nil {
				return nil, err
			}
			r, err := of.reservation(id, o, inventory.TTL(c.TTLSeconds))
			if err != nil {
				return nil, err
			}
			event := inventory.ReservationEvent{Type: inventory.EventReservationHeld, Reservation: r}
			if err := tx.saveReservation(nil, event, r.Movements(true, "")); err != nil {
				return nil, err
			}
			en := tx.Entry(key)
			return &Reply{Status: http.StatusCreated, Value: en.Value, Entry: en}, nil
		},
	})
}

// confirmable is the option as it can be had now, unless it is worse than shown.
func (of *offering) confirmable(r promise.Request, shown time.Time) (*promise.Option, error) {
	options, excluded := promise.Options(of.input([]promise.Request{r}))
	if len(options) == 0 {
		return nil, &order.Refusal{Code: CodePromiseChanged, Pointer: "option", Message: "the option cannot be had any more: " + excluded[0].Reason}
	}
	o := &options[0]
	if !shown.IsZero() && o.DeliverBy.After(shown) {
		return nil, &order.Refusal{
			Code: CodePromiseChanged, Pointer: "deliver_by",
			Message: fmt.Sprintf("the option would be there by %s now; show the options anew", o.DeliverBy.Format(time.RFC3339)),
		}
	}
	return o, nil
}

// reservation holds what an option's plan takes.
func (of *offering) reservation(id string, o *promise.Option, ttl time.Duration) (*inventory.Reservation, error) {
	offer, err := of.offer(o)
	if err != nil {
		return nil, err
	}
	r := &inventory.Reservation{
		ID: id, Channel: of.r.Channel, Status: inventory.ReservationHeld, CreatedAt: of.now, ExpiresAt: of.now.Add(ttl),
		Holds: []inventory.Hold{}, Offer: offer,
	}
	left := make([]int64, len(of.base.Lines))
	for i := range of.base.Lines {
		l := &of.base.Lines[i]
		left[i] = l.Quantity
		r.Lines = append(r.Lines, inventory.ReservationLine{SKU: l.SKU, Requested: l.Quantity, Held: l.Quantity, Parts: l.Parts})
	}
	for i := range o.Plan.Shipments {
		s := &o.Plan.Shipments[i]
		for _, u := range s.Lines {
			need := u.Quantity
			for k := range of.base.Lines {
				if n := min(need, left[k]); n > 0 && covered(u.Line, of.base.Lines[k].ID) {
					r.Holds = append(r.Holds, inventory.Hold{Line: k, Location: s.Location, Quantity: n})
					left[k] -= n
					need -= n
				}
			}
		}
	}
	return r, nil
}

// offer is what was promised, as the order that claims it will find it.
func (of *offering) offer(o *promise.Option) (*inventory.Offer, error) {
	decision, err := json.Marshal(o.Plan)
	if err != nil {
		return nil, err
	}
	asked := of.order(o.Request)
	offer := &inventory.Offer{
		Option: o.ID, Method: string(asked.Method), PickupLocation: asked.PickupLocation, Decision: decision, Policy: of.rules.name,
		KitsApart: slices.ContainsFunc(of.base.Lines, func(l order.Line) bool { return l.Kit != nil }),
	}
	if asked.Method == order.Ship {
		offer.Service = asked.Service
		if d := of.r.Destination; d != nil {
			offer.PostalCode, offer.Country = d.PostalCode, d.Country
		}
	}
	carried := carriedShipments(o)
	for i := range o.Plan.Shipments {
		s := &o.Plan.Shipments[i]
		offer.Shipments = append(offer.Shipments, of.shipment(o, s, carried[i]))
	}
	return offer, nil
}

// carriedShipments are the arrivals of an option's shipments; nil for what waits at the store.
func carriedShipments(o *promise.Option) []*promise.Arrival {
	out := make([]*promise.Arrival, len(o.Plan.Shipments))
	next := 0
	for i := range o.Plan.Shipments {
		if waits := o.Request.Kind == promise.ShipToStore && o.Plan.Shipments[i].Via == ""; !waits && next < len(o.Arrivals) {
			out[i] = &o.Arrivals[next]
			next++
		}
	}
	return out
}

// shipment is one location's part. All have until the option's last date: that is what
// the customer was told.
func (of *offering) shipment(o *promise.Option, s *sourcing.Shipment, a *promise.Arrival) inventory.OfferShipment {
	out := inventory.OfferShipment{Location: s.Location, Service: s.Service, Via: s.Via, Cost: s.Carrier, ShipBy: o.ShipBy, DeliverBy: o.DeliverBy}
	if a == nil {
		out.Service, out.Probability = "", round4(o.Probability)
		return out
	}
	out.ShipBy, out.Calendar = a.ShipBy, a.Calendar
	last := a.DeliverBy
	for i := range o.Arrivals {
		if by := o.Arrivals[i].DeliverBy; by.After(last) {
			last = by
		}
	}
	from, ok := of.Location(s.Location)
	if !ok {
		return out
	}
	if out.Service == "" {
		out.Service = o.Request.Service
	}
	if leg, _, err := of.Leg(from, out.Service, s.Via); err == nil {
		out.Zone = leg.Zone
		curve := of.e.lore().delays().Curve(promise.Key{Location: s.Location, Service: leg.Service, Zone: leg.Zone}, of.rules.MinObservations)
		out.Probability = round4(curve.Probability(last.Sub(a.Calendar)))
	}
	return out
}

// offer is the promise that a reservation holds; nil: none, or there is no reservation.
func (tx *Tx) offer(reservation store.Key) *inventory.Offer {
	if reservation.ID == "" {
		return nil
	}
	if en := tx.Entry(reservation); en != nil {
		return en.Value.(*inventory.Reservation).Offer
	}
	return nil
}
