package kpi

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/orderly-oms/orderly/internal/money"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/problem"
)

// What values are told apart by.
const (
	ByDay      = "day"
	ByChannel  = "channel"
	ByLocation = "location"
)

const (
	// DefaultDays is how many days are looked at when the question does not say from when.
	DefaultDays = 28
	// MaxValues bounds an answer.
	MaxValues = 20_000
)

// Question asks for KPIs of a span of days.
type Question struct {
	From, To network.Date // both included; default: DefaultDays up to Today
	Today    network.Date // what ages are counted to; required
	By       string       // ByDay, ByChannel, ByLocation, or "": all together
	KPIs     []string     // default: all
	Channel  string       // only this one; "": all
	Location string       // only this one; "": all
}

// Value is a KPI of a day, a channel, a location, or of all together.
type Value struct {
	KPI      string       `json:"kpi"`
	Day      network.Date `json:"day,omitzero"`
	Channel  string       `json:"channel,omitempty"`
	Location string       `json:"location,omitempty"`
	Key      string       `json:"key,omitempty"`      // of a keyed KPI
	Currency string       `json:"currency,omitempty"` // of an amount
	// Numerator and Denominator are what the value was calculated from; of a quantile, the
	// numerator is how many were measured.
	Numerator   int64 `json:"numerator"`
	Denominator int64 `json:"denominator,omitempty"`
	// Value is nil when there was nothing to divide by or to measure.
	Value *float64 `json:"value"`
	// Previous is the value of as many days just before, Change what Value is above it. Nil by day, where the days
	// themselves show the trend, and for what is only known as of now.
	Previous *float64 `json:"previous,omitempty"`
	Change   *float64 `json:"change,omitempty"`
}

// Check fills in what is missing and reports what is wrong (problem.Invalid).
func (q *Question) Check() error {
	var bad problem.Invalid
	if q.To == 0 {
		q.To = q.Today
	}
	if q.From == 0 {
		q.From = q.To.AddDays(1 - DefaultDays)
	}
	switch {
	case q.From > q.To:
		bad.Add("from", problem.OutOfRange, "must not be after to")
	case q.To-q.From >= RetentionDays:
		bad.Add("from", problem.OutOfRange, "at most %d days can be asked for", RetentionDays)
	}
	if q.By != "" {
		problem.OneOf(&bad, "by", q.By, ByDay, ByChannel, ByLocation)
	}
	for _, id := range q.KPIs {
		if _, known := Find(id); !known {
			bad.Add("kpi", problem.Unknown, "there is no KPI %.60q; see /v1/kpis/dictionary", id)
		}
	}
	return bad.Err()
}

// Ask calculates KPIs. The values are in the order of the dictionary, then by day, channel, location,
// currency and key. Errors: problem.Invalid, also when there were more than MaxValues.
func (c *Counters) Ask(q Question) ([]Value, error) {
	if err := q.Check(); err != nil {
		return nil, err
	}
	now, before := c.gather(&q, q.From, q.To), map[group]*sums{}
	if q.By != ByDay {
		before = c.gather(&q, q.From-(q.To-q.From)-1, q.From-1)
	}
	open := c.open(&q)
	out := []Value{}
	for i := range dictionary {
		d := &dictionary[i]
		if len(q.KPIs) > 0 && !slices.Contains(q.KPIs, d.ID) {
			continue
		}
		switch d.calc.how {
		case backlog, backlogAge:
			out = append(out, d.ofBacklog(&q, open)...)
		default:
			out = append(out, c.values(d, now, before)...)
		}
		if len(out) > MaxValues {
			var bad problem.Invalid
			bad.Add("kpi", problem.TooMany, "the answer would have more than %d values; name KPIs, a channel or a location, or fewer days", MaxValues)
			return nil, bad.Err()
		}
	}
	return out, nil
}

// group is what values are given for.
type group struct {
	day               network.Date
	channel, location string
}

// sums are the cells of a group, by currency.
type sums struct {
	all        *cell
	currencies map[string]*cell
}

func (q *Question) wants(p place) bool {
	return (q.Channel == "" || p.channel == q.Channel) && (q.Location == "" || p.location == q.Location)
}

func (q *Question) group(d network.Date, p place) (g group) {
	switch q.By {
	case ByDay:
		g.day = d
	case ByChannel:
		g.channel = p.channel
	case ByLocation:
		g.location = cmp.Or(p.location, NoKey)
	}
	return g
}

// gather adds up the cells of a span of days. Without By there is always one group, even when nothing was counted.
func (c *Counters) gather(q *Question, from, to network.Date) map[group]*sums {
	out := map[group]*sums{}
	if q.By == "" {
		out[group{}] = &sums{all: new(cell), currencies: map[string]*cell{}}
	}
	for on := from; on <= to; on++ {
		d := c.days[on]
		if d == nil {
			continue
		}
		for p, x := range d.cells {
			if !q.wants(p) {
				continue
			}
			g := q.group(on, p)
			into := out[g]
			if into == nil {
				into = &sums{all: new(cell), currencies: map[string]*cell{}}
				out[g] = into
			}
			into.all.add(x, nil)
			if x.counts[ordersShipped] > 0 {
				paid := into.currencies[p.currency]
				if paid == nil {
					paid = new(cell)
					into.currencies[p.currency] = paid
				}
				paid.counts[ordersShipped] += x.counts[ordersShipped]
				paid.counts[shippingCost] += x.counts[shippingCost]
			}
		}
	}
	return out
}

func sorted[T any](of map[group]T) []group {
	return slices.SortedFunc(maps.Keys(of), func(a, b group) int {
		return cmp.Or(cmp.Compare(a.day, b.day), cmp.Compare(a.channel, b.channel), cmp.Compare(a.location, b.location))
	})
}

