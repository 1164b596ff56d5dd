package engine_test

import (
	"testing"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/store/memory"
)

// A node that does its tasks once when stock has come in serves those that wait for it: they need no timer.
func TestOneRoundServesWhoWaits(t *testing.T) {
	t.Parallel()
	clock := newClock()
	s, err := memory.New(1, true).Open(memory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.Open(background, s, engine.Options{Clock: clock.now, Inline: true})
	if err != nil {
		t.Fatal(err)
	}
	n := &node{Engine: e, tb: t, clock: clock, store: s}
	t.Cleanup(n.close)
	round := func() {
		for _, task := range n.Tasks() {
			task.Do(background)
		}
	}
	n.retailer(1, 1, 0)
	first, second := n.capture(basket("a", "S0")), n.capture(basket("b", "S0"))
	round()
	if _, err := n.Adjust(background, &engine.Adjustments{Items: []engine.Adjustment{{SKU: "S0", Location: "L00", Quantity: 1}}, Reason: "receipt"}, engine.Meta{Actor: "test"}); err != nil {
		t.Fatal(err)
	}
	round()
	if a, b := n.stored(first.ID), n.stored(second.ID); a.Status != order.StatusAllocated || b.Status != order.StatusBackordered {
		t.Errorf("with one unit for two orders the first is %s, the second %s", a.Status, b.Status)
	}
}
