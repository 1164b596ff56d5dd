package exact

import "slices"

// The search combines shipments by dynamic programming over states. A state's
// entry is the best way to ship exactly that state. best holds the cheapest single
// shipment of each state over all candidates but the singled; combining those may
// use one location twice, which only matters when it pays (a tariff that grows faster than
// the weight, a limit per shipment, stock that was counted twice). Locations for which it does are
// singled out: each is added as a layer of its own, which ships once at most, and the search
// is repeated until no location ships twice. Every round is a relaxation of the
// problem, so the first plan that uses each location once is the best one.
//
// The order of plans (cost, shipments, what is unfilled, locations) is one that
// adding the same shipment to two plans preserves, which is what makes the dynamic
// programming keep ties as well as costs: two ascending lists of locations of equal
// length compare by the smallest location that only one of them has.

// node is a shipment of a plan and the rest of the plan.
type node struct {
	candidate int32
	state     int32
	next      int32 // -1: the end
}

// table is the best way to ship each state with a number of shipments.
type table struct {
	cost      []int64
	shipments []int32
	plan      []int32 // node; -1: nothing ships
}

func (t *table) build(size int) {
	t.cost, t.shipments, t.plan = resize(t.cost, size), resize(t.shipments, size), resize(t.plan, size)
	for v := range size {
		t.cost[v], t.shipments[v], t.plan[v] = impossible, 0, -1
	}
	t.cost[0] = 0
}

// choice is a way to improve an entry: candidate ships state, the rest follows.
type choice struct {
	cost      int64
	shipments int32
	candidate int32 // -1: none
	state     int32
	rest      int32
}

// search is the scratch of the dynamic programming.
type search struct {
	space
	f          *frame
	alive      []bool // per candidate: may be part of the best plan
	single     []bool // per candidate: has a layer of its own
	singles    []int32
	bestCost   []int64
	bestBy     []int32
	tables     []table // by number of shipments; without a limit only the first
	nodes      []node
	pending    []choice
	rests      []int32
	listA      []int32
	listB      []int32
	work, most int64
}

// outcome is the best plan of a round.
type outcome struct {
	cost  int64
	state int32
	plan  int32
	ships int32
}

// maxNodes bounds the memory of plans: 12 bytes each.
const maxNodes = 1 << 23

// run returns the best plan that uses each location once. ok false: the work that
// is allowed was used up; then low is a bound that was proven on the way.
func (s *search) run() (plan outcome, low int64, ok bool) {
	s.singles = s.singles[:0]
	s.single = resize(s.single, len(s.f.candidates))
	clear(s.single)
	limit := s.f.p.MaxShipments
	low = -impossible
	for round := 0; ; round++ {
		if !s.findBest() {
			return plan, low, false
		}
		plan, ok = s.round(NoLimit)
		if ok && limit != NoLimit && int(plan.ships) > limit {
			low = max(low, plan.cost)
			plan, ok = s.round(limit)
		}
		if !ok {
			return plan, low, false
		}
		low = max(low, plan.cost)
		if !s.singleOut(plan.plan, round) {
			return plan, low, true
		}
	}
}

// findBest finds the cheapest single shipment of each state.
func (s *search) findBest() bool {
	s.bestCost, s.bestBy = resize(s.bestCost, s.size), resize(s.bestBy, s.size)
	dense, ceiling := s.binary && len(s.f.items) <= maxDense, never
	if dense {
		ceiling = lacking / 2
	}
	for v := range s.bestCost {
		s.bestCost[v], s.bestBy[v] = ceiling, -1
	}
	for c := range s.f.candidates {
		if !s.alive[c] || s.single[c] {
			continue
		}
		prices := s.price(s.f.p, s.f.candidates[c].tariff)
		if at := &s.f.candidates[c]; dense && at.units < 0 && at.value < 0 {
			s.offerDense(c, prices)
			continue
		}
		states, costs := s.list(s.f, c)
		if s.work += int64(len(states)); s.work > s.most {
			return false
		}
		if at := &s.f.candidates[c]; at.units >= 0 || at.value >= 0 {
			s.offerLimited(c, states, costs, prices)
			continue
		}
		best := s.bestCost
		for j, v := range states {
			if cost := costs[j] + prices[v]; cost < best[v] {
				best[v], s.bestBy[v] = cost, int32(c)
			}
		}
	}
	for v, by := range s.bestBy {
		if by < 0 {
			s.bestCost[v] = impossible // which no credit makes possible
		}
	}
	return true
}

