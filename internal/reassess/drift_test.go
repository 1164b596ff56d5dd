package reassess_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/past"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/reassess"
	"github.com/orderly-oms/orderly/internal/replay"
)

const mainPolicy = `kind: sourcing
name: main
sourcing:
  groups:
    - name: near
      filters:
        - {name: close, keep: candidate.distance_km < 30.0, reason: too far}
      sort:
        - by: distance
    - name: rest # whoever is cheapest
      filters:
        - {name: open, keep: 'location.type != "vendor"', reason: vendors are slow}
      cost:
        - term: carrier
        - {term: risk, value: "500", weight: 1.5}
`

const rankPolicy = `kind: sourcing
name: main
sourcing:
  groups:
    - name: rank
      sort:
        - by: distance
`

const promisePolicy = `kind: promise
name: dates
promise:
  extra_days: 1
`

// healthy is a history of rules in which nothing has drifted.
func healthy(sourcing string) (*history, *replay.Result) {
	h := recorded()
	h.publish(policy.KindSourcing, "main", sourcing, 1, start.AddDate(0, 0, -30))
	h.publish(policy.KindPromise, "dates", promisePolicy, 1, start.AddDate(0, 0, -30))
	r := way("", 3, 56, effects{})
	r.Rules = []replay.RuleUse{
		{Policy: "main@1", Group: "near", Decisions: 6000}, {Policy: "main@1", Group: "near", Rule: "close", Decisions: 9000, Excluded: 40_000, Asked: 50_000},
		{Policy: "main@1", Group: "rest", Decisions: 5000}, {Policy: "main@1", Group: "rest", Rule: "open", Decisions: 90, Excluded: 100, Asked: 50_000},
		{Policy: "main@1", Group: "rank", Decisions: 9000},
	}
	for _, id := range []string{"a", "b", "c", "d"} {
		r.Locations = append(r.Locations, replay.LocationUse{Location: id, Shipments: 3000, Units: 6000, Cost: 1_500_000, Rejected: 45})
		r.Lanes = append(r.Lanes, replay.Lane{Location: id, Zone: "DE 1", Shipments: 1000, Cost: 500_000})
	}
	for i := range int64(4000) {
		o := replay.OrderResult{Number: i, ID: fmt.Sprint("o", i), Locations: []string{"a", "b", "c", "d"}[i%4], Service: []string{"swift/standard", "swift/express"}[i/4%2]}
		o.Promised = start.AddDate(0, 0, 4)
		o.Delivered = o.Promised.Add(-5 * time.Hour)
		if i%25 == 7 {
			o.Delivered = o.Promised.Add(30 * time.Hour) // 96 % are kept, dates a day earlier would never be
		}
		r.Orders = append(r.Orders, o)
	}
	return h, r
}

// watching runs the watch; the change that a finding suggests saves what it is given.
func watching(t *testing.T, h *history, base *replay.Result, o reassess.Options) (*reassess.Report, *runs) {
	t.Helper()
	x := &runs{of: map[string]*replay.Result{reassess.NameRules: base, reassess.NameRecorded: base}, other: func(s replay.Scenario) *replay.Result {
		return way(s.Name, 3, 56, effects{saving: 20, own: 5})
	}}
	o.NoBaseline, o.Watch, o.Run, o.Changed = true, true, x.run, -1
	return assess(t, h, nil, o), x
}

