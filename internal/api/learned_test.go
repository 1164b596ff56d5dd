package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/api"
	"github.com/orderly-oms/orderly/internal/engine"
)

// TestLearnedRoutes runs an order through a location that then fails another, and asks what was learned.
func TestLearnedRoutes(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	e, handler := serve(t, func() time.Time { return at })
	call := func(method, path, body string, status int) []byte {
		t.Helper()
		w := httptest.NewRecorder()
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		if body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		handler.ServeHTTP(w, r)
		if w.Code != status {
			t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
		}
		return w.Body.Bytes()
	}
	read := func(path string) (out api.LearnedHistory) {
		t.Helper()
		if err := json.Unmarshal(call("GET", path, "", 200), &out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	if first := read("/v1/learned/history"); first.Version != 0 || len(first.Locations) != 0 || first.Locations == nil {
		t.Errorf("before anything: %+v", first)
	}
	call("GET", "/v1/learned/history?location=L1", "", http.StatusNotFound)

	for _, id := range []string{"L1", "L2"} {
		call("PUT", "/v1/locations/"+id, fmt.Sprintf(`{"id":%q,"type":"store","time_zone":"UTC","capabilities":["ship"],"address":{"country":"DE"}}`, id), 201)
	}
	call("PUT", "/v1/channels/web", `{"id":"web","type":"web","currency":"EUR"}`, 201)
	call("PUT", "/v1/catalog/A", `{"sku":"A"}`, 201)
	call("POST", "/v1/inventory/adjustments", `{"reason":"receipt","items":[{"sku":"A","location":"L1","quantity":9},{"sku":"A","location":"L2","quantity":9}]}`, 200)
	for i, step := range []string{"ship", "reject"} {
		var o struct {
			Fulfillments []struct{ ID, Location string } `json:"fulfillments"`
		}
		body := call("POST", "/v1/orders", fmt.Sprintf(`{"channel":"web","external_id":"%d","required_location":"L1","ship_to":{"country":"DE"},"lines":[{"sku":"A","quantity":2,"unit_price":100}]}`, i), 201)
		if err := json.Unmarshal(body, &o); err != nil || len(o.Fulfillments) != 1 {
			t.Fatalf("%v in %s", err, body)
		}
		path := "/v1/fulfillments/" + o.Fulfillments[0].ID
		if step == "reject" {
			call("POST", path+"/reject", `{"reason":"broken"}`, 200)
			continue
		}
		for _, s := range []string{"accept", "pick", "pack", "ship"} {
			call("POST", path+"/"+s, `{}`, 200)
		}
	}
	if err := e.LearnNow(t.Context()); err != nil {
		t.Fatal(err)
	}

	var list api.Page[engine.Learned]
	if err := json.Unmarshal(call("GET", "/v1/learned", "", 200), &list); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, l := range list.Items {
		found = found || l.ID == engine.LearnedHistory && l.Version == 1 && l.At.Equal(at) && l.Observed > 0 && l.Bytes > 0
	}
	if !found {
		t.Errorf("learned %+v", list.Items)
	}
	one := read("/v1/learned/history?location=L1")
	if len(one.Locations) != 1 || one.Version != 1 || one.NetworkFailureRate != 0.5 {
		t.Fatalf("learned of L1: %+v", one)
	}
	if l := one.Locations[0]; l.Given != 2 || l.Picked != 1 || l.Rejected != 1 || l.FailureRate != 0.5 || l.Shipped != 1 || l.SKUs != 1 {
		t.Errorf("learned of L1: %+v", l)
	}
	if len(one.Movers) != 1 || one.Movers[0].SKU != "A" || one.Movers[0].Velocity <= 0 {
		t.Errorf("movers %+v", one.Movers)
	}
	sku := read("/v1/learned/history?sku=A")
	if sku.Demand == nil || *sku.Demand <= 0 || len(sku.Outlets) != 1 || sku.Outlets[0].Location != "L1" {
		t.Errorf("learned of A: %+v", sku)
	}
	if page := read("/v1/learned/history?limit=1"); len(page.Locations) != 1 || page.Next != "" {
		t.Errorf("page %+v", page)
	}
	call("GET", "/v1/learned/history?limit=1001", "", 422)
	call("GET", "/v1/learned/history?limit=1000", "", 200)
	call("GET", "/v1/learned/history?sku=A&location=L1", "", 422)
}
