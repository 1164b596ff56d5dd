package reassess

import (
	"fmt"
	"math"
	"strings"

	"github.com/orderly-oms/orderly/internal/replay"
	"github.com/orderly-oms/orderly/internal/stats"
)

// The four questions.
const (
	AskedFit      = "Are our rules still fit for how the business operates now?"
	AskedEffort   = "Do they reduce operational effort, or add to it?"
	AskedPromises = "Are customer promises kept?"
	AskedMoney    = "What are they worth in money?"
)

// Verdicts.
const (
	Good      = "good"
	Attention = "attention"
	Unknown   = "unknown"
)

// questions answers the four, in their order.
func (a *assessment) questions() []Question {
	all := []Question{a.fit(), a.effort(), a.promises(), a.money()}
	if a.header.Recorded || a.base().Total.Shipments > 0 {
		return all
	}
	for i := range all { // nothing can be said of a way of serving orders that nobody knows
		if q := &all[i]; q.ID == "fit" || q.ID == "money" {
			q.Verdict, q.Number, q.Trend = Unknown, "not known", nil
			q.Answer = "Not known: the history does not say where orders were sent from, so what was done has no cost to compare."
		}
	}
	return all
}

func (a *assessment) base() *replay.Result { return a.runs[0] }

// settled are the days of the base whose orders are not on their way any more.
func (a *assessment) settled() []replay.Day { return settled(a.base().Days) }

// versus is how a measure of the base compares with the baseline's: what the rules changed. Nil without a baseline.
func (a *assessment) versus(id string) *stats.Difference {
	if a.baseline <= 0 {
		return nil
	}
	d := definition(id).compare(a.runs[a.baseline], a.base(), a.o)
	return &d
}

// fit judges the rules by the bound, by candidates that are surely better, and by what the drift watch found.
func (a *assessment) fit() Question {
	q := Question{ID: "fit", Asked: AskedFit, Verdict: Unknown, Number: "not known"}
	var said []string
	if costs, least := a.bound.costs(len(a.runs)); costs != nil && least > 0 {
		over := 100 * float64(costs[0]-least) / float64(least)
		q.Number, q.Verdict = percentText(over)+" above the least possible", Good
		text := fmt.Sprintf("serving the %s that the bound covers cost %s, %s above the least that anybody could have paid with all of the future known",
			several(a.bound.Orders, "order"), amount(float64(costs[0]), a.header.Currency), percentText(over))
		if closed := a.out.Runs[0].GapClosed; closed != nil && a.baseline > 0 {
			q.Number = percentText(100**closed) + " of the gap closed"
			text += fmt.Sprintf(", which closes %s of the gap between that and the dearest way that was replayed", percentText(100**closed))
		}
		said = append(said, text)
		q.Trend, q.TrendOf, q.TrendBy = a.bound.gaps(0, lastOf(a.settled())), "percent above the least possible", a.bound.by()
	}
	grows := direction(q.Trend, a.o.Level) > 0
	if len(q.Trend) == 0 {
		q.Trend, q.TrendBy = a.costs()
		q.TrendOf = "shipping cost per order, " + a.header.Currency
	}
	text, better := a.betterCandidate()
	if text != "" {
		said = append(said, text)
		q.Verdict = Good
	}
	if a.o.Watch {
		said = append(said, findingsText(len(a.out.Findings)))
		q.Verdict = Good
		if q.Number == "not known" {
			q.Number = several(int64(len(a.out.Findings)), "finding")
		}
	}
	if better || grows || len(a.out.Findings) > 0 {
		q.Verdict = Attention
	}
	if id := a.base().Identity; id != nil {
		said = append(said, identityText(id))
		if q.Number == "not known" && id.Decisions > 0 {
			q.Number = percentText(100*float64(id.Same)/float64(id.Decisions)) + " repeated"
		}
	}
	if len(said) == 0 {
		said = []string{"nothing was calculated that tells: there is no bound, no candidate and no drift watch"}
	}
	head := map[string]string{Good: "Yes: ", Attention: "Not in everything: ", Unknown: "Not known: "}[q.Verdict]
	q.Answer = head + joined(said...)
	return q
}

// costs are the base's per order, by period, in whole units of the currency.
func (a *assessment) costs() (values []float64, by string) {
	values, by = definition(MeasureCost).trend(a.settled(), 0)
	for i := range values {
		values[i] /= minorUnits(a.header.Currency)
	}
	return values, by
}