// plants are the findings, each planted in a history in which there is nothing else to find.
var plants = []struct {
	kind, subject string
	policy        string
	plant         func(h *history, r *replay.Result, o *reassess.Options)
	suggests      []string // the diff, or words of the suggestion
}{
	{reassess.GapGrows, reassess.NameRules, mainPolicy, func(_ *history, _ *replay.Result, o *reassess.Options) {
		o.LeastCost = bound(12, func(i int) float64 { return 3 + float64(i) + float64(i*i%3) })
	}, []string{"orderly reassess tune"}},
	{reassess.PolicyNeverDecides, "sourcing/gone", mainPolicy, func(h *history, _ *replay.Result, _ *reassess.Options) {
		h.publish(policy.KindSourcing, "gone", strings.ReplaceAll(rankPolicy, "name: main", "name: gone"), 1, start.AddDate(0, 0, -20))
	}, []string{"withdraw it"}},
	{reassess.RuleNeverFires, "sourcing/main, group rest, filter open", mainPolicy, func(_ *history, r *replay.Result, _ *reassess.Options) {
		r.Rules[3].Excluded, r.Rules[3].Decisions = 0, 0
	}, []string{"- sourcing.groups[rest].filters[open].keep"}},
	{reassess.RuleNeverFires, "sourcing/main, group rest", mainPolicy, func(_ *history, r *replay.Result, _ *reassess.Options) {
		r.Rules = r.Rules[:2]
	}, []string{"- sourcing.groups[rest]"}},
	{reassess.RuleAlwaysExcludes, "sourcing/main, group near, filter close", mainPolicy, func(_ *history, r *replay.Result, _ *reassess.Options) {
		r.Rules[1].Excluded = r.Rules[1].Asked
		r.Rules[0].Decisions = 0
	}, []string{"- sourcing.groups[near].filters[close].keep"}},
	{reassess.RejectRate, "location b", mainPolicy, func(_ *history, r *replay.Result, _ *reassess.Options) {
		r.Locations[1].Rejected = 300
	}, []string{"sourcing.groups[rest].cost[risk].weight: 1.5 → 3", "sourcing.groups[near].sort[value]"}},
	{reassess.RejectRate, "location b", rankPolicy, func(_ *history, r *replay.Result, _ *reassess.Options) {
		r.Locations[1].Rejected = 300
	}, []string{"candidate.failure_rate > 0.053 ? 1 : 0"}},
	{reassess.SafetyLow, "location b", mainPolicy, func(_ *history, r *replay.Result, _ *reassess.Options) {
		r.Locations[1].Rejected, r.Locations[1].NotFound = 300, 250
	}, []string{"hold back one unit more"}},
	{reassess.PromiseTight, "all promises", mainPolicy, func(_ *history, r *replay.Result, _ *reassess.Options) {
		for i := range r.Orders {
			if i%5 == 0 {
				r.Orders[i].Delivered = r.Orders[i].Promised.Add(30 * time.Hour)
			}
		}
	}, []string{"~ promise.extra_days: 1 → 3"}},
	{reassess.PromiseTight, "service swift/express", mainPolicy, func(_ *history, r *replay.Result, _ *reassess.Options) {
		for i := range r.Orders {
			if o := &r.Orders[i]; o.Service == "swift/express" {
				o.Delivered = o.Promised.Add(time.Duration(i%12/11) * 20 * time.Hour)
			} else {
				o.Delivered = o.Promised
			}
		}
	}, []string{"+ promise.min_observations: 10"}},
	{reassess.PromiseLoose, "all promises", mainPolicy, func(_ *history, r *replay.Result, _ *reassess.Options) {
		for i := range r.Orders {
			r.Orders[i].Delivered = r.Orders[i].Promised.Add(-50 * time.Hour)
		}
	}, []string{"- promise.extra_days: 1"}},
	{reassess.SafetyHigh, "safety stock", mainPolicy, func(h *history, r *replay.Result, _ *reassess.Options) {
		safety := int64(3)
		h.entries = append(h.entries, past.Entry{At: start, Stock: []past.Stock{{Safety: &safety}}})
		for i := range r.Days {
			r.Days[i].Backordered, r.Days[i].Rejections = r.Days[i].Orders/10+int64(i%2), 0
		}
		total(r)
	}, []string{"lower the safety stock"}},
	{reassess.SafetyHigh, "availability/careful", mainPolicy, func(h *history, r *replay.Result, _ *reassess.Options) {
		h.publish(policy.KindAvailability, "careful", "kind: availability\nname: careful\navailability:\n  rules:\n    - {name: stores, types: [store], safety: 2, percent: 10}\n    - {name: rest, buffer: 1}\n", 1, start.AddDate(0, 0, -9))
		for i := range r.Days {
			r.Days[i].Backordered, r.Days[i].Rejections = r.Days[i].Orders/10+int64(i%2), 0
		}
		total(r)
	}, []string{"- availability.rules[stores].safety: 2", "- availability.rules[rest].buffer: 1"}},
	{reassess.DearLane, "a to DE 1", rankPolicy, func(_ *history, r *replay.Result, _ *reassess.Options) {
		r.Lanes[0].Cost = 900_000
	}, []string{"+ sourcing.groups[rank].cost[carrier].term: carrier"}},
	{reassess.DearLane, "a to DE 1", mainPolicy, func(_ *history, r *replay.Result, _ *reassess.Options) {
		r.Lanes[0].Cost = 900_000
	}, []string{"sourcing.groups[near].cost[carrier]"}},
}

