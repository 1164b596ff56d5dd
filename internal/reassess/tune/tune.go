// Package tune looks for better settings of policies on a retailer's own history.
//
// A Knob is a setting with the values it may have. Settings of all knobs are replayed on a training period, the
// best are changed one knob at a time, and what then lies on the trade-off between cost and promises kept
// is replayed on a later period that the search has not seen. Only what holds there is proposed.
//
// It promises: the same history, knobs and seed try the same settings in the same order; what was tried is kept in
// a journal, so that a search that was stopped goes on; it ends in time, with what it has by then; a
// proposal is an improvement of which the held-out days are sure, else there is none.
//
// It does not publish anything, and it does not know whether a knob makes sense: whoever declares it does.
package tune

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/past"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/replay"
	"github.com/orderly-oms/orderly/internal/stats"
)

// Limits of a search.
const (
	MaxKnobs  = 12
	MaxValues = 50
	// firstPerKnob is how many settings spread over all knobs are tried at first, per knob.
	firstPerKnob = 4
	// heldOneIn is the share of the days with orders that the search does not see.
	heldOneIn = 3
)

// Knob is a setting of one of the policies.
type Knob struct {
	// At names it as differences of policies do, like sourcing.groups[cheapest].cost[split].value.
	At string `json:"at" yaml:"at"`
	// Values are those it may have, in their order: neighbours are near each other.
	Values []any `json:"values" yaml:"values"`
	policy int   // index of the policy that has it
}

// Runner replays scenarios: replay.Run.
type Runner func(ctx context.Context, open replay.Open, scenarios []replay.Scenario, o replay.Options) ([]*replay.Result, error)

// Options of a search.
type Options struct {
	Policies []string // texts; the settings that are searched from
	Knobs    []Knob
	// From, Middle and Until are the training period and the one held out after it; zero Middle: two thirds of the days are for training.
	From, Middle, Until time.Time
	Seed                uint64
	// Most is how many settings are tried at most; Deadline is when no more are begun, zero: never.
	Most     int
	Deadline func() bool
	// LeastKept is by how many points promises kept may fall, 0.5 for half a point.
	LeastKept float64
	Parallel  int
	Journal   Journal // nil: nothing is kept
	Run       Runner
	Progress  func(tried, of int)
}

// Trial is one setting and what came of it. Setting has an index into the values of each knob; −1: as it is.
type Trial struct {
	Setting []int   `json:"setting"`
	Cost    float64 `json:"cost"` // minor units per order
	Kept    float64 `json:"kept"` // percent
	Orders  int64   `json:"orders"`
}

// Outcome is what a search found.
type Outcome struct {
	Knobs []Knob `json:"knobs"`
	// Base is the setting in force, Trials all that were tried, both on the training period.
	Base   Trial   `json:"base"`
	Trials []Trial `json:"trials"`
	// Curve are those that no other beats in both, by cost.
	Curve []Trial `json:"curve"`
	// Best is the cheapest that keeps promises, nil: the base. Cost and Kept say how it compares on the held-out period.
	Best *Trial           `json:"best,omitempty"`
	Cost stats.Difference `json:"held_out_cost"`
	Kept stats.Difference `json:"held_out_kept"`
	// Proven: the held-out days are sure that it costs less, and that promises kept do not fall by more than LeastKept. Draft is then the policies' texts.
	Proven bool      `json:"proven"`
	Draft  []string  `json:"draft,omitempty"`
	Middle time.Time `json:"middle"`
	Why    string    `json:"why"`
	// Stopped: time was over before the search was done.
	Stopped bool `json:"stopped,omitempty"`
}

// search is a search under way.
type search struct {
	o     Options
	open  replay.Open
	known map[string]Trial
	order []Trial
	dice  *rand.Rand
	out   *Outcome
}

