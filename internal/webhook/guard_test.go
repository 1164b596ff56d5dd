package webhook

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/problem"
)

var refused = []string{
	"127.0.0.1", "127.255.0.9", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1", "100.127.255.255",
	"0.0.0.0", "0.1.2.3", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.9",
	"::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12:3456::1", "ff02::1", "fec0::1",
	"::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::1", "2001::1", "2001:db8::1", "100::1", "3fff::1",
}

var allowed = []string{"8.8.8.8", "1.1.1.1", "172.15.255.255", "172.32.0.1", "100.63.0.1", "100.128.0.1", "192.0.1.1", "198.20.0.1", "223.255.255.1", "2606:4700::1111", "2a00:1450::1", "::ffff:8.8.8.8"}

func TestPublicAddresses(t *testing.T) {
	for _, a := range refused {
		if public(netip.MustParseAddr(a)) {
			t.Errorf("%s counts as public", a)
		}
		if err := refusePrivate("tcp", net.JoinHostPort(a, "443"), nil); !errors.Is(err, errPrivate) {
			t.Errorf("%s would be dialled: %v", a, err)
		}
	}
	for _, a := range allowed {
		if !public(netip.MustParseAddr(a)) {
			t.Errorf("%s counts as private", a)
		}
	}
}

// names resolves from a table.
type names map[string][]string

func (n names) LookupNetIP(_ context.Context, _, host string) (out []netip.Addr, err error) {
	for _, a := range n[host] {
		out = append(out, netip.MustParseAddr(a))
	}
	if out == nil {
		err = errors.New("no such host")
	}
	return out, err
}

func TestCheckURL(t *testing.T) {
	table := names{"public.test": {"8.8.8.8", "2606:4700::1111"}, "inside.test": {"10.1.2.3"}, "mixed.test": {"8.8.8.8", "::1"}}
	for _, c := range []struct {
		url     string
		private bool // allowed
		ok      bool
	}{
		{"https://public.test/hooks?x=1", false, true},
		{"https://public.test:8443/", false, true},
		{"https://unknown.test/", false, true}, // its DNS may be down; the dial decides
		{"https://8.8.8.8/", false, true},
		{"https://inside.test/", false, false},
		{"https://mixed.test/", false, false},
		{"https://127.0.0.1/", false, false},
		{"https://[::1]/", false, false},
		{"https://[::ffff:10.0.0.1]/", false, false},
		{"http://public.test/", false, false},
		{"http://127.0.0.1:8080/", true, true},
		{"https://inside.test/", true, true},
		{"ftp://public.test/", true, false},
		{"https://user:secret@public.test/", false, false},
		{"https://public.test/#part", false, false},
		{"https:///path", false, false},
		{"public.test/hooks", false, false},
		{"", false, false},
		{"https://public.test/" + strings.Repeat("a", maxURLBytes), false, false},
	} {
		var bad problem.Invalid
		checkURL(t.Context(), &bad, c.url, c.private, table)
		if (bad.Err() == nil) != c.ok {
			t.Errorf("%.60q with private addresses allowed=%v: %v", c.url, c.private, bad.Err())
		}
		for _, f := range bad {
			if f.Pointer != "url" {
				t.Errorf("%q names %q, not url", c.url, f.Pointer)
			}
		}
	}
}

func subscriptionTo(url string) *Subscription {
	s := &Subscription{URL: url}
	s.rotate(NewSecret(), time.Time{}, 0)
	return s
}

// The guard looks at the address that is dialled, so a name that resolves to
// loopback only when the connection is made is refused too.
func TestSenderRefusesLoopbackAtTheDial(t *testing.T) {
	reached := 0
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached++ }))
	defer server.Close()
	for _, url := range []string{server.URL, strings.Replace(server.URL, "127.0.0.1", "localhost", 1)} {
		out := NewSender(SenderOptions{}).Send(t.Context(), subscriptionTo(url), "1", time.Now(), nil)
		if out.Status != 0 || !strings.Contains(out.Error, "private addresses are refused") {
			t.Errorf("%s: %+v", url, out)
		}
	}
	if out := NewSender(SenderOptions{}).Send(t.Context(), subscriptionTo("http://example.com/"), "1", time.Now(), nil); !strings.Contains(out.Error, "plain http") {
		t.Errorf("plain http: %+v", out)
	}
	if reached > 0 {
		t.Error("the loopback server was reached")
	}
}

func TestSenderFollowsNoRedirectsAndBoundsAnswers(t *testing.T) {
	hits := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hits++
		switch r.URL.Path {
		case "/redirect":
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		case "/long":
			for w.WriteHeader(200); ; {
				if _, err := w.Write(make([]byte, 32<<10)); err != nil {
					return // the sender has enough
				}
			}
		}
	}))
	defer server.Close()
	sender := NewSender(SenderOptions{AllowPrivate: true})
	out := sender.Send(t.Context(), subscriptionTo(server.URL+"/redirect"), "1", time.Now(), nil)
	if out.Delivered() || out.Status != 307 || hits != 1 {
		t.Errorf("redirect: %+v after %d requests", out, hits)
	}
	if out := sender.Send(t.Context(), subscriptionTo(server.URL+"/long"), "1", time.Now(), nil); !out.Delivered() {
		t.Errorf("endless answer: %+v", out)
	}
	server.Close()
	if out := sender.Send(t.Context(), subscriptionTo(server.URL+"/?token=abc"), "1", time.Now(), nil); out.Status != 0 || strings.Contains(out.Error, "abc") {
		t.Errorf("closed port: %+v", out)
	}
}
