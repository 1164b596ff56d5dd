package payment

import (
	"fmt"
	"slices"
	"time"
)

// Clone copies what events may change.
func (s *State) Clone() *State {
	c := *s
	c.Tenders = slices.Clone(s.Tenders)
	c.Operations = slices.Clone(s.Operations)
	c.Refunds = slices.Clip(s.Refunds)
	return &c
}

// Operation returns the one with the id, or nil.
func (s *State) Operation(id string) *Operation {
	for i := range s.Operations {
		if s.Operations[i].ID == id {
			return &s.Operations[i]
		}
	}
	return nil
}

// Tender returns the one with the id, or nil.
func (s *State) Tender(id string) *Tender {
	for i := range s.Tenders {
		if s.Tenders[i].ID == id {
			return &s.Tenders[i]
		}
	}
	return nil
}

// Planned begins payments (s nil), or adds tenders.
func (s *State) Planned(p *Plan) (*State, error) {
	if s == nil {
		if p.Rules == nil {
			return nil, fmt.Errorf("payment: a plan without rules")
		}
		s = &State{Policy: p.Policy, Rules: *p.Rules, Operations: []Operation{}}
	}
	s.Tenders = append(s.Tenders, p.Tenders...)
	s.Taken = max(s.Taken, p.Taken)
	return s, nil
}

// Requested keeps an operation that a provider is asked for: a new one, or one that it never heard of, again.
func (s *State) Requested(op *Operation) error {
	if s.Tender(op.Tender) == nil {
		return fmt.Errorf("payment: operation %s of an unknown tender %q", op.ID, op.Tender)
	}
	x := s.Operation(op.ID)
	if x == nil {
		s.Operations = append(s.Operations, *op)
		return nil
	}
	if x.Amount != op.Amount || x.Kind != op.Kind || x.Tender != op.Tender {
		return fmt.Errorf("payment: operation %s is another one by now", op.ID)
	}
	*x = *op
	return nil
}

// Inquired keeps that a provider is asked what became of an operation, or, with AskAt zero, that nobody asks any more.
func (s *State) Inquired(op *Operation) error {
	x := s.Operation(op.ID)
	if x == nil {
		return fmt.Errorf("payment: no operation %q", op.ID)
	}
	x.Attempts, x.AskAt = op.Attempts, op.AskAt
	return nil
}

// Expiring keeps that an authorization is to be replaced soon; Expired, that it is gone.
func (s *State) Expiring(id string) error {
	x := s.Operation(id)
	if x == nil {
		return fmt.Errorf("payment: no operation %q", id)
	}
	x.Renewing, x.RenewAt = true, time.Time{}
	return nil
}

// Expired lets go of what an authorization still holds.
func (s *State) Expired(id string) error {
	x := s.Operation(id)
	if x == nil {
		return fmt.Errorf("payment: no operation %q", id)
	}
	s.release(x)
	return nil
}

func (s *State) release(auth *Operation) {
	auth.Released += max(s.Open(auth), 0)
	auth.RenewAt = time.Time{}
}

// Ask keeps what a flow asked for: KindAuthorize or KindCapture.
func (s *State) Ask(kind string) error {
	switch kind {
	case KindAuthorize:
		s.Asked.Authorize = true
	case KindCapture:
		s.Asked.Capture = true
	default:
		return fmt.Errorf("payment: a flow cannot ask for %q", kind)
	}
	return nil
}

// Retried lets operations of a tender be asked for again.
func (s *State) Retried(tender string) error {
	t := s.Tender(tender)
	if t == nil {
		return fmt.Errorf("payment: no tender %q", tender)
	}
	t.Stopped, t.RetryAt = "", time.Time{}
	return nil
}