// maxDense is up to how many items every state is priced for a location, whether
// it has the items or not: that is faster than asking, because nothing about stock is
// predictable to a processor. What is lacking costs so much that it never wins: the
// real cost of so few items is below 2^53, and the sum below 2^60.
const (
	maxDense = 6
	lacking  = int64(1) << 56
)

func (s *search) offerDense(c int, prices []int64) {
	n := len(s.f.items)
	unit, parts := s.f.unit[c*n:c*n+n], s.f.parts[c*n:c*n+n]
	costs := s.listCost[:s.size]
	costs[0] = s.f.candidates[c].shipment
	for i, a := range parts {
		cost := unit[i] + int64(1-a)*lacking
		half := 1 << i
		from, to := costs[:half], costs[half:2*half]
		for j := range from {
			to[j] = from[j] + cost
		}
	}
	best := s.bestCost[:len(costs)]
	prices = prices[:len(costs)]
	for v, cost := range costs {
		if cost += prices[v]; cost < best[v] {
			best[v], s.bestBy[v] = cost, int32(c)
		}
	}
}

func (s *search) offerLimited(c int, states []int32, costs, prices []int64) {
	for j, v := range states {
		if cost := costs[j] + prices[v]; cost < s.bestCost[v] && s.admits(&s.f.candidates[c], v) {
			s.bestCost[v], s.bestBy[v] = cost, int32(c)
		}
	}
}

// round solves the relaxation in which only the singled locations ship once at most.
func (s *search) round(limit int) (outcome, bool) {
	s.nodes = s.nodes[:0]
	layers := 1
	if limit != NoLimit {
		parts := 0
		for i := range s.f.items {
			parts += int(s.f.items[i].levels)
		}
		layers = min(limit, parts) + 1
	}
	for len(s.tables) < layers {
		s.tables = append(s.tables, table{})
	}
	s.tables[0].build(s.size)
	if limit == NoLimit {
		if !s.combine(&s.tables[0], &s.tables[0]) {
			return outcome{}, false
		}
	}
	for k := 1; k < layers; k++ {
		s.tables[k].build(s.size)
		if !s.combine(&s.tables[k], &s.tables[k-1]) {
			return outcome{}, false
		}
	}
	for _, c := range s.singles {
		if !s.addLayer(int(c), layers) {
			return outcome{}, false
		}
	}
	return s.final(&s.tables[layers-1]), true
}

// combine sets each entry of to to the best of: what from has, or one best shipment with what
// from has for the rest. from may be to.
func (s *search) combine(to, from *table) bool {
	if to != from {
		copy(to.cost, from.cost)
		copy(to.shipments, from.shipments)
		copy(to.plan, from.plan)
	}
	for v := int32(1); v < int32(s.size); v++ {
		pick := choice{cost: to.cost[v], shipments: to.shipments[v], candidate: -1, rest: to.plan[v]}
		if s.binary {
			s.combineSubsets(&pick, v, from)
		} else {
			s.combineParts(&pick, v, from)
		}
		if s.work > s.most {
			return false
		}
		if !s.settle(to, v, &pick) {
			return false
		}
	}
	return true
}

// combineSubsets tries every subset of v that has its lowest item; the others
// would give the same plans again.
func (s *search) combineSubsets(pick *choice, v int32, from *table) {
	low := v & -v
	rest := v ^ low
	best, cost := s.bestCost, from.cost
	tried := int64(0)
	for part := rest; ; part = (part - 1) & rest {
		w := part | low
		if total := best[w] + cost[v^w]; total <= pick.cost && total < never {
			s.offer(pick, s.bestBy[w], w, v^w, total, from)
		}
		tried++
		if part == 0 {
			break
		}
	}
	s.work += tried
}

