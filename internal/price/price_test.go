package price

import (
	"encoding/json"
	"math"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// plane is a small world of costs: a zone and a location are near when they have the same name.
type plane struct{}

func (plane) Shipment(_, location string) (int64, bool) {
	if location == Nowhere {
		return 0, true
	}
	return 400, true
}

func (plane) Unit(zone, location, _ string) int64 {
	switch location {
	case Nowhere:
		return 3000
	case zone:
		return 50
	}
	return 250
}

// dayOf is a learner that saw n orders for each zone and SKU, one an hour.
func dayOf(t rapid.TB, n int, skus []string, zones ...string) *Learner {
	l, err := NewLearner(Options{Seed: 1}, noon)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		for _, z := range zones {
			for _, s := range skus {
				l.Observe(z, []Line{{s, 1}}, noon.Add(time.Duration(i+1)*time.Hour))
			}
		}
	}
	return l
}

func solve(t rapid.TB, l *Learner, m Market) *Prices {
	p, err := l.Solve(m, noon.Add(100*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestScarceStockHasAPriceAndPlentifulStockHasNone(t *testing.T) {
	t.Parallel()
	l := dayOf(t, 100, []string{"shirt"}, "north", "south")
	p := solve(t, l, Market{Costs: plane{}, Horizon: 100 * time.Hour, Stock: []Stock{
		{SKU: "shirt", Location: "north", Quantity: 50}, {SKU: "shirt", Location: "south", Quantity: 1000},
	}})
	// South serves the north at 200 more a unit: that is what a unit in the north saves.
	if got := p.Unit("shirt", "north"); got < 180 || got > 220 {
		t.Errorf("the scarce unit is priced %d, want about 200", got)
	}
	if got := p.Unit("shirt", "south"); got != 0 {
		t.Errorf("the plentiful unit is priced %d, want 0", got)
	}
	if of := p.Of("shirt"); len(of) != 1 || of[0].Stock != 50 || math.Abs(of[0].Demand-100) > 1 || of[0].Horizon != 100*time.Hour {
		t.Errorf("listed as %+v", of)
	}
}

func TestSupplyEndsTheHorizonEarlier(t *testing.T) {
	t.Parallel()
	l := dayOf(t, 100, []string{"shirt"}, "north", "south")
	p := solve(t, l, Market{Costs: plane{}, Horizon: 100 * time.Hour, Stock: []Stock{
		{SKU: "shirt", Location: "north", Quantity: 50, Horizon: 10 * time.Hour}, {SKU: "shirt", Location: "south", Quantity: 1000},
	}})
	if got := p.Unit("shirt", "north"); got != 0 {
		t.Errorf("50 units for 10 orders until the receipt are priced %d, want 0", got)
	}
}

func TestPricesFallWithStock(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		orders := rapid.IntRange(20, 100).Draw(t, "orders")
		less := rapid.Int64Range(1, 80).Draw(t, "less")
		more := less + rapid.Int64Range(30, 100).Draw(t, "more")
		price := func(units int64) int64 {
			l := dayOf(t, orders, []string{"shirt", "socks"}, "north", "south")
			p := solve(t, l, Market{Costs: plane{}, Horizon: 100 * time.Hour, Stock: []Stock{
				{SKU: "shirt", Location: "north", Quantity: units}, {SKU: "shirt", Location: "south", Quantity: 40},
				{SKU: "socks", Location: "south", Quantity: 40},
			}})
			for _, at := range p.Positions {
				if at.Unit <= 0 || at.Unit > 3000 {
					t.Fatalf("%s at %s is priced %d, outside 1 to the penalty", at.SKU, at.Location, at.Unit)
				}
			}
			return p.Unit("shirt", "north")
		}
		// Drawn futures and an ascent that ends leave some play between near equals.
		if a, b := price(less), price(more); b > a+60 {
			t.Fatalf("%d units are priced %d, %d units %d", less, a, more, b)
		}
	})
}

func TestOrderOfObservationsAndStockDoesNotMatter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		type order struct{ zone, sku string }
		zone, sku := rapid.SampledFrom([]string{"north", "south"}), rapid.SampledFrom([]string{"a", "b", "c"})
		var orders []order
		for range rapid.IntRange(1, 100).Draw(t, "orders") {
			orders = append(orders, order{zone.Draw(t, "zone"), sku.Draw(t, "sku")})
		}
		stock := []Stock{{SKU: "a", Location: "north", Quantity: 9}, {SKU: "a", Location: "south", Quantity: 4}, {SKU: "b", Location: "north", Quantity: 7}, {SKU: "c", Location: "south", Quantity: 1}}
		price := func(orders []order, stock []Stock) []Position {
			l, err := NewLearner(Options{Seed: 7}, noon)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range orders {
				l.Observe(o.zone, []Line{{o.sku, 1}, {"c", 1}}, noon.Add(time.Hour))
			}
			return solve(t, l, Market{Costs: plane{}, Horizon: 50 * time.Hour, Stock: stock}).Positions
		}
		want := price(orders, stock)
		got := price(rapid.Permutation(orders).Draw(t, "shuffled"), rapid.Permutation(stock).Draw(t, "stock"))
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("prices %v, in another order %v", want, got)
		}
	})
}

