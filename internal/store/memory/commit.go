package memory

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/store"
)

// Commit writes the batch as a whole or not at all. Returns ErrConflict, and of the injected
// ErrFull, ErrUnavailable and ErrUnknown.
func (s *Store) Commit(ctx context.Context, b *store.Batch) error {
	f, err := s.begin(ctx, CallCommit)
	if err != nil {
		return err
	}
	if err := s.d.commit(b); err != nil {
		return fmt.Errorf("memory: %w", err)
	}
	return s.after(f, CallCommit)
}

func (d *Disk) commit(b *store.Batch) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.checkBatch(b); err != nil {
		return err
	}
	puts := inOrder(b.Puts)
	positions, err := d.checkGuards(b, puts)
	if err != nil {
		return err
	}
	for _, p := range puts {
		d.put(p)
	}
	d.appendLog(b)
	for _, p := range positions {
		d.keepPosition(p)
	}
	d.journal(b)
	for i := range b.Answers {
		d.remember(b.Answers[i])
	}
	return nil
}

// checkBatch refuses what breaks the port's rules for callers.
func (d *Disk) checkBatch(b *store.Batch) error {
	if len(b.Commits) > store.MaxBatchCommits {
		return fmt.Errorf("batch of %d commits, at most %d are allowed", len(b.Commits), store.MaxBatchCommits)
	}
	outside := func(bucket int) bool { return bucket < 0 || bucket >= len(d.logs) }
	for i := range b.Puts {
		if outside(b.Puts[i].Bucket) {
			return fmt.Errorf("record %s %s in bucket %d, there are %d", b.Puts[i].Kind, b.Puts[i].ID, b.Puts[i].Bucket, len(d.logs))
		}
	}
	for i := range b.Commits {
		if k := b.Commits[i].Stream; outside(k.Bucket) {
			return fmt.Errorf("commit on %s %s in bucket %d, there are %d", k.Kind, k.ID, k.Bucket, len(d.logs))
		}
	}
	for i := range b.Answers {
		if outside(b.Answers[i].Bucket) {
			return fmt.Errorf("answer in bucket %d, there are %d", b.Answers[i].Bucket, len(d.logs))
		}
	}
	return nil
}

// inOrder is the records by key, deletions first, so that what they free can be taken in
// the same batch.
func inOrder(puts []store.Put) []*store.Put {
	out := make([]*store.Put, len(puts))
	for i := range puts {
		out[i] = &puts[i]
	}
	if len(out) > 1 {
		slices.SortStableFunc(out, func(a, b *store.Put) int {
			if a.Delete != b.Delete {
				if a.Delete {
					return -1
				}
				return 1
			}
			return compareKeys(a.Key, b.Key)
		})
	}
	return out
}

func compareKeys(a, b store.Key) int {
	return cmp.Or(cmp.Compare(a.Bucket, b.Bucket), strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.ID, b.ID))
}

// checkGuards asks every guard of the batch, and returns the positions as they are to be.
func (d *Disk) checkGuards(b *store.Batch, puts []*store.Put) ([]inventory.Position, error) {
	if err := d.checkPuts(puts); err != nil {
		return nil, err
	}
	if err := d.checkStreams(b); err != nil {
		return nil, err
	}
	for i := range b.Answers {
		a := &b.Answers[i]
		_, taken := d.answers[answerKey{a.Bucket, a.Key}]
		for k := range i {
			taken = taken || b.Answers[k].Bucket == a.Bucket && b.Answers[k].Key == a.Key
		}
		if taken {
			return nil, fmt.Errorf("%w: answer %q is remembered already", store.ErrConflict, a.Key)
		}
	}
	return d.checkPositions(b)
}

