package bench

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestQuantileIsWithinABucketOfTheTruth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Every size of value, from nothing to two hours.
		us := rapid.Custom(func(t *rapid.T) int64 {
			return rapid.Int64Range(0, 1<<rapid.IntRange(0, 32).Draw(t, "bits")).Draw(t, "µs")
		})
		values := rapid.SliceOfN(us, 1, 300).Draw(t, "values")
		var first, second histogram
		for i, v := range values {
			h := &first
			if i%3 == 0 {
				h = &second
			}
			h.record(time.Duration(v) * time.Microsecond)
		}
		first.add(&second)
		slices.Sort(values)
		q := rapid.Float64Range(0, 1).Draw(t, "q")
		rank := min(max(int(q*float64(len(values))+0.5), 1), len(values))
		truth := time.Duration(values[rank-1]) * time.Microsecond
		got := first.quantile(q)
		if got < truth || got > truth+truth/subBuckets+time.Microsecond {
			t.Fatalf("quantile(%g) = %v, truth %v", q, got, truth)
		}
		if want := time.Duration(values[len(values)-1]) * time.Microsecond; first.max != want || first.quantile(1) != want {
			t.Fatalf("max %v, quantile(1) %v, want %v", first.max, first.quantile(1), want)
		}
	})
}

func TestHistogramAtItsLimits(t *testing.T) {
	var h histogram
	if got := h.quantile(.99); got != 0 {
		t.Errorf("quantile of nothing: %v, want 0", got)
	}
	h.record(-time.Second)
	if got := h.quantile(1); got != 0 {
		t.Errorf("a negative duration counts as %v, want 0", got)
	}
	h.record(1000 * time.Hour)
	if got := h.counts[len(h.counts)-1]; got != 1 {
		t.Errorf("a duration beyond the range is not in the last bucket")
	}
	for bucket := 1; bucket < len(h.counts); bucket++ {
		if got := bucketOf(upperOf(bucket)); got != bucket {
			t.Fatalf("bucketOf(upperOf(%d)) = %d", bucket, got)
		}
		if got := bucketOf(upperOf(bucket-1) + time.Microsecond); got != bucket {
			t.Fatalf("bucket %d does not begin where %d ends but in %d", bucket, bucket-1, got)
		}
	}
}
