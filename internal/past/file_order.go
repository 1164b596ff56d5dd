package past

import (
	"reflect"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/jsonenc"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
)

// How an order is kept.
const (
	orderNone    = iota
	orderCompact // field by field: what nearly every order is when it comes
	orderJSON    // everything
	orderMixed   // field by field, and what else there often is as JSON
)

// more is what an order gets later in its life.
type more struct {
	Fulfillments   []order.Fulfillment `json:"fulfillments,omitempty"`
	Holds          []order.Hold        `json:"holds,omitempty"`
	Waiting        *order.Waiting      `json:"waiting,omitempty"`
	Exceptions     []order.Exception   `json:"exceptions,omitempty"`
	ExceptionCount int                 `json:"exception_count,omitempty"`
	Notes          []order.Note        `json:"notes,omitempty"`
	Balance        int64               `json:"balance,omitempty"`
	RuleFixes      map[string]int      `json:"rule_fixes,omitempty"`
	Touches        int                 `json:"touches,omitempty"`
	TouchSeconds   int64               `json:"touch_seconds,omitempty"`
	Baseline       *order.Baseline     `json:"baseline,omitempty"`
}

func moreOf(o *order.Order) *more {
	return &more{o.Fulfillments, o.Holds, o.Waiting, o.Exceptions, o.ExceptionCount, o.Notes, o.Balance, o.RuleFixes, o.Touches, o.TouchSeconds, o.Baseline}
}

func (m *more) into(o *order.Order) {
	if m.Fulfillments != nil {
		o.Fulfillments = m.Fulfillments
	}
	o.Holds, o.Waiting, o.Exceptions, o.ExceptionCount, o.Notes = m.Holds, m.Waiting, m.Exceptions, m.ExceptionCount, m.Notes
	o.Balance, o.RuleFixes, o.Touches, o.TouchSeconds, o.Baseline = m.Balance, m.RuleFixes, m.Touches, m.TouchSeconds, m.Baseline
}

// order keeps an order: compactly when nothing unusual is in it, else as JSON.
func (c *coder) order(o **order.Order, since int64) error {
	kind := uint64(orderNone)
	if !c.reading && *o != nil {
		kind = shape(*o)
	}
	size, strings := c.mark()
	c.uint(&kind)
	switch kind {
	case orderNone:
		*o = nil
		return nil
	case orderCompact, orderMixed:
		if c.reading {
			*o = new(order.Order)
		}
		c.odd = false
		c.orderFields(*o, since)
		if c.reading || !c.odd {
			if kind == orderCompact {
				return nil
			}
			m := moreOf(*o)
			err := document(c, m)
			if c.reading {
				m.into(*o)
			}
			return err
		}
		c.back(size, strings)
		kind = orderJSON
		c.uint(&kind)
	case orderJSON:
		if c.reading {
			*o = new(order.Order)
		}
	default:
		c.fail()
		return nil
	}
	return document(c, *o)
}

// document keeps something as JSON.
func document[T any](c *coder, v *T) error {
	if !c.reading {
		body, err := jsonenc.Marshal(v)
		n := c.count(len(body))
		c.buf = append(c.buf, body[:n]...)
		return err
	}
	n := c.count(0)
	body := c.buf[c.at : c.at+n]
	c.at += n
	if c.bad || jsonenc.Unmarshal(body, v) != nil {
		c.fail()
	}
	return nil
}

// shape is how the order can be kept so that everything is. Fields that the order may get some
// day make it orderJSON until they are added here and there.
func shape(o *order.Order) uint64 {
	rest := *o
	rest.ID, rest.Version, rest.Channel, rest.ExternalID, rest.Status = "", 0, "", "", ""
	zero := order.Order{}
	rest.PlacedAt, rest.CreatedAt, rest.UpdatedAt, rest.WantedBy, rest.RetryAt = zero.PlacedAt, zero.CreatedAt, zero.UpdatedAt, zero.WantedBy, zero.RetryAt
	rest.Currency, rest.Method, rest.Service, rest.PickupLocation, rest.RequiredLocation, rest.PreferredLocation = "", "", "", "", "", ""
	rest.Customer, rest.ShipTo, rest.BillTo, rest.Lines, rest.Fulfillments = zero.Customer, nil, nil, nil, nil
	rest.TaxIncluded, rest.Discount, rest.Shipping, rest.ShippingTax, rest.Totals, rest.Tenders = false, 0, 0, 0, zero.Totals, nil
	rest.AcceptSubstitutes, rest.Promise, rest.Attributes, rest.Note = false, zero.Promise, nil, ""
	rest.Excluded, rest.Attempts, rest.Moves, rest.HoldCount, rest.Flow, rest.Fingerprint = nil, 0, 0, 0, nil, ""
	for i := range o.Lines {
		if l := &o.Lines[i]; l.Gift != nil || l.Consent != nil || l.SlotValue != nil {
			return orderJSON
		}
	}
	if len(o.Fulfillments) == 0 && reflect.ValueOf(&rest).Elem().IsZero() {
		return orderCompact
	}
	(&more{}).into(&rest)
	if reflect.ValueOf(&rest).Elem().IsZero() {
		return orderMixed
	}
	return orderJSON
}

