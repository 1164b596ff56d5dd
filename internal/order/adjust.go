package order

import (
	"fmt"
	"math/bits"
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/problem"
)

// The kinds of adjustments.
const (
	AdjustAppeasement = "appeasement" // for what went wrong
	AdjustPrice       = "price"       // the price should have been another one
)

// The states of an adjustment.
const (
	AdjustmentApplied  = "applied"
	AdjustmentPending  = "pending" // somebody with the right to approve decides
	AdjustmentDeclined = "declined"
)

const (
	// MaxAdjustments bounds those of one order, declined ones included.
	MaxAdjustments = 100
	// ExceptionApproval is the type of the exception that asks for approval.
	ExceptionApproval = "approval_needed"
)

// CodeMoreThanDue refuses to give back more than the customer pays.
const CodeMoreThanDue = "more_than_due"

// Adjustment lowers what the customer pays, after the order was placed. Its lines stay priced
// as they are; Totals say what was bought.
type Adjustment struct {
	ID     string    `json:"id"`
	Kind   string    `json:"kind"`
	State  string    `json:"state"`
	Amount int64     `json:"amount"` // minor units
	Reason string    `json:"reason"`
	Lines  []string  `json:"lines,omitempty"` // that it is about; none: the order
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	// DecidedBy approved or declined it.
	DecidedBy string `json:"decided_by,omitempty"`
}

// NewAdjustment asks for one.
type NewAdjustment struct {
	Kind   string   `json:"kind,omitempty"` // appeasement (default) or price
	Amount int64    `json:"amount"`
	Reason string   `json:"reason"`
	Lines  []string `json:"lines,omitempty"`
}

// Validate reports every field that is wrong in itself (problem.Invalid).
func (n *NewAdjustment) Validate() error {
	var bad problem.Invalid
	if n.Kind == "" {
		n.Kind = AdjustAppeasement
	}
	problem.OneOf(&bad, "kind", n.Kind, AdjustAppeasement, AdjustPrice)
	bad.Range("amount", n.Amount, 1, MaxAmount)
	if n.Reason == "" {
		bad.Add("reason", problem.Required, "say why")
	}
	text(&bad, "reason", n.Reason, MaxTextBytes)
	bad.Count("lines", len(n.Lines), MaxLines)
	return bad.Err()
}

// Adjusted is how much less the customer pays because of adjustments.
func (o *Order) Adjusted() (sum int64) {
	for i := range o.Adjustments {
		if o.Adjustments[i].State == AdjustmentApplied {
			sum += o.Adjustments[i].Amount
		}
	}
	return sum
}

// Adjust gives the events of an adjustment, or a *Refusal. One that would bring what was
// given by way of adjustments above limit waits for approval; a negative limit does not bind.
func (o *Order) Adjust(n NewAdjustment, by string, limit int64, at time.Time) ([]Event, error) {
	if o.Status == StatusCancelled {
		return nil, refuse(CodeWrongState, "", "the order is cancelled; nothing is paid for it")
	}
	if len(o.Adjustments) >= MaxAdjustments {
		return nil, refuse(CodeTooMany, "", "the order has %d adjustments already", len(o.Adjustments))
	}
	most := o.Owed() - o.Refunds()
	if len(n.Lines) > 0 {
		var lines int64
		for i, id := range n.Lines {
			l := o.Line(id)
			if l == nil || slices.Contains(n.Lines[:i], id) {
				return nil, refuse(CodeUnknownLine, problem.At("lines", i), "line %.60q is unknown or named twice", id)
			}
			lines += l.worthOf(l.Quantity - l.Cancelled)
		}
		most = min(most, lines)
	}
	if n.Amount > most {
		return nil, refuse(CodeMoreThanDue, "amount", "%d is more than the %d that the customer pays", n.Amount, most)
	}
	a := Adjustment{
		ID: number("a", len(o.Adjustments)+1), Kind: n.Kind, State: AdjustmentApplied, Amount: n.Amount, Reason: n.Reason,
		Lines: slices.Clone(n.Lines), By: by, At: at,
	}
	if limit < 0 || o.Adjusted()+n.Amount <= limit {
		return []Event{{Type: EventAdjusted, Adjustment: &a, Reason: n.Reason}}, nil
	}
	a.State = AdjustmentPending
	events := []Event{{Type: EventAdjusted, Adjustment: &a, Reason: n.Reason}}
	x := o.Raise(Exception{
		Type: ExceptionApproval, Message: fmt.Sprintf("%s of %d minor units wants approval: %s", n.Kind, n.Amount, n.Reason), By: by,
		Data: map[string]string{"adjustment": a.ID, "amount": fmt.Sprint(n.Amount)},
	}, at)
	if x != nil {
		events = append(events, *x)
	}
	return events, nil
}

