package dst

import (
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/payment"
)

// provider is a payment provider with its own ledger. It does an operation once per id, whatever it is
// asked; answers come late, twice or not at all, and then it is asked what became of it.
type provider struct {
	w          *World
	operations map[string]*effect
	told       map[string]bool // operations that a person was asked about, and may have closed
}

// effect is what the provider did about an operation.
type effect struct {
	op      payment.Operation
	done    bool
	used    int64 // of an authorization: captured or given up; of a capture: refunded
	expires time.Time
}

func (p *provider) asked(orderID string, e *order.Event) {
	op, w := *e.Payment, p.w
	if op.Provider == "" {
		return
	}
	inquiry := e.Type == order.EventPaymentInquiry
	delay := w.between(time.Second, time.Minute)
	if !w.calm && w.chance(w.weather.late) {
		delay += w.between(time.Minute, 10*time.Hour)
	}
	if !w.calm && !inquiry && w.chance(w.weather.lost) {
		w.cover.hit(faults, "payment_never_arrived")
		return // it is asked for later, and the provider has never heard of it
	}
	w.in(delay, func() { p.answer(orderID, &op, inquiry) })
}

// answer does the operation, unless that is only asked about or done already, and says what became of it.
func (p *provider) answer(orderID string, op *payment.Operation, inquiry bool) {
	w := p.w
	x := p.operations[op.ID]
	out := payment.Outcome{Operation: op.ID, At: w.now}
	switch {
	case x == nil && inquiry:
		out.Status = payment.NotFound
	case x == nil:
		x = p.do(op)
	case x.op.Kind != op.Kind || x.op.Amount != op.Amount && x.op.Requested == 0:
		fail(27, "an operation keeps its meaning", "%s was %s of %d and is now %s of %d", op.ID, x.op.Kind, x.op.Amount, op.Kind, op.Amount)
	}
	if x != nil {
		out.Status, out.Reference, out.ExpiresAt = payment.Declined, "R-"+op.ID, x.expires
		if x.done {
			out.Status = payment.Succeeded
		} else {
			out.Code = "declined"
		}
	}
	if !w.calm && w.chance(w.weather.answerLost) {
		w.cover.hit(faults, "payment_answer_lost")
		return
	}
	if !w.calm && w.chance(.03) {
		out = payment.Outcome{Operation: op.ID, Status: payment.Unknown, At: w.now}
	}
	w.cover.hit(payments, op.Kind+" "+out.Status)
	w.send(0, &message{name: "payment-result " + op.ID + " " + out.Status, do: func(e *engine.Engine, m engine.Meta) (*engine.Reply, error) {
		return e.PaymentResult(ctx, orderID, out, m)
	}})
}

// do has an operation take effect, and holds it against what the ledger allows.
func (p *provider) do(op *payment.Operation) *effect {
	w := p.w
	x := &effect{op: *op, done: w.calm || !w.chance(w.weather.declined)}
	p.operations[op.ID] = x
	parent := p.operations[op.Parent]
	if op.Kind != payment.KindAuthorize && op.Kind != payment.KindRefund && (parent == nil || !parent.done) {
		fail(26, "nothing is captured without an authorization", "%s asks for %s of %s, which never took effect", op.ID, op.Kind, op.Parent)
	}
	switch op.Kind {
	case payment.KindAuthorize:
		x.expires = w.now.Add(w.between(100*time.Hour, 200*time.Hour))
	case payment.KindCapture, payment.KindVoid:
		if w.now.After(parent.expires) {
			x.done = false
		}
		if x.done {
			parent.used += op.Amount
		}
		if parent.used > parent.op.Amount {
			fail(26, "captured ≤ authorized, as the provider sees it", "%s of %d by %s: %d of authorization %s over %d is used", op.Kind, op.Amount, op.ID, parent.used, op.Parent, parent.op.Amount)
		}
	case payment.KindRefund:
		if parent == nil {
			break
		}
		if x.done {
			parent.used += op.Amount
		}
		if parent.used > parent.op.Amount {
			fail(29, "refunded ≤ captured, as the provider sees it", "refund %s of %d: %d of capture %s over %d is given back", op.ID, op.Amount, parent.used, op.Parent, parent.op.Amount)
		}
	}
	return x
}

// reconcile compares the ledgers once everything is over: what the orders say took effect did, and the reverse.
func (p *provider) reconcile() {
	for _, id := range p.w.watch.sequence {
		o := p.w.watch.orders[id].now
		if o.Payment == nil {
			continue
		}
		for i := range o.Payment.Operations {
			op := &o.Payment.Operations[i]
			x := p.operations[op.ID]
			if op.Provider == "" {
				continue
			}
			switch done := x != nil && x.done; op.State {
			case payment.Succeeded:
				if !done {
					fail(32, "the ledgers agree", "%s %s is booked and the provider never did it", op.Kind, op.ID)
				}
			case payment.Declined:
				if done && !p.told[op.ID] {
					fail(32, "the ledgers agree", "%s %s is declined and the provider did it, and nobody is told", op.Kind, op.ID)
				}
			default:
				if !p.told[op.ID] && !op.AskAt.After(p.w.now) { // else it is about to be asked for
					fail(31, "unknown outcomes are resolved", "%s %s is still %s, and nobody is told", op.Kind, op.ID, op.State)
				}
			}
		}
	}
}
