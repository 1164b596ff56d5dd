package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/api"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/store/sqlite"
	"github.com/orderly-oms/orderly/internal/webhook"
)

var updateWebhooks = flag.Bool("update-webhooks", false, "write the golden file of the webhook routes")

// down is a receiver that answers 500.
type down struct{}

func (down) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.Contains(r.URL.Host, "unreachable") {
		return nil, errors.New("connection refused")
	}
	return &http.Response{StatusCode: 500, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(nil)), Request: r}, nil
}

// script sends requests and writes down what was asked and answered.
type script struct {
	t       *testing.T
	handler http.Handler
	out     strings.Builder
	names   []string // pairs for a replacer: what differs between runs, and its name
}

// call returns the answer's body as a document.
func (s *script) call(method, path, body string) map[string]any {
	s.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	fmt.Fprintf(&s.out, "> %s %s %s\n< %d", method, path, body, w.Code)
	if tag := w.Header().Get("ETag"); tag != "" {
		fmt.Fprintf(&s.out, " ETag %s", tag)
	}
	var doc map[string]any
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
			s.t.Fatalf("%s %s: %v in %s", method, path, err, w.Body)
		}
		pretty, err := json.MarshalIndent(doc, "", "  ")
		if err != nil {
			s.t.Fatal(err)
		}
		fmt.Fprintf(&s.out, "\n%s", pretty)
	}
	s.out.WriteString("\n\n")
	return doc
}

func (s *script) named(doc map[string]any, field, name string) string {
	v := doc[field].(string)
	s.names = append(s.names, v, name)
	return v
}

var volatile = regexp.MustCompile(`"(secret|cursor|milliseconds|command|next)": ("[^"]+"|\d+)`)

func TestWebhookRoutes(t *testing.T) {
	db, err := sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	log := slog.New(slog.DiscardHandler)
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	e, err := engine.Open(t.Context(), db, engine.Options{Log: log, Clock: func() time.Time { return at }})
	if err != nil {
		t.Fatal(err)
	}
	e.Run()
	defer e.Close()
	sender := webhook.NewSender(webhook.SenderOptions{Transport: down{}, Names: nobody{}})
	hooks := webhook.NewSubscriptions(e, sender)
	s := &script{t: t, handler: api.New(e, api.Options{Open: true, Log: log, Webhooks: hooks}).Handler()}

	s.call("POST", "/v1/webhooks", `{"url":"https://10.0.0.1/hooks"}`)
	s.call("POST", "/v1/webhooks", `{"url":"http://shop.example/hooks","types":["order.*","ordr.*"],"status":"gone"}`)
	s.call("POST", "/v1/webhooks", `{}`)
	id := s.named(s.call("POST", "/v1/webhooks", `{"url":"https://shop.example/hooks","types":["channel.*"]}`), "id", "WEBHOOK")
	s.call("GET", "/v1/webhooks", "")
	s.call("GET", "/v1/webhooks/"+id, "")
	s.call("PATCH", "/v1/webhooks/"+id, `{"url":"https://127.0.0.1/"}`)
	s.call("PATCH", "/v1/webhooks/"+id, `{"types":["channel.created"]}`)
	s.call("POST", "/v1/webhooks/"+id+"/rotate", `{"overlap_seconds":60}`)
	s.call("POST", "/v1/webhooks/"+id+"/rotate", `{"overlap_seconds":604801}`)
	s.call("POST", "/v1/webhooks/"+id+"/test", "")
	fail(t, e, hooks, sender, id)
	page := s.call("GET", "/v1/webhooks/"+id+"/deliveries?state=dead", "")
	dead := s.named(page["items"].([]any)[0].(map[string]any), "id", "DELIVERY")
	s.call("GET", "/v1/webhooks/"+id+"/deliveries?state=lost", "")
	s.call("POST", "/v1/webhooks/"+id+"/deliveries/"+dead+"/retry", "")
	s.call("GET", "/v1/webhooks/"+id+"/deliveries", "")
	s.call("POST", "/v1/webhooks/"+id+"/deliveries/nope/retry", "")
	s.call("POST", "/v1/webhooks/"+id+"/replay", `{}`)
	s.call("POST", "/v1/webhooks/"+id+"/replay", `{"cursor":"???"}`)
	s.call("POST", "/v1/webhooks/"+id+"/replay", `{"cursor":""}`)
	s.call("POST", "/v1/webhooks/"+id+"/replay", `{"since":"2026-11-23T08:00:00Z"}`)
	s.call("DELETE", "/v1/webhooks/"+id, "")
	s.call("GET", "/v1/webhooks/"+id, "")
	s.call("GET", "/v1/webhooks", "")
	events := s.call("GET", "/v1/events", "")
	if n := len(events["events"].([]any)); n != 1 {
		t.Errorf("%d public events, want the channel's only", n)
	}
	s.compare("testdata/webhooks.golden")
}

// nobody resolves no name: the tests need no DNS.
type nobody struct{}

func (nobody) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return nil, errors.New("no such host")
}

// fail makes one event and lets a worker give it up.
func fail(t *testing.T, e *engine.Engine, hooks *webhook.Subscriptions, sender *webhook.Sender, id string) {
	t.Helper()
	web := &network.Channel{ID: "web", Type: network.Web, Currency: "EUR"}
	if _, err := e.PutDocuments(context.Background(), []engine.Document{{Kind: engine.KindChannel, ID: "web", Value: web}}, engine.Meta{Actor: "test"}); err != nil {
		t.Fatal(err)
	}
	worker := webhook.NewWorker(e, sender, webhook.Options{Attempts: 1, Log: slog.New(slog.DiscardHandler)})
	worker.Run()
	defer worker.Stop()
	for {
		changed := e.Changed()
		dead, _, err := hooks.Deliveries(context.Background(), id, webhook.Dead, "", 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(dead) == 1 {
			return
		}
		<-changed
	}
}

// compare holds the script against a golden file.
func (s *script) compare(path string) {
	s.t.Helper()
	got := strings.NewReplacer(s.names...).Replace(volatile.ReplaceAllString(s.out.String(), `"$1": "…"`))
	if *updateWebhooks {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			s.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			s.t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	if got != string(want) {
		s.t.Errorf("answers differ from %s (write it with -update-webhooks):\n%s", path, got)
	}
}
