package engine

import (
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/flow"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/policy"
)

// takeReturn hands an event about a return to its flow.
func (c *change) takeReturn(e *order.Event) error {
	switch {
	case e.Type == order.EventReturnAuthorized:
		return c.start(flow.SubjectReturn, e.Return.ID)
	case e.ReturnID != "":
		return c.step(flow.SubjectReturn, e.ReturnID, e.Type, e)
	}
	return nil
}

// takeException hands an event about an exception to the flow of the part that the exception is about.
func (c *change) takeException(e *order.Event) error {
	x := c.exception(e)
	switch {
	case x == nil:
		return nil
	case x.FulfillmentID != "":
		return c.step(flow.SubjectFulfillment, x.FulfillmentID, e.Type, e)
	case x.ReturnID != "":
		return c.step(flow.SubjectReturn, x.ReturnID, e.Type, e)
	}
	return nil
}

// exception is the one that an event is about, which may be closed by now.
func (c *change) exception(e *order.Event) *order.Exception {
	if e.Exception != nil {
		return e.Exception
	}
	if x := c.now.Exception(e.ExceptionID); x != nil {
		return x
	}
	if c.before != nil {
		if x := c.before.Exception(e.ExceptionID); x != nil {
			return x
		}
	}
	for i := range c.events {
		if x := c.events[i].Exception; x != nil && x.ID == e.ExceptionID {
			return x
		}
	}
	return nil
}

// flowLines are the lines that a flow's selection may ask about: those of the order (""), or of one of its parts.
func (c *change) flowLines(of string) []policy.OrderLine {
	o := c.now
	var out []policy.OrderLine
	add := func(l *order.Line, q int64) {
		if l == nil || q <= 0 {
			return
		}
		sku := c.tx.e.skuFacts(l.SKU, len(l.Parts) > 0)
		out = append(out, policy.OrderLine{SKU: sku, Line: &policy.Line{
			SKU: l.SKU, Quantity: q, UnitPrice: l.UnitPrice, Value: l.UnitValue() * q, WeightG: sku.WeightG * q,
		}})
	}
	switch u, r := o.Fulfillment(of), o.Return(of); {
	case of == "":
		for i := range o.Lines {
			add(&o.Lines[i], o.Lines[i].Quantity-o.Lines[i].Cancelled)
		}
	case u != nil:
		for i := range u.Lines {
			add(o.Line(u.Lines[i].Line), u.Lines[i].Quantity)
		}
	case r != nil:
		for i := range r.Lines {
			add(o.Line(r.Lines[i].Line), r.Lines[i].Quantity)
		}
	}
	return out
}

// returnFacts are what the conditions of a return's flow read of it. Reason and condition are those that
// all its lines share, else empty.
func (c *change) returnFacts(f *policy.Facts, r *order.Return, reads policy.Uses) {
	s := f.Subject
	s.Status, s.Method = string(r.Status), r.Method
	s.Units, s.Value, s.UnitsOpen = 0, 0, r.Expected()
	for i := range r.Lines {
		s.Units += r.Lines[i].Quantity
		if l := c.now.Line(r.Lines[i].Line); l != nil {
			s.Value += l.UnitValue() * r.Lines[i].Quantity
		}
	}
	if reads&policy.UsesReturned == 0 {
		return
	}
	shared := func(of func(*order.ReturnedLine) string) string {
		if len(r.Lines) == 0 || slices.ContainsFunc(r.Lines, func(l order.ReturnedLine) bool { return of(&l) != of(&r.Lines[0]) }) {
			return ""
		}
		return of(&r.Lines[0])
	}
	f.Returned = &policy.Returned{
		Reason: shared(func(l *order.ReturnedLine) string { return l.Reason }),
		Condition: shared(func(l *order.ReturnedLine) string {
			if l.Found != "" {
				return l.Found
			}
			return l.Condition
		}),
		Method: r.Method, Quantity: s.Units, Days: c.sinceDelivery(r),
	}
}

// sinceDelivery counts the days since the last of a return's units were delivered; 0: unknown.
func (c *change) sinceDelivery(r *order.Return) int64 {
	var last time.Time
	for i := range c.now.Fulfillments {
		u := &c.now.Fulfillments[i]
		for k := range u.Lines {
			if u.DeliveredAt.After(last) && slices.ContainsFunc(r.Lines, func(l order.ReturnedLine) bool { return l.Line == u.Lines[k].Line }) {
				last = u.DeliveredAt
			}
		}
	}
	if last.IsZero() {
		return 0
	}
	return int64(c.tx.Now.Sub(last) / (24 * time.Hour))
}
