package order

import (
	"cmp"
	"slices"
	"time"
)

// Withdraw gives the events that take units back from locations that have not
// accepted them yet, so that they can be decided again. movable says which
// fulfillments may move; those whose work has begun never do.
func (o *Order) Withdraw(movable func(*Fulfillment) bool, reason string) []Event {
	var events []Event
	for i := range o.Fulfillments {
		f := &o.Fulfillments[i]
		if f.Status != FulfillmentOpen && f.Status != FulfillmentHeld || !movable(f) {
			continue
		}
		if e := f.withdrawn(reason); len(e.Lines) > 0 {
			events = append(events, e)
		}
	}
	return events
}

// withdrawn takes everything of a fulfillment back of which nothing is picked.
func (f *Fulfillment) withdrawn(reason string) Event {
	return Event{Type: EventFulfillmentWithdraw, FulfillmentID: f.ID, Reason: reason, Lines: f.unpickedLines()}
}

func (f *Fulfillment) unpickedLines() []LineQuantity {
	lines, _ := f.wanted(nil, (*FulfillmentLine).unpicked) // without lines there is nothing to refuse
	return lines
}

// stop asks the location to stop units; nil lines: everything that has not left.
func (f *Fulfillment) stop(lines []LineQuantity, reason, then string, exclude bool, answerBy time.Time) Event {
	if lines == nil {
		lines, _ = f.wanted(nil, func(l *FulfillmentLine) int64 { return l.Quantity - l.Shipped })
	}
	return Event{
		Type: EventFulfillmentStopRequested, FulfillmentID: f.ID, Lines: lines, Reason: reason, Then: then, Exclude: exclude, At: answerBy,
	}
}

// TakeBack gives the events that take back what has not left: what no location has accepted at
// once, the rest when the location has agreed to stop it, by answerBy. then is what
// becomes of it, ThenCancel or ThenRedecide. Units that nobody has, or that left, are not touched. What a
// location was asked to stop already is not asked again, unless it is to be cancelled now.
func (o *Order) TakeBack(reason, then string, answerBy time.Time) []Event {
	var events []Event
	for i := range o.Fulfillments {
		f := &o.Fulfillments[i]
		var e Event
		switch f.Status {
		case FulfillmentHeld, FulfillmentOpen:
			if e = f.withdrawn(reason); then == ThenCancel {
				e.Type = EventFulfillmentCancel
			}
		case FulfillmentAccepted, FulfillmentPicked, FulfillmentPacked, FulfillmentReady:
			if f.Stop != nil && (f.Stop.Then == ThenCancel || f.Stop.Then == then) || f.Via != "" && f.Status == FulfillmentReady {
				continue
			}
			e = f.stop(nil, reason, then, false, answerBy)
		default:
			continue
		}
		if len(e.Lines) > 0 {
			events = append(events, e)
		}
	}
	return events
}

// Resource gives the events that take a fulfillment back to decide it again: at once while nobody accepted
// it, else by asking the location to stop what has not left. exclude: its location is not asked
// again for this order. Returns a *Refusal when nothing of it can be taken back.
func (o *Order) Resource(fulfillmentID, reason string, exclude bool, at time.Time) ([]Event, error) {
	f := o.Fulfillment(fulfillmentID)
	if f == nil {
		return nil, refuse(CodeNoFulfillment, "", "the order has no fulfillment %q", fulfillmentID)
	}
	switch f.Status {
	case FulfillmentHeld, FulfillmentOpen:
		e := f.withdrawn(reason)
		e.Exclude = exclude
		if len(e.Lines) > 0 {
			return []Event{e}, nil
		}
		return []Event{f.stop(nil, reason, ThenRedecide, exclude, at.Add(DefaultStopAnswer))}, nil
	case FulfillmentAccepted, FulfillmentPicked, FulfillmentPacked, FulfillmentReady:
		if f.Via != "" && f.Status == FulfillmentReady {
			break
		}
		if f.Stop != nil {
			return nil, refuse(CodeNothingToDo, "", "the location was asked to stop it already")
		}
		return []Event{f.stop(nil, reason, ThenRedecide, exclude, at.Add(DefaultStopAnswer))}, nil
	}
	return nil, refuse(CodeWrongState, "", "the fulfillment is %s; nothing of it can be taken back", f.Status)
}

// Missing asks for units of SKUs back that a location does not have.
type Missing struct {
	Location string
	SKU      string // a stocked one, not a kit
	Units    int64
}

// TakeMissing gives the events that take back at least the missing units that this order has at the
// location and has not picked: from what nobody accepted at once, else by asking the location to stop
// them. taken is how many units of the SKU that concerns. Latest promises lose first.
func (o *Order) TakeMissing(m Missing, reason string, at time.Time) (events []Event, taken int64) {
	var open, asked []*Fulfillment
	for i := range o.Fulfillments {
		f := &o.Fulfillments[i]
		switch {
		case f.Location != m.Location:
		case f.Status == FulfillmentHeld || f.Status == FulfillmentOpen:
			open = append(open, f)
		case f.Status == FulfillmentAccepted && f.Stop == nil:
			asked = append(asked, f)
		}
	}
	for _, some := range [][]*Fulfillment{open, asked} {
		slices.SortStableFunc(some, func(a, b *Fulfillment) int {
			return cmp.Or(b.Promise.DeliverBy.Compare(a.Promise.DeliverBy), cmp.Compare(b.ID, a.ID))
		})
	}
	for i, f := range append(open, asked...) {
		lines, units := o.missing(f, m.SKU, m.Units-taken)
		if units == 0 {
			continue
		}
		taken += units
		if i < len(open) {
			events = append(events, Event{Type: EventFulfillmentWithdraw, FulfillmentID: f.ID, Lines: lines, Reason: reason})
		} else {
			events = append(events, f.stop(lines, reason, ThenRedecide, false, at.Add(DefaultStopAnswer)))
		}
	}
	return events, taken
}

// missing are the fewest units of a fulfillment's lines that have need units of a SKU in them.
func (o *Order) missing(f *Fulfillment, sku string, need int64) (lines []LineQuantity, units int64) {
	for i := range f.Lines {
		l := o.Line(f.Lines[i].Line)
		if l == nil || units >= need {
			continue
		}
		var per int64
		l.stocked(1, func(s string, n int64) {
			if s == sku {
				per += n
			}
		})
		if per == 0 {
			continue
		}
		n := min(f.Lines[i].unpicked(), (need-units+per-1)/per)
		if n > 0 {
			lines = append(lines, LineQuantity{Line: l.ID, Quantity: n})
			units += n * per
		}
	}
	return lines, units
}

// Stopping is how many units of a SKU the order has asked a location to stop, and not had back.
func (o *Order) Stopping(location, sku string) (units int64) {
	for i := range o.Fulfillments {
		f := &o.Fulfillments[i]
		if f.Location != location || f.Stop == nil {
			continue
		}
		for _, q := range f.Stop.Lines {
			if l := o.Line(q.Line); l != nil {
				l.stocked(q.Quantity, func(s string, n int64) {
					if s == sku {
						units += n
					}
				})
			}
		}
	}
	return units
}
