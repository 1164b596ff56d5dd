package reassess_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/orderly-oms/orderly/internal/past"
	"github.com/orderly-oms/orderly/internal/reassess"
	"github.com/orderly-oms/orderly/internal/replay"
)

// A planted difference of known size lies within its interval at least 93 times in 100, whatever the measure. A hundred seeds alone
// would judge the luck of the seeds: of intervals that are right 95 % of the time, one hundred in eight has fewer.
func TestPlantedImprovementIsRecovered(t *testing.T) {
	t.Parallel()
	planted := map[string]float64{reassess.MeasureCost: -10, reassess.MeasureKept: 1, reassess.MeasureTouches: -.02}
	for _, days := range []int{28, 91} {
		within, sure := map[string]int{}, map[string]int{}
		const seeds = 300
		for seed := range uint64(seeds) {
			x := effects{saving: 10, kept: .01, touches: .02, own: 100_000 + seed}
			r := assess(t, recorded(), []replay.Scenario{{Name: "better"}}, reassess.Options{
				NoBaseline: true, Changed: -1, Replay: replay.Options{Seed: seed},
				Run: (&runs{of: map[string]*replay.Result{reassess.NameRules: way("", seed, days, effects{}), "better": way("", seed, days, x)}}).run,
			})
			for id, change := range planted {
				v := measure(t, r.Runs[1].Measures, id).Versus
				if v.Low <= change && change <= v.High {
					within[id]++
				}
				if v.Sure() {
					sure[id]++
				}
			}
		}
		for id := range planted {
			t.Logf("%d days, %s: within %d of %d, sure %d", days, id, within[id], seeds, sure[id])
			if within[id] < seeds*93/100 {
				t.Errorf("%d days: the planted %s was within its interval %d of %d times", days, id, within[id], seeds)
			}
			if days == 91 && sure[id] < seeds*90/100 {
				t.Errorf("%d days: the planted %s was found %d of %d times", days, id, sure[id], seeds)
			}
		}
	}
}

func TestTheSameDiffersByNothing(t *testing.T) {
	t.Parallel()
	for _, days := range []int{14, 60, 730} {
		r := assess(t, recorded(), []replay.Scenario{{Name: "again"}}, reassess.Options{
			NoBaseline: true, Run: (&runs{other: func(replay.Scenario) *replay.Result { return way("", 1, days, effects{}) }}).run,
		})
		for _, m := range r.Runs[1].Measures {
			if v := m.Versus; v.Change != 0 || v.Low != 0 || v.High != 0 || v.Sure() || v.TooLittle != "" && m.Unit != "seconds" {
				t.Errorf("%d days: %s differs from itself: %+v", days, m.ID, v)
			}
		}
		if len(r.Changed) > 0 {
			t.Errorf("%d days: orders changed: %v", days, r.Changed)
		}
		if q := r.Questions[0]; !strings.Contains(q.Answer, "none is surely better") {
			t.Errorf("%d days: %s", days, q.Answer)
		}
	}
}

func TestTooLittleSaysSo(t *testing.T) {
	t.Parallel()
	r := assess(t, recorded(), []replay.Scenario{{Name: "better"}}, reassess.Options{Run: (&runs{other: func(s replay.Scenario) *replay.Result {
		if s.Name == reassess.NameRules {
			return way("", 1, 10, effects{saving: 50})
		}
		return way("", 1, 10, effects{})
	}}).run})
	for _, m := range r.Runs[1].Measures {
		if m.Versus.TooLittle == "" || m.Versus.Low != 0 || m.Versus.High != 0 {
			t.Errorf("%s: %+v", m.ID, m.Versus)
		}
	}
	q := r.Questions[3]
	if q.Verdict != reassess.Unknown || !strings.HasPrefix(q.Answer, "Too little to tell: ") || !strings.Contains(q.Answer, "10 days are too few") {
		t.Errorf("money: %+v", q)
	}
	if !slices.ContainsFunc(r.Assumptions, func(s string) bool { return strings.Contains(s, "Orders came on 10 days") }) {
		t.Errorf("assumptions: %q", r.Assumptions)
	}
}

