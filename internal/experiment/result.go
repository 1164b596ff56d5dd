package experiment

import (
	"math"
	"time"

	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/stats"
)

// Result is what is known of an experiment so far.
type Result struct {
	Experiment string `json:"experiment"`
	State      string `json:"state"`
	// At is when counting began: what was in the log by then is in the figures, unless Behind says that it was more than could be counted at once.
	At     time.Time `json:"at,omitzero"`
	Behind bool      `json:"behind,omitempty"`
	// Groups are the incumbent's and the challenger's. In the shadow they are the same orders, as both decide them.
	Groups []GroupResult `json:"groups"`
	Shadow *ShadowResult `json:"shadow,omitempty"`
	Answer *Answer       `json:"answer"`
	Guards []Guard       `json:"guardrails"`
}

// GroupResult is one group.
type GroupResult struct {
	Group    string   `json:"group"`
	Captured int64    `json:"captured"`
	Finished int64    `json:"finished"`
	Figures  []Figure `json:"figures"`
}

// Figure is the mean of a metric over the orders that have it.
type Figure struct {
	Metric    string  `json:"metric"`
	Mean      float64 `json:"mean"`
	Deviation float64 `json:"deviation"` // of single orders
	Orders    int64   `json:"orders"`
}

// ShadowResult counts orders that were compared.
type ShadowResult struct {
	Orders int64 `json:"orders"`
	Same   int64 `json:"same"`   // of them, both choose the same locations
	Worse  int64 `json:"worse"`  // the challenger leaves more units with nobody; not in the figures
	Better int64 `json:"better"` // it leaves fewer; not in the figures
}

// Result sums up what was counted.
func (x *Experiment) Result(c *Counts) *Result {
	r := &Result{Experiment: x.ID, State: x.State, Answer: x.Answer(c), Guards: x.Guards(c)}
	a, b := GroupResult{Group: order.GroupIncumbent}, GroupResult{Group: order.GroupChallenger}
	if x.Mode == Shadow {
		s := &c.Compared
		r.Shadow = &ShadowResult{Orders: s.Orders, Same: s.Same, Worse: s.Worse, Better: s.Better}
		a.Captured, b.Captured = s.Orders, s.Orders
	} else {
		a.Captured, a.Finished = c.Incumbent.Captured, c.Incumbent.Finished
		b.Captured, b.Finished = c.Challenger.Captured, c.Challenger.Finished
	}
	for _, m := range Metrics(x.Mode) {
		if x.Mode == Shadow {
			p := c.Compared.metric(m)
			a.Figures, b.Figures = append(a.Figures, figure(m, p.Incumbent)), append(b.Figures, figure(m, p.Challenger))
			continue
		}
		a.Figures, b.Figures = append(a.Figures, figure(m, c.Incumbent.metric(m))), append(b.Figures, figure(m, c.Challenger.metric(m)))
	}
	r.Groups = []GroupResult{a, b}
	return r
}

func figure(metric string, g stats.Group) Figure {
	f := Figure{Metric: metric, Mean: round(g.Mean), Orders: g.N}
	if g.N > 1 {
		f.Deviation = round(math.Sqrt(g.Square / float64(g.N-1)))
	}
	return f
}
