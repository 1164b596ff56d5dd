package order

import (
	"fmt"
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/plant"
)

// What becomes of units that are stopped.
const (
	ThenCancel   = "cancel"   // they are cancelled
	ThenRedecide = "redecide" // another location is looked for
)

// What a location answers to a stop request.
const (
	AnswerStopped = "stopped"
	AnswerRefused = "refused"
)

// DefaultStopAnswer is how long a location has to answer a stop request.
const DefaultStopAnswer = 4 * time.Hour

// StopRequest asks a location to stop units it has accepted or picked.
type StopRequest struct {
	Lines    []LineQuantity `json:"lines"`
	Reason   string         `json:"reason,omitempty"`
	Then     string         `json:"then"`
	AskedAt  time.Time      `json:"asked_at"`
	AnswerBy time.Time      `json:"answer_by"`
	// Exclude says that the location is not asked again for the order, once it has stopped them.
	Exclude bool `json:"exclude,omitempty"`
}

// applyChange applies what happens to a fulfillment beside the straight way.
func (o *Order) applyChange(f *Fulfillment, e *Event, at time.Time) error {
	switch e.Type {
	case EventFulfillmentHeld:
		f.Status = FulfillmentHeld
	case EventFulfillmentReleased:
		f.Status = FulfillmentOpen
	case EventFulfillmentStopRequested:
		f.Stop = &StopRequest{Lines: e.Lines, Reason: e.Reason, Then: e.Then, AskedAt: at, AnswerBy: e.At, Exclude: e.Exclude}
	case EventFulfillmentStopRefused:
		f.Stop, f.StopAnswer = nil, AnswerRefused
	case EventFulfillmentStopped:
		f.StopAnswer = AnswerStopped
		if !plant.On(plant.StopAnsweredTwice) {
			f.Stop = nil
		}
		o.applyGone(f, e, func(fl *FulfillmentLine, l *Line, q LineQuantity) {
			fl.Picked -= q.Picked
			fl.Packed = min(fl.Packed, fl.Picked)
			if e.Then == ThenCancel {
				fl.Cancelled += q.Quantity
				l.Cancelled += q.Quantity
			} else {
				fl.Withdrawn += q.Quantity
			}
		})
		f.collected(at)
		o.Moves += boolCount(e.Then == ThenRedecide)
	case EventFulfillmentUncollected:
		o.applyUncollected(f, e, at)
	case EventFulfillmentDelayed:
		f.ExpectedAt = e.At
	case EventFulfillmentLost, EventFulfillmentUndeliverable:
		o.applyLost(f, e)
	case EventFulfillmentReminded:
	case EventFulfillmentCustomer:
		f.CustomerAt = at
	case EventFulfillmentParcels:
		f.Parcels = append(slices.Clip(f.Parcels), e.Parcels...)
	default:
		return fmt.Errorf("order: unknown event %q", e.Type)
	}
	return nil
}

func boolCount(b bool) int {
	if b {
		return 1
	}
	return 0
}

// applyUncollected takes back what waited for the customer; shipped to the pickup location, it
// had left its own.
func (o *Order) applyUncollected(f *Fulfillment, e *Event, at time.Time) {
	for _, q := range e.Lines {
		fl, l := f.line(q.Line), o.Line(q.Line)
		if f.Via != "" {
			fl.Shipped -= q.Quantity
			l.Fulfilled -= q.Quantity
		} else {
			l.Allocated -= q.Quantity
		}
		fl.Quantity -= q.Quantity
		fl.Picked -= q.Quantity
		fl.Packed -= q.Quantity
		fl.Cancelled += q.Quantity
		l.Cancelled += q.Quantity
	}
	f.Reason = e.Reason
	if f.Via == "" || len(f.here()) == 0 { // else the rest still waits
		f.Status = f.settled(f.Status)
	}
	f.collected(at)
}

