package reassess

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/past"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/replay"
)

// Runner replays scenarios: replay.Run, or something that has results already.
type Runner func(ctx context.Context, open replay.Open, scenarios []replay.Scenario, o replay.Options) ([]*replay.Result, error)

// Options say what a reassessment does. The zero value is a reassessment of everything, with intervals that are right 95 times in 100.
type Options struct {
	// Replay are the options of the runs: period, seed, progress. KeepOrders is set by Assess.
	Replay replay.Options
	// Level of confidence of intervals and trends. Default 0.95.
	Level float64
	// TouchMinute is what a minute of a person's work counts, minor units. Default DefaultTouchMinute; negative: nothing.
	TouchMinute int64
	// Baseline is what the rules' worth is measured against: the policy that was pinned at go-live. Default: the
	// policy "nearest" of the library. NoBaseline measures no worth.
	Baseline   *replay.Scenario
	NoBaseline bool
	// LeastCost calculates the bound of the runs; nil: none.
	LeastCost func(ctx context.Context, open replay.Open, runs []*replay.Result) (*Bound, error)
	// Changed is how many changed orders are shown for each candidate. Default 10; negative: none.
	Changed int
	// Watch looks for drift of the rules in force, and replays the changes that the Replayed most valuable of its
	// findings suggest. Default 6; negative: none.
	Watch    bool
	Replayed int
	// Run makes the runs. Default replay.Run.
	Run Runner
	// Now is when the report is made; zero: left out.
	Now time.Time
}

// Defaults and limits.
const (
	DefaultLevel       = 0.95
	DefaultTouchMinute = 50 // of a currency with hundredths: 30.00 an hour
	DefaultChanged     = 10
	DefaultReplayed    = 6
	MaxScenarios       = 50
	MaxChanged         = 1000
)

// Names of scenarios that Assess makes itself.
const (
	NameRules    = "rules in force"
	NameRecorded = "as it was"
	NameNearest  = "baseline: nearest"
)

// ErrEmpty: no order came in the period.
var ErrEmpty = errors.New("reassess: no order came in the period; choose a longer one, or look whether the history has any")

// Assess has the base, the candidates and the baseline replayed, compares them, and answers the four questions. Of a
// history without recorded decisions a base that changes nothing is what was recorded.
// Errors: ErrEmpty; names that are given twice; of the history and the runs.
func Assess(ctx context.Context, open replay.Open, base replay.Scenario, candidates []replay.Scenario, o Options) (*Report, error) {
	o = o.filled()
	header, err := headerOf(open)
	if err != nil {
		return nil, err
	}
	a := &assessment{o: &o, open: open, surveyor: &surveyor{open: open}, header: header, took: map[string]time.Duration{}}
	if err := a.scenarios(base, candidates); err != nil {
		return nil, err
	}
	if err := a.run(ctx); err != nil {
		return nil, err
	}
	if err := a.report(ctx); err != nil {
		return nil, err
	}
	return a.out, nil
}

func (o Options) filled() Options {
	if o.Level <= 0 || o.Level >= 1 {
		o.Level = DefaultLevel
	}
	switch {
	case o.TouchMinute == 0:
		o.TouchMinute = DefaultTouchMinute
	case o.TouchMinute < 0:
		o.TouchMinute = 0
	}
	if o.Changed == 0 {
		o.Changed = DefaultChanged
	}
	o.Changed = min(max(o.Changed, 0), MaxChanged)
	if o.Replayed == 0 {
		o.Replayed = DefaultReplayed
	}
	o.Replayed = max(o.Replayed, 0)
	if o.Run == nil {
		o.Run = replay.Run
	}
	o.Replay.KeepOrders = true
	return o
}

func headerOf(open replay.Open) (*past.Header, error) {
	r, err := open()
	if err != nil {
		return nil, err
	}
	h := *r.Header()
	return &h, r.Close()
}

// assessment is one reassessment on its way. runs[i] is of list[i].
type assessment struct {
	o        *Options
	open     replay.Open
	header   *past.Header
	list     []replay.Scenario
	runs     []*replay.Result
	baseline int // its place in list; −1: none
	bound    *Bound
	surveyor *surveyor
	rules    *rules
	took     map[string]time.Duration
	out      *Report
}

// scenarios lists what is to be run: the base, the candidates, the baseline.
func (a *assessment) scenarios(base replay.Scenario, candidates []replay.Scenario) error {
	if !a.header.Recorded && len(base.Policies) == 0 {
		base.Recorded = true
	}
	if base.Name == "" {
		base.Name = NameRules
		if base.Recorded {
			base.Name = NameRecorded
		}
	}
	a.list = append([]replay.Scenario{base}, candidates...)
	a.baseline = -1
	if !a.o.NoBaseline {
		b := a.o.Baseline
		if b == nil {
			b = &replay.Scenario{Name: NameNearest, Policies: []string{nearestText()}}
		}
		if a.baseline = a.named(b.Name); a.baseline < 0 {
			a.baseline = len(a.list)
			a.list = append(a.list, *b)
		}
	}
	if len(a.list) > MaxScenarios {
		return fmt.Errorf("reassess: %d scenarios; at most %d are replayed at once", len(a.list), MaxScenarios)
	}
	for i := range a.list {
		switch first := a.named(a.list[i].Name); {
		case a.list[i].Name == "":
			return fmt.Errorf("reassess: candidate %d has no name; give it one", i)
		case first != i:
			return fmt.Errorf("reassess: two scenarios are called %q; give each its own name", a.list[i].Name)
		}
	}
	return nil
}

