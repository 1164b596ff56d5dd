package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/store"
)

// model is the contract in memory: what a store must answer after the batches applied to it.
type model struct {
	records   map[store.Key]store.Record
	terms     map[store.Key]map[string]bool
	log       [][]store.Commit // by bucket
	versions  map[store.Key]int64
	positions map[inventory.PositionKey]inventory.Position
	journal   map[inventory.PositionKey][]store.JournalLine
	answers   map[string]store.Answer // by bucket and key
}

func newModel(buckets int) *model {
	return &model{
		records: map[store.Key]store.Record{}, terms: map[store.Key]map[string]bool{}, log: make([][]store.Commit, buckets),
		versions: map[store.Key]int64{}, positions: map[inventory.PositionKey]inventory.Position{},
		journal: map[inventory.PositionKey][]store.JournalLine{}, answers: map[string]store.Answer{},
	}
}

// allows reports whether every guard of the batch holds.
func (m *model) allows(b *store.Batch) bool {
	external := map[string]bool{}
	name := func(r store.Record) string {
		return fmt.Sprint(r.Bucket, "/", r.Kind, "/", r.Channel, "/", r.ExternalID)
	}
	for _, r := range m.records {
		external[name(r)] = true
	}
	for _, p := range b.Puts {
		have, exists := m.records[p.Key]
		if exists != (p.Base > 0) || exists && have.Version != p.Base {
			return false
		}
		if !exists && p.ExternalID != "" {
			if external[name(p.Record)] {
				return false
			}
			external[name(p.Record)] = true
		}
	}
	for _, c := range b.Positions {
		p := m.positions[c.PositionKey]
		if c.Need != 0 && p.Available() < c.Need {
			return false
		}
		if c.Had != nil && p.OnHand != *c.Had {
			return false
		}
		p = p.Add(c.Delta)
		if p.OnHand < 0 || p.Reserved < 0 || p.Allocated < 0 || p.Picked < 0 || p.Picked > p.Allocated {
			return false
		}
	}
	for _, a := range b.Answers {
		if _, taken := m.answers[fmt.Sprint(a.Bucket, "/", a.Key)]; taken {
			return false
		}
	}
	return true
}

func (m *model) apply(b *store.Batch) {
	for _, p := range b.Puts {
		if p.Delete {
			delete(m.records, p.Key)
			delete(m.terms, p.Key)
			continue
		}
		m.records[p.Key] = p.Record
		if m.terms[p.Key] == nil {
			m.terms[p.Key] = map[string]bool{}
		}
		for _, term := range p.Terms {
			m.terms[p.Key][term] = true
		}
	}
	for _, c := range b.Commits {
		c.Seq = int64(len(m.log[b.Bucket]) + 1)
		m.log[b.Bucket] = append(m.log[b.Bucket], c)
		m.versions[c.Stream] = c.Version
		for _, mv := range c.Movements {
			key := inventory.PositionKey{SKU: mv.SKU, Location: mv.Location}
			m.journal[key] = append(m.journal[key], store.JournalLine{
				Movement: mv, PositionSeq: int64(len(m.journal[key]) + 1), Bucket: b.Bucket, Seq: c.Seq, Stream: c.Stream, Time: c.Time,
			})
		}
	}
	for _, c := range b.Positions {
		p := m.positions[c.PositionKey]
		p.SKU, p.Location = c.SKU, c.Location
		p = p.Add(c.Delta)
		if c.Safety != nil {
			p.Safety = *c.Safety
		}
		if !c.AsOf.IsZero() {
			p.AsOf = c.AsOf
		}
		if !c.Changed.IsZero() {
			p.Changed = c.Changed
		}
		m.positions[c.PositionKey] = p
	}
	for _, a := range b.Answers {
		m.answers[fmt.Sprint(a.Bucket, "/", a.Key)] = a
	}
}

func (m *model) find(q store.Query) []string {
	var ids []string
	for key, r := range m.records {
		if key.Kind != q.Kind || q.State != "" && r.State != q.State || q.Channel != "" && r.Channel != q.Channel ||
			q.ExternalID != "" && r.ExternalID != q.ExternalID || q.Term != "" && !m.terms[key][q.Term] ||
			!q.CreatedFrom.IsZero() && r.CreatedAt.Before(q.CreatedFrom) || !q.CreatedBefore.IsZero() && !r.CreatedAt.Before(q.CreatedBefore) ||
			q.Before != "" && (q.Ascending && r.ID <= q.Before || !q.Ascending && r.ID >= q.Before) {
			continue
		}
		ids = append(ids, r.ID)
	}
	slices.Sort(ids)
	if !q.Ascending {
		slices.Reverse(ids)
	}
	return ids[:min(len(ids), q.Limit)]
}

func (m *model) due(bucket int, now time.Time, limit int) []string {
	var due []store.Record
	for key, r := range m.records {
		if key.Bucket == bucket && !r.Wake.IsZero() && !r.Wake.After(now) {
			due = append(due, r)
		}
	}
	slices.SortFunc(due, func(a, b store.Record) int { return a.Wake.Compare(b.Wake) })
	var wakes []string
	for _, r := range due[:min(len(due), limit)] {
		wakes = append(wakes, r.Wake.Format(time.RFC3339Nano))
	}
	return wakes
}

