package order

import (
	"fmt"
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/payment"
	"github.com/orderly-oms/orderly/internal/plant"
	"github.com/orderly-oms/orderly/internal/sourcing"
)

// The types of events. Their meaning never changes; a new meaning gets a new type.
const (
	EventCaptured            = "order.captured"
	EventBackordered         = "order.backordered"
	EventCancelled           = "order.cancelled"
	EventRetryScheduled      = "order.retry_scheduled"
	EventSourced             = "order.sourced"
	EventWaiting             = "order.waiting"
	EventFulfillmentCreated  = "fulfillment.created"
	EventFulfillmentAccepted = "fulfillment.accepted"
	EventFulfillmentRejected = "fulfillment.rejected"
	EventFulfillmentPicked   = "fulfillment.picked"
	EventFulfillmentPacked   = "fulfillment.packed"
	EventFulfillmentShipped  = "fulfillment.shipped"
	EventFulfillmentReady    = "fulfillment.ready"
	EventFulfillmentHandover = "fulfillment.handed_over"
	EventFulfillmentDeliver  = "fulfillment.delivered"
	EventFulfillmentCancel   = "fulfillment.cancelled"
	EventFulfillmentWithdraw = "fulfillment.withdrawn"

	EventFulfillmentHeld          = "fulfillment.held"
	EventFulfillmentReleased      = "fulfillment.released"
	EventFulfillmentStopRequested = "fulfillment.stop_requested"
	EventFulfillmentStopRefused   = "fulfillment.stop_refused"
	EventFulfillmentStopped       = "fulfillment.stopped"
	EventFulfillmentUncollected   = "fulfillment.uncollected"
	EventFulfillmentDelayed       = "fulfillment.delayed"
	EventFulfillmentLost          = "fulfillment.lost"
	EventFulfillmentUndeliverable = "fulfillment.undeliverable"
	EventFulfillmentReminded      = "fulfillment.reminded"
	EventFulfillmentParcels       = "fulfillment.parcels_added"
	EventFulfillmentCustomer      = "fulfillment.customer_arrived"

	EventHeld             = "order.held"
	EventHoldReleased     = "order.hold_released"
	EventPromiseChanged   = "order.promise_changed"
	EventNoted            = "order.noted"
	EventTouched          = "order.touched"
	EventAttributeSet     = "order.attribute_set"
	EventNotify           = "order.notification_requested"
	EventExceptionOpened  = "exception.opened"
	EventExceptionClaimed = "exception.claimed"
	EventExceptionClosed  = "exception.closed"
	EventFlowMoved        = "flow.moved"
	EventFlowMissed       = "flow.missed"
	EventFlowMigrated     = "flow.migrated"

	EventEdited            = "order.edited"
	EventAdjusted          = "order.adjusted"
	EventAdjustmentDecided = "order.adjustment_decided"
)

// EventTypes lists every type, for documentation and subscriptions.
var EventTypes = []string{
	EventCaptured, EventBackordered, EventCancelled, EventRetryScheduled, EventSourced, EventWaiting,
	EventFulfillmentCreated, EventFulfillmentAccepted, EventFulfillmentRejected, EventFulfillmentPicked,
	EventFulfillmentPacked, EventFulfillmentShipped, EventFulfillmentReady, EventFulfillmentHandover,
	EventFulfillmentDeliver, EventFulfillmentCancel, EventFulfillmentWithdraw,
	EventFulfillmentHeld, EventFulfillmentReleased, EventFulfillmentStopRequested, EventFulfillmentStopRefused,
	EventFulfillmentStopped, EventFulfillmentUncollected, EventFulfillmentDelayed, EventFulfillmentLost,
	EventFulfillmentUndeliverable, EventFulfillmentReminded, EventFulfillmentParcels, EventFulfillmentCustomer,
	EventHeld, EventHoldReleased, EventPromiseChanged, EventNoted, EventTouched, EventAttributeSet, EventNotify,
	EventExceptionOpened, EventExceptionClaimed, EventExceptionClosed, EventFlowMoved, EventFlowMissed, EventFlowMigrated,
	EventEdited, EventAdjusted, EventAdjustmentDecided, EventCompared,
	EventExceptionFixed, EventExceptionPostponed, EventExceptionScheduled,
	EventReturnAuthorized, EventReturnInTransit, EventReturnReceived, EventReturnInspected, EventReturnDisposed, EventReturnRefundDue,
	EventReturnClosed, EventReturnCancelled, EventReturnExpired, EventExchanged,
	EventPaymentPlanned, EventPaymentRequested, EventPaymentRecorded, EventPaymentInquiry, EventPaymentUnanswered,
	EventPaymentSucceeded, EventPaymentDeclined, EventPaymentUnknown, EventPaymentExpiring, EventPaymentExpired,
	EventPaymentRetried, EventPaymentAbandoned, EventPaymentRefund, EventPaymentAsked,
	EventBaseline,
}

