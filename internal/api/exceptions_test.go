package api_test

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// TestExceptionRoutes lets a store forget an order, works on the exception, and looks at the effort.
func TestExceptionRoutes(t *testing.T) {
	var now atomic.Int64
	now.Store(time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC).UnixNano())
	e, handler := serve(t, func() time.Time { return time.Unix(0, now.Load()) })
	s := &script{t: t, handler: handler}
	store := func(latitude string) string {
		return `{"type":"store","time_zone":"UTC","capabilities":["ship"],"address":{"country":"DE","latitude":` + latitude + `,"longitude":10}}`
	}
	s.call("PUT", "/v1/locations/north", store("53"))
	s.call("PUT", "/v1/locations/south", store("48"))
	s.call("PUT", "/v1/channels/web", `{"type":"web","currency":"EUR"}`)
	s.call("PUT", "/v1/catalog/A", `{"weight_g":200}`)
	s.call("POST", "/v1/inventory/adjustments", `{"items":[{"sku":"A","location":"north","quantity":2},{"sku":"A","location":"south","quantity":5}]}`)
	o := s.call("POST", "/v1/orders", `{"channel":"web","ship_to":{"country":"DE","latitude":53.5,"longitude":10},"lines":[{"sku":"A","quantity":2,"unit_price":4500}]}`)
	id := s.named(o, "id", "ORDER")
	for loaded := false; !loaded; loaded = e.SummarizeExceptions(t.Context()).Loaded {
		runtime.Gosched()
	}
	now.Add(int64(26 * time.Hour))
	e.FireTimers(t.Context())
	s.out.Reset() // what was there before

	page := s.call("GET", "/v1/exceptions", "")
	items := page["items"].([]any)
	if len(items) != 1 {
		t.Fatalf("%d exceptions, want one", len(items))
	}
	x := "/v1/exceptions/" + id + "-e1"
	s.call("GET", "/v1/exceptions?state=lost&cursor=rubbish", "")
	s.call("GET", "/v1/exceptions?fixes=maybe", "")
	s.call("GET", "/v1/exceptions?channel=shop&fixes=false", "")
	s.call("POST", x+"/claim", `{"owner":"ada"}`)
	s.call("POST", x+"/claim", `{"owner":"bob"}`)
	s.call("POST", x+"/release", "")
	s.call("POST", x+"/fixes/burn/apply", "")
	s.call("POST", x+"/fixes/ship_from/simulate", `{"location":"nowhere"}`)
	s.call("POST", x+"/fixes/ship_from/simulate", `{"hours":3}`)
	s.call("POST", x+"/fixes/resource/simulate", "")
	s.call("POST", x+"/close", `{}`)
	s.call("POST", x+"/touches", `{"by":"ada","action":"phone_call","seconds":300}`)
	s.call("GET", "/v1/exceptions/summary", "")
	s.call("POST", "/v1/exceptions/bulk", `{"fix":"resource"}`)
	s.call("POST", "/v1/exceptions/bulk", `{"filter":{"type":"acceptance_overdue"},"fix":"resource","dry_run":true}`)
	s.call("POST", x+"/fixes/resource/apply", `{"reason":"no answer"}`)
	s.call("POST", x+"/fixes/resource/apply", `{}`)
	s.call("GET", x, "")
	s.call("POST", "/v1/orders/"+id+"/touches", `{"action":"two words"}`)
	s.call("GET", "/v1/effort?by=mood", "")
	if *updatePolicies {
		*updateWebhooks = true
		defer func() { *updateWebhooks = false }()
	}
	s.compare("testdata/exceptions.golden")
}