func (m *model) onHandSince(key inventory.PositionKey, since time.Time) (sum int64) {
	for _, l := range m.journal[key] {
		if l.Time.After(since) {
			sum += l.Delta().OnHand
		}
	}
	return sum
}

// testModel applies random batches to the store and to the model; both must
// refuse the same and answer the same. Each run uses names of its own, so that
// one store serves them all.
func testModel(b *bench) {
	m := newModel(b.s.Buckets())
	round := 0
	rapid.Check(b.T, func(t *rapid.T) {
		round++
		g := &generator{t: t, m: m, prefix: fmt.Sprintf("%06d-", round), buckets: b.s.Buckets()}
		for range 1 + g.pick("batches", 8) {
			batch := g.batch()
			allowed := m.allows(batch)
			err := b.s.Commit(b.ctx, batch)
			if allowed != (err == nil) || err != nil && !errors.Is(err, store.ErrConflict) {
				t.Fatalf("Commit returned %v, the model allows it: %v", err, allowed)
			}
			if allowed {
				m.apply(batch)
				for i, c := range batch.Commits {
					if want := int64(len(m.log[batch.Bucket]) - len(batch.Commits) + i + 1); c.Seq != want {
						t.Fatalf("sequence %d, want %d", c.Seq, want)
					}
				}
			}
			g.compare(b)
		}
	})
	m.compareAll(b)
}

// generator draws batches and queries over a few names.
type generator struct {
	t       *rapid.T
	m       *model
	prefix  string
	buckets int
	step    int
}

func (g *generator) pick(label string, n int) int { return rapid.IntRange(0, n-1).Draw(g.t, label) }

func (g *generator) rarely(label string) bool { return g.pick(label, 12) == 0 }

func (g *generator) key(bucket int, label string) store.Key {
	kind := []store.Kind{order, place}[g.pick(label+" kind", 2)]
	return store.Key{Bucket: bucket, Kind: kind, ID: fmt.Sprint(g.prefix, g.pick(label+" id", 4), ".", bucket)}
}

func (g *generator) time(label string) time.Time {
	return noon.Add(time.Duration(g.pick(label, 5)) * time.Second)
}

func (g *generator) batch() *store.Batch {
	g.step++
	b := &store.Batch{Bucket: g.pick("bucket", g.buckets)}
	version := map[store.Key]int64{}
	commit := func(key store.Key) *store.Commit {
		if version[key] == 0 {
			version[key] = g.m.versions[key]
		}
		version[key]++
		c := row(key, version[key])
		c.Time = g.time("commit time")
		b.Commits = append(b.Commits, c)
		return &b.Commits[len(b.Commits)-1]
	}
	put := map[store.Key]bool{}
	for range g.pick("puts", 4) {
		if key := g.key(b.Bucket, "put"); !put[key] {
			put[key] = true
			for range 1 + g.pick("rows", 2) {
				commit(key)
			}
			b.Puts = append(b.Puts, g.put(key, version[key]))
		}
	}
	var movements []inventory.Movement
	for range g.pick("stock commands", 3) {
		c := commit(store.Key{Bucket: b.Bucket, Kind: "stock", ID: g.prefix + "stock"})
		for range g.pick("movements", 4) {
			c.Movements = append(c.Movements, g.movement())
		}
		movements = append(movements, c.Movements...)
	}
	b.Positions = sums(movements)
	for i := range b.Positions {
		g.decorate(&b.Positions[i])
	}
	if g.pick("answer", 3) == 0 {
		b.Answers = append(b.Answers, answer(b.Bucket, fmt.Sprint(g.prefix, "k", g.pick("answer key", 6))))
	}
	return b
}

func (g *generator) put(key store.Key, version int64) store.Put {
	r := draft(key.Bucket, key.Kind, key.ID)
	r.Version = version
	r.State = []string{"open", "packed", "done"}[g.pick("state", 3)]
	r.Body = []byte(fmt.Sprint(g.step, strings.Repeat("b", g.pick("body", 5000))))
	if g.pick("wakes", 2) == 0 {
		r.Wake = g.time("wake")
	}
	r.CreatedAt = g.time("created")
	for range g.pick("terms", 3) {
		r.Terms = append(r.Terms, fmt.Sprint(g.prefix, "t", g.pick("term", 3)))
	}
	have, exists := g.m.records[key]
	if exists { // external ids stay: the contract does not say in which order a batch frees and takes them
		r.Channel, r.ExternalID, r.CreatedAt = have.Channel, have.ExternalID, have.CreatedAt
	} else if g.rarely("external id") {
		r.ExternalID = g.prefix + "same"
	}
	p := store.Put{Record: r, Base: have.Version}
	if g.rarely("wrong base") {
		p.Base = int64(g.pick("base", 4))
	}
	p.Delete = p.Base > 0 && r.ExternalID != g.prefix+"same" && g.pick("delete", 5) == 0
	return p
}

