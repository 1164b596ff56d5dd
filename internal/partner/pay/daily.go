package pay

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/lease"
)

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func abs(n int64) int64 {
	if n < 0 {
		return -n
	}
	return n
}

const (
	// dailyInterval is how often the owner looks whether a report is due, dailyRetry how long a provider whose
	// report could not be read is left alone.
	dailyInterval = 30 * time.Second
	dailyRetry    = 10 * time.Minute
)

// reportsDue compares the books of the day before, once for each provider, when its report is there.
func (w *Worker) reportsDue(ctx context.Context) {
	tried := map[string]time.Time{}
	for {
		all, err := w.providers.read(ctx)
		if err != nil {
			w.warn(ctx, "could not read the providers", err)
		}
		for i := range all {
			p := &all[i]
			day, due := p.reportDue(w.engine.Now())
			if !due || p.Paused || time.Since(tried[p.ID]) < dailyRetry {
				continue
			}
			if _, err := w.books.Last(ctx, p.ID, day); !errors.Is(err, engine.ErrNotFound) {
				continue // it is made, or cannot be looked up now
			}
			tried[p.ID] = time.Now()
			r, err := w.books.Reconcile(ctx, p.ID, day, engine.Meta{Actor: actor})
			if err != nil {
				w.warn(ctx, "could not compare the books with "+p.ID+" for "+day, err)
				continue
			}
			w.log.Info("payments: the books were compared", "provider", p.ID, "day", day, "entries", r.Entries, "differences", r.Count)
		}
		if !lease.Wait(ctx, dailyInterval) {
			return
		}
	}
}

// reportDue is the last day whose report is there, unless the provider was made after it.
func (p *Provider) reportDue(now time.Time) (day string, due bool) {
	if p.NoReports {
		return "", false
	}
	there, err := time.Parse("15:04", p.ReportTime)
	if err != nil {
		return "", false
	}
	local := now.In(p.zone())
	last := local.AddDate(0, 0, -1)
	if local.Hour()*60+local.Minute() < there.Hour()*60+there.Minute() {
		last = last.AddDate(0, 0, -1)
	}
	day = last.Format(time.DateOnly)
	return day, day >= p.CreatedAt.In(p.zone()).Format(time.DateOnly)
}
