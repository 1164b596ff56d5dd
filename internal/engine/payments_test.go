package engine_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/exception"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/payment"
	"github.com/orderly-oms/orderly/internal/policy"
)

const payPolicy = `
kind: payment
name: shop
payment:
  providers: {card: psp, gift_card: psp}
  capture_order: [gift_card, card]
  refund_order: [card, gift_card]
  hold_until_authorized: true
  declined: {retry_hours: 6, attempts: 2, cancel_hours: 48}
  inquiry_minutes: [1, 5]
`

// psp is a provider with a ledger of its own. It reads requests from the log, as a worker does, and does what its script says.
type psp struct {
	n      *node
	cursor engine.Cursor
	ledger map[string]payment.Operation // what it did, by id
	// fate says what becomes of a request: "" is done and answered; lost, done and not answered; declined; unheard, it never arrives.
	fate func(op payment.Operation) string
}

func newPSP(n *node) *psp {
	return &psp{n: n, cursor: make(engine.Cursor, n.store.Buckets()), ledger: map[string]payment.Operation{}}
}

// work deals with all that the log asks for.
func (p *psp) work() {
	p.n.tb.Helper()
	for {
		events, next, err := p.n.Events(background, p.cursor, 200, func(typ string) bool { return typ == order.EventPaymentRequested || typ == order.EventPaymentInquiry })
		if err != nil {
			p.n.tb.Fatal(err)
		}
		p.cursor = next
		if len(events) == 0 {
			return
		}
		for _, e := range events {
			var data order.Event
			if err := json.Unmarshal(e.Data, &data); err != nil {
				p.n.tb.Fatal(err)
			}
			p.deal(e.Type, *data.Payment)
		}
	}
}

func (p *psp) deal(typ string, op payment.Operation) {
	fate := ""
	if p.fate != nil {
		fate = p.fate(op)
	}
	if typ == order.EventPaymentInquiry {
		switch _, done := p.ledger[op.ID]; {
		case fate == "lost":
		case done:
			p.say(op, payment.Succeeded)
		default:
			p.say(op, payment.NotFound)
		}
		return
	}
	if fate == "unheard" {
		return
	}
	if fate == "declined" {
		p.say(op, payment.Declined)
		return
	}
	if was, done := p.ledger[op.ID]; done && (was.Amount != op.Amount || was.Kind != op.Kind) {
		p.n.tb.Fatalf("operation %s came again as another one", op.ID)
	}
	p.ledger[op.ID] = op
	if fate != "lost" {
		p.say(op, payment.Succeeded)
	}
}

func (p *psp) say(op payment.Operation, status string) *order.Order {
	p.n.tb.Helper()
	out := payment.Outcome{Operation: op.ID, Status: status}
	if status == payment.Succeeded {
		out.Reference = "ref-" + op.ID
	}
	r, err := p.n.PaymentResult(background, engine.OrderOfOperation(op.ID), out, engine.Meta{Actor: "psp"})
	if err != nil {
		p.n.tb.Fatal(err)
	}
	return r.Value.(*order.Order)
}

// sums adds up what the provider did, by kind.
func (p *psp) sums() (authorized, captured, voided, refunded int64) {
	for _, op := range p.ledger { // sums, so the sequence does not matter
		switch op.Kind {
		case payment.KindAuthorize:
			authorized += op.Amount
		case payment.KindCapture:
			captured += op.Amount
		case payment.KindVoid:
			voided += op.Amount
		case payment.KindRefund:
			refunded += op.Amount
		}
	}
	return
}

func (p *psp) want(authorized, captured, voided, refunded int64) {
	p.n.tb.Helper()
	if a, c, v, r := p.sums(); a != authorized || c != captured || v != voided || r != refunded {
		p.n.tb.Errorf("the provider authorized %d, captured %d, voided %d and refunded %d; want %d, %d, %d, %d", a, c, v, r, authorized, captured, voided, refunded)
	}
}

