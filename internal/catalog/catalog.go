package catalog

import (
	"hash/maphash"
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/orderly-oms/orderly/internal/problem"
)

// shards keeps writers of a bulk import from stopping readers for long.
const shards = 64

// Catalog keeps SKUs in memory. All methods are safe for concurrent use.
type Catalog struct {
	seed   maphash.Seed // only spreads SKUs over shards; nothing a caller sees depends on it
	count  atomic.Int64
	puts   atomic.Int64
	shards [shards]struct {
		sync.RWMutex
		packed map[string]string // by SKU, each key a part of its value
	}
	// used counts, for each SKU that is a part of kits, how many.
	usedMu sync.RWMutex
	used   map[string]int
	// styles lists, for each value of the attribute "style", the SKUs that have it, sorted.
	stylesMu sync.RWMutex
	styles   map[string][]string
}

// StyleAttribute is the attribute whose value the sizes of one article share.
const StyleAttribute = "style"

// New returns an empty catalog.
func New() *Catalog {
	c := &Catalog{seed: maphash.MakeSeed(), used: make(map[string]int), styles: make(map[string][]string)}
	for i := range c.shards {
		c.shards[i].packed = make(map[string]string)
	}
	return c
}

func (c *Catalog) shard(sku string) int { return int(maphash.String(c.seed, sku) % shards) }

// packed returns the packed SKU of an id, "" when there is none.
func (c *Catalog) packed(sku string) string {
	sh := &c.shards[c.shard(sku)]
	sh.RLock()
	defer sh.RUnlock()
	return sh.packed[sku]
}

// Get returns the SKU of an id. What it returns belongs to the caller.
func (c *Catalog) Get(sku string) (s SKU, ok bool) {
	packed := c.packed(sku)
	if packed == "" {
		return SKU{}, false
	}
	return unpack(packed), true
}

// Has reports whether the catalog has the SKU.
func (c *Catalog) Has(sku string) bool { return c.packed(sku) != "" }

// Len returns how many SKUs there are.
func (c *Catalog) Len() int { return int(c.count.Load()) }

// Version changes after every Put, so that what was read of the catalog at a version is
// right for as long as the version is the same.
func (c *Catalog) Version() int64 { return c.puts.Load() }

// Check reports components that are kits themselves, and a kit that is a part of
// another; both would nest kits. Components that are not in the catalog yet are
// no fault, because files list SKUs in any order. A caller that must exclude
// nesting lets only one goroutine Check and Put.
func (c *Catalog) Check(s *SKU) error {
	var v problem.Invalid
	for i, part := range s.Components {
		if packed := c.packed(part.SKU); packed != "" && isKit(packed) {
			v.Add(problem.At("components", i)+".sku", problem.Conflict, "%q is a kit; kits do not nest", part.SKU)
		}
	}
	c.usedMu.RLock()
	kits := c.used[s.SKU]
	c.usedMu.RUnlock()
	if s.IsKit() && kits > 0 {
		v.Add("components", problem.Conflict, "the SKU is a part of %d kits; kits do not nest", kits)
	}
	return v.Err()
}

// Put adds a valid SKU or replaces the one of its id.
func (c *Catalog) Put(s *SKU) {
	packed := pack(s)
	sh := &c.shards[c.shard(s.SKU)]
	sh.Lock()
	defer sh.Unlock()
	old := sh.packed[s.SKU]
	if old == "" {
		c.count.Add(1)
	} else {
		delete(sh.packed, s.SKU) // else the key would keep the old value in memory
	}
	sh.packed[key(packed)] = packed
	c.puts.Add(1)
	c.countParts(old, -1)
	c.countParts(packed, +1)
	c.restyle(s.SKU, styleOf(old), s.Attributes[StyleAttribute])
}

// styleOf is the style of a packed SKU, "" without one.
func styleOf(packed string) string {
	if packed == "" || packed[0]&hasAttributes == 0 {
		return ""
	}
	s := unpack(packed)
	return s.Attributes[StyleAttribute]
}

// restyle moves a SKU from one style to another.
func (c *Catalog) restyle(sku, from, to string) {
	if from == to {
		return
	}
	c.stylesMu.Lock()
	defer c.stylesMu.Unlock()
	if from != "" {
		rest := slices.DeleteFunc(slices.Clone(c.styles[from]), func(s string) bool { return s == sku })
		if c.styles[from] = rest; len(rest) == 0 {
			delete(c.styles, from)
		}
	}
	if to != "" {
		at, _ := slices.BinarySearch(c.styles[to], sku)
		c.styles[strings.Clone(to)] = slices.Insert(slices.Clone(c.styles[to]), at, strings.Clone(sku))
	}
}

// Siblings returns the SKUs whose attribute "style" has the value, sorted. Do not change it.
func (c *Catalog) Siblings(style string) []string {
	c.stylesMu.RLock()
	defer c.stylesMu.RUnlock()
	return c.styles[style]
}

// Delete removes a SKU and reports whether there was one.
func (c *Catalog) Delete(sku string) bool {
	sh := &c.shards[c.shard(sku)]
	sh.Lock()
	defer sh.Unlock()
	old := sh.packed[sku]
	if old == "" {
		return false
	}
	delete(sh.packed, sku)
	c.count.Add(-1)
	c.countParts(old, -1)
	c.restyle(sku, styleOf(old), "")
	return true
}

// countParts adds n to the count of each component of a packed kit.
func (c *Catalog) countParts(packed string, n int) {
	if packed == "" || !isKit(packed) {
		return
	}
	c.usedMu.Lock()
	defer c.usedMu.Unlock()
	for _, part := range unpack(packed).Components {
		id := strings.Clone(part.SKU) // a part of the packed kit must not keep all of it
		if c.used[id] += n; c.used[id] == 0 {
			delete(c.used, id)
		}
	}
}

// Page returns up to limit SKUs whose ids come after the given one, sorted by id:
// the pages of a list. It looks at every id, so it costs time in proportion to
// the catalog: a quarter of a second for a million, no shard locked longer than a
// few milliseconds. To walk the whole catalog use All.
func (c *Catalog) Page(after string, limit int) []SKU {
	if limit <= 0 {
		return nil
	}
	var ids []string // the lowest so far, at most twice as many as asked for
	highest := ""    // once there are enough, ids beyond this one are on a later page
	for i := range c.shards {
		sh := &c.shards[i]
		sh.RLock()
		for id := range sh.packed {
			if id <= after || (highest != "" && id > highest) {
				continue
			}
			ids = append(ids, id)
			if len(ids) >= 2*limit {
				slices.Sort(ids)
				ids, highest = ids[:limit], ids[limit-1]
			}
		}
		sh.RUnlock()
	}
	slices.Sort(ids)
	ids = ids[:min(limit, len(ids))]
	page := make([]SKU, 0, len(ids))
	for _, id := range ids {
		if s, ok := c.Get(id); ok {
			page = append(page, s)
		}
	}
	return page
}

// All returns every SKU sorted by id, for exports. SKUs put while it runs may or
// may not be among them.
func (c *Catalog) All() iter.Seq[SKU] {
	return func(yield func(SKU) bool) {
		ids := make([]string, 0, c.Len())
		for i := range c.shards {
			sh := &c.shards[i]
			sh.RLock()
			for id := range sh.packed {
				ids = append(ids, id)
			}
			sh.RUnlock()
		}
		slices.Sort(ids)
		for _, id := range ids {
			if s, ok := c.Get(id); ok && !yield(s) {
				return
			}
		}
	}
}
