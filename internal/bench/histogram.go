package bench

import (
	"math/bits"
	"time"
)

// A histogram counts durations in buckets that grow with the duration, so that
// each is known to within 1/64 (1.6 %) from a microsecond to beyond an hour in 16 KiB.
const (
	subBits    = 6
	subBuckets = 1 << subBits
	maxOctaves = 33 - subBits // 2^33 µs are 2.4 hours; longer ones count as that
)

// histogram is not safe for concurrent use: each client has its own.
type histogram struct {
	counts [(maxOctaves + 1) * subBuckets]int64
	total  int64
	max    time.Duration
}

// record counts one duration; negative ones count as 0.
func (h *histogram) record(d time.Duration) {
	h.counts[bucketOf(d)]++
	h.total++
	h.max = max(h.max, d)
}

// bucketOf keeps values below subBuckets µs exact; above, the first subBits bits
// after the leading one decide.
func bucketOf(d time.Duration) int {
	us := uint64(max(d.Microseconds(), 0))
	if us < subBuckets {
		return int(us)
	}
	octave := bits.Len64(us) - subBits // ≥ 1
	if octave > maxOctaves {
		return (maxOctaves+1)*subBuckets - 1
	}
	return octave*subBuckets + int(us>>(octave-1)) - subBuckets
}

// upperOf is the longest duration of a bucket.
func upperOf(bucket int) time.Duration {
	if bucket < subBuckets {
		return time.Duration(bucket) * time.Microsecond
	}
	octave := bucket / subBuckets
	us := (uint64(bucket%subBuckets)+subBuckets+1)<<(octave-1) - 1
	return time.Duration(us) * time.Microsecond
}

// add counts everything that o counted as well.
func (h *histogram) add(o *histogram) {
	for i, n := range o.counts {
		h.counts[i] += n
	}
	h.total += o.total
	h.max = max(h.max, o.max)
}

// quantile returns a duration that at least the share q of all does not exceed;
// 0 when nothing was recorded.
func (h *histogram) quantile(q float64) time.Duration {
	if h.total == 0 {
		return 0
	}
	rank := max(int64(q*float64(h.total)+0.5), 1)
	var seen int64
	for i, n := range h.counts {
		if seen += n; seen >= rank {
			return min(upperOf(i), h.max)
		}
	}
	return h.max
}
