package memory

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"strings"

	"github.com/orderly-oms/orderly/internal/store"
)

// Audit implements store.Auditor on a copy of what the disk's indexes were at the start; rows
// of log and records are shared, since they never change.
func (s *Store) Audit(ctx context.Context, read func(*store.View) error) error {
	if _, err := s.begin(ctx, CallRead); err != nil {
		return err
	}
	return read(s.d.look())
}

func (d *Disk) look() *store.View {
	d.mu.RLock()
	defer d.mu.RUnlock()
	logs := slices.Clone(d.logs)
	v := &store.View{Heads: d.heads(), Positions: all(d.positionRows())}
	v.Log = func(yield func(store.Commit, error) bool) {
		for _, log := range logs {
			for i := range log {
				if !yield(log[i], nil) {
					return
				}
			}
		}
	}
	v.Streams = d.streamRows(logs)
	v.Records = d.recordRows()
	v.Journal = d.journalRows(logs)
	answers := make([]store.Answer, 0, len(d.answers))
	for _, a := range d.answers {
		answers = append(answers, *a)
	}
	slices.SortFunc(answers, func(a, b store.Answer) int {
		return cmp.Or(cmp.Compare(a.Bucket, b.Bucket), strings.Compare(a.Key, b.Key))
	})
	v.Answers = all(answers)
	v.Device = func() (store.Inspection, error) {
		return store.Inspection{Skipped: []string{"nothing lies on a device"}}, nil
	}
	return v
}

// all is a list as a sequence that does not fail.
func all[T any](rows []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for i := range rows {
			if !yield(rows[i], nil) {
				return
			}
		}
	}
}

// streamRows is every row of the logs by stream and version.
func (d *Disk) streamRows(logs [][]store.Commit) iter.Seq2[store.Commit, error] {
	keys := make([]store.Key, 0, len(d.streams))
	refs := make(map[store.Key][]rowRef, len(d.streams))
	for k, rows := range d.streams {
		keys = append(keys, k)
		refs[k] = slices.Clone(rows)
	}
	slices.SortFunc(keys, compareKeys)
	return func(yield func(store.Commit, error) bool) {
		for _, k := range keys {
			for _, r := range refs[k] {
				c := logs[k.Bucket][r.seq-1]
				c.Movements = nil
				if !yield(c, nil) {
					return
				}
			}
		}
	}
}

func (d *Disk) recordRows() iter.Seq2[store.Record, error] {
	var rows []*row
	for kind := range d.records {
		rows = append(rows, d.rows(kind)...)
	}
	slices.SortFunc(rows, func(a, b *row) int { return compareKeys(a.Key, b.Key) })
	return func(yield func(store.Record, error) bool) {
		for _, r := range rows {
			if !yield(r.Record, nil) {
				return
			}
		}
	}
}

// journalRows is every line of the journal in the order of positions.
func (d *Disk) journalRows(logs [][]store.Commit) iter.Seq2[store.JournalLine, error] {
	then := &Disk{logs: logs}
	positions := d.positionRows()
	journals := make([][]lineRef, len(positions))
	for i := range positions {
		journals[i] = slices.Clip(d.positions[positions[i].Key()].journal)
	}
	return func(yield func(store.JournalLine, error) bool) {
		for _, refs := range journals {
			for i, ref := range refs {
				l := then.line(ref, int64(i+1))
				l.Stream = store.Key{}
				if !yield(l, nil) {
					return
				}
			}
		}
	}
}
