package sim

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/order"
)

// Limits of what the watcher keeps.
const (
	maxFindings = 20
	// maxTook bounds the shipments whose duration is kept for the median.
	maxTook = 100_000
	// maxFinal final orders are remembered for what is said of them after their last step.
	maxFinal = 10_000
)

// watch keeps books of its own from the server's events: every order that is not
// final, every position, and counts of what happened.
type watch struct {
	data *Data
	read *reader

	mu        sync.Mutex
	types     map[string]int64        // events heard, by type
	orders    map[string]*order.Order // not final
	finals    map[string]*order.Order // the latest
	finalIDs  []string                // oldest first
	baskets   map[string]bool         // held
	positions map[inventory.PositionKey]inventory.Position

	states   map[order.Status]int64
	captured int64
	next     int // index behind the highest shopper seen of this seed
	flow     Flow
	units    Units
	sold     map[string]int64     // units that fulfilled lines say were shipped, by SKU, less those that movements say
	told     map[string]time.Time // by order that is not final: the promise at capture
	waited   map[string]bool      // orders not final of which units had to wait for stock
	outcome  Outcome
	took     []float64 // hours of the retailer's life from capture to delivery, or until it could be collected
	promised []float64 // hours from capture to the promise
	findings []string
}

// Flow counts what happened to orders.
type Flow struct {
	Final          int64            `json:"final"`          // orders delivered or cancelled
	Delivered      int64            `json:"delivered"`      // orders
	Shipments      int64            `json:"shipments"`      // of delivered orders
	Split          int64            `json:"split"`          // delivered orders with more than one shipment
	Fulfillments   int64            `json:"fulfillments"`   // given to locations
	Rejections     int64            `json:"rejections"`     // by locations, whole or by line
	RejectedFor    map[string]int64 `json:"rejected_for"`   // by reason
	ShortPicks     int64            `json:"short_picks"`    // picks with units not found
	Backordered    int64            `json:"backordered"`    // times that units had to wait for stock
	Cancellations  int64            `json:"cancellations"`  // events
	ShippingCents  map[string]int64 `json:"shipping_cents"` // what carriers get, by service
	ParcelsShipped int64            `json:"parcels_shipped"`
	HandedOver     int64            `json:"handed_over"`  // pickups collected
	Reservations   map[string]int64 `json:"reservations"` // by what became of them
}

// Units counts stock movements since the retailer opened, by what they mean:
// on hand = opening + received + counted − shipped.
type Units struct {
	Opening  int64 `json:"opening"`
	Received int64 `json:"received"` // from suppliers
	Counted  int64 `json:"counted"`  // net of counts and corrections, losses negative
	Shipped  int64 `json:"shipped"`
	OnHand   int64 `json:"on_hand"`
}

func newWatch(d *Data) *watch {
	return &watch{
		data: d, types: map[string]int64{}, orders: map[string]*order.Order{}, finals: map[string]*order.Order{}, baskets: map[string]bool{},
		positions: make(map[inventory.PositionKey]inventory.Position, len(d.Stock)), states: map[order.Status]int64{}, sold: map[string]int64{},
		told: map[string]time.Time{}, waited: map[string]bool{},
		flow: Flow{RejectedFor: map[string]int64{}, ShippingCents: map[string]int64{}, Reservations: map[string]int64{}},
	}
}

// hear books one event.
func (w *watch) hear(e *engine.Published) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.types[e.Type]++
	for i := range e.Movements {
		w.move(&e.Movements[i])
	}
	var err error
	switch e.Stream.Kind {
	case engine.KindOrder:
		err = w.order(e)
	case engine.KindReservation:
		what := strings.TrimPrefix(e.Type, "reservation.")
		switch w.flow.Reservations[what]++; e.Type {
		case inventory.EventReservationHeld:
			w.baskets[e.Stream.ID] = true
		case inventory.EventReservationExtended:
		default:
			delete(w.baskets, e.Stream.ID)
		}
	}
	if err != nil {
		w.find("event %s: %s", e.ID, err)
	}
}

// find notes something that should not be.
func (w *watch) find(format string, args ...any) {
	if len(w.findings) < maxFindings {
		w.findings = append(w.findings, fmt.Sprintf(format, args...))
	}
}

// note is find for those outside.
func (w *watch) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.find(format, args...)
}

func (w *watch) move(m *inventory.Movement) {
	if inventory.IsCapacity(m.SKU) {
		return
	}
	key := inventory.PositionKey{SKU: m.SKU, Location: m.Location}
	p := w.positions[key].Add(m.Delta())
	p.SKU, p.Location = m.SKU, m.Location
	w.positions[key] = p
	change := m.Delta().OnHand
	w.units.OnHand += change
	switch {
	case m.From == inventory.Supplier:
		w.units.Received += change
	case m.To == inventory.Shipped:
		w.units.Shipped -= change
		w.sold[m.SKU] -= m.Quantity
	default:
		w.units.Counted += change
	}
}

