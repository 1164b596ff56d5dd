package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"
)

// transport keeps connections for all tests.
var transport = &http.Transport{MaxIdleConns: 1024, MaxIdleConnsPerHost: 512, IdleConnTimeout: 30 * time.Second}

// requestLimit bounds one request; the server gives up waiting sooner.
const requestLimit = 60 * time.Second

// client asks one node.
type client struct {
	url string
	key string // API key; empty: none is sent
}

// answer is what came back; err says that nothing did, and so that the outcome is unknown.
type answer struct {
	status int
	header http.Header
	body   []byte
	err    error
}

// do sends a request; body is a string as it is, nil for none, or anything else as JSON.
// headers are pairs of name and value.
func (c *client) do(ctx context.Context, method, path string, body any, headers ...string) answer {
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = bytes.NewReader([]byte(b))
	default:
		text, err := json.Marshal(b)
		if err != nil {
			return answer{err: err}
		}
		reader = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.url+path, reader)
	if err != nil {
		return answer{err: err}
	}
	// A request is repeated by the test and never by the transport, which would do it for
	// this header; a nil body getter stops it.
	r.GetBody = nil
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.key != "" {
		r.Header.Set("Authorization", "Bearer "+c.key)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := transport.RoundTrip(r)
	if err != nil {
		return answer{err: err}
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, text, err}
}

// code is the code of a problem document, empty when the answer is none.
func (a answer) code() string {
	if a.header.Get("Content-Type") != "application/problem+json" {
		return ""
	}
	var p struct{ Code string }
	_ = json.Unmarshal(a.body, &p) // without a code it is not a problem document
	return p.Code
}

func (a answer) String() string {
	if a.err != nil {
		return a.err.Error()
	}
	return fmt.Sprintf("%d %.400s", a.status, a.body)
}

// settled reports whether the answer says what became of the request.
func (a answer) settled() bool {
	return a.err == nil && a.status < 500 && a.code() != "request_in_progress"
}

// into decodes the answer, which must have the status.
func (a answer) into(t testing.TB, status int, v any) {
	t.Helper()
	if a.err != nil || a.status != status {
		t.Fatalf("answer %s, want %d", a, status)
	}
	if v == nil {
		return
	}
	if err := json.Unmarshal(a.body, v); err != nil {
		t.Fatalf("%v in %s", err, a)
	}
}

// The documents as far as the tests look into them.
type (
	orderDocument struct {
		ID           string                `json:"id"`
		Version      int64                 `json:"version"`
		ExternalID   string                `json:"external_id"`
		Status       string                `json:"status"`
		Fulfillments []fulfillmentDocument `json:"fulfillments"`
	}
	fulfillmentDocument struct {
		ID       string `json:"id"`
		Location string `json:"location"`
		Status   string `json:"status"`
		Lines    []struct {
			SKU      string `json:"sku"`
			Quantity int64  `json:"quantity"`
			Picked   int64  `json:"picked"`
			Shipped  int64  `json:"shipped"`
		} `json:"lines"`
	}
	reservationDocument struct {
		ID      string `json:"id"`
		Version int64  `json:"version"`
		Status  string `json:"status"`
		Lines   []struct {
			SKU  string `json:"sku"`
			Held int64  `json:"held"`
		} `json:"lines"`
		Holds []struct {
			Line     int    `json:"line"`
			Location string `json:"location"`
			Quantity int64  `json:"quantity"`
		} `json:"holds"`
	}
)

// spot names a position.
type spot struct{ sku, location string }

// stock is the counters of a position.
type stock struct {
	OnHand    int64 `json:"on_hand"`
	Reserved  int64 `json:"reserved"`
	Allocated int64 `json:"allocated"`
	Picked    int64 `json:"picked"`
}

// line is a line of an order or a reservation that is asked for.
type line struct {
	SKU      string `json:"sku"`
	Quantity int64  `json:"quantity"`
}

// seed makes a channel, locations and SKUs, with so many units of each SKU at each location.
func (c *client) seed(t testing.TB, locations, skus []string, units int64) {
	t.Helper()
	ctx := t.Context()
	put := func(path string, body any) {
		t.Helper()
		if a := c.do(ctx, "PUT", path, body); a.err != nil || a.status >= 300 {
			t.Fatalf("PUT %s: %s", path, a)
		}
	}
	type document = map[string]any
	put("/v1/channels/web", document{"type": "web", "currency": "EUR"})
	for i, l := range locations {
		put("/v1/locations/"+l, document{
			"type": "dc", "time_zone": "Europe/Berlin", "capabilities": []string{"ship", "pickup"},
			"address": document{"country": "DE", "latitude": 48 + float64(i), "longitude": 11.0},
		})
	}
	var items []document
	for _, sku := range skus {
		put("/v1/catalog/"+sku, document{"name": sku})
		for _, l := range locations {
			if units > 0 {
				items = append(items, document{"sku": sku, "location": l, "quantity": units})
			}
		}
	}
	if len(items) > 0 {
		c.do(ctx, "POST", "/v1/inventory/adjustments", document{"items": items, "reason": "receipt"}).into(t, 200, nil)
	}
}

// positions returns the positions of some SKUs as the node sees them.
func (c *client) positions(t testing.TB, skus []string) map[spot]stock {
	t.Helper()
	out := map[spot]stock{}
	for _, sku := range skus {
		var page struct {
			Items []struct {
				SKU      string `json:"sku"`
				Location string `json:"location"`
				stock
			} `json:"items"`
		}
		c.do(t.Context(), "GET", "/v1/inventory/positions?sku="+sku, nil).into(t, 200, &page)
		for _, p := range page.Items {
			out[spot{p.SKU, p.Location}] = p.stock
		}
	}
	return out
}

// orders returns every order of the store.
func (c *client) orders(t testing.TB) []orderDocument {
	t.Helper()
	var out []orderDocument
	for cursor := ""; ; {
		var page struct {
			Items []orderDocument `json:"items"`
			Next  string          `json:"next"`
		}
		c.do(t.Context(), "GET", "/v1/orders?limit=200&cursor="+cursor, nil).into(t, 200, &page)
		out = append(out, page.Items...)
		if page.Next == "" {
			return out
		}
		cursor = page.Next
	}
}
