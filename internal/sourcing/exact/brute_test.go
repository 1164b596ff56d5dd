package exact_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/orderly-oms/orderly/internal/sourcing/exact"
)

// steps is a tariff by weight that need be neither fair nor rising: each started 100 g
// has a price of its own; beyond the last the carrier does not go.
type steps []int64

func (s steps) Price(grams int64) (int64, bool) {
	at := (grams + 99) / 100
	if at >= int64(len(s)) {
		return 0, false
	}
	return s[at], true
}

// key is what plans are compared by.
type key struct {
	cost, shipments, units, lines int64
	locations                     string
}

func (a key) compare(b key) int {
	return cmp.Or(cmp.Compare(a.cost, b.cost), cmp.Compare(a.shipments, b.shipments), cmp.Compare(a.units, b.units),
		cmp.Compare(a.lines, b.lines), cmp.Compare(a.locations, b.locations))
}

// judge checks a plan against the problem, as plainly as the contract says it.
func judge(p *exact.Problem, ship [][]int64) (key, error) {
	var k key
	left := make([]int64, len(p.Lines))
	for i := range left {
		left[i] = p.Lines[i].Quantity
	}
	for s, q := range ship {
		l := &p.Locations[s]
		units, value, grams, cost := int64(0), int64(0), int64(0), l.Shipment
		for i, n := range q {
			if n > l.Available[i] {
				return k, fmt.Errorf("location %d has only %d of line %d", s, l.Available[i], i)
			}
			left[i] -= n
			units += n
			value += n * p.Lines[i].Value
			grams += n * p.Lines[i].Grams
			cost += n * l.Unit[i]
		}
		if units == 0 {
			continue
		}
		if l.Tariff >= 0 {
			price, ok := p.Tariffs[l.Tariff].Price(grams)
			if !ok {
				return k, fmt.Errorf("location %d: the carrier does not take %d g", s, grams)
			}
			cost += price
		}
		if (l.MaxUnits >= 0 && units > l.MaxUnits) || (l.MaxValue >= 0 && value > l.MaxValue) || value < p.MinShipmentValue {
			return k, fmt.Errorf("location %d: %d units worth %d", s, units, value)
		}
		k.shipments++
		k.cost += cost
		k.locations += fmt.Sprintf("%05d ", s)
	}
	if p.MaxShipments >= 0 && k.shipments > int64(p.MaxShipments) {
		return k, fmt.Errorf("%d shipments", k.shipments)
	}
	value := int64(0)
	for i, n := range left {
		l := &p.Lines[i]
		if n < 0 {
			return k, fmt.Errorf("line %d ships %d too many", i, -n)
		}
		k.cost += n * l.Unfilled
		k.units += n
		value += n * l.Value
		if n > 0 {
			k.lines++
		}
	}
	if k.units > 0 && k.shipments > 0 && value < p.MinRemainderValue {
		return k, fmt.Errorf("what is left over is worth %d", value)
	}
	return k, keptTogether(p, ship, left)
}

// keptTogether checks the split rule and the groups.
func keptTogether(p *exact.Problem, ship [][]int64, left []int64) error {
	group := map[int]int{} // location + 1, or 0 for unfilled
	for i, l := range p.Lines {
		whole := p.Split == exact.SplitNever || l.Group > 0
		if p.Split == exact.SplitWhenNeeded {
			for s := range p.Locations {
				whole = whole || p.Locations[s].Available[i] >= l.Quantity
			}
		}
		if !whole {
			continue
		}
		from := 0
		for s := range ship {
			switch ship[s][i] {
			case 0:
			case l.Quantity:
				from = s + 1
			default:
				return fmt.Errorf("line %d is split", i)
			}
		}
		if from == 0 && left[i] != l.Quantity {
			return fmt.Errorf("line %d is split", i)
		}
		if l.Group == 0 {
			continue
		}
		if other, ok := group[l.Group]; ok && other != from {
			return fmt.Errorf("group %d is apart", l.Group)
		}
		group[l.Group] = from
	}
	return nil
}

// brute tries every plan.
func brute(p *exact.Problem) key {
	ship := make([][]int64, len(p.Locations))
	for s := range ship {
		ship[s] = make([]int64, len(p.Lines))
	}
	best, err := judge(p, ship)
	if err != nil {
		panic(err) // shipping nothing is always allowed
	}
	left := make([]int64, len(p.Lines))
	for i := range left {
		left[i] = p.Lines[i].Quantity
	}
	var place func(s, i int)
	place = func(s, i int) {
		if i == len(p.Lines) {
			s, i = s+1, 0
		}
		if s == len(p.Locations) {
			if k, err := judge(p, ship); err == nil && k.compare(best) < 0 {
				best = k
			}
			return
		}
		whole := p.Split == exact.SplitNever || p.Lines[i].Group > 0
		for n := int64(0); n <= min(left[i], p.Locations[s].Available[i]); n++ {
			if whole && n != 0 && n != p.Lines[i].Quantity {
				continue
			}
			ship[s][i] = n
			left[i] -= n
			place(s, i+1)
			left[i] += n
		}
		ship[s][i] = 0
	}
	place(0, 0)
	return best
}

