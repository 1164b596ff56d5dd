package sim

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/orderly-oms/orderly/internal/api"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/network"
)

// How often inventory feeds say something, in hours, and how much.
const (
	countEvery   = 6.0
	tillEvery    = 1.0
	refillEvery  = 4.0
	countedItems = 20
	tillItems    = 10
	refillItems  = 25
	// refillShare is how many units a supplier sends, as a part of what a DC began with.
	refillShare = 2
	// restockItems are the shelves of a store that the van looks after.
	restockItems = 40
)

// feed is what inventory systems send: tills of stores sell, stores count, DCs
// order from suppliers and receive.
type feed struct {
	w      *world
	client *client

	sales, counts, receipts atomic.Int64
	coming                  sync.Map // positions that a supplier was asked for
}

// begin lets supply come and feeds go, until the last shopper has come.
func (f *feed) begin() {
	for i := range f.w.data.Supply {
		s := f.w.data.Supply[i]
		if f.w.firstSeen == 0 {
			f.w.agenda.in(s.Hours*.99, func(ctx context.Context) { f.receive(ctx, s.Supply) })
		}
	}
	f.w.agenda.at(f.w.began, func(ctx context.Context) { f.round(ctx, 0) })
}

// round is what feeds say in an hour.
func (f *feed) round(ctx context.Context, n int) {
	if f.w.shut.Load() {
		return
	}
	f.w.agenda.at(f.w.began.Add(time.Duration(float64(n+1)*tillEvery*float64(time.Hour))), func(ctx context.Context) { f.round(ctx, n+1) })
	c := newChance(f.w.data.Seed, "feed", strconv.Itoa(n))
	if l := f.store(c); nextOpen(l, f.w.clock.Now()).Sub(f.w.clock.Now()) <= 0 {
		f.sell(ctx, c, l, n)
	}
	if n%int(countEvery/tillEvery) == 0 {
		f.count(ctx, c)
	}
	if n%int(refillEvery/tillEvery) == 0 {
		f.refill(ctx, c, n)
		f.restock(ctx, c, n)
	}
}

// stores are the locations that have tills.
func (f *feed) store(c chance) *network.Location {
	for {
		if l := &f.w.data.Locations[c.r.IntN(len(f.w.data.Locations))]; l.Type == network.Store {
			return l
		}
	}
}

// sell takes what walked out of a store's door.
func (f *feed) sell(ctx context.Context, c chance, l *network.Location, round int) {
	a := engine.Adjustments{Reason: "till", Reference: fmt.Sprintf("%s-%d", l.ID, round)}
	seen := map[string]bool{}
	for range tillItems {
		sku := f.w.data.SKUs[c.weighted(f.w.data.drawSKU)].SKU
		if p := f.w.watch.position(sku, l.ID); p.Available() > 1 && !seen[sku] {
			seen[sku] = true
			a.Items = append(a.Items, engine.Adjustment{SKU: sku, Location: l.ID, Quantity: -1})
		}
	}
	if len(a.Items) > 0 {
		f.send(ctx, &f.sales, request{method: http.MethodPost, path: "/v1/inventory/adjustments", body: &a})
	}
}

// count counts some shelves of a store. Now and then a unit is missing.
func (f *feed) count(ctx context.Context, c chance) {
	l := f.store(c)
	count := engine.Count{Reference: "count-" + l.ID, AsOf: f.w.clock.Now().Truncate(time.Microsecond)}
	seen := map[string]bool{}
	for range countedItems {
		sku := f.w.data.SKUs[c.weighted(f.w.data.drawSKU)].SKU
		if !f.w.data.assortment[l.ID][sku] || seen[sku] {
			continue
		}
		seen[sku] = true
		var page api.Page[api.PositionView]
		if f.client.get(ctx, "/v1/inventory/positions"+query("sku", sku), &page) != nil {
			return
		}
		for _, p := range page.Items {
			if missing := c.happens(.15); p.Location == l.ID && !p.Changed.After(count.AsOf) { // else what left meanwhile would be counted off twice
				item := engine.CountedItem{SKU: sku, Location: l.ID, OnHand: p.OnHand}
				if missing && p.Available > 0 {
					item.OnHand--
				}
				count.Items = append(count.Items, item)
			}
		}
	}
	if len(count.Items) > 0 {
		f.send(ctx, &f.counts, request{method: http.MethodPost, path: "/v1/inventory/snapshots", body: &count})
	}
}

