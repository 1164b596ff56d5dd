package e2e

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// malformed are bodies that no operation can take.
var malformed = map[string]string{
	"no JSON":            `hello`,
	"half a document":    `{"lines":[{"sku":"A","quantity":1}`,
	"two documents":      `{}{}`,
	"a list":             `[]`,
	"a number":           `42`,
	"text":               `"x"`,
	"unknown field":      `{"no_such_field":1}`,
	"field twice":        `{"reason":"a","reason":"b"}`,
	"NUL":                "{\"reason\":\"\x00\"}",
	"invalid UTF-8":      "{\"reason\":\"\xff\xfe\"}",
	"lone surrogate":     `{"reason":"\ud800"}`,
	"deep nesting":       strings.Repeat(`{"lines":[`, 50_000),
	"deep list":          strings.Repeat(`[`, 500_000),
	"beyond int64":       `{"ttl_seconds":9223372036854775808,"lines":99999999999999999999999}`,
	"exponent":           `{"lines":[{"sku":"A","quantity":1e400}],"items":[{"quantity":1e400}]}`,
	"byte order mark":    "\ufeff{}x",
	"other capitals":     `{"LINES":[],"NaMe":"x"}`,
	"comment":            `{/* nothing */}`,
	"single quotes":      `{'a':1}`,
	"proto":              `{"__proto__":{"admin":true}}`,
	"nothing but spaces": "  \n\t ",
}

