package order

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
)

// The events of returns and exchanges.
const (
	EventReturnAuthorized = "return.authorized" // also of one that arrived without being authorised
	EventReturnInTransit  = "return.in_transit"
	EventReturnReceived   = "return.received"
	EventReturnInspected  = "return.inspected"
	EventReturnDisposed   = "return.disposed"
	EventReturnRefundDue  = "return.refund_due"
	EventReturnClosed     = "return.closed"
	EventReturnCancelled  = "return.cancelled"
	EventReturnExpired    = "return.expired"
	EventExchanged        = "order.exchanged"
)

// ReturnStep is what happened to units of one item of a return.
type ReturnStep struct {
	// Item is its number, from 1. 0 in a receipt: a further one, split from item From, or (From 0) of units that nobody announced.
	Item     int    `json:"item,omitempty"`
	From     int    `json:"from,omitempty"`
	Line     string `json:"line"`
	Quantity int64  `json:"quantity,omitempty"` // received, or disposed of
	Accepted int64  `json:"accepted,omitempty"`
	Rejected int64  `json:"rejected,omitempty"`
	// Condition as it was found; "": as it was.
	Condition   string `json:"condition,omitempty"`
	Disposition string `json:"disposition,omitempty"`
}

// applyReturn applies the events of returns; not known: it is another kind of event.
func (o *Order) applyReturn(e *Event, at time.Time) (known bool, err error) {
	switch {
	case e.Type == EventExchanged:
		return true, o.applyExchanged(e)
	case !strings.HasPrefix(e.Type, "return."):
		return false, nil
	case e.Type == EventReturnAuthorized:
		return true, o.applyAuthorized(e)
	}
	r := o.Return(e.ReturnID)
	if r == nil {
		return true, fmt.Errorf("order: %s of a return %q that the order does not have", e.Type, e.ReturnID)
	}
	switch e.Type {
	case EventReturnInTransit:
		r.SentAt = at
		if len(e.Parcels) > 0 {
			r.Carrier, r.Tracking = e.Parcels[0].Carrier, e.Parcels[0].Tracking
		}
	case EventReturnReceived:
		err = o.applyReceived(r, e, at)
	case EventReturnInspected:
		err = o.applyInspected(r, e)
	case EventReturnDisposed:
		err = r.applyDisposed(e)
	case EventReturnRefundDue:
		err = r.applyRefund(e)
	case EventReturnClosed, EventReturnCancelled, EventReturnExpired:
		o.applyReturnEnd(r, e, at)
		return true, o.checkReturns()
	default:
		return true, fmt.Errorf("order: unknown event %q", e.Type)
	}
	if err != nil {
		return true, err
	}
	r.settle()
	return true, o.checkReturns()
}

func (o *Order) applyAuthorized(e *Event) error {
	if e.Return == nil {
		return fmt.Errorf("order: %s without its return", e.Type)
	}
	r := *e.Return
	r.Lines = slices.Clone(r.Lines)
	for i := range r.Lines {
		l := o.Line(r.Lines[i].Line)
		if l == nil {
			return fmt.Errorf("order: no line %q", r.Lines[i].Line)
		}
		if r.Lines[i].Keep {
			l.Returned += r.Lines[i].Quantity
		}
	}
	o.Returns = append(o.Returns, r)
	return o.checkReturns()
}

// item returns the item that a step is about.
func (r *Return) item(number int) (*ReturnedLine, error) {
	if number < 1 || number > len(r.Lines) {
		return nil, fmt.Errorf("order: return %s has no item %d", r.ID, number)
	}
	return &r.Lines[number-1], nil
}

func (o *Order) applyReceived(r *Return, e *Event, at time.Time) error {
	for i := range e.ReturnSteps {
		s := &e.ReturnSteps[i]
		line := o.Line(s.Line)
		if line == nil {
			return fmt.Errorf("order: no line %q", s.Line)
		}
		item, err := r.arrived(s, line)
		if err != nil {
			return err
		}
		item.At = e.Location
		item.Received += s.Quantity
		if s.Condition != "" {
			item.Found = s.Condition
		}
		if !item.Inspect {
			item.Accepted += s.Quantity
		}
		line.Returned += s.Quantity
	}
	if r.ReceivedAt.IsZero() {
		r.ReceivedAt = at
	}
	if e.MessageID != "" {
		r.Messages = append(slices.Clip(r.Messages), e.MessageID)
	}
	return nil
}

// arrived returns the item that units which arrived belong to, a new one when they come apart.
func (r *Return) arrived(s *ReturnStep, line *Line) (*ReturnedLine, error) {
	if s.Item != 0 {
		return r.item(s.Item)
	}
	next := ReturnedLine{Line: s.Line, SKU: line.SKU, Quantity: s.Quantity, Unexpected: true, Inspect: true, Refused: ReturnUnexpected}
	if s.From != 0 {
		from, err := r.item(s.From)
		if err != nil {
			return nil, err
		}
		from.Quantity -= s.Quantity
		next = ReturnedLine{
			Line: from.Line, SKU: from.SKU, Quantity: s.Quantity, Unexpected: from.Unexpected, Reason: from.Reason, Condition: from.Condition, To: from.To, Rule: from.Rule,
			Inspect: from.Inspect, Refused: from.Refused, UnitFee: from.UnitFee, FeePercent: from.FeePercent,
		}
	}
	r.Lines = append(r.Lines, next)
	return &r.Lines[len(r.Lines)-1], nil
}

