package kpi

import (
	"time"

	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
)

// Case follows one order. The zero value is one of which no event has come yet.
type Case struct {
	order *order.Order

	day  network.Date // of the capture
	home string       // location at the end of the capture; backlog is counted there

	decided  bool // units were given to a location, or wait for stock
	placed   bool // a location has had units
	shipped  bool // everything that was to leave has left; counted once
	done     bool // delivered or cancelled; counted once
	moved    bool // the promise was changed
	lost     bool // units were lost or came back undelivered
	lacked   int64
	promised time.Time // the first promise for all units
	steps    []steps   // by fulfillment, in the order in which they were created
}

// steps is when a fulfillment came how far, in microseconds since 1970; 0: not yet.
type steps struct {
	id                                             string
	sent, accepted, picked, packed, ready, shipped int64
}

// Version is that of the order after the last command; 0: none came.
func (k *Case) Version() int64 {
	if k.order == nil {
		return 0
	}
	return k.order.Version
}

// Apply takes the events of the order's next command and counts what they mean. into may
// be nil: nothing is counted, as when a Case is rebuilt. After an error the Case is of no use any more.
func (k *Case) Apply(events []order.Event, version int64, at time.Time, into *Counters) error {
	before := k.look()
	ends := k.endings(events)
	next, err := order.Extend(k.order, events, version, at, nil)
	if err != nil {
		return err
	}
	k.order = next
	day := DayOf(at)
	if into != nil {
		into.advance(day)
		into.Commands++
	}
	if before.new {
		k.day, k.home = DayOf(next.CreatedAt), k.location()
		if into != nil {
			into.Orders++
		}
	}
	here := into.on(day, k.place(k.location()))
	k.countBacklog(into, before)
	here.countIf(ordersCaptured, before.new)
	here.count(unitsReturned, k.returned()-before.returned)
	for _, e := range ends {
		here.spend(e.stage, bucketOf(at.Sub(e.since)))
	}
	for i := range events {
		k.event(&events[i], at, here, into)
	}
	k.decide(here, at)
	k.promise()
	k.ship(here)
	k.complete(here, at)
	if into != nil {
		into.shrink()
	}
	return nil
}

// Order is the order after the last command; nil: none came, or the log could not be followed. It must not be changed or kept.
func (k *Case) Order() *order.Order { return k.order }

// Done reports that the order was delivered or cancelled, now or at some time before.
func (k *Case) Done() bool { return k.done }

// Promise tells whether there was a promise for all units, and whether the first one was kept. It is for orders that are done.
func (k *Case) Promise() (promised, kept bool) {
	if k.promised.IsZero() {
		return false, false
	}
	return true, k.order.Status == order.StatusDelivered && !k.arrived().After(k.promised)
}

func (k *Case) place(location string) place {
	return place{k.order.Channel, location, k.order.Currency}
}

// location is where an order as a whole is counted: at the first location that had units of it.
func (k *Case) location() string {
	if len(k.order.Fulfillments) == 0 {
		return Nowhere
	}
	return k.order.Fulfillments[0].Location
}

// before is what is asked of an order before a command.
type before struct {
	new      bool
	waits    bool // it is to be worked on
	returned int64
}

func (k *Case) look() before {
	if k.order == nil {
		return before{new: true}
	}
	return before{waits: k.waits(), returned: k.returned()}
}

// waits reports that units are still to leave.
func (k *Case) waits() bool {
	return !k.order.Status.Final() && k.order.Status != order.StatusFulfilled
}

func (k *Case) returned() (n int64) {
	for i := range k.order.Lines {
		n += k.order.Lines[i].Returned
	}
	return n
}

// countBacklog counts, on the day of the capture, that the order is not to be worked on any more, or is again.
func (k *Case) countBacklog(into *Counters, was before) {
	now := k.waits()
	if was.new {
		was.waits = true
	}
	if was.waits == now {
		return
	}
	n := int64(1)
	if now {
		n = -1
	}
	into.on(k.day, k.place(k.home)).count(ordersLeft, n)
}

// ending is a hold or an exception that ends.
type ending struct {
	stage stage
	since time.Time
}

// endings looks for when the holds and exceptions began that events end. It reads the order before them.
func (k *Case) endings(events []order.Event) (out []ending) {
	for i := range events {
		switch e := &events[i]; e.Type {
		case order.EventHoldReleased:
			if since := k.heldSince(e.HoldID, events, i); !since.IsZero() {
				out = append(out, ending{heldTime, since})
			}
		case order.EventExceptionClosed:
			if since := k.openSince(e.ExceptionID, events[:i]); !since.IsZero() {
				out = append(out, ending{exceptionTime, since})
			}
		}
	}
	return out
}

