package inventory

import (
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// shardCount is how many independently locked parts a book has: enough that a
// reader seldom meets the writer, few enough to cost nothing when empty.
const shardCount = 256

// Book is all positions and future supply of a node, in memory.
//
// Its life: NewBook, then Load for every stored position, then changes by one
// writer while any number of readers read. The writer's methods are Load, Apply,
// SetSafety, SetCounted, SetChanged, AddLocations, PutSupply and RemoveSupply: at
// most one of them may run at a time. All other methods may run at any time.
//
// A position takes about 40 bytes, a SKU about 100 more. Entries of a SKU are
// sorted by location id. Nothing is ever removed: a position at zero stays.
type Book struct {
	shards [shardCount]shard
	// seed only spreads SKUs over shards; nothing that can be observed depends on it.
	seed      maphash.Seed
	positions atomic.Int64

	indexMu   sync.RWMutex
	index     map[string]int32 // location id -> index
	directory atomic.Pointer[directory]

	loading loading           // the writer's
	supply  map[string]string // supply id -> SKU; the writer's
}

// shard is the part of a book that holds the SKUs of one hash value.
type shard struct {
	mu     sync.RWMutex
	skus   map[string]*item
	wide   []counters // see entry
	supply map[string][]incoming
}

// item is the stock of one SKU: entries in ascending order of location id, one per location.
type item struct {
	entries []entry
}

// loading is the SKU that Load is filling. Its entries live in a buffer that
// serves one SKU after the other, and move to memory of their exact size when
// the SKU is complete.
type loading struct {
	sku    string
	shard  *shard
	item   *item // nil: no SKU is being loaded
	buffer []entry
}

// NewBook returns an empty book.
func NewBook() *Book {
	b := &Book{seed: maphash.MakeSeed(), index: map[string]int32{}, supply: map[string]string{}}
	for i := range b.shards {
		b.shards[i].skus = map[string]*item{}
		b.shards[i].supply = map[string][]incoming{}
	}
	b.directory.Store(&directory{})
	return b
}

func (b *Book) shard(sku string) *shard {
	return &b.shards[maphash.String(b.seed, sku)%shardCount]
}

// Load puts a position into the book as it is, replacing what was there. It is
// fast when positions come grouped by SKU. Readers see it at once. Times are
// kept to the microsecond.
func (b *Book) Load(p Position) {
	l := b.intern(p.Location)
	in := &b.loading
	if in.item == nil || in.sku != p.SKU {
		b.settle()
		in.sku, in.shard = p.SKU, b.shard(p.SKU)
		in.shard.mu.Lock()
		in.item = in.shard.item(p.SKU)
		in.buffer = append(in.buffer[:0], in.item.entries...)
		in.item.entries = in.buffer
		in.shard.mu.Unlock()
	}
	in.shard.mu.Lock()
	defer in.shard.mu.Unlock()
	e := b.entry(in.item, l)
	in.buffer = in.item.entries
	in.shard.setCounters(e, counters{Delta{p.OnHand, p.Reserved, p.Allocated, p.Picked}, p.Safety})
	e.asOf, e.changed = micros(p.AsOf), micros(p.Changed)
}

// settle ends the loading of a SKU: its entries leave the shared buffer.
func (b *Book) settle() {
	in := &b.loading
	if in.item == nil {
		return
	}
	in.shard.mu.Lock()
	in.item.entries = slices.Clone(in.item.entries)
	in.shard.mu.Unlock()
	in.sku, in.shard, in.item = "", nil, nil
}

// item returns the SKU's item, new or known. The shard is locked.
func (s *shard) item(sku string) *item {
	it := s.skus[sku]
	if it == nil {
		it = &item{}
		s.skus[strings.Clone(sku)] = it // the caller's string may be a piece of a whole request body
	}
	return it
}

// entry returns the item's entry at a location, new or known. The item's shard is locked.
func (b *Book) entry(it *item, l int32) *entry {
	i, found := b.directory.Load().search(it.entries, l)
	if !found {
		if n := len(it.entries); n == cap(it.entries) {
			// An eighth at a time: doubling would cost a third of all memory.
			it.entries = append(make([]entry, 0, n+n/8+1), it.entries...)
		}
		it.entries = slices.Insert(it.entries, i, entry{location: l})
		b.positions.Add(1)
	}
	return &it.entries[i]
}

// open locks the position's shard for writing and returns its entry, new or known.
func (b *Book) open(key PositionKey) (*shard, *entry) {
	l := b.intern(key.Location)
	s := b.shard(key.SKU)
	s.mu.Lock()
	return s, b.entry(s.item(key.SKU), l)
}

// Apply adds the delta to a position, which is created when missing, and returns
// the position afterwards. It does not ask whether the change is allowed.
func (b *Book) Apply(key PositionKey, d Delta) Position {
	s, e := b.open(key)
	defer s.mu.Unlock()
	c := s.counters(e)
	c.Delta = c.Plus(d)
	s.setCounters(e, c)
	return s.position(key, e)
}

// SetSafety replaces the safety stock of a position, which is created when missing.
func (b *Book) SetSafety(key PositionKey, units int64) {
	s, e := b.open(key)
	defer s.mu.Unlock()
	c := s.counters(e)
	c.safety = units
	s.setCounters(e, c)
}

// SetCounted replaces the time of the last absolute count of a position, which
// is created when missing.
func (b *Book) SetCounted(key PositionKey, asOf time.Time) {
	s, e := b.open(key)
	defer s.mu.Unlock()
	e.asOf = micros(asOf)
}

// SetChanged replaces the time of the last change of OnHand of a position, which
// is created when missing.
func (b *Book) SetChanged(key PositionKey, t time.Time) {
	s, e := b.open(key)
	defer s.mu.Unlock()
	e.changed = micros(t)
}

// Len returns the number of positions.
func (b *Book) Len() int { return int(b.positions.Load()) }

// Get returns a position and whether it exists.
func (b *Book) Get(key PositionKey) (Position, bool) {
	l := b.LocationIndex(key.Location)
	if l == NoLocation {
		return Position{}, false
	}
	s := b.shard(key.SKU)
	s.mu.RLock()
	defer s.mu.RUnlock()
	it := s.skus[key.SKU]
	if it == nil {
		return Position{}, false
	}
	i, found := b.directory.Load().search(it.entries, l)
	if !found {
		return Position{}, false
	}
	return s.position(key, &it.entries[i]), true
}

// AppendPositions appends the positions of a SKU, as of one instant, in ascending
// order of location id.
func (b *Book) AppendPositions(dst []Position, sku string) []Position {
	s := b.shard(sku)
	s.mu.RLock()
	defer s.mu.RUnlock()
	it := s.skus[sku]
	if it == nil {
		return dst
	}
	// Read under the lock: the view then holds every location of the entries.
	d := b.directory.Load()
	dst = slices.Grow(dst, len(it.entries))
	for i := range it.entries {
		e := &it.entries[i]
		dst = append(dst, s.position(PositionKey{sku, d.ids[e.location]}, e))
	}
	return dst
}

// Each calls yield for the positions of a SKU, as of one instant, in ascending
// order of location id, until it returns false. No lock is held meanwhile, so
// yield may use the book.
func (b *Book) Each(sku string, yield func(Position) bool) {
	for _, p := range b.AppendPositions(nil, sku) {
		if !yield(p) {
			return
		}
	}
}

// EachAll calls yield for all positions in ascending order of SKU and location
// id until it returns false. It is for audits: it sorts all SKUs first, and every
// SKU is read at its own instant. SKUs that arrive meanwhile may be missing.
func (b *Book) EachAll(yield func(Position) bool) {
	var skus []string
	for i := range b.shards {
		s := &b.shards[i]
		s.mu.RLock()
		for sku := range s.skus {
			skus = append(skus, sku)
		}
		s.mu.RUnlock()
	}
	slices.Sort(skus)
	var buffer []Position
	for _, sku := range skus {
		buffer = b.AppendPositions(buffer[:0], sku)
		for _, p := range buffer {
			if !yield(p) {
				return
			}
		}
	}
}

// Stock is what may be promised at one location.
type Stock struct {
	Location int32 // book index
	Units    int64
}

// AppendStocked appends the locations where something of the SKU is available,
// and how much (Position.Available), in ascending order of location id.
func (b *Book) AppendStocked(dst []Stock, sku string) []Stock {
	s := b.shard(sku)
	s.mu.RLock()
	defer s.mu.RUnlock()
	it := s.skus[sku]
	if it == nil {
		return dst
	}
	for i := range it.entries {
		if units := s.available(&it.entries[i]); units > 0 {
			dst = append(dst, Stock{it.entries[i].location, units})
		}
	}
	return dst
}

// Available sets out[i] to Position.Available of the SKU at locations[i], or 0
// where there is no position, all as of one instant. It may be negative. It is
// fastest when locations ascend by location id (see SortLocations). out must be
// at least as long as locations.
func (b *Book) Available(sku string, locations []int32, out []int64) {
	b.read(sku, locations, time.Time{}, out, nil)
}

// read is Available plus the supply expected at or before by, unless by is zero.
// safety, unless nil, gets the positions' own safety stocks, as of the same instant.
// It returns the latest Changed of the positions read, as micros.
func (b *Book) read(sku string, locations []int32, by time.Time, out, safety []int64) (changed int64) {
	out = out[:len(locations)]
	clear(out)
	clear(safety)
	s := b.shard(sku)
	s.mu.RLock()
	defer s.mu.RUnlock()
	if it := s.skus[sku]; it != nil {
		changed = s.fill(b.directory.Load(), it.entries, locations, out, safety)
	}
	if !by.IsZero() {
		s.addSupply(sku, locations, by, out)
	}
	return changed
}

// fill sets out[i] where there is an entry for locations[i], walking both lists
// side by side as long as locations ascend, and safety[i] unless that is nil. It
// returns the latest changed.
func (s *shard) fill(d *directory, entries []entry, locations []int32, out, safety []int64) (changed int64) {
	at, last := 0, int32(-1)
	for i, l := range locations {
		if !d.knows(l) {
			continue
		}
		rank := d.rank[l]
		switch {
		case rank < last:
			at = d.seek(entries, 0, at, rank)
		case at < len(entries) && d.rank[entries[at].location] < rank:
			at = d.gallop(entries, at+1, rank)
		}
		last = rank
		if at < len(entries) && entries[at].location == l {
			e := &entries[at]
			out[i] = s.available(e)
			if safety != nil {
				safety[i] = s.counters(e).safety
			}
			changed = max(changed, e.changed)
			at++ // the likely place of the next
		}
	}
	return changed
}
