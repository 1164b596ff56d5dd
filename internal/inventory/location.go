package inventory

import (
	"cmp"
	"slices"
	"strings"
)

// NoLocation is the index of a location that the book has never seen. Reads
// accept it and find nothing there.
const NoLocation int32 = -1

// directory is an immutable view of the locations a book knows. A location keeps
// its index for the life of the book, but its rank moves up as locations with
// smaller ids arrive. The order of two ranks never changes, so entries sorted by
// rank stay sorted.
type directory struct {
	ids   []string // by index
	order []int32  // indexes, ascending by id
	rank  []int32  // by index: the place in order
}

// knows reports whether l is an index of the directory.
func (d *directory) knows(l int32) bool { return uint32(l) < uint32(len(d.rank)) }

// search returns where in entries location l is or belongs, and whether it is there.
func (d *directory) search(entries []entry, l int32) (int, bool) {
	i := d.seek(entries, 0, len(entries), d.rank[l])
	return i, i < len(entries) && entries[i].location == l
}

// seek returns the first i in [low, high) whose entry has at least the rank, or high.
func (d *directory) seek(entries []entry, low, high int, rank int32) int {
	for low < high {
		middle := int(uint(low+high) >> 1)
		if d.rank[entries[middle].location] < rank {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low
}

// gallop is seek from low on, fast when the answer is near low or the SKU is
// stocked nearly everywhere.
func (d *directory) gallop(entries []entry, low int, rank int32) int {
	if low == len(entries) {
		return low
	}
	// Ranks differ, so the answer is at most this far; exactly so without gaps.
	high := low + int(rank-d.rank[entries[low].location])
	if high <= low {
		return low
	}
	if high < len(entries) && d.rank[entries[high-1].location] < rank {
		return high
	}
	for step := 1; low+step < min(high, len(entries)); step *= 2 {
		if d.rank[entries[low+step].location] >= rank {
			high = low + step
			break
		}
		low += step
	}
	return d.seek(entries, low, min(high, len(entries)), rank)
}

// AddLocations makes the locations known, in any order; known ones are left
// alone. Load and Apply do it by themselves, one at a time in O(locations);
// handing in thousands at once costs as much as one. A writer's method.
func (b *Book) AddLocations(ids ...string) {
	old := b.directory.Load()
	next := &directory{ids: old.ids, order: slices.Clone(old.order)}
	b.indexMu.Lock()
	defer b.indexMu.Unlock()
	for _, id := range ids {
		if _, ok := b.index[id]; ok {
			continue
		}
		id = strings.Clone(id) // the caller's string may be a piece of a whole request body
		l := int32(len(next.ids))
		b.index[id] = l
		// Appending behind what older views see is safe: they are shorter.
		next.ids = append(next.ids, id)
		at, _ := slices.BinarySearchFunc(next.order, id, func(o int32, id string) int { return cmp.Compare(next.ids[o], id) })
		next.order = slices.Insert(next.order, at, l)
	}
	if len(next.ids) == len(old.ids) {
		return
	}
	next.rank = make([]int32, len(next.order))
	for place, l := range next.order {
		next.rank[l] = int32(place)
	}
	b.directory.Store(next)
}

// intern returns the index of a location, new or known. A writer's method: as
// only the writer changes the index, the writer reads it without the lock.
func (b *Book) intern(id string) int32 {
	if l, ok := b.index[id]; ok {
		return l
	}
	b.AddLocations(id)
	return b.index[id]
}

// LocationIndex returns the book's index of a location, or NoLocation. Indexes
// never change, so callers keep them; NoLocation may become an index later.
func (b *Book) LocationIndex(id string) int32 {
	b.indexMu.RLock()
	defer b.indexMu.RUnlock()
	if l, ok := b.index[id]; ok {
		return l
	}
	return NoLocation
}

// LocationID returns the id of an index, or "" when the book gave no such index.
func (b *Book) LocationID(l int32) string {
	d := b.directory.Load()
	if !d.knows(l) {
		return ""
	}
	return d.ids[l]
}

// AppendLocations appends the indexes of all known locations, ascending by id.
func (b *Book) AppendLocations(dst []int32) []int32 {
	return append(dst, b.directory.Load().order...)
}

// SortLocations sorts indexes ascending by location id, the order in which bulk
// reads are fastest. Indexes the book did not give come first.
func (b *Book) SortLocations(locations []int32) {
	d := b.directory.Load()
	rank := func(l int32) int32 {
		if !d.knows(l) {
			return -1
		}
		return d.rank[l]
	}
	slices.SortFunc(locations, func(a, b int32) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b))
	})
}
