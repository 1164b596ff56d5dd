package engine_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/catalog"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/pgtest"
	"github.com/orderly-oms/orderly/internal/store"
	"github.com/orderly-oms/orderly/internal/store/postgres"
	"github.com/orderly-oms/orderly/internal/store/sqlite"
)

// clock is a time that only tests move.
type clock struct{ at atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.at.Store(time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *clock) now() time.Time          { return time.Unix(0, c.at.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.at.Add(int64(d)) }

// stores opens a fresh store of each kind, and again another handle on it.
var stores = map[string]func(tb testing.TB) func() store.Store{
	"sqlite": func(tb testing.TB) func() store.Store {
		dir := tb.TempDir()
		return func() store.Store {
			s, err := sqlite.Open(context.Background(), dir, sqlite.Options{})
			if err != nil {
				tb.Fatal(err)
			}
			return s
		}
	},
	"postgres": func(tb testing.TB) func() store.Store {
		url := pgtest.NewDatabase(tb)
		return func() store.Store {
			s, err := postgres.Open(context.Background(), url, postgres.Options{})
			if err != nil {
				tb.Fatal(err)
			}
			return s
		}
	},
}

// node is an engine under test.
type node struct {
	*engine.Engine
	tb    testing.TB
	clock *clock
	store store.Store
}

func open(tb testing.TB, s store.Store, c *clock) *node {
	tb.Helper()
	e, err := engine.Open(context.Background(), s, engine.Options{Clock: c.now, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		tb.Fatal(err)
	}
	e.Run()
	n := &node{Engine: e, tb: tb, clock: c, store: s}
	tb.Cleanup(n.close)
	return n
}

func (n *node) close() {
	n.Engine.Close()
	n.store.Close()
}

func ptr[T any](v T) *T { return &v }

// pass lets time go by and everything happen that comes due.
func (n *node) pass(d time.Duration) {
	n.clock.advance(d)
	n.FireTimersInOrder(background)
}

// retailer fills a node with locations on a line from north to south, SKUs
// S0… and a kit K of one S0 and two S1, and stock of every SKU at every location.
func (n *node) retailer(locations, skus int, stock int64) {
	n.tb.Helper()
	docs := []engine.Document{}
	add := func(kind store.Kind, id string, v any) {
		docs = append(docs, engine.Document{Kind: kind, ID: id, Value: v})
	}
	add(engine.KindCarrier, "c", &network.Carrier{ID: "c", Services: []network.Service{{
		ID: "ground", Currency: "EUR",
		DistanceBands: []network.DistanceBand{{UpToKM: ptr(int64(300)), Zone: 1}, {Zone: 2}},
		Rates: []network.Rate{
			{Zone: 1, TransitDays: 1, Brackets: []network.Bracket{{UpToGrams: 5000, Price: 450}}, PerExtraKG: ptr(int64(50))},
			{Zone: 2, TransitDays: 2, Brackets: []network.Bracket{{UpToGrams: 5000, Price: 650}}, PerExtraKG: ptr(int64(90))},
		},
	}}})
	for i := range locations {
		id := fmt.Sprintf("L%02d", i)
		add(engine.KindLocation, id, &network.Location{
			ID: id, Type: network.Store, TimeZone: "Europe/Berlin", Capabilities: []network.Capability{network.CanShip, network.CanPickup},
			Address: network.Address{Country: "DE", Latitude: ptr(54 - float64(i)*0.2), Longitude: ptr(10.0)},
		})
	}
	n.put(docs...)
	docs = docs[:0]
	add(engine.KindChannel, "web", &network.Channel{ID: "web", Type: network.Web, Currency: "EUR", Service: "ground"})
	for i := range skus {
		id := fmt.Sprintf("S%d", i)
		add(engine.KindSKU, id, &catalog.SKU{SKU: id, WeightG: 300})
	}
	n.put(docs...)
	n.put(engine.Document{Kind: engine.KindSKU, ID: "K", Value: &catalog.SKU{SKU: "K", Components: []catalog.Component{{SKU: "S0", Quantity: 1}, {SKU: "S1", Quantity: 2}}}})
	var items []engine.Adjustment
	for i := range skus {
		for l := range locations {
			items = append(items, engine.Adjustment{SKU: fmt.Sprintf("S%d", i), Location: fmt.Sprintf("L%02d", l), Quantity: stock})
		}
	}
	for len(items) > 0 && stock > 0 {
		k := min(len(items), engine.MaxFeedItems)
		if _, err := n.Adjust(context.Background(), &engine.Adjustments{Items: items[:k], Reason: "receipt"}, engine.Meta{Actor: "test"}); err != nil {
			n.tb.Fatal(err)
		}
		items = items[k:]
	}
}

func (n *node) put(docs ...engine.Document) {
	n.tb.Helper()
	for len(docs) > 0 {
		k := min(len(docs), engine.MaxImportDocuments)
		if _, err := n.PutDocuments(context.Background(), docs[:k], engine.Meta{Actor: "test"}); err != nil {
			n.tb.Fatal(err)
		}
		docs = docs[k:]
	}
}

// basket is an order from the web for lines of one unit of each SKU.
func basket(external string, skus ...string) *order.New {
	n := &order.New{
		Channel: "web", ExternalID: external, Customer: order.Customer{ID: "c-1", Name: "Ada Lovelace", Email: "ada@example.com"},
		ShipTo: &network.Address{Name: "Ada Lovelace", Line1: "Hauptstr. 1", City: "Hamburg", PostalCode: "20095", Country: "DE", Latitude: ptr(53.55), Longitude: ptr(9.99)},
	}
	for _, s := range skus {
		n.Lines = append(n.Lines, order.NewLine{SKU: s, Name: "Thing " + s, Quantity: 1, UnitPrice: 1999, Tax: 380})
	}
	return n
}
