package e2e

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/orderly-oms/orderly/internal/pgtest"
)

// What clients do to one position.
type action string

const (
	reserve action = "reserve"
	release action = "release"
	claim   action = "claim" // a reservation becomes an order
	buy     action = "buy"   // an order without a reservation
	adjust  action = "adjust"
	look    action = "look"
)

// request is an operation on a position. Reservations are numbered per position in the
// order in which they are asked for.
type request struct {
	at       spot
	do       action
	number   int // of the reservation that is made, released or claimed
	quantity int64
}

// result is what came of it.
type result struct {
	done    bool // it took effect; false: it was refused
	unknown bool // the client went away before the answer
	seen    stock
}

// state is what a position must be. held has a bit per reservation that exists
// and has not ended; size is what each holds.
type state struct {
	stock
	held uint64
	size [maxReservations]int8
}

const maxReservations = 64

// options of the model: whether a refusal must be justified by the state, which it
// is not on a node that follows others: it may not have seen the newest stock.
type modelOptions struct{ freshRefusals bool }

// model is a position as its specification has it.
func model(o modelOptions) porcupine.Model {
	m := porcupine.NondeterministicModel{
		Init: func() []any { return []any{state{stock: stock{OnHand: openingStock}}} },
		Step: func(s, input, output any) []any { return step(o, s.(state), input.(request), output.(result)) },
		Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
			parts := map[spot][]porcupine.Operation{}
			for _, op := range history {
				at := op.Input.(request).at
				parts[at] = append(parts[at], op)
			}
			var out [][]porcupine.Operation
			for _, p := range parts {
				out = append(out, p)
			}
			return out
		},
		DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v -> %+v", input, output) },
	}
	return m.ToModel()
}

// step returns the states that may follow; none says that the result is impossible.
func step(o modelOptions, s state, q request, r result) []any {
	if q.do == look {
		if s.stock == r.seen || r.unknown {
			return []any{s}
		}
		return nil
	}
	next, possible := s.apply(q)
	switch {
	case r.unknown && possible:
		return []any{s, next}
	case r.unknown:
		return []any{s}
	case r.done && possible:
		return []any{next}
	case !r.done && (!possible || !o.freshRefusals):
		return []any{s}
	}
	return nil
}

func (s state) apply(q request) (state, bool) {
	available := s.OnHand - s.Reserved - s.Allocated
	bit := uint64(1) << q.number
	switch q.do {
	case reserve:
		if available < q.quantity {
			return s, false
		}
		s.Reserved += q.quantity
		s.held |= bit
		s.size[q.number] = int8(q.quantity)
	case release, claim:
		if s.held&bit == 0 {
			return s, false
		}
		n := int64(s.size[q.number])
		s.held &^= bit
		s.size[q.number] = 0
		s.Reserved -= n
		if q.do == claim {
			s.Allocated += n
		}
	case buy:
		if available < q.quantity {
			return s, false
		}
		s.Allocated += q.quantity
	case adjust:
		if s.OnHand+q.quantity < 0 {
			return s, false
		}
		s.OnHand += q.quantity
	}
	return s, true
}

const (
	openingStock   = 6
	linearClients  = 6
	linearRequests = 10 // of each client in a round
	linearSpots    = 2  // positions that a round is about
)

// TestLinearizable checks histories of concurrent requests on a few positions
// against the specification, on one node. Beside PostgreSQL a node calls what it shows
// "following", not "exact": it may show and count on a decision that the database then
// refuses because one of the node's other lanes was faster. So reads are no part of those
// histories, and their refusals need no justification.
func TestLinearizable(t *testing.T) {
	rounds := repeats(t, "ORDERLY_E2E_ROUNDS", 8)
	onBothStores(t, func(t *testing.T, where place) {
		c := &client{url: startNode(t, where).url}
		c.seed(t, []string{"dc1"}, nil, 0)
		exact := where[0] == "--data"
		for round := range rounds {
			h := newHistory(t, []*client{c}, round, exact)
			h.check(modelOptions{freshRefusals: exact})
		}
	})
}