func findingsText(n int) string {
	switch n {
	case 0:
		return "the drift watch found nothing to change"
	case 1:
		return "the drift watch found 1 thing to look at"
	}
	return fmt.Sprintf("the drift watch found %d things to look at", n)
}

// betterCandidate names the candidate that surely costs least, when it surely costs less than the base and does not surely
// keep fewer promises or cancel more.
func (a *assessment) betterCandidate() (text string, better bool) {
	best, least, candidates := -1, 0.0, 0
	for i := 1; i < len(a.runs); i++ {
		if i == a.baseline {
			continue
		}
		candidates++
		ms := a.out.Runs[i].Measures
		m := find(ms, MeasureServed)
		if m.better() > 0 && m.Versus.Change < least && find(ms, MeasureKept).better() >= 0 && find(ms, MeasureCancelled).better() >= 0 {
			best, least = i, m.Versus.Change
		}
	}
	switch {
	case candidates == 0:
		return "", false
	case best < 0:
		return fmt.Sprintf("of %s none is surely better", several(int64(candidates), "candidate")), false
	}
	v := find(a.out.Runs[best].Measures, MeasureServed).Versus
	return fmt.Sprintf("with %q shipping and work would have cost %s per order", a.list[best].Name, definition(MeasureServed).by(v, a.o.Level, a.header.Currency)), true
}

// effort judges touches against the baseline, and by where they go.
func (a *assessment) effort() Question {
	d := definition(MeasureTouches)
	q := Question{ID: "effort", Asked: AskedEffort, Verdict: Unknown, Number: "not known"}
	t := &a.base().Total
	if t.Touches == 0 {
		q.Answer = "Not known: no touch is recorded in the period, so nobody worked on an order or nobody wrote it down."
		return q
	}
	touches, _ := d.value(t, a.o.TouchMinute)
	q.Trend, q.TrendBy = d.trend(a.settled(), a.o.TouchMinute)
	q.TrendOf = "touches per order"
	q.Number = d.say(touches, "") + " touches per order"
	minutes, _ := definition(MeasureMinutes).value(t, a.o.TouchMinute)
	said := []string{fmt.Sprintf("people did something about an order %s times on average, %s each order",
		d.say(touches, ""), definition(MeasureMinutes).say(minutes, ""))}
	v := a.versus(MeasureTouches)
	if v != nil {
		said = append(said, fmt.Sprintf("compared with %s that is %s", quoted(a.list[a.baseline].Name), d.by(v, a.o.Level, "")))
	}
	rise := direction(q.Trend, a.o.Level)
	said = append(said, trendText("touches per order", rise, len(q.Trend), q.TrendBy))
	switch {
	case rise > 0 || v != nil && v.Sure() && v.Change > 0:
		q.Verdict = Attention
	case v != nil && v.Sure() || rise < 0:
		q.Verdict = Good
	}
	head := map[string]string{Good: "They reduce it: ", Attention: "They need more of it: ", Unknown: "No difference is sure: "}[q.Verdict]
	if q.Verdict == Attention && (v == nil || !v.Sure() || v.Change <= 0) {
		head = "It grows: "
	}
	q.Answer = head + joined(said...)
	return q
}

// promises judges the share that was kept against what the promise policy aims at.
func (a *assessment) promises() Question {
	d := definition(MeasureKept)
	q := Question{ID: "promises", Asked: AskedPromises, Verdict: Unknown, Number: "not known"}
	t := &a.base().Total
	kept, known := d.value(t, 0)
	if !known {
		q.Answer = "Not known: no order of the period has both a promised date and a delivery."
		return q
	}
	q.Number = percentText(kept)
	q.Trend, q.TrendBy = d.trend(a.settled(), 0)
	q.TrendOf = "percent of promises kept"
	aim := 100 * a.rules.aim()
	low, high := share(t.Kept, t.Judged, a.o.Level)
	said := []string{fmt.Sprintf("%s of %s promises were kept, %s; the rules aim at %s", count(t.Kept), count(t.Judged), percentText(kept), percentText(aim))}
	fall := direction(q.Trend, a.o.Level)
	said = append(said, trendText("the share", fall, len(q.Trend), q.TrendBy))
	if v := a.versus(MeasureKept); v != nil && v.Sure() {
		said = append(said, fmt.Sprintf("compared with %s that is %s", quoted(a.list[a.baseline].Name), d.by(v, a.o.Level, "")))
	}
	head := ""
	switch {
	case t.Judged < minJudged:
		head = "Too few to tell: "
	case 100*high < aim:
		q.Verdict, head = Attention, "Not often enough: "
	case fall < 0:
		q.Verdict, head = Attention, "Yes, but less and less: "
	case 100*low >= aim || kept >= aim:
		q.Verdict, head = Good, "Yes: "
	default:
		q.Verdict, head = Good, "About as often as they should be: "
	}
	q.Answer = head + joined(said...)
	return q
}

