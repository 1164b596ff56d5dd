package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/audit"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/problem"
	"github.com/orderly-oms/orderly/internal/store"
)

// thrifty is a sourcing policy that weighs the carrier's charge and splits.
func thrifty(changeCost, maxMoves int64) string {
	return fmt.Sprintf(`kind: sourcing
name: thrifty
sourcing:
  change_cost: %d
  max_moves: %d
  groups:
    - name: cheapest
      cost:
        - {term: carrier}
        - {term: distance, value: "1"}
        - {term: split, value: "150"}
examples:
  - name: takes what there is
    given:
      lines: [{sku: shirt}]
      locations: [{id: a, carrier: 500, distance_km: 3, stock: {shirt: {available: 1}}}]
    expect: {shipments: {a: {shirt: 1}}, cost: 503}
`, changeCost, maxMoves)
}

// status opens or closes a location.
func (n *node) status(id string, to network.Status) {
	n.tb.Helper()
	l, ok := n.Directory().Location(id)
	if !ok {
		n.tb.Fatalf("no location %s", id)
	}
	changed := *l
	changed.Status = to
	n.put(engine.Document{Kind: engine.KindLocation, ID: id, Value: &changed})
}

func (n *node) stocked(sku, location string, units int64) {
	n.tb.Helper()
	if _, err := n.Adjust(background, &engine.Adjustments{Items: []engine.Adjustment{{SKU: sku, Location: location, Quantity: units}}, Reason: "receipt"}, engine.Meta{Actor: "test"}); err != nil {
		n.tb.Fatal(err)
	}
}

func (n *node) reoptimise(r engine.Reoptimise) *engine.Reoptimised {
	n.tb.Helper()
	out, err := n.Reoptimise(background, &r, engine.Meta{Actor: "test"})
	if err != nil {
		n.tb.Fatal(err)
	}
	return out
}

// stored reads an order as it is in the store.
func (n *node) stored(id string) *order.Order {
	n.tb.Helper()
	records, err := n.store.Load(background, []store.Key{n.OrderKey(id)})
	if err != nil || len(records) != 1 {
		n.tb.Fatalf("order %s: %d records, %v", id, len(records), err)
	}
	en, err := engine.Decode(records[0])
	if err != nil {
		n.tb.Fatal(err)
	}
	return en.Value.(*order.Order)
}

// openAt are the units of an order at each location that nobody accepted.
func openAt(o *order.Order) map[string]int64 {
	out := map[string]int64{}
	for i := range o.Fulfillments {
		f := &o.Fulfillments[i]
		for _, l := range f.Lines {
			if f.Status == order.FulfillmentOpen && l.Quantity > 0 {
				out[f.Location] += l.Quantity
			}
		}
	}
	return out
}

// audited checks everything that orderly verify checks.
func (n *node) audited() {
	n.tb.Helper()
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

// quiet opens a node whose timers only the test fires, so that closing a location alone moves nothing.
func quiet(tb testing.TB, s store.Store, c *clock) *node {
	tb.Helper()
	e, err := engine.Open(background, s, engine.Options{Clock: c.now})
	if err != nil {
		tb.Fatal(err)
	}
	e.RunLanes()
	n := &node{Engine: e, tb: tb, clock: c, store: s}
	tb.Cleanup(n.close)
	return n
}

func eachQuiet(t *testing.T, f func(t *testing.T, n *node)) {
	t.Parallel()
	for kind, fresh := range stores {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			f(t, quiet(t, fresh(t)(), newClock()))
		})
	}
}

