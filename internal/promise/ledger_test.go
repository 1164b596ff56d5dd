package promise_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/orderly-oms/orderly/internal/promise"
)

// parcel was ordered on a monday morning, is to leave by tuesday and to be there by thursday, with a day of slack.
func parcel(t testing.TB, id string) promise.Entry {
	t.Helper()
	return promise.Entry{
		ID: id, Order: "o" + id, Channel: "web", Location: "dc", Service: "dhl", Zone: 1, Value: 5000,
		Since: at(t, "2026-11-23T09:00:00Z"), ShipBy: at(t, "2026-11-24T23:00:00Z"),
		Calendar: at(t, "2026-11-26T23:00:00Z"), DeliverBy: at(t, "2026-11-27T23:00:00Z"),
	}
}

func upsert(t testing.TB, l *promise.Ledger, entries ...promise.Entry) {
	t.Helper()
	for _, e := range entries {
		if err := l.Upsert(e); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRiskIsSeenBeforeItIsLate(t *testing.T) {
	t.Parallel()
	l := promise.NewLedger(0.5, 30, nil, nil)
	shipped, stuck := parcel(t, "shipped"), parcel(t, "stuck")
	shipped.Stage, shipped.Since = promise.StageShipped, at(t, "2026-11-24T16:00:00Z")
	upsert(t, l, shipped, stuck)
	if worst, n := l.AtRisk(at(t, "2026-11-24T18:00:00Z"), 0.5, 10); n != 0 || worst != nil {
		t.Fatalf("at risk on time: %+v", worst)
	}
	// A day and a half after it was to leave it has not left: a day before the promise ends.
	worst, n := l.AtRisk(at(t, "2026-11-26T12:00:00Z"), 0.5, 10)
	if n != 1 || worst[0].ID != "stuck" || worst[0].Probability >= 0.5 || worst[0].Slack >= 0 {
		t.Fatalf("%d at risk: %+v", n, worst)
	}
	before, _, _ := l.Probability("stuck", at(t, "2026-11-26T12:00:00Z"))
	stuck.Stage, stuck.Since = promise.StageShipped, at(t, "2026-11-26T12:00:00Z")
	upsert(t, l, stuck)
	if after, _, _ := l.Probability("stuck", at(t, "2026-11-26T12:00:00Z")); after <= before {
		t.Errorf("leaving changes %v to %v", before, after)
	}
	// After its end nothing can be kept any more.
	if p, slack, ok := l.Probability("shipped", at(t, "2026-11-27T23:00:01Z")); p != 0 || slack >= 0 || !ok {
		t.Errorf("late: %v, %v", p, slack)
	}
	if _, n := l.AtRisk(at(t, "2026-11-27T23:00:01Z"), 0.5, 10); n != 2 {
		t.Errorf("%d late promises are at risk", n)
	}
}

func TestPickupRiskFollowsTheStage(t *testing.T) {
	t.Parallel()
	stages := promise.NewStages(0)
	for i := range 50 {
		stages.Done("store", promise.StageOpen, time.Duration(60+i)*time.Minute)
		stages.Done("store", promise.StagePicked, time.Duration(5+i/10)*time.Minute)
	}
	l := promise.NewLedger(0.6, 30, nil, stages)
	since := at(t, "2026-11-23T09:00:00Z")
	e := promise.Entry{ID: "p", Location: "store", Since: since, ShipBy: since.Add(100 * time.Minute), DeliverBy: since.Add(100 * time.Minute)}
	upsert(t, l, e)
	start, slack, _ := l.Probability("p", since)
	late, _, _ := l.Probability("p", since.Add(95*time.Minute))
	if start < 0.65 || late >= 0.6 || slack <= 0 {
		t.Errorf("at the start %v with %v, after 95 min %v", start, slack, late)
	}
	if _, n := l.AtRisk(since.Add(95*time.Minute), 0.6, 1); n != 1 {
		t.Errorf("%d at risk", n)
	}
	e.Stage, e.Since = promise.StagePicked, since.Add(70*time.Minute)
	upsert(t, l, e)
	if picked, _, _ := l.Probability("p", since.Add(71*time.Minute)); picked < 0.9 {
		t.Errorf("picked with 29 min left: %v", picked)
	}
}

func TestLedgerCounts(t *testing.T) {
	t.Parallel()
	l := promise.NewLedger(0.5, 30, nil, nil)
	a, b, c, d := parcel(t, "a"), parcel(t, "b"), parcel(t, "c"), parcel(t, "d")
	c.Location = "other"
	upsert(t, l, a, b, c, d)
	l.Close("a", a.DeliverBy)
	l.Close("b", b.DeliverBy.Add(2*time.Hour))
	l.Close("nobody", b.DeliverBy)
	l.Remove("d")
	l.Remove("d")
	want := []promise.Tally{
		{Channel: "web", Location: "dc", Kept: 1, Broken: 1, Slack: -2 * time.Hour},
		{Channel: "web", Location: "other", Open: 1},
	}
	if got := l.Stats(); !slices.Equal(got, want) || got[0].AverageSlack() != -time.Hour || got[1].AverageSlack() != 0 {
		t.Errorf("%+v, want %+v", got, want)
	}
	c.DeliverBy = time.Time{} // nothing is promised any more
	upsert(t, l, c)
	if _, _, ok := l.Probability("c", a.Since); ok || l.Len() != 0 {
		t.Error("what is not promised is kept")
	}
}

// Whatever happens, AtRisk is what asking every promise gives.
func TestAtRiskIsWhatEveryPromiseSays(t *testing.T) {
	t.Parallel()
	start := at(t, "2026-11-23T09:00:00Z")
	learned := promise.NewDelays(0)
	for i := range 200 {
		learned.Delivered(promise.Key{Location: "a", Service: "dhl", Zone: 1}, time.Duration(i-50)*time.Hour)
	}
	rapid.Check(t, func(t *rapid.T) {
		shown := rapid.Float64Range(0, 1).Draw(t, "threshold")
		l := promise.NewLedger(shown, 30, nil, nil)
		model := make(map[string]promise.Entry)
		now := start
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			id := fmt.Sprint(rapid.IntRange(0, 15).Draw(t, "id"))
			switch rapid.IntRange(0, 5).Draw(t, "what") {
			case 0, 1, 2:
				e := promise.Entry{
					ID: id, Location: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "location"), Service: rapid.SampledFrom([]string{"", "dhl"}).Draw(t, "service"),
					Zone: 1, Stage: promise.Stage(rapid.IntRange(0, 4).Draw(t, "stage")), Since: now, Value: rapid.Int64Range(0, 3).Draw(t, "value"),
					ShipBy: now.Add(time.Duration(rapid.IntRange(-20, 60).Draw(t, "ship by")) * time.Hour),
				}
				e.Calendar = e.ShipBy.Add(48 * time.Hour)
				e.DeliverBy = e.Calendar.Add(time.Duration(rapid.IntRange(0, 48).Draw(t, "slack")) * time.Hour)
				if e.Service == "" {
					e.Calendar, e.DeliverBy = e.ShipBy, e.ShipBy
				}
				if err := l.Upsert(e); err != nil {
					t.Fatal(err)
				}
				model[id] = e
			case 3:
				l.Remove(id)
				delete(model, id)
			case 4:
				now = now.Add(time.Duration(rapid.IntRange(0, 900).Draw(t, "minutes")) * time.Minute)
			case 5:
				l.Learn(learned, nil)
			}
			threshold := rapid.Float64Range(0, 1).Draw(t, "asked")
			limit := rapid.IntRange(0, 20).Draw(t, "limit")
			worst, n := l.AtRisk(now, threshold, limit)
			count := 0
			for id := range model {
				if p, _, ok := l.Probability(id, now); !ok {
					t.Fatalf("%s is missing", id)
				} else if p < min(threshold, shown) {
					count++
				}
			}
			if n < len(worst) || len(worst) != min(limit, n) || l.Len() != len(model) {
				t.Fatalf("%d listed of %d, %d open of %d", len(worst), n, l.Len(), len(model))
			}
			if n != count {
				t.Fatalf("%d at risk at %s, want %d", n, now, count)
			}
			for i := 1; i < len(worst); i++ {
				a, b := worst[i-1], worst[i]
				if a.Probability > b.Probability || (a.Probability == b.Probability && a.Value < b.Value) {
					t.Fatalf("%+v before %+v", a, b)
				}
			}
		}
	})
}

