package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// TestDrain sends SIGTERM while requests are being served. Those are answered and
// kept, streams end, no new traffic is taken, and the node ends with code 0.
func TestDrain(t *testing.T) {
	onBothStores(t, func(t *testing.T, where place) {
		n := startNode(t, where)
		c := &client{url: n.url}
		c.seed(t, []string{"dc1"}, []string{"A"}, 100)
		stream := openStream(t, n.url)
		var begun []*halfRequest
		for i := range 8 {
			begun = append(begun, beginOrder(t, n.url, fmt.Sprint("slow-", i)))
		}
		n.terminate(t)
		if _, err := io.Copy(io.Discard, stream); err != nil {
			t.Errorf("the event stream broke instead of ending: %v", err)
		}
		if a := c.do(t.Context(), "GET", "/readyz", nil); a.err == nil && (a.status != http.StatusServiceUnavailable || a.code() != "shutting_down") {
			t.Errorf("readyz of a draining node: %s", a)
		}
		for _, h := range begun {
			h.finish(t)
		}
		if code := n.wait(t); code != 0 {
			t.Errorf("the node ended with code %d", code)
		}
		n = startNode(t, where)
		if got := len((&client{url: n.url}).orders(t)); got != len(begun) {
			t.Errorf("%d orders exist after the restart, %d were acknowledged", got, len(begun))
		}
		verify(t, n, where)
	})
}

// TestDrainUnderLoad does so with clients that never pause: whatever was
// acknowledged is there afterwards, and nothing else is.
func TestDrainUnderLoad(t *testing.T) {
	onBothStores(t, func(t *testing.T, where place) {
		n := startNode(t, where)
		w := newWorkload(t, n.url)
		w.run()
		for range repeats(t, "ORDERLY_E2E_KILLS", 2) {
			w.after(200)
			n.stop(t)
			n = startNode(t, where)
			w.urls.Store(&[]string{n.url})
		}
		w.after(50)
		w.finish()
		w.check(&client{url: n.url})
		verify(t, n, where)
	})
}

// openStream opens the event stream and returns its body.
func openStream(t *testing.T, url string) io.Reader {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", url+"/v1/events?cursor=now", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/event-stream")
	res, err := new(http.Transport).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return res.Body
}

// halfRequest is a request that the node has begun to serve and whose body is not sent yet.
type halfRequest struct {
	conn net.Conn
	in   *bufio.Reader
	body string
}

// beginOrder sends the head of a request and waits until the node asks for its
// body, so that it is certain to be served.
func beginOrder(t *testing.T, url, external string) *halfRequest {
	t.Helper()
	address := strings.TrimPrefix(url, "http://")
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	h := &halfRequest{conn, bufio.NewReader(conn), `{"channel":"web","external_id":"` + external + `","lines":[{"sku":"A","quantity":1}]}`}
	fmt.Fprintf(conn, "POST /v1/orders HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", address, len(h.body))
	res, err := http.ReadResponse(h.in, nil)
	if err != nil || res.StatusCode != http.StatusContinue {
		t.Fatalf("%v, %v; want 100 Continue", res, err)
	}
	return h
}

// finish sends the body and expects the order.
func (h *halfRequest) finish(t *testing.T) {
	t.Helper()
	if _, err := io.WriteString(h.conn, h.body); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(h.in, nil)
	if err != nil {
		t.Fatalf("a request that was being served was not answered: %v", err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusCreated {
		t.Errorf("%d %s, %v; want 201", res.StatusCode, body, err)
	}
}
