package engine_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/store"
)

// world is one engine per kind of store, which all get the same commands at the
// same times with the same ids, and a model of what stock must be.
type world struct {
	nodes []*node
	clock *clock

	onHand       map[inventory.PositionKey]int64 // what came in less what left
	orders       []string
	reservations []string
	next         int
}

func newWorld(tb testing.TB) *world {
	w := &world{clock: newClock(), onHand: map[inventory.PositionKey]int64{}}
	for _, kind := range []string{"sqlite", "postgres"} {
		s := stores[kind](tb)()
		ids := 0
		e, err := engine.Open(background, s, engine.Options{
			Clock: w.clock.now, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Node: "node",
			// The last byte of an id is not its own: it tells the bucket.
			NewID: func() string { ids++; return fmt.Sprintf("01a20000-0000-7000-8000-%012x", ids<<8) },
		})
		if err != nil {
			tb.Fatal(err)
		}
		// Not Run: timers would fire, and take ids, whenever they like.
		e.RunLanes()
		n := &node{Engine: e, tb: tb, clock: w.clock, store: s}
		n.retailer(3, 3, 0)
		w.nodes = append(w.nodes, n)
	}
	return w
}

func (w *world) close() {
	for _, n := range w.nodes {
		n.close()
	}
}

// do runs a command on every node and checks that all answer the same. It
// returns the answer, nil when the command was refused.
func (w *world) do(t *rapid.T, what string, f func(n *node) (*engine.Reply, error)) any {
	var first string
	var value any
	for i, n := range w.nodes {
		r, err := f(n)
		var refusal *order.Refusal
		if err != nil && !errors.As(err, &refusal) && !errors.Is(err, engine.ErrNotFound) {
			t.Fatalf("%s: %v", what, err)
		}
		answer := fmt.Sprint(err)
		if err == nil {
			body, err := json.Marshal(r.Value)
			if err != nil {
				t.Fatal(err)
			}
			answer, value = string(body), r.Value
		}
		if i == 0 {
			first = answer
		} else if answer != first {
			t.Fatalf("%s: the stores answer differently:\n%s\n%s", what, first, answer)
		}
	}
	return value
}

func (w *world) sku(t *rapid.T) string {
	return fmt.Sprintf("S%d", rapid.IntRange(0, 2).Draw(t, "sku"))
}
func (w *world) location(t *rapid.T) string {
	return fmt.Sprintf("L%02d", rapid.IntRange(0, 2).Draw(t, "location"))
}

func (w *world) adjust(t *rapid.T) {
	k := inventory.PositionKey{SKU: w.sku(t), Location: w.location(t)}
	q := rapid.Int64Range(-3, 8).Filter(func(q int64) bool { return q != 0 }).Draw(t, "delta")
	got := w.do(t, "adjust", func(n *node) (*engine.Reply, error) {
		return n.Adjust(background, &engine.Adjustments{Items: []engine.Adjustment{{SKU: k.SKU, Location: k.Location, Quantity: q}}}, engine.Meta{})
	})
	if got != nil {
		w.onHand[k] += q
	} else if w.onHand[k]+q >= 0 {
		t.Fatalf("a delta of %d on %d was refused", q, w.onHand[k])
	}
}

func (w *world) reserve(t *rapid.T) {
	lines := []inventory.NewReservationLine{{SKU: rapid.SampledFrom([]string{"S0", "S1", "S2", "K"}).Draw(t, "sku"), Quantity: rapid.Int64Range(1, 4).Draw(t, "quantity")}}
	partial, ttl := rapid.Bool().Draw(t, "partial"), rapid.Int64Range(60, 600).Draw(t, "ttl")
	got := w.do(t, "reserve", func(n *node) (*engine.Reply, error) {
		return n.Reserve(background, &inventory.NewReservation{Channel: "web", Lines: lines, Partial: partial, TTLSeconds: ttl}, engine.Meta{})
	})
	if got != nil {
		w.reservations = append(w.reservations, got.(*inventory.Reservation).ID)
	}
}

func (w *world) release(t *rapid.T) {
	if len(w.reservations) == 0 {
		return
	}
	id := rapid.SampledFrom(w.reservations).Draw(t, "reservation")
	w.do(t, "release", func(n *node) (*engine.Reply, error) { return n.ReleaseReservation(background, id, engine.Meta{}) })
}

