package bench

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/orderly-oms/orderly/internal/api"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/store/sqlite"
)

// serve starts a server on a store of its own.
func serve(t *testing.T) (*engine.Engine, string) {
	t.Helper()
	s, err := sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	e, err := engine.Open(t.Context(), s, engine.Options{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	e.Run()
	server := httptest.NewServer(api.New(e, api.Options{Open: true, Log: log}).Handler())
	t.Cleanup(func() {
		server.Close()
		e.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return e, server.URL
}

func bare(_ context.Context, body []byte) (string, func() error, error) {
	server := httptest.NewServer(Bare(body))
	return server.URL, func() error { server.Close(); return nil }, nil
}

func TestEachKindDoesWhatItSays(t *testing.T) {
	const operations, clients = 60, 6
	for _, tc := range []struct {
		kind     Kind
		requests int64 // that a run of the operations has
		commands int64
		check    func(t *testing.T, r *Report)
	}{
		{Capture, operations, operations, func(t *testing.T, r *Report) {
			if r.RequestBytes < 800 || r.RequestBytes > 1000 {
				t.Errorf("an order has %d bytes, want about 900", r.RequestBytes)
			}
		}},
		{Reserve, operations, operations, nil},
		{Lifecycle, 9 * operations, 8 * operations, func(t *testing.T, r *Report) {
			if f := r.Lifecycle; f.Orders != operations || f.DurableSteps != 8*operations || f.StepsPerOrder != 8 || f.OrderP50MS <= 0 {
				t.Errorf("%+v", f)
			}
		}},
		{Inventory, operations, operations, func(t *testing.T, r *Report) {
			if f := r.Inventory; f.Deltas != 1000*operations || f.Positions != 2000 {
				t.Errorf("%+v", f)
			}
		}},
		{Availability, comparisonRounds * operations, 0, func(t *testing.T, r *Report) {
			f := r.Availability
			if f.Ratio <= 0 || f.RatioSmallest > f.Ratio || f.Ratio > f.RatioLargest || f.BarePS <= 0 || f.Positions != 2000 {
				t.Errorf("%+v", f)
			}
			if r.ResponseBytes < 5*50*20 {
				t.Errorf("an answer of %d bytes cannot hold 5 SKUs at 50 locations", r.ResponseBytes)
			}
		}},
		{Promise, comparisonRounds * operations, 0, func(t *testing.T, r *Report) {
			f := r.Promise
			if f.Ratio <= 0 || f.RatioSmallest > f.Ratio || f.Ratio > f.RatioLargest || f.BarePS <= 0 || f.Locations != 500 || f.SKUs != 4 {
				t.Errorf("%+v", f)
			}
			if f.Baskets != operations || f.BasketsPS <= 0 || f.BasketP50MS <= 0 || f.BasketP50MS > f.BasketP99MS || r.ResponseBytes < 200 {
				t.Errorf("%+v, %d bytes", f, r.ResponseBytes)
			}
		}},
	} {
		t.Run(string(tc.kind), func(t *testing.T) {
			t.Parallel()
			_, url := serve(t)
			r, err := Run(t.Context(), Options{Kind: tc.kind, Target: url, Clients: clients, Requests: operations, Positions: 2000, Bare: bare})
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Errors) > 0 || r.Requests != tc.requests || r.Server.Commands != tc.commands {
				t.Errorf("errors %v, %d requests, %d commands; want none, %d, %d", r.Errors, r.Requests, r.Server.Commands, tc.requests, tc.commands)
			}
			if r.ThroughputPS <= 0 || r.P50MS <= 0 || r.P50MS > r.P99MS || r.P99MS > r.P999MS || r.P999MS > r.MaxMS {
				t.Errorf("throughput %g/s, %g, %g, %g, at most %g ms", r.ThroughputPS, r.P50MS, r.P99MS, r.P999MS, r.MaxMS)
			}
			if tc.check != nil {
				tc.check(t, r)
			}
		})
	}
}

// Refusals must show: a run against stock that is gone would else look fast.
func TestRefusalsAreErrors(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/reservations" && asked.Add(1)%4 != 0 {
			w.WriteHeader(http.StatusConflict)
			w.Write([]byte(`{"status":409,"code":"insufficient_stock"}`))
		}
	}))
	defer server.Close()
	r, err := Run(t.Context(), Options{Kind: Reserve, Target: server.URL, Clients: 2, Requests: 40})
	if err != nil {
		t.Fatal(err)
	}
	if r.Requests != 10 || r.Errors["409 insufficient_stock"] != 30 {
		t.Errorf("%d requests, errors %v; want 10 and 30", r.Requests, r.Errors)
	}
}

func TestPreparingThatIsRefusedEndsTheRun(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	defer server.Close()
	if r, err := Run(t.Context(), Options{Kind: Capture, Target: server.URL, Clients: 2, Requests: 40}); err == nil {
		t.Errorf("no error but %+v", r)
	}
}

func TestAServerThatGoesAwayEndsTheRun(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/reservations" {
			panic(http.ErrAbortHandler)
		}
	}))
	defer server.Close()
	if r, err := Run(t.Context(), Options{Kind: Reserve, Target: server.URL, Clients: 2, Requests: 4000}); err == nil {
		t.Errorf("no error but %+v", r)
	}
}

func TestOrdersAreValidAndAverage(t *testing.T) {
	t.Parallel()
	numbers, sh := random(1), shop{orderLocations, orderPositions / orderLocations}
	lines := 0
	for range orderTemplates {
		b := basket(numbers, sh)
		seen := map[int]bool{}
		for _, l := range b {
			if seen[l.sku] {
				t.Fatalf("a basket has a SKU twice: %v", b)
			}
			seen[l.sku] = true
		}
		n := newOrder(numbers, sh, b)
		if err := n.Validate(); err != nil {
			t.Fatal(err)
		}
		lines += len(n.Lines)
	}
	if mean := float64(lines) / orderTemplates; mean < 2.45 || mean > 2.55 {
		t.Errorf("%g lines on average, want 2.5", mean)
	}
	if err := carrier().Validate(); err != nil {
		t.Error(err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	good := Options{Kind: Reserve, Target: "http://127.0.0.1:1", Clients: 1, Requests: 1}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(o *Options){
		"kind":      func(o *Options) { o.Kind = "coffee" },
		"scheme":    func(o *Options) { o.Target = "https://127.0.0.1:1" },
		"clients":   func(o *Options) { o.Clients = MaxClients + 1 },
		"positions": func(o *Options) { o.Positions = MaxPositions + 1 },
		"no end":    func(o *Options) { o.Requests = 0 },
	} {
		o := good
		if change(&o); o.Validate() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// The ids of an order's answer are found without decoding it.
func TestAnOrdersAnswerHasTheFormThatIsScanned(t *testing.T) {
	t.Parallel()
	body, err := json.Marshal(&order.Order{ID: "o", Fulfillments: []order.Fulfillment{{ID: "o-1", Location: "dc"}}})
	if err != nil {
		t.Fatal(err)
	}
	if got := fulfillmentsOf(nil, body); len(got) != 1 || got[0] != "o-1" || string(stringAfter(body, `"id":"`)) != "o" {
		t.Errorf("found %v in %s", got, body)
	}
}
