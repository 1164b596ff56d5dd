package order

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The types of exceptions that conditions open.
const (
	// ExceptionLate: a location or carrier did something with units that were no longer its own.
	ExceptionLate = "late_message"
	// ExceptionUndeliverable: a shipment came back, and the address is doubted.
	ExceptionUndeliverable = "undeliverable"
	// ExceptionAttempts: units came back from as many locations as the policy allows.
	ExceptionAttempts = "attempts_exhausted"
	// ExceptionShort: a location has fewer units than were promised from it, and no other has them.
	ExceptionShort = "stock_short"
	// ExceptionPromise: a promise will not be kept, or probably not.
	ExceptionPromise = "promise_at_risk"
)

// The templates of notifications that conditions ask for.
const (
	NotifyPromiseChanged = "promise_changed"
	// NotifyTooLate: what the customer wanted cancelled had left.
	NotifyTooLate = "could_not_cancel"
)

// stopped gives the events of a location that stopped units as it was asked to. Units that
// were not picked go first; what had been picked is back on the shelf.
func (f *Fulfillment) stopped(s Step, e Event) ([]Event, error) {
	if f.Stop == nil {
		return nil, refuse(CodeNoStop, "", "the location was not asked to stop anything of it; reject what it will not do")
	}
	lines := s.Lines
	if len(lines) == 0 {
		lines = f.Stop.Lines
	}
	lines, err := f.wanted(lines, func(l *FulfillmentLine) int64 { return l.Quantity - l.Shipped })
	if err != nil {
		return nil, err
	}
	if err := noShort(lines); err != nil {
		return nil, err
	}
	for i := range lines {
		q := &lines[i]
		q.Picked = max(q.Quantity-f.line(q.Line).unpicked(), 0)
	}
	e.Lines, e.Then, e.Exclude = lines, f.Stop.Then, f.Stop.Exclude
	if e.Reason == "" {
		e.Reason = f.Stop.Reason
	}
	return []Event{e}, nil
}

// uncollected gives the events of units that the customer did not come for.
func (f *Fulfillment) uncollected(s Step, e Event) ([]Event, error) {
	lines, err := f.wanted(s.Lines, func(l *FulfillmentLine) int64 {
		if f.Via != "" {
			return l.Quantity // it left its own location, and waits at another
		}
		return l.Quantity - l.Shipped
	})
	if err != nil {
		return nil, err
	}
	if err := noShort(lines); err != nil {
		return nil, err
	}
	e.Lines, e.Then = lines, ThenCancel
	return []Event{e}, nil
}

// gone gives the event of shipped units that will not reach the customer.
func (o *Order) gone(f *Fulfillment, s Step, e Event) ([]Event, error) {
	// Units that came back as a return were refunded or replaced: they cannot get lost as well.
	lines, err := f.wanted(s.Lines, func(l *FulfillmentLine) int64 {
		line := o.Line(l.Line)
		return min(l.Shipped, line.Fulfilled-line.Returned)
	})
	if err != nil {
		return nil, err
	}
	if err := noShort(lines); err != nil {
		return nil, err
	}
	if len(lines) == 0 {
		return nil, refuse(CodeNothingToDo, "lines", "nothing of it is on its way")
	}
	e.Lines = lines
	return []Event{e}, nil
}

func noShort(lines []LineQuantity) error {
	for i := range lines {
		if lines[i].Short != 0 {
			return refuse(CodeTooMany, fmt.Sprintf("lines[%d].short", i), "short belongs to pick; use quantity")
		}
	}
	return nil
}

// undeliverable gives the events of a shipment that came back: its units are at their location
// again, and stay with nobody until somebody has looked at the address.
func (o *Order) undeliverable(f *Fulfillment, s Step, e Event) ([]Event, error) {
	events, err := o.gone(f, s, e)
	if err != nil {
		return nil, err
	}
	next, err := Fold(o, events, o.Version, s.At)
	if err != nil {
		return nil, err
	}
	held, err := next.Hold(NewHold{Type: HoldAddress, Blocks: BlocksSourcing, Reason: strings.TrimSpace("came back from the customer " + s.Reason)}, f.Location, s.At)
	if err != nil {
		return nil, err
	}
	events = append(events, held...)
	x := Exception{
		Type: ExceptionUndeliverable, FulfillmentID: f.ID, By: "core",
		Message: fmt.Sprintf("Shipment %s could not be delivered and is back at %s: check the address, then release the hold", f.ID, f.Location),
		Data:    map[string]string{"reason": s.Reason},
	}
	if raised := next.Raise(x, s.At); raised != nil {
		events = append(events, *raised)
	}
	return events, nil
}

