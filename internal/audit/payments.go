package audit

import (
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/payment"
)

// checkPayments checks what must hold of an order's payments after every command.
func (f *orderFolder) checkPayments(o *order.Order) {
	s := o.Payment
	if s == nil {
		return
	}
	for i := range s.Operations {
		op := &s.Operations[i]
		if op.ID != payment.OperationID(o.ID, i+1) || s.Operation(op.ID) != op || op.Amount < 0 || op.Amount > order.MaxAmount || op.Currency != o.Currency {
			f.onceOnly.add("order %s, version %d: operation %d is %s over %d %s", o.ID, o.Version, i+1, op.ID, op.Amount, op.Currency)
		}
		f.onceOnly.LookedAt++
		switch op.Kind {
		case payment.KindAuthorize:
			f.authorized.LookedAt++
			if open := s.Open(op); open < 0 && !told(o, payment.NoticeMismatch) {
				f.authorized.add("order %s, version %d: authorization %s of %d has %d more captured and voided", o.ID, o.Version, op.ID, op.Amount, -open)
			}
		case payment.KindCapture:
			f.refunds.LookedAt++
			if parent := s.Operation(op.Parent); op.Provider != "" && (parent == nil || parent.Kind != payment.KindAuthorize) {
				f.authorized.add("order %s: capture %s is of no authorization", o.ID, op.ID)
			}
		}
		if open := op.State == payment.Pending || op.State == payment.Unknown; open {
			f.unknowns.LookedAt++
			if op.AskAt.IsZero() && op.Attempts == 0 {
				f.unknowns.add("order %s, version %d: operation %s is %s and nobody asks what became of it", o.ID, o.Version, op.ID, op.State)
			}
		}
	}
	f.checkRefunds(o)
}

// told reports whether a person was, or is, told of something of the type: what was closed is counted as told.
func told(o *order.Order, typ string) bool {
	for i := range o.Exceptions {
		if o.Exceptions[i].Type == typ {
			return true
		}
	}
	return len(o.Exceptions) < o.ExceptionCount
}

// checkRefunds checks that no capture is given back beyond what it took, and no refund is paid twice.
func (f *orderFolder) checkRefunds(o *order.Order) {
	s := o.Payment
	back := map[string]int64{}
	for i := range s.Operations {
		if op := &s.Operations[i]; op.Kind == payment.KindRefund && op.State != payment.Declined {
			back[op.Parent] += op.Amount
		}
	}
	for i := range s.Operations {
		if op := &s.Operations[i]; op.Kind == payment.KindCapture && back[op.ID] > op.Amount && !told(o, payment.NoticeMismatch) {
			f.refunds.add("order %s, version %d: %d of capture %s of %d are given back", o.ID, o.Version, back[op.ID], op.ID, op.Amount)
		}
	}
	w := o.PaymentWant()
	for _, list := range [][]payment.Refund{s.Refunds, w.Refunds} {
		for i := range list {
			if r := &list[i]; s.Paid(r.Key) > r.Amount && !told(o, payment.NoticeMismatch) {
				f.refunds.add("order %s, version %d: refund %s of %d is paid with %d", o.ID, o.Version, r.Key, r.Amount, s.Paid(r.Key))
			}
		}
	}
}

// checkPaid checks the payments of an order as it is by now: all that is due was asked for, what was delivered is
// captured, and nothing stays authorized that nobody will capture.
func (f *orderFolder) checkPaid(o *order.Order) {
	s := o.Payment
	if s == nil {
		return
	}
	f.settled.LookedAt++
	for _, e := range o.PaymentsDue(o.UpdatedAt) {
		if e.Payment != nil {
			f.settled.add("order %s: %s of %d is due and was not asked for", o.ID, e.Payment.Kind, e.Payment.Amount)
		}
	}
	w := o.PaymentWant()
	sums := s.Sums()
	if !o.Status.Final() || sums.Pending > 0 || o.PaymentStanding() == payment.StandDeclined {
		return
	}
	var cash int64
	for _, n := range s.CashDue(&w) {
		cash += n
	}
	unpaid := s.Unpaid(&w)
	switch {
	case unpaid > cash+s.Uncovered(&w) && s.Rules.Capture != payment.CaptureByFlow:
		f.settled.add("order %s is %s, and %d of the %d that are owed are not captured", o.ID, o.Status, unpaid, w.Owed)
	case unpaid == 0:
		f.hanging.LookedAt++
		if sums.Authorized > 0 {
			f.hanging.add("order %s is %s and paid, and %d stay authorized", o.ID, o.Status, sums.Authorized)
		}
	}
}
