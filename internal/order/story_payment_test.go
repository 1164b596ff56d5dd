package order_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/payment"
)

func payRules() *payment.Rules {
	return &payment.Rules{
		Authorize: payment.AuthorizeAtCapture, Capture: payment.CaptureAtShipment, CaptureOrder: []string{payment.GiftCard, payment.Card},
		RefundOrder: []string{payment.Card, payment.GiftCard}, LifetimeHours: 168, RenewHours: 24, HoldUntilPaid: true, HoldDeclined: true,
		RetryHours: 6, Declines: 3, CancelHours: 48, AskMinutes: []int64{1, 5}, Cash: payment.CashRequired,
	}
}

// psp acts for cards and gift cards.
func psp(typ string) string {
	if typ == payment.Cash || typ == order.TenderExchange {
		return ""
	}
	return "psp"
}

// at is then at a time.
func (s *story) at(at time.Time, events []order.Event, err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
	for _, e := range events {
		if _, told := s.events[e.Type]; !told {
			s.events[e.Type] = e
		}
	}
	if s.o, err = order.Fold(s.o, events, s.o.Version+1, at); err != nil {
		s.t.Fatal(err)
	}
}

// due folds what payments ask for until nothing more is due.
func (s *story) due(at time.Time) {
	s.t.Helper()
	for range 20 {
		events := s.o.PaymentsDue(at)
		if len(events) == 0 {
			return
		}
		s.at(at, events, nil)
	}
	s.t.Fatal("payments do not come to rest")
}

func (s *story) says(n int, status string, at time.Time) {
	s.t.Helper()
	out := &payment.Outcome{Operation: payment.OperationID(s.o.ID, n), Status: status, At: at}
	switch status {
	case payment.Succeeded:
		out.Reference = "psp-" + out.Operation
	case payment.Declined:
		out.Code, out.Message = "insufficient_funds", "The card has not enough"
	}
	events, err := s.o.PaymentAnswer(out, at)
	s.at(at, events, err)
	s.due(at)
}

// payments tells the events of payments: one order is paid, renewed and refunded, another is declined until it is cancelled.
func (s *story) payments() {
	n := newOrder(order.Ship, 2)
	n.Lines[0].UnitPrice = 1000
	n.Tenders = []order.Tender{{Type: "gift_card", Amount: 500, Reference: "gc_1"}, {Type: "card", Amount: 1000, Reference: "tok_1"}, {Type: "cash", Amount: 500}}
	s.o = capture(s.t, n)
	s.then(s.o.PlanPayments("pay@1", payRules(), psp, noon))
	s.o = place(s.t, s.o, at("dc", lq("1", 2)))
	s.due(noon)
	s.says(1, payment.Succeeded, noon)
	s.says(2, payment.Unknown, noon)
	s.due(noon.Add(time.Minute)) // it is asked for
	s.says(2, payment.Succeeded, noon.Add(time.Minute))
	s.due(noon.Add(144 * time.Hour))
	s.then(s.o.AskPayments(payment.KindCapture))
	golden(s.t, "order_authorized", s.o)
	s.then([]order.Event{s.t1paid()}, nil)
	s.o = step(s.t, step(s.t, step(s.t, step(s.t, s.o, "accept"), "pick", lq("1", 2)), "pack"), "ship", lq("1", 2))
	s.due(noon.Add(145 * time.Hour))
	for i := 0; i < len(s.o.Payment.Operations); i++ {
		if s.o.Payment.Operations[i].Provider != "" {
			s.says(i+1, payment.Succeeded, noon.Add(145*time.Hour))
		}
	}
	s.then(s.o.AskRefund(order.NewRefund{Amount: 700, Reason: "a scratch"}, "ada", noon.Add(146*time.Hour)))
	s.due(noon.Add(146 * time.Hour))
	golden(s.t, "order_captured", s.o)

	n.Tenders = []order.Tender{{Type: "card", Amount: 2000, Reference: "tok_2"}}
	s.o = place(s.t, capture(s.t, n), at("dc", lq("1", 2)))
	s.then(s.o.PlanPayments("pay@1", payRules(), psp, noon))
	s.due(noon)
	s.says(1, payment.Declined, noon)
	s.due(noon.Add(6 * time.Hour))
	for _, later := range []time.Duration{7 * time.Hour, 8 * time.Hour, 9 * time.Hour} { // nobody answers
		s.due(noon.Add(later))
	}
	s.due(noon.Add(48 * time.Hour))
	if s.o.Status != order.StatusCancelled {
		s.t.Errorf("an order that nobody pays is %s", s.o.Status)
	}
	golden(s.t, "order_declined", s.o)

	s.o = place(s.t, capture(s.t, n), at("dc", lq("1", 2)))
	s.then(s.o.PlanPayments("pay@1", payRules(), psp, noon))
	s.due(noon)
	s.says(1, payment.Succeeded, noon)
	s.due(noon.Add(168 * time.Hour))
}

