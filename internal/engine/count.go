package engine

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/plant"
	"github.com/orderly-oms/orderly/internal/problem"
	"github.com/orderly-oms/orderly/internal/store"
)

// CountedItem is what was found of a SKU at a location.
type CountedItem struct {
	SKU      string `json:"sku"`
	Location string `json:"location"`
	OnHand   int64  `json:"on_hand"` // ≥ 0, everything in the building
}

// Count is an absolute snapshot of stock as it was at AsOf.
type Count struct {
	AsOf  time.Time     `json:"as_of"`
	Items []CountedItem `json:"items"`
	// Complete says that positions of the counted locations that are not listed are empty.
	Complete bool `json:"complete,omitempty"`
	// Confirm lets a count through that would empty most of a location.
	Confirm   bool   `json:"confirm,omitempty"`
	Reference string `json:"reference,omitempty"`
}

// StaleItem is an item of a count that came too late: a newer count is known.
type StaleItem struct {
	SKU       string    `json:"sku"`
	Location  string    `json:"location"`
	CountedAt time.Time `json:"counted_at"` // of the newer count
}

// CountResult answers a Count.
type CountResult struct {
	ID        string      `json:"id"`
	Applied   int         `json:"applied"`   // positions whose on_hand changed
	Unchanged int         `json:"unchanged"` // positions that were right
	Emptied   int         `json:"emptied"`   // positions that had stock and have none now
	Stale     []StaleItem `json:"stale"`     // refused
}

// Count applies an absolute snapshot. Holds in flight stay: only on_hand is set,
// and what changed it after AsOf is applied on top of what was counted. Items
// older than the position's last count are refused and listed. The reply's value is *CountResult.
func (e *Engine) Count(ctx context.Context, c *Count, m Meta) (*Reply, error) {
	if err := e.validateCount(c); err != nil {
		return nil, err
	}
	asOf := c.AsOf.UTC().Truncate(time.Microsecond)
	items, stocked := e.counted(c)
	return e.feed(ctx, m, func(tx *Tx, key store.Key, id string) (*Reply, error) {
		result := &CountResult{ID: id, Stale: []StaleItem{}}
		fresh, positions := tx.fresh(items, asOf, result)
		since, err := tx.changedSince(positions, asOf)
		if err != nil {
			return nil, err
		}
		event := stockEvent{Type: EventCounted, AsOf: asOf, Reference: c.Reference, Counted: fresh, Stale: result.Stale}
		var moves []inventory.Movement
		zeroed := map[string]int{}
		for i, it := range fresh {
			k := positions[i].Key()
			if plant.On(plant.CountOverwrites) {
				clear(since)
			}
			target := max(it.OnHand+since[k], 0)
			if target > inventory.MaxQuantity {
				return nil, &order.Refusal{Code: CodeNegativeStock, Pointer: "items", Message: fmt.Sprintf("%s at %s would exceed %d", it.SKU, it.Location, inventory.MaxQuantity)}
			}
			if diff := target - positions[i].OnHand; diff != 0 {
				moves = append(moves, onHandMovement(it.SKU, it.Location, diff, inventory.Adjustment, "count"))
				result.Applied++
			} else {
				result.Unchanged++
			}
			if target == 0 && positions[i].OnHand > 0 {
				zeroed[it.Location]++
				result.Emptied++
			}
		}
		if err := c.plausible(zeroed, stocked); err != nil {
			return nil, err
		}
		tx.expect(positions)
		for i := range positions {
			tx.Mark(positions[i].Key(), nil, asOf, time.Time{})
		}
		if err := tx.Emit(key, 1, []stockEvent{event}, moves); err != nil {
			return nil, err
		}
		return &Reply{Status: http.StatusOK, Value: result}, nil
	})
}

func (e *Engine) validateCount(c *Count) error {
	var bad problem.Invalid
	countItems(&bad, len(c.Items))
	switch now := e.Now(); {
	case c.AsOf.IsZero():
		bad.Add("as_of", problem.Required, "say when the stock was counted")
	case c.AsOf.After(now.Add(time.Minute)):
		bad.Add("as_of", problem.OutOfRange, "lies in the future (it is %s here)", now.Format(time.RFC3339))
	}
	seen := make(map[inventory.PositionKey]bool, len(c.Items))
	if bad.Err() == nil {
		for i, it := range c.Items {
			bad.Range(fmt.Sprintf("items[%d].on_hand", i), it.OnHand, 0, inventory.MaxQuantity)
			e.known(&bad, i, it.SKU, it.Location)
			k := inventory.PositionKey{SKU: it.SKU, Location: it.Location}
			if seen[k] {
				bad.Add(fmt.Sprintf("items[%d]", i), problem.Duplicate, "%s at %s is counted twice", it.SKU, it.Location)
			}
			seen[k] = true
		}
	}
	bad.Text("reference", c.Reference, 200)
	return bad.Err()
}

