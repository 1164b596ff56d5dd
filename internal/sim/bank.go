package sim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/orderly-oms/orderly/internal/api"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/partner/pay"
	"github.com/orderly-oms/orderly/internal/partner/sandbox"
	"github.com/orderly-oms/orderly/internal/payment"
)

const (
	// providerID is what the payment policy calls the provider.
	providerID = "sandbox"
	// declineShare of tenders are declined: half of them the first time only.
	declineShare = .03
	// otherCardShare of customers whose card is declined pay with another one; the rest cancel.
	otherCardShare = .6
)

// providerFaults are what goes wrong between the server and the provider. The provider tells what it did soon after, as
// providers do: a run with an end does not wait for inquiries, which are minutes apart.
var providerFaults = sandbox.Faults{Cut: .01, ErrorAfter: .01, Pending: .01, Garbage: .005, Twice: .01, Clears: time.Minute, Most: 3}

// endlessFaults are those of a run without end: also what only an inquiry finds out.
func endlessFaults() sandbox.Faults {
	f := providerFaults
	f.ErrorBefore, f.Late, f.Silent = .005, .002, .002
	return f
}

// bank is the payment provider of the retailer: a sandbox on loopback with a ledger of its own, which the server
// reaches over HTTP, and what customers do when it declines.
type bank struct {
	w       *world
	sandbox *sandbox.Sandbox
	server  *http.Server
	url     string
	client  *client // tells the server what an answer did not

	mu       sync.Mutex
	live     bool                          // false while reading what was before the run
	asked    map[string]*payment.Operation // by id: asked for, without an outcome in the order
	declined map[string]*payment.Operation // by order: authorizations declined before the run, and nothing asked for since
	findings []string
	compared Ledger
}

// Ledger is the provider's book in minor units, and how it compares with the orders.
type Ledger struct {
	Authorised int64 `json:"authorised"`
	Captured   int64 `json:"captured"`
	Voided     int64 `json:"voided"` // or ended
	Open       int64 `json:"open"`   // authorised, neither captured nor voided
	Accounts   int64 `json:"accounts"`
	Operations int64 `json:"operations"`
	Declined   int64 `json:"declined"` // operations
	Unclear    int64 `json:"unclear"`  // answers that were lost, late or nonsense
	// Compared orders have, by the server's quantities, Due to be captured.
	Compared    int64 `json:"compared"`
	Due         int64 `json:"due"`
	Differences int64 `json:"differences"` // orders whose captured sum is not what is due
}

// openBank starts the provider. It is to be closed.
func openBank(w *world) (*bank, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("the payment provider: %w", err)
	}
	b := &bank{w: w, url: "http://" + l.Addr().String(), asked: map[string]*payment.Operation{}, declined: map[string]*payment.Operation{}}
	faults := providerFaults
	if w.opt.Orders == 0 {
		faults = endlessFaults()
	}
	b.sandbox = sandbox.New(sandbox.Options{Seed: w.data.Seed, Clock: w.clock.Now, Secret: b.secret(), Faults: faults, Heard: b.tell})
	b.server = &http.Server{Handler: b.sandbox, ReadHeaderTimeout: requestTimeout}
	go b.server.Serve(l) // ends when it is closed
	return b, nil
}

func (b *bank) secret() string { return fmt.Sprintf("demo-%d", b.w.data.Seed) }

func (b *bank) close() { b.server.Close() }

// register tells the server where the provider is, which is elsewhere in each run.
func (b *bank) register(ctx context.Context) error {
	q := request{method: http.MethodPut, path: "/v1/payment-providers/" + providerID, body: pay.Settings{URL: b.url, Secret: b.secret()}}
	if err := b.w.admin.do(ctx, q, nil); err != nil {
		return fmt.Errorf("the payment provider: %w", err)
	}
	return nil
}

// tokens gives each tender of a new order one. Some are no good.
func (b *bank) tokens(n *order.New) []order.Tender {
	out := append([]order.Tender(nil), n.Tenders...)
	for i := range out {
		c := newChance(b.w.data.Seed, "token", n.ExternalID, fmt.Sprint(i))
		prefix := "tok_"
		if c.happens(declineShare) {
			prefix = pick(c, []string{sandbox.DeclineAlways, sandbox.DeclineOnce})
		}
		out[i].Reference = fmt.Sprintf("%s%016x", prefix, c.r.Uint64())
	}
	return out
}

// paymentTypes are the events that the bank follows.
const paymentTypes = order.EventPaymentRequested + "," + order.EventPaymentSucceeded + "," + order.EventPaymentDeclined

// hear notes what the server asked for and what it knows. Before the run it restores the ledger of runs before on the
// same store from what their orders say.
func (b *bank) hear(e *engine.Published) {
	var event order.Event
	if json.Unmarshal(e.Data, &event) != nil {
		return // the watcher reports what cannot be read
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if event.Type == order.EventPaymentRequested {
		if op := event.Payment; op.Provider == providerID {
			b.asked[op.ID] = op
			delete(b.declined, e.Stream.ID)
		}
		return
	}
	op := b.asked[event.Outcome.Operation]
	if op == nil {
		return
	}
	delete(b.asked, op.ID)
	if event.Type == order.EventPaymentDeclined && op.Kind == payment.KindAuthorize {
		b.declined[e.Stream.ID] = op
	}
	if !b.live {
		out := event.Outcome
		q := pay.Request{ID: op.ID, Kind: op.Kind, Amount: op.Amount, Currency: op.Currency, Token: op.Token, Parent: op.Parent, ParentReference: op.ParentRef}
		b.sandbox.Restore(q, pay.Answer{Status: out.Status, Amount: out.Amount, Reference: out.Reference, Code: out.Code, Message: out.Message, ExpiresAt: out.ExpiresAt, At: out.At})
		return
	}
	b.help()
}

// begin ends the reading of what was before the run.
func (b *bank) begin() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.live = true
	b.help()
}

