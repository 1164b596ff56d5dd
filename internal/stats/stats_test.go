package stats_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/orderly-oms/orderly/internal/stats"
)

// season makes up days of a retailer whose costs differ from day to day and week to week, and of which the
// other way saves a share that is itself uneven.
func season(seed uint64, days int, saving float64) []stats.Day {
	r := rand.New(rand.NewPCG(seed, 7))
	out := make([]stats.Day, days)
	mood, luck := 0.0, 0.0
	for i := range out {
		mood = .6*mood + r.NormFloat64()
		luck = .5*luck + r.NormFloat64()
		orders := math.Round(200 + 60*math.Sin(float64(i)*2*math.Pi/7) + 20*r.NormFloat64())
		cost := 600 + 25*mood
		out[i].Base = stats.Ratio{Over: orders * cost, Under: orders}
		out[i].Other = stats.Ratio{Over: orders * (cost - saving + 8*luck), Under: orders}
	}
	return out
}

// The interval has to contain the truth about as often as it says.
func TestCoverage(t *testing.T) {
	for _, days := range []int{28, 90} {
		missed, sure := 0, 0
		const runs = 400
		for seed := range uint64(runs) {
			d := stats.Compare(season(seed, days, 10), stats.Options{Seed: seed, Draws: 600})
			if d.Low > -10 || d.High < -10 {
				missed++
			}
			if d.Sure() {
				sure++
			}
			if !(d.Low < d.Change && d.Change < d.High) {
				t.Fatalf("%+v", d)
			}
		}
		t.Logf("%d days: %d of %d intervals without the truth, %d differences sure", days, missed, runs, sure)
		if missed > runs*7/100 {
			t.Errorf("%d days: %d of %d intervals do not contain the truth", days, missed, runs)
		}
		if days == 90 && sure < runs*9/10 {
			t.Errorf("a difference of 10 with an error of about 2 is found %d of %d times", sure, runs)
		}
	}
}

func TestNothingDiffersByNothing(t *testing.T) {
	days := season(1, 60, 0)
	for i := range days {
		days[i].Other = days[i].Base
	}
	if d := stats.Compare(days, stats.Options{}); d.Change != 0 || d.Low != 0 || d.High != 0 || d.TooLittle != "" || d.Sure() {
		t.Errorf("the same compared with itself: %+v", d)
	}
	a, b := stats.Compare(season(1, 60, 5), stats.Options{Seed: 3}), stats.Compare(season(1, 60, 5), stats.Options{Seed: 3})
	if a != b {
		t.Errorf("the same figures and seed: %+v and %+v", a, b)
	}
}

func TestTooLittle(t *testing.T) {
	for _, c := range []struct {
		days []stats.Day
		want string
	}{
		{nil, "nothing was counted"},
		{season(1, 13, 5), "13 days are too few"},
		{append(make([]stats.Day, 50), season(1, 5, 5)...), "5 days are too few"}, // empty ones say nothing
		{[]stats.Day{{Base: stats.Ratio{1, 1}}}, "nothing was counted"},
	} {
		if d := stats.Compare(c.days, stats.Options{}); !strings.Contains(d.TooLittle, c.want) || d.Sure() {
			t.Errorf("%d days: %q, want %q", len(c.days), d.TooLittle, c.want)
		}
	}
}
