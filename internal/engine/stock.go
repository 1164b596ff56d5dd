package engine

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/problem"
	"github.com/orderly-oms/orderly/internal/store"
)

// Limits of one inventory request.
const (
	MaxFeedItems = 10_000
	// A complete count may empty at most zeroShare of a location's stocked
	// positions without confirmation, once it empties more than zeroLeast of them.
	zeroLeast = 10
	zeroShare = 0.5
)

// Codes of inventory refusals.
const (
	CodeNegativeStock  = "negative_stock"
	CodeWouldZeroStock = "would_zero_stock"
)

// Types of inventory events.
const (
	EventAdjusted  = "inventory.adjusted"
	EventCounted   = "inventory.counted"
	EventSafetySet = "inventory.safety_set"
)

// InventoryEventTypes lists every type, for documentation and subscriptions.
var InventoryEventTypes = []string{EventAdjusted, EventCounted, EventSafetySet}

// Adjustment changes on_hand by a delta, up or down.
type Adjustment struct {
	SKU      string `json:"sku"`
	Location string `json:"location"`
	Quantity int64  `json:"quantity"` // ≠ 0
}

// Adjustments is a feed of deltas; all of them take effect, or none.
type Adjustments struct {
	Items     []Adjustment `json:"items"`
	Reason    string       `json:"reason,omitempty"` // receipt, damage, correction, …; receipts come from the supplier account
	Reference string       `json:"reference,omitempty"`
}

// Adjusted answers Adjustments.
type Adjusted struct {
	ID      string `json:"id"`
	Applied int    `json:"applied"`
}

// stockEvent is the event of an inventory feed. Movements are in its log row.
type stockEvent struct {
	Type      string           `json:"type"`
	Reason    string           `json:"reason,omitempty"`
	Reference string           `json:"reference,omitempty"`
	AsOf      time.Time        `json:"as_of,omitzero"`
	Counted   []CountedItem    `json:"counted,omitempty"`
	Safety    []SafetyItem     `json:"safety,omitempty"`
	Stale     []StaleItem      `json:"stale,omitempty"`
	Items     []inventoryDelta `json:"items,omitempty"`
}

type inventoryDelta = Adjustment

// markEvent is the part of a stockEvent that other nodes need beside the movements.
type markEvent = stockEvent

func (m stockEvent) apply(book *inventory.Book) {
	for _, c := range m.Counted {
		book.SetCounted(inventory.PositionKey{SKU: c.SKU, Location: c.Location}, m.AsOf)
	}
	for _, s := range m.Safety {
		book.SetSafety(inventory.PositionKey{SKU: s.SKU, Location: s.Location}, s.Quantity)
	}
}

// known reports items whose SKU or location does not exist, or whose SKU is a kit.
func (e *Engine) known(bad *problem.Invalid, i int, sku, location string) {
	var item problem.Invalid
	if e.CheckPosition(&item, sku, location); len(item) > 0 {
		bad.Nest(problem.At("items", i), item)
	}
}

// CheckPosition adds what keeps a SKU from having stock at a location.
func (e *Engine) CheckPosition(bad *problem.Invalid, sku, location string) {
	s, ok := e.Catalog().Get(sku)
	switch {
	case !ok:
		bad.Add("sku", problem.Unknown, "the catalog has no SKU %q", sku)
	case s.IsKit():
		bad.Add("sku", problem.Conflict, "%q is a kit: its components are stocked", sku)
	}
	if _, ok := e.Directory().Location(location); !ok {
		bad.Add("location", problem.Unknown, "there is no location %q", location)
	}
}

func countItems(bad *problem.Invalid, n int) {
	if n < 1 || n > MaxFeedItems {
		bad.Add("items", problem.OutOfRange, "between 1 and %d items, got %d", MaxFeedItems, n)
	}
}

// feed submits a command on a stream of its own.
func (e *Engine) feed(ctx context.Context, m Meta, decide func(tx *Tx, key store.Key, id string) (*Reply, error)) (*Reply, error) {
	id := e.opt.NewID()
	id = e.idWithHash(hashByte(id))
	key := e.key(KindStock, id)
	return e.Submit(ctx, &Command{
		Stream: key, Actor: m.Actor, Key: m.Key, Unique: &Unique{Kind: KindStock},
		Decide: func(tx *Tx) (*Reply, error) { return decide(tx, key, id) },
	})
}