// wrong are well-formed bodies that an operation must refuse for what they say.
// "{order}" and "{fulfillment}" in a path are filled in with ones that exist.
var wrong = map[string][]string{
	"POST /v1/orders": {
		`{"channel":"web","lines":[]}`, `{"channel":"web","lines":null}`, `{"channel":"web"}`, `{"channel":null,"lines":[{"sku":"A","quantity":1}]}`,
		`{"channel":"nope","lines":[{"sku":"A","quantity":1}]}`, `{"channel":"web","lines":[{"sku":"nope","quantity":1}]}`,
		`{"channel":"web","lines":[{"sku":"A","quantity":0}]}`, `{"channel":"web","lines":[{"sku":"A","quantity":-1}]}`,
		`{"channel":"web","lines":[{"sku":"A","quantity":1.5}]}`, `{"channel":"web","lines":[{"sku":"A","quantity":"1"}]}`,
		`{"channel":"web","lines":[{"sku":"A","quantity":9223372036854775807}]}`, `{"channel":"web","lines":[{"sku":"A","quantity":9223372036854775808}]}`,
		`{"channel":"web","lines":[{"sku":"A","quantity":1,"unit_price":-1}]}`, `{"channel":"web","lines":[{"sku":"A","quantity":1000000,"unit_price":9223372036854775807}]}`,
		`{"channel":"web","lines":[{"sku":"A","quantity":1,"discount":5}]}`, `{"channel":"web","discount":9223372036854775807,"lines":[{"sku":"A","quantity":1}]}`,
		`{"channel":"web","external_id":"a\u0000b","lines":[{"sku":"A","quantity":1}]}`, `{"channel":"web","note":"\u0000","lines":[{"sku":"A","quantity":1}]}`,
		`{"channel":"web","attributes":{"k":"\u0000"},"lines":[{"sku":"A","quantity":1}]}`, `{"channel":"web","attributes":{"k":1},"lines":[{"sku":"A","quantity":1}]}`,
		`{"channel":"web","customer":{"name":"\u0000"},"lines":[{"sku":"A","quantity":1}]}`, `{"channel":"web","customer":"x","lines":[{"sku":"A","quantity":1}]}`,
		`{"channel":"web","placed_at":"yesterday","lines":[{"sku":"A","quantity":1}]}`, `{"channel":"web","placed_at":"0001-01-01T00:00:01Z","lines":[{"sku":"A","quantity":1}]}`,
		`{"channel":"web","currency":"XXX1","lines":[{"sku":"A","quantity":1}]}`, `{"channel":"web","method":"teleport","lines":[{"sku":"A","quantity":1}]}`,
		`{"channel":"web","method":"pickup","lines":[{"sku":"A","quantity":1}]}`, `{"channel":"web","method":"pickup","pickup_location":"nope","lines":[{"sku":"A","quantity":1}]}`,
		`{"channel":"web","reservation_id":"nope","lines":[{"sku":"A","quantity":1}]}`, `{"channel":"web","reservation_id":"'; drop table records; --","lines":[{"sku":"A","quantity":1}]}`,
		`{"channel":"web","shortage":"reject","lines":[{"sku":"A","quantity":1000000}]}`, `{"channel":"web","total":1,"lines":[{"sku":"A","quantity":1}]}`,
		`{"channel":"web","tenders":[{"type":"card","amount":0,"reference":"4111 1111 1111 1111"}],"lines":[{"sku":"A","quantity":1}]}`,
		`{"channel":"web","external_id":"` + strings.Repeat("x", 201) + `","lines":[{"sku":"A","quantity":1}]}`,
		`{"channel":"web","ship_to":{"country":"ZZZ"},"lines":[{"sku":"A","quantity":1}]}`, `{"channel":"web","ship_to":{"country":"DE","latitude":1e300},"lines":[{"sku":"A","quantity":1}]}`,
		`{"channel":"web","lines":[` + strings.Repeat(`{"sku":"A","quantity":1},`, 500) + `{"sku":"A","quantity":1}]}`,
	},
	"POST /v1/orders/{order}/cancel": {
		`{"lines":[{"line":"nope","quantity":1}]}`, `{"lines":[{"line":"1","quantity":-1}]}`, `{"lines":[{"line":"1","quantity":0}]}`,
		`{"lines":[{"line":"1","quantity":9223372036854775807}]}`, `{"lines":[{"line":"1","quantity":1},{"line":"1","quantity":1}]}`, `{"reason":"\u0000"}`,
	},
	"POST /v1/fulfillments/{fulfillment}/pick": {
		`{"lines":[{"line":"1","quantity":-1}]}`, `{"lines":[{"line":"1","quantity":9223372036854775807,"short":9223372036854775807}]}`,
		`{"lines":[{"line":"nope","quantity":1}]}`, `{"lines":[{"line":"1","quantity":1,"short":-1}]}`, `{"parcels":[{"id":"x"}]}`,
	},
	"POST /v1/fulfillments/{fulfillment}/reject":   {`{"lines":[{"line":"1","quantity":99}]}`, `{"reason":"\u0000"}`},
	"POST /v1/fulfillments/{fulfillment}/ship":     {`{"lines":[{"line":"1","quantity":99}]}`, `{"parcels":[{"weight_g":-1}]}`, `{"parcels":[{"tracking":"\u0000"}]}`},
	"POST /v1/fulfillments/{fulfillment}/ready":    {`{}`},
	"POST /v1/fulfillments/{fulfillment}/handover": {`{"lines":[{"line":"1","quantity":-5}]}`},
	"POST /v1/reservations": {
		`{"channel":"web","lines":[]}`, `{"channel":"nope","lines":[{"sku":"A","quantity":1}]}`, `{"channel":"web","lines":[{"sku":"nope","quantity":1}]}`,
		`{"channel":"web","lines":[{"sku":"A","quantity":-1}]}`, `{"channel":"web","ttl_seconds":-1,"lines":[{"sku":"A","quantity":1}]}`,
		`{"channel":"web","ttl_seconds":9223372036854775807,"lines":[{"sku":"A","quantity":1}]}`, `{"channel":"web","location":"nope","lines":[{"sku":"A","quantity":1}]}`,
		`{"channel":"web","reference":"\u0000","lines":[{"sku":"A","quantity":1}]}`, `{"channel":"web","lines":[{"sku":"A\u0000","quantity":1}]}`,
		`{"channel":"web","lines":[{"sku":"A","quantity":1000000}]}`,
	},
	"POST /v1/experiments": {
		`{}`, `{"name":"x","mode":"share","percent":10}`, `{"name":"x","mode":"ab","policy":"p"}`, `{"name":"x","mode":"share","percent":0,"policy":"p"}`, `{"name":"x","mode":"share","percent":10,"policy":"p@1"}`,
		`{"name":"x","mode":"share","percent":10,"text":"kind: sourcing"}`, `{"name":"x","mode":"share","percent":10,"policy":"p","text":"q"}`, `{"name":"\u0000","mode":"shadow","policy":"p"}`,
		`{"name":"x","mode":"shadow","policy":"p","channels":["nope"]}`, `{"name":"x","mode":"shadow","policy":"p","test":{"metric":"joy"}}`, `{"name":"x","mode":"share","percent":10,"policy":"p","guardrails":{"cancel_percent_max":-1}}`,
		`{"name":"x","mode":"share","percent":10,"policy":"p","split":"region","test":{"stop_when_sure":true}}`, `{"name":"x","mode":"shadow","policy":"p@-1"}`, `{"name":"x","mode":"shadow","policy":"' or 1=1 --"}`,
	},
	"POST /v1/experiments/nope/start": {``},
	"POST /v1/experiments/nope/stop":  {`{}`, `{"reason":5}`},
	"POST /v1/sourcing/reoptimise":    {`{"max_moves":-1}`, `{"max_moves":100001}`, `{"reason":"\u0000"}`, `{"location":5}`, `{"nope":1}`},
	"POST /v1/availability":           {`{"channel":"web","items":[]}`, `{"channel":"nope","items":[{"sku":"A"}]}`, `{"channel":"web","items":[{"sku":"A","quantity":-1}]}`, `{"channel":"web","items":[{"sku":""}]}`, `{"channel":"web","method":"teleport","items":[{"sku":"A"}]}`},
	"POST /v1/inventory/adjustments": {
		`{"items":[]}`, `{"items":[{"sku":"A","location":"dc1","quantity":0}]}`, `{"items":[{"sku":"A","location":"dc1","quantity":-101}]}`,
		`{"items":[{"sku":"A","location":"dc1","quantity":9223372036854775807}]}`, `{"items":[{"sku":"A","location":"dc1","quantity":-9223372036854775808}]}`,
		`{"items":[{"sku":"A","location":"dc1","quantity":9007199254740992}]}`, `{"items":[{"sku":"A","location":"nope","quantity":1}]}`, `{"items":[{"sku":"nope","location":"dc1","quantity":1}]}`,
		`{"items":[{"sku":"A","location":"dc1","quantity":1}],"reason":"\u0000"}`, `{"items":[{"sku":"A","location":"dc1","quantity":1},{"sku":"A","location":"dc1","quantity":-200}]}`,
	},
	"POST /v1/inventory/snapshots": {
		`{"items":[{"sku":"A","location":"dc1","on_hand":1}]}`, `{"as_of":"2999-01-01T00:00:00Z","items":[{"sku":"A","location":"dc1","on_hand":1}]}`,
		`{"as_of":"2026-01-01T00:00:00Z","items":[{"sku":"A","location":"dc1","on_hand":-1}]}`, `{"as_of":"2026-01-01T00:00:00Z","items":[{"sku":"A","location":"dc1","on_hand":1},{"sku":"A","location":"dc1","on_hand":2}]}`,
		`{"as_of":"2026-01-01T00:00:00Z","items":[]}`, `{"as_of":5,"items":[]}`,
	},
	"POST /v1/inventory/safety":             {`{"items":[]}`, `{"items":[{"sku":"A","location":"dc1","quantity":-1}]}`, `{"items":[{"sku":"A","location":"nope","quantity":1}]}`},
	"PUT /v1/inventory/supply/s1":           {`{}`, `{"sku":"A","location":"dc1","quantity":-1,"expected_at":"2030-01-01T00:00:00Z"}`, `{"sku":"nope","location":"dc1","quantity":1,"expected_at":"2030-01-01T00:00:00Z"}`, `{"id":"other","sku":"A","location":"dc1","quantity":1,"expected_at":"2030-01-01T00:00:00Z"}`},
	"PUT /v1/channels/x":                    {`{}`, `{"id":"y","type":"web","currency":"EUR"}`, `{"type":"web","currency":"EURO"}`, `{"type":"web","currency":"EUR","networks":["nope"]}`, `{"type":"web","currency":"EUR","buffer":-1}`},
	"PUT /v1/channels/a%00b":                {`{"type":"web","currency":"EUR"}`},
	"PUT /v1/locations/x":                   {`{}`, `{"type":"dc","time_zone":"Mars/Olympus","address":{"country":"DE"},"capabilities":["ship"]}`, `{"type":"dc","time_zone":"Europe/Berlin","address":{"country":"DE","latitude":91,"longitude":0},"capabilities":["ship"]}`, `{"type":"dc","time_zone":"Europe/Berlin","address":{"country":"DE"},"capabilities":["fly"]}`},
	"PUT /v1/networks/x":                    {`{"locations":["nope"]}`, `{"locations":[""]}`},
	"PUT /v1/catalog/x":                     {`{"sku":"y"}`, `{"weight_g":-1}`, `{"components":[{"sku":"x","quantity":1}]}`, `{"components":[{"sku":"A","quantity":0}]}`},
	"POST /v1/keys":                         {`{}`, `{"name":"x","scopes":[]}`, `{"name":"x","scopes":["god"]}`, `{"name":"x","scopes":["admin"],"requests_per_second":-1}`},
	"POST /v1/locations/nope/suspend":       {`{}`},
	"POST /v1/reservations/nope/cancel":     {``},
	"POST /v1/reservations/nope/extend":     {`{}`, `{"ttl_seconds":-5}`},
	"POST /v1/orders/nope/cancel":           {``},
	"POST /v1/fulfillments/nope/accept":     {``},
	"POST /v1/fulfillments/-/accept":        {``},
	"POST /v1/fulfillments/%00/accept":      {``},
	"POST /v1/orders/%F0%28%8C%28/cancel":   {``},
	"POST /v1/orders/..%2f..%2fkeys/cancel": {``},
}

