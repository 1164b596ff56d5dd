package price

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Limits of what a learner remembers and prices.
const (
	DefaultMaxClasses   = 5_000
	MaxClasses          = 100_000
	DefaultMaxPositions = 100_000
	MaxPositions        = 1_000_000
	MaxScenarios        = 64
	MaxRounds           = 10_000
)

// Options say how a learner learns. The zero value takes every default.
type Options struct {
	// HalfLife is the age at which an order counts half; 0: orders do not age. A
	// shift of demand is noticed either way.
	HalfLife time.Duration
	// MaxClasses are remembered, the rarest dropped first. 0: DefaultMaxClasses.
	MaxClasses int
	// MaxPositions are priced, those with the most orders in sight. 0: DefaultMaxPositions.
	MaxPositions int
	// Scenarios are the futures drawn in each solve; prices are their mean. 0: 8.
	Scenarios int
	// Rounds of ascent per scenario, after a first solve that takes three times as many. 0: 60.
	Rounds int
	// Seed of the futures. The same seed and orders give the same prices.
	Seed uint64
}

func (o *Options) check() error {
	for _, f := range []struct {
		name           string
		value          *int
		standard, most int
	}{
		{"classes", &o.MaxClasses, DefaultMaxClasses, MaxClasses},
		{"positions", &o.MaxPositions, DefaultMaxPositions, MaxPositions},
		{"scenarios", &o.Scenarios, 8, MaxScenarios},
		{"rounds", &o.Rounds, 60, MaxRounds},
	} {
		if *f.value == 0 {
			*f.value = f.standard
		}
		if *f.value < 1 || *f.value > f.most {
			return fmt.Errorf("%s must be 1 to %d, not %d", f.name, f.most, *f.value)
		}
	}
	if o.HalfLife < 0 {
		return fmt.Errorf("half-life %s is negative", o.HalfLife)
	}
	return nil
}

// seen is one class with the weight of its orders.
type seen struct {
	zone, basket string
	lines        []Line
	weight       float64 // at the learner's epoch
}

// Learner learns which orders come and what stock is worth to them. It lives as
// long as the process: Observe takes each order, Solve makes prices now and then. One
// goroutine uses it at a time; what Solve returns is safe to share.
type Learner struct {
	options Options
	began   time.Time // when what is remembered began
	epoch   time.Time // at which a new order weighs 1
	last    time.Time
	classes map[string]*seen
	total   float64
	shift   shift
	warm    map[position]float64 // prices of the last solve
	version int64
}

type position struct{ sku, location string }

// NewLearner returns a learner that begins to count time at the given moment.
func NewLearner(o Options, at time.Time) (*Learner, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	l := &Learner{options: o, warm: map[position]float64{}}
	l.forget(at)
	return l, nil
}

// forget begins anew.
func (l *Learner) forget(at time.Time) {
	l.began, l.epoch, l.last = at, at, at
	l.classes, l.total = map[string]*seen{}, 0
	l.shift.reset()
}

// basketOf returns the lines sorted and merged, and a key for them.
func basketOf(lines []Line) ([]Line, string) {
	sorted := slices.Clone(lines)
	slices.SortFunc(sorted, func(a, b Line) int { return cmp.Compare(a.SKU, b.SKU) })
	merged := sorted[:0]
	for _, line := range sorted {
		switch n := len(merged); {
		case line.Quantity <= 0:
		case n > 0 && merged[n-1].SKU == line.SKU:
			merged[n-1].Quantity += line.Quantity
		default:
			merged = append(merged, line)
		}
	}
	var key strings.Builder
	for _, line := range merged {
		key.WriteString(strconv.Quote(line.SKU))
		key.WriteString(strconv.FormatInt(line.Quantity, 10))
	}
	return merged, key.String()
}

// Observe takes notice of one order, whatever became of it. An order of more than
// MaxLines SKUs counts as several. Times before the last one count as that.
func (l *Learner) Observe(zone string, lines []Line, at time.Time) {
	merged, _ := basketOf(lines)
	for part := range slices.Chunk(merged, MaxLines) {
		_, key := basketOf(part)
		l.observe(event{zone: zone, basket: key, lines: part, at: later(at, l.last)})
	}
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// event is one order as it came.
type event struct {
	zone, basket string
	lines        []Line
	at           time.Time
}

func (l *Learner) observe(e event) {
	if since, moved := l.shift.judge(e); moved {
		// Demand is another one since then: only what came after tells about it.
		l.forget(since[0].at)
		for _, old := range since {
			l.count(old)
			l.shift.learn(old)
		}
	}
	l.count(e)
	l.shift.learn(e)
}

// count adds one order to its class.
func (l *Learner) count(e event) {
	l.last = e.at
	key := strconv.Quote(e.zone) + e.basket
	c := l.classes[key]
	if c == nil {
		if len(l.classes) >= l.options.MaxClasses {
			l.evict()
		}
		c = &seen{zone: e.zone, basket: e.basket, lines: e.lines}
		l.classes[key] = c
	}
	w := l.growth(e.at)
	c.weight += w
	l.total += w
	if w > 1e9 {
		l.rebase(e.at, w)
	}
}

// growth is how much more an order at that time weighs than one at the epoch.
func (l *Learner) growth(at time.Time) float64 {
	if l.options.HalfLife == 0 {
		return 1
	}
	return math.Exp2(float64(at.Sub(l.epoch)) / float64(l.options.HalfLife))
}

// rebase moves the epoch before weights become too large.
func (l *Learner) rebase(at time.Time, w float64) {
	for _, c := range l.classes {
		c.weight /= w
	}
	l.total /= w
	l.epoch = at
}

// evictShare of the classes go at once, so that dropping costs little per order.
const evictShare = 10

// evict drops the rarest tenth of the classes, of equals those with the last keys.
func (l *Learner) evict() {
	keys := make([]string, 0, len(l.classes))
	for k := range l.classes {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int {
		return cmp.Or(cmp.Compare(l.classes[a].weight, l.classes[b].weight), cmp.Compare(b, a))
	})
	for _, k := range keys[:max(1, len(keys)/evictShare)] {
		l.total -= l.classes[k].weight
		delete(l.classes, k)
	}
}

// Classes is how many classes of orders are remembered.
func (l *Learner) Classes() int { return len(l.classes) }

// Orders is how many orders, aged, the learner knows at its last observation.
func (l *Learner) Orders() float64 { return l.total / l.growth(l.last) }

// Since is when what the learner knows began: its start, or the last shift of demand.
func (l *Learner) Since() time.Time { return l.began }
