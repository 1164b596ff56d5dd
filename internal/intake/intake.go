// Package intake brings files and foreign documents into an engine: bulk
// reference data, counted stock, expected supply, and orders of other platforms.
//
// It promises that every row or document ends as done or as a rejection that
// names it and the reason, that a repeated import changes nothing twice, and that a stock
// file that would empty most of a location is stopped before its first row takes effect.
//
// It does not parse (packages bulk and partner/importer do), answer HTTP or open files.
package intake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/orderly-oms/orderly/internal/bulk"
	"github.com/orderly-oms/orderly/internal/catalog"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/problem"
	"github.com/orderly-oms/orderly/internal/store"
)

// MaxStockRows bounds a stock file, which is held in memory until it is known to be plausible.
const MaxStockRows = 5_000_000

// Options of an import.
type Options struct {
	Format bulk.Format
	// Complete says, for stock, that positions of the file's locations that it does not list are empty.
	Complete bool
	// Confirm lets a stock file through that would empty most of a location.
	Confirm bool
	Meta    engine.Meta
}

// Tables lists what File can read.
func Tables() []string {
	return []string{"carriers", "locations", "networks", "channels", "catalog", "stock", "supply"}
}

// File imports a bulk file of a table. The report is right for what took effect
// also when there is an error. Errors: problem.Invalid for a file refused as a
// whole, *order.Refusal for an implausible count, those of the engine.
func File(ctx context.Context, e *engine.Engine, table string, r io.Reader, o Options) (bulk.Report, error) {
	switch table {
	case "carriers":
		return documents(ctx, e, o, r, bulk.CarrierTable, engine.KindCarrier, func(v *network.Carrier) string { return v.ID })
	case "locations":
		return documents(ctx, e, o, r, bulk.LocationTable, engine.KindLocation, func(v *network.Location) string { return v.ID })
	case "networks":
		return documents(ctx, e, o, r, bulk.NetworkTable, engine.KindNetwork, func(v *network.Network) string { return v.ID })
	case "channels":
		return documents(ctx, e, o, r, bulk.ChannelTable, engine.KindChannel, func(v *network.Channel) string { return v.ID })
	case "catalog":
		return documents(ctx, e, o, r, bulk.SKUTable, engine.KindSKU, func(v *catalog.SKU) string { return v.SKU })
	case "supply":
		return documents(ctx, e, o, r, bulk.SupplyTable, engine.KindSupply, func(v *inventory.Supply) string { return v.ID })
	case "stock":
		return stock(ctx, e, o, r)
	}
	var bad problem.Invalid
	bad.Add("table", problem.Unknown, "%q is none of %v", table, Tables())
	return bulk.Report{Errors: []bulk.RowError{}}, bad.Err()
}

// documents puts rows in groups that take effect together.
func documents[T any](ctx context.Context, e *engine.Engine, o Options, r io.Reader, t *bulk.Table[T], kind store.Kind, id func(*T) string) (bulk.Report, error) {
	group := make([]engine.Document, 0, engine.MaxImportDocuments)
	seen := map[string]bool{}
	flush := func() error {
		if len(group) == 0 {
			return nil
		}
		_, err := e.PutDocuments(ctx, group, o.Meta)
		group = group[:0]
		clear(seen)
		return err
	}
	report, err := t.Read(r, o.Format, func(_ int, row *T) error {
		d := engine.Document{Kind: kind, ID: id(row), Value: row}
		sku, isSKU := any(row).(*catalog.SKU)
		// A kit may name components that are still in the group, and an id may come twice.
		if seen[d.ID] || (isSKU && sku.IsKit()) || len(group) == cap(group) {
			if err := flush(); err != nil {
				return err
			}
		}
		if err := e.Check(d); err != nil {
			return err
		}
		group = append(group, d)
		seen[d.ID] = true
		return nil
	})
	if err == nil {
		err = flush()
	}
	return report, err
}

// stock reads a whole file, checks that it is plausible, and then applies it in groups.
func stock(ctx context.Context, e *engine.Engine, o Options, r io.Reader) (bulk.Report, error) {
	now := e.Now()
	byTime := map[time.Time][]engine.CountedItem{}
	var times []time.Time
	rows := 0
	seen := map[inventory.PositionKey]bool{}
	report, err := bulk.StockTable.Read(r, o.Format, func(_ int, row *bulk.Stock) error {
		var bad problem.Invalid
		e.CheckPosition(&bad, row.SKU, row.Location)
		key := inventory.PositionKey{SKU: row.SKU, Location: row.Location}
		if seen[key] {
			bad.Add("sku", problem.Duplicate, "%s at %s is counted twice", row.SKU, row.Location)
		}
		if row.AsOf.After(now.Add(time.Minute)) {
			bad.Add("as_of", problem.OutOfRange, "lies in the future")
		}
		if err := bad.Err(); err != nil {
			return err
		}
		if rows++; rows > MaxStockRows {
			return fmt.Errorf("a stock file has at most %d rows; split it by location", MaxStockRows)
		}
		seen[key] = true
		at := row.AsOf.UTC()
		if row.AsOf.IsZero() {
			at = now
		}
		if byTime[at] == nil {
			times = append(times, at)
		}
		byTime[at] = append(byTime[at], engine.CountedItem{SKU: row.SKU, Location: row.Location, OnHand: row.OnHand})
		return nil
	})
	if err != nil || rows == 0 {
		return report, err
	}
	if o.Complete && len(times) > 1 {
		var bad problem.Invalid
		bad.Add("as_of", problem.Conflict, "a complete count has one time, this file %d", len(times))
		return report, bad.Err()
	}
	return report, applyCounts(ctx, e, o, times, byTime, &report)
}

func applyCounts(ctx context.Context, e *engine.Engine, o Options, times []time.Time, byTime map[time.Time][]engine.CountedItem, report *bulk.Report) error {
	var all []engine.CountedItem
	for _, at := range times {
		all = append(all, byTime[at]...)
	}
	whole, err := e.CheckCount(&engine.Count{Items: all, Complete: o.Complete, Confirm: o.Confirm})
	if err != nil {
		return err
	}
	if o.Complete {
		byTime[times[0]] = whole
	}
	for _, at := range times {
		for items := byTime[at]; len(items) > 0; {
			n := min(len(items), engine.MaxFeedItems)
			reply, err := e.Count(ctx, &engine.Count{AsOf: at, Items: items[:n], Confirm: true}, o.Meta)
			if err != nil {
				return err
			}
			for _, s := range reply.Value.(*engine.CountResult).Stale {
				report.Accepted--
				report.Rejected++
				if len(report.Errors) < bulk.MaxErrors {
					report.Errors = append(report.Errors, bulk.RowError{
						ID: s.SKU, Pointer: "as_of", Code: "stale",
						Message: fmt.Sprintf("%s was counted at %s already", s.Location, s.CountedAt.Format(time.RFC3339)),
					})
				} else {
					report.ErrorsOmitted++
				}
			}
			items = items[n:]
		}
	}
	return nil
}

// IsRefusedFile reports an error that is about the file as a whole.
func IsRefusedFile(err error) bool {
	var bad problem.Invalid
	return errors.As(err, &bad)
}
