package pay_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/partner/pay"
	"github.com/orderly-oms/orderly/internal/payment"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/store"
)

func authorized(o *order.Order) bool { return o.PaymentStanding() == "authorized" }

func settled(want string) func(o *order.Order) bool {
	return func(o *order.Order) bool { return sums(o) == want && o.Payment.Sums().Pending == 0 }
}

// An order is paid by two tenders, shipped in two parts, and what is cancelled is not taken.
func TestPaidByTwoTenders(t *testing.T) {
	stores(t, func(t *testing.T, open func(t *testing.T) store.Store) {
		s := newShop(t, open(t))
		o := s.order("card")
		s.until(o.ID, "authorized", settled("authorized 3000 captured 0 voided 0 refunded 0"))
		if _, err := s.Cancel(t.Context(), o.ID, order.Cancellation{Lines: []order.LineQuantity{{Line: "1", Quantity: 1}}, Reason: "changed my mind"}, meta); err != nil {
			t.Fatal(err)
		}
		s.until(o.ID, "voided in part", settled("authorized 2000 captured 0 voided 1000 refunded 0"))
		s.step(o, "pick", 1)
		s.step(o, "ship", 1)
		s.until(o.ID, "captured in part", settled("authorized 1000 captured 1000 voided 1000 refunded 0"))
		s.step(o, "ship", 0)
		s.until(o.ID, "captured", settled("authorized 0 captured 2000 voided 1000 refunded 0"))
		for id, n := range s.psp.calls {
			if n != 1 {
				t.Errorf("%s was asked for %d times", id, n)
			}
		}
	})
}

// Whatever becomes of an answer, the provider does each thing once, and the order gets to know.
func TestAnswersThatAreNotClear(t *testing.T) {
	stores(t, func(t *testing.T, open func(t *testing.T) store.Store) {
		s := newShop(t, open(t))
		for name, answer := range map[string]func(*pay.Request, int) (int, string, bool){
			"lost after the effect": func(_ *pay.Request, call int) (int, string, bool) { return 0, "", false },
			"500 after the effect":  func(_ *pay.Request, call int) (int, string, bool) { return 500, "oops", false },
			"lost before it": func(_ *pay.Request, call int) (int, string, bool) {
				if call == 1 {
					return 0, "", true
				}
				return 200, "", false
			},
			"rubbish":      func(*pay.Request, int) (int, string, bool) { return 201, "<html>", false },
			"still at it":  func(*pay.Request, int) (int, string, bool) { return 202, `{"status":"pending"}`, false },
			"wrong secret": func(_ *pay.Request, call int) (int, string, bool) { return 403, `{"status":"declined"}`, false },
		} {
			s.psp.mu.Lock()
			s.psp.answer = answer
			s.psp.mu.Unlock()
			o := s.order("card")
			s.until(o.ID, "heard of: "+name, func(o *order.Order) bool {
				return o.Payment != nil && len(o.Payment.Operations) == 2 && !slices.ContainsFunc(o.Payment.Operations, func(x payment.Operation) bool { return x.State == payment.Pending })
			})
			if o := s.read(o.ID); o.PaymentStanding() == "authorized" {
				t.Errorf("%s: taken for an answer", name)
			}
			s.pass(90 * time.Second)
			s.until(o.ID, "authorized: "+name, authorized)
			for _, op := range s.read(o.ID).Payment.Operations {
				if n := s.psp.calls[op.ID]; n > 2 || n == 2 && name != "lost before it" {
					t.Errorf("%s: asked for %d times", name, n)
				}
			}
		}
	})
}

// A node that dies between request and answer leaves nothing behind: the next sends again what is open, under the same id.
func TestAnotherWorkerGoesOn(t *testing.T) {
	stores(t, func(t *testing.T, open func(t *testing.T) store.Store) {
		s := newShop(t, open(t))
		first := s.order("card")
		s.until(first.ID, "authorized", authorized)
		s.worker.Stop()
		second := s.order("card")
		if o := s.read(second.ID); o.PaymentStanding() != "pending" {
			t.Fatalf("without a worker: %s", o.PaymentStanding())
		}
		s.Store().SaveCursor(t.Context(), "payments", make([]int64, s.Store().Buckets())) // as if nothing had been read
		s.work()
		s.until(second.ID, "authorized", authorized)
		for id, n := range s.psp.calls {
			if n != 1 {
				t.Errorf("%s was asked for %d times", id, n)
			}
		}
	})
}

func TestDeclinedAndUnknownProviders(t *testing.T) {
	stores(t, func(t *testing.T, open func(t *testing.T) store.Store) {
		s := newShop(t, open(t))
		o := s.order("bad card")
		o = s.until(o.ID, "declined", func(o *order.Order) bool { return o.PaymentStanding() == "declined" })
		if !slices.ContainsFunc(o.Exceptions, func(x order.Exception) bool {
			return x.Type == payment.NoticeDeclined && strings.Contains(x.Message, "no_funds")
		}) {
			t.Errorf("nobody is told: %+v", o.Exceptions)
		}
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		_, err := s.SavePolicy(t.Context(), "payment", "main", strings.Replace(rules, "card: psp, gift_card: psp", "card: elsewhere, gift_card: psp", 1), "", meta)
		must(err)
		_, err = s.PublishPolicy(t.Context(), "payment", "main", publishNow, meta)
		must(err)
		for s.Policies().InForce(policy.KindPayment, s.now())[0].Version != 2 { // on this node
			<-s.Changed()
		}
		o = s.order("card")
		s.until(o.ID, "known as unknown", func(o *order.Order) bool {
			return o.Payment != nil && slices.ContainsFunc(o.Payment.Operations, func(x payment.Operation) bool {
				return x.Provider == "elsewhere" && x.State == payment.Unknown && strings.Contains(x.Message, "/v1/payment-providers/elsewhere")
			})
		})
	})
}