// Every finding is made where it was planted, with evidence, a suggestion and the replayed effect, and nothing else is.
func TestWatchFindsWhatIsThere(t *testing.T) {
	t.Parallel()
	var said strings.Builder
	for _, p := range plants {
		h, base := healthy(p.policy)
		var o reassess.Options
		p.plant(h, base, &o)
		r, _ := watching(t, h, base, o)
		at := slices.IndexFunc(r.Findings, func(f reassess.Finding) bool { return f.Kind == p.kind && f.Subject == p.subject })
		if at < 0 {
			t.Errorf("%s of %s was not found: %+v", p.kind, p.subject, r.Findings)
			continue
		}
		f := r.Findings[at]
		for _, others := range r.Findings {
			if others.Kind != p.kind && !(p.kind == reassess.SafetyLow && others.Kind == reassess.RejectRate) {
				t.Errorf("%s of %s planted, also found %s of %s", p.kind, p.subject, others.Kind, others.Subject)
			}
		}
		whole := f.Suggest + "\n" + strings.Join(f.Diff, "\n")
		for _, want := range p.suggests {
			if !strings.Contains(whole, want) {
				t.Errorf("%s of %s suggests\n%s\nand not %q", p.kind, p.subject, whole, want)
			}
		}
		if f.Policy != "" {
			if _, err := policy.CompileText([]byte(f.Policy)); err != nil {
				t.Errorf("%s of %s suggests no policy: %v", p.kind, p.subject, err)
			}
		}
		if (f.Policy != "" || p.kind == reassess.SafetyHigh) != (f.Effect != "") || (f.Effect == "") != (f.Measures == nil) {
			t.Errorf("%s of %s: effect %q of a policy of %d bytes", p.kind, p.subject, f.Effect, len(f.Policy))
		}
		if q := r.Questions[0]; q.Verdict != reassess.Attention {
			t.Errorf("%s of %s: the rules are called %s", p.kind, p.subject, q.Verdict)
		}
		fmt.Fprintf(&said, "%s: %s\n  %s\n  %s\n", f.Kind, f.Subject, f.Evidence, f.Suggest)
		for _, d := range f.Diff {
			fmt.Fprintf(&said, "    %s\n", d)
		}
		if f.Effect != "" {
			fmt.Fprintf(&said, "  %s\n", f.Effect)
		}
	}
	golden(t, "findings.golden", said.String())
}

func TestWatchFindsNothingWhereNothingIs(t *testing.T) {
	t.Parallel()
	for _, text := range []string{mainPolicy, rankPolicy} {
		h, base := healthy(text)
		r, x := watching(t, h, base, reassess.Options{LeastCost: bound(12, flat)})
		if len(r.Findings) > 0 || r.Questions[0].Verdict != reassess.Good {
			t.Errorf("found %+v, %s", r.Findings, r.Questions[0].Answer)
		}
		if text == rankPolicy && len(x.asked) > 1 {
			t.Errorf("%d replays of nothing", len(x.asked)-1)
		}
	}
}

// A filter that leaves things out is only a finding when a replay without it comes out the same.
func TestExclusionThatNeverMatters(t *testing.T) {
	t.Parallel()
	h, base := healthy(mainPolicy)
	x := &runs{other: func(s replay.Scenario) *replay.Result {
		if strings.Contains(s.Name, "filter open") || s.Name == reassess.NameRules {
			return base
		}
		return way("", 3, 56, effects{own: 2})
	}}
	r := assess(t, h, nil, reassess.Options{NoBaseline: true, Watch: true, Run: x.run})
	if len(r.Findings) != 1 || r.Findings[0].Kind != reassess.ExclusionNeverCounts || r.Findings[0].Subject != "sourcing/main, group rest, filter open" {
		t.Fatalf("found %+v", r.Findings)
	}
	if got := r.Findings[0].Effect; !strings.Contains(got, "exactly the same") {
		t.Errorf("effect %q", got)
	}
}

