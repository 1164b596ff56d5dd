package order

import (
	"slices"
	"time"
)

// CodeStopPending refuses another request to stop while one for something else is unanswered.
const CodeStopPending = "stop_pending"

// stoppable reports whether the location can be asked to stop units of the fulfillment: it
// has begun, and not all of it has left.
func stoppable(f *Fulfillment) bool {
	switch f.Status {
	case FulfillmentAccepted, FulfillmentPicked, FulfillmentPacked:
		return true
	case FulfillmentReady:
		return f.Via == ""
	}
	return false
}

// asked is how many units of a line the location was asked to stop and has not answered for.
func (f *Fulfillment) asked(line string) (n int64) {
	if f.Stop != nil {
		for _, q := range f.Stop.Lines {
			if q.Line == line {
				n += q.Quantity
			}
		}
	}
	return n
}

// stopping collects requests to stop, one for each fulfillment.
type stopping struct {
	o            *Order
	then, reason string
	answerBy     time.Time
	lines        [][]LineQuantity // by fulfillment
}

func (o *Order) stopping(then, reason string, at time.Time) *stopping {
	return &stopping{o: o, then: then, reason: reason, answerBy: at.Add(DefaultStopAnswer), lines: make([][]LineQuantity, len(o.Fulfillments))}
}

func (s *stopping) ask(fulfillment int, line string, units int64) {
	if units > 0 {
		s.lines[fulfillment] = append(s.lines[fulfillment], LineQuantity{Line: line, Quantity: units})
	}
}

// take asks for up to left picked units of a line, latest fulfillment first, and returns how many it could not ask for.
func (s *stopping) take(line string, left int64) int64 {
	for i := len(s.o.Fulfillments) - 1; i >= 0 && left > 0; i-- {
		f := &s.o.Fulfillments[i]
		l := f.line(line)
		if l == nil || !stoppable(f) || f.Stop != nil && f.Stop.Then != s.then {
			continue
		}
		if n := min(left, l.Picked-l.Shipped-f.asked(line)); n > 0 {
			s.ask(i, line, n)
			left -= n
		}
	}
	return left
}

// events are the requests. What was asked before and not answered is asked for again with it, so
// that each location answers once.
func (s *stopping) events() []Event {
	var events []Event
	for i, lines := range s.lines {
		if len(lines) == 0 {
			continue
		}
		f := &s.o.Fulfillments[i]
		if f.Stop != nil {
			lines = addUnits(slices.Clone(f.Stop.Lines), lines)
		}
		events = append(events, Event{
			Type: EventFulfillmentStopRequested, FulfillmentID: f.ID, Lines: lines, Then: s.then, Reason: s.reason, At: s.answerBy,
		})
	}
	return events
}

// addUnits adds units by line.
func addUnits(to, more []LineQuantity) []LineQuantity {
	for _, q := range more {
		at := slices.IndexFunc(to, func(have LineQuantity) bool { return have.Line == q.Line })
		if at < 0 {
			to = append(to, q)
			continue
		}
		to[at].Quantity += q.Quantity
	}
	return to
}

// CancelAt is Cancel; with RequestStop, units that are picked and have not left are asked to be
// stopped: they are cancelled when their location says that it could.
func (o *Order) CancelAt(c Cancellation, at time.Time) ([]Event, error) {
	if !c.RequestStop {
		return o.Cancel(c)
	}
	s := o.stopping(ThenCancel, c.Reason, at)
	if len(c.Lines) == 0 {
		c.Lines = o.cancellable()
		for i := range o.Fulfillments {
			f := &o.Fulfillments[i]
			if !stoppable(f) || f.Stop != nil && f.Stop.Then != ThenCancel {
				continue
			}
			for k := range f.Lines {
				if n := f.Lines[k].Picked - f.Lines[k].Shipped - f.asked(f.Lines[k].Line); n > 0 {
					c.Lines = addUnits(c.Lines, []LineQuantity{{Line: f.Lines[k].Line, Quantity: n}})
				}
			}
		}
	}
	return o.cancel(c, s)
}
