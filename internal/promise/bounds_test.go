package promise

import (
	"strconv"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/network"
)

// What is remembered is bounded, and the answers after starting anew are the same.

func TestCalendarIsBounded(t *testing.T) {
	t.Parallel()
	c, s := NewCalendar(), Settings{}
	s.Carrier, _ = NewWorkdays(nil, "")
	l := &network.Location{ID: "l", TimeZone: "UTC"}
	now := time.Unix(1_790_000_000, 0)
	first, err := c.Departure(l, "0", s.Carrier, 0, now)
	if err != nil {
		t.Fatal(err)
	}
	most := 0
	for i := range maxCalendarEntries + 1 {
		got, err := c.Departure(l, strconv.Itoa(i), s.Carrier, 0, now)
		if err != nil || got != first {
			t.Fatalf("%+v, %v; want %+v", got, err, first)
		}
		most = max(most, len(c.departures))
	}
	if most != maxCalendarEntries || len(c.departures) != 1 {
		t.Errorf("at most %d are remembered, then %d", most, len(c.departures))
	}
	equal, err := NewWorkdays([]string{"monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Departure(l, strconv.Itoa(maxCalendarEntries), equal, 0, now); err != nil || len(c.departures) != 1 {
		t.Errorf("equal working days are remembered apart: %d, %v", len(c.departures), err)
	}
	for i := range maxCalendarEntries + 1 {
		c.collections[collectionKey{l, int64(-1 - i)}] = remembered[Collection]{}
	}
	if _, err := c.Collection(l, 0, now); err != nil || len(c.collections) != 1 {
		t.Errorf("%d pickups are remembered, %v", len(c.collections), err)
	}
	// A backlog beyond every bound counts as the longest processing there is.
	if roundBacklog(1<<60) != network.MaxProcessingMinutes || roundBacklog(-5) != 0 || roundBacklog(1) != backlogStep {
		t.Error("a backlog is not within its bounds")
	}
}

func TestCurvesAreBounded(t *testing.T) {
	t.Parallel()
	d := NewDelays(0)
	d.Delivered(Key{"a", "x", 0}, 0)
	want := *d.Curve(Key{"a", "x", 0}, 1)
	l := NewLedger(0.5, 1, d, nil)
	for i := range max(maxCurves, maxLedgerCurves) + 10 {
		key := Key{"a", "x", int64(i)}
		got := d.Curve(key, 1)
		if i == 0 && *got != want {
			t.Fatal("a remembered curve is another")
		}
		l.curve(&Entry{Location: key.Location, Service: key.Service, Zone: key.Zone})
		l.work(&Entry{Location: strconv.Itoa(i)})
		if len(d.curves) > maxCurves || len(l.curves) > maxLedgerCurves || len(l.works) > maxLedgerCurves {
			t.Fatalf("%d, %d, %d curves", len(d.curves), len(l.curves), len(l.works))
		}
	}
	if got := d.Curve(Key{"a", "x", 0}, 1); *got != want {
		t.Error("a curve found again is another")
	}
	d.Delivered(Key{"a", "x", 0}, 100*time.Hour)
	if got := d.Curve(Key{"a", "x", 0}, 1); *got == want {
		t.Error("a curve from before the last delivery is answered")
	}
}

func TestTalliesAreBounded(t *testing.T) {
	t.Parallel()
	l := NewLedger(0.5, 30, nil, nil)
	end := time.Unix(1_790_000_000, 0)
	for i := range maxTallies + 5 {
		id := strconv.Itoa(i)
		if err := l.Upsert(Entry{ID: id, Channel: "c", Location: id, DeliverBy: end}); err != nil {
			t.Fatal(err)
		}
		l.Close(id, end)
	}
	stats := l.Stats()
	if len(stats) != maxTallies+1 || stats[0] != (Tally{Kept: 5}) {
		t.Errorf("%d tallies, first %+v", len(stats), stats[0])
	}
}

func TestHistogramIsBounded(t *testing.T) {
	t.Parallel()
	var h histogram
	for d := -20 * day; d < 60*day; d += time.Hour {
		h.add(bin{Bin: delayScale.bin(d), Events: 1})
	}
	if len(h) != maxBins || h[0].Bin != 0 || h[maxBins-1].Bin != maxBins-1 {
		t.Errorf("%d bins", len(h))
	}
	d := NewDelays(0)
	for range 50 {
		d.Delivered(Key{"a", "x", 1}, 1000*day)
	}
	if q, _, _ := d.Quantile(Key{"a", "x", 1}, 0.99, 30); q != delayScale.edge(maxBins) && q < delayScale.edge(maxBins-1) {
		t.Errorf("the longest delay is %v", q)
	}
}
