package replay

import (
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/past"
)

// adopt takes what the record has. With an answer that is the same, what it costs and promises is the answer's: the
// scenario may have other rates and dates.
func (w *world) adopt(o *life, d *past.Decision, a *engine.Answer, at time.Time) {
	moves := d.Moves
	if moves == nil {
		moves = placedMoves(d)
	}
	freed := w.move(moves, at)
	placed := d.Placed
	if a != nil {
		placed = placedOf(a.Events)
	}
	for i := range placed {
		p := &placed[i]
		x := &parcel{location: p.Location, service: p.Service, via: p.Via, cost: p.Cost, promise: p.Promise, created: at}
		x.lines = append(x.lines, p.Lines...)
		o.fs = append(o.fs, x)
		o.recorded = append(o.recorded, x)
	}
	unplaced := d.Unplaced
	if !w.header.Recorded && d.Waiting == "" {
		unplaced = nil // never sent, and nobody knows why: no stock-out for sure
	}
	w.looked(o, unplaced, at)
	if units(unplaced) > 0 {
		o.recordedBefore = true
	}
	if d.Waiting == order.WaitCancel {
		o.cancelled += units(d.Unplaced)
		o.lost += valueOf(d.State, d.Unplaced)
	}
	if len(freed) > 0 {
		w.freed(freed, at, false)
	}
}

// looked notes the outcome of a look for locations.
func (w *world) looked(o *life, unplaced []order.LineQuantity, at time.Time) {
	if n := units(unplaced); n > 0 {
		o.trouble = true
		if !o.decided {
			o.backordered = n
		}
	}
	if o.decided {
		return
	}
	o.decided = true
	for _, p := range o.fs {
		if p.promise.DeliverBy.IsZero() {
			o.promised = time.Time{}
			return
		}
		if p.promise.DeliverBy.After(o.promised) {
			o.promised = p.promise.DeliverBy
		}
	}
	if len(unplaced) > 0 {
		o.promised = time.Time{}
	}
}

// placedMoves are the movements of a decision of which the history has none.
func placedMoves(d *past.Decision) (moves []inventory.Movement) {
	for i := range d.Placed {
		p := &d.Placed[i]
		for _, q := range p.Lines {
			each(d.State, q, func(sku string, n int64) {
				moves = append(moves, inventory.Movement{SKU: sku, Location: p.Location, From: inventory.Free, To: inventory.Allocated, Quantity: n})
			})
		}
	}
	return moves
}

// each calls f for the stocked SKUs behind units of a line.
func each(o *order.Order, q order.LineQuantity, f func(sku string, n int64)) {
	l := o.Line(q.Line)
	switch {
	case l == nil:
	case len(l.Parts) == 0:
		f(l.SKU, q.Quantity)
	default:
		for _, p := range l.Parts {
			f(p.SKU, p.Quantity*q.Quantity)
		}
	}
}

func units(lines []order.LineQuantity) (n int64) {
	for _, q := range lines {
		n += q.Quantity
	}
	return n
}

func valueOf(o *order.Order, lines []order.LineQuantity) (sum int64) {
	for _, q := range lines {
		if l := o.Line(q.Line); l != nil {
			sum += l.UnitValue() * q.Quantity
		}
	}
	return sum
}

// diverge puts an order on a course of its own.
func (w *world) diverge(o *life, d *past.Decision, a *engine.Answer, at time.Time) error {
	if o.why == nil && w.o.KeepOrders {
		o.why = w.explanation(d.State, a)
	}
	// What the record placed now is not there in this run; what it placed before still is.
	for range d.Placed {
		o.recorded = append(o.recorded, nil)
	}
	if a.Refused {
		o.decided, o.trouble = true, true
		o.backordered = units(a.Unplaced)
		left := o.state.Unplaced()
		o.cancelled += units(left)
		o.lost += valueOf(o.state, left)
		return nil
	}
	before := len(o.fs)
	if err := w.take(o, a, at); err != nil {
		return err
	}
	// Where a location got the same units with the same service, what it did is known.
	first := len(o.recorded) - len(d.Placed)
	for i := range d.Placed {
		for _, p := range o.fs[before:] {
			if p.drawn && !w.rules.draws(p.location) && p.same(&d.Placed[i]) && o.number >= 0 {
				p.drawn = false
				o.recorded[first+i] = p
				break
			}
		}
	}
	for i, p := range o.fs[before:] {
		if p.drawn {
			w.draw(o, p, before+i, at)
		}
	}
	return nil
}

func (p *parcel) same(q *past.Placed) bool {
	if p.location != q.Location || p.service != q.Service || p.via != q.Via || len(p.lines) != len(q.Lines) {
		return false
	}
	for i := range p.lines {
		if p.lines[i].Line != q.Lines[i].Line || p.lines[i].Quantity != q.Lines[i].Quantity {
			return false
		}
	}
	return true
}

