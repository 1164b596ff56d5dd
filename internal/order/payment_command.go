package order

import (
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/payment"
	"github.com/orderly-oms/orderly/internal/problem"
)

// Codes of refusals about payments.
const (
	CodeNoPayments    = "no_payments"
	CodeUnknownTender = "unknown_tender"
	CodeCashDue       = "cash_due"
	CodeNoProvider    = "no_provider"
)

// NewRefund asks for money to be given back that was captured.
type NewRefund struct {
	Amount int64  `json:"amount"` // minor units
	Reason string `json:"reason"`
	// Tender is the only one that it is paid to, like t1; default: as the payment policy says.
	Tender string `json:"tender,omitempty"`
}

// Validate reports every field that is wrong in itself (problem.Invalid).
func (n *NewRefund) Validate() error {
	var bad problem.Invalid
	bad.Range("amount", n.Amount, 1, MaxAmount)
	if n.Reason == "" {
		bad.Add("reason", problem.Required, "say why")
	}
	paymentText(&bad, "reason", n.Reason)
	bad.Text("tender", n.Tender, 20)
	return bad.Err()
}

// paymentText checks a text about payments: no card number is taken in any of them.
func paymentText(bad *problem.Invalid, pointer, s string) {
	text(bad, pointer, s, MaxTextBytes)
	if looksLikeCardNumber(s) {
		bad.Add(pointer, "card_number", "looks like a card number; send the payment provider's token")
	}
}

// AskRefund gives the event that asks for a refund, or a *Refusal. It is paid by what payments ask for next.
func (o *Order) AskRefund(n NewRefund, by string, at time.Time) ([]Event, error) {
	s := o.Payment
	switch {
	case s == nil:
		return nil, refuse(CodeNoPayments, "", "no provider acts for the order; adjust it instead, and the channel pays it back")
	case len(s.Refunds) >= payment.MaxRefunds:
		return nil, refuse(CodeTooMany, "", "%d refunds were asked for already", len(s.Refunds))
	case n.Tender != "" && s.Tender(n.Tender) == nil:
		return nil, unknownTender(s, n.Tender)
	}
	w := o.PaymentWant()
	if most := s.MayRefund(&w, n.Tender); n.Amount > most {
		return nil, refuse(CodeMoreThanDue, "amount", "%d is more than the %d that were captured and not given back", n.Amount, most)
	}
	if most := o.Owed() - o.Refunds(); n.Amount > most {
		return nil, refuse(CodeMoreThanDue, "amount", "%d is more than the %d that the customer pays", n.Amount, most)
	}
	r := payment.Refund{Key: number("m", len(s.Refunds)+1), Amount: n.Amount, Reason: n.Reason, Tender: n.Tender, By: by, At: at}
	return []Event{{Type: EventPaymentRefund, PaymentRefund: &r, Reason: n.Reason}}, nil
}

// What is done about a payment that somebody adds.
const (
	PaymentAuthorize = "authorize" // the provider is asked
	PaymentRecord    = "record"    // it was paid elsewhere, as in cash
)

// NewPayment adds a payment to an order.
type NewPayment struct {
	// Action is authorize (default), or record: the money was taken elsewhere.
	Action string `json:"action,omitempty"`
	// Tender is the one of the order that was paid, like t2, of a record; default: a further one.
	Tender string `json:"tender,omitempty"`
	// Type of a further tender: card, gift_card, account, cash, other.
	Type string `json:"type,omitempty"`
	// Amount in minor units; default: all that no tender pays yet.
	Amount int64 `json:"amount,omitempty"`
	// Reference is the provider's token, or the receipt of what was paid elsewhere. Never a card number.
	Reference string `json:"reference,omitempty"`
}

// Validate reports every field that is wrong in itself (problem.Invalid), and fills in defaults.
func (n *NewPayment) Validate() error {
	var bad problem.Invalid
	if n.Action == "" {
		n.Action = PaymentAuthorize
	}
	problem.OneOf(&bad, "action", n.Action, PaymentAuthorize, PaymentRecord)
	bad.Range("amount", n.Amount, 0, MaxAmount)
	bad.Text("tender", n.Tender, 20)
	bad.Text("reference", n.Reference, 200)
	paymentText(&bad, "reference", n.Reference)
	switch {
	case n.Tender == "":
		problem.OneOf(&bad, "type", n.Type, payment.TenderTypes...)
	case n.Type != "":
		bad.Add("type", problem.Conflict, "the tender has its own type")
	case n.Action == PaymentAuthorize:
		bad.Add("tender", problem.Conflict, "tenders of the order are authorized by themselves; to try one again, retry payments")
	}
	if n.Action == PaymentAuthorize && n.Type == payment.Cash {
		bad.Add("type", problem.Conflict, "nobody authorizes cash; record it once it is paid")
	}
	return bad.Err()
}