// combineParts does the same for items with several levels.
func (s *search) combineParts(pick *choice, v int32, from *table) {
	digits := s.decode(s.f, v)
	list := append(s.listA[:0], 0)
	first := true
	for i, d := range digits {
		if d == 0 {
			continue
		}
		stride, before := s.f.items[i].stride, len(list)
		for level := int32(1); level <= d; level++ {
			for j := range before {
				list = append(list, list[j]+level*stride)
			}
		}
		if first { // at least one part of the lowest item
			list, first = list[1:], false
		}
	}
	s.work += int64(len(list))
	for _, w := range list {
		if total := s.bestCost[w] + from.cost[v-w]; total <= pick.cost && total < never {
			s.offer(pick, s.bestBy[w], w, v-w, total, from)
		}
	}
	s.listA = list[:0]
}

// offer takes a way that costs no more than pick when it comes before it.
func (s *search) offer(pick *choice, candidate, state, rest int32, cost int64, from *table) {
	shipments := from.shipments[rest] + 1
	if cost == pick.cost {
		if shipments > pick.shipments {
			return
		}
		if shipments == pick.shipments && s.compare(candidate, from.plan[rest], pick.candidate, pick.rest) >= 0 {
			return
		}
	}
	*pick = choice{cost: cost, shipments: shipments, candidate: candidate, state: state, rest: from.plan[rest]}
}

// settle writes a choice into its entry; false: too much memory.
func (s *search) settle(to *table, v int32, pick *choice) bool {
	if pick.candidate < 0 {
		return true
	}
	to.cost[v], to.shipments[v], to.plan[v] = pick.cost, pick.shipments, int32(len(s.nodes))
	s.nodes = append(s.nodes, node{candidate: pick.candidate, state: pick.state, next: pick.rest})
	return len(s.nodes) < maxNodes
}

// compare orders two plans of equally many shipments, each a shipment (-1: none) and a
// rest, by their locations.
func (s *search) compare(a, restA, b, restB int32) int {
	s.listB = s.locations(s.listB[:0], a, restA)
	n := len(s.listB)
	s.listB = s.locations(s.listB, b, restB)
	return slices.Compare(s.listB[:n], s.listB[n:])
}

func (s *search) locations(to []int32, candidate, rest int32) []int32 {
	from := len(to)
	if candidate >= 0 {
		to = append(to, candidate) // candidates are in the order of locations
	}
	for ; rest >= 0; rest = s.nodes[rest].next {
		to = append(to, s.nodes[rest].candidate)
	}
	slices.Sort(to[from:])
	return to
}

// final chooses what to ship at all.
func (s *search) final(t *table) outcome {
	f := s.f
	best := outcome{cost: f.cost, plan: -1} // ships nothing, which always may be
	for v := 1; v < s.size; v++ {
		if t.cost[v] >= never {
			continue
		}
		o := outcome{cost: t.cost[v] + f.cost - s.saved[v], state: int32(v), plan: t.plan[v], ships: t.shipments[v]}
		if o.cost > best.cost || (s.units[v] < f.units && f.value-s.value[v] < f.p.MinRemainderValue) {
			continue
		}
		if o.cost < best.cost || s.before(&o, &best) {
			best = o
		}
	}
	return best
}

// before breaks the ties of plans of equal cost.
func (s *search) before(a, b *outcome) bool {
	if a.ships != b.ships {
		return a.ships < b.ships
	}
	if x, y := s.units[a.state], s.units[b.state]; x != y {
		return x > y
	}
	if x, y := s.lines[a.state], s.lines[b.state]; x != y {
		return x > y
	}
	return s.compare(-1, a.plan, -1, b.plan) < 0
}
