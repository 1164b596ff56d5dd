package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/store"
)

// view runs f while nothing is committed.
func (s *Store) view(ctx context.Context, f func(*Disk)) error {
	if _, err := s.begin(ctx, CallRead); err != nil {
		return err
	}
	s.d.mu.RLock()
	defer s.d.mu.RUnlock()
	f(s.d)
	return nil
}

// Load returns the records that exist among keys.
func (s *Store) Load(ctx context.Context, keys []store.Key) (records []store.Record, err error) {
	err = s.view(ctx, func(d *Disk) {
		for _, k := range keys {
			if r := d.records[k.Kind][k]; r != nil {
				records = append(records, r.Record)
			}
		}
	})
	return records, err
}

// Find returns a page of records.
func (s *Store) Find(ctx context.Context, q store.Query) (records []store.Record, err error) {
	if q.Limit < 1 || q.Limit > 1000 {
		return nil, fmt.Errorf("memory: limit of %d records, must be between 1 and 1000", q.Limit)
	}
	err = s.view(ctx, func(d *Disk) {
		var found []*row
		if q.Channel != "" && q.ExternalID != "" {
			found = d.named(q)
		} else {
			for _, r := range d.records[q.Kind] {
				if matches(r, &q) {
					found = append(found, r)
				}
			}
		}
		slices.SortFunc(found, func(a, b *row) int {
			c := cmp.Or(strings.Compare(a.ID, b.ID), cmp.Compare(a.Bucket, b.Bucket))
			if !q.Ascending {
				c = -c
			}
			return c
		})
		for _, r := range found[:min(len(found), q.Limit)] {
			records = append(records, r.Record)
		}
	})
	return records, err
}

// named is Find by the channel's own id, which is unique in each bucket.
func (d *Disk) named(q store.Query) (found []*row) {
	for bucket := range d.logs {
		if id, ok := d.external[externalKey{bucket, q.Kind, q.Channel, q.ExternalID}]; ok {
			if r := d.records[q.Kind][store.Key{Bucket: bucket, Kind: q.Kind, ID: id}]; r != nil && matches(r, &q) {
				found = append(found, r)
			}
		}
	}
	return found
}

func matches(r *row, q *store.Query) bool {
	switch {
	case q.State != "" && r.State != q.State, q.Channel != "" && r.Channel != q.Channel,
		q.ExternalID != "" && r.ExternalID != q.ExternalID, q.Term != "" && !r.terms[q.Term],
		!q.CreatedFrom.IsZero() && r.CreatedAt.Before(q.CreatedFrom),
		!q.CreatedBefore.IsZero() && !r.CreatedAt.Before(q.CreatedBefore),
		q.Before != "" && q.Ascending && r.ID <= q.Before, q.Before != "" && !q.Ascending && r.ID >= q.Before:
		return false
	}
	return true
}

// Due returns keys of records whose wake time is at or before now, soonest first.
func (s *Store) Due(ctx context.Context, bucket int, now time.Time, limit int) ([]store.Key, error) {
	if _, err := s.begin(ctx, CallRead); err != nil {
		return nil, err
	}
	d := s.d
	if bucket < 0 || bucket >= len(d.wakes) {
		return nil, nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	q := &d.wakes[bucket]
	due := q.take(now.UnixMicro(), limit, func(x queued) bool { return d.wanted(bucket, x) })
	keys := make([]store.Key, len(due))
	for i, x := range due {
		q.add(x) // it is due until its record says otherwise
		keys[i] = store.Key{Bucket: bucket, Kind: store.Kind(x.kind), ID: x.name}
	}
	return keys, nil
}

// Answer returns the remembered answer, or ErrNotFound.
func (s *Store) Answer(ctx context.Context, bucket int, key string) (*store.Answer, error) {
	var found *store.Answer
	err := s.view(ctx, func(d *Disk) {
		if a := d.answers[answerKey{bucket, key}]; a != nil {
			clone := *a
			found = &clone
		}
	})
	if err == nil && found == nil {
		err = store.ErrNotFound
	}
	return found, err
}

// Scan shows everything as it is at the start of the call; the callbacks may take their time.
func (s *Store) Scan(ctx context.Context, kinds []store.Kind, position func(inventory.Position) error, record func(store.Record) error) (store.Snapshot, error) {
	var snapshot store.Snapshot
	var positions []store.PositionRow
	var rows []*row
	err := s.view(ctx, func(d *Disk) {
		snapshot.Heads = d.heads()
		if position != nil {
			positions = d.positionRows()
		}
		for _, kind := range kinds {
			rows = append(rows, d.rows(kind)...)
		}
	})
	if err != nil {
		return store.Snapshot{}, err
	}
	for i := range positions {
		if err := position(positions[i].Position); err != nil {
			return store.Snapshot{}, err
		}
	}
	for _, r := range rows {
		if err := record(r.Record); err != nil {
			return store.Snapshot{}, err
		}
	}
	return snapshot, nil
}

func (d *Disk) heads() []int64 {
	heads := make([]int64, len(d.logs))
	for b := range heads {
		heads[b] = int64(len(d.logs[b]))
	}
	return heads
}

// positionRows is every position by SKU and location.
func (d *Disk) positionRows() []store.PositionRow {
	out := make([]store.PositionRow, 0, len(d.positions))
	for _, p := range d.positions {
		out = append(out, store.PositionRow{Position: p.Position, Moves: int64(len(p.journal))})
	}
	slices.SortFunc(out, func(a, b store.PositionRow) int {
		return cmp.Or(strings.Compare(a.SKU, b.SKU), strings.Compare(a.Location, b.Location))
	})
	return out
}

// rows is every record of a kind by bucket and id.
func (d *Disk) rows(kind store.Kind) []*row {
	out := make([]*row, 0, len(d.records[kind]))
	for _, r := range d.records[kind] {
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b *row) int { return compareKeys(a.Key, b.Key) })
	return out
}

