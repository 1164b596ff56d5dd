package reassess

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/replay"
	"github.com/orderly-oms/orderly/internal/stats"
)

// The measures that others are told by.
const (
	MeasureCost      = "cost_per_order"
	MeasureShipments = "shipments_per_order"
	MeasureSplit     = "split_orders"
	MeasureKept      = "promise_kept"
	MeasureCancelled = "cancelled_units"
	MeasureTouches   = "touches_per_order"
	MeasureMinutes   = "touch_minutes_per_order"
	MeasureServed    = "cost_and_work_per_order"
	MeasureStockOuts = "backordered_orders"
	MeasureRejected  = "rejected_units"
)

// What is better.
const (
	Lower  = "lower"
	Higher = "higher"
)

// Units of measures.
const (
	unitMoney    = "money"
	unitPercent  = "percent"
	unitDays     = "days"
	unitMinutes  = "minutes"
	unitPerOrder = "per order"
	unitPer100   = "per 100 units"
	unitSeconds  = "seconds"
)

// Definition is what a measure means.
type Definition struct {
	ID     string
	Name   string
	Unit   string
	Better string
	// Sentence says what it is. Drawn says that outcomes which history does not contain, and are drawn, go into it.
	Sentence string
	Drawn    bool

	ratio func(d *replay.Day, touchMinute int64) stats.Ratio
	// took is for measures of the computer, which are not of days.
	took func(r *replay.Result) time.Duration
}

// Definitions lists the measures in the order in which they are to be read.
func Definitions() []Definition { return definitions }

func of(over, under int64) stats.Ratio {
	return stats.Ratio{Over: float64(over), Under: float64(under)}
}

// percent is 0 to 100.
func percent(over, under int64) stats.Ratio { return of(100*over, under) }

// work is what the touches of a day cost, in minor units.
func work(d *replay.Day, touchMinute int64) float64 {
	return float64(d.TouchSeconds) * float64(touchMinute) / 60
}

var definitions = []Definition{
	{
		ID: MeasureCost, Name: "Shipping cost per order", Unit: unitMoney, Better: Lower, Drawn: true,
		Sentence: "What carriers charge for the shipments of an order of which at least one thing left.",
		ratio:    func(d *replay.Day, _ int64) stats.Ratio { return of(d.Cost, d.Shipped) },
	},
	{
		ID: MeasureServed, Name: "Shipping and work per order", Unit: unitMoney, Better: Lower, Drawn: true,
		Sentence: "What carriers charge and what the touches cost at the stated cost per minute, for each order that came.",
		ratio: func(d *replay.Day, rate int64) stats.Ratio {
			return stats.Ratio{Over: float64(d.Cost) + work(d, rate), Under: float64(d.Orders)}
		},
	},
	{
		ID: MeasureShipments, Name: "Shipments per order", Unit: unitPerOrder, Better: Lower, Drawn: true,
		Sentence: "How many shipments and pickups an order took of which at least one thing left.",
		ratio:    func(d *replay.Day, _ int64) stats.Ratio { return of(d.Shipments, d.Shipped) },
	},
	{
		ID: MeasureSplit, Name: "Split orders", Unit: unitPercent, Better: Lower, Drawn: true,
		Sentence: "The share of orders that left in more than one shipment, of those of which anything left.",
		ratio:    func(d *replay.Day, _ int64) stats.Ratio { return percent(d.Split, d.Shipped) },
	},
	{
		ID: "promised_days", Name: "Promised days", Unit: unitDays, Better: Lower,
		Sentence: "How many days ahead the promised delivery was when the order was placed, of orders with a promise.",
		ratio: func(d *replay.Day, _ int64) stats.Ratio {
			return stats.Ratio{Over: float64(d.PromisedHours) / 24, Under: float64(d.Promised)}
		},
	},
	{
		ID: MeasureKept, Name: "Promises kept", Unit: unitPercent, Better: Higher, Drawn: true,
		Sentence: "The share of promised orders that arrived in time, of those of which it is known or drawn when they arrived.",
		ratio:    func(d *replay.Day, _ int64) stats.Ratio { return percent(d.Kept, d.Judged) },
	},
	{
		ID: MeasureCancelled, Name: "Cancelled units", Unit: unitPercent, Better: Lower, Drawn: true,
		Sentence: "The share of ordered units that were never sent, whoever cancelled them.",
		ratio:    func(d *replay.Day, _ int64) stats.Ratio { return percent(d.CancelledUnits, d.Units) },
	},
	{
		ID: MeasureStockOuts, Name: "Backordered orders", Unit: unitPercent, Better: Lower,
		Sentence: "The share of orders with units that no location had when they came.",
		ratio:    func(d *replay.Day, _ int64) stats.Ratio { return percent(d.Backordered, d.Orders) },
	},
	{
		ID: "stock_outs", Name: "Stock-outs", Unit: unitPer100, Better: Lower,
		Sentence: "Units that no location had when their order came, for each 100 ordered.",
		ratio:    func(d *replay.Day, _ int64) stats.Ratio { return percent(d.BackorderedUnits, d.Units) },
	},
	{
		ID: MeasureRejected, Name: "Rejected units", Unit: unitPer100, Better: Lower, Drawn: true,
		Sentence: "Units that locations rejected or did not find, for each 100 ordered; a unit that two locations rejected counts twice.",
		ratio:    func(d *replay.Day, _ int64) stats.Ratio { return percent(d.Rejections, d.Units) },
	},
	{
		ID: MeasureTouches, Name: "Touches per order", Unit: unitPerOrder, Better: Lower, Drawn: true,
		Sentence: "How often a person did something about an order.",
		ratio:    func(d *replay.Day, _ int64) stats.Ratio { return of(d.Touches, d.Orders) },
	},
	{
		ID: MeasureMinutes, Name: "Minutes of work per order", Unit: unitMinutes, Better: Lower, Drawn: true,
		Sentence: "How long people worked on an order.",
		ratio: func(d *replay.Day, _ int64) stats.Ratio {
			return stats.Ratio{Over: float64(d.TouchSeconds) / 60, Under: float64(d.Orders)}
		},
	},
	{
		ID: "touch_cost_per_order", Name: "Cost of work per order", Unit: unitMoney, Better: Lower, Drawn: true,
		Sentence: "What that work cost at the stated cost per minute.",
		ratio: func(d *replay.Day, rate int64) stats.Ratio {
			return stats.Ratio{Over: work(d, rate), Under: float64(d.Orders)}
		},
	},
	{
		ID: "decide_p50", Name: "Decision time, median", Unit: unitSeconds, Better: Lower,
		Sentence: "How long half of all decisions took at most, on the machine that replayed them.",
		took:     func(r *replay.Result) time.Duration { return r.DecideP50 },
	},
	{
		ID: "decide_p99", Name: "Decision time, 99 %", Unit: unitSeconds, Better: Lower,
		Sentence: "How long 99 of 100 decisions took at most, on the machine that replayed them.",
		took:     func(r *replay.Result) time.Duration { return r.DecideP99 },
	},
}

