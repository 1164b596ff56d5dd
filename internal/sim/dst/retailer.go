package dst

import (
	"fmt"
	"time"

	"github.com/orderly-oms/orderly/internal/catalog"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/store"
)

// The retailer's channels.
const (
	webChannel    = "web"
	pickupChannel = "click"
	marketChannel = "marketplace"
)

// retailer is small, so that everything meets everything: a few locations and articles, little stock.
type retailer struct {
	locations []network.Location
	skus      []catalog.SKU
	kit       string
}

func (w *World) drawRetailer() *retailer {
	t := &retailer{kit: "kit"}
	for i := range w.whole(3, 6) {
		l := network.Location{
			ID: fmt.Sprintf("s%d", i), Type: network.Store, TimeZone: "Europe/Berlin", ProcessingMinutes: w.whole(0, 180),
			Capabilities: []network.Capability{network.CanShip, network.CanPickup, network.CanReturn},
			Address:      network.Address{Country: "DE", PostalCode: fmt.Sprintf("%d0000", i+1), Latitude: new(53 - float64(i)*.7), Longitude: new(10.0)},
		}
		if i == 0 {
			l.ID, l.Type, l.Capabilities = "dc", network.DC, []network.Capability{network.CanShip, network.CanReturn}
		}
		if i == 2 && w.chance(.3) {
			l.ID, l.Type, l.Capabilities = "vendor", network.Vendor, []network.Capability{network.CanShip, network.CanPickup}
		}
		if w.chance(.3) {
			l.Capacity.OrdersPerDay = new(w.whole(0, 8))
		}
		if w.chance(.15) {
			l.Capacity.UnitsPerHour = new(w.whole(1, 5))
		}
		if w.chance(.3) {
			hours, err := network.ParseWeek("mon-sat 09:00-19:00")
			if err != nil {
				panic(err)
			}
			l.Calendar = &network.Calendar{Hours: hours}
		}
		t.locations = append(t.locations, l)
	}
	for i := range w.whole(3, 8) {
		s := catalog.SKU{SKU: fmt.Sprintf("a%d", i), WeightG: w.whole(50, 4000)}
		if w.chance(.1) {
			s.Tags = []string{choose(w, "preorder", "resold")}
		}
		t.skus = append(t.skus, s)
	}
	t.skus = append(t.skus, catalog.SKU{SKU: t.kit, Components: []catalog.Component{{SKU: "a0", Quantity: 1}, {SKU: "a1", Quantity: 2}}})
	return t
}

func (t *retailer) plain() []catalog.SKU { return t.skus[:len(t.skus)-1] }

// documents are the reference data, in the order in which they can be put.
func (t *retailer) documents() [][]engine.Document {
	var first, second, third []engine.Document
	add := func(to *[]engine.Document, kind store.Kind, id string, v any) {
		*to = append(*to, engine.Document{Kind: kind, ID: id, Value: v})
	}
	add(&first, engine.KindCarrier, "c", &network.Carrier{ID: "c", Services: []network.Service{{
		ID: "ground", Currency: "EUR",
		DistanceBands: []network.DistanceBand{{UpToKM: new(int64(200)), Zone: 1}, {Zone: 2}},
		Rates: []network.Rate{
			{Zone: 1, TransitDays: 1, Brackets: []network.Bracket{{UpToGrams: 5000, Price: 450}}, PerExtraKG: new(int64(50))},
			{Zone: 2, TransitDays: 3, Brackets: []network.Bracket{{UpToGrams: 5000, Price: 650}}, PerExtraKG: new(int64(90))},
		},
	}}})
	for i := range t.locations {
		l := t.locations[i]
		add(&first, engine.KindLocation, l.ID, &l)
	}
	add(&second, engine.KindChannel, webChannel, &network.Channel{ID: webChannel, Type: network.Web, Currency: "EUR", Service: "ground"})
	add(&second, engine.KindChannel, pickupChannel, &network.Channel{ID: pickupChannel, Type: network.StoreChannel, Currency: "EUR"})
	add(&second, engine.KindChannel, marketChannel, &network.Channel{
		ID: marketChannel, Type: network.Marketplace, Currency: "EUR", Service: "ground", Buffer: 1, Shortage: network.Reject,
	})
	for i := range t.plain() {
		add(&second, engine.KindSKU, t.skus[i].SKU, &t.skus[i])
	}
	add(&third, engine.KindSKU, t.kit, &t.skus[len(t.skus)-1])
	return [][]engine.Document{first, second, third}
}

// load loads the retailer and starts all nodes. Nothing fails meanwhile.
func (w *World) load() {
	w.calm = true
	w.nodes[0].start()
	e := w.nodes[0].e
	meta := engine.Meta{Actor: "retailer"}
	must := func(_ *engine.Reply, err error) {
		if err != nil {
			fail(0, "the retailer can be loaded", "%v", err)
		}
	}
	for _, docs := range w.retailer.documents() {
		must(e.PutDocuments(ctx, docs, meta))
	}
	var stock []engine.Adjustment
	for i := range w.retailer.locations {
		l := w.retailer.locations[i].ID
		w.rooms[l] = newRoom(l)
		for _, s := range w.retailer.plain() {
			if q := w.whole(-2, 9); q > 0 {
				stock = append(stock, engine.Adjustment{SKU: s.SKU, Location: l, Quantity: q})
				w.rooms[l].physical[s.SKU] += q
			}
		}
	}
	if len(stock) > 0 {
		must(e.Adjust(ctx, &engine.Adjustments{Items: stock, Reason: "receipt"}, meta))
	}
	if w.chance(.8) {
		w.publish(e, choose(w, sourcingPolicies...))
	}
	for range choose(w, 0, 2, 6, 15) {
		r := choose(w, w.rules...)
		_, err := e.SavePolicy(ctx, r.kind, r.name, r.text, "", meta)
		must(nil, err)
		_, err = e.PublishPolicy(ctx, r.kind, r.name, engine.Publish{}, meta)
		must(nil, err)
	}
	w.watch.look()
	for _, n := range w.nodes[1:] {
		n.start()
	}
	w.calm = false
}

// supply announces stock that comes at a time.
func (w *World) supply(id string) *inventory.Supply {
	return &inventory.Supply{
		ID: id, SKU: choose(w, w.retailer.plain()...).SKU, Location: choose(w, w.retailer.locations...).ID, Quantity: w.whole(1, 12),
		ExpectedAt: w.now.Add(w.between(time.Hour, 72*time.Hour)), Kind: inventory.PurchaseOrder,
	}
}
