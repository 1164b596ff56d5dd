package order

import "github.com/orderly-oms/orderly/internal/problem"

// Reship asks for units to be sent again that did not arrive as they should. They are not
// charged again.
type Reship struct {
	Lines  []LineQuantity `json:"lines"`
	Reason string         `json:"reason"`
}

// Validate reports every field that is wrong in itself (problem.Invalid).
func (r *Reship) Validate() error {
	var bad problem.Invalid
	if r.Reason == "" {
		bad.Add("reason", problem.Required, "say why")
	}
	text(&bad, "reason", r.Reason, MaxTextBytes)
	if len(r.Lines) == 0 {
		bad.Add("lines", problem.Required, "say which units")
	}
	bad.Count("lines", len(r.Lines), MaxLines)
	for i, q := range r.Lines[:min(len(r.Lines), MaxLines)] {
		bad.Range(problem.At("lines", i)+".quantity", q.Quantity, 1, MaxLineQuantity)
		if q.Short != 0 || q.Picked != 0 {
			bad.Add(problem.At("lines", i), problem.Conflict, "only line and quantity have a meaning here")
		}
	}
	return bad.Err()
}

// reshippable reports whether units of the fulfillment left and are not on their way back.
func reshippable(f *Fulfillment) bool {
	switch f.Status {
	case FulfillmentPacked, FulfillmentShipped, FulfillmentDelivered, FulfillmentHandedOver:
		return true
	}
	return false
}

// Reship gives the events that declare units lost, so that they are placed again, or a
// *Refusal. Units under way go first, then delivered ones; of each, the latest fulfillment first.
// An order that was delivered is open again.
func (o *Order) Reship(r Reship) ([]Event, error) {
	lost := make([]Event, len(o.Fulfillments))
	seen := make(map[string]bool, len(r.Lines))
	for i, q := range r.Lines {
		l := o.Line(q.Line)
		at := problem.At("lines", i)
		if l == nil || seen[q.Line] {
			return nil, refuse(CodeUnknownLine, at+".line", "line %.60q is unknown or named twice", q.Line)
		}
		seen[q.Line] = true
		if with := l.Fulfilled - l.Returned; q.Quantity > with {
			return nil, refuse(CodeTooMany, at+".quantity", "%d units of line %s left and did not come back, got %d", with, l.ID, q.Quantity)
		}
		left := o.reshipLine(l.ID, q.Quantity, lost, r.Reason, func(f *Fulfillment) bool { return f.DeliveredAt.IsZero() })
		left = o.reshipLine(l.ID, left, lost, r.Reason, func(f *Fulfillment) bool { return !f.DeliveredAt.IsZero() })
		if left > 0 {
			return nil, refuse(CodeWrongState, at+".quantity", "%d units of line %s wait at the pickup location", left, l.ID)
		}
	}
	var events []Event
	for _, e := range lost {
		if len(e.Lines) > 0 {
			events = append(events, e)
		}
	}
	return events, nil
}

func (o *Order) reshipLine(line string, left int64, lost []Event, reason string, which func(*Fulfillment) bool) int64 {
	for i := len(o.Fulfillments) - 1; i >= 0 && left > 0; i-- {
		f := &o.Fulfillments[i]
		l := f.line(line)
		if l == nil || !reshippable(f) || !which(f) {
			continue
		}
		if n := min(left, l.Shipped); n > 0 {
			lost[i].Type, lost[i].FulfillmentID, lost[i].Reason = EventFulfillmentLost, f.ID, reason
			lost[i].Lines = append(lost[i].Lines, LineQuantity{Line: line, Quantity: n})
			left -= n
		}
	}
	return left
}
