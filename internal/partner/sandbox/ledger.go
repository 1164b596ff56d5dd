package sandbox

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/partner/pay"
	"github.com/orderly-oms/orderly/internal/payment"
)

// What tokens make the provider do.
const (
	DeclineAlways = "decline_"      // prefix: authorizations and refunds with the token are declined
	DeclineOnce   = "decline_once_" // prefix: the first authorization with the token is declined
)

// Codes of declines.
const (
	CodeDeclined  = "card_declined"
	CodeNoToken   = "no_token"
	CodeNoParent  = "unknown_parent"
	CodeExpired   = payment.CodeExpired
	CodeTooMuch   = "exceeds_parent"
	CodeCurrency  = "other_currency"
	messageOther  = "the id was used for another request"
	referenceKind = 3 // letters of the kind in a reference
)

// Operation is one that reached the provider, with what became of it.
type Operation struct {
	pay.Request
	Status    string // payment.Succeeded or payment.Declined
	Reference string
	Code      string
	Message   string
	At        time.Time
	ExpiresAt time.Time // of an authorization
	// Taken is, of an authorization, what was captured; of a capture, what was refunded.
	Taken int64
	// Voided is what of an authorization was given up.
	Voided int64
	// ClearsAt is until when callers are told that it is pending; zero: they may know.
	ClearsAt time.Time
}

func (o *Operation) answer() pay.Answer {
	a := pay.Answer{Status: o.Status, Reference: o.Reference, Code: o.Code, Message: o.Message, ExpiresAt: o.ExpiresAt, At: o.At}
	if o.Status == payment.Succeeded {
		a.Amount = o.Amount
	}
	return a
}

// Ledger is the provider's book.
type Ledger struct {
	byID    map[string]*Operation
	byRef   map[string]*Operation
	first   map[string]string // by a token of DeclineOnce: the id that was declined
	entries []pay.Entry       // what took effect, in order
	last    int               // number of the last reference
}

func newLedger() *Ledger {
	return &Ledger{byID: map[string]*Operation{}, byRef: map[string]*Operation{}, first: map[string]string{}}
}

// do books a request unless its id is known.
func (l *Ledger) do(q *pay.Request, now time.Time, life time.Duration, clears time.Time) {
	if l.byID[q.ID] != nil {
		return
	}
	l.last++
	op := &Operation{Request: *q, At: now, ClearsAt: clears, Status: payment.Succeeded, Reference: fmt.Sprintf("%s_%06d", q.Kind[:referenceKind], l.last)}
	switch q.Kind {
	case payment.KindAuthorize:
		op.ExpiresAt = now.Add(life)
		l.authorize(op)
	case payment.KindRefund:
		l.refund(op)
	default:
		l.take(op, now)
	}
	l.keep(op)
}

// keep puts an operation into the book.
func (l *Ledger) keep(op *Operation) {
	l.byID[op.ID], l.byRef[op.Reference] = op, op
	if op.Status == payment.Succeeded {
		l.entries = append(l.entries, pay.Entry{ID: op.ID, Kind: op.Kind, Amount: op.Amount, Currency: op.Currency, Reference: op.Reference, At: op.At})
	}
}

// restore books an operation as it was told.
func (l *Ledger) restore(q *pay.Request, a *pay.Answer) {
	if l.byID[q.ID] != nil {
		return
	}
	op := &Operation{Request: *q, Status: a.Status, Reference: a.Reference, Code: a.Code, Message: a.Message, At: a.At, ExpiresAt: a.ExpiresAt}
	if _, number, ok := strings.Cut(a.Reference, "_"); ok {
		if n, err := strconv.Atoi(number); err == nil {
			l.last = max(l.last, n)
		}
	}
	if op.Status == payment.Declined && strings.HasPrefix(op.Token, DeclineOnce) && op.Kind == payment.KindAuthorize {
		l.first[op.Token] = op.ID
	}
	if p := l.byID[op.Parent]; p != nil && op.Status == payment.Succeeded {
		if op.Kind == payment.KindVoid {
			p.Voided += op.Amount
		} else {
			p.Taken += op.Amount
		}
	}
	l.keep(op)
}