// A filter that never leaves anything out is one finding, and not also one of the kind that a replay confirms.
func TestDeadFilterIsOneFinding(t *testing.T) {
	t.Parallel()
	h, base := healthy(mainPolicy)
	base.Rules[3].Excluded = 0
	x := &runs{other: func(s replay.Scenario) *replay.Result {
		if strings.Contains(s.Name, "filter close") {
			return way("", 3, 56, effects{own: 2})
		}
		return base
	}}
	r := assess(t, h, nil, reassess.Options{NoBaseline: true, Watch: true, Run: x.run})
	if len(r.Findings) != 1 || r.Findings[0].Kind != reassess.RuleNeverFires {
		t.Errorf("found %+v", r.Findings)
	}
}

// What is near the limits is no finding.
func TestWatchIsNotHasty(t *testing.T) {
	t.Parallel()
	for name, plant := range map[string]func(h *history, r *replay.Result){
		"promises kept a little too rarely": func(_ *history, r *replay.Result) {
			for i := range r.Orders {
				r.Orders[i].Delivered = r.Orders[i].Promised
				if i/8%16 == 1 { // 93.75 % are kept; it could be 94
					r.Orders[i].Delivered = r.Orders[i].Promised.Add(time.Hour)
				}
			}
		},
		"dates that could just not be earlier": func(_ *history, r *replay.Result) {
			for i := range r.Orders {
				r.Orders[i].Delivered = r.Orders[i].Promised
				if i/8%20 != 1 { // 95 % come a day before, so that a day earlier is kept as often as is aimed at, but not surely
					r.Orders[i].Delivered = r.Orders[i].Promised.Add(-24 * time.Hour)
				}
			}
		},
		"promises too few to judge": func(_ *history, r *replay.Result) {
			r.Orders = r.Orders[:99]
			for i := range r.Orders {
				r.Orders[i].Delivered = r.Orders[i].Promised.Add(50 * time.Hour)
			}
		},
		"orders on their way, of which the late have not come": func(_ *history, r *replay.Result) {
			for i := range r.Orders {
				r.Orders[i].At = start.AddDate(0, 0, 55)
				r.Orders[i].Delivered = r.Orders[i].Promised.Add(-50 * time.Hour)
			}
			r.Days[55].Judged = r.Days[55].Judged / 2
		},
		"a rule that is young": func(h *history, r *replay.Result) {
			h.publish(policy.KindSourcing, "main", mainPolicy+"  change_cost: 100\n", 2, start.AddDate(0, 0, 30))
			r.Rules[3].Excluded, r.Rules[3].Decisions = 0, 0
		},
		"a rule that was asked seldom": func(_ *history, r *replay.Result) {
			r.Rules[3] = replay.RuleUse{Policy: "main@1", Group: "rest", Rule: "open", Asked: 999}
		},
		"a policy that comes after the period": func(h *history, _ *replay.Result) {
			h.publish(policy.KindSourcing, "later", strings.ReplaceAll(rankPolicy, "name: main", "name: later"), 1, start.AddDate(0, 0, 56).Add(time.Second))
			h.publish(policy.KindSourcing, "broken", "not read", 1, start.AddDate(0, 0, 57))
		},
		"few rejections": func(_ *history, r *replay.Result) {
			for i := range r.Locations {
				r.Locations[i].Rejected = 0
			}
			r.Locations[1].Rejected = 19
		},
		"rejections that others have as well": func(_ *history, r *replay.Result) {
			r.Locations[1].Rejected = 75
		},
		"a lane of few shipments": func(_ *history, r *replay.Result) {
			r.Lanes[0].Shipments, r.Lanes[0].Cost = 49, 90_000
		},
		"a lane that is the only one": func(_ *history, r *replay.Result) {
			r.Lanes[0].Zone, r.Lanes[0].Cost = "DE 8", 900_000
		},
		"stock-outs, and rejections": func(h *history, r *replay.Result) {
			safety := int64(3)
			h.entries = append(h.entries, past.Entry{At: start, Stock: []past.Stock{{Safety: &safety}}})
			for i := range r.Days {
				r.Days[i].Backordered = r.Days[i].Orders / 10
			}
			total(r)
		},
	} {
		h, base := healthy(mainPolicy)
		plant(h, base)
		if r, _ := watching(t, h, base, reassess.Options{LeastCost: bound(9, func(i int) float64 { return float64(5 + i*7%4) })}); len(r.Findings) > 0 {
			t.Errorf("%s: %+v", name, r.Findings)
		}
	}
}

