package payment

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Want is what an order wants of its payments: a pure function of the order.
type Want struct {
	Order    string
	Currency string
	// Owed is what the customer pays in all: without what is cancelled and what adjustments gave. Returns do not lower it.
	Owed int64
	// Left and Reached are the share of Owed for units that left, and for those that reached the customer.
	Left, Reached int64
	// Released says that units are with locations and nothing but payment holds the order.
	Released bool
	// Refunds are those that returns ask for.
	Refunds []Refund
}

// The steps that Due gives.
const (
	StepRequest  = "request"  // a provider is asked for Operation
	StepRecord   = "record"   // Operation is done elsewhere, and written down
	StepInquire  = "inquire"  // a provider is asked what became of Operation
	StepGiveUp   = "give_up"  // nobody knows what became of Operation, and it is not asked for any more
	StepExpiring = "expiring" // the authorization Operation is to be replaced
	StepExpired  = "expired"  // the authorization Operation is gone
	StepRetry    = "retry"    // what was declined of Operation.Tender may be asked for again
	StepAbandon  = "abandon"  // payment stays declined: what can be is to be cancelled
	StepNotice   = "notice"   // a person is needed
	StepBook     = "book"     // Outcome took place
)

// Step is one thing to do about an order's payments.
type Step struct {
	Do        string
	Operation Operation
	Outcome   *Outcome
	Notice    *Notice
}

// The types of notices, which are those of exceptions.
const (
	NoticeDeclined = "payment_declined"
	NoticeUnknown  = "payment_unknown"
	NoticeMismatch = "payment_mismatch"
	NoticeExpired  = "payment_expired"
	NoticeFailed   = "payment_failed"
)

// Notice is what a person is told.
type Notice struct {
	Type, Message string
	Operation     string
	Tender        string
	Amount        int64
}

// planner works steps out on a state of its own.
type planner struct {
	s     *State
	w     *Want
	now   time.Time
	steps []Step
	full  bool // the limit was met and told of
}

// Due gives the steps that are due now, in order; each takes effect on the state as the method of its name says.
// After they took effect nothing more is due until something happens or NextWake has come.
func Due(s *State, w *Want, now time.Time) []Step {
	p := &planner{s: s.Clone(), w: w, now: now}
	p.time()
	for {
		n := len(p.steps)
		p.refund()
		p.authorize()
		p.capture()
		p.void()
		if len(p.steps) == n {
			return p.steps
		}
	}
}

func (p *planner) due(t time.Time) bool { return !t.IsZero() && !t.After(p.now) }

// time does what the time has come for.
func (p *planner) time() {
	for i := range p.s.Tenders {
		if t := &p.s.Tenders[i]; p.due(t.RetryAt) {
			t.Stopped, t.RetryAt = "", time.Time{}
			p.add(StepRetry, Operation{Tender: t.ID})
		}
	}
	for i := range p.s.Operations {
		op := &p.s.Operations[i]
		switch {
		case op.open() && p.due(op.AskAt):
			p.ask(op)
		case op.Kind != KindAuthorize || op.State != Succeeded || p.s.Open(op) <= 0:
		case p.due(op.ExpiresAt):
			p.s.release(op)
			p.add(StepExpired, *op)
		case p.due(op.RenewAt):
			op.Renewing, op.RenewAt = true, time.Time{}
			p.add(StepExpiring, *op)
		}
	}
	if p.due(p.s.CancelAt) {
		p.s.CancelAt = time.Time{}
		p.add(StepAbandon, Operation{})
	}
	p.expired()
}

// expired tells of authorizations that ended while money was still to come and none took their place.
func (p *planner) expired() {
	shares := p.shares()
	for _, st := range p.steps {
		if st.Do != StepExpired {
			continue
		}
		i := p.place(st.Operation.Tender)
		if missing := shares[i] - p.s.held(st.Operation.Tender, true); missing > 0 && p.s.Tenders[i].Stopped != "" {
			p.notice(Notice{
				Type: NoticeExpired, Operation: st.Operation.ID, Tender: st.Operation.Tender, Amount: missing,
				Message: fmt.Sprintf("Authorization %s ended and %d minor units are still to be captured; no other was granted", st.Operation.ID, missing),
			})
		}
	}
}

func (p *planner) place(tender string) int {
	return slices.IndexFunc(p.s.Tenders, func(t Tender) bool { return t.ID == tender })
}

