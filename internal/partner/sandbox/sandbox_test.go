package sandbox_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/partner/pay"
	"github.com/orderly-oms/orderly/internal/partner/sandbox"
	"github.com/orderly-oms/orderly/internal/payment"
)

// near calls a handler without a network. A handler that aborts is a connection that ended.
type near struct{ http.Handler }

func (n near) RoundTrip(r *http.Request) (*http.Response, error) {
	answers := make(chan *http.Response, 1)
	go func() {
		defer func() {
			if e, ok := recover().(error); ok && errors.Is(e, http.ErrAbortHandler) {
				answers <- nil
			}
		}()
		rec := httptest.NewRecorder()
		n.ServeHTTP(rec, r)
		answers <- rec.Result()
	}()
	select {
	case <-r.Context().Done():
		return nil, r.Context().Err()
	case a := <-answers:
		if a == nil {
			return nil, io.ErrUnexpectedEOF
		}
		return a, nil
	}
}

// till is a provider with a clock of its own.
type till struct {
	*testing.T
	*sandbox.Sandbox
	now time.Time
}

func newTill(t *testing.T, o sandbox.Options) *till {
	x := &till{T: t, now: time.Date(2026, 11, 23, 22, 0, 0, 0, time.UTC)}
	o.Clock = func() time.Time { return x.now }
	x.Sandbox = sandbox.New(o)
	return x
}

// send gives the status and the body of the answer; status 0: the connection ended.
func (x *till) send(method, path, key string, body any) (int, string) {
	x.Helper()
	var raw []byte
	if text, ok := body.(string); ok {
		raw = []byte(text)
	} else if body != nil {
		raw, _ = json.Marshal(body)
	}
	r := httptest.NewRequest(method, path, bytes.NewReader(raw))
	r.Header.Set("Idempotency-Key", key)
	a, err := near{x.Sandbox}.RoundTrip(r)
	if err != nil {
		return 0, ""
	}
	text, _ := io.ReadAll(a.Body)
	return a.StatusCode, strings.TrimSpace(string(text))
}

func (x *till) do(q pay.Request) (int, pay.Answer) {
	x.Helper()
	if q.Currency == "" {
		q.Currency = "EUR"
	}
	status, text := x.send("POST", "/operations", q.ID, &q)
	var a pay.Answer
	json.Unmarshal([]byte(text), &a)
	return status, a
}

func (x *till) ask(id string) (int, pay.Answer) {
	x.Helper()
	status, text := x.send("GET", "/operations/"+id, "", nil)
	var a pay.Answer
	json.Unmarshal([]byte(text), &a)
	return status, a
}

func auth(id string, amount int64, token string) pay.Request {
	return pay.Request{ID: id, Kind: payment.KindAuthorize, Amount: amount, Token: token}
}

func of(kind, id string, amount int64, parent string) pay.Request {
	return pay.Request{ID: id, Kind: kind, Amount: amount, Parent: parent}
}

