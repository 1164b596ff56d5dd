package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/sourcing/exact"
	"github.com/orderly-oms/orderly/internal/store"
)

// Capacity is counted in windows of the location's wall clock: the date and the
// hour at which the location is given the work. An hour that comes twice, when clocks
// are put back, is one window. The units of a slot's position are the limit (on hand) and
// what fulfillments have of it (allocated); what is free may still be given.

// Types of capacity events. Their log rows are of the location's capacity stream.
const (
	EventCapacityOpened = "capacity.opened" // slots were brought to the location's limits
	EventCapacityClosed = "capacity.closed" // what nobody took of past slots was taken away
)

// CapacityEventTypes lists every type, for documentation and subscriptions.
var CapacityEventTypes = []string{EventCapacityOpened, EventCapacityClosed}

// Past windows are closed once they are closeAfterDays old, and looked for until closeUntilDays:
// a node that was down longer leaves them open, which changes no decision.
const (
	closeAfterDays = 3
	closeUntilDays = 10
)

// slotLimit is a slot and how much of it the location offers.
type slotLimit struct {
	Slot  string `json:"slot"`
	Limit int64  `json:"limit"`
}

// openedCapacity is the record of a location's capacity: its version guards that two
// nodes do not open the same slot twice.
type openedCapacity struct {
	Location string      `json:"location"`
	Slots    []slotLimit `json:"slots"` // those opened last
}

// capacityEvent is the event of the capacity stream. Movements are in its log row.
type capacityEvent struct {
	Type     string      `json:"type"`
	Location string      `json:"location"`
	Slots    []slotLimit `json:"slots"` // with their limit after the event
}

func capacityKey(location string) store.Key { return ReferenceKey(KindCapacity, location) }

// limits are a location's limits in each measure, by day and by hour.
func limits(l *network.Location, m order.Measure) (day, hour *int64) {
	switch c := &l.Capacity; m {
	case order.MeasureOrders:
		return c.OrdersPerDay, c.OrdersPerHour
	case order.MeasureUnits:
		return c.UnitsPerDay, c.UnitsPerHour
	default:
		return c.ValuePerDay, c.ValuePerHour
	}
}

// slotsFor returns the location's limited slots of a measure at an instant.
func slotsFor(l *network.Location, m order.Measure, now time.Time) []slotLimit {
	day, hour := limits(l, m)
	if day == nil && hour == nil {
		return nil
	}
	zone, err := network.LoadZone(l.TimeZone)
	if err != nil {
		zone = time.UTC // no stored location has such a zone
	}
	local := now.In(zone)
	var slots []slotLimit
	if day != nil {
		slots = append(slots, slotLimit{order.Slot(m, local.Format(dayWindow)), *day})
	}
	if hour != nil {
		slots = append(slots, slotLimit{order.Slot(m, local.Format(hourWindow)), *hour})
	}
	return slots
}

// Layouts of the windows in the names of slots.
const (
	dayWindow  = "2006-01-02"
	hourWindow = "2006-01-02T15"
)

// capacityLeft is what the location's capacity still admits at an instant: the least of
// the day's and the hour's, never below 0; exact.NoLimit where there is no limit.
func (e *Engine) capacityLeft(book *inventory.Book, l *network.Location, now time.Time) (orders, units, value int64) {
	if !l.Capacity.IsLimited() {
		return exact.NoLimit, exact.NoLimit, exact.NoLimit
	}
	left := func(m order.Measure) int64 {
		least := int64(exact.NoLimit)
		for _, s := range slotsFor(l, m, now) {
			p, _ := book.Get(inventory.PositionKey{SKU: s.Slot, Location: l.ID})
			if n := max(s.Limit-p.Allocated, 0); least == exact.NoLimit || n < least {
				least = n
			}
		}
		return least
	}
	return left(order.MeasureOrders), left(order.MeasureUnits), left(order.MeasureValue)
}

// capacityUsed is the share of the day's orders that the location has been given, 0 to 1; 0 without a limit.
func capacityUsed(book *inventory.Book, l *network.Location, now time.Time) float64 {
	day := l.Capacity.OrdersPerDay
	if day == nil {
		return 0
	}
	if *day == 0 {
		return 1
	}
	p, _ := book.Get(inventory.PositionKey{SKU: slotsFor(l, order.MeasureOrders, now)[0].Slot, Location: l.ID})
	return min(float64(p.Allocated)/float64(*day), 1)
}

