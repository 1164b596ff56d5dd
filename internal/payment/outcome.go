package payment

import (
	"fmt"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/plant"
)

// Answer gives the steps that an outcome means; none: it is known, or says nothing new. What took effect is booked
// even when it contradicts what was known, and a person is told. False: the state has no such operation that a
// provider was asked for.
func Answer(s *State, w *Want, out *Outcome, now time.Time) (steps []Step, known bool) {
	op := s.Operation(out.Operation)
	if op == nil || op.Provider == "" {
		return nil, false
	}
	p := &planner{s: s.Clone(), w: w, now: now}
	switch out.Status {
	case Succeeded:
		p.succeeded(op, out)
	case Declined:
		p.declined(op, out)
	case Unknown:
		if op.State == Pending {
			p.book(out)
		}
	case NotFound:
		p.notFound(op)
	}
	return p.steps, true
}

func (p *planner) book(out *Outcome) { p.steps = append(p.steps, Step{Do: StepBook, Outcome: out}) }

func (p *planner) mismatch(op *Operation, amount int64, format string, args ...any) {
	p.notice(Notice{Type: NoticeMismatch, Operation: op.ID, Tender: op.Tender, Amount: amount, Message: fmt.Sprintf(format, args...)})
}

func (p *planner) succeeded(op *Operation, out *Outcome) {
	other := out.Amount != 0 && out.Amount != op.Amount
	switch {
	case op.State == Succeeded && (other || out.Reference != "" && op.Reference != "" && out.Reference != op.Reference):
		p.mismatch(op, op.Amount, "%s says that %s %s of %d minor units took effect once more, with amount %d and reference %.60q", op.Provider, op.Kind, op.ID, op.Amount, out.Amount, out.Reference)
	case op.State == Succeeded:
	case op.open():
		if p.book(out); other {
			p.mismatch(op, out.Amount, "%s did %s %s with %d minor units; it was asked for %d", op.Provider, op.Kind, op.ID, out.Amount, op.Amount)
		}
	default:
		p.book(out)
		p.mismatch(op, op.Amount, "%s says that %s %s of %d minor units took effect; it was known as %s", op.Provider, op.Kind, op.ID, op.Amount, op.State)
	}
}

func (p *planner) declined(op *Operation, out *Outcome) {
	switch {
	case op.State == Succeeded:
		p.mismatch(op, op.Amount, "%s says that %s %s of %d minor units was declined; it was known as succeeded", op.Provider, op.Kind, op.ID, op.Amount)
	case op.open():
		p.book(out)
		n := Notice{
			Type: NoticeDeclined, Operation: op.ID, Tender: op.Tender, Amount: op.Amount,
			Message: fmt.Sprintf("%s declined to %s %d minor units (%s): %s", op.Provider, op.Kind, op.Amount, op.ID, strings.TrimSpace(out.Code+" "+out.Message)),
		}
		if op.Kind != KindAuthorize {
			n.Type = NoticeFailed
		} else if p.s.held(op.Tender, false) >= p.shares()[p.place(op.Tender)] {
			return // what it was to replace still holds
		}
		p.notice(n)
	}
}

// notFound asks again, with the same id, for what the provider never heard of, though it may not be wanted any more: the
// first request may arrive after all, so it cannot be taken back. What is not wanted is given back once it is done. Of
// an operation whose outcome is known it is an answer that was overtaken; should it be true, the reconciliation says so.
func (p *planner) notFound(op *Operation) {
	if !op.open() {
		return
	}
	again := *op
	if plant.On(plant.CaptureNewID) && op.Kind == KindCapture {
		again.ID = OperationID(p.w.Order, len(p.s.Operations)+1)
	}
	if again.Attempts > len(p.s.Rules.AskMinutes) {
		again.AskAt = time.Time{}
		p.add(StepGiveUp, again)
		p.notice(Notice{
			Type: NoticeUnknown, Operation: op.ID, Tender: op.Tender, Amount: op.Amount,
			Message: fmt.Sprintf("%s does not get to know of %s %s of %d minor units, however often it is asked", op.Provider, op.Kind, op.ID, op.Amount),
		})
		return
	}
	again.State = Pending
	again.Attempts++
	again.AskAt = p.s.Rules.askAt(again.Attempts, p.now)
	p.add(StepRequest, again)
}

// Settled reports whether what a notice told of is over, so that no person is needed any more. What contradicted
// is not: somebody has to look at it.
func Settled(s *State, w *Want, notice string) bool {
	switch notice {
	case NoticeUnknown:
		for i := range s.Operations {
			if op := &s.Operations[i]; op.open() && op.AskAt.IsZero() {
				return false
			}
		}
		return true
	case NoticeDeclined:
		return !s.Refused(w)
	case NoticeExpired:
		return s.Covered(w)
	case NoticeFailed:
		for i := range s.Tenders {
			if k := s.Tenders[i].Stopped; k == KindCapture || k == KindRefund {
				return false
			}
		}
		return len(s.Operations) < MaxOperations
	}
	return false
}

// Refused reports whether a tender was declined that is still to pay something, and nothing else of it is authorized.
func (s *State) Refused(w *Want) bool {
	p := planner{s: s, w: w}
	for i, share := range p.shares() {
		if share > s.held(s.Tenders[i].ID, false) && s.Tenders[i].Stopped == KindAuthorize {
			return true
		}
	}
	return false
}
