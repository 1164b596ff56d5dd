package payment

import (
	"time"

	"github.com/orderly-oms/orderly/internal/plant"
)

// sum adds up the amounts of operations that f admits.
func (s *State) sum(f func(*Operation) bool) (n int64) {
	for i := range s.Operations {
		if op := &s.Operations[i]; f(op) {
			n += op.Amount
		}
	}
	return n
}

// Open is what an authorization that succeeded still holds: without what was or may have been
// captured or voided, and what it let go of. Below zero a provider did more than it was to.
func (s *State) Open(auth *Operation) int64 {
	if auth.Kind != KindAuthorize || auth.State != Succeeded {
		return 0
	}
	return auth.Amount - auth.Released - s.sum(func(op *Operation) bool {
		return op.Parent == auth.ID && op.counts() && (op.Kind == KindCapture || op.Kind == KindVoid) && !(op.State == Unknown && plant.On(plant.UnknownIsFree))
	})
}

// Refundable is what of a capture that succeeded was not, and may not have been, refunded.
func (s *State) Refundable(capture *Operation) int64 {
	if capture.Kind != KindCapture || capture.State != Succeeded {
		return 0
	}
	return max(capture.Amount-s.sum(func(op *Operation) bool {
		return op.Parent == capture.ID && op.Kind == KindRefund && op.counts()
	}), 0)
}

// Paid is what refunds with a key paid or may have paid.
func (s *State) Paid(key string) int64 {
	return s.sum(func(op *Operation) bool {
		return op.Kind == KindRefund && op.For == key && op.counts() && !(op.open() && plant.On(plant.RefundTwice))
	})
}

// charged is what a tender pays or may pay by now: captures, without what was given back because it was not due.
// Refunds with a key are not subtracted: they are for what was due.
func (s *State) charged(tender string) int64 {
	return s.sum(func(op *Operation) bool { return op.Tender == tender && op.Kind == KindCapture && op.counts() }) -
		s.sum(func(op *Operation) bool {
			return op.Tender == tender && op.Kind == KindRefund && op.For == "" && op.counts()
		})
}

// asked is what authorizations of a tender will hold if they succeed that nobody answered for yet.
func (s *State) asked(tender string) int64 {
	return s.sum(func(op *Operation) bool { return op.Tender == tender && op.Kind == KindAuthorize && op.open() })
}

// held is what the authorizations of a tender still hold; lasting leaves out those about to be replaced and counts
// those that may succeed.
func (s *State) held(tender string, lasting bool) (n int64) {
	for i := range s.Operations {
		op := &s.Operations[i]
		if op.Tender != tender || op.Kind != KindAuthorize {
			continue
		}
		if lasting && op.open() {
			n += op.Amount
		}
		if !lasting || !op.Renewing {
			n += max(s.Open(op), 0)
		}
	}
	return n
}

// Sums are an order's payments added up, minor units.
type Sums struct {
	Authorized int64 `json:"authorized"` // what authorizations hold now
	Captured   int64 `json:"captured"`
	Voided     int64 `json:"voided"` // given up, or let go of
	Refunded   int64 `json:"refunded"`
	Pending    int64 `json:"pending"` // asked for, outcome not known
}

// Sums adds up what took effect.
func (s *State) Sums() (t Sums) {
	for i := range s.Operations {
		op := &s.Operations[i]
		if op.open() {
			t.Pending += op.Amount
		}
		if op.State != Succeeded {
			continue
		}
		switch op.Kind {
		case KindAuthorize:
			t.Authorized += max(s.Open(op), 0)
			t.Voided += op.Released
		case KindCapture:
			t.Captured += op.Amount
		case KindVoid:
			t.Voided += op.Amount
		case KindRefund:
			t.Refunded += op.Amount
		}
	}
	return t
}

// unanswered reports whether an outcome is not known.
func (s *State) unanswered() bool {
	for i := range s.Operations {
		if s.Operations[i].open() {
			return true
		}
	}
	return false
}

// The standing of an order's payments, as flows read it.
const (
	StandNone           = "none"            // no provider acts for the order
	StandOpen           = "open"            // nothing is authorized yet
	StandPending        = "pending"         // a provider was asked
	StandUnknown        = "unknown"         // what became of an operation cannot be found out
	StandDeclined       = "declined"        // and no other tender pays
	StandAuthorized     = "authorized"      // all that is still to be paid
	StandPartlyCaptured = "partly_captured" // of what is to be paid
	StandCaptured       = "captured"
	StandPartlyRefunded = "partly_refunded"
	StandRefunded       = "refunded" // all that was captured
	StandVoided         = "voided"   // nothing is to be paid, and nothing was
)