// drawn makes a small problem of any kind. Small numbers make ties and conflicts common.
func drawn(t *rapid.T) *exact.Problem {
	lines := rapid.IntRange(1, 4).Draw(t, "lines")
	locations := rapid.IntRange(1, 4).Draw(t, "locations")
	p := &exact.Problem{
		Split:        exact.Split(rapid.IntRange(0, 2).Draw(t, "split")),
		MaxShipments: rapid.SampledFrom([]int{exact.NoLimit, exact.NoLimit, 0, 1, 2, 3}).Draw(t, "max shipments"),
	}
	if rapid.Bool().Draw(t, "least values") {
		p.MinShipmentValue = rapid.Int64Range(0, 8).Draw(t, "shipment value")
		p.MinRemainderValue = rapid.Int64Range(0, 8).Draw(t, "remainder value")
	}
	for range rapid.IntRange(0, 2).Draw(t, "tariffs") {
		p.Tariffs = append(p.Tariffs, steps(rapid.SliceOfN(rapid.Int64Range(-5, 30), 2, 12).Draw(t, "tariff")))
	}
	most := int64(3)
	if lines*locations > 9 {
		most = 2
	}
	for range lines {
		p.Lines = append(p.Lines, exact.Line{
			Quantity: rapid.Int64Range(1, most).Draw(t, "quantity"), Unfilled: rapid.Int64Range(-3, 30).Draw(t, "unfilled"),
			Grams: rapid.Int64Range(0, 250).Draw(t, "grams"), Value: rapid.Int64Range(0, 5).Draw(t, "value"),
			Group: rapid.SampledFrom([]int{0, 0, 0, 1, 2}).Draw(t, "group"),
		})
	}
	limit := rapid.SampledFrom([]int64{exact.NoLimit, exact.NoLimit, exact.NoLimit, 0, 1, 2, 4})
	for range locations {
		l := exact.Location{
			Shipment: rapid.Int64Range(-3, 20).Draw(t, "shipment"), Tariff: rapid.IntRange(-1, len(p.Tariffs)-1).Draw(t, "tariff"),
			MaxUnits: limit.Draw(t, "max units"), MaxValue: limit.Draw(t, "max value"),
		}
		for range lines {
			l.Unit = append(l.Unit, rapid.Int64Range(-4, 9).Draw(t, "unit"))
			l.Available = append(l.Available, rapid.Int64Range(0, most).Draw(t, "available"))
		}
		p.Locations = append(p.Locations, l)
	}
	return p
}

// shipped writes the result as one row for each location.
func shipped(p *exact.Problem, r *exact.Result) [][]int64 {
	ship := make([][]int64, len(p.Locations))
	for s := range ship {
		ship[s] = make([]int64, len(p.Lines))
	}
	for _, share := range r.Shares {
		copy(ship[share.Location], share.Quantity)
	}
	return ship
}

// consistent checks that the result says of itself what its plan amounts to.
func consistent(t rapid.TB, p *exact.Problem, r *exact.Result) key {
	t.Helper()
	got, err := judge(p, shipped(p, r))
	if err != nil {
		t.Fatalf("the plan is not allowed: %v\n%+v\n%+v", err, *p, *r)
	}
	if got.cost != r.Cost || int64(len(r.Shares)) != got.shipments || r.Bound > r.Cost || r.Method == "" {
		t.Fatalf("the plan costs %d with %d shipments, the result says %+v", got.cost, got.shipments, *r)
	}
	if !slices.IsSortedFunc(r.Shares, func(a, b exact.Share) int { return cmp.Compare(a.Location, b.Location) }) {
		t.Fatalf("shares are not in the order of locations: %+v", r.Shares)
	}
	sum := int64(0)
	for i, u := range r.Unfilled {
		sum += u * p.Lines[i].Unfilled
	}
	for _, s := range r.Shares {
		sum += s.Cost
	}
	if sum != r.Cost {
		t.Fatalf("the parts sum to %d, the cost is %d", sum, r.Cost)
	}
	return got
}

// flattened makes nearly all costs equal, so that the ties decide.
func flattened(p *exact.Problem) *exact.Problem {
	for i := range p.Lines {
		p.Lines[i].Unfilled = max(p.Lines[i].Unfilled/10, 0) + 1
	}
	for s := range p.Locations {
		l := &p.Locations[s]
		l.Shipment = max(l.Shipment/10, 0)
		for i := range l.Unit {
			l.Unit[i] = max(l.Unit[i]/9, 0)
		}
	}
	p.Tariffs = nil
	for s := range p.Locations {
		p.Locations[s].Tariff = -1
	}
	return p
}

func TestTiesAreBrokenAsPromised(t *testing.T) {
	t.Parallel()
	var solver exact.Solver
	rapid.Check(t, func(t *rapid.T) {
		p := flattened(drawn(t))
		r := solver.Solve(p)
		if got, want := consistent(t, p, &r), brute(p); got != want {
			t.Fatalf("got %+v, want %+v\n%+v", got, want, *p)
		}
	})
}

func TestSolveEqualsTryingEveryPlan(t *testing.T) {
	t.Parallel()
	var solver exact.Solver
	rapid.Check(t, func(t *rapid.T) {
		p := drawn(t)
		r := solver.Solve(p)
		got, want := consistent(t, p, &r), brute(p)
		if got != want {
			t.Fatalf("got %+v, want %+v\n%+v", got, want, *p)
		}
		if r.Bound != r.Cost || r.Method != "exact" {
			t.Fatalf("a small problem is not searched whole: %+v", r)
		}
	})
}
