package engine

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/plant"
	"github.com/orderly-oms/orderly/internal/problem"
	"github.com/orderly-oms/orderly/internal/store"
)

// Reserve holds stock for a basket. The reply's value is the *inventory.Reservation.
// Errors: problem.Invalid, *order.Refusal with CodeOutOfStock, those of Submit.
func (e *Engine) Reserve(ctx context.Context, n *inventory.NewReservation, m Meta) (*Reply, error) {
	if err := n.Validate(); err != nil {
		return nil, err
	}
	s, err := e.prepareReservation(n)
	if err != nil {
		return nil, err
	}
	id := e.opt.NewID()
	id = id[:len(id)-2] + fmt.Sprintf("%02x", hashByte(id))
	key := e.ReservationKey(id)
	return e.Submit(ctx, &Command{
		Stream: key, Actor: m.Actor, Key: m.Key, Unique: &Unique{Kind: KindReservation},
		Decide: func(tx *Tx) (*Reply, error) {
			r := &inventory.Reservation{
				ID: id, Channel: n.Channel, Status: inventory.ReservationHeld, Reference: n.Reference, Partial: n.Partial,
				CreatedAt: tx.Now, ExpiresAt: tx.Now.Add(inventory.TTL(n.TTLSeconds)), Holds: []inventory.Hold{},
			}
			if err := e.hold(tx, s, n, r); err != nil {
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

func (e *Engine) prepareReservation(n *inventory.NewReservation) (*sources, error) {
	d := e.Directory()
	var bad problem.Invalid
	if _, ok := d.Channel(n.Channel); !ok {
		bad.Add("channel", problem.Unknown, "there is no channel %q", n.Channel)
	}
	if n.Location != "" {
		if _, ok := d.Location(n.Location); !ok {
			bad.Add("location", problem.Unknown, "there is no location %q", n.Location)
		}
	}
	for i, l := range n.Lines {
		if !e.Catalog().Has(l.SKU) {
			bad.Add(fmt.Sprintf("lines[%d].sku", i), problem.Unknown, "the catalog has no SKU %q", l.SKU)
		}
	}
	if err := bad.Err(); err != nil {
		return nil, err
	}
	ship, now := &order.Order{Channel: n.Channel, Method: order.Ship}, e.Now()
	if n.Location == "" {
		return e.sources(ship, now), nil
	}
	s := e.sources(&order.Order{Channel: n.Channel, Method: order.Pickup, PickupLocation: n.Location}, now).only(n.Location)
	if len(s.locations) == 0 {
		s = e.sources(ship, now).only(n.Location)
	}
	return s, nil
}

// hold fills in the reservation's lines and holds by the sourcing rule, or
// refuses when not everything can be held and nothing less was asked for.
func (e *Engine) hold(tx *Tx, s *sources, n *inventory.NewReservation, r *inventory.Reservation) error {
	lines := make([]order.Line, len(n.Lines))
	demands := make([]demand, len(n.Lines))
	for i, l := range n.Lines {
		lines[i] = order.Line{ID: fmt.Sprint(i), SKU: l.SKU, Quantity: l.Quantity, Parts: e.Parts(l.SKU)}
		demands[i] = demand{line: &lines[i], left: l.Quantity}
		r.Lines = append(r.Lines, inventory.ReservationLine{SKU: l.SKU, Requested: l.Quantity, Parts: lines[i].Parts})
	}
	shares, taken := map[string]*share{}, map[inventory.PositionKey]int64{}
	for _, group := range independent(wants(demands)) {
		e.nearest(tx.Book(), s, n.Channel, group, taken, shares, tx.Now)
	}
	for i := range demands {
		if left := demands[i].left; left > 0 && !n.Partial {
			return &order.Refusal{
				Code: CodeOutOfStock, Pointer: fmt.Sprintf("lines[%d].quantity", i),
				Message: fmt.Sprintf("%d of %d units of %s are not available", left, n.Lines[i].Quantity, n.Lines[i].SKU),
			}
		}
		r.Lines[i].Held = n.Lines[i].Quantity - demands[i].left
	}
	for _, l := range s.locations { // ascending by id, so that holds are too
		sh := shares[l.ID]
		if sh == nil {
			continue
		}
		for _, q := range sh.lines {
			var i int
			for i = range lines {
				if lines[i].ID == q.Line {
					break
				}
			}
			r.Holds = append(r.Holds, inventory.Hold{Line: i, Location: l.ID, Quantity: q.Quantity})
		}
	}
	if len(r.Holds) == 0 {
		return &order.Refusal{Code: CodeOutOfStock, Pointer: "lines", Message: "nothing of it is available"}
	}
	return nil
}

// saveReservation writes record, log row and movements of one reservation event.
func (tx *Tx) saveReservation(r *inventory.Reservation, event inventory.ReservationEvent, moves []inventory.Movement) error {
	version := int64(1)
	if r != nil {
		version = r.Version + 1
	}
	next, err := r.Apply(event, version)
	if err != nil {
		return err
	}
	key := tx.e.ReservationKey(next.ID)
	if err := tx.Emit(key, version, []inventory.ReservationEvent{event}, moves); err != nil {
		return err
	}
	rec := store.Record{Key: key, State: string(next.Status), Channel: next.Channel, CreatedAt: next.CreatedAt}
	if next.Status == inventory.ReservationHeld {
		rec.Wake = next.ExpiresAt
	}
	tx.Put(rec, next)
	return nil
}

// changeReservation runs change on a reservation that is still held.
func (e *Engine) changeReservation(ctx context.Context, id string, m Meta, change func(tx *Tx, r *inventory.Reservation) error) (*Reply, error) {
	key := e.ReservationKey(id)
	return e.Submit(ctx, &Command{Stream: key, Actor: m.Actor, Key: m.Key, Decide: func(tx *Tx) (*Reply, error) {
		en := tx.Entry(key)
		if en == nil {
			return nil, ErrNotFound
		}
		r := en.Value.(*inventory.Reservation)
		switch {
		case m.IfVersion != 0 && m.IfVersion != r.Version:
			return nil, ErrVersion
		case r.Status != inventory.ReservationHeld || !r.ExpiresAt.After(tx.Now):
			return nil, &order.Refusal{Code: CodeReservationEnded, Message: fmt.Sprintf("the reservation is %s, or past its expiry", r.Status)}
		}
		if err := change(tx, r); err != nil {
			return nil, err
		}
		en = tx.Entry(key)
		return &Reply{Status: http.StatusOK, Value: en.Value, Entry: en}, nil
	}})
}

// ExtendReservation makes a reservation last for ttl from now.
func (e *Engine) ExtendReservation(ctx context.Context, id string, ttl time.Duration, m Meta) (*Reply, error) {
	return e.changeReservation(ctx, id, m, func(tx *Tx, r *inventory.Reservation) error {
		return tx.saveReservation(r, inventory.ReservationEvent{Type: inventory.EventReservationExtended, ExpiresAt: tx.Now.Add(ttl)}, nil)
	})
}

// ReleaseReservation gives the held stock back.
func (e *Engine) ReleaseReservation(ctx context.Context, id string, m Meta) (*Reply, error) {
	return e.changeReservation(ctx, id, m, func(tx *Tx, r *inventory.Reservation) error {
		return tx.saveReservation(r, inventory.ReservationEvent{Type: inventory.EventReservationReleased}, r.Movements(false, "reservation released"))
	})
}

// wakeReservation ends a reservation whose time is over.
func (e *Engine) wakeReservation(tx *Tx, en *Entry) (*Reply, error) {
	r := en.Value.(*inventory.Reservation)
	if r.Status != inventory.ReservationHeld {
		return &Reply{}, nil
	}
	event := inventory.ReservationEvent{Type: inventory.EventReservationExpired}
	moves := r.Movements(false, "reservation expired")
	if plant.On(plant.ExpiryKeepsStock) {
		moves = nil
	}
	return &Reply{}, tx.saveReservation(r, event, moves)
}
