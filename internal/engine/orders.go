package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/jsonenc"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/problem"
	"github.com/orderly-oms/orderly/internal/store"
)

// Meta is who sends a command, and the guards that came with it.
type Meta struct {
	Actor string
	Key   *IdempotencyKey
	// IfVersion, when not 0, is the version the document must have.
	IfVersion int64
	// Manual, when not nil, says that a person did it.
	Manual *Manual
}

// Manual is a person's work behind a command.
type Manual struct {
	Operator string
	Action   string // what was done, like cancelOrder
	Seconds  int64  // how long it took; 0: as long as such an action is stated to take
	Cause    string // why it was needed
}

// Codes of refusals that need more than the order to be seen.
const (
	CodeOutOfStock       = "out_of_stock"
	CodeExternalIDReused = "external_id_reused"
	CodeReservationEnded = "reservation_ended"
	CodeChannelInactive  = "channel_inactive"
)

// Capture takes an order: reserves or claims its units, chooses locations, and
// makes it durable. The reply's value is the *order.Order; Repeated when the channel
// sent the same order before. Errors: problem.Invalid, *order.Refusal, those of Submit.
func (e *Engine) Capture(ctx context.Context, n *order.New, m Meta) (*Reply, error) {
	if err := n.Validate(); err != nil {
		return nil, err
	}
	fingerprint := n.Fingerprint() // before defaults, which may change
	s, err := e.prepare(n)
	if err != nil {
		return nil, err
	}
	h := hashByte(n.Channel, n.ExternalID)
	if n.ExternalID == "" {
		id := e.opt.NewID()
		h = hashByte(id)
	}
	id := e.idWithHash(h)
	c := &Command{
		Stream: e.OrderKey(id), Actor: m.Actor, Key: m.Key, Manual: m.Manual,
		Unique: &Unique{Kind: KindOrder, Channel: n.Channel, ExternalID: n.ExternalID},
	}
	var reservation store.Key
	if n.ReservationID != "" {
		reservation = e.ReservationKey(n.ReservationID)
		c.Needs = []store.Key{reservation}
	}
	c.Decide = func(tx *Tx) (*Reply, error) {
		if was := tx.Existing(*c.Unique); was != nil {
			return e.repeatCapture(was, fingerprint)
		}
		offer := tx.offer(reservation)
		start := e.captured(n, order.Captured{ID: id, At: tx.Now, Fingerprint: fingerprint, Parts: e.Parts, Trial: e.enrol}, offer)
		if n.ReservationID != "" {
			e.offered(offer, start.Order)
		}
		o, err := e.captureOrder(tx, s, start, reservation)
		if err != nil {
			return nil, err
		}
		return &Reply{Status: http.StatusCreated, Value: o, Entry: tx.Entry(c.Stream)}, nil
	}
	return e.Submit(ctx, c)
}

// captured starts an order; its kits come apart when the offer it claims has them so, else
// when the policy in force wants components from anywhere.
func (e *Engine) captured(n *order.New, c order.Captured, offer *inventory.Offer) order.Event {
	start := n.Capture(c)
	if !slices.ContainsFunc(start.Order.Lines, func(l order.Line) bool { return len(l.Parts) > 0 }) {
		return start
	}
	var apart bool
	if offer != nil {
		apart = offer.KitsApart
	} else {
		compiled, _ := e.sourcingPolicy(start.Order, nil, c.At)
		apart = slices.ContainsFunc(compiled.Sourcing.Groups, func(g policy.CompiledGroup) bool { return g.Limits.Kits == "component" })
	}
	if apart {
		c.Weigh = e.listPrice
		start = n.Capture(c)
	}
	return start
}

// listPrice is what the catalog asks for a unit; 1 when it does not say.
func (e *Engine) listPrice(sku string) int64 {
	if s, ok := e.Catalog().Get(sku); ok && s.Price != nil && s.Price.Amount > 0 {
		return s.Price.Amount
	}
	return 1
}