func (c *coder) orderFields(o *order.Order, since int64) {
	c.raw(&o.ID)
	c.int(&o.Version)
	c.word(&o.Channel)
	c.raw(&o.ExternalID)
	c.word((*string)(&o.Status))
	c.time(&o.PlacedAt, since)
	c.time(&o.CreatedAt, since)
	c.time(&o.UpdatedAt, since)
	c.time(&o.WantedBy, since)
	c.time(&o.RetryAt, since)
	c.word(&o.Currency)
	c.word((*string)(&o.Method))
	c.word(&o.Service)
	c.word(&o.PickupLocation)
	c.word(&o.RequiredLocation)
	c.word(&o.PreferredLocation)
	c.raw(&o.Customer.ID)
	c.raw(&o.Customer.Name)
	c.raw(&o.Customer.Email)
	c.raw(&o.Customer.Phone)
	some(c, &o.ShipTo, c.address)
	some(c, &o.BillTo, c.address)
	list(c, &o.Lines, c.line)
	c.bool(&o.TaxIncluded)
	c.int(&o.Discount)
	c.int(&o.Shipping)
	c.int(&o.ShippingTax)
	for _, v := range []*int64{&o.Totals.Subtotal, &o.Totals.Discount, &o.Totals.Shipping, &o.Totals.Tax, &o.Totals.Total} {
		c.int(v)
	}
	list(c, &o.Tenders, func(t *order.Tender) { c.word(&t.Type); c.int(&t.Amount); c.raw(&t.Reference) })
	c.bool(&o.AcceptSubstitutes)
	none := o.Fulfillments == nil
	if c.bool(&none); c.reading && !none {
		o.Fulfillments = []order.Fulfillment{}
	}
	c.promise(&o.Promise, since)
	table(c, &o.Attributes, c.word)
	c.raw(&o.Note)
	list(c, &o.Excluded, c.word)
	c.small(&o.Attempts)
	c.small(&o.Moves)
	c.small(&o.HoldCount)
	some(c, &o.Flow, func(f *order.FlowState) {
		c.word(&f.Flow)
		c.word(&f.State)
		c.time(&f.Since, since)
		list(c, &f.Timers, func(t *order.FlowTimer) { c.word(&t.Name); c.time(&t.At, since); c.small(&t.Left) })
		c.bool(&f.Final)
	})
	c.raw(&o.Fingerprint)
}

func (c *coder) line(l *order.Line) {
	c.word(&l.ID)
	c.raw(&l.ExternalID)
	c.word(&l.SKU)
	c.word(&l.Name)
	c.word(&l.SubstituteFor)
	for _, v := range []*int64{&l.Quantity, &l.UnitPrice, &l.Discount, &l.Tax, &l.Total, &l.Cancelled, &l.Backordered, &l.Allocated, &l.Fulfilled, &l.Returned} {
		c.int(v)
	}
	list(c, &l.Parts, func(p *inventory.Part) { c.word(&p.SKU); c.int(&p.Quantity) })
	some(c, &l.Kit, func(k *order.KitRef) { c.word(&k.Line); c.word(&k.SKU); c.int(&k.Quantity); c.int(&k.PerKit) })
}

func (c *coder) address(a *network.Address) {
	for _, s := range []*string{&a.Name, &a.Company, &a.Line1, &a.Line2} {
		c.raw(s)
	}
	for _, s := range []*string{&a.City, &a.Region, &a.PostalCode, &a.Country} {
		c.word(s)
	}
	c.raw(&a.Phone)
	c.raw(&a.Email)
	some(c, &a.Latitude, c.float)
	some(c, &a.Longitude, c.float)
	c.word(&a.Zone)
}

func (c *coder) promise(p *order.Promise, since int64) {
	is := *p != order.Promise{}
	if c.bool(&is); !is {
		return
	}
	c.time(&p.ShipBy, since)
	c.time(&p.DeliverBy, since)
	c.time(&p.Calendar, since)
	c.float(&p.Probability)
	c.word(&p.Policy)
}
