package exact_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/orderly-oms/orderly/internal/sourcing/exact"
)

// shuffled reorders lines and locations; line i of the new problem is lines[i] of p.
func shuffled(random *rand.Rand, p *exact.Problem) (q *exact.Problem, lines, locations []int) {
	lines, locations = random.Perm(len(p.Lines)), random.Perm(len(p.Locations))
	c := *p
	c.Lines, c.Locations = nil, nil
	for _, i := range lines {
		c.Lines = append(c.Lines, p.Lines[i])
	}
	for _, s := range locations {
		l := p.Locations[s]
		l.Unit, l.Available = nil, nil
		for _, i := range lines {
			l.Unit = append(l.Unit, p.Locations[s].Unit[i])
			l.Available = append(l.Available, p.Locations[s].Available[i])
		}
		c.Locations = append(c.Locations, l)
	}
	return &c, lines, locations
}

// In whatever order lines and locations come, the plan is the same. The costs are so
// far apart that there are no ties, which the order may decide.
func TestShufflingChangesNoPlan(t *testing.T) {
	t.Parallel()
	var solver exact.Solver
	rapid.Check(t, func(t *rapid.T) {
		p := drawn(t)
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 2))
		for s := range p.Locations {
			l := &p.Locations[s]
			l.Shipment += random.Int64N(1 << 30)
			for i := range l.Unit {
				l.Unit[i] += random.Int64N(1 << 30)
			}
		}
		for i := range p.Lines {
			p.Lines[i].Unfilled += random.Int64N(1 << 32)
		}
		first := solver.Solve(p)
		q, lines, locations := shuffled(random, p)
		second := solver.Solve(q)
		want, ship := shipped(p, &first), shipped(q, &second)
		got := make([][]int64, len(want))
		for s, row := range ship {
			back := make([]int64, len(row))
			for i, n := range row {
				back[lines[i]] = n
			}
			got[locations[s]] = back
		}
		if first.Cost != second.Cost || !reflect.DeepEqual(got, want) {
			t.Fatalf("got %v for %d, want %v for %d", got, second.Cost, want, first.Cost)
		}
	})
}

// Plans that were not searched whole keep every rule, are the same each time, and
// come with a bound.
func TestLargeProblemsAreBounded(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(5, 6))
	for _, size := range [][2]int{{20, 30}, {40, 200}, {100, 2000}, {exact.MaxLines, 50}} {
		p := retail(random, size[0], size[1], .5)
		for _, limited := range []bool{false, true} {
			if limited {
				p.MaxShipments, p.MinShipmentValue, p.MinRemainderValue, p.Split = 3, 9000, 5000, exact.SplitWhenNeeded
				p.Lines[0].Group, p.Lines[7].Group, p.Lines[3].Quantity = 1, 1, 1000
				for s := range p.Locations {
					p.Locations[s].MaxUnits, p.Locations[s].MaxValue = 15+random.Int64N(30), 90_000
				}
			}
			var solver exact.Solver
			r := solver.Solve(p)
			consistent(t, p, &r)
			if r.Method == exact.MethodExact {
				t.Errorf("%v: searched whole", size)
			}
			if again := new(exact.Solver).Solve(p); !reflect.DeepEqual(r, again) {
				t.Errorf("%v: another solver has another plan", size)
			}
			nothing := int64(0)
			for _, l := range p.Lines {
				nothing += l.Quantity * l.Unfilled
			}
			if r.Cost >= nothing || r.Bound <= 0 {
				t.Errorf("%v: cost %d, bound %d; shipping nothing costs %d", size, r.Cost, r.Bound, nothing)
			}
			if gap := float64(r.Cost-r.Bound) / float64(r.Cost); !limited && gap > .15 {
				t.Errorf("%v: a gap of %.1f %%", size, 100*gap)
			}
		}
	}
}

