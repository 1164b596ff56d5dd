// Package reassess answers the four questions from a retailer's own history: are our rules
// still fit; do they cut operational effort; are promises kept; what are they worth in money.
//
// It has scenarios replayed (package replay), compares each with the base by day with an interval
// that says how sure the difference is (package stats), sets both against the least that anybody could
// have paid (Bound), and writes all of it as one Report: the answers first, then what they rest on.
//
// It promises: every number of a report comes from the runs and is traceable to single orders;
// where there is too little to say something it says so instead of a number; the same
// history, scenarios and seed give the same report.
//
// It does not decide orders, change policies, or draw the report (package reassess/report).
package reassess

import (
	"time"

	"github.com/orderly-oms/orderly/internal/past"
	"github.com/orderly-oms/orderly/internal/replay"
	"github.com/orderly-oms/orderly/internal/stats"
)

// Report is all that a reassessment found. It is the JSON of the API and of `orderly reassess --json`.
type Report struct {
	Made     time.Time `json:"made"`
	Source   string    `json:"source"` // "log" or "csv"
	From     time.Time `json:"from"`
	Until    time.Time `json:"until"`
	Orders   int64     `json:"orders"`
	Currency string    `json:"currency"`
	Seed     uint64    `json:"seed"`
	// Level is how sure intervals are, like 0.95; TouchMinute is what a minute of a person's work counts, minor units.
	Level       float64 `json:"level"`
	TouchMinute int64   `json:"touch_minute"`
	// Baseline is the scenario that the rules' worth is measured against; "" when there is none.
	Baseline string `json:"baseline,omitempty"`
	// Questions are the four, in their order, with what the reassessment answers.
	Questions []Question `json:"questions"`
	// Base is the scenario that others are compared with, always the first of Runs.
	Base string `json:"base"`
	Runs []Run  `json:"runs"`
	// Bound is the least that any way of serving the orders could have cost; nil: not calculated.
	Bound *Bound `json:"bound,omitempty"`
	// Changed are the orders whose cost changed most between the base and a candidate, both explanations side by side.
	Changed []Changed `json:"changed,omitempty"`
	// Findings are what the drift watch found of the rules in force.
	Findings []Finding `json:"findings,omitempty"`
	// Assumptions are what the numbers rest on, in sentences; Quality is what the history lacks.
	Assumptions []string       `json:"assumptions"`
	Quality     []past.Finding `json:"quality,omitempty"`
	// Took is how long it took, by part.
	Took map[string]time.Duration `json:"took_ns,omitempty"`
}

// Question is one of the four with its answer.
type Question struct {
	ID     string `json:"id"` // "fit", "effort", "promises", "money"
	Asked  string `json:"asked"`
	Answer string `json:"answer"` // one sentence
	Number string `json:"number"` // the number it turns on, as people read it
	// Trend are values over the period, oldest first, one per TrendBy ("day", "week" or "month"); TrendOf says of what.
	Trend   []float64 `json:"trend,omitempty"`
	TrendOf string    `json:"trend_of,omitempty"`
	TrendBy string    `json:"trend_by,omitempty"`
	// Verdict is "good", "attention" or "unknown".
	Verdict string `json:"verdict"`
}

// Run is one scenario with its measures.
type Run struct {
	Result   *replay.Result `json:"result"`
	Measures []Measure      `json:"measures"`
	// GapClosed is the share of the way from the worst run's cost to the bound, 0 to 1, that this run goes; nil without a bound.
	GapClosed *float64 `json:"gap_closed,omitempty"`
}

// Measure is one KPI of a run, and how it differs from the base.
type Measure struct {
	ID    string  `json:"id"` // cost_per_order, shipments_per_order, promised_days, promise_kept, …
	Name  string  `json:"name"`
	Unit  string  `json:"unit"` // "money" (minor units), "percent" (0 to 100), "days", "minutes", "per order", "per 100 units", "seconds"
	Value float64 `json:"value"`
	Known bool    `json:"known"` // false: nothing to measure it by
	// Better is "lower" or "higher".
	Better string `json:"better"`
	// Versus is the difference to the base; nil for the base itself.
	Versus *stats.Difference `json:"versus,omitempty"`
	// Drawn is the share of orders, 0 to 1, whose outcome in it was drawn and not recorded.
	Drawn float64 `json:"drawn,omitempty"`
}

// Bound is the least cost of serving the orders of each period with all of the future known.
type Bound struct {
	// Method says in a sentence how it was calculated and what it leaves out.
	Method  string        `json:"method"`
	Cost    int64         `json:"cost"`
	Orders  int64         `json:"orders"` // that it covers
	Periods []BoundPeriod `json:"periods"`
}

// BoundPeriod is the bound of some days. Costs are those of the orders that the bound covers.
type BoundPeriod struct {
	From   string  `json:"from"`
	Until  string  `json:"until"` // inclusive
	Orders int64   `json:"orders"`
	Bound  int64   `json:"bound"`
	Costs  []int64 `json:"costs"` // of each run, in the order of Report.Runs
}

// Changed is an order that a candidate would have treated otherwise.
type Changed struct {
	Order         string    `json:"order"`
	At            time.Time `json:"at"`
	Candidate     string    `json:"candidate"`
	BaseCost      int64     `json:"base_cost"`
	CandidateCost int64     `json:"candidate_cost"`
	Base          []string  `json:"base"` // the explanation, sentences
	Other         []string  `json:"other"`
	BaseFrom      string    `json:"base_from"` // locations
	OtherFrom     string    `json:"other_from"`
}

// Finding is something that the drift watch found: the evidence, what could be changed, and what that
// would have done.
type Finding struct {
	Kind     string `json:"kind"` // gap_grows, rule_never_fires, rule_always_excludes, reject_rate, promise_tight, promise_loose, …
	Subject  string `json:"subject"`
	Evidence string `json:"evidence"`
	Suggest  string `json:"suggest"`
	// Since is the end of the first period of daily reports in a row that found it (Remember).
	Since time.Time `json:"since,omitzero"`
	// Effect is what the change would have done, replayed, in a sentence; empty: it was not replayed.
	Effect string `json:"effect,omitempty"`
	// Measures are those of the replayed change against the base.
	Measures []Measure `json:"measures,omitempty"`
	// Diff is the suggested change of a policy, setting by setting, and Policy its whole text, to be saved as a draft.
	Diff   []string `json:"diff,omitempty"`
	Policy string   `json:"policy,omitempty"`
}
