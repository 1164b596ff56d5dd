package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/catalog"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/problem"
	"github.com/orderly-oms/orderly/internal/store"
)

var background = context.Background()

// each runs a test on a node over a fresh store of each kind.
func each(t *testing.T, f func(t *testing.T, n *node)) {
	for name, fresh := range stores {
		t.Run(name, func(t *testing.T) { f(t, open(t, fresh(t)(), newClock())) })
	}
}

func (n *node) capture(o *order.New) *order.Order {
	n.tb.Helper()
	r, err := n.Capture(background, o, engine.Meta{Actor: "test"})
	if err != nil {
		n.tb.Fatal(err)
	}
	return r.Value.(*order.Order)
}

func (n *node) step(fulfillment, command string, s order.Step) *order.Order {
	n.tb.Helper()
	s.Command = command
	r, err := n.Step(background, fulfillment, s, engine.Meta{Actor: "test"})
	if err != nil {
		n.tb.Fatalf("%s: %v", command, err)
	}
	return r.Value.(*order.Order)
}

func (n *node) position(sku, location string) inventory.Position {
	p, _ := n.Book().Get(inventory.PositionKey{SKU: sku, Location: location})
	return p
}

func refusal(t *testing.T, err error, code string) {
	t.Helper()
	var r *order.Refusal
	if !errors.As(err, &r) || r.Code != code {
		t.Fatalf("got %v, want a refusal %s", err, code)
	}
}

// equalsStore checks that memory holds what the store holds.
func (n *node) equalsStore() {
	n.tb.Helper()
	stored := map[inventory.PositionKey]inventory.Position{}
	if _, err := n.store.Scan(background, nil, func(p inventory.Position) error {
		stored[p.Key()] = p
		return nil
	}, nil); err != nil {
		n.tb.Fatal(err)
	}
	seen := 0
	n.Book().EachAll(func(p inventory.Position) bool {
		s := stored[p.Key()]
		if p.OnHand != s.OnHand || p.Reserved != s.Reserved || p.Allocated != s.Allocated || p.Picked != s.Picked || p.Safety != s.Safety {
			n.tb.Errorf("book %+v, store %+v", p, s)
		}
		seen++
		return true
	})
	if seen < len(stored) {
		n.tb.Errorf("book has %d positions, store %d", seen, len(stored))
	}
}

func TestOrderGoesToTheNearestAndThroughItsLife(t *testing.T) {
	each(t, func(t *testing.T, n *node) {
		n.retailer(5, 3, 10)
		o := n.capture(basket("a", "S0", "S1"))
		if len(o.Fulfillments) != 1 || o.Fulfillments[0].Location != "L02" || o.Status != order.StatusAllocated {
			t.Fatalf("placed at %+v (Hamburg is nearest to L02), status %s", o.Fulfillments, o.Status)
		}
		if o.Promise.DeliverBy.IsZero() || o.Fulfillments[0].Cost != 450 {
			t.Fatalf("promise %+v, cost %d", o.Promise, o.Fulfillments[0].Cost)
		}
		f := o.Fulfillments[0].ID
		for _, c := range []string{"accept", "pick", "pack", "ship", "deliver"} {
			o = n.step(f, c, order.Step{Parcels: nil})
		}
		if o.Status != order.StatusDelivered || o.Version != 6 {
			t.Fatalf("status %s at version %d", o.Status, o.Version)
		}
		if p := n.position("S0", "L02"); p.OnHand != 9 || p.Allocated != 0 || p.Picked != 0 {
			t.Fatalf("position %+v", p)
		}
		n.equalsStore()
		timeline, err := n.Timeline(background, n.OrderKey(o.ID), 0, 100)
		if err != nil || len(timeline) != 8+6 { // and a step of the flows in each command
			t.Fatalf("%d events, %v", len(timeline), err)
		}
	})
}

