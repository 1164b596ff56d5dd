package order

import (
	"time"

	"github.com/orderly-oms/orderly/internal/problem"
)

// Codes of refused substitutions.
const (
	CodeNoConsent  = "no_consent"  // the customer did not agree, and the order takes no substitutes
	CodePricier    = "pricier"     // the customer pays more, and did not agree
	CodeUnlikeKits = "unlike_kits" // a component of a kit is not replaced alone
)

// Consent says that the customer agreed, and how it is known.
type Consent struct {
	By      string    `json:"by"` // the customer, or who asked
	At      time.Time `json:"at"`
	Channel string    `json:"channel"` // phone, email, chat, store, ...
}

// Substitution asks to replace units of a line that have not left by another article.
type Substitution struct {
	Line     string `json:"line"`
	Quantity int64  `json:"quantity"`
	SKU      string `json:"sku"`
	Name     string `json:"name,omitempty"`
	// UnitPrice, Discount and Tax of the new line; without a unit price it costs what the
	// replaced units cost. With one, discount and tax default to 0.
	UnitPrice *int64 `json:"unit_price,omitempty"`
	Discount  int64  `json:"discount,omitempty"`
	Tax       int64  `json:"tax,omitempty"`
	// Consent may be absent when the order accepts substitutes and the customer pays no more.
	Consent *Consent `json:"consent,omitempty"`
	Reason  string   `json:"reason,omitempty"`
}

// Validate reports every field that is wrong in itself (problem.Invalid).
func (s *Substitution) Validate() error {
	var bad problem.Invalid
	if s.Line == "" {
		bad.Add("line", problem.Required, "say which line")
	}
	price := int64(0)
	if s.UnitPrice != nil {
		price = *s.UnitPrice
	} else if s.Discount != 0 || s.Tax != 0 {
		bad.Add("unit_price", problem.Required, "goes with discount and tax")
	}
	n := NewLine{SKU: s.SKU, Name: s.Name, Quantity: s.Quantity, UnitPrice: price, Discount: s.Discount, Tax: s.Tax}
	n.validate(&bad, "")
	for i := range bad {
		bad[i].Pointer = trimDot(bad[i].Pointer)
	}
	if s.UnitPrice != nil && len(bad) == 0 && s.Discount > price*s.Quantity {
		bad.Add("discount", "exceeds_price", "is more than the line's price %d", price*s.Quantity)
	}
	if c := s.Consent; c != nil {
		if c.By == "" || c.Channel == "" || c.At.IsZero() {
			bad.Add("consent", problem.Required, "say who agreed (by), when (at) and how (channel)")
		}
		bad.Text("consent.by", c.By, 200)
		bad.Text("consent.channel", c.Channel, 100)
	}
	text(&bad, "reason", s.Reason, MaxTextBytes)
	return bad.Err()
}

func trimDot(pointer string) string {
	if len(pointer) > 0 && pointer[0] == '.' {
		return pointer[1:]
	}
	return pointer
}

// Substitute gives the events that cancel units of a line and add a line of the other
// article that refers to it, or a *Refusal. The customer never pays more without consent.
func (o *Order) Substitute(s Substitution, with Editing) ([]Event, error) {
	l := o.Line(s.Line)
	switch {
	case l == nil:
		return nil, refuse(CodeUnknownLine, "line", "the order has no line %.60q", s.Line)
	case l.SKU == s.SKU:
		return nil, refuse(CodeNothingToDo, "sku", "the line is of %s already", s.SKU)
	case l.Kit != nil:
		return nil, refuse(CodeUnlikeKits, "line", "line %s is a part of kit %s", l.ID, l.Kit.SKU)
	case s.Consent == nil && !o.AcceptSubstitutes:
		return nil, refuse(CodeNoConsent, "consent", "the customer has not agreed to another article; say in consent by whom, at what time and on which channel it was agreed")
	case s.Consent != nil && s.Consent.At.After(with.At):
		return nil, refuse(CodeNotAllowed, "consent.at", "lies ahead")
	}
	events, err := o.Cancel(Cancellation{Lines: []LineQuantity{{Line: l.ID, Quantity: s.Quantity}}, Reason: "substituted by " + s.SKU})
	if err != nil {
		if r, ok := err.(*Refusal); ok {
			return nil, &Refusal{Code: r.Code, Message: r.Message, Pointer: "quantity"}
		}
		return nil, err
	}
	n := NewLine{SKU: s.SKU, Name: s.Name, Quantity: s.Quantity, ExternalID: l.ExternalID, Discount: s.Discount, Tax: s.Tax, Gift: l.Gift}
	if s.UnitPrice != nil {
		n.UnitPrice = *s.UnitPrice
	} else {
		n.UnitPrice = l.UnitPrice
		n.Discount, _ = scaled(l.Discount, s.Quantity, l.Quantity)
		n.Tax, _ = scaled(l.Tax, s.Quantity, l.Quantity)
	}
	d := &editing{o: o, e: &Edit{Add: []NewLine{n}, Reason: s.Reason}, with: with, out: Edited{Reason: s.Reason}}
	d.with.Weigh = nil // it is one line, whatever it is made of
	for _, step := range []func() error{d.added, d.substitutes(l, &s), d.sums} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return append(events, Event{Type: EventEdited, Edit: &d.out, Reason: s.Reason}), nil
}

// substitutes marks the added line, and sees to it that the customer does not pay more unasked.
func (d *editing) substitutes(l *Line, s *Substitution) func() error {
	return func() error {
		n := &d.out.Added[0]
		n.SubstituteFor, n.Consent = l.ID, s.Consent
		live := l.Quantity - l.Cancelled
		given := l.worthOf(live) - l.worthOf(live-s.Quantity)
		if s.UnitPrice == nil && n.Total > given {
			less := n.Total - given // what rounding each part by itself made more
			off := min(less, n.UnitPrice*n.Quantity-n.Discount)
			n.Discount += off
			n.Tax -= less - off // of what costs nothing but its tax
			n.Total -= less
		}
		if n.Total > given && s.Consent == nil {
			return refuse(CodePricier, "unit_price", "the units cost %d and the others %d; without consent the customer pays no more", given, n.Total)
		}
		return nil
	}
}
