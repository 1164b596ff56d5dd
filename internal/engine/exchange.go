package engine

import (
	"context"
	"encoding/hex"
	"errors"

	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/store"
)

// Exchange takes goods back and sends others: the return and the order that replaces them are one command.
// The reply's value is a *ReturnAnswer. Errors: problem.Invalid, *order.Refusal, those of Submit.
func (e *Engine) Exchange(ctx context.Context, id string, n *order.NewExchange, mayOverride bool, m Meta) (*Reply, error) {
	if err := n.Validate(); err != nil {
		return nil, err
	}
	if err := e.checkPlace("return.location", n.Return.Location); err != nil {
		return nil, err
	}
	return e.returnCommand(ctx, id, nil, m, func(c *change, out *ReturnAnswer) (string, error) {
		next := c.now.Replacement(n)
		if err := next.Validate(); err != nil {
			return "", err
		}
		s, err := e.prepare(next)
		if err != nil {
			return "", err
		}
		x := &exchanging{c: c, n: n, next: next, id: e.besides(c.now.ID)}
		back, err := x.takeBack(out, mayOverride, m.who())
		if err != nil {
			return "", err
		}
		if err := x.link(back); err != nil {
			return "", err
		}
		out.Exchange, err = x.capture(s, back)
		return back, err
	})
}

// besides is a new id of an order in the same bucket as another.
func (e *Engine) besides(id string) string {
	last, err := hex.DecodeString(id[max(len(id)-2, 0):])
	if err != nil || len(last) != 1 {
		last = []byte{byte(e.OrderKey(id).Bucket)}
	}
	return e.idWithHash(last[0])
}

// exchanging is one exchange.
type exchanging struct {
	c      *change
	n      *order.NewExchange
	next   *order.New
	id     string // of the order that replaces the goods
	credit int64
}

// takeBack opens the return and shares its worth between the new order and the customer. "": nothing comes back.
func (x *exchanging) takeBack(out *ReturnAnswer, mayOverride bool, by string) (string, error) {
	c, n := x.c, x.n
	warranty := n.Reason == order.ReasonWarranty
	if len(n.Return.Lines) == 0 {
		x.next.Tenders = nil
		return "", nil
	}
	d, err := c.tx.e.judgeReturn(c.now, &n.Return, by, c.tx.Now)
	if err != nil {
		return "", err
	}
	worth := d.Refund.Amount
	if warranty {
		worth, d.Return.RefundRule = 0, order.RefundNever
		d.Refund = order.ReturnRefund{At: c.tx.Now, State: order.RefundNone}
		for i := range d.Return.Lines {
			d.Return.Lines[i].UnitFee, d.Return.Lines[i].FeePercent = 0, 0
		}
		d.Return.Fee = 0
	}
	if x.credit, err = x.next.PayExchange(worth, c.now.ID, n.Tenders); err != nil {
		return "", err
	}
	waits := n.When == order.ExchangeOnReceipt
	if waits && (d.Return.RefundRule == order.RefundInstant || d.Return.RefundRule == order.RefundOnScan) {
		d.Return.RefundRule = order.RefundOnReceipt
	}
	d.Return.Exchange = &order.Exchange{OrderID: x.id, Credit: x.credit, Waits: waits}
	out.Decision = d
	return c.openReturn(d, n.Return.Override, mayOverride)
}

// link notes on the order which one replaces goods of it.
func (x *exchanging) link(back string) error {
	events, err := x.c.now.Exchanged(x.id, back, x.n.Reason, x.c.tx.Now)
	if err != nil {
		return err
	}
	return x.c.add(events...)
}

// capture takes the order that replaces the goods, on hold until they come when it is to wait for them.
func (x *exchanging) capture(s *sources, back string) (*order.Order, error) {
	tx, of := x.c.tx, x.c.now
	start := tx.e.captured(x.next, order.Captured{ID: x.id, At: tx.Now, Parts: tx.e.Parts, Trial: tx.e.enrol}, nil)
	start.Order.ExchangeOf = &order.ExchangeRef{OrderID: of.ID, ReturnID: back, Reason: x.n.Reason, At: tx.Now}
	manual := tx.manual
	tx.manual = nil // the touch is the exchanged order's
	defer func() { tx.manual = manual }()
	if r := of.Return(back); r == nil || r.Exchange == nil || !r.Exchange.Waits || r.ExchangeReady() {
		return tx.e.captureOrder(tx, s, start, store.Key{})
	}
	c := tx.change(nil)
	c.sources = s
	if err := c.add(start); err != nil {
		return nil, err
	}
	hold := order.NewHold{Type: order.HoldExchange, Blocks: order.BlocksRelease, Reason: "waits for return " + back, ExpiresAt: of.Return(back).ExpiresAt, OnExpiry: order.ExpiryCancel}
	events, err := c.now.Hold(hold, "core", tx.Now)
	if err != nil {
		return nil, err
	}
	if err := c.add(events...); err != nil {
		return nil, err
	}
	if err := c.hold(); err != nil {
		return nil, err
	}
	if err := c.planPayments(); err != nil {
		return nil, err
	}
	return c.save()
}

// replacements are the orders that replace goods of an order, for commands that may release or end them.
func (e *Engine) replacements(ctx context.Context, id string) ([]store.Key, error) {
	o, err := e.loadOrder(ctx, id)
	if err != nil {
		return nil, err
	}
	var keys []store.Key
	for i := range o.Returns {
		if x := o.Returns[i].Exchange; x != nil && x.Waits && !o.Returns[i].Status.Final() {
			keys = append(keys, e.OrderKey(x.OrderID))
		}
	}
	return keys, nil
}

// settleExchange lets the order that replaces goods go once they came, and cancels what can be
// stopped of it when they will not. Without the order at hand, as when a timer ends the return, its hold ends at the same time and does so.
func (c *change) settleExchange(r *order.Return) error {
	if r == nil || r.Exchange == nil || !r.Exchange.Waits {
		return nil
	}
	en := c.tx.Entry(c.tx.e.OrderKey(r.Exchange.OrderID))
	if en == nil {
		return nil
	}
	x := c.tx.change(en.Value.(*order.Order))
	var events []order.Event
	switch {
	case r.ExchangeReady():
		events = x.now.ReleaseHolds(order.HoldExchange, "core", "the goods of return "+r.ID+" came")
	case r.Exchange.Void && x.now.Holding(order.HoldExchange):
		stopped, err := x.now.Cancel(order.Cancellation{Reason: "the goods of return " + r.ID + " did not come"})
		var no *order.Refusal
		if err != nil && !errors.As(err, &no) {
			return err // refused: nothing of it is left to be stopped
		}
		if err := x.add(stopped...); err != nil {
			return err
		}
		events = x.now.ReleaseHolds(order.HoldExchange, "core", "the goods did not come") // of what was not stopped
	}
	if err := x.add(events...); err != nil || len(x.events) == 0 {
		return err
	}
	manual := c.tx.manual
	c.tx.manual = nil
	_, err := x.save()
	c.tx.manual = manual
	return err
}
