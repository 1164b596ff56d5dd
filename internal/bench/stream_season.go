package bench

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/price"
)

// streamPeriod is how long a period lasts for the learner, which counts in time.
const streamPeriod = time.Minute

var streamStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// demand is the truth about a season: how likely each type and region is. The
// policies do not see it.
type demand struct {
	types   []float64
	regions []float64
}

// first returns the demand of the instance.
func (in *instance) first() demand {
	d := demand{types: in.Probability}
	total := 0.0
	for _, r := range streamRegions {
		total += r.population
	}
	for _, r := range streamRegions {
		d.regions = append(d.regions, r.population/total)
	}
	return d
}

// shifted is another demand for the second half: the types change places (as many
// orders come as before) and the regions turn round.
func (d demand) shifted(random *rand.Rand) demand {
	s := demand{types: slices.Clone(d.types), regions: slices.Clone(d.regions)}
	random.Shuffle(len(s.types)-1, func(i, j int) { s.types[i+1], s.types[j+1] = s.types[j+1], s.types[i+1] })
	slices.Reverse(s.regions)
	return s
}

// classes are the orders to expect of n periods.
func (in *instance) classes(d demand, n int) []price.Class {
	var out []price.Class
	for q := 1; q < len(in.Types); q++ {
		for r := range d.regions {
			out = append(out, price.Class{Zone: name(r), Lines: linesOf(in.Types[q]), Expected: float64(n) * d.types[q] * d.regions[r]})
		}
	}
	return out
}

func linesOf(items []int) []price.Line {
	out := make([]price.Line, len(items))
	for i, item := range items {
		out[i] = price.Line{SKU: name(item), Quantity: 1}
	}
	return out
}

// arrival is one period; quiet ones have type 0.
type arrival struct{ kind, region int }

// season draws the arrivals of n periods.
func (d demand) season(random *rand.Rand, n int) []arrival {
	out := make([]arrival, n)
	for i := range out {
		out[i] = arrival{kind: pick(random, d.types), region: pick(random, d.regions)}
	}
	return out
}

func pick(random *rand.Rand, probability []float64) int {
	u := random.Float64()
	for i, p := range probability {
		if u -= p; u < 0 {
			return i
		}
	}
	return len(probability) - 1
}

// world is a season as it runs under one policy.
type world struct {
	in      *instance
	costs   *streamCosts
	left    [][]int64 // per location and item
	nearest [][]int   // per region: locations, the nearest first
	assign  price.Assigner[int64]
	offers  [8]price.Offer[int64]
	seed    uint64
}

func newWorld(in *instance, costs *streamCosts, seed uint64) *world {
	w := &world{in: in, costs: costs, seed: seed}
	for _, row := range in.Stock {
		w.left = append(w.left, slices.Clone(row))
	}
	for r := range streamRegions {
		order := []int{}
		for k := range streamLocations {
			order = append(order, k)
		}
		slices.SortStableFunc(order, func(a, b int) int { return int(costs.item[r][a] - costs.item[r][b]) })
		w.nearest = append(w.nearest, order)
	}
	return w
}

// unshipped is the location of an item that nobody ships.
const unshipped = -1

// outcome is what a season cost.
type outcome struct {
	cost             int64
	orders, missing  int64
	shipments, items int64
}

// run lets the policy decide a season.
func (w *world) run(p streamPolicy, arrivals []arrival) (outcome, error) {
	var out outcome
	from := make([]int, price.MaxLines)
	for t, a := range arrivals {
		if err := p.tick(w, t); err != nil {
			return out, err
		}
		items := w.in.Types[a.kind]
		if len(items) == 0 {
			continue
		}
		p.decide(w, t, a, from[:len(items)])
		w.book(&out, a, from[:len(items)])
	}
	return out, nil
}

// book takes what was decided out of stock, and counts it.
func (w *world) book(out *outcome, a arrival, from []int) {
	out.orders++
	var used [8]bool
	for i, item := range w.in.Types[a.kind] {
		out.items++
		k := from[i]
		if k == unshipped {
			out.missing++
			out.cost += streamUnshipped
			continue
		}
		if w.left[k][item]--; w.left[k][item] < 0 {
			panic("bench: a policy shipped a unit that is not there")
		}
		out.cost += w.costs.item[a.region][k]
		if !used[k] {
			used[k] = true
			out.shipments++
			out.cost += streamShipment
		}
	}
}

// cheapest fills from with the cheapest plan when a unit there has these prices.
func (w *world) cheapest(a arrival, from []int, unit func(location, item int) int64) {
	items := w.in.Types[a.kind]
	for k := range streamLocations {
		o := price.Offer[int64]{Fixed: streamShipment}
		for i, item := range items {
			if w.left[k][item] > 0 {
				o.Has |= 1 << i
				o.Unit[i] = w.costs.item[a.region][k] + unit(k, item)
			}
		}
		w.offers[k] = o
	}
	nowhere := len(streamLocations)
	w.offers[nowhere] = price.Offer[int64]{Has: 1<<len(items) - 1}
	for i := range items {
		w.offers[nowhere].Unit[i] = streamUnshipped
	}
	if _, ok := w.assign.Cheapest(w.offers[:nowhere+1], len(items)); !ok {
		panic("bench: no plan, although not shipping is one")
	}
	for i := range items {
		if from[i] = w.assign.ByLine[i]; from[i] == nowhere {
			from[i] = unshipped
		}
	}
}

// market is the stock as it is, with the periods that are left of n.
func (w *world) market(left int) price.Market {
	m := price.Market{Costs: w.costs, Horizon: time.Duration(left) * streamPeriod}
	for k, row := range w.left {
		for item, n := range row {
			m.Stock = append(m.Stock, price.Stock{SKU: name(item), Location: name(k), Quantity: n})
		}
	}
	return m
}
