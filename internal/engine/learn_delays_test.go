package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/promise"
)

func TestLateDeliveriesMovePromises(t *testing.T) {
	t.Parallel()
	n := studious(t, stores["sqlite"](t)(), newClock())
	n.retailer(1, 1, 1000)
	before := n.capture(basket("before", "S0")).Fulfillments[0]
	const days = 3
	for i := range 60 {
		f := n.capture(basket(fmt.Sprint("d-", i), "S0")).Fulfillments[0]
		n.step(f.ID, "ship", order.Step{})
		was := n.clock.now()
		n.clock.at.Store(f.Promise.Calendar.Add(days * 24 * time.Hour).UnixNano())
		n.step(f.ID, "deliver", order.Step{})
		n.clock.at.Store(was.UnixNano())
	}
	n.learn()
	after := n.capture(basket("after", "S0")).Fulfillments[0]
	moved := after.Promise.DeliverBy.Sub(before.Promise.DeliverBy)
	if moved < (days-1)*24*time.Hour || moved > (days+2)*24*time.Hour {
		t.Errorf("the promise moved by %s after deliveries %d days late", moved, days)
	}
	if !after.Promise.Calendar.Equal(before.Promise.Calendar) {
		t.Errorf("the calendar's own deadline moved from %s to %s", before.Promise.Calendar, after.Promise.Calendar)
	}
}

// Parcels that did not arrive say that they are late, until nobody will report them any more.
func TestParcelsUnderWayCount(t *testing.T) {
	t.Parallel()
	n := studious(t, stores["sqlite"](t)(), newClock())
	n.retailer(1, 1, 1000)
	var last *order.Order
	for i := range 60 {
		last = n.capture(basket(fmt.Sprint("d-", i), "S0"))
		n.step(last.Fulfillments[0].ID, "ship", order.Step{})
		if i%2 == 0 {
			n.step(last.Fulfillments[0].ID, "deliver", order.Step{})
		}
	}
	f := last.Fulfillments[0]
	kept := func(at time.Time) float64 {
		t.Helper()
		n.clock.at.Store(at.UnixNano())
		n.capture(basket(fmt.Sprint("new-", at), "S0")) // something to learn from
		n.learn()
		return n.KeptInTime(promise.Key{Location: f.Location, Service: f.Service, Zone: f.Zone})
	}
	early, late := kept(n.clock.now()), kept(f.Promise.Calendar.Add(5*24*time.Hour))
	if early < 0.9 || late > early-0.2 {
		t.Errorf("the share of deliveries in time is %v while half are under way and %v when those are five days late", early, late)
	}
	if n.ParcelsUnderWay() != 30 {
		t.Errorf("%d parcels are under way, not 30", n.ParcelsUnderWay())
	}
	forgotten := kept(f.Promise.Calendar.Add(30 * 24 * time.Hour))
	if forgotten < 0.9 || n.ParcelsUnderWay() != 0 {
		t.Errorf("the share is %v and %d parcels are under way a month later", forgotten, n.ParcelsUnderWay())
	}
}

func TestWorkAtLocationsIsLearned(t *testing.T) {
	t.Parallel()
	reopen := stores["sqlite"](t)
	n := studious(t, reopen(), newClock())
	n.retailer(1, 1, 1000)
	for i := range 80 {
		f := n.capture(basket(fmt.Sprint("w-", i), "S0")).Fulfillments[0]
		n.step(f.ID, "accept", order.Step{})
		if i == 40 { // what is begun before a restart is finished after it
			n.learn()
			n.close()
			n = studious(t, reopen(), n.clock)
		}
		n.pass(10 * time.Hour)
		n.step(f.ID, "pick", order.Step{})
		n.pass(time.Hour)
		n.step(f.ID, "pack", order.Step{})
		n.pass(time.Hour)
		n.step(f.ID, "ship", order.Step{})
	}
	n.capture(basket("begun", "S0"))
	n.learn()
	for stage, hours := range map[promise.Stage]float64{promise.StageAccepted: 12, promise.StagePicked: 2, promise.StagePacked: 1} {
		c := n.StageCurve("L00", stage)
		if median := c.Quantile(0.5).Hours(); c.N < 50 || median < hours*0.7 || median > hours*1.5+1 {
			t.Errorf("%s: a median of %v hours from %v durations; it took %v", stage, median, c.N, hours)
		}
	}
}

func TestWhatIsUnderWayIsBounded(t *testing.T) {
	t.Parallel()
	parcels, work := engine.FillDelayLearner(1000)
	if parcels != engine.MaxParcels || work != engine.MaxWork {
		t.Errorf("%d parcels and %d fulfillments are followed; the bounds are %d and %d", parcels, work, engine.MaxParcels, engine.MaxWork)
	}
}
