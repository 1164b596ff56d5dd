package engine_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/problem"
	"github.com/orderly-oms/orderly/internal/roi"
)

// farBaseline only knows the location farthest from the customers of basket, in the dearer zone.
const farBaseline = `
kind: sourcing
name: far
sourcing:
  groups:
    - name: far
      filters:
        - {name: far, keep: 'location.id == "L19"', reason: only far away}
      sort: [{by: distance}]
`

func (n *node) pin(p engine.PinBaseline) *engine.Baseline {
	n.tb.Helper()
	r, err := n.PinBaseline(background, &p, engine.Meta{Actor: "ada"})
	if err != nil {
		n.tb.Fatal(err)
	}
	return r.Value.(*engine.Baseline)
}

// lines are the single orders of a month, by pages of two.
func (n *node) lines(month roi.Month) (out []roi.Line) {
	n.tb.Helper()
	q := engine.ROILines{Month: month, Limit: 2}
	for {
		page, next, err := n.ROILines(background, q)
		if err != nil {
			n.tb.Fatal(err)
		}
		if out = append(out, page...); next == "" {
			return out
		}
		q.After = next
	}
}

func TestBaselineIsBookedWithTheDecision(t *testing.T) {
	each(t, func(t *testing.T, n *node) {
		n.retailer(20, 3, 10)
		if before := n.capture(basket("before", "S0")); before.Baseline != nil {
			t.Fatalf("before anything is pinned: %+v", before.Baseline)
		}
		n.pass(time.Minute)
		b := n.pin(engine.PinBaseline{Text: farBaseline, Currency: "EUR", MinuteCost: 60})
		if p := b.Current(); p == nil || p.Sourcing != "far@1" || p.By != "ada" || p.Version != 1 {
			t.Fatalf("pinned %+v", b.Pins)
		}
		o := n.capture(basket("a", "S0", "S1"))
		x := o.Baseline
		if x == nil || x.Would.Cost != 650 || !slices.Equal(x.Would.Locations, []string{"L19"}) || x.Would.Policy != "far@1" || x.Would.Shipments != 1 || x.Units != 2 {
			t.Fatalf("the baseline would have %+v", x)
		}
		if x.Did.Cost != 450 || x.Did.Policy != "nearest@0" || !x.Did.DeliverBy.Equal(o.Promise.DeliverBy) || !x.Would.DeliverBy.After(x.Did.DeliverBy) {
			t.Fatalf("decided %+v", x.Did)
		}
		if l19 := n.position("S0", "L19"); l19.Allocated != 0 || l19.Reserved != 0 {
			t.Fatalf("asking took units: %+v", l19)
		}
		n.equalsStore()
		if rejected := n.step(o.Fulfillments[0].ID, "reject", order.Step{Reason: "gone"}); rejected.Baseline.Did.Cost != 450 || rejected.Attempts != 2 {
			t.Fatalf("decided again: %+v", rejected.Baseline)
		}
		if _, err := n.UnpinBaseline(background, "enough", engine.Meta{Actor: "ada"}); err != nil {
			t.Fatal(err)
		}
		if after := n.capture(basket("after", "S0")); after.Baseline != nil {
			t.Fatalf("after it was unpinned: %+v", after.Baseline)
		}
		if _, err := n.UnpinBaseline(background, "", engine.Meta{Actor: "ada"}); !errors.Is(err, engine.ErrNotFound) {
			t.Fatalf("unpinned twice: %v", err)
		}
	})
}

