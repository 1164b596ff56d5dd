package e2e

import (
	"slices"
	"testing"
	"time"
)

// promiseOption is an option as far as the test looks into it.
type promiseOption struct {
	ID        string    `json:"id"`
	ShipBy    time.Time `json:"ship_by"`
	DeliverBy time.Time `json:"deliver_by"`
	Shipments []struct {
		Location string `json:"location"`
		Service  string `json:"service"`
	} `json:"shipments"`
}

// TestConfirmedPromisesSurvive asks for the options of a basket, confirms each, kills the
// node, and orders: every order gets the locations, the service and the dates that
// were promised, though stock was moved in between.
func TestConfirmedPromisesSurvive(t *testing.T) {
	onBothStores(t, func(t *testing.T, where place) {
		type document = map[string]any
		n := startNode(t, where)
		c := &client{url: n.url}
		ctx := t.Context()
		c.do(ctx, "PUT", "/v1/carriers/c", document{"services": []document{
			{"id": "standard", "currency": "EUR", "distance_bands": []document{{"zone": 1}}, "rates": []document{{"zone": 1, "transit_days": 2, "brackets": []document{{"up_to_grams": 30000, "price": 450}}}}},
			{"id": "express", "currency": "EUR", "distance_bands": []document{{"zone": 1}}, "rates": []document{{"zone": 1, "transit_days": 1, "brackets": []document{{"up_to_grams": 30000, "price": 990}}}}},
		}}).into(t, 201, nil)
		c.seed(t, []string{"north", "south"}, []string{"A", "B"}, 50)
		to := document{"name": "Ada", "country": "DE", "postal_code": "20095", "latitude": 53.55, "longitude": 9.99}
		basket := document{"channel": "web", "items": []document{{"sku": "A", "quantity": 1}, {"sku": "B", "quantity": 2}}, "destination": to, "locations": []string{"north"}}
		var page struct{ Options []promiseOption }
		c.do(ctx, "POST", "/v1/promises", basket).into(t, 200, &page)
		var held []string
		for _, o := range page.Options {
			confirmation := document{"option": o.ID, "deliver_by": o.DeliverBy}
			for k, v := range basket {
				confirmation[k] = v
			}
			var first, again reservationDocument
			c.do(ctx, "POST", "/v1/promises/confirm", confirmation, "Idempotency-Key", o.ID).into(t, 201, &first)
			c.do(ctx, "POST", "/v1/promises/confirm", confirmation, "Idempotency-Key", o.ID).into(t, 201, &again)
			if first.ID != again.ID {
				t.Errorf("%s: the same request was confirmed as %s and %s", o.ID, first.ID, again.ID)
			}
			held = append(held, first.ID)
		}
		if !slices.ContainsFunc(page.Options, func(o promiseOption) bool { return o.ID == "ship:express" }) ||
			!slices.ContainsFunc(page.Options, func(o promiseOption) bool { return o.ID == "pickup:north" }) {
			t.Fatalf("options %+v", page.Options)
		}
		n.kill()
		n = startNode(t, where)
		c = &client{url: n.url}
		c.do(ctx, "POST", "/v1/inventory/adjustments", document{"reason": "damage", "items": []document{{"sku": "A", "location": "north", "quantity": -40}}}).into(t, 200, nil)
		for i, o := range page.Options {
			order := document{
				"channel": "web", "external_id": o.ID, "reservation_id": held[i], "customer": document{"id": "ada"}, "ship_to": to,
				"lines": []document{{"sku": "A", "quantity": 1, "unit_price": 1000}, {"sku": "B", "quantity": 2, "unit_price": 500}},
			}
			if o.ID == "pickup:north" {
				order["method"], order["pickup_location"] = "pickup", "north"
				delete(order, "ship_to")
			}
			var got struct {
				Promise struct {
					ShipBy    time.Time `json:"ship_by"`
					DeliverBy time.Time `json:"deliver_by"`
				} `json:"promise"`
				Fulfillments []struct {
					Location string `json:"location"`
					Service  string `json:"service"`
				} `json:"fulfillments"`
			}
			c.do(ctx, "POST", "/v1/orders", order).into(t, 201, &got)
			if !got.Promise.DeliverBy.Equal(o.DeliverBy) || !got.Promise.ShipBy.Equal(o.ShipBy) || len(got.Fulfillments) != len(o.Shipments) {
				t.Errorf("%s was promised as %+v and ordered as %+v", o.ID, o, got)
				continue
			}
			for k, s := range o.Shipments {
				if f := got.Fulfillments[k]; f.Location != s.Location || f.Service != s.Service {
					t.Errorf("%s: promised from %s by %q, ordered from %s by %q", o.ID, s.Location, s.Service, f.Location, f.Service)
				}
			}
		}
		var ledger struct{ Open int64 }
		c.do(ctx, "GET", "/v1/promises/ledger", nil).into(t, 200, &ledger)
		if ledger.Open != int64(len(page.Options)) {
			t.Errorf("%d promises are open, want %d", ledger.Open, len(page.Options))
		}
		verify(t, n, where)
	})
}
