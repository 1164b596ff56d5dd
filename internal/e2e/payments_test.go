package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/partner/pay"
	"github.com/orderly-oms/orderly/internal/partner/sandbox"
	"github.com/orderly-oms/orderly/internal/payment"
)

const paymentPolicy = `kind: payment
name: main
payment:
  providers: {card: bank, gift_card: bank}
  authorize: capture
  capture: shipment
  capture_order: [gift_card, card]
  refund_order: [card, gift_card]
`

// paymentLimit is how long a payment may take: another node takes over from one that died after 15 seconds.
const paymentLimit = 75 * time.Second

// paymentsDocument is an order's payments as these tests look at them.
type paymentsDocument struct {
	Standing   string
	Sums       payment.Sums
	Operations []payment.Operation
}

func (d *paymentsDocument) String() string {
	s := d.Sums
	return fmt.Sprintf("%s: authorized %d captured %d voided %d refunded %d", d.Standing, s.Authorized, s.Captured, s.Voided, s.Refunded)
}

// till is a retailer whose payments go to a bank.
type till struct {
	*client
	t      *testing.T // of the whole test, which outlives its parts
	bank   *bank
	node   *node
	where  place
	orders []string
}

// TestPayments takes orders through what happens to their money, with a provider that keeps a ledger of its own; in
// the end both agree to the cent.
func TestPayments(t *testing.T) {
	onBothStores(t, func(t *testing.T, where place) {
		x := &till{t: t, bank: newBank(t), node: startNode(t, where), where: where}
		x.client = &client{url: x.node.url}
		x.seed(t, []string{"dc1", "dc2"}, []string{"shirt"}, 100)
		x.takesReturns(t, "dc1", "dc2")
		x.do(t.Context(), "PUT", "/v1/payment-providers/bank", document{"url": x.bank.url, "secret": bankSecret}).into(t, 201, nil)
		x.policy(t, "payment", paymentPolicy)
		t.Run("two tenders", x.twoTenders)
		t.Run("declined", x.declined)
		t.Run("lost answer", x.lostAnswer)
		t.Run("crash", x.crash)
		x.agree(t)
		t.Run("reconciliation", x.reconciled)
		verified(t, x.node, where)
	})
}

// buys captures an order of three shirts at 10.00, and 1.00 for shipping, of which a gift card pays 5.00.
func (x *till) buys(t *testing.T, token string) *orderDocument {
	t.Helper()
	var o orderDocument
	x.do(t.Context(), "POST", "/v1/orders", document{
		"channel": "web", "lines": []document{{"sku": "shirt", "quantity": 3, "unit_price": 1000}}, "shipping": 100,
		"ship_to": document{"country": "DE"},
		"tenders": []document{{"type": "gift_card", "amount": 500, "reference": "gift"}, {"type": "card", "amount": 2600, "reference": token}},
	}).into(t, 201, &o)
	x.orders = append(x.orders, o.ID)
	return &o
}

func (x *till) payments(t *testing.T, id string) *paymentsDocument {
	t.Helper()
	d := new(paymentsDocument)
	x.do(t.Context(), "GET", "/v1/orders/"+id+"/payments", nil).into(t, 200, d)
	return d
}

// comes waits until an order's payments are as wanted.
func (x *till) comes(t *testing.T, id, want string) (d *paymentsDocument) {
	t.Helper()
	eventually(t, paymentLimit, func() string {
		if d = x.payments(t, id); d.String() == want {
			return ""
		}
		return fmt.Sprintf("%s, want %s; %+v", d, want, d.Operations)
	})
	return d
}

func (x *till) post(t *testing.T, path string, body document) {
	t.Helper()
	if a := x.do(t.Context(), "POST", path, body); a.err != nil || a.status >= 300 {
		t.Fatalf("%s: %s", path, a)
	}
}

// ship sends a fulfillment, of which all but so many units are not to be found; 0: all of it.
func (x *till) ship(t *testing.T, fulfillment string, short int) {
	t.Helper()
	at := "/v1/fulfillments/" + fulfillment
	if short > 0 {
		x.post(t, at+"/accept", document{})
		x.post(t, at+"/pick", document{"lines": []document{{"line": "1", "quantity": 3 - short, "short": short}}})
	}
	x.post(t, at+"/ship", document{})
}