// Event is one fact about an order. Which fields are set depends on the type:
//
//   - order.captured: Order, as it was placed, before any location was chosen
//   - fulfillment.created: Fulfillment, Decision
//   - order.backordered: Lines that now wait for stock
//   - order.cancelled: Lines that were with nobody; Reason
//   - order.retry_scheduled: At; zero: not by itself
//   - order.sourced: Sourcing, why the fulfillments that follow it were created
//   - order.waiting: Waiting, what units that no location has wait for
//   - fulfillment.*: FulfillmentID; Lines and Parcels where units are concerned; Reason
//   - fulfillment.stop_requested: Lines, Then, At, by when the location answers
//   - fulfillment.stopped, fulfillment.uncollected: Lines that will not leave, or were not collected; Then
//   - fulfillment.delayed: At, when it is now expected
//   - fulfillment.customer_arrived: Reason, what they said, like where they wait
//   - fulfillment.parcels_added: Parcels that were told of after they were packed or left
//   - order.held: Hold; order.hold_released: HoldID, By, Reason
//   - order.promise_changed: Promise, what the customer must be told; Was, the one before; Reason
//   - order.noted: Note; order.touched: Touch
//   - order.attribute_set: Name, Value ("": removed)
//   - order.notification_requested: Name, the template; Value, to whom; FulfillmentID or ReturnID when it is about one
//   - exception.opened: Exception; exception.claimed, exception.closed: ExceptionID, By, Reason
//   - order.edited: Edit, the new values; order.adjusted, order.adjustment_decided: Adjustment
//   - order.compared: Compared, the first plan for the order beside that of an experiment's challenger
//   - exception.fixed: ExceptionID, By, Name, the fix; Rule when a rule applied it
//   - exception.postponed, exception.scheduled: ExceptionID, By, At, when it comes back, or when rules look at it (zero: not again)
//   - return.authorized: ReturnID, Return; return.in_transit: ReturnID, Parcels (carrier and tracking)
//   - return.received: ReturnID, ReturnSteps, Location, MessageID; return.inspected, return.disposed: ReturnID, ReturnSteps
//   - return.refund_due: ReturnID, Refund; return.closed, return.cancelled, return.expired: ReturnID, Reason
//   - order.exchanged: Exchange, the order that replaces goods of this one
//   - payment.planned: PaymentPlan; payment.refund_requested: PaymentRefund; payment.asked: Name, authorize or capture, by a flow
//   - payment.requested, payment.recorded: Payment, the operation that a provider is asked for, or that is done elsewhere
//   - payment.inquiry_requested, payment.unanswered, payment.expiring, payment.expired: Payment, as it then is
//   - payment.retried: Payment, with the tender; payment.abandoned: nothing else
//   - payment.succeeded, payment.declined, payment.unknown: Outcome
//   - order.baseline: Baseline, what the pinned baseline would have decided beside what was decided
//   - flow.moved, flow.migrated: Moves; flow.missed: Moves, with Event and State that took it
type Event struct {
	Type          string         `json:"type"`
	Order         *Order         `json:"order,omitempty"`
	Fulfillment   *Fulfillment   `json:"fulfillment,omitempty"`
	FulfillmentID string         `json:"fulfillment_id,omitempty"`
	Lines         []LineQuantity `json:"lines,omitempty"`
	Parcels       []Parcel       `json:"parcels,omitempty"`
	Reason        string         `json:"reason,omitempty"`
	Lost          bool           `json:"lost,omitempty"` // units were not found: they leave the location's stock
	At            time.Time      `json:"at,omitzero"`
	// Reserved are the units of a created fulfillment that a reservation held there already.
	Reserved []LineQuantity     `json:"reserved,omitempty"`
	Decision *Decision          `json:"decision,omitempty"`
	Sourcing *sourcing.Decision `json:"sourcing,omitempty"`
	Waiting  *Waiting           `json:"waiting,omitempty"`

	Then string `json:"then,omitempty"` // of a stop: see ThenCancel
	// Exclude says that the location whose units are taken back is not asked again for the order.
	Exclude     bool       `json:"exclude,omitempty"`
	By          string     `json:"by,omitempty"`
	Hold        *Hold      `json:"hold,omitempty"`
	HoldID      string     `json:"hold_id,omitempty"`
	Promise     *Promise   `json:"promise,omitempty"`
	Was         *Promise   `json:"was,omitempty"`
	Note        *Note      `json:"note,omitempty"`
	Touch       *Touch     `json:"touch,omitempty"`
	Name        string     `json:"name,omitempty"`
	Value       string     `json:"value,omitempty"`
	Exception   *Exception `json:"exception,omitempty"`
	ExceptionID string     `json:"exception_id,omitempty"`
	Moves       []FlowMove `json:"moves,omitempty"`
	Rule        string     `json:"rule,omitempty"` // that did it

	Compared   *Compared   `json:"compared,omitempty"`
	Edit       *Edited     `json:"edit,omitempty"`
	Adjustment *Adjustment `json:"adjustment,omitempty"`

	Return      *Return       `json:"return,omitempty"`
	ReturnID    string        `json:"return_id,omitempty"`
	ReturnSteps []ReturnStep  `json:"return_steps,omitempty"`
	Refund      *ReturnRefund `json:"refund,omitempty"`
	Location    string        `json:"location,omitempty"` // where it happened
	MessageID   string        `json:"message_id,omitempty"`
	Exchange    *ExchangeRef  `json:"exchange,omitempty"`

	Payment       *payment.Operation `json:"payment,omitempty"`
	Outcome       *payment.Outcome   `json:"outcome,omitempty"`
	PaymentPlan   *payment.Plan      `json:"payment_plan,omitempty"`
	PaymentRefund *payment.Refund    `json:"payment_refund,omitempty"`

	Baseline *Baseline `json:"baseline,omitempty"`
}