func (o *Operation) decline(code, message string) {
	o.Status, o.Code, o.Message, o.ExpiresAt = payment.Declined, code, message, time.Time{}
}

func (l *Ledger) authorize(op *Operation) {
	switch {
	case op.Token == "":
		op.decline(CodeNoToken, "there is no token to authorize")
	case strings.HasPrefix(op.Token, DeclineOnce):
		if l.first[op.Token] == "" {
			l.first[op.Token] = op.ID
			op.decline(CodeDeclined, "declined by the bank this time")
		}
	case strings.HasPrefix(op.Token, DeclineAlways):
		op.decline(CodeDeclined, "declined by the bank")
	}
}

// parent is the operation that a request names, by the caller's id and by the provider's, which must agree.
func (l *Ledger) parent(op *Operation, kind string) *Operation {
	p := l.byID[op.Parent]
	if op.Parent == "" {
		p = l.byRef[op.ParentReference]
	}
	switch {
	case p == nil || p.Kind != kind || p.Status != payment.Succeeded || op.ParentReference != "" && p.Reference != op.ParentReference:
		op.decline(CodeNoParent, "there is no "+kind+" that succeeded and that the request names")
		return nil
	case p.Currency != op.Currency:
		op.decline(CodeCurrency, "it was in "+p.Currency)
		return nil
	}
	return p
}

// take books a capture or a void, out of what the authorization still holds.
func (l *Ledger) take(op *Operation, now time.Time) {
	a := l.parent(op, payment.KindAuthorize)
	switch {
	case a == nil:
	case !now.Before(a.ExpiresAt):
		op.decline(CodeExpired, "the authorization ended at "+a.ExpiresAt.Format(time.RFC3339))
	case op.Amount > a.Amount-a.Taken-a.Voided:
		op.decline(CodeTooMuch, fmt.Sprintf("the authorization still holds %d", a.Amount-a.Taken-a.Voided))
	case op.Kind == payment.KindVoid:
		a.Voided += op.Amount
	default:
		a.Taken += op.Amount
	}
}

func (l *Ledger) refund(op *Operation) {
	c := l.parent(op, payment.KindCapture)
	switch {
	case c == nil:
	case strings.HasPrefix(op.Token, DeclineAlways) && !strings.HasPrefix(op.Token, DeclineOnce):
		op.decline(CodeDeclined, "declined by the bank")
	case op.Amount > c.Amount-c.Taken:
		op.decline(CodeTooMuch, fmt.Sprintf("%d of the capture is left to be refunded", c.Amount-c.Taken))
	default:
		c.Taken += op.Amount
	}
}

// said is what a caller is told of a request, or of the operation of an id when the request has nothing else.
func (l *Ledger) said(q *pay.Request, now time.Time) (status int, a pay.Answer) {
	op := l.byID[q.ID]
	switch {
	case op == nil:
		return http.StatusNotFound, pay.Answer{Status: payment.NotFound}
	case q.Kind != "" && *q != op.Request:
		return http.StatusConflict, pay.Answer{Status: "refused", Code: codeOtherUse, Message: messageOther}
	case op.ClearsAt.After(now):
		return http.StatusAccepted, pay.Answer{Status: statusPending}
	case op.Status == payment.Declined && q.Kind != "":
		return http.StatusPaymentRequired, op.answer()
	}
	return http.StatusOK, op.answer()
}

// Sums are a ledger added up, minor units.
type Sums struct {
	Authorized int64
	Captured   int64
	Voided     int64
	Refunded   int64
	Expired    int64 // of authorizations, neither captured nor voided when they ended
	Declined   int64 // operations, not an amount
	Operations int64
}