func (w *world) capture(t *rapid.T) {
	w.next++
	external := fmt.Sprint("x", rapid.IntRange(max(1, w.next-1), w.next).Draw(t, "external"))
	skus := rapid.SliceOfN(rapid.SampledFrom([]string{"S0", "S1", "S2", "K"}), 1, 3).Draw(t, "skus")
	q, shortage := rapid.Int64Range(1, 3).Draw(t, "quantity"), rapid.SampledFrom([]string{"backorder", "reject"}).Draw(t, "shortage")
	claim := ""
	if len(w.reservations) > 0 && rapid.Bool().Draw(t, "claim") {
		claim = rapid.SampledFrom(w.reservations).Draw(t, "reservation")
	}
	got := w.do(t, "capture", func(n *node) (*engine.Reply, error) {
		o := basket(external, skus...)
		o.Lines[0].Quantity, o.Shortage, o.ReservationID = q, shortage, claim
		return n.Capture(background, o, engine.Meta{})
	})
	if got != nil {
		w.orders = append(w.orders, got.(*order.Order).ID)
	}
}

// order returns the present state of an order.
func (w *world) order(t *rapid.T, id string) *order.Order {
	n := w.nodes[0]
	records, err := n.store.Load(background, []store.Key{n.OrderKey(id)})
	if err != nil || len(records) != 1 {
		t.Fatalf("order %s: %v", id, err)
	}
	en, err := engine.Decode(records[0])
	if err != nil {
		t.Fatal(err)
	}
	return en.Value.(*order.Order)
}

func (w *world) step(t *rapid.T) {
	if len(w.orders) == 0 {
		return
	}
	o := w.order(t, rapid.SampledFrom(w.orders).Draw(t, "order"))
	if len(o.Fulfillments) == 0 {
		return
	}
	f := rapid.SampledFrom(o.Fulfillments).Draw(t, "fulfillment")
	s := order.Step{Command: rapid.SampledFrom([]string{"accept", "reject", "pick", "pack", "ship", "deliver"}).Draw(t, "command")}
	if s.Command == "reject" {
		s.Reason = rapid.SampledFrom([]string{"busy", "out_of_stock"}).Draw(t, "reason")
	}
	if s.Command == "pick" && rapid.Bool().Draw(t, "short") {
		s.Lines, s.Reason = []order.LineQuantity{{Line: f.Lines[0].Line, Short: 1}}, "not_found"
	}
	before := w.stock(f.Location)
	if w.do(t, s.Command, func(n *node) (*engine.Reply, error) { return n.Step(background, f.ID, s, engine.Meta{}) }) == nil {
		return
	}
	for k, was := range before { // what shipped or was lost has left
		p, _ := w.nodes[0].Book().Get(k)
		w.onHand[k] += p.OnHand - was
		if left := p.OnHand - was; left > 0 || left < 0 && s.Command != "ship" && s.Command != "deliver" && s.Reason == "" { // a delivery tells of the shipment as well
			t.Fatalf("%s changed on hand of %v by %d", s.Command, k, left)
		}
	}
}

func (w *world) stock(location string) map[inventory.PositionKey]int64 {
	out := map[inventory.PositionKey]int64{}
	for i := range 3 {
		k := inventory.PositionKey{SKU: fmt.Sprint("S", i), Location: location}
		p, _ := w.nodes[0].Book().Get(k)
		out[k] = p.OnHand
	}
	return out
}

func (w *world) cancel(t *rapid.T) {
	if len(w.orders) == 0 {
		return
	}
	id := rapid.SampledFrom(w.orders).Draw(t, "order")
	w.do(t, "cancel", func(n *node) (*engine.Reply, error) {
		return n.Cancel(background, id, order.Cancellation{}, engine.Meta{})
	})
}

func (w *world) wait(t *rapid.T) {
	w.clock.advance(time.Duration(rapid.IntRange(1, 900).Draw(t, "seconds")) * time.Second)
	for _, n := range w.nodes {
		n.FireTimersInOrder(background)
	}
}

// check compares every node with the model and with its own store.
func (w *world) check(t *rapid.T) {
	for _, n := range w.nodes {
		n.Book().EachAll(func(p inventory.Position) bool {
			if p.OnHand != w.onHand[p.Key()] || p.Reserved < 0 || p.Picked > p.Allocated {
				t.Fatalf("%+v, the model has %d on hand", p, w.onHand[p.Key()])
			}
			return true
		})
		n.equalsStore()
	}
}

// TestStoresAgree drives both stores with the same random commands: they give
// the same answers, memory equals store, and stock is what the model says.
func TestStoresAgree(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		defer w.close()
		rt.Repeat(map[string]func(*rapid.T){
			"adjust": w.adjust, "adjust more": w.adjust, "reserve": w.reserve, "release": w.release, "capture": w.capture,
			"step": w.step, "step more": w.step, "cancel": w.cancel, "wait": w.wait,
			"": func(*rapid.T) {},
		})
		w.check(rt)
	})
}