func (x *till) twoTenders(t *testing.T) {
	o := x.buys(t, "tok_1")
	x.comes(t, o.ID, "authorized: authorized 3100 captured 0 voided 0 refunded 0")
	x.ship(t, o.ID+"-1", 2)                                                                     // the other location takes over the rest
	d := x.comes(t, o.ID, "partly_captured: authorized 2067 captured 1033 voided 0 refunded 0") // a third of 31.00
	if gift, card := paid(d, payment.KindCapture, "t1"), paid(d, payment.KindCapture, "t2"); gift != 500 || card != 533 {
		t.Errorf("captured %d of the gift card and %d of the card", gift, card)
	}
	x.post(t, "/v1/orders/"+o.ID+"/cancel", document{"reason": "two are enough", "lines": []document{{"line": "1", "quantity": 1}}})
	x.comes(t, o.ID, "partly_captured: authorized 1050 captured 1050 voided 1000 refunded 0") // half of 21.00
	x.ship(t, o.ID+"-2", 0)
	x.comes(t, o.ID, "captured: authorized 0 captured 2100 voided 1000 refunded 0")
	back := document{"order_id": o.ID, "location": "dc1", "lines": []document{{"line": "1", "quantity": 1}}}
	x.post(t, "/v1/returns", back)
	x.comes(t, o.ID, "partly_refunded: authorized 0 captured 2100 voided 1000 refunded 1000")
	x.post(t, "/v1/returns", back)
	d = x.comes(t, o.ID, "partly_refunded: authorized 0 captured 2100 voided 1000 refunded 2000")
	if card, gift := paid(d, payment.KindRefund, "t2"), paid(d, payment.KindRefund, "t1"); card != 1600 || gift != 400 {
		t.Errorf("refunded %d to the card, which paid 1600, and %d to the gift card", card, gift)
	}
}

// paid is what operations of a kind did for a tender.
func paid(d *paymentsDocument, kind, tender string) (sum int64) {
	for i := range d.Operations {
		if op := &d.Operations[i]; op.Kind == kind && op.Tender == tender && op.State == payment.Succeeded {
			sum += op.Amount
		}
	}
	return sum
}

func (x *till) declined(t *testing.T) {
	o := x.buys(t, sandbox.DeclineAlways+"1")
	x.comes(t, o.ID, "declined: authorized 500 captured 0 voided 0 refunded 0")
	var now orderDocument
	x.do(t.Context(), "GET", "/v1/orders/"+o.ID, nil).into(t, 200, &now)
	if now.Fulfillments[0].Status != "held" {
		t.Errorf("a declined order is %s", now.Fulfillments[0].Status)
	}
	if page := x.exceptions(t, "order="+o.ID); len(page.Items) != 1 || page.Items[0].Type != payment.NoticeDeclined {
		t.Errorf("exceptions: %+v", page.Items)
	}
	x.post(t, "/v1/orders/"+o.ID+"/payments", document{"type": "card", "reference": "tok_other"})
	x.comes(t, o.ID, "authorized: authorized 3100 captured 0 voided 0 refunded 0")
	x.do(t.Context(), "GET", "/v1/orders/"+o.ID, nil).into(t, 200, &now)
	if now.Fulfillments[0].Status != "open" {
		t.Errorf("paid by another card, the order is %s", now.Fulfillments[0].Status)
	}
	eventually(t, paymentLimit, func() string {
		if page := x.exceptions(t, "order="+o.ID); len(page.Items) > 0 {
			return fmt.Sprintf("still open: %+v", page.Items)
		}
		return ""
	})
	x.ship(t, o.ID+"-1", 0)
	d := x.comes(t, o.ID, "captured: authorized 0 captured 3100 voided 0 refunded 0")
	if other := paid(d, payment.KindCapture, "t3"); other != 2600 {
		t.Errorf("captured %d of the other card", other)
	}
}

// lostAnswer loses the answer to an authorization: it is unknown, asked about under its id, and not sent again.
func (x *till) lostAnswer(t *testing.T) {
	o := x.buys(t, "tok_2")
	x.comes(t, o.ID, "authorized: authorized 3100 captured 0 voided 0 refunded 0")
	x.bank.fail("", payment.KindCapture)
	x.ship(t, o.ID+"-1", 0)
	var lost payment.Operation
	eventually(t, paymentLimit, func() string {
		for _, op := range x.payments(t, o.ID).Operations {
			if op.State == payment.Unknown {
				lost = op
				return ""
			}
		}
		return "no outcome is unknown"
	})
	x.post(t, "/v1/orders/"+o.ID+"/payments/retry", document{})
	x.comes(t, o.ID, "captured: authorized 0 captured 3100 voided 0 refunded 0")
	if sent, asked := x.bank.calls(lost.ID); sent != 1 || asked != 1 {
		t.Errorf("%s %s was sent %d times and asked about %d times", lost.Kind, lost.ID, sent, asked)
	}
}