// take lets an answer take effect on an order that is not on course.
func (w *world) take(o *life, a *engine.Answer, at time.Time) error {
	next, moves, err := a.Fold()
	if err != nil {
		return w.fail(o, err)
	}
	w.move(moves, at)
	o.state = next
	for i := range a.Events {
		f := a.Events[i].Fulfillment
		switch a.Events[i].Type {
		case order.EventFulfillmentCreated:
			x := &parcel{id: f.ID, location: f.Location, service: f.Service, via: f.Via, cost: f.Cost, promise: f.Promise, created: at, drawn: true}
			for _, l := range f.Lines {
				x.lines = append(x.lines, order.LineQuantity{Line: l.Line, Quantity: l.Quantity})
			}
			o.fs = append(o.fs, x)
		case order.EventCancelled:
			o.cancelled += units(a.Events[i].Lines)
			o.lost += valueOf(o.state, a.Events[i].Lines)
		}
	}
	w.looked(o, a.Unplaced, at)
	w.waits.set(o)
	return nil
}

// later is a recorded look for locations of an order that is not on course: this run looks when it has reason to.
func (w *world) later(o *life, d *past.Decision) {
	for range d.Placed {
		o.recorded = append(o.recorded, nil)
	}
	if len(d.Unplaced) > 0 {
		o.recordedBefore = true
	}
}

// again looks for locations of an order that is not on course.
func (w *world) again(o *life, at time.Time) error {
	if len(o.state.Unplaced()) == 0 {
		w.waits.drop(o)
		return nil
	}
	before := len(o.fs)
	a, err := w.ask(o, o.state, nil, at)
	if err != nil {
		return w.fail(o, err)
	}
	if units(a.Unplaced) == units(o.state.Unplaced()) && o.state.Waiting != nil {
		return nil // in vain
	}
	if err := w.take(o, a, at); err != nil {
		return err
	}
	for i, p := range o.fs[before:] {
		w.draw(o, p, before+i, at)
	}
	return nil
}

// reject takes units of a fulfillment back, and looks for others to do them.
func (w *world) reject(o *life, p *parcel, lines []order.LineQuantity, lost bool, at time.Time) error {
	if lines == nil {
		lines = p.lines
	}
	o.rejections += units(lines)
	o.trouble, p.rejected = true, true
	w.tally.rejected(p, lost, o.counted)
	freed, err := w.withdraw(o, p, lines, order.Event{Type: order.EventFulfillmentRejected, Lost: lost, Exclude: true, Reason: "drawn"}, at)
	if err != nil {
		return w.fail(o, err)
	}
	if err := w.freed(freed, at, true); err != nil {
		return err
	}
	return w.again(o, at)
}

// withdraw lets an event take units from a fulfillment.
func (w *world) withdraw(o *life, p *parcel, lines []order.LineQuantity, ev order.Event, at time.Time) (freed []string, err error) {
	ev.FulfillmentID, ev.Lines = p.id, append([]order.LineQuantity(nil), lines...)
	var moves []inventory.Movement
	next, err := order.FoldEach(o.state, []order.Event{ev}, o.state.Version+1, at, func(x *order.Order, e *order.Event) {
		moves = append(moves, order.Movements(x, e)...)
	})
	if err != nil {
		return nil, err
	}
	o.state = next
	p.less(lines)
	return w.move(moves, at), nil
}

// less takes units off a fulfillment.
func (p *parcel) less(lines []order.LineQuantity) {
	var left []order.LineQuantity
	for _, q := range p.lines {
		for _, x := range lines {
			if x.Line == q.Line {
				q.Quantity -= min(x.Quantity, q.Quantity)
			}
		}
		if q.Quantity > 0 {
			left = append(left, q)
		}
	}
	p.lines = left
	p.gone = len(left) == 0
}

// ship takes what is left of a fulfillment out of its location's stock.
func (w *world) ship(o *life, p *parcel, at time.Time) {
	p.shipped = at
	for _, q := range p.lines {
		each(o.state, q, func(sku string, n int64) {
			k := inventory.PositionKey{SKU: sku, Location: p.location}
			d := inventory.Delta{OnHand: -n, Allocated: -n}
			if was, _ := w.book.Get(k); was.OnHand < n {
				w.odd["units that left were not in the stock of this run"] += n - max(was.OnHand, 0)
				d.OnHand = -max(was.OnHand, 0)
			}
			w.book.Apply(k, d)
			w.book.SetChanged(k, at)
		})
	}
}

// zone is a destination as results name it.
func zone(a *network.Address) string {
	if a == nil {
		return ""
	}
	return a.Country + " " + a.PostalCode[:min(2, len(a.PostalCode))]
}