// The baseline decides when the real decision is made, which a hold puts off; orders that came before it was pinned are left out.
func TestBaselineDecidesWhenTheOrderIsDecided(t *testing.T) {
	n := open(t, stores["sqlite"](t)(), newClock())
	n.retailer(20, 1, 10)
	n.publish(policy.KindHolds, "all", "kind: holds\nname: all\nholds:\n  rules:\n    - {name: all, when: 'order.value > 0', type: fraud, reason: all are looked at, owner: risk, blocks: sourcing}\n")
	release := func(o *order.Order) *order.Order {
		t.Helper()
		r, err := n.ReleaseHolds(background, o.ID, &engine.HoldRelease{}, nil, engine.Meta{Actor: "ada"})
		if err != nil {
			t.Fatal(err)
		}
		return r.Value.(*order.Order)
	}
	early := n.capture(basket("early", "S0"))
	n.pass(time.Minute)
	n.pin(engine.PinBaseline{Text: farBaseline})
	held := n.capture(basket("held", "S0"))
	if held.Baseline != nil || len(held.Fulfillments) != 0 {
		t.Fatalf("held, and placed: %+v, %+v", held.Baseline, held.Fulfillments)
	}
	n.pass(time.Minute)
	if o := release(held); o.Baseline == nil || !o.Baseline.At.Equal(n.clock.now()) || o.Baseline.Would.Cost != 650 {
		t.Errorf("after the hold: %+v", o.Baseline)
	}
	if o := release(early); o.Baseline != nil || len(o.Fulfillments) != 1 {
		t.Errorf("an order from before the pin was compared: %+v", o.Baseline)
	}
}

// Units that nobody has, and units that a reservation holds, are the baseline's to decide on.
func TestBaselineIsFree(t *testing.T) {
	n := open(t, stores["sqlite"](t)(), newClock())
	n.retailer(20, 1, 0)
	n.pin(engine.PinBaseline{Text: farBaseline})
	if o := n.capture(basket("none", "S0")); o.Baseline == nil || o.Baseline.Would.Unplaced != 1 || o.Baseline.Did.Unplaced != 1 || o.Baseline.Would.Shipments != 0 {
		t.Fatalf("nobody has it: %+v", o.Baseline)
	}
	n = open(t, stores["sqlite"](t)(), newClock())
	n.retailer(20, 1, 0)
	n.stocked("S0", "L19", 1)
	n.pin(engine.PinBaseline{Text: farBaseline})
	r, err := n.Reserve(background, &inventory.NewReservation{Channel: "web", Lines: []inventory.NewReservationLine{{SKU: "S0", Quantity: 1}}}, engine.Meta{Actor: "test"})
	if err != nil {
		t.Fatal(err)
	}
	in := basket("claims", "S0")
	in.ReservationID = r.Value.(*inventory.Reservation).ID
	if o := n.capture(in); o.Baseline == nil || o.Baseline.Would.Unplaced != 0 || o.Baseline.Would.Locations[0] != "L19" || o.Baseline.Did.Unplaced != 0 {
		t.Fatalf("what the reservation holds: %+v", o.Baseline)
	}
	n.equalsStore()
}

func TestBaselineSettingsAreChecked(t *testing.T) {
	n := open(t, stores["sqlite"](t)(), newClock())
	for pointer, p := range map[string]engine.PinBaseline{
		"policy":            {Policy: "gone@3"},
		"library":           {Library: "magic"},
		"currency":          {Library: "nearest", MinuteCost: 50},
		"minute_cost":       {Library: "nearest", MinuteCost: -1, Currency: "EUR"},
		"monthly_cost":      {Library: "nearest", MonthlyCost: -1, Currency: "EUR"},
		"touches_per_order": {Library: "nearest", TouchesPerOrder: ptr(-1.0)},
		"minutes_per_touch": {Library: "nearest", MinutesPerTouch: 1e9},
		"promise_policy":    {Library: "nearest", Promise: "gone"},
	} {
		_, err := n.PinBaseline(background, &p, engine.Meta{Actor: "ada"})
		var bad problem.Invalid
		if !errors.As(err, &bad) || !slices.ContainsFunc(bad, func(f problem.Field) bool { return f.Pointer == pointer }) {
			t.Errorf("%+v: %v, want a problem with %s", p, err, pointer)
		}
	}
	if _, _, err := n.Baseline(background); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("something was pinned: %v", err)
	}
	n.pin(engine.PinBaseline{Library: "nearest"})
	if b := n.pin(engine.PinBaseline{Policy: "nearest"}); len(b.Pins) != 2 || b.Current().Sourcing != "nearest@1" {
		t.Errorf("pinned %+v", b.Pins)
	}
}

