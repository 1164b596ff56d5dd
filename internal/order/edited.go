package order

import (
	"fmt"
	"math/bits"
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/network"
)

// Edited is what an edit changed: new values, of what changed only.
type Edited struct {
	Reason   string            `json:"reason,omitempty"`
	Lines    []EditedLine      `json:"lines,omitempty"`
	Added    []Line            `json:"added,omitempty"`
	ShipTo   *network.Address  `json:"ship_to,omitempty"`
	BillTo   *network.Address  `json:"bill_to,omitempty"`
	Way      *Way              `json:"way,omitempty"`
	WantedBy time.Time         `json:"wanted_by,omitzero"`
	Charges  *Charges          `json:"charges,omitempty"`
	Values   map[string]string `json:"attributes,omitempty"` // "": removed
	Tenders  []Tender          `json:"tenders,omitempty"`    // further ones
	Totals   Totals            `json:"totals"`               // after it
	Balance  int64             `json:"balance,omitempty"`    // see Order.Balance
}

// EditedLine is a line as it is now counted and priced.
type EditedLine struct {
	Line      string `json:"line"`
	Quantity  int64  `json:"quantity"`
	UnitPrice int64  `json:"unit_price"`
	Discount  int64  `json:"discount,omitempty"`
	Tax       int64  `json:"tax,omitempty"`
	Total     int64  `json:"total"`
	Gift      *Gift  `json:"gift,omitempty"` // nil: as it was; empty: none
}

// Charges are the amounts of the order beside its lines.
type Charges struct {
	Discount    int64 `json:"discount,omitempty"`
	Shipping    int64 `json:"shipping,omitempty"`
	ShippingTax int64 `json:"shipping_tax,omitempty"`
}

// rest takes what needs no decision.
func (d *editing) rest() error {
	o, e := d.o, d.e
	if e.BillTo != nil && (o.BillTo == nil || !sameAddress(e.BillTo, o.BillTo)) {
		to := *e.BillTo
		d.out.BillTo, d.changed = &to, true
	}
	if !e.WantedBy.IsZero() && !e.WantedBy.Equal(o.WantedBy) {
		d.out.WantedBy, d.changed = e.WantedBy.UTC(), true
	}
	c := Charges{Discount: o.Discount, Shipping: o.Shipping, ShippingTax: o.ShippingTax}
	want := c
	for _, x := range []struct{ to, from *int64 }{{&want.Discount, e.Discount}, {&want.Shipping, e.Shipping}, {&want.ShippingTax, e.ShippingTax}} {
		if x.from != nil {
			*x.to = *x.from
		}
	}
	if want != c {
		d.out.Charges, d.changed = &want, true
	}
	have := len(o.Attributes)
	for k, v := range e.Attributes { // into a map and a count, so the sequence does not matter
		was, set := o.Attributes[k]
		if was == v && set == (v != "") {
			continue
		}
		if d.out.Values == nil {
			d.out.Values = map[string]string{}
		}
		d.out.Values[k], d.changed = v, true
		switch {
		case !set:
			have++
		case v == "":
			have--
		}
	}
	if have > MaxAttributes && have > len(o.Attributes) {
		return refuse(CodeTooMany, "attributes", "an order has at most %d attributes", MaxAttributes)
	}
	if len(o.Tenders)+len(e.Tenders) > MaxTenders {
		return refuse(CodeTooMany, "tenders", "an order has at most %d tenders", MaxTenders)
	}
	if len(e.Tenders) > 0 {
		d.out.Tenders, d.changed = slices.Clone(e.Tenders), true
	}
	return nil
}

// sums adds up the order as it will be.
func (d *editing) sums() error {
	next := d.o.clone()
	if err := next.applyEdited(&d.out, time.Time{}); err != nil {
		return err
	}
	t := next.sums()
	if max(t.Subtotal, t.Discount, t.Tax, t.Total) > MaxAmount {
		return refuse("out_of_range", "lines", "the order's sums may have at most %d minor units", MaxAmount)
	}
	if t.Total < 0 {
		return refuse("exceeds_price", "discount", "discounts of %d exceed what the order costs", t.Discount)
	}
	d.out.Totals = t
	if len(next.Tenders) == 0 {
		return nil // it does not say how it is paid
	}
	d.out.Balance = t.Total
	for _, p := range next.Tenders {
		d.out.Balance -= p.Amount
	}
	if len(d.e.Tenders) > 0 && d.out.Balance < 0 {
		return refuse("wrong_sum", "tenders", "tenders would pay %d more than the order costs", -d.out.Balance)
	}
	return nil
}

