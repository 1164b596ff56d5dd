package sim

import (
	"hash/fnv"
	"io"
	"math/rand/v2"
	"strconv"
)

// chance is randomness that depends on what is decided and not on when: the
// same seed and the same words give the same sequence.
type chance struct{ r *rand.Rand }

func newChance(seed uint64, words ...string) chance {
	h := fnv.New128a()
	io.WriteString(h, strconv.FormatUint(seed, 10))
	for _, w := range words {
		io.WriteString(h, "\x00"+w)
	}
	sum := h.Sum(nil)
	var a, b uint64
	for i := range 8 {
		a, b = a<<8|uint64(sum[i]), b<<8|uint64(sum[i+8])
	}
	return chance{rand.New(rand.NewPCG(a, b))}
}

// happens is true with the probability p.
func (c chance) happens(p float64) bool { return c.r.Float64() < p }

// between is evenly distributed.
func (c chance) between(low, high float64) float64 { return low + c.r.Float64()*(high-low) }

// whole is evenly distributed over low…high, both included.
func (c chance) whole(low, high int64) int64 { return low + c.r.Int64N(high-low+1) }

func pick[T any](c chance, from []T) T { return from[c.r.IntN(len(from))] }

// weighted is an index drawn by the weights whose running sums are given.
func (c chance) weighted(sums []float64) int {
	x := c.r.Float64() * sums[len(sums)-1]
	low, high := 0, len(sums)-1
	for low < high {
		if mid := (low + high) / 2; sums[mid] <= x {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low
}

// runningSums are the sums of the first 1, 2, … weights.
func runningSums(weights []float64) []float64 {
	sums := make([]float64, len(weights))
	total := 0.0
	for i, w := range weights {
		total += w
		sums[i] = total
	}
	return sums
}
