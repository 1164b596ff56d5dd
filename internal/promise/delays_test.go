package promise_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/promise"
)

// trueDelay draws from a log-normal delay that begins a day before the deadline:
// its quantile q is −24 h + 20 h × exp(0.6 × z(q)).
func trueDelay(r *rand.Rand) time.Duration {
	return hoursOf(-24 + 20*math.Exp(0.6*r.NormFloat64()))
}

func hoursOf(h float64) time.Duration { return time.Duration(h * float64(time.Hour)) }

// z are quantiles of the standard normal distribution.
var z = map[float64]float64{0.5: 0, 0.8: 0.8416, 0.9: 1.2816, 0.95: 1.6449}

// With half of the orders still under way the life table finds the true quantile,
// and counting only what was delivered does not.
func TestQuantileCountsOpenOrders(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	key := promise.Key{Location: "dc", Service: "dhl", Zone: 3}
	learned, naive := promise.NewDelays(0), promise.NewDelays(0)
	for range 20_000 {
		delay := trueDelay(r)
		reached := hoursOf(-24 + 60*r.Float64()) // when it is looked at
		if reached < delay {
			learned.Open(key, reached)
			continue
		}
		learned.Delivered(key, delay)
		naive.Delivered(key, delay)
	}
	for q, normal := range z {
		want := hoursOf(-24 + 20*math.Exp(0.6*normal))
		got, level, n := learned.Quantile(key, q, 30)
		bad, _, _ := naive.Quantile(key, q, 30)
		if level != promise.LevelLocationServiceZone || n < 5000 {
			t.Errorf("quantile %v comes from %q with %d", q, level, n)
		}
		if off := (got - want).Abs(); off > 3*time.Hour {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		} else if off >= (bad - want).Abs() {
			t.Errorf("quantile %v: %v is no better than %v without open orders; the truth is %v", q, got, bad, want)
		}
	}
}

// Of new orders the share that keeps the offered promise is about the quantile asked for.
func TestPromisesAreKeptAsOftenAsSaid(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	key := promise.Key{Location: "dc", Service: "dhl", Zone: 3}
	learned := promise.NewDelays(0)
	for range 2000 {
		learned.Delivered(key, trueDelay(r))
	}
	for _, q := range []float64{0.5, 0.8, 0.9, 0.95} {
		slack, _, _ := learned.Quantile(key, q, 30)
		kept := 0
		const orders = 20_000
		for range orders {
			if trueDelay(r) <= slack {
				kept++
			}
		}
		share := float64(kept) / orders
		if math.Abs(share-q) > 0.025 {
			t.Errorf("quantile %v is kept in %v", q, share)
		}
		if p := learned.Probability(key, slack, 30); math.Abs(p-q) > 0.001 {
			t.Errorf("the promise of quantile %v is given %v", q, p)
		}
	}
}

func TestThinHistoryFallsBackAndIsDrawnToTheCoarser(t *testing.T) {
	t.Parallel()
	d := promise.NewDelays(0)
	observe := func(location, service string, zone int64, late time.Duration, n int) {
		for range n {
			d.Delivered(promise.Key{Location: location, Service: service, Zone: zone}, late)
		}
	}
	observe("a", "dhl", 1, 0, 40)            // enough of its own
	observe("a", "dhl", 2, 0, 10)            // together with zone 1 enough for a
	observe("b", "dhl", 2, 50*time.Hour, 25) // with a's enough for zone 2
	observe("c", "ups", 1, 0, 10)            // with d's enough for ups
	observe("d", "ups", 2, 0, 25)
	for _, tt := range []struct {
		key   promise.Key
		level string
	}{
		{promise.Key{Location: "a", Service: "dhl", Zone: 1}, promise.LevelLocationServiceZone},
		{promise.Key{Location: "a", Service: "dhl", Zone: 2}, promise.LevelLocationService},
		{promise.Key{Location: "b", Service: "dhl", Zone: 2}, promise.LevelServiceZone},
		{promise.Key{Location: "x", Service: "dhl", Zone: 9}, promise.LevelService},
		{promise.Key{Location: "c", Service: "ups", Zone: 1}, promise.LevelService},
		{promise.Key{Location: "x", Service: "new", Zone: 1}, promise.LevelAll},
	} {
		if _, level, _ := d.Quantile(tt.key, 0.9, 30); level != tt.level {
			t.Errorf("%+v is answered by %q, want %q", tt.key, level, tt.level)
		}
	}
	delay, level, n := promise.NewDelays(0).Quantile(promise.Key{Service: "dhl"}, 0.95, 30)
	if delay != 0 || level != promise.LevelNone || n != 0 {
		t.Errorf("without history: %v, %q, %d", delay, level, n)
	}
	var none *promise.Delays
	if p := none.Probability(promise.Key{}, 0, 30); math.Abs(p-0.9) > 1e-9 {
		t.Errorf("the prior gives the calendar's date %v", p)
	}
	// Forty deliveries in time do not make a promise sure while others of the service were late.
	if p := d.Probability(promise.Key{Location: "a", Service: "dhl", Zone: 1}, 6*time.Hour, 30); p < 0.9 || p >= 0.999 {
		t.Errorf("drawn to the coarser level: %v", p)
	}
}

