package reassess

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/past"
	"github.com/orderly-oms/orderly/internal/replay"
	"github.com/orderly-oms/orderly/internal/sourcing/exact"
)

const (
	// minBoundRounds and maxBoundRounds are how many rounds prices are improved in; between them so many that
	// boundPlans orders are planned in all.
	minBoundRounds = 60
	maxBoundRounds = 1500
	boundPlans     = 1_000_000
	// boundWork bounds the search for one order's plan; beyond it its bound is taken instead of its cost.
	boundWork = 200_000
	// longPeriods is from how many days on periods are weeks and not days.
	longPeriods = 21
)

// boundMethod says what the bound is.
const boundMethod = "Lagrangian dual: with the whole of the future known, and everything that was ever received there from the beginning, " +
	"no way of serving these orders could have paid carriers less. Capacity, opening hours and promises are left out of it, so it may be lower than what can be reached. " +
	"It covers orders that were shipped whole in every run; what single weeks or days have of it is their share of the whole."

// LeastCost calculates what carriers must be paid at least for the orders that all runs shipped whole, with Costs of each
// run for the same orders. It knows the rates and the network of the history: with runs in another network or at other rates it is
// still what the history's could have done. Nil: no order can be covered, or the base costs less than the rates allow.
func LeastCost(ctx context.Context, open replay.Open, runs []*replay.Result) (*Bound, error) {
	covered := coveredOrders(runs)
	if len(covered) == 0 {
		return nil, nil
	}
	b := &bounding{covered: covered, desk: engine.NewDesk(), classes: map[string]int{}, rows: map[inventory.PositionKey]int32{}, dual: &dual{}}
	b.dual.solver.Work = boundWork
	if err := b.read(ctx, open); err != nil {
		return nil, err
	}
	if b.orders == 0 {
		return nil, nil
	}
	b.supply()
	least, prices, err := b.dual.ascend(ctx, min(max(boundPlans/len(b.dual.classes), minBoundRounds), maxBoundRounds))
	if err != nil {
		return nil, err
	}
	out := b.bound(least, prices, runs)
	if costs, least := out.costs(len(runs)); costs[0] < least {
		return nil, nil // the costs on record are not those of the rates, which the bound goes by
	}
	return out, nil
}

// coveredOrders are those that every run has and shipped whole, by number.
func coveredOrders(runs []*replay.Result) map[int64]bool {
	count := map[int64]int{}
	for _, r := range runs {
		for i := range r.Orders {
			if o := &r.Orders[i]; o.Number >= 0 && o.Units > 0 && o.Sent == o.Units {
				count[o.Number]++
			}
		}
	}
	out := map[int64]bool{}
	for n, times := range count {
		if times == len(runs) {
			out[n] = true
		}
	}
	return out
}

// bounding gathers the problem from the history.
type bounding struct {
	covered  map[int64]bool // taken out where the bound cannot say anything
	desk     *engine.Desk
	dual     *dual
	classes  map[string]int // by what makes them alike
	rows     map[inventory.PositionKey]int32
	received map[inventory.PositionKey]int64
	days     []string // of covered orders, in order
	orders   int
	byDay    []map[int]float64 // orders by class, per day
}

func (b *bounding) read(ctx context.Context, open replay.Open) error {
	r, err := open()
	if err != nil {
		return err
	}
	defer r.Close()
	b.received = map[inventory.PositionKey]int64{}
	for n := 0; ; n++ {
		var e past.Entry
		switch err := r.Next(&e); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if n%1000 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err := b.entry(&e); err != nil {
			return err
		}
	}
}

