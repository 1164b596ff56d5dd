package intake

import (
	"bufio"
	"cmp"
	"context"
	"io"
	"iter"
	"slices"

	"github.com/orderly-oms/orderly/internal/bulk"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/problem"
	"github.com/orderly-oms/orderly/internal/store"
)

const exportPage = 1000

// Export writes a table, or all orders as JSON Lines, in the form that File reads.
func Export(ctx context.Context, s store.Reader, table string, f bulk.Format, w io.Writer) error {
	switch table {
	case "carriers":
		return records(ctx, s, engine.KindCarrier, bulk.CarrierTable, f, w)
	case "locations":
		return records(ctx, s, engine.KindLocation, bulk.LocationTable, f, w)
	case "networks":
		return records(ctx, s, engine.KindNetwork, bulk.NetworkTable, f, w)
	case "channels":
		return records(ctx, s, engine.KindChannel, bulk.ChannelTable, f, w)
	case "catalog":
		return records(ctx, s, engine.KindSKU, bulk.SKUTable, f, w)
	case "supply":
		return records(ctx, s, engine.KindSupply, bulk.SupplyTable, f, w)
	case "stock":
		return exportStock(ctx, s, f, w)
	case "orders":
		return exportOrders(ctx, s, w)
	}
	var bad problem.Invalid
	bad.Add("table", problem.Unknown, "%q is none of %v, orders", table, Tables())
	return bad.Err()
}

// pages yields the records of a kind, oldest id first, and whether reading them failed.
func pages(ctx context.Context, s store.Reader, kind store.Kind, failed *error) iter.Seq[store.Record] {
	return func(yield func(store.Record) bool) {
		q := store.Query{Kind: kind, Limit: exportPage, Ascending: true}
		for {
			page, err := s.Find(ctx, q)
			if err != nil {
				*failed = err
				return
			}
			for _, r := range page {
				if !yield(r) {
					return
				}
			}
			if len(page) < exportPage {
				return
			}
			q.Before = page[len(page)-1].ID
		}
	}
}

func records[T any](ctx context.Context, s store.Reader, kind store.Kind, t *bulk.Table[T], f bulk.Format, w io.Writer) error {
	var failed error
	err := t.Write(w, f, func(yield func(T) bool) {
		for r := range pages(ctx, s, kind, &failed) {
			if r.State == engine.StateRemoved {
				continue
			}
			en, err := engine.Decode(r)
			if err != nil {
				failed = err
				return
			}
			if !yield(*en.Value.(*T)) {
				return
			}
		}
	})
	return cmp.Or(failed, err)
}

func exportStock(ctx context.Context, s store.Reader, f bulk.Format, w io.Writer) error {
	var rows []bulk.Stock
	_, err := s.Scan(ctx, nil, func(p inventory.Position) error {
		if inventory.IsCapacity(p.SKU) {
			return nil
		}
		rows = append(rows, bulk.Stock{SKU: p.SKU, Location: p.Location, OnHand: p.OnHand, AsOf: p.AsOf})
		return nil
	}, nil)
	if err != nil {
		return err
	}
	return bulk.StockTable.Write(w, f, slices.Values(rows))
}

func exportOrders(ctx context.Context, s store.Reader, w io.Writer) error {
	out := bufio.NewWriter(w)
	var failed error
	for r := range pages(ctx, s, engine.KindOrder, &failed) {
		out.Write(r.Body)
		if err := out.WriteByte('\n'); err != nil {
			return err
		}
	}
	return cmp.Or(failed, out.Flush())
}
