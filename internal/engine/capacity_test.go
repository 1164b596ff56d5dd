package engine_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/audit"
	"github.com/orderly-oms/orderly/internal/bulk"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/intake"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/store"
)

// limit gives L00, whose zone is Europe/Berlin, the capacity.
func (n *node) limit(c network.Capacity) {
	l, _ := n.Directory().Location("L00")
	changed := *l
	changed.Capacity = c
	n.put(engine.Document{Kind: engine.KindLocation, ID: l.ID, Value: &changed})
}

// at gives L00 an order of one S0 for 23.79 EUR; false: its capacity does not admit it.
func (n *node) at(external string, beyond bool) (*order.Order, bool) {
	n.tb.Helper()
	r, err := n.CaptureAt(background, basket(external, "S0"), "L00", beyond)
	var refused *order.Refusal
	switch {
	case errors.As(err, &refused) && refused.Code == engine.CodeOutOfStock:
		return nil, false
	case err != nil:
		n.tb.Fatal(err)
	}
	return r.Value.(*order.Order), true
}

func (n *node) left(orders, units, value int64) {
	n.tb.Helper()
	if o, u, v := n.CapacityLeft("L00"); o != orders || u != units || v != value {
		n.tb.Fatalf("left are %d orders, %d units, %d value; want %d, %d, %d", o, u, v, orders, units, value)
	}
}

// sound checks memory against the store and the store against itself.
func (n *node) sound() {
	n.tb.Helper()
	n.equalsStore()
	report, err := audit.Run(background, n.store.(store.Auditor), audit.Options{})
	if err != nil {
		n.tb.Fatal(err)
	}
	for _, c := range report.Checks {
		if c.Violations > 0 {
			n.tb.Errorf("%+v", c)
		}
	}
}

func slot(n *node, name string) inventory.Position { return n.position("capacity/"+name, "L00") }

func TestCapacityOfEachMeasureAndWindow(t *testing.T) {
	each(t, func(t *testing.T, n *node) {
		n.retailer(1, 1, 100)
		n.left(-1, -1, -1)
		n.limit(network.Capacity{OrdersPerDay: ptr(int64(5)), OrdersPerHour: ptr(int64(2)), UnitsPerHour: ptr(int64(3)), ValuePerDay: ptr(int64(10_000))})
		n.left(2, 3, 10_000)
		n.at("a", false)
		n.left(1, 2, 10_000-2379)
		b, _ := n.at("b", false)
		if _, ok := n.at("c", false); ok {
			t.Fatal("a third order in an hour of two")
		}
		if p := slot(n, "orders/2026-11-23T10"); p.OnHand != 2 || p.Allocated != 2 { // 09:00 UTC in Berlin
			t.Fatalf("%+v", p)
		}
		n.step(b.Fulfillments[0].ID, "reject", order.Step{Reason: "busy"})
		n.left(1, 2, 10_000-2379)
		n.at("d", false)
		n.clock.advance(time.Hour)
		n.left(2, 3, 10_000-2*2379)
		n.at("e", false)
		n.at("f", false)
		n.clock.advance(time.Hour)
		n.left(1, 3, 10_000-4*2379) // the day's fifth order
		if _, ok := n.at("g", false); ok {
			t.Fatal("a fifth order for more than the day's value")
		}
		n.clock.advance(13 * time.Hour) // 00:00 in Berlin
		n.left(2, 3, 10_000)
		n.sound()
	})
}

func TestShippedWorkKeepsItsCapacity(t *testing.T) {
	each(t, func(t *testing.T, n *node) {
		n.retailer(1, 1, 100)
		n.limit(network.Capacity{OrdersPerDay: ptr(int64(2)), UnitsPerDay: ptr(int64(9))})
		a, _ := n.at("a", false)
		n.step(a.Fulfillments[0].ID, "ship", order.Step{})
		b, _ := n.at("b", false)
		n.left(0, 7, -1)
		if _, err := n.Cancel(background, b.ID, order.Cancellation{}, engine.Meta{Actor: "test"}); err != nil {
			t.Fatal(err)
		}
		n.left(1, 8, -1)
		n.sound()
	})
}

func TestCapacityFollowsItsLimit(t *testing.T) {
	each(t, func(t *testing.T, n *node) {
		n.retailer(1, 1, 100)
		day := func(limit int64) { n.limit(network.Capacity{OrdersPerDay: &limit}) }
		// What it accepted stays with it when the limit is lowered.
		accepted := func(external string) {
			o, _ := n.at(external, false)
			n.step(o.Fulfillments[0].ID, "accept", order.Step{})
		}
		day(3)
		accepted("a")
		accepted("b")
		day(5)
		n.left(3, -1, -1)
		accepted("c")
		day(1)
		n.left(0, -1, -1)
		if _, ok := n.at("d", false); ok {
			t.Fatal("admitted beyond the lowered limit")
		}
		forced, _ := n.at("e", true)
		if p := slot(n, "orders/2026-11-23"); p.OnHand != 4 || p.Allocated != 4 {
			t.Fatalf("%+v", p)
		}
		n.step(forced.Fulfillments[0].ID, "reject", order.Step{Reason: "busy"})
		n.left(0, -1, -1)
		day(4)
		n.left(1, -1, -1)
		accepted("f")
		n.left(0, -1, -1)
		day(0)
		n.left(0, -1, -1)
		n.sound()
	})
}