// Stock that is held back is no finding when orders would go without all the same.
func TestStockHeldBackThatNobodyMisses(t *testing.T) {
	t.Parallel()
	h, base := healthy(mainPolicy)
	safety := int64(3)
	h.entries = append(h.entries, past.Entry{At: start, Stock: []past.Stock{{Safety: &safety}}})
	for i := range base.Days {
		base.Days[i].Backordered, base.Days[i].Rejections = base.Days[i].Orders/10, 0
	}
	total(base)
	x := &runs{other: func(s replay.Scenario) *replay.Result {
		if s.Name == reassess.NameRules || s.Changes.Safety != nil {
			return base
		}
		return way("", 3, 56, effects{own: 2})
	}}
	r := assess(t, h, nil, reassess.Options{NoBaseline: true, Watch: true, Run: x.run})
	if len(r.Findings) > 0 || len(x.asked) != 2 {
		t.Errorf("%d runs, found %+v", len(x.asked), r.Findings)
	}
}

// Replays are limited to what matters most, and the same change is replayed once.
func TestWatchReplaysWhatMattersMost(t *testing.T) {
	t.Parallel()
	h, base := healthy(rankPolicy)
	base.Lanes[0].Cost, base.Lanes[1].Cost = 900_000, 800_000
	base.Locations[1].Rejected = 300
	r, x := watching(t, h, base, reassess.Options{Replayed: 1})
	if len(r.Findings) != 3 || r.Findings[0].Effect != "" || r.Findings[1].Effect == "" || r.Findings[2].Effect == "" {
		t.Errorf("the two lanes have the same change and more at stake than the location: %+v", r.Findings)
	}
	if len(x.asked) != 2 || len(x.asked[1]) != 1 || x.o[1].KeepOrders {
		t.Errorf("replayed %+v", x.asked)
	}
	if r, x = watching(t, h, base, reassess.Options{Replayed: -1}); len(r.Findings) != 3 || len(x.asked) != 1 {
		t.Errorf("without replays: %d findings, %d runs", len(r.Findings), len(x.asked))
	}
}

// When the rules changed within the period, a change of the last is compared with the last, and not with what was before.
func TestWatchComparesWithTheLastRules(t *testing.T) {
	t.Parallel()
	h, base := healthy(rankPolicy)
	h.publish(policy.KindSourcing, "main", rankPolicy+"  change_cost: 100\n", 2, start.AddDate(0, 0, 10))
	base.Lanes[0].Cost = 900_000
	r, x := watching(t, h, base, reassess.Options{})
	last := x.asked[len(x.asked)-1]
	if len(last) != 2 || !strings.Contains(strings.Join(last[1].Policies, ""), "change_cost: 100") || !strings.Contains(strings.Join(last[0].Policies, ""), "term: carrier") {
		t.Fatalf("replayed %+v", last)
	}
	if len(last[0].Policies) != 3 {
		t.Errorf("%d policies instead of one of each kind watched", len(last[0].Policies))
	}
	// Both runs of the watch are the same here, so against each other there is no difference.
	if v := measure(t, r.Findings[0].Measures, reassess.MeasureCost).Versus; v.Change != 0 {
		t.Errorf("compared with the rules before: %+v", v)
	}
	if !slices.ContainsFunc(r.Assumptions, func(s string) bool { return strings.HasPrefix(s, "Rules changed within the period") }) {
		t.Errorf("assumptions %q", r.Assumptions)
	}
}

