package payment_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/orderly-oms/orderly/internal/payment"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// effect is what the provider did for an operation: its own ledger, by the operation's id.
type effect struct {
	op       payment.Operation
	declined bool
	at       time.Time
}

// provider keeps its own ledger, which is the oracle. It does an id once and refuses what exceeds an authorization or a capture.
type provider struct {
	t      *rapid.T
	ledger map[string]*effect
}

func (p *provider) sum(kind, parent string) (n int64) {
	for _, e := range p.ledger {
		if !e.declined && e.op.Kind == kind && e.op.Parent == parent {
			n += e.op.Amount
		}
	}
	return n
}

func (p *provider) do(op payment.Operation, now time.Time, decline bool) *effect {
	if e := p.ledger[op.ID]; e != nil {
		if e.op.Amount != op.Amount || e.op.Kind != op.Kind || e.op.Parent != op.Parent {
			p.t.Fatalf("operation %s came again as another one: %+v, then %+v", op.ID, e.op, op)
		}
		return e
	}
	e := &effect{op: op, declined: decline, at: now}
	switch parent := p.ledger[op.Parent]; {
	case op.Kind == payment.KindAuthorize:
	case parent == nil || parent.declined:
		p.t.Fatalf("%s %s of a parent that the provider does not know", op.Kind, op.ID)
	case op.Kind == payment.KindRefund:
		if p.sum(payment.KindRefund, op.Parent)+op.Amount > parent.op.Amount {
			p.t.Fatalf("refund %s of %d is more than capture %s of %d leaves", op.ID, op.Amount, op.Parent, parent.op.Amount)
		}
	default:
		if p.sum(payment.KindCapture, op.Parent)+p.sum(payment.KindVoid, op.Parent)+op.Amount > parent.op.Amount {
			p.t.Fatalf("%s %s of %d is more than authorization %s of %d leaves", op.Kind, op.ID, op.Amount, op.Parent, parent.op.Amount)
		}
		if life := 168 * time.Hour; op.Kind == payment.KindCapture && !now.Before(parent.at.Add(life)) {
			e.declined = true
		}
	}
	p.ledger[op.ID] = e
	return e
}

func (p *provider) outcome(id string) payment.Outcome {
	e := p.ledger[id]
	switch {
	case e == nil:
		return payment.Outcome{Operation: id, Status: payment.NotFound}
	case e.declined:
		code := "refused"
		if e.op.Kind == payment.KindCapture {
			code = payment.CodeExpired
		}
		return payment.Outcome{Operation: id, Status: payment.Declined, Code: code}
	}
	return payment.Outcome{Operation: id, Status: payment.Succeeded, Reference: "ref-" + id}
}

// world is an order's payments and the messages under way.
type world struct {
	t       *rapid.T
	s       *payment.State
	w       payment.Want
	now     time.Time
	p       *provider
	asked   []payment.Operation // that the worker has not dealt with
	answers []payment.Outcome   // under way
	notices map[string]int
	decline bool // the provider declines at times
}

func (m *world) apply(steps []payment.Step) {
	m.t.Helper()
	for _, st := range steps {
		var err error
		op := st.Operation
		switch st.Do {
		case payment.StepRequest, payment.StepRecord:
			if err = m.s.Requested(&op); st.Do == payment.StepRequest {
				m.asked = append(m.asked, op)
			}
		case payment.StepInquire:
			if err = m.s.Inquired(&op); err == nil {
				m.answers = append(m.answers, m.p.outcome(op.ID))
			}
		case payment.StepGiveUp:
			err = m.s.Inquired(&op)
		case payment.StepExpiring:
			err = m.s.Expiring(op.ID)
		case payment.StepExpired:
			err = m.s.Expired(op.ID)
		case payment.StepRetry:
			err = m.s.Retried(op.Tender)
		case payment.StepBook:
			err = m.s.Outcome(st.Outcome, m.now)
		case payment.StepAbandon:
			m.s.CancelAt = time.Time{}
		case payment.StepNotice:
			m.notices[st.Notice.Type]++
		}
		if err != nil {
			m.t.Fatal(err)
		}
	}
}