func (w *watch) order(e *engine.Published) error {
	var event order.Event
	if err := json.Unmarshal(e.Data, &event); err != nil {
		return err
	}
	was, final := w.orders[e.Stream.ID], false
	if was == nil {
		was, final = w.finals[e.Stream.ID], true
	}
	next, err := order.Fold(was, []order.Event{event}, e.Version, e.Time)
	if err != nil {
		return err
	}
	if was == nil {
		w.captured++
		if n, ok := w.data.shopperOf(next); ok && n >= w.next {
			w.next = n + 1
		}
	} else {
		w.states[was.Status]--
	}
	w.states[next.Status]++
	if was != nil && final { // it was counted; what is said of it now only has to fit
		w.finals[next.ID] = next
		return nil
	}
	w.count(next, &event)
	if !next.Status.Final() {
		w.orders[next.ID] = next
		return nil
	}
	w.finish(next)
	delete(w.orders, next.ID)
	w.remember(next)
	return nil
}

// remember keeps a final order for a while.
func (w *watch) remember(o *order.Order) {
	w.finals[o.ID], w.finalIDs = o, append(w.finalIDs, o.ID)
	if len(w.finalIDs) > maxFinal {
		delete(w.finals, w.finalIDs[0])
		w.finalIDs = w.finalIDs[1:]
	}
}

// count keeps the figures of one event.
func (w *watch) count(o *order.Order, e *order.Event) {
	f := o.Fulfillment(e.FulfillmentID)
	switch e.Type {
	case order.EventFulfillmentCreated:
		w.flow.Fulfillments++
		f = e.Fulfillment
		if by := f.Promise.DeliverBy; !givenLater(o, f) && by.After(w.told[o.ID]) {
			w.told[o.ID] = by
		}
	case order.EventFulfillmentRejected:
		w.flow.Rejections++
		w.flow.RejectedFor[e.Reason]++
	case order.EventFulfillmentPicked:
		for _, q := range e.Lines {
			if q.Short > 0 {
				w.flow.ShortPicks++
				break
			}
		}
	case order.EventBackordered:
		w.flow.Backordered++
		w.waited[o.ID] = true
	case order.EventCancelled, order.EventFulfillmentCancel:
		w.flow.Cancellations++
	case order.EventFulfillmentShipped, order.EventFulfillmentHandover:
		for _, q := range e.Lines {
			w.sell(o.Line(q.Line), q.Quantity)
		}
		charge := w.leave(o, f, e.Lines)
		if e.Type == order.EventFulfillmentHandover {
			w.flow.HandedOver++
			break
		}
		w.flow.ParcelsShipped += int64(len(e.Parcels))
		w.flow.ShippingCents[f.Service] += charge
	case order.EventFulfillmentDeliver, order.EventFulfillmentReady:
		w.arrive(o, f, o.UpdatedAt)
	}
}

// sell books units that an order's line says have left.
func (w *watch) sell(l *order.Line, quantity int64) {
	if len(l.Parts) == 0 {
		w.sold[l.SKU] += quantity
		return
	}
	for _, p := range l.Parts {
		w.sold[p.SKU] += p.Quantity * quantity
	}
}

// finish keeps the figures of a final order, which is then forgotten.
func (w *watch) finish(o *order.Order) {
	w.flow.Final++
	delete(w.told, o.ID)
	delete(w.waited, o.ID)
	if o.Status != order.StatusDelivered {
		return
	}
	w.flow.Delivered++
	shipments := int64(0)
	for i := range o.Fulfillments {
		switch o.Fulfillments[i].Status {
		case order.FulfillmentDelivered, order.FulfillmentHandedOver:
			shipments++
		}
	}
	w.flow.Shipments += shipments
	if shipments > 1 {
		w.flow.Split++
	}
}

// openFor begins to count units anew: what is on hand is what the retailer opens with.
func (w *watch) openFor() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.units, w.outcome = Units{Opening: w.units.OnHand}, Outcome{}
	w.took, w.promised = nil, nil
}

// nextShopper is the index of the first shopper who has not ordered yet.
func (w *watch) nextShopper() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.next
}

// seen is the number of events heard.
func (w *watch) seen() (n int64) {
	for _, c := range w.byType() {
		n += c
	}
	return n
}

func (w *watch) byType() map[string]int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make(map[string]int64, len(w.types))
	for name, n := range w.types {
		out[name] = n
	}
	return out
}

func (w *watch) heldBaskets() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.baskets)
}

// position is the stock of a SKU at a location, as far as heard.
func (w *watch) position(sku, location string) inventory.Position {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.positions[inventory.PositionKey{SKU: sku, Location: location}]
}

// shopperOf is the index of the shopper of this seed who placed the order.
func (d *Data) shopperOf(o *order.Order) (int, bool) {
	for _, prefix := range []string{d.orderPrefix(), d.marketPrefix()} {
		if rest, ok := strings.CutPrefix(o.ExternalID, prefix); ok {
			n, err := strconv.Atoi(rest)
			return n, err == nil && len(rest) == indexDigits
		}
	}
	return 0, false
}
