package engine_test

import (
	"fmt"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/policy"
)

// backlog is a random retailer's.
type backlog struct {
	n      *node
	ids    []string
	closed map[string]bool
}

func newBacklog(t *rapid.T, n *node) *backlog {
	b := &backlog{n: n, closed: map[string]bool{}}
	n.retailer(4, 3, 0)
	n.publish(policy.KindSourcing, "thrifty", thrifty(rapid.Int64Range(0, 40).Draw(t, "change cost"), rapid.Int64Range(0, 3).Draw(t, "max moves")))
	b.restock(t)
	if rapid.Bool().Draw(t, "limited") {
		l, _ := n.Directory().Location("L01")
		limited := *l
		limited.Capacity = network.Capacity{OrdersPerDay: ptr(rapid.Int64Range(0, 4).Draw(t, "orders per day")), UnitsPerHour: ptr(rapid.Int64Range(0, 8).Draw(t, "units per hour"))}
		n.put(engine.Document{Kind: engine.KindLocation, ID: "L01", Value: &limited})
	}
	for i := range rapid.IntRange(1, 12).Draw(t, "orders") {
		o := basket(fmt.Sprint(i), rapid.SliceOfN(rapid.SampledFrom([]string{"S0", "S1", "S2", "K"}), 1, 3).Draw(t, "skus")...)
		o.Lines[0].Quantity = rapid.Int64Range(1, 3).Draw(t, "quantity")
		o.ShipTo.Latitude = ptr(rapid.Float64Range(53, 54.2).Draw(t, "latitude"))
		got := n.capture(o)
		b.ids = append(b.ids, got.ID)
		for _, f := range got.Fulfillments {
			if rapid.IntRange(0, 3).Draw(t, "begun") == 0 {
				n.step(f.ID, "accept", order.Step{})
			}
		}
	}
	return b
}

func (b *backlog) restock(t *rapid.T) {
	for s := range 3 {
		for l := range 4 {
			if q := rapid.Int64Range(-2, 6).Draw(t, "stock"); q > 0 {
				b.n.stocked(fmt.Sprint("S", s), fmt.Sprintf("L%02d", l), q)
			}
		}
	}
}

func (b *backlog) orders() []*order.Order {
	var out []*order.Order
	for _, id := range b.ids {
		out = append(out, b.n.stored(id))
	}
	return out
}

// begun are the fulfillments of which work has begun.
func begun(o *order.Order) map[string]order.FulfillmentStatus {
	out := map[string]order.FulfillmentStatus{}
	for _, f := range o.Fulfillments {
		if !f.AcceptedAt.IsZero() {
			out[f.ID] = f.Status
		}
	}
	return out
}

func unplacedUnits(o *order.Order) (n int64) {
	for _, q := range o.Unplaced() {
		n += q.Quantity
	}
	return n
}

// compare checks one order before and after it was decided again.
func (b *backlog) compare(t *rapid.T, was, is *order.Order) {
	for id, status := range begun(was) {
		if is.Fulfillment(id).Status != status {
			t.Fatalf("%s was %s, is %s", id, status, is.Fulfillment(id).Status)
		}
	}
	compiled, _, _ := b.n.Policies().Choose(policy.KindSourcing, &policy.Facts{Now: b.n.clock.now()})
	forced := false
	for l := range openAt(was) {
		forced = forced || b.closed[l]
	}
	if is.Version == was.Version {
		return
	}
	if is.Moves == was.Moves {
		t.Fatalf("order %s changed without a move", is.ID)
	}
	if !forced && int64(is.Moves) > compiled.Sourcing.MaxMoves {
		t.Fatalf("order %s was moved %d times of %d", is.ID, is.Moves, compiled.Sourcing.MaxMoves)
	}
	if !forced && unplacedUnits(is) > unplacedUnits(was) {
		t.Fatalf("order %s chose to wait", is.ID)
	}
	for l := range openAt(is) {
		if b.closed[l] {
			t.Fatalf("order %s is open at %s, which is closed", is.ID, l)
		}
	}
	before, ok := b.cost(was)
	if after, _ := b.cost(is); ok && !forced && unplacedUnits(is) == unplacedUnits(was) && after > before-float64(compiled.Sourcing.ChangeCost)+1 {
		t.Fatalf("order %s cost %.1f, was moved and costs %.1f: the change has to save %d", is.ID, before, after, compiled.Sourcing.ChangeCost)
	}
	for i := range is.Fulfillments[len(was.Fulfillments):] {
		if f := &is.Fulfillments[len(was.Fulfillments)+i]; f.Promise.ShipBy.IsZero() {
			t.Fatalf("%s without a promise", f.ID)
		}
	}
}

