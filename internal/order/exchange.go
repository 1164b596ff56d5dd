package order

import (
	"fmt"
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/problem"
)

// TenderExchange is the type of the tender that carries what returned goods are worth. Only an exchange makes one.
const TenderExchange = "exchange"

// HoldExchange is the type of the hold of a replacement that waits for the goods to come back.
const HoldExchange = "exchange"

// When a replacement leaves.
const (
	ExchangeNow       = "now"
	ExchangeOnReceipt = "on_receipt" // once the refund of what comes back would be due
)

// ReasonWarranty marks an exchange that replaces what broke: it costs nothing, and the goods need not come back.
const ReasonWarranty = "warranty"

// MaxExchanges bounds the exchanges of one order.
const MaxExchanges = 50

// Codes of refusals about exchanges.
const (
	CodeTooManyExchanges = "too_many_exchanges"
	CodeExchangeUnpaid   = "exchange_unpaid"
)

// Exchange is the order that replaces goods, as their return keeps it.
type Exchange struct {
	OrderID string `json:"order_id"`
	// Credit is how much of the return's value pays the order, minor units.
	Credit int64 `json:"credit"`
	// Waits says that the order leaves only once the goods came.
	Waits bool `json:"waits,omitempty"`
	// Void says that they did not: what did come is refunded instead.
	Void bool `json:"void,omitempty"`
}

// ExchangeRef links two orders, one of which replaces goods of the other.
type ExchangeRef struct {
	OrderID  string    `json:"order_id"`
	ReturnID string    `json:"return_id,omitempty"` // of the goods; "": they need not come back
	Reason   string    `json:"reason,omitempty"`
	At       time.Time `json:"at"`
}

// NewExchange asks for other goods in place of those that the customer gives back.
type NewExchange struct {
	Return NewReturn `json:"return"` // without lines: nothing comes back; with reason warranty only
	// Lines of the order that replaces them. With reason warranty they cost nothing.
	Lines []NewLine `json:"lines"`
	// Tenders pay what the goods do not; there must be as much.
	Tenders []Tender `json:"tenders,omitempty"`
	// When the replacement leaves: on_receipt (default) or now.
	When string `json:"when,omitempty"`
	// Reason warranty replaces what broke, for nothing.
	Reason      string `json:"reason,omitempty"`
	Shipping    int64  `json:"shipping,omitempty"`
	ShippingTax int64  `json:"shipping_tax,omitempty"`
	Service     string `json:"service,omitempty"`  // default: the order's
	Shortage    string `json:"shortage,omitempty"` // as of a new order
}

// Validate reports every field that is wrong in itself (problem.Invalid), and fills in defaults.
func (n *NewExchange) Validate() error {
	var bad, back problem.Invalid
	n.Return.validate(&back)
	bad.Nest("return", back.Err())
	if n.When == "" {
		n.When = ExchangeOnReceipt
	}
	problem.OneOf(&bad, "when", n.When, ExchangeNow, ExchangeOnReceipt)
	text(&bad, "reason", n.Reason, MaxTextBytes)
	bad.Text("service", n.Service, 200)
	amount(&bad, "shipping", n.Shipping)
	amount(&bad, "shipping_tax", n.ShippingTax)
	warranty := n.Reason == ReasonWarranty
	switch {
	case len(n.Return.Lines) > 0:
	case !warranty:
		bad.Add("return.lines", problem.Required, "say what comes back; only with reason %s nothing needs to", ReasonWarranty)
	default:
		n.When = ExchangeNow
	}
	if len(n.Lines) == 0 {
		bad.Add("lines", problem.Required, "say what replaces the goods")
	}
	bad.Count("lines", len(n.Lines), MaxLines)
	bad.Count("tenders", len(n.Tenders), MaxTenders-1)
	for i := range n.Lines[:min(len(n.Lines), MaxLines)] {
		if l := &n.Lines[i]; warranty && (l.UnitPrice != 0 || l.Discount != 0 || l.Tax != 0) {
			bad.Add(problem.At("lines", i)+".unit_price", problem.Conflict, "what replaces broken goods costs nothing")
		}
	}
	if warranty && (n.Shipping != 0 || n.ShippingTax != 0 || len(n.Tenders) > 0) {
		bad.Add("shipping", problem.Conflict, "what replaces broken goods costs nothing")
	}
	return bad.Err()
}

// Replacement is the request for the order that replaces goods of this one, without its tenders.
func (o *Order) Replacement(n *NewExchange) *New {
	next := &New{
		Channel: o.Channel, Currency: o.Currency, Method: o.Method, Service: n.Service, PickupLocation: o.PickupLocation,
		Customer: o.Customer, ShipTo: o.ShipTo, BillTo: o.BillTo, TaxIncluded: o.TaxIncluded, Lines: slices.Clone(n.Lines),
		Shipping: n.Shipping, ShippingTax: n.ShippingTax, Shortage: n.Shortage,
	}
	if next.Service == "" {
		next.Service = o.Service
	}
	if n.Return.From != nil && o.Method == Ship {
		next.ShipTo = n.Return.From
	}
	return next
}

// PayExchange shares what goods that come back are worth, in minor units, between the order
// that replaces them and the customer: credit pays the order, what is over is refunded. The tenders must pay the rest.
func (n *New) PayExchange(worth int64, ref string, tenders []Tender) (credit int64, err error) {
	total := n.totals().Total
	credit = min(worth, total)
	var paid int64
	for i := range tenders {
		paid += tenders[i].Amount
	}
	if paid != total-credit {
		return 0, refuse(CodeExchangeUnpaid, "tenders", "the new goods cost %d and those that come back are worth %d: the tenders must pay %d, they pay %d", total, worth, total-credit, paid)
	}
	n.Tenders = slices.Clone(tenders)
	if credit > 0 {
		n.Tenders = append([]Tender{{Type: TenderExchange, Amount: credit, Reference: ref}}, n.Tenders...)
	}
	return credit, nil
}

// Exchanged gives the event that links the order to the one that replaces goods of it. Returns a *Refusal at the limit.
func (o *Order) Exchanged(by, returnID, reason string, at time.Time) ([]Event, error) {
	if len(o.ExchangedBy) >= MaxExchanges {
		return nil, refuse(CodeTooManyExchanges, "", "the order has %d exchanges already", len(o.ExchangedBy))
	}
	return []Event{{Type: EventExchanged, Exchange: &ExchangeRef{OrderID: by, ReturnID: returnID, Reason: reason, At: at}}}, nil
}

func (o *Order) applyExchanged(e *Event) error {
	if e.Exchange == nil {
		return fmt.Errorf("order: %s without its order", e.Type)
	}
	o.ExchangedBy = append(slices.Clip(o.ExchangedBy), *e.Exchange)
	return nil
}

// ExchangeReady reports whether what replaces the goods of a return need not wait for them any longer.
func (r *Return) ExchangeReady() bool {
	if r.Exchange == nil || !r.Exchange.Waits || r.Exchange.Void {
		return false
	}
	due, all := int64(0), int64(0)
	for i := range r.Lines {
		l := &r.Lines[i]
		all += l.Quantity
		switch {
		case l.Keep:
			due += l.Quantity
		case r.RefundRule == RefundOnInspection || l.Refused != "":
			due += l.Accepted
		default:
			due += l.Received - l.Rejected
		}
	}
	return all > 0 && due == all
}

// Holding reports whether a hold of a type is in force.
func (o *Order) Holding(typ string) bool {
	return slices.ContainsFunc(o.Holds, func(h Hold) bool { return h.Type == typ })
}
