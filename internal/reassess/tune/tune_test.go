package tune_test

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/past"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/reassess/tune"
	"github.com/orderly-oms/orderly/internal/replay"
)

const sourcing = `# what counts
kind: sourcing
name: main
sourcing:
  groups:
    - name: all
      cost:
        - {term: carrier}
        - {term: split, value: "100"}
        - {term: pick, value: "100"}
`

var knobs = []tune.Knob{
	{At: "sourcing.groups[all].cost[split].value", Values: []any{"0", "50", "100", "150", "200", "250", "300"}},
	{At: "sourcing.groups[all].cost[pick].value", Values: []any{"0", "50", "100", "150", "200", "250", "300"}},
}

var start = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

func history(days int) replay.Open {
	return func() (past.Reader, error) {
		w, open := past.NewMemory()
		if err := w.Commit(&past.Header{Source: "log", Orders: 1, From: start, Until: start.AddDate(0, 0, days).Add(-time.Hour)}); err != nil {
			return nil, err
		}
		return open()
	}
}

// bowl is a replay whose cost per order has its least at split 200 and pick 250: so much above 500 as a setting is away from there.
// depth is how much of it shows in the days from middle on.
type bowl struct {
	runs, scenarios int
	depth           float64
	dearKept        bool // promises kept rise with the cost
}

func (b *bowl) run(_ context.Context, _ replay.Open, list []replay.Scenario, o replay.Options) (out []*replay.Result, err error) {
	b.runs++
	for _, s := range list {
		b.scenarios++
		c, err := policy.CompileText([]byte(s.Policies[0]))
		if err != nil {
			return nil, err
		}
		away := 0.0
		for _, t := range c.Doc.Sourcing.Groups[0].Cost {
			var v float64
			if _, err := fmt.Sscan(strings.Trim(fmt.Sprint(t.Value), `"`), &v); err != nil {
				continue
			}
			want := map[string]float64{"split": 200, "pick": 250}[t.Term]
			away += (v - want) * (v - want) / 1000
		}
		if !o.From.Equal(start) {
			away *= b.depth
		}
		r := &replay.Result{Scenario: s.Name}
		for d := o.From.Truncate(24 * time.Hour); d.Before(o.Until); d = d.AddDate(0, 0, 1) {
			n := int64(80 + d.Day())
			day := replay.Day{Date: d.Format(time.DateOnly), Orders: n, Cost: int64(float64(n) * (500 + away + float64(d.Day()%5))), Judged: n, Kept: n * 9 / 10}
			if b.dearKept {
				day.Kept = int64(float64(n) * (0.8 + min(away/1000, 0.2)))
			}
			r.Days = append(r.Days, day)
			r.Total.Orders, r.Total.Cost, r.Total.Judged, r.Total.Kept = r.Total.Orders+day.Orders, r.Total.Cost+day.Cost, r.Total.Judged+day.Judged, r.Total.Kept+day.Kept
		}
		out = append(out, r)
	}
	return out, nil
}

func search(t *testing.T, b *bowl, change func(*tune.Options)) *tune.Outcome {
	t.Helper()
	o := tune.Options{Policies: []string{sourcing}, Knobs: knobs, Seed: 3, Parallel: 2, Run: b.run}
	if change != nil {
		change(&o)
	}
	out, err := tune.Search(context.Background(), history(60), o)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestTheBestIsFoundAndProven(t *testing.T) {
	b := &bowl{depth: 1}
	out := search(t, b, nil)
	if out.Best == nil || !reflect.DeepEqual(out.Best.Setting, []int{4, 5}) || !out.Proven || out.Stopped {
		t.Fatalf("%+v", out)
	}
	if len(out.Trials) > 40 {
		t.Errorf("it took %d of 49 settings", len(out.Trials))
	}
	if !strings.Contains(out.Draft[0], `value: "200"`) || !strings.Contains(out.Draft[0], "# what counts") {
		t.Error(out.Draft[0])
	}
	if !reflect.DeepEqual(out, search(t, &bowl{depth: 1}, nil)) {
		t.Error("the same search finds something else")
	}
	var text bytes.Buffer
	tune.Text(&text, out, "EUR", 2)
	if !strings.Contains(text.String(), "cost[split].value = 200") || !strings.Contains(text.String(), "95 % sure") {
		t.Error(text.String())
	}
}

func TestWhatDoesNotHoldIsNotProposed(t *testing.T) {
	if out := search(t, &bowl{depth: 0}, nil); out.Proven || out.Draft != nil || out.Best == nil {
		t.Errorf("%+v", out)
	}
	if out := search(t, &bowl{depth: -1}, nil); out.Proven {
		t.Errorf("%+v", out)
	}
}

func TestPromisesAreNotSoldForCost(t *testing.T) {
	out := search(t, &bowl{depth: 1, dearKept: true}, func(o *tune.Options) { o.LeastKept = 0.5 })
	if out.Best != nil && out.Best.Kept < out.Base.Kept-0.5 {
		t.Errorf("%+v", out.Best)
	}
	noisy := search(t, &bowl{depth: 1}, func(o *tune.Options) { o.LeastKept = -1 }) // one point more has to be kept for sure
	if noisy.Proven {
		t.Errorf("%+v", noisy)
	}
	for i := 1; i < len(out.Curve); i++ {
		if out.Curve[i].Cost < out.Curve[i-1].Cost || out.Curve[i].Kept <= out.Curve[i-1].Kept {
			t.Errorf("curve %+v", out.Curve)
		}
	}
	if len(out.Curve) < 3 {
		t.Errorf("no trade-off: %+v", out.Curve)
	}
}

func TestASearchGoesOn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tune.jsonl")
	open := func(of string) tune.Journal {
		j, err := tune.OpenFile(file, of)
		if err != nil {
			t.Fatal(err)
		}
		return j
	}
	b := &bowl{depth: 1}
	some := search(t, b, func(o *tune.Options) { o.Journal, o.Most = open("h1"), 6 })
	if !some.Stopped || len(some.Trials) != 6 {
		t.Errorf("%d scenarios, %+v", b.scenarios, some)
	}
	before := b.scenarios
	all := search(t, b, func(o *tune.Options) { o.Journal = open("h1") })
	fresh := &bowl{depth: 1}
	if want := search(t, fresh, nil); !reflect.DeepEqual(all, want) {
		t.Error("going on finds something else than one search")
	}
	if b.scenarios-before >= fresh.scenarios {
		t.Error("what was tried was tried again")
	}
	again := &bowl{depth: 1}
	search(t, again, func(o *tune.Options) { o.Journal = open("h2") })
	if again.scenarios != fresh.scenarios {
		t.Error("the journal of another history was taken")
	}
}

func TestKnobsThatDoNotFit(t *testing.T) {
	for _, k := range []tune.Knob{
		{At: "sourcing.groups[none].cost[split].value", Values: []any{"1", "2"}},
		{At: "sourcing.groups[all].cost[split].value", Values: []any{"1"}},
		{At: "sourcing.groups[all].cost[split].value", Values: []any{"1", "no such fact"}},
	} {
		_, err := tune.Search(context.Background(), history(60), tune.Options{Policies: []string{sourcing}, Knobs: []tune.Knob{k}, Run: (&bowl{}).run})
		if err == nil || !strings.Contains(err.Error(), k.At) {
			t.Errorf("%+v: %v", k, err)
		}
	}
	if _, err := tune.Search(context.Background(), history(20), tune.Options{Policies: []string{sourcing}, Knobs: knobs, Run: (&bowl{}).run}); err == nil {
		t.Error("20 days are enough")
	}
}