// delay gives the events of a new expected date. Past the order's promise it is a new promise,
// which the customer is told.
func (o *Order) delay(f *Fulfillment, s Step, e Event) ([]Event, error) {
	if s.ExpectedAt.IsZero() {
		return nil, refuse(CodeNotAllowed, "expected_at", "say when it is expected now")
	}
	e.At = s.ExpectedAt.UTC()
	events := []Event{e}
	if was := o.Promise; !was.DeliverBy.IsZero() && e.At.After(was.DeliverBy) {
		now := was
		now.DeliverBy = e.At
		events = append(events,
			Event{Type: EventPromiseChanged, Promise: &now, Was: &was, FulfillmentID: f.ID, Reason: s.Reason},
			Event{Type: EventNotify, Name: NotifyPromiseChanged, FulfillmentID: f.ID, Reason: s.Reason})
	}
	return events, nil
}

// Remind gives the event that reminds a location of a fulfillment. Returns a *Refusal when
// the location has nothing to do for it.
func (o *Order) Remind(fulfillmentID, reason string) ([]Event, error) {
	f := o.Fulfillment(fulfillmentID)
	if f == nil {
		return nil, refuse(CodeNoFulfillment, "", "the order has no fulfillment %q", fulfillmentID)
	}
	switch f.Status {
	case FulfillmentOpen, FulfillmentAccepted, FulfillmentPicked, FulfillmentPacked, FulfillmentReady:
		return []Event{{Type: EventFulfillmentReminded, FulfillmentID: f.ID, Reason: reason}}, nil
	}
	return nil, refuse(CodeWrongState, "", "the fulfillment is %s; nobody is waited for", f.Status)
}

// unstopped are rejected or missing units that a stop request wanted cancelled: they are not
// looked for elsewhere.
func (f *Fulfillment) unstopped(lines []LineQuantity, count func(LineQuantity) int64) []Event {
	if f.Stop == nil || f.Stop.Then != ThenCancel {
		return nil
	}
	e := Event{Type: EventCancelled, Reason: f.Stop.Reason}
	for _, q := range lines {
		i := slices.IndexFunc(f.Stop.Lines, func(s LineQuantity) bool { return s.Line == q.Line })
		if i < 0 {
			continue
		}
		if n := min(f.Stop.Lines[i].Quantity, count(q)); n > 0 {
			e.Lines = append(e.Lines, LineQuantity{Line: q.Line, Quantity: n})
		}
	}
	if len(e.Lines) == 0 {
		return nil
	}
	return []Event{e}
}

// lessStop takes out of a stop request what the event did to its units: those rejected or missing
// need not be stopped any more, and those that left cannot.
func (f *Fulfillment) lessStop(e *Event) {
	if f.Stop == nil || e.Type == EventFulfillmentStopRequested {
		return
	}
	next := *f.Stop
	next.Lines = nil
	for _, q := range f.Stop.Lines {
		for _, u := range e.Lines {
			if u.Line != q.Line {
				continue
			}
			switch e.Type {
			case EventFulfillmentRejected:
				q.Quantity -= u.Quantity
			case EventFulfillmentPicked:
				q.Quantity -= u.Short
			}
		}
		if fl := f.line(q.Line); fl != nil {
			q.Quantity = min(q.Quantity, fl.Quantity-fl.Shipped)
		}
		if q.Quantity > 0 {
			next.Lines = append(next.Lines, q)
		}
	}
	if f.Stop = &next; len(next.Lines) == 0 {
		f.Stop = nil
	}
}