// DecideAdjustment approves or declines one that waits, and closes the exception once none does.
func (o *Order) DecideAdjustment(id string, approve bool, by, reason string, at time.Time) ([]Event, error) {
	i := slices.IndexFunc(o.Adjustments, func(a Adjustment) bool { return a.ID == id && a.State == AdjustmentPending })
	if i < 0 {
		return nil, refuse(CodeWrongState, "", "no adjustment %.60q waits for approval", id)
	}
	a := o.Adjustments[i]
	a.State, a.DecidedBy = AdjustmentDeclined, by
	if approve {
		if a.State = AdjustmentApplied; a.Amount > o.Owed()-o.Refunds() {
			return nil, refuse(CodeMoreThanDue, "", "%d is more than the %d that the customer still pays; decline it", a.Amount, o.Owed()-o.Refunds())
		}
	}
	events := []Event{{Type: EventAdjustmentDecided, Adjustment: &a, By: by, Reason: reason}}
	waits := func(b Adjustment) bool { return b.ID != id && b.State == AdjustmentPending }
	if !slices.ContainsFunc(o.Adjustments, waits) {
		events = append(events, o.CloseExceptions(ExceptionApproval, "", by, a.State)...)
	}
	return events, nil
}

// Owed is what the customer pays in all: the order without what is cancelled and without
// what adjustments gave.
func (o *Order) Owed() int64 {
	var gone int64
	for i := range o.Lines {
		l := &o.Lines[i]
		gone += l.Total - l.worthOf(l.Quantity-l.Cancelled)
	}
	if o.Status == StatusCancelled {
		return 0
	}
	return max(o.Totals.Total-gone-o.Adjusted(), 0)
}

// worthOf is what some units of the line cost, pro rata: the line's total, rounded down.
func (l *Line) worthOf(units int64) int64 {
	if l.Quantity <= 0 || units <= 0 {
		return 0
	}
	high, low := bits.Mul64(uint64(l.Total), uint64(min(units, l.Quantity)))
	n, _ := bits.Div64(high, low, uint64(l.Quantity)) // at most Total, so it fits
	return int64(n)
}

// applyServicing applies the events of customer service; not known: it is another kind of event.
func (o *Order) applyServicing(e *Event, at time.Time) (known bool, err error) {
	switch e.Type {
	case EventEdited:
		if e.Edit == nil {
			return true, fmt.Errorf("order: %s without its edit", e.Type)
		}
		return true, o.applyEdited(e.Edit, at)
	case EventAdjusted, EventAdjustmentDecided:
		if e.Adjustment == nil {
			return true, fmt.Errorf("order: %s without its adjustment", e.Type)
		}
		o.applyAdjustment(*e.Adjustment)
		return true, nil
	}
	return false, nil
}

func (o *Order) applyAdjustment(a Adjustment) {
	o.Adjustments = slices.Clone(o.Adjustments) // an earlier version of the order may share it
	for i := range o.Adjustments {
		if o.Adjustments[i].ID == a.ID {
			o.Adjustments[i] = a
			return
		}
	}
	o.Adjustments = append(o.Adjustments, a)
}
