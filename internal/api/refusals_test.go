package api_test

import (
	"strings"
	"testing"
	"time"
)

// What is refused says what to do next: what there is instead, or where it is done.
func TestRefusalsSayWhatToDo(t *testing.T) {
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	_, handler := serve(t, func() time.Time { return at })
	s := &script{t: t, handler: handler}
	s.call("PUT", "/v1/locations/dc", `{"type":"dc","time_zone":"UTC","capabilities":["ship"],"address":{"country":"DE","latitude":48,"longitude":10}}`)
	s.call("PUT", "/v1/channels/web", `{"type":"web","currency":"EUR"}`)
	s.call("PUT", "/v1/catalog/shirt", `{"weight_g":200}`)
	s.call("PUT", "/v1/catalog/cup", `{"weight_g":200}`)
	s.call("POST", "/v1/inventory/adjustments", `{"items":[{"sku":"shirt","location":"dc","quantity":9}]}`)
	doc := s.call("POST", "/v1/orders", `{"channel":"web","external_id":"1","ship_to":{"name":"Ada","line1":"Weg 1","city":"Ulm","postal_code":"89073","country":"DE"},
		"lines":[{"sku":"shirt","quantity":2,"unit_price":900}]}`)
	order := "/v1/orders/" + doc["id"].(string)
	s.call("POST", order+"/hold", `{"type":"fraud","reason":"odd"}`)
	s.call("PUT", "/v1/flows/order/web", `{"text":"`+strings.ReplaceAll(strings.ReplaceAll(lifecycleText("first", "second"), `"`, `\"`), "\n", `\n`)+`"}`)

	for _, c := range []struct{ method, path, body, says string }{
		{"POST", order + "/release", `{"type":"credit"}`, "in force: h1 (fraud)"},
		{"POST", order + "/hold", `{"type":"credit","reason":"x","expires_at":"2020-01-01T00:00:00Z"}`, "the expiry must lie ahead"},
		{"POST", order + "/edit", `{}`, "say what is to change"},
		{"POST", order + "/substitute", `{"line":"1","quantity":1,"sku":"cup"}`, "say in consent by whom"},
		{"POST", "/v1/inventory/adjustments", `{"items":[{"sku":"shirt","location":"dc","quantity":-10}]}`, "-10 would leave -1; a count goes to /v1/inventory/snapshots"},
		{"POST", "/v1/exceptions/x/fixes/magic/apply", `{}`, "GET /v1/exceptions/types"},
		{"POST", "/v1/flows/order/web/publish", `{"version":9}`, "there is no version 9 of order_flow/web; the latest is 1"},
		{"GET", "/v1/flows/order/web/diff?from=1&to=9", ``, "there is no version 9 of order_flow/web"},
		{"POST", "/v1/flows/order/web/migrations", `{}`, "in force; publish one"},
		{"POST", "/v1/flows/order/web/migrations", `{"version":1}`, "that was ever in force"},
		{"POST", "/v1/returns", `{"tracking":"T9","location":"dc"}`, "no return with the tracking number \"T9\""},
		{"POST", "/v1/returns", `{"channel":"web","external_id":"9","location":"dc","lines":[{"line":"1","quantity":1}]}`, "no order \"9\" of channel \"web\""},
	} {
		before := s.out.Len()
		s.call(c.method, c.path, c.body)
		answer := strings.ReplaceAll(s.out.String()[before:], `\"`, `"`)
		if !strings.Contains(answer, c.says) {
			t.Errorf("want %q in the answer:\n%s", c.says, answer)
		}
	}
}
