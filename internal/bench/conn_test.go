package bench

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, in string
		want     answer
	}{
		{"length", "HTTP/1.1 201 Created\r\nContent-Type: a\r\nContent-Length: 5\r\n\r\nhello", answer{status: 201, body: []byte("hello")}},
		{"any case, spaces", "HTTP/1.1 200 OK\r\ncontent-LENGTH:   2  \r\n\r\nok", answer{status: 200, body: []byte("ok")}},
		{"no reason phrase", "HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n", answer{status: 404, body: []byte{}}},
		{"no content", "HTTP/1.1 204 No Content\r\nDate: x\r\n\r\n", answer{status: 204}},
		{"closes", "HTTP/1.1 503 No\r\nConnection: Close\r\nContent-Length: 1\r\n\r\nx", answer{status: 503, body: []byte("x"), close: true}},
		{"continue first", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", answer{status: 200, body: []byte("x")}},
		{"chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0A;n=v\r\n, how are \r\n0\r\nTrailer: x\r\n\r\n", answer{status: 200, body: []byte("hello, how are ")}},
		{"empty chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", answer{status: 200}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			for n := range tc.in { // an answer may arrive in any two pieces
				if _, used, err := parse([]byte(tc.in[:n])); used != 0 || err != nil {
					t.Fatalf("the first %d bytes: used %d, error %v; want 0, none", n, used, err)
				}
			}
			got, used, err := parse([]byte(tc.in + "next"))
			if err != nil || used != len(tc.in) {
				t.Fatalf("used %d, error %v; want %d, none", used, err, len(tc.in))
			}
			if got.status != tc.want.status || !bytes.Equal(got.body, tc.want.body) || got.close != tc.want.close {
				t.Fatalf("got %d %q %v, want %d %q %v", got.status, got.body, got.close, tc.want.status, tc.want.body, tc.want.close)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"SSH-2.0-OpenSSH\r\n\r\n",
		"HTTP/2.0200 OK\r\n\r\n",
		"HTTP/1.1 abc OK\r\n\r\n",
		"HTTP/1.1 099 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxyz\r\n",
	} {
		if a, used, err := parse([]byte(in)); !errors.Is(err, errMalformed) {
			t.Errorf("%q: status %d, used %d, error %v; want it refused", in, a.status, used, err)
		}
	}
}

func TestConnAsksARealServer(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("long ", 20_000)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch r.URL.Path {
		case "/long": // chunked
			io.WriteString(w, long[:50_000])
			w.(http.Flusher).Flush()
			io.WriteString(w, long[50_000:])
		case "/close":
			w.Header().Set("Connection", "close")
			w.WriteHeader(http.StatusAccepted)
		default:
			fmt.Fprintf(w, "%s %s %s %s", r.Method, r.URL.Path, r.Header.Get("Authorization"), body)
		}
	}))
	defer server.Close()
	host, err := hostOf(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	h, c := newHead(host, "secret"), conn{host: host}
	defer c.close()
	for _, tc := range []struct {
		method, path string
		status       int
		body         string
	}{
		{"POST", "/echo", 200, "POST /echo Bearer secret one two"},
		{"GET", "/long", 200, long},
		{"PUT", "/close", 202, ""}, // the next request dials again
		{"PUT", "/echo", 200, "PUT /echo Bearer secret one two"},
	} {
		status, body, err := c.do(h.request(nil, tc.method, tc.path, []byte("one "), []byte("two")))
		if err != nil || status != tc.status || string(body) != tc.body {
			t.Errorf("%s %s: %d %.60q %v", tc.method, tc.path, status, body, err)
		}
	}
	c.close()
	if _, _, err := c.do(h.request(nil, "GET", "/echo")); !errors.Is(err, errClosed) {
		t.Errorf("after close: %v, want errClosed", err)
	}
}

func TestFulfillmentsOf(t *testing.T) {
	t.Parallel()
	body := `{"id":"o","lines":[{"id":"1","sku":"a"}],"fulfillments":[{"id":"o-1","location":"x","lines":[{"line":"1"}],"parcels":[{"id":"p","carrier":"c"}]},{"id":"o-2","location":"y"}]}`
	if got := fulfillmentsOf(nil, []byte(body)); fmt.Sprint(got) != "[o-1 o-2]" {
		t.Errorf("got %v", got)
	}
	if got := fulfillmentsOf(nil, []byte(`{"id":"o","fulfillments":[]}`)); len(got) != 0 {
		t.Errorf("got %v of an order without", got)
	}
}

func TestErrorKind(t *testing.T) {
	t.Parallel()
	if got := errorKind(409, []byte(`{"status":409,"code":"negative_stock","detail":"x"}`)); got != "409 negative_stock" {
		t.Error(got)
	}
	if got := errorKind(502, []byte("<html>")); got != "502" {
		t.Error(got)
	}
	var tl tally
	for i := range 2 * maxErrorKinds {
		tl.fail(fmt.Sprint(i), 1)
	}
	if len(tl.errors) != maxErrorKinds+1 || tl.errors["other"] != maxErrorKinds {
		t.Errorf("%d kinds, %d others", len(tl.errors), tl.errors["other"])
	}
}

// More bytes than the answer would be taken for the next one, and every latency be wrong.
func TestConnRefusesBytesAfterTheAnswer(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n, buf, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer n.Close()
		buf.WriteString("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more")
		buf.Flush()
	}))
	defer server.Close()
	host, err := hostOf(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	c := conn{host: host}
	defer c.close()
	if status, body, err := c.do(newHead(host, "").request(nil, "GET", "/")); err == nil {
		t.Errorf("status %d, body %q and no error", status, body)
	}
}
