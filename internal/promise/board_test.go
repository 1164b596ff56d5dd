package promise_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/promise"
)

// rows asks a calendar for every location.
func rows(t interface{ Fatal(...any) }, c *promise.Calendar, locations []*network.Location, s *promise.Settings, now time.Time) []promise.Row {
	out := make([]promise.Row, len(locations))
	for i, l := range locations {
		a, err := c.Arrive(promise.Shipping{From: l, Service: "x", TransitDays: int64(i % 3)}, s, nil, now)
		if err != nil {
			t.Fatal(err)
		}
		r, err := c.Collection(l, 0, now)
		if err != nil {
			t.Fatal(err)
		}
		out[i] = promise.Row{Location: l.ID, Deliver: a.DeliverBy, DeliverUntil: a.ValidUntil, Ready: r.Ready, ReadyUntil: r.ValidUntil}
	}
	return out
}

// slow is Earliest by its definition: the least date by which enough is there.
func slow(rows []promise.Row, available []int64, quantity int64) (deliver, pickup time.Time) {
	for _, r := range rows {
		var sum int64
		for j, other := range rows {
			if !other.Deliver.After(r.Deliver) {
				sum += max(available[j], 0)
			}
		}
		if sum >= quantity && (deliver.IsZero() || r.Deliver.Before(deliver)) {
			deliver = r.Deliver
		}
	}
	for i, r := range rows {
		if available[i] >= quantity && (pickup.IsZero() || r.Ready.Before(pickup)) {
			pickup = r.Ready
		}
	}
	return deliver, pickup
}

func TestBoardIsRightUntilItSays(t *testing.T) {
	t.Parallel()
	s := settings(t, policy.PromiseSection{Holidays: "DE"})
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 6).Draw(t, "locations")
		var locations []*network.Location
		available := make([]int64, n)
		for i := range n {
			l := drawLocation(t)
			l.ID = fmt.Sprint("l", i)
			locations = append(locations, l)
			available[i] = rapid.Int64Range(-1, 5).Draw(t, "available")
		}
		quantity := rapid.Int64Range(1, 8).Draw(t, "quantity")
		now := drawNow(t, "now")
		made := rows(t, promise.NewCalendar(), locations, s, now)
		got := promise.NewBoard(made).Earliest(available, quantity)
		deliver, pickup := slow(made, available, quantity)
		if !got.Deliver.By.Equal(deliver) || !got.Pickup.By.Equal(pickup) {
			t.Fatalf("%+v, want %s and %s", got, deliver, pickup)
		}
		if !deliver.IsZero() {
			last := rows(t, promise.NewCalendar(), locations, s, got.Deliver.ValidUntil.Add(-time.Second))
			if d, _ := slow(last, available, quantity); !d.Equal(deliver) {
				t.Fatalf("%+v, but a second before its end it is %s", got.Deliver, d)
			}
			if !got.Deliver.Split && available[locationIndex(locations, got.Deliver.Location)] < quantity {
				t.Fatalf("%s does not have %d", got.Deliver.Location, quantity)
			}
		}
		if !pickup.IsZero() {
			last := rows(t, promise.NewCalendar(), locations, s, got.Pickup.ValidUntil.Add(-time.Second))
			if _, p := slow(last, available, quantity); !p.Equal(pickup) {
				t.Fatalf("%+v, but a second before its end it is %s", got.Pickup, p)
			}
		}
	})
}

func locationIndex(locations []*network.Location, id string) int {
	for i, l := range locations {
		if l.ID == id {
			return i
		}
	}
	return -1
}

func TestBoardPrefersOneParcelOnTheSameDate(t *testing.T) {
	t.Parallel()
	day := at(t, "2026-11-27T00:00:00Z")
	b := promise.NewBoard([]promise.Row{
		{Location: "a", Deliver: day, DeliverUntil: day.Add(-9 * time.Hour)},
		{Location: "b", Deliver: day, DeliverUntil: day.Add(-8 * time.Hour)},
		{Location: "c", Deliver: day, DeliverUntil: day.Add(-7 * time.Hour)},
		{Location: "d", Ready: day, ReadyUntil: day.Add(-10 * time.Hour)},
	})
	if got := b.Earliest([]int64{1, 1, 2, 2}, 2); got.Deliver.Location != "c" || got.Deliver.Split || got.Pickup.Location != "d" {
		t.Errorf("%+v", got)
	}
	got := b.Earliest([]int64{1, 1, 0, 0}, 2)
	if !got.Deliver.Split || got.Deliver.Location != "b" || !got.Deliver.ValidUntil.Equal(day.Add(-9*time.Hour)) || !got.Pickup.By.IsZero() {
		t.Errorf("%+v", got)
	}
	if got := b.Earliest([]int64{1, 0, 0, 9}, 2); !got.Deliver.By.IsZero() {
		t.Errorf("what cannot be had is there %+v", got)
	}
	if !b.ValidUntil().Equal(day.Add(-10 * time.Hour)) {
		t.Errorf("the board is valid until %s", b.ValidUntil())
	}
	if n := len(promise.NewBoard(make([]promise.Row, promise.MaxBoardRows+1)).Rows()); n != promise.MaxBoardRows {
		t.Errorf("a board has %d rows", n)
	}
}

func boardLocations(b *testing.B, n int) []*network.Location {
	out := make([]*network.Location, n)
	for i := range out {
		if out[i] = shop(b, fmt.Sprint("store-", i)); i%10 == 0 {
			out[i] = warehouse(b, out[i].ID)
		}
	}
	return out
}

func BenchmarkBoardEarliest500(b *testing.B) {
	locations, s := boardLocations(b, 500), settings(b, policy.PromiseSection{})
	board := promise.NewBoard(rows(b, promise.NewCalendar(), locations, s, at(b, "2026-11-24T10:00:00Z")))
	available := make([]int64, 500)
	available[499] = 1 // the last one that is looked at
	b.ReportAllocs()
	for b.Loop() {
		board.Earliest(available, 1)
	}
}

func BenchmarkBoardMake500(b *testing.B) {
	locations, s, c := boardLocations(b, 500), settings(b, policy.PromiseSection{}), promise.NewCalendar()
	now := at(b, "2026-11-24T10:00:00Z")
	b.ReportAllocs()
	for b.Loop() {
		promise.NewBoard(rows(b, c, locations, s, now))
	}
}

func BenchmarkCalendarDepartureNew(b *testing.B) {
	l, s, now := warehouse(b, "dc"), settings(b, policy.PromiseSection{}), at(b, "2026-11-24T10:00:00Z")
	for b.Loop() {
		if _, err := promise.NewCalendar().Departure(l, "x", s.Carrier, 0, now); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCalendarCollectionNew(b *testing.B) {
	l, now := shop(b, "s"), at(b, "2026-11-24T10:00:00Z")
	for b.Loop() {
		if _, err := promise.NewCalendar().Collection(l, 0, now); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCurve(b *testing.B) {
	d := promise.NewDelays(0)
	for i := range 1000 {
		d.Delivered(promise.Key{Location: "a", Service: "x", Zone: 1}, time.Duration(i%50)*time.Hour)
	}
	b.ReportAllocs()
	for b.Loop() {
		d.Curve(promise.Key{Location: "a", Service: "x", Zone: 1}, 30).Quantile(0.95)
	}
}
