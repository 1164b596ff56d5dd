package exact

// DefaultWork and MaxWork bound a whole search: combinations of a shipment and a rest
// that are looked at, about 3 ns each.
const (
	DefaultWork = int64(48_000_000)
	MaxWork     = int64(1) << 36
)

// maxStates bounds the tables of a whole search: about 100 bytes each.
const maxStates = 1 << 17

// Solver solves problems one after the other and keeps its memory between them.
// The zero value is ready. It is not safe for concurrent use.
type Solver struct {
	// Work is how many combinations a whole search may look at, at most MaxWork; 0: DefaultWork.
	Work int64

	frame  frame
	search search
	dual   dual
	draft  draft
}

// Methods of a Result.
const (
	// MethodExact: every plan was considered, or shown to be no better.
	MethodExact = "exact"
	// MethodDraft: locations were opened, closed and swapped while that saved money;
	// the bound comes from linear programming duality.
	MethodDraft = "local search, dual bound"
)

// plain is the number of combinations that are looked at without looking for
// something to leave out first.
const plain = 40_000

// Solve returns the best plan. It panics when the problem breaks its contract.
func (s *Solver) Solve(p *Problem) Result {
	check(p)
	f := &s.frame
	f.build(p)
	defer func() { f.p = nil }()
	states, pairs := spaceSize(f.items)
	searchable := states <= maxStates && pairs <= s.work()
	sp := &s.search.space
	if searchable {
		sp.build(f)
	}
	drafted := searchable && sp.keep && states*int64(len(f.candidates)) > plain && f.shipments() > plain
	if drafted {
		s.dual.build(f, sp)
		s.draft.build(f, &s.dual)
	}
	low := -impossible
	if searchable {
		r, proven, ok := s.whole(drafted)
		if ok {
			return r
		}
		low = proven
	}
	if !drafted {
		s.dual.build(f, nil)
		s.draft.build(f, &s.dual)
	}
	r := s.draft.result()
	r.Bound, r.Method = min(r.Cost, max(low, s.dual.bound)), MethodDraft
	return r
}

func (s *Solver) work() int64 {
	assert(s.Work >= 0 && s.Work <= MaxWork, "work is %d", s.Work)
	if s.Work == 0 {
		return DefaultWork
	}
	return s.Work
}

// shipments counts what the candidates could ship, each alone, until that is beyond plain.
func (f *frame) shipments() int64 {
	n, total := len(f.items), int64(0)
	for c := range f.candidates {
		ways := int64(1)
		for _, a := range f.parts[c*n : c*n+n] {
			ways *= int64(a) + 1
		}
		if total += ways; total > plain {
			break
		}
	}
	return total
}

// whole searches everything, beside candidates of which a draft shows that no better plan has them.
func (s *Solver) whole(drafted bool) (r Result, low int64, ok bool) {
	f := &s.frame
	d := &s.search
	d.f, d.work, d.most = f, 0, s.work()
	d.alive = resize(d.alive, len(f.candidates))
	for c := range d.alive {
		d.alive[c] = !drafted || s.dual.bound+s.dual.slack[c] <= s.draft.cost
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
	r.Bound, r.Method = r.Cost, MethodExact
	return r, r.Cost, true
}