// t1paid is money for the cash tender.
func (s *story) t1paid() order.Event {
	events, err := s.o.AddPayment(order.NewPayment{Action: order.PaymentRecord, Tender: "t3", Amount: 500, Reference: "till 7"}, "", "store-1", noon)
	if err != nil || len(events) != 1 {
		s.t.Fatalf("%+v, %v", events, err)
	}
	return events[0]
}

// TestSharesOfShipments ships an order in any parts: what is captured is exact to the minor unit, never falls, and comes to
// what is owed with the last unit, whatever was discounted, adjusted or cancelled on the way.
func TestSharesOfShipments(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := newOrder(order.Ship, rapid.SliceOfN(rapid.Int64Range(1, 7), 1, 5).Draw(t, "quantities")...)
		for i := range n.Lines {
			l := &n.Lines[i]
			l.UnitPrice = rapid.Int64Range(0, 999).Draw(t, "price")
			l.Tax = rapid.Int64Range(0, 50).Draw(t, "tax")
			l.Discount = rapid.Int64Range(0, l.UnitPrice*l.Quantity).Draw(t, "discount")
		}
		n.Shipping, n.ShippingTax = rapid.Int64Range(0, 700).Draw(t, "shipping"), rapid.Int64Range(0, 70).Draw(t, "shipping tax")
		n.TaxIncluded = rapid.Bool().Draw(t, "tax included")
		n.Total = nil
		if err := n.Validate(); err != nil {
			t.Fatal(err)
		}
		o := capture(t, n)
		var was int64
		for range 200 {
			var left []int
			for i := range o.Lines {
				if o.Lines[i].Open() > 0 {
					left = append(left, i)
				}
			}
			if len(left) == 0 {
				break
			}
			l := &o.Lines[rapid.SampledFrom(left).Draw(t, "line")]
			q := lq(l.ID, rapid.Int64Range(1, l.Open()).Draw(t, "units"))
			if rapid.IntRange(0, 4).Draw(t, "cancel") == 0 {
				events, err := o.Cancel(order.Cancellation{Lines: []order.LineQuantity{q}})
				if err != nil {
					t.Fatal(err)
				}
				o = fold(t, o, events...)
			} else {
				o = place(t, o, at("dc", q))
				id := o.Fulfillments[len(o.Fulfillments)-1].ID
				for _, command := range []string{"accept", "pick", "pack", "ship"} {
					events, err := o.Decide(id, order.Step{Command: command})
					if err != nil {
						t.Fatal(err)
					}
					o = fold(t, o, events...)
				}
			}
			w := o.PaymentWant()
			if w.Left < 0 || w.Left > w.Owed || w.Reached > w.Left {
				t.Fatalf("of %d owed, %d are for what left and %d for what arrived", w.Owed, w.Left, w.Reached)
			}
			if w.Left < was-int64(len(o.Lines)) {
				t.Fatalf("what left was worth %d and is worth %d", was, w.Left)
			}
			was = w.Left
		}
		if w := o.PaymentWant(); w.Left != w.Owed {
			t.Fatalf("all left, and %d of %d are captured", w.Left, w.Owed)
		}
	})
}
