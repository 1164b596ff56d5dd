package api_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/api"
)

const nearestByCost = `kind: sourcing
name: near
sourcing:
  groups:
    - name: near
      cost: [{term: distance, value: "2"}]
examples:
  - name: a kilometre counts 2
    given:
      lines: [{sku: shirt}]
      locations: [{id: a, distance_km: 3, stock: {shirt: {available: 1}}}]
    expect: {shipments: {a: {shirt: 1}}, cost: 6}
`

// TestReoptimiseRoute brings stock near the customer of an order that is to come from far, and decides again.
func TestReoptimiseRoute(t *testing.T) {
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	_, handler := serve(t, func() time.Time { return at })
	s := &script{t: t, handler: handler}
	text, err := json.Marshal(api.PolicyDocument{Text: nearestByCost})
	if err != nil {
		t.Fatal(err)
	}
	dc := func(latitude string) string {
		return `{"type":"dc","time_zone":"UTC","capabilities":["ship"],"address":{"country":"DE","latitude":` + latitude + `,"longitude":10}}`
	}
	s.call("PUT", "/v1/locations/dc-1", dc("48"))
	s.call("PUT", "/v1/locations/dc-2", dc("53"))
	s.call("PUT", "/v1/channels/web", `{"type":"web","currency":"EUR"}`)
	s.call("PUT", "/v1/catalog/A", `{"weight_g":200}`)
	s.call("PUT", "/v1/policies/sourcing/near", string(text))
	s.call("POST", "/v1/policies/sourcing/near/publish", `{}`)
	s.call("POST", "/v1/inventory/adjustments", `{"items":[{"sku":"A","location":"dc-1","quantity":1}]}`)
	s.call("POST", "/v1/orders", `{"channel":"web","external_id":"1","ship_to":{"country":"DE","latitude":53.5,"longitude":10},"lines":[{"sku":"A","quantity":1}]}`)
	s.call("POST", "/v1/inventory/adjustments", `{"items":[{"sku":"A","location":"dc-2","quantity":1}]}`)
	s.out.Reset() // what was there before
	s.call("POST", "/v1/sourcing/reoptimise", `{"max_moves":-1,"reason":"\u0000"}`)
	s.call("POST", "/v1/sourcing/reoptimise", `{"locations":["a"]}`)
	s.call("POST", "/v1/sourcing/reoptimise", `{"location":"dc-1","channel":"web","max_moves":10,"dry_run":true,"reason":"dc-1 is behind"}`)
	s.call("POST", "/v1/sourcing/reoptimise", "")
	if *updatePolicies {
		*updateWebhooks = true
		defer func() { *updateWebhooks = false }()
	}
	s.compare("testdata/reoptimise.golden")
}
