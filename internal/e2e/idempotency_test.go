package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// TestIdempotency sends the same request many times, at once and again, across a kill.
func TestIdempotency(t *testing.T) {
	onBothStores(t, func(t *testing.T, where place) {
		n := startNode(t, where)
		c := &client{url: n.url}
		c.seed(t, []string{"dc1"}, []string{"A"}, 1000)
		adjustment := `{"items":[{"sku":"A","location":"dc1","quantity":7}],"reason":"receipt"}`
		reservation := `{"channel":"web","lines":[{"sku":"A","quantity":2}]}`
		order := `{"channel":"web","external_id":"once","lines":[{"sku":"A","quantity":3}]}`
		requests := []*repeatedRequest{
			{path: "/v1/inventory/adjustments", body: adjustment, other: strings.Replace(adjustment, "7", "8", 1), key: "k1", status: 200},
			{path: "/v1/reservations", body: reservation, other: strings.Replace(reservation, "2", "1", 1), key: "k2", status: 201},
			{path: "/v1/orders", body: order, other: strings.Replace(order, "3", "4", 1), key: "k3", status: 201},
			{path: "/v1/orders", body: strings.Replace(order, "once", "by-id", 1), other: strings.Replace(order, "once", "by-id", 1)[:0], status: 201},
		}
		for _, r := range requests {
			r.sendAtOnce(t, c)
			r.sendAgain(t, c)
		}
		n.kill()
		n = startNode(t, where)
		c = &client{url: n.url}
		for _, r := range requests {
			r.sendAgain(t, c)
		}
		a := c.do(t.Context(), "POST", "/v1/orders", strings.Replace(strings.Replace(order, "once", "by-id", 1), "3", "4", 1))
		if a.code() != "external_id_reused" {
			t.Errorf("other order under the same external id: %s", a)
		}
		want := stock{OnHand: 1007, Reserved: 2, Allocated: 6}
		if got := c.positions(t, []string{"A"})[spot{"A", "dc1"}]; got != want {
			t.Errorf("position %+v, want %+v", got, want)
		}
		requestInProgress(t, c)
		verify(t, n, where)
	})
}

// repeatedRequest is a request that is sent many times and is to count once.
type repeatedRequest struct {
	path, body string
	other      string // a different request under the same key; empty: not tried
	key        string // empty: the external id in the body makes it unique
	status     int
	first      []byte // the answer that all must get
}

func (r *repeatedRequest) send(t *testing.T, c *client, body string) answer {
	if r.key == "" {
		return c.do(t.Context(), "POST", r.path, body)
	}
	return c.do(t.Context(), "POST", r.path, body, "Idempotency-Key", r.key)
}

// sendAtOnce sends the request from many clients, which repeat it while it is in progress.
func (r *repeatedRequest) sendAtOnce(t *testing.T, c *client) {
	t.Helper()
	answers := make([]answer, 32)
	var wait sync.WaitGroup
	for i := range answers {
		wait.Go(func() {
			for {
				answers[i] = r.send(t, c, r.body)
				if answers[i].settled() || !pause(t.Context()) {
					return
				}
			}
		})
	}
	wait.Wait()
	r.first = answers[0].body
	for _, a := range answers {
		if a.status != r.status || string(a.body) != string(r.first) {
			t.Errorf("%s, at once: %s, want %d %s", r.path, a, r.status, r.first)
		}
	}
}

func (r *repeatedRequest) sendAgain(t *testing.T, c *client) {
	t.Helper()
	a := r.send(t, c, r.body)
	if a.status != r.status || string(a.body) != string(r.first) || a.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("%s, again: %s %v, want %d %s", r.path, a, a.header, r.status, r.first)
	}
	if r.other == "" {
		return
	}
	if a := r.send(t, c, r.other); a.status != http.StatusUnprocessableEntity || a.code() != "idempotency_key_reused" {
		t.Errorf("%s, other body under the key: %s", r.path, a)
	}
}

// requestInProgress looks for the answer that a client gets whose request is being decided.
func requestInProgress(t *testing.T, c *client) {
	t.Helper()
	const rounds, together = 200, 16
	for round := range rounds {
		codes := make([]string, together)
		var wait sync.WaitGroup
		for i := range together {
			wait.Go(func() {
				a := c.do(t.Context(), "POST", "/v1/inventory/safety", `{"items":[{"sku":"A","location":"dc1","quantity":1}]}`, "Idempotency-Key", fmt.Sprint("p", round))
				if codes[i] = a.code(); a.status != 200 && (a.status != http.StatusConflict || codes[i] != "request_in_progress" || a.header.Get("Retry-After") == "") {
					t.Errorf("%s %v", a, a.header)
				}
			})
		}
		wait.Wait()
		for _, code := range codes {
			if code == "request_in_progress" {
				return
			}
		}
	}
	t.Errorf("in %d rounds of %d requests under one key none met another in progress", rounds, together)
}