func (d *Disk) checkPuts(puts []*store.Put) error {
	var taken map[externalKey]string // external ids as the batch leaves them; "": free
	set := func(k externalKey, id string) {
		if taken == nil {
			taken = map[externalKey]string{}
		}
		taken[k] = id
	}
	for _, p := range puts {
		was := d.records[p.Kind][p.Key]
		switch {
		case was == nil && p.Base != 0:
			return fmt.Errorf("%w: %s %s is based on version %d of a record that is not there", store.ErrConflict, p.Kind, p.ID, p.Base)
		case was != nil && was.Version != p.Base:
			return fmt.Errorf("%w: %s %s is based on version %d but has %d", store.ErrConflict, p.Kind, p.ID, p.Base, was.Version)
		}
		if was != nil && was.ExternalID != "" && (p.Delete || external(was.Record) != external(p.Record)) {
			set(external(was.Record), "")
		}
		if p.Delete || p.ExternalID == "" {
			continue
		}
		k := external(p.Record)
		id, ok := taken[k]
		if !ok {
			id = d.external[k]
		}
		if id != "" && id != p.ID {
			return fmt.Errorf("%w: %s %q of channel %q exists as %s", store.ErrConflict, p.Kind, p.ExternalID, p.Channel, id)
		}
		set(k, p.ID)
	}
	return nil
}

func external(r store.Record) externalKey {
	return externalKey{r.Bucket, r.Kind, r.Channel, r.ExternalID}
}

// checkStreams refuses a version that a stream has already.
func (d *Disk) checkStreams(b *store.Batch) error {
	type version struct {
		store.Key
		n int64
	}
	var mine map[version]bool
	if len(b.Commits) > 1 {
		mine = make(map[version]bool, len(b.Commits))
	}
	for i := range b.Commits {
		c := &b.Commits[i]
		_, taken := find(d.streams[c.Stream], c.Version)
		if v := (version{c.Stream, c.Version}); mine != nil {
			taken = taken || mine[v]
			mine[v] = true
		}
		if taken {
			return fmt.Errorf("%w: %s %s has version %d already", store.ErrConflict, c.Stream.Kind, c.Stream.ID, c.Version)
		}
	}
	return nil
}

// find returns where a version of a stream is or belongs.
func find(rows []rowRef, version int64) (int, bool) {
	if n := len(rows); n == 0 || rows[n-1].version < version {
		return n, false
	}
	return slices.BinarySearchFunc(rows, version, func(r rowRef, v int64) int { return cmp.Compare(r.version, v) })
}

func (d *Disk) checkPositions(b *store.Batch) ([]inventory.Position, error) {
	out := make([]inventory.Position, 0, len(b.Positions))
	for i := range b.Positions {
		c := &b.Positions[i]
		p := inventory.Position{SKU: c.SKU, Location: c.Location}
		if was := d.positions[c.PositionKey]; was != nil {
			p = was.Position
		}
		if c.Need != 0 && p.Available() < c.Need {
			return nil, fmt.Errorf("%w: %s at %s has %d available and the batch needs %d", store.ErrConflict, c.SKU, c.Location, p.Available(), c.Need)
		}
		if c.Had != nil && p.OnHand != *c.Had {
			return nil, fmt.Errorf("%w: %s at %s has %d on hand and the batch is for %d", store.ErrConflict, c.SKU, c.Location, p.OnHand, *c.Had)
		}
		p = p.Add(c.Delta)
		if p.OnHand < 0 || p.Reserved < 0 || p.Allocated < 0 || p.Picked < 0 || p.Picked > p.Allocated {
			return nil, fmt.Errorf("%w: %s at %s would be %+v", store.ErrConflict, c.SKU, c.Location, p)
		}
		if c.Safety != nil {
			p.Safety = *c.Safety
		}
		if !c.AsOf.IsZero() {
			p.AsOf = stored(c.AsOf)
		}
		if !c.Changed.IsZero() {
			p.Changed = stored(c.Changed)
		}
		out = append(out, p)
	}
	return out, nil
}

func (d *Disk) put(p *store.Put) {
	was := d.records[p.Kind][p.Key]
	if was != nil && was.ExternalID != "" && d.external[external(was.Record)] == p.ID {
		delete(d.external, external(was.Record))
	}
	if p.Delete {
		delete(d.records[p.Kind], p.Key)
		return
	}
	r := &row{Record: p.Record}
	r.Wake, r.CreatedAt, r.Terms = stored(p.Wake), stored(p.CreatedAt), nil
	if was != nil {
		r.terms = was.terms
	}
	if len(p.Terms) > 0 {
		r.terms = maps.Clone(r.terms) // rows are never changed
		if r.terms == nil {
			r.terms = make(map[string]bool, len(p.Terms))
		}
		for _, t := range p.Terms {
			r.terms[t] = true
		}
	}
	if d.records[p.Kind] == nil {
		d.records[p.Kind] = map[store.Key]*row{}
	}
	d.records[p.Kind][p.Key] = r
	if r.ExternalID != "" {
		d.external[external(r.Record)] = r.ID
	}
	if !r.Wake.IsZero() && (was == nil || !was.Wake.Equal(r.Wake)) {
		d.wakes[p.Bucket].add(queued{at: r.Wake.UnixMicro(), bucket: p.Bucket, kind: string(p.Kind), name: p.ID})
	}
}