// Standings lists them.
var Standings = []string{StandNone, StandOpen, StandPending, StandUnknown, StandDeclined, StandAuthorized, StandPartlyCaptured, StandCaptured, StandPartlyRefunded, StandRefunded, StandVoided}

// Standing is where an order's payments are, of which so much is owed; nil: StandNone.
func (s *State) Standing(w *Want) string {
	if s == nil {
		return StandNone
	}
	p := planner{s: s, w: w}
	shares := p.shares()
	covered := true
	for i := range s.Tenders {
		t := &s.Tenders[i]
		if shares[i] > s.held(t.ID, false) && t.Stopped == KindAuthorize || t.Stopped == KindCapture || t.Stopped == KindRefund {
			return StandDeclined
		}
		if t.Provider != "" && shares[i] > s.held(t.ID, false) {
			covered = false
		}
	}
	for i := range s.Operations {
		if op := &s.Operations[i]; op.open() && op.AskAt.IsZero() {
			return StandUnknown
		}
	}
	t := s.Sums()
	switch {
	case s.unanswered():
		return StandPending
	case t.Refunded > 0 && t.Refunded >= t.Captured:
		return StandRefunded
	case t.Refunded > 0:
		return StandPartlyRefunded
	case w.Owed == 0 && t.Captured == 0:
		return StandVoided
	case t.Captured >= w.Owed:
		return StandCaptured
	case t.Captured > 0:
		return StandPartlyCaptured
	case covered:
		return StandAuthorized
	}
	return StandOpen
}

// Covered reports whether all that is still to be paid is authorized, or paid with tenders that no provider acts for.
func (s *State) Covered(w *Want) bool {
	p := planner{s: s, w: w}
	shares := p.shares()
	var pays int64
	for i := range s.Tenders {
		t := &s.Tenders[i]
		if t.Provider != "" && shares[i] > s.held(t.ID, false) {
			return false
		}
		pays += shares[i] + s.charged(t.ID)
	}
	return pays >= w.Owed
}

// MayRefund is how much may be given back to a tender ("": to all) beside what was promised already.
func (s *State) MayRefund(w *Want, tender string) int64 {
	var all, here, promised, promisedHere int64
	for i := range s.Operations {
		op := &s.Operations[i]
		n := s.Refundable(op)
		all += n
		if op.Tender == tender {
			here += n
		}
	}
	for _, list := range [][]Refund{s.Refunds, w.Refunds} {
		for i := range list {
			n := max(list[i].Amount-s.Paid(list[i].Key), 0)
			promised += n
			if list[i].Tender == tender {
				promisedHere += n
			}
		}
	}
	most := max(all-promised, 0)
	if tender != "" {
		most = min(most, max(here-promisedHere, 0))
	}
	return most
}

// Unpaid is what is owed and not charged to any tender.
func (s *State) Unpaid(w *Want) int64 {
	left := w.Owed
	for i := range s.Tenders {
		left -= s.charged(s.Tenders[i].ID)
	}
	return max(left, 0)
}

// Uncovered is what is owed and neither charged nor authorized; what is to be paid where no provider acts counts as covered.
func (s *State) Uncovered(w *Want) int64 {
	left := s.Unpaid(w)
	p := planner{s: s, w: w}
	for i, share := range p.shares() {
		t := &s.Tenders[i]
		if t.Provider != "" {
			share = min(share, s.held(t.ID, true))
		}
		left -= share
	}
	return max(left, 0)
}

// CashDue is what each tender is to be paid in cash for the units that left.
func (s *State) CashDue(w *Want) []int64 {
	p := planner{s: s, w: w}
	out := make([]int64, len(s.Tenders))
	need := min(w.Left, w.Owed)
	for i := range s.Tenders {
		need -= s.charged(s.Tenders[i].ID)
	}
	shares := p.shares()
	for _, i := range s.ranked(s.Rules.CaptureOrder, s.places()) {
		x := max(min(need, shares[i]), 0)
		need -= x
		if s.Tenders[i].Type == Cash {
			out[i] = x
		}
	}
	return out
}

// AskAgain are the operations of which nobody knows what became, or asks any more, as they are asked for once more by
// now. Those that wait for their first answer are left to it.
func (s *State) AskAgain(now time.Time) (out []Operation) {
	for i := range s.Operations {
		if op := s.Operations[i]; op.State == Unknown || op.open() && op.AskAt.IsZero() {
			op.Attempts, op.AskAt = 1, s.Rules.askAt(1, now)
			out = append(out, op)
		}
	}
	return out
}
