package engine_test

import (
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/store/memory"
)

// inlineOn is a node on a disk in memory that does everything on the goroutine of the test.
func inlineOn(t *testing.T, d *memory.Disk, c *clock) *node {
	s, err := d.Open(memory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.Open(background, s, engine.Options{Clock: c.now, Inline: true})
	if err != nil {
		t.Fatal(err)
	}
	n := &node{Engine: e, tb: t, clock: c, store: s}
	t.Cleanup(n.close)
	return n
}

// A node that does its tasks once when stock has come in serves those that wait for it: they need no timer.
func TestOneRoundServesWhoWaits(t *testing.T) {
	t.Parallel()
	n := inlineOn(t, memory.New(1, true), newClock())
	round := func() {
		for _, task := range n.Tasks() {
			task.Do(background)
		}
	}
	n.retailer(1, 1, 0)
	first, second := n.capture(basket("a", "S0")), n.capture(basket("b", "S0"))
	round()
	n.receive("S0", "L00", 1)
	round()
	if a, b := n.stored(first.ID), n.stored(second.ID); a.Status != order.StatusAllocated || b.Status != order.StatusBackordered {
		t.Errorf("with one unit for two orders the first is %s, the second %s", a.Status, b.Status)
	}
}

// A count at a node that has not heard yet of what another one booked sets the stock to what was counted.
func TestCountsAreOfTheStoredStock(t *testing.T) {
	t.Parallel()
	clock, disk := newClock(), memory.New(1, false)
	first := inlineOn(t, disk, clock)
	first.retailer(1, 1, 1)
	second := inlineOn(t, disk, clock)
	second.receive("S0", "L00", 5)
	clock.advance(time.Minute)
	c := &engine.Count{AsOf: clock.now(), Items: []engine.CountedItem{{SKU: "S0", Location: "L00", OnHand: 6}}}
	if _, err := first.Count(background, c, engine.Meta{Actor: "test"}); err != nil {
		t.Fatal(err)
	}
	if p := disk.Position(inventory.PositionKey{SKU: "S0", Location: "L00"}); p.OnHand != 6 {
		t.Errorf("6 units were counted, %d are on hand", p.OnHand)
	}
}
