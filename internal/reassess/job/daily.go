package job

import (
	"context"
	"encoding/json"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/reassess"
)

// dailyName is what the job of a day is called. Who asked for it is the worker itself.
func dailyName(until time.Time) string { return "daily " + until.Format(time.DateOnly) }

func daily(x *Job) bool { return x.By == actor && x.Request.Name == dailyName(x.Request.Until) }

// maxDailyLook bounds how many jobs are looked through for that of a day.
const maxDailyLook = 200

// EveryDay makes the worker ask for a reassessment of the last weeks by itself, once a day (UTC), to watch the rules in
// force for drift. To be called before Run.
func (w *Worker) EveryDay() { w.everyDay = true }

// askDaily asks for the job of this day, unless it was asked for. Two nodes do not both: who asks has the lease.
func (w *Worker) askDaily(ctx context.Context) error {
	from, until := reassess.DailyPeriod(w.jobs.engine.Now())
	if !w.everyDay || until.Equal(w.asked) {
		return nil
	}
	epoch, ok := w.lease.Acquire(ctx)
	if !ok {
		return nil
	}
	defer w.lease.Release(epoch)
	last, err := w.lastDaily(ctx, "")
	if err != nil {
		return err
	}
	if last == nil || last.Request.Until.Before(until) {
		r := &Request{Name: dailyName(until), From: from, Until: until}
		if _, err := w.jobs.Start(ctx, r, engine.Meta{Actor: actor}); err != nil {
			return err
		}
	}
	w.asked = until
	return nil
}

// lastDaily is the newest daily job before an id ("": of all), with a report when an id is given; nil when there is none lately.
func (w *Worker) lastDaily(ctx context.Context, before string) (*Job, error) {
	jobs, err := w.jobs.List(ctx, before, maxDailyLook)
	if err != nil {
		return nil, err
	}
	for _, x := range jobs {
		if daily(x) && (before == "" || x.State == Done) {
			return x, nil
		}
	}
	return nil, nil
}

// remember writes into the report of a daily job since when each finding is there.
func (w *Worker) remember(ctx context.Context, x *Job, body []byte) ([]byte, error) {
	if !daily(x) {
		return body, nil
	}
	last, err := w.lastDaily(ctx, x.ID)
	if err != nil {
		return nil, err
	}
	var before *reassess.Report
	if last != nil {
		if before, err = w.jobs.Report(ctx, last.ID); err != nil {
			return nil, err
		}
	}
	var r reassess.Report
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, err
	}
	reassess.Remember(&r, before)
	return json.Marshal(&r)
}
