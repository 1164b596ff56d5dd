package reassess

import (
	"math"
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/replay"
)

// What a trend is by. It follows from the length of the period, so that a trend has between one and about 30 values.
const (
	byDay   = "day"
	byWeek  = "week"
	byMonth = "month"

	maxDaysByDay  = 31
	maxDaysByWeek = 26 * 7
)

// period is some days of a run added up.
type period struct {
	replay.Day // Date: the first day
	days       int
}

// periods adds days up by day, week (from Monday) or month.
func periods(days []replay.Day) (out []period, by string) {
	by = byMonth
	switch n := span(days); {
	case n <= maxDaysByDay:
		by = byDay
	case n <= maxDaysByWeek:
		by = byWeek
	}
	for i := range days {
		first := beginning(days[i].Date, by)
		if len(out) == 0 || out[len(out)-1].Date != first {
			out = append(out, period{Day: replay.Day{Date: first}})
		}
		p := &out[len(out)-1]
		p.add(&days[i])
		p.days++
	}
	return out, by
}

// span is how many days lie between the first and the last, both included.
func span(days []replay.Day) int {
	if len(days) == 0 {
		return 0
	}
	a, errA := time.Parse(time.DateOnly, days[0].Date)
	b, errB := time.Parse(time.DateOnly, days[len(days)-1].Date)
	if errA != nil || errB != nil {
		return len(days)
	}
	return int(b.Sub(a).Hours()/24) + 1
}

func beginning(date, by string) string {
	t, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return date
	}
	switch by {
	case byWeek:
		t = t.AddDate(0, 0, -(int(t.Weekday())+6)%7)
	case byMonth:
		t = t.AddDate(0, 0, 1-t.Day())
	}
	return t.Format(time.DateOnly)
}

func (p *period) add(d *replay.Day) {
	p.Orders += d.Orders
	p.Units += d.Units
	p.Cost += d.Cost
	p.Shipments += d.Shipments
	p.Shipped += d.Shipped
	p.Split += d.Split
	p.Promised += d.Promised
	p.PromisedHours += d.PromisedHours
	p.Judged += d.Judged
	p.Kept += d.Kept
	p.Backordered += d.Backordered
	p.BackorderedUnits += d.BackorderedUnits
	p.CancelledUnits += d.CancelledUnits
	p.Cancelled += d.Cancelled
	p.Lost += d.Lost
	p.Rejections += d.Rejections
	p.Touches += d.Touches
	p.TouchSeconds += d.TouchSeconds
	p.Drawn += d.Drawn
}

// trend is a measure over the period; periods in which there is nothing to measure it by are left out.
func (d *Definition) trend(days []replay.Day, touchMinute int64) (values []float64, by string) {
	ps, by := periods(days)
	for i := range ps {
		if v, ok := d.value(&ps[i].Day, touchMinute); ok {
			values = append(values, v)
		}
	}
	return values, by
}

// unsettled is the share of what is usual below which a day's orders count as still on their way.
const unsettled = 0.9

// settled are the days without those at the end whose orders are still on their way: fewer of them have left, or arrived, than usual. A
// trend with them would fall, whatever the rules do.
func settled(days []replay.Day) []replay.Day {
	gone := func(d *replay.Day) (float64, bool) {
		return float64(d.Shipped+d.Cancelled) / float64(d.Orders), d.Orders > 0
	}
	judged := func(d *replay.Day) (float64, bool) {
		return float64(d.Judged) / float64(d.Promised), d.Promised > 0
	}
	n := len(days)
	for _, share := range []func(*replay.Day) (float64, bool){gone, judged} {
		var all []float64
		for i := range days {
			if v, ok := share(&days[i]); ok {
				all = append(all, v)
			}
		}
		if len(all) == 0 {
			continue
		}
		slices.Sort(all)
		usual := all[len(all)/2]
		for n > 0 {
			v, ok := share(&days[n-1])
			if ok && v >= unsettled*usual {
				break
			}
			n--
		}
	}
	if n < (len(days)+1)/2 {
		return days // so long a time is nobody's delivery; the history lacks something else
	}
	return days[:n]
}

// lastOf is the date of the last day.
func lastOf(days []replay.Day) string {
	if len(days) == 0 {
		return ""
	}
	return days[len(days)-1].Date
}

// countAfter is how many days come after a date.
func countAfter(days []replay.Day, date string) (n int) {
	for i := range days {
		if days[i].Date > date {
			n++
		}
	}
	return n
}

// minTrend is the fewest values of which a direction is told.
const minTrend = 8

// direction tells whether values rise (+1) or fall (−1) more than chance would have them, at the level: the test of Mann and
// Kendall, with the variance of values that depend on their neighbours (a first-order correlation of r
// counts as (1+r)/(1−r) times as much chance). 0: neither, or too few to tell.
func direction(values []float64, level float64) int {
	n := len(values)
	if n < minTrend {
		return 0
	}
	s, ties := 0.0, map[float64]float64{}
	for i, a := range values {
		ties[a]++
		for _, b := range values[i+1:] {
			switch {
			case b > a:
				s++
			case b < a:
				s--
			}
		}
	}
	f := float64(n)
	variance := f * (f - 1) * (2*f + 5)
	for _, v := range values { // in the order of the values, so that the sum is the same every time
		if t := ties[v]; t > 1 {
			variance -= (t - 1) * (2*t + 5) // each of t equal values takes its part of t(t−1)(2t+5)
		}
	}
	r := neighbours(values)
	variance = variance / 18 * (1 + r) / (1 - r)
	if variance <= 0 {
		return 0
	}
	z := (math.Abs(s) - 1) / math.Sqrt(variance)
	if z < 0 || math.Erfc(z/math.Sqrt2) > 1-level {
		return 0
	}
	return int(math.Copysign(1, s))
}

// maxAlike keeps a curve, whose values lie on the same side of a line for long, from being taken for chance.
const maxAlike = 0.7

// neighbours is how much a value is like the one before it, 0 to maxAlike, once a straight line is taken out.
func neighbours(values []float64) float64 {
	n := float64(len(values))
	var st, sv, stt, stv float64
	for i, v := range values {
		t := float64(i)
		st, sv, stt, stv = st+t, sv+v, stt+t*t, stv+t*v
	}
	slope := (n*stv - st*sv) / (n*stt - st*st)
	level := (sv - slope*st) / n
	var square, cross, before float64
	for i, v := range values {
		rest := v - level - slope*float64(i)
		square += rest * rest
		if i > 0 {
			cross += rest * before
		}
		before = rest
	}
	if square == 0 {
		return 0
	}
	// What is left of a fitted line is less alike than the values are; this makes up for most of it.
	r := cross/square + 4/n
	return min(max(r, 0), maxAlike)
}