func (a *assessment) named(name string) int {
	return slices.IndexFunc(a.list, func(s replay.Scenario) bool { return s.Name == name })
}

func nearestText() string {
	for _, e := range policy.Library() {
		if e.Compiled.Kind == policy.KindSourcing && e.Default {
			return e.Text
		}
	}
	panic("reassess: the library has no default of sourcing") // it is part of the program
}

// timed measures a part.
func (a *assessment) timed(part string, f func() error) error {
	began := time.Now()
	err := f()
	a.took[part] += time.Since(began)
	return err
}

func (a *assessment) run(ctx context.Context) error {
	err := a.timed("replay", func() (err error) {
		a.runs, err = a.o.Run(ctx, a.surveyor.watched, a.list, a.o.Replay)
		return err
	})
	switch {
	case err != nil:
		return err
	case len(a.runs) != len(a.list):
		return fmt.Errorf("reassess: %d results of %d scenarios", len(a.runs), len(a.list))
	case a.runs[0].Total.Orders == 0:
		return ErrEmpty
	}
	if a.o.LeastCost == nil {
		return nil
	}
	return a.timed("bound", func() (err error) {
		a.bound, err = a.o.LeastCost(ctx, a.open, a.runs)
		return err
	})
}

func (a *assessment) report(ctx context.Context) error {
	base := a.runs[0]
	r := &Report{
		Made: a.o.Now, Source: a.header.Source, Orders: base.Total.Orders, Currency: a.header.Currency,
		Seed: a.o.Replay.Seed, Level: a.o.Level, TouchMinute: a.o.TouchMinute,
		Base: a.list[0].Name, Bound: a.bound, Quality: a.header.Quality, Took: a.took,
	}
	a.out = r
	r.From, r.Until = a.period()
	if a.baseline >= 0 {
		r.Baseline = a.list[a.baseline].Name
	}
	err := a.timed("survey", func() (err error) {
		a.rules, err = a.surveyor.survey(&a.list[0], r.From, r.Until)
		return err
	})
	if err != nil {
		return err
	}
	began := time.Now()
	a.compare()
	a.took["statistics"] += time.Since(began)
	if a.o.Changed > 0 {
		if err := a.timed("changed", func() error { return a.changed(ctx) }); err != nil {
			return err
		}
	}
	if a.o.Watch {
		err := a.timed("watch", func() (err error) {
			r.Findings, err = watch(ctx, a.open, a.list[0], r, a.rules, a.o)
			return err
		})
		if err != nil {
			return err
		}
	}
	r.Questions = a.questions()
	r.Assumptions = a.assumptions()
	return nil
}

// period is from when until when orders were counted.
func (a *assessment) period() (from, until time.Time) {
	days := a.runs[0].Days
	if from = a.o.Replay.From; from.IsZero() && len(days) > 0 {
		from, _ = time.Parse(time.DateOnly, days[0].Date)
	}
	if until = a.o.Replay.Until; until.IsZero() && len(days) > 0 {
		until, _ = time.Parse(time.DateOnly, days[len(days)-1].Date)
		until = until.AddDate(0, 0, 1)
	}
	return from, until
}

// compare measures every run against the base and the bound.
func (a *assessment) compare() {
	closed := a.bound.closed(len(a.runs))
	for i, run := range a.runs {
		var base *replay.Result
		if i > 0 {
			base = a.runs[0]
		}
		out := Run{Result: run, Measures: measures(run, base, a.o)}
		if closed != nil {
			out.GapClosed = &closed[i]
		}
		a.out.Runs = append(a.out.Runs, out)
	}
}

// closed is which share of the way from the dearest run to the bound each run goes; nil when that cannot be said:
// without a bound, or with nothing between the two.
func (b *Bound) closed(runs int) []float64 {
	costs, least := b.costs(runs)
	if costs == nil {
		return nil
	}
	worst := slices.Max(costs)
	if worst <= least {
		return nil
	}
	out := make([]float64, runs)
	for i, c := range costs {
		out[i] = float64(worst-c) / float64(worst-least)
	}
	return out
}

// costs are those of each run and the bound, over all periods.
func (b *Bound) costs(runs int) (costs []int64, least int64) {
	if b == nil || len(b.Periods) == 0 {
		return nil, 0
	}
	costs = make([]int64, runs)
	for i := range b.Periods {
		p := &b.Periods[i]
		if len(p.Costs) < runs {
			return nil, 0
		}
		least += p.Bound
		for j := range costs {
			costs[j] += p.Costs[j]
		}
	}
	return costs, least
}