func TestLedgerBoundsWhatIsTaken(t *testing.T) {
	x := newTill(t, sandbox.Options{Lifetime: time.Hour})
	for _, c := range []struct {
		q            pay.Request
		status, code string
	}{
		{auth("a", 1000, "tok_1"), "succeeded", ""},
		{auth("n", 1000, ""), "declined", sandbox.CodeNoToken},
		{auth("d", 1000, "decline_1"), "declined", sandbox.CodeDeclined},
		{auth("e", 1000, "decline_once_1"), "declined", sandbox.CodeDeclined},
		{auth("f", 1000, "decline_once_1"), "succeeded", ""},
		{of("capture", "c1", 400, "a"), "succeeded", ""},
		{of("capture", "c2", 601, "a"), "declined", sandbox.CodeTooMuch},
		{of("capture", "c3", 1, "d"), "declined", sandbox.CodeNoParent},
		{of("capture", "c4", 1, "nobody"), "declined", sandbox.CodeNoParent},
		{of("capture", "c5", 1, "c1"), "declined", sandbox.CodeNoParent},
		{pay.Request{ID: "c6", Kind: "capture", Amount: 1, Currency: "USD", Parent: "a"}, "declined", sandbox.CodeCurrency},
		{pay.Request{ID: "c7", Kind: "capture", Amount: 1, Parent: "a", ParentReference: "aut_000005"}, "declined", sandbox.CodeNoParent},
		{of("void", "v1", 500, "a"), "succeeded", ""},
		{of("capture", "c8", 101, "a"), "declined", sandbox.CodeTooMuch},
		{of("capture", "c9", 100, "a"), "succeeded", ""},
		{of("void", "v2", 1, "a"), "declined", sandbox.CodeTooMuch},
		{of("refund", "r1", 300, "c1"), "succeeded", ""},
		{of("refund", "r2", 101, "c1"), "declined", sandbox.CodeTooMuch},
		{of("refund", "r3", 100, "a"), "declined", sandbox.CodeNoParent},
		{pay.Request{ID: "r4", Kind: "refund", Amount: 100, Parent: "c1", Token: "decline_r"}, "declined", sandbox.CodeDeclined},
		{of("refund", "r5", 100, "c1"), "succeeded", ""},
	} {
		if status, a := x.do(c.q); a.Status != c.status || a.Code != c.code || (status == 402) != (c.status == "declined") {
			t.Errorf("%+v: %d %+v", c.q, status, a)
		}
	}
	if want := (sandbox.Sums{Authorized: 2000, Captured: 500, Voided: 500, Refunded: 400, Declined: 14, Operations: 21}); x.Sums(nil) != want {
		t.Errorf("%+v", x.Sums(nil))
	}
	x.now = x.now.Add(time.Hour)
	if _, a := x.do(of("capture", "late", 1, "f")); a.Code != sandbox.CodeExpired {
		t.Errorf("a capture at the end of the authorization: %+v", a)
	}
	if s := x.Sums(nil); s.Expired != 1000 || s.Open() != 0 {
		t.Errorf("%+v", s)
	}
	if wrong := x.Check(); wrong != nil {
		t.Error(wrong)
	}
}

func TestSameIDIsOneOperation(t *testing.T) {
	x := newTill(t, sandbox.Options{})
	_, first := x.do(auth("a", 1000, "tok"))
	x.now = x.now.Add(time.Hour)
	if status, again := x.do(auth("a", 1000, "tok")); status != 200 || again != first {
		t.Errorf("%d %+v, first %+v", status, again, first)
	}
	for _, other := range []pay.Request{auth("a", 999, "tok"), auth("a", 1000, "tok2"), of("capture", "a", 1000, "a"), {ID: "a", Kind: "authorize", Amount: 1000, Token: "tok", Currency: "USD"}} {
		if status, a := x.do(other); status != 409 || a.Status == payment.Succeeded || a.Status == payment.Declined {
			t.Errorf("%+v: %d %+v", other, status, a)
		}
	}
	if n := len(x.Entries()); n != 1 {
		t.Errorf("%d entries", n)
	}
	if status, a := x.ask("a"); status != 200 || a != first {
		t.Errorf("asked: %d %+v", status, a)
	}
	if status, a := x.ask("b"); status != 404 || a.Status != payment.NotFound {
		t.Errorf("asked for what never was: %d %+v", status, a)
	}
}

func TestRefusesWhatIsNoRequest(t *testing.T) {
	x := newTill(t, sandbox.Options{})
	good := `"id":"a","kind":"authorize","amount":5,"currency":"EUR","token":"t"`
	for _, body := range []string{
		"", "nonsense", "[]", `{}`, `{` + good + `,"card":"4111"}`, strings.Replace(`{`+good+`}`, "5", "0", 1), strings.Replace(`{`+good+`}`, "5", "-5", 1),
		strings.Replace(`{`+good+`}`, "EUR", "EURO", 1), strings.Replace(`{`+good+`}`, "authorize", "steal", 1), `{` + good + `,"parent":"` + strings.Repeat("x", 201) + `"}`, strings.Repeat(" ", 70_000) + `{` + good + `}`,
	} {
		if status, a := x.send("POST", "/operations", "a", body); status != 400 || !strings.Contains(a, "bad_request") {
			t.Errorf("%.80s: %d %s", body, status, a)
		}
	}
	if status, _ := x.send("POST", "/operations", "b", `{`+good+`}`); status != 400 {
		t.Errorf("another idempotency key: %d", status)
	}
	for _, at := range []string{"GET /operations", "GET /operations/", "DELETE /operations/a", "GET /", "POST /reports/2026-11-23"} {
		method, path, _ := strings.Cut(at, " ")
		if status, a := x.send(method, path, "", nil); status != 404 || strings.Contains(a, "not_found") {
			t.Errorf("%s: %d %s", at, status, a)
		}
	}
	for _, path := range []string{"/reports/", "/reports/yesterday", "/reports/2026-11-23?cursor=x", "/reports/2026-11-23?cursor=-1"} {
		if status, _ := x.send("GET", path, "", nil); status != 400 {
			t.Errorf("%s: %d", path, status)
		}
	}
	if s := x.Sums(nil); s.Operations != 0 {
		t.Errorf("%+v", s)
	}
	x = newTill(t, sandbox.Options{Secret: "s3cret"})
	if status, _ := x.send("POST", "/operations", "a", `{`+good+`}`); status != 401 || x.Sums(nil).Operations != 0 {
		t.Errorf("without the secret: %d", status)
	}
}

