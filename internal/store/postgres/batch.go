package postgres

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/store"
)

// step is one statement of a batch with its parameters.
type step struct {
	statement
	parameters [][]byte
	// whenCreating: only if positions of the batch must be created.
	whenCreating bool
}

// steps is a batch translated into statements, ready to be sent any number of times.
type steps struct {
	list      []step
	positions []position // sorted by key
}

// position is what a batch does to one position, with the movements it journals there.
type position struct {
	store.PositionChange
	bucket int32
	moves  int64
	latest int64 // nanoseconds since 1970, of the latest movement
	seen   int64 // movements already translated
}

func (p *position) compare(o *position) int {
	return cmp.Or(cmp.Compare(p.bucket, o.bucket), cmp.Compare(p.SKU, o.SKU), cmp.Compare(p.Location, o.Location))
}

// nanos is how the store keeps a time; 0 when t is the zero time.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// fromNanos is the reverse of nanos.
func fromNanos(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

// add appends a step that passes t, unless t is empty, and then the extra bigints.
func (s *steps) add(st statement, t *table, extra ...int64) {
	if t.rows == 0 {
		return
	}
	parameters := t.parameters()
	for _, v := range extra {
		parameters = append(parameters, int8Parameter(v))
	}
	s.list = append(s.list, step{statement: st, parameters: parameters})
}

// plan translates a batch. Returns an error when the batch breaks the port's rules.
func (s *Store) plan(b *store.Batch) (*steps, error) {
	if err := s.validate(b); err != nil {
		return nil, err
	}
	out := &steps{}
	out.list = append(out.list, step{statement: begin})
	byKey, err := s.collectPositions(out, b)
	if err != nil {
		return nil, err
	}
	planPositions(out)
	if err := planRecords(out, b); err != nil {
		return nil, err
	}
	if err := planAnswers(out, b); err != nil {
		return nil, err
	}
	planLog(out, b, byKey)
	out.list = append(out.list, step{statement: commit})
	return out, nil
}

// validate refuses a batch with rows of another bucket, or too many.
func (s *Store) validate(b *store.Batch) error {
	if b.Bucket < 0 || b.Bucket >= s.buckets {
		return fmt.Errorf("postgres: batch for bucket %d of %d", b.Bucket, s.buckets)
	}
	if len(b.Commits) > store.MaxBatchCommits {
		return fmt.Errorf("postgres: batch of %d commits: at most %d", len(b.Commits), store.MaxBatchCommits)
	}
	for i := range b.Puts {
		if b.Puts[i].Bucket != b.Bucket {
			return fmt.Errorf("postgres: record of bucket %d in a batch of bucket %d", b.Puts[i].Bucket, b.Bucket)
		}
	}
	for i := range b.Commits {
		if b.Commits[i].Stream.Bucket != b.Bucket {
			return fmt.Errorf("postgres: log row of bucket %d in a batch of bucket %d", b.Commits[i].Stream.Bucket, b.Bucket)
		}
	}
	for i := range b.Answers {
		if b.Answers[i].Bucket != b.Bucket {
			return fmt.Errorf("postgres: answer of bucket %d in a batch of bucket %d", b.Answers[i].Bucket, b.Bucket)
		}
	}
	return nil
}

// collectPositions gathers all positions that the batch changes or journals, sorted by key.
func (s *Store) collectPositions(out *steps, b *store.Batch) (map[inventory.PositionKey]*position, error) {
	byKey := make(map[inventory.PositionKey]*position, len(b.Positions))
	list := make([]*position, 0, len(b.Positions))
	get := func(key inventory.PositionKey) *position {
		p := byKey[key]
		if p == nil {
			p = &position{bucket: s.positionBucket(key.SKU)}
			p.PositionKey = key
			byKey[key] = p
			list = append(list, p)
		}
		return p
	}
	for _, change := range b.Positions {
		if byKey[change.PositionKey] != nil {
			return nil, fmt.Errorf("postgres: two changes of position %s at %s in a batch", change.SKU, change.Location)
		}
		get(change.PositionKey).PositionChange = change
	}
	for i := range b.Commits {
		at := nanos(b.Commits[i].Time)
		for _, m := range b.Commits[i].Movements {
			p := get(inventory.PositionKey{SKU: m.SKU, Location: m.Location})
			p.moves++
			p.latest = max(p.latest, at)
		}
	}
	slices.SortFunc(list, (*position).compare)
	out.positions = make([]position, len(list))
	for i, p := range list {
		out.positions[i] = *p
		byKey[p.PositionKey] = &out.positions[i]
	}
	return byKey, nil
}

func planPositions(out *steps) {
	create := newTable(typeInt4, typeText, typeText)
	t := newTable(typeInt4, typeText, typeText, typeInt8, typeInt8, typeInt8, typeInt8, typeInt8, typeInt8, typeInt8, typeInt8, typeInt8, typeInt8)
	for i := range out.positions {
		p := &out.positions[i]
		create.int4(p.bucket)
		create.text(p.SKU)
		create.text(p.Location)
		t.int4(p.bucket)
		t.text(p.SKU)
		t.text(p.Location)
		t.int8(p.OnHand)
		t.int8(p.Reserved)
		t.int8(p.Allocated)
		t.int8(p.Picked)
		t.int8(p.Need)
		if p.Safety != nil {
			t.int8(*p.Safety)
		} else {
			t.null()
		}
		t.int8(nanos(p.AsOf))
		t.int8(nanos(p.Changed))
		t.int8(p.moves)
		t.int8(p.latest)
	}
	if t.rows == 0 {
		return
	}
	out.list = append(out.list, step{statement: createPositions, parameters: create.parameters(), whenCreating: true})
	out.add(changePositions, t, int64(t.rows))
}

// planRecords sorts the records by key, new ones by external id first, because
// that is what nodes that work on the same bucket would wait for.
func planRecords(out *steps, b *store.Batch) error {
	puts := make([]*store.Put, len(b.Puts))
	for i := range b.Puts {
		puts[i] = &b.Puts[i]
	}
	slices.SortFunc(puts, func(x, y *store.Put) int {
		return cmp.Or(cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.ID, y.ID))
	})
	for i := 1; i < len(puts); i++ {
		if puts[i].Key == puts[i-1].Key {
			return fmt.Errorf("postgres: two puts of %s %s in a batch", puts[i].Kind, puts[i].ID)
		}
	}
	replace := newTable(typeInt4, typeText, typeText, typeInt8, typeInt8, typeText, typeInt8, typeText, typeText, typeInt8, typeBytes)
	remove := newTable(typeInt4, typeText, typeText, typeInt8)
	refuse := newTable(typeInt4, typeText, typeText)
	terms := newTable(typeInt4, typeText, typeText, typeText)
	var created []*store.Put
	for _, p := range puts {
		switch {
		case p.Delete && p.Base == 0:
			addKey(refuse, p.Key)
		case p.Delete:
			addKey(remove, p.Key)
			remove.int8(p.Base)
		case p.Base == 0:
			created = append(created, p)
		default:
			addKey(replace, p.Key)
			replace.int8(p.Base)
			addRecord(replace, &p.Record)
		}
		if p.Delete {
			continue
		}
		for _, term := range p.Terms {
			terms.int4(int32(p.Bucket))
			terms.text(string(p.Kind))
			terms.text(term)
			terms.text(p.ID)
		}
	}
	slices.SortStableFunc(created, func(x, y *store.Put) int {
		return cmp.Or(cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Channel, y.Channel), cmp.Compare(x.ExternalID, y.ExternalID))
	})
	insert := newTable(typeInt4, typeText, typeText, typeInt8, typeText, typeInt8, typeText, typeText, typeInt8, typeBytes)
	for _, p := range created {
		addKey(insert, p.Key)
		addRecord(insert, &p.Record)
	}
	out.add(replaceRecords, replace, int64(replace.rows))
	out.add(deleteRecords, remove, int64(remove.rows))
	out.add(refuseRecords, refuse)
	out.add(insertRecords, insert)
	out.add(insertTerms, terms)
	return nil
}