// AddPayment gives the events of a further payment, or a *Refusal. provider is who acts for its type of tender now.
func (o *Order) AddPayment(n NewPayment, provider, by string, at time.Time) ([]Event, error) {
	s := o.Payment
	if s == nil {
		return nil, refuse(CodeNoPayments, "", "no provider acts for the order; its payments are handled elsewhere")
	}
	w := o.PaymentWant()
	open := s.Unpaid(&w)
	if n.Action == PaymentAuthorize {
		open = s.Uncovered(&w)
	}
	if n.Amount == 0 {
		n.Amount = open
	}
	switch {
	case open == 0:
		return nil, refuse(CodeNothingToDo, "", "nothing of the order is to be paid that is not")
	case n.Amount > open:
		return nil, refuse(CodeMoreThanDue, "amount", "%d is more than the %d that are to be paid", n.Amount, open)
	case n.Action == PaymentAuthorize && provider == "":
		return nil, refuse(CodeNoProvider, "type", "the payment policy names no provider for %s", n.Type)
	case n.Tender != "" && s.Tender(n.Tender) == nil:
		return nil, unknownTender(s, n.Tender)
	case n.Tender == "" && len(s.Tenders) >= 2*MaxTenders:
		return nil, refuse(CodeTooMany, "", "the order has %d tenders already", len(s.Tenders))
	}
	var events []Event
	if n.Tender == "" {
		n.Tender = number("t", len(s.Tenders)+1)
		t := payment.Tender{ID: n.Tender, Type: n.Type, Amount: n.Amount, Provider: provider}
		if n.Action == PaymentAuthorize {
			t.Token = n.Reference
		}
		events = append(events, Event{Type: EventPaymentPlanned, PaymentPlan: &payment.Plan{Tenders: []payment.Tender{t}}})
	}
	if n.Action == PaymentRecord {
		events = append(events, o.recorded(n.Tender, n.Amount, n.Reference, by, 0, at))
	}
	return events, nil
}

// recorded is the event of money that was taken elsewhere; before counts the operations that events before it add.
func (o *Order) recorded(tender string, amount int64, reference, by string, before int, at time.Time) Event {
	return Event{Type: EventPaymentRecorded, Payment: &payment.Operation{
		ID: payment.OperationID(o.ID, len(o.Payment.Operations)+1+before), Kind: payment.KindCapture, Tender: tender, Amount: amount, Currency: o.Currency,
		Reference: reference, State: payment.Succeeded, RequestedAt: at, DoneAt: at, By: by,
	}}
}

// CashAtHandover gives the events that a handover to the customer means for what is to be paid in cash, once the handover
// is part of the order. Returns a *Refusal when the payment must be written down first.
func (o *Order) CashAtHandover(by string, at time.Time) ([]Event, error) {
	s := o.Payment
	if s == nil {
		return nil, nil
	}
	w := o.PaymentWant()
	due := s.CashDue(&w)
	var sum int64
	var events []Event
	for i, amount := range due {
		if amount > 0 {
			events = append(events, o.recorded(s.Tenders[i].ID, amount, "", by, len(events), at))
			sum += amount
		}
	}
	if sum > 0 && s.Rules.Cash != payment.CashRecorded {
		return nil, refuse(CodeCashDue, "", "%d minor units are to be paid in cash; record the payment at /v1/orders/%s/payments, then hand it over", sum, o.ID)
	}
	return events, nil
}

// RetryPayments gives the events that have declined operations asked for anew, and ask now what became of those that
// are unknown or were given up. Returns a *Refusal when there are none.
func (o *Order) RetryPayments(now time.Time) ([]Event, error) {
	if o.Payment == nil {
		return nil, refuse(CodeNoPayments, "", "no provider acts for the order")
	}
	var events []Event
	for i := range o.Payment.Tenders {
		if t := &o.Payment.Tenders[i]; t.Stopped != "" {
			events = append(events, Event{Type: EventPaymentRetried, Payment: &payment.Operation{Tender: t.ID}})
		}
	}
	for _, op := range o.Payment.AskAgain(now) {
		events = append(events, Event{Type: EventPaymentInquiry, Payment: &op})
	}
	if len(events) == 0 {
		return nil, refuse(CodeNothingToDo, "", "no payment was declined, is unknown or was given up")
	}
	return events, nil
}

// AskPayments gives the event of a flow that asks for payments: payment.KindAuthorize or KindCapture. Returns a *Refusal
// when it was asked for already, or no provider acts.
func (o *Order) AskPayments(kind string) ([]Event, error) {
	s := o.Payment
	if s == nil || kind == payment.KindAuthorize && s.Asked.Authorize || kind == payment.KindCapture && s.Asked.Capture {
		return nil, refuse(CodeNothingToDo, "", "nothing is to be asked of a payment provider")
	}
	return []Event{{Type: EventPaymentAsked, Name: kind}}, nil
}

// CheckOutcome reports every field of a provider's outcome that is wrong in itself (problem.Invalid).
func CheckOutcome(out *payment.Outcome) error {
	var bad problem.Invalid
	problem.OneOf(&bad, "status", out.Status, payment.Statuses...)
	bad.Range("amount", out.Amount, 0, MaxAmount)
	for _, x := range []struct{ pointer, value string }{{"reference", out.Reference}, {"code", out.Code}, {"message", out.Message}} {
		paymentText(&bad, x.pointer, x.value)
	}
	if out.Amount != 0 && out.Status != payment.Succeeded {
		bad.Add("amount", problem.Conflict, "only what succeeded has an amount, it is %s", out.Status)
	}
	return bad.Err()
}

// unknownTender refuses a tender that the order does not have, and names those it has.
func unknownTender(s *payment.State, id string) error {
	names := make([]string, len(s.Tenders))
	for i := range s.Tenders {
		names[i] = s.Tenders[i].ID
	}
	return refuse(CodeUnknownTender, "tender", "the order has no tender %.60q; it has %s", id, strings.Join(names, ", "))
}