// Search looks for better settings. Errors: of knobs that do not fit, of the history, of the context.
func Search(ctx context.Context, open replay.Open, o Options) (*Outcome, error) {
	s := &search{o: o, open: open, known: map[string]Trial{}, dice: rand.New(rand.NewPCG(o.Seed, 1)), out: &Outcome{}}
	if err := s.check(); err != nil {
		return nil, err
	}
	if err := s.periods(); err != nil {
		return nil, err
	}
	if o.Journal != nil {
		s.known = o.Journal.Known()
	}
	if err := s.explore(ctx); err != nil {
		return nil, err
	}
	s.choose()
	return s.out, s.confirm(ctx)
}

func (s *search) check() error {
	switch {
	case len(s.o.Knobs) == 0 || len(s.o.Knobs) > MaxKnobs:
		return fmt.Errorf("a search has 1 to %d knobs, not %d", MaxKnobs, len(s.o.Knobs))
	case len(s.o.Policies) == 0:
		return errors.New("a search needs the policies whose settings are searched")
	}
	s.o.Knobs = slices.Clone(s.o.Knobs)
	for i := range s.o.Knobs {
		k := &s.o.Knobs[i]
		if len(k.Values) < 2 || len(k.Values) > MaxValues {
			return fmt.Errorf("knob %s: 2 to %d values, not %d", k.At, MaxValues, len(k.Values))
		}
		k.policy = -1
		var why error
		for p, text := range s.o.Policies {
			if _, err := policy.Apply([]byte(text), policy.Edit{At: k.At, Value: k.Values[0]}); err != nil {
				why = err
				continue
			}
			k.policy = p
			break
		}
		if k.policy < 0 {
			return fmt.Errorf("knob %s: no policy has it: %w", k.At, why)
		}
		for _, v := range k.Values {
			if _, err := policy.Apply([]byte(s.o.Policies[k.policy]), policy.Edit{At: k.At, Value: v}); err != nil {
				return fmt.Errorf("knob %s, value %v: %w", k.At, v, err)
			}
		}
	}
	s.out.Knobs = s.o.Knobs
	return nil
}

// periods sets where training ends.
func (s *search) periods() error {
	r, err := s.open()
	if err != nil {
		return err
	}
	defer r.Close()
	first, last := r.Header().From, r.Header().Until
	if s.o.From.IsZero() || s.o.Until.IsZero() {
		if a, b, err := orders(r); err != nil {
			return err
		} else if !a.IsZero() {
			first, last = a, b.Add(time.Microsecond)
		}
	}
	if s.o.From.IsZero() {
		s.o.From = first
	}
	if s.o.Until.IsZero() {
		s.o.Until = last
	}
	days := int(s.o.Until.Sub(s.o.From)/(24*time.Hour)) + 1
	if s.o.Middle.IsZero() {
		s.o.Middle = s.o.From.UTC().Truncate(24*time.Hour).AddDate(0, 0, days-days/heldOneIn)
	}
	if !s.o.Middle.After(s.o.From) || s.o.Until.Sub(s.o.Middle) < (stats.MinDays-1)*24*time.Hour {
		return fmt.Errorf("the history has %d days with orders; a search needs some before and %d on and after %s, where the held-out days begin",
			days, stats.MinDays, s.o.Middle.UTC().Format(time.DateOnly))
	}
	s.out.Middle = s.o.Middle
	return nil
}

// orders is when the first and the last order came: a history goes on until the last is delivered.
func orders(r past.Reader) (first, last time.Time, err error) {
	for {
		var e past.Entry
		switch err := r.Next(&e); {
		case errors.Is(err, io.EOF):
			return first, last, nil
		case err != nil:
			return first, last, err
		}
		if e.Decision != nil && e.Decision.First {
			if first.IsZero() {
				first = e.At
			}
			last = e.At
		}
	}
}

