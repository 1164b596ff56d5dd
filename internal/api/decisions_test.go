package api_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/api"
)

// deciding is a server with a warehouse far away that has everything and a store nearby that has little.
func deciding(t *testing.T) (s *script, publish func(kind, text string)) {
	t.Helper()
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	_, handler := serve(t, func() time.Time { return at })
	s = &script{t: t, handler: handler}
	place := func(typ, latitude, capabilities string) string {
		return `{"type":"` + typ + `","time_zone":"UTC","capabilities":[` + capabilities + `],"address":{"country":"DE","latitude":` + latitude + `,"longitude":10}}`
	}
	s.call("PUT", "/v1/locations/dc", place("dc", "48", `"ship","returns"`))
	s.call("PUT", "/v1/locations/store", place("store", "53", `"ship","pickup"`))
	s.call("PUT", "/v1/channels/web", `{"type":"web","currency":"EUR","buffer":1}`)
	for _, sku := range []string{"shirt", "hat"} {
		s.call("PUT", "/v1/catalog/"+sku, `{"weight_g":200}`)
	}
	s.call("PUT", "/v1/catalog/set", `{"components":[{"sku":"shirt","quantity":1},{"sku":"hat","quantity":2}]}`)
	s.call("POST", "/v1/inventory/adjustments", `{"items":[{"sku":"shirt","location":"dc","quantity":9},{"sku":"hat","location":"dc","quantity":9},{"sku":"shirt","location":"store","quantity":4}]}`)
	s.out.Reset()
	return s, func(kind, text string) {
		t.Helper()
		body, err := json.Marshal(api.PolicyDocument{Text: text})
		if err != nil {
			t.Fatal(err)
		}
		said := s.out.String()
		s.call("PUT", "/v1/policies/"+kind+"/main", string(body))
		if s.call("POST", "/v1/policies/"+kind+"/main/publish", `{}`)["in_force"] == nil {
			t.Fatal(s.out.String())
		}
		s.out.Reset()
		s.out.WriteString(said)
	}
}

func (s *script) golden(path string) {
	s.t.Helper()
	if *updatePolicies {
		*updateWebhooks = true
		defer func() { *updateWebhooks = false }()
	}
	s.compare(path)
}

const holding = "kind: sourcing\nname: main\nsourcing:\n  groups: [{name: all, cost: [{term: carrier}, {term: distance, value: '1'}]}]\n  otherwise: {action: hold, queue: desk, cancel_after_hours: 24}\n"

// TestDecisionRoutes follows an order through a queue, and asks why.
func TestDecisionRoutes(t *testing.T) {
	s, publish := deciding(t)
	publish("sourcing", holding)
	o := s.call("POST", "/v1/orders", `{"channel":"web","ship_to":{"country":"DE","latitude":53.5,"longitude":10},"lines":[{"sku":"shirt","quantity":2,"unit_price":1000},{"sku":"hat","quantity":12}]}`)
	id := s.named(o, "id", "ORDER")
	s.out.Reset()
	s.call("GET", "/v1/orders?queue=desk", "")
	s.call("GET", "/v1/orders?queue=desk&sku=shirt", "")
	s.named(s.call("POST", "/v1/inventory/adjustments", `{"items":[{"sku":"hat","location":"store","quantity":5}]}`), "id", "RECEIPT")
	s.call("POST", "/v1/orders/"+id+"/release", "")
	s.call("POST", "/v1/orders/"+id+"/release", "")
	s.call("GET", "/v1/orders?queue=desk", "")
	s.call("GET", "/v1/orders/"+id+"/decisions", "")
	s.call("GET", "/v1/orders/none/decisions", "")
	s.call("POST", "/v1/orders/none/release", "")
	s.golden("testdata/decisions.golden")
}