// paidBasket is a basket of lines that cost 2379 each, paid with a gift card of 1000 and a card.
func paidBasket(external string, skus ...string) *order.New {
	n := basket(external, skus...)
	n.Tenders = []order.Tender{{Type: "gift_card", Amount: 1000, Reference: "gc_1"}, {Type: "card", Amount: int64(len(skus))*2379 - 1000, Reference: "tok_1"}}
	return n
}

func (n *node) ship(f string) *order.Order {
	n.tb.Helper()
	for _, c := range []string{"accept", "pick", "pack"} {
		n.step(f, c, order.Step{})
	}
	return n.step(f, "ship", order.Step{})
}

// Two tenders: authorized before a location hears of the order, captured to the cent as parts leave, let go of as the rest is
// cancelled, and refunded as goods come back, the card first.
func TestPaymentThroughAnOrdersLife(t *testing.T) {
	eachQuiet(t, func(t *testing.T, n *node) {
		n.retailer(2, 3, 10)
		n.takesBack("L00", nil, "ship", "pickup", "returns")
		n.publish(policy.KindPayment, "shop", payPolicy)
		p := newPSP(n)
		in := paidBasket("a", "S0", "S1", "S2")
		in.Shipping, in.Tenders[1].Amount = 500, in.Tenders[1].Amount+500
		o := n.capture(in)
		if !o.Holding(order.HoldPayment) || o.Fulfillments[0].Status != order.FulfillmentHeld || o.PaymentStanding() != payment.StandPending {
			t.Fatalf("before it is authorized: holds %+v, %s, payments %s", o.Holds, o.Fulfillments[0].Status, o.PaymentStanding())
		}
		p.work()
		if o = n.stored(o.ID); len(o.Holds) != 0 || o.Fulfillments[0].Status != order.FulfillmentOpen || o.PaymentStanding() != payment.StandAuthorized {
			t.Fatalf("authorized: holds %+v, %s, payments %s", o.Holds, o.Fulfillments[0].Status, o.PaymentStanding())
		}
		f := o.Fulfillments[0].ID
		n.step(f, "accept", order.Step{})
		n.step(f, "pick", order.Step{Lines: []order.LineQuantity{{Line: "1", Quantity: 1}, {Line: "2", Quantity: 0, Short: 1}, {Line: "3", Quantity: 0, Short: 1}}})
		n.step(f, "pack", order.Step{})
		o = n.step(f, "ship", order.Step{})
		p.work()
		p.want(7637, 2546, 0, 0) // a third of 7637 is 2545.67
		o = n.stored(o.ID)
		if _, err := n.Cancel(background, o.ID, order.Cancellation{Lines: []order.LineQuantity{{Line: "3", Quantity: 1}}}, engine.Meta{Actor: "ada"}); err != nil {
			t.Fatal(err)
		}
		p.work()
		p.want(7637, 2629, 2379, 0) // of 5258 half is for what left
		o = n.ship(n.stored(o.ID).Fulfillments[1].ID)
		p.work()
		p.want(7637, 5258, 2379, 0)
		if o = n.stored(o.ID); o.PaymentStanding() != payment.StandCaptured {
			t.Errorf("payments are %s", o.PaymentStanding())
		}
		r, err := n.AuthorizeReturn(background, o.ID, &order.NewReturn{Lines: []order.NewReturnLine{{Line: "1", Quantity: 1}}}, false, engine.Meta{Actor: "ada"})
		if err != nil {
			t.Fatal(err)
		}
		id := r.Value.(*engine.ReturnAnswer).Return.ID
		if _, err := n.ReceiveReturn(background, id, &order.Receipt{Location: "L00"}, engine.Meta{Actor: "L00"}); err != nil {
			t.Fatal(err)
		}
		p.work()
		p.want(7637, 5258, 2379, 2379)
		o = n.stored(o.ID)
		for _, op := range o.Payment.Operations {
			if op.Kind == payment.KindRefund && (op.Tender != "t2" || op.For != o.Returns[0].Refunds[0].Key) {
				t.Errorf("refunded with %+v", op)
			}
		}
		if s := o.Payment.Sums(); s.Authorized != 0 || o.PaymentStanding() != payment.StandPartlyRefunded || o.Returns[0].Refunds[0].State != order.RefundRequested {
			t.Errorf("in the end %+v, payments %s, refund %s", s, o.PaymentStanding(), o.Returns[0].Refunds[0].State)
		}
		version := o.Version
		p.cursor = make(engine.Cursor, len(p.cursor)) // a worker that lost its place does all of it again
		p.work()
		if o = n.stored(o.ID); o.Version != version {
			t.Errorf("repeated answers made version %d of %d", o.Version, version)
		}
		n.equalsStore()
		n.audited()
	})
}

