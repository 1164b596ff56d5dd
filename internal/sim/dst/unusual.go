package dst

import (
	"time"

	"github.com/orderly-oms/orderly/internal/exception"
	"github.com/orderly-oms/orderly/internal/order"
)

// answerStop is a location that is asked to stop: it does, or it is too late, or it stops some of it.
func (w *World) answerStop(f *order.Fulfillment) *step {
	if w.chance(.25) {
		return &step{Step: order.Step{Command: "refuse_stop", Reason: "the parcel is closed"}}
	}
	s := &step{Step: order.Step{Command: "stopped"}}
	if len(f.Stop.Lines) > 1 && w.chance(.2) {
		s.Lines = f.Stop.Lines[:1]
	}
	return s
}

// unusual is what happens to a fulfillment beside the usual steps; nil: nothing.
func (w *World) unusual(rm *room, o *order.Order, f *order.Fulfillment) *step {
	if w.calm {
		return nil
	}
	switch f.Status {
	case order.FulfillmentOpen, order.FulfillmentAccepted, order.FulfillmentPicked, order.FulfillmentPacked:
		if f.Method == order.Pickup && w.chance(.05) {
			return &step{Step: order.Step{Command: "arrive", Reason: "at the counter"}}
		}
		if w.chance(w.weather.carrier / 4) {
			return w.delayed()
		}
		if w.chance(.1) {
			return w.atOnce(rm, o, f)
		}
	case order.FulfillmentReady:
		if w.chance(w.weather.carrier / 2) {
			return &step{Step: order.Step{Command: "arrive", Reason: "at the counter"}}
		}
		if w.chance(w.weather.carrier) {
			s := &step{Step: order.Step{Command: "uncollected"}}
			if f.Via != "" {
				s.into = w.rooms[f.Via]
				s.Lines, s.back = shipped(o, f)
			}
			return s
		}
	case order.FulfillmentShipped:
		switch {
		case w.chance(w.weather.carrier / 2):
			return w.delayed()
		case w.chance(w.weather.carrier / 2):
			return &step{Step: order.Step{Command: "lose", Reason: "the lorry burnt"}}
		case w.chance(w.weather.carrier / 2):
			s := &step{Step: order.Step{Command: "undeliverable", Reason: "nobody there"}, into: rm}
			s.Lines, s.back = shipped(o, f)
			return s
		case f.Via != "" && w.chance(.2):
			return &step{Step: order.Step{Command: "handover"}}
		}
	}
	return nil
}

func (w *World) delayed() *step {
	return &step{Step: order.Step{Command: "delay", ExpectedAt: w.now.Add(w.between(time.Hour, 90*time.Hour)), Reason: "snow"}}
}

// shipped are the units of a fulfillment that left.
func shipped(o *order.Order, f *order.Fulfillment) (lines []order.LineQuantity, back []units) {
	for i := range f.Lines {
		if n := f.Lines[i].Shipped; n > 0 {
			lines = append(lines, order.LineQuantity{Line: f.Lines[i].Line, Quantity: n})
			back = append(back, stocked(o, f.Lines[i].Line, n)...)
		}
	}
	return lines, back
}

// atOnce is a location that reports only the last of several steps: it picked, and does not say so. Nil: it
// did not find everything.
func (w *World) atOnce(rm *room, o *order.Order, f *order.Fulfillment) *step {
	s := &step{}
	need := map[string]int64{}
	for i := range f.Lines {
		l := &f.Lines[i]
		for _, u := range stocked(o, l.Line, l.Quantity-l.Picked) {
			need[u.sku] += u.n
			s.picks = append(s.picks, u)
		}
		if n := l.Quantity - l.Shipped; n > 0 {
			s.Lines = append(s.Lines, order.LineQuantity{Line: l.Line, Quantity: n})
			s.left = append(s.left, stocked(o, l.Line, n)...)
		}
	}
	for sku, n := range need {
		if w.free(rm, sku) < n {
			return nil
		}
	}
	switch {
	case f.Method == order.Ship && f.Via == "" && f.Status != order.FulfillmentOpen && w.chance(.2):
		s.Command, s.Lines = "deliver", nil
		for _, u := range s.left { // the message does not say how many
			rm.doubtful[u.sku] = true
		}
	case f.Method == order.Ship || f.Via != "":
		s.Command = "ship"
	case w.chance(.5):
		s.Command = "handover"
	default:
		s.Command, s.Lines, s.left = "ready", nil, nil
	}
	if len(s.Lines) > 1 && w.chance(.3) { // the rest comes later
		s.Lines, s.left = s.Lines[:1], stocked(o, s.Lines[0].Line, s.Lines[0].Quantity)
	}
	return s
}

// hear lets locations and providers act on what the product tells them at once.
func (w *World) hear(o *order.Order, e *order.Event) {
	switch e.Type {
	case order.EventReturnDisposed: // a location shelves what it is told to shelve
		r := o.Return(e.ReturnID)
		for i := range e.ReturnSteps {
			s := &e.ReturnSteps[i]
			if s.Disposition != order.Restock {
				continue
			}
			rm := w.rooms[r.Lines[s.Item-1].At]
			for _, u := range stocked(o, s.Line, s.Quantity) {
				rm.physical[u.sku] += u.n
			}
		}
	case order.EventFulfillmentUncollected:
		if f := o.Fulfillment(e.FulfillmentID); f.Via != "" && e.Reason != "" { // a flow gave up; the store shelves it. Stores give no reason
			for _, q := range e.Lines {
				for _, u := range stocked(o, q.Line, q.Quantity) {
					w.rooms[f.Via].physical[u.sku] += u.n
				}
			}
		}
	case order.EventReturnAuthorized:
		w.in(w.between(time.Hour, 60*time.Hour), func() { w.goodsBack(o.ID) })
	case order.EventExceptionFixed:
		if e.Name == exception.FixAcceptLateShip { // somebody believes that it left after all
			w.doubt(o)
		}
	case order.EventExceptionOpened:
		w.provider.told[e.Exception.Data["operation"]] = true
		if w.chance(w.weather.service) {
			w.in(w.between(time.Minute, 30*time.Hour), func() { w.fix(w.watch.orders[o.ID].now) })
		}
	case order.EventPaymentRequested, order.EventPaymentInquiry:
		w.provider.asked(o.ID, e)
	}
}

// doubt says that the units of an order may lie elsewhere than the product thinks.
func (w *World) doubt(o *order.Order) {
	for i := range o.Lines {
		for _, u := range stocked(o, o.Lines[i].ID, 1) {
			for _, rm := range w.rooms {
				rm.doubtful[u.sku] = true
			}
		}
	}
}
