package replay

import (
	"container/heap"
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/past"
)

// step lets something that happened happen in this run, as far as it applies.
func (w *world) step(s *past.Step, at time.Time) error {
	o := w.orders[s.Order]
	if o == nil {
		return nil
	}
	var p *parcel
	if n := s.Fulfillment; n > 0 && n <= len(o.recorded) {
		p = o.recorded[n-1]
	}
	switch s.Kind {
	case past.StepTouched:
		o.touches++
		o.seconds += s.Seconds
		return nil
	case past.StepDone:
		if o.on {
			w.finish(o)
		}
		return nil
	case past.StepRejected:
		o.recordedBefore = true
	}
	if !o.on {
		return w.offCourse(o, p, s, at)
	}
	freed := w.move(w.movesOf(o, p, s), at)
	w.onCourse(o, p, s, at)
	return w.freed(freed, at, false)
}

// movesOf are the movements of a step, worked out where the history has none.
func (w *world) movesOf(o *life, p *parcel, s *past.Step) []inventory.Movement {
	if s.Moves != nil || p == nil || w.header.Recorded {
		return s.Moves
	}
	lines := s.Lines
	if lines == nil {
		lines = p.lines
	}
	var moves []inventory.Movement
	for _, q := range lines {
		each(o.state, q, func(sku string, n int64) {
			m := inventory.Movement{SKU: sku, Location: p.location, From: inventory.Allocated, To: inventory.Free, Quantity: n}
			switch {
			case s.Kind == past.StepShipped:
				m.To = inventory.Shipped
			case s.Kind == past.StepRejected && s.Lost:
				m.To = inventory.Adjustment
			case s.Kind != past.StepRejected && s.Kind != past.StepCancelled && s.Kind != past.StepWithdrawn:
				return
			}
			moves = append(moves, m)
		})
	}
	return moves
}

// onCourse notes a step of an order that is where history had it.
func (w *world) onCourse(o *life, p *parcel, s *past.Step, at time.Time) {
	lines := s.Lines
	if lines == nil && p != nil {
		lines = p.lines
	}
	switch s.Kind {
	case past.StepRejected:
		o.rejections += units(lines)
		o.trouble = true
		if p != nil {
			w.tally.rejected(p, s.Lost, o.counted)
			p.rejected = true
			p.less(lines)
		}
	case past.StepShipped:
		if p != nil {
			p.shipped = at
		}
	case past.StepDelivered:
		if p != nil {
			p.delivered = at.Add(w.rules.late(p.service))
		}
	case past.StepCancelled:
		if lines == nil {
			lines = o.state.Unplaced()
		}
		o.cancelled += units(lines)
		o.lost += valueOf(o.state, lines)
		if p != nil {
			p.less(lines)
		}
	case past.StepWithdrawn:
		if p != nil {
			p.less(lines)
		}
	case past.StepLost:
		if p != nil {
			p.lost = true
		}
	}
}

// offCourse applies what it can of a step to an order that is elsewhere: what happened to fulfillments that
// this run has as well, and what the customer wanted.
func (w *world) offCourse(o *life, p *parcel, s *past.Step, at time.Time) error {
	switch s.Kind {
	case past.StepCancelled:
		if s.Reason == order.ReasonNoLocation || s.Reason == order.ReasonWaitedTooLong {
			return nil
		}
		return w.cancel(o, s.Lines, at)
	case past.StepWithdrawn:
		if p != nil && !p.gone { // this run leaves it there
			o.recorded[s.Fulfillment-1] = nil
			p.drawn = true
			w.draw(o, p, s.Fulfillment-1, at)
		}
		return nil
	}
	if p == nil || p.gone {
		return nil
	}
	switch s.Kind {
	case past.StepRejected:
		if p.id == "" { // of the record: its state knows it by number
			p.id = o.state.Fulfillments[s.Fulfillment-1].ID
		}
		return w.reject(o, p, s.Lines, s.Lost, at)
	case past.StepShipped:
		w.ship(o, p, at)
	case past.StepDelivered:
		p.delivered = at.Add(w.rules.late(p.service))
	case past.StepLost:
		p.lost = true
	}
	return nil
}