func bound(periods int, gap func(i int) float64) func(context.Context, replay.Open, []*replay.Result) (*reassess.Bound, error) {
	return func(_ context.Context, _ replay.Open, runs []*replay.Result) (*reassess.Bound, error) {
		b := &reassess.Bound{Method: "The bound is a test's."}
		for i := range periods {
			p := reassess.BoundPeriod{From: start.AddDate(0, 0, 7*i).Format("2006-01-02"), Until: start.AddDate(0, 0, 7*i+6).Format("2006-01-02"), Orders: 1000, Bound: 500_000}
			for j := range runs {
				p.Costs = append(p.Costs, 500_000+int64(float64(1+j)*5000*gap(i)))
			}
			b.Periods = append(b.Periods, p)
			b.Cost += p.Bound
			b.Orders += p.Orders
		}
		return b, nil
	}
}

func flat(int) float64 { return 1 }

func none(int) float64 { return 0 }

func TestGapClosed(t *testing.T) {
	t.Parallel()
	r := assess(t, recorded(), []replay.Scenario{{Name: "a"}, {Name: "b"}}, reassess.Options{
		NoBaseline: true, LeastCost: bound(10, flat), Run: (&runs{other: func(replay.Scenario) *replay.Result { return way("", 1, 70, effects{}) }}).run,
	})
	for i, want := range []float64{2. / 3, 1. / 3, 0} { // 1, 2 and 3 percent above
		if got := *r.Runs[i].GapClosed; got < want-1e-9 || got > want+1e-9 {
			t.Errorf("run %d closes %v of the gap, want %v", i, got, want)
		}
	}
	r = assess(t, recorded(), []replay.Scenario{{Name: "a"}}, reassess.Options{
		NoBaseline: true, LeastCost: bound(10, none), Run: (&runs{other: func(replay.Scenario) *replay.Result { return way("", 1, 70, effects{}) }}).run,
	})
	if r.Runs[0].GapClosed != nil || r.Runs[1].GapClosed != nil {
		t.Error("there is no gap, and some of it was closed")
	}
}

// Every measure, of a day whose figures are all different.
func TestMeasures(t *testing.T) {
	t.Parallel()
	day := replay.Day{
		Date: "2026-09-07", Orders: 200, Units: 500, Cost: 90_000, Shipments: 240, Shipped: 160, Split: 40, Promised: 150, PromisedHours: 7200, Judged: 125, Kept: 100,
		Backordered: 30, BackorderedUnits: 45, CancelledUnits: 35, Cancelled: 5, Lost: 7000, Rejections: 15, Touches: 50, TouchSeconds: 6000, Drawn: 90,
	}
	base := total(&replay.Result{Days: []replay.Day{day}, DecideP50: 2 * time.Microsecond, DecideP99: 3 * time.Microsecond})
	r := assess(t, recorded(), nil, reassess.Options{NoBaseline: true, TouchMinute: 60, Run: (&runs{of: map[string]*replay.Result{reassess.NameRules: base}}).run})
	want := map[string]float64{
		"cost_per_order": 562.5, "cost_and_work_per_order": 480, "shipments_per_order": 1.5, "split_orders": 25, "promised_days": 2, "promise_kept": 80,
		"cancelled_units": 7, "backordered_orders": 15, "stock_outs": 9, "rejected_units": 3, "touches_per_order": .25, "touch_minutes_per_order": .5,
		"touch_cost_per_order": 30, "decide_p50": 2e-6, "decide_p99": 3e-6,
	}
	if len(want) != len(r.Runs[0].Measures) {
		t.Errorf("%d measures", len(r.Runs[0].Measures))
	}
	for _, m := range r.Runs[0].Measures {
		if !m.Known || math.Abs(m.Value-want[m.ID]) > 1e-9 || m.Versus != nil || m.Drawn != 0 && m.Drawn != .45 {
			t.Errorf("%s: %+v, want %v", m.ID, m, want[m.ID])
		}
	}
}