// CheckCount says what a count means before any of it takes effect: its items,
// completed with empty ones when it is complete, or the *order.Refusal of a count that would
// empty most of a location without Confirm.
func (e *Engine) CheckCount(c *Count) ([]CountedItem, error) {
	items, stocked := e.counted(c)
	zeroed := map[string]int{}
	for _, it := range items {
		if it.OnHand > 0 {
			continue
		}
		if p, ok := e.Book().Get(inventory.PositionKey{SKU: it.SKU, Location: it.Location}); ok && p.OnHand > 0 {
			zeroed[it.Location]++
		}
	}
	return items, c.plausible(zeroed, stocked)
}

// counted returns the items of a count, to which a complete one adds the stocked
// positions of its locations that it does not list, as empty; and how many stocked
// positions each location has. It looks through all stock and so runs before the decision, and only
// when the count could empty something.
func (e *Engine) counted(c *Count) (items []CountedItem, stocked map[string]int) {
	listed := make(map[inventory.PositionKey]bool, len(c.Items))
	stocked = map[string]int{}
	empty := 0
	for _, it := range c.Items {
		listed[inventory.PositionKey{SKU: it.SKU, Location: it.Location}] = true
		stocked[it.Location] = 0
		if it.OnHand == 0 {
			empty++
		}
	}
	if !c.Complete && empty < zeroLeast {
		return c.Items, nil
	}
	items = c.Items[:len(c.Items):len(c.Items)]
	e.Book().EachAll(func(p inventory.Position) bool {
		if _, ok := stocked[p.Location]; ok && p.OnHand > 0 && !inventory.IsCapacity(p.SKU) {
			stocked[p.Location]++
			if c.Complete && !listed[p.Key()] {
				items = append(items, CountedItem{SKU: p.SKU, Location: p.Location})
			}
		}
		return true
	})
	return items, stocked
}

// fresh separates items that are newer than what is known from stale ones.
func (tx *Tx) fresh(items []CountedItem, asOf time.Time, result *CountResult) ([]CountedItem, []inventory.Position) {
	out := make([]CountedItem, 0, len(items))
	positions := make([]inventory.Position, 0, len(items))
	for _, it := range items {
		p, ok := tx.Book().Get(inventory.PositionKey{SKU: it.SKU, Location: it.Location})
		if !ok {
			p = inventory.Position{SKU: it.SKU, Location: it.Location}
		}
		if !p.AsOf.IsZero() && !asOf.After(p.AsOf) {
			result.Stale = append(result.Stale, StaleItem{SKU: it.SKU, Location: it.Location, CountedAt: p.AsOf})
			continue
		}
		out, positions = append(out, it), append(positions, p)
	}
	return out, positions
}

// changedSince returns what changed on_hand of the positions after asOf and so
// could not be in the count. Only positions that changed at all are looked up.
// Changes of this very batch are added, which the store does not have yet.
func (tx *Tx) changedSince(positions []inventory.Position, asOf time.Time) (map[inventory.PositionKey]int64, error) {
	var keys []inventory.PositionKey
	for i := range positions {
		if positions[i].Changed.After(asOf) {
			keys = append(keys, positions[i].Key())
		}
	}
	if len(keys) == 0 {
		return nil, nil
	}
	since, err := tx.e.store.OnHandSince(context.Background(), keys, asOf)
	if err != nil {
		return nil, err
	}
	asked := make(map[inventory.PositionKey]bool, len(keys))
	for _, k := range keys {
		asked[k] = true
	}
	for i := range tx.b.store.Commits {
		for _, m := range tx.b.store.Commits[i].Movements {
			if k := (inventory.PositionKey{SKU: m.SKU, Location: m.Location}); asked[k] {
				since[k] += m.Delta().OnHand
			}
		}
	}
	return since, nil
}

// plausible stops a count that would empty most of a location.
func (c *Count) plausible(zeroed, stocked map[string]int) error {
	if c.Confirm {
		return nil
	}
	for _, location := range slices.Sorted(maps.Keys(zeroed)) {
		if n := zeroed[location]; n >= zeroLeast && float64(n) > zeroShare*float64(stocked[location]) {
			return &order.Refusal{
				Code: CodeWouldZeroStock, Pointer: "confirm",
				Message: fmt.Sprintf("the count would empty %d of %d stocked positions of %s; send it again with confirm true if that is so",
					n, stocked[location], location),
			}
		}
	}
	return nil
}
