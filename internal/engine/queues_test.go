package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
)

// A location that has work for hours before it promises later, and sooner again once it caught up.
func TestPromisesCountTheQueue(t *testing.T) {
	t.Parallel()
	n := open(t, stores["sqlite"](t)(), newClock())
	n.retailer(1, 1, 1000)
	hours := network.Interval{Opens: 8 * 60, Closes: 20 * 60}
	var week network.Calendar
	week.Hours.Monday, week.Hours.Tuesday, week.Hours.Wednesday = []network.Interval{hours}, []network.Interval{hours}, []network.Interval{hours}
	week.Hours.Thursday, week.Hours.Friday, week.Hours.Saturday = []network.Interval{hours}, []network.Interval{hours}, []network.Interval{hours}
	n.put(engine.Document{Kind: engine.KindLocation, ID: "L00", Value: &network.Location{
		ID: "L00", Type: network.Store, TimeZone: "Europe/Berlin", Capabilities: []network.Capability{network.CanShip, network.CanPickup}, Calendar: &week,
		Address:  network.Address{Country: "DE", Latitude: ptr(54.0), Longitude: ptr(10.0)},
		Capacity: network.Capacity{OrdersPerHour: ptr(int64(2))},
	}})
	first := n.capture(basket("first", "S0")).Promise
	var open []string
	for hour := range 6 {
		for i := range 2 {
			if hour > 0 || i > 0 {
				open = append(open, n.capture(basket(fmt.Sprint(hour, "-", i), "S0")).Fulfillments[0].ID)
			}
		}
		n.clock.advance(time.Hour)
	}
	n.PromiseLedger(background) // enters what was committed
	queued := n.capture(basket("queued", "S0"))
	if !queued.Promise.ShipBy.After(first.ShipBy) {
		t.Errorf("behind 12 orders at 2 an hour, at %s, it is promised to leave by %s as the first was", n.clock.now(), queued.Promise.ShipBy)
	}
	for _, f := range open {
		n.step(f, "ship", order.Step{})
	}
	n.clock.advance(time.Minute)
	n.PromiseLedger(background)
	if caughtUp := n.capture(basket("caught up", "S0")); !caughtUp.Promise.ShipBy.Before(queued.Promise.ShipBy) {
		t.Errorf("with the work done it is promised by %s still", caughtUp.Promise.ShipBy)
	}
}
