package inventory

import (
	"cmp"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

var accounts = []Account{Free, Reserved, Allocated, Picked, Supplier, Shipped, Adjustment}

var genMovement = rapid.Custom(func(t *rapid.T) Movement {
	from := rapid.SampledFrom(accounts).Draw(t, "from")
	to := rapid.SampledFrom(accounts).Filter(func(a Account) bool { return a != from }).Draw(t, "to")
	if rapid.Bool().Draw(t, "take") {
		from, to = Free, rapid.SampledFrom([]Account{Reserved, Allocated}).Draw(t, "promise")
	}
	return Movement{
		SKU: genSKU.Draw(t, "sku"), Location: rapid.SampledFrom([]string{"x", "y"}).Draw(t, "location"),
		From: from, To: to, Quantity: rapid.Int64Range(1, 9).Draw(t, "quantity"),
	}
})

// covered plays the movements of one position one at a time on the availability
// given and reports whether every take found its units.
func covered(available int64, key PositionKey, movements []Movement) bool {
	p := Position{OnHand: available}
	for _, m := range movements {
		if (PositionKey{m.SKU, m.Location}) != key {
			continue
		}
		if m.IsTake() && p.Available() < m.Quantity {
			return false
		}
		p = p.Add(m.Delta())
	}
	return true
}

func TestNetNeedIsTheLeastThatCoversEveryTake(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		movements := rapid.SliceOf(genMovement).Draw(t, "movements")
		want := map[PositionKey]Delta{}
		for _, m := range movements {
			key := PositionKey{m.SKU, m.Location}
			want[key] = want[key].Plus(m.Delta())
		}
		changes := Net(movements)
		if !slices.IsSortedFunc(changes, func(a, b Change) int {
			return cmp.Or(cmp.Compare(a.SKU, b.SKU), cmp.Compare(a.Location, b.Location))
		}) {
			t.Fatalf("changes are not in order: %v", changes)
		}
		got := map[PositionKey]Delta{}
		for _, c := range changes {
			got[c.PositionKey] = c.Delta
			if !covered(c.Need, c.PositionKey, movements) {
				t.Fatalf("%v needs more than %d", c.PositionKey, c.Need)
			}
			if c.Need < 0 || c.Need > 0 && covered(c.Need-1, c.PositionKey, movements) {
				t.Fatalf("%v needs less than %d", c.PositionKey, c.Need)
			}
		}
		if len(changes) != len(want) || !maps.Equal(got, want) {
			t.Fatalf("changes %v, want %v", changes, want)
		}
	})
}

func TestNettingForgetsOnReset(t *testing.T) {
	t.Parallel()
	take := Movement{SKU: "a", Location: "x", From: Free, To: Reserved, Quantity: 2}
	var n Netting
	n.Add(take)
	first := n.Changes()
	n.Reset()
	if left := n.Changes(); len(left) != 0 {
		t.Errorf("%v left after Reset", left)
	}
	take.Quantity = 3
	n.Add(take)
	if second := n.Changes(); first[0].Need != 2 || len(second) != 1 || second[0].Need != 3 {
		t.Errorf("needs %v then %v, want 2 then 3", first, second)
	}
}

// The journal is conserved: each movement sums to zero over all accounts, and
// folding the journal gives the book's counters, one at a time or netted.
func TestCountersAreTheFoldOfTheJournal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		movements := rapid.SliceOf(genMovement).Draw(t, "movements")
		single, netted := NewBook(), NewBook()
		balances := map[PositionKey]map[Account]int64{}
		for _, m := range movements {
			key := PositionKey{m.SKU, m.Location}
			single.Apply(key, m.Delta())
			if balances[key] == nil {
				balances[key] = map[Account]int64{}
			}
			balances[key][m.From] -= m.Quantity
			balances[key][m.To] += m.Quantity
		}
		for _, c := range Net(movements) {
			netted.Apply(c.PositionKey, c.Delta)
		}
		for key, accounts := range balances {
			var sum int64
			for _, units := range accounts {
				sum += units
			}
			want := Position{
				SKU: key.SKU, Location: key.Location,
				OnHand:   accounts[Free] + accounts[Reserved] + accounts[Allocated] + accounts[Picked],
				Reserved: accounts[Reserved], Allocated: accounts[Allocated] + accounts[Picked], Picked: accounts[Picked],
			}
			got, _ := single.Get(key)
			gotNetted, _ := netted.Get(key)
			if sum != 0 || got != want || gotNetted != want || got.Available() != accounts[Free] {
				t.Fatalf("%v: accounts sum to %d; %+v and %+v, want %+v", key, sum, got, gotNetted, want)
			}
		}
		if single.Len() != len(balances) || netted.Len() != len(balances) {
			t.Fatalf("%d and %d positions, want %d", single.Len(), netted.Len(), len(balances))
		}
	})
}

func TestCoverKeepsOnHandFromGoingBelowZero(t *testing.T) {
	k := PositionKey{"a", "l"}
	pick := Movement{SKU: "a", Location: "l", From: Allocated, To: Picked, Quantity: 2}
	ship := Movement{SKU: "a", Location: "l", From: Picked, To: Shipped, Quantity: 2}
	for onHand, corrected := range map[int64]int64{0: 2, 1: 1, 2: 0, 5: 0} {
		moves := Cover([]Movement{pick, ship}, func(got PositionKey) int64 {
			if got != k {
				t.Fatalf("asked for %v", got)
			}
			return onHand
		})
		var sum int64
		left := onHand
		for _, m := range moves {
			if left += m.Delta().OnHand; left < 0 {
				t.Fatalf("%d on hand: %v leaves %d", onHand, m, left)
			}
			if m.Reason == ReasonCorrected {
				sum += m.Quantity
			}
		}
		if sum != corrected {
			t.Errorf("%d on hand: corrected %d, want %d", onHand, sum, corrected)
		}
	}
}

// What a guard asks of the stored position takes into account that safety stock was changed before, and not after, a take.
func TestNettingWithSafetyStock(t *testing.T) {
	k := PositionKey{"A", "dc"}
	take := Movement{SKU: "A", Location: "dc", From: Free, To: Reserved, Quantity: 5}
	for _, c := range []struct{ before, after, need int64 }{{0, 0, 5}, {2, 0, 3}, {0, 2, 5}, {-2, 0, 7}, {0, -2, 5}, {9, 0, 0}} {
		var n Netting
		n.Lower(k, c.before)
		n.Add(take)
		n.Lower(k, c.after)
		if got := n.Changes(); len(got) != 1 || got[0].Need != c.need {
			t.Errorf("lowered by %d, taken, lowered by %d: %+v, want need %d", c.before, c.after, got, c.need)
		}
	}
}
