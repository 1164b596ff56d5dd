package job_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/problem"
	"github.com/orderly-oms/orderly/internal/reassess/job"
	"github.com/orderly-oms/orderly/internal/replay"
	"github.com/orderly-oms/orderly/internal/store/sqlite"
)

var (
	quiet = slog.New(slog.DiscardHandler)
	meta  = engine.Meta{Actor: "analyst"}
)

// bundle is a store with its jobs.
type bundle struct {
	*testing.T
	jobs *job.Jobs
}

func setup(t *testing.T) *bundle {
	t.Helper()
	t.Parallel()
	db, err := sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	e, err := engine.Open(t.Context(), db, engine.Options{Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	e.Run()
	t.Cleanup(e.Close)
	return &bundle{t, job.New(e)}
}

func (b *bundle) start(name string) string {
	b.Helper()
	reply, err := b.jobs.Start(b.Context(), &job.Request{Name: name, Candidates: []replay.Scenario{{Name: "same"}}}, meta)
	if err != nil {
		b.Fatal(err)
	}
	return reply.Value.(*job.Job).ID
}

func (b *bundle) state(id string) string {
	b.Helper()
	x, err := b.jobs.Get(b.Context(), id)
	if err != nil {
		b.Fatal(err)
	}
	return x.State
}

// run starts a worker that makes jobs with m.
func (b *bundle) run(m job.Make) *job.Worker {
	w := job.NewWorker(b.jobs, m, quiet)
	w.Run()
	b.Cleanup(w.Stop)
	return w
}

func refused(t *testing.T, err error, code string) {
	t.Helper()
	var r *order.Refusal
	if !errors.As(err, &r) || r.Code != code {
		t.Errorf("%v, want a refusal %s", err, code)
	}
}

// TestJobsAreMadeInTurn: one at a time, the oldest first; one that fails says why, and its report is missing.
func TestJobsAreMadeInTurn(t *testing.T) {
	b := setup(t)
	ids := []string{b.start("a"), b.start("b"), b.start("c")}
	made := make(chan string)
	w := b.run(func(ctx context.Context, r *job.Request, _ func(job.Progress)) (json.RawMessage, error) {
		select {
		case made <- r.Name:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if r.Name == "b" {
			return nil, errors.New("the history is empty")
		}
		return json.RawMessage(`{"orders":7}`), nil
	})
	for _, want := range []string{"a", "b", "c"} {
		if got := <-made; got != want {
			t.Errorf("%s was made when it was %s's turn", got, want)
		}
	}
	w.Stop()
	if a, c := b.state(ids[0]), b.state(ids[1]); a != job.Done || c != job.Failed {
		t.Errorf("a is %s, b is %s", a, c)
	}
	x, _ := b.jobs.Get(t.Context(), ids[1])
	if !strings.Contains(x.Error, "the history is empty") {
		t.Errorf("b failed with %q", x.Error)
	}
	r, err := b.jobs.Report(t.Context(), ids[0])
	if err != nil || r.Orders != 7 {
		t.Errorf("the report of a: %+v, %v", r, err)
	}
	_, err = b.jobs.ReportJSON(t.Context(), ids[1])
	refused(t, err, job.CodeNoReport)
	list, err := b.jobs.List(t.Context(), "", 2)
	if err != nil || len(list) != 2 || list[0].ID != ids[2] {
		t.Errorf("the list: %v, %v", list, err)
	}
}

// TestEndOfNode: a job that is being made when its node stops is interrupted, and made once it is resumed.
func TestEndOfNode(t *testing.T) {
	b := setup(t)
	id := b.start("long")
	begun := make(chan bool, 1)
	w := b.run(func(ctx context.Context, _ *job.Request, report func(job.Progress)) (json.RawMessage, error) {
		report(job.Progress{Part: "rules in force", Done: 5, Of: 10})
		begun <- true
		<-ctx.Done()
		return nil, ctx.Err()
	})
	<-begun
	if s := b.state(id); s != job.Running {
		t.Errorf("it is %s while it is made", s)
	}
	_, err := b.jobs.Resume(t.Context(), id, meta)
	refused(t, err, job.CodeNotEnded)
	w.Stop()
	if s := b.state(id); s != job.Interrupted {
		t.Fatalf("it is %s after its node stopped", s)
	}
	if _, err := b.jobs.Resume(t.Context(), id, meta); err != nil {
		t.Fatal(err)
	}
	w = b.run(func(context.Context, *job.Request, func(job.Progress)) (json.RawMessage, error) {
		begun <- true
		return json.RawMessage(`{}`), nil
	})
	<-begun
	w.Stop()
	if s := b.state(id); s != job.Done {
		t.Errorf("it is %s after it was resumed", s)
	}
	_, err = b.jobs.Cancel(t.Context(), id, meta)
	refused(t, err, job.CodeEnded)
}

// TestCancel: a job that is cancelled ends, and what its making returned is not kept.
func TestCancel(t *testing.T) {
	b := setup(t)
	id, next := b.start("wrong"), b.start("right")
	begun, ended := make(chan string), make(chan bool, 1)
	w := b.run(func(ctx context.Context, r *job.Request, _ func(job.Progress)) (json.RawMessage, error) {
		begun <- r.Name
		if r.Name == "wrong" {
			<-ctx.Done()
			ended <- true
		}
		return json.RawMessage(`{}`), nil
	})
	<-begun
	if _, err := b.jobs.Cancel(t.Context(), id, meta); err != nil {
		t.Fatal(err)
	}
	<-ended
	<-begun
	w.Stop()
	if s := b.state(id); s != job.Cancelled {
		t.Errorf("it is %s after it was cancelled", s)
	}
	_, err := b.jobs.ReportJSON(t.Context(), id)
	refused(t, err, job.CodeNoReport)
	if s := b.state(next); s != job.Done && s != job.Interrupted {
		t.Errorf("the next one is %s", s)
	}
	if _, err := b.jobs.Get(t.Context(), "none"); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("a job that is not there: %v", err)
	}
}

func TestTooManyWaiting(t *testing.T) {
	b := setup(t)
	for range job.MaxWaiting {
		b.start("")
	}
	_, err := b.jobs.Start(t.Context(), &job.Request{}, meta)
	refused(t, err, job.CodeTooMany)
}

func TestCheckNamesTheField(t *testing.T) {
	t.Parallel()
	for want, r := range map[string]job.Request{
		"level":                                 {Level: 1},
		"touch_minute":                          {TouchMinute: -1},
		"candidates[0].name":                    {Candidates: []replay.Scenario{{}}},
		"candidates[1].name":                    {Candidates: []replay.Scenario{{Name: "a"}, {Name: "a"}}},
		"candidates[0].policies[0]":             {Candidates: []replay.Scenario{{Name: "a", Policies: []string{"kind: sourcing"}}}},
		"candidates[0].recorded":                {Candidates: []replay.Scenario{{Name: "a", Recorded: true, Changes: replay.Changes{Demand: 2}}}},
		"candidates[0].changes.rejects.s1":      {Candidates: []replay.Scenario{{Name: "a", Changes: replay.Changes{Rejects: map[string]float64{"s1": 1.1}}}}},
		"candidates[0].changes.cut_off.s1":      {Candidates: []replay.Scenario{{Name: "a", Changes: replay.Changes{CutOff: map[string]string{"s1": "25:00"}}}}},
		"candidates[0].changes.locations[0].id": {Candidates: []replay.Scenario{{Name: "a", Changes: replay.Changes{Locations: []any{map[string]any{}}}}}},
		"candidates[0].changes.carriers[0]":     {Candidates: []replay.Scenario{{Name: "a", Changes: replay.Changes{Carriers: []any{"x"}}}}},
		"candidates[0].changes.stock[0].sku":    {Candidates: []replay.Scenario{{Name: "a", Changes: replay.Changes{Stock: []replay.StockLevel{{Location: "s1"}}}}}},
		"baseline.changes.capacity.s1":          {Baseline: &replay.Scenario{Name: "a", Changes: replay.Changes{Capacity: map[string]int64{"s1": -2}}}},
		"candidates[0].changes.demand":          {Candidates: []replay.Scenario{{Name: "a", Changes: replay.Changes{Demand: -1}}}},
	} {
		err := r.Check()
		var bad problem.Invalid
		if !errors.As(err, &bad) || bad[0].Pointer != want {
			t.Errorf("%s: %v", want, err)
		}
	}
	good := job.Request{Level: .9, Candidates: []replay.Scenario{{Name: "closed", Changes: replay.Changes{Close: []string{"s4"}, Rates: map[string]float64{"*": 1.1}, Safety: map[string]int64{"*": 2}}}}}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
}
