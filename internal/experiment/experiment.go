// Package experiment says what a live experiment is: a sourcing policy that challenges those in force, on live orders.
//
// In the shadow the challenger is asked about every order when it is first sourced, and what it would have done is booked beside what
// was done; nothing else happens. On a share, a stable hash of the customer or region puts orders into two groups, and the
// challenger decides for one of them for as long as the experiment runs. Guardrails stop an experiment that harms; a sequential test
// says when the answer is in, at a level that holds however often one looks.
//
// The package decides: what a setup must say, which group an order is in, what finished orders add up to, what that means. It
// keeps nothing, reads no clock and does not know where orders come from; package engine does that. It does not compare several
// challengers at once, and it does not correct for looking at metrics beside the one that was named beforehand.
package experiment

import (
	"slices"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/money"
	"github.com/orderly-oms/orderly/internal/problem"
)

// Modes.
const (
	Shadow = "shadow" // the challenger is asked and decides nothing
	Share  = "share"  // the challenger decides for a share of the orders
)

// What groups are split by.
const (
	ByCustomer = "customer"
	ByRegion   = "region"
)

// States. An experiment runs once: to go on after a stop, make another.
const (
	Draft   = "draft"
	Running = "running"
	Stopped = "stopped"
)

// Limits and defaults.
const (
	MaxNameBytes          = 200
	MaxChannels           = 100
	DefaultMinOrders      = 200
	DefaultLevelPercent   = 95
	DefaultExpectedOrders = 5000
	maxOrders             = 100_000_000
)

// Setup is what somebody wants to find out, and how.
type Setup struct {
	Name string `json:"name"`
	// Policy is the challenger: a sourcing policy on the shelf as name@version, or name for its latest version. It need not be published.
	Policy string `json:"policy,omitempty"`
	Mode   string `json:"mode"` // shadow or share
	// Percent of the orders that the challenger decides, by Split; of share only.
	Percent int64  `json:"percent,omitempty"`
	Split   string `json:"split,omitempty"` // customer (default) or region; of share only
	// Channels are those whose orders take part; none: all.
	Channels []string `json:"channels,omitempty"`
	// Currency is that of the orders that take part, since costs in several do not add up. Default: that of the channels, when they have one.
	Currency   string      `json:"currency,omitempty"`
	Guardrails *Guardrails `json:"guardrails,omitempty"`
	Test       Test        `json:"test,omitzero"`
}

// Guardrails stop a share experiment. Each is a limit on the challenger's figures over its finished orders; nil: none.
type Guardrails struct {
	PromiseKeptPercentMin *float64 `json:"promise_kept_percent_min,omitempty"` // of orders with a promise, those that arrived by the first
	CancelPercentMax      *float64 `json:"cancel_percent_max,omitempty"`       // of units, those cancelled, order by order
	CostMorePercentMax    *float64 `json:"cost_more_percent_max,omitempty"`    // how much more an order may cost than one of the incumbent
	// MinOrders is how many finished orders a figure needs before it can stop anything; default 200.
	MinOrders int64 `json:"min_orders,omitempty"`
}

// Test says when the answer is in.
type Test struct {
	Metric       string  `json:"metric,omitempty"`        // default: cost
	LevelPercent float64 `json:"level_percent,omitempty"` // default: 95
	// StopWhenSure stops the experiment when the answer is in.
	StopWhenSure bool `json:"stop_when_sure,omitempty"`
	// ExpectedOrders is about how many orders the test is to be sharpest at; it holds at any number. Default: 5000.
	ExpectedOrders int64 `json:"expected_orders,omitempty"`
}

// Experiment is a setup with its life. It is never changed: every step makes another.
type Experiment struct {
	ID string `json:"id"`
	Setup
	State     string    `json:"state"`
	CreatedBy string    `json:"created_by"`
	CreatedAt time.Time `json:"created_at"`
	StartedBy string    `json:"started_by,omitempty"`
	StartedAt time.Time `json:"started_at,omitzero"`
	// Incumbents are the sourcing policies that were in force when it started, as name@version. When others
	// are, it stops: what it compared with is not there any more.
	Incumbents []string  `json:"incumbents,omitempty"`
	StoppedAt  time.Time `json:"stopped_at,omitzero"`
	Stop       *Stop     `json:"stop,omitempty"`
	// Text is the challenger's document.
	Text string `json:"text,omitempty"`
}

// Why experiments stop.
const (
	StopPerson    = "person"
	StopGuardrail = "guardrail"
	StopSure      = "answer_is_in"
	StopIncumbent = "incumbent_changed"
	StopOverlap   = "overlap"
)

// Stop says why an experiment stopped.
type Stop struct {
	Cause string `json:"cause"`
	By    string `json:"by"`
	// Reason is a sentence: what a person wrote, or what was found.
	Reason string  `json:"reason,omitempty"`
	Breach *Breach `json:"breach,omitempty"` // of a guardrail
	Answer *Answer `json:"answer,omitempty"` // as it was then
}

