package promise_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/promise"
)

func TestArrive(t *testing.T) {
	t.Parallel()
	plain := policy.PromiseSection{}
	weekdays := []string{"mon", "tue", "wed", "thu", "fri"}
	tests := []struct {
		name      string
		section   policy.PromiseSection
		now       string
		transit   int64
		backlog   int64
		ships, to string
		until     string
	}{
		{"before the cut-off", plain, "2026-11-26T12:00:00Z", 2, 0, "2026-11-26", "2026-11-28", "2026-11-26T13:00:01Z"},
		{"a second after the cut-off", plain, "2026-11-26T13:00:01Z", 2, 0, "2026-11-27", "2026-11-30", "2026-11-27T13:00:01Z"},
		{"friday evening", plain, "2026-11-27T20:00:00Z", 1, 0, "2026-11-30", "2026-12-01", "2026-11-30T13:00:01Z"},
		{"backlog of a day's work", plain, "2026-11-26T08:00:00Z", 1, 600, "2026-11-27", "2026-11-28", "2026-11-26T16:00:01Z"},
		{"carrier works on weekdays only", policy.PromiseSection{DeliveryDays: weekdays}, "2026-11-26T12:00:00Z", 2, 0, "2026-11-26", "2026-11-30", "2026-11-26T13:00:01Z"},
		{"holiday on the way", policy.PromiseSection{DeliveryDays: weekdays, Holidays: "DE"}, "2026-12-24T08:00:00Z", 1, 0, "2026-12-24", "2026-12-28", "2026-12-24T13:00:01Z"},
		{"no pickup on the holiday", policy.PromiseSection{DeliveryDays: weekdays, Holidays: "destination"}, "2026-12-24T15:00:00Z", 1, 0, "2026-12-28", "2026-12-29", "2026-12-28T13:00:01Z"},
		{"extra day", policy.PromiseSection{ExtraDays: 1}, "2026-11-26T12:00:00Z", 2, 0, "2026-11-26", "2026-11-30", "2026-11-26T13:00:01Z"},
		{"clocks go back on the weekend", plain, "2026-10-23T12:00:01Z", 0, 0, "2026-10-26", "2026-10-26", "2026-10-26T13:00:01Z"},
		{"clocks go forward on the weekend", plain, "2026-03-27T13:00:01Z", 0, 0, "2026-03-30", "2026-03-30", "2026-03-30T12:00:01Z"},
	}
	for _, tt := range tests {
		l := warehouse(t, "dc")
		s := settings(t, tt.section)
		a, err := promise.NewCalendar().Arrive(promise.Shipping{From: l, Service: "dhl", TransitDays: tt.transit, Backlog: tt.backlog}, s, nil, at(t, tt.now))
		if err != nil {
			t.Fatal(err)
		}
		zone, _ := network.LoadZone(l.TimeZone)
		ships := network.DateOf(a.ShipBy.Add(-time.Second).In(zone).Date())
		if ships.String() != tt.ships || a.To.String() != tt.to || !a.ValidUntil.Equal(at(t, tt.until)) {
			t.Errorf("%s: ships %s, there %s, until %s; want %s, %s, %s", tt.name, ships, a.To, a.ValidUntil, tt.ships, tt.to, tt.until)
		}
		if !a.DeliverBy.Equal((a.To + 1).Start(zone)) || a.From != a.To {
			t.Errorf("%s: %+v: the promise does not end with its date", tt.name, a)
		}
	}
}

func TestArriveAddsWhatWasLearned(t *testing.T) {
	t.Parallel()
	learned := promise.NewDelays(0)
	for i := range 100 { // nine of ten in the evening of the deadline, the others 30 h after it
		late := -4 * time.Hour
		if i%10 == 0 {
			late = 30 * time.Hour
		}
		learned.Delivered(promise.Key{Location: "dc", Service: "dhl", Zone: 1}, late)
	}
	shipping := promise.Shipping{From: warehouse(t, "dc"), Service: "dhl", Zone: 1, TransitDays: 1}
	now := at(t, "2026-11-23T10:00:00Z")
	for q, want := range map[float64]string{0.8: "2026-11-24", 0.95: "2026-11-26"} {
		a, err := promise.NewCalendar().Arrive(shipping, settings(t, policy.PromiseSection{Quantile: q, WindowDays: 1}), learned, now)
		if err != nil || a.To.String() != want || a.Level != promise.LevelLocationServiceZone || a.Probability < q {
			t.Errorf("quantile %v: %+v, %v; want %s", q, a, err, want)
		}
		if a.From != a.To-1 {
			t.Errorf("the window is %s to %s, not of two days", a.From, a.To)
		}
	}
}

func TestCollection(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, now, ready, until string }{
		{"open: an hour, to the quarter", "2026-11-26T10:05:00Z", "2026-11-26T11:15:00Z", "2026-11-26T10:15:01Z"},
		{"too late today", "2026-11-26T18:30:00Z", "2026-11-27T09:30:00Z", "2026-11-26T18:30:01Z"},
		{"ready at closing: from the next opening", "2026-11-28T18:00:00Z", "2026-11-30T09:00:00Z", "2026-11-28T18:00:01Z"},
		{"closed on sunday", "2026-11-29T12:00:00Z", "2026-11-30T10:00:00Z", "2026-11-30T09:00:01Z"},
	}
	for _, tt := range tests {
		c, err := promise.NewCalendar().Collection(shop(t, "s"), 0, at(t, tt.now))
		if err != nil || !c.Ready.Equal(at(t, tt.ready)) || !c.ValidUntil.Equal(at(t, tt.until)) {
			t.Errorf("%s: %+v, %v; want %s until %s", tt.name, c, err, tt.ready, tt.until)
		}
	}
	// Goods that arrive by the end of friday are worked on on saturday morning.
	ready, err := promise.Forward(shop(t, "s"), at(t, "2026-11-27T23:00:00Z"))
	if err != nil || !ready.Equal(at(t, "2026-11-28T10:00:00Z")) {
		t.Errorf("forwarded goods are ready at %v, %v", ready, err)
	}
}

