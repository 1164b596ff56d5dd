package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/payment"
	"github.com/orderly-oms/orderly/internal/policy"
)

// paymentPolicy is the payment policy in force for an order; nil: no provider acts for it.
func (e *Engine) paymentPolicy(o *order.Order) (*policy.CompiledPayment, string) {
	set := e.Policies()
	if !set.Has(policy.KindPayment) {
		return nil, ""
	}
	c, version, ok := set.Choose(policy.KindPayment, e.holdFacts(o, set.UsesLines(policy.KindPayment)))
	if !ok || !c.Payment.Acts() {
		return nil, ""
	}
	return c.Payment, policyName(c, version)
}

// paymentRules are a policy's, as orders keep them.
func paymentRules(p *policy.CompiledPayment) *payment.Rules {
	return &payment.Rules{
		Authorize: p.Authorize, Capture: p.Capture, CaptureOrder: p.CaptureOrder, RefundOrder: p.RefundOrder,
		LifetimeHours: p.Lifetime, RenewHours: p.Renew, HoldUntilPaid: p.HoldUntilAuthorized, HoldDeclined: p.HoldDeclined,
		RetryHours: p.Declined.RetryHours, Declines: p.Declined.Attempts, CancelHours: p.Declined.CancelHours,
		AskMinutes: p.InquiryMinutes, Cash: p.Cash,
	}
}

// planPayments begins the payments of a new order, and takes tenders that an edit added. What was captured while
// payments were handled elsewhere stays so.
func (c *change) planPayments() error {
	o := c.now
	if len(o.Tenders) == 0 || o.Payment == nil && c.before != nil || o.Payment != nil && o.Payment.Taken == len(o.Tenders) {
		return nil
	}
	p, name := c.tx.e.paymentPolicy(o)
	if p == nil {
		if o.Payment == nil {
			return nil
		}
		p = &policy.CompiledPayment{} // further tenders are paid elsewhere
	}
	events, err := o.PlanPayments(name, paymentRules(p), func(typ string) string { return p.Providers[typ] }, c.tx.Now)
	if err != nil {
		return err
	}
	return c.add(events...)
}

// pay adds what payments ask for; more: it may ask for more once flows have reacted.
func (c *change) pay() (more bool, err error) {
	if c.now.Payment == nil {
		return false, nil
	}
	events := c.now.PaymentsDue(c.tx.Now)
	return len(events) > 0, c.add(events...)
}

// OrderOfOperation returns the id of the order that asked for a payment operation; "": it is none.
func OrderOfOperation(id string) string {
	at := strings.LastIndex(id, "-p")
	if at <= 0 || at+2 == len(id) || strings.Trim(id[at+2:], "0123456789") != "" {
		return ""
	}
	return id[:at]
}

// PaymentResult brings what a provider said of an operation. The same once more changes nothing. The reply's value is the
// order. Errors: problem.Invalid, *order.Refusal, ErrNotFound, those of Submit.
func (e *Engine) PaymentResult(ctx context.Context, orderID string, out payment.Outcome, m Meta) (*Reply, error) {
	if err := order.CheckOutcome(&out); err != nil {
		return nil, err
	}
	return e.changeOrder(ctx, orderID, m, func(tx *Tx, o *order.Order) ([]order.Event, error) {
		return o.PaymentAnswer(&out, tx.Now)
	})
}

// AddPayment adds a payment to an order: a further tender to be authorized, or money that was taken elsewhere. The
// reply's value is the order.
func (e *Engine) AddPayment(ctx context.Context, id string, n *order.NewPayment, m Meta) (*Reply, error) {
	if err := n.Validate(); err != nil {
		return nil, err
	}
	return e.changeOrder(ctx, id, m, func(tx *Tx, o *order.Order) ([]order.Event, error) {
		provider := ""
		if p, _ := e.paymentPolicy(o); p != nil {
			provider = p.Providers[n.Type]
		}
		return o.AddPayment(*n, provider, m.who(), tx.Now)
	})
}

// RetryPayments asks anew for what was declined, and now what became of that which is unknown or was given up. The reply's value is the order.
func (e *Engine) RetryPayments(ctx context.Context, id string, m Meta) (*Reply, error) {
	return e.changeOrder(ctx, id, m, func(tx *Tx, o *order.Order) ([]order.Event, error) { return o.RetryPayments(tx.Now) })
}

// OrderRefund is a request to give money back.
type OrderRefund struct {
	order.NewRefund
	// Preview says to which tenders it would go, and changes nothing.
	Preview bool `json:"preview,omitempty"`
}

// RefundedOrder is an order after a refund was asked for, or as a preview says it would be.
type RefundedOrder struct {
	Order   *order.Order `json:"order"`
	Preview bool         `json:"preview,omitempty"`
	// Version is what it was made from: the If-Match of a submission after a preview.
	Version int64 `json:"version"`
	// Operations are the refunds that are asked for.
	Operations []payment.Operation `json:"operations"`
}

