package dst

import (
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/order"
)

// room is a location with its own books: what lies on its shelves, whatever the product believes.
type room struct {
	id       string
	physical map[string]int64 // by SKU
	// unseen are units that are gone and that nobody has missed yet: the product still counts them.
	unseen map[string]int64
	// doubtful are SKUs of which more left than was there, after a count below what was promised.
	doubtful map[string]bool
	// picking are units that a message on its way says are picked.
	picking  map[string]int64
	sending  int  // messages on their way
	counting bool // shelves are closed until the count is settled
	jobs     map[string]*job
}

// job is a fulfillment at the location and its carrier.
type job struct {
	busy, silent bool
	tries        int
	until        time.Time // nobody does anything before: it is forgotten, or on a slow lorry, or the customer is away
}

const day = 24 * time.Hour

// maxTries is how often a location works on a fulfillment that refuses it, before it waits to be asked again.
const maxTries = 60

func newRoom(id string) *room {
	return &room{
		id: id, physical: map[string]int64{}, unseen: map[string]int64{}, doubtful: map[string]bool{}, picking: map[string]int64{}, jobs: map[string]*job{},
	}
}

// tell lets partners hear of what happened, each in its own time.
func (w *World) tell(o *order.Order, events []order.Event) {
	for i := range events {
		e := &events[i]
		w.hear(o, e)
		id := e.FulfillmentID
		if e.Type == order.EventFulfillmentCreated {
			id = e.Fulfillment.ID
		}
		if id == "" {
			continue
		}
		f := o.Fulfillment(id)
		if f == nil {
			continue
		}
		switch e.Type {
		case order.EventFulfillmentCreated, order.EventFulfillmentReleased:
			delay := w.between(time.Minute, 90*time.Minute)
			if w.calm {
				delay = time.Minute
			}
			w.workIn(delay, o.ID, id)
			if w.chance(w.weather.twice) {
				w.workIn(delay+w.between(0, 5*time.Hour), o.ID, id)
			}
		case order.EventFulfillmentStopRequested:
			w.workIn(w.between(time.Minute, 20*time.Hour), o.ID, id)
		}
	}
}

func (w *World) workIn(delay time.Duration, orderID, id string) {
	w.in(delay, func() { w.work(orderID, id) })
}

// work takes a fulfillment a step further, as the location, the carrier or the customer.
func (w *World) work(orderID, id string) {
	t := w.watch.orders[orderID]
	o := t.now
	if t.before != nil && !w.calm && w.chance(.05) {
		o = t.before // the location works on what it read before
	}
	f := o.Fulfillment(id)
	if f == nil {
		return
	}
	rm := w.rooms[f.Location]
	j := rm.jobs[id]
	if j == nil {
		j = &job{}
		rm.jobs[id] = j
	}
	if j.busy || j.silent && !w.calm || j.until.After(w.now) {
		return
	}
	if rm.counting {
		w.workIn(w.between(time.Minute, time.Hour), orderID, id)
		return
	}
	s := w.nextStep(rm, j, o, f)
	if s == nil {
		return
	}
	j.busy = true
	rm.sending++
	if s.into != nil {
		s.into.sending++
	}
	for _, q := range s.picks {
		rm.picking[q.sku] += q.n
	}
	m := &message{name: s.Command + " " + id, do: func(e *engine.Engine, m engine.Meta) (*engine.Reply, error) { return e.Step(ctx, id, s.Step, m) }}
	m.settled = func(_ *engine.Reply, err error) {
		j.busy = false
		rm.sending--
		if s.into != nil {
			s.into.sending--
		}
		for _, q := range s.picks {
			rm.picking[q.sku] -= q.n
		}
		if err == nil {
			j.tries = 0
			if w.watch.effects[m.key] { // else it said what was known: it worked on an old state
				rm.book(s)
			}
		} else {
			j.tries++
		}
		if j.tries < maxTries {
			w.workIn(w.patience(j, s.Command), orderID, id)
		}
	}
	w.send(0, m)
}

// patience is how long it takes until the step after a command; now and then so long that somebody should ask.
func (w *World) patience(j *job, command string) time.Duration {
	long, slow := 3*time.Hour, 5*day
	if command == "ship" || command == "ready" {
		long, slow = 40*time.Hour, 15*day
	}
	if !w.calm && w.chance(w.weather.slow) {
		wait := w.between(day, slow)
		j.until = w.now.Add(wait)
		w.cover.hit(faults, "partner_slow")
		return wait
	}
	return w.between(time.Minute, long)
}

// step is what a location reports, and what it means for its shelves.
type step struct {
	order.Step
	picks, gone, left []units
	into              *room // where what came back is put on the shelves
	back              []units
}

type units struct {
	sku string
	n   int64
}

// book enters in the location's own books what was reported.
func (rm *room) book(s *step) {
	for _, q := range s.gone { // first those that were missing all along
		n := min(q.n, rm.unseen[q.sku])
		rm.unseen[q.sku] -= n
		rm.leave(q.sku, q.n-n)
	}
	for _, q := range s.left {
		rm.leave(q.sku, q.n)
	}
	for _, q := range s.back {
		s.into.physical[q.sku] += q.n
	}
}

func (rm *room) leave(sku string, n int64) {
	rm.physical[sku] -= n
	if rm.physical[sku] < 0 {
		rm.physical[sku], rm.doubtful[sku] = 0, true
	}
}

// free is what lies on the shelves and is not in anybody's basket.
func (w *World) free(rm *room, sku string) int64 {
	p := w.disk.Position(inventory.PositionKey{SKU: sku, Location: rm.id})
	return rm.physical[sku] - p.Picked - rm.picking[sku]
}

