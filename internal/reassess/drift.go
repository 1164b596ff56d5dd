package reassess

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/replay"
)

// Kinds of findings.
const (
	GapGrows             = "gap_grows"
	PolicyNeverDecides   = "policy_never_decides"
	RuleNeverFires       = "rule_never_fires"
	RuleAlwaysExcludes   = "rule_always_excludes"
	ExclusionNeverCounts = "exclusion_never_matters"
	RejectRate           = "reject_rate"
	PromiseTight         = "promise_tight"
	PromiseLoose         = "promise_loose"
	SafetyLow            = "safety_low"
	SafetyHigh           = "safety_high"
	DearLane             = "dear_lane"
)

// FindingKinds lists them all.
var FindingKinds = []string{
	GapGrows, PolicyNeverDecides, RuleNeverFires, RuleAlwaysExcludes, ExclusionNeverCounts,
	RejectRate, PromiseTight, PromiseLoose, SafetyLow, SafetyHigh, DearLane,
}

// maxFindings bounds how many findings of one kind are reported, those first that matter most.
const maxFindings = 5

// Watch looks in the first run of a report for rules that have drifted from how the business operates now, and has the changes
// that the most valuable findings suggest replayed. Findings that a replay disproves are left out.
func Watch(ctx context.Context, open replay.Open, base replay.Scenario, r *Report, o Options) ([]Finding, error) {
	o = o.filled()
	in, err := (&surveyor{open: open}).survey(&base, r.From, r.Until)
	if err != nil {
		return nil, err
	}
	return watch(ctx, open, base, r, in, &o)
}

// DailyDays is how far back the reassessment looks that a server makes every day by itself.
const DailyDays = 56

// DailyPeriod is the period of the daily reassessment at a time: the DailyDays days before its day (UTC).
func DailyPeriod(now time.Time) (from, until time.Time) {
	until = now.UTC().Truncate(24 * time.Hour)
	return until.AddDate(0, 0, -DailyDays), until
}

// Remember says of each finding of a daily report since when it is found: since the report before, when that has it too,
// else since now. before may be nil.
func Remember(r, before *Report) {
	for i := range r.Findings {
		f := &r.Findings[i]
		f.Since = r.Until
		if before == nil {
			continue
		}
		same := func(x Finding) bool { return x.Kind == f.Kind && x.Subject == f.Subject }
		if j := slices.IndexFunc(before.Findings, same); j >= 0 && !before.Findings[j].Since.IsZero() {
			f.Since = before.Findings[j].Since
		}
	}
}

// evidence is what findings are made from.
type evidence struct {
	o        *Options
	report   *Report
	base     *replay.Result
	scenario replay.Scenario
	rules    *rules
}

// suspicion is a finding that a replay may confirm.
type suspicion struct {
	Finding
	// change is what is to be replayed; nil: nothing can be.
	change *replay.Scenario
	// worth orders suspicions: about how much money of the period is at stake, minor units.
	worth float64
	// also names measures beside cost and promises that the effect is told by.
	also []string
	// holds says whether the replayed change confirms the finding; nil: it need not.
	holds func(control, changed *replay.Result, ms []Measure) bool
	// needs: without a replay it is no finding.
	needs bool
}

func watch(ctx context.Context, open replay.Open, base replay.Scenario, r *Report, in *rules, o *Options) ([]Finding, error) {
	e := &evidence{o: o, report: r, base: r.Runs[0].Result, scenario: base, rules: in}
	list := e.suspicions()
	if base.Recorded {
		for i := range list {
			list[i].change, list[i].Diff, list[i].Policy = nil, nil, "" // the rules that made these decisions are not known
		}
	}
	list, err := e.replay(ctx, open, list)
	if err != nil {
		return nil, err
	}
	out := make([]Finding, len(list))
	for i := range list {
		out[i] = list[i].Finding
	}
	return out, nil
}

// suspicions are those of all kinds, in the order of FindingKinds, then what matters most.
func (e *evidence) suspicions() (out []suspicion) {
	out = slices.Concat(e.gap(), e.deadRules(), e.exclusions(), e.rejects(), e.promises(), e.safety(), e.lanes())
	slices.SortStableFunc(out, func(a, b suspicion) int {
		return cmp.Or(
			cmp.Compare(slices.Index(FindingKinds, a.Kind), slices.Index(FindingKinds, b.Kind)),
			cmp.Compare(b.worth, a.worth), strings.Compare(a.Subject, b.Subject))
	})
	n := map[string]int{}
	return slices.DeleteFunc(out, func(s suspicion) bool {
		if !s.needs {
			n[s.Kind]++
		}
		return n[s.Kind] > maxFindings
	})
}

// replay runs the changes of the suspicions that matter most, and writes down what they would have done.
func (e *evidence) replay(ctx context.Context, open replay.Open, list []suspicion) ([]suspicion, error) {
	chosen, scenarios := e.choose(list)
	if len(scenarios) == 0 {
		return slices.DeleteFunc(list, func(s suspicion) bool { return s.needs }), nil
	}
	// A change of the last rules is compared with the last rules, not with those that were in force before them.
	control := e.base
	if e.rules.anyMoved() {
		scenarios = append(scenarios, e.last())
	}
	o := e.o.Replay
	o.KeepOrders = false
	results, err := e.o.Run(ctx, open, scenarios, o)
	if err != nil {
		return nil, err
	}
	if e.rules.anyMoved() {
		control = results[len(results)-1]
	}
	var out []suspicion
	for i, s := range list {
		if at, replayed := chosen[i]; replayed {
			changed := results[at]
			ms := measures(changed, control, e.o)
			if s.holds != nil && !s.holds(control, changed, ms) {
				continue
			}
			s.Measures = ms
			s.Effect = e.effect(ms, s.also)
		} else if s.needs {
			continue
		}
		out = append(out, s)
	}
	return out, nil
}