// Decision says why a location got units, in short; order.sourced has all of it.
type Decision struct {
	Rule       string   `json:"rule"`       // name and version of the policy
	Candidates int      `json:"candidates"` // locations looked at
	Excluded   []string `json:"excluded,omitempty"`
	Reason     string   `json:"reason"` // in a sentence
}

// Fold applies one command's events to an order (nil before capture) and
// returns the next order; the order given is not changed. version and at are
// those of the command.
func Fold(o *Order, events []Event, version int64, at time.Time) (*Order, error) {
	return FoldEach(o, events, version, at, nil)
}

// FoldEach is Fold that calls each, when it is not nil, after every event with the order as it
// then is. each must not keep or change the order.
func FoldEach(o *Order, events []Event, version int64, at time.Time, each func(*Order, *Event)) (*Order, error) {
	var next *Order
	if o != nil {
		next = o.clone()
	}
	return Extend(next, events, version, at, each)
}

// Extend is FoldEach that changes the order it is given, which must be the caller's own, like one that
// FoldEach returned. After an error the order is of no use any more.
func Extend(next *Order, events []Event, version int64, at time.Time, each func(*Order, *Event)) (*Order, error) {
	for i := range events {
		e := &events[i]
		switch {
		case e.Type == EventCaptured:
			if next != nil || e.Order == nil {
				return nil, fmt.Errorf("order: %s on an order that exists, or without its order", e.Type)
			}
			next = e.Order.clone()
		case next == nil:
			return nil, fmt.Errorf("order: %s before %s", e.Type, EventCaptured)
		default:
			if err := next.apply(e, at); err != nil {
				return nil, err
			}
		}
		if each != nil {
			each(next, e)
		}
	}
	if next == nil {
		return nil, fmt.Errorf("order: no events")
	}
	next.Version, next.UpdatedAt = version, at
	next.derive()
	return next, nil
}

