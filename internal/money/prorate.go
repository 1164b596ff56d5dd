package money

import (
	"cmp"
	"math/bits"
	"slices"

	"github.com/orderly-oms/orderly/internal/plant"
)

// Split divides total into n parts as equal as possible, the larger ones first.
// n ≤ 0 gives nil.
func Split(total int64, n int) []int64 {
	if n <= 0 {
		return nil
	}
	return Prorate(total, make([]int64, n))
}

// Prorate divides total over the weights by largest remainder: each share is its
// exact quota rounded down or up, the shares add up to total, and of equal
// remainders the lowest index is rounded up first. A zero weight gets nothing; a
// negative one counts as zero; when no weight is positive all count as equal. A
// negative total is divided like its opposite. No weights give nil.
//
// Weights may be of any size; when their sum passes 64 bits they are first scaled
// down by a power of two, which may move a share by the rounding of its weight.
func Prorate(total int64, weights []int64) []int64 {
	if len(weights) == 0 {
		return nil
	}
	scaled, sum := scale(weights)
	amount := magnitude(total)
	shares := make([]int64, len(weights))
	remainders := make([]uint64, len(weights))
	left := amount
	for i, w := range scaled {
		high, low := bits.Mul64(amount, w)
		quotient, remainder := bits.Div64(high, low, sum) // high < sum, because w ≤ sum
		shares[i] = int64(quotient)                       // may wrap to the least int64, see below
		remainders[i] = remainder
		left -= quotient
	}
	// left < number of non-zero remainders, so nobody is rounded up twice and no
	// zero weight at all.
	if plant.On(plant.CentLost) {
		left = 0
	}
	for _, i := range byRemainder(remainders)[:left] {
		shares[i]++
	}
	if total < 0 {
		for i := range shares {
			shares[i] = -shares[i] // the least int64 is its own opposite, as it must be here
		}
	}
	return shares
}

// scale returns the weights as unsigned numbers whose sum is positive and fits.
func scale(weights []int64) (scaled []uint64, sum uint64) {
	scaled = make([]uint64, len(weights))
	for shift := 0; ; shift++ {
		sum = 0
		var carry, overflow uint64
		for i, w := range weights {
			scaled[i] = uint64(max(w, 0)) >> shift
			sum, carry = bits.Add64(sum, scaled[i], 0)
			overflow += carry
		}
		if overflow == 0 {
			break
		}
	}
	if sum == 0 {
		for i := range scaled {
			scaled[i] = 1
		}
		sum = uint64(len(scaled))
	}
	return scaled, sum
}

// byRemainder returns the indexes, largest remainder first, then lowest index.
func byRemainder(remainders []uint64) []int {
	order := make([]int, len(remainders))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(remainders[b], remainders[a]) })
	return order
}