// TestPlanRoute tries orders and cases, and what is neither.
func TestPlanRoute(t *testing.T) {
	s, publish := deciding(t)
	const shirt = `{"channel":"web","ship_to":{"country":"DE","latitude":53.5,"longitude":10},"lines":[{"sku":"shirt","quantity":2}]}`
	plan := func(body string) { s.call("POST", "/v1/sourcing/plan", body) }
	text := func(policy string) string {
		b, err := json.Marshal(policy)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	plan(`{"order":` + shirt + `}`)
	plan(`{"order":` + strings.Replace(shirt, `"shirt","quantity":2`, `"set","quantity":1`, 1) + `,"policy":` + text(strings.Replace(holding, "name: all,", "name: all, limits: {kits: component},", 1)) + `}`)
	publish("sourcing", strings.Replace(holding, "action: hold, queue: desk, cancel_after_hours: 24", "action: reject", 1))
	plan(`{"order":` + strings.Replace(shirt, "2", "200", 1) + `}`)
	plan(`{"case":{"id":"1","line_split":"never","note":"of my own","lines":[{"sku":"a","quantity":1,"unit_cancel_cost":500}],"locations":[{"id":"x","shipment_cost":120,"unit_cost":[5],"available":[1]}]}}`)
	for _, wrong := range []string{
		`{}`, `[]`, `{"order":null,"case":null}`, `{"order":{}}`, `{"case":{}}`, `{"case":7}`, `{"cases":[]}`,
		`{"order":` + shirt + `,"case":{}}`, `{"case":{},"policy":"x"}`,
		`{"order":` + strings.Replace(shirt, "shirt", "none", 1) + `}`,
		`{"order":` + strings.Replace(shirt, `"channel"`, `"reservation_id":"r","channel"`, 1) + `}`,
		`{"order":` + shirt + `,"policy":` + text("kind: sourcing\nname: x\nsourcing: {grups: []}\n") + `}`,
		`{"order":` + shirt + `,"policy":` + text("kind: returns\nname: x\nreturns: {rules: []}\n") + `}`,
		`{"order":` + shirt + `,"policy":` + text("\t:") + `}`,
	} {
		plan(wrong)
	}
	s.golden("testdata/plan.golden")
}

// A case may be as large as the planner admits, and no larger.
func TestPlanOfManyLinesAndLocations(t *testing.T) {
	s, _ := deciding(t)
	var b strings.Builder
	b.WriteString(`{"case":{"id":"large","line_split":"always","lines":[`)
	for i := range 100 {
		fmt.Fprintf(&b, `{"sku":"s%d","quantity":3,"unit_cancel_cost":900},`, i)
	}
	lines := strings.TrimSuffix(b.String(), ",") + `],"locations":[`
	b.Reset()
	for i := range 2000 {
		fmt.Fprintf(&b, `{"id":"l%d","shipment_cost":%d,"unit_cost":[%s0],"available":[%s2]},`, i, 100+i*7%300, strings.Repeat("5,", 99), strings.Repeat(fmt.Sprint(i%3, ","), 99))
	}
	p := s.call("POST", "/v1/sourcing/plan", lines+strings.TrimSuffix(b.String(), ",")+"]}}")
	plan, _ := p["plan"].(map[string]any)
	if plan["method"] == nil || plan["bound"] == nil && plan["method"] != "exact" {
		t.Fatalf("no plan, or a plan without a bound on its gap: %v", plan["method"])
	}
	if p = s.call("POST", "/v1/sourcing/plan", `{"case":{"id":"`+strings.Repeat("x", 16<<20)+`"}}`); p["code"] != "body_too_large" {
		t.Errorf("a body beyond the limit: %v", p["code"])
	}
}

// TestReturnRoute asks where returned goods go.
func TestReturnRoute(t *testing.T) {
	s, publish := deciding(t)
	route := func(body string) { s.call("POST", "/v1/returns/route", body) }
	const from = `"channel":"web","from":{"country":"DE","latitude":53.5,"longitude":10}`
	route(`{` + from + `,"lines":[{"sku":"shirt","quantity":1}]}`)
	route(`{` + from + `,"method":"store","location":"store","lines":[{"sku":"set","quantity":1,"reason":"size"}]}`)
	publish("returns", "kind: returns\nname: main\nreturns: {rules: [{name: cheap, when: 'line.value < 500', to: keep}]}\n")
	route(`{` + from + `,"lines":[{"sku":"shirt","quantity":1,"unit_price":100},{"sku":"shirt","quantity":9,"unit_price":100}]}`)
	for _, wrong := range []string{`{}`, `{"order_id":"none","lines":[{"line":"1","quantity":1}]}`, `{` + from + `,"lines":[{"sku":"none","quantity":0}]}`, `{"lines":{}}`} {
		route(wrong)
	}
	s.golden("testdata/returns.golden")
}

// TestAvailabilityWithheld asks with and without a policy.
func TestAvailabilityWithheld(t *testing.T) {
	s, publish := deciding(t)
	ask := func() {
		s.call("POST", "/v1/availability", `{"channel":"web","items":[{"sku":"shirt"},{"sku":"hat"},{"sku":"set"}]}`)
	}
	ask()
	publish("availability", "kind: availability\nname: main\navailability:\n  rules:\n    - {name: stores, types: [store], buffer: 2, percent: 50}\n    - {name: hats, when: sku.id == \"hat\", safety: 5}\n")
	ask()
	s.golden("testdata/availability.golden")
}
