package order

import (
	"errors"
	"fmt"
	"time"

	"github.com/orderly-oms/orderly/internal/money"
	"github.com/orderly-oms/orderly/internal/payment"
)

// The events of payments. They are on the order's stream: package payment decides, the order says what it wants.
const (
	EventPaymentPlanned    = "payment.planned"
	EventPaymentRequested  = "payment.requested"
	EventPaymentRecorded   = "payment.recorded"
	EventPaymentInquiry    = "payment.inquiry_requested"
	EventPaymentUnanswered = "payment.unanswered"
	EventPaymentSucceeded  = "payment.succeeded"
	EventPaymentDeclined   = "payment.declined"
	EventPaymentUnknown    = "payment.unknown"
	EventPaymentExpiring   = "payment.expiring"
	EventPaymentExpired    = "payment.expired"
	EventPaymentRetried    = "payment.retried"
	EventPaymentAbandoned  = "payment.abandoned"
	EventPaymentRefund     = "payment.refund_requested"
	EventPaymentAsked      = "payment.asked"
)

// paymentsBy is who places and releases holds, and raises exceptions, about payments.
const paymentsBy = "payments"

// dataOperation is the fact of an exception that names a payment operation.
const dataOperation = "operation"

// applyPayment applies the events of payments; not known: it is another kind of event.
func (o *Order) applyPayment(e *Event, at time.Time) (known bool, err error) {
	if e.Type == EventPaymentPlanned {
		if e.PaymentPlan == nil {
			return true, fmt.Errorf("order: %s without its plan", e.Type)
		}
		o.Payment, err = o.Payment.Planned(e.PaymentPlan)
		return true, err
	}
	s, missing := o.Payment, false
	op := e.Payment
	switch e.Type {
	case EventPaymentRequested, EventPaymentRecorded, EventPaymentInquiry, EventPaymentUnanswered, EventPaymentExpiring, EventPaymentExpired, EventPaymentRetried:
		missing = op == nil
	case EventPaymentSucceeded, EventPaymentDeclined, EventPaymentUnknown:
		missing = e.Outcome == nil
	case EventPaymentRefund:
		missing = e.PaymentRefund == nil
	case EventPaymentAbandoned, EventPaymentAsked:
	default:
		return false, nil
	}
	if missing || s == nil {
		return true, fmt.Errorf("order: %s without what it is about, or of an order without payments", e.Type)
	}
	switch e.Type {
	case EventPaymentRequested, EventPaymentRecorded:
		err = s.Requested(op)
	case EventPaymentInquiry, EventPaymentUnanswered:
		err = s.Inquired(op)
	case EventPaymentExpiring:
		err = s.Expiring(op.ID)
	case EventPaymentExpired:
		err = s.Expired(op.ID)
	case EventPaymentRetried:
		err = s.Retried(op.Tender)
	case EventPaymentSucceeded, EventPaymentDeclined, EventPaymentUnknown:
		err = s.Outcome(e.Outcome, at)
	case EventPaymentRefund:
		s.Refunds = append(s.Refunds, *e.PaymentRefund)
	case EventPaymentAbandoned:
		s.CancelAt = time.Time{}
	case EventPaymentAsked:
		err = s.Ask(e.Name)
	}
	return true, err
}

// PaymentWant is what the order wants of its payments as it is now.
func (o *Order) PaymentWant() payment.Want {
	w := payment.Want{Order: o.ID, Currency: o.Currency, Owed: o.Owed()}
	if w.Owed > 0 {
		w.Left, w.Reached = o.paymentShares(w.Owed)
	}
	w.Released = o.paymentReleased()
	for i := range o.Returns {
		r := &o.Returns[i]
		for j := range r.Refunds {
			if f := &r.Refunds[j]; f.State == RefundRequested {
				w.Refunds = append(w.Refunds, payment.Refund{Key: f.Key, Amount: f.Payable(), At: f.At})
			}
		}
	}
	return w
}

// paymentReleased reports whether units are with locations, and no hold but that of payment stops them.
func (o *Order) paymentReleased() bool {
	for i := range o.Holds {
		if o.Holds[i].Type != HoldPayment {
			return false
		}
	}
	for i := range o.Lines {
		if l := &o.Lines[i]; l.Allocated+l.Fulfilled > 0 {
			return true
		}
	}
	return false
}