func TestLedgerIsBounded(t *testing.T) {
	l := fill(t, promise.MaxPromises)
	if err := l.Upsert(parcel(t, "one more")); !errors.Is(err, promise.ErrLedgerFull) {
		t.Errorf("one more than the most gives %v", err)
	}
	again := parcel(t, "1")
	if err := l.Upsert(again); err != nil || l.Len() != promise.MaxPromises {
		t.Errorf("a full ledger refuses a change: %v", err)
	}
	l.Remove("1")
	if err := l.Upsert(parcel(t, "one more")); err != nil {
		t.Errorf("a ledger with room refuses: %v", err)
	}
}

// fill returns a ledger of n promises that end over a week, from twenty locations.
func fill(t testing.TB, n int) *promise.Ledger {
	t.Helper()
	l := promise.NewLedger(0.5, 30, nil, nil)
	base := parcel(t, "")
	locations := make([]string, 20)
	for i := range locations {
		locations[i] = fmt.Sprint("location-", i)
	}
	for i := range n {
		e := base
		later := time.Duration(i%604800) * time.Second
		e.ID, e.Location = fmt.Sprint(i), locations[i%len(locations)]
		e.Since, e.ShipBy, e.Calendar, e.DeliverBy = e.Since.Add(later), e.ShipBy.Add(later), e.Calendar.Add(later), e.DeliverBy.Add(later)
		if err := l.Upsert(e); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

func BenchmarkLedgerUpsertOf1M(b *testing.B) {
	l, e := fill(b, promise.MaxPromises), parcel(b, "")
	ids := make([]string, 4096)
	for i := range ids {
		ids[i] = fmt.Sprint(i * 200)
	}
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		e.ID, e.Stage = ids[i%len(ids)], promise.Stage(i%5)
		if err := l.Upsert(e); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

func BenchmarkLedgerAtRiskOf1M(b *testing.B) {
	l := fill(b, promise.MaxPromises)
	now := at(b, "2026-11-26T12:00:00Z")
	n := 0
	for b.Loop() {
		_, n = l.AtRisk(now, 0.5, 100)
	}
	b.ReportMetric(float64(n), "at-risk")
}

func BenchmarkLedgerMemoryOf1M(b *testing.B) {
	var before, after runtime.MemStats
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		l := fill(b, promise.MaxPromises)
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(l.Len()), "B/promise")
	}
}