func (o *Order) apply(e *Event, at time.Time) error {
	switch e.Type {
	case EventFulfillmentCreated:
		return o.applyCreated(e)
	case EventBackordered:
		for _, q := range e.Lines {
			l := o.Line(q.Line)
			if l == nil {
				return fmt.Errorf("order: no line %q", q.Line)
			}
			l.Backordered += q.Quantity
		}
		return o.check()
	case EventCancelled:
		for _, q := range e.Lines {
			l := o.Line(q.Line)
			if l == nil {
				return fmt.Errorf("order: no line %q", q.Line)
			}
			fromOpen := min(l.Open(), q.Quantity)
			l.Backordered -= q.Quantity - fromOpen
			l.Cancelled += q.Quantity
		}
		o.clearRetry()
		return o.check()
	case EventRetryScheduled:
		o.RetryAt = e.At
		return nil
	case EventSourced:
		return nil
	case EventWaiting:
		if e.Waiting == nil {
			return fmt.Errorf("order: %s without what it waits for", e.Type)
		}
		w := *e.Waiting
		o.Waiting = &w
		return nil
	case EventBaseline:
		return o.applyBaseline(e)
	}
	if known, err := o.applyLife(e, at); known {
		return err
	}
	if known, err := o.applyServicing(e, at); known {
		return err
	}
	if known, err := o.applyReturn(e, at); known {
		return err
	}
	if known, err := o.applyPayment(e, at); known {
		return err
	}
	f := o.Fulfillment(e.FulfillmentID)
	if f == nil {
		return fmt.Errorf("order: no fulfillment %q", e.FulfillmentID)
	}
	for _, q := range e.Lines {
		if f.line(q.Line) == nil || o.Line(q.Line) == nil {
			return fmt.Errorf("order: fulfillment %s has no line %q", f.ID, q.Line)
		}
	}
	if err := o.applyFulfillment(f, e, at); err != nil {
		return err
	}
	if e.Exclude {
		o.exclude(f.Location)
	}
	f.lessStop(e)
	return o.check()
}

func (o *Order) applyCreated(e *Event) error {
	if e.Fulfillment == nil {
		return fmt.Errorf("order: %s without its fulfillment", e.Type)
	}
	f := *e.Fulfillment
	f.Lines = append([]FulfillmentLine(nil), f.Lines...)
	for _, fl := range f.Lines {
		l := o.Line(fl.Line)
		if l == nil {
			return fmt.Errorf("order: no line %q", fl.Line)
		}
		fromOpen := min(l.Open(), fl.Quantity)
		l.Backordered -= fl.Quantity - fromOpen
		l.Allocated += fl.Quantity
	}
	o.Fulfillments = append(o.Fulfillments, f)
	o.Attempts++
	if f.Promise.ShipBy.After(o.Promise.ShipBy) {
		o.Promise.ShipBy = f.Promise.ShipBy
	}
	if f.Promise.DeliverBy.After(o.Promise.DeliverBy) {
		o.Promise.DeliverBy = f.Promise.DeliverBy
	}
	o.clearRetry()
	return o.check()
}

// clearRetry drops the timer once nothing waits for it.
func (o *Order) clearRetry() {
	if len(o.Unplaced()) == 0 {
		o.RetryAt, o.Waiting = time.Time{}, nil
	}
}