// mayRefund refuses what goes beyond the limit of adjustments, refunds included, when the caller may not approve.
func (e *Engine) mayRefund(o *order.Order, amount int64, mayApprove bool) error {
	if mayApprove {
		return nil
	}
	limit := e.adjustmentLimit(o)
	given := o.Adjusted()
	for i := range o.Payment.Refunds {
		given += o.Payment.Refunds[i].Amount
	}
	if limit < 0 || given+amount <= limit {
		return nil
	}
	return &order.Refusal{Code: CodeNotPermitted, Pointer: "amount", Message: fmt.Sprintf("the holds policy lets %d be given back without approval, and %d were; somebody with the right service:approve has to do it", limit, given)}
}

// Refund gives money back that was captured, or says to which tenders it would go. The reply's value is a *RefundedOrder.
func (e *Engine) Refund(ctx context.Context, id string, in *OrderRefund, mayApprove bool, m Meta) (*Reply, error) {
	if err := in.Validate(); err != nil {
		return nil, err
	}
	if in.Preview {
		m.Key, m.Manual = nil, nil
	}
	key := e.OrderKey(id)
	reply, err := e.Submit(ctx, &Command{Stream: key, Actor: m.Actor, Key: m.Key, Manual: m.Manual, Decide: func(tx *Tx) (*Reply, error) {
		o, err := tx.order(key, m)
		if err != nil {
			return nil, err
		}
		events, err := o.AskRefund(in.NewRefund, m.who(), tx.Now)
		if err != nil {
			return nil, err
		}
		if err := e.mayRefund(o, in.Amount, mayApprove); err != nil {
			return nil, err
		}
		refund := events[0].PaymentRefund.Key
		next, err := tx.saveOrder(o, events)
		if err != nil {
			return nil, err
		}
		out := &RefundedOrder{Order: next, Preview: in.Preview, Version: o.Version, Operations: []payment.Operation{}}
		for _, op := range next.Payment.Operations {
			if op.For == refund {
				out.Operations = append(out.Operations, op)
			}
		}
		if in.Preview {
			return nil, &previewed{out}
		}
		reply := tx.okReply(next)
		reply.Value = out
		reply.Body, err = json.Marshal(out)
		return reply, err
	}})
	return answerOf(reply, err)
}

// OrderPayments are an order's payments, for people and programs.
type OrderPayments struct {
	OrderID    string `json:"order_id"`
	ExternalID string `json:"external_id,omitempty"`
	Channel    string `json:"channel"`
	Currency   string `json:"currency"`
	// Standing says where they are, in a word; none: they are handled elsewhere.
	Standing string `json:"standing"`
	Policy   string `json:"policy,omitempty"`
	// Owed is what the customer pays in all, Unpaid what of it is neither captured nor being captured; minor units.
	Owed       int64               `json:"owed"`
	Unpaid     int64               `json:"unpaid"`
	Sums       payment.Sums        `json:"sums"`
	Tenders    []payment.Tender    `json:"tenders"`
	Operations []payment.Operation `json:"operations"`
	Refunds    []payment.Refund    `json:"refunds"` // that are asked for, those of returns included
}

// PaymentsOf shows an order's payments.
func PaymentsOf(o *order.Order) *OrderPayments {
	w := o.PaymentWant()
	out := &OrderPayments{
		OrderID: o.ID, ExternalID: o.ExternalID, Channel: o.Channel, Currency: o.Currency, Standing: o.PaymentStanding(), Owed: w.Owed, Unpaid: w.Owed,
		Tenders: []payment.Tender{}, Operations: []payment.Operation{}, Refunds: []payment.Refund{},
	}
	if s := o.Payment; s != nil {
		out.Policy, out.Unpaid, out.Sums = s.Policy, s.Unpaid(&w), s.Sums()
		out.Tenders = append(out.Tenders, s.Tenders...)
		out.Operations = append(out.Operations, s.Operations...)
		out.Refunds = append(append(out.Refunds, s.Refunds...), w.Refunds...)
	}
	return out
}

// Keep leaves only the operations of a state, kind and provider ("": any); false: there are none.
func (p *OrderPayments) Keep(state, kind, provider string) bool {
	if state+kind+provider == "" {
		return true
	}
	p.Operations = slices.DeleteFunc(p.Operations, func(op payment.Operation) bool {
		return state != "" && op.State != state || kind != "" && op.Kind != kind || provider != "" && op.Provider != provider
	})
	return len(p.Operations) > 0
}

// PaymentTerm is the search term of orders with payments, of all or of those that a provider acts for.
func PaymentTerm(provider string) string {
	if provider == "" {
		return "payment"
	}
	return "payment:" + provider
}

// paymentTerms are the search terms of tenders that an order did not have before.
func paymentTerms(before, now *order.Order) (terms []string) {
	had := 0
	if before != nil && before.Payment != nil {
		had = len(before.Payment.Tenders)
	}
	if had == 0 {
		terms = append(terms, PaymentTerm(""))
	}
	for _, t := range now.Payment.Tenders[had:] {
		if term := PaymentTerm(t.Provider); t.Provider != "" && !slices.Contains(terms, term) {
			terms = append(terms, term)
		}
	}
	return terms
}