func addKey(t *table, key store.Key) {
	t.int4(int32(key.Bucket))
	t.text(string(key.Kind))
	t.text(key.ID)
}

// addRecord adds all of a record but its key.
func addRecord(t *table, r *store.Record) {
	t.int8(r.Version)
	t.text(r.State)
	t.int8(nanos(r.Wake))
	t.text(r.Channel)
	t.text(r.ExternalID)
	t.int8(nanos(r.CreatedAt))
	t.bytes(r.Body)
}

func planAnswers(out *steps, b *store.Batch) error {
	answers := make([]*store.Answer, len(b.Answers))
	for i := range b.Answers {
		answers[i] = &b.Answers[i]
	}
	slices.SortFunc(answers, func(x, y *store.Answer) int { return cmp.Compare(x.Key, y.Key) })
	t := newTable(typeInt4, typeText, typeBytes, typeInt4, typeText, typeBytes, typeInt8)
	for _, a := range answers {
		header, err := json.Marshal(a.Header)
		if err != nil {
			return fmt.Errorf("postgres: header of answer %s: %w", a.Key, err)
		}
		t.int4(int32(a.Bucket))
		t.text(a.Key)
		t.bytes(a.Hash)
		t.int4(int32(a.Status))
		t.text(string(header))
		t.bytes(a.Body)
		t.int8(nanos(a.Expires))
	}
	out.add(insertAnswers, t)
	return nil
}

// planLog translates log rows and movements. A row's sequence is counted back from
// the head after the batch, a movement's place in its position's ledger from the
// number of movements after the batch.
func planLog(out *steps, b *store.Batch, byKey map[inventory.PositionKey]*position) {
	if len(b.Commits) == 0 {
		return
	}
	log := newTable(typeInt4, typeText, typeText, typeInt8, typeInt8, typeText, typeText, typeText, typeBytes)
	moves := newTable(typeInt4, typeText, typeText, typeInt4, typeInt4, typeInt4, typeInt8, typeText, typeText, typeInt8, typeInt8, typeText)
	for i := range b.Commits {
		c := &b.Commits[i]
		back := int32(len(b.Commits) - 1 - i)
		log.int4(back)
		log.text(string(c.Stream.Kind))
		log.text(c.Stream.ID)
		log.int8(c.Version)
		log.int8(nanos(c.Time))
		log.text(c.Actor)
		log.text(c.Command)
		log.text(c.Node)
		log.bytes(c.Events)
		for line, m := range c.Movements {
			p := byKey[inventory.PositionKey{SKU: m.SKU, Location: m.Location}]
			p.seen++
			moves.int4(p.bucket)
			moves.text(m.SKU)
			moves.text(m.Location)
			moves.int4(int32(p.moves - p.seen))
			moves.int4(back)
			moves.int4(int32(line))
			moves.int8(nanos(c.Time))
			moves.text(string(m.From))
			moves.text(string(m.To))
			moves.int8(m.Quantity)
			moves.int8(m.Delta().OnHand)
			moves.text(m.Reason)
		}
	}
	out.list = append(out.list, step{statement: advanceHead,
		parameters: [][]byte{int8Parameter(int64(b.Bucket)), int8Parameter(int64(len(b.Commits)))}})
	out.add(insertLog, log, int64(b.Bucket))
	out.add(insertMovements, moves, int64(b.Bucket))
}