// heldSince is when the hold was placed that events[at] releases; zero: it is renewed by the same command.
func (k *Case) heldSince(id string, events []order.Event, at int) (since time.Time) {
	for i := range events {
		if h := events[i].Hold; h != nil && h.ID == id {
			if i > at {
				return time.Time{}
			}
			since = h.PlacedAt
		}
	}
	if k.order != nil && since.IsZero() {
		for i := range k.order.Holds {
			if k.order.Holds[i].ID == id {
				since = k.order.Holds[i].PlacedAt
			}
		}
	}
	return since
}

// openSince is when the exception was opened.
func (k *Case) openSince(id string, events []order.Event) time.Time {
	for i := range events {
		if x := events[i].Exception; x != nil && x.ID == id {
			return x.OpenedAt
		}
	}
	if k.order != nil {
		if x := k.order.Exception(id); x != nil {
			return x.OpenedAt
		}
	}
	return time.Time{}
}

// event counts what one event means by itself.
func (k *Case) event(e *order.Event, at time.Time, here cursor, into *Counters) {
	here.count(events, 1)
	here.key(byEvent, e.Type, 1)
	switch e.Type {
	case order.EventCancelled:
		k.cancelled(e, here)
		if e.Reason == order.ReasonNoLocation || e.Reason == order.ReasonWaitedTooLong {
			k.lacked += units(e.Lines)
		}
	case order.EventPromiseChanged:
		k.moved = true
	case order.EventHeld:
		if k.renewed(e) {
			return
		}
		here.count(holdsPlaced, 1)
		here.key(byHoldType, e.Hold.Type, 1)
	case order.EventTouched:
		here.count(touches, 1)
		here.count(touchSeconds, e.Touch.Seconds)
		here.key(byTouchAction, e.Touch.Action, 1)
		here.key(byTouchCause, e.Touch.Cause, 1)
	case order.EventExceptionOpened:
		here.count(exceptionsOpened, 1)
		here.key(byExceptionType, e.Exception.Type, 1)
	case order.EventFulfillmentCreated:
		k.steps = append(k.steps, steps{id: e.Fulfillment.ID, sent: at.UnixMicro()})
		into.on(DayOf(at), k.place(e.Fulfillment.Location)).count(fulfillmentsCreated, 1)
	default:
		if f := k.order.Fulfillment(e.FulfillmentID); f != nil {
			k.fulfillment(f, e, at, into.on(DayOf(at), k.place(f.Location)))
		}
	}
}

// renewed reports that an event places a hold that was there before: its placing lies in an earlier command.
func (k *Case) renewed(e *order.Event) bool { return e.Hold.PlacedAt.Before(k.order.UpdatedAt) }

func (k *Case) cancelled(e *order.Event, u cursor) {
	n := units(e.Lines)
	u.count(unitsCancelled, n)
	u.key(byCancelReason, e.Reason, n)
}

func units(lines []order.LineQuantity) (n int64) {
	for _, q := range lines {
		n += q.Quantity
	}
	return n
}

// fulfillment counts what happens to a fulfillment, at its location.
func (k *Case) fulfillment(f *order.Fulfillment, e *order.Event, at time.Time, there cursor) {
	s := k.stepsOf(f.ID)
	switch e.Type {
	case order.EventFulfillmentReleased:
		s.sent = at.UnixMicro()
	case order.EventFulfillmentAccepted:
		pass(there, sourcedToAccepted, s.sent, &s.accepted, at)
	case order.EventFulfillmentRejected:
		n := units(e.Lines)
		there.count(unitsRejected, n)
		there.key(byRejectReason, e.Reason, n)
	case order.EventFulfillmentCancel, order.EventFulfillmentUncollected:
		k.cancelled(e, there)
	case order.EventFulfillmentStopped:
		if e.Then == order.ThenCancel {
			k.cancelled(e, there)
		}
	case order.EventFulfillmentPicked:
		pass(there, acceptedToPicked, s.accepted, &s.picked, at)
		there.count(unitsPicked, units(e.Lines))
		for _, q := range e.Lines {
			there.count(unitsShort, q.Short)
		}
	case order.EventFulfillmentPacked:
		pass(there, pickedToPacked, s.picked, &s.packed, at)
	case order.EventFulfillmentReady:
		since := s.packed
		if since == 0 {
			since = s.picked // at the counter nobody packs
		}
		pass(there, packedToReady, since, &s.ready, at)
	case order.EventFulfillmentShipped:
		pass(there, packedToShipped, s.packed, &s.shipped, at)
		there.count(unitsShipped, units(e.Lines))
	case order.EventFulfillmentDeliver:
		var end int64
		pass(there, shippedToDelivered, s.shipped, &end, at)
	case order.EventFulfillmentHandover:
		var end int64
		pass(there, readyToCollected, s.ready, &end, at)
		there.count(unitsShipped, units(e.Lines))
	case order.EventFulfillmentLost, order.EventFulfillmentUndeliverable:
		k.lost = true
		there.count(unitsLost, units(e.Lines))
	}
}

