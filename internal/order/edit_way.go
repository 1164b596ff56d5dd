package order

import (
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/network"
)

// CodeAlreadyShipped refuses another way to the customer for what is under way.
const CodeAlreadyShipped = "already_shipped"

// Way is how an order reaches its customer.
type Way struct {
	Method         Method `json:"method"`
	Service        string `json:"service,omitempty"`
	PickupLocation string `json:"pickup_location,omitempty"`
}

// way finds out whether the order is to reach the customer in another way.
func (d *editing) way() error {
	o, e := d.o, d.e
	now := Way{Method: o.Method, Service: o.Service, PickupLocation: o.PickupLocation}
	want := now
	if e.Method != "" {
		want.Method = e.Method
	}
	if e.Service != "" {
		want.Service = e.Service
	}
	if e.PickupLocation != "" {
		want.PickupLocation = e.PickupLocation
	}
	switch {
	case want.Method == Pickup && want.PickupLocation == "":
		return refuse(CodeNotAllowed, "pickup_location", "an order for pickup names the location")
	case want.Method == Ship && e.PickupLocation != "":
		return refuse(CodeNotAllowed, "pickup_location", "the order is shipped; change its method to pickup as well")
	case want.Method == Ship && o.Method == Pickup && o.ShipTo == nil && e.ShipTo == nil:
		return refuse(CodeNotAllowed, "ship_to", "the order has no address to ship to")
	case want.Method == Ship:
		want.PickupLocation = ""
	}
	if want != now {
		d.out.Way, d.moved = &want, true
	}
	if e.ShipTo != nil && (o.ShipTo == nil || !sameAddress(e.ShipTo, o.ShipTo)) {
		to := *e.ShipTo
		d.out.ShipTo = &to
		d.moved = d.moved || o.Method == Ship
		d.changed = true
	}
	if !d.moved {
		return nil
	}
	d.changed = true
	if e.UnshippedOnly {
		return nil
	}
	for i := range o.Fulfillments {
		f := &o.Fulfillments[i]
		if f.Status != FulfillmentDelivered && f.Status != FulfillmentHandedOver && slices.ContainsFunc(f.Lines, func(l FulfillmentLine) bool { return l.Shipped > 0 }) {
			return refuse(CodeAlreadyShipped, "", "fulfillment %s has left %s already; repeat with unshipped_only to change the rest", f.ID, f.Location)
		}
	}
	return nil
}

func sameAddress(a, b *network.Address) bool {
	x, y := make(print, 0, 256), make(print, 0, 256)
	x.address(a)
	y.address(b)
	return string(x) == string(y)
}

// takeBack gives the events after which units that have not left are decided again: those no
// location has accepted at once, the others when their location answers the request to stop.
func (o *Order) takeBack(reason string, at time.Time) ([]Event, error) {
	events := o.Withdraw(func(*Fulfillment) bool { return true }, reason)
	s := o.stopping(ThenRedecide, reason, at)
	for i := range o.Fulfillments {
		f := &o.Fulfillments[i]
		if !stoppable(f) {
			continue
		}
		if f.Stop != nil && f.Stop.Then != ThenRedecide {
			return nil, refuse(CodeStopPending, "", "%s has not answered yet whether it can stop units of fulfillment %s", f.Location, f.ID)
		}
		for k := range f.Lines {
			l := &f.Lines[k]
			s.ask(i, l.Line, l.Quantity-l.Shipped-f.asked(l.Line))
		}
	}
	return append(events, s.events()...), nil
}