// offered gives an order that claims a reservation, and names no service, the one it was
// promised with, else the channel's.
func (e *Engine) offered(offer *inventory.Offer, o *order.Order) {
	if o.Service != "" || o.Method != order.Ship {
		return
	}
	if offer != nil && offer.Service != "" {
		o.Service = offer.Service
		return
	}
	if ch, ok := e.Directory().Channel(o.Channel); ok {
		o.Service = ch.Service
	}
}

// repeatCapture answers an order that the channel sent before with what it was
// told then: the state after the first command, folded from the log.
func (e *Engine) repeatCapture(was *Entry, fingerprint string) (*Reply, error) {
	o := was.Value.(*order.Order)
	if o.Fingerprint != fingerprint {
		return nil, &order.Refusal{
			Code: CodeExternalIDReused, Pointer: "external_id",
			Message: fmt.Sprintf("order %q of channel %q exists with other content, as %s", o.ExternalID, o.Channel, o.ID),
		}
	}
	if o.Version > 1 {
		rows, err := e.store.Stream(context.Background(), was.Key, 0, 1)
		if err != nil || len(rows) == 0 {
			return nil, errors.Join(err, fmt.Errorf("reading how order %s began", o.ID))
		}
		var events []order.Event
		if err := jsonenc.Unmarshal(rows[0].Events, &events); err != nil {
			return nil, err
		}
		if o, err = order.Fold(nil, events, 1, rows[0].Time); err != nil {
			return nil, err
		}
	}
	return &Reply{Status: http.StatusCreated, Value: o, Repeated: true}, nil
}

// captureOrder starts an order. Holds come first: what one of them keeps from being
// sourced stays with nobody, unless a reservation holds it already.
func (e *Engine) captureOrder(tx *Tx, s *sources, start order.Event, reservation store.Key) (*order.Order, error) {
	c := tx.change(nil)
	c.sources = s
	if err := c.add(start); err != nil {
		return nil, err
	}
	if err := c.hold(); err != nil {
		return nil, err
	}
	if err := c.planPayments(); err != nil {
		return nil, err
	}
	if err := c.react(); err != nil {
		return nil, err
	}
	held, err := e.claim(tx, reservation, c.now)
	if err != nil {
		return nil, err
	}
	if held != nil || !c.now.Held(order.BlocksSourcing) {
		baseline := c.would(s, held)
		asked := c.ask(held)
		placed, err := e.place(tx, s, c.now, held)
		if err != nil {
			return nil, err
		}
		placed.compare(baseline)
		if (s.reject || placed.rejected) && placed.missing() {
			return nil, placed.outOfStock(c.now)
		}
		if err := e.settle(tx, held, c.now.ID); err != nil {
			return nil, err
		}
		if err := c.add(placed.beside(asked)...); err != nil {
			return nil, err
		}
	}
	return c.save()
}

// Search terms of orders: "customer:" + id, or the lower-case e-mail address of a
// customer without one; "sku:" + SKU. Each costs a write to a place of its own.
func searchTerms(o *order.Order) []string {
	terms := make([]string, 0, len(o.Lines)+1)
	if who := cmp.Or(o.Customer.ID, strings.ToLower(o.Customer.Email)); who != "" {
		terms = append(terms, "customer:"+who)
	}
	return skuTerms(terms, o.Lines)
}

func skuTerms(terms []string, lines []order.Line) []string {
	for i := range lines {
		if i == 0 || lines[i].SKU != lines[i-1].SKU {
			terms = append(terms, "sku:"+lines[i].SKU)
		}
	}
	return terms
}

// changeOrder runs decide on an existing order and saves the events it gives;
// units that lost their location are placed again in the same commit.
func (e *Engine) changeOrder(ctx context.Context, id string, m Meta, decide func(tx *Tx, o *order.Order) ([]order.Event, error)) (*Reply, error) {
	key := e.OrderKey(id)
	return e.Submit(ctx, &Command{Stream: key, Actor: m.Actor, Key: m.Key, Manual: m.Manual, Decide: func(tx *Tx) (*Reply, error) {
		o, err := tx.order(key, m)
		if err != nil {
			return nil, err
		}
		events, err := decide(tx, o)
		if err != nil {
			return nil, err
		}
		next, err := tx.saveOrder(o, events)
		if err != nil {
			return nil, err
		}
		return tx.okReply(next), nil
	}})
}

