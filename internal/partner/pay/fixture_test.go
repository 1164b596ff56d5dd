package pay_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/catalog"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/partner/pay"
	"github.com/orderly-oms/orderly/internal/payment"
	"github.com/orderly-oms/orderly/internal/pgtest"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/store"
	"github.com/orderly-oms/orderly/internal/store/postgres"
	"github.com/orderly-oms/orderly/internal/store/sqlite"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

var quiet = slog.New(slog.DiscardHandler)

// psp stands for the network and the provider behind it: it does what it is asked once for each id, and says so
// unless answer has it say something else.
type psp struct {
	mu     sync.Mutex
	now    func() time.Time
	done   map[string]*pay.Entry
	ids    []string // in the order they were done
	calls  map[string]int
	asked  map[string]int
	change func(day string, entries []pay.Entry) []pay.Entry // of a report
	// answer replaces what is said of a request; status 0: nothing is, the connection breaks. before: it does nothing.
	answer func(q *pay.Request, call int) (status int, body string, before bool)
}

func newPSP(now func() time.Time) *psp {
	return &psp{now: now, done: map[string]*pay.Entry{}, calls: map[string]int{}, asked: map[string]int{}}
}

func (p *psp) RoundTrip(r *http.Request) (*http.Response, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.Header.Get("Authorization") != "Bearer s3cret" {
		return reply(401, `{"error":"who are you?"}`), nil
	}
	path, found := strings.CutPrefix(r.URL.Path, "/gate/operations/")
	switch {
	case found:
		p.asked[path]++
		if e := p.done[path]; e != nil {
			return p.said(e), nil
		}
		return reply(404, `{"status":"not_found"}`), nil
	case strings.HasPrefix(r.URL.Path, "/gate/reports/"):
		return p.report(strings.TrimPrefix(r.URL.Path, "/gate/reports/"), r.URL.Query().Get("cursor")), nil
	}
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var q pay.Request
	if err := json.Unmarshal(raw, &q); err != nil {
		return nil, err
	}
	if q.ID != r.Header.Get("Idempotency-Key") {
		return reply(400, `{}`), nil
	}
	p.calls[q.ID]++
	if strings.HasPrefix(q.Token, "bad") {
		return reply(402, `{"status":"declined","code":"no_funds","message":"not enough money"}`), nil
	}
	if p.answer != nil {
		status, body, before := p.answer(&q, p.calls[q.ID])
		if status != 200 && !before {
			p.do(&q)
		}
		switch status {
		case 200:
		case 0:
			return nil, io.ErrUnexpectedEOF
		default:
			return reply(status, body), nil
		}
	}
	return p.said(p.do(&q)), nil
}

func (p *psp) do(q *pay.Request) *pay.Entry {
	if p.done[q.ID] == nil {
		p.done[q.ID] = &pay.Entry{ID: q.ID, Kind: q.Kind, Amount: q.Amount, Currency: q.Currency, Reference: "ref-" + q.ID, At: p.now()}
		p.ids = append(p.ids, q.ID)
	}
	return p.done[q.ID]
}

func (p *psp) said(e *pay.Entry) *http.Response {
	body, _ := json.Marshal(&pay.Answer{Status: payment.Succeeded, Amount: e.Amount, Reference: e.Reference, At: e.At})
	return reply(200, string(body))
}

// report has two entries a page.
func (p *psp) report(day, cursor string) *http.Response {
	var all []pay.Entry
	for _, id := range p.ids {
		if e := p.done[id]; e != nil && e.At.Format(time.DateOnly) == day {
			all = append(all, *e)
		}
	}
	if p.change != nil {
		all = p.change(day, all)
	}
	from := 0
	fmt.Sscan(cursor, &from)
	r := pay.Report{Day: day, Entries: all[from:min(from+2, len(all))]}
	if from+2 < len(all) {
		r.Next = fmt.Sprint(from + 2)
	}
	body, _ := json.Marshal(&r)
	return reply(200, string(body))
}

func reply(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Body: io.NopCloser(bytes.NewReader([]byte(body))), Header: http.Header{"Content-Type": {"application/json"}}}
}

// shop is a node with a retailer, whose cards go through a provider.
type shop struct {
	*testing.T
	*engine.Engine
	psp    *psp
	worker *pay.Worker
	mu     sync.Mutex
	at     time.Time
	count  int
}

func (s *shop) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at
}

// pass lets time pass, and what is due happen.
func (s *shop) pass(d time.Duration) {
	s.mu.Lock()
	s.at = s.at.Add(d)
	s.mu.Unlock()
	s.FireTimers(s.Context())
}