func (b *bounding) entry(e *past.Entry) error {
	switch {
	case e.Document != nil && !e.Document.Removed:
		v, err := engine.ReadDocument(e.Document.Kind, e.Document.JSON)
		if err != nil {
			return err
		}
		b.desk.Put(v)
	case e.Stock != nil:
		for i := range e.Stock {
			if n := e.Stock[i].OnHand; n > 0 {
				b.received[e.Stock[i].PositionKey] += n
			}
		}
	case e.Step != nil:
		b.came(e.Step.Moves)
	case e.Decision != nil:
		b.came(e.Decision.Moves)
		if d := e.Decision; d.First && b.covered[d.Order] {
			if !b.order(d.State, e.At) {
				delete(b.covered, d.Order)
			}
		}
	}
	return nil
}

// came notes units that orders brought back, or that were found.
func (b *bounding) came(moves []inventory.Movement) {
	for i := range moves {
		if n := moves[i].Delta().OnHand; n > 0 {
			b.received[inventory.PositionKey{SKU: moves[i].SKU, Location: moves[i].Location}] += n
		}
	}
}

// order adds an order; false: the bound cannot cover it.
func (b *bounding) order(o *order.Order, at time.Time) bool {
	if o.Method != order.Ship || o.ShipTo == nil || o.RequiredLocation != "" {
		return false
	}
	legs, key := b.ways(o)
	if len(legs) == 0 {
		return false
	}
	lines := linesOf(o)
	if len(lines) == 0 || len(lines) > exact.MaxLines {
		return false
	}
	for _, l := range lines {
		key += fmt.Sprintf("|%s*%d", l.sku, l.units)
	}
	i, known := b.classes[key]
	if !known {
		i = len(b.dual.classes)
		b.classes[key] = i
		b.dual.classes = append(b.dual.classes, b.class(legs, lines))
	}
	b.dual.classes[i].count++
	b.orders++
	day := at.UTC().Format(time.DateOnly)
	if n := len(b.days); n == 0 || b.days[n-1] != day {
		b.days, b.byDay = append(b.days, day), append(b.byDay, map[int]float64{})
	}
	b.byDay[len(b.days)-1][i]++
	return true
}

// boundLine is units of one stocked SKU.
type boundLine struct {
	sku          string
	units, grams int64
}

func linesOf(o *order.Order) (out []boundLine) {
	add := func(sku string, n int64) {
		for i := range out {
			if out[i].sku == sku {
				out[i].units += n
				return
			}
		}
		out = append(out, boundLine{sku: sku, units: n})
	}
	for i := range o.Lines {
		l := &o.Lines[i]
		if len(l.Parts) == 0 {
			add(l.SKU, l.Quantity)
		}
		for _, p := range l.Parts {
			add(p.SKU, p.Quantity*l.Quantity)
		}
	}
	slices.SortFunc(out, func(a, b boundLine) int { return cmp.Compare(a.sku, b.sku) })
	return out
}

// way is one location with one service.
type way struct {
	location string
	rate     *network.Rate
}

// ways are from where an order can be sent, and what makes orders alike that can be sent so.
func (b *bounding) ways(o *order.Order) (out []way, key string) {
	d := b.desk.Directory()
	services := []string{o.Service}
	if o.Service == "" {
		services = services[:0]
		for _, c := range d.Carriers() {
			for i := range c.Services {
				services = append(services, c.Services[i].ID)
			}
		}
	}
	var k strings.Builder
	for _, l := range d.Eligible(o.Channel, network.CanShip) {
		for _, id := range services {
			t, ok := d.Tariff(id)
			if !ok {
				continue
			}
			leg, err := t.Leg(&l.Address, o.ShipTo)
			if err != nil || leg.Currency != o.Currency {
				continue
			}
			out = append(out, way{l.ID, leg.Rate})
			fmt.Fprintf(&k, "%s %p;", l.ID, leg.Rate) // rates of one zone are one value
		}
	}
	return out, k.String()
}

// scaled is a tariff in the dual's units.
type scaled struct{ rate *network.Rate }

// Price implements exact.Tariff.
func (s scaled) Price(grams int64) (int64, bool) {
	n, ok := s.rate.Price(grams)
	return n * dualScale, ok
}

// never is what a unit costs that is not shipped: more than any shipment, for the orders were shipped.
const never = int64(1) << 36