// line is a line of the journal of a position.
func (d *Disk) line(ref lineRef, positionSeq int64) store.JournalLine {
	c := &d.logs[ref.bucket][ref.seq-1]
	return store.JournalLine{
		Movement: c.Movements[ref.index], PositionSeq: positionSeq, Bucket: int(ref.bucket), Seq: ref.seq, Stream: c.Stream, Time: c.Time,
	}
}

// Journal returns the lines of a position with PositionSeq > after, in order.
func (s *Store) Journal(ctx context.Context, key inventory.PositionKey, after int64, limit int) (lines []store.JournalLine, err error) {
	err = s.view(ctx, func(d *Disk) {
		p := d.positions[key]
		if p == nil {
			return
		}
		for i := max(after, 0); i < int64(len(p.journal)) && len(lines) < limit; i++ {
			lines = append(lines, d.line(p.journal[i], i+1))
		}
	})
	return lines, err
}

// OnHandSince returns the net change of OnHand by movements after t.
func (s *Store) OnHandSince(ctx context.Context, keys []inventory.PositionKey, t time.Time) (map[inventory.PositionKey]int64, error) {
	out := map[inventory.PositionKey]int64{}
	since := t.UnixMicro()
	err := s.view(ctx, func(d *Disk) {
		for _, k := range keys {
			p := d.positions[k]
			if p == nil {
				continue
			}
			for i := len(p.journal) - 1; i >= 0 && p.journal[i].latest > since; i-- {
				if l := d.line(p.journal[i], 0); l.Time.After(t) {
					if n := l.Delta().OnHand; n != 0 {
						out[k] += n
					}
				}
			}
		}
	})
	return out, err
}

// Heads returns the last sequence of each bucket.
func (s *Store) Heads(ctx context.Context) (heads []int64, err error) {
	err = s.view(ctx, func(d *Disk) { heads = d.heads() })
	return heads, err
}

// Log returns rows of a bucket with Seq > after, in order.
func (s *Store) Log(ctx context.Context, bucket int, after int64, limit int) (rows []store.Commit, err error) {
	err = s.view(ctx, func(d *Disk) {
		if bucket < 0 || bucket >= len(d.logs) {
			return
		}
		log := d.logs[bucket]
		log = log[min(max(after, 0), int64(len(log))):]
		rows = slices.Clone(log[:min(len(log), limit)])
	})
	return rows, err
}

// Stream returns the rows of one stream with Version > after, in order.
func (s *Store) Stream(ctx context.Context, key store.Key, after int64, limit int) (rows []store.Commit, err error) {
	err = s.view(ctx, func(d *Disk) {
		refs := d.streams[key]
		at, taken := find(refs, after)
		if taken {
			at++
		}
		for ; at < len(refs) && len(rows) < limit; at++ {
			rows = append(rows, d.logs[key.Bucket][refs[at].seq-1])
		}
	})
	return rows, err
}

// Cursor returns a reader's saved place, or nil when it has none yet.
func (s *Store) Cursor(ctx context.Context, reader string) (seqs []int64, err error) {
	err = s.view(ctx, func(d *Disk) { seqs = slices.Clone(d.cursors[reader]) })
	return seqs, err
}