func (g *generator) movement() inventory.Movement {
	sku, location := fmt.Sprint(g.prefix, "S", g.pick("sku", 2)), fmt.Sprint("L", g.pick("location", 2))
	free, allocated := inventory.Free, inventory.Allocated
	pair := [][2]inventory.Account{
		{inventory.Supplier, free}, {inventory.Supplier, free},
		{free, inventory.Reserved}, {inventory.Reserved, allocated}, {free, allocated}, {allocated, inventory.Picked},
		{inventory.Picked, inventory.Shipped}, {inventory.Reserved, free}, {free, inventory.Adjustment},
	}[g.pick("accounts", 9)]
	return move(sku, location, pair[0], pair[1], int64(1+g.pick("quantity", 5)))
}

func (g *generator) decorate(c *store.PositionChange) {
	if g.pick("guarded", 3) == 0 {
		c.Need = int64(g.pick("need", 6))
	}
	if g.rarely("worked out") {
		had := int64(g.pick("had", 6))
		c.Had = &had
	}
	if g.rarely("safety") {
		safety := int64(g.pick("safety stock", 3))
		c.Safety = &safety
	}
	if g.rarely("counted") {
		c.AsOf = g.time("as of")
	}
	c.Changed = g.time("changed")
}

func (g *generator) query() store.Query {
	q := store.Query{Kind: []store.Kind{order, place}[g.pick("q kind", 2)], Limit: 1 + g.pick("q limit", 6), Ascending: g.pick("q ascending", 2) == 0}
	if g.pick("q state", 3) == 0 {
		q.State = []string{"open", "packed", "done"}[g.pick("q state value", 3)]
	}
	if g.pick("q term", 3) == 0 {
		q.Term = fmt.Sprint(g.prefix, "t", g.pick("q term value", 3))
	}
	if g.pick("q from", 3) == 0 {
		q.CreatedFrom = g.time("q from value")
	}
	if g.pick("q before", 3) == 0 {
		q.CreatedBefore = g.time("q before value")
	}
	if g.pick("q page", 3) == 0 {
		q.Before = g.key(g.pick("q bucket", g.buckets), "q page").ID
	}
	if g.pick("q external", 6) == 0 {
		q.Channel, q.ExternalID = "web", "ext-"+g.key(0, "q external").ID
	}
	return q
}

// compare checks a few random questions.
func (g *generator) compare(b *bench) {
	q := g.query()
	records, err := b.s.Find(b.ctx, q)
	b.must(err)
	var ids []string
	for _, r := range records {
		ids = append(ids, r.ID)
		same(g.t, "found", r, g.m.records[r.Key])
	}
	same(g.t, fmt.Sprintf("Find %+v", q), ids, g.m.find(q))

	bucket := g.pick("c bucket", g.buckets)
	now := g.time("c now")
	keys, err := b.s.Due(b.ctx, bucket, now, 50)
	b.must(err)
	var wakes []string
	for _, key := range keys {
		wakes = append(wakes, g.m.records[key].Wake.Format(time.RFC3339Nano))
	}
	same(g.t, "due", wakes, g.m.due(bucket, now, 50))

	key := g.key(bucket, "c")
	loaded, err := b.s.Load(b.ctx, []store.Key{key})
	b.must(err)
	if want, exists := g.m.records[key]; exists != (len(loaded) == 1) || exists && !bytes.Equal(want.Body, loaded[0].Body) {
		g.t.Fatalf("Load %v: %v, want %v", key, loaded, want)
	}

	position := inventory.PositionKey{SKU: g.prefix + "S0", Location: "L0"}
	since := g.time("c since")
	changes, err := b.s.OnHandSince(b.ctx, []inventory.PositionKey{position}, since)
	b.must(err)
	same(g.t, "OnHandSince", changes[position], g.m.onHandSince(position, since))
	after := int64(g.pick("c after", 5))
	lines, err := b.s.Journal(b.ctx, position, after, 3)
	b.must(err)
	want := g.m.journal[position]
	want = want[min(len(want), int(after)):]
	same(g.t, "journal", lines, want[:min(3, len(want))])
}

// compareAll checks everything there is.
func (m *model) compareAll(b *bench) {
	seen := b.scan(order, place)
	same(b, "number of records", len(seen.records), len(m.records))
	for key, want := range m.records {
		same(b, "record", seen.records[key], want)
	}
	same(b, "number of positions", len(seen.positions), len(m.positions))
	for key, want := range m.positions {
		same(b, "position", seen.positions[key], want)
		same(b, "journal", b.journal(key.SKU, key.Location, 0, 10_000), m.journal[key])
	}
	for bucket, want := range m.log {
		same(b, "head", seen.heads[bucket], len(want))
		for after := 0; after < len(want); after += 500 {
			same(b, "log", b.log(bucket, int64(after), 500), want[after:min(len(want), after+500)])
		}
	}
	for _, want := range m.answers {
		got, err := b.s.Answer(b.ctx, want.Bucket, want.Key)
		b.must(err)
		same(b, "answer", *got, want)
	}
}