// due does what is due, and checks that nothing more is.
func (m *world) due() {
	m.t.Helper()
	m.s = m.s.Clone()
	m.apply(payment.Due(m.s, &m.w, m.now))
	if again := payment.Due(m.s, &m.w, m.now); len(again) > 0 {
		m.t.Fatalf("more is due at once: %+v", again)
	}
	if next := m.s.NextWake(); !next.IsZero() && !next.After(m.now) {
		m.t.Fatalf("it wants to be woken at %s, which is not after %s", next, m.now)
	}
}

func (m *world) answer(out payment.Outcome) {
	m.t.Helper()
	m.s = m.s.Clone()
	steps, known := payment.Answer(m.s, &m.w, &out, m.now)
	if !known {
		m.t.Fatalf("outcome %+v is of no operation", out)
	}
	m.apply(steps)
	m.due()
}

// check holds what must hold after every step.
func (m *world) check() {
	m.t.Helper()
	var refunded int64
	seen := map[string]bool{}
	for i := range m.s.Operations {
		op := &m.s.Operations[i]
		if seen[op.ID] || op.Amount <= 0 {
			m.t.Fatalf("operation %+v: its id is used twice, or its amount is none", op)
		}
		seen[op.ID] = true
		if open := m.s.Open(op); open < 0 {
			m.t.Fatalf("authorization %s of %d holds %d", op.ID, op.Amount, open)
		}
		if op.State == payment.Succeeded && op.Kind == payment.KindRefund {
			refunded += op.Amount
		}
		if (op.State == payment.Pending || op.State == payment.Unknown) && op.AskAt.IsZero() && m.notices[payment.NoticeUnknown] == 0 {
			m.t.Fatalf("nobody asks for operation %+v", op)
		}
	}
	if n := m.notices[payment.NoticeMismatch]; n > 0 {
		m.t.Fatalf("%d contradictions of a provider that does not contradict itself", n)
	}
	t := m.s.Sums()
	if refunded > t.Captured {
		m.t.Fatalf("%d were given back of %d", refunded, t.Captured)
	}
	for _, r := range m.w.Refunds {
		if m.s.Paid(r.Key) > r.Amount {
			m.t.Fatalf("refund %s of %d was paid with %d", r.Key, r.Amount, m.s.Paid(r.Key))
		}
	}
}

// work lets the worker deal with the first request, as providers and networks do.
func (m *world) work() {
	op := m.asked[0]
	m.asked = m.asked[1:]
	switch rapid.SampledFrom([]string{"done", "done", "done", "late", "lost answer", "lost request", "unknown", "twice", "declined"}).Draw(m.t, "fate") {
	case "done":
		m.p.do(op, m.now, false)
		m.answer(m.p.outcome(op.ID))
	case "late":
		m.p.do(op, m.now, false)
		m.answers = append(m.answers, m.p.outcome(op.ID))
	case "lost answer":
		m.p.do(op, m.now, false)
	case "lost request":
	case "unknown":
		m.p.do(op, m.now, false)
		m.answer(payment.Outcome{Operation: op.ID, Status: payment.Unknown})
	case "twice":
		m.p.do(op, m.now, false)
		m.asked = append(m.asked, op)
		m.answers = append(m.answers, m.p.outcome(op.ID), m.p.outcome(op.ID))
	case "declined":
		m.p.do(op, m.now, m.decline)
		m.answer(m.p.outcome(op.ID))
	}
}