func drawDelays(t *rapid.T, label string) *promise.Delays {
	d := promise.NewDelays(rapid.Int64Range(1, 90).Draw(t, label+" half life"))
	n := rapid.IntRange(0, 60).Draw(t, label+" observations")
	for i := range n {
		k := promise.Key{
			Location: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "location"), Service: rapid.SampledFrom([]string{"x", "y"}).Draw(t, "service"),
			Zone: rapid.Int64Range(0, 2).Draw(t, "zone"),
		}
		late := time.Duration(rapid.Int64Range(-300, 900).Draw(t, "late")) * time.Hour
		if rapid.Bool().Draw(t, "open") {
			d.Open(k, late)
		} else {
			d.Delivered(k, late)
		}
		if i%20 == 19 {
			d.Advance(20000 + 1 + network.Date(rapid.IntRange(0, 60).Draw(t, "day")))
		}
	}
	return d
}

func text(t interface{ Fatal(...any) }, d *promise.Delays) string {
	b, err := json.Marshal(d.Snapshot(7))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestDelaysProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawDelays(t, "a"), drawDelays(t, "b")
		before := text(t, a)
		ab, ba := promise.Merge(a, b), promise.Merge(b, a)
		if text(t, ab) != text(t, ba) {
			t.Fatalf("merged one way and the other:\n%s\n%s", text(t, ab), text(t, ba))
		}
		if text(t, a) != before {
			t.Fatal("merging changed what was merged")
		}
		var s promise.Snapshot
		if err := json.Unmarshal([]byte(text(t, ab)), &s); err != nil {
			t.Fatal(err)
		}
		restored, err := promise.Restore(s)
		if err != nil || text(t, restored) != text(t, ab) {
			t.Fatalf("restored %v, %v", restored, err)
		}
		c := ab.Curve(promise.Key{Location: "a", Service: "x", Zone: 1}, rapid.Int64Range(1, 20).Draw(t, "least"))
		last, lastP := time.Duration(math.MinInt64), -1.0
		for i := 1; i < 1000; i += 7 {
			q := float64(i) / 1000
			got := c.Quantile(q)
			if got < last {
				t.Fatalf("quantile %v is %v, less than %v before it", q, got, last)
			}
			if c.Level != promise.LevelNone && got < 29*24*time.Hour && math.Abs(c.Probability(got)-q) > 1e-6 {
				t.Fatalf("quantile %v is %v, of probability %v", q, got, c.Probability(got))
			}
			last = got
			slack := time.Duration(i-300) * time.Hour
			p, reached := c.Probability(slack), time.Duration(i-400)*time.Hour
			if p < lastP || p > 1 {
				t.Fatalf("probability %v after %v", p, lastP)
			}
			lastP = p
			given := c.Given(slack, reached)
			if given > p+1e-9 || given < 0 || given < c.Given(slack, reached+time.Hour)-1e-9 {
				t.Fatalf("given %v already late: %v; at the start %v", reached, given, p)
			}
		}
	})
}

func TestHistoryFades(t *testing.T) {
	t.Parallel()
	key := promise.Key{Location: "a", Service: "x", Zone: 1}
	d := promise.NewDelays(10)
	d.Advance(20000)
	for range 100 {
		d.Delivered(key, 100*time.Hour)
	}
	d.Advance(20010)
	if _, _, n := d.Quantile(key, 0.5, 1); n != 50 {
		t.Errorf("after a half life %d of 100 are left", n)
	}
	d.Advance(20100)
	for range 100 {
		d.Delivered(key, -10*time.Hour)
	}
	if late, _, _ := d.Quantile(key, 0.9, 1); late > 0 {
		t.Errorf("long after the trouble the delay is still %v", late)
	}
	d.Advance(30000)
	if d.Len() != 0 {
		t.Errorf("%d keys are kept of nothing", d.Len())
	}
}

func TestHistoryIsBounded(t *testing.T) {
	t.Parallel()
	build := func() *promise.Delays {
		d := promise.NewDelays(0)
		for range 50 {
			d.Delivered(promise.Key{Location: "often", Service: "x", Zone: 1}, time.Hour)
		}
		for i := range promise.MaxHistoryKeys + 1000 {
			d.Delivered(promise.Key{Location: fmt.Sprint("l", i), Service: "x", Zone: 1}, time.Hour)
			if d.Len() > promise.MaxHistoryKeys {
				t.Fatalf("%d keys", d.Len())
			}
		}
		return d
	}
	d := build()
	if _, level, _ := d.Quantile(promise.Key{Location: "often", Service: "x", Zone: 1}, 0.9, 30); level != promise.LevelLocationServiceZone {
		t.Errorf("the key with the most history is answered by %q", level)
	}
	if _, level, n := d.Quantile(promise.Key{Location: "l1", Service: "x", Zone: 1}, 0.9, 30); level != promise.LevelServiceZone || n != promise.MaxHistoryKeys+1050 {
		t.Errorf("a dropped key is answered by %q with %d", level, n)
	}
	if text(t, d) != text(t, build()) {
		t.Error("what is dropped depends on more than the history")
	}
}

