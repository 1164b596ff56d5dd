// Package stats compares two ways of running the same days, and says how sure the difference is.
//
// Compare is for a replay: both ways met the same orders on the same days, so days are pairs, and
// the difference of a ratio (cost per order, promises kept) is judged by drawing blocks of
// days again and again: neighbouring days are alike, single orders are not independent.
// Sequence is for a live experiment: two groups of orders, looked at as often as anybody likes, with an
// interval that holds at all looks together.
//
// It promises that equal figures differ by exactly nothing, that the same figures and seed give
// the same interval on every machine, and that too little data gives a reason in words and no
// interval. It does not know what the figures mean, read a clock or draw from anything but its seed.
//
// Sources: Politis and Romano, "A circular block-resampling procedure for stationary data" (1992), for the
// blocks; Götze and Künsch, "Second-order correctness of the blockwise bootstrap" (1996), for studentised
// intervals; Waudby-Smith et al., "Time-uniform central limit theory and asymptotic confidence
// sequences" (2024), for Sequence.
package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Ratio is one day's share of a figure: sums, so that days add up. A mean has the number of orders below.
type Ratio struct {
	Over, Under float64
}

// Day is what both ways did on one day.
type Day struct {
	Base, Other Ratio
}

// Options of Compare.
type Options struct {
	// Level of confidence. Default 0.95.
	Level float64
	// Block is how many days in a row are drawn together. Default: so many that few blocks make up the
	// days (4 for four weeks, 7 for a quarter of a year, 16 for a year): few wide blocks know how
	// alike neighbouring days are, and an interval from few is the wider for it.
	Block int
	// Draws is how many times days are drawn. Default 2000.
	Draws int
	Seed  uint64
}

// Limits of Compare.
const (
	// MinDays is the fewest days with anything below the line that an interval is given for.
	MinDays  = 14
	MaxDraws = 100_000
	// blocksPerDays, times the number of days to the power of 2/3, is how many blocks make up the days. The power is
	// that of Lazarus, Lewis, Stock and Watson, "HAR inference" (2018), the factor a little below theirs:
	// with it, intervals over four weeks of days that depend on each other contain the truth often enough.
	blocksPerDays = 0.3
)

// Difference is how the other way compares with the base.
type Difference struct {
	Base  float64 `json:"base"`
	Other float64 `json:"other"`
	// Change is other − base.
	Change float64 `json:"change"`
	// Low and High bound the true change at the level; meaningless with TooLittle.
	Low  float64 `json:"low"`
	High float64 `json:"high"`
	Days int     `json:"days"`
	// TooLittle says why there is no interval; "" when there is one.
	TooLittle string `json:"too_little,omitempty"`
}

// Sure reports a difference whose interval does not include none.
func (d *Difference) Sure() bool { return d.TooLittle == "" && (d.Low > 0 || d.High < 0) }

// Compare says how the ratio of sums differs between the two ways.
func Compare(days []Day, o Options) Difference {
	days = slices.DeleteFunc(slices.Clone(days), func(d Day) bool { return d.Base.Under == 0 && d.Other.Under == 0 })
	o = o.filled(len(days))
	d := Difference{Days: len(days)}
	s := sums(days)
	if s.Base.Under == 0 || s.Other.Under == 0 {
		d.TooLittle = "nothing was counted under one of the two ways"
		return d
	}
	d.Base, d.Other = s.Base.Over/s.Base.Under, s.Other.Over/s.Other.Under
	d.Change = d.Other - d.Base
	if len(days) < MinDays {
		d.TooLittle = fmt.Sprintf("%d days are too few to tell a difference from chance; there must be %d", len(days), MinDays)
		return d
	}
	if !slices.ContainsFunc(days, func(d Day) bool { return d.Base != d.Other }) {
		return d // the same, day by day: the change is 0 for sure
	}
	d.Low, d.High = interval(days, d.Change, o)
	return d
}

func (o Options) filled(days int) Options {
	if o.Level <= 0 || o.Level >= 1 {
		o.Level = 0.95
	}
	if o.Draws <= 0 {
		o.Draws = 2000
	}
	o.Draws = min(o.Draws, MaxDraws)
	if o.Block <= 0 {
		o.Block = int(math.Ceil(float64(days) / (blocksPerDays*math.Pow(float64(days), 2./3) + 1)))
	}
	o.Block = max(1, min(o.Block, days/2))
	return o
}

func sums(days []Day) (s Day) {
	for i := range days {
		s.add(&days[i])
	}
	return s
}

func (d *Day) add(x *Day) {
	d.Base.Over += x.Base.Over
	d.Base.Under += x.Base.Under
	d.Other.Over += x.Other.Over
	d.Other.Under += x.Other.Under
}

// interval is the studentised one: how many of its own standard errors each redrawn change is away from
// the change itself is what the change is away from the truth.
func interval(days []Day, change float64, o Options) (low, high float64) {
	n, b := len(days), o.Block
	blocks := make([]Day, n) // the block that begins at each day, round the end
	for i := range blocks {
		for j := range b {
			blocks[i].add(&days[(i+j)%n])
		}
	}
	k := (n + b - 1) / b
	r := rand.New(rand.NewPCG(o.Seed, 0x5bd1e995))
	drawn := make([]Day, k)
	var away []float64
	for range o.Draws {
		for i := range drawn {
			drawn[i] = blocks[r.IntN(n)]
		}
		c, e, ok := measure(drawn, k)
		if ok && e > 0 {
			away = append(away, (c-change)/e)
		}
	}
	_, e, ok := measure(blocks, k) // all blocks there are, as many as make up the days
	if !ok || len(away) < o.Draws/2 {
		return math.Inf(-1), math.Inf(1)
	}
	slices.Sort(away)
	tail := (1 - o.Level) / 2
	return change - quantile(away, 1-tail)*e, change - quantile(away, tail)*e
}

// measure is the change that blocks show, and its standard error as the mean of k such blocks, by
// what each block adds to the two ratios.
func measure(blocks []Day, k int) (change, err float64, ok bool) {
	s := sums(blocks)
	if s.Base.Under == 0 || s.Other.Under == 0 {
		return 0, 0, false
	}
	base, other := s.Base.Over/s.Base.Under, s.Other.Over/s.Other.Under
	n := float64(len(blocks))
	square := 0.0
	for i := range blocks {
		x := &blocks[i]
		u := (x.Other.Over-other*x.Other.Under)/(s.Other.Under/n) - (x.Base.Over-base*x.Base.Under)/(s.Base.Under/n)
		square += u * u
	}
	free := max(float64(min(len(blocks), k)-1), 1) / float64(min(len(blocks), k))
	return other - base, math.Sqrt(square / n / free / float64(k)), true
}

// quantile of sorted values, between neighbours in proportion.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}
