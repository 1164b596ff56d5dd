package engine

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/money"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/sourcing"
)

// placement is the outcome of placing the unplaced units of an order.
type placement struct {
	events   []order.Event
	unplaced []order.LineQuantity
	rejected bool // the policy refuses an order that cannot be placed whole
	plan     *order.Plan
	policy   string // that decided, name@version; "": none was asked
}

func (p *placement) missing() bool { return len(p.unplaced) > 0 }

func (p *placement) outOfStock(o *order.Order) error {
	q := p.unplaced[0]
	at := slices.IndexFunc(o.Lines, func(l order.Line) bool { return l.ID == q.Line })
	return &order.Refusal{
		Code: CodeOutOfStock, Pointer: fmt.Sprintf("lines[%d].quantity", at),
		Message: fmt.Sprintf("%d units of %s are not available", q.Quantity, o.Lines[at].SKU),
	}
}

// demand is the units of an order line that are to be placed.
type demand struct {
	line *order.Line
	left int64
}

// share collects what one location is given.
type share struct {
	lines, reserved []order.LineQuantity
	service, via    string
	carrier         int64
	reason          string
	rule            string
	beyond          bool // it is given even beyond the location's capacity
}

// placing is one order being placed.
type placing struct {
	e    *Engine
	tx   *Tx // nil: nothing is carried out
	book *inventory.Book
	now  time.Time
	s    *sources
	o    *order.Order
	// policy, when not nil, decides instead of the one in force; name is how decisions call it, "": candidate.
	policy  *policy.Compiled
	name    string
	promise *promiseRules // when not nil, dates instead of those in force
	unsplit bool          // all from one location, or nothing
	// asked: a person wants it, so that units which came back from as many locations as the policy allows are tried once more.
	asked  bool
	shares map[string]*share
	taken  map[inventory.PositionKey]int64
	plan   order.Plan
	digits int
	rules  promiseRules
	held   *claimed // nil: nothing
}

// place decides which locations get the unplaced units of an order: first
// those where a claimed reservation holds them, then by the policy in force.
func (e *Engine) place(tx *Tx, s *sources, o *order.Order, held *claimed) (*placement, error) {
	return (&placing{e: e, tx: tx, book: tx.Book(), now: tx.Now, s: s, o: o}).run(held)
}

func (p *placing) run(held *claimed) (*placement, error) {
	out, err := p.choose(held)
	if err != nil {
		return nil, err
	}
	if len(out.unplaced) > 0 {
		p.wait()
	}
	out.events, err = p.o.Place(p.plan, p.now)
	return out, err
}

// choose fills in the plan.
func (p *placing) choose(held *claimed) (*placement, error) {
	e, o := p.e, p.o
	p.shares, p.taken = map[string]*share{}, map[inventory.PositionKey]int64{}
	p.digits, _ = money.Exponent(o.Currency)
	of := orderFacts(o)
	if p.promise != nil {
		p.rules = *p.promise
	} else {
		p.rules = e.promiseRules(&of, p.now)
	}
	demands := make([]demand, 0, len(o.Lines))
	for _, q := range o.Unplaced() {
		demands = append(demands, demand{line: o.Line(q.Line), left: q.Quantity})
	}
	p.held = held
	p.takeOffer(demands)
	action := order.Waiting{Action: order.WaitBackorder}
	var spent []string // lines that nobody else is asked for
	if all := wants(demands); len(all) > 0 {
		compiled, name := p.policy, cmp.Or(p.name, "candidate")
		if compiled == nil {
			compiled, name = e.sourcingPolicy(o, demands, p.now)
		}
		p.name = name
		if spent = exhausted(o, compiled); len(spent) > 0 && !p.asked {
			all = wants(without(demands, spent))
		}
		if p.unsplit {
			compiled = e.unsplit(compiled)
		}
		for _, group := range independent(all) {
			action = p.decide(group, compiled, name)
		}
		// What no rule placed stays where the reservation holds it: it was promised.
		p.takeHeld(demands, "reservation", "a reservation holds the units here")
	}
	out := &placement{rejected: action.Action == actionReject, plan: &p.plan, policy: p.name}
	for _, d := range demands {
		if d.left > 0 {
			q := order.LineQuantity{Line: d.line.ID, Quantity: d.left}
			out.unplaced = append(out.unplaced, q)
			if slices.Contains(spent, q.Line) {
				p.plan.Exhausted = append(p.plan.Exhausted, q)
			}
		}
	}
	if n := len(p.plan.Exhausted); n > 0 && n == len(out.unplaced) {
		action = order.Waiting{Action: order.WaitException}
	}
	p.plan.Unplaced, p.plan.Waiting = out.unplaced, action
	if action.Action == actionReject {
		p.plan.Waiting.Action = order.WaitBackorder // of an order that exists already
	}
	return out, p.place(held)
}