func TestOrdersLeaveAClosedLocation(t *testing.T) {
	eachQuiet(t, func(t *testing.T, n *node) {
		n.retailer(4, 2, 0)
		n.stocked("S0", "L02", 9) // nearest
		n.stocked("S0", "L01", 1)
		first, second, begun := n.capture(basket("a", "S0")), n.capture(basket("b", "S0")), n.capture(basket("c", "S0"))
		n.step(begun.Fulfillments[0].ID, "accept", order.Step{})
		n.status("L02", network.Suspended)
		dry := n.reoptimise(engine.Reoptimise{Location: "L02", DryRun: true})
		if o := n.stored(first.ID); o.Version != first.Version {
			t.Fatal("a dry run changed an order")
		}
		out := n.reoptimise(engine.Reoptimise{Location: "L02"})
		want := engine.Reoptimised{Looked: 2, Moved: 2, Forced: 2, Unplaced: 1, Contested: 1}
		dry.Milliseconds, out.Milliseconds = 0, 0
		if *out != want {
			t.Errorf("%+v, want %+v", *out, want)
		}
		if want.DryRun = true; *dry != want {
			t.Errorf("dry run: %+v, want %+v", *dry, want)
		}
		o := n.stored(first.ID) // the older one has the only unit
		if at := openAt(o); len(at) != 1 || at["L01"] != 1 || o.Moves != 1 {
			t.Errorf("the first order is at %v after %d moves", at, o.Moves)
		}
		if f := o.Fulfillments[1]; f.Promise.ShipBy.IsZero() || o.Fulfillments[0].Reason != "decided again" {
			t.Errorf("promise %+v, reason %q", f.Promise, o.Fulfillments[0].Reason)
		}
		if o := n.stored(second.ID); o.Status != order.StatusBackordered || o.RetryAt.IsZero() {
			t.Errorf("the second order is %s, looked at again at %v", o.Status, o.RetryAt)
		}
		if o := n.stored(begun.ID); o.Fulfillments[0].Status != order.FulfillmentAccepted || len(o.Fulfillments) != 1 {
			t.Errorf("work that began was moved: %+v", o.Fulfillments)
		}
		n.equalsStore()
		n.audited()
	})
}

func TestOrdersMoveWhenItIsWorthIt(t *testing.T) {
	eachQuiet(t, func(t *testing.T, n *node) {
		n.retailer(3, 2, 0)
		n.publish(policy.KindSourcing, "thrifty", thrifty(30, 1))
		n.stocked("S0", "L00", 1) // 50 km away, L02 5
		o := n.capture(basket("a", "S0"))
		for _, step := range []struct {
			what     string
			do       func()
			location string
			moved    int64
		}{
			{"nothing better", func() {}, "L00", 0},
			{"22 km nearer are not worth it", func() { n.stocked("S0", "L01", 1) }, "L00", 0},
			{"45 km nearer are", func() { n.stocked("S0", "L02", 1) }, "L02", 1},
			{"once is enough", func() { n.stocked("S0", "L01", 1); n.publish(policy.KindSourcing, "thrifty", thrifty(0, 1)) }, "L02", 0},
		} {
			step.do()
			dry, out := n.reoptimise(engine.Reoptimise{DryRun: true}), n.reoptimise(engine.Reoptimise{Reason: "nearer"})
			if at := openAt(n.stored(o.ID)); at[step.location] != 1 || out.Moved != step.moved || dry.Moved != step.moved || dry.Saved != out.Saved {
				t.Errorf("%s: at %v, %+v, dry run %+v", step.what, at, out, dry)
			}
			if (out.Saved >= 30) != (step.moved > 0) || out.Looked != out.Moved+out.Stayed+out.Failed {
				t.Errorf("%s: %+v", step.what, out)
			}
		}
		n.equalsStore()
		n.audited()
	})
}

