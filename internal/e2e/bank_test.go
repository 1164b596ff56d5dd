package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/partner/pay"
	"github.com/orderly-oms/orderly/internal/partner/sandbox"
)

const bankSecret = "between us"

// bank is a payment provider on loopback, with a ledger of its own.
type bank struct {
	*sandbox.Sandbox
	url     string
	day     string      // of all that it does: yesterday, so that its report is there
	reached chan string // ids whose answer is withheld

	mu       sync.Mutex
	withhold string         // kind of operation: done, and never answered
	fault    string         // the same, answered with 500
	sent     map[string]int // requests by id
	asked    map[string]int // inquiries by id
}

func newBank(t testing.TB) *bank {
	noon := time.Now().UTC().AddDate(0, 0, -1).Truncate(24 * time.Hour).Add(12 * time.Hour)
	b := &bank{
		Sandbox: sandbox.New(sandbox.Options{Secret: bankSecret, Clock: func() time.Time { return noon }}),
		day:     noon.Format(time.DateOnly), reached: make(chan string, 16), sent: map[string]int{}, asked: map[string]int{},
	}
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	b.url = server.URL
	return b
}

// fail has the next operation of each kind done without a clear answer: withhold waits until the caller is gone, fault is a 500.
func (b *bank) fail(withhold, fault string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.withhold, b.fault = withhold, fault
}

// ServeHTTP implements http.Handler.
func (b *bank) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		if id, ok := strings.CutPrefix(r.URL.Path, "/operations/"); ok {
			b.mu.Lock()
			b.asked[id]++
			b.mu.Unlock()
		}
		b.Sandbox.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the caller is gone
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	var q pay.Request
	_ = json.Unmarshal(body, &q) // the sandbox refuses what is no request
	b.mu.Lock()
	b.sent[q.ID]++
	withhold, fault := b.withhold == q.Kind, b.fault == q.Kind
	if withhold || fault {
		b.withhold, b.fault = "", ""
	}
	b.mu.Unlock()
	if !withhold && !fault {
		b.Sandbox.ServeHTTP(w, r)
		return
	}
	b.Sandbox.ServeHTTP(httptest.NewRecorder(), r)
	if fault {
		http.Error(w, "try again later", http.StatusInternalServerError)
		return
	}
	b.reached <- q.ID
	<-r.Context().Done()
}

// calls is how often an operation was sent and asked about.
func (b *bank) calls(id string) (sent, asked int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sent[id], b.asked[id]
}