func (d *Disk) appendLog(b *store.Batch) {
	for i := range b.Commits {
		c := &b.Commits[i]
		log := &d.logs[c.Stream.Bucket]
		c.Seq = int64(len(*log) + 1)
		kept := *c
		kept.Time = stored(c.Time)
		if len(kept.Movements) == 0 {
			kept.Movements = nil
		}
		*log = append(*log, kept)
		d.written = append(d.written, int32(c.Stream.Bucket))
		rows := d.streams[c.Stream]
		at, _ := find(rows, c.Version)
		d.streams[c.Stream] = slices.Insert(rows, at, rowRef{c.Version, c.Seq})
	}
}

func (d *Disk) keepPosition(p inventory.Position) {
	if was := d.positions[p.Key()]; was != nil {
		was.Position = p
		return
	}
	d.positions[p.Key()] = &position{Position: p}
}

// journal numbers the movements of the batch at their positions.
func (d *Disk) journal(b *store.Batch) {
	for i := range b.Commits {
		c := &b.Commits[i]
		for k := range c.Movements {
			m := &c.Movements[k]
			key := inventory.PositionKey{SKU: m.SKU, Location: m.Location}
			p := d.positions[key]
			if p == nil {
				p = &position{Position: inventory.Position{SKU: m.SKU, Location: m.Location}}
				d.positions[key] = p
			}
			latest := c.Time.UnixMicro()
			if n := len(p.journal); n > 0 {
				latest = max(latest, p.journal[n-1].latest)
			}
			p.journal = append(p.journal, lineRef{bucket: int32(c.Stream.Bucket), index: int32(k), seq: c.Seq, latest: latest})
		}
	}
}

func (d *Disk) remember(a store.Answer) {
	a.Expires = stored(a.Expires)
	d.answers[answerKey{a.Bucket, a.Key}] = &a
	d.expiries.add(queued{at: a.Expires.UnixMicro(), bucket: a.Bucket, name: a.Key})
}

// SaveCursor stores a log reader's place.
func (s *Store) SaveCursor(ctx context.Context, reader string, seqs []int64) error {
	f, err := s.begin(ctx, CallKeep)
	if err != nil {
		return err
	}
	if len(seqs) != len(s.d.logs) {
		return fmt.Errorf("memory: cursor with %d sequences, there are %d buckets", len(seqs), len(s.d.logs))
	}
	s.d.mu.Lock()
	s.d.cursors[reader] = slices.Clone(seqs)
	s.d.mu.Unlock()
	return s.after(f, CallKeep)
}

// Purge removes expired answers and old finished records, at most limit rows of each.
func (s *Store) Purge(ctx context.Context, now time.Time, kind store.Kind, states []string, olderThan time.Time, limit int) (int, error) {
	f, err := s.begin(ctx, CallKeep)
	if err != nil {
		return 0, err
	}
	n := s.d.purge(now, kind, states, olderThan, limit)
	return n, s.after(f, CallKeep)
}

func (d *Disk) purge(now time.Time, kind store.Kind, states []string, olderThan time.Time, limit int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	expired := d.expiries.take(now.UnixMicro()-1, limit, func(q queued) bool {
		a := d.answers[answerKey{q.bucket, q.name}]
		return a != nil && a.Expires.UnixMicro() == q.at
	})
	for _, q := range expired {
		delete(d.answers, answerKey{q.bucket, q.name})
	}
	var old []*row
	for _, r := range d.records[kind] {
		if slices.Contains(states, r.State) && r.CreatedAt.Before(olderThan) {
			old = append(old, r)
		}
	}
	slices.SortFunc(old, func(a, b *row) int { return cmp.Or(strings.Compare(a.State, b.State), compareKeys(a.Key, b.Key)) })
	old = old[:min(len(old), limit)]
	for _, r := range old {
		d.put(&store.Put{Record: r.Record, Base: r.Version, Delete: true})
	}
	return len(expired) + len(old)
}