// TestLinearizableOverNodes does so with three nodes on one database. What one
// node reads trails what another wrote, so only writes are in the history.
func TestLinearizableOverNodes(t *testing.T) {
	where := place{"--database", pgtest.NewDatabase(t)}
	var nodes []*client
	for range 3 {
		nodes = append(nodes, &client{url: startNode(t, where).url})
	}
	nodes[0].seed(t, []string{"dc1"}, nil, 0)
	for round := range repeats(t, "ORDERLY_E2E_ROUNDS", 8) {
		h := newHistory(t, nodes, round, false)
		h.check(modelOptions{})
	}
}

// TestCheckerSeesWhatIsWrong gives the checker histories that break the specification.
func TestCheckerSeesWhatIsWrong(t *testing.T) {
	at := spot{"A", "dc1"}
	op := func(call, back int64, do action, number int, quantity int64, r result) porcupine.Operation {
		return porcupine.Operation{Input: request{at, do, number, quantity}, Output: r, Call: call, Return: back}
	}
	done, refused := result{done: true}, result{}
	for name, test := range map[string]struct {
		history []porcupine.Operation
		right   bool
	}{
		"sold twice":           {[]porcupine.Operation{op(1, 2, buy, 0, 4, done), op(1, 3, buy, 0, 3, done)}, false},
		"refused with stock":   {[]porcupine.Operation{op(1, 2, buy, 0, 4, done), op(3, 4, buy, 0, 2, refused)}, false},
		"released twice":       {[]porcupine.Operation{op(1, 2, reserve, 0, 1, done), op(3, 5, release, 0, 0, done), op(4, 6, claim, 0, 0, done)}, false},
		"effect forgotten":     {[]porcupine.Operation{op(1, 2, adjust, 0, 1, done), op(3, 4, look, 0, 0, result{seen: stock{OnHand: 6}})}, false},
		"unknown, took effect": {[]porcupine.Operation{op(1, math.MaxInt64, adjust, 0, 1, result{unknown: true}), op(3, 4, look, 0, 0, result{seen: stock{OnHand: 7}})}, true},
		"unknown, took none":   {[]porcupine.Operation{op(1, math.MaxInt64, adjust, 0, 1, result{unknown: true}), op(3, 4, look, 0, 0, result{seen: stock{OnHand: 6}})}, true},
		"concurrent":           {[]porcupine.Operation{op(1, 9, buy, 0, 6, done), op(2, 3, look, 0, 0, result{seen: stock{OnHand: 6}}), op(4, 5, buy, 0, 1, refused)}, true},
	} {
		if got := porcupine.CheckOperations(model(modelOptions{freshRefusals: true}), test.history); got != test.right {
			t.Errorf("%s: linearizable %v, want %v", name, got, test.right)
		}
	}
}

// history is one round of concurrent requests.
type history struct {
	t       *testing.T
	nodes   []*client
	spots   []spot
	looks   bool
	begin   time.Time
	numbers []atomic.Int64 // reservations asked for, by position

	mu         sync.Mutex
	operations []porcupine.Operation
	made       []made
}

// made is a reservation that a client was told of.
type made struct {
	spot, number int
	id           string
	quantity     int64
}

// newHistory makes positions for the round and lets the clients loose.
func newHistory(t *testing.T, nodes []*client, round int, looks bool) *history {
	t.Helper()
	h := &history{t: t, nodes: nodes, looks: looks, begin: time.Now(), numbers: make([]atomic.Int64, linearSpots)}
	for i := range linearSpots {
		sku := fmt.Sprintf("R%d-%d", round, i)
		h.spots = append(h.spots, spot{sku, "dc1"})
		nodes[0].seed(t, []string{"dc1"}, []string{sku}, openingStock)
	}
	// The others learn of the SKUs and their stock from the log.
	for _, n := range nodes[1:] {
		eventually(t, 10*time.Second, func() string {
			for _, at := range h.spots {
				if got := n.positions(t, []string{at.sku})[at]; got.OnHand != openingStock {
					return fmt.Sprintf("%s does not see %v: %+v", n.url, at, got)
				}
			}
			return ""
		})
	}
	var clients sync.WaitGroup
	for i := range linearClients {
		clients.Go(func() {
			random := rand.New(rand.NewPCG(uint64(round), uint64(i)))
			for range linearRequests {
				h.act(i, random)
			}
		})
	}
	clients.Wait()
	return h
}