// help lets customers do something about what was declined. The lock is held.
func (b *bank) help() {
	for id, op := range b.declined {
		delete(b.declined, id)
		c := newChance(b.w.data.Seed, "declined", op.Token)
		b.w.agenda.in(c.between(.2, 6), func(ctx context.Context) { b.again(ctx, c, id, op) })
	}
}

// again is what a customer whose payment was declined does: the same again where it may go well, another card, or
// nothing more to do with the order. It may come too late, when the order was cancelled meanwhile.
func (b *bank) again(ctx context.Context, c chance, id string, op *payment.Operation) {
	switch {
	case strings.HasPrefix(op.Token, sandbox.DeclineOnce):
		b.client.post(ctx, "", "/v1/orders/"+id+"/payments/retry", api.PaymentRetry{}, nil)
	case c.happens(otherCardShare):
		b.client.post(ctx, "", "/v1/orders/"+id+"/payments", order.NewPayment{Type: payment.Card, Amount: op.Amount, Reference: fmt.Sprintf("tok_%016x", c.r.Uint64())}, nil)
	default:
		b.client.post(ctx, "", "/v1/orders/"+id+"/cancel", order.Cancellation{Reason: "customer"}, nil)
	}
}

// tell brings the server an outcome that an answer did not, a little later.
func (b *bank) tell(id string, a pay.Answer) {
	wait := newChance(b.w.data.Seed, "told", id).between(.05, 1)
	b.w.agenda.in(wait, func(ctx context.Context) {
		result := api.PaymentResult{Outcome: payment.Outcome{Status: a.Status, Amount: a.Amount, Reference: a.Reference, Code: a.Code, Message: a.Message, ExpiresAt: a.ExpiresAt, At: a.At}}
		err := b.client.post(ctx, "", "/v1/payments/"+id+"/result", &result, nil)
		if no := (*refusal)(nil); errors.As(err, &no) {
			b.w.watch.note("the outcome of %s was refused: %v", id, err)
		}
	})
}

// waiting is the number of operations whose outcome the orders do not know.
func (b *bank) waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.asked)
}

// due is what of an order is to be captured by what the server says has left: at least low, at most high; what is not
// all of it is divided to a cent.
func due(o *order.Order) (low, high int64) {
	var kept, left, unitsKept, unitsLeft int64
	for i := range o.Lines {
		l := &o.Lines[i]
		stays := l.Quantity - l.Cancelled
		kept, unitsKept = kept+l.Total*stays/l.Quantity, unitsKept+stays
		left, unitsLeft = left+l.Total*l.Fulfilled/l.Quantity, unitsLeft+l.Fulfilled
	}
	switch {
	case unitsLeft == 0:
		return 0, 0
	case unitsLeft == unitsKept:
		return kept + o.Totals.Shipping, kept + o.Totals.Shipping
	case kept == 0:
		return 0, o.Totals.Shipping
	}
	low = (kept + o.Totals.Shipping) * left / kept
	return low, low + 1
}

// acts reports whether the provider acts for the order, and whether it was asked for nothing that the order has no outcome of.
func acts(o *order.Order) (acts, settled bool) {
	if o.Payment == nil {
		return false, true
	}
	for i := range o.Payment.Tenders {
		acts = acts || o.Payment.Tenders[i].Provider == providerID
	}
	for i := range o.Payment.Operations {
		if s := o.Payment.Operations[i].State; s == payment.Pending || s == payment.Unknown {
			return acts, false
		}
	}
	return acts, true
}

// account is what the ledger has for an order.
func (b *bank) account(id string) sandbox.Sums {
	return b.sandbox.Sums(func(op *sandbox.Operation) bool { return engine.OrderOfOperation(op.ID) == id })
}

// compare checks an order of the server against its account. A difference counts the last time the order is looked at.
func (b *bank) compare(o *order.Order, a sandbox.Sums, last bool) bool {
	acts, settled := acts(o)
	if !acts {
		return true // the marketplace collects
	}
	low, high := due(o)
	same := settled && a.Captured >= low && a.Captured <= high && (!o.Status.Final() || a.Open() == 0)
	if !same && !last {
		return false
	}
	if !settled {
		return true // a stopped run: it is on its way
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	l := &b.compared
	l.Compared++
	if l.Due += max(low, min(high, a.Captured)); !same {
		l.Differences++
		b.find("order %s (%s): %d captured and %d voided of %d, %d is due", o.ID, o.Status, a.Captured, a.Voided, a.Authorized, low)
	}
	return same
}

func (b *bank) find(format string, args ...any) {
	if len(b.findings) < maxFindings {
		b.findings = append(b.findings, fmt.Sprintf(format, args...))
	}
}

// ledger is the book as it stands.
func (b *bank) ledger() (Ledger, []string) {
	sums, calls := b.sandbox.Sums(nil), b.sandbox.Calls()
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.compared
	l.Authorised, l.Captured, l.Voided, l.Open = sums.Authorized, sums.Captured, sums.Voided+sums.Expired, sums.Open()
	l.Operations, l.Declined = sums.Operations, sums.Declined
	for name, n := range calls.Faults {
		if name != sandbox.HarmlessFault {
			l.Unclear += n
		}
	}
	return l, slices.Concat(b.findings, b.sandbox.Check())
}
