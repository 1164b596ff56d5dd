package engine

import (
	"context"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/sourcing"
	"github.com/orderly-oms/orderly/internal/sourcing/exact"
)

const (
	// priceRounds is how often contested stock is priced anew before orders are decided.
	priceRounds = 4
	// maxPrepared is up to how many orders what their plans share is kept in memory, about 5 kB each at 25 locations.
	maxPrepared = 20_000
)

// planner plans orders of the backlog against the same stock. It changes nothing; many
// orders are planned at once.
type planner struct {
	e    *Engine
	book *inventory.Book
	now  time.Time
	// movable says which fulfillments of an order may move, and whether they must.
	movable func(*order.Order) (may func(*order.Fulfillment) bool, must bool)
	// freed is what the fulfillments that may move hold.
	freed     map[inventory.PositionKey]int64
	contested int
	priced    sync.Map // *policy.Compiled → the same with the term opportunity
}

// wish is what an order would like best.
type wish struct {
	// saving is what moving saves by the policy, minor units; 0 when more units are placed.
	saving int64
	// surplus is how much worse off the order is without the contested stock it wants than with it at
	// the prices that make demand fit; 0 when it wants none.
	surplus  int64
	settled  bool // it stays: nothing better can be had, whatever the others do
	touched  bool // it wants, or wanted at some price, contested stock
	uses     map[inventory.PositionKey]int64
	prepared *prepared // nil: made for each plan
}

// prepared is what all plans of an order share.
type prepared struct {
	after   *order.Order // without what may move
	sources *sources
}

// judged is what a policy makes of the units of an order that may move.
type judged struct {
	policy   *policy.Compiled
	cost     int64 // by the policy's terms, minor units
	unplaced int64 // units
	uses     map[inventory.PositionKey]int64
	shares   map[string]*share
}

// objective is the cost with what unplaced units count by default.
func (d *judged) objective() int64 { return d.cost + d.unplaced*policy.DefaultUnplacedCost }

// saves is what the plan saves over another; moves reports that it is worth changing to: more is
// placed, or as much and the saving is at least the policy's cost of a change.
func (d *judged) saves(over *judged) (saving int64, moves bool) {
	if d.unplaced != over.unplaced {
		return 0, d.unplaced < over.unplaced
	}
	saving = over.cost - d.cost
	return saving, saving >= max(d.policy.Sourcing.ChangeCost, 1)
}

// skuAt is a SKU of order lines at a location: of a kit the kit itself, and not its parts.
type skuAt struct{ sku, location string }

// withdrawn is an order without what may move.
type withdrawn struct {
	events []order.Event
	held   map[skuAt]int64 // what was taken back, units of lines
	freed  map[inventory.PositionKey]int64
}

// withdraw says what is taken back from locations.
func withdraw(o *order.Order, may func(*order.Fulfillment) bool, reason string) withdrawn {
	w := withdrawn{events: o.Withdraw(may, reason), held: map[skuAt]int64{}, freed: map[inventory.PositionKey]int64{}}
	for i := range w.events {
		f := o.Fulfillment(w.events[i].FulfillmentID)
		for _, q := range w.events[i].Lines {
			l := o.Line(q.Line)
			w.held[skuAt{l.SKU, f.Location}] += q.Quantity
			eachStocked(l.SKU, l.Parts, q.Quantity, func(sku string, n int64) {
				w.freed[inventory.PositionKey{SKU: sku, Location: f.Location}] += n
			})
		}
	}
	return w
}

// plan finds out what every order wants, prices what they contest, and says which stay anyway.
func (p *planner) plan(ctx context.Context, backlog []*soft) error {
	taken := make([]withdrawn, len(backlog))
	if err := p.e.parallel(ctx, len(backlog), func(i int) error {
		may, _ := p.movable(backlog[i].o)
		taken[i] = withdraw(backlog[i].o, may, "")
		return nil
	}); err != nil {
		return err
	}
	p.freed = map[inventory.PositionKey]int64{}
	for i := range taken {
		for k, n := range taken[i].freed {
			p.freed[k] += n
		}
	}
	if err := p.e.parallel(ctx, len(backlog), func(i int) (err error) {
		if len(backlog) <= maxPrepared {
			if backlog[i].prepared, err = p.prepare(backlog[i], &taken[i]); err != nil {
				return err
			}
		}
		return p.first(backlog[i], &taken[i])
	}); err != nil {
		return err
	}
	return p.price(ctx, backlog, taken)
}

