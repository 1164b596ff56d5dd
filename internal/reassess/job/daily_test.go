package job_test

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/reassess"
	"github.com/orderly-oms/orderly/internal/reassess/job"
	"github.com/orderly-oms/orderly/internal/store/sqlite"
)

// A worker asks once a day, also after a start, and its reports say since when something is found.
func TestEveryDay(t *testing.T) {
	t.Parallel()
	first := time.Date(2026, 11, 26, 3, 0, 0, 0, time.UTC)
	var now atomic.Pointer[time.Time]
	now.Store(&first)
	db, err := sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	e, err := engine.Open(t.Context(), db, engine.Options{Log: quiet, Clock: func() time.Time { return *now.Load() }})
	if err != nil {
		t.Fatal(err)
	}
	e.Run()
	t.Cleanup(e.Close)
	b := &bundle{t, job.New(e)}
	for day := range 3 {
		today := first.AddDate(0, 0, day)
		now.Store(&today)
		for start := range 2 {
			made := make(chan *job.Request, 10)
			b.start("asked for") // made before that of the day, which is younger
			w := job.NewWorker(b.jobs, func(_ context.Context, r *job.Request, _ func(job.Progress)) (json.RawMessage, error) {
				made <- r
				return json.Marshal(&reassess.Report{Until: r.Until, Findings: []reassess.Finding{{Kind: reassess.GapGrows, Subject: "x"}}})
			}, quiet)
			w.EveryDay()
			w.Run()
			<-made
			if start == 0 {
				<-made
			}
			w.Stop()
			b.daily(today, day+1, first.Truncate(24*time.Hour))
		}
	}
}

// daily checks the jobs that a worker asked for by itself.
func (b *bundle) daily(today time.Time, want int, since time.Time) {
	b.Helper()
	list, err := b.jobs.List(b.Context(), "", 100)
	if err != nil {
		b.Fatal(err)
	}
	var own []*job.Job
	for _, x := range list {
		if x.By == "reassessment" {
			own = append(own, x)
		}
	}
	if len(own) != want {
		b.Fatalf("%s: %d jobs of a day, want %d", today, len(own), want)
	}
	from, until := reassess.DailyPeriod(today)
	if x := own[0]; x.State != job.Done || !x.Request.From.Equal(from) || !x.Request.Until.Equal(until) {
		b.Errorf("%s: asked for %+v", today, x)
	}
	r, err := b.jobs.Report(b.Context(), own[0].ID)
	if err != nil {
		b.Fatal(err)
	}
	if !r.Findings[0].Since.Equal(since) {
		b.Errorf("%s: found since %s, want %s", today, r.Findings[0].Since, since)
	}
}
