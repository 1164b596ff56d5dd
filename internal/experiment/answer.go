package experiment

import (
	"fmt"
	"math"
	"strconv"

	"github.com/orderly-oms/orderly/internal/money"
	"github.com/orderly-oms/orderly/internal/stats"
)

// Answer is what the test says. Figures are per order, costs in minor units.
type Answer struct {
	Metric     string  `json:"metric"`
	Currency   string  `json:"currency,omitempty"` // of a cost
	Incumbent  float64 `json:"incumbent"`
	Challenger float64 `json:"challenger"`
	Orders     int64   `json:"orders"` // behind it, of both groups together
	// Difference is challenger − incumbent, Low and High the interval that holds at every look; nil: too few orders.
	Difference *float64 `json:"difference,omitempty"`
	Low        *float64 `json:"low,omitempty"`
	High       *float64 `json:"high,omitempty"`
	Level      float64  `json:"level_percent"`
	Sure       bool     `json:"sure"` // the answer is in: the interval does not contain 0
	// MoreOrders is roughly how many more are needed if the difference stays what it is; 0: none, or nobody can say.
	MoreOrders int64  `json:"more_orders,omitempty"`
	Text       string `json:"text"`
	// Caution says why the level may not hold.
	Caution string `json:"caution,omitempty"`
}

// Answer looks at what was counted.
func (s *Setup) Answer(c *Counts) *Answer {
	a := &Answer{Metric: s.Test.Metric, Level: s.Test.LevelPercent}
	if a.Metric == Cost {
		a.Currency = s.Currency
	}
	base, other := c.Incumbent.metric(a.Metric), c.Challenger.metric(a.Metric)
	a.Orders = base.N + other.N
	if s.Mode == Shadow {
		// The same orders are in both: what is tested is their difference, against nothing.
		p := c.Compared.metric(a.Metric)
		a.Incumbent, a.Challenger, a.Orders = round(p.Incumbent.Mean), round(p.Challenger.Mean), p.Difference.N
		base, other = stats.Group{N: p.Difference.N}, p.Difference
	} else {
		a.Incumbent, a.Challenger = round(base.Mean), round(other.Mean)
	}
	if s.Split == ByRegion {
		a.Caution = "orders of one region are alike, and the interval takes them for independent: it is too narrow when there are few regions"
	}
	low, high, ok := stats.Sequence(base, other, a.Level/100, s.Test.ExpectedOrders)
	if !ok {
		a.Text = a.few(s.Mode, base.N, other.N)
		return a
	}
	difference := round(other.Mean - base.Mean)
	low, high = round(low), round(high)
	a.Difference, a.Low, a.High = &difference, &low, &high
	a.Sure = low > 0 || high < 0
	if !a.Sure {
		a.MoreOrders = s.more(base, other)
		if s.Mode == Shadow {
			a.MoreOrders = (a.MoreOrders + 1) / 2 // every order is in both
		}
	}
	a.Text = a.sentence()
	return a
}

func (a *Answer) few(mode string, base, other int64) string {
	if mode == Shadow {
		return fmt.Sprintf("Too few orders to say: at least %d must be compared, there are %d.", stats.MinGroup, other)
	}
	return fmt.Sprintf("Too few orders to say: at least %d must have finished in each group; there are %d of the incumbent and %d of the challenger.", stats.MinGroup, base, other)
}

// mostOrders is how far more looks ahead, as a multiple of what there is.
const mostOrders = 1 << 14

// more is roughly how many more orders make the answer sure; 0: more than anybody should wait for.
func (s *Setup) more(base, other stats.Group) int64 {
	sure := func(k float64) bool {
		grown := func(g stats.Group) stats.Group {
			n := int64(math.Ceil(float64(g.N) * k))
			return stats.Group{N: n, Mean: g.Mean, Square: g.Square / float64(g.N-1) * float64(n-1)}
		}
		low, high, ok := stats.Sequence(grown(base), grown(other), s.Test.LevelPercent/100, s.Test.ExpectedOrders)
		return ok && (low > 0 || high < 0)
	}
	low, high := 1.0, 2.0
	for !sure(high) {
		if low, high = high, 2*high; high > mostOrders {
			return 0
		}
	}
	for high/low > 1.02 {
		if middle := math.Sqrt(low * high); sure(middle) {
			high = middle
		} else {
			low = middle
		}
	}
	return twoDigits(int64(math.Ceil(float64(base.N+other.N) * (high - 1))))
}