// Open is what authorizations still hold.
func (s *Sums) Open() int64 { return s.Authorized - s.Captured - s.Voided - s.Expired }

func (s *Sums) add(op *Operation, now time.Time) {
	s.Operations++
	if op.Status != payment.Succeeded {
		s.Declined++
		return
	}
	switch op.Kind {
	case payment.KindAuthorize:
		s.Authorized += op.Amount
		if !now.Before(op.ExpiresAt) {
			s.Expired += op.Amount - op.Taken - op.Voided
		}
	case payment.KindCapture:
		s.Captured += op.Amount
	case payment.KindVoid:
		s.Voided += op.Amount
	case payment.KindRefund:
		s.Refunded += op.Amount
	}
}

// Sums adds up the operations that f admits; nil: all.
func (s *Sandbox) Sums(f func(*Operation) bool) (sums Sums) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for _, op := range s.ledger.byID {
		if f == nil || f(op) {
			sums.add(op, now)
		}
	}
	return sums
}

// Groups adds up the operations by a key, like the order that they are for.
func (s *Sandbox) Groups(key func(*Operation) string) map[string]Sums {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	out := map[string]Sums{}
	for _, op := range s.ledger.byID {
		k := key(op)
		sums := out[k]
		sums.add(op, now)
		out[k] = sums
	}
	return out
}

// Find returns a copy of an operation; not ok: it never took place.
func (s *Sandbox) Find(id string) (op Operation, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now()
	found := s.ledger.byID[id]
	if found == nil {
		return op, false
	}
	return *found, true
}

// Entries are all that took effect, in order.
func (s *Sandbox) Entries() []pay.Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now()
	return slices.Clone(s.ledger.entries)
}

// Check adds the entries up anew and says what must not be: captures beyond an authorization or after its end, refunds
// beyond a capture, an operation that took effect twice, balances that are not the sum of the entries.
func (s *Sandbox) Check() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ledger.check()
}

func (l *Ledger) check() (wrong []string) {
	find := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	seen, taken, voided := map[string]bool{}, map[string]int64{}, map[string]int64{}
	for i := range l.entries {
		e := &l.entries[i]
		op := l.byID[e.ID]
		if seen[e.ID] {
			find("%s %s took effect twice", e.Kind, e.ID)
		}
		seen[e.ID] = true
		if op == nil || op.Status != payment.Succeeded || op.Amount != e.Amount || op.Kind != e.Kind {
			find("the entry of %s %s is not what the operation says", e.Kind, e.ID)
			continue
		}
		if e.Kind == payment.KindAuthorize {
			continue
		}
		p := l.byID[op.Parent]
		if p == nil {
			p = l.byRef[op.ParentReference]
		}
		if p == nil {
			find("%s %s has no parent", e.Kind, e.ID)
			continue
		}
		if e.Kind == payment.KindVoid {
			voided[p.ID] += e.Amount
		} else {
			taken[p.ID] += e.Amount
		}
		if taken[p.ID]+voided[p.ID] > p.Amount {
			find("with %s %s, %d is taken from %s of %d", e.Kind, e.ID, taken[p.ID]+voided[p.ID], p.ID, p.Amount)
		}
		if p.Kind == payment.KindAuthorize && !e.At.Before(p.ExpiresAt) {
			find("%s %s came after the end of %s", e.Kind, e.ID, p.ID)
		}
	}
	for id, op := range l.byID {
		if (op.Status == payment.Succeeded) != seen[id] {
			find("%s %s %s and has an entry: %t", op.Kind, id, op.Status, seen[id])
		}
		if op.Taken != taken[id] || op.Voided != voided[id] {
			find("%s keeps %d taken and %d voided, its entries say %d and %d", id, op.Taken, op.Voided, taken[id], voided[id])
		}
	}
	slices.Sort(wrong)
	return wrong
}
