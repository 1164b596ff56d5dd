package api_test

import (
	"encoding/json"
	"sync/atomic"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/api"
)

// TestPaymentRoutes pays an order with two tenders, one of which is declined, and gives some of it back.
func TestPaymentRoutes(t *testing.T) {
	var now atomic.Int64
	now.Store(time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC).UnixNano())
	_, handler := serve(t, func() time.Time { return time.Unix(0, now.Load()) })
	s := &script{t: t, handler: handler}
	s.call("PUT", "/v1/locations/dc", `{"type":"dc","time_zone":"UTC","capabilities":["ship"],"address":{"country":"DE","latitude":53,"longitude":10}}`)
	s.call("PUT", "/v1/channels/web", `{"type":"web","currency":"EUR"}`)
	s.call("PUT", "/v1/catalog/A", `{"weight_g":200}`)
	s.call("POST", "/v1/inventory/adjustments", `{"items":[{"sku":"A","location":"dc","quantity":9}]}`)
	text, err := json.Marshal(api.PolicyDocument{Text: "kind: payment\nname: shop\npayment: {providers: {card: acme, gift_card: cards}}\n"})
	if err != nil {
		t.Fatal(err)
	}
	s.call("PUT", "/v1/policies/payment/shop", string(text))
	s.call("POST", "/v1/policies/payment/shop/publish", `{}`)
	o := s.call("POST", "/v1/orders", `{"channel":"web","external_id":"W-1","ship_to":{"country":"DE","latitude":53.5,"longitude":10},"lines":[{"sku":"A","quantity":3,"unit_price":1000}],
		"tenders":[{"type":"gift_card","amount":500,"reference":"gc_1"},{"type":"card","amount":2500,"reference":"tok_1"}]}`)
	id := s.named(o, "id", "ORDER")
	s.out.Reset() // what was there before

	at, op := "/v1/orders/"+id+"/", "/v1/payments/"+id
	s.call("GET", at+"payments", "")
	s.call("POST", op+"-p1/result", `{"status":"succeeded","reference":"c-77"}`)
	s.call("POST", op+"-p1/result", `{"status":"succeeded","reference":"c-77"}`)
	s.call("POST", op+"-p2/result", `{"status":"declined","code":"insufficient_funds","message":"4111 1111 1111 1111"}`)
	s.call("POST", op+"-p2/result", `{"status":"declined","code":"insufficient_funds"}`)
	s.call("POST", op+"-p9/result", `{"status":"succeeded"}`)
	s.call("POST", "/v1/payments/what/result", `{"status":"fine","amount":-1}`)
	s.call("GET", "/v1/payments?standing=declined&state=declined", "")
	s.call("GET", "/v1/payments?standing=captured", "")
	s.call("GET", "/v1/payments?provider=acme&state=lost", "")
	s.call("POST", at+"payments", `{"type":"card","reference":"4111111111111111"}`)
	s.call("POST", at+"payments", `{"type":"cash"}`)
	s.call("POST", at+"payments", `{"type":"card","amount":9000,"reference":"tok_2"}`)
	s.call("POST", at+"payments", `{"type":"card","reference":"tok_2"}`)
	s.call("POST", op+"-p3/result", `{"status":"succeeded","reference":"a-5","expires_at":"2026-11-30T00:00:00Z"}`)
	s.call("POST", at+"payments/retry", "")
	s.call("POST", at+"payments/retry", "")
	s.call("POST", at+"refunds", `{"amount":100,"reason":"late"}`)
	for _, step := range []string{"accept", "pick", "pack", "ship"} {
		s.call("POST", "/v1/fulfillments/"+id+"-1/"+step, "")
	}
	s.call("POST", op+"-p4/result", `{"status":"succeeded"}`)
	s.call("POST", op+"-p5/result", `{"status":"succeeded"}`)
	s.call("POST", at+"refunds", `{"amount":600,"reason":"a scratch","preview":true}`)
	s.call("POST", at+"refunds", `{"amount":0,"tender":"t9"}`)
	s.call("POST", at+"refunds", `{"amount":600,"reason":"a scratch","tender":"t9"}`)
	s.call("POST", at+"refunds", `{"amount":600,"reason":"a scratch"}`)
	s.call("GET", at+"payments", "")
	s.golden("testdata/payments.golden")
}
