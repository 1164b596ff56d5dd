package audit_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	_ "modernc.org/sqlite" // edits stores behind their back

	"github.com/orderly-oms/orderly/internal/audit"
	"github.com/orderly-oms/orderly/internal/catalog"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/exception"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/payment"
	"github.com/orderly-oms/orderly/internal/pgtest"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/problem"
	"github.com/orderly-oms/orderly/internal/store"
	"github.com/orderly-oms/orderly/internal/store/sqlite"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// node is an engine whose clock only the test moves.
type node struct {
	*engine.Engine
	tb    testing.TB
	store store.Store
	clock *atomic.Int64
}

var who = engine.Meta{Actor: "test"}

func open(tb testing.TB, s store.Store) *node {
	tb.Helper()
	n := &node{tb: tb, store: s, clock: new(atomic.Int64)}
	n.clock.Store(time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC).UnixNano())
	var err error
	n.Engine, err = engine.Open(context.Background(), s, engine.Options{
		Clock: func() time.Time { return time.Unix(0, n.clock.Load()) }, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		tb.Fatal(err)
	}
	n.Run()
	tb.Cleanup(n.close)
	return n
}

func (n *node) close() {
	n.Engine.Close()
	n.store.Close()
}

func openSQLite(tb testing.TB, dir string) *node {
	tb.Helper()
	s, err := sqlite.Open(context.Background(), dir, sqlite.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	return open(tb, s)
}

// retailer makes three locations, SKUs S0 to S3 with stock at each, and the kit K.
func (n *node) retailer(stock int64) {
	n.tb.Helper()
	var docs []engine.Document
	for i := range 3 {
		id := fmt.Sprintf("L%02d", i)
		docs = append(docs, engine.Document{Kind: engine.KindLocation, ID: id, Value: &network.Location{
			ID: id, Type: network.Store, TimeZone: "Europe/Berlin", Capabilities: []network.Capability{network.CanShip, network.CanPickup},
			Address: network.Address{Country: "DE"},
		}})
	}
	docs = append(docs, engine.Document{Kind: engine.KindChannel, ID: "web", Value: &network.Channel{ID: "web", Type: network.Web, Currency: "EUR"}})
	var items []engine.Adjustment
	for i := range 4 {
		id := fmt.Sprintf("S%d", i)
		docs = append(docs, engine.Document{Kind: engine.KindSKU, ID: id, Value: &catalog.SKU{SKU: id, Name: "Größe <M> & more"}})
		for l := range 3 {
			items = append(items, engine.Adjustment{SKU: id, Location: fmt.Sprintf("L%02d", l), Quantity: stock})
		}
	}
	docs = append(docs, engine.Document{Kind: engine.KindSKU, ID: "K", Value: &catalog.SKU{SKU: "K", Components: []catalog.Component{{SKU: "S0", Quantity: 1}, {SKU: "S1", Quantity: 2}}}})
	n.must(n.PutDocuments(context.Background(), docs, who))
	n.must(n.Adjust(context.Background(), &engine.Adjustments{Items: items, Reason: "receipt"}, who))
}

// must fails the test on an error and returns the reply.
func (n *node) must(r *engine.Reply, err error) *engine.Reply {
	n.tb.Helper()
	if err != nil {
		n.tb.Fatal(err)
	}
	return r
}

// may accepts a refusal, and returns whether the command was accepted.
func (n *node) may(r *engine.Reply, err error) (*engine.Reply, bool) {
	n.tb.Helper()
	var refusal *order.Refusal
	var invalid problem.Invalid
	if err != nil && !errors.As(err, &refusal) && !errors.As(err, &invalid) {
		n.tb.Fatal(err)
	}
	return r, err == nil
}

func basket(external string, quantity int64, skus ...string) *order.New {
	o := &order.New{Channel: "web", ExternalID: external, Customer: order.Customer{ID: "c-1", Name: "Zoë"}, Shipping: 490, ShippingTax: 78, Discount: 100}
	for _, s := range skus {
		o.Lines = append(o.Lines, order.NewLine{SKU: s, Quantity: quantity, UnitPrice: 1999, Tax: 380})
	}
	return o
}

func (n *node) capture(o *order.New) *order.Order {
	n.tb.Helper()
	return n.must(n.Capture(context.Background(), o, who)).Value.(*order.Order)
}

func (n *node) steps(o *order.Order, commands ...string) {
	n.tb.Helper()
	for _, c := range commands {
		n.must(n.Step(context.Background(), o.Fulfillments[0].ID, order.Step{Command: c}, who))
	}
}

func (n *node) reserve(r *inventory.NewReservation) *inventory.Reservation {
	n.tb.Helper()
	return n.must(n.Reserve(context.Background(), r, who)).Value.(*inventory.Reservation)
}

// day is a store in which everything the audit looks at happened once: orders
// A delivered, B shipped, G held, C a picked kit, D backordered, E cancelled, F from reservation R3, H and I paid;
// reservations R1 held, R2 released, R4 expired.
func (n *node) day() {
	n.tb.Helper()
	ctx := context.Background()
	n.retailer(10)
	n.steps(n.capture(basket("A", 1, "S0", "S1")), "accept", "pick", "pack", "ship", "deliver")
	n.steps(n.capture(basket("B", 1, "S1")), "accept", "pick", "pack", "ship")
	n.steps(n.capture(basket("C", 1, "K")), "accept", "pick")
	n.capture(basket("D", 100, "S3"))
	e := n.capture(basket("E", 1, "S0"))
	n.must(n.Cancel(ctx, e.ID, order.Cancellation{Reason: "changed mind"}, who))
	hold := func(reference, sku string, q, ttl int64) *inventory.Reservation {
		return n.reserve(&inventory.NewReservation{
			Channel: "web", Reference: reference, Location: "L00", TTLSeconds: ttl, Lines: []inventory.NewReservationLine{{SKU: sku, Quantity: q}},
		})
	}
	hold("R1", "S2", 2, 7*24*3600)
	n.must(n.ReleaseReservation(ctx, hold("R2", "S2", 1, 0).ID, who))
	f := basket("F", 1, "S1")
	f.ReservationID = hold("R3", "S1", 3, 0).ID
	n.capture(f)
	key := who
	key.Key = &engine.IdempotencyKey{Key: "k", Hash: []byte{1}}
	n.must(n.Adjust(ctx, &engine.Adjustments{Items: []engine.Adjustment{{SKU: "S2", Location: "L01", Quantity: -1}}, Reason: "damage"}, key))
	n.must(n.Count(ctx, &engine.Count{AsOf: n.Now(), Items: []engine.CountedItem{{SKU: "S2", Location: "L02", OnHand: 7}}}, who))
	n.expire(hold("R4", "S0", 1, 30))
	n.must(n.HoldOrder(ctx, n.capture(basket("G", 1, "S2")).ID, &order.NewHold{Type: order.HoldFraud}, who))
	n.paid()
	x := exception.Standalone{ID: "a1", Type: "poison_message", Message: "cannot be read", Channel: "web"}
	n.must(n.RaiseException(ctx, x, who))
	n.must(n.ClaimException(ctx, x.ID, "ada", false, who))
	n.must(n.PutDocuments(ctx, []engine.Document{{Kind: engine.KindSKU, ID: "S3", Value: &catalog.SKU{SKU: "S3", Name: "last"}}}, who))
}

// paid takes two orders that a provider acts for: H, captured, delivered and refunded in part; I, whose authorization nobody answers for.
func (n *node) paid() {
	n.tb.Helper()
	ctx := context.Background()
	n.must(n.SavePolicy(ctx, policy.KindPayment, "psp", "kind: payment\nname: psp\npayment: {providers: {card: psp}}\n", "", who))
	n.must(n.PublishPolicy(ctx, policy.KindPayment, "psp", engine.Publish{}, who))
	take := func(external string) *order.Order {
		in := basket(external, 1, "S1")
		in.Tenders = []order.Tender{{Type: "card", Amount: 2847, Reference: "tok_" + external}}
		return n.capture(in)
	}
	answer := func(o *order.Order, operation int) {
		n.must(n.PaymentResult(ctx, o.ID, payment.Outcome{Operation: payment.OperationID(o.ID, operation), Status: payment.Succeeded}, who))
	}
	h := take("H")
	answer(h, 1)
	n.steps(h, "accept", "pick", "pack", "ship")
	answer(h, 2)
	n.steps(h, "deliver")
	n.must(n.Refund(ctx, h.ID, &engine.OrderRefund{NewRefund: order.NewRefund{Amount: 500, Reason: "late"}}, true, who))
	answer(h, 3)
	take("I")
}

// expire moves the clock past a reservation's end and waits until it has ended.
func (n *node) expire(r *inventory.Reservation) {
	n.tb.Helper()
	n.clock.Add(int64(45 * time.Second))
	for {
		changed := n.Changed()
		records, err := n.store.Load(context.Background(), []store.Key{n.ReservationKey(r.ID)})
		if err != nil {
			n.tb.Fatal(err)
		}
		if records[0].State == string(inventory.ReservationExpired) {
			return
		}
		<-changed
	}
}

// settle waits until every timer that is due has fired.
func (n *node) settle() {
	n.tb.Helper()
	for bucket := range n.store.Buckets() {
		for {
			changed := n.Changed()
			keys, err := n.store.Due(context.Background(), bucket, n.Now(), 1)
			if err != nil {
				n.tb.Fatal(err)
			}
			if len(keys) == 0 {
				break
			}
			<-changed
		}
	}
}

// run audits a data folder and returns the report.
func run(tb testing.TB, dir string) *audit.Report {
	tb.Helper()
	s, err := sqlite.OpenReadOnly(context.Background(), dir)
	if err != nil {
		tb.Fatal(err)
	}
	defer s.Close()
	return runStore(tb, s)
}

func runStore(tb testing.TB, s store.Auditor) *audit.Report {
	tb.Helper()
	r, err := audit.Run(context.Background(), s, audit.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// failed are the numbers of the checks that found something.
func failed(r *audit.Report) []int {
	numbers := []int{}
	for _, c := range r.Checks {
		if c.Violations > 0 {
			numbers = append(numbers, c.Number)
		}
	}
	return numbers
}

func words(r *audit.Report) string {
	var all []string
	for _, c := range r.Checks {
		for _, f := range c.First {
			all = append(all, fmt.Sprintf("%d: %s", c.Number, f))
		}
	}
	return strings.Join(append(all, r.Incomplete), "\n")
}

// wantFailed compares the checks that failed with those that must.
func wantFailed(tb testing.TB, r *audit.Report, want ...int) {
	tb.Helper()
	if got := failed(r); !slices.Equal(got, want) || r.OK != (len(want) == 0) || r.Incomplete != "" {
		tb.Errorf("failed %v, want %v; ok %v\n%s", got, want, r.OK, words(r))
	}
}

// edit runs SQL statements on a store that is not open.
func edit(tb testing.TB, dir string, statements ...string) {
	tb.Helper()
	db, err := sql.Open("sqlite", dir+"/"+sqlite.FileName)
	if err != nil {
		tb.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			tb.Fatalf("%s: %v", s, err)
		}
	}
}
