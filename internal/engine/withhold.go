package engine

import (
	"encoding/binary"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/orderly-oms/orderly/internal/catalog"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/policy"
)

const (
	// maxWithheldSKUs bounds the SKUs whose rows one Withholding remembers; then anew. A SKU takes
	// about 100 bytes, and most share the list of rows.
	maxWithheldSKUs = 200_000
	// maxWithheldBytes bounds the different lists of rows that are remembered; then anew.
	maxWithheldBytes = 32 << 20
	// maxWithholdings bounds the channels and policies that are remembered; then anew.
	maxWithholdings = 1000
)

// Withholding is what the availability policy in force keeps from a channel. It is the one
// answer to what a channel may have, for availability, reservations, promises and
// sourcing alike. Safe for concurrent use.
type Withholding struct {
	policy    *policy.CompiledAvailability
	channel   policy.Order
	rows      []inventory.Holdback // 0: no row of the policy matches
	locations []*network.Location
	places    map[string]*policy.Location
	indexes   []int32 // of locations in the book
	most      int     // the highest index
	catalog   *catalog.Catalog
	facts     func(sku string) *policy.SKU

	mu      sync.RWMutex
	bySKU   map[string]*inventory.Withheld
	byRows  map[string]*inventory.Withheld // by the bytes of By
	bytes   int
	version int64 // of the catalog that all of it was found with
}

// withholdings remembers what is withheld for one state of reference data.
type withholdings struct {
	directory *network.Directory
	book      *inventory.Book
	catalog   *catalog.Catalog
	count     atomic.Int64
	known     sync.Map // withholdingKey → *Withholding
}

type withholdingKey struct {
	channel string
	policy  *policy.Compiled
}

// Withholding returns what is kept from a channel at a time; nil: nothing beside safety
// stock and the channel's own buffer. Of that buffer and the policy's the larger counts.
func (e *Engine) Withholding(channel string, now time.Time) *Withholding {
	set := e.Policies()
	if !set.Has(policy.KindAvailability) {
		return nil
	}
	c, _, ok := set.Choose(policy.KindAvailability, &policy.Facts{Order: &policy.Order{Channel: channel}, Now: now})
	if !ok {
		return nil
	}
	w, rules := e.withholdings()
	key := withholdingKey{channel, c}
	if known, ok := w.known.Load(key); ok {
		return known.(*Withholding)
	}
	known, loaded := w.known.LoadOrStore(key, e.newWithholding(w, c.Availability, channel))
	if !loaded && w.count.Add(1) > maxWithholdings {
		rules.withheld.CompareAndSwap(w, nil)
	}
	return known.(*Withholding)
}

func (e *Engine) withholdings() (*withholdings, *ruleCache) {
	rules := e.rules()
	d, book, cat := e.Directory(), e.Book(), e.Catalog()
	was := rules.withheld.Load()
	if was != nil && was.directory == d && was.book == book && was.catalog == cat {
		return was, rules
	}
	next := &withholdings{directory: d, book: book, catalog: cat}
	rules.withheld.CompareAndSwap(was, next) // a lost race only costs finding it again
	return next, rules
}

func (e *Engine) newWithholding(all *withholdings, a *policy.CompiledAvailability, channel string) *Withholding {
	w := &Withholding{
		policy: a, channel: policy.Order{Channel: channel}, locations: all.directory.Locations(), places: e.placesOf(all.directory),
		catalog: all.catalog, version: all.catalog.Version(),
	}
	w.facts = func(sku string) *policy.SKU { return e.skuFacts(sku, false) }
	buffer := int64(0)
	if ch, ok := all.directory.Channel(channel); ok {
		buffer = max(ch.Buffer, 0)
	}
	w.rows = append(w.rows, inventory.Holdback{Buffer: buffer})
	for i := range a.Rules {
		h := a.Rules[i].Holdback()
		h.Buffer = max(h.Buffer, buffer)
		w.rows = append(w.rows, h)
	}
	for _, l := range w.locations {
		index := all.book.LocationIndex(l.ID)
		w.indexes = append(w.indexes, index)
		w.most = max(w.most, int(index))
	}
	w.clear()
	return w
}

func (w *Withholding) clear() {
	w.bySKU, w.byRows, w.bytes = map[string]*inventory.Withheld{}, map[string]*inventory.Withheld{}, 0
}

// Of is what is kept of a SKU that is stocked; kits come apart before.
func (w *Withholding) Of(sku string) *inventory.Withheld {
	version := w.catalog.Version()
	w.mu.RLock()
	known := w.bySKU[sku]
	if w.version != version {
		known = nil
	}
	w.mu.RUnlock()
	if known != nil {
		return known
	}
	found := w.find(sku)
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.version > version:
		return found // read before a change: right for this answer, not for the next
	case w.version < version || len(w.bySKU) >= maxWithheldSKUs || w.bytes >= maxWithheldBytes:
		w.clear()
		w.version = version
	}
	rows := rowBytes(found.By)
	if same := w.byRows[rows]; same != nil {
		found = same
	} else {
		w.byRows[rows] = found
		w.bytes += 2 * len(rows)
	}
	w.bySKU[strings.Clone(sku)] = found // the caller's string may be a piece of a whole request body
	return found
}

// find asks the policy about every location.
func (w *Withholding) find(sku string) *inventory.Withheld {
	out := &inventory.Withheld{Holdbacks: w.rows, By: make([]uint16, w.most+1)}
	f := policy.Facts{Order: &w.channel, SKU: w.facts(sku)}
	for i, l := range w.locations {
		if w.indexes[i] < 0 {
			continue
		}
		f.Location = w.places[l.ID]
		row, _ := w.policy.ChooseRow(&f) // a row that cannot be evaluated does not match
		out.By[w.indexes[i]] = uint16(row + 1)
	}
	return out
}

// rowBytes is a list of rows as a key.
func rowBytes(by []uint16) string {
	key := make([]byte, 0, 2*len(by))
	for _, row := range by {
		key = binary.LittleEndian.AppendUint16(key, row)
	}
	return string(key)
}

// of is Of as an inquiry wants it; nil when nothing is withheld.
func (w *Withholding) of() func(sku string) *inventory.Withheld {
	if w == nil {
		return nil
	}
	return w.Of
}

// left is what the channel may have of a position with units free beyond its own safety stock.
func (w *Withholding) left(sku string, location int32, units, safety, buffer int64) int64 {
	h := &inventory.Holdback{Buffer: buffer}
	if w != nil {
		h = w.Of(sku).At(location)
	}
	return h.Left(units+safety, safety)
}