func TestBoundIsNotAboveAnyPlan(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var classes []Class
		places := []string{"north", "south"}
		left := map[position]int64{}
		var stock []Stock
		for _, s := range []string{"a", "b"} {
			for _, at := range places {
				n := rapid.Int64Range(0, 6).Draw(t, "units")
				left[position{s, at}] = n
				stock = append(stock, Stock{SKU: s, Location: at, Quantity: n})
			}
		}
		cost := 0.0
		for range rapid.IntRange(1, 12).Draw(t, "orders") {
			zone := rapid.SampledFrom(places).Draw(t, "zone")
			lines := rapid.SampledFrom([][]Line{{{"a", 1}}, {{"b", 1}}, {{"a", 1}, {"b", 1}}}).Draw(t, "lines")
			classes = append(classes, Class{Zone: zone, Lines: lines, Expected: 1})
			used := map[string]bool{}
			for _, line := range lines { // any feasible plan: a location drawn at will, if it has the unit
				at := rapid.SampledFrom(places).Draw(t, "from")
				if left[position{line.SKU, at}] == 0 {
					at = Nowhere
				}
				left[position{line.SKU, at}]--
				cost += float64(plane{}.Unit(zone, at, line.SKU))
				if !used[at] {
					used[at] = true
					fixed, _ := plane{}.Shipment(zone, at)
					cost += float64(fixed)
				}
			}
		}
		bound, err := Bound(Market{Stock: stock, Costs: plane{}, Horizon: time.Hour}, classes, 200)
		if err != nil {
			t.Fatal(err)
		}
		if bound > cost+1e-6 {
			t.Fatalf("bound %g is above a plan that costs %g", bound, cost)
		}
	})
}

func TestAssignerAgreesWithTryingEverything(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.IntRange(1, 4).Draw(t, "lines")
		offers := make([]Offer[int64], rapid.IntRange(1, 4).Draw(t, "offers"))
		for i := range offers {
			offers[i].Fixed = rapid.Int64Range(0, 20).Draw(t, "fixed")
			offers[i].Has = uint16(rapid.IntRange(0, 1<<lines-1).Draw(t, "has"))
			for l := range lines {
				offers[i].Unit[l] = rapid.Int64Range(0, 20).Draw(t, "unit")
			}
		}
		total := func(by []int) (int64, bool) {
			cost, used := int64(0), map[int]bool{}
			for l, i := range by {
				if offers[i].Has>>l&1 == 0 {
					return 0, false
				}
				cost += offers[i].Unit[l]
				if !used[i] {
					used[i] = true
					cost += offers[i].Fixed
				}
			}
			return cost, true
		}
		best := int64(-1)
		for code, by := 0, make([]int, lines); code < int(math.Pow(float64(len(offers)), float64(lines))); code++ {
			for l, c := 0, code; l < lines; l, c = l+1, c/len(offers) {
				by[l] = c % len(offers)
			}
			if cost, ok := total(by); ok && (best < 0 || cost < best) {
				best = cost
			}
		}
		var a Assigner[int64]
		cost, ok := a.Cheapest(offers, lines)
		if ok != (best >= 0) || ok && cost != best {
			t.Fatalf("cheapest %d %t, want %d", cost, ok, best)
		}
		if again, _ := total(a.ByLine[:lines]); ok && again != cost {
			t.Fatalf("the plan costs %d, not %d", again, cost)
		}
	})
}

