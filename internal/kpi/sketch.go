package kpi

import (
	"math"
	"slices"
	"time"
)

const (
	// MaxQuantileError is how far a quantile may be off, as a share of the true one, for
	// durations from a second to a thousand years.
	MaxQuantileError = 0.05
	// growth is how much wider each bucket is than the one before. The middle that stands for a bucket
	// is off by (growth−1)/(growth+1) at most.
	growth = (1 + MaxQuantileError) / (1 - MaxQuantileError)
	// maxBucket is that of a thousand years; what is longer is counted there.
	maxBucket = 240
)

var logGrowth = math.Log(growth)

// sketch counts durations in buckets whose bounds grow evenly: a histogram that can be added to
// another and answers for quantiles. Buckets that are empty are not kept; the others ascend.
type sketch []bucket

type bucket struct {
	at uint8 // 0: less than a second; i: from growth^(i−1) to growth^i seconds
	n  uint32
}

// bucketOf is where a duration is counted; a negative one, of clocks that differ, is none at all.
func bucketOf(d time.Duration) uint8 {
	seconds := d.Seconds()
	if seconds < 1 {
		return 0
	}
	return uint8(min(1+int(math.Log(seconds)/logGrowth), maxBucket))
}

// middle is the duration that stands for a bucket, in seconds.
func middle(at uint8) float64 {
	if at == 0 {
		return 0
	}
	low := math.Exp(float64(at-1) * logGrowth)
	return low * 2 * growth / (1 + growth)
}

// add counts n durations of a bucket; created tells that the bucket is a new one.
func (s *sketch) add(at uint8, n uint32) (created bool) {
	i, found := slices.BinarySearchFunc(*s, at, func(b bucket, at uint8) int { return int(b.at) - int(at) })
	if !found {
		*s = slices.Insert(*s, i, bucket{at: at})
	}
	(*s)[i].n += min(n, math.MaxUint32-(*s)[i].n)
	return !found
}

func (s sketch) total() (n int64) {
	for _, b := range s {
		n += int64(b.n)
	}
	return n
}

// quantile is the duration in seconds that a share q of all is not longer than, 0 < q < 1; 0 when there is none.
func (s sketch) quantile(q float64) float64 {
	rank := int64(math.Ceil(q * float64(s.total())))
	for _, b := range s {
		if rank -= int64(b.n); rank <= 0 {
			return middle(b.at)
		}
	}
	return 0
}
