package api_test

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/api"
)

const lifecycle = `kind: order_flow
name: web
flow:
  ignore: ["order.*", "payment.*"]
  states:
    - name: NEW
      awaits: location
      timers: [{name: slow, after: 2d, every: 1d}]
      on:
        - {event: fulfillment.accepted, to: MIDDLE}
        - {event: timer.slow, do: [exception: {type: slow, message: nobody began}]}
    - name: MIDDLE
      awaits: location
      timers: [{name: late, after: 3d, every: 1d}]
      on:
        - {event: fulfillment.delivered, to: done}
        - {event: timer.late, do: [exception: {type: late, message: not delivered}]}
    - {name: done, final: true}
`

func lifecycleText(first, middle string) string {
	return strings.NewReplacer("NEW", first, "MIDDLE", middle).Replace(lifecycle)
}

// A flow goes through its life over HTTP: it is refused, saved, put in force, counted, drawn, changed, and what is
// in flight goes to its next version.
func TestFlowRoutes(t *testing.T) {
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	e, handler := serve(t, func() time.Time { return at })
	s := &script{t: t, handler: handler}
	s.call("PUT", "/v1/locations/dc", `{"type":"dc","time_zone":"UTC","capabilities":["ship"],"address":{"country":"DE","latitude":48,"longitude":10}}`)
	s.call("PUT", "/v1/channels/web", `{"type":"web","currency":"EUR"}`)
	s.call("PUT", "/v1/catalog/shirt", `{"weight_g":200}`)
	s.call("POST", "/v1/inventory/adjustments", `{"items":[{"sku":"shirt","location":"dc","quantity":90}]}`)
	text := func(doc string) string {
		body, err := json.Marshal(api.PolicyDocument{Text: doc})
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	expect := func(what string, got, want any) {
		t.Helper()
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	counts := func() string {
		t.Helper()
		if err := e.LearnNow(t.Context()); err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, v := range s.call("GET", "/v1/flows/order/web/counts", "")["versions"].([]any) {
			v := v.(map[string]any)
			line := v["ref"].(string)
			for _, state := range v["states"].([]any) {
				state := state.(map[string]any)
				line += fmt.Sprintf(" %s=%v", state["state"], state["count"])
			}
			out = append(out, line)
		}
		return strings.Join(out, "; ")
	}

	if ready := s.call("GET", "/v1/flows/library", "")["items"].([]any); len(ready) < 2 {
		t.Errorf("%d ready flows", len(ready))
	}
	stuck := strings.Replace(lifecycleText("new", "going"), "      timers: [{name: slow, after: 2d, every: 1d}]\n", "", 1)
	refused := s.call("POST", "/v1/flows/check", text(stuck))
	if problems := fmt.Sprint(refused["problems"]); !strings.Contains(problems, "state new") || !strings.Contains(problems, "line:") {
		t.Errorf("a state without a timer: %v", refused)
	}
	expect("saved as it is", s.call("PUT", "/v1/flows/order/web", text(stuck))["code"], "invalid")
	expect("of another subject", s.call("PUT", "/v1/flows/return/web", text(lifecycleText("new", "going")))["code"], "invalid")
	expect("of no subject", s.call("GET", "/v1/flows/nothing/web", "")["code"], "not_found")
	expect("before it is there", s.call("GET", "/v1/flows/order/web/counts", "")["code"], "not_found")

	expect("saved", s.call("PUT", "/v1/flows/order/web", text(lifecycleText("new", "going")))["in_force"], 0)
	expect("published", s.call("POST", "/v1/flows/order/web/publish", `{"reason":"begin"}`)["in_force"], 1)
	expect("listed", len(s.call("GET", "/v1/flows?subject=order", "")["items"].([]any)), 1)
	var orders []map[string]any
	for i := range 3 {
		orders = append(orders, s.call("POST", "/v1/orders", fmt.Sprintf(`{"channel":"web","external_id":"%d","ship_to":{"country":"DE","latitude":48,"longitude":10},"lines":[{"sku":"shirt","quantity":1}]}`, i)))
	}
	s.call("POST", "/v1/fulfillments/"+orders[0]["id"].(string)+"-1/accept", "")
	expect("counts", counts(), "web@1 new=2 going=1 done=0")

	expect("saved", len(s.call("PUT", "/v1/flows/order/web", text(lifecycleText("begun", "going")))["versions"].([]any)), 2)
	expect("published", s.call("POST", "/v1/flows/order/web/publish", `{}`)["in_force"], 2)
	diff := s.call("GET", "/v1/flows/order/web/diff?from=1&to=2", "")
	if !strings.Contains(fmt.Sprint(diff["changes"]), "begun") {
		t.Errorf("the difference: %v", diff)
	}
	lost := s.call("POST", "/v1/flows/order/web/migrations", `{}`)
	if lost["code"] != "invalid" || !strings.Contains(fmt.Sprint(lost["errors"]), "mapping.new") {
		t.Errorf("a state without a place: %v", lost)
	}
	dry := s.call("POST", "/v1/flows/order/web/migrations", `{"dry_run":true,"mapping":{"new":"begun"}}`)
	expect("dry run", fmt.Sprint(dry["states"], dry["moved"]), "[map[count:2 from:web@1 state:new to:begun] map[count:1 from:web@1 state:going to:going]] 0")
	expect("counts after the dry run", counts(), "web@1 new=2 going=1 done=0; web@2 begun=0 going=0 done=0")
	first := s.call("POST", "/v1/flows/order/web/migrations", `{"mapping":{"new":"begun"},"limit":2}`)
	rest := s.call("POST", "/v1/flows/order/web/migrations", fmt.Sprintf(`{"mapping":{"new":"begun"},"limit":2,"cursor":%q}`, first["next"]))
	expect("moved", fmt.Sprint(first["moved"], rest["moved"], rest["next"]), "2 1 <nil>")
	expect("counts after it", counts(), "web@2 begun=2 going=1 done=0")
	s.call("POST", "/v1/fulfillments/"+orders[0]["id"].(string)+"-1/deliver", "")
	expect("counts at the end", counts(), "web@2 begun=2 going=0 done=1")

	for _, query := range []string{"", "?version=1", "?counts=false"} {
		r := httptest.NewRecorder()
		handler.ServeHTTP(r, httptest.NewRequest("GET", "/v1/flows/order/web/diagram.svg"+query, nil))
		d := xml.NewDecoder(r.Body)
		for {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", query, err)
			}
		}
		if r.Code != 200 || r.Header().Get("Content-Type") != "image/svg+xml" {
			t.Errorf("%s: %d %s", query, r.Code, r.Header())
		}
	}
	expect("a version that is not there", s.call("GET", "/v1/flows/order/web/diagram.svg?version=9", "")["code"], "not_found")
	expect("rolled back", s.call("POST", "/v1/flows/order/web/rollback", `{}`)["in_force"], 1)
}