// choose picks what is replayed: at most Options.Replayed changes, those first that matter most. Suspicions with the same change share a run.
func (e *evidence) choose(list []suspicion) (chosen map[int]int, scenarios []replay.Scenario) {
	order := make([]int, len(list))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(list[b].worth, list[a].worth) })
	chosen = map[int]int{}
	runs := map[string]int{}
	for _, i := range order {
		c := list[i].change
		if c == nil {
			continue
		}
		unnamed := *c
		unnamed.Name = ""
		text, err := json.Marshal(unnamed)
		if err != nil {
			panic(err) // a scenario is plain data
		}
		at, known := runs[string(text)]
		if !known {
			if len(scenarios) == e.o.Replayed {
				continue
			}
			at = len(scenarios)
			runs[string(text)] = at
			unnamed.Name = fmt.Sprintf("drift %d: %s %s", at+1, list[i].Kind, list[i].Subject)
			scenarios = append(scenarios, unnamed)
		}
		chosen[i] = at
	}
	return chosen, scenarios
}

// last is the base with the rules in force at its end all the time.
func (e *evidence) last() replay.Scenario {
	s := e.scenario
	s.Name, s.Policies = "drift: the rules in force at the end", nil
	for _, kind := range watched {
		s.Policies = append(s.Policies, e.rules.texts(kind, "", "")...)
	}
	return s
}

// with is the base with one of the rules in force changed; nil when the change does not make a policy.
func (e *evidence) with(kind policy.Kind, r *rule, edits ...policy.Edit) (s *replay.Scenario, diff []string, text string) {
	if r == nil || r.text == "" {
		return nil, nil, ""
	}
	out, err := policy.Apply([]byte(r.text), edits...)
	if err != nil {
		return nil, nil, ""
	}
	after, err := policy.Parse(out)
	if err != nil {
		return nil, nil, ""
	}
	for _, c := range policy.Diff(r.compiled.Doc, after) {
		diff = append(diff, c.String())
	}
	last := e.scenario
	if e.rules.anyMoved() {
		last = e.last()
	}
	others := slices.DeleteFunc(slices.Clone(last.Policies), func(t string) bool { return kindOf(t) == kind })
	last.Policies = append(others, e.rules.texts(kind, r.compiled.Name, string(out))...)
	return &last, diff, string(out)
}

func kindOf(text string) policy.Kind {
	d, err := policy.Parse([]byte(text))
	if err != nil {
		return ""
	}
	return d.Kind
}

// changed puts a change of a policy into a suspicion.
func (s *suspicion) changed(e *evidence, kind policy.Kind, r *rule, edits ...policy.Edit) {
	s.change, s.Diff, s.Policy = e.with(kind, r, edits...)
}

// effect says what a replayed change did.
func (e *evidence) effect(ms []Measure, also []string) string {
	var said []string
	for _, id := range append([]string{MeasureServed, MeasureKept}, also...) {
		m, d := find(ms, id), definition(id)
		if !m.Known {
			continue
		}
		said = append(said, fmt.Sprintf("%s: %s", strings.ToLower(d.Name[:1])+d.Name[1:], d.by(m.Versus, e.o.Level, e.report.Currency)))
	}
	text := joined(said...)
	return strings.ToUpper(text[:1]) + text[1:]
}

// gap finds a gap to the bound that grows.
func (e *evidence) gap() []suspicion {
	gaps := e.report.Bound.gaps(0, lastOf(settled(e.base.Days)))
	if direction(gaps, e.o.Level) <= 0 {
		return nil
	}
	third := len(gaps) / 3
	first, last := mean(gaps[:third]), mean(gaps[len(gaps)-third:])
	return []suspicion{{Finding: Finding{
		Kind: GapGrows, Subject: e.report.Base,
		Evidence: fmt.Sprintf("the cost was %s above the least possible in the first third of the period and %s in the last; a rise that is not chance (%s sure)",
			percentText(first), percentText(last), sure(e.o.Level)),
		Suggest: "search for better settings on the latest weeks: orderly reassess tune",
	}}}
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(max(len(values), 1))
}

// gaps is how far a run was above the bound, percent, period by period, of periods that end on a day or before.
func (b *Bound) gaps(run int, last string) (out []float64) {
	if b == nil {
		return nil
	}
	for i := range b.Periods {
		if p := &b.Periods[i]; run < len(p.Costs) && p.Bound > 0 && p.Until <= last {
			out = append(out, 100*float64(p.Costs[run]-p.Bound)/float64(p.Bound))
		}
	}
	return out
}

// by is how long the bound's periods are.
func (b *Bound) by() string {
	if b == nil || len(b.Periods) == 0 {
		return ""
	}
	p := &b.Periods[0]
	switch n := span([]replay.Day{{Date: p.From}, {Date: p.Until}}); {
	case n <= 1:
		return byDay
	case n <= 7:
		return byWeek
	}
	return byMonth
}
