package money_test

import (
	"math"
	"math/big"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/orderly-oms/orderly/internal/money"
)

func TestProrate(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		total   int64
		weights []int64
		want    []int64
	}{
		{100, []int64{1, 1, 1}, []int64{34, 33, 33}},
		{-100, []int64{1, 1, 1}, []int64{-34, -33, -33}},
		{1, []int64{1, 3, 3}, []int64{0, 1, 0}},
		{10, []int64{0, 5, 0}, []int64{0, 10, 0}},
		{5, []int64{0, 0}, []int64{3, 2}},
		{5, []int64{-4, 1}, []int64{0, 5}},
		{0, []int64{2, 1}, []int64{0, 0}},
		{7, nil, nil},
		{math.MinInt64, []int64{9}, []int64{math.MinInt64}},
		{math.MaxInt64, []int64{math.MaxInt64, math.MaxInt64}, []int64{1 << 62, 1<<62 - 1}},
		{9, []int64{math.MaxInt64, math.MaxInt64, math.MaxInt64}, []int64{3, 3, 3}},
	} {
		if got := money.Prorate(tt.total, tt.weights); !slices.Equal(got, tt.want) {
			t.Errorf("Prorate(%d, %v) = %v, want %v", tt.total, tt.weights, got, tt.want)
		}
	}
	if got := money.Split(11, 3); !slices.Equal(got, []int64{4, 4, 3}) {
		t.Errorf("Split(11, 3) = %v", got)
	}
	if got := money.Split(11, 0); got != nil {
		t.Errorf("Split(11, 0) = %v", got)
	}
}

func TestProrateLosesNothingAndStaysByItsQuota(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.Int64().Draw(t, "total")
		weights := rapid.SliceOfN(rapid.Int64Range(0, 1<<58), 1, 30).Draw(t, "weights")
		shares := money.Prorate(total, weights)
		sum, weightSum := new(big.Int), new(big.Int)
		for i := range shares {
			sum.Add(sum, big.NewInt(shares[i]))
			weightSum.Add(weightSum, big.NewInt(weights[i]))
		}
		if sum.Cmp(big.NewInt(total)) != 0 {
			t.Fatalf("shares %v of %v add up to %s, not %d", shares, weights, sum, total)
		}
		if weightSum.Sign() == 0 {
			return
		}
		one := big.NewRat(1, 1)
		for i, share := range shares {
			if weights[i] == 0 && share != 0 {
				t.Fatalf("zero weight %d got %d", i, share)
			}
			quota := new(big.Rat).SetFrac(new(big.Int).Mul(big.NewInt(total), big.NewInt(weights[i])), weightSum)
			if off := quota.Sub(quota, new(big.Rat).SetInt64(share)); off.Abs(off).Cmp(one) >= 0 {
				t.Fatalf("share %d is %d, off its quota by %s", i, share, off)
			}
		}
	})
}
