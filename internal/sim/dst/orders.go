package dst

import (
	"slices"
	"strings"

	"github.com/orderly-oms/orderly/internal/exception"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/order"
)

// follower looks at an order after each event of a command.
type follower struct {
	x      *watch
	before *order.Order
	status map[string]order.FulfillmentStatus
	moves  []inventory.Movement
	byHand bool // a person names the location, whatever refused before
}

func (f *follower) begin() {
	if f.before == nil {
		return
	}
	for i := range f.before.Fulfillments {
		u := &f.before.Fulfillments[i]
		f.status[u.ID] = u.Status
	}
}

func (f *follower) event(o *order.Order, e *order.Event) {
	w := f.x.w
	w.cover.hit(eventTypes, e.Type)
	if e.Type == order.EventExceptionOpened {
		w.cover.hit(exceptions, e.Exception.Type)
	}
	switch {
	case e.Type == order.EventExceptionFixed:
		f.byHand = e.Name == exception.FixShipFrom
	case e.Type == order.EventHeld:
		w.cover.hit(holdTypes, e.Hold.Type)
	case len(e.Moves) > 0:
		f.flows(e)
	case e.ReturnID != "":
		if r := o.Return(e.ReturnID); r != nil {
			w.cover.hit(returnStates, string(r.Status))
		}
	}
	f.moves = append(f.moves, order.Movements(o, e)...)
	for i := range o.Fulfillments {
		u := &o.Fulfillments[i]
		was, known := f.status[u.ID]
		f.status[u.ID] = u.Status
		switch {
		case !known:
			f.created(o, u, e)
		case was != u.Status:
			w.cover.hit(edges, edgeName(was, u.Status))
			if !published(was, u.Status) {
				fail(18, "only published steps are taken", "%s takes fulfillment %s from %s to %s", e.Type, u.ID, was, u.Status)
			}
		default:
			continue
		}
		w.cover.hit(fulfillmentStates, string(u.Status))
	}
}

// created checks a new fulfillment.
func (f *follower) created(o *order.Order, u *order.Fulfillment, e *order.Event) {
	if u.Status != order.FulfillmentOpen && u.Status != order.FulfillmentHeld {
		fail(18, "only published steps are taken", "fulfillment %s begins as %s", u.ID, u.Status)
	}
	if u.Status == order.FulfillmentOpen && len(o.Holds) > 0 {
		fail(18, "a held order is not worked on", "fulfillment %s begins as open while %d holds are in force", u.ID, len(o.Holds))
	}
	if f.before != nil && !f.byHand && slices.Contains(f.before.Excluded, u.Location) && len(e.Reserved) == 0 && o.RequiredLocation != u.Location {
		fail(21, "who refused is not asked again", "fulfillment %s is given to %s, which is excluded", u.ID, u.Location)
	}
}

// checkOrder checks what must hold after every command.
func (x *watch) checkOrder(before, o *order.Order, events []order.Event) {
	placed := make(map[string]int64, len(o.Lines))
	for i := range o.Fulfillments {
		f := &o.Fulfillments[i]
		for k := range f.Lines {
			l := &f.Lines[k]
			placed[l.Line] += l.Quantity
			if l.Shipped < 0 || l.Shipped > l.Packed || l.Packed > l.Picked || l.Picked > l.Quantity {
				fail(10, "shipped ≤ packed ≤ picked ≤ quantity", "fulfillment %s line %s: %+v", f.ID, l.Line, *l)
			}
		}
		if f.Status == order.FulfillmentOpen && len(o.Holds) > 0 {
			fail(18, "a held order is not worked on", "fulfillment %s is open while %d holds are in force", f.ID, len(o.Holds))
		}
		if f.Status == order.FulfillmentHeld && len(o.Holds) == 0 {
			fail(19, "a released order goes on", "fulfillment %s is held, and no hold is in force", f.ID)
		}
	}
	for i := range o.Lines {
		l := &o.Lines[i]
		if min(l.Open(), l.Cancelled, l.Backordered, l.Allocated, l.Fulfilled) < 0 {
			fail(17, "line quantities add up", "order %s line %s: %+v", o.ID, l.ID, *l)
		}
		if l.Cancelled+l.Fulfilled > l.Quantity {
			fail(20, "no unit is cancelled and shipped", "order %s line %s: %+v", o.ID, l.ID, *l)
		}
		if placed[l.ID] != l.Allocated+l.Fulfilled {
			fail(25, "no unit is in two fulfillments", "order %s line %s: fulfillments have %d, the line gave them %d", o.ID, l.ID, placed[l.ID], l.Allocated+l.Fulfilled)
		}
	}
	if before == nil {
		return
	}
	if before.Status == order.StatusCancelled && o.Status != before.Status {
		fail(18, "what is final stays final", "order %s was %s and is %s", o.ID, before.Status, o.Status)
	}
	if !before.Promise.DeliverBy.Equal(o.Promise.DeliverBy) &&
		!slices.ContainsFunc(events, func(e order.Event) bool { return e.Type == order.EventPromiseChanged }) {
		fail(22, "a promise is never changed silently", "order %s was promised by %s and is now by %s", o.ID, before.Promise.DeliverBy, o.Promise.DeliverBy)
	}
	x.checkFinality(before, o)
	x.steps(before, o)
}

// steps counts the published steps that a commit took as a whole: some imply others, which have events of their own.
func (x *watch) steps(before, o *order.Order) {
	for i := range before.Fulfillments {
		was := &before.Fulfillments[i]
		f := o.Fulfillment(was.ID)
		if f == nil || f.Status == was.Status {
			continue
		}
		if name := edgeName(was.Status, f.Status); x.w.cover.Reached[edges][name] == 0 && published(was.Status, f.Status) {
			x.w.cover.hit(edges, name)
		}
	}
}

func published(from, to order.FulfillmentStatus) bool {
	return slices.ContainsFunc(order.Edges, func(e order.Edge) bool { return e.From == from && e.To == to })
}

// checkFinality checks that units that left the partition's last states do not come back by themselves.
func (x *watch) checkFinality(before, o *order.Order) {
	for i := range before.Lines {
		was := &before.Lines[i]
		now := o.Line(was.ID)
		if now == nil {
			fail(17, "line quantities add up", "order %s lost its line %s", o.ID, was.ID)
		}
		if now.Cancelled < was.Cancelled {
			fail(20, "no unit is cancelled and shipped", "order %s line %s had %d units cancelled and has %d", o.ID, was.ID, was.Cancelled, now.Cancelled)
		}
	}
}

// flows counts the states that flows came to, and the transitions that they took.
func (f *follower) flows(e *order.Event) {
	for i := range e.Moves {
		m := &e.Moves[i]
		if m.To == nil {
			continue
		}
		name, _, _ := strings.Cut(m.To.Flow, "@")
		name = f.subject(m.Of) + " " + name + " "
		f.x.w.cover.hit(flowStates, name+m.To.State)
		if m.From != "" && e.Type == order.EventFlowMoved {
			f.x.w.cover.hit(flowSteps, name+m.From+": "+m.Event)
		}
	}
}

// subject is the kind of flow of what a move is of.
func (f *follower) subject(of string) string {
	switch {
	case of == "":
		return "order_flow"
	case f.status[of] != "":
		return "fulfillment_flow"
	}
	return "return_flow"
}
