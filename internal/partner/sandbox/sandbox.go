// Package sandbox is a payment provider to test against: it speaks the protocol of package pay, keeps a ledger of its
// own, and misbehaves as it is told to.
//
// It promises that an operation takes effect at most once, whatever is sent how often and however it answers; that
// the same id with other content is refused; that it never captures more than an authorization holds nor refunds more
// than a capture took; that its ledger, which it adds up from its entries and checks, is the truth to compare other
// books with; and that what it does wrong depends on its seed, the operation and how often it was asked, not on timing.
//
// It moves no money, knows no cards (tokens are names that somebody made up) and keeps everything in memory.
package sandbox

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/json"
	"io"
	"net/http"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/orderly-oms/orderly/internal/partner/pay"
	"github.com/orderly-oms/orderly/internal/payment"
)

// Limits of a sandbox.
const (
	maxBodyBytes   = 64 << 10
	maxIDBytes     = 200
	maxTextBytes   = 500
	reportRows     = 500
	defaultLife    = 7 * 24 * time.Hour
	defaultClears  = 30 * time.Minute
	defaultSlow    = 2 * time.Second
	maxSilence     = 2 * time.Minute // after which a caller that does not give up is hung up on
	statusPending  = "pending"
	codeOtherUse   = "id_used"
	codeBadRequest = "bad_request"
)

// Options of a sandbox. The zero value behaves well.
type Options struct {
	Seed   uint64
	Secret string           // bearer token that callers must send; "": none
	Clock  func() time.Time // default: time.Now
	// Zone is whose days its reports have. Default: UTC.
	Zone *time.Location
	// Lifetime of authorizations. Default: 7 days.
	Lifetime time.Duration
	// Faults are what goes wrong, and how often.
	Faults Faults
	// Outages are the times at which it is down: it does nothing and answers 503.
	Outages []Window
	// Heard is called with each outcome that a caller was not told, once it may be: what other providers call a
	// notification. It is called by the goroutine of a request, without locks. May be nil.
	Heard func(id string, a pay.Answer)
}

// Window is a time from and before which something holds.
type Window struct{ From, To time.Time }

// Sandbox is the provider: an http.Handler. It is safe for concurrent use.
type Sandbox struct {
	opt    Options
	faults faults

	mu     sync.Mutex
	ledger *Ledger
	late   []late // requests that are still on their way
	calls  Calls
}

// Calls counts what callers sent, and what they got.
type Calls struct {
	Requests, Inquiries, Reports int64
	Faults                       map[string]int64 // by name
}

// late is a request that arrives after its sender gave up.
type late struct {
	at      time.Time
	request pay.Request
}

// New makes a provider.
func New(o Options) *Sandbox {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	if o.Lifetime == 0 {
		o.Lifetime = defaultLife
	}
	if o.Faults.Clears == 0 {
		o.Faults.Clears = defaultClears
	}
	if o.Faults.Slow == 0 {
		o.Faults.Slow = defaultSlow
	}
	return &Sandbox{opt: o, faults: faults{Faults: o.Faults, seed: o.Seed, calls: map[string]int{}}, ledger: newLedger(), calls: Calls{Faults: map[string]int64{}}}
}

// now is the clock, and lets arrive what is late. The lock is held.
func (s *Sandbox) now() time.Time {
	now := s.opt.Clock().UTC()
	waiting := s.late[:0]
	for _, l := range s.late {
		if l.at.After(now) {
			waiting = append(waiting, l)
			continue
		}
		s.ledger.do(&l.request, now, s.opt.Lifetime, time.Time{})
	}
	s.late = waiting
	return now
}

func (s *Sandbox) down(now time.Time) bool {
	for _, w := range s.opt.Outages {
		if !now.Before(w.From) && now.Before(w.To) {
			return true
		}
	}
	return false
}

