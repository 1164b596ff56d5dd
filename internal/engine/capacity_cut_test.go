package engine_test

import (
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
)

// A cut takes what nobody accepted and is beyond the new capacity, latest promise first; no more than that.
func TestCapacityCutMovesTheLatestPromises(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		capacity network.Capacity
		want     string // where each order is: the first was accepted, the later the order, the later its promise
	}{
		{"one less than was given", network.Capacity{OrdersPerDay: ptr(int64(4))}, "00001"},
		{"two are left", network.Capacity{OrdersPerDay: ptr(int64(2))}, "00111"},
		{"none are left", network.Capacity{OrdersPerDay: ptr(int64(0))}, "01111"},
		{"in another measure", network.Capacity{OrdersPerDay: ptr(int64(9)), UnitsPerDay: ptr(int64(3))}, "00011"},
		{"as many as were given", network.Capacity{OrdersPerDay: ptr(int64(5))}, "00000"},
		{"no limit", network.Capacity{}, "00000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n := inline(t)
			n.retailer(2, 1, 20)
			n.limit(network.Capacity{OrdersPerDay: ptr(int64(9)), UnitsPerDay: ptr(int64(9))})
			var ids []string
			for i := range 5 {
				o, _ := n.at("", false)
				if ids = append(ids, o.ID); i == 0 {
					n.step(o.Fulfillments[0].ID, "accept", order.Step{})
				}
				n.clock.advance(time.Minute)
			}
			n.limit(c.capacity)
			for range 3 { // a second look finds nothing more
				n.FireTimersInOrder(background)
				n.tasks()
				n.clock.advance(time.Minute)
			}
			got := ""
			for _, id := range ids {
				o := n.stored(id)
				f := o.Fulfillments[len(o.Fulfillments)-1]
				got += f.Location[2:]
				if len(o.Fulfillments) > 2 {
					t.Errorf("it was moved more than once: %s", placesOf(o))
				}
			}
			if got != c.want {
				t.Errorf("they are at %s, want %s", got, c.want)
			}
			n.sound()
		})
	}
}

// The commit that cuts the capacity says that there is work: whichever node starts after a crash does it.
func TestCapacityCutSurvivesAStop(t *testing.T) {
	t.Parallel()
	for kind, fresh := range stores {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			again, c := fresh(t), newClock()
			n := quiet(t, again(), c)
			n.retailer(2, 1, 20)
			n.limit(network.Capacity{OrdersPerDay: ptr(int64(9))})
			first, _ := n.at("a", false)
			second, _ := n.at("b", false)
			n.limit(network.Capacity{OrdersPerDay: ptr(int64(1))})
			n.close()

			n = open(t, again(), c)
			for n.relocationState("L00") != "finished" {
				changed := n.Changed()
				c.advance(time.Minute)
				<-changed
			}
			expect(t, "the first", placesOf(n.stored(first.ID)), "L00 open 1:1/0")
			expect(t, "the second", placesOf(n.stored(second.ID)), "L00 cancelled 1:0/0 | L01 open 1:1/0")
			n.sound()
		})
	}
}