// What rises or falls over the period is said, and judged.
func TestTrendsAreJudged(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		touches, kept float64 // from the first to the last day
		effort, kind  string
		says          []string
	}{
		"steady":  {0, 0, reassess.Unknown, reassess.Good, []string{"no trend is sure", "no trend is sure"}},
		"worse":   {.2, -.03, reassess.Attention, reassess.Attention, []string{"It grows: ", "Yes, but less and less: "}},
		"better":  {-.1, .03, reassess.Good, reassess.Good, []string{"touches per order falls", "the share rises"}},
		"too few": {0, -.06, reassess.Unknown, reassess.Attention, []string{"no trend is sure", "Not often enough: "}},
	} {
		base := way("", 6, 84, effects{kept: .03})
		for i := range base.Days {
			d := &base.Days[i]
			at := float64(i) / 84
			if name == "too few" {
				at = 1
			}
			d.Touches += int64(c.touches * at * float64(d.Orders))
			d.Kept += int64(c.kept * at * float64(d.Orders))
		}
		r := assess(t, recorded(), nil, reassess.Options{NoBaseline: true, Run: (&runs{of: map[string]*replay.Result{reassess.NameRules: total(base)}}).run})
		effort, kept := r.Questions[1], r.Questions[2]
		if effort.Verdict != c.effort || kept.Verdict != c.kind || !strings.Contains(effort.Answer, c.says[0]) || !strings.Contains(kept.Answer, c.says[1]) {
			t.Errorf("%s:\n%s %s\n%s %s", name, effort.Verdict, effort.Answer, kept.Verdict, kept.Answer)
		}
		if len(effort.Trend) != 12 || effort.TrendBy != "week" {
			t.Errorf("%s: %d values by %s", name, len(effort.Trend), effort.TrendBy)
		}
	}
}

// A candidate that is cheaper because it keeps fewer promises, or sends less, is not better.
func TestCheaperIsNotBetter(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		x     effects
		sends int64 // units fewer, a day
		want  string
	}{
		"cheaper":                   {effects{saving: 40, own: 3}, 0, reassess.Attention},
		"cheaper, and later":        {effects{saving: 40, own: 3, kept: -.03}, 0, reassess.Good},
		"cheaper, and sending less": {effects{saving: 40, own: 3}, 20, reassess.Good},
		"dearer":                    {effects{saving: -40, own: 3}, 0, reassess.Good},
	} {
		other := way("", 2, 60, c.x)
		for i := range other.Days {
			other.Days[i].CancelledUnits += c.sends + int64(i%2)*min(c.sends, 1)
		}
		x := &runs{of: map[string]*replay.Result{reassess.NameRules: way("", 2, 60, effects{}), "c": total(other)}}
		r := assess(t, recorded(), []replay.Scenario{{Name: "c"}}, reassess.Options{NoBaseline: true, Run: x.run})
		if q := r.Questions[0]; q.Verdict != c.want {
			t.Errorf("%s: %s, %s", name, q.Verdict, q.Answer)
		}
	}
}

// The whole answer, as people read it.
func TestReportReads(t *testing.T) {
	t.Parallel()
	h := recorded()
	h.header.Quality = []past.Finding{{Subject: "deliveries", Missing: "none", Assumed: "nothing", Matters: "little"}}
	rules := way("", 5, 91, effects{saving: 30, touches: .05})
	rules.Identity = &replay.Identity{Decisions: 20_412, Same: 20_412, SameCost: 20_412, Joint: 3}
	rules.Notes = []string{"Nothing was known about snow."}
	faster := way("", 5, 91, effects{saving: 45, touches: .05, kept: .01, own: 9})
	faster.Notes = []string{"Nothing was known about snow.", "A rate was guessed."}
	nearest := way("", 5, 91, effects{own: 8})
	nearest.Notes = rules.Notes
	nearest.Days[3].CancelledUnits += 40
	nearest.Days[3].Lost += 40 * 1999
	total(nearest)
	for name, c := range map[string]struct {
		h *history
		o reassess.Options
		r *runs
		c []replay.Scenario
	}{
		"log.golden": {h, reassess.Options{LeastCost: bound(13, flat)}, &runs{of: map[string]*replay.Result{reassess.NameRules: rules, "faster": faster, reassess.NameNearest: nearest}}, []replay.Scenario{{Name: "faster"}}},
		"csv.golden": {
			&history{header: past.Header{Source: "csv", Currency: "EUR"}}, reassess.Options{TouchMinute: -1},
			&runs{of: map[string]*replay.Result{reassess.NameRecorded: way("", 5, 200, effects{}), reassess.NameNearest: way("", 5, 200, effects{saving: 20, own: 4})}}, nil,
		},
		"alone.golden": {h, reassess.Options{NoBaseline: true}, &runs{of: map[string]*replay.Result{reassess.NameRules: total(&replay.Result{Days: []replay.Day{{Date: "2026-09-07", Orders: 3}}})}}, nil},
	} {
		c.o.Run = c.r.run
		r := assess(t, c.h, c.c, c.o)
		var b strings.Builder
		for _, q := range r.Questions {
			fmt.Fprintf(&b, "%s [%s] %s\n  %s\n  %d values: %s, by %s\n", q.Asked, q.Verdict, q.Number, q.Answer, len(q.Trend), q.TrendOf, q.TrendBy)
		}
		b.WriteString("\n" + strings.Join(r.Assumptions, "\n") + "\n")
		golden(t, name, b.String())
		if _, err := json.Marshal(r); err != nil {
			t.Error(err)
		}
	}
}