// tooLate is what the customer is told when all that was to be stopped for a cancellation has left.
func (f *Fulfillment) tooLate(lines []LineQuantity) []Event {
	if f.Stop == nil || f.Stop.Then != ThenCancel {
		return nil
	}
	for _, q := range f.Stop.Lines {
		fl := f.line(q.Line)
		left := fl.Quantity - fl.Shipped
		for _, u := range lines {
			if u.Line == q.Line {
				left -= u.Quantity
			}
		}
		if left < q.Quantity {
			return []Event{{Type: EventNotify, Name: NotifyTooLate, FulfillmentID: f.ID, Reason: f.Stop.Reason}}
		}
	}
	return nil
}

// Attempted counts the fulfillments whose location had units of a line and gave them back: rejected, missing, lost, or
// taken back from one that is not asked again. What was moved for reasons of the retailer does not count.
func (o *Order) Attempted(line string) (n int64) {
	for i := range o.Fulfillments {
		f := &o.Fulfillments[i]
		l := f.line(line)
		if l != nil && (l.Rejected+l.Short+l.Lost > 0 || l.Withdrawn > 0 && slices.Contains(o.Excluded, f.Location)) {
			n++
		}
	}
	return n
}

// Exhausted gives the exception for units that nobody is asked for any more; nil when it is
// open already.
func (o *Order) Exhausted(lines []LineQuantity, at time.Time) []Event {
	var most int64
	for _, q := range lines {
		most = max(most, o.Attempted(q.Line))
	}
	x := o.Raise(Exception{
		Type: ExceptionAttempts, By: "core", Data: map[string]string{"lines": describe(lines)},
		Message: fmt.Sprintf("%s came back from %d locations: no other is asked until somebody releases the order", o.named(lines), most),
	}, at)
	if x == nil {
		return nil
	}
	return []Event{*x}
}

// Short gives the exception for units that a location turned out not to have, and that no other
// has; none when it is open already.
func (o *Order) Short(location string, lines []LineQuantity, at time.Time) []Event {
	x := o.Raise(Exception{
		Type: ExceptionShort, By: "core", Data: map[string]string{"location": location, "lines": describe(lines)},
		Message: fmt.Sprintf("%s does not have what was promised from it, and no other location has %s", location, o.named(lines)),
	}, at)
	if x == nil {
		return nil
	}
	return []Event{*x}
}

// named is units as a sentence has them.
func (o *Order) named(lines []LineQuantity) string {
	var skus []string
	for _, q := range lines {
		if l := o.Line(q.Line); l != nil {
			skus = append(skus, strconv.FormatInt(q.Quantity, 10)+" of "+l.SKU)
		}
	}
	return strings.Join(skus, ", ")
}

// describe is units as an exception's data has them: "line:quantity", separated by commas.
func describe(lines []LineQuantity) string {
	var b strings.Builder
	for i, q := range lines {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(q.Line)
		b.WriteByte(':')
		b.WriteString(strconv.FormatInt(q.Quantity, 10))
	}
	return b.String()
}

// ByPromises opens exceptions about promises at risk, when the promise policy says so.
const ByPromises = "promises"

// AtRisk gives the exception about a fulfillment whose promise will probably be broken; none when it is open already.
func (o *Order) AtRisk(f *Fulfillment, probability float64, at time.Time) []Event {
	x := o.Raise(Exception{
		Type: ExceptionPromise, FulfillmentID: f.ID, By: ByPromises,
		Message: fmt.Sprintf("%s is %s at %s, and is there by %s with a probability of %.0f %%", f.ID, f.Status, f.Location, f.Promise.DeliverBy.Format(time.DateOnly), probability*100),
	}, at)
	if x == nil {
		return nil
	}
	return []Event{*x}
}

// Relieved gives the events that close what AtRisk opened, once the fulfillment arrived or has nothing to do any more.
func (o *Order) Relieved() (events []Event) {
	for i := range o.Exceptions {
		x := &o.Exceptions[i]
		if x.Type != ExceptionPromise || x.By != ByPromises {
			continue
		}
		switch f := o.Fulfillment(x.FulfillmentID); f.Status {
		case FulfillmentReady, FulfillmentHandedOver, FulfillmentDelivered, FulfillmentRejected, FulfillmentCancelled, FulfillmentLost:
			events = append(events, Event{Type: EventExceptionClosed, ExceptionID: x.ID, By: ByPromises, Reason: "it is " + string(f.Status)})
		}
	}
	return events
}