// Validate reports every field that is wrong in itself (problem.Invalid).
func (s *Setup) Validate() error {
	var bad problem.Invalid
	if strings.TrimSpace(s.Name) == "" {
		bad.Add("name", problem.Required, "say what is tried, so that it is found again")
	}
	bad.Text("name", s.Name, MaxNameBytes)
	bad.IDs("channels", s.Channels, MaxChannels)
	if s.Currency != "" && !money.ValidCurrency(s.Currency) {
		bad.Add("currency", problem.Unknown, "%.60q is not an ISO 4217 code", s.Currency)
	}
	switch s.Mode {
	case Share:
		s.validateShare(&bad)
	case Shadow:
		s.validateShadow(&bad)
	case "":
		bad.Add("mode", problem.Required, "say shadow, where the challenger changes nothing, or share")
	default:
		bad.Add("mode", problem.Unknown, "%.60q is neither shadow nor share", s.Mode)
	}
	s.validateTest(&bad)
	return bad.Err()
}

func (s *Setup) validateShare(bad *problem.Invalid) {
	bad.Range("percent", s.Percent, 1, 99)
	switch s.Split {
	case "", ByCustomer:
	case ByRegion:
		if s.Test.StopWhenSure {
			bad.Add("test.stop_when_sure", problem.Conflict, "orders of one region are alike, so that the test's level does not hold for a split by region; split by customer, or stop it yourself")
		}
	default:
		bad.Add("split", problem.Unknown, "%.60q is neither customer nor region", s.Split)
	}
	if s.Guardrails != nil {
		s.Guardrails.validate(bad)
	}
}

func (s *Setup) validateShadow(bad *problem.Invalid) {
	const why = "a challenger in the shadow decides nothing; leave it out, or choose mode share"
	if s.Percent != 0 {
		bad.Add("percent", problem.Conflict, why)
	}
	if s.Split != "" {
		bad.Add("split", problem.Conflict, why)
	}
	if s.Guardrails != nil {
		bad.Add("guardrails", problem.Conflict, why)
	}
}

func (g *Guardrails) validate(bad *problem.Invalid) {
	percent := func(pointer string, v *float64, most float64) {
		if v != nil && (!(*v >= 0) || *v > most) {
			bad.Add("guardrails."+pointer, problem.OutOfRange, "must be between 0 and %g percent", most)
		}
	}
	percent(PromiseKeptGuard, g.PromiseKeptPercentMin, 100)
	percent(CancelGuard, g.CancelPercentMax, 100)
	percent(CostGuard, g.CostMorePercentMax, 1000)
	if g.PromiseKeptPercentMin == nil && g.CancelPercentMax == nil && g.CostMorePercentMax == nil {
		bad.Add("guardrails", problem.Required, "name at least one of %s, %s and %s", PromiseKeptGuard, CancelGuard, CostGuard)
	}
	if g.MinOrders != 0 {
		bad.Range("guardrails.min_orders", g.MinOrders, 10, maxOrders)
	}
}

func (s *Setup) validateTest(bad *problem.Invalid) {
	t := &s.Test
	if known := Metrics(s.Mode); t.Metric != "" && known != nil && !slices.Contains(known, t.Metric) {
		bad.Add("test.metric", problem.Unknown, "%.60q is none of the metrics in mode %s: %s", t.Metric, s.Mode, strings.Join(known, ", "))
	}
	if t.LevelPercent != 0 && (!(t.LevelPercent >= 50) || t.LevelPercent > 99.99) {
		bad.Add("test.level_percent", problem.OutOfRange, "must be between 50 and 99.99")
	}
	if t.ExpectedOrders != 0 {
		bad.Range("test.expected_orders", t.ExpectedOrders, 200, maxOrders)
	}
}

// Filled returns a valid setup with its defaults.
func (s Setup) Filled() Setup {
	if s.Mode == Share && s.Split == "" {
		s.Split = ByCustomer
	}
	if s.Guardrails != nil && s.Guardrails.MinOrders == 0 {
		g := *s.Guardrails
		g.MinOrders = DefaultMinOrders
		s.Guardrails = &g
	}
	t := &s.Test
	if t.Metric == "" {
		t.Metric = Cost
	}
	if t.LevelPercent == 0 {
		t.LevelPercent = DefaultLevelPercent
	}
	if t.ExpectedOrders == 0 {
		t.ExpectedOrders = DefaultExpectedOrders
	}
	return s
}

// Overlaps reports that orders of one channel and currency would take part in both: such two cannot run at once.
func (s *Setup) Overlaps(o *Setup) bool {
	if s.Currency != o.Currency {
		return false
	}
	if len(s.Channels) == 0 || len(o.Channels) == 0 {
		return true
	}
	return slices.ContainsFunc(s.Channels, func(c string) bool { return slices.Contains(o.Channels, c) })
}

// Started returns the experiment as it runs from a moment on.
func (x *Experiment) Started(by string, at time.Time, incumbents []string) *Experiment {
	next := *x
	next.State, next.StartedBy, next.StartedAt, next.Incumbents = Running, by, at, incumbents
	return &next
}

// Ended returns the experiment as it is once it stopped.
func (x *Experiment) Ended(s Stop, at time.Time) *Experiment {
	next := *x
	next.State, next.StoppedAt, next.Stop = Stopped, at, &s
	return &next
}

// steps orders states of one experiment by time.
var steps = map[string]int{Draft: 1, Running: 2, Stopped: 3}

// After reports that the experiment is a later state of another one.
func (x *Experiment) After(o *Experiment) bool { return steps[x.State] > steps[o.State] }
