package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// workload is clients that keep a shop busy while things fail around them. Each
// has orders and reservations of its own, whose history it therefore knows, and repeats a
// request with its external id or Idempotency-Key until it knows what became of it.
// So at the end every order, reservation and position must be exactly as
// the answers said.
type workload struct {
	t         *testing.T
	locations []string
	skus      []string
	units     int64 // of each SKU at each location at the start

	urls    atomic.Pointer[[]string] // nodes to ask; changes when one comes back
	clients sync.WaitGroup
	stop    context.CancelFunc
	ended   <-chan struct{} // closed when a client met what must not be, or at the end

	acknowledged chan struct{} // one token per acknowledged write, for whoever counts
	repeated     atomic.Int64  // requests whose outcome was unknown at first

	mu           sync.Mutex
	orders       map[string]orderDocument // by external id, as last acknowledged
	reservations map[string]reservationDocument
	adjusted     map[spot]int64
}

const (
	workloadClients = 8
	// settleLimit bounds how long a client repeats one request.
	settleLimit = 2 * time.Minute
)

// newWorkload seeds the shop through the node at url.
func newWorkload(t *testing.T, url string) *workload {
	w := &workload{
		t: t, locations: []string{"dc1", "dc2", "dc3"}, skus: []string{"A", "B", "C", "D"}, units: 1_000_000,
		acknowledged: make(chan struct{}, 1<<20),
		orders:       map[string]orderDocument{}, reservations: map[string]reservationDocument{}, adjusted: map[spot]int64{},
	}
	w.urls.Store(&[]string{url})
	(&client{url: url}).seed(t, w.locations, w.skus, w.units)
	return w
}

// run starts the clients.
func (w *workload) run() {
	ctx, cancel := context.WithCancel(w.t.Context())
	w.stop, w.ended = cancel, ctx.Done()
	for i := range workloadClients {
		w.clients.Go(func() {
			s := &shopper{w: w, name: fmt.Sprint("c", i), random: rand.New(rand.NewPCG(uint64(i), 7))}
			for ctx.Err() == nil {
				if !s.act() {
					cancel()
				}
			}
		})
	}
}

// after waits until so many more writes were acknowledged.
func (w *workload) after(writes int) {
	limit := time.NewTimer(settleLimit)
	defer limit.Stop()
	for range writes {
		select {
		case <-w.acknowledged:
		case <-w.ended:
			w.clients.Wait()
			w.t.FailNow()
		case <-limit.C:
			w.t.Fatalf("%d writes were not acknowledged within %s", writes, settleLimit)
		}
	}
}

// finish lets the clients end what they began.
func (w *workload) finish() {
	w.stop()
	w.clients.Wait()
}

// shopper is one client.
type shopper struct {
	w        *workload
	name     string
	random   *rand.Rand
	requests int
	orders   []orderDocument // not finished
	held     []reservationDocument
}

// maxOpenOrders is how many unfinished orders a client has before it finishes some.
const maxOpenOrders = 20

// act does one thing; false when it met what must not be.
func (s *shopper) act() bool {
	switch n := s.random.IntN(10); {
	case n < 2 && len(s.held) > 0:
		return s.release()
	case n < 3:
		return s.reserve()
	case n < 4:
		return s.adjust()
	case n < 5 && len(s.orders) > 0:
		return s.cancel()
	case n < 8 && len(s.orders) > 0, len(s.orders) >= maxOpenOrders:
		return s.step()
	}
	return s.order()
}

// settle sends a request, again until its outcome is known.
func (s *shopper) settle(method, path string, body any, headers ...string) (answer, bool) {
	w := s.w
	ctx, cancel := context.WithTimeout(w.t.Context(), settleLimit)
	defer cancel()
	for attempt := 0; ; attempt++ {
		urls := *w.urls.Load()
		c := client{url: urls[s.random.IntN(len(urls))]}
		a := c.do(ctx, method, path, body, headers...)
		if a.settled() {
			if attempt > 0 {
				w.repeated.Add(1)
			}
			select {
			case w.acknowledged <- struct{}{}:
			default: // nobody counts
			}
			return a, true
		}
		if a.err == nil && (a.status == http.StatusInternalServerError || a.code() == "") {
			w.t.Errorf("%s %s: %s", method, path, a)
			return a, false
		}
		if !pause(ctx) {
			w.t.Errorf("%s %s was not settled within %s; last answer: %s", method, path, settleLimit, a)
			return a, false
		}
	}
}

// write settles a write that must succeed with the status, and decodes its answer.
func (s *shopper) write(path string, body any, status int, v any) bool {
	s.requests++
	a, ok := s.settle("POST", path, body, "Idempotency-Key", fmt.Sprintf("%s-%d", s.name, s.requests))
	return ok && s.decode(path, a, status, v)
}

