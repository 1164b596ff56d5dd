package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/policy"
)

const byPrice = `kind: sourcing
name: main
sourcing:
  prices: learned
  groups:
    - name: all
      cost: [{term: carrier}, {term: opportunity}]
`

// halfway is a customer whom the scarce north and the plentiful south reach at the same charge.
func halfway(external string) *order.New {
	n := basket(external, "S0")
	n.ShipTo = &network.Address{Country: "DE", PostalCode: "38100", City: "Braunschweig", Latitude: ptr(51.9), Longitude: ptr(10.0)}
	return n
}

// Units in the north are worth more there than to customers whom others reach as cheaply, so
// those are served from elsewhere once the price is learned; and a restart knows it still.
func TestPricesKeepScarceUnitsForThoseWhoNeedThem(t *testing.T) {
	t.Parallel()
	c := newClock()
	reopen := stores["sqlite"](t)
	n := studious(t, reopen(), c)
	n.retailer(20, 1, 0)
	stock := func(location string, quantity int64) {
		t.Helper()
		if _, err := n.Adjust(background, &engine.Adjustments{Items: []engine.Adjustment{{SKU: "S0", Location: location, Quantity: quantity}}, Reason: "receipt"}, engine.Meta{Actor: "test"}); err != nil {
			t.Fatal(err)
		}
	}
	stock("L00", 940) // enough for the month of the north, not for both
	stock("L19", 100_000)
	n.publish(policy.KindSourcing, "main", byPrice)
	for i := range 20 {
		n.capture(basket(fmt.Sprint("north-", i), "S0"))
		if got := n.capture(halfway(fmt.Sprint("half-", i))).Fulfillments[0].Location; got != "L00" {
			t.Fatalf("before anything is learned the tie goes to the lowest id, not %s", got)
		}
		c.advance(time.Hour)
	}
	n.learn()
	if p := n.Prices(); p.Unit("S0", "L00") <= 0 || p.Unit("S0", "L19") != 0 {
		t.Fatalf("a unit is worth %d in the north and %d in the south", p.Unit("S0", "L00"), p.Unit("S0", "L19"))
	}
	check := func(n *node, name string) {
		t.Helper()
		if got := n.capture(halfway(name + "-half")).Fulfillments[0].Location; got != "L19" {
			t.Errorf("%s: an order that the south serves as cheaply went to %s", name, got)
		}
		if got := n.capture(basket(name+"-north", "S0")).Fulfillments[0].Location; got != "L00" {
			t.Errorf("%s: an order of the north went to %s", name, got)
		}
	}
	check(n, "learned")
	want := n.Prices()
	n.close()
	again := studious(t, reopen(), c)
	if got := again.Prices(); got == nil || got.Version != want.Version || got.Unit("S0", "L00") != want.Unit("S0", "L00") {
		t.Fatalf("after a restart %+v, want %+v", got, want)
	}
	check(again, "restarted")
	again.learn()
	if got := again.Prices(); got.Version != want.Version+1 || got.Unit("S0", "L00") <= 0 {
		t.Fatalf("learned on after a restart: %+v", got)
	}
}

// The curve prices what sells, without knowing who will ask for it.
func TestPriceCurve(t *testing.T) {
	t.Parallel()
	n := studious(t, stores["sqlite"](t)(), newClock())
	n.retailer(2, 1, 40)
	for i := range 30 {
		n.work(3*i + 1) // shipped and delivered, from the nearest
	}
	n.learn()
	n.publish(policy.KindSourcing, "main", "kind: sourcing\nname: main\nsourcing:\n  prices: curve\n  groups:\n    - name: all\n      cost: [{term: carrier}, {term: opportunity}]\n")
	near := n.stored(n.capture(basket("after", "S0")).ID)
	if got := near.Fulfillments[0].Location; got != "L00" && got != "L01" {
		t.Fatalf("at %s", got)
	}
	sold, other := n.position("S0", "L00"), n.position("S0", "L01")
	if sold.OnHand > other.OnHand {
		sold, other = other, sold
	}
	if got := near.Fulfillments[0].Location; got != other.Location {
		t.Errorf("with %d and %d left at the same charge, the order is at %s", sold.OnHand, other.OnHand, got)
	}
}