// sums are the order's totals as its lines and charges give them.
func (o *Order) sums() Totals {
	var t Totals
	for i := range o.Lines {
		l := &o.Lines[i]
		t.Subtotal += l.UnitPrice * l.Quantity
		t.Discount += l.Discount
		t.Tax += l.Tax
	}
	t.Discount += o.Discount
	t.Shipping = o.Shipping
	t.Tax += o.ShippingTax
	t.Total = t.Subtotal - t.Discount + t.Shipping
	if !o.TaxIncluded {
		t.Total += t.Tax
	}
	return t
}

// applyEdited applies an edit. The lines it adds are with nobody.
func (o *Order) applyEdited(e *Edited, at time.Time) error {
	for i := range e.Lines {
		n := &e.Lines[i]
		l := o.Line(n.Line)
		if l == nil {
			return fmt.Errorf("order: no line %q", n.Line)
		}
		if l.SlotValue == nil && (l.Quantity != n.Quantity || l.Total != n.Total) {
			worth := l.UnitValue()
			l.SlotValue = &worth
		}
		l.Quantity, l.UnitPrice, l.Discount, l.Tax, l.Total = n.Quantity, n.UnitPrice, n.Discount, n.Tax, n.Total
		switch {
		case n.Gift == nil:
		case *n.Gift == Gift{}:
			l.Gift = nil
		default:
			l.Gift = n.Gift
		}
	}
	o.Lines = append(o.Lines, e.Added...)
	if e.ShipTo != nil || e.Way != nil {
		o.applyMoved(e)
	}
	if e.BillTo != nil {
		o.BillTo = e.BillTo
	}
	if !e.WantedBy.IsZero() {
		o.WantedBy = e.WantedBy
	}
	if c := e.Charges; c != nil {
		o.Discount, o.Shipping, o.ShippingTax = c.Discount, c.Shipping, c.ShippingTax
	}
	for k, v := range e.Values { // each another key, so the sequence does not matter
		o.setAttribute(k, v)
	}
	o.Tenders = append(slices.Clip(o.Tenders), e.Tenders...)
	o.Totals, o.Balance = e.Totals, e.Balance
	return o.check()
}

// applyMoved gives the order its new way to the customer. What a location works on keeps the
// address it was sent with, and the promise counts what stays with locations.
func (o *Order) applyMoved(e *Edited) {
	shipped := o.Method == Ship
	o.Promise = Promise{}
	for i := range o.Fulfillments {
		f := &o.Fulfillments[i]
		if f.Status == FulfillmentOpen || f.Status == FulfillmentHeld || len(f.here()) == 0 {
			continue
		}
		if e.ShipTo != nil && shipped && f.ShipTo == nil {
			f.ShipTo = o.ShipTo
		}
		o.promise(&f.Promise)
	}
	if e.ShipTo != nil {
		o.ShipTo = e.ShipTo
	}
	if w := e.Way; w != nil {
		o.Method, o.Service, o.PickupLocation = w.Method, w.Service, w.PickupLocation
	}
}

// promise moves the order's promise to that of a fulfillment, when that is later.
func (o *Order) promise(p *Promise) {
	if p.ShipBy.After(o.Promise.ShipBy) {
		o.Promise.ShipBy = p.ShipBy
	}
	if p.DeliverBy.After(o.Promise.DeliverBy) {
		o.Promise.DeliverBy = p.DeliverBy
	}
}

// line is a new line of an order.
func (n *NewLine) line(id string, taxIncluded bool, parts []inventory.Part) Line {
	total := n.UnitPrice*n.Quantity - n.Discount
	if !taxIncluded {
		total += n.Tax
	}
	return Line{
		ID: id, ExternalID: n.ExternalID, SKU: n.SKU, Name: n.Name, Quantity: n.Quantity,
		UnitPrice: n.UnitPrice, Discount: n.Discount, Tax: n.Tax, Total: total, Parts: parts, Gift: n.Gift,
	}
}

// scaled is amount × now ÷ was, rounded half up; not fits: it is larger than MaxAmount. None is negative, was is positive.
func scaled(amount, now, was int64) (n int64, fits bool) {
	high, low := bits.Mul64(uint64(amount), uint64(now))
	low, carry := bits.Add64(low, uint64(was)/2, 0)
	high += carry
	if high >= uint64(was) {
		return 0, false
	}
	q, _ := bits.Div64(high, low, uint64(was))
	return int64(q), q <= uint64(MaxAmount)
}