// useCapacity returns what lines of an order take of the capacity of the location they are given to,
// for order.Placement.Capacity. Slots that are not at the location's limit yet are brought
// there in the same commit. beyond lets them take more than is left, for units that must go
// there all the same; else it is an error, for the plan has to keep to capacityLeft.
func (tx *Tx) useCapacity(l *network.Location, o *order.Order, lines []order.LineQuantity, beyond bool) ([]order.CapacityUse, error) {
	if !l.Capacity.IsLimited() {
		return nil, nil
	}
	var uses []order.CapacityUse
	var opened []slotLimit
	var moves []inventory.Movement
	for _, m := range order.Measures {
		load := o.Load(m, lines)
		if load == 0 {
			continue
		}
		for _, s := range slotsFor(l, m, tx.Now) {
			p, _ := tx.Book().Get(inventory.PositionKey{SKU: s.Slot, Location: l.ID})
			limit := max(s.Limit, p.Allocated)
			if after := p.Allocated + load; after > limit {
				if !beyond {
					return nil, fmt.Errorf("engine: decision gives %s %d of %s, of which %d are left", l.ID, load, s.Slot, limit-p.Allocated)
				}
				limit = after
			}
			uses = append(uses, order.CapacityUse{Slot: s.Slot, Quantity: load})
			if limit != p.OnHand {
				opened = append(opened, slotLimit{s.Slot, limit})
				moves = append(moves, onHandMovement(s.Slot, l.ID, limit-p.OnHand, inventory.Supplier, ""))
			}
		}
	}
	if len(opened) == 0 {
		return uses, nil
	}
	return uses, tx.saveCapacity(l.ID, EventCapacityOpened, opened, moves)
}

// saveCapacity writes a change of a location's slots. Its record is loaded here, because
// which locations an order goes to is known only when it is decided; that is once in a window.
func (tx *Tx) saveCapacity(location, event string, slots []slotLimit, moves []inventory.Movement) error {
	if !tx.e.keepsRecords() {
		return tx.move(moves)
	}
	key := capacityKey(location)
	if err := tx.load(key); err != nil {
		return err
	}
	en := tx.Put(store.Record{Key: key, CreatedAt: tx.Now, State: StateActive}, &openedCapacity{Location: location, Slots: slots})
	return tx.Emit(key, en.Version, []capacityEvent{{Type: event, Location: location, Slots: slots}}, moves)
}

// load reads a record that the command could not name beforehand. It always asks the store: where
// memory is behind, the record's version refuses the batch, and the next attempt reads anew.
func (tx *Tx) load(k store.Key) error {
	if tx.Entry(k) != nil {
		return nil
	}
	records, err := tx.e.store.Load(context.Background(), []store.Key{k})
	if err != nil {
		return err
	}
	for _, r := range records {
		en, err := decode(r)
		if err != nil {
			return err
		}
		tx.b.loaded[k] = en
	}
	return nil
}

// closeCapacity takes away what nobody took of slots that are closeAfterDays to
// closeUntilDays old, one commit per slot. What fulfillments have stays, until they end.
func (e *Engine) closeCapacity(ctx context.Context) {
	today := e.Now()
	for age := closeAfterDays; age <= closeUntilDays; age++ {
		date := today.AddDate(0, 0, -age).Format(dayWindow)
		for _, m := range order.Measures {
			e.closeSlot(ctx, order.Slot(m, date))
			for hour := range 24 {
				e.closeSlot(ctx, order.Slot(m, fmt.Sprintf("%sT%02d", date, hour)))
			}
		}
	}
}

func (e *Engine) closeSlot(ctx context.Context, slot string) {
	var keys []store.Key
	e.Book().Each(slot, func(p inventory.Position) bool {
		if p.Available() > 0 {
			keys = append(keys, capacityKey(p.Location))
		}
		return len(keys) < MaxImportDocuments // the next sweep goes on
	})
	if len(keys) == 0 {
		return
	}
	_, err := e.Submit(ctx, &Command{Stream: keys[0], Needs: keys[1:], Actor: "timer", Decide: func(tx *Tx) (*Reply, error) {
		for _, k := range keys {
			p, _ := tx.Book().Get(inventory.PositionKey{SKU: slot, Location: k.ID})
			if p.Available() <= 0 {
				continue
			}
			moves := []inventory.Movement{onHandMovement(slot, p.Location, -p.Available(), inventory.Supplier, "")}
			if err := tx.saveCapacity(p.Location, EventCapacityClosed, []slotLimit{{slot, p.Allocated}}, moves); err != nil {
				return nil, err
			}
		}
		return &Reply{}, nil
	}})
	if err != nil && ctx.Err() == nil {
		e.log.Warn("could not close past capacity; it is tried again", "slot", slot, "error", err)
	}
}