// Of a system whose rules are not known nothing is replayed, and no setting of ours is suggested.
func TestWatchOfRecordedDecisions(t *testing.T) {
	t.Parallel()
	for _, p := range plants {
		h, base := healthy(p.policy)
		var o reassess.Options
		p.plant(h, base, &o)
		base.Rules = nil
		h.header.Recorded, h.entries = false, nil
		r, x := watching(t, h, base, o)
		for _, f := range r.Findings {
			if f.Policy != "" || f.Effect != "" || strings.Contains(f.Suggest, "promise/") || strings.Contains(f.Suggest, "sourcing/") {
				t.Errorf("%+v", f)
			}
		}
		if len(x.asked) != 1 {
			t.Errorf("%d replays", len(x.asked)-1)
		}
	}
}

// What a run reads is not read a second time for the rules.
func TestRulesAreReadAlong(t *testing.T) {
	t.Parallel()
	for _, reads := range []bool{true, false} {
		h, base := healthy(rankPolicy)
		base.Lanes[0].Cost = 900_000
		opened := 0
		open := func() (past.Reader, error) { opened++; return h.open() }
		x := &runs{of: map[string]*replay.Result{reassess.NameRules: base}}
		run := func(ctx context.Context, open replay.Open, list []replay.Scenario, o replay.Options) ([]*replay.Result, error) {
			r, err := open()
			if err != nil {
				return nil, err
			}
			for e := (past.Entry{}); reads && err == nil; {
				err = r.Next(&e)
			}
			return x.run(ctx, open, list, o)
		}
		r, err := reassess.Assess(t.Context(), open, replay.Scenario{}, nil, reassess.Options{NoBaseline: true, Watch: true, Replayed: -1, Changed: -1, Run: run})
		if err != nil {
			t.Fatal(err)
		}
		if want := map[bool]int{true: 2, false: 3}[reads]; opened != want { // for the header, the run, and the rules
			t.Errorf("opened %d times, want %d", opened, want)
		}
		if len(r.Findings) != 1 || !strings.Contains(r.Findings[0].Suggest, "sourcing/main") {
			t.Errorf("found %+v", r.Findings)
		}
	}
}

func TestWatchRefusesARuleItCannotRead(t *testing.T) {
	t.Parallel()
	h, base := healthy(mainPolicy)
	h.publish(policy.KindSourcing, "odd", "kind: sourcing\nname: odd\n", 4, start)
	x := &runs{of: map[string]*replay.Result{reassess.NameRules: base}}
	_, err := reassess.Assess(t.Context(), h.open, replay.Scenario{}, nil, reassess.Options{NoBaseline: true, Run: x.run})
	if err == nil || !strings.Contains(err.Error(), "sourcing/odd@4") {
		t.Error(err)
	}
}

// The daily reassessment is of the last eight weeks, and remembers since when something is found.
func TestDaily(t *testing.T) {
	t.Parallel()
	h, base := healthy(rankPolicy)
	base.Lanes[0].Cost = 900_000
	x := &runs{of: map[string]*replay.Result{reassess.NameRules: base}, other: func(replay.Scenario) *replay.Result { return way("", 3, 56, effects{}) }}
	var before *reassess.Report
	first := start.AddDate(0, 0, 56)
	for i := range 3 {
		until := first.AddDate(0, 0, i)
		from, to := reassess.DailyPeriod(until.Add(7 * time.Hour))
		if !to.Equal(until) || !from.Equal(until.AddDate(0, 0, -reassess.DailyDays)) {
			t.Errorf("looks from %s until %s", from, to)
		}
		r := assess(t, h, nil, reassess.Options{NoBaseline: true, Watch: true, Run: x.run, Replay: replay.Options{From: from, Until: to}})
		reassess.Remember(r, before)
		if len(r.Findings) != 1 || !r.Findings[0].Since.Equal(first) {
			t.Errorf("day %d: %+v", i, r.Findings)
		}
		before = r
	}
}
