package api_test

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// TestPromiseRoutes asks for promises, holds one, orders it, and lets it come close to its end.
func TestPromiseRoutes(t *testing.T) {
	var now atomic.Int64
	now.Store(time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC).UnixNano())
	e, handler := serve(t, func() time.Time { return time.Unix(0, now.Load()) })
	s := &script{t: t, handler: handler}
	store := func(latitude string) string {
		return `{"type":"store","time_zone":"Europe/Berlin","capabilities":["ship","pickup"],"processing_minutes":60,"address":{"country":"DE","latitude":` + latitude + `,"longitude":10}}`
	}
	s.call("PUT", "/v1/carriers/c", `{"services":[{"id":"ground","currency":"EUR","distance_bands":[{"zone":1}],"rates":[{"zone":1,"transit_days":2,"brackets":[{"up_to_grams":30000,"price":450}]}]}]}`)
	s.call("PUT", "/v1/locations/north", store("53.5"))
	s.call("PUT", "/v1/locations/south", store("48"))
	s.call("PUT", "/v1/channels/web", `{"type":"web","currency":"EUR"}`)
	s.call("PUT", "/v1/catalog/A", `{"weight_g":200}`)
	s.call("POST", "/v1/inventory/adjustments", `{"items":[{"sku":"A","location":"north","quantity":2},{"sku":"A","location":"south","quantity":5}]}`)
	s.out.Reset() // what was there before
	const (
		to     = `{"country":"DE","postal_code":"20095","latitude":53.55,"longitude":9.99}`
		basket = `"channel":"web","items":[{"sku":"A","quantity":2}],"destination":` + to
	)
	s.call("POST", "/v1/promises", `{`+basket+`}`)
	s.call("POST", "/v1/promises", `{"channel":"nowhere","items":[{"sku":"none","quantity":0}]}`)
	s.call("GET", "/v1/promises/A?channel=web&country=DE&postal_code=20095&latitude=53.55&longitude=9.99&quantity=6", "")
	s.call("GET", "/v1/promises/A?channel=web&location=south", "")
	s.call("GET", "/v1/promises/A?channel=web&quantity=many&latitude=north", "")
	s.call("GET", "/v1/promises/none?channel=web", "")
	s.call("POST", "/v1/promises/confirm", `{`+basket+`,"option":"somehow"}`)
	held := s.named(s.call("POST", "/v1/promises/confirm", `{`+basket+`,"option":"ship:ground","ttl_seconds":600}`), "id", "RESERVATION")
	s.call("POST", "/v1/promises/confirm", `{`+basket+`,"option":"pickup:north"}`)
	const lines = `"lines":[{"sku":"A","quantity":2,"unit_price":1000}]`
	s.call("POST", "/v1/orders", `{"channel":"web","external_id":"1","reservation_id":"`+held+`","ship_to":{"country":"DE","postal_code":"80331"},`+lines+`}`)
	taken := s.call("POST", "/v1/orders", `{"channel":"web","external_id":"1","reservation_id":"`+held+`","ship_to":`+to+`,`+lines+`}`)
	s.named(taken, "id", "ORDER")
	s.named(taken, "fingerprint", "FINGERPRINT") // of a request with the reservation's id
	s.call("POST", "/v1/orders", `{"channel":"web","external_id":"2","reservation_id":"`+held+`","ship_to":`+to+`,`+lines+`}`)
	for !e.PromiseLedger(t.Context()).Loaded {
		runtime.Gosched()
	}
	now.Add(int64(60 * time.Hour))
	s.call("GET", "/v1/promises/at-risk", "")
	s.call("GET", "/v1/promises/at-risk?channel=shop", "")
	s.call("GET", "/v1/promises/at-risk?threshold=0", "")
	s.call("GET", "/v1/promises/at-risk?limit=0", "")
	ledger := s.call("GET", "/v1/promises/ledger", "")
	if ledger["open"].(float64) != 1 {
		t.Errorf("%v promises are open, want 1", ledger["open"])
	}
	if *updatePolicies {
		*updateWebhooks = true
		defer func() { *updateWebhooks = false }()
	}
	s.compare("testdata/promises.golden")
}