// refill orders from suppliers what DCs run out of; it comes one to three days later.
func (f *feed) refill(ctx context.Context, c chance, round int) {
	for i := range refillItems {
		sku := f.w.data.SKUs[c.weighted(f.w.data.drawSKU)]
		l := &f.w.data.Locations[c.r.IntN(3)]
		hours := c.between(24, 72)
		if sku.IsKit() || f.w.watch.position(sku.SKU, l.ID).Available() > 5 {
			continue
		}
		key := inventory.PositionKey{SKU: sku.SKU, Location: l.ID}
		if _, asked := f.coming.LoadOrStore(key, true); asked {
			continue
		}
		s := inventory.Supply{
			ID: fmt.Sprintf("po-%d-%d-%d", f.w.began.Unix(), round, i), SKU: sku.SKU, Location: l.ID, Quantity: c.whole(20, 60) * refillShare,
			Kind: inventory.PurchaseOrder, ExpectedAt: expected(f.w.clock.Now(), hours), Reference: fmt.Sprintf("PO-%d-%d", round, i),
		}
		if f.client.do(ctx, request{method: http.MethodPut, path: "/v1/inventory/supply/" + s.ID, body: &s}, nil) == nil {
			f.w.agenda.in(hours*.99, func(ctx context.Context) { f.receive(ctx, s) })
		}
	}
}

// restock is the van that brings a store what its shelves are out of.
func (f *feed) restock(ctx context.Context, c chance, round int) {
	l := f.store(c)
	a := engine.Adjustments{Reason: "receipt", Reference: fmt.Sprintf("van-%s-%d-%d", l.ID, f.w.began.Unix(), round)}
	seen := map[string]bool{}
	for range restockItems {
		sku, quantity := f.w.data.SKUs[c.weighted(f.w.data.drawSKU)].SKU, c.whole(2, 4)
		if f.w.data.assortment[l.ID][sku] && !seen[sku] && f.w.watch.position(sku, l.ID).Available() <= 1 {
			seen[sku] = true
			a.Items = append(a.Items, engine.Adjustment{SKU: sku, Location: l.ID, Quantity: quantity})
		}
	}
	if len(a.Items) > 0 {
		f.send(ctx, &f.receipts, request{method: http.MethodPost, path: "/v1/inventory/adjustments", body: &a})
	}
}

// receive books supply that arrived: first the units, then the expectation goes,
// so that orders that wait for it find stock when they look.
func (f *feed) receive(ctx context.Context, s inventory.Supply) {
	a := engine.Adjustments{Reason: "receipt", Reference: s.Reference, Items: []engine.Adjustment{{SKU: s.SKU, Location: s.Location, Quantity: s.Quantity}}}
	f.send(ctx, &f.receipts, request{method: http.MethodPost, path: "/v1/inventory/adjustments", body: &a, key: "receipt-" + s.ID})
	f.coming.Delete(inventory.PositionKey{SKU: s.SKU, Location: s.Location})
	f.client.do(ctx, request{method: http.MethodDelete, path: "/v1/inventory/supply/" + s.ID}, nil) // an expectation already gone is as good
}

// send sends a feed and counts it when it was taken; refusals count with the answers.
func (f *feed) send(ctx context.Context, sent *atomic.Int64, q request) {
	if f.client.do(ctx, q, nil) == nil {
		sent.Add(1)
	}
}
