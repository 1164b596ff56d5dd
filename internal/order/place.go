package order

import (
	"fmt"
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/sourcing"
)

// Placement is one location's share of a sourcing plan.
type Placement struct {
	Location string
	Lines    []LineQuantity
	Service  string
	// Via is the pickup location that the placement's location ships to; "": it serves the customer itself.
	Via     string
	Zone    int64 // the carrier's
	Promise Promise
	Cost    int64
	// Reserved are those of Lines that a reservation of this order holds at the location.
	Reserved []LineQuantity
	// Capacity is what the lines take of the location's limited capacity.
	Capacity []CapacityUse
	Decision Decision
}

// Plan is what sourcing makes of the unplaced units of an order.
type Plan struct {
	// Decisions say why, one for each set of lines that was decided together.
	Decisions  []*sourcing.Decision
	Placements []Placement
	// Unplaced are the units no location gets.
	Unplaced []LineQuantity
	// Waiting says what happens to them.
	Waiting Waiting
	// Exhausted are those of Unplaced that came back from as many locations as the policy allows: they wait for a person.
	Exhausted []LineQuantity
	// Retry is when they are looked for again; zero: not by themselves.
	Retry time.Time
}

// The actions of Waiting.
const (
	WaitBackorder = "backorder" // wait for stock, looked for again by themselves
	WaitPreorder  = "preorder"  // wait for the first stock of a new article
	WaitHold      = "hold"      // wait in a queue until somebody releases the order
	WaitException = "exception" // wait for a person to decide
	WaitCancel    = "cancel"    // do not wait
)

// Why units are cancelled that nobody asked to be cancelled: there was no stock for them. Stored: never change them.
const (
	ReasonNoLocation    = "no location can fulfil it"
	ReasonWaitedTooLong = "waited until its cancel date"
)

// Waiting says what units that no location has are waiting for.
type Waiting struct {
	Action string `json:"action"`
	Queue  string `json:"queue,omitempty"` // of a hold or an exception
	// ExpectedAt is when supply of all of it is due; zero: nothing is known.
	ExpectedAt time.Time `json:"expected_at,omitzero"`
	// CancelAt is when what still waits is cancelled; zero: never.
	CancelAt time.Time `json:"cancel_at,omitzero"`
}

// Place gives the events that hand units to locations, say what becomes of what no
// location can take, and set the timer that looks again.
// Returns a *Refusal at the limit of fulfillments, and another error for a plan
// that does not fit the order, which is the caller's fault.
func (o *Order) Place(p Plan, at time.Time) ([]Event, error) {
	if len(o.Fulfillments)+len(p.Placements) > MaxFulfillments {
		return nil, refuse(CodeTooManyFulfills, "", "the order has %d fulfillments already", len(o.Fulfillments))
	}
	if err := o.checkPlan(p.Placements, p.Unplaced); err != nil {
		return nil, err
	}
	var events []Event
	for _, d := range p.Decisions {
		events = append(events, Event{Type: EventSourced, Sourcing: d})
	}
	for i := range p.Placements {
		events = append(events, o.created(&p.Placements[i], len(o.Fulfillments)+i+1, at))
	}
	return append(events, o.leave(&p, at)...), nil
}

func (o *Order) created(p *Placement, number int, at time.Time) Event {
	f := &Fulfillment{
		ID: fmt.Sprintf("%s-%d", o.ID, number), Location: p.Location, Method: o.Method, Service: p.Service, Via: p.Via, Zone: p.Zone,
		Status: o.first(), Promise: p.Promise, Cost: p.Cost, Capacity: p.Capacity, CreatedAt: at,
	}
	if p.Via != "" {
		f.Method = Ship // to the pickup location
	}
	for _, q := range p.Lines {
		fl := FulfillmentLine{Line: q.Line, Quantity: q.Quantity}
		if l := o.Line(q.Line); l != nil {
			fl.SKU = l.SKU
		}
		f.Lines = append(f.Lines, fl)
	}
	return Event{Type: EventFulfillmentCreated, Fulfillment: f, Reserved: p.Reserved, Decision: &p.Decision}
}

