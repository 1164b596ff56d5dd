package dst_test

import (
	"bytes"
	"testing"

	"github.com/orderly-oms/orderly/internal/sim/dst"
)

// TestSeeds is the short run; `orderly simulate` is the long one.
func TestSeeds(t *testing.T) {
	t.Parallel()
	const seeds = 6
	for seed := range uint64(seeds) {
		r := dst.Run(dst.Options{Seed: seed, Orders: 25})
		if r.Violation != nil {
			t.Errorf("%s\nagain: orderly simulate --orders 25 --seed %d --trace", r.Violation, seed)
		}
		if r.Orders == 0 || r.Commits == 0 {
			t.Errorf("seed %d took no orders", seed)
		}
	}
}

// TestSameSeedSameLog runs a seed twice: same steps, same trace, same log.
func TestSameSeedSameLog(t *testing.T) {
	t.Parallel()
	for seed := uint64(100); seed < 103; seed++ {
		var first, second bytes.Buffer
		a := dst.Run(dst.Options{Seed: seed, Orders: 20, Trace: &first})
		b := dst.Run(dst.Options{Seed: seed, Orders: 20, Trace: &second})
		if a.Violation != nil {
			t.Errorf("%s", a.Violation)
		}
		if a.LogHash != b.LogHash || a.Steps != b.Steps || !bytes.Equal(first.Bytes(), second.Bytes()) {
			t.Errorf("seed %d: %d steps with log %s, then %d with %s\n%s", seed, a.Steps, a.LogHash, b.Steps, b.LogHash, difference(first.Bytes(), second.Bytes()))
		}
	}
}

// difference is where two traces part.
func difference(a, b []byte) string {
	x, y := bytes.Split(a, []byte("\n")), bytes.Split(b, []byte("\n"))
	for i := range min(len(x), len(y)) {
		if !bytes.Equal(x[i], y[i]) {
			return string(x[i]) + "\n" + string(y[i])
		}
	}
	return "one trace goes on longer"
}
