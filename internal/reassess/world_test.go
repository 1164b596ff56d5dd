package reassess_test

import (
	"context"
	"errors"
	"flag"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/past"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/reassess"
	"github.com/orderly-oms/orderly/internal/replay"
)

var update = flag.Bool("update", false, "rewrite the golden files and the dictionary in the documentation")

var start = time.Date(2026, 9, 7, 0, 0, 0, 0, time.UTC) // a Monday

// history is one that is kept in memory.
type history struct {
	header  past.Header
	entries []past.Entry
}

func (h *history) open() (past.Reader, error) { return &reader{h: h}, nil }

type reader struct {
	h  *history
	at int
}

func (r *reader) Header() *past.Header { return &r.h.header }
func (r *reader) Close() error         { return nil }
func (r *reader) Next(e *past.Entry) error {
	if r.at == len(r.h.entries) {
		return io.EOF
	}
	*e = r.h.entries[r.at]
	r.at++
	return nil
}

func (h *history) publish(kind policy.Kind, name, text string, version int64, at time.Time) {
	h.entries = append(h.entries, past.Entry{At: at, Policy: &past.Policy{Kind: string(kind), Name: name, Version: version, From: at, Text: text}})
}

func recorded() *history {
	return &history{header: past.Header{Source: "log", Origin: "test", Currency: "EUR", Recorded: true}}
}

// effects are what a way of serving orders differs in from the usual, each day's own chance aside.
type effects struct {
	saving  float64 // minor units less per order
	kept    float64 // share more of promises that are kept
	touches float64 // fewer per order
	own     uint64  // seed of its own chance; 0: none
}

// way makes up days of a retailer: costs differ from day to day and week to week, and days are like those before them. Ways with
// the same seed meet the same days.
func way(name string, seed uint64, days int, x effects) *replay.Result {
	r, own := rand.New(rand.NewPCG(seed, 7)), rand.New(rand.NewPCG(x.own, 8))
	out := &replay.Result{Scenario: name, DecideP50: 40 * time.Microsecond, DecideP99: 900 * time.Microsecond}
	mood, luck := 0.0, 0.0
	for i := range days {
		mood = .6*mood + r.NormFloat64()
		late := .04 + .01*math.Abs(mood)
		n := int64(math.Round(220 + 60*math.Sin(float64(i)*2*math.Pi/7) + 20*r.NormFloat64()))
		if x.own > 0 {
			luck = .5*luck + own.NormFloat64()
		}
		f := float64(n)
		d := replay.Day{Date: start.AddDate(0, 0, i).Format(time.DateOnly), Orders: n, Units: 2 * n, Shipped: n}
		d.Cost = int64(math.Round(f * (600 + 25*mood - x.saving + 8*luck)))
		d.Shipments = n + n/5
		d.Split = n / 5
		d.Promised, d.Judged, d.PromisedHours = n, n, 72*n
		d.Kept = int64(math.Round(f * (1 - late + x.kept + .002*luck)))
		d.Backordered, d.BackorderedUnits = n/50, n/40
		d.CancelledUnits, d.Lost = n/100, 2000*(n/100)
		d.Rejections = n / 60
		d.Touches = int64(math.Round(f * (.2 - x.touches + .01*luck)))
		d.TouchSeconds = 150 * d.Touches
		if x.own > 0 {
			d.Drawn = n / 4
		}
		out.Days = append(out.Days, d)
	}
	return total(out)
}

// total adds the days of a result up.
func total(r *replay.Result) *replay.Result {
	t := &r.Total
	*t = replay.Day{}
	for _, d := range r.Days {
		t.Orders += d.Orders
		t.Units += d.Units
		t.Cost += d.Cost
		t.Shipments += d.Shipments
		t.Shipped += d.Shipped
		t.Split += d.Split
		t.Promised += d.Promised
		t.PromisedHours += d.PromisedHours
		t.Judged += d.Judged
		t.Kept += d.Kept
		t.Backordered += d.Backordered
		t.BackorderedUnits += d.BackorderedUnits
		t.CancelledUnits += d.CancelledUnits
		t.Cancelled += d.Cancelled
		t.Lost += d.Lost
		t.Rejections += d.Rejections
		t.Touches += d.Touches
		t.TouchSeconds += d.TouchSeconds
		t.Drawn += d.Drawn
	}
	r.Decisions = t.Orders
	return r
}

// runs answers scenarios by their names; what it has not is made by other, or is an error.
type runs struct {
	of    map[string]*replay.Result
	other func(s replay.Scenario) *replay.Result
	asked [][]replay.Scenario
	o     []replay.Options
}

func (r *runs) run(_ context.Context, _ replay.Open, list []replay.Scenario, o replay.Options) (out []*replay.Result, err error) {
	r.asked, r.o = append(r.asked, list), append(r.o, o)
	for _, s := range list {
		x := r.of[s.Name]
		if x == nil && r.other != nil {
			x = r.other(s)
		}
		if x == nil {
			return nil, errors.New("no run of " + s.Name)
		}
		out = append(out, x)
	}
	return out, nil
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is another text; look, then run with -update:\n%s", file, got)
	}
}

func assess(t *testing.T, h *history, candidates []replay.Scenario, o reassess.Options) *reassess.Report {
	t.Helper()
	r, err := reassess.Assess(t.Context(), h.open, replay.Scenario{}, candidates, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func measure(t *testing.T, ms []reassess.Measure, id string) *reassess.Measure {
	t.Helper()
	for i := range ms {
		if ms[i].ID == id {
			return &ms[i]
		}
	}
	t.Fatalf("no measure %s", id)
	return nil
}