func newWorld(t *rapid.T) *world {
	total := rapid.Int64Range(1, 20000).Draw(t, "total")
	m := &world{
		t: t, now: noon, p: &provider{t, map[string]*effect{}}, notices: map[string]int{}, decline: rapid.Bool().Draw(t, "declines"),
		w: payment.Want{Order: "o1", Currency: "EUR", Owed: total},
	}
	rules := &payment.Rules{
		Authorize: payment.AuthorizeAtCapture, Capture: rapid.SampledFrom([]string{payment.CaptureAtShipment, payment.CaptureAtOrder}).Draw(t, "capture"),
		CaptureOrder: []string{payment.GiftCard, payment.Card}, RefundOrder: []string{payment.Card, payment.GiftCard}, LifetimeHours: 168,
		RenewHours: rapid.SampledFrom([]int64{0, 24, 160}).Draw(t, "renew"), RetryHours: 1, Declines: 3, AskMinutes: []int64{1, 5, 30}, Cash: payment.CashRequired,
	}
	plan := &payment.Plan{Policy: "pay@1", Rules: rules}
	left := total
	for i, typ := range []string{payment.GiftCard, payment.Card, payment.Other} {
		amount := left
		if typ != payment.Other {
			amount = rapid.Int64Range(0, left).Draw(t, typ)
		}
		left -= amount
		if amount == 0 {
			continue
		}
		tender := payment.Tender{ID: fmt.Sprintf("t%d", i+1), Type: typ, Amount: amount, Provider: "psp"}
		if typ == payment.Other && rapid.Bool().Draw(t, "elsewhere") {
			tender.Provider = ""
		}
		plan.Tenders = append(plan.Tenders, tender)
	}
	s, err := (*payment.State)(nil).Planned(plan)
	if err != nil {
		t.Fatal(err)
	}
	m.s = s
	m.due()
	return m
}

// settle lets everything that is under way arrive and all time pass that payments wait for. The provider is well now.
func (m *world) settle() {
	for range 10_000 {
		switch {
		case len(m.answers) > 0:
			out := m.answers[0]
			m.answers = m.answers[1:]
			m.answer(out)
		case len(m.asked) > 0:
			op := m.asked[0]
			m.asked = m.asked[1:]
			m.p.do(op, m.now, false)
			m.answer(m.p.outcome(op.ID))
		default:
			if m.person() {
				continue
			}
			next := m.s.NextWake()
			if !m.waits() || next.IsZero() {
				return
			}
			m.now = next
			m.due()
		}
		m.check()
	}
	m.t.Fatal("payments do not come to rest")
}

// person does what a person is asked for: has tried again what was declined, and asked again what nobody answered for.
func (m *world) person() (did bool) {
	m.s = m.s.Clone()
	for _, op := range m.s.AskAgain(m.now) {
		m.apply([]payment.Step{{Do: payment.StepInquire, Operation: op}})
		did = true
	}
	for i := range m.s.Tenders {
		if t := &m.s.Tenders[i]; t.Stopped != "" && t.RetryAt.IsZero() {
			m.apply([]payment.Step{{Do: payment.StepRetry, Operation: payment.Operation{Tender: t.ID}}})
			did = true
		}
	}
	if did {
		m.due()
	}
	return did
}

// waits reports whether anything is left that time settles.
func (m *world) waits() bool {
	for i := range m.s.Operations {
		if op := &m.s.Operations[i]; (op.State == payment.Pending || op.State == payment.Unknown) && !op.AskAt.IsZero() {
			return true
		}
	}
	for i := range m.s.Tenders {
		if !m.s.Tenders[i].RetryAt.IsZero() {
			return true
		}
	}
	return false
}