// minJudged is the fewest promises that are judged together.
const minJudged = 100

// money is what the rules save against the baseline, in shipping and work.
func (a *assessment) money() Question {
	d := definition(MeasureServed)
	q := Question{ID: "money", Asked: AskedMoney, Verdict: Unknown, Number: "not known"}
	v := a.versus(MeasureServed)
	if v == nil {
		q.Answer = "Not known: there is no baseline that the rules could be measured against; pin one, or leave the default on."
		return q
	}
	base, other := &a.base().Total, &a.runs[a.baseline].Total
	orders := float64(base.Orders)
	saved := -v.Change * orders
	q.Number = amount(saved, a.header.Currency)
	q.Trend, q.TrendBy = a.savings()
	q.TrendOf = "saved per order, " + a.header.Currency
	said := []string{fmt.Sprintf("shipping and work cost %s per order than with %s, in all %s over %s orders",
		d.by(v, a.o.Level, a.header.Currency), quoted(a.list[a.baseline].Name), savedText(saved, a.header.Currency), count(base.Orders))}
	if v.TooLittle == "" && v.Sure() {
		lo, hi := -v.High*orders, -v.Low*orders
		said[0] += fmt.Sprintf(" (%s to %s)", amount(math.Min(math.Abs(lo), math.Abs(hi)), a.header.Currency), amount(math.Max(math.Abs(lo), math.Abs(hi)), a.header.Currency))
	}
	if extra := base.CancelledUnits - other.CancelledUnits; extra != 0 {
		said = append(said, fmt.Sprintf("beside that, %s %s were never sent, worth %s to customers",
			count(max(extra, -extra)), moreUnits(extra), amount(math.Abs(float64(base.Lost-other.Lost)), a.header.Currency)))
	}
	head := "No difference is sure: "
	switch {
	case v.TooLittle != "":
		head = "Too little to tell: "
	case v.Sure() && v.Change < 0:
		q.Verdict, head = Good, "They pay: "
	case v.Sure():
		q.Verdict, head = Attention, "They cost more than they save: "
	case v.Change == 0 && v.Low == 0 && v.High == 0:
		q.Verdict, head = Attention, "Nothing: "
	}
	q.Answer = head + joined(said...)
	return q
}

func moreUnits(extra int64) string {
	if extra > 0 {
		return "more units"
	}
	return "fewer units"
}

func savedText(saved float64, currency string) string {
	if saved < 0 {
		return amount(-saved, currency) + " more"
	}
	return amount(saved, currency) + " saved"
}

// savings is what the rules save per order against the baseline, by period, in whole units of the currency.
func (a *assessment) savings() (values []float64, by string) {
	d := definition(MeasureServed)
	base, by := periods(a.settled())
	last := lastOf(a.settled())
	days := a.runs[a.baseline].Days
	other, _ := periods(days[:len(days)-countAfter(days, last)])
	unit := minorUnits(a.header.Currency)
	at := map[string]*period{}
	for i := range other {
		at[other[i].Date] = &other[i]
	}
	for i := range base {
		o := at[base[i].Date]
		if o == nil {
			continue
		}
		x, okX := d.value(&base[i].Day, a.o.TouchMinute)
		y, okY := d.value(&o.Day, a.o.TouchMinute)
		if okX && okY {
			values = append(values, (y-x)/unit)
		}
	}
	return values, by
}

func trendText(what string, direction, values int, by string) string {
	switch {
	case values < minTrend:
		return fmt.Sprintf("%s are too few to tell a trend", several(int64(values), by))
	case direction > 0:
		return what + " rises over the period"
	case direction < 0:
		return what + " falls over the period"
	}
	return "no trend is sure"
}

func quoted(name string) string { return `"` + strings.TrimSpace(name) + `"` }
