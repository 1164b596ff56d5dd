package order

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
		e := Event{Type: EventFulfillmentWithdraw, FulfillmentID: f.ID, Reason: reason}
		for k := range f.Lines {
			if n := f.Lines[k].unpicked(); n > 0 {
				e.Lines = append(e.Lines, LineQuantity{Line: f.Lines[k].Line, Quantity: n})
			}
		}
		if len(e.Lines) > 0 {
			events = append(events, e)
		}
	}
	return events
}