func TestContestedStockGoesWhereItIsMissedMost(t *testing.T) {
	eachQuiet(t, func(t *testing.T, n *node) {
		n.retailer(25, 2, 0)
		n.publish(policy.KindSourcing, "thrifty", thrifty(0, 3))
		n.stocked("S0", "L02", 2)
		flexible, tied := basket("a", "S0"), basket("b", "S0", "S1")
		a, b := n.capture(flexible), n.capture(tied)
		n.stocked("S0", "L03", 1) // nearly as good for the one; for the other S1 is elsewhere, so it would be split
		n.stocked("S1", "L02", 1)
		n.stocked("S0", "L24", 1)
		// The order that waits for S1 takes it with its S0; both stay complete.
		out := n.reoptimise(engine.Reoptimise{})
		if at := openAt(n.stored(b.ID)); at["L02"] != 2 || len(at) != 1 {
			t.Fatalf("%v, %+v", at, out)
		}
		// One unit is left nearby when L02 closes: it goes to the order that has to go farthest without it.
		n.stocked("S1", "L03", 1)
		n.status("L02", network.Suspended)
		if out = n.reoptimise(engine.Reoptimise{Location: "L02"}); out.Contested != 1 || out.Moved != 2 || out.Unplaced != 0 {
			t.Fatalf("%+v", out)
		}
		if at := openAt(n.stored(b.ID)); at["L03"] != 2 {
			t.Errorf("the order of two lines was split: %v", at)
		}
		if at := openAt(n.stored(a.ID)); at["L24"] != 1 {
			t.Errorf("the order of one line is at %v", at)
		}
		n.equalsStore()
	})
}

func TestReoptimiseIsBounded(t *testing.T) {
	eachQuiet(t, func(t *testing.T, n *node) {
		n.retailer(4, 1, 100)
		for i := range 5 {
			n.capture(basket(fmt.Sprint(i), "S0"))
		}
		n.status("L02", network.Suspended)
		for _, step := range []struct{ limit, moved int64 }{{0, 0}, {2, 2}, {9, 3}} {
			if out := n.reoptimise(engine.Reoptimise{MaxMoves: &step.limit, DryRun: true}); out.Moved != step.moved {
				t.Errorf("dry run with at most %d moves: %+v", step.limit, out)
			}
			if out := n.reoptimise(engine.Reoptimise{MaxMoves: &step.limit}); out.Moved != step.moved || out.Stayed != out.Looked-step.moved {
				t.Errorf("at most %d moves: %+v", step.limit, out)
			}
		}
		var bad problem.Invalid
		if _, err := n.Reoptimise(background, &engine.Reoptimise{MaxMoves: ptr(int64(engine.MaxReoptimise + 1))}, engine.Meta{}); !errors.As(err, &bad) {
			t.Errorf("more than can be moved: %v", err)
		}
		gone, cancel := context.WithCancel(background)
		cancel()
		if _, err := n.Reoptimise(gone, &engine.Reoptimise{}, engine.Meta{}); !errors.Is(err, context.Canceled) {
			t.Errorf("with a context that ended: %v", err)
		}
	})
}

// emptied waits until nothing that nobody accepted is at a location.
func (n *node) emptied(location string, ids []string) {
	n.tb.Helper()
	for {
		changed := n.Changed()
		left := int64(0)
		for _, id := range ids {
			left += openAt(n.stored(id))[location]
		}
		if left == 0 {
			return
		}
		<-changed
	}
}

// relocationState is what is stored about a location's relocation: its state, and "" when there is none.
func (n *node) relocationState(location string) string {
	records, err := n.store.Load(background, []store.Key{engine.ReferenceKey(engine.KindRelocation, location)})
	if err != nil {
		n.tb.Fatal(err)
	}
	for _, r := range records {
		return r.State
	}
	return ""
}