func (k *Case) stepsOf(id string) *steps {
	for i := range k.steps {
		if k.steps[i].id == id {
			return &k.steps[i]
		}
	}
	k.steps = append(k.steps, steps{id: id})
	return &k.steps[len(k.steps)-1]
}

// pass notes when a step was done, the first time, and counts how long it took since the one before.
func pass(u cursor, s stage, since int64, done *int64, at time.Time) {
	if *done != 0 {
		return
	}
	*done = at.UnixMicro()
	if since != 0 {
		u.spend(s, bucketOf(time.Duration(*done-since)*time.Microsecond))
	}
}

// decide counts an order the first time that units of it were placed or had to wait.
func (k *Case) decide(u cursor, at time.Time) {
	o := k.order
	if !k.placed && len(o.Fulfillments) > 0 {
		k.placed = true
		u.spend(placedToSourced, bucketOf(at.Sub(o.PlacedAt)))
	}
	if k.decided {
		return
	}
	var wanted, had, waiting int64
	for i := range o.Lines {
		l := &o.Lines[i]
		wanted += l.Quantity - l.Cancelled
		had += l.Allocated + l.Fulfilled
		waiting += l.Backordered
	}
	wanted += k.lacked
	if had+waiting+k.lacked == 0 {
		return
	}
	k.decided = true
	u.count(ordersDecided, 1)
	u.countIf(ordersBackordered, waiting > 0)
	u.count(unitsDecided, wanted)
	u.count(unitsPlacedAtOnce, had)
}

// promise keeps the first date that the customer had for all units.
func (k *Case) promise() {
	if k.promised.IsZero() && len(k.order.Fulfillments) > 0 && len(k.order.Unplaced()) == 0 {
		k.promised = k.order.Promise.DeliverBy
	}
}

// ship counts an order the first time that nothing of it is left to leave.
func (k *Case) ship(u cursor) {
	if k.shipped || k.order.Status != order.StatusFulfilled && k.order.Status != order.StatusDelivered {
		return
	}
	k.shipped = true
	var n, cost int64
	for i := range k.order.Fulfillments {
		if f := &k.order.Fulfillments[i]; !f.ShippedAt.IsZero() {
			n++
			cost += f.Cost
		}
	}
	u.count(ordersShipped, 1)
	u.countIf(ordersSplit, n > 1)
	u.count(shipments, n)
	u.count(shippingCost, cost)
}

// complete counts what an order came to, the first time that it is final.
func (k *Case) complete(u cursor, at time.Time) {
	o := k.order
	if k.done || !o.Status.Final() {
		return
	}
	k.done = true
	u.count(ordersCompleted, 1)
	u.countIf(ordersMoved, k.moved)
	u.countIf(ordersUntouched, o.Touches == 0)
	u.count(touchesCompleted, int64(o.Touches))
	u.count(touchSecondsCompleted, o.TouchSeconds)
	delivered := o.Status == order.StatusDelivered
	u.countIf(ordersDelivered, delivered)
	u.countIf(ordersCancelled, !delivered)
	if !delivered && k.lacked == 0 {
		return // the customer did not want it any more
	}
	var wanted, got int64
	for i := range o.Lines {
		wanted += o.Lines[i].Quantity - o.Lines[i].Cancelled
		got += o.Lines[i].Fulfilled
	}
	inFull := k.lacked == 0
	u.count(unitsWanted, wanted+k.lacked)
	u.count(unitsDelivered, got)
	u.count(ordersServed, 1)
	u.countIf(ordersInFull, inFull)
	arrived := k.arrived()
	if delivered && !arrived.IsZero() {
		u.spend(placedToDelivered, bucketOf(arrived.Sub(o.PlacedAt)))
	}
	onTime := true
	if !k.promised.IsZero() {
		onTime = delivered && !arrived.After(k.promised)
		u.count(ordersPromised, 1)
		u.countIf(ordersKept, onTime)
		u.countIf(ordersKeptLast, delivered && !arrived.After(o.Promise.DeliverBy))
		u.countIf(ordersOnTimeInFull, onTime && inFull)
	}
	u.countIf(ordersPerfect, delivered && inFull && onTime && !k.lost)
}

// arrived is when the last units were with the customer, or waited for them to be collected.
func (k *Case) arrived() (last time.Time) {
	for i := range k.order.Fulfillments {
		f := &k.order.Fulfillments[i]
		at := f.DeliveredAt
		if s := k.stepsOf(f.ID); s.ready != 0 && !at.IsZero() {
			at = time.UnixMicro(s.ready).UTC()
		}
		if at.After(last) {
			last = at
		}
	}
	return last
}