// first plans an order as if it were alone, and settles it when that is no better than what it has.
func (p *planner) first(s *soft, w *withdrawn) error {
	best, err := p.replan(s, w, &view{units: p.freed})
	if err != nil {
		return err
	}
	s.uses = best.uses
	if s.closed {
		return nil
	}
	stay, err := p.replan(s, w, &view{stay: w.held})
	if err != nil {
		return err
	}
	var moves bool
	if s.saving, moves = best.saves(stay); !moves || tooOften(s.o, w, best.policy) {
		s.settled, s.uses = true, w.freed
	}
	return nil
}

// tooOften reports that moving an order once more is against the policy's limit.
func tooOften(o *order.Order, w *withdrawn, c *policy.Compiled) bool {
	return int64(o.Moves+len(w.events)) > c.Sourcing.MaxMoves
}

func (p *planner) prepare(s *soft, w *withdrawn) (*prepared, error) {
	after, err := order.Fold(s.o, w.events, s.o.Version+1, p.now)
	if err != nil {
		return nil, err
	}
	return &prepared{after, p.e.sources(after, p.now)}, nil
}

// replan decides what is left of an order without what may move, as a view has stock.
func (p *planner) replan(s *soft, w *withdrawn, v *view) (*judged, error) {
	ready := s.prepared
	if ready == nil {
		var err error
		if ready, err = p.prepare(s, w); err != nil {
			return nil, err
		}
	}
	after := ready.after
	compiled, name := p.e.sourcingPolicy(after, unplacedDemands(after), p.now)
	d := p.e.judge(&placing{e: p.e, book: p.book, now: p.now, s: ready.sources, o: after}, v, compiled, p.pricing(compiled, v), name)
	return d, nil
}

// pricing is a policy that also counts the view's prices.
func (p *planner) pricing(c *policy.Compiled, v *view) *policy.Compiled {
	if v.prices == nil {
		return c
	}
	if priced, ok := p.priced.Load(c); ok {
		return priced.(*policy.Compiled)
	}
	section := *c.Sourcing
	section.Groups = slices.Clone(section.Groups)
	for i := range section.Groups {
		g := &section.Groups[i]
		if len(g.Terms) > 0 && !slices.ContainsFunc(g.Terms, func(t policy.CompiledTerm) bool { return t.Name == policy.TermOpportunity }) {
			g.Terms = append(slices.Clone(g.Terms), policy.CompiledTerm{Name: policy.TermOpportunity, WeightMilli: 1000})
		}
	}
	priced := *c
	priced.Sourcing = &section
	kept, _ := p.priced.LoadOrStore(c, &priced)
	return kept.(*policy.Compiled)
}