// Adjust applies a feed of deltas. A delta that would take away more than is on
// hand refuses the whole feed. The reply's value is *Adjusted.
func (e *Engine) Adjust(ctx context.Context, a *Adjustments, m Meta) (*Reply, error) {
	var bad problem.Invalid
	countItems(&bad, len(a.Items))
	if bad.Err() == nil {
		for i, it := range a.Items {
			if it.Quantity == 0 || it.Quantity > inventory.MaxQuantity || it.Quantity < -inventory.MaxQuantity {
				bad.Add(fmt.Sprintf("items[%d].quantity", i), problem.OutOfRange, "must not be 0 nor beyond ±%d", inventory.MaxQuantity)
			}
			e.known(&bad, i, it.SKU, it.Location)
		}
	}
	bad.Text("reason", a.Reason, 200)
	bad.Text("reference", a.Reference, 200)
	if err := bad.Err(); err != nil {
		return nil, err
	}
	outside := inventory.Adjustment
	if a.Reason == "receipt" {
		outside = inventory.Supplier
	}
	return e.feed(ctx, m, func(tx *Tx, key store.Key, id string) (*Reply, error) {
		moves := make([]inventory.Movement, len(a.Items))
		for i, it := range a.Items {
			moves[i] = onHandMovement(it.SKU, it.Location, it.Quantity, outside, a.Reason)
		}
		if err := tx.enough(moves); err != nil {
			return nil, err
		}
		event := stockEvent{Type: EventAdjusted, Reason: a.Reason, Reference: a.Reference}
		if err := tx.Emit(key, 1, []stockEvent{event}, moves); err != nil {
			return nil, err
		}
		return &Reply{Status: http.StatusOK, Value: &Adjusted{ID: id, Applied: len(moves)}}, nil
	})
}

func onHandMovement(sku, location string, q int64, outside inventory.Account, reason string) inventory.Movement {
	m := inventory.Movement{SKU: sku, Location: location, From: outside, To: inventory.Free, Quantity: q, Reason: reason}
	if q < 0 {
		m.From, m.To, m.Quantity = inventory.Free, outside, -q
	}
	return m
}

// enough refuses movements that would take a position's on_hand below zero or above its bound.
func (tx *Tx) enough(moves []inventory.Movement) error {
	var net inventory.Netting
	for _, m := range moves {
		net.Add(m)
		// Checked after each, so that the item that goes too far is the one named.
	}
	for _, c := range net.Changes() {
		p, _ := tx.Book().Get(c.PositionKey)
		if after := p.OnHand + c.OnHand; after < 0 || after > inventory.MaxQuantity {
			for i, m := range moves {
				if m.SKU == c.SKU && m.Location == c.Location {
					return &order.Refusal{
						Code: CodeNegativeStock, Pointer: fmt.Sprintf("items[%d].quantity", i),
						Message: fmt.Sprintf("%s at %s has %d on hand; %+d would leave %d; a count goes to /v1/inventory/snapshots", c.SKU, c.Location, p.OnHand, c.OnHand, after),
					}
				}
			}
		}
	}
	return nil
}

// SafetyItem sets the safety stock of a position.
type SafetyItem struct {
	SKU      string `json:"sku"`
	Location string `json:"location"`
	Quantity int64  `json:"quantity"` // ≥ 0
}

// SetSafety sets safety stock. The reply's value is *Adjusted.
func (e *Engine) SetSafety(ctx context.Context, items []SafetyItem, m Meta) (*Reply, error) {
	var bad problem.Invalid
	countItems(&bad, len(items))
	if bad.Err() == nil {
		for i, it := range items {
			bad.Range(fmt.Sprintf("items[%d].quantity", i), it.Quantity, 0, inventory.MaxQuantity)
			e.known(&bad, i, it.SKU, it.Location)
		}
	}
	if err := bad.Err(); err != nil {
		return nil, err
	}
	return e.feed(ctx, m, func(tx *Tx, key store.Key, id string) (*Reply, error) {
		for i := range items {
			tx.Mark(inventory.PositionKey{SKU: items[i].SKU, Location: items[i].Location}, &items[i].Quantity, time.Time{}, time.Time{})
		}
		event := stockEvent{Type: EventSafetySet, Safety: items}
		if err := tx.Emit(key, 1, []stockEvent{event}, nil); err != nil {
			return nil, err
		}
		return &Reply{Status: http.StatusOK, Value: &Adjusted{ID: id, Applied: len(items)}}, nil
	})
}
