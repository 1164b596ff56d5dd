package pay_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/partner/pay"
	"github.com/orderly-oms/orderly/internal/partner/sandbox"
	"github.com/orderly-oms/orderly/internal/payment"
	"github.com/orderly-oms/orderly/internal/problem"
	"github.com/orderly-oms/orderly/internal/store"
)

// gate takes calls to a handler at /gate, without a network. A handler that aborts is a connection that ended.
type gate struct{ http.Handler }

func (g gate) RoundTrip(r *http.Request) (*http.Response, error) {
	answers := make(chan *http.Response, 1)
	go func() {
		defer func() {
			if recover() != nil {
				answers <- nil
			}
		}()
		rec := httptest.NewRecorder()
		http.StripPrefix("/gate", g.Handler).ServeHTTP(rec, r)
		answers <- rec.Result()
	}()
	select {
	case <-r.Context().Done():
		return nil, r.Context().Err()
	case a := <-answers:
		if a == nil {
			return nil, io.ErrUnexpectedEOF
		}
		return a, nil
	}
}

// misbehaving is a provider of which every third call goes wrong in some way.
var misbehaving = sandbox.Faults{
	Silent: .01, Late: .02, Cut: .05, ErrorAfter: .05, ErrorBefore: .05, Pending: .05, Garbage: .05, Twice: .05,
	Clears: 20 * time.Minute,
}

// lives are orders to which things happen.
type lives struct {
	*shop
	random  *rand.Rand
	sandbox *sandbox.Sandbox
	ids     []string
	did     map[string]int
}

// TestLivesOfOrders lets all that may happen to orders happen at random, with a provider that misbehaves. When all is
// over its ledger and the orders agree to the cent, each order was charged what is due, and the books of every day agree.
func TestLivesOfOrders(t *testing.T) {
	stores(t, func(t *testing.T, open func(t *testing.T) store.Store) {
		l := &lives{shop: newShop(t, open(t)), random: rand.New(rand.NewPCG(7, 11)), did: map[string]int{}}
		l.worker.Stop()
		l.sandbox = sandbox.New(sandbox.Options{Seed: 7, Secret: "s3cret", Clock: l.now, Faults: misbehaving})
		options := pay.Options{Transport: gate{l.sandbox}, Timeout: 100 * time.Millisecond, Log: quiet}
		l.worker = pay.NewWorker(l.Engine, options)
		l.worker.Run()
		t.Cleanup(l.worker.Stop)
		first, orders := l.now(), 80
		if !l.Store().Exclusive() {
			orders = 20 // a server takes longer for each commit
		}
		for range orders {
			l.capture()
		}
		for range 5 {
			for _, id := range l.ids {
				l.happen(id)
			}
			l.pass(time.Duration(l.random.IntN(40*60)) * time.Minute)
		}
		l.sandbox.Behave()
		l.sandbox.Arrive()
		l.end()
		for _, wrong := range l.sandbox.Check() {
			t.Errorf("the provider's ledger: %s", wrong)
		}
		for _, id := range l.ids {
			l.compare(l.read(id))
		}
		l.pass(24 * time.Hour)
		l.books(pay.NewBooks(l.Engine, pay.Options{Transport: options.Transport, Log: quiet}), first)
		for _, what := range []string{"ship", "cancel", "add", "fewer", "return", "refund", "declined"} {
			if l.did[what] == 0 {
				t.Errorf("it never happened: %s", what)
			}
		}
		t.Logf("%v; the provider: %+v", l.did, l.sandbox.Calls())
	})
}

// capture takes an order of some lines, paid by a gift card and one or two cards.
func (l *lives) capture() {
	l.Helper()
	n := &order.New{Channel: "web", ExternalID: fmt.Sprint("life", len(l.ids)), Shipping: int64(l.random.IntN(2)) * 490}
	total := n.Shipping
	for range 1 + l.random.IntN(3) {
		x := order.NewLine{SKU: "A", Quantity: 1 + l.random.Int64N(4), UnitPrice: 1 + l.random.Int64N(5000), Tax: l.random.Int64N(300)}
		total += x.Quantity*x.UnitPrice + x.Tax
		n.Lines = append(n.Lines, x)
	}
	left := total
	pays := func(typ, token string, amount int64) {
		if amount > 0 {
			n.Tenders = append(n.Tenders, order.Tender{Type: typ, Amount: amount, Reference: fmt.Sprint(token, len(l.ids))})
			left -= amount
		}
	}
	pays("gift_card", "gift_", l.random.Int64N(left))
	if l.random.IntN(3) == 0 {
		pays("card", "second_", l.random.Int64N(left+1))
	}
	token := "tok_"
	switch l.random.IntN(12) {
	case 0:
		token = sandbox.DeclineAlways
	case 1, 2:
		token = sandbox.DeclineOnce
	}
	pays("card", token, left)
	reply, err := l.Capture(l.Context(), n, meta)
	if err != nil {
		l.Fatal(err)
	}
	l.ids = append(l.ids, reply.Value.(*order.Order).ID)
}

// try counts what was done. What is refused, because of how the order is, did not happen.
func (l *lives) try(what string, err error) bool {
	l.Helper()
	var no *order.Refusal
	var bad *problem.Invalid
	var invalid problem.Invalid
	switch {
	case err == nil:
		l.did[what]++
		return true
	case errors.As(err, &no), errors.As(err, &bad), errors.As(err, &invalid):
		return false
	}
	l.Fatalf("%s: %v", what, err)
	return false
}