func (o *Order) applyFulfillment(f *Fulfillment, e *Event, at time.Time) error {
	switch e.Type {
	case EventFulfillmentAccepted:
		f.Status, f.AcceptedAt = FulfillmentAccepted, at
	case EventFulfillmentRejected:
		o.applyGone(f, e, func(fl *FulfillmentLine, l *Line, q LineQuantity) { fl.Rejected += q.Quantity })
		o.exclude(f.Location)
	case EventFulfillmentCancel:
		o.applyGone(f, e, func(fl *FulfillmentLine, l *Line, q LineQuantity) {
			fl.Cancelled += q.Quantity
			l.Cancelled += q.Quantity
		})
	case EventFulfillmentWithdraw:
		o.applyGone(f, e, func(fl *FulfillmentLine, l *Line, q LineQuantity) { fl.Withdrawn += q.Quantity })
		o.Moves++
	case EventFulfillmentPicked:
		for _, q := range e.Lines {
			fl, l := f.line(q.Line), o.Line(q.Line)
			fl.Picked += q.Quantity
			fl.Short += q.Short
			fl.Quantity -= q.Short
			l.Allocated -= q.Short
			if q.Short > 0 {
				o.exclude(f.Location)
				f.Reason = e.Reason
			}
		}
		f.Status = f.settled(FulfillmentPicked)
	case EventFulfillmentPacked:
		for i := range f.Lines {
			f.Lines[i].Packed = f.Lines[i].Picked
		}
		f.Parcels = append(slices.Clip(f.Parcels), e.Parcels...)
		f.Status = FulfillmentPacked
	case EventFulfillmentReady:
		for i := range f.Lines {
			f.Lines[i].Packed = f.Lines[i].Picked
		}
		f.Status = FulfillmentReady
	case EventFulfillmentShipped, EventFulfillmentHandover:
		o.applyLeft(f, e, at)
	case EventFulfillmentDeliver:
		f.Status, f.DeliveredAt = FulfillmentDelivered, at
	default:
		return o.applyChange(f, e, at)
	}
	return nil
}

// applyGone takes units out of a fulfillment before they left the location.
func (o *Order) applyGone(f *Fulfillment, e *Event, count func(*FulfillmentLine, *Line, LineQuantity)) {
	for _, q := range e.Lines {
		fl, l := f.line(q.Line), o.Line(q.Line)
		fl.Quantity -= q.Quantity
		l.Allocated -= q.Quantity
		count(fl, l, q)
	}
	f.Reason = e.Reason
	f.Status = f.settled(f.Status)
}

// applyLeft records units that left the building.
func (o *Order) applyLeft(f *Fulfillment, e *Event, at time.Time) {
	for _, q := range e.Lines {
		fl, l := f.line(q.Line), o.Line(q.Line)
		fl.Shipped += q.Quantity
		fl.Packed = max(fl.Packed, fl.Shipped)
		l.Allocated -= q.Quantity
		l.Fulfilled += q.Quantity
	}
	f.Parcels = append(slices.Clip(f.Parcels), e.Parcels...)
	if len(e.Lines) > 0 {
		f.ShippedAt = at
	}
	f.Status = f.settled(f.Status)
	if e.Type == EventFulfillmentHandover && f.Status == FulfillmentShipped {
		f.Status, f.DeliveredAt = FulfillmentHandedOver, at
	}
}

func (o *Order) exclude(location string) {
	if !slices.Contains(o.Excluded, location) {
		o.Excluded = append(o.Excluded, location)
	}
}

// settled is the fulfillment's status after quantities changed; otherwise is
// the status it takes when all units in it are picked and none left yet.
func (f *Fulfillment) settled(otherwise FulfillmentStatus) FulfillmentStatus {
	var quantity, picked, shipped, rejected, short int64
	for i := range f.Lines {
		l := &f.Lines[i]
		quantity += l.Quantity
		picked += l.Picked
		shipped += l.Shipped
		rejected += l.Rejected
		short += l.Short
	}
	switch {
	case quantity == 0 && rejected+short > 0:
		return FulfillmentRejected
	case quantity == 0:
		return FulfillmentCancelled
	case shipped == quantity:
		return FulfillmentShipped
	case picked == quantity && (f.Status == FulfillmentOpen || f.Status == FulfillmentAccepted):
		return FulfillmentPicked
	case picked < quantity && otherwise == FulfillmentPicked:
		return FulfillmentAccepted
	}
	return otherwise
}

