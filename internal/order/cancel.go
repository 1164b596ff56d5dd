package order

import (
	"fmt"

	"github.com/orderly-oms/orderly/internal/plant"
	"github.com/orderly-oms/orderly/internal/problem"
)

// Cancellation asks to cancel units; no lines means everything that can be.
type Cancellation struct {
	Lines  []LineQuantity `json:"lines,omitempty"`
	Reason string         `json:"reason,omitempty"`
	// RequestStop asks the locations to stop units that are picked already; see CancelAt.
	RequestStop bool `json:"request_stop,omitempty"`
}

// Validate reports every field that is wrong in itself (problem.Invalid).
func (c *Cancellation) Validate() error {
	var bad problem.Invalid
	text(&bad, "reason", c.Reason, MaxTextBytes)
	bad.Count("lines", len(c.Lines), MaxLines)
	for i := range c.Lines {
		unpicked(&bad, problem.At("lines", i), c.Lines[i])
	}
	return bad.Err()
}

// Cancel gives the events that cancel units, or a *Refusal when fewer than
// asked can still be stopped. Units that nobody has go first, then those whose
// picking has not begun, latest fulfillment first.
func (o *Order) Cancel(c Cancellation) ([]Event, error) { return o.cancel(c, nil) }

// cancel is Cancel; what it cannot cancel it asks to be stopped, when stop is not nil.
func (o *Order) cancel(c Cancellation, stop *stopping) ([]Event, error) {
	lines := c.Lines
	if len(lines) == 0 {
		if lines = o.cancellable(); len(lines) == 0 {
			if o.Status == StatusCancelled {
				return nil, refuse(CodeWrongState, "", "the order is cancelled already")
			}
			return nil, refuse(CodeNotCancellable, "", "every unit is picked, shipped or cancelled already")
		}
	}
	unplaced := Event{Type: EventCancelled, Reason: c.Reason}
	placed := make([]Event, len(o.Fulfillments))
	seen := make(map[string]bool, len(lines))
	for i, q := range lines {
		l := o.Line(q.Line)
		at := fmt.Sprintf("lines[%d]", i)
		switch {
		case l == nil || seen[q.Line]:
			return nil, refuse(CodeUnknownLine, at+".line", "line %q is unknown or named twice", q.Line)
		case q.Quantity < 1 || q.Quantity > l.Quantity:
			return nil, refuse(CodeTooMany, at+".quantity", "line %s has %d units, cannot cancel %d", l.ID, l.Quantity, q.Quantity)
		}
		seen[q.Line] = true
		left := q.Quantity
		if n := min(left, l.Open()+l.Backordered); n > 0 {
			unplaced.Lines = append(unplaced.Lines, LineQuantity{Line: l.ID, Quantity: n})
			left -= n
		}
		left = o.cancelPlaced(l, left, placed, c.Reason)
		if stop != nil {
			left = stop.take(l.ID, left)
		}
		if left > 0 {
			return nil, refuse(CodeNotCancellable, at+".quantity", "%d of %d units of line %s are picked, shipped or cancelled already; request_stop asks the location to stop those that are picked", left, q.Quantity, l.ID)
		}
	}
	var events []Event
	if len(unplaced.Lines) > 0 {
		events = append(events, unplaced)
	}
	for _, e := range placed {
		if len(e.Lines) > 0 {
			events = append(events, e)
		}
	}
	if stop != nil {
		events = append(events, stop.events()...)
	}
	return events, nil
}

// cancellable is what can still be stopped: units that nobody has or whose
// picking has not begun.
func (o *Order) cancellable() []LineQuantity {
	out := make([]LineQuantity, 0, len(o.Lines))
	for i := range o.Lines {
		l := &o.Lines[i]
		q := l.Open() + l.Backordered
		for j := range o.Fulfillments {
			f := &o.Fulfillments[j]
			if fl := f.line(l.ID); fl != nil && allowed("cancel", f.Status) {
				q += fl.unpicked()
			}
		}
		if q > 0 {
			out = append(out, LineQuantity{Line: l.ID, Quantity: q})
		}
	}
	return out
}

func (o *Order) cancelPlaced(l *Line, left int64, placed []Event, reason string) int64 {
	for j := len(o.Fulfillments) - 1; j >= 0 && left > 0; j-- {
		f := &o.Fulfillments[j]
		fl := f.line(l.ID)
		if fl == nil || !allowed("cancel", f.Status) && !plant.On(plant.CancelShipped) {
			continue
		}
		free := fl.unpicked()
		if plant.On(plant.CancelShipped) {
			free = fl.Quantity
		}
		if n := min(left, free); n > 0 {
			placed[j].Type, placed[j].FulfillmentID, placed[j].Reason = EventFulfillmentCancel, f.ID, reason
			placed[j].Lines = append(placed[j].Lines, LineQuantity{Line: l.ID, Quantity: n})
			left -= n
		}
	}
	return left
}
