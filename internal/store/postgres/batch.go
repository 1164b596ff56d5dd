package postgres

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
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
	positions []*position // sorted by key
	movements []movement  // grouped by position, in the order of the positions
	heads     []head      // of the buckets with log rows, sorted
	places    []place     // of the log rows, in the order of the batch's commits
}

// head is a bucket's part of the log.
type head struct {
	bucket int32
	rows   int32 // log rows of the batch
}

// place is where a log row goes: back rows before the last one of the bucket of heads[head].
type place struct{ head, back int32 }

// position is what a batch does to one position, with the movements it journals there.
type position struct {
	store.PositionChange
	bucket int32
	latest int64 // microseconds since 1970, of the latest movement
	moves  int32 // number of movements
	skip   int32 // movements of the positions before it
}

// movement is a journal line with its place in the log.
type movement struct {
	*inventory.Movement
	at *position
	place
	line int32
	time int64 // microseconds since 1970
}

func (p *position) compare(o *position) int {
	return cmp.Or(cmp.Compare(p.bucket, o.bucket), cmp.Compare(p.SKU, o.SKU), cmp.Compare(p.Location, o.Location))
}

// micros is how the store keeps a time: microseconds since 1970, finer parts cut off; 0 when t is the zero time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// fromMicros is the reverse of micros.
func fromMicros(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
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
	planLog(out, b)
	if err := s.collectPositions(out, b); err != nil {
		return nil, err
	}
	planPositions(out)
	if err := planRecords(out, b); err != nil {
		return nil, err
	}
	if err := planAnswers(out, b); err != nil {
		return nil, err
	}
	out.list = append(out.list, step{statement: commit})
	return out, nil
}

// validate refuses a batch with rows of buckets that do not exist, or too many.
func (s *Store) validate(b *store.Batch) error {
	if len(b.Commits) > store.MaxBatchCommits {
		return fmt.Errorf("postgres: batch of %d commits: at most %d", len(b.Commits), store.MaxBatchCommits)
	}
	buckets := make([]int, 0, len(b.Puts)+len(b.Commits)+len(b.Answers))
	for i := range b.Puts {
		buckets = append(buckets, b.Puts[i].Bucket)
	}
	for i := range b.Commits {
		buckets = append(buckets, b.Commits[i].Stream.Bucket)
	}
	for i := range b.Answers {
		buckets = append(buckets, b.Answers[i].Bucket)
	}
	for _, bucket := range buckets {
		if bucket < 0 || bucket >= s.buckets {
			return fmt.Errorf("postgres: bucket %d of %d in a batch", bucket, s.buckets)
		}
	}
	return nil
}

// collectPositions gathers all positions that the batch changes or journals, sorted by key.
func (s *Store) collectPositions(out *steps, b *store.Batch) error {
	byKey := make(map[inventory.PositionKey]*position, len(b.Positions))
	changes := make([]position, len(b.Positions))
	for i := range b.Positions {
		p := &changes[i]
		p.PositionChange = b.Positions[i]
		if byKey[p.PositionKey] != nil {
			return fmt.Errorf("postgres: %w: two changes of position %s at %s in a batch", store.ErrConflict, p.SKU, p.Location)
		}
		byKey[p.PositionKey] = p
		out.positions = append(out.positions, p)
	}
	for i := range b.Commits {
		for line := range b.Commits[i].Movements {
			m := &b.Commits[i].Movements[line]
			key := inventory.PositionKey{SKU: m.SKU, Location: m.Location}
			p := byKey[key]
			if p == nil {
				p = &position{PositionChange: store.PositionChange{PositionKey: key}}
				byKey[key] = p
				out.positions = append(out.positions, p)
			}
			at := micros(b.Commits[i].Time)
			p.moves++
			p.latest = max(p.latest, at)
			out.movements = append(out.movements, movement{m, p, out.places[i], int32(line), at})
		}
	}
	for _, p := range out.positions {
		p.bucket = s.positionBucket(p.SKU)
	}
	slices.SortFunc(out.positions, (*position).compare)
	out.groupMovements()
	return nil
}