// stocked is what q units of an order line are on the shelves.
func stocked(o *order.Order, line string, q int64) []units {
	l := o.Line(line)
	if len(l.Parts) == 0 {
		return []units{{l.SKU, q}}
	}
	var out []units
	for _, p := range l.Parts {
		out = append(out, units{p.SKU, p.Quantity * q})
	}
	return out
}

// nextStep chooses what is done with a fulfillment; nil: nothing now.
func (w *World) nextStep(rm *room, j *job, o *order.Order, f *order.Fulfillment) *step {
	if f.Stop != nil {
		return w.answerStop(f)
	}
	if s := w.unusual(rm, o, f); s != nil {
		return s
	}
	switch f.Status {
	case order.FulfillmentOpen:
		if !w.calm && w.chance(w.weather.silent) {
			j.silent = true
			w.cover.hit(faults, "location_silent")
			return nil
		}
		if !w.calm && w.chance(w.weather.reject) {
			return w.rejection(o, f)
		}
		if w.chance(.8) {
			return &step{Step: order.Step{Command: "accept"}}
		}
		return w.picking(rm, o, f)
	case order.FulfillmentAccepted:
		if !w.calm && w.chance(w.weather.reject/3) {
			return w.rejection(o, f)
		}
		return w.picking(rm, o, f)
	case order.FulfillmentPicked:
		if f.Method == order.Ship && w.chance(.6) || f.Method == order.Pickup && w.chance(.1) {
			return &step{Step: order.Step{Command: "pack"}}
		}
		return w.leaving(o, f)
	case order.FulfillmentPacked:
		return w.leaving(o, f)
	case order.FulfillmentShipped:
		if f.Via != "" {
			return &step{Step: order.Step{Command: "ready"}}
		}
		return &step{Step: order.Step{Command: "deliver"}}
	case order.FulfillmentReady:
		s := &step{Step: order.Step{Command: "handover"}}
		if f.Via == "" {
			s.Lines, s.left = w.unshipped(o, f)
		}
		return s
	}
	return nil
}

// rejection gives all of a fulfillment back, or some of it.
func (w *World) rejection(o *order.Order, f *order.Fulfillment) *step {
	s := &step{Step: order.Step{Command: "reject", Reason: choose(w, "capacity", "closed", "not_found", "damaged", "out_of_stock")}}
	for i := range f.Lines {
		if n := f.Lines[i].Quantity - f.Lines[i].Picked; n > 0 && (len(s.Lines) == 0 || w.chance(.7)) {
			q := order.LineQuantity{Line: f.Lines[i].Line, Quantity: w.whole(1, n)}
			s.Lines = append(s.Lines, q)
			switch s.Reason {
			case "not_found", "damaged", "out_of_stock":
				s.gone = append(s.gone, stocked(o, q.Line, q.Quantity)...)
			}
		}
	}
	if len(s.Lines) == 0 {
		return nil
	}
	return s
}

// picking finds what is there; what is not is short. Now and then only some of it is picked.
func (w *World) picking(rm *room, o *order.Order, f *order.Fulfillment) *step {
	s := &step{Step: order.Step{Command: "pick"}}
	taken := map[string]int64{}
	for i := range f.Lines {
		need := f.Lines[i].Quantity - f.Lines[i].Picked
		if need <= 0 || len(s.Lines) > 0 && w.chance(.1) {
			continue
		}
		found := need
		for _, u := range stocked(o, f.Lines[i].Line, 1) {
			found = min(found, max(w.free(rm, u.sku)-taken[u.sku], 0)/u.n)
		}
		if !w.calm && found > 0 && w.chance(w.weather.short) {
			found = w.whole(0, found-1)
		}
		q := order.LineQuantity{Line: f.Lines[i].Line, Quantity: found, Short: need - found}
		if q.Short > 0 {
			s.Reason = "not_found"
		}
		s.Lines = append(s.Lines, q)
		for _, u := range stocked(o, q.Line, found) {
			taken[u.sku] += u.n
			s.picks = append(s.picks, u)
		}
		if q.Short > 0 {
			s.gone = append(s.gone, stocked(o, q.Line, q.Short)...)
		}
	}
	if len(s.Lines) == 0 {
		return nil
	}
	return s
}

// leaving ships what is picked, or sets it ready.
func (w *World) leaving(o *order.Order, f *order.Fulfillment) *step {
	if f.Method == order.Pickup {
		return &step{Step: order.Step{Command: "ready"}}
	}
	s := &step{Step: order.Step{Command: "ship", Parcels: []order.Parcel{{Carrier: "c", Tracking: "T-" + f.ID}}}}
	if s.Lines, s.left = w.unshipped(o, f); len(s.Lines) > 1 && w.chance(.1) {
		s.Lines = s.Lines[:1] // the rest in a second parcel
		s.left = stocked(o, s.Lines[0].Line, s.Lines[0].Quantity)
	}
	if len(s.Lines) == 0 {
		return nil
	}
	return s
}

func (w *World) unshipped(o *order.Order, f *order.Fulfillment) (lines []order.LineQuantity, left []units) {
	for i := range f.Lines {
		if n := f.Lines[i].Picked - f.Lines[i].Shipped; n > 0 {
			lines = append(lines, order.LineQuantity{Line: f.Lines[i].Line, Quantity: n})
			left = append(left, stocked(o, f.Lines[i].Line, n)...)
		}
	}
	return lines, left
}
