package order

import (
	"fmt"
	"slices"
	"strings"

	"github.com/orderly-oms/orderly/internal/inventory"
)

// Measure is what a location's capacity is counted in.
type Measure string

// The measures.
const (
	MeasureOrders Measure = "orders" // fulfillments
	MeasureUnits  Measure = "units"  // of order lines; a kit is one
	MeasureValue  Measure = "value"  // minor units of the order's currency, see Line.UnitValue
)

// Measures lists every measure.
var Measures = []Measure{MeasureOrders, MeasureUnits, MeasureValue}

// Slot names the position that counts a measure in a window of time, like
// "capacity/orders/2026-11-26". window must not contain "/".
func Slot(m Measure, window string) string {
	return inventory.CapacityPrefix + string(m) + "/" + window
}

// CapacityUse is what a fulfillment takes of one slot of its location.
type CapacityUse struct {
	Slot     string `json:"slot"` // see Slot
	Quantity int64  `json:"quantity"`
}

// measure is what the slot counts; "" when it is no slot.
func (u CapacityUse) measure() Measure {
	rest, _ := strings.CutPrefix(u.Slot, inventory.CapacityPrefix)
	m, _, _ := strings.Cut(rest, "/")
	if slices.Contains(Measures, Measure(m)) {
		return Measure(m)
	}
	return ""
}

// UnitValue is what one unit of the line counts against a capacity of money: the
// line's total by its quantity, rounded down, in minor units; never below 0.
func (l *Line) UnitValue() int64 {
	if l.Quantity <= 0 {
		return 0
	}
	return max(l.Total, 0) / l.Quantity
}

// slotValue is UnitValue as it was before the line was edited: what is given back must be what was taken.
func (l *Line) slotValue() int64 {
	if l.SlotValue != nil {
		return *l.SlotValue
	}
	return l.UnitValue()
}

// Load is what units of the order's lines count in a measure: 1 order when there are any.
func (o *Order) Load(m Measure, lines []LineQuantity) int64 {
	var units, value int64
	for _, q := range lines {
		if l := o.Line(q.Line); l != nil {
			units += q.Quantity
			value += q.Quantity * l.slotValue()
		}
	}
	switch {
	case m == MeasureUnits:
		return units
	case m == MeasureValue:
		return value
	case m == MeasureOrders && units > 0:
		return 1
	}
	return 0
}

// HeldCapacity is what a fulfillment of the order still has of its slots: units that were
// rejected, short, cancelled or withdrawn have given theirs back; units that
// left the location keep theirs, for the work was done.
func (o *Order) HeldCapacity(f *Fulfillment) []CapacityUse {
	var out []CapacityUse
	here := f.here()
	for _, u := range f.Capacity {
		if n := o.Load(u.measure(), here); n > 0 {
			out = append(out, CapacityUse{Slot: u.Slot, Quantity: n})
		}
	}
	return out
}

// here is what is still to be, being, or was fulfilled in the fulfillment.
func (f *Fulfillment) here() []LineQuantity {
	lines := make([]LineQuantity, 0, len(f.Lines))
	for i := range f.Lines {
		if n := f.Lines[i].Quantity; n > 0 {
			lines = append(lines, LineQuantity{Line: f.Lines[i].Line, Quantity: n})
		}
	}
	return lines
}

// checkCapacity asserts that each slot is taken once and as much as the units count in it, so
// that everything comes back when all units leave.
func (o *Order) checkCapacity(p *Placement) error {
	for i, u := range p.Capacity {
		if n := o.Load(u.measure(), p.Lines); u.Quantity != n || n == 0 {
			return fmt.Errorf("order: plan takes %d of slot %q at %s for a load of %d", u.Quantity, u.Slot, p.Location, n)
		}
		if slices.ContainsFunc(p.Capacity[:i], func(w CapacityUse) bool { return w.Slot == u.Slot }) {
			return fmt.Errorf("order: plan takes slot %q at %s twice", u.Slot, p.Location)
		}
	}
	return nil
}

// freed is what an event takes out of its fulfillment.
func freed(e *Event) []LineQuantity {
	var lines []LineQuantity
	for _, q := range e.Lines {
		n := q.Quantity
		switch e.Type {
		case EventFulfillmentRejected, EventFulfillmentCancel, EventFulfillmentWithdraw, EventFulfillmentStopped,
			EventFulfillmentUncollected, EventFulfillmentLost, EventFulfillmentUndeliverable:
		case EventFulfillmentPicked:
			n = q.Short
		default:
			return nil
		}
		if n > 0 {
			lines = append(lines, LineQuantity{Line: q.Line, Quantity: n})
		}
	}
	return lines
}

// capacityMovements returns what an event means for the slots of the location. o is
// the order after the event: the one that leaves nothing in a fulfillment gives the order's slot back.
func capacityMovements(out []inventory.Movement, o *Order, e *Event) []inventory.Movement {
	if e.Type == EventFulfillmentCreated {
		for _, u := range e.Fulfillment.Capacity {
			out = append(out, inventory.Movement{SKU: u.Slot, Location: e.Fulfillment.Location, From: inventory.Free, To: inventory.Allocated, Quantity: u.Quantity})
		}
		return out
	}
	f := o.Fulfillment(e.FulfillmentID)
	if f == nil || len(f.Capacity) == 0 {
		return out
	}
	lines := freed(e)
	for _, u := range f.Capacity {
		n := o.Load(u.measure(), lines)
		if u.measure() == MeasureOrders && len(f.here()) > 0 {
			n = 0
		}
		if n > 0 {
			out = append(out, inventory.Movement{SKU: u.Slot, Location: f.Location, From: inventory.Allocated, To: inventory.Free, Quantity: n, Reason: e.Reason})
		}
	}
	return out
}