func definition(id string) *Definition {
	i := slices.IndexFunc(definitions, func(d Definition) bool { return d.ID == id })
	return &definitions[i]
}

// value is the measure of some days together; false when there is nothing to measure it by.
func (d *Definition) value(day *replay.Day, touchMinute int64) (float64, bool) {
	r := d.ratio(day, touchMinute)
	if r.Under == 0 {
		return 0, false
	}
	return r.Over / r.Under, true
}

// noInterval is why times of a computer have none.
const noInterval = "how long a computer takes changes from run to run"

// uneven is said when days differ so much that no interval comes out.
const uneven = "nearly all of it happened on a few days, which is too little to tell a difference from chance"

// measures are those of a run against the base; of the base itself, base is nil.
func measures(r, base *replay.Result, o *Options) []Measure {
	drawn := drawnShare(r)
	out := make([]Measure, len(definitions))
	for i := range definitions {
		d := &definitions[i]
		m := Measure{ID: d.ID, Name: d.Name, Unit: d.Unit, Better: d.Better}
		if d.took != nil {
			m.Value, m.Known = d.took(r).Seconds(), d.took(r) > 0
		} else {
			m.Value, m.Known = d.value(&r.Total, o.TouchMinute)
		}
		if d.Drawn {
			m.Drawn = drawn
		}
		if base != nil {
			v := d.compare(base, r, o)
			m.Versus = &v
		}
		out[i] = m
	}
	return out
}

// drawnShare is the share of orders of which an outcome was drawn, 0 to 1. Without single orders it is at most that.
func drawnShare(r *replay.Result) float64 {
	if r.Total.Orders == 0 {
		return 0
	}
	if r.Orders == nil {
		return min(1, float64(r.Total.Drawn)/float64(r.Total.Orders))
	}
	n := 0
	for i := range r.Orders {
		if r.Orders[i].Drawn {
			n++
		}
	}
	return float64(n) / float64(len(r.Orders))
}

// compare says how a measure of another run differs from the base, day by day.
func (d *Definition) compare(base, other *replay.Result, o *Options) stats.Difference {
	if d.took != nil {
		b, t := d.took(base).Seconds(), d.took(other).Seconds()
		return stats.Difference{Base: b, Other: t, Change: t - b, Days: len(base.Days), TooLittle: noInterval}
	}
	diff := stats.Compare(d.pairs(base.Days, other.Days, o.TouchMinute), stats.Options{Level: o.Level, Seed: o.Replay.Seed})
	if math.IsInf(diff.Low, 0) || math.IsInf(diff.High, 0) || math.IsNaN(diff.Low) || math.IsNaN(diff.High) {
		diff.Low, diff.High, diff.TooLittle = 0, 0, uneven
	}
	return diff
}

// pairs puts the days of two runs beside each other; a day that only one has counts as nothing in the other.
func (d *Definition) pairs(base, other []replay.Day, touchMinute int64) (out []stats.Day) {
	for i, j := 0, 0; i < len(base) || j < len(other); {
		var day stats.Day
		c := 0
		switch {
		case i == len(base):
			c = 1
		case j == len(other):
			c = -1
		default:
			c = cmp.Compare(base[i].Date, other[j].Date)
		}
		if c <= 0 {
			day.Base = d.ratio(&base[i], touchMinute)
			i++
		}
		if c >= 0 {
			day.Other = d.ratio(&other[j], touchMinute)
			j++
		}
		out = append(out, day)
	}
	return out
}

// find is a run's measure.
func find(ms []Measure, id string) *Measure {
	i := slices.IndexFunc(ms, func(m Measure) bool { return m.ID == id })
	return &ms[i]
}

// better reports a sure difference for the better (+1) or worse (−1); 0: none that is sure.
func (m *Measure) better() int {
	switch {
	case m.Versus == nil || !m.Versus.Sure():
		return 0
	case (m.Versus.Change < 0) == (m.Better == Lower):
		return 1
	}
	return -1
}