// Outcome books what became of an operation: succeeded, declined or unknown.
func (s *State) Outcome(out *Outcome, at time.Time) error {
	op := s.Operation(out.Operation)
	if op == nil {
		return fmt.Errorf("payment: no operation %q", out.Operation)
	}
	if out.Reference != "" {
		op.Reference = out.Reference
	}
	switch out.Status {
	case Unknown:
		op.State, op.Code, op.Message = Unknown, out.Code, out.Message
		return nil
	case Succeeded:
		s.succeeded(op, out, at)
	case Declined:
		s.declined(op, out, at)
	default:
		return fmt.Errorf("payment: an outcome %q cannot be booked", out.Status)
	}
	op.AskAt, op.DoneAt = time.Time{}, at
	return nil
}

func (s *State) succeeded(op *Operation, out *Outcome, at time.Time) {
	op.State, op.Code, op.Message = Succeeded, "", ""
	t := s.Tender(op.Tender)
	if out.Amount != 0 && out.Amount != op.Amount {
		op.Requested, op.Amount = op.Amount, out.Amount
		if op.Kind == KindAuthorize && op.Amount < op.Requested {
			t.Short += op.Requested - op.Amount
		}
	}
	if t.Stopped == op.Kind {
		t.Stopped, t.RetryAt = "", time.Time{}
	}
	if t.Stopped == "" {
		t.Declines = 0
	}
	if op.Kind != KindAuthorize {
		return
	}
	s.CancelAt = time.Time{}
	op.ExpiresAt = out.ExpiresAt
	if op.ExpiresAt.IsZero() && s.Rules.LifetimeHours > 0 {
		op.ExpiresAt = at.Add(time.Duration(s.Rules.LifetimeHours) * time.Hour)
	}
	if op.ExpiresAt.After(at) && s.Rules.RenewHours > 0 && t.Type != GiftCard { // a gift card's balance holds one at a time
		// Not before half its life is over, or short-lived ones would replace each other without end.
		op.RenewAt = later(op.ExpiresAt.Add(-time.Duration(s.Rules.RenewHours)*time.Hour), at.Add(op.ExpiresAt.Sub(at)/2))
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// CodeExpired is the code of a decline that says that the authorization is not good any more.
const CodeExpired = "authorization_expired"

func (s *State) declined(op *Operation, out *Outcome, at time.Time) {
	op.State, op.Code, op.Message = Declined, out.Code, out.Message
	t, parent := s.Tender(op.Tender), s.Operation(op.Parent)
	if op.Kind == KindVoid {
		if parent != nil { // it cannot be given up, so it goes by itself
			parent.Released += min(op.Amount, max(s.Open(parent), 0))
		}
		return
	}
	t.Declines++
	left := int64(t.Declines) < s.Rules.Declines
	if op.Kind == KindCapture && out.Code == CodeExpired && parent != nil {
		if s.release(parent); left {
			return // another authorization is asked for at once
		}
	}
	t.Stopped, t.RetryAt = op.Kind, time.Time{}
	if left && s.Rules.RetryHours > 0 {
		t.RetryAt = at.Add(time.Duration(s.Rules.RetryHours) * time.Hour)
	}
	if op.Kind == KindAuthorize && s.Rules.CancelHours > 0 && s.CancelAt.IsZero() {
		s.CancelAt = at.Add(time.Duration(s.Rules.CancelHours) * time.Hour)
	}
}

// NextWake is when payments need a look without anything else happening; zero: not by themselves.
func (s *State) NextWake() (at time.Time) {
	soonest := func(t time.Time) {
		if !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	soonest(s.CancelAt)
	for i := range s.Tenders {
		soonest(s.Tenders[i].RetryAt)
	}
	for i := range s.Operations {
		op := &s.Operations[i]
		if op.open() {
			soonest(op.AskAt)
		} else if op.Kind == KindAuthorize && op.State == Succeeded && !op.ExpiresAt.IsZero() && s.Open(op) > 0 {
			soonest(op.RenewAt)
			soonest(op.ExpiresAt)
		}
	}
	return at
}