func TestRestoreRefusesOthers(t *testing.T) {
	t.Parallel()
	good := promise.NewDelays(0)
	good.Delivered(promise.Key{Service: "x"}, 0)
	for name, spoil := range map[string]func(*promise.Snapshot){
		"format": func(s *promise.Snapshot) { s.Format = 99 },
		"size":   func(s *promise.Snapshot) { s.Keys = make([]promise.KeyHistory, promise.MaxHistoryKeys+1) },
		"bin":    func(s *promise.Snapshot) { s.Keys[0].Bins[0].Bin = 160 },
		"weight": func(s *promise.Snapshot) { s.Keys[0].Bins[0].Events = -1 },
	} {
		s := good.Snapshot(1)
		spoil(&s)
		if _, err := promise.Restore(s); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestStagesLearnTheRestOfTheWork(t *testing.T) {
	t.Parallel()
	s := promise.NewStages(0)
	for i := range 40 {
		s.Done("quick", promise.StageOpen, time.Duration(30+i)*time.Minute)
		s.Done("slow", promise.StageOpen, time.Duration(300+i)*time.Minute)
	}
	s.Open("slow", promise.StageOpen, 20*time.Hour)
	median := func(location string, stage promise.Stage) time.Duration {
		return s.Curve(location, stage).Quantile(0.5)
	}
	if q := median("quick", promise.StageOpen); q < 30*time.Minute || q > 90*time.Minute {
		t.Errorf("quick takes %v", q)
	}
	if q := median("slow", promise.StageOpen); q < 4*time.Hour || q > 7*time.Hour {
		t.Errorf("slow takes %v", q)
	}
	if quick, other, slow := median("quick", promise.StageOpen), median("other", promise.StageOpen), median("slow", promise.StageOpen); quick >= other || other >= slow {
		t.Errorf("a location without history takes %v, not between %v and %v", other, quick, slow)
	}
	if open, packed := median("quick", promise.StagePicked), (*promise.Stages)(nil).Curve("x", promise.StagePacked).Quantile(0.5); open <= packed {
		t.Errorf("what is typical: picked %v, packed %v", open, packed)
	}
	restored, err := promise.RestoreStages(promise.MergeStages(s, promise.NewStages(0)).Snapshot(1))
	if err != nil || restored.Curve("slow", promise.StageOpen).Quantile(0.9) != s.Curve("slow", promise.StageOpen).Quantile(0.9) {
		t.Errorf("restored is not what was stored: %v", err)
	}
	for _, name := range []string{"open", "accepted", "picked", "packed", "shipped"} {
		if stage, ok := promise.ParseStage(name); !ok || stage.String() != name {
			t.Errorf("%s is read as %v", name, stage)
		}
	}
	if _, ok := promise.ParseStage("delivered"); ok {
		t.Error("delivered is a stage with work left")
	}
}

func TestObservationsWithoutLocationCountOnce(t *testing.T) {
	t.Parallel()
	d := promise.NewDelays(0)
	for range 40 {
		d.Delivered(promise.Key{Service: "x", Zone: 1}, time.Hour)
		d.Delivered(promise.Key{Location: "a"}, time.Hour)                       // no service
		d.Delivered(promise.Key{Service: "x", Zone: promise.AnyZone}, time.Hour) // no zone
	}
	for _, location := range []string{"", "a"} {
		if _, level, n := d.Quantile(promise.Key{Location: location, Service: "x", Zone: 1}, 0.9, 30); level != promise.LevelServiceZone || n != 40 {
			t.Errorf("location %q is answered by %q with %d", location, level, n)
		}
	}
}

// Curves and dates are asked for by many goroutines at once.
func TestManyMayAskAtOnce(t *testing.T) {
	t.Parallel()
	d, c := promise.NewDelays(0), promise.NewCalendar()
	for i := range 100 {
		d.Delivered(promise.Key{Location: fmt.Sprint(i % 3), Service: "x", Zone: 1}, time.Duration(i)*time.Hour)
	}
	s, l := settings(t, policy.PromiseSection{}), warehouse(t, "1")
	want, err := c.Arrive(promise.Shipping{From: l, Service: "x", Zone: 1}, s, d, at(t, "2026-11-24T10:00:00Z"))
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for i := range 200 {
				now := at(t, "2026-11-24T10:00:00Z").Add(time.Duration(i%5) * time.Hour)
				got, err := c.Arrive(promise.Shipping{From: l, Service: "x", Zone: 1}, s, d, now)
				if err != nil || (i%5 == 0 && got != want) {
					t.Errorf("%+v, %v; want %+v", got, err, want)
					return
				}
			}
		})
	}
	group.Wait()
}