// wrongQueries are reads that must be refused.
var wrongQueries = []string{
	"/v1/orders?limit=0", "/v1/orders?limit=201", "/v1/orders?limit=x", "/v1/orders?limit=99999999999999999999", "/v1/orders?created_from=yesterday",
	"/v1/orders?customer=a&sku=b", "/v1/orders/nope", "/v1/orders/nope/timeline", "/v1/orders/%00", "/v1/fulfillments/nope", "/v1/reservations/nope",
	"/v1/events?cursor=rubbish", "/v1/events?cursor=-1", "/v1/events?cursor=99999999999999999999", "/v1/events?limit=0", "/v1/events?wait=31", "/v1/events?wait=-1",
	"/v1/inventory/positions", "/v1/inventory/ledger?sku=A", "/v1/inventory/ledger?sku=A&location=dc1&cursor=x", "/v1/inventory/ledger?sku=A&location=dc1&cursor=-1",
	"/v1/inventory/supply", "/v1/channels/nope", "/v1/catalog/nope", "/v1/nope", "/v2/orders", "/", "/v1/orders?customer=%00", "/v1/orders?cursor=%ff",
}

// TestRubbish sends what no client should. The answer always is a problem document
// with a code, never a failure of the node, and nothing gets into the log.
func TestRubbish(t *testing.T) {
	onBothStores(t, func(t *testing.T, where place) {
		n := startNode(t, where)
		c := &client{url: n.url}
		c.seed(t, []string{"dc1"}, []string{"A"}, 100)
		var o orderDocument
		c.do(t.Context(), "POST", "/v1/orders", `{"channel":"web","lines":[{"sku":"A","quantity":2}]}`).into(t, 201, &o)
		fill := strings.NewReplacer("{order}", o.ID, "{fulfillment}", o.Fulfillments[0].ID)
		// The log has rows that are nobody's business (a lease of the webhooks), but
		// whatever a request does is an event.
		var page struct{ Next string }
		c.do(t.Context(), "GET", "/v1/events?cursor=now", nil).into(t, 200, &page)
		sent := 0
		refused := func(what, method, path string, body any, headers ...string) {
			t.Helper()
			sent++
			a := c.do(t.Context(), method, path, body, headers...)
			if a.err != nil || a.status < 400 || a.status >= 500 || a.code() == "" || !json.Valid(a.body) {
				t.Errorf("%s %.80s, %s: %s", method, path, what, a)
			}
			var news struct{ Events []json.RawMessage }
			c.do(t.Context(), "GET", "/v1/events?cursor="+page.Next, nil).into(t, 200, &news)
			// What the node learns by itself of the order before is no effect of a request.
			news.Events = slices.DeleteFunc(news.Events, func(e json.RawMessage) bool { return strings.Contains(string(e), `"type":"learned.updated"`) })
			if len(news.Events) > 0 {
				t.Fatalf("%s %.80s, %s: %s, and it happened: %s", method, path, what, a, news.Events)
			}
		}
		for _, op := range operations(t, c) {
			if op.method != "POST" && op.method != "PUT" {
				continue
			}
			for _, id := range []string{"no-such-id", o.ID, o.Fulfillments[0].ID} {
				path := op.pathOf(id)
				for what, body := range malformed {
					refused(what, op.method, path, body)
				}
				if path == op.path {
					break
				}
			}
			path := op.pathOf("no-such-id")
			refused("content type", op.method, path, "{}", "Content-Type", "text/xml")
			refused("content type of a form", op.method, path, "a=b", "Content-Type", "application/x-www-form-urlencoded")
			refused("huge", op.method, path, `{"reason":"`+strings.Repeat("x", 65<<20)+`"}`)
		}
		for operation, bodies := range wrong {
			method, path, _ := strings.Cut(fill.Replace(operation), " ")
			for _, body := range bodies {
				refused(fmt.Sprintf("%.200s", body), method, path, body)
			}
		}
		for _, path := range wrongQueries {
			refused("query", "GET", path, nil)
		}
		for _, header := range []string{"If-Match", "Idempotency-Key"} {
			refused(header, "POST", "/v1/orders/"+o.ID+"/cancel", nil, header, strings.Repeat("9", 300))
			refused(header, "POST", "/v1/orders/"+o.ID+"/cancel", nil, header, "\xff\xfe")
		}
		refused("method", "DELETE", "/v1/orders/"+o.ID, nil)
		refused("search", "GET", "/v1/orders/"+url.PathEscape("' or 1=1 --"), nil)
		t.Logf("%d requests refused", sent)
		verify(t, n, where)
	})
}
