package sandbox

import (
	"strings"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/partner/pay"
)

// The check finds what it is for: each case plants one thing into a sound ledger.
func TestCheckFindsWhatIsWrong(t *testing.T) {
	start := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	for want, plant := range map[string]func(l *Ledger){
		"":                                       func(*Ledger) {},
		"capture c took effect twice":            func(l *Ledger) { l.entries = append(l.entries, l.entries[1]) },
		"with refund r, 900 is taken from c":     func(l *Ledger) { l.byID["r"].Amount, l.entries[2].Amount = 900, 900 },
		"with capture c, 1100 is taken from a":   func(l *Ledger) { l.byID["c"].Amount, l.entries[1].Amount = 1100, 1100 },
		"capture c came after the end of a":      func(l *Ledger) { l.byID["a"].ExpiresAt = start },
		"the entry of capture c is not":          func(l *Ledger) { l.entries[1].Amount = 1 },
		"refund r succeeded and has an entry: f": func(l *Ledger) { l.entries = l.entries[:2] },
		"a keeps 0 taken":                        func(l *Ledger) { l.byID["a"].Taken = 0 },
		"capture c has no parent":                func(l *Ledger) { l.byID["c"].Parent = "x" },
	} {
		l := newLedger()
		for _, q := range []pay.Request{
			{ID: "a", Kind: "authorize", Amount: 1000, Currency: "EUR", Token: "t"}, {ID: "c", Kind: "capture", Amount: 600, Currency: "EUR", Parent: "a"},
			{ID: "r", Kind: "refund", Amount: 200, Currency: "EUR", Parent: "c"},
		} {
			l.do(&q, start, time.Hour, time.Time{})
		}
		plant(l)
		if wrong := strings.Join(l.check(), "\n"); !strings.Contains(wrong, want) || (want == "") != (wrong == "") {
			t.Errorf("%q: found %q", want, wrong)
		}
	}
}