// exhausted are the lines of which units came back from as many locations as the policy allows.
func exhausted(o *order.Order, c *policy.Compiled) (lines []string) {
	most := c.Sourcing.MaxAttempts
	if int64(len(o.Fulfillments)) < most {
		return nil
	}
	for _, q := range o.Unplaced() {
		if o.Attempted(q.Line) >= most {
			lines = append(lines, q.Line)
		}
	}
	return lines
}

// without brings the demands of other lines to the front, and returns those.
func without(demands []demand, lines []string) []demand {
	var back []demand
	n := 0
	for _, d := range demands {
		if slices.Contains(lines, d.line.ID) {
			back = append(back, d)
			continue
		}
		demands[n] = d
		n++
	}
	copy(demands[n:], back)
	return demands[:n]
}

// actionReject is the policy's word for refusing an order at capture.
const actionReject = "reject"

// decide lets the policy place some wants, books the result, and says what the rest waits for.
func (p *placing) decide(group []*want, c *policy.Compiled, name string) order.Waiting {
	f := p.facts(group, p.e.needs(c))
	d := sourcing.Decide(f, c, name)
	for i := range d.Shipments {
		s := &d.Shipments[i]
		sh := p.give(s.Location)
		sh.service, sh.via, sh.carrier = s.Service, s.Via, sh.carrier+s.Carrier
		sh.reason, sh.rule = sourcing.Reason(d, s, p.digits), name
		sh.beyond = sh.beyond || ignoresCapacity(c, s.Group)
		for _, u := range s.Lines {
			w := group[slices.IndexFunc(group, func(w *want) bool { return w.id == u.Line })]
			reserved := p.held.use(w.sku, s.Location, u.Quantity)
			w.give(sh, u.Quantity, reserved)
			eachStocked(w.sku, w.parts, u.Quantity-reserved, func(sku string, n int64) {
				p.taken[inventory.PositionKey{SKU: sku, Location: s.Location}] += n
			})
		}
	}
	if len(d.Shipments) > 0 || p.o.Attempts == 0 && p.o.Waiting == nil && p.o.RetryAt.IsZero() {
		p.plan.Decisions = append(p.plan.Decisions, d) // looking again in vain is not worth a record
	}
	w := order.Waiting{Action: order.WaitBackorder}
	if d.Otherwise != "" {
		w = order.Waiting{Action: d.Otherwise, Queue: d.Queue, CancelAt: d.CancelAt}
	}
	return w
}

// place turns shares into placements, ascending by location.
func (p *placing) place(held *claimed) error {
	for _, location := range slices.Sorted(maps.Keys(p.shares)) { // in order: opening capacity is logged
		sh := p.shares[location]
		pl := order.Placement{
			Location: location, Lines: sh.lines, Reserved: sh.reserved, Service: sh.service, Via: sh.via, Cost: sh.carrier,
			Decision: order.Decision{Rule: sh.rule, Candidates: len(p.s.locations), Excluded: p.o.Excluded, Reason: sh.reason},
		}
		if pl.Service == "" {
			pl.Service = p.o.Service
		}
		if !held.promised(&pl) {
			p.date(&pl)
		}
		if pl.Cost == 0 {
			pl.Cost = p.charge(&pl)
		}
		if at := p.s.at(location); p.tx != nil && at >= 0 {
			var err error
			if pl.Capacity, err = p.tx.useCapacity(p.s.locations[at], p.o, pl.Lines, sh.beyond); err != nil {
				return err
			}
		}
		p.plan.Placements = append(p.plan.Placements, pl)
	}
	return nil
}