// ServeHTTP implements http.Handler.
func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.opt.Secret != "" && subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte("Bearer "+s.opt.Secret)) != 1 {
		answer(w, http.StatusUnauthorized, pay.Answer{Status: "refused", Code: "unauthorized", Message: "the bearer token is wrong"})
		return
	}
	id, isOperation := strings.CutPrefix(r.URL.Path, "/operations/")
	day, isReport := strings.CutPrefix(r.URL.Path, "/reports/")
	switch {
	case r.Method == http.MethodPost && r.URL.Path == "/operations":
		s.operate(w, r)
	case r.Method == http.MethodGet && isOperation && id != "":
		s.inquire(w, r, id)
	case r.Method == http.MethodGet && isReport:
		s.report(w, r, day)
	default:
		http.NotFound(w, r) // without a status: not the answer to a question about an operation
	}
}

// operate does what is asked for, or does not, and says so, or does not.
func (s *Sandbox) operate(w http.ResponseWriter, r *http.Request) {
	q, why := read(r)
	if why != "" {
		answer(w, http.StatusBadRequest, pay.Answer{Status: "refused", Code: codeBadRequest, Message: why})
		return
	}
	s.mu.Lock()
	now := s.now()
	s.calls.Requests++
	if s.down(now) {
		s.mu.Unlock()
		answer(w, http.StatusServiceUnavailable, pay.Answer{Status: "refused", Code: "down", Message: "try again later"})
		return
	}
	fault := s.fault(q.ID, operations)
	switch fault {
	case errorBefore:
	case lateRequest:
		s.late = append(s.late, late{now.Add(s.opt.Faults.Clears), q})
	case pending:
		s.ledger.do(&q, now, s.opt.Lifetime, now.Add(s.opt.Faults.Clears))
	case twice:
		s.ledger.do(&q, now, s.opt.Lifetime, time.Time{})
		s.ledger.do(&q, now, s.opt.Lifetime, time.Time{})
	default:
		s.ledger.do(&q, now, s.opt.Lifetime, time.Time{})
	}
	status, a := s.ledger.said(&q, now)
	s.mu.Unlock()
	told, hangUp := s.reply(w, r, fault, status, a)
	if !told && s.opt.Heard != nil {
		if a, ok := s.outcome(q.ID); ok {
			s.opt.Heard(q.ID, a)
		}
	}
	if hangUp {
		panic(http.ErrAbortHandler) // closes the connection without an answer
	}
}

// outcome is the outcome of an operation, whether a caller may know it by now or not; not ok: it did not take place.
func (s *Sandbox) outcome(id string) (a pay.Answer, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	op := s.ledger.byID[id]
	if op == nil {
		return a, false
	}
	op.ClearsAt = time.Time{} // it is told, so that inquiries say the same
	return op.answer(), true
}

// read decodes a request; why says what is wrong with it.
func read(r *http.Request) (q pay.Request, why string) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBodyBytes+1))
	if err != nil || len(body) > maxBodyBytes {
		return q, "the body cannot be read or is longer than " + strconv.Itoa(maxBodyBytes) + " bytes"
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&q); err != nil {
		return q, "the body is no request: " + err.Error()
	}
	switch key := r.Header.Get("Idempotency-Key"); {
	case q.ID == "" || len(q.ID) > maxIDBytes:
		return q, "id must have 1 to " + strconv.Itoa(maxIDBytes) + " bytes"
	case key != q.ID:
		return q, "the header Idempotency-Key must be the id"
	case q.Amount <= 0 || q.Amount > payment.MaxAmount:
		return q, "amount must be positive minor units"
	case len(q.Currency) != 3:
		return q, "currency must be three letters"
	case len(q.Token) > maxTextBytes || len(q.Parent) > maxIDBytes || len(q.ParentReference) > maxTextBytes:
		return q, "token, parent or parent_reference is too long"
	}
	switch q.Kind {
	case payment.KindAuthorize, payment.KindCapture, payment.KindVoid, payment.KindRefund:
		return q, ""
	}
	return q, "kind must be authorize, capture, void or refund"
}

// inquire says what became of an operation.
func (s *Sandbox) inquire(w http.ResponseWriter, r *http.Request, id string) {
	s.mu.Lock()
	now := s.now()
	s.calls.Inquiries++
	if s.down(now) {
		s.mu.Unlock()
		answer(w, http.StatusServiceUnavailable, pay.Answer{Status: "refused", Code: "down", Message: "try again later"})
		return
	}
	fault := s.fault(id, inquiries)
	status, a := s.ledger.said(&pay.Request{ID: id}, now)
	s.mu.Unlock()
	if _, hangUp := s.reply(w, r, fault, status, a); hangUp {
		panic(http.ErrAbortHandler)
	}
}

