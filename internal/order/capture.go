package order

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/money"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/problem"
)

// New is the request to capture an order.
type New struct {
	Channel        string    `json:"channel"`
	ExternalID     string    `json:"external_id,omitempty"`
	PlacedAt       time.Time `json:"placed_at,omitzero"` // default: now
	Currency       string    `json:"currency,omitempty"` // default: the channel's
	Method         Method    `json:"method,omitempty"`   // default: ship
	Service        string    `json:"service,omitempty"`  // default: the channel's
	PickupLocation string    `json:"pickup_location,omitempty"`
	// RequiredLocation is the only location that may fulfil, PreferredLocation the one that
	// wins among plans of equal cost.
	RequiredLocation  string `json:"required_location,omitempty"`
	PreferredLocation string `json:"preferred_location,omitempty"`
	// WantedBy is when the customer wants it; policies may price lateness against it.
	WantedBy      time.Time         `json:"wanted_by,omitzero"`
	Customer      Customer          `json:"customer,omitzero"`
	ShipTo        *network.Address  `json:"ship_to,omitempty"`
	BillTo        *network.Address  `json:"bill_to,omitempty"`
	Lines         []NewLine         `json:"lines"`
	TaxIncluded   bool              `json:"tax_included,omitempty"`
	Discount      int64             `json:"discount,omitempty"`
	Shipping      int64             `json:"shipping,omitempty"`
	ShippingTax   int64             `json:"shipping_tax,omitempty"`
	Total         *int64            `json:"total,omitempty"` // checked when given
	Tenders       []Tender          `json:"tenders,omitempty"`
	ReservationID string            `json:"reservation_id,omitempty"`
	Shortage      string            `json:"shortage,omitempty"` // backorder, reject; default: the channel's
	Attributes    map[string]string `json:"attributes,omitempty"`
	Note          string            `json:"note,omitempty"`
	// AcceptSubstitutes lets units that cannot be had be replaced by another article, at no higher price.
	AcceptSubstitutes bool `json:"accept_substitutes,omitempty"`
}

// NewLine is a line of New.
type NewLine struct {
	ID         string `json:"id,omitempty"` // default: its number, from 1
	ExternalID string `json:"external_id,omitempty"`
	SKU        string `json:"sku"`
	Name       string `json:"name,omitempty"`
	Quantity   int64  `json:"quantity"`
	UnitPrice  int64  `json:"unit_price"`
	Discount   int64  `json:"discount,omitempty"`
	Tax        int64  `json:"tax,omitempty"`
	Gift       *Gift  `json:"gift,omitempty"`
}

// The years an order may be placed in, UTC: RFC 3339 has no others after 9999, and
// an offset must not carry a time beyond.
const minYear, maxYear = 1970, 9999

// Validate reports every field that is wrong in itself (problem.Invalid), before
// any look at channels, catalog or stock.
func (n *New) Validate() error {
	var bad problem.Invalid
	bad.ID("channel", n.Channel)
	bad.Text("external_id", n.ExternalID, 200)
	bad.Text("service", n.Service, 200)
	bad.Text("pickup_location", n.PickupLocation, 200)
	bad.Text("required_location", n.RequiredLocation, 200)
	bad.Text("preferred_location", n.PreferredLocation, 200)
	bad.Text("reservation_id", n.ReservationID, 200)
	text(&bad, "note", n.Note, 4*MaxTextBytes)
	if y := n.PlacedAt.UTC().Year(); !n.PlacedAt.IsZero() && (y < minYear || y > maxYear) {
		bad.Add("placed_at", "out_of_range", "must be between the years %d and %d", minYear, maxYear)
	}
	if y := n.WantedBy.UTC().Year(); !n.WantedBy.IsZero() && (y < minYear || y > maxYear) {
		bad.Add("wanted_by", "out_of_range", "must be between the years %d and %d", minYear, maxYear)
	}
	if n.Currency != "" && !money.ValidCurrency(n.Currency) {
		bad.Add("currency", "unknown_currency", "%.60q is not an ISO 4217 code", n.Currency)
	}
	switch n.Method {
	case "", Ship:
		if n.PickupLocation != "" {
			bad.Add("pickup_location", "not_allowed", "only an order with method pickup has a pickup location")
		}
	case Pickup:
		if n.PickupLocation == "" {
			bad.Add("pickup_location", "required", "an order for pickup names the location")
		}
	default:
		bad.Add("method", "unknown", "%.60q is neither ship nor pickup", n.Method)
	}
	if n.Shortage != "" && n.Shortage != "backorder" && n.Shortage != "reject" {
		bad.Add("shortage", "unknown", "%.60q is neither backorder nor reject", n.Shortage)
	}
	n.validateCustomer(&bad)
	n.validateLines(&bad)
	for _, a := range []struct {
		pointer string
		amount  int64
	}{{"discount", n.Discount}, {"shipping", n.Shipping}, {"shipping_tax", n.ShippingTax}} {
		amount(&bad, a.pointer, a.amount)
	}
	n.validateAttributes(&bad)
	if err := bad.Err(); err != nil {
		return err
	}
	n.validateMoney(&bad)
	return bad.Err()
}

