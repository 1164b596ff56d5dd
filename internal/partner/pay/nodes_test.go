package pay_test

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/partner/pay"
	"github.com/orderly-oms/orderly/internal/partner/sandbox"
	"github.com/orderly-oms/orderly/internal/payment"
	"github.com/orderly-oms/orderly/internal/pgtest"
	"github.com/orderly-oms/orderly/internal/store/postgres"
)

// counting counts the calls of one node.
type counting struct {
	http.RoundTripper
	calls atomic.Int64
}

func (c *counting) RoundTrip(r *http.Request) (*http.Response, error) {
	c.calls.Add(1)
	return c.RoundTripper.RoundTrip(r)
}

// carrier is a node with a worker.
type carrier struct {
	engine *engine.Engine
	out    *counting
	worker *pay.Worker
}

// run starts a worker; the test stops it.
func (c *carrier) run() {
	c.worker = pay.NewWorker(c.engine, pay.Options{Transport: c.out, Timeout: time.Second, Log: quiet})
	c.worker.Run()
}

// carriers are two nodes on one database, and one provider.
func carriers(t *testing.T, faults sandbox.Faults) (*lives, [2]*carrier) {
	t.Helper()
	url := pgtest.NewDatabase(t)
	connect := func() *postgres.Store {
		db, err := postgres.Open(t.Context(), url, postgres.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		return db
	}
	l := &lives{shop: newShop(t, connect()), random: rand.New(rand.NewPCG(3, 5)), did: map[string]int{}}
	l.worker.Stop()
	l.sandbox = sandbox.New(sandbox.Options{Seed: 3, Secret: "s3cret", Clock: l.now, Faults: faults})
	other, err := engine.Open(t.Context(), connect(), engine.Options{Log: quiet, Clock: l.now})
	if err != nil {
		t.Fatal(err)
	}
	other.Run()
	t.Cleanup(other.Close)
	var both [2]*carrier
	for i, e := range []*engine.Engine{l.Engine, other} {
		both[i] = &carrier{engine: e, out: &counting{RoundTripper: gate{l.sandbox}}}
		both[i].run()
		t.Cleanup(func() { both[i].worker.Stop() })
	}
	return l, both
}

// One node of two carries payments. When it stops, the other goes on where it was.
func TestOneNodeCarries(t *testing.T) {
	t.Parallel()
	l, nodes := carriers(t, sandbox.Faults{})
	for range 10 {
		o := l.order("tok")
		l.until(o.ID, "authorized", authorized)
	}
	owner, rest := nodes[0], nodes[1]
	if rest.out.calls.Load() > 0 {
		owner, rest = rest, owner
	}
	if owner.out.calls.Load() != 20 || rest.out.calls.Load() != 0 {
		t.Fatalf("%d and %d calls for 20 operations", owner.out.calls.Load(), rest.out.calls.Load())
	}
	owner.worker.Stop()
	for range 10 {
		o := l.order("tok")
		l.until(o.ID, "authorized by the other node", authorized)
	}
	if owner.out.calls.Load() != 20 || rest.out.calls.Load() != 20 {
		t.Errorf("%d and %d calls for 20 operations each", owner.out.calls.Load(), rest.out.calls.Load())
	}
}

// However often payments change hands while orders live, the provider does each operation once.
func TestPaymentsChangeHands(t *testing.T) {
	t.Parallel()
	l, nodes := carriers(t, sandbox.Faults{Cut: .05, ErrorAfter: .05, ErrorBefore: .05, Pending: .05, Twice: .05, Clears: 20 * time.Minute})
	for round := range 4 {
		for range 5 {
			l.capture()
		}
		for _, id := range l.ids {
			l.happen(id)
		}
		now := nodes[round%2]
		now.worker.Stop() // in the midst of calls
		o := l.order("tok")
		l.ids = append(l.ids, o.ID)
		l.until(o.ID, "carried by the other node", func(o *order.Order) bool {
			return o.Payment != nil && !slices.ContainsFunc(o.Payment.Operations, func(op payment.Operation) bool { return op.State == payment.Pending })
		})
		now.run()
		l.pass(time.Duration(l.random.IntN(60)) * time.Minute)
	}
	l.sandbox.Behave()
	l.sandbox.Arrive()
	l.end()
	for _, wrong := range l.sandbox.Check() {
		t.Errorf("the provider's ledger: %s", wrong)
	}
	for _, id := range l.ids {
		o := l.read(id)
		l.compare(o)
		l.asAsked(o)
	}
	if nodes[0].out.calls.Load() == 0 || nodes[1].out.calls.Load() == 0 {
		t.Error("payments did not change hands")
	}
	t.Logf("%v; calls %d and %d", l.did, nodes[0].out.calls.Load(), nodes[1].out.calls.Load())
}

// asAsked checks that the provider did what the order asked for, id by id, and nothing else.
func (l *lives) asAsked(o *order.Order) {
	l.Helper()
	for i := range o.Payment.Operations {
		op := &o.Payment.Operations[i]
		theirs, ok := l.sandbox.Find(op.ID)
		if !ok || theirs.Kind != op.Kind || theirs.Amount != op.Amount || (theirs.Status == payment.Succeeded) != (op.State == payment.Succeeded) {
			l.Errorf("%s %s of %d is %s; the provider has %+v", op.Kind, op.ID, op.Amount, op.State, theirs)
		}
	}
	all := l.sandbox.Sums(func(op *sandbox.Operation) bool { return engine.OrderOfOperation(op.ID) == o.ID })
	if all.Operations != int64(len(o.Payment.Operations)) {
		l.Errorf("%s asked for %d operations, the provider has %d", o.ID, len(o.Payment.Operations), all.Operations)
	}
}