// cancel takes away units that the customer does not want any more: those that nobody has first, then those that have not left.
func (w *world) cancel(o *life, lines []order.LineQuantity, at time.Time) error {
	if lines == nil {
		for i := range o.state.Lines {
			if l := &o.state.Lines[i]; l.Quantity > l.Cancelled {
				lines = append(lines, order.LineQuantity{Line: l.ID, Quantity: l.Quantity - l.Cancelled})
			}
		}
	}
	var freed []string
	for _, q := range lines {
		left := q.Quantity
		for _, u := range o.state.Unplaced() {
			if u.Line != q.Line || left == 0 {
				continue
			}
			n := min(left, u.Quantity)
			next, err := order.Fold(o.state, []order.Event{{Type: order.EventCancelled, Lines: []order.LineQuantity{{Line: q.Line, Quantity: n}}, Reason: "customer"}}, o.state.Version+1, at)
			if err != nil {
				return w.fail(o, err)
			}
			o.state, left = next, left-n
		}
		for _, p := range o.fs {
			if left == 0 || p.gone || !p.shipped.IsZero() || p.id == "" {
				continue
			}
			for _, x := range p.lines {
				if x.Line != q.Line || left == 0 {
					continue
				}
				n := min(left, x.Quantity)
				more, err := w.withdraw(o, p, []order.LineQuantity{{Line: q.Line, Quantity: n}}, order.Event{Type: order.EventFulfillmentCancel, Reason: "customer"}, at)
				if err != nil {
					return w.fail(o, err)
				}
				freed, left = append(freed, more...), left-n
			}
		}
		o.cancelled += q.Quantity - left
		o.lost += valueOf(o.state, []order.LineQuantity{{Line: q.Line, Quantity: q.Quantity - left}})
	}
	w.waits.set(o)
	return w.freed(freed, at, true)
}

// task is something that is going to happen to a fulfillment of an order that is not on course.
type task struct {
	at    time.Time
	order int64
	f     int // index of life.fs; −1: units that wait are looked for
	kind  past.StepKind
	lost  bool
	seq   int64
}

// agenda holds tasks by time, and by when they were added.
type agenda struct {
	tasks []task
	seq   int64
}

func (a *agenda) Len() int { return len(a.tasks) }
func (a *agenda) Less(i, j int) bool {
	if a.tasks[i].at.Equal(a.tasks[j].at) {
		return a.tasks[i].seq < a.tasks[j].seq
	}
	return a.tasks[i].at.Before(a.tasks[j].at)
}
func (a *agenda) Swap(i, j int) { a.tasks[i], a.tasks[j] = a.tasks[j], a.tasks[i] }
func (a *agenda) Push(x any)    { a.tasks = append(a.tasks, x.(task)) }
func (a *agenda) Pop() any {
	last := a.tasks[len(a.tasks)-1]
	a.tasks = a.tasks[:len(a.tasks)-1]
	return last
}

func (a *agenda) add(t task) {
	a.seq++
	t.seq = a.seq
	heap.Push(a, t)
}

// due takes the next task up to a moment.
func (a *agenda) due(at time.Time) (task, bool) {
	if len(a.tasks) == 0 || a.tasks[0].at.After(at) {
		return task{}, false
	}
	return heap.Pop(a).(task), true
}

// happen lets a task happen.
func (w *world) happen(t task) error {
	o := w.orders[t.order]
	if o == nil {
		return nil
	}
	if t.f < 0 {
		return w.again(o, t.at)
	}
	p := o.fs[t.f]
	if p.gone || !p.drawn {
		return nil
	}
	switch t.kind {
	case past.StepRejected:
		return w.reject(o, p, nil, t.lost, t.at)
	case past.StepShipped:
		if p.shipped.IsZero() {
			w.ship(o, p, t.at)
		}
	case past.StepDelivered:
		p.delivered = t.at
		if o.complete() {
			w.finish(o)
		}
	}
	return nil
}

// complete reports that nothing more can happen to an order that is not on course.
func (o *life) complete() bool {
	if o.on || len(o.state.Unplaced()) > 0 {
		return false
	}
	for _, p := range o.fs {
		if !p.gone && p.delivered.IsZero() {
			return false
		}
	}
	return true
}