func (n *New) validateCustomer(bad *problem.Invalid) {
	bad.Text("customer.id", n.Customer.ID, 200)
	text(bad, "customer.name", n.Customer.Name, MaxTextBytes)
	text(bad, "customer.email", n.Customer.Email, MaxTextBytes)
	text(bad, "customer.phone", n.Customer.Phone, 100)
	if n.ShipTo != nil {
		n.ShipTo.ValidateInto(bad, "ship_to")
	}
	if n.BillTo != nil {
		n.BillTo.ValidateInto(bad, "bill_to")
	}
}

func (n *New) validateAttributes(bad *problem.Invalid) {
	if len(n.Attributes) > MaxAttributes {
		bad.Add("attributes", "too_many", "at most %d attributes, got %d", MaxAttributes, len(n.Attributes))
		return
	}
	for _, k := range slices.Sorted(maps.Keys(n.Attributes)) {
		v := n.Attributes[k]
		if len(k) > 100 || len(v) > MaxTextBytes {
			bad.Add("attributes", "too_long", "keys have at most 100 bytes and values %d", MaxTextBytes)
			return
		}
		found := len(*bad)
		bad.Text("attributes", k, 100)
		text(bad, "attributes", v, MaxTextBytes)
		if len(*bad) > found {
			return
		}
	}
}

func (n *New) validateLines(bad *problem.Invalid) {
	if len(n.Lines) == 0 {
		bad.Add("lines", "required", "an order has at least one line")
	}
	if len(n.Lines) > MaxLines {
		bad.Add("lines", "too_many", "at most %d lines, got %d", MaxLines, len(n.Lines))
		return
	}
	for i := range n.Lines {
		l := &n.Lines[i]
		at := problem.At("lines", i)
		l.validate(bad, at)
		for j := range i {
			if l.ID != "" && n.Lines[j].ID == l.ID {
				bad.Add(at+".id", "duplicate", "line id %.60q is used twice", l.ID)
				break
			}
		}
	}
	if len(n.Lines) > 1 && n.mixedIDs() {
		bad.Add("lines", "mixed_ids", "give every line an id or none")
	}
}

func (n *New) mixedIDs() bool {
	for i := range n.Lines {
		if (n.Lines[i].ID == "") != (n.Lines[0].ID == "") {
			return true
		}
	}
	return false
}

func (n *New) validateMoney(bad *problem.Invalid) {
	t := n.totals()
	if max(t.Subtotal, t.Discount, t.Tax, t.Total) > MaxAmount {
		bad.Add("lines", "out_of_range", "the order's sums may have at most %d minor units", MaxAmount)
	}
	for i := range n.Lines {
		if l := &n.Lines[i]; l.Discount > l.UnitPrice*l.Quantity {
			bad.Add(fmt.Sprintf("lines[%d].discount", i), "exceeds_price", "discount %d is more than the line's price %d", l.Discount, l.UnitPrice*l.Quantity)
		}
	}
	if t.Total < 0 {
		bad.Add("discount", "exceeds_price", "discounts of %d exceed what the order costs", t.Discount)
	}
	if n.Total != nil && *n.Total != t.Total {
		bad.Add("total", "wrong_sum", "lines, discounts, shipping and tax add up to %d, not %d", t.Total, *n.Total)
	}
	if len(n.Tenders) > MaxTenders {
		bad.Add("tenders", "too_many", "at most %d tenders, got %d", MaxTenders, len(n.Tenders))
		return
	}
	var paid int64
	for i, p := range n.Tenders {
		p.validate(bad, problem.At("tenders", i))
		paid += p.Amount
	}
	if len(n.Tenders) > 0 && len(*bad) == 0 && paid != t.Total {
		bad.Add("tenders", "wrong_sum", "tenders add up to %d, the order costs %d", paid, t.Total)
	}
}