// texts are the policies with a setting.
func (s *search) texts(setting []int) ([]string, error) {
	out := slices.Clone(s.o.Policies)
	for i, v := range setting {
		if v < 0 {
			continue
		}
		k := &s.o.Knobs[i]
		text, err := policy.Apply([]byte(out[k.policy]), policy.Edit{At: k.At, Value: k.Values[v]})
		if err != nil {
			return nil, fmt.Errorf("knob %s: %w", k.At, err)
		}
		out[k.policy] = string(text)
	}
	return out, nil
}

// explore tries settings until there is nothing better near the best, or time or number is over.
func (s *search) explore(ctx context.Context) error {
	base := slices.Repeat([]int{-1}, len(s.o.Knobs))
	if err := s.try(ctx, [][]int{base}); err != nil {
		return err
	}
	s.out.Base = s.order[0]
	if err := s.try(ctx, s.spread(firstPerKnob*len(s.o.Knobs))); err != nil {
		return err
	}
	for !s.over() {
		next := s.neighbours()
		if len(next) == 0 {
			return nil
		}
		if err := s.try(ctx, next); err != nil {
			return err
		}
	}
	s.out.Stopped = len(s.neighbours()) > 0
	return nil
}

func (s *search) over() bool {
	return s.o.Most > 0 && len(s.order) >= s.o.Most || s.o.Deadline != nil && s.o.Deadline()
}

// spread is a Latin hypercube: each knob takes each of its values about equally often.
// McKay, Beckman, Conover, "A comparison of three methods for selecting values of input variables" (1979).
func (s *search) spread(n int) [][]int {
	out := make([][]int, n)
	for i := range out {
		out[i] = make([]int, len(s.o.Knobs))
	}
	for k := range s.o.Knobs {
		values := len(s.o.Knobs[k].Values)
		for i, at := range s.dice.Perm(n) {
			out[i][k] = at * values / n
		}
	}
	return out
}

// neighbours are settings that differ from one of the curve by one step of one knob and were not tried.
func (s *search) neighbours() (out [][]int) {
	seen := map[string]bool{}
	for _, t := range s.curve() {
		for k := range s.o.Knobs {
			for _, step := range []int{-1, 1} {
				next := slices.Clone(t.Setting)
				if next[k] += step; next[k] < 0 || next[k] >= len(s.o.Knobs[k].Values) {
					continue
				}
				key := fmt.Sprint(next)
				if !seen[key] && !slices.ContainsFunc(s.order, func(t Trial) bool { return slices.Equal(t.Setting, next) }) {
					seen[key] = true
					out = append(out, next)
				}
			}
		}
	}
	return out
}

// try replays settings on the training period, several at the same time.
func (s *search) try(ctx context.Context, settings [][]int) error {
	batch := max(s.o.Parallel, 1)
	for len(settings) > 0 {
		if len(s.order) > 0 && s.over() {
			return nil
		}
		if s.o.Most > 0 {
			batch = max(min(batch, s.o.Most-len(s.order)), 1)
		}
		now := settings[:min(batch, len(settings))]
		settings = settings[len(now):]
		var missing []replay.Scenario
		var keys []string
		for _, x := range now {
			texts, err := s.texts(x)
			if err != nil {
				return err
			}
			key := keyOf(texts, s.o)
			keys = append(keys, key)
			if _, ok := s.known[key]; !ok {
				missing = append(missing, replay.Scenario{Name: key, Policies: texts})
			}
		}
		if len(missing) > 0 {
			results, err := s.o.Run(ctx, s.open, missing, replay.Options{From: s.o.From, Until: s.o.Middle, Seed: s.o.Seed, Parallel: s.o.Parallel})
			if err != nil {
				return err
			}
			for _, r := range results {
				t := trialOf(&r.Total)
				s.known[r.Scenario] = t
				if s.o.Journal != nil {
					if err := s.o.Journal.Add(r.Scenario, t); err != nil {
						return err
					}
				}
			}
		}
		for i, x := range now {
			t := s.known[keys[i]]
			t.Setting = x
			s.order = append(s.order, t)
		}
		if s.o.Progress != nil {
			s.o.Progress(len(s.order), max(s.o.Most, len(s.order)+len(settings)))
		}
	}
	return nil
}