// Each fault alone: what the caller hears, whether it took effect, and what an inquiry says afterwards.
func TestEachFault(t *testing.T) {
	for name, c := range map[string]struct {
		faults sandbox.Faults
		status int
		effect bool
	}{
		"cut": {sandbox.Faults{Cut: 1}, 0, true}, "error after": {sandbox.Faults{ErrorAfter: 1}, 500, true}, "error before": {sandbox.Faults{ErrorBefore: 1}, 500, false},
		"pending": {sandbox.Faults{Pending: 1}, 202, true}, "garbage": {sandbox.Faults{Garbage: 1}, 200, true}, "twice": {sandbox.Faults{Twice: 1}, 200, true},
		"delayed": {sandbox.Faults{Delayed: 1, Slow: 1}, 200, true},
	} {
		t.Run(name, func(t *testing.T) {
			var heard []string
			x := newTill(t, sandbox.Options{Faults: c.faults, Heard: func(id string, a pay.Answer) { heard = append(heard, id+" "+a.Status) }})
			status, a := x.do(auth("a", 100, "tok"))
			clear := name == "twice" || name == "delayed"
			if _, effect := x.Find("a"); status != c.status || effect != c.effect || (a.Status == payment.Succeeded) != clear {
				t.Fatalf("%d %+v, took effect: %t", status, a, effect)
			}
			if told := slices.Equal(heard, []string{"a succeeded"}); told != (c.effect && !clear) {
				t.Errorf("told by itself: %v", heard)
			}
			x.Behave()
			want := 200
			if !c.effect {
				want = 404
			}
			if status, _ := x.ask("a"); status != want {
				t.Errorf("asked: %d", status)
			}
			if status, a := x.do(auth("a", 100, "tok")); status != 200 || a.Status != payment.Succeeded || len(x.Entries()) != 1 {
				t.Errorf("again: %d %+v, %d entries", status, a, len(x.Entries()))
			}
			if wrong := x.Check(); wrong != nil {
				t.Error(wrong)
			}
		})
	}
}

func TestPendingClears(t *testing.T) {
	x := newTill(t, sandbox.Options{Faults: sandbox.Faults{Pending: 1, Clears: time.Hour}})
	x.do(auth("a", 100, "decline_"))
	if status, a := x.ask("a"); status != 202 || a.Status == payment.Declined {
		t.Errorf("before: %d %+v", status, a)
	}
	x.now = x.now.Add(time.Hour)
	if status, a := x.ask("a"); status != 200 || a.Status != payment.Declined {
		t.Errorf("after: %d %+v", status, a)
	}
}

func TestOutageDoesNothing(t *testing.T) {
	x := newTill(t, sandbox.Options{})
	x.do(auth("a", 100, "tok"))
	from := x.now.Add(time.Hour)
	x = newTill(t, sandbox.Options{Outages: []sandbox.Window{{from, from.Add(time.Hour)}}})
	for _, c := range []struct {
		after  time.Duration
		status int
	}{{0, 404}, {time.Hour, 503}, {2*time.Hour - 1, 503}, {2 * time.Hour, 404}} {
		x.now = from.Add(c.after - time.Hour)
		if status, _ := x.ask("a"); status != c.status {
			t.Errorf("asked after %s: %d", c.after, status)
		}
		if status, _ := x.do(auth(fmt.Sprint(c.after), 1, "tok")); (status == 503) != (c.status == 503) {
			t.Errorf("done after %s: %d", c.after, status)
		}
		if status, _ := x.send("GET", "/reports/2026-11-23", "", nil); (status == 503) != (c.status == 503) {
			t.Errorf("report after %s: %d", c.after, status)
		}
	}
	if n := x.Sums(nil).Operations; n != 2 {
		t.Errorf("%d operations", n)
	}
}