func TestMemoryStaysBounded(t *testing.T) {
	t.Parallel()
	l, err := NewLearner(Options{MaxClasses: 20, MaxPositions: 1, Scenarios: 1, HalfLife: 24 * time.Hour}, noon)
	if err != nil {
		t.Fatal(err)
	}
	var stock []Stock
	for i := range 500 {
		sku := string(rune('A'+i%40)) + string(rune('A'+i%7))
		l.Observe("north", []Line{{sku, 1}}, noon.Add(time.Duration(i)*time.Minute))
		l.Observe("north", []Line{{"usual", 2}}, noon.Add(time.Duration(i)*time.Minute))
		if l.Classes() > 20 {
			t.Fatalf("%d classes are remembered", l.Classes())
		}
	}
	for _, s := range []string{"usual", "AA", "BB"} {
		stock = append(stock, Stock{SKU: s, Location: "north", Quantity: 2})
	}
	p := solve(t, l, Market{Stock: stock, Costs: plane{}, Horizon: 1000 * time.Hour})
	if len(p.Positions) != 1 || p.Positions[0].SKU != "usual" {
		t.Errorf("priced %+v, want only the most wanted", p.Positions)
	}
}

func TestShiftIsNoticedAndStillDemandIsNot(t *testing.T) {
	t.Parallel()
	random := random{state: 3}
	l, err := NewLearner(Options{}, noon)
	if err != nil {
		t.Fatal(err)
	}
	order := func(i int, skus string) {
		n := int(random.float() * float64(len(skus)))
		l.Observe("north", []Line{{skus[n : n+1], 1}}, noon.Add(time.Duration(i)*time.Minute))
	}
	for i := range 5000 {
		order(i, "abcdefghij")
	}
	if !l.Since().Equal(noon) {
		t.Fatalf("a shift at %s, where there was none", l.Since())
	}
	for i := range 300 {
		order(5000+i, "hijklmnopq")
	}
	if late := l.Since().Sub(noon.Add(5000 * time.Minute)); late < -20*time.Minute || late > 60*time.Minute {
		t.Fatalf("the shift is dated %s from when it was", late)
	}
}

func TestPricesSurviveJSON(t *testing.T) {
	t.Parallel()
	l := dayOf(t, 50, []string{"shirt"}, "north")
	p := solve(t, l, Market{Costs: plane{}, Horizon: 100 * time.Hour, Stock: []Stock{{SKU: "shirt", Location: "north", Quantity: 5}}})
	data, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var q Prices
	if err := json.Unmarshal(data, &q); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(p, &q) || q.Unit("shirt", "north") == 0 {
		t.Errorf("wrote %+v, read %+v", p, q)
	}
	if err := json.Unmarshal([]byte(`{"positions":[{"sku":"a","location":"b","unit":-1}]}`), &q); err == nil {
		t.Error("a negative price was read")
	}
}

func TestCurveRisesToTheTop(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := Curve{Top: rapid.Int64Range(0, 1e6).Draw(t, "top"), Bend: rapid.Float64Range(0, MaxBend).Draw(t, "bend")}
		full := rapid.Int64Range(1, 1000).Draw(t, "full")
		left := rapid.Int64Range(0, full).Draw(t, "left")
		if c.Validate() != nil || c.Unit(full, full) != 0 || c.Unit(0, full) != c.Top || c.Unit(left, full) < 0 || c.Unit(max(0, left-1), full) < c.Unit(left, full) {
			t.Fatalf("%+v is no curve at %d of %d", c, left, full)
		}
	})
	if (Curve{Bend: math.NaN()}).Validate() == nil || (Curve{Top: -1}).Validate() == nil {
		t.Error("a curve that is none was taken")
	}
}

func TestBlendMovesFromTheCurveToWhatIsLearned(t *testing.T) {
	t.Parallel()
	var none *Prices
	if got := none.Blend("a", "b", 70); got != 70 {
		t.Errorf("knowing nothing, the price is %d, want the curve's 70", got)
	}
	p := &Prices{Orders: curveOrders, Positions: []Position{{SKU: "a", Location: "b", Unit: 100}}}
	p.index()
	if got := p.Blend("a", "b", 50); got != 75 {
		t.Errorf("half known, the price is %d, want 75", got)
	}
}

func TestOptionsOutsideTheirLimitsAreRefused(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{{MaxClasses: MaxClasses + 1}, {MaxPositions: -1}, {Scenarios: MaxScenarios + 1}, {Rounds: MaxRounds + 1}, {HalfLife: -1}} {
		if _, err := NewLearner(o, noon); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
	if _, err := Bound(Market{}, nil, MinBoundRounds-1); err == nil {
		t.Error("too few rounds were taken")
	}
}