// The example of docs/payments.md.
func TestPaymentsAsDocumented(t *testing.T) {
	n := open(t, stores["sqlite"](t)(), newClock())
	n.retailer(2, 1, 10)
	n.publish(policy.KindPayment, "shop", payPolicy)
	p := newPSP(n)
	in := basket("a", "S0")
	in.Lines[0].Quantity, in.Lines[0].UnitPrice, in.Lines[0].Tax = 3, 1000, 0
	in.Tenders = []order.Tender{{Type: "gift_card", Amount: 500, Reference: "gc"}, {Type: "card", Amount: 2500, Reference: "tok"}}
	o := n.capture(in)
	p.work()
	asked := 0
	want := func(texts ...string) {
		t.Helper()
		p.work()
		var got []string
		ops := n.stored(o.ID).Payment.Operations
		for _, op := range ops[asked:] {
			got = append(got, fmt.Sprint(op.Kind, " ", op.Amount, " ", op.Tender))
		}
		if asked = len(ops); !slices.Equal(got, texts) {
			t.Errorf("asked for %q, the page says %q", got, texts)
		}
	}
	want("authorize 500 t1", "authorize 2500 t2")
	f := o.Fulfillments[0].ID
	n.step(f, "accept", order.Step{})
	n.step(f, "pick", order.Step{Lines: []order.LineQuantity{{Line: "1", Quantity: 1, Short: 2}}})
	n.step(f, "pack", order.Step{})
	n.step(f, "ship", order.Step{})
	want("capture 500 t1", "capture 500 t2")
	if _, err := n.Cancel(background, o.ID, order.Cancellation{Lines: []order.LineQuantity{{Line: "1", Quantity: 1}}}, engine.Meta{Actor: "ada"}); err != nil {
		t.Fatal(err)
	}
	want("void 1000 t2")
	n.ship(n.stored(o.ID).Fulfillments[1].ID)
	want("capture 1000 t2")
	r, err := n.AuthorizeReturn(background, o.ID, &order.NewReturn{Lines: []order.NewReturnLine{{Line: "1", Quantity: 1}}}, false, engine.Meta{Actor: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.ReceiveReturn(background, r.Value.(*engine.ReturnAnswer).Return.ID, &order.Receipt{Location: "L00"}, engine.Meta{Actor: "L00"}); err != nil {
		t.Fatal(err)
	}
	p.work()
	if _, _, _, refunded := p.sums(); refunded != 1000 {
		t.Errorf("refunded %d", refunded)
	}
	n.audited()
}

// A node that ends between a request and its answer: the provider did it, the answer is lost. It is asked, with the same id.
func TestCrashBetweenRequestAndAnswer(t *testing.T) {
	for name, fresh := range stores {
		t.Run(name, func(t *testing.T) {
			reopen, clock := fresh(t), newClock()
			n := open(t, reopen(), clock)
			n.retailer(1, 1, 10)
			n.publish(policy.KindPayment, "shop", payPolicy)
			p := newPSP(n)
			o := n.capture(paidBasket("a", "S0"))
			p.work()
			p.fate = func(payment.Operation) string { return "lost" }
			n.ship(o.Fulfillments[0].ID)
			p.work()
			n.close()
			n = open(t, reopen(), clock)
			p.n, p.fate = n, nil
			if s := n.stored(o.ID).PaymentStanding(); s != payment.StandPending {
				t.Fatalf("payments are %s", s)
			}
			n.pass(time.Minute)
			p.work()
			p.want(2379, 2379, 0, 0)
			if s := n.stored(o.ID).PaymentStanding(); s != payment.StandCaptured {
				t.Errorf("payments are %s", s)
			}
			n.audited()
		})
	}
}

// A request that never arrives is made again under its id; one that nobody ever answers for is a person's, who has it asked again.
func TestOutcomesThatNobodyKnows(t *testing.T) {
	eachQuiet(t, func(t *testing.T, n *node) {
		n.retailer(1, 1, 10)
		n.publish(policy.KindPayment, "shop", payPolicy)
		p := newPSP(n)
		p.fate = func(payment.Operation) string { return "unheard" }
		o := n.capture(paidBasket("a", "S0"))
		p.work()
		p.fate = nil
		n.pass(time.Minute)
		p.work()
		if o = n.stored(o.ID); len(o.Payment.Operations) != 2 || o.PaymentStanding() != payment.StandAuthorized {
			t.Fatalf("%d operations, payments %s", len(o.Payment.Operations), o.PaymentStanding())
		}
		p.fate = func(payment.Operation) string { return "lost" }
		n.ship(o.Fulfillments[0].ID)
		for range 4 {
			p.work()
			n.pass(6 * time.Minute)
		}
		o = n.stored(o.ID)
		if o.PaymentStanding() != payment.StandUnknown || len(o.Exceptions) == 0 || o.Exceptions[0].Type != payment.NoticeUnknown {
			t.Fatalf("payments %s, exceptions %+v", o.PaymentStanding(), o.Exceptions)
		}
		n.audited()
		p.fate = nil
		if _, err := n.FixException(background, o.ID+"-"+o.Exceptions[0].ID, exception.FixRetryPayment, exception.Args{Reason: "the provider is back"}, false, nil, engine.Meta{Actor: "ada"}); err != nil {
			t.Fatal(err)
		}
		p.work()
		p.want(2379, 2379, 0, 0)
		if o = n.stored(o.ID); o.PaymentStanding() != payment.StandCaptured || len(o.Exceptions) != 0 {
			t.Errorf("payments %s, exceptions %+v", o.PaymentStanding(), o.Exceptions)
		}
		n.audited()
	})
}

// A decline holds the order and is tried again; another tender lets it go; with none it is cancelled in the end.
func TestDeclinedPayments(t *testing.T) {
	eachQuiet(t, func(t *testing.T, n *node) {
		n.retailer(1, 1, 10)
		n.publish(policy.KindPayment, "shop", payPolicy)
		p := newPSP(n)
		p.fate = func(op payment.Operation) string {
			if op.Token == "tok_1" {
				return "declined"
			}
			return ""
		}
		saved, lost := n.capture(paidBasket("a", "S0")), n.capture(paidBasket("b", "S0"))
		p.work()
		o := n.stored(saved.ID)
		if o.PaymentStanding() != payment.StandDeclined || !o.Holding(order.HoldPayment) || len(o.Exceptions) != 1 || o.Exceptions[0].Type != payment.NoticeDeclined {
			t.Fatalf("payments %s, holds %+v, exceptions %+v", o.PaymentStanding(), o.Holds, o.Exceptions)
		}
		_, err := n.AddPayment(background, o.ID, &order.NewPayment{Type: "account", Reference: "a"}, engine.Meta{Actor: "ada"})
		refusal(t, err, order.CodeNoProvider)
		_, err = n.AddPayment(background, o.ID, &order.NewPayment{Type: "card", Reference: "4111 1111 1111 1111"}, engine.Meta{Actor: "ada"})
		if err == nil {
			t.Fatal("a card number was taken")
		}
		if _, err := n.AddPayment(background, o.ID, &order.NewPayment{Type: "card", Reference: "tok_9"}, engine.Meta{Actor: "ada"}); err != nil {
			t.Fatal(err)
		}
		p.work()
		if o = n.stored(o.ID); o.PaymentStanding() != payment.StandAuthorized || len(o.Holds)+len(o.Exceptions) != 0 {
			t.Errorf("with another card: payments %s, holds %+v, exceptions %+v", o.PaymentStanding(), o.Holds, o.Exceptions)
		}
		for range 10 {
			n.pass(6 * time.Hour)
			p.work()
		}
		if o = n.stored(lost.ID); o.Status != order.StatusCancelled || o.Payment.Sums().Authorized != 0 {
			t.Errorf("nobody pays: %s, %+v", o.Status, o.Payment.Sums())
		}
		var asked int
		for _, op := range o.Payment.Operations {
			if op.Kind == payment.KindAuthorize && op.Tender == "t2" {
				asked++
			}
		}
		if asked != 2 {
			t.Errorf("the card was asked %d times, the policy says 2", asked)
		}
		if o = n.stored(saved.ID); o.Payment.Sums().Voided != 0 {
			t.Errorf("the card that was tried again took from the one that stands in for it: %+v", o.Payment.Operations)
		}
		n.ship(n.stored(saved.ID).Fulfillments[0].ID)
		p.work()
		n.audited()
	})
}

// Goods that are to be paid in cash are not handed over before the payment is written down, unless handing over means so.
func TestCashAtTheStore(t *testing.T) {
	eachQuiet(t, func(t *testing.T, n *node) {
		n.retailer(1, 1, 10)
		n.publish(policy.KindPayment, "shop", payPolicy)
		pickup := func(external string) *order.Order {
			in := basket(external, "S0")
			in.Method, in.PickupLocation, in.ShipTo, in.Tenders = order.Pickup, "L00", nil, []order.Tender{{Type: "cash", Amount: 2379}}
			o := n.capture(in)
			for _, c := range []string{"accept", "pick", "ready"} {
				n.step(o.Fulfillments[0].ID, c, order.Step{})
			}
			return o
		}
		o := pickup("a")
		_, err := n.Step(background, o.Fulfillments[0].ID, order.Step{Command: "handover"}, engine.Meta{Actor: "L00"})
		refusal(t, err, order.CodeCashDue)
		_, err = n.AddPayment(background, o.ID, &order.NewPayment{Action: "record", Tender: "t1", Amount: 2380}, engine.Meta{Actor: "L00"})
		refusal(t, err, order.CodeMoreThanDue)
		if _, err := n.AddPayment(background, o.ID, &order.NewPayment{Action: "record", Tender: "t1", Reference: "till 7, receipt 12"}, engine.Meta{Actor: "L00"}); err != nil {
			t.Fatal(err)
		}
		o = n.step(o.Fulfillments[0].ID, "handover", order.Step{})
		if o.PaymentStanding() != payment.StandCaptured || o.Payment.Operations[0].By == "" {
			t.Errorf("paid in cash: payments %s, %+v", o.PaymentStanding(), o.Payment.Operations)
		}
		n.publish(policy.KindPayment, "shop", payPolicy+"  cash: record\n")
		o = pickup("b")
		if o = n.step(o.Fulfillments[0].ID, "handover", order.Step{}); o.PaymentStanding() != payment.StandCaptured {
			t.Errorf("the handover is the payment: payments %s, %+v", o.PaymentStanding(), o.Payment.Operations)
		}
		n.audited()
	})
}

// What an order costs more is authorized as well, what it costs less is let go of or given back; a refund by hand never
// exceeds what was captured, and a preview changes nothing.
func TestChangesOfWhatIsPaid(t *testing.T) {
	eachQuiet(t, func(t *testing.T, n *node) {
		n.retailer(1, 2, 10)
		n.publish(policy.KindPayment, "shop", payPolicy)
		p := newPSP(n)
		o := n.capture(paidBasket("a", "S0"))
		p.work()
		if _, err := n.Edit(background, o.ID, &engine.OrderEdit{Edit: order.Edit{Add: []order.NewLine{{SKU: "S1", Quantity: 1, UnitPrice: 100}}}}, engine.Meta{Actor: "ada"}); err != nil {
			t.Fatal(err)
		}
		p.work()
		p.want(2479, 0, 0, 0)
		if _, err := n.AdjustOrder(background, o.ID, &order.NewAdjustment{Amount: 79, Reason: "late"}, true, engine.Meta{Actor: "ada"}); err != nil {
			t.Fatal(err)
		}
		p.work()
		p.want(2479, 0, 79, 0)
		o = n.stored(o.ID)
		_, err := n.Refund(background, o.ID, &engine.OrderRefund{NewRefund: order.NewRefund{Amount: 1, Reason: "x"}}, true, engine.Meta{Actor: "ada"})
		refusal(t, err, order.CodeMoreThanDue)
		for i := range o.Fulfillments {
			if f := &n.stored(o.ID).Fulfillments[i]; f.Status == order.FulfillmentOpen {
				n.ship(f.ID)
			}
		}
		p.work()
		p.want(2479, 2400, 79, 0)
		if _, err := n.AdjustOrder(background, o.ID, &order.NewAdjustment{Amount: 100, Reason: "a scratch"}, true, engine.Meta{Actor: "ada"}); err != nil {
			t.Fatal(err)
		}
		p.work()
		p.want(2479, 2400, 79, 100)
		before := n.stored(o.ID)
		r, err := n.Refund(background, o.ID, &engine.OrderRefund{NewRefund: order.NewRefund{Amount: 1500, Reason: "x"}, Preview: true}, true, engine.Meta{Actor: "ada"})
		if err != nil {
			t.Fatal(err)
		}
		if ops := r.Value.(*engine.RefundedOrder).Operations; len(ops) == 0 || n.stored(o.ID).Version != before.Version {
			t.Errorf("a preview: %+v", ops)
		}
		if _, err := n.Refund(background, o.ID, &engine.OrderRefund{NewRefund: order.NewRefund{Amount: 1500, Reason: "x", Tender: "t1"}}, true, engine.Meta{Actor: "ada"}); err == nil {
			t.Error("a gift card of 1000 got 1500 back")
		}
		if _, err := n.Refund(background, o.ID, &engine.OrderRefund{NewRefund: order.NewRefund{Amount: 2300, Reason: "x"}}, true, engine.Meta{Actor: "ada"}); err != nil {
			t.Fatal(err)
		}
		p.work()
		p.want(2479, 2400, 79, 2400)
		if s := n.stored(o.ID).PaymentStanding(); s != payment.StandRefunded {
			t.Errorf("payments are %s", s)
		}
		n.audited()
	})
}

// Goods exchanged for dearer ones: what comes back pays its part, which is only written down, and the new tender the rest; nothing
// of the first order is refunded.
func TestExchangePaysTheNewOrder(t *testing.T) {
	n := open(t, stores["sqlite"](t)(), newClock())
	n.retailer(1, 2, 10)
	n.publish(policy.KindPayment, "shop", payPolicy)
	p := newPSP(n)
	o := n.capture(paidBasket("a", "S0"))
	p.work()
	n.ship(o.Fulfillments[0].ID)
	p.work()
	n.step(o.Fulfillments[0].ID, "deliver", order.Step{})
	r, err := n.Exchange(background, o.ID, &order.NewExchange{
		Return: order.NewReturn{Lines: []order.NewReturnLine{{Line: "1", Quantity: 1}}}, When: order.ExchangeNow,
		Lines: []order.NewLine{{SKU: "S1", Quantity: 1, UnitPrice: 3000}}, Tenders: []order.Tender{{Type: "card", Amount: 621, Reference: "tok_2"}},
	}, false, engine.Meta{Actor: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	p.work()
	next := n.stored(r.Value.(*engine.ReturnAnswer).Exchange.ID)
	if next.PaymentStanding() != payment.StandAuthorized {
		t.Errorf("the new order's payments are %s: %+v", next.PaymentStanding(), next.Payment)
	}
	n.ship(next.Fulfillments[0].ID)
	p.work()
	if _, err := n.ReceiveReturn(background, r.Value.(*engine.ReturnAnswer).Return.ID, &order.Receipt{Location: "L00"}, engine.Meta{Actor: "L00"}); err != nil {
		t.Fatal(err)
	}
	p.work()
	p.want(2379+621, 2379+621, 0, 0)
	if next = n.stored(next.ID); next.PaymentStanding() != payment.StandCaptured || n.stored(o.ID).PaymentStanding() != payment.StandCaptured {
		t.Errorf("payments of the new order %s, of the first %s", next.PaymentStanding(), n.stored(o.ID).PaymentStanding())
	}
	n.audited()
}

// What a provider says against what is known is booked when money moved, and a person is told either way.
func TestContradictions(t *testing.T) {
	eachQuiet(t, func(t *testing.T, n *node) {
		n.retailer(1, 1, 10)
		n.publish(policy.KindPayment, "shop", payPolicy)
		p := newPSP(n)
		var first payment.Operation
		p.fate = func(op payment.Operation) string {
			if op.Token == "tok_1" && first.ID == "" {
				first = op
				return "declined"
			}
			return ""
		}
		o := n.capture(paidBasket("a", "S0"))
		p.work()
		n.pass(6 * time.Hour)
		p.work() // another authorization
		o = p.say(first, payment.Succeeded)
		p.ledger[first.ID] = first
		p.work()
		p.want(1000+2*1379, 0, 1379, 0)
		if o = n.stored(o.ID); len(o.Exceptions) != 1 || o.Exceptions[0].Type != payment.NoticeMismatch || o.Payment.Sums().Authorized != 2379 {
			t.Errorf("late: exceptions %+v, %+v", o.Exceptions, o.Payment.Sums())
		}
		o = p.say(first, payment.Declined)
		if len(o.Exceptions) != 1 || o.Payment.Operation(first.ID).State != payment.Succeeded {
			t.Errorf("declined after all: %+v", o.Payment.Operation(first.ID))
		}
		_, err := n.PaymentResult(background, o.ID, payment.Outcome{Operation: o.ID + "-p99", Status: payment.Succeeded}, engine.Meta{Actor: "psp"})
		refusal(t, err, order.CodeNoOperation)
		_, err = n.PaymentResult(background, o.ID, payment.Outcome{Operation: first.ID, Status: "fine", Message: "4111111111111111"}, engine.Meta{Actor: "psp"})
		if err == nil || errors.As(err, new(*order.Refusal)) {
			t.Errorf("a bad outcome: %v", err)
		}
		n.audited()
	})
}

// While no payment policy names a provider, orders carry their tenders and nothing is asked of anybody.
func TestPaymentsElsewhere(t *testing.T) {
	n := open(t, stores["sqlite"](t)(), newClock())
	n.retailer(1, 1, 10)
	o := n.capture(paidBasket("a", "S0"))
	o = n.ship(o.Fulfillments[0].ID)
	if o.Payment != nil || o.PaymentStanding() != payment.StandNone {
		t.Errorf("payments %+v", o.Payment)
	}
	_, err := n.Refund(background, o.ID, &engine.OrderRefund{NewRefund: order.NewRefund{Amount: 1, Reason: "x"}}, true, engine.Meta{})
	refusal(t, err, order.CodeNoPayments)
	n.audited()
}
