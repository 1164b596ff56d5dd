package experiment

import (
	"fmt"
	"math"
)

// Guardrails by name, as in Guardrails.
const (
	PromiseKeptGuard = "promise_kept_percent_min"
	CancelGuard      = "cancel_percent_max"
	CostGuard        = "cost_more_percent_max"
)

// Guard is where a guardrail stands.
type Guard struct {
	Name  string  `json:"name"`
	Limit float64 `json:"limit"`
	// Value is the challenger's figure, Incumbent that of the other group, where the limit does not compare the two already.
	// Nothing was counted yet when Orders is 0.
	Value     float64  `json:"value"`
	Incumbent *float64 `json:"incumbent,omitempty"`
	// Orders are those of the challenger behind it, of both groups the fewer where the limit compares them. Below Needed it stops nothing.
	Orders   int64 `json:"orders"`
	Needed   int64 `json:"needed"`
	Breached bool  `json:"breached"`
}

// Breach is a guardrail that stopped an experiment.
type Breach struct {
	Guard
	Text string `json:"text"`
}

// Guards are where the guardrails stand, none in the shadow.
func (s *Setup) Guards(c *Counts) []Guard {
	g := s.Guardrails
	if s.Mode != Share || g == nil {
		return []Guard{}
	}
	out := []Guard{}
	a, b := &c.Incumbent, &c.Challenger
	percent := func(mean float64) *float64 {
		p := round(100 * mean)
		return &p
	}
	add := func(x Guard, beyond bool) {
		x.Value = round(x.Value)
		x.Needed = g.MinOrders
		x.Breached = beyond && x.Orders >= x.Needed
		out = append(out, x)
	}
	if g.PromiseKeptPercentMin != nil {
		x := Guard{Name: PromiseKeptGuard, Limit: *g.PromiseKeptPercentMin, Value: 100 * b.PromiseKept.Mean, Incumbent: percent(a.PromiseKept.Mean), Orders: b.PromiseKept.N}
		add(x, x.Value < x.Limit-tolerance)
	}
	if g.CancelPercentMax != nil {
		x := Guard{Name: CancelGuard, Limit: *g.CancelPercentMax, Value: 100 * b.Cancelled.Mean, Incumbent: percent(a.Cancelled.Mean), Orders: b.Cancelled.N}
		add(x, x.Value > x.Limit+tolerance)
	}
	if g.CostMorePercentMax != nil {
		x := Guard{Name: CostGuard, Limit: *g.CostMorePercentMax, Orders: min(a.Cost.N, b.Cost.N)}
		if a.Cost.Mean > 0 {
			x.Value = 100 * (b.Cost.Mean/a.Cost.Mean - 1)
		}
		add(x, x.Value > x.Limit+tolerance)
	}
	return out
}

// tolerance keeps sums of fractions from breaching a limit that they meet exactly.
const tolerance = 1e-9

// Breached is the first guardrail that is; nil: all hold.
func (s *Setup) Breached(c *Counts) *Breach {
	for _, g := range s.Guards(c) {
		if g.Breached {
			return &Breach{Guard: g, Text: g.text()}
		}
	}
	return nil
}

func (g *Guard) text() string {
	switch g.Name {
	case PromiseKeptGuard:
		return fmt.Sprintf("the challenger kept %.1f %% of %d first promises, below the %g %% it has to (the incumbent: %.1f %%)", g.Value, g.Orders, g.Limit, *g.Incumbent)
	case CancelGuard:
		return fmt.Sprintf("%.1f %% of the units in %d orders of the challenger were cancelled, above the %g %% it may (the incumbent: %.1f %%)", g.Value, g.Orders, g.Limit, *g.Incumbent)
	}
	return fmt.Sprintf("an order of the challenger costs %.1f %% more than one of the incumbent, above the %g %% it may, over at least %d orders each", g.Value, g.Limit, g.Orders)
}

func round(x float64) float64 { return math.Round(x*1e6) / 1e6 }
