package network_test

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/orderly-oms/orderly/internal/network"
)

func at(t testing.TB, s string) time.Time {
	t.Helper()
	when, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return when
}

func hours(t testing.TB, week, exceptions string) *network.Calendar {
	t.Helper()
	w, err := network.ParseWeek(week)
	if err != nil {
		t.Fatal(err)
	}
	e, err := network.ParseExceptions(exceptions)
	if err != nil {
		t.Fatal(err)
	}
	return &network.Calendar{Hours: w, Exceptions: e}
}

func TestNextOpenAcrossDaylightSaving(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, zone, week, exceptions, from, want string }{
		{"open", "Europe/Berlin", "mon-fri 09:00-18:00", "", "2026-10-23T07:00:00Z", "2026-10-23T07:00:00Z"},
		{"closing time is closed", "Europe/Berlin", "mon-fri 09:00-18:00", "", "2026-10-23T16:00:00Z", "2026-10-26T08:00:00Z"},
		{"over the weekend clocks go back", "Europe/Berlin", "mon-fri 09:00-18:00", "", "2026-10-24T12:00:00Z", "2026-10-26T08:00:00Z"},
		{"over the weekend clocks go forward", "Europe/Berlin", "mon-fri 09:00-18:00", "", "2026-03-28T12:00:00Z", "2026-03-30T07:00:00Z"},
		{"opens within the gap: at the change", "Europe/Berlin", "sun 02:30-06:00", "", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"},
		{"hours wholly in the gap: a week later", "Europe/Berlin", "sun 02:10-02:50", "", "2026-03-28T12:00:00Z", "2026-04-05T00:10:00Z"},
		{"opens in the hour that comes twice: the first time", "Europe/Berlin", "sun 02:30-06:00", "", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"},
		{"still open in the second pass", "Europe/Berlin", "sun 01:00-02:30", "", "2026-10-25T01:15:00Z", "2026-10-25T01:15:00Z"},
		{"closed after the second pass", "Europe/Berlin", "sun 01:00-02:30; mon 01:00-02:00", "", "2026-10-25T01:30:00Z", "2026-10-26T00:00:00Z"},
		{"midnight in the gap", "America/Asuncion", "sun 00:00-06:00", "", "2023-09-30T12:00:00Z", "2023-10-01T04:00:00Z"},
		{"a day the zone skipped", "Pacific/Apia", "fri 09:00-17:00", "", "2011-12-30T05:00:00Z", "2012-01-05T19:00:00Z"},
		{"half-hour change", "Australia/Lord_Howe", "sun 02:10-04:00", "", "2026-10-03T00:00:00Z", "2026-10-03T15:30:00Z"},
		{"holiday", "Europe/Berlin", "mon-fri 09:00-18:00", "2026-12-25 closed", "2026-12-25T09:00:00Z", "2026-12-28T08:00:00Z"},
		{"other hours on a date", "Europe/Berlin", "mon-fri 09:00-18:00", "2026-12-24 10:00-14:00", "2026-12-24T08:30:00Z", "2026-12-24T09:00:00Z"},
		{"open on a Sunday once", "Europe/Berlin", "", "2026-12-20 10:00-14:00", "2026-03-01T08:30:00Z", "2026-12-20T09:00:00Z"},
		{"midnight joins two days", "Asia/Tokyo", "mon 22:00-24:00; tue 00:00-02:00", "", "2026-06-01T15:00:00Z", "2026-06-01T15:00:00Z"},
	}
	for _, tt := range tests {
		l := network.Location{TimeZone: tt.zone, Calendar: hours(t, tt.week, tt.exceptions)}
		got, err := l.NextOpen(at(t, tt.from))
		if err != nil || !got.Equal(at(t, tt.want)) {
			t.Errorf("%s: NextOpen(%s) = %v, %v; want %s", tt.name, tt.from, got, err, tt.want)
		}
		if open := l.IsOpen(at(t, tt.from)); open != (tt.from == tt.want) {
			t.Errorf("%s: IsOpen = %v", tt.name, open)
		}
	}
}

func TestShipDate(t *testing.T) {
	t.Parallel()
	const week = "mon-fri 09:00-18:00; sat 10:00-14:00"
	cutoffs := []network.Cutoff{{Time: 16 * 60}, {Service: "express", Time: 12 * 60}, {Service: "night", Time: 2*60 + 30}}
	tests := []struct {
		name, from, service string
		processing          int64
		want                string
	}{
		{"before the cut-off", "2026-10-23T13:59:00Z", "ground", 0, "2026-10-23"},
		{"at the cut-off", "2026-10-23T14:00:00Z", "ground", 0, "2026-10-23"},
		{"just past the cut-off", "2026-10-23T14:00:00.001Z", "ground", 0, "2026-10-24"},
		{"own cut-off", "2026-10-23T10:30:00Z", "express", 0, "2026-10-24"},
		{"past closing on Saturday", "2026-10-24T12:00:00Z", "ground", 0, "2026-10-26"},
		{"after clocks went back the cut-off is an hour later in UTC", "2026-10-26T14:30:00Z", "ground", 0, "2026-10-26"},
		{"not ready before closing", "2026-10-23T13:59:00Z", "ground", 181 + 60, "2026-10-24"},
		{"two working days", "2026-10-23T07:00:00Z", "ground", 2 * 9 * 60, "2026-10-26"},
		{"cut-off in an hour that comes twice: the first", "2026-10-25T00:45:00Z", "night", 0, "2026-10-26"},
		{"before opening", "2026-10-23T01:00:00Z", "ground", 0, "2026-10-23"},
	}
	for _, tt := range tests {
		l := network.Location{TimeZone: "Europe/Berlin", Calendar: hours(t, week, "2026-10-25 00:00-05:00"), Cutoffs: cutoffs, ProcessingMinutes: tt.processing}
		if tt.service != "night" {
			l.Calendar.Exceptions = nil
		}
		got, err := l.ShipDate(at(t, tt.from), tt.service)
		if err != nil || got.String() != tt.want {
			t.Errorf("%s: ShipDate(%s) = %v, %v; want %s", tt.name, tt.from, got, err, tt.want)
		}
	}
	plain := network.Location{TimeZone: "Europe/Berlin"}
	if got, err := plain.ShipDate(at(t, "2026-10-23T21:59:59Z"), ""); err != nil || got.String() != "2026-10-23" {
		t.Errorf("always open, no cut-off: %v, %v", got, err)
	}
	if _, ok := plain.CutoffFor("ground"); ok {
		t.Error("a cut-off out of nowhere")
	}
}

func TestReadyCountsOpeningHours(t *testing.T) {
	t.Parallel()
	l := network.Location{TimeZone: "Europe/Berlin", Calendar: hours(t, "mon-fri 09:00-12:00,13:00-18:00", ""), ProcessingMinutes: 120}
	for from, want := range map[string]string{
		"2026-10-23T07:00:00Z":   "2026-10-23T09:00:00Z", // 09:00 to 11:00
		"2026-10-23T09:30:00Z":   "2026-10-23T12:30:00Z", // 11:30 to 12:00, 13:00 to 14:30
		"2026-10-23T15:30:00Z":   "2026-10-26T09:30:00Z", // Friday 17:30, Monday 09:00 to 10:30, clocks went back
		"2026-10-23T07:00:00.5Z": "2026-10-23T09:00:01Z",
	} {
		got, err := l.Ready(at(t, from))
		if err != nil || !got.Equal(at(t, want)) {
			t.Errorf("Ready(%s) = %v, %v; want %s", from, got, err, want)
		}
	}
	// Midnight comes twice; Saturday's hours end at the first.
	l = network.Location{TimeZone: "Atlantic/Azores", Calendar: hours(t, "sat 22:00-24:00; sun 10:00-12:00", ""), ProcessingMinutes: 150}
	if got, err := l.Ready(at(t, "2026-10-24T22:00:00Z")); err != nil || !got.Equal(at(t, "2026-10-25T11:30:00Z")) {
		t.Errorf("over a midnight that comes twice: %v, %v", got, err)
	}
	// Over the night with 25 hours, always open.
	l = network.Location{TimeZone: "Europe/Berlin", ProcessingMinutes: 25 * 60}
	if got, err := l.Ready(at(t, "2026-10-24T22:00:00Z")); err != nil || !got.Equal(at(t, "2026-10-25T23:00:00Z")) {
		t.Errorf("25 h of work = %v, %v", got, err)
	}
}

func TestNeverOpenEnds(t *testing.T) {
	t.Parallel()
	l := network.Location{TimeZone: "UTC", Calendar: hours(t, "", "2020-01-01 09:00-10:00")}
	if _, err := l.NextOpen(at(t, "2026-01-01T00:00:00Z")); !errors.Is(err, network.ErrNeverOpen) {
		t.Errorf("NextOpen: %v", err)
	}
	if _, err := l.ShipDate(at(t, "2026-01-01T00:00:00Z"), ""); !errors.Is(err, network.ErrNeverOpen) {
		t.Errorf("ShipDate: %v", err)
	}
	l.ProcessingMinutes = 61
	if _, err := l.Ready(at(t, "2020-01-01T00:00:00Z")); !errors.Is(err, network.ErrNeverOpen) {
		t.Errorf("Ready: %v", err)
	}
	if _, err := (&network.Location{TimeZone: "Local"}).NextOpen(time.Unix(0, 0)); err == nil {
		t.Error("the zone of the machine was used")
	}
}

// TestOpeningFollowsTheWallClock holds at every instant of a year in zones of
// every kind: what the wall clock says is open is open, and what it says is closed
// is closed unless the hour comes twice that day.
func TestOpeningFollowsTheWallClock(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom([]string{
			"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Africa/Casablanca",
			"Asia/Kolkata", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Africa/Cairo", "UTC",
		}).Draw(t, "zone")
		zone, err := network.LoadZone(name)
		if err != nil {
			t.Fatal(err)
		}
		opens := rapid.IntRange(0, 1439).Draw(t, "opens")
		closes := rapid.IntRange(opens+1, 1440).Draw(t, "closes")
		in := []network.Interval{{Opens: network.Clock(opens), Closes: network.Clock(closes)}}
		l := network.Location{TimeZone: name, Calendar: &network.Calendar{Hours: network.Week{
			Monday: in, Tuesday: in, Wednesday: in, Thursday: in, Friday: in, Saturday: in, Sunday: in,
		}}}
		start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		when := start.Add(time.Duration(rapid.IntRange(0, 365*24*60).Draw(t, "minute")) * time.Minute)
		if rapid.Bool().Draw(t, "by a change") {
			if _, change := when.In(zone).ZoneBounds(); !change.IsZero() && change.Before(start.AddDate(2, 0, 0)) {
				when = change.Add(time.Duration(rapid.IntRange(-180, 180).Draw(t, "off")) * time.Minute)
			}
		}
		local := when.In(zone)
		wall := local.Hour()*60 + local.Minute()
		says := wall >= opens && wall < closes
		noon := func(days int) time.Time {
			return time.Date(local.Year(), local.Month(), local.Day()+days, 12, 0, 0, 0, zone)
		}
		_, before := noon(-1).Zone()
		_, after := noon(1).Zone()
		if got := l.IsOpen(when); got != says && (says || after >= before) {
			t.Fatalf("IsOpen(%v) = %v with hours %v", local, got, in)
		}
		next, err := l.NextOpen(when)
		if err != nil || next.Before(when) || !l.IsOpen(next) {
			t.Fatalf("NextOpen(%v) = %v, %v with hours %v", local, next, err, in)
		}
		for probe := when; probe.Before(next); probe = probe.Add(time.Minute) {
			if l.IsOpen(probe) {
				t.Fatalf("NextOpen(%v) = %v but it is open at %v", local, next, probe)
			}
		}
	})
}

func BenchmarkShipDate(b *testing.B) {
	l := network.Location{
		TimeZone: "America/New_York", Calendar: hours(b, "mon-fri 09:00-18:00", "2026-12-25 closed"),
		Cutoffs: []network.Cutoff{{Time: 14 * 60}}, ProcessingMinutes: 120,
	}
	when := at(b, "2026-06-12T20:00:00Z")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.ShipDate(when, "ground"); err != nil {
			b.Fatal(err)
		}
	}
}
