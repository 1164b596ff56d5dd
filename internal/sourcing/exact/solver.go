package exact

import "sync"

// maxWork bounds a whole search: combinations of a shipment and a rest that are
// looked at, about 2 ns each.
const maxWork = 48_000_000

// maxStates bounds the tables of a whole search: about 100 bytes each.
const maxStates = 1 << 17

// Solver solves problems one after the other and keeps its memory between them.
// The zero value is ready. It is not safe for concurrent use.
type Solver struct {
	frame  frame
	search search
}

var solvers = sync.Pool{New: func() any { return new(Solver) }}

// Solve solves a problem with a Solver of a pool.
func Solve(p *Problem) Result {
	s := solvers.Get().(*Solver)
	defer solvers.Put(s)
	return s.Solve(p)
}

// Solve returns the best plan. It panics when the problem breaks its contract.
func (s *Solver) Solve(p *Problem) Result {
	check(p)
	s.frame.build(p)
	defer func() { s.frame.p = nil }()
	states, pairs := spaceSize(s.frame.items)
	if states <= maxStates && pairs <= maxWork {
		if r, _, ok := s.whole(); ok {
			return r
		}
	}
	panic("not yet")
}

// whole searches everything.
func (s *Solver) whole() (r Result, low int64, ok bool) {
	f := &s.frame
	d := &s.search
	d.f, d.work, d.most = f, 0, maxWork
	d.space.build(f)
	d.alive = resize(d.alive, len(f.candidates))
	for c := range d.alive {
		d.alive[c] = true
	}
	plan, low, ok := d.run()
	if !ok {
		return Result{}, low, false
	}
	w := newWriter(f, int(plan.ships))
	for at := plan.plan; at >= 0; at = d.nodes[at].next {
		w.add(int(d.nodes[at].candidate), d.decode(f, d.nodes[at].state))
	}
	r = w.result()
	assert(r.Cost == plan.cost, "the plan costs %d, the search said %d", r.Cost, plan.cost)
	r.Bound, r.Method = r.Cost, "exact"
	return r, r.Cost, true
}