// Cancel cancels an order whole or by line and quantity. The reply's value is the order.
func (e *Engine) Cancel(ctx context.Context, id string, c order.Cancellation, m Meta) (*Reply, error) {
	return e.changeOrder(ctx, id, m, func(tx *Tx, o *order.Order) ([]order.Event, error) { return o.CancelAt(c, tx.Now) })
}

// Release lets units that wait for a location, in a queue or for stock, look for one
// now. The reply's value is the order. Errors: *order.Refusal when nothing waits, those of Submit.
func (e *Engine) Release(ctx context.Context, id string, m Meta) (*Reply, error) {
	key := e.OrderKey(id)
	return e.Submit(ctx, &Command{Stream: key, Actor: m.Actor, Key: m.Key, Manual: m.Manual, Decide: func(tx *Tx) (*Reply, error) {
		o, err := tx.order(key, m)
		if err != nil {
			return nil, err
		}
		c := tx.change(o)
		if err := c.lookAgain(); err != nil {
			return nil, err
		}
		next, err := c.save()
		if err != nil {
			return nil, err
		}
		return tx.okReply(next), nil
	}})
}

func anyOpen(o *order.Order) bool {
	for i := range o.Lines {
		if o.Lines[i].Open() > 0 {
			return true
		}
	}
	return false
}

func anyUnplaced(o *order.Order) bool { return len(o.Unplaced()) > 0 }

// Parts returns the components of a kit, nil for other SKUs.
func (e *Engine) Parts(sku string) []inventory.Part {
	s, ok := e.Catalog().Get(sku)
	if !ok || len(s.Components) == 0 {
		return nil
	}
	parts := make([]inventory.Part, len(s.Components))
	for i, c := range s.Components {
		parts[i] = inventory.Part{SKU: c.SKU, Quantity: c.Quantity}
	}
	return parts
}

// prepare fills in the request's defaults from the channel and names what it
// refers to and does not exist.
func (e *Engine) prepare(n *order.New) (*sources, error) {
	d, cat := e.Directory(), e.Catalog()
	var bad problem.Invalid
	ch, ok := d.Channel(n.Channel)
	switch {
	case !ok:
		bad.Add("channel", problem.Unknown, "there is no channel %q", n.Channel)
		return nil, bad.Err()
	case !ch.IsActive():
		return nil, &order.Refusal{Code: CodeChannelInactive, Pointer: "channel", Message: fmt.Sprintf("channel %q is not active", ch.ID)}
	}
	if n.Currency == "" {
		n.Currency = ch.Currency
	}
	if n.Method == "" {
		n.Method = order.Ship
	}
	if n.Service == "" && n.Method == order.Ship && n.ReservationID == "" { // a reservation may bring the service it was promised with
		n.Service = ch.Service
	}
	if n.Shortage == "" {
		n.Shortage = string(ch.OnShortage())
	}
	if n.PickupLocation != "" {
		if l, ok := d.Location(n.PickupLocation); !ok || !l.Can(network.CanPickup) {
			bad.Add("pickup_location", problem.Unknown, "%q is no location with pickup", n.PickupLocation)
		}
	}
	for _, l := range []struct{ pointer, id string }{{"required_location", n.RequiredLocation}, {"preferred_location", n.PreferredLocation}} {
		if _, ok := d.Location(l.id); l.id != "" && !ok {
			bad.Add(l.pointer, problem.Unknown, "there is no location %q", l.id)
		}
	}
	for i := range n.Lines {
		if !cat.Has(n.Lines[i].SKU) {
			bad.Add(fmt.Sprintf("lines[%d].sku", i), problem.Unknown, "the catalog has no SKU %q", n.Lines[i].SKU)
		}
	}
	if err := bad.Err(); err != nil {
		return nil, err
	}
	s := e.sources(&order.Order{
		Channel: n.Channel, Method: n.Method, Service: n.Service, PickupLocation: n.PickupLocation, ShipTo: n.ShipTo,
	}, e.Now())
	s.reject = n.Shortage == "reject"
	return s, nil
}