func TestBaseAndBaseline(t *testing.T) {
	t.Parallel()
	same := func(replay.Scenario) *replay.Result { return way("", 1, 20, effects{}) }
	x := &runs{other: same}
	r := assess(t, &history{header: past.Header{Source: "csv"}}, nil, reassess.Options{Run: x.run})
	if !x.asked[0][0].Recorded || r.Base != reassess.NameRecorded || r.Baseline != reassess.NameNearest || len(x.asked[0][1].Policies) != 1 || !x.o[0].KeepOrders {
		t.Errorf("of CSV files %+v was asked for", x.asked[0])
	}
	pinned := &replay.Scenario{Name: "go-live", Policies: []string{"kind: sourcing"}}
	x = &runs{other: same}
	r = assess(t, recorded(), nil, reassess.Options{Run: x.run, Baseline: pinned})
	if x.asked[0][0].Recorded || r.Baseline != "go-live" || !reflect.DeepEqual(x.asked[0][1], *pinned) {
		t.Errorf("of a log %+v was asked for", x.asked[0])
	}
	x = &runs{other: same}
	assess(t, recorded(), []replay.Scenario{*pinned, {Name: "other"}}, reassess.Options{Run: x.run, Baseline: pinned})
	if len(x.asked[0]) != 3 {
		t.Errorf("a candidate that is the baseline was run twice: %+v", x.asked[0])
	}
}

func TestAssessRefuses(t *testing.T) {
	t.Parallel()
	empty := func(replay.Scenario) *replay.Result { return &replay.Result{} }
	for _, c := range []struct {
		candidates []replay.Scenario
		want       string
	}{
		{[]replay.Scenario{{}}, "has no name"},
		{[]replay.Scenario{{Name: "a"}, {Name: "a"}}, `two scenarios are called "a"`},
		{[]replay.Scenario{{Name: reassess.NameRules}}, "two scenarios"},
		{make([]replay.Scenario, reassess.MaxScenarios), "at most 50"},
		{nil, reassess.ErrEmpty.Error()},
	} {
		_, err := reassess.Assess(t.Context(), recorded().open, replay.Scenario{}, c.candidates, reassess.Options{Run: (&runs{other: empty}).run})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d candidates: %v, want %q", len(c.candidates), err, c.want)
		}
	}
	broken := errors.New("broken")
	_, err := reassess.Assess(t.Context(), func() (past.Reader, error) { return nil, broken }, replay.Scenario{}, nil, reassess.Options{})
	if !errors.Is(err, broken) {
		t.Error(err)
	}
}