// groupMovements sorts the movements by position, keeping their order within each.
func (s *steps) groupMovements() {
	var skip int32
	for _, p := range s.positions {
		p.skip = skip
		skip += p.moves
	}
	grouped := make([]movement, len(s.movements))
	for _, m := range s.movements {
		grouped[m.at.skip] = m
		m.at.skip++
	}
	for _, p := range s.positions {
		p.skip -= p.moves
	}
	s.movements = grouped
}

func planPositions(out *steps) {
	if len(out.positions) == 0 {
		return
	}
	rows := len(out.positions)
	create := newTable(rows, typeInt4, typeText, typeText)
	t := newTable(rows, typeInt4, typeText, typeText, typeInt8, typeInt8, typeInt8, typeInt8, typeInt8, typeInt8, typeInt8, typeInt8,
		typeInt4, typeInt8, typeInt4, typeInt8)
	journal := newTable(len(out.movements), typeInt4, typeInt4, typeInt4, typeInt8, typeInt4, typeInt4, typeInt8, typeInt8, typeInt4)
	words := newWords()
	for _, p := range out.positions {
		create.int4(p.bucket)
		create.text(p.SKU)
		create.text(p.Location)
		addPosition(t, p)
	}
	for i := range out.movements {
		m := &out.movements[i]
		journal.int4(m.head + 1)
		journal.int4(m.back)
		journal.int4(m.line)
		journal.int8(m.time)
		journal.int4(words.number(string(m.From)))
		journal.int4(words.number(string(m.To)))
		journal.int8(m.Quantity)
		journal.int8(m.Delta().OnHand)
		journal.int4(words.number(m.Reason))
	}
	out.list = append(out.list, step{statement: createPositions, parameters: create.parameters(), whenCreating: true})
	parameters := append(t.parameters(), journal.parameters()...)
	parameters = append(parameters, words.table.parameters()...)
	buckets := newTable(len(out.heads), typeInt4)
	for _, h := range out.heads {
		buckets.int4(h.bucket)
	}
	parameters = append(parameters, buckets.parameters()...)
	parameters = append(parameters, int8Parameter(int64(t.rows)))
	out.list = append(out.list, step{statement: changePositions, parameters: parameters})
}

// addPosition adds the change of a position.
func addPosition(t *table, p *position) {
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
	t.int8(micros(p.AsOf))
	t.int8(micros(p.Changed))
	t.int4(p.moves)
	t.int8(p.latest)
	t.int4(p.skip)
	if p.Had != nil {
		t.int8(*p.Had)
	} else {
		t.null()
	}
}

// words numbers the different texts of a batch's movements, from 1: there are only a few.
type words struct {
	table   *table
	numbers map[string]int32
}

func newWords() *words { return &words{newTable(1, typeText), map[string]int32{}} }

func (w *words) number(word string) int32 {
	n, has := w.numbers[word]
	if !has {
		w.table.text(word)
		n = int32(w.table.rows)
		w.numbers[word] = n
	}
	return n
}

// planRecords sorts the records by key, new ones by external id first, because
// that is what nodes that work on the same bucket would wait for.
func planRecords(out *steps, b *store.Batch) error {
	puts := make([]*store.Put, len(b.Puts))
	for i := range b.Puts {
		puts[i] = &b.Puts[i]
	}
	slices.SortFunc(puts, func(x, y *store.Put) int {
		return cmp.Or(cmp.Compare(x.Bucket, y.Bucket), cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.ID, y.ID))
	})
	for i := 1; i < len(puts); i++ {
		if puts[i].Key == puts[i-1].Key {
			return fmt.Errorf("postgres: %w: two puts of %s %s in a batch", store.ErrConflict, puts[i].Kind, puts[i].ID)
		}
	}
	replace := newTable(len(puts), typeInt4, typeText, typeText, typeInt8, typeInt8, typeText, typeInt8, typeText, typeText, typeInt8, typeBytes)
	remove := newTable(0, typeInt4, typeText, typeText, typeInt8)
	refuse := newTable(0, typeInt4, typeText, typeText)
	addedTerms := newTable(0, typeInt4, typeText, typeText, typeText)
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
			addRecordTerms(addedTerms, &p.Record)
		}
	}
	slices.SortStableFunc(created, func(x, y *store.Put) int {
		return cmp.Or(cmp.Compare(x.Bucket, y.Bucket), cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Channel, y.Channel), cmp.Compare(x.ExternalID, y.ExternalID))
	})
	insert := newTable(len(created), typeInt4, typeText, typeText, typeInt8, typeText, typeInt8, typeText, typeText, typeInt8, typeBytes)
	terms := newTable(3*len(created), typeInt4, typeText, typeText, typeText)
	for _, p := range created {
		addKey(insert, p.Key)
		addRecord(insert, &p.Record)
		addRecordTerms(terms, &p.Record)
	}
	out.add(replaceRecords, replace, int64(replace.rows))
	out.add(deleteRecords, remove, int64(remove.rows))
	out.add(refuseRecords, refuse)
	out.add(insertRecords, insert)
	out.add(insertTerms, terms)
	out.add(addTerms, addedTerms)
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
	t.int8(micros(r.Wake))
	t.text(r.Channel)
	t.text(r.ExternalID)
	t.int8(micros(r.CreatedAt))
	t.bytes(r.Body)
}