// wait sets when units that no location has are looked for again, and what is known of when they come.
func (p *placing) wait() {
	w := &p.plan.Waiting
	switch w.Action {
	case order.WaitHold, order.WaitException, order.WaitCancel:
		return
	}
	p.plan.Retry = p.e.retryAt(p.o, p.plan.Unplaced, p.now)
	w.ExpectedAt = p.e.expectedAt(p.s, p.o, p.plan.Unplaced, p.now)
}

func ignoresCapacity(c *policy.Compiled, group string) bool {
	return slices.ContainsFunc(c.Sourcing.Groups, func(g policy.CompiledGroup) bool { return g.Name == group && g.Limits.IgnoreCapacity })
}

func (p *placing) give(location string) *share {
	sh := p.shares[location]
	if sh == nil {
		sh = &share{}
		p.shares[location] = sh
	}
	return sh
}

// add gives q more units of a line to the location, of which held were reserved.
func (sh *share) add(l *order.Line, q, held int64) {
	sh.lines = addLine(sh.lines, l.ID, q)
	if held > 0 {
		sh.reserved = addLine(sh.reserved, l.ID, held)
	}
}

func addLine(lines []order.LineQuantity, id string, q int64) []order.LineQuantity {
	for i := range lines {
		if lines[i].Line == id {
			lines[i].Quantity += q
			return lines
		}
	}
	return append(lines, order.LineQuantity{Line: id, Quantity: q})
}

func eachStocked(sku string, parts []inventory.Part, q int64, f func(sku string, n int64)) {
	if len(parts) == 0 {
		f(sku, q)
		return
	}
	for _, p := range parts {
		f(p.SKU, p.Quantity*q)
	}
}

// lessTaken reduces what a location may give of a SKU by what this decision
// already took there; for kits, by the component that limits most.
func lessTaken(units int64, w *want, location string, taken map[inventory.PositionKey]int64) int64 {
	left := units
	eachStocked(w.sku, w.parts, 1, func(sku string, per int64) {
		if t := taken[inventory.PositionKey{SKU: sku, Location: location}]; t > 0 {
			left = min(left, units-(t+per-1)/per)
		}
	})
	return max(left, 0)
}

// sourcingPolicy is the policy that decides about an order, with its name and version: the challenger of an experiment
// when the order is in its group, else the one in force.
func (e *Engine) sourcingPolicy(o *order.Order, demands []demand, now time.Time) (*policy.Compiled, string) {
	if c := e.challenger(o); c != nil {
		return c.policy, c.name
	}
	of := orderFacts(o)
	f := policy.Facts{Order: &of, Now: now}
	for _, w := range wants(demands) {
		if !e.Policies().UsesLines(policy.KindSourcing) {
			break
		}
		l := e.lineFacts(w)
		f.Lines = append(f.Lines, policy.OrderLine{Line: &l.Facts, SKU: l.SKU})
	}
	c, version := e.choose(policy.KindSourcing, &f)
	return c, policyName(c, version)
}

// retryAt is when units that no location has are looked for next: at the next
// supply of one of them, or after a wait that grows with the age of the order.
func (e *Engine) retryAt(o *order.Order, missing []order.LineQuantity, now time.Time) time.Time {
	const least, most = 5 * time.Minute, 6 * time.Hour
	wait := min(max(now.Sub(o.CreatedAt)/4, least), most)
	at := now.Add(wait)
	for _, q := range missing {
		e.Book().EachSupply(o.Line(q.Line).SKU, func(s inventory.Supply) bool {
			if s.ExpectedAt.After(now) && s.ExpectedAt.Before(at) {
				at = s.ExpectedAt
			}
			return !s.ExpectedAt.After(now)
		})
	}
	return at
}

// expectedAt is when supply at the order's locations is due for every missing unit;
// zero when some of it is not announced. Supply that others wait for as well is counted for each.
func (e *Engine) expectedAt(s *sources, o *order.Order, missing []order.LineQuantity, now time.Time) (at time.Time) {
	for _, q := range missing {
		need, due := q.Quantity, time.Time{}
		e.Book().EachSupply(o.Line(q.Line).SKU, func(sup inventory.Supply) bool {
			if sup.ExpectedAt.After(now) && s.has(sup.Location) {
				need -= sup.Quantity
				due = sup.ExpectedAt
			}
			return need > 0
		})
		if need > 0 {
			return time.Time{}
		}
		if due.After(at) {
			at = due
		}
	}
	return at
}
