package promise

import (
	"math"
	"slices"
	"sort"
	"time"
)

// scale is the axis of a histogram: bins of one width, the first beginning at
// low. What lies beyond either end is counted in the bin at that end.
type scale struct {
	low, width time.Duration
	bins       int
}

// Delays are kept from 10 days early to 30 days late in quarter days, stage
// durations up to 80 hours in half hours.
var (
	delayScale = scale{-10 * day, day / 4, maxBins}
	stageScale = scale{0, time.Hour / 2, maxBins}
)

// maxBins bounds a histogram: 24 bytes each.
const maxBins = 160

func (s scale) bin(d time.Duration) int {
	if d < s.low {
		return 0
	}
	return int(min((d-s.low)/s.width, time.Duration(s.bins-1)))
}

func (s scale) edge(bin int) time.Duration { return s.low + time.Duration(bin)*s.width }

// histogram holds weights of observations in bins that are not empty, ascending.
type histogram []bin

type bin struct {
	Bin int `json:"bin"`
	// Events came within the bin; Open had not come yet when they were last looked at.
	Events float64 `json:"events,omitempty"`
	Open   float64 `json:"open,omitempty"`
}

func (h *histogram) add(b bin) {
	i, ok := slices.BinarySearchFunc(*h, b.Bin, func(x bin, at int) int { return x.Bin - at })
	if !ok {
		*h = slices.Insert(*h, i, bin{Bin: b.Bin})
	}
	(*h)[i].Events += b.Events
	(*h)[i].Open += b.Open
}

func (h histogram) weight() (events, open float64) {
	for _, b := range h {
		events += b.Events
		open += b.Open
	}
	return events, open
}

// decay multiplies every weight and drops bins in which nothing is left.
func (h histogram) decay(factor float64) histogram {
	kept := h[:0]
	for _, b := range h {
		b.Events, b.Open = b.Events*factor, b.Open*factor
		if b.Events+b.Open >= forgotten {
			kept = append(kept, b)
		}
	}
	return kept
}

// forgotten is the weight below which a bin is dropped.
const forgotten = 1e-3

// hazards are the chances to come within a bin for what has not come before it.
type hazards [maxBins]float64

// hazardsOf turns a distribution function into hazards; cdf is asked at bin edges.
func hazardsOf(s scale, cdf func(time.Duration) float64) hazards {
	var h hazards
	before := 0.0
	for i := range h {
		after := cdf(s.edge(i + 1))
		if before < 1 {
			h[i] = (after - before) / (1 - before)
		}
		before = after
	}
	return h
}

// shrink estimates hazards by the life table: of those at risk in a bin the
// share that came, where what was last seen within the bin counts half. The coarser
// level is worth pseudo observations at risk in every bin, so that it decides where
// the histogram knows little, as in its tail.
func (h histogram) shrink(coarser *hazards, pseudo float64) hazards {
	events, open := h.weight()
	atRisk := events + open
	out := *coarser
	next := 0
	for i := range out {
		var b bin
		if next < len(h) && h[next].Bin == i {
			b = h[next]
			next++
		}
		out[i] = (b.Events + pseudo*coarser[i]) / (max(atRisk-b.Open/2, b.Events) + pseudo)
		atRisk = max(atRisk-b.Events-b.Open, 0)
	}
	return out
}

// Curve is a distribution of delays (or durations) as a few hundred bytes. It is immutable.
type Curve struct {
	// Level of the history that it comes from, and the observations of that level,
	// in weights after forgetting, rounded down.
	Level string
	N     int64

	scale scale
	// came is the share that came up to the end of each bin; ascending.
	came [maxBins]float64
}

func (s scale) curve(h *hazards, level string, n float64) *Curve {
	c := &Curve{Level: level, N: int64(n), scale: s}
	waits := 1.0
	for i := range h {
		waits *= 1 - min(max(h[i], 0), 1)
		c.came[i] = 1 - waits
	}
	return c
}

// Quantile returns the delay that the share q is not later than, 0 < q < 1. When
// even the last bin does not reach q it returns the end of the axis.
func (c *Curve) Quantile(q float64) time.Duration {
	if c.Level == LevelNone {
		return 0
	}
	i := sort.SearchFloat64s(c.came[:], q)
	if i == len(c.came) {
		return c.scale.edge(i)
	}
	before := 0.0
	if i > 0 {
		before = c.came[i-1]
	}
	part := (q - before) / (c.came[i] - before) // q > before, and came[i] ≥ q
	return c.scale.edge(i) + time.Duration(math.Ceil(part*float64(c.scale.width)))
}

// Probability returns the share that is not later than the slack.
func (c *Curve) Probability(slack time.Duration) float64 {
	if slack <= c.scale.low {
		return 0
	}
	i := int((slack - c.scale.low) / c.scale.width)
	if i >= len(c.came) {
		return c.came[len(c.came)-1]
	}
	before := 0.0
	if i > 0 {
		before = c.came[i-1]
	}
	part := float64(slack-c.scale.edge(i)) / float64(c.scale.width)
	return before + part*(c.came[i]-before)
}

// Given returns the probability of not being later than the slack, when it is
// known that the delay is more than reached.
func (c *Curve) Given(slack, reached time.Duration) float64 {
	if slack <= reached {
		return 0
	}
	before := c.Probability(reached)
	if before >= 1 {
		return 0 // nothing was ever so late: it is lost
	}
	return (c.Probability(slack) - before) / (1 - before)
}