// The orders shown are those that sorting all of them would give, with the reasons of both.
func TestChanged(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 5).Draw(t, "limit")
		var base, other []replay.OrderResult
		for i := range rapid.Int64Range(0, 20).Draw(t, "orders") {
			draw := func(label string) replay.OrderResult {
				id := fmt.Sprint("o", i)
				if rapid.IntRange(0, 9).Draw(t, "another order") == 0 {
					id += label // of a run with another demand
				}
				return replay.OrderResult{Number: i, ID: id, Cost: rapid.Int64Range(0, 5).Draw(t, label), Locations: rapid.SampledFrom([]string{"a", "b"}).Draw(t, label)}
			}
			b, o := draw("base"), draw("other")
			o.Why = []string{"why " + o.ID}
			if rapid.Bool().Draw(t, "in base") {
				base = append(base, b)
			}
			if rapid.Bool().Draw(t, "in other") {
				other = append(other, o)
			}
		}
		one, two := way("", 1, 20, effects{}), way("", 1, 20, effects{})
		one.Orders, two.Orders = base, other
		x := &runs{of: map[string]*replay.Result{reassess.NameRules: one, "c": two}}
		r, err := reassess.Assess(context.Background(), recorded().open, replay.Scenario{}, []replay.Scenario{{Name: "c"}}, reassess.Options{NoBaseline: true, Changed: limit, Run: func(ctx context.Context, open replay.Open, list []replay.Scenario, o replay.Options) ([]*replay.Result, error) {
			if o.Explain == nil {
				return x.run(ctx, open, list, o)
			}
			again := *one
			again.Orders = slices.Clone(base)
			for i := range again.Orders {
				if slices.Contains(o.Explain, again.Orders[i].Number) {
					again.Orders[i].Why = []string{"because " + again.Orders[i].ID}
				}
			}
			return []*replay.Result{&again}, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		var want []reassess.Changed
		for _, b := range base {
			for _, o := range other {
				if b.ID == o.ID && (b.Cost != o.Cost || b.Locations != o.Locations) {
					want = append(want, reassess.Changed{
						Order: b.ID, Candidate: "c", BaseCost: b.Cost, CandidateCost: o.Cost, BaseFrom: b.Locations, OtherFrom: o.Locations,
						Base: []string{"because " + b.ID}, Other: []string{"why " + b.ID},
					})
				}
			}
		}
		size := func(c reassess.Changed) int64 {
			return max(c.BaseCost-c.CandidateCost, c.CandidateCost-c.BaseCost)
		}
		slices.SortStableFunc(want, func(a, b reassess.Changed) int { return cmp.Compare(size(b), size(a)) })
		want = want[:min(limit, len(want))]
		if len(want)+len(r.Changed) > 0 && !reflect.DeepEqual(r.Changed, want) {
			t.Fatalf("got %+v\nwant %+v", r.Changed, want)
		}
	})
}

// Whatever was counted, a report can be written down, and the same runs give the same.
func TestReportIsWhole(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(t, "days")
		some := rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(0, 1000))
		draw := func() *replay.Result {
			r := &replay.Result{}
			for i := range n {
				if rapid.IntRange(0, 9).Draw(t, "left out") == 0 && i > 0 {
					continue
				}
				d := replay.Day{Date: start.AddDate(0, 0, i).Format("2006-01-02"), Orders: 1 + some.Draw(t, "orders")}
				for _, f := range []*int64{&d.Units, &d.Cost, &d.Shipments, &d.Shipped, &d.Promised, &d.PromisedHours, &d.Judged, &d.Touches, &d.TouchSeconds, &d.Rejections, &d.Drawn, &d.Lost} {
					*f = some.Draw(t, "count")
				}
				d.Kept = d.Judged / 2
				r.Days = append(r.Days, d)
			}
			return total(r)
		}
		x := &runs{of: map[string]*replay.Result{reassess.NameRules: draw(), reassess.NameNearest: draw()}}
		var texts []string
		for range 2 {
			r, err := reassess.Assess(context.Background(), recorded().open, replay.Scenario{}, nil, reassess.Options{Run: x.run, LeastCost: bound(n, flat)})
			if err != nil {
				t.Fatal(err)
			}
			r.Took = nil
			text, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			texts = append(texts, string(text))
			for _, q := range r.Questions {
				if q.Answer == "" || q.Number == "" || q.Asked == "" || !strings.HasSuffix(q.Answer, ".") || !slices.Contains([]string{reassess.Good, reassess.Attention, reassess.Unknown}, q.Verdict) {
					t.Fatalf("%+v", q)
				}
			}
		}
		if texts[0] != texts[1] {
			t.Fatal("the same runs gave two reports")
		}
	})
}