func TestClosedLocationIsEmptiedByItself(t *testing.T) {
	t.Parallel()
	for kind, fresh := range stores {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			again, c := fresh(t), newClock()
			n := quiet(t, again(), c) // it ends before it has moved anything
			n.retailer(4, 1, 100)
			var ids []string
			for i := range 30 {
				ids = append(ids, n.capture(basket(fmt.Sprint(i), "S0")).ID)
			}
			if n.relocationState("L02") != "" {
				t.Fatal("a relocation without a closed location")
			}
			n.status("L02", network.Suspended)
			n.close()

			n = open(t, again(), c)
			n.emptied("L02", ids)
			if o := n.stored(ids[0]); o.Fulfillments[0].Reason != "the location closed" || o.Status != order.StatusAllocated {
				t.Errorf("%s, %+v", o.Status, o.Fulfillments[0])
			}
			for n.relocationState("L02") != "finished" { // the second look finds nothing
				changed := n.Changed()
				c.advance(time.Minute)
				<-changed
			}
			n.status("L02", network.Active)
			n.status("L02", network.Suspended)
			n.status("L02", network.Active)
			for n.relocationState("L02") != "finished" {
				<-n.Changed()
			}
			n.equalsStore()
			n.audited()
		})
	}
}

// relocationLooks are the nodes that began to empty a location, and those that ended, in order.
func (n *node) relocationLooks(location string) (begun, ended []string) {
	n.tb.Helper()
	rows, err := n.store.Stream(background, engine.ReferenceKey(engine.KindRelocation, location), 0, 100)
	if err != nil {
		n.tb.Fatal(err)
	}
	for _, r := range rows {
		switch {
		case strings.Contains(string(r.Events), engine.EventRelocationRunning):
			begun = append(begun, r.Node)
		case strings.Contains(string(r.Events), engine.EventRelocationPaused), strings.Contains(string(r.Events), engine.EventRelocationFinished):
			ended = append(ended, r.Node)
		}
	}
	return begun, ended
}

// TestOneNodeEmptiesAClosedLocation has two nodes whose timers both see that a location was closed.
func TestOneNodeEmptiesAClosedLocation(t *testing.T) {
	t.Parallel()
	again, c := stores["postgres"](t), newClock()
	one, two := open(t, again(), c), open(t, again(), c)
	one.retailer(4, 1, 100)
	var ids []string
	for i := range 40 {
		ids = append(ids, one.capture(basket(fmt.Sprint(i), "S0")).ID)
	}
	one.status("L02", network.Suspended)
	one.emptied("L02", ids)
	var looks, done []string
	for {
		changed := one.Changed()
		looks, done = one.relocationLooks("L02")
		if len(looks) == len(done) { // else a node is at it, and a minute would take its lease away
			if one.relocationState("L02") == "finished" {
				break
			}
			c.advance(time.Minute)
		}
		<-changed
	}
	if !slices.Equal(looks, done) || len(looks) < 2 {
		t.Errorf("begun by %v, ended by %v", looks, done)
	}
	for _, id := range ids {
		if o := one.stored(id); o.Moves != 1 || openAt(o)["L02"] != 0 {
			t.Errorf("order %s moved %d times and is at %v", id, o.Moves, openAt(o))
		}
	}
	for _, n := range []*node{one, two} {
		n.Follow(background)
		n.equalsStore()
	}
	one.audited()
}

// TestOrdersGoOnWhileALocationIsEmptied captures while the backlog moves: every unit stays accounted for.
func TestOrdersGoOnWhileALocationIsEmptied(t *testing.T) {
	t.Parallel()
	for kind, fresh := range stores {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			n := open(t, fresh(t)(), newClock())
			n.retailer(4, 3, 200)
			var ids []string
			for i := range 100 {
				ids = append(ids, n.capture(basket(fmt.Sprint(i), "S0", "S1")).ID)
			}
			n.status("L02", network.Suspended)
			var wait sync.WaitGroup
			for i := range 4 {
				wait.Go(func() {
					for k := range 25 {
						if _, err := n.Capture(background, basket(fmt.Sprint("later-", i, "-", k), "S1", "S2"), engine.Meta{Actor: "test"}); err != nil {
							t.Error(err)
						}
					}
				})
			}
			wait.Go(func() { n.reoptimise(engine.Reoptimise{}) })
			wait.Wait()
			n.emptied("L02", ids)
			n.equalsStore()
		})
	}
}