func TestBrokenContractsPanic(t *testing.T) {
	t.Parallel()
	for name, breakIt := range map[string]func(p *exact.Problem){
		"lines; at most":     func(p *exact.Problem) { p.Lines = make([]exact.Line, exact.MaxLines+1) },
		"locations; at most": func(p *exact.Problem) { p.Locations = make([]exact.Location, exact.MaxLocations+1) },
		"quantity is 0":      func(p *exact.Problem) { p.Lines[0].Quantity = 0 },
		"quantity is":        func(p *exact.Problem) { p.Lines[0].Quantity = exact.MaxQuantity + 1 },
		"beyond its bound":   func(p *exact.Problem) { p.Lines[0].Unfilled = exact.MaxLineAmount + 1 },
		"at a location":      func(p *exact.Problem) { p.Locations[0].Unit[0] = -exact.MaxLineAmount - 1 },
		"location 0":         func(p *exact.Problem) { p.Locations[0].Shipment = exact.MaxCharge + 1 },
		"{Shipment":          func(p *exact.Problem) { p.Locations[0].Tariff = 0 },
		"charges": func(p *exact.Problem) {
			p.Tariffs = []exact.Tariff{steps{0, exact.MaxCharge + 1}}
			p.Locations[0].Tariff = 0
		},
		"less than nothing": func(p *exact.Problem) { p.Locations[0].Available[0] = -1 },
		"least value":       func(p *exact.Problem) { p.MinRemainderValue = -1 },
		"no split rule":     func(p *exact.Problem) { p.Split = 3 },
		"MaxShipments":      func(p *exact.Problem) { p.MaxShipments = -2 },
	} {
		p := &exact.Problem{
			Lines:        []exact.Line{{Quantity: 1, Grams: 1}},
			Locations:    []exact.Location{{Unit: []int64{1}, Available: []int64{1}, Tariff: -1, MaxUnits: exact.NoLimit, MaxValue: exact.NoLimit}},
			MaxShipments: exact.NoLimit,
		}
		breakIt(p)
		func() {
			defer func() {
				if said := fmt.Sprint(recover()); !strings.Contains(said, name) {
					t.Errorf("%s: %s", name, said)
				}
			}()
			new(exact.Solver).Solve(p)
		}()
	}
}

// The largest amounts that the contract allows are added without overflow.
func TestAmountsAtTheirBounds(t *testing.T) {
	t.Parallel()
	for _, sign := range []int64{1, -1} {
		p := &exact.Problem{MaxShipments: exact.NoLimit}
		for range exact.MaxLines {
			p.Lines = append(p.Lines, exact.Line{Quantity: 1, Unfilled: exact.MaxLineAmount, Grams: 1, Value: exact.MaxLineAmount})
		}
		l := exact.Location{Shipment: sign * exact.MaxCharge, Tariff: -1, MaxUnits: exact.NoLimit, MaxValue: exact.NoLimit}
		for range p.Lines {
			l.Unit, l.Available = append(l.Unit, sign*exact.MaxLineAmount), append(l.Available, 1)
		}
		p.Locations = append(p.Locations, l)
		r := new(exact.Solver).Solve(p)
		consistent(t, p, &r)
		if want := min(exact.MaxLines*exact.MaxLineAmount, sign*(exact.MaxLines*exact.MaxLineAmount+exact.MaxCharge)); r.Cost != want {
			t.Errorf("cost %d, want %d", r.Cost, want)
		}
	}
}

// Work decides how long a search goes on, and what is done instead is bounded.
func TestWorkIsBounded(t *testing.T) {
	t.Parallel()
	p := retail(rand.New(rand.NewPCG(3, 4)), 8, 40, .6)
	whole, cut := (&exact.Solver{}).Solve(p), (&exact.Solver{Work: 10}).Solve(p)
	consistent(t, p, &cut)
	if whole.Method != exact.MethodExact || cut.Method == exact.MethodExact || cut.Cost < whole.Cost || cut.Bound > whole.Cost {
		t.Errorf("whole %+v, cut short %+v", whole, cut)
	}
	defer func() {
		if recover() == nil {
			t.Error("work without end is accepted")
		}
	}()
	(&exact.Solver{Work: exact.MaxWork + 1}).Solve(p)
}