// Many captures at once on two nodes of one store, over both of its buckets, with units
// given back meanwhile: never more than the capacity, and in the end exactly as much.
func TestCapacityAdmitsExactly(t *testing.T) {
	const capacity, callers, orders = 25, 8, 12
	fresh := stores["postgres"](t)
	c := newClock()
	nodes := []*node{open(t, fresh(), c), open(t, fresh(), c)}
	nodes[0].retailer(1, 1, 1000)
	nodes[0].limit(network.Capacity{OrdersPerDay: ptr(int64(capacity))})
	nodes[1].Follow(background)
	var admitted, returned atomic.Int64
	var wait sync.WaitGroup
	for w := range callers {
		wait.Go(func() {
			n := nodes[w%2]
			for i := range orders {
				o, ok := n.at(fmt.Sprintf("%d-%d", w, i), false)
				if !ok {
					continue
				}
				admitted.Add(1)
				if i%3 == 0 {
					n.step(o.Fulfillments[0].ID, "reject", order.Step{Reason: "busy"})
					returned.Add(1)
				}
			}
		})
	}
	wait.Wait()
	for i := range 3 * capacity { // what came back last
		if _, ok := nodes[i%2].at(fmt.Sprint("last-", i), false); ok {
			admitted.Add(1)
		}
	}
	if kept := admitted.Load() - returned.Load(); kept != capacity {
		t.Fatalf("%d orders stay admitted, of a capacity of %d", kept, capacity)
	}
	nodes[0].Follow(background)
	nodes[0].left(0, -1, -1)
	nodes[0].sound()
}

func TestPastCapacityIsClosed(t *testing.T) {
	each(t, func(t *testing.T, n *node) {
		n.retailer(1, 1, 100)
		n.limit(network.Capacity{OrdersPerDay: ptr(int64(9)), UnitsPerHour: ptr(int64(7))})
		a, _ := n.at("a", false)
		n.clock.advance(2 * 24 * time.Hour)
		n.Sweep(background)
		if p := slot(n, "orders/2026-11-23"); p.OnHand != 9 {
			t.Fatalf("closed too soon: %+v", p)
		}
		n.clock.advance(2 * 24 * time.Hour)
		n.Sweep(background)
		for _, name := range []string{"orders/2026-11-23", "units/2026-11-23T10"} {
			if p := slot(n, name); p.OnHand != 1 || p.Allocated != 1 {
				t.Fatalf("%s: %+v", name, p)
			}
		}
		n.step(a.Fulfillments[0].ID, "reject", order.Step{Reason: "busy"})
		n.Sweep(background)
		if p := slot(n, "orders/2026-11-23"); p.OnHand != 0 || p.Allocated != 0 {
			t.Fatalf("%+v", p)
		}
		n.sound()
	})
}

// A complete count says nothing about capacity.
func TestCapacityIsNoStock(t *testing.T) {
	each(t, func(t *testing.T, n *node) {
		n.retailer(1, 1, 100)
		n.limit(network.Capacity{OrdersPerDay: ptr(int64(9))})
		n.at("a", false)
		n.clock.advance(time.Minute)
		if _, err := n.Count(background, &engine.Count{AsOf: n.Now(), Complete: true, Items: []engine.CountedItem{{SKU: "S0", Location: "L00", OnHand: 50}}}, engine.Meta{Actor: "test"}); err != nil {
			t.Fatal(err)
		}
		n.left(8, -1, -1)
		var exported strings.Builder
		if err := intake.Export(background, n.store, "stock", bulk.CSV, &exported); err != nil || !strings.Contains(exported.String(), "S0") || strings.Contains(exported.String(), "capacity") {
			t.Fatalf("%v, exported\n%s", err, exported.String())
		}
		n.sound()
	})
}

// An order that claims a reservation and comes twice in one batch is found by its repeat, though the
// commit of the reservation is before its own.
func TestRepeatInOneBatchFindsTheOrder(t *testing.T) {
	again := stores["sqlite"](t)
	c := newClock()
	first := open(t, again(), c)
	first.retailer(1, 1, 100)
	r, err := first.Reserve(background, &inventory.NewReservation{Channel: "web", Lines: []inventory.NewReservationLine{{SKU: "S0", Quantity: 1}}}, engine.Meta{Actor: "test"})
	if err != nil {
		t.Fatal(err)
	}
	first.close()
	s := again()
	e, err := engine.Open(background, s, engine.Options{Clock: c.now})
	if err != nil {
		t.Fatal(err)
	}
	n := &node{Engine: e, tb: t, clock: c, store: s}
	defer n.close()
	var repeated atomic.Int64
	var wait sync.WaitGroup
	for range 2 {
		wait.Go(func() {
			o := basket("a", "S0")
			o.ReservationID = r.Value.(*inventory.Reservation).ID
			reply, err := n.Capture(background, o, engine.Meta{Actor: "test"})
			if err != nil {
				t.Error(err)
			} else if reply.Repeated {
				repeated.Add(1)
			}
		})
	}
	for n.Queued() < 2 {
		runtime.Gosched()
	}
	n.RunLanes()
	wait.Wait()
	if repeated.Load() != 1 {
		t.Fatalf("%d of two were recognised as a repeat", repeated.Load())
	}
}
