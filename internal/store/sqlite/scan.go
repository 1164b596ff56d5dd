package sqlite

import (
	"context"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/store"
)

// Scan reads everything in one read transaction.
func (s *Store) Scan(ctx context.Context, kinds []store.Kind, position func(inventory.Position) error, record func(store.Record) error) (store.Snapshot, error) {
	var snapshot store.Snapshot
	err := s.view(ctx, func(c *conn) error {
		head, err := readHead(c) // the first read fixes the view
		if err != nil {
			return err
		}
		snapshot.Heads = []int64{head}
		if position != nil {
			if err := c.scanPositions(position); err != nil {
				return err
			}
		}
		for _, kind := range kinds {
			err := c.query("SELECT "+recordColumns+" FROM records r WHERE kind = ? ORDER BY id",
				func(s *stmt) error { return record(readRecord(s)) }, string(kind))
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return store.Snapshot{}, err
	}
	return snapshot, nil
}

func (c *conn) scanPositions(position func(inventory.Position) error) error {
	var sku string
	locations := map[string]string{} // one copy of each location's name
	return c.query("SELECT sku, location, on_hand, reserved, allocated, picked, safety, as_of, changed FROM positions ORDER BY sku, location",
		func(s *stmt) error {
			if name := s.colMemory(0); string(name) != sku {
				sku = string(name)
			}
			name := s.colMemory(1)
			location, known := locations[string(name)]
			if !known {
				location = string(name)
				locations[location] = location
			}
			return position(inventory.Position{
				SKU: sku, Location: location,
				OnHand: s.colInt(2), Reserved: s.colInt(3), Allocated: s.colInt(4), Picked: s.colInt(5), Safety: s.colInt(6),
				AsOf: s.colTime(7), Changed: s.colTime(8),
			})
		})
}