// twoDigits rounds up to two digits: it is an estimate.
func twoDigits(n int64) int64 {
	step := int64(1)
	for n/step >= 100 {
		step *= 10
	}
	return (n + step - 1) / step * step
}

// sentence says it in words.
func (a *Answer) sentence() string {
	d, low, high := *a.Difference, *a.Low, *a.High
	level := strconv.FormatFloat(a.Level, 'f', -1, 64)
	if a.Sure {
		near, far := math.Abs(low), math.Abs(high)
		return fmt.Sprintf("The answer is in: %s (%s to %s, at %s %%).", a.phrase(d), a.amount(min(near, far)), a.amount(max(near, far)), level)
	}
	text := fmt.Sprintf("Not in yet: so far %s, but anything from %s to %s fits what was seen (at %s %%).", a.phrase(d), a.signed(low), a.signed(high), level)
	if a.MoreOrders > 0 {
		return text + fmt.Sprintf(" If it stays so, about %d more orders are needed.", a.MoreOrders)
	}
	return text + " If it stays so, no reasonable number of orders will tell the two apart."
}

// phrases say what the challenger does compared with the incumbent, when its figure is lower and when it is higher.
var phrases = map[string][2]string{
	Cost:        {"the challenger costs %s less per order", "the challenger costs %s more per order"},
	Shipments:   {"the challenger sends %s shipments less per order", "the challenger sends %s shipments more per order"},
	PromiseKept: {"the challenger keeps promises %s less often", "the challenger keeps promises %s more often"},
	Cancelled:   {"the part of the units that is cancelled is %s smaller with the challenger", "the part of the units that is cancelled is %s larger with the challenger"},
	Touches:     {"the challenger needs %s touches less per order", "the challenger needs %s touches more per order"},
	PromiseDays: {"the challenger promises %s days sooner", "the challenger promises %s days later"},
}

func (a *Answer) phrase(d float64) string {
	which := 1
	if d < 0 {
		which = 0
	}
	return fmt.Sprintf(phrases[a.Metric][which], a.amount(math.Abs(d)))
}

// amount writes a figure that is not negative.
func (a *Answer) amount(x float64) string {
	switch a.Metric {
	case Cost:
		places, _ := money.Exponent(a.Currency)
		return strconv.FormatFloat(x/math.Pow10(places), 'f', places, 64) + " " + a.Currency
	case PromiseKept, Cancelled:
		return strconv.FormatFloat(100*x, 'f', 2, 64) + " percentage points"
	}
	return strconv.FormatFloat(x, 'f', 3, 64)
}

func (a *Answer) signed(x float64) string {
	if x < 0 {
		return a.amount(-x) + " less"
	}
	return a.amount(x) + " more"
}

// Ends is why the experiment is to stop now, by what was counted and what is in force; nil: it goes on. Harm comes first.
func (x *Experiment) Ends(c *Counts, incumbents []string) *Stop {
	if x.State != Running {
		return nil
	}
	if b := x.Breached(c); b != nil {
		return &Stop{Cause: StopGuardrail, Reason: b.Text, Breach: b, Answer: x.Answer(c)}
	}
	if reason := changed(x.Incumbents, incumbents); reason != "" {
		return &Stop{Cause: StopIncumbent, Reason: reason, Answer: x.Answer(c)}
	}
	if !x.Test.StopWhenSure {
		return nil
	}
	if a := x.Answer(c); a.Sure {
		return &Stop{Cause: StopSure, Reason: a.Text, Answer: a}
	}
	return nil
}

// changed says what is in force now instead of what was; "": the same.
func changed(was, now []string) string {
	list := func(names []string) string {
		if len(names) == 0 {
			return "only the program's own policy"
		}
		text := names[0]
		for _, n := range names[1:] {
			text += ", " + n
		}
		return text
	}
	if a, b := list(was), list(now); a != b {
		return fmt.Sprintf("the sourcing policies in force are others than those it was compared with: %s, when it started %s", b, a)
	}
	return ""
}