// check fails the test when no order of the operations explains their results.
func (h *history) check(o modelOptions) {
	h.t.Helper()
	r, info := porcupine.CheckOperationsVerbose(model(o), h.operations, time.Minute)
	if r == porcupine.Ok {
		return
	}
	text := ""
	for _, op := range h.operations {
		text += fmt.Sprintf("\n%8d..%8d client %d %+v -> %+v", op.Call/1000, op.Return/1000, op.ClientId, op.Input, op.Output)
	}
	h.t.Errorf("the history is not linearizable (%v); longest explanation %v:%s", r, info.PartialLinearizations(), text)
}

// act sends one random request and records it.
func (h *history) act(clientID int, random *rand.Rand) {
	i := random.IntN(len(h.spots))
	q := request{at: h.spots[i], quantity: 1 + random.Int64N(3)}
	var reservation made
	switch n := random.IntN(10); {
	case n < 3:
		q.do, q.number = reserve, int(h.numbers[i].Add(1)-1)
	case n < 6:
		var ok bool
		if reservation, ok = h.pick(random); !ok {
			return
		}
		q.at, q.number, q.quantity, q.do = h.spots[reservation.spot], reservation.number, reservation.quantity, release
		if random.IntN(2) == 0 {
			q.do = claim
		}
	case n < 7:
		q.do = buy
	case n < 8 || !h.looks:
		// Only more: what takes stock away below what is promised has orders decide again by
		// themselves, which is no client's operation and not in the model.
		q.do = adjust
	default:
		q.do = look
	}
	if q.number >= maxReservations {
		return
	}
	// Some clients go away as soon as they have asked, and never learn the outcome.
	impatient := random.IntN(8) == 0
	op := porcupine.Operation{ClientId: clientID, Input: q, Call: int64(time.Since(h.begin))}
	r, id := h.ask(h.nodes[random.IntN(len(h.nodes))], q, reservation.id, impatient)
	op.Output, op.Return = r, int64(time.Since(h.begin))
	if r.unknown {
		op.Return = math.MaxInt64
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.operations = append(h.operations, op)
	if q.do == reserve && r.done {
		h.made = append(h.made, made{i, q.number, id, q.quantity})
	}
}

// pick returns a reservation that some client made; often one that has ended already.
func (h *history) pick(random *rand.Rand) (made, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.made) == 0 {
		return made{}, false
	}
	return h.made[random.IntN(len(h.made))], true
}

// ask sends the request. id is that of a reservation: the one asked about, or the new one.
func (h *history) ask(c *client, q request, id string, impatient bool) (result, string) {
	ctx, cancel := context.WithCancel(h.t.Context())
	defer cancel()
	if impatient {
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { cancel() }})
	}
	type document = map[string]any
	lines := []line{{q.at.sku, q.quantity}}
	var a answer
	switch q.do {
	case reserve:
		a = c.do(ctx, "POST", "/v1/reservations", document{"channel": "web", "location": q.at.location, "lines": lines})
	case release:
		a = c.do(ctx, "POST", "/v1/reservations/"+id+"/cancel", nil)
	case claim, buy:
		body := document{"channel": "web", "method": "pickup", "pickup_location": q.at.location, "shortage": "reject", "lines": lines}
		if q.do == claim {
			body["reservation_id"] = id
		}
		a = c.do(ctx, "POST", "/v1/orders", body)
	case adjust:
		a = c.do(ctx, "POST", "/v1/inventory/adjustments", document{"items": []document{{"sku": q.at.sku, "location": q.at.location, "quantity": q.quantity}}})
	case look:
		if impatient {
			return result{unknown: true}, ""
		}
		return result{done: true, seen: c.positions(h.t, []string{q.at.sku})[q.at]}, ""
	}
	switch {
	case a.err != nil || a.code() == "outcome_unknown":
		return result{unknown: true}, ""
	case a.status < 300:
		if q.do == reserve {
			var r reservationDocument
			a.into(h.t, http.StatusCreated, &r)
			return result{done: true}, r.ID
		}
		return result{done: true}, ""
	case a.status != http.StatusConflict && a.code() != "overloaded":
		h.t.Errorf("%+v: %s", q, a)
	}
	return result{}, ""
}
