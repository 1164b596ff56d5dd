package audit

import (
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/store"
)

// Log rows at the given minutes; was a timer due at minute 10 left alone?
func TestOverdueTimers(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	at := func(minutes float64) time.Time { return start.Add(time.Duration(minutes * float64(time.Minute))) }
	for _, test := range []struct {
		name    string
		rows    []float64
		late    bool
		waiting int
	}{
		{"nothing was written since", []float64{1, 9}, false, 0},
		{"just written", []float64{1, 10.1}, false, 1},
		{"stopped for a night, just started", []float64{1, 600, 600.5}, false, 1},
		{"running all the time", []float64{1, 10.5, 11, 12}, true, 0},
		{"running again for long enough", []float64{1, 600, 601.5}, true, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, kind := range []store.Kind{engine.KindOrder, engine.KindReservation} {
				a := &auditor{checks: newChecks()}
				for _, m := range test.rows {
					a.noteTime(at(m))
				}
				a.checkTimer(&store.Record{Key: store.Key{Kind: kind, ID: "x"}, Wake: at(10)})
				check := &a.timers
				if kind == engine.KindReservation {
					check = &a.expiry
				}
				if late := check.Violations == 1; late != test.late || a.waiting != test.waiting {
					t.Errorf("%s: late %v, waiting %d; want %v, %d", kind, late, a.waiting, test.late, test.waiting)
				}
			}
		})
	}
}