// fault draws one and counts it. The lock is held.
func (s *Sandbox) fault(id string, kind []fault) fault {
	f := s.faults.draw(id, kind)
	if f != none {
		s.calls.Faults[string(f)]++
	}
	return f
}

// reply answers as the fault has it. Told: the caller got a clear answer, or there is nothing to tell; hangUp: it gets
// none, and the connection is to be closed.
func (s *Sandbox) reply(w http.ResponseWriter, r *http.Request, f fault, status int, a pay.Answer) (told, hangUp bool) {
	switch f {
	case errorBefore, errorAfter:
		answer(w, http.StatusInternalServerError, pay.Answer{Status: "error", Code: "internal", Message: "something went wrong"})
		return f == errorBefore, false
	case cut:
		return false, true
	case silent, lateRequest:
		wait(r.Context(), maxSilence)
		return false, true
	case garbage:
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusOK)
		io.WriteString(w, "<html><body>Please log in to the network</body></html>")
		return false, false
	case slow:
		if !wait(r.Context(), s.opt.Faults.Slow) {
			return false, true
		}
	}
	answer(w, status, a)
	return status != http.StatusAccepted, false
}

// wait is false when the caller gave up before.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

func answer(w http.ResponseWriter, status int, a pay.Answer) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(&a) // a caller that is gone does not hear it
}

// report lists what took effect on a day.
func (s *Sandbox) report(w http.ResponseWriter, r *http.Request, day string) {
	from, err := strconv.Atoi(r.URL.Query().Get("cursor"))
	if r.URL.Query().Get("cursor") == "" {
		from, err = 0, nil
	}
	if _, bad := time.Parse(time.DateOnly, day); bad != nil || err != nil || from < 0 {
		answer(w, http.StatusBadRequest, pay.Answer{Status: "refused", Code: codeBadRequest, Message: "the day must be like 2026-11-25, and the cursor one of a report"})
		return
	}
	s.mu.Lock()
	now := s.now()
	s.calls.Reports++
	down := s.down(now)
	var entries []pay.Entry
	for _, e := range s.ledger.entries {
		if e.At.In(s.opt.Zone).Format(time.DateOnly) == day {
			entries = append(entries, e)
		}
	}
	s.mu.Unlock()
	if down {
		answer(w, http.StatusServiceUnavailable, pay.Answer{Status: "refused", Code: "down", Message: "try again later"})
		return
	}
	sort.SliceStable(entries, func(i, j int) bool { return entries[i].At.Before(entries[j].At) })
	page := pay.Report{Day: day, Entries: []pay.Entry{}}
	if from < len(entries) {
		page.Entries = entries[from:min(from+reportRows, len(entries))]
	}
	if next := from + reportRows; next < len(entries) {
		page.Next = strconv.Itoa(next)
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(&page) // a caller that is gone does not hear it
}

// Arrive lets requests that are on their way arrive, and pending outcomes be told, whatever the clock says.
func (s *Sandbox) Arrive() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.opt.Clock().UTC()
	for i := range s.late {
		s.late[i].at = now
	}
	s.now()
	for _, op := range s.ledger.byID {
		op.ClearsAt = time.Time{}
	}
}

// Restore books an operation that a sandbox before did, as it told it, in the order in which they happened: the ledger
// goes on with a store that outlives it.
func (s *Sandbox) Restore(q pay.Request, a pay.Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ledger.restore(&q, &a)
}

// Behave ends all misbehaviour that is not about money: from now on it answers as it should.
func (s *Sandbox) Behave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.Faults, s.opt.Outages = Faults{Clears: s.opt.Faults.Clears}, nil
}

// Calls are what it was asked so far.
func (s *Sandbox) Calls() Calls {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.calls
	c.Faults = make(map[string]int64, len(s.calls.Faults))
	for name, n := range s.calls.Faults {
		c.Faults[name] = n
	}
	return c
}