func trialOf(d *replay.Day) Trial {
	t := Trial{Orders: d.Orders}
	if d.Orders > 0 {
		// Units that are not sent cost what the customer would have paid: leaving orders out is no way to save.
		t.Cost = float64(d.Cost+d.Lost) / float64(d.Orders)
	}
	if d.Judged > 0 {
		t.Kept = 100 * float64(d.Kept) / float64(d.Judged)
	}
	return t
}

// curve are the trials that no other beats in cost and promises kept at once, by cost.
func (s *search) curve() []Trial {
	sorted := slices.Clone(s.order)
	slices.SortStableFunc(sorted, func(a, b Trial) int {
		switch {
		case a.Cost != b.Cost && a.Cost < b.Cost, a.Cost == b.Cost && a.Kept > b.Kept:
			return -1
		case a.Cost == b.Cost && a.Kept == b.Kept:
			return 0
		}
		return 1
	})
	var out []Trial
	for _, t := range sorted {
		if len(out) == 0 || t.Kept > out[len(out)-1].Kept {
			out = append(out, t)
		}
	}
	return out
}

// choose takes the cheapest that keeps about as many promises as the base.
func (s *search) choose() {
	s.out.Trials, s.out.Curve = s.order, s.curve()
	for i := range s.out.Curve {
		t := s.out.Curve[i]
		if t.Kept >= s.out.Base.Kept-s.o.LeastKept && t.Cost < s.out.Base.Cost {
			s.out.Best = &t
			return
		}
	}
	s.out.Why = "no setting that was tried costs less and keeps as many promises"
}

// confirm compares the best with the base on the days that the search has not seen.
func (s *search) confirm(ctx context.Context) error {
	if s.out.Best == nil {
		return nil
	}
	texts, err := s.texts(s.out.Best.Setting)
	if err != nil {
		return err
	}
	r, err := s.o.Run(ctx, s.open, []replay.Scenario{{Name: "base", Policies: s.o.Policies}, {Name: "best", Policies: texts}},
		replay.Options{From: s.o.Middle, Until: s.o.Until, Seed: s.o.Seed, Parallel: s.o.Parallel})
	if err != nil {
		return err
	}
	s.out.Cost = compare(r, s.o.Seed, func(d *replay.Day) stats.Ratio {
		return stats.Ratio{Over: float64(d.Cost + d.Lost), Under: float64(d.Orders)}
	})
	s.out.Kept = compare(r, s.o.Seed, func(d *replay.Day) stats.Ratio {
		return stats.Ratio{Over: 100 * float64(d.Kept), Under: float64(d.Judged)}
	})
	switch {
	case s.out.Cost.TooLittle != "":
		s.out.Why = "the held-out days say too little: " + s.out.Cost.TooLittle
	case !s.out.Cost.Sure() || s.out.Cost.Change >= 0:
		s.out.Why = "what it saved in training is not sure on the days held out"
	case s.out.Kept.TooLittle == "" && s.out.Kept.Low < -s.o.LeastKept:
		s.out.Why = "on the days held out it may keep fewer promises than is allowed"
	default:
		s.out.Proven, s.out.Draft = true, texts
		s.out.Why = "it costs less on the days held out, and keeps as many promises as is asked for"
	}
	return nil
}

func compare(r []*replay.Result, seed uint64, of func(*replay.Day) stats.Ratio) stats.Difference {
	var days []stats.Day
	other := map[string]*replay.Day{}
	for i := range r[1].Days {
		other[r[1].Days[i].Date] = &r[1].Days[i]
	}
	for i := range r[0].Days {
		if o := other[r[0].Days[i].Date]; o != nil {
			days = append(days, stats.Day{Base: of(&r[0].Days[i]), Other: of(o)})
		}
	}
	return stats.Compare(days, stats.Options{Seed: seed})
}
