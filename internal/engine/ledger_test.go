package engine_test

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/promise"
)

// tallies are open, kept and broken promises of all channels and locations.
func (n *node) tallies() (open, kept, broken int64) {
	for _, t := range n.PromiseLedger(background).Items {
		open, kept, broken = open+t.Open, kept+t.Kept, broken+t.Broken
	}
	return open, kept, broken
}

func (n *node) expectTallies(what string, open, kept, broken int64) {
	n.tb.Helper()
	if o, k, b := n.tallies(); o != open || k != kept || b != broken {
		n.tb.Errorf("%s: %d open, %d kept, %d broken; want %d, %d, %d", what, o, k, b, open, kept, broken)
	}
}

func TestLedgerFollowsPromises(t *testing.T) {
	t.Parallel()
	n := promising(t)
	n.ReadOpenPromises(background)
	o := n.capture(basket("a", "S2", "S3")) // from two stores
	late := n.capture(basket("b", "S2"))
	gone := n.capture(basket("c", "S3"))
	store := basket("d", "S0")
	store.Method, store.PickupLocation, store.ShipTo = order.Pickup, "L02", nil
	pickup := n.capture(store)
	n.expectTallies("taken", 5, 0, 0)
	for i := range o.Fulfillments {
		n.step(o.Fulfillments[i].ID, "ship", order.Step{})
		n.step(o.Fulfillments[i].ID, "deliver", order.Step{})
	}
	n.expectTallies("delivered", 3, 2, 0)
	n.step(pickup.Fulfillments[0].ID, "ready", order.Step{})
	n.expectTallies("ready", 2, 3, 0)
	n.step(pickup.Fulfillments[0].ID, "handover", order.Step{})
	if _, err := n.Cancel(background, gone.ID, order.Cancellation{Reason: "customer"}, engine.Meta{}); err != nil {
		t.Fatal(err)
	}
	n.expectTallies("cancelled", 1, 3, 0)

	if r := n.PromisesAtRisk(background, 0, "", 10); r.Count != 0 || !r.Loaded {
		t.Errorf("at risk at once: %+v", r)
	}
	n.clock.at.Store(late.Promise.DeliverBy.Add(-2 * time.Hour).UnixNano())
	r := n.PromisesAtRisk(background, 0, "", 10)
	if r.Count != 1 || len(r.Items) != 1 || r.Items[0].Order != late.ID || r.Items[0].Stage != promise.StageOpen || r.Items[0].Probability >= 0.5 || r.Items[0].Value != 1999+380 {
		t.Errorf("two hours before the end, and not begun: %+v", r)
	}
	if r := n.PromisesAtRisk(background, 0, "shop", 10); r.Count != 0 {
		t.Errorf("another channel: %+v", r)
	}
	if r := n.PromisesAtRisk(background, 0, "web", 0); r.Count != 1 || len(r.Items) != 0 {
		t.Errorf("none shown, all counted: %+v", r)
	}
	n.clock.advance(4 * time.Hour)
	n.step(late.Fulfillments[0].ID, "ship", order.Step{})
	n.step(late.Fulfillments[0].ID, "deliver", order.Step{})
	n.expectTallies("late", 0, 3, 1)
	if r := n.PromisesAtRisk(background, 0, "", 10); r.Count != 0 {
		t.Errorf("nothing is open: %+v", r)
	}
}

func TestLedgerKeepsToThePoliciesThreshold(t *testing.T) {
	t.Parallel()
	n := promising(t)
	n.capture(basket("a", "S0"))
	at := func(threshold float64) int { return n.PromisesAtRisk(background, threshold, "", 10).Count }
	before := at(0)
	n.publish(policy.KindPromise, "main", "kind: promise\nname: main\npromise: {at_risk: 0.99}\n")
	if before != 0 || at(0) != 1 || at(0.001) != 0 {
		t.Errorf("at risk: %d by the default, %d by 0.99, %d by 0.001; want 0, 1, 0", before, at(0), at(0.001))
	}
}

// A node that starts, and one that follows another, come to the same ledger as the one that did the work.
func TestLedgersOfNodesAgree(t *testing.T) {
	t.Parallel()
	reopen := stores["postgres"](t)
	c := newClock()
	one := open(t, reopen(), c)
	one.retailer(6, 2, 100)
	two := open(t, reopen(), c)
	one.ReadOpenPromises(background)
	two.ReadOpenPromises(background)
	agree := func(what string, open, kept int64) {
		t.Helper()
		for _, n := range []*node{one, two} {
			n.Follow(background)
			n.expectTallies(what, open, kept, 0)
		}
	}
	var orders []*order.Order
	for i := range 30 {
		orders = append(orders, []*node{one, two}[i%2].capture(basket(fmt.Sprint("o-", i), "S0", "S1")))
	}
	agree("taken", 30, 0)
	for i, o := range orders { // each by the node that did not take it
		on := []*node{two, one}[i%2]
		if i%3 == 0 {
			on.step(o.Fulfillments[0].ID, "ship", order.Step{})
		}
		if i%6 == 0 {
			on.step(o.Fulfillments[0].ID, "deliver", order.Step{})
		}
	}
	agree("delivered", 25, 5)
	c.advance(30 * time.Hour)
	wantRisks := one.PromisesAtRisk(background, 0, "", 100)
	if got := two.PromisesAtRisk(background, 0, "", 100); wantRisks.Count == 0 || !reflect.DeepEqual(got, wantRisks) {
		t.Errorf("%d at risk on the one node and %d on the other", wantRisks.Count, got.Count)
	}
	three := open(t, reopen(), c)
	three.ReadOpenPromises(background)
	if got := three.PromisesAtRisk(background, 0, "", 100); !reflect.DeepEqual(got, wantRisks) {
		t.Errorf("%d at risk on a node that started later, %d on the others", got.Count, wantRisks.Count)
	}
}