// TestPayments holds the order's books against a provider's own, whatever gets lost, comes late, twice or in another
// sequence, and whatever becomes of the order meanwhile.
func TestPayments(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := newWorld(t)
		paid := int64(0)
		t.Repeat(map[string]func(*rapid.T){
			"": func(*rapid.T) { m.check() },
			"work": func(t *rapid.T) {
				if len(m.asked) == 0 {
					return
				}
				m.work()
			},
			"answer": func(t *rapid.T) {
				if len(m.answers) == 0 {
					return
				}
				i := rapid.IntRange(0, len(m.answers)-1).Draw(t, "which")
				out := m.answers[i]
				m.answers = append(m.answers[:i], m.answers[i+1:]...)
				m.answer(out)
			},
			"time": func(t *rapid.T) {
				m.now = m.now.Add(time.Duration(rapid.OneOf(rapid.Int64Range(1, 600), rapid.Int64Range(600, 20_000)).Draw(t, "minutes")) * time.Minute)
				m.due()
			},
			"ship": func(t *rapid.T) {
				m.w.Left = rapid.Int64Range(m.w.Left, max(m.w.Owed, m.w.Left)).Draw(t, "left")
				m.due()
			},
			"cancel": func(t *rapid.T) {
				m.w.Owed = rapid.Int64Range(min(m.w.Left, m.w.Owed), m.w.Owed).Draw(t, "owed")
				m.due()
			},
			"appease": func(t *rapid.T) {
				m.w.Owed -= rapid.Int64Range(0, m.w.Owed-paid).Draw(t, "less")
				m.due()
			},
			"edit": func(t *rapid.T) {
				m.w.Owed += rapid.Int64Range(0, 500).Draw(t, "more")
				m.due()
			},
			"return": func(t *rapid.T) {
				most := min(m.w.Left, m.w.Owed) - paid
				if most <= 0 || len(m.w.Refunds) > 5 {
					return
				}
				n := rapid.Int64Range(1, most).Draw(t, "worth")
				paid += n
				m.w.Refunds = append(m.w.Refunds, payment.Refund{Key: fmt.Sprintf("r%d", len(m.w.Refunds)+1), Amount: n})
				m.due()
			},
		})
		m.settle()
		m.w.Left = m.w.Owed
		m.due()
		m.settle()
		m.end(t, paid)
	})
}

// end checks the books of an order of which everything left and every message arrived.
func (m *world) end(t *rapid.T, paid int64) {
	var authorized, captured, voided, refunded int64
	elsewhere := payment.Sums{}
	for i := range m.s.Operations {
		op := &m.s.Operations[i]
		e := m.p.ledger[op.ID]
		switch {
		case op.Provider == "":
			if op.Kind == payment.KindCapture {
				elsewhere.Captured += op.Amount
			} else {
				elsewhere.Refunded += op.Amount
			}
		case op.State == payment.Succeeded && (e == nil || e.declined || e.op.Amount != op.Amount):
			t.Fatalf("operation %+v is booked; the provider has %+v", op, e)
		case op.State != payment.Succeeded && e != nil && !e.declined:
			t.Fatalf("the provider did %+v; it is booked as %s", e.op, op.State)
		}
	}
	for _, e := range m.p.ledger {
		if e.declined {
			continue
		}
		switch e.op.Kind {
		case payment.KindAuthorize:
			authorized += e.op.Amount
		case payment.KindCapture:
			captured += e.op.Amount
		case payment.KindVoid:
			voided += e.op.Amount
		case payment.KindRefund:
			refunded += e.op.Amount
		}
	}
	sums := m.s.Sums()
	if sums.Captured != captured+elsewhere.Captured || sums.Refunded != refunded+elsewhere.Refunded {
		t.Fatalf("the books say %+v, the provider captured %d and refunded %d, elsewhere %+v", sums, captured, refunded, elsewhere)
	}
	if got := sums.Captured - sums.Refunded; got != m.w.Owed-paid {
		if m.s.Uncovered(&m.w) == 0 {
			t.Fatalf("%d stay with the retailer; %d were owed and %d promised back: %+v", got, m.w.Owed, paid, m.s)
		}
		return
	}
	if sums.Authorized != 0 {
		t.Fatalf("%d stay authorized though nothing is to be captured: %+v", sums.Authorized, m.s.Operations)
	}
}
