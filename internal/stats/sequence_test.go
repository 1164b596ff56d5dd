package stats_test

import (
	"math/rand/v2"
	"testing"

	"github.com/orderly-oms/orderly/internal/stats"
)

// looks runs an experiment that is looked at every 20 orders, and tells at how many orders the answer was in; 0: never.
func looks(seed uint64, orders int, effect float64) int {
	r := rand.New(rand.NewPCG(seed, 11))
	var base, other stats.Group
	for i := range orders {
		x := 500 * r.ExpFloat64() // costs are skewed
		if i%2 == 0 {
			base.Add(x)
		} else {
			other.Add(x + effect)
		}
		if i%20 != 0 {
			continue
		}
		if low, high, ok := stats.Sequence(base, other, .95, 5000); ok && (low > 0 || high < 0) {
			return i
		}
	}
	return 0
}

func TestSequence(t *testing.T) {
	wrong, found := 0, 0
	const runs = 200
	for seed := range uint64(runs) {
		if looks(seed, 20_000, 0) > 0 {
			wrong++
		}
		if looks(seed, 20_000, -50) > 0 {
			found++
		}
	}
	t.Logf("looked at 1,000 times: %d of %d differences that are not there, %d of %d that are", wrong, runs, found, runs)
	if wrong > runs*5/100 {
		t.Errorf("%d of %d experiments found a difference that is not there", wrong, runs)
	}
	if found < runs*95/100 {
		t.Errorf("a tenth less, over 20,000 orders, was found %d of %d times", found, runs)
	}
	if _, _, ok := stats.Sequence(stats.Group{N: 99}, stats.Group{N: 5000}, .95, 1000); ok {
		t.Error("99 orders are enough")
	}
}