// paymentShares divides what is owed over the units that left, those that reached the customer, and the rest, in
// proportion to what the customer pays for them. Shares are rounded so that all shipments together cost just what is
// owed: what a shipment adds is its share of the sum, not a sum of rounded shares.
func (o *Order) paymentShares(owed int64) (left, reached int64) {
	net := o.netLines()
	var all, gone, there, units, unitsGone, unitsThere int64
	for i := range o.Lines {
		l := &o.Lines[i]
		part := Line{Total: max(net[i], 0), Quantity: l.Quantity}
		at := min(o.reached(l.ID), l.Fulfilled)
		units, unitsGone, unitsThere = units+l.Quantity-l.Cancelled, unitsGone+l.Fulfilled, unitsThere+at
		all += part.worthOf(l.Quantity - l.Cancelled)
		gone += part.worthOf(l.Fulfilled)
		there += part.worthOf(at)
	}
	if all == 0 { // the goods are free, what comes with them is not
		all, gone, there = units, unitsGone, unitsThere
	}
	share := func(part, partUnits int64) int64 {
		switch {
		case partUnits >= units:
			return owed
		case part <= 0:
			return 0
		}
		return money.Prorate(owed, []int64{part, max(all-part, 0)})[0]
	}
	return share(gone, unitsGone), share(there, unitsThere)
}

// reached is how many units of a line the customer has.
func (o *Order) reached(line string) (units int64) {
	for i := range o.Fulfillments {
		f := &o.Fulfillments[i]
		if !f.DeliveredAt.IsZero() || f.Method == Pickup && f.Via == "" {
			if l := f.line(line); l != nil {
				units += l.Shipped
			}
		}
	}
	return units
}

// PaymentStanding is where the order's payments are; see payment.Standings.
func (o *Order) PaymentStanding() string {
	if o.Payment == nil {
		return payment.StandNone
	}
	w := o.PaymentWant()
	return o.Payment.Standing(&w)
}

// PlanPayments gives the events that begin the order's payments, or add to them tenders that came since.
func (o *Order) PlanPayments(policy string, rules *payment.Rules, provider func(tenderType string) string, at time.Time) ([]Event, error) {
	var taken, have int
	if s := o.Payment; s != nil {
		taken, have, rules = s.Taken, len(s.Tenders), nil
	}
	p := &payment.Plan{Policy: policy, Rules: rules, Taken: len(o.Tenders)}
	for _, t := range o.Tenders[taken:] {
		have++
		p.Tenders = append(p.Tenders, payment.Tender{ID: number("t", have), Type: t.Type, Amount: t.Amount, Token: t.Reference, Provider: provider(t.Type)})
	}
	events := []Event{{Type: EventPaymentPlanned, PaymentPlan: p}}
	if rules == nil || !rules.HoldUntilPaid {
		return events, nil
	}
	w := o.PaymentWant()
	if planned, err := (*payment.State)(nil).Planned(p); err != nil || planned.Covered(&w) { // as when all is paid in cash
		return events, err
	}
	hold, err := o.Hold(NewHold{Type: HoldPayment, Reason: "waits until it is authorized"}, paymentsBy, at)
	return append(events, hold...), err
}

// PaymentsDue gives the events that payments ask for now; nil: none. They must be folded before it is asked again.
func (o *Order) PaymentsDue(now time.Time) []Event {
	if o.Payment == nil {
		return nil
	}
	w := o.PaymentWant()
	if events := o.paymentSteps(payment.Due(o.Payment, &w, now), now); len(events) > 0 {
		return events
	}
	return o.paymentRelief(&w)
}

// PaymentAnswer gives the events that a provider's outcome means; none: it says nothing new. Returns a *Refusal when
// the order asked no provider for the operation.
func (o *Order) PaymentAnswer(out *payment.Outcome, now time.Time) ([]Event, error) {
	if o.Payment == nil {
		return nil, refuse(CodeNoOperation, "operation", "no provider acts for the order")
	}
	w := o.PaymentWant()
	steps, known := payment.Answer(o.Payment, &w, out, now)
	if !known {
		return nil, refuse(CodeNoOperation, "operation", "the order asked no provider for operation %.60q", out.Operation)
	}
	return o.paymentSteps(steps, now), nil
}

