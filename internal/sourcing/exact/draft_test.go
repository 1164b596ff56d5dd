package exact

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// rising is a tariff that a bound may rely on: more weight never costs less.
type rising struct{ base, perStep, step, most int64 }

func (r rising) Price(grams int64) (int64, bool) {
	return r.base + r.perStep*((grams+r.step-1)/r.step), grams <= r.most
}

// seeded makes a problem of middle size with every kind of limit.
func seeded(t *rapid.T) *Problem {
	random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
	limit := func(n int64) int64 {
		if random.IntN(4) > 0 {
			return NoLimit
		}
		return random.Int64N(n)
	}
	p := &Problem{MaxShipments: int(limit(5)), Split: Split(random.IntN(3))}
	if random.IntN(3) == 0 {
		p.MinShipmentValue, p.MinRemainderValue = random.Int64N(40), random.Int64N(60)
	}
	for range 1 + random.IntN(3) {
		p.Tariffs = append(p.Tariffs, rising{random.Int64N(300), random.Int64N(80), 1 + random.Int64N(500), 500 + random.Int64N(9000)})
	}
	lines := 2 + random.IntN(5)
	for range lines {
		l := Line{Quantity: 1 + random.Int64N(3), Unfilled: random.Int64N(900), Grams: random.Int64N(900), Value: random.Int64N(30)}
		if random.IntN(6) == 0 {
			l.Group = 1 + random.IntN(2)
		}
		p.Lines = append(p.Lines, l)
	}
	for range 1 + random.IntN(12) {
		l := Location{Shipment: random.Int64N(400) - 20, Tariff: random.IntN(len(p.Tariffs)+1) - 1, MaxUnits: limit(8), MaxValue: limit(200)}
		for range lines {
			l.Unit = append(l.Unit, random.Int64N(200)-20)
			l.Available = append(l.Available, max(0, random.Int64N(6)-2))
		}
		p.Locations = append(p.Locations, l)
	}
	return p
}

// Leaving out what a draft excludes changes no plan, and the bound holds with
// every price known as with samples.
func TestDraftsExcludeNothingThatIsNeeded(t *testing.T) {
	t.Parallel()
	var s Solver
	rapid.Check(t, func(t *rapid.T) {
		f := &s.frame
		f.build(seeded(t))
		s.search.space.build(f)
		want, _, ok := s.whole(false)
		if !ok {
			t.Fatal("a small problem is not searched whole")
		}
		s.dual.build(f, &s.search.space)
		s.draft.build(f, &s.dual)
		if s.dual.bound > want.Cost || s.draft.cost < want.Cost {
			t.Fatalf("bound %d, least cost %d, draft %d", s.dual.bound, want.Cost, s.draft.cost)
		}
		if got, _, ok := s.whole(true); !ok || !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
		s.dual.build(f, nil)
		s.draft.build(f, &s.dual)
		if r := s.draft.result(); s.dual.bound > want.Cost || r.Cost < want.Cost {
			t.Fatalf("sampled: bound %d, least cost %d, draft %d", s.dual.bound, want.Cost, r.Cost)
		}
	})
}

// A problem whose search is not finished in the work allowed still has a bound.
func TestUnfinishedSearchesHaveABound(t *testing.T) {
	t.Parallel()
	var s Solver
	rapid.Check(t, func(t *rapid.T) {
		f := &s.frame
		f.build(seeded(t))
		sp := &s.search.space
		sp.build(f)
		want, _, _ := s.whole(false)
		d := &s.search
		d.work, d.most = 0, rapid.Int64Range(0, 3000).Draw(t, "work")
		if plan, low, ok := d.run(); low > want.Cost || (ok && plan.cost != want.Cost) {
			t.Fatalf("bound %d, cost %d of finished %v, least cost %d", low, plan.cost, ok, want.Cost)
		}
	})
}
