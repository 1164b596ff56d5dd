package api_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/api"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/experiment"
)

// TestExperimentRoutes tries a policy in the shadow and on a share, and shows what is refused and what is known.
func TestExperimentRoutes(t *testing.T) {
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	e, handler := serve(t, func() time.Time { return at })
	s := &script{t: t, handler: handler}
	text := func(v any) string {
		body, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	s.call("PUT", "/v1/locations/dc-1", `{"type":"dc","time_zone":"UTC","capabilities":["ship"],"address":{"country":"DE","latitude":48,"longitude":10}}`)
	s.call("PUT", "/v1/locations/dc-2", `{"type":"dc","time_zone":"UTC","capabilities":["ship"],"address":{"country":"DE","latitude":53,"longitude":10}}`)
	s.call("PUT", "/v1/channels/web", `{"type":"web","currency":"EUR"}`)
	s.call("PUT", "/v1/channels/uk", `{"type":"web","currency":"GBP"}`)
	s.call("PUT", "/v1/catalog/A", `{"weight_g":200}`)
	s.call("POST", "/v1/inventory/adjustments", `{"items":[{"sku":"A","location":"dc-1","quantity":100},{"sku":"A","location":"dc-2","quantity":100}]}`)
	s.out.Reset() // what was there before
	const path = "/v1/experiments"
	s.call("POST", path, `{}`)
	s.call("POST", path, `{"name":"x","mode":"share","percent":120,"policy":"near","channels":["shop"],"guardrails":{"cancel_percent_max":-1},"test":{"metric":"joy"}}`)
	s.call("POST", path, `{"name":"x","mode":"shadow","percent":10,"policy":"near@1"}`)
	s.call("POST", path, `{"name":"x","mode":"shadow","policy":"near@1","channels":["web"]}`)
	made := s.call("POST", path, text(api.NewExperiment{Setup: experiment.Setup{Name: "look first", Mode: experiment.Shadow, Channels: []string{"web"}}, Text: nearestByCost}))
	one := path + "/" + s.named(made, "id", "ONE")
	s.call("POST", one+"/start", "")
	s.call("POST", one+"/start", "")
	order := func(i int) map[string]any {
		return s.call("POST", "/v1/orders", fmt.Sprintf(`{"channel":"web","external_id":"%d","ship_to":{"country":"DE","latitude":53.5,"longitude":10},"lines":[{"sku":"A","quantity":1}]}`, i))
	}
	s.named(order(1), "id", "ORDER")
	if err := e.LearnNow(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.call("GET", one+"/result", "")
	s.call("POST", one+"/stop", `{"reason":"seen"}`)
	s.call("POST", one+"/stop", "")
	made = s.call("POST", path, `{"name":"half","mode":"share","percent":50,"policy":"near","currency":"EUR","guardrails":{"promise_kept_percent_min":90,"cost_more_percent_max":5}}`)
	two := path + "/" + s.named(made, "id", "TWO")
	s.call("POST", two+"/start", "")
	if err := e.LearnNow(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.call("GET", two+"/result", "")
	s.call("GET", two, "")
	s.call("GET", path, "")
	s.call("GET", path+"/none", "")
	s.call("GET", path+"/none/result", "")
	if *updatePolicies {
		*updateWebhooks = true
		defer func() { *updateWebhooks = false }()
	}
	s.compare("testdata/experiments.golden")
	if got := e.Experiments(); len(got) != 2 || got[0].State != experiment.Running || engine.ExperimentEventTypes[2] != "experiment.stopped" {
		t.Errorf("%d experiments are kept", len(got))
	}
}