// happen lets one thing happen to an order.
func (l *lives) happen(id string) {
	l.Helper()
	o, ctx := l.read(id), l.Context()
	line := &o.Lines[l.random.IntN(len(o.Lines))]
	one := []order.LineQuantity{{Line: line.ID, Quantity: 1}}
	switch l.random.IntN(8) {
	case 0, 1, 2:
		for i := range o.Fulfillments {
			_, err := l.Step(ctx, o.Fulfillments[i].ID, order.Step{Command: "ship", Lines: one}, meta)
			if l.try("ship", err) {
				return
			}
		}
	case 3:
		_, err := l.Cancel(ctx, id, order.Cancellation{Lines: one, Reason: "changed my mind"}, meta)
		l.try("cancel", err)
	case 4:
		_, err := l.Edit(ctx, id, &engine.OrderEdit{Edit: order.Edit{Add: []order.NewLine{{SKU: "A", Quantity: 1, UnitPrice: 1 + l.random.Int64N(3000)}}}}, meta)
		l.try("add", err)
	case 5:
		fewer := line.Quantity - line.Cancelled - 1
		_, err := l.Edit(ctx, id, &engine.OrderEdit{Edit: order.Edit{Lines: []order.LineEdit{{Line: line.ID, Quantity: &fewer}}}}, meta)
		l.try("fewer", err)
	case 6:
		_, err := l.ReceiveBlind(ctx, &engine.BlindReturn{OrderID: id, Receipt: order.Receipt{Location: "dc", Lines: []order.ReceivedLine{{Line: line.ID, Quantity: 1}}}}, meta)
		l.try("return", err)
	case 7:
		_, err := l.Refund(ctx, id, &engine.OrderRefund{NewRefund: order.NewRefund{Amount: 1 + l.random.Int64N(200), Reason: "a scratch"}}, true, meta)
		l.try("refund", err)
	}
}

// end brings every order to its end: what is not declined leaves, the rest is cancelled, and all is answered for.
func (l *lives) end() {
	l.Helper()
	l.settle()
	for _, id := range l.ids {
		o := l.read(id)
		if o.PaymentStanding() == payment.StandDeclined {
			l.did["declined"]++
		}
		for i := range o.Fulfillments {
			_, err := l.Step(l.Context(), o.Fulfillments[i].ID, order.Step{Command: "ship"}, meta)
			l.try("ship", err)
		}
		_, err := l.Cancel(l.Context(), id, order.Cancellation{Reason: "the end"}, meta)
		l.try("cancel", err)
	}
	l.settle()
}

// settle lets time pass and people act until every operation has an outcome.
func (l *lives) settle() {
	l.Helper()
	late := time.After(3 * time.Minute)
	for {
		changed := l.Changed()
		open := ""
		for _, id := range l.ids {
			o := l.read(id)
			for i := range o.Payment.Operations {
				if op := &o.Payment.Operations[i]; op.State == payment.Pending || op.State == payment.Unknown {
					if open = op.ID + " is " + op.State; op.AskAt.IsZero() {
						_, err := l.RetryPayments(l.Context(), id, meta)
						l.try("given up", err)
						break
					}
				}
			}
		}
		if open == "" {
			return
		}
		select {
		case <-changed: // answers come
		case <-time.After(20 * time.Millisecond): // none does: it is asked about
			l.pass(time.Minute)
		case <-late:
			l.Fatalf("not settled: %s", open)
		}
	}
}

// compare compares an order with its account at the provider.
func (l *lives) compare(o *order.Order) {
	l.Helper()
	theirs := l.sandbox.Sums(func(op *sandbox.Operation) bool { return engine.OrderOfOperation(op.ID) == o.ID })
	ours, want := o.Payment.Sums(), o.PaymentWant()
	if ours.Captured != theirs.Captured || ours.Refunded != theirs.Refunded || ours.Authorized != theirs.Open() {
		l.Errorf("%s: the order knows %+v, the provider %+v", o.ID, ours, theirs)
	}
	promised := int64(0) // to be given back of what was due
	for _, list := range [][]payment.Refund{o.Payment.Refunds, want.Refunds} {
		for i := range list {
			promised += list[i].Amount
		}
	}
	due := want.Owed - promised
	if o.PaymentStanding() == payment.StandDeclined { // some left before its provider declined: a person is told, and nobody else charged
		due = max(due-o.Payment.Unpaid(&want), 0) // what was never taken cannot be given back
	}
	if o.Status != order.StatusFulfilled && !o.Status.Final() || theirs.Open() != 0 || theirs.Captured-theirs.Refunded != due {
		l.Errorf("%s (%s, %s): the provider took %d, gave back %d and holds %d; %d is due and %d was to be given back",
			o.ID, o.Status, o.PaymentStanding(), theirs.Captured, theirs.Refunded, theirs.Open(), want.Owed, promised)
	}
	for i := range o.Exceptions {
		if x := &o.Exceptions[i]; x.Type == payment.NoticeMismatch {
			l.Errorf("%s: %s", o.ID, x.Message)
		}
	}
}

// books compares those of every day.
func (l *lives) books(books *pay.Books, first time.Time) {
	l.Helper()
	var entries, matched int64
	for at := first; ; at = at.AddDate(0, 0, 1) {
		r, err := books.Reconcile(l.Context(), "psp", at.Format(time.DateOnly), meta)
		if err != nil && strings.Contains(err.Error(), "not over") {
			break
		}
		if err != nil {
			l.Fatal(err)
		}
		for _, d := range r.Differences {
			l.Errorf("%s: %s", r.Day, d.Message)
		}
		if entries, matched = entries+r.Entries, matched+r.Matched; r.Booked != 0 {
			l.Errorf("%s: %d operations were news", r.Day, r.Booked)
		}
	}
	if n := len(l.sandbox.Entries()); int64(n) != entries || entries != matched || n < 3*len(l.ids) {
		l.Errorf("%d operations took effect, %d were reported, %d agree", n, entries, matched)
	}
}