// check asserts the quantities that must hold after every event.
func (o *Order) check() error {
	for i := range o.Lines {
		l := &o.Lines[i]
		if l.Open() < 0 || l.Cancelled < 0 || l.Backordered < 0 || l.Allocated < 0 || l.Fulfilled < 0 {
			return fmt.Errorf("order: line %s does not add up: %+v", l.ID, *l)
		}
	}
	for i := range o.Fulfillments {
		for _, fl := range o.Fulfillments[i].Lines {
			if fl.Shipped < 0 || fl.Shipped > fl.Packed || fl.Packed > fl.Picked || fl.Picked > fl.Quantity {
				return fmt.Errorf("order: fulfillment %s line %s does not add up: %+v", o.Fulfillments[i].ID, fl.Line, fl)
			}
		}
	}
	return nil
}

// Movements returns the movements of stock and of capacity that an event means. o is
// the order after the event (see FoldEach).
func Movements(o *Order, e *Event) []inventory.Movement {
	var out []inventory.Movement
	move := func(location string, q LineQuantity, n int64, from, to inventory.Account) {
		if l := o.Line(q.Line); l != nil && n > 0 {
			l.stocked(n, func(sku string, quantity int64) {
				out = append(out, inventory.Movement{SKU: sku, Location: location, From: from, To: to, Quantity: quantity, Reason: e.Reason})
			})
		}
	}
	if e.Type == EventFulfillmentCreated {
		for _, fl := range e.Fulfillment.Lines {
			var held int64
			for _, r := range e.Reserved {
				if r.Line == fl.Line {
					held = r.Quantity
				}
			}
			move(e.Fulfillment.Location, LineQuantity{Line: fl.Line}, held, inventory.Reserved, inventory.Allocated)
			move(e.Fulfillment.Location, LineQuantity{Line: fl.Line}, fl.Quantity-held, inventory.Free, inventory.Allocated)
		}
		return capacityMovements(out, o, e)
	}
	if len(e.ReturnSteps) > 0 {
		return returnMovements(o, e)
	}
	f := o.Fulfillment(e.FulfillmentID)
	if f == nil {
		return nil
	}
	for _, q := range e.Lines {
		switch e.Type {
		case EventFulfillmentRejected:
			to := inventory.Free
			if e.Lost {
				to = inventory.Adjustment
			}
			move(f.Location, q, q.Quantity, inventory.Allocated, to)
		case EventFulfillmentCancel, EventFulfillmentWithdraw:
			move(f.Location, q, q.Quantity, inventory.Allocated, inventory.Free)
		case EventFulfillmentPicked:
			move(f.Location, q, q.Quantity, inventory.Allocated, inventory.Picked)
			if !plant.On(plant.ShortPickKeepsStock) {
				move(f.Location, q, q.Short, inventory.Allocated, inventory.Adjustment)
			}
		case EventFulfillmentShipped, EventFulfillmentHandover:
			move(f.Location, q, q.Quantity, inventory.Picked, inventory.Shipped)
		case EventFulfillmentStopped:
			move(f.Location, q, q.Quantity-q.Picked, inventory.Allocated, inventory.Free)
			move(f.Location, q, q.Picked, inventory.Picked, inventory.Free)
		case EventFulfillmentUncollected:
			if f.Via != "" {
				move(f.Via, q, q.Quantity, inventory.Shipped, inventory.Free)
			} else {
				move(f.Location, q, q.Quantity, inventory.Picked, inventory.Free)
			}
		case EventFulfillmentUndeliverable:
			move(f.Location, q, q.Quantity, inventory.Shipped, inventory.Free)
		}
	}
	return capacityMovements(out, o, e)
}