// price raises the price of every position that is wanted more often than it has units and lowers
// it where it is not, a few times, with smaller steps each time: the subgradient of the Lagrangian of the joint
// problem. At the last prices it measures what each order loses without what it contests.
func (p *planner) price(ctx context.Context, backlog []*soft, taken []withdrawn) error {
	stock := map[inventory.PositionKey]int64{} // of contested positions
	prices := map[inventory.PositionKey]int64{}
	priced := make([]*judged, len(backlog))
	step := p.scale(backlog, taken)
	for round := range priceRounds {
		wanted := map[inventory.PositionKey]int64{}
		for _, s := range backlog {
			for k, n := range s.uses {
				wanted[k] += n
			}
		}
		over := 0
		for k, n := range wanted {
			if have := p.stock(k); n > have {
				stock[k] = have
				over++
			}
		}
		if over == 0 {
			break
		}
		for k, have := range stock {
			excess := float64(wanted[k]-have) / float64(max(wanted[k], have, 1))
			prices[k] = max(prices[k]+int64(excess*float64(step))/int64(round+1), 0)
		}
		for _, s := range backlog {
			for k := range s.uses {
				if _, ok := stock[k]; ok {
					s.touched = true
				}
			}
		}
		if err := p.e.parallel(ctx, len(backlog), func(i int) (err error) {
			s := backlog[i]
			if !s.touched || s.settled {
				return nil
			}
			if priced[i], err = p.replan(s, &taken[i], &view{units: p.freed, prices: prices}); err == nil {
				s.uses = priced[i].uses
			}
			return err
		}); err != nil {
			return err
		}
	}
	p.contested = len(stock)
	return p.e.parallel(ctx, len(backlog), func(i int) error {
		if priced[i] == nil {
			return nil
		}
		without, err := p.replan(backlog[i], &taken[i], &view{units: p.freed, barred: stock})
		if err == nil {
			backlog[i].surplus = without.objective() - priced[i].objective()
		}
		return err
	})
}

// scale is the first step of prices: half of what the carrier asks for a shipment of the backlog on average, at least 1.00.
func (p *planner) scale(backlog []*soft, taken []withdrawn) int64 {
	var sum, n int64
	for i, s := range backlog {
		for k := range taken[i].events {
			sum += s.o.Fulfillment(taken[i].events[k].FulfillmentID).Cost
			n++
		}
	}
	return max(sum/max(n, 1)/2, 100)
}

// stock is what is free at a position with what the backlog holds there.
func (p *planner) stock(k inventory.PositionKey) int64 {
	at, _ := p.book.Get(k)
	return max(at.Available()+p.freed[k], 0)
}

func unplacedDemands(o *order.Order) []demand {
	var out []demand
	for _, q := range o.Unplaced() {
		out = append(out, demand{line: o.Line(q.Line), left: q.Quantity})
	}
	return out
}

// judge decides the unplaced units of an order on facts as a view has them. c is the policy in
// force, decides the one that decides, called name.
func (e *Engine) judge(p *placing, v *view, c, decides *policy.Compiled, name string) *judged {
	p.shares, p.taken = map[string]*share{}, map[inventory.PositionKey]int64{}
	of := orderFacts(p.o)
	p.rules = e.promiseRules(&of, p.now)
	out := &judged{policy: c, uses: p.taken, shares: p.shares}
	for _, group := range independent(wants(unplacedDemands(p.o))) {
		f := p.facts(group, e.needs(c))
		v.apply(p, f, group)
		d := sourcing.Decide(f, decides, name)
		out.cost += d.Cost
		for i := range d.Shipments {
			s := &d.Shipments[i]
			for _, u := range s.Lines {
				w := group[slices.IndexFunc(group, func(w *want) bool { return w.id == u.Line })]
				w.spread(p.give(s.Location), u.Quantity)
				eachStocked(w.sku, w.parts, u.Quantity, func(sku string, n int64) {
					p.taken[inventory.PositionKey{SKU: sku, Location: s.Location}] += n
				})
			}
		}
		for _, u := range d.Unplaced {
			out.unplaced += u.Quantity
		}
	}
	return out
}

// spread gives a share units of a want, line after line.
func (w *want) spread(sh *share, q int64) {
	for _, d := range w.demands {
		if n := min(q, d.left); n > 0 {
			sh.add(d.line, n, 0)
			d.left, q = d.left-n, q-n
		}
	}
}

// view is stock and capacity as a decision is to see them, where that is not what the book says. It
// is not changed while decisions read it.
type view struct {
	units  map[inventory.PositionKey]int64 // beside what is free; may be below 0
	prices map[inventory.PositionKey]int64 // of a stock unit, minor units
	barred map[inventory.PositionKey]int64 // positions that give nothing
	used   map[string]load                 // capacity, by location
	// stay, when not nil, is all that may be had: an order's own units where they are.
	stay map[skuAt]int64
}

