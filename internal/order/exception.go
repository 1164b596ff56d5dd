package order

import (
	"slices"
	"time"
)

// Exception is work on the order that needs a person. Package exception knows the types.
type Exception struct {
	ID   string `json:"id"`
	Type string `json:"type"`
	// Message says what is wrong, in a sentence.
	Message       string    `json:"message"`
	FulfillmentID string    `json:"fulfillment_id,omitempty"`
	ReturnID      string    `json:"return_id,omitempty"`
	By            string    `json:"by"` // what raised it: the core, a flow, a policy
	OpenedAt      time.Time `json:"opened_at"`
	Owner         string    `json:"owner,omitempty"`
	ClaimedAt     time.Time `json:"claimed_at,omitzero"`
	// Data are facts that fixes need, by name.
	Data map[string]string `json:"data,omitempty"`
	// Until is until when it was set aside: the queue shows it again from then on.
	Until time.Time `json:"until,omitzero"`
	// LookAt is when rules look at it again; zero: they do not.
	LookAt time.Time `json:"look_at,omitzero"`
}

// Raise gives the event that opens an exception; nil when one of the same type about the
// same fulfillment, return and payment operation is open already, or at the limit, where those open say enough.
// Id and time are filled in. Several raised by one command must be folded one after the other.
func (o *Order) Raise(x Exception, at time.Time) *Event {
	open := slices.ContainsFunc(o.Exceptions, func(y Exception) bool {
		return y.Type == x.Type && y.FulfillmentID == x.FulfillmentID && y.ReturnID == x.ReturnID &&
			y.Data[dataOperation] == x.Data[dataOperation]
	})
	if open || len(o.Exceptions) >= MaxExceptions {
		return nil
	}
	x.ID, x.OpenedAt = number("e", o.ExceptionCount+1), at
	return &Event{Type: EventExceptionOpened, Exception: &x}
}

// CloseException gives the event that closes an exception. Returns a *Refusal when it is not open.
func (o *Order) CloseException(id, by, resolution string) ([]Event, error) {
	if o.Exception(id) == nil {
		return nil, refuse(CodeUnknownException, "exception", "the order has no open exception %q", id)
	}
	return []Event{{Type: EventExceptionClosed, ExceptionID: id, By: by, Reason: resolution}}, nil
}

// CloseExceptions closes those of a type about a fulfillment or a return ("": whatever they are about).
func (o *Order) CloseExceptions(typ, of, by, resolution string) []Event {
	var events []Event
	for i := range o.Exceptions {
		if x := &o.Exceptions[i]; x.Type == typ && (of == "" || x.FulfillmentID == of || x.ReturnID == of) {
			events = append(events, Event{Type: EventExceptionClosed, ExceptionID: x.ID, By: by, Reason: resolution})
		}
	}
	return events
}

// Exception returns the open exception with the id, or nil.
func (o *Order) Exception(id string) *Exception {
	for i := range o.Exceptions {
		if o.Exceptions[i].ID == id {
			return &o.Exceptions[i]
		}
	}
	return nil
}