func (n *New) totals() Totals {
	var t Totals
	for i := range n.Lines {
		l := &n.Lines[i]
		t.Subtotal += l.UnitPrice * l.Quantity
		t.Discount += l.Discount
		t.Tax += l.Tax
	}
	t.Discount += n.Discount
	t.Shipping = n.Shipping
	t.Tax += n.ShippingTax
	t.Total = t.Subtotal - t.Discount + t.Shipping
	if !n.TaxIncluded {
		t.Total += t.Tax
	}
	return t
}

// text checks text for people, which unlike an identifier may have line breaks
// and tabs. Other control characters are refused: no store or screen takes them all.
func text(bad *problem.Invalid, pointer, s string, maxBytes int) {
	if len(s) > maxBytes {
		bad.Add(pointer, "too_long", "at most %d bytes, got %d", maxBytes, len(s))
		return
	}
	bad.Text(pointer, lineBreaks.Replace(s), maxBytes)
}

var lineBreaks = strings.NewReplacer("\n", " ", "\r", " ", "\t", " ")

func amount(bad *problem.Invalid, pointer string, a int64) {
	if a < 0 || a > MaxAmount {
		bad.Add(pointer, "out_of_range", "must be between 0 and %d minor units, got %d", MaxAmount, a)
	}
}

// looksLikeCardNumber reports 13 to 19 digits (spaces and dashes between them)
// that pass the Luhn check of ISO/IEC 7812-1.
func looksLikeCardNumber(s string) bool {
	digits, sum := 0, 0
	for i := len(s) - 1; i >= 0; i-- {
		c := s[i]
		if c == ' ' || c == '-' {
			continue
		}
		if c < '0' || c > '9' {
			return false
		}
		d := int(c - '0')
		if digits%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
		digits++
	}
	return digits >= 13 && digits <= 19 && sum%10 == 0
}

// Captured is the fact a capture needs beside the request: what the shell made
// or looked up for it.
type Captured struct {
	ID          string
	At          time.Time
	Fingerprint string
	// Parts gives the components of a line's SKU when it is a kit, else nil.
	Parts func(sku string) []inventory.Part
	// Weigh, when not nil, says that kits are fulfilled by component: each becomes a
	// line per component, its price divided in proportion to what Weigh says a unit is worth.
	Weigh func(sku string) int64
	// Trial, when not nil, says which part the order has in an experiment.
	Trial func(*Order) *Trial
}

// Capture turns a valid request, whose defaults are filled in, into the event
// that starts the order.
func (n *New) Capture(c Captured) Event {
	o := &Order{
		ID: c.ID, Channel: n.Channel, ExternalID: n.ExternalID, Status: StatusOpen,
		PlacedAt: n.PlacedAt.UTC(), CreatedAt: c.At, UpdatedAt: c.At,
		Currency: n.Currency, Method: n.Method, Service: n.Service, PickupLocation: n.PickupLocation,
		RequiredLocation: n.RequiredLocation, PreferredLocation: n.PreferredLocation, WantedBy: n.WantedBy,
		Customer: n.Customer, ShipTo: n.ShipTo, BillTo: n.BillTo,
		TaxIncluded: n.TaxIncluded, Discount: n.Discount, Shipping: n.Shipping, ShippingTax: n.ShippingTax,
		Totals: n.totals(), Tenders: n.Tenders, Attributes: n.Attributes, Note: n.Note,
		Fulfillments: []Fulfillment{}, Fingerprint: c.Fingerprint, AcceptSubstitutes: n.AcceptSubstitutes,
	}
	if o.PlacedAt.IsZero() {
		o.PlacedAt = c.At
	}
	if !o.WantedBy.IsZero() {
		o.WantedBy = o.WantedBy.UTC()
	}
	o.Lines = make([]Line, len(n.Lines))
	for i := range n.Lines {
		l := &n.Lines[i]
		id := l.ID
		if id == "" {
			id = lineNumber(i)
		}
		o.Lines[i] = l.line(id, n.TaxIncluded, c.Parts(l.SKU))
	}
	if c.Weigh != nil {
		explodeKits(o, c.Weigh)
	}
	if c.Trial != nil {
		o.Trial = c.Trial(o)
	}
	return Event{Type: EventCaptured, Order: o}
}

func lineNumber(i int) string {
	if i < 9 {
		return "123456789"[i : i+1]
	}
	return fmt.Sprint(i + 1)
}