func (s *shopper) decode(path string, a answer, status int, v any) bool {
	if a.status != status {
		s.w.t.Errorf("POST %s: %s, want %d", path, a, status)
		return false
	}
	if err := json.Unmarshal(a.body, v); err != nil {
		s.w.t.Errorf("POST %s: %v in %s", path, err, a)
		return false
	}
	return true
}

func (s *shopper) lines() []line {
	var out []line
	for range 1 + s.random.IntN(3) {
		out = append(out, line{s.w.skus[s.random.IntN(len(s.w.skus))], 1 + s.random.Int64N(3)})
	}
	return out
}

// order captures an order, at times from a reservation. Its external id is
// what makes it unique: no Idempotency-Key.
func (s *shopper) order() bool {
	s.requests++
	body := map[string]any{"channel": "web", "external_id": fmt.Sprintf("%s-%d", s.name, s.requests), "shortage": "reject", "lines": s.lines()}
	var claimed *reservationDocument
	if n := len(s.held); n > 0 && s.random.IntN(2) == 0 {
		r := s.held[n-1]
		claimed, s.held = &r, s.held[:n-1]
		var lines []line
		for _, l := range r.Lines {
			lines = append(lines, line{l.SKU, l.Held})
		}
		body["lines"], body["reservation_id"] = lines, r.ID
	}
	a, ok := s.settle("POST", "/v1/orders", body)
	var o orderDocument
	if !ok || !s.decode("/v1/orders", a, http.StatusCreated, &o) {
		return false
	}
	s.orders = append(s.orders, o)
	s.w.know(o)
	if claimed != nil {
		claimed.Status = "claimed"
		s.w.hold(*claimed)
	}
	return true
}

func (w *workload) know(o orderDocument) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.orders[o.ExternalID] = o
}

func (w *workload) hold(r reservationDocument) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reservations[r.ID] = r
}

// reserve holds stock for longer than the test takes.
func (s *shopper) reserve() bool {
	var r reservationDocument
	if !s.write("/v1/reservations", map[string]any{"channel": "web", "ttl_seconds": 604800, "lines": s.lines()}, http.StatusCreated, &r) {
		return false
	}
	s.held = append(s.held, r)
	s.w.hold(r)
	return true
}

func (s *shopper) release() bool {
	i := s.random.IntN(len(s.held))
	r := s.held[i]
	s.held = slices.Delete(s.held, i, i+1)
	var released reservationDocument
	if !s.write("/v1/reservations/"+r.ID+"/cancel", nil, http.StatusOK, &released) {
		return false
	}
	s.w.hold(released)
	return true
}

func (s *shopper) adjust() bool {
	at := spot{s.w.skus[s.random.IntN(len(s.w.skus))], s.w.locations[s.random.IntN(len(s.w.locations))]}
	n := 1 + s.random.Int64N(5)
	var done struct{}
	body := map[string]any{"items": []any{map[string]any{"sku": at.sku, "location": at.location, "quantity": n}}, "reason": "receipt"}
	if !s.write("/v1/inventory/adjustments", body, http.StatusOK, &done) {
		return false
	}
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	s.w.adjusted[at] += n
	return true
}

// cancel cancels an order that no location works on yet, if there is one.
func (s *shopper) cancel() bool {
	i := slices.IndexFunc(s.orders, func(o orderDocument) bool {
		return !slices.ContainsFunc(o.Fulfillments, func(f fulfillmentDocument) bool { return f.Status != "open" })
	})
	if i < 0 {
		return s.step()
	}
	o := s.orders[i]
	s.orders = slices.Delete(s.orders, i, i+1)
	var cancelled orderDocument
	if !s.write("/v1/orders/"+o.ID+"/cancel", nil, http.StatusOK, &cancelled) {
		return false
	}
	s.w.know(cancelled)
	return true
}

// nextStep is what a location does after each status.
var nextStep = map[string]string{"open": "accept", "accepted": "pick", "picked": "pack", "packed": "ship", "shipped": "deliver"}

// step carries one fulfillment of an order one step on.
func (s *shopper) step() bool {
	i := s.random.IntN(len(s.orders))
	o := s.orders[i]
	for _, f := range o.Fulfillments {
		command, ok := nextStep[f.Status]
		if !ok {
			continue
		}
		var next orderDocument
		if !s.write("/v1/fulfillments/"+f.ID+"/"+command, nil, http.StatusOK, &next) {
			return false
		}
		s.orders[i] = next
		s.w.know(next)
		return true
	}
	s.orders = slices.Delete(s.orders, i, i+1) // all of it is delivered
	return true
}