func TestNeverOpenIsAnError(t *testing.T) {
	t.Parallel()
	sundays := warehouse(t, "dc")
	sundays.Calendar = hours(t, "sun 08:00-18:00", "")
	_, err := promise.NewCalendar().Departure(sundays, "", settings(t, policy.PromiseSection{}).Carrier, 0, at(t, "2026-11-26T12:00:00Z"))
	if !errors.Is(err, network.ErrNeverOpen) {
		t.Errorf("a location that works when its carrier does not gives %v", err)
	}
	nowhere := warehouse(t, "dc")
	nowhere.TimeZone = "Mars/Olympus"
	if _, err := promise.NewCalendar().Departure(nowhere, "", settings(t, policy.PromiseSection{}).Carrier, 0, at(t, "2026-11-26T12:00:00Z")); err == nil {
		t.Error("an unknown zone gives a date")
	}
}

// drawLocation draws hours, cut-off and zone; the seasons with changes of the clocks are likely.
func drawLocation(t *rapid.T) *network.Location {
	zone := rapid.SampledFrom([]string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Tokyo"}).Draw(t, "zone")
	opens := rapid.IntRange(0, 12).Draw(t, "opens")
	closes := rapid.IntRange(opens+1, 24).Draw(t, "closes")
	days := rapid.SampledFrom([]string{"mon-fri", "mon-sun", "tue", "sat-mon"}).Draw(t, "days")
	week, err := network.ParseWeek(fmt.Sprintf("%s %02d:00-%02d:00", days, opens, closes))
	if err != nil {
		t.Fatal(err)
	}
	l := &network.Location{ID: "l", TimeZone: zone, Calendar: &network.Calendar{Hours: week}, ProcessingMinutes: rapid.Int64Range(0, 900).Draw(t, "processing")}
	if rapid.Bool().Draw(t, "has cut-off") {
		l.Cutoffs = []network.Cutoff{{Time: network.Clock(rapid.IntRange(1, 1440).Draw(t, "cut-off"))}}
	}
	return l
}

func drawNow(t *rapid.T, label string) time.Time {
	base := rapid.SampledFrom([]int64{1774600000, 1792800000, 1793500000, 1798000000}).Draw(t, label+" season")
	return time.Unix(base+rapid.Int64Range(0, 4*86400).Draw(t, label), 0).UTC()
}

// What is remembered is what a new calendar finds, an answer holds to the second before
// ValidUntil and not longer, and no answer gets earlier.
func TestCalendarAnswersHoldUntilTheySay(t *testing.T) {
	t.Parallel()
	carrier := settings(t, policy.PromiseSection{Holidays: "DE"}).Carrier
	rapid.Check(t, func(t *rapid.T) {
		l, c := drawLocation(t), promise.NewCalendar()
		backlog := rapid.Int64Range(0, 100).Draw(t, "backlog")
		now := drawNow(t, "now")
		ask := func(c *promise.Calendar, when time.Time) (promise.Departure, promise.Collection) {
			d, err := c.Departure(l, "x", carrier, backlog, when)
			if err != nil {
				t.Fatal(err)
			}
			r, err := c.Collection(l, backlog, when)
			if err != nil {
				t.Fatal(err)
			}
			return d, r
		}
		d, r := ask(c, now)
		if !d.ValidUntil.After(now) || !r.ValidUntil.After(now) || !d.ShipBy.After(now) || r.Ready.Before(now) {
			t.Fatalf("at %s: %+v, %+v", now, d, r)
		}
		if !l.IsOpen(r.Ready) {
			t.Fatalf("%s is not within opening hours", r.Ready)
		}
		lastD, _ := ask(promise.NewCalendar(), d.ValidUntil.Add(-time.Second))
		nextD, _ := ask(promise.NewCalendar(), d.ValidUntil)
		if lastD.Ships != d.Ships || nextD.Ships <= d.Ships {
			t.Fatalf("ships %s until %s, but before that %s and then %s", d.Ships, d.ValidUntil, lastD.Ships, nextD.Ships)
		}
		_, lastR := ask(promise.NewCalendar(), r.ValidUntil.Add(-time.Second))
		_, nextR := ask(promise.NewCalendar(), r.ValidUntil)
		if !lastR.Ready.Equal(r.Ready) || !nextR.Ready.After(r.Ready) {
			t.Fatalf("ready %s until %s, but before that %s and then %s", r.Ready, r.ValidUntil, lastR.Ready, nextR.Ready)
		}
		other := drawNow(t, "other")
		oldD, oldR := ask(c, other)
		newD, newR := ask(promise.NewCalendar(), other)
		if oldD.Ships != newD.Ships || !oldR.Ready.Equal(newR.Ready) {
			t.Fatalf("remembered %+v, %+v; found %+v, %+v", oldD, oldR, newD, newR)
		}
		if other.After(now) && (newD.Ships < d.Ships || newR.Ready.Before(r.Ready)) {
			t.Fatalf("an order at %s is earlier than one at %s", other, now)
		}
	})
}
