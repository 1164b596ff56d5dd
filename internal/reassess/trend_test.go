package reassess

import (
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/orderly-oms/orderly/internal/replay"
)

// A direction that is not there is found about as rarely as the level says, also when values are like their neighbours;
// one that is there is found.
func TestDirection(t *testing.T) {
	t.Parallel()
	const runs = 1000
	for _, n := range []int{8, 13, 26, 31} {
		for _, alike := range []float64{0, .5} {
			wrong, found := 0, 0
			for seed := range uint64(runs) {
				r := rand.New(rand.NewPCG(seed, 3))
				values, rising := make([]float64, n), make([]float64, n)
				mood := 0.0
				for i := range values {
					mood = alike*mood + r.NormFloat64()
					values[i] = mood
					rising[i] = mood + 8*float64(i)/float64(n)
				}
				if direction(values, .95) != 0 {
					wrong++
				}
				if direction(rising, .95) > 0 {
					found++
				}
			}
			t.Logf("%d values, %.1f alike: %d of %d wrong, %d found", n, alike, wrong, runs, found)
			if wrong > runs*7/100 {
				t.Errorf("%d values, %.1f alike: %d of %d directions are not there", n, alike, wrong, runs)
			}
			if n >= 13 && found < runs*6/10 {
				t.Errorf("%d values, %.1f alike: %d of %d directions were found", n, alike, found, runs)
			}
		}
	}
}

func TestDirectionOfTheObvious(t *testing.T) {
	t.Parallel()
	var up, down, same, few []float64
	for i := range 20 {
		up, down, same = append(up, float64(i*i)), append(down, -float64(i)), append(same, 5)
	}
	few = up[:minTrend-1]
	if direction(up, .95) != 1 || direction(down, .95) != -1 || direction(same, .95) != 0 || direction(few, .95) != 0 {
		t.Error(direction(up, .95), direction(down, .95), direction(same, .95), direction(few, .95))
	}
}

// Periods add up to the days, in order, and there are never more than a few dozen of them for a year.
func TestPeriodsAddUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, rapid.IntRange(0, 400).Draw(t, "from"))
		var days []replay.Day
		var orders, cost int64
		for range rapid.IntRange(0, 400).Draw(t, "days") {
			d := replay.Day{Date: at.Format(time.DateOnly), Orders: rapid.Int64Range(0, 9).Draw(t, "orders"), Cost: rapid.Int64Range(0, 9).Draw(t, "cost")}
			orders, cost = orders+d.Orders, cost+d.Cost
			days = append(days, d)
			at = at.AddDate(0, 0, rapid.IntRange(1, 3).Draw(t, "step"))
		}
		ps, by := periods(days)
		last := ""
		for i := range ps {
			orders, cost = orders-ps[i].Orders, cost-ps[i].Cost
			if ps[i].Date <= last {
				t.Fatalf("%s after %s", ps[i].Date, last)
			}
			last = ps[i].Date
			first, _ := time.Parse(time.DateOnly, last)
			if by == byWeek && first.Weekday() != time.Monday || by == byMonth && first.Day() != 1 {
				t.Fatalf("a %s that begins on %s", by, last)
			}
		}
		if orders != 0 || cost != 0 || len(ps) > 60 {
			t.Fatalf("%d orders and %d of cost lost in %d periods", orders, cost, len(ps))
		}
	})
}

func TestSettled(t *testing.T) {
	t.Parallel()
	var days []replay.Day
	for i := range 40 {
		days = append(days, replay.Day{Date: time.Date(2026, 1, 1+i, 0, 0, 0, 0, time.UTC).Format(time.DateOnly), Orders: 100, Shipped: 97, Cancelled: 2, Promised: 100, Judged: 96})
	}
	days[20].Shipped = 50 // a bad day in the middle stays in
	if got := settled(days); len(got) != 40 {
		t.Errorf("%d of 40 days", len(got))
	}
	days[39].Shipped, days[38].Shipped = 20, 60
	for i := 35; i < 40; i++ {
		days[i].Judged = 10 * int64(40-i)
	}
	if got := settled(days); len(got) != 35 {
		t.Errorf("%d days, want 35: five are on their way", len(got))
	}
	for i := 15; i < 40; i++ {
		days[i].Judged = 0
	}
	if got := settled(days); len(got) != 38 {
		t.Errorf("%d days, want 38: deliveries are not recorded for most of the time, so they tell nothing", len(got))
	}
	if got := settled([]replay.Day{{Orders: 3}}); len(got) != 1 {
		t.Errorf("%d days of one", len(got))
	}
}

func TestShare(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.Int64Range(0, 1000).Draw(t, "all")
		n := rapid.Int64Range(0, all).Draw(t, "n")
		low, high := share(n, all, .95)
		if p := float64(n) / float64(max(all, 1)); low < 0 || high > 1 || all > 0 && (p < low-1e-12 || p > high+1e-12) {
			t.Fatalf("%d of %d is between %v and %v", n, all, low, high)
		}
	})
	if low, high := share(50, 100, .95); low < .403 || low > .405 || high < .595 || high > .597 { // as in textbooks
		t.Errorf("50 of 100: %v to %v", low, high)
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	for got, want := range map[string]string{
		count(0): "0", count(-1234): "-1,234", count(1_234_567): "1,234,567", count(999): "999",
		amount(123456, "EUR"): "1,234.56 EUR", amount(-5, "EUR"): "-0.05 EUR", amount(1234, "JPY"): "1,234 JPY", amount(-.4, "EUR"): "0.00 EUR",
		several(1, "order"): "1 order", several(0, "order"): "0 orders", sure(.95): "95 %", sure(.999): "99.9 %",
	} {
		if got != want {
			t.Errorf("%q instead of %q", got, want)
		}
	}
}
