package order_test

import (
	"time"

	"github.com/orderly-oms/orderly/internal/order"
)

// conditions tells what happens to fulfillments beside the straight way.
func (s *story) conditions() {
	promised := at("dc", lq("1", 3))
	promised.Promise = order.Promise{ShipBy: noon.Add(24 * time.Hour), DeliverBy: noon.Add(72 * time.Hour)}
	s.o = place(s.t, capture(s.t, newOrder(order.Ship, 3)), promised)
	s.then(s.o.Remind("o1-1", "not accepted for an hour"))
	s.then(s.o.Decide("o1-1", order.Step{Command: "pick", Lines: []order.LineQuantity{lq("1", 2)}}))
	s.then(s.o.TakeBack("address changed", order.ThenRedecide, noon.Add(order.DefaultStopAnswer)), nil)
	golden(s.t, "order_asked_to_stop", s.o)
	s.then(s.o.Decide("o1-1", order.Step{Command: "refuse_stop", Reason: "in the van"}))
	s.then(s.o.Resource("o1-1", "nobody answers", true, noon))
	s.then(s.o.Decide("o1-1", order.Step{Command: "stopped", Lines: []order.LineQuantity{lq("1", 2)}}))
	s.then(s.o.Decide("o1-1", order.Step{Command: "ship"}))
	s.then(s.o.Decide("o1-1", order.Step{Command: "ship", Parcels: []order.Parcel{{Tracking: "T1"}}}))
	s.then(s.o.Decide("o1-1", order.Step{Command: "delay", ExpectedAt: noon.Add(96 * time.Hour), Reason: "snow"}))
	golden(s.t, "order_delayed", s.o)
	s.then(s.o.Decide("o1-1", order.Step{Command: "undeliverable", Reason: "no such street", At: noon}))
	golden(s.t, "order_undeliverable", s.o)

	s.o = step(s.t, place(s.t, capture(s.t, newOrder(order.Ship, 1)), at("dc", lq("1", 1))), "ship")
	s.then(s.o.Decide("o1-1", order.Step{Command: "lose", Reason: "not scanned for ten days"}))
	s.then(s.o.Late("o1-1", order.Step{Command: "deliver"}, noon), nil)
	golden(s.t, "order_lost", s.o)

	s.o = step(s.t, place(s.t, capture(s.t, newOrder(order.Pickup, 2)), at("dc", lq("1", 2))), "ready")
	s.then(s.o.Decide("o1-1", order.Step{Command: "arrive", Reason: "bay 4, a red van"}))
	s.then(s.o.Decide("o1-1", order.Step{Command: "uncollected", Reason: "seven days"}))
}