func (p *planner) ask(op *Operation) {
	if op.Attempts >= len(p.s.Rules.AskMinutes) {
		op.AskAt = time.Time{}
		p.add(StepGiveUp, *op)
		p.notice(Notice{
			Type: NoticeUnknown, Operation: op.ID, Tender: op.Tender, Amount: op.Amount,
			Message: fmt.Sprintf("Whether %s %s of %d minor units took effect is not known: %s was asked %d times", op.Kind, op.ID, op.Amount, op.Provider, op.Attempts),
		})
		return
	}
	op.Attempts++
	op.AskAt = p.s.Rules.askAt(op.Attempts, p.now)
	p.add(StepInquire, *op)
}

func (p *planner) add(do string, op Operation) {
	p.steps = append(p.steps, Step{Do: do, Operation: op})
}

func (p *planner) notice(n Notice) { p.steps = append(p.steps, Step{Do: StepNotice, Notice: &n}) }

// operation asks for one, or writes it down when no provider acts for the tender. False: at the limit.
func (p *planner) operation(t *Tender, kind string, amount int64, parent *Operation, refund string) bool {
	s := p.s
	if len(s.Operations) >= MaxOperations {
		if !p.full {
			p.full = true
			p.notice(Notice{Type: NoticeFailed, Tender: t.ID, Amount: amount, Message: fmt.Sprintf("The order has %d operations already; %s of %d minor units was not asked for", MaxOperations, kind, amount)})
		}
		return false
	}
	op := Operation{
		ID: OperationID(p.w.Order, len(s.Operations)+1), Kind: kind, Tender: t.ID, Provider: t.Provider, Amount: amount, Currency: p.w.Currency,
		RequestedAt: p.now, State: Pending, For: refund,
	}
	if parent != nil {
		op.Parent, op.ParentRef = parent.ID, parent.Reference
		if parent.Provider == "" {
			op.Provider = "" // what was done elsewhere is undone there
		}
	}
	if kind == KindAuthorize || kind == KindRefund {
		op.Token = t.Token
	}
	do := StepRequest
	if op.Provider == "" {
		do, op.State, op.DoneAt, op.By = StepRecord, Succeeded, p.now, "core"
	} else {
		op.AskAt = s.Rules.askAt(0, p.now)
	}
	s.Operations = append(s.Operations, op)
	p.add(do, op)
	return true
}

// OperationID is the id of an order's operation by its count, from 1.
func OperationID(order string, n int) string { return fmt.Sprintf("%s-p%d", order, n) }

// ranked are the places of tenders, those of the types named first, in their order.
func (s *State) ranked(types []string, order []int) []int {
	rank := func(i int) int {
		if at := slices.Index(types, s.Tenders[i].Type); at >= 0 {
			return at
		}
		return len(types)
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(rank(a), rank(b)) })
	return order
}

func (s *State) places() []int {
	out := make([]int, len(s.Tenders))
	for i := range out {
		out[i] = i
	}
	return out
}

// shares is what each tender is still to pay beside what it is charged by now, up to what the customer agreed to: those
// that hold money already, in the order of the rules, so that a tender which is tried again takes nothing from the one that
// stood in for it; then any in that order, those that declined last. What an edit made the order cost more than all
// tenders is for the last that can be charged more.
func (p *planner) shares() []int64 {
	s := p.s
	out := make([]int64, len(s.Tenders))
	left := p.w.Owed
	var agreed int64
	charged := make([]int64, len(s.Tenders))
	for i := range s.Tenders {
		charged[i] = s.charged(s.Tenders[i].ID)
		left -= charged[i]
		agreed += s.Tenders[i].Amount
	}
	order := s.ranked(s.Rules.CaptureOrder, s.places())
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(boolInt(s.Tenders[a].Stopped == KindAuthorize), boolInt(s.Tenders[b].Stopped == KindAuthorize))
	})
	for _, i := range order {
		t := &s.Tenders[i]
		if x := min(left, t.Amount-t.Short-charged[i], s.held(t.ID, false)+s.asked(t.ID)); x > 0 {
			out[i] = x
			left -= x
		}
	}
	last := -1
	for _, i := range order {
		t := &s.Tenders[i]
		if x := min(left, t.Amount-t.Short-charged[i]-out[i]); x > 0 {
			out[i] += x
			left -= x
		}
		if t.Provider != "" && t.Short == 0 && t.Stopped == "" && (t.Type == Card || t.Type == Account || t.Type == Other) {
			last = i
		}
	}
	if more := min(left, p.w.Owed-agreed); more > 0 && last >= 0 {
		out[last] += more
	}
	return out
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (p *planner) authorize() {
	s := p.s
	switch {
	case p.w.Left > 0:
	case s.Rules.Authorize == AuthorizeAtRelease && !p.w.Released, s.Rules.Authorize == AuthorizeByFlow && !s.Asked.Authorize:
		return
	}
	shares := p.shares()
	for i := range s.Tenders {
		t := &s.Tenders[i]
		if t.Provider == "" || t.Type == Cash || t.Stopped == KindAuthorize {
			continue
		}
		if missing := shares[i] - s.held(t.ID, true); missing > 0 {
			p.operation(t, KindAuthorize, missing, nil, "")
		}
	}
}