// The sums are those of the single orders, to the cent, on both stores, however often the node was stopped.
func TestLedgerIsTheSumOfItsOrders(t *testing.T) {
	t.Parallel()
	for name, reopen := range stores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			again := reopen(t)
			n := studious(t, again(), newClock())
			n.retailer(20, 2, 1000)
			n.work(0) // before the pin
			n.pin(engine.PinBaseline{Text: farBaseline, Currency: "EUR", MinuteCost: 60, MonthlyCost: 100})
			for i := 1; i < 13; i++ {
				n.work(i)
				n.oddities(i)
				if i%4 == 1 {
					n.learn()
				}
				if i%4 == 2 {
					n.close()
					n = studious(t, again(), n.clock)
				}
			}
			n.learn()
			b, _, err := n.Baseline(background)
			if err != nil {
				t.Fatal(err)
			}
			month := roi.MonthOf(n.clock.now())
			for _, m := range []roi.Month{"2026-11", month} {
				lines := n.lines(m)
				got, want := fmt.Sprintf("%+v", n.Ledger().Statement(b.Pins, m).Accounts), fmt.Sprintf("%+v", roi.FromLines(lines, b.Pins, m).Accounts)
				if a := n.Ledger().Statement(b.Pins, m).Accounts; len(a) > 0 {
					a2 := roi.FromLines(lines, b.Pins, m).Accounts
					if len(a2) != 1 || a[0].Sums != a2[0].Sums || a[0].Net == nil {
						t.Errorf("%s: the ledger says\n%s\nits orders\n%s", m, got, want)
					}
				} else if len(lines) > 0 {
					t.Errorf("%s: nothing in the ledger, but %d orders", m, len(lines))
				}
			}
			a := n.Ledger().Statement(b.Pins, "2026-11").Accounts
			if n.Ledger().Unreadable != 0 || len(a) != 1 || a[0].Orders < 12 || a[0].Compared == 0 || a[0].Changed == 0 || a[0].Cancelled == 0 || a[0].NotDone == 0 || a[0].Touches == 0 {
				t.Errorf("%d unreadable, %+v", n.Ledger().Unreadable, a)
			}
		})
	}
}

// oddities are what makes orders hard to compare: cancelled whole and in part, touched after they were done.
func (n *node) oddities(i int) {
	n.tb.Helper()
	o := n.capture(basket(fmt.Sprint("odd-", i), "S0", "S1"))
	m := engine.Meta{Actor: "test", Manual: &engine.Manual{Operator: "ada", Action: "cancelOrder", Seconds: 90}}
	c := order.Cancellation{}
	if i%2 == 0 {
		c.Lines = []order.LineQuantity{{Line: o.Lines[0].ID, Quantity: 1}}
	}
	if _, err := n.Cancel(background, o.ID, c, m); err != nil {
		n.tb.Fatal(err)
	}
	if i%2 == 0 {
		f := o.Fulfillments[0].ID
		n.ship(f)
		n.step(f, "deliver", order.Step{})
	}
	if _, err := n.TouchOrder(background, o.ID, &engine.NewTouch{Action: "call", Seconds: 60}, engine.Meta{Actor: "test"}); err != nil {
		n.tb.Fatal(err)
	}
}

// Every node asks the baseline that one of them pinned, and all show the same sums.
func TestNodesShareTheBaseline(t *testing.T) {
	t.Parallel()
	reopen, c := stores["postgres"](t), newClock()
	one, two := studious(t, reopen(), c), studious(t, reopen(), c)
	one.retailer(20, 1, 100)
	one.pin(engine.PinBaseline{Text: farBaseline})
	two.Follow(background)
	if o := two.capture(basket("two", "S0")); o.Baseline == nil || o.Baseline.Would.Policy != "far@1" {
		t.Fatalf("the other node did not ask: %+v", o.Baseline)
	}
	one.Follow(background)
	one.work(1)
	one.learn()
	two.Follow(background)
	two.learn()
	three := studious(t, reopen(), c)
	three.learn()
	for _, n := range []*node{one, two, three} {
		a := n.Ledger().Statement(nil, "2026-11").Accounts
		if len(a) != 1 || a[0].Orders != 2 || a[0].Compared != 1 || n.Ledger().Unreadable != 0 {
			t.Errorf("a node shows %+v", a)
		}
	}
	if _, err := two.UnpinBaseline(background, "", engine.Meta{Actor: "ada"}); err != nil {
		t.Fatal(err)
	}
	one.Follow(background)
	if o := one.capture(basket("off", "S0")); o.Baseline != nil {
		t.Errorf("a node asks on: %+v", o.Baseline)
	}
}