const rules = `kind: payment
name: main
payment:
  providers: {card: psp, gift_card: psp}
  authorize: capture
  capture: shipment
  capture_order: [gift_card, card]
  refund_order: [card, gift_card]
  inquiry_minutes: [1, 5]
  cash: record
`

// stores runs a test on both stores.
func stores(t *testing.T, test func(t *testing.T, open func(t *testing.T) store.Store)) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		test(t, func(t *testing.T) store.Store {
			db, err := sqlite.Open(t.Context(), dir, sqlite.Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { db.Close() })
			return db
		})
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		url := pgtest.NewDatabase(t)
		test(t, func(t *testing.T) store.Store {
			db, err := postgres.Open(t.Context(), url, postgres.Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { db.Close() })
			return db
		})
	})
}

func newShop(t *testing.T, db store.Store) *shop {
	s := &shop{T: t, at: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)}
	e, err := engine.Open(t.Context(), db, engine.Options{Log: quiet, Clock: s.now})
	if err != nil {
		t.Fatal(err)
	}
	s.Engine, s.psp = e, newPSP(s.now)
	e.Run()
	t.Cleanup(e.Close)
	must := func(_ *engine.Reply, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx, m := t.Context(), engine.Meta{Actor: "test"}
	must(e.PutDocuments(ctx, []engine.Document{
		{Kind: engine.KindLocation, ID: "dc", Value: &network.Location{
			ID: "dc", Type: network.DC, TimeZone: "UTC", Capabilities: []network.Capability{network.CanShip, network.CanReturn}, Address: network.Address{Country: "DE"},
		}},
		{Kind: engine.KindChannel, ID: "web", Value: &network.Channel{ID: "web", Type: network.Web, Currency: "EUR"}},
		{Kind: engine.KindSKU, ID: "A", Value: &catalog.SKU{SKU: "A"}},
	}, m))
	must(e.Adjust(ctx, &engine.Adjustments{Items: []engine.Adjustment{{SKU: "A", Location: "dc", Quantity: 10_000}}, Reason: "receipt"}, m))
	must(e.SavePolicy(ctx, policy.KindPayment, "main", rules, "", m))
	must(e.PublishPolicy(ctx, policy.KindPayment, "main", engine.Publish{}, m))
	must(pay.NewProviders(e).Put(ctx, "psp", pay.Settings{URL: "https://psp.example/gate/", Secret: "s3cret"}, m))
	s.work()
	return s
}

// work starts a worker, which stops with the test.
func (s *shop) work() {
	s.worker = pay.NewWorker(s.Engine, pay.Options{Transport: s.psp, Log: quiet})
	s.worker.Run()
	s.Cleanup(s.worker.Stop)
}

// order captures one of 3 units at 10.00 with a gift card of 5.00 and a card.
func (s *shop) order(token string) *order.Order {
	s.Helper()
	s.count++
	reply, err := s.Capture(s.Context(), &order.New{
		Channel: "web", ExternalID: fmt.Sprint(s.count), Lines: []order.NewLine{{SKU: "A", Quantity: 3, UnitPrice: 1000}},
		Tenders: []order.Tender{{Type: "gift_card", Amount: 500, Reference: "gift"}, {Type: "card", Amount: 2500, Reference: token}},
	}, engine.Meta{Actor: "test"})
	if err != nil {
		s.Fatal(err)
	}
	return reply.Value.(*order.Order)
}

func (s *shop) read(id string) *order.Order {
	s.Helper()
	o, err := s.ReadOrder(context.Background(), id)
	if err != nil {
		s.Fatal(err)
	}
	return o
}

// until waits for commits until the order is as wanted.
func (s *shop) until(id, what string, wanted func(o *order.Order) bool) *order.Order {
	s.Helper()
	late := time.After(30 * time.Second)
	for {
		changed := s.Changed()
		o := s.read(id)
		if wanted(o) {
			return o
		}
		select {
		case <-changed:
		case <-late:
			body, _ := json.MarshalIndent(o.Payment, "", " ")
			s.Fatalf("never %s, but %s: %s", what, o.PaymentStanding(), body)
		}
	}
}

func sums(o *order.Order) string {
	if o.Payment == nil {
		return "none"
	}
	t := o.Payment.Sums()
	return fmt.Sprintf("authorized %d captured %d voided %d refunded %d", t.Authorized, t.Captured, t.Voided, t.Refunded)
}

func (s *shop) step(o *order.Order, command string, quantity int64) {
	s.Helper()
	step := order.Step{Command: command}
	if quantity > 0 {
		step.Lines = []order.LineQuantity{{Line: "1", Quantity: quantity}}
	}
	if _, err := s.Step(s.Context(), o.ID+"-1", step, engine.Meta{Actor: "test"}); err != nil {
		s.Fatal(err)
	}
}
