package sim

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/partner/sandbox"
	"github.com/orderly-oms/orderly/internal/payment"
)

func TestDueIsTheShareOfWhatLeft(t *testing.T) {
	line := func(total, quantity, cancelled, left int64) order.Line {
		return order.Line{Total: total, Quantity: quantity, Cancelled: cancelled, Fulfilled: left}
	}
	for name, c := range map[string]struct {
		lines     []order.Line
		low, high int64
	}{
		"nothing left":             {[]order.Line{line(1000, 3, 0, 0)}, 0, 0},
		"all left":                 {[]order.Line{line(1000, 3, 0, 3), line(55, 1, 0, 1)}, 1555, 1555},
		"all that stays left":      {[]order.Line{line(1000, 3, 1, 2)}, 666 + 500, 666 + 500},
		"all cancelled":            {[]order.Line{line(1000, 3, 3, 0)}, 0, 0},
		"a half":                   {[]order.Line{line(1000, 2, 0, 1)}, 750, 751},
		"a third, with shipping":   {[]order.Line{line(1000, 3, 0, 1)}, 1500 * 333 / 1000, 1500*333/1000 + 1},
		"free goods, some of them": {[]order.Line{line(0, 2, 0, 1)}, 0, 500},
	} {
		o := &order.Order{Lines: c.lines}
		o.Totals.Shipping = 500
		if low, high := due(o); low != c.low || high != c.high {
			t.Errorf("%s: %d to %d, want %d to %d", name, low, high, c.low, c.high)
		}
	}
}

func testBank(t *testing.T) *bank {
	w := &world{opt: Options{Orders: 1}, data: &Data{Seed: 7}, clock: NewClock(monday, time.Now)}
	w.agenda = newAgenda(w.clock)
	w.watch = newWatch(w.data)
	b, err := openBank(w)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.close)
	w.bank = b
	return b
}

// said is an event of the log about an order's payments.
func said(t *testing.T, id string, e order.Event) *engine.Published {
	data, err := json.Marshal(&e)
	if err != nil {
		t.Fatal(err)
	}
	return &engine.Published{Type: e.Type, Stream: engine.PublishedStream{Kind: engine.KindOrder, ID: id}, Data: data}
}

// The bank of a later run goes on with the ledger that the orders tell of, and customers do something about what was
// declined last.
func TestBankGoesOnAfterARun(t *testing.T) {
	b := testBank(t)
	at := time.Now().UTC().Truncate(time.Microsecond)
	ask := func(id, kind, token, parent string, amount int64) {
		of, _, _ := strings.Cut(id, "-p")
		op := &payment.Operation{ID: id, Kind: kind, Provider: providerID, Amount: amount, Currency: "EUR", Token: token, Parent: parent}
		b.hear(said(t, of, order.Event{Type: order.EventPaymentRequested, Payment: op}))
	}
	answer := func(id, status, reference string) {
		of, _, _ := strings.Cut(id, "-p")
		out := &payment.Outcome{Operation: id, Status: status, Reference: reference, At: at}
		if strings.HasPrefix(reference, "aut") {
			out.ExpiresAt = at.Add(time.Hour)
		}
		b.hear(said(t, of, order.Event{Type: "payment." + status, Outcome: out}))
	}
	ask("a-p1", payment.KindAuthorize, "tok", "", 1000)
	answer("a-p1", payment.Succeeded, "aut_000004")
	ask("a-p2", payment.KindCapture, "", "a-p1", 400)
	answer("a-p2", payment.Succeeded, "cap_000009")
	ask("b-p1", payment.KindAuthorize, sandbox.DeclineAlways+"1", "", 500)
	answer("b-p1", payment.Declined, "aut_000005")
	ask("c-p1", payment.KindAuthorize, sandbox.DeclineOnce+"1", "", 500)
	answer("c-p1", payment.Declined, "aut_000006")
	ask("c-p2", payment.KindAuthorize, sandbox.DeclineOnce+"1", "", 500)
	b.begin()
	if n := b.w.agenda.open(); n != 1 {
		t.Errorf("%d customers do something, want that of b alone", n)
	}
	if n := b.waiting(); n != 1 {
		t.Errorf("%d operations wait, want c-p2 alone", n)
	}
	sums := b.account("a")
	if sums.Authorized != 1000 || sums.Captured != 400 || sums.Open() != 600 {
		t.Errorf("the account of a: %+v", sums)
	}
	if wrong := b.sandbox.Check(); wrong != nil {
		t.Error(wrong)
	}
	o := &order.Order{ID: "a", Lines: []order.Line{{Total: 1000, Quantity: 5, Fulfilled: 2}}, Payment: &payment.State{Tenders: []payment.Tender{{Provider: providerID}}}}
	if !b.compare(o, sums, false) {
		t.Error("400 of 1000 for two of five units differ")
	}
	o.Lines[0].Fulfilled = 3
	if b.compare(o, sums, false) {
		t.Error("400 of 1000 for three of five units agree")
	}
	b.compare(o, sums, true)
	if l, findings := b.ledger(); l.Differences != 1 || len(findings) != 1 || !strings.Contains(findings[0], "400 captured") {
		t.Errorf("%+v, %v", l, findings)
	}
}

func TestTokensRepeatWithTheirSeed(t *testing.T) {
	b, again := testBank(t), testBank(t)
	declined := 0
	for _, id := range []string{"W1", "W2", "W3"} {
		n := &order.New{ExternalID: id, Tenders: []order.Tender{{Type: "gift_card", Amount: 5}, {Type: "card", Amount: 10}}}
		x, y := b.tokens(n), again.tokens(n)
		if x[0].Reference != y[0].Reference || x[1].Reference != y[1].Reference || x[0].Reference == x[1].Reference || n.Tenders[0].Reference != "" {
			t.Errorf("%+v, then %+v, of %+v", x, y, n.Tenders)
		}
	}
	for i := range 4000 {
		n := &order.New{ExternalID: strings.Repeat("x", i%100) + string(rune('a'+i/100)), Tenders: []order.Tender{{Type: "card", Amount: 10}}}
		if strings.HasPrefix(b.tokens(n)[0].Reference, sandbox.DeclineAlways) {
			declined++
		}
	}
	if declined < 60 || declined > 200 {
		t.Errorf("%d of 4000 tokens are no good", declined)
	}
}
