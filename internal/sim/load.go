package sim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/orderly-oms/orderly/internal/api"
	"github.com/orderly-oms/orderly/internal/auth"
	"github.com/orderly-oms/orderly/internal/bulk"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/inventory"
)

const jsonLines = "application/jsonl"

// loaded reports whether the server has the retailer already.
func (w *world) loaded(ctx context.Context) (bool, error) {
	err := w.admin.get(ctx, "/v1/locations/"+w.data.Locations[0].ID, nil)
	var no *refusal
	if errors.As(err, &no) && no.Status == http.StatusNotFound {
		return false, nil
	}
	return err == nil, err
}

// load brings the retailer to the server through the bulk imports.
func (w *world) load(ctx context.Context) error {
	d := w.data
	now := w.clock.Now()
	supply := make([]inventory.Supply, len(d.Supply))
	for i, s := range d.Supply {
		supply[i] = s.Supply
		supply[i].ExpectedAt = expected(now, s.Hours)
	}
	for _, table := range []struct {
		name string
		rows []byte
		n    int
	}{
		{"carriers", lines(d.Carriers), len(d.Carriers)}, {"locations", lines(d.Locations), len(d.Locations)},
		{"networks", lines(d.Networks), len(d.Networks)}, {"channels", lines(d.Channels), len(d.Channels)},
		{"catalog", lines(d.SKUs), len(d.SKUs)}, {"stock", lines(d.Stock), len(d.Stock)}, {"supply", lines(supply), len(supply)},
	} {
		var report bulk.Report
		err := w.admin.do(ctx, request{method: http.MethodPost, path: "/v1/import/" + table.name, media: jsonLines, body: table.rows}, &report)
		if err != nil {
			return err
		}
		if report.Accepted != table.n || report.Rejected != 0 {
			return fmt.Errorf("import of %s: %d of %d rows accepted, first errors %+v", table.name, report.Accepted, table.n, report.Errors[:min(3, len(report.Errors))])
		}
	}
	for items := d.Safety; len(items) > 0; {
		n := min(len(items), engine.MaxFeedItems)
		if err := w.admin.post(ctx, "", "/v1/inventory/safety", api.SafetyRequest{Items: items[:n]}, nil); err != nil {
			return err
		}
		items = items[n:]
	}
	return w.publish(ctx)
}

// expected is when supply comes that is on its way for some hours.
func expected(now time.Time, hours float64) time.Time {
	return now.Add(time.Duration(hours * float64(time.Hour))).Truncate(time.Microsecond)
}

// lines writes rows as JSON Lines.
func lines[T any](rows []T) []byte {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	for i := range rows {
		if err := encoder.Encode(&rows[i]); err != nil {
			panic("sim: " + err.Error()) // data of this package, which always encodes
		}
	}
	return out.Bytes()
}

// hire makes a key for each partner, with no more scopes than it needs, and the
// readers that partners follow the log with. revoke takes the keys back.
func (w *world) hire(ctx context.Context) (revoke func(), err error) {
	var made []string
	revoke = func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), maxReportTime)
		defer cancel()
		for _, id := range made {
			w.admin.do(last, request{method: http.MethodDelete, path: "/v1/keys/" + id}, nil) // a key that stays is listed by `orderly key list`
		}
	}
	hired := func(name string, scopes ...auth.Scope) *client {
		var k api.KeyCreated
		if err == nil {
			err = w.admin.post(ctx, "", "/v1/keys", api.NewKey{Name: "demo " + name, Scopes: scopes}, &k)
			made = append(made, k.ID)
		}
		return newClient(w.opt.Target, k.Token, w.stats)
	}
	w.shop = hired("shop", auth.OrdersRead, auth.OrdersWrite, auth.InventoryRead)
	fulfils := []auth.Scope{auth.EventsRead, auth.OrdersRead, auth.FulfillWrite}
	warehouses := &site{w: w, name: "warehouse", client: hired("warehouses", fulfils...), behaviour: warehouseBehaviour}
	shops := &site{w: w, name: "store", client: hired("stores", fulfils...), behaviour: storeBehaviour}
	carrier := &courier{w: w, client: hired("carriers", fulfils...)}
	w.bank.client = hired("payment provider", auth.EventsRead, auth.PaymentsWrite, auth.OrdersWrite)
	w.care = &care{w: w, client: hired("customer care", auth.EventsRead, auth.OrdersRead, auth.ExceptionsWrite)}
	w.feed = &feed{w: w, client: hired("inventory feeds", auth.InventoryRead, auth.InventoryWrite)}
	w.watch.read = newReader(w.admin, "", w.watch.hear)
	w.readers = []*reader{
		w.watch.read,
		newReader(warehouses.client, siteTypes, warehouses.hear),
		newReader(shops.client, siteTypes, shops.hear),
		newReader(carrier.client, "fulfillment.shipped", carrier.hear),
		newReader(w.care.client, careTypes, w.care.hear),
		newReader(w.bank.client, paymentTypes, w.bank.hear),
	}
	return revoke, err
}