// addRecordTerms adds each different term of a record once.
func addRecordTerms(t *table, r *store.Record) {
	for i, term := range r.Terms {
		if slices.Contains(r.Terms[:i], term) {
			continue
		}
		t.int4(int32(r.Bucket))
		t.text(string(r.Kind))
		t.text(term)
		t.text(r.ID)
	}
}

func planAnswers(out *steps, b *store.Batch) error {
	answers := make([]*store.Answer, len(b.Answers))
	for i := range b.Answers {
		answers[i] = &b.Answers[i]
	}
	slices.SortFunc(answers, func(x, y *store.Answer) int {
		return cmp.Or(cmp.Compare(x.Bucket, y.Bucket), cmp.Compare(x.Key, y.Key))
	})
	t := newTable(len(answers), typeInt4, typeText, typeBytes, typeInt4, typeText, typeBytes, typeInt8)
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
		t.int8(micros(a.Expires))
	}
	out.add(insertAnswers, t)
	return nil
}

// placeLog decides where the log rows go.
func placeLog(out *steps, b *store.Batch) {
	rows := map[int32]int32{}
	for i := range b.Commits {
		rows[int32(b.Commits[i].Stream.Bucket)]++
	}
	for _, bucket := range slices.Sorted(maps.Keys(rows)) {
		rows[bucket], out.heads = int32(len(out.heads)), append(out.heads, head{bucket, rows[bucket]})
	}
	left := make([]int32, len(out.heads))
	for i, h := range out.heads {
		left[i] = h.rows
	}
	out.places = make([]place, len(b.Commits))
	for i := range b.Commits {
		h := rows[int32(b.Commits[i].Stream.Bucket)]
		left[h]--
		out.places[i] = place{head: h, back: left[h]}
	}
}

// planLog translates log rows. A row's sequence is counted back from its bucket's head after the batch.
func planLog(out *steps, b *store.Batch) {
	placeLog(out, b)
	log := newTable(len(b.Commits), typeInt4, typeInt4, typeText, typeText, typeInt8, typeInt8, typeText, typeText, typeText, typeBytes)
	for i := range b.Commits {
		c := &b.Commits[i]
		log.int4(int32(c.Stream.Bucket))
		log.int4(out.places[i].back)
		log.text(string(c.Stream.Kind))
		log.text(c.Stream.ID)
		log.int8(c.Version)
		log.int8(micros(c.Time))
		log.text(c.Actor)
		log.text(c.Command)
		log.text(c.Node)
		log.bytes(c.Events)
	}
	heads := newTable(len(out.heads), typeInt4, typeInt8)
	for _, h := range out.heads {
		heads.int4(h.bucket)
		heads.int8(int64(h.rows))
	}
	if len(b.Commits) == 0 {
		return
	}
	parameters := append(log.parameters(), heads.parameters()...)
	parameters = append(parameters, int8Parameter(int64(len(out.heads))))
	out.list = append(out.list, step{statement: appendLog, parameters: parameters})
}
