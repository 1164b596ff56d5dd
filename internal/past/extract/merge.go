package extract

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/store"
)

// row is a row of the log with the time at which it counts.
type row struct {
	store.Commit
	at     time.Time
	bucket int
}

// bucketRows reads one bucket up to an end.
type bucketRows struct {
	bucket     int
	after, end int64
	out        int64 // highest sequence that was given out
	rows       []row // by time
	// latest is when the last row of each stream in rows counts: rows of a stream stay in their order.
	latest map[store.Key]time.Time
}

// merged gives the rows of all buckets by time, bucket and sequence.
type merged struct {
	s       Source
	buckets []*bucketRows
}

func newMerged(s Source, from, to []int64) *merged {
	m := &merged{s: s}
	for b := range to {
		m.buckets = append(m.buckets, &bucketRows{bucket: b, after: from[b], end: to[b], out: from[b], latest: map[store.Key]time.Time{}})
	}
	return m
}

// fill reads on until the window is full or the end is reached.
func (b *bucketRows) fill(ctx context.Context, s Source) error {
	if len(b.rows) >= window {
		return nil
	}
	grown := false
	for b.after < b.end && len(b.rows) < 2*window {
		list, err := s.Log(ctx, b.bucket, b.after, int(min(page, b.end-b.after)))
		if err != nil {
			return err
		}
		if len(list) == 0 {
			b.end = b.after
			break
		}
		for i := range list {
			r := row{Commit: list[i], at: list[i].Time, bucket: b.bucket}
			r.Stream.Bucket = b.bucket
			if last := b.latest[r.Stream]; last.After(r.at) {
				r.at = last
			}
			b.latest[r.Stream] = r.at
			b.rows = append(b.rows, r)
		}
		b.after, grown = list[len(list)-1].Seq, true
	}
	if grown {
		slices.SortStableFunc(b.rows, func(x, y row) int { return cmp.Or(x.at.Compare(y.at), cmp.Compare(x.Seq, y.Seq)) })
	}
	return nil
}

// next is the next row; nil at the end.
func (m *merged) next(ctx context.Context) (*row, error) {
	var first *bucketRows
	for _, b := range m.buckets {
		if err := b.fill(ctx, m.s); err != nil {
			return nil, err
		}
		if len(b.rows) > 0 && (first == nil || b.rows[0].at.Before(first.rows[0].at)) {
			first = b
		}
	}
	if first == nil {
		return nil, nil
	}
	r := first.rows[0]
	first.rows, first.out = first.rows[1:], max(first.out, r.Seq)
	if len(first.rows) == 0 {
		clear(first.latest)
	} else if first.latest[r.Stream].Equal(r.at) && len(first.latest) > 4*window {
		delete(first.latest, r.Stream)
	}
	return &r, nil
}

// cut returns the places in the log behind what was given out; false when a row before one of them was not.
func (m *merged) cut() ([]int64, bool) {
	seqs := make([]int64, len(m.buckets))
	for i, b := range m.buckets {
		seqs[i] = b.out
		if slices.ContainsFunc(b.rows, func(r row) bool { return r.Seq < b.out }) {
			return nil, false
		}
	}
	return seqs, true
}