// values are those of one KPI in all groups.
func (c *Counters) values(d *Definition, now, before map[group]*sums) (out []Value) {
	for _, g := range sorted(now) {
		s, was := now[g], before[g]
		v := Value{KPI: d.ID, Day: g.day, Channel: g.channel, Location: g.location}
		switch {
		case d.Keyed:
			out = append(out, c.parts(d, v, s.all)...)
		case d.Unit == UnitMoney:
			for _, currency := range slices.Sorted(maps.Keys(s.currencies)) {
				v.Currency = currency
				var old *cell
				if was != nil {
					old = was.currencies[currency]
				}
				out = append(out, d.of(v, s.currencies[currency], old))
			}
		case was != nil:
			out = append(out, d.of(v, s.all, was.all))
		default:
			out = append(out, d.of(v, s.all, nil))
		}
	}
	return out
}

// parts are the values of a keyed KPI, the largest first.
func (c *Counters) parts(d *Definition, v Value, x *cell) (out []Value) {
	for _, k := range x.keyed {
		if k.kind == d.calc.kind {
			v.Denominator += k.n
		}
	}
	for _, k := range x.keyed {
		if k.kind == d.calc.kind && k.n > 0 {
			v.Key, v.Numerator = c.keys[k.kind][k.key], k.n
			v.Value = divide(v.Numerator, v.Denominator)
			out = append(out, v)
		}
	}
	slices.SortFunc(out, func(a, b Value) int {
		return cmp.Or(cmp.Compare(b.Numerator, a.Numerator), cmp.Compare(a.Key, b.Key))
	})
	return out
}

// of fills in a value from what was counted, and from what was before; nil: nothing was.
func (d *Definition) of(v Value, x, was *cell) Value {
	v.Numerator, v.Denominator, v.Value = d.calc.apply(x)
	if was != nil {
		_, _, v.Previous = d.calc.apply(was)
		if v.Value != nil && v.Previous != nil {
			change := round(*v.Value - *v.Previous)
			v.Change = &change
		}
	}
	return v
}

func (k *calc) apply(x *cell) (top, over int64, value *float64) {
	if k.how == quantile {
		top = x.spent[k.stage].total()
		if top > 0 {
			seconds := round(x.spent[k.stage].quantile(k.quantile))
			value = &seconds
		}
		return top, 0, value
	}
	for _, n := range k.top {
		top += x.counts[n]
	}
	if k.how == total {
		sum := float64(top)
		return top, 0, &sum
	}
	for _, n := range k.over {
		over += x.counts[n]
	}
	return top, over, divide(top, over)
}

func divide(top, over int64) *float64 {
	if over == 0 {
		return nil
	}
	x := round(float64(top) / float64(over))
	return &x
}

// round leaves six digits behind the point: more say nothing.
func round(x float64) float64 { return math.Round(x*1e6) / 1e6 }

// open is the backlog by group and day of capture.
func (c *Counters) open(q *Question) map[group]map[network.Date]int64 {
	out := map[group]map[network.Date]int64{}
	if q.By == "" {
		out[group{}] = map[network.Date]int64{}
	}
	for on, d := range c.days {
		if on > q.Today || q.By == ByDay && (on < q.From || on > q.To) {
			continue
		}
		for p, x := range d.cells {
			n := x.counts[ordersCaptured] - x.counts[ordersLeft]
			if n == 0 || !q.wants(p) {
				continue
			}
			g := q.group(on, p)
			if out[g] == nil {
				out[g] = map[network.Date]int64{}
			}
			out[g][on] += n
		}
	}
	return out
}

// ofBacklog are the values of a KPI of the backlog.
func (d *Definition) ofBacklog(q *Question, open map[group]map[network.Date]int64) (out []Value) {
	for _, g := range sorted(open) {
		v := Value{KPI: d.ID, Day: g.day, Channel: g.channel, Location: g.location}
		for _, n := range open[g] {
			v.Numerator += n
		}
		switch {
		case d.calc.how == backlog:
			n := float64(v.Numerator)
			v.Value = &n
		case v.Numerator > 0:
			rank := int64(math.Ceil(d.calc.quantile * float64(v.Numerator)))
			days := slices.Sorted(maps.Keys(open[g]))
			for _, on := range slices.Backward(days) { // the youngest first
				if rank -= open[g][on]; rank <= 0 {
					age := float64(q.Today - on)
					v.Value = &age
					break
				}
			}
		}
		out = append(out, v)
	}
	return out
}

// String writes a value with its unit, for people.
func (d *Definition) String(v *Value) string {
	if v.Value == nil {
		return "-"
	}
	switch x := *v.Value; d.Unit {
	case UnitShare:
		return fmt.Sprintf("%.1f %%", 100*x)
	case UnitRatio:
		return fmt.Sprintf("%.3f", x)
	case UnitSeconds:
		return span(x)
	case UnitMoney:
		return money.Format(int64(math.Round(x)), v.Currency) + " " + v.Currency
	case UnitDays:
		return fmt.Sprintf("%.0f d", x)
	default:
		return fmt.Sprintf("%.0f", x)
	}
}

// span writes seconds in the unit that fits.
func span(seconds float64) string {
	switch {
	case seconds < 120:
		return fmt.Sprintf("%.3g s", seconds)
	case seconds < 2*60*60:
		return fmt.Sprintf("%.3g min", seconds/60)
	case seconds < 2*24*60*60:
		return fmt.Sprintf("%.3g h", seconds/(60*60))
	}
	return fmt.Sprintf("%.3g d", seconds/(24*60*60))
}