// collected is where a fulfillment for pickup is whose last units were collected, or will not be.
func (f *Fulfillment) collected(at time.Time) {
	if f.Method == Pickup && f.Status == FulfillmentShipped {
		f.Status, f.DeliveredAt = FulfillmentHandedOver, at
	}
}

// applyLost takes units back that left and did not reach the customer: nobody has them any more.
func (o *Order) applyLost(f *Fulfillment, e *Event) {
	for _, q := range e.Lines {
		fl, l := f.line(q.Line), o.Line(q.Line)
		fl.Quantity -= q.Quantity
		fl.Picked -= q.Quantity
		fl.Packed -= q.Quantity
		fl.Shipped -= q.Quantity
		fl.Lost += q.Quantity
		l.Fulfilled -= q.Quantity
	}
	f.Reason = e.Reason
	if len(f.here()) == 0 {
		f.Status, f.Undeliverable = FulfillmentLost, e.Type == EventFulfillmentUndeliverable
	}
}

// CancelFulfillment gives the events that cancel what is in a fulfillment: what is not picked at
// once, the rest by asking the location to stop it. Returns a *Refusal when nothing can be stopped.
func (o *Order) CancelFulfillment(id, reason string, at time.Time) ([]Event, error) {
	f := o.Fulfillment(id)
	if f == nil {
		return nil, refuse(CodeNoFulfillment, "", "the order has no fulfillment %q", id)
	}
	var free, picked []LineQuantity
	for i := range f.Lines {
		l := &f.Lines[i]
		if n := l.unpicked(); n > 0 && allowed("cancel", f.Status) {
			free = append(free, LineQuantity{Line: l.Line, Quantity: n})
		}
		if n := l.Picked - l.Shipped; n > 0 && f.Stop == nil {
			picked = append(picked, LineQuantity{Line: l.Line, Quantity: n})
		}
	}
	var events []Event
	if len(free) > 0 {
		events = append(events, Event{Type: EventFulfillmentCancel, FulfillmentID: id, Lines: free, Reason: reason})
	}
	if len(picked) > 0 {
		events = append(events, Event{Type: EventFulfillmentStopRequested, FulfillmentID: id, Lines: picked, Reason: reason, Then: ThenCancel, At: at.Add(DefaultStopAnswer)})
	}
	if len(events) == 0 {
		return nil, refuse(CodeNotCancellable, "", "every unit of fulfillment %s left, or is cancelled already", id)
	}
	return events, nil
}

// exceptionStopUnanswered says that a location was asked to stop units and did not answer in time.
const exceptionStopUnanswered = "stop_unanswered"

// StopsDue gives the events for stop requests that were not answered in time: a person is
// asked, and the location again. Nil when none is overdue.
func (o *Order) StopsDue(now time.Time) []Event {
	var events []Event
	for i := range o.Fulfillments {
		f := &o.Fulfillments[i]
		if f.Stop == nil || f.Stop.AnswerBy.After(now) {
			continue
		}
		events = append(events, Event{
			Type: EventFulfillmentStopRequested, FulfillmentID: f.ID, Lines: f.Stop.Lines, Reason: f.Stop.Reason, Then: f.Stop.Then, Exclude: f.Stop.Exclude, At: now.Add(DefaultStopAnswer),
		})
		x := Exception{
			Type: exceptionStopUnanswered, FulfillmentID: f.ID, By: "core",
			Message: fmt.Sprintf("%s was asked at %s to stop units and has not answered", f.Location, f.Stop.AskedAt.Format(time.DateTime)),
		}
		if e := o.Raise(x, now); e != nil {
			e.Exception.ID = number("e", o.ExceptionCount+1+raised(events))
			events = append(events, *e)
		}
	}
	return events
}

// raised counts the exceptions that events open, which number those after them.
func raised(events []Event) (n int) {
	for i := range events {
		if events[i].Type == EventExceptionOpened {
			n++
		}
	}
	return n
}