// Reports have the days of the provider's zone and come in pages.
func TestReportByDay(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	x := newTill(t, sandbox.Options{Zone: berlin, Seed: 1, Faults: sandbox.Faults{Pending: .5, Clears: 48 * time.Hour}})
	for i := range 1201 { // from 22:00 UTC, which is 23:00 there, six seconds apart: 600 before midnight
		x.do(auth(fmt.Sprintf("a%04d", i), int64(i+1), "tok"))
		x.now = x.now.Add(6 * time.Second)
	}
	x.do(auth("no", 1, "decline_"))
	client := pay.NewClient(&pay.Provider{Settings: pay.Settings{URL: "http://sandbox"}}, near{x.Sandbox}, 0)
	for day, want := range map[string]int{"2026-11-22": 0, "2026-11-23": 600, "2026-11-24": 601} {
		n, sum, cursor := 0, int64(0), ""
		for {
			r, err := client.Report(t.Context(), day, cursor)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range r.Entries {
				n++
				sum += e.Amount
			}
			if cursor = r.Next; cursor == "" {
				break
			}
		}
		first := int64(0)
		if day == "2026-11-24" {
			first = 600
		}
		if n != want || sum != int64(n)*(2*first+int64(n)+1)/2 {
			t.Errorf("%s: %d entries of %d in all", day, n, sum)
		}
	}
	if status, text := x.send("GET", "/reports/2026-11-24?cursor=5000", "", nil); status != 200 || text != `{"day":"2026-11-24","entries":[]}` {
		t.Errorf("beyond the end: %d %s", status, text)
	}
}

// A ledger that is restored from what it told goes on as if it had never stopped.
func TestRestoreGoesOn(t *testing.T) {
	x, y := newTill(t, sandbox.Options{}), newTill(t, sandbox.Options{})
	for _, q := range []pay.Request{
		auth("a", 1000, "tok"), of("capture", "c", 600, "a"), of("void", "v", 100, "a"), of("refund", "r", 200, "c"), auth("d", 5, "decline_once_1"), auth("n", 5, "decline_"),
	} {
		_, a := x.do(q)
		q.Currency = "EUR"
		y.Restore(q, a)
		y.Restore(q, a) // it is told again
	}
	for _, q := range []pay.Request{
		of("capture", "c", 600, "a"), of("capture", "c2", 301, "a"), of("capture", "c3", 300, "a"), of("refund", "r2", 401, "c"), of("refund", "r3", 400, "c"), auth("d", 5, "decline_once_1"), auth("e", 5, "decline_once_1"), auth("n", 5, "decline_"),
	} {
		_, a := x.do(q)
		if _, b := y.do(q); a != b {
			t.Errorf("%+v: %+v, restored %+v", q, a, b)
		}
	}
	if x.Sums(nil) != y.Sums(nil) || !slices.Equal(x.Entries(), y.Entries()) {
		t.Errorf("%+v, restored %+v", x.Sums(nil), y.Sums(nil))
	}
	if wrong := y.Check(); wrong != nil {
		t.Error(wrong)
	}
}

func TestFaultsRepeatWithTheirSeed(t *testing.T) {
	run := func(seed uint64, backwards bool) map[string]int {
		x := newTill(t, sandbox.Options{Seed: seed, Faults: sandbox.Faults{Cut: .2, ErrorAfter: .2, ErrorBefore: .2, Pending: .2}})
		out := map[string]int{}
		ids := make([]string, 50)
		for i := range ids {
			ids[i] = fmt.Sprint("a", i)
		}
		if backwards {
			slices.Reverse(ids)
		}
		for _, id := range ids {
			for try := range 3 {
				out[fmt.Sprint(id, try)], _ = x.do(auth(id, 1, "tok"))
			}
		}
		return out
	}
	a, b, other := run(7, false), run(7, true), run(8, false)
	if fmt.Sprint(a) != fmt.Sprint(b) {
		t.Error("the order of operations changed what went wrong")
	}
	if fmt.Sprint(a) == fmt.Sprint(other) {
		t.Error("another seed changed nothing")
	}
}

func TestMostBoundsFaults(t *testing.T) {
	x := newTill(t, sandbox.Options{Faults: sandbox.Faults{ErrorBefore: 1, Most: 2}})
	for i, want := range []int{500, 500, 200, 200} {
		if status, _ := x.do(auth("a", 1, "tok")); status != want {
			t.Errorf("call %d: %d", i, status)
		}
	}
}