// earned is what is to be captured by now in all.
func (p *planner) earned() int64 {
	switch p.s.Rules.Capture {
	case CaptureAtOrder:
		return p.w.Owed
	case CaptureAtHandover:
		return min(p.w.Reached, p.w.Owed)
	case CaptureByFlow:
		if !p.s.Asked.Capture {
			return 0
		}
	}
	return min(p.w.Left, p.w.Owed)
}

func (p *planner) capture() {
	s := p.s
	need := p.earned()
	for i := range s.Tenders {
		need -= s.charged(s.Tenders[i].ID)
	}
	if need <= 0 {
		return
	}
	shares := p.shares()
	for _, i := range s.ranked(s.Rules.CaptureOrder, s.places()) {
		t := &s.Tenders[i]
		x := min(need, shares[i])
		if x <= 0 {
			continue
		}
		need -= x // what it cannot pay yet waits for it: no other tender pays in its place
		switch {
		case t.Type == Cash, t.Stopped == KindCapture:
		case t.Provider == "":
			p.operation(t, KindCapture, x, nil, "")
		default:
			p.captureFrom(t, x)
		}
	}
}

// captureFrom captures from the authorizations of a tender, those first that end first.
func (p *planner) captureFrom(t *Tender, amount int64) {
	for _, i := range p.authorizations(t) {
		if amount <= 0 {
			return
		}
		a := p.s.Operations[i]
		if x := min(amount, p.s.Open(&a)); x > 0 && p.operation(t, KindCapture, x, &a, "") {
			amount -= x
		}
	}
}

// authorizations are the places of a tender's authorizations that are good, the one that ends first first.
func (p *planner) authorizations(t *Tender) (out []int) {
	for i := range p.s.Operations {
		op := &p.s.Operations[i]
		if op.Tender == t.ID && op.Kind == KindAuthorize && op.State == Succeeded && !p.due(op.ExpiresAt) {
			out = append(out, i)
		}
	}
	end := func(i int) time.Time { return p.s.Operations[i].ExpiresAt }
	slices.SortStableFunc(out, func(a, b int) int {
		if za, zb := end(a).IsZero(), end(b).IsZero(); za != zb {
			return cmp.Compare(boolInt(za), boolInt(zb))
		}
		return end(a).Compare(end(b))
	})
	return out
}

// void gives up what authorizations hold beyond what is still to be paid.
func (p *planner) void() {
	shares := p.shares()
	for i := range p.s.Tenders {
		t := &p.s.Tenders[i]
		over := p.s.held(t.ID, false) - shares[i]
		if t.Provider == "" || over <= 0 {
			continue
		}
		for _, k := range p.authorizations(t) {
			a := p.s.Operations[k]
			if x := min(over, p.s.Open(&a)); x > 0 && p.operation(t, KindVoid, x, &a, "") {
				over -= x
			}
		}
	}
}

// refund gives back what was asked for, and what was captured and is not due any more.
func (p *planner) refund() {
	for _, list := range [][]Refund{p.s.Refunds, p.w.Refunds} {
		for i := range list {
			r := &list[i]
			p.giveBack(r.Amount-p.s.Paid(r.Key), r.Key, r.Tender)
		}
	}
	over := -p.w.Owed
	for i := range p.s.Tenders {
		over += p.s.charged(p.s.Tenders[i].ID)
	}
	p.giveBack(over, "", "")
}

// giveBack refunds an amount to the tenders in the order of the rules, never more than each paid.
func (p *planner) giveBack(amount int64, key, only string) {
	if amount <= 0 {
		return
	}
	s := p.s
	for _, i := range s.ranked(s.Rules.RefundOrder, s.places()) {
		t := &s.Tenders[i]
		if only != "" && t.ID != only {
			continue
		}
		stopped := t.Stopped == KindRefund
		for k := 0; k < len(s.Operations) && amount > 0; k++ {
			c := s.Operations[k]
			x := min(amount, s.Refundable(&c))
			if c.Tender != t.ID || x <= 0 {
				continue
			}
			if stopped { // it waits for this tender, no other gets its money
				amount -= x
			} else if p.operation(t, KindRefund, x, &c, key) {
				amount -= x
			}
		}
	}
}