// cost is what the open fulfillments of an order count by the thrifty policy: charge, kilometres, and 150 for
// each but the first. ok is false for orders with kits, whose lines are decided one by one.
func (b *backlog) cost(o *order.Order) (cost float64, ok bool) {
	parcels := 0
	for i := range o.Fulfillments {
		f := &o.Fulfillments[i]
		if f.Status != order.FulfillmentOpen {
			continue
		}
		l, _ := b.n.Directory().Location(f.Location)
		km, _ := network.Distance(&l.Address, o.ShipTo)
		cost += float64(f.Cost) + km
		parcels++
	}
	for i := range o.Lines {
		if len(o.Lines[i].Parts) > 0 {
			return 0, false
		}
	}
	return cost + 150*float64(max(parcels-1, 0)), true
}

// noStockLeft checks that units which lost their location found none because there was none: L01 may be full.
func (b *backlog) noStockLeft(t *rapid.T, o *order.Order) {
	for _, q := range o.Unplaced() {
		for _, l := range []string{"L00", "L02", "L03"} {
			sku := o.Line(q.Line).SKU
			if p := b.n.position(sku, l); sku != "K" && !b.closed[l] && p.Available() > 0 {
				t.Fatalf("order %s waits for %s, of which %s has %d", o.ID, sku, l, p.Available())
			}
		}
	}
}

// TestReoptimisedBacklogIsNoWorse decides random backlogs again, with and without closed
// locations; mostly on SQLite, which is quicker to make.
func TestReoptimisedBacklogIsNoWorse(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		kind := rapid.SampledFrom([]string{"sqlite", "sqlite", "sqlite", "postgres"}).Draw(rt, "store")
		n := quiet(t, stores[kind](t)(), newClock())
		defer n.close()
		b := newBacklog(rt, n)
		b.restock(rt)
		for l := range 4 {
			if id := fmt.Sprintf("L%02d", l); rapid.IntRange(0, 4).Draw(rt, "closed") == 0 {
				b.closed[id] = true
				n.status(id, network.Suspended)
			}
		}
		for range 2 {
			b.again(rt, rapid.Int64Range(0, 15).Draw(rt, "limit"))
		}
		n.reoptimise(engine.Reoptimise{})
		for _, o := range b.orders() {
			for l := range openAt(o) {
				if b.closed[l] {
					rt.Fatalf("order %s is still open at %s", o.ID, l)
				}
			}
		}
		n.equalsStore()
		n.audited()
	})
}

// again decides the backlog once more and checks every order and the sums.
func (b *backlog) again(t *rapid.T, limit int64) {
	was := b.orders()
	out := b.n.reoptimise(engine.Reoptimise{MaxMoves: &limit})
	if out.Moved > limit || out.Failed > 0 || out.Looked != out.Moved+out.Stayed || out.Saved < 0 {
		t.Fatalf("at most %d moves: %+v", limit, out)
	}
	var moved int64
	for i, is := range b.orders() {
		b.compare(t, was[i], is)
		if is.Version == was[i].Version {
			continue
		}
		moved++
		if out.Moved == out.Forced && unplacedUnits(is) > unplacedUnits(was[i]) {
			b.noStockLeft(t, is)
		}
	}
	if moved != out.Moved {
		t.Fatalf("%d orders moved, said %+v", moved, out)
	}
}

// BenchmarkReoptimise measures how long 10,000 open orders of 2.5 lines at 25 locations take to be decided
// again when the location that has them all closes.
func BenchmarkReoptimise(b *testing.B) {
	const orders = 10_000
	for kind, fresh := range stores {
		for _, stock := range []int64{1_000_000, 40} { // plenty; contested
			b.Run(fmt.Sprintf("%s/stock=%d", kind, stock), func(b *testing.B) {
				n := quiet(b, fresh(b)(), newClock())
				n.retailer(25, 200, stock)
				for i := range 200 {
					n.stocked(fmt.Sprint("S", i), "L02", 1_000)
				}
				var wait sync.WaitGroup
				for w := range 64 {
					wait.Go(func() {
						for i := w; i < orders; i += 64 {
							o := basket(fmt.Sprint("x-", i), fmt.Sprint("S", i%200), fmt.Sprint("S", (i/200*7+i)%200))
							if i%2 == 0 {
								o.Lines = append(o.Lines, basket("", fmt.Sprint("S", (i/200*13+i+1)%200)).Lines...)
							}
							if _, err := n.Capture(background, o, engine.Meta{Actor: "bench"}); err != nil {
								b.Error(err)
							}
						}
					})
				}
				wait.Wait()
				open, moved := "L02", int64(0)
				b.ResetTimer()
				for b.Loop() {
					b.StopTimer()
					n.status(open, network.Suspended)
					b.StartTimer()
					out := n.reoptimise(engine.Reoptimise{Location: open})
					b.StopTimer()
					if out.Moved != out.Looked || out.Failed > 0 || moved == 0 && out.Moved != orders {
						b.Fatalf("%+v", out)
					}
					moved += out.Moved
					n.status(open, network.Active)
					open = map[string]string{"L02": "L03", "L03": "L02"}[open]
					b.StartTimer()
				}
				b.ReportMetric(float64(moved)/b.Elapsed().Seconds(), "orders/s")
			})
		}
	}
}
