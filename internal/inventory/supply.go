package inventory

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

// SupplyKind says where expected stock comes from.
type SupplyKind string

// The kinds of supply.
const (
	PurchaseOrder SupplyKind = "purchase_order" // bought from a supplier
	Transfer      SupplyKind = "transfer"       // moved from another location
)

// Supply is stock that is expected at a location but not there yet.
type Supply struct {
	ID         string     `json:"id"`
	SKU        string     `json:"sku"`
	Location   string     `json:"location"`
	Quantity   int64      `json:"quantity"` // stock units still to come, > 0
	ExpectedAt time.Time  `json:"expected_at"`
	Kind       SupplyKind `json:"kind"`
	Reference  string     `json:"reference,omitempty"` // the sender's number
}

// Validate reports a supply that the book could not count.
func (s Supply) Validate() error {
	switch {
	case s.ID == "" || s.SKU == "" || s.Location == "":
		return fmt.Errorf("supply without id, sku or location")
	case s.Quantity <= 0 || s.Quantity > MaxQuantity:
		return fmt.Errorf("supply of %d units: must be between 1 and %d", s.Quantity, MaxQuantity)
	case s.ExpectedAt.IsZero():
		return fmt.Errorf("supply without a date")
	case s.Kind != PurchaseOrder && s.Kind != Transfer:
		return fmt.Errorf("unknown kind of supply %q", s.Kind)
	}
	return nil
}

// incoming is a supply as a shard keeps it. A SKU's are sorted by date, then id.
type incoming struct {
	Supply
	location int32 // book index
}

// PutSupply adds a supply or replaces the one with its id, whatever SKU or
// location that was for. A reader may see neither for a moment, never both. A
// writer's method.
func (b *Book) PutSupply(s Supply) {
	b.RemoveSupply(s.ID)
	in := incoming{s, b.intern(s.Location)}
	sh := b.shard(s.SKU)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	list := sh.supply[s.SKU]
	at, _ := slices.BinarySearchFunc(list, in, func(a, b incoming) int {
		return cmp.Or(a.ExpectedAt.Compare(b.ExpectedAt), cmp.Compare(a.ID, b.ID))
	})
	sh.supply[s.SKU] = slices.Insert(list, at, in)
	b.supply[s.ID] = s.SKU
}

// RemoveSupply takes a supply out, when it has arrived or is cancelled, and
// reports whether it was there. A writer's method.
func (b *Book) RemoveSupply(id string) bool {
	sku, ok := b.supply[id]
	if !ok {
		return false
	}
	delete(b.supply, id)
	sh := b.shard(sku)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	list := slices.DeleteFunc(sh.supply[sku], func(in incoming) bool { return in.ID == id })
	if len(list) == 0 {
		delete(sh.supply, sku)
	} else {
		sh.supply[sku] = list
	}
	return true
}

// EachSupply calls yield for the supply of a SKU, soonest first and then by id,
// until it returns false. No lock is held meanwhile.
func (b *Book) EachSupply(sku string, yield func(Supply) bool) {
	sh := b.shard(sku)
	sh.mu.RLock()
	list := slices.Clone(sh.supply[sku])
	sh.mu.RUnlock()
	for _, in := range list {
		if !yield(in.Supply) {
			return
		}
	}
}

// AvailableBy is what may be promised from a position at time t: what is
// available now plus the supply expected at or before t. Supply that is overdue
// counts until it is removed. It may be negative.
func (b *Book) AvailableBy(sku, location string, t time.Time) int64 {
	var out [1]int64
	b.read(sku, []int32{b.LocationIndex(location)}, t, out[:], nil)
	return out[0]
}

// addSupply adds what is expected at locations[i] at or before by to out[i].
func (s *shard) addSupply(sku string, locations []int32, by time.Time, out []int64) {
	for _, in := range s.supply[sku] {
		if in.ExpectedAt.After(by) {
			return
		}
		if i := slices.Index(locations, in.location); i >= 0 {
			out[i] = plus(out[i], in.Quantity)
		}
	}
}

// plus is a + b for b ≥ 0, held at the largest int64.
func plus(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
