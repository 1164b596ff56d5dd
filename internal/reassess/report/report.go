// Package report draws a reassessment for people: as text for a terminal, and as one HTML file that
// a manager can read on a screen or on paper.
//
// It promises: the same report gives the same bytes; the HTML needs nothing but itself, no script and no
// network, and whatever text is in a report stays text in it; every number of a chart is in a table
// beside it; what is not known is named, and never drawn as nothing.
//
// It does not calculate what a report does not have, beyond sums of days to weeks or months and shares
// of what is there, and it does not judge: verdicts, findings and assumptions are those of package reassess.
package report

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/reassess"
	"github.com/orderly-oms/orderly/internal/replay"
)

// Limits of what is drawn. The JSON of a report has everything.
const (
	maxRunsDrawn    = 6  // lines and bars of one chart; the base is the first
	maxPlaces       = 12 // locations of a chart, others are summed up
	maxLanesListed  = 12
	maxLanesDrawn   = 400
	maxChangedDrawn = 20
	maxChangedText  = 3
	maxDifferences  = 10
	maxRulesListed  = 40
	daysByWeek      = 45  // longer periods are drawn by week,
	daysByMonth     = 400 // and these by month
	dayLayout       = "2006-01-02"
)

// period is some days of a run, summed up for a chart.
type period struct {
	label string // of its first day
	day   replay.Day
}

// periods sums the days of a run up to weeks (from Monday) or months when there are many. All runs of a
// report are cut alike, by the days of the longest.
func periods(r *replay.Result, by string) []period {
	var out []period
	for i := range r.Days {
		at, err := time.Parse(dayLayout, r.Days[i].Date)
		if err != nil {
			continue
		}
		switch by {
		case "week":
			at = at.AddDate(0, 0, -(int(at.Weekday())+6)%7)
		case "month":
			at = at.AddDate(0, 0, 1-at.Day())
		}
		label := at.Format(dayLayout)
		if n := len(out); n == 0 || out[n-1].label != label {
			out = append(out, period{label: label})
		}
		add(&out[len(out)-1].day, &r.Days[i])
	}
	return out
}

// cut is how the days of a report are summed up: "day", "week" or "month".
func cut(r *reassess.Report) string {
	days := 0
	for i := range r.Runs {
		days = max(days, len(r.Runs[i].Result.Days))
	}
	switch {
	case days > daysByMonth:
		return "month"
	case days > daysByWeek:
		return "week"
	}
	return "day"
}

func add(sum, d *replay.Day) {
	sum.Orders += d.Orders
	sum.Cost += d.Cost
	sum.Shipped += d.Shipped
	sum.Split += d.Split
	sum.Judged += d.Judged
	sum.Kept += d.Kept
	sum.Touches += d.Touches
}

// share is a of b in percent; NaN when there is nothing to share.
func share(a, b int64) float64 {
	if b == 0 {
		return math.NaN()
	}
	return 100 * float64(a) / float64(b)
}

// drawn are the runs that charts show, the base first.
func drawn(r *reassess.Report) []reassess.Run { return r.Runs[:min(len(r.Runs), maxRunsDrawn)] }

// runName is how a run is called.
func runName(r *reassess.Report, i int) string {
	if i < len(r.Runs) && r.Runs[i].Result.Scenario != "" {
		return r.Runs[i].Result.Scenario
	}
	return "the rules in force"
}

// measureIDs are the measures of a report in the order in which the base has them.
func measureIDs(r *reassess.Report) []string {
	var ids []string
	for i := range r.Runs {
		for _, m := range r.Runs[i].Measures {
			if !slices.Contains(ids, m.ID) {
				ids = append(ids, m.ID)
			}
		}
	}
	return ids
}

func measureOf(measures []reassess.Measure, id string) *reassess.Measure {
	for i := range measures {
		if measures[i].ID == id {
			return &measures[i]
		}
	}
	return nil
}

// worth says how a difference is to be read: "better", "worse", "unclear" (the interval includes
// none), "same" (exactly none), "unknown", or "" for the base itself.
func worth(m *reassess.Measure) string {
	switch {
	case m == nil || !m.Known:
		return "unknown"
	case m.Versus == nil:
		return ""
	case m.Versus.TooLittle != "":
		return "unknown"
	case m.Versus.Change == 0 && m.Versus.Low == 0 && m.Versus.High == 0:
		return "same"
	case !m.Versus.Sure():
		return "unclear"
	case (m.Versus.Change < 0) == (m.Better == "lower"):
		return "better"
	}
	return "worse"
}

// worthText is worth in words, so that nothing is said by colour alone.
var worthText = map[string]string{
	"better": "better", "worse": "worse", "unclear": "no clear difference", "same": "exactly the same", "unknown": "not known", "": "",
}

// verdictText is a verdict in words.
func verdictText(v string) string {
	switch v {
	case "good":
		return "good"
	case "attention":
		return "look at this"
	}
	return "not known"
}

// sourceText says where a history came from.
func sourceText(source string) string {
	switch source {
	case "log":
		return "the log of this system"
	case "csv":
		return "a folder of CSV files"
	}
	return source
}

// title of a chart's axis of time.
func byText(by string) string {
	switch by {
	case "week":
		return "by week (from Monday)"
	case "month":
		return "by month"
	}
	return "by day"
}

// plain makes text safe for a terminal: control characters in what customers or partners wrote must not steer it.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' || r >= 0x7f && r < 0xa0 {
			return '�'
		}
		return r
	}, s)
}