// crash kills the node while a capture is done and not answered. The next finds out under the same id.
func (x *till) crash(t *testing.T) {
	o := x.buys(t, "tok_3")
	x.comes(t, o.ID, "authorized: authorized 3100 captured 0 voided 0 refunded 0")
	x.bank.fail(payment.KindCapture, "")
	x.ship(t, o.ID+"-1", 0)
	id := <-x.bank.reached
	x.node.kill()
	x.node = startNode(x.t, x.where)
	x.client.url = x.node.url
	x.comes(t, o.ID, "captured: authorized 0 captured 3100 voided 0 refunded 0")
	sent, asked := x.bank.calls(id)
	if !strings.HasPrefix(id, o.ID) || sent+asked < 2 {
		t.Errorf("%s was sent %d times and asked about %d times", id, sent, asked)
	}
	if op, ok := x.bank.Find(id); !ok || op.Status != payment.Succeeded {
		t.Errorf("the bank knows %+v", op)
	}
}

// agree compares every order with the ledger of the bank.
func (x *till) agree(t *testing.T) {
	t.Helper()
	for _, wrong := range x.bank.Check() {
		t.Errorf("the bank: %s", wrong)
	}
	for _, id := range x.orders {
		d := x.payments(t, id)
		of := x.bank.Sums(func(op *sandbox.Operation) bool { return strings.HasPrefix(op.ID, id+"-p") })
		if s := d.Sums; s.Authorized != of.Open() || s.Captured != of.Captured || s.Voided != of.Voided || s.Refunded != of.Refunded || int(of.Operations) != len(d.Operations) {
			t.Errorf("%s: the order knows %s, the bank %+v", id, d, of)
		}
	}
}

// reconciled compares the books of the day, with one entry that no order knows.
func (x *till) reconciled(t *testing.T) {
	at := "/v1/payment-providers/bank/reconciliations"
	compare := func(count int64) *pay.Reconciliation {
		t.Helper()
		r := new(pay.Reconciliation)
		x.do(t.Context(), "POST", at, document{"day": x.bank.day}).into(t, 200, r)
		if r.Count != count || r.Matched+count != r.Entries || r.Booked != 0 || r.Entries != int64(len(x.bank.Entries())) {
			t.Fatalf("%d entries, %d agree, %d were news, %+v differ", r.Entries, r.Matched, r.Booked, r.Differences)
		}
		return r
	}
	compare(0)
	if _, errors, code := command(t, "reconcile", "--target", x.url, "--provider", "bank", "--day", x.bank.day); code != 0 {
		t.Errorf("books that agree: %d, %s", code, errors)
	}
	noon, err := time.Parse(time.DateOnly, x.bank.day)
	if err != nil {
		t.Fatal(err)
	}
	x.bank.Restore(pay.Request{ID: "stranger", Kind: payment.KindAuthorize, Amount: 777, Currency: "EUR", Token: "tok_9"},
		pay.Answer{Status: payment.Succeeded, Amount: 777, Reference: "aut_999999", At: noon.Add(12 * time.Hour)})
	if d := compare(1).Differences[0]; d.What != pay.DiffUnknownHere || d.Operation != "stranger" {
		t.Errorf("found %+v", d)
	}
	compare(1)
	out, _, code := command(t, "reconcile", "--target", x.url, "--provider", "bank", "--day", x.bank.day)
	if code != 1 || !strings.Contains(out, "stranger") {
		t.Errorf("books that differ: %d, %s", code, out)
	}
	if page := x.exceptions(t, "type=reconciliation_difference"); len(page.Items) != 1 || page.Items[0].Money != 777 {
		t.Errorf("exceptions: %+v", page.Items)
	}
	var kept pay.Reconciliation
	x.do(t.Context(), "GET", at+"/"+x.bank.day, nil).into(t, 200, &kept)
	if kept.Count != 1 {
		t.Errorf("kept %+v", kept)
	}
}