// load is an amount of each measure of capacity.
type load map[order.Measure]int64

// apply changes the facts of a decision to what the view says.
func (v *view) apply(p *placing, f *sourcing.Facts, group []*want) {
	if v.stay != nil {
		v.onlyWhereItIs(f, group)
		return
	}
	withheld := p.e.Withholding(f.Order.Channel, f.Now)
	for c := range f.Sites {
		site := &f.Sites[c]
		v.reduce(site)
		for i, w := range group {
			if units, changed := v.available(p, withheld, site.Location, w); changed {
				site.Available[i] = units
				if site.Stock != nil {
					site.Stock[i].Available = units
				}
			}
			if price := v.priceOf(w, site.Location.ID); price > 0 {
				if site.Prices == nil {
					site.Prices = make([]int64, len(group))
				}
				site.Prices[i] += price
			}
		}
	}
}

// onlyWhereItIs leaves an order what it has, in capacity it has already.
func (v *view) onlyWhereItIs(f *sourcing.Facts, group []*want) {
	f.Refused = nil // a location that refused one line may have another
	for c := range f.Sites {
		site := &f.Sites[c]
		site.OrdersLeft, site.UnitsLeft, site.ValueLeft = exact.NoLimit, exact.NoLimit, exact.NoLimit
		for i, w := range group {
			site.Available[i] = v.stay[skuAt{w.sku, site.Location.ID}]
		}
	}
}

// reduce takes off a site's capacity what others were given.
func (v *view) reduce(site *sourcing.Site) {
	used := v.used[site.Location.ID]
	for _, m := range []struct {
		left *int64
		used int64
	}{{&site.OrdersLeft, used[order.MeasureOrders]}, {&site.UnitsLeft, used[order.MeasureUnits]}, {&site.ValueLeft, used[order.MeasureValue]}} {
		if *m.left != exact.NoLimit {
			*m.left = max(*m.left-m.used, 0)
		}
	}
}

// available is what a location may give of a want; changed is false when that is what the book says.
func (v *view) available(p *placing, withheld *Withholding, l *policy.Location, w *want) (units int64, changed bool) {
	eachStocked(w.sku, w.parts, 1, func(part string, _ int64) {
		k := inventory.PositionKey{SKU: part, Location: l.ID}
		_, barred := v.barred[k]
		changed = changed || barred || v.units[k] != 0
	})
	if !changed {
		return 0, false
	}
	units = math.MaxInt64
	eachStocked(w.sku, w.parts, 1, func(part string, per int64) {
		k := inventory.PositionKey{SKU: part, Location: l.ID}
		_, barred := v.barred[k]
		at, _ := p.book.Get(k)
		n := withheld.left(part, p.book.LocationIndex(l.ID), at.Available()+v.units[k]-p.taken[k], at.Safety, p.s.buffer)
		if barred {
			n = 0
		}
		units = min(units, n/max(per, 1))
	})
	return units, true
}

func (v *view) priceOf(w *want, location string) (sum int64) {
	if len(v.prices) == 0 {
		return 0
	}
	eachStocked(w.sku, w.parts, 1, func(sku string, per int64) {
		sum += per * v.prices[inventory.PositionKey{SKU: sku, Location: location}]
	})
	return sum
}

// parallel calls f for 0 to n−1 on all processors, or on the caller's goroutine of an inline engine, until one call fails or the context ends.
func (e *Engine) parallel(ctx context.Context, n int, f func(i int) error) error {
	var next atomic.Int64
	var failed atomic.Pointer[error]
	var workers sync.WaitGroup
	work := func(work func()) { workers.Go(work) }
	processors := runtime.GOMAXPROCS(0)
	if e.opt.Inline {
		work, processors = func(work func()) { work() }, 1
	}
	for range min(processors, n) {
		work(func() {
			for failed.Load() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				err := ctx.Err()
				if err == nil {
					err = f(i)
				}
				if err != nil {
					failed.CompareAndSwap(nil, &err)
				}
			}
		})
	}
	workers.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}