func TestSameOrderAgainIsAnsweredTheSame(t *testing.T) {
	each(t, func(t *testing.T, n *node) {
		n.retailer(2, 2, 10)
		first := n.capture(basket("a", "S0"))
		want, err := json.Marshal(first)
		if err != nil {
			t.Fatal(err)
		}
		n.step(first.Fulfillments[0].ID, "accept", order.Step{})
		for range 2 {
			r, err := n.Capture(background, basket("a", "S0"), engine.Meta{})
			if err != nil || !r.Repeated {
				t.Fatalf("%+v, %v", r, err)
			}
			if got, _ := json.Marshal(r.Value); string(got) != string(want) {
				t.Fatalf("second answer\n%s\nfirst\n%s", got, want)
			}
		}
		_, err = n.Capture(background, basket("a", "S0", "S1"), engine.Meta{})
		refusal(t, err, engine.CodeExternalIDReused)
		if p := n.position("S0", "L01"); p.Allocated+n.position("S0", "L00").Allocated != 1 {
			t.Fatalf("allocated twice: %+v", p)
		}
	})
}

func TestIdempotencyKey(t *testing.T) {
	each(t, func(t *testing.T, n *node) {
		n.retailer(1, 1, 10)
		adjust := func(q int64, hash string) (*engine.Reply, error) {
			return n.Adjust(background, &engine.Adjustments{Items: []engine.Adjustment{{SKU: "S0", Location: "L00", Quantity: q}}},
				engine.Meta{Key: &engine.IdempotencyKey{Key: "k", Hash: []byte(hash)}})
		}
		first, err := adjust(5, "five")
		if err != nil {
			t.Fatal(err)
		}
		again, err := adjust(5, "five")
		if err != nil || !again.Repeated || string(again.Body) != string(first.Body) {
			t.Fatalf("%+v, %v; first %s", again, err, first.Body)
		}
		if _, err := adjust(6, "six"); !errors.Is(err, engine.ErrKeyReused) {
			t.Fatalf("other request under the same key: %v", err)
		}
		if p := n.position("S0", "L00"); p.OnHand != 15 {
			t.Fatalf("on hand %d, want 15", p.OnHand)
		}
	})
}

// What a command did makes its repetition impossible: the repetition is to be recognised
// all the same, by its idempotency key or the channel's own id.
func TestRepetitionThatTheStateRefuses(t *testing.T) {
	each(t, func(t *testing.T, n *node) {
		n.retailer(1, 1, 1)
		key := engine.Meta{Key: &engine.IdempotencyKey{Key: "k", Hash: []byte("cancel")}}
		buy := func(external string) (*engine.Reply, error) {
			b := basket(external, "S0")
			b.Shortage = "reject"
			return n.Capture(background, b, engine.Meta{})
		}
		first, err := buy("a")
		if err != nil {
			t.Fatal(err)
		}
		id := first.Value.(*order.Order).ID
		again, err := buy("a")
		if err != nil || !again.Repeated || again.Value.(*order.Order).ID != id {
			t.Fatalf("same order again, with nothing left: %+v, %v", again, err)
		}
		if _, err := buy("b"); err == nil {
			t.Fatal("sold a unit that does not exist")
		}
		done, err := n.Cancel(background, id, order.Cancellation{}, key)
		if err != nil {
			t.Fatal(err)
		}
		repeat, err := n.Cancel(background, id, order.Cancellation{}, key)
		if err != nil || !repeat.Repeated || string(repeat.Body) != string(done.Body) {
			t.Fatalf("same cancellation again: %+v, %v", repeat, err)
		}
	})
}