// leave says what becomes of units that no location gets.
func (o *Order) leave(p *Plan, at time.Time) []Event {
	if len(p.Unplaced) == 0 {
		return nil
	}
	var events []Event
	w, wait := p.Waiting, p.Unplaced
	if w.Action == WaitCancel {
		if lines := less(p.Unplaced, p.Exhausted); len(lines) > 0 {
			events = append(events, Event{Type: EventCancelled, Lines: lines, Reason: ReasonNoLocation})
		}
		if wait = p.Exhausted; len(wait) == 0 {
			return events
		}
		w = Waiting{Action: WaitException}
	}
	if waiting := o.newlyBackordered(wait); len(waiting) > 0 {
		events = append(events, Event{Type: EventBackordered, Lines: waiting})
	}
	if o.Waiting != nil && !o.Waiting.CancelAt.IsZero() {
		w.CancelAt = o.Waiting.CancelAt // looking again does not move the date
	}
	plain := w == Waiting{Action: WaitBackorder}
	if (o.Waiting == nil && !plain) || (o.Waiting != nil && *o.Waiting != w) {
		events = append(events, Event{Type: EventWaiting, Waiting: &w})
	}
	if !p.Retry.IsZero() || !o.RetryAt.IsZero() {
		events = append(events, Event{Type: EventRetryScheduled, At: p.Retry})
	}
	if len(p.Exhausted) > 0 {
		events = append(events, o.Exhausted(p.Exhausted, at)...)
	}
	if lines := less(wait, p.Exhausted); w.Action == WaitException && len(lines) > 0 {
		x := o.Raise(Exception{
			Type: ExceptionNoLocation, By: "core", Data: map[string]string{"lines": describe(lines)},
			Message: fmt.Sprintf("No location can take %s, and the policy asks a person", o.named(lines)),
		}, at)
		if x != nil {
			events = append(events, *x)
		}
	}
	return events
}

// less is lines without those of others.
func less(lines, others []LineQuantity) []LineQuantity {
	if len(others) == 0 {
		return lines
	}
	return slices.DeleteFunc(slices.Clone(lines), func(q LineQuantity) bool {
		return slices.ContainsFunc(others, func(x LineQuantity) bool { return x.Line == q.Line })
	})
}

// ExceptionNoLocation: no location can take units, and the policy asks a person.
const ExceptionNoLocation = "no_location"

// aboutUnplaced are the exceptions that are over once every unit is with a location or cancelled.
var aboutUnplaced = []string{ExceptionNoLocation, ExceptionAttempts, ExceptionShort, "backorder_overdue"}

// Found gives the events that close what was open about units without a location, when there are none of them any
// more and there were before.
func (o *Order) Found(before *Order) []Event {
	if len(o.Exceptions) == 0 || before == nil || len(o.Unplaced()) > 0 || len(before.Unplaced()) == 0 {
		return nil
	}
	var events []Event
	for i := range o.Exceptions {
		if x := &o.Exceptions[i]; slices.Contains(aboutUnplaced, x.Type) {
			events = append(events, Event{Type: EventExceptionClosed, ExceptionID: x.ID, By: "core", Reason: "no unit is without a location"})
		}
	}
	return events
}

// Overdue gives the events that cancel what waits at its cancel date; none before it.
func (o *Order) Overdue(now time.Time) []Event {
	if o.Waiting == nil || o.Waiting.CancelAt.IsZero() || o.Waiting.CancelAt.After(now) {
		return nil
	}
	if left := o.Unplaced(); len(left) > 0 {
		return []Event{{Type: EventCancelled, Lines: left, Reason: ReasonWaitedTooLong}}
	}
	return nil
}

// newlyBackordered leaves out units that are backordered already.
func (o *Order) newlyBackordered(backorder []LineQuantity) []LineQuantity {
	var out []LineQuantity
	for _, q := range backorder {
		if l := o.Line(q.Line); l != nil && q.Quantity > l.Backordered {
			out = append(out, LineQuantity{Line: q.Line, Quantity: q.Quantity - l.Backordered})
		}
	}
	return out
}