func (o *Order) applyInspected(r *Return, e *Event) error {
	for i := range e.ReturnSteps {
		s := &e.ReturnSteps[i]
		item, err := r.item(s.Item)
		if err != nil {
			return err
		}
		item.Accepted += s.Accepted
		item.Rejected += s.Rejected
		if s.Condition != "" {
			item.Found = s.Condition
		}
		l := o.Line(item.Line)
		if l == nil {
			return fmt.Errorf("order: no line %q", item.Line)
		}
		l.Returned -= s.Rejected
	}
	return nil
}

func (r *Return) applyDisposed(e *Event) error {
	for i := range e.ReturnSteps {
		s := &e.ReturnSteps[i]
		item, err := r.item(s.Item)
		if err != nil {
			return err
		}
		switch s.Disposition {
		case Restock:
			item.Restocked += s.Quantity
		case Refurbish:
			item.Refurbished += s.Quantity
		case Scrap:
			item.Scrapped += s.Quantity
		case ToVendor:
			item.ToVendor += s.Quantity
		default:
			return fmt.Errorf("order: %s to %q", e.Type, s.Disposition)
		}
	}
	return nil
}

// applyReturnEnd ends a return, or only the wait for what did not come of one that has other work left.
func (o *Order) applyReturnEnd(r *Return, e *Event, at time.Time) {
	came := r.sum(func(l *ReturnedLine) int64 { return l.Received })
	if x := r.Exchange; x != nil && x.Waits && !r.ExchangeReady() {
		void := *x
		void.Void = true
		r.Exchange = &void
	}
	for i := range r.Lines {
		l := &r.Lines[i]
		if l.Keep {
			if e.Type == EventReturnCancelled {
				o.Line(l.Line).Returned -= l.Quantity
			}
			continue
		}
		l.Missing += l.Expected()
		l.Quantity = l.Received
	}
	switch {
	case e.Type == EventReturnCancelled:
		r.Status = ReturnCancelled
	case e.Type == EventReturnClosed:
		r.Status = ReturnClosed
	case came == 0:
		r.Status = ReturnExpired
	default:
		r.settle()
		return
	}
	r.EndedAt = at
}

// settle sets the status from the quantities.
func (r *Return) settle() {
	switch came := r.sum(func(l *ReturnedLine) int64 { return l.Received }); {
	case r.Status.Final():
	case came == 0 && r.SentAt.IsZero():
		r.Status = ReturnAuthorized
	case came == 0:
		r.Status = ReturnInTransit
	case r.sum((*ReturnedLine).ToInspect) > 0:
		r.Status = ReturnReceived
	case r.sum((*ReturnedLine).ToDispose) > 0:
		r.Status = ReturnInspected
	case r.Expected() > 0:
		r.Status = ReturnReceived
	default:
		r.Status = ReturnDisposed
	}
}

// checkReturns asserts what must hold after every event of a return.
func (o *Order) checkReturns() error {
	for i := range o.Returns {
		r := &o.Returns[i]
		for j := range r.Lines {
			l := &r.Lines[j]
			if l.Quantity < 0 || l.Expected() < 0 || l.ToInspect() < 0 || l.ToDispose() < 0 || l.Keep && l.Received > 0 ||
				min(l.Received, l.Accepted, l.Rejected, l.Missing, l.Restocked, l.Refurbished, l.Scrapped, l.ToVendor) < 0 {
				return fmt.Errorf("order: return %s item %d does not add up: %+v", r.ID, j+1, *l)
			}
		}
	}
	for i := range o.Lines {
		l := &o.Lines[i]
		if l.Returned < 0 || l.Returned > l.Fulfilled {
			return fmt.Errorf("order: of line %s %d units returned, %d left", l.ID, l.Returned, l.Fulfilled)
		}
	}
	return nil
}

// cloneReturns copies what events of returns may change.
func cloneReturns(returns []Return) []Return {
	out := slices.Clone(returns)
	for i := range out {
		out[i].Lines = slices.Clone(out[i].Lines)
	}
	return out
}

// outcomes are the accounts that returned units end in.
var outcomes = map[string]inventory.Account{
	Restock: inventory.Free, Refurbish: inventory.Refurbished, Scrap: inventory.Scrapped, ToVendor: inventory.ToVendor,
}

// returnMovements are the movements of stock that an event of a return means. o is the order after it.
func returnMovements(o *Order, e *Event) (out []inventory.Movement) {
	r := o.Return(e.ReturnID)
	if r == nil {
		return nil
	}
	move := func(s *ReturnStep, location string, n int64, from, to inventory.Account) {
		if l := o.Line(s.Line); l != nil && n > 0 {
			l.stocked(n, func(sku string, quantity int64) {
				out = append(out, inventory.Movement{SKU: sku, Location: location, From: from, To: to, Quantity: quantity, Reason: r.ID})
			})
		}
	}
	for i := range e.ReturnSteps {
		s := &e.ReturnSteps[i]
		switch e.Type {
		case EventReturnReceived:
			move(s, e.Location, s.Quantity, inventory.Shipped, inventory.ReturnPending)
		case EventReturnInspected:
			move(s, r.Lines[s.Item-1].At, s.Rejected, inventory.ReturnPending, inventory.Shipped)
		case EventReturnDisposed:
			move(s, r.Lines[s.Item-1].At, s.Quantity, inventory.ReturnPending, outcomes[s.Disposition])
		}
	}
	return out
}