func TestNeverSellsAUnitTwice(t *testing.T) {
	each(t, func(t *testing.T, n *node) {
		n.retailer(3, 1, 10)
		var wait sync.WaitGroup
		var mu sync.Mutex
		sold := 0
		for i := range 200 {
			wait.Go(func() {
				o := basket(fmt.Sprint("b", i), "S0")
				o.Shortage = "reject"
				_, err := n.Capture(background, o, engine.Meta{})
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					sold++
					return
				}
				var r *order.Refusal
				if !errors.As(err, &r) || r.Code != engine.CodeOutOfStock {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		if sold != 30 {
			t.Fatalf("sold %d of 30", sold)
		}
		n.equalsStore()
	})
}

func TestReservationLife(t *testing.T) {
	each(t, func(t *testing.T, n *node) {
		n.retailer(1, 2, 5)
		reserve := func(q int64) (*inventory.Reservation, error) {
			r, err := n.Reserve(background, &inventory.NewReservation{Channel: "web", Lines: []inventory.NewReservationLine{{SKU: "S0", Quantity: q}}}, engine.Meta{})
			if err != nil {
				return nil, err
			}
			return r.Value.(*inventory.Reservation), nil
		}
		r, err := reserve(4)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := reserve(2); err == nil {
			t.Fatal("reserved more than there is")
		} else {
			refusal(t, err, engine.CodeOutOfStock)
		}
		// The order takes three of the four; the fourth is free again.
		o := basket("a", "S0")
		o.Lines[0].Quantity = 3
		o.ReservationID = r.ID
		got := n.capture(o)
		if p := n.position("S0", "L00"); p.Allocated != 3 || p.Reserved != 0 {
			t.Fatalf("position %+v after the claim by %s", p, got.ID)
		}
		_, err = n.ReleaseReservation(background, r.ID, engine.Meta{})
		refusal(t, err, engine.CodeReservationEnded)

		// Another one expires by itself.
		r, err = reserve(2)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := n.ExtendReservation(background, r.ID, time.Hour, engine.Meta{}); err != nil {
			t.Fatal(err)
		}
		n.clock.advance(30 * time.Minute)
		n.FireTimers(background)
		if p := n.position("S0", "L00"); p.Reserved != 2 {
			t.Fatalf("expired early: %+v", p)
		}
		n.clock.advance(31 * time.Minute)
		n.FireTimers(background)
		if p := n.position("S0", "L00"); p.Reserved != 0 || p.Available() != 2 {
			t.Fatalf("not expired: %+v", p)
		}
		n.equalsStore()
	})
}

func TestShortPickIsPlacedElsewhere(t *testing.T) {
	each(t, func(t *testing.T, n *node) {
		n.retailer(5, 1, 2)
		o := basket("a", "S0")
		o.Lines[0].Quantity = 2
		c := n.capture(o)
		first := c.Fulfillments[0]
		c = n.step(first.ID, "pick", order.Step{Lines: []order.LineQuantity{{Line: "1", Quantity: 1, Short: 1}}, Reason: "not_found"})
		if len(c.Fulfillments) != 2 || c.Fulfillments[1].Location == first.Location || c.Status != order.StatusAllocated {
			t.Fatalf("%+v", c.Fulfillments)
		}
		if p := n.position("S0", first.Location); p.OnHand != 1 || p.Allocated != 1 || p.Picked != 1 {
			t.Fatalf("the missing unit is still counted: %+v", p)
		}
		n.equalsStore()
	})
}

func TestBackorderFindsNewStock(t *testing.T) {
	each(t, func(t *testing.T, n *node) {
		n.retailer(2, 1, 1)
		o := basket("a", "S0")
		o.Lines[0].Quantity = 3
		c := n.capture(o)
		if c.Status != order.StatusBackordered || c.Lines[0].Backordered != 1 || c.RetryAt.IsZero() {
			t.Fatalf("%s %+v, retry at %v", c.Status, c.Lines[0], c.RetryAt)
		}
		if _, err := n.Adjust(background, &engine.Adjustments{Items: []engine.Adjustment{{SKU: "S0", Location: "L01", Quantity: 5}}}, engine.Meta{}); err != nil {
			t.Fatal(err)
		}
		n.clock.advance(c.RetryAt.Sub(n.clock.now()))
		n.FireTimers(background)
		rec, err := n.store.Load(background, []store.Key{n.OrderKey(c.ID)})
		if err != nil || len(rec) != 1 {
			t.Fatal(err)
		}
		if rec[0].State != string(order.StatusAllocated) || !rec[0].Wake.After(n.clock.now()) {
			t.Fatalf("state %s, wake %v", rec[0].State, rec[0].Wake)
		}
		n.equalsStore()
	})
}

func TestKitIsTakenByItsParts(t *testing.T) {
	each(t, func(t *testing.T, n *node) {
		n.retailer(1, 2, 5)
		o := basket("a", "K", "S1")
		o.Lines[0].Quantity = 2
		c := n.capture(o) // two kits take 2 S0 and 4 S1; the line takes the fifth S1
		if c.Status != order.StatusAllocated {
			t.Fatalf("%s: %+v", c.Status, c.Lines)
		}
		if a, b := n.position("S0", "L00"), n.position("S1", "L00"); a.Allocated != 2 || b.Allocated != 5 {
			t.Fatalf("%+v %+v", a, b)
		}
		again := basket("b", "K")
		again.Shortage = "reject"
		_, err := n.Capture(background, again, engine.Meta{})
		refusal(t, err, engine.CodeOutOfStock)
		n.equalsStore()
	})
}

func TestCancelGivesStockBack(t *testing.T) {
	each(t, func(t *testing.T, n *node) {
		n.retailer(1, 1, 5)
		o := basket("a", "S0")
		o.Lines[0].Quantity = 4
		c := n.capture(o)
		if _, err := n.Cancel(background, c.ID, order.Cancellation{Lines: []order.LineQuantity{{Line: "1", Quantity: 1}}}, engine.Meta{}); err != nil {
			t.Fatal(err)
		}
		if p := n.position("S0", "L00"); p.Allocated != 3 {
			t.Fatalf("%+v", p)
		}
		n.step(c.Fulfillments[0].ID, "pick", order.Step{})
		_, err := n.Cancel(background, c.ID, order.Cancellation{}, engine.Meta{})
		refusal(t, err, order.CodeNotCancellable)
		if _, err := n.Cancel(background, c.ID, order.Cancellation{}, engine.Meta{IfVersion: 1}); !errors.Is(err, engine.ErrVersion) {
			t.Fatalf("stale version: %v", err)
		}
		n.equalsStore()
	})
}

func TestCounts(t *testing.T) {
	each(t, func(t *testing.T, n *node) {
		n.retailer(2, 20, 10)
		n.clock.advance(time.Hour)
		counted := n.clock.now()
		n.clock.advance(time.Hour)
		// A unit is shipped after the count was taken and must not come back.
		c := n.capture(basket("a", "S0"))
		for _, s := range []string{"pick", "ship"} {
			n.step(c.Fulfillments[0].ID, s, order.Step{})
		}
		location := c.Fulfillments[0].Location
		count := func(asOf time.Time, complete, confirm bool, items ...engine.CountedItem) (*engine.CountResult, error) {
			r, err := n.Count(background, &engine.Count{AsOf: asOf, Items: items, Complete: complete, Confirm: confirm}, engine.Meta{})
			if err != nil {
				return nil, err
			}
			return r.Value.(*engine.CountResult), nil
		}
		item := func(q int64) engine.CountedItem {
			return engine.CountedItem{SKU: "S0", Location: location, OnHand: q}
		}
		if r, err := count(counted, false, false, item(12)); err != nil || r.Applied != 1 {
			t.Fatalf("%+v, %v", r, err)
		}
		if p := n.position("S0", location); p.OnHand != 11 {
			t.Fatalf("on hand %d, want 12 counted − 1 shipped since", p.OnHand)
		}
		if r, err := count(counted.Add(-time.Minute), false, false, item(99)); err != nil || len(r.Stale) != 1 || r.Applied != 0 {
			t.Fatalf("stale count: %+v, %v", r, err)
		}
		_, err := count(n.clock.now(), true, false, item(11))
		refusal(t, err, engine.CodeWouldZeroStock)
		if p := n.position("S5", location); p.OnHand != 10 {
			t.Fatalf("a stopped count changed %+v", p)
		}
		if r, err := count(n.clock.now(), true, true, item(11)); err != nil || r.Emptied != 19 {
			t.Fatalf("%+v, %v", r, err)
		}
		// A count below what is promised keeps the promise on the books.
		o := basket("b", "S3")
		c = n.capture(o)
		location = c.Fulfillments[0].Location
		n.clock.advance(time.Minute)
		if _, err := n.Count(background, &engine.Count{AsOf: n.clock.now(), Items: []engine.CountedItem{{SKU: "S3", Location: location, OnHand: 0}}}, engine.Meta{}); err != nil {
			t.Fatal(err)
		}
		if p := n.position("S3", location); p.Allocated != 1 || p.OnHand != 0 || p.Available() != -1 {
			t.Fatalf("%+v", p)
		}
		// The location ships it all the same: the count was wrong, and the order goes on.
		n.step(c.Fulfillments[0].ID, "ship", order.Step{})
		if p := n.position("S3", location); p.Allocated != 0 || p.OnHand != 0 || p.Available() != 0 {
			t.Fatalf("%+v", p)
		}
		n.equalsStore()
	})
}

func TestAdjustmentsAreAllOrNothing(t *testing.T) {
	each(t, func(t *testing.T, n *node) {
		n.retailer(1, 2, 5)
		_, err := n.Adjust(background, &engine.Adjustments{Items: []engine.Adjustment{
			{SKU: "S0", Location: "L00", Quantity: 1}, {SKU: "S1", Location: "L00", Quantity: -6},
		}}, engine.Meta{})
		refusal(t, err, engine.CodeNegativeStock)
		var bad problem.Invalid
		_, err = n.Adjust(background, &engine.Adjustments{Items: []engine.Adjustment{{SKU: "nope", Location: "L00", Quantity: 1}, {SKU: "K", Location: "L00", Quantity: 1}}}, engine.Meta{})
		if !errors.As(err, &bad) || len(bad) != 2 {
			t.Fatalf("%v", err)
		}
		if p := n.position("S0", "L00"); p.OnHand != 5 {
			t.Fatalf("%+v", p)
		}
		n.equalsStore()
	})
}

func TestReopenedNodeKnowsEverything(t *testing.T) {
	for name, fresh := range stores {
		t.Run(name, func(t *testing.T) {
			again := fresh(t)
			c := newClock()
			n := open(t, again(), c)
			n.retailer(2, 2, 5)
			if _, err := n.SetSafety(background, []engine.SafetyItem{{SKU: "S0", Location: "L00", Quantity: 2}}, engine.Meta{}); err != nil {
				t.Fatal(err)
			}
			n.put(engine.Document{Kind: engine.KindSupply, ID: "po-1", Value: &inventory.Supply{
				ID: "po-1", SKU: "S0", Location: "L00", Quantity: 7, ExpectedAt: c.now().Add(24 * time.Hour), Kind: inventory.PurchaseOrder,
			}})
			o := n.capture(basket("a", "S0"))
			n.close()

			n = open(t, again(), c)
			n.equalsStore()
			if p := n.position("S0", "L00"); p.Safety != 2 {
				t.Fatalf("%+v", p)
			}
			if got := n.Book().AvailableBy("S0", "L00", c.now().Add(48*time.Hour)); got < 9 {
				t.Fatalf("available by the day after tomorrow: %d", got)
			}
			if _, ok := n.Catalog().Get("K"); !ok || len(n.Directory().Locations()) != 2 {
				t.Fatal("reference data lost")
			}
			if r, err := n.Capture(background, basket("a", "S0"), engine.Meta{}); err != nil || r.Value.(*order.Order).ID != o.ID {
				t.Fatalf("%+v, %v", r, err)
			}
		})
	}
}

func TestUnknownReferencesAreNamed(t *testing.T) {
	each(t, func(t *testing.T, n *node) {
		n.retailer(1, 1, 1)
		o := basket("a", "S0", "nope")
		_, err := n.Capture(background, o, engine.Meta{})
		var bad problem.Invalid
		if !errors.As(err, &bad) || bad[0].Pointer != "lines[1].sku" {
			t.Fatalf("%v", err)
		}
		d := engine.Document{Kind: engine.KindSKU, ID: "K2", Value: &catalog.SKU{SKU: "K2", Components: []catalog.Component{{SKU: "K", Quantity: 1}}}}
		if err := n.Check(d); err == nil {
			t.Fatal("a kit of kits was accepted")
		}
		if err := n.Check(engine.Document{Kind: engine.KindChannel, Value: &network.Channel{ID: "x", Networks: []string{"nope"}}}); err == nil {
			t.Fatal("a channel with an unknown network was accepted")
		}
	})
}