func (b *bounding) class(ways []way, lines []boundLine) dualClass {
	c := dualClass{problem: exact.Problem{MaxShipments: exact.NoLimit, Split: exact.SplitAlways}}
	for i := range lines {
		l := &lines[i]
		if s, ok := b.desk.Catalog().Get(l.sku); ok {
			l.grams = s.WeightG
		}
		c.problem.Lines = append(c.problem.Lines, exact.Line{Quantity: l.units, Unfilled: never / l.units, Grams: l.grams})
	}
	tariffs := map[*network.Rate]int{}
	for _, w := range ways {
		t, known := tariffs[w.rate]
		if !known {
			t = len(c.problem.Tariffs)
			tariffs[w.rate] = t
			c.problem.Tariffs = append(c.problem.Tariffs, scaled{w.rate})
		}
		l := exact.Location{Tariff: t, MaxUnits: exact.NoLimit, MaxValue: exact.NoLimit}
		positions := make([]int32, len(lines))
		for i := range lines {
			l.Available = append(l.Available, lines[i].units)
			l.Unit = append(l.Unit, 0)
			positions[i] = b.row(inventory.PositionKey{SKU: lines[i].sku, Location: w.location})
		}
		c.problem.Locations = append(c.problem.Locations, l)
		c.positions = append(c.positions, positions)
		c.base = append(c.base, make([]int64, len(lines)))
	}
	return c
}

func (b *bounding) row(k inventory.PositionKey) int32 {
	at, ok := b.rows[k]
	if !ok {
		at = int32(len(b.rows))
		b.rows[k] = at
	}
	return at
}

// supply is everything that ever was at each position. Positions that never had a unit give nothing.
func (b *bounding) supply() {
	b.dual.supply = make([]float64, len(b.rows))
	for k, at := range b.rows {
		b.dual.supply[at] = float64(b.received[k])
	}
	for i := range b.dual.classes {
		c := &b.dual.classes[i]
		for k := range c.positions {
			for l, at := range c.positions[k] {
				c.problem.Locations[k].Available[l] = min(c.problem.Locations[k].Available[l], int64(b.dual.supply[at]))
			}
		}
	}
}

// bound is the whole with what each period has of it: its orders' plans at the prices, less its part of the worth of the stock.
func (b *bounding) bound(least float64, prices []int64, runs []*replay.Result) *Bound {
	b.dual.value(prices) // so that costs are those of the best prices
	out := &Bound{Method: boundMethod, Orders: int64(b.orders), Cost: int64(least / dualScale)}
	plans := 0.0
	for i := range b.dual.classes {
		plans += b.dual.classes[i].cost
	}
	share := 0.0
	if plans > 0 {
		share = least / plans
	}
	last := time.Time{}
	for i, day := range b.days {
		at, _ := time.Parse(time.DateOnly, day)
		if n := len(out.Periods); n == 0 || len(b.days) < longPeriods || at.Sub(last) >= 7*24*time.Hour {
			out.Periods, last = append(out.Periods, BoundPeriod{From: day, Costs: make([]int64, len(runs))}), at
		}
		p := &out.Periods[len(out.Periods)-1]
		p.Until = day
		for class, n := range b.byDay[i] {
			c := &b.dual.classes[class]
			p.Orders += int64(n)
			p.Bound += int64(share * c.cost / c.count * n / dualScale)
		}
	}
	for r := range runs {
		for i := range runs[r].Orders {
			o := &runs[r].Orders[i]
			if !b.covered[o.Number] {
				continue
			}
			day := o.At.UTC().Format(time.DateOnly)
			at, _ := slices.BinarySearchFunc(out.Periods, day, func(p BoundPeriod, day string) int {
				if p.Until < day {
					return -1
				}
				return 1
			})
			if at < len(out.Periods) {
				out.Periods[at].Costs[r] += o.Cost
			}
		}
	}
	return out
}