// CodeNoOperation refuses what names a payment operation that a provider was not asked for.
const CodeNoOperation = "operation_not_found"

// stepEvents are the events that say what a step of package payment did.
var stepEvents = map[string]string{
	payment.StepRequest: EventPaymentRequested, payment.StepRecord: EventPaymentRecorded, payment.StepInquire: EventPaymentInquiry,
	payment.StepGiveUp: EventPaymentUnanswered, payment.StepExpiring: EventPaymentExpiring, payment.StepExpired: EventPaymentExpired,
	payment.StepRetry: EventPaymentRetried, payment.StepAbandon: EventPaymentAbandoned,
}

var outcomeEvents = map[string]string{
	payment.Succeeded: EventPaymentSucceeded, payment.Declined: EventPaymentDeclined, payment.Unknown: EventPaymentUnknown,
}

// paymentSteps are the events of steps, with what they mean for the order.
func (o *Order) paymentSteps(steps []payment.Step, now time.Time) (events []Event) {
	for i := range steps {
		st := &steps[i]
		switch st.Do {
		case payment.StepNotice:
			events = append(events, o.paymentNotice(st.Notice, raised(events), now)...)
		case payment.StepBook:
			events = append(events, Event{Type: outcomeEvents[st.Outcome.Status], Outcome: st.Outcome})
			events = append(events, o.declineHold(st.Outcome, now)...)
		case payment.StepAbandon:
			events = append(events, Event{Type: EventPaymentAbandoned})
			if w := o.PaymentWant(); o.Payment.Covered(&w) {
				continue
			}
			cancel, err := o.Cancel(Cancellation{Reason: "payment declined"})
			if no := (*Refusal)(nil); err == nil || errors.As(err, &no) { // refused: nothing is left to be cancelled
				events = append(events, cancel...)
			}
		default:
			op := st.Operation
			events = append(events, Event{Type: stepEvents[st.Do], Payment: &op})
		}
	}
	return events
}

func (o *Order) paymentNotice(n *payment.Notice, opened int, now time.Time) []Event {
	e := o.Raise(Exception{
		Type: n.Type, Message: n.Message, By: paymentsBy,
		Data: map[string]string{dataOperation: n.Operation, "tender": n.Tender, "amount": fmt.Sprint(n.Amount)},
	}, now)
	if e == nil {
		return nil
	}
	e.Exception.ID = number("e", o.ExceptionCount+1+opened)
	return []Event{*e}
}

// declineHold holds the order whose authorization was declined, when the rules say so and nothing of the kind does.
func (o *Order) declineHold(out *payment.Outcome, now time.Time) []Event {
	op, w := o.Payment.Operation(out.Operation), o.PaymentWant()
	if out.Status != payment.Declined || op.Kind != payment.KindAuthorize || !o.Payment.Rules.HoldDeclined || o.Holding(HoldPayment) || o.Payment.Covered(&w) {
		return nil
	}
	events, err := o.Hold(NewHold{Type: HoldPayment, Reason: "payment was declined"}, paymentsBy, now)
	if err != nil { // nothing is left to be held
		return nil
	}
	return events
}

// paymentRelief ends what is not needed any more: the hold of payments once all is authorized, and exceptions about
// what is known by now.
func (o *Order) paymentRelief(w *payment.Want) (events []Event) {
	for i := range o.Holds {
		if h := &o.Holds[i]; h.By == paymentsBy && h.Type == HoldPayment && o.Payment.Covered(w) {
			events, _ = o.ReleaseHold(h.ID, paymentsBy, "what is to be paid is authorized")
			break
		}
	}
	for i := range o.Exceptions {
		if x := &o.Exceptions[i]; x.By == paymentsBy && payment.Settled(o.Payment, w, x.Type) {
			events = append(events, Event{Type: EventExceptionClosed, ExceptionID: x.ID, By: paymentsBy, Reason: "it was settled"})
		}
	}
	return events
}
