package order

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/problem"
)

// MaxGiftBytes bounds the message of a gift: what fits on a card.
const MaxGiftBytes = 500

// Gift says how units of a line are given away.
type Gift struct {
	Wrap    bool   `json:"wrap,omitempty"`
	Message string `json:"message,omitempty"`
	From    string `json:"from,omitempty"` // who it is from, as the card says
}

func (g *Gift) validate(bad *problem.Invalid, pointer string) {
	if g != nil {
		text(bad, pointer+".message", g.Message, MaxGiftBytes)
		text(bad, pointer+".from", g.From, 200)
	}
}

// Edit asks to change an order before it has left. What it does not name stays as it is.
type Edit struct {
	Lines []LineEdit `json:"lines,omitempty"` // changes of lines the order has
	Add   []NewLine  `json:"add,omitempty"`   // further lines

	ShipTo         *network.Address `json:"ship_to,omitempty"`
	BillTo         *network.Address `json:"bill_to,omitempty"`
	Method         Method           `json:"method,omitempty"`
	PickupLocation string           `json:"pickup_location,omitempty"`
	Service        string           `json:"service,omitempty"`
	WantedBy       time.Time        `json:"wanted_by,omitzero"`
	// UnshippedOnly lets parcels that are under way go on to where they go. Without it, a new
	// address, service or method is refused once something has left.
	UnshippedOnly bool `json:"unshipped_only,omitempty"`

	Discount    *int64 `json:"discount,omitempty"` // of the order, beside the lines' own
	Shipping    *int64 `json:"shipping,omitempty"`
	ShippingTax *int64 `json:"shipping_tax,omitempty"`
	// Tenders pay, in addition to those the order has, for what it costs more; at most all of it.
	Tenders []Tender `json:"tenders,omitempty"`
	// Attributes are set; an empty value removes one.
	Attributes map[string]string `json:"attributes,omitempty"`

	// RequestStop asks locations to stop units to be removed that are picked already; without
	// it they cannot be removed.
	RequestStop bool   `json:"request_stop,omitempty"`
	Reason      string `json:"reason,omitempty"`
}

// LineEdit changes a line. Tax, when it is not given and the price or the quantity rises or
// falls, changes in proportion, rounded half up.
type LineEdit struct {
	Line string `json:"line"`
	// Quantity is how many units the customer is to get in all, those that left included; 0 removes the line.
	Quantity  *int64 `json:"quantity,omitempty"`
	UnitPrice *int64 `json:"unit_price,omitempty"` // for every unit, minor units
	Discount  *int64 `json:"discount,omitempty"`   // of the whole line
	Tax       *int64 `json:"tax,omitempty"`        // of the whole line
	Gift      *Gift  `json:"gift,omitempty"`       // an empty one: no gift
}

// Validate reports every field that is wrong in itself (problem.Invalid).
func (e *Edit) Validate() error {
	var bad problem.Invalid
	text(&bad, "reason", e.Reason, MaxTextBytes)
	bad.Text("service", e.Service, 200)
	bad.Text("pickup_location", e.PickupLocation, 200)
	if !slices.Contains([]Method{"", Ship, Pickup}, e.Method) {
		bad.Add("method", problem.Unknown, "%.60q is neither ship nor pickup", e.Method)
	}
	if e.Method == Ship && e.PickupLocation != "" {
		bad.Add("pickup_location", problem.Conflict, "only an order with method pickup has a pickup location")
	}
	if y := e.WantedBy.UTC().Year(); !e.WantedBy.IsZero() && (y < minYear || y > maxYear) {
		bad.Add("wanted_by", problem.OutOfRange, "must be between the years %d and %d", minYear, maxYear)
	}
	for _, a := range []struct {
		pointer string
		address *network.Address
	}{{"ship_to", e.ShipTo}, {"bill_to", e.BillTo}} {
		if a.address != nil {
			a.address.ValidateInto(&bad, a.pointer)
		}
	}
	for _, a := range []struct {
		pointer string
		amount  *int64
	}{{"discount", e.Discount}, {"shipping", e.Shipping}, {"shipping_tax", e.ShippingTax}} {
		if a.amount != nil {
			amount(&bad, a.pointer, *a.amount)
		}
	}
	e.validateLines(&bad)
	e.validateAttributes(&bad)
	validateTenders(&bad, e.Tenders)
	return bad.Err()
}

func (e *Edit) validateLines(bad *problem.Invalid) {
	bad.Count("lines", len(e.Lines), MaxLines)
	for i := range e.Lines[:min(len(e.Lines), MaxLines)] {
		l, at := &e.Lines[i], problem.At("lines", i)
		if l.Line == "" {
			bad.Add(at+".line", problem.Required, "say which line")
		}
		if l.Quantity != nil {
			bad.Range(at+".quantity", *l.Quantity, 0, MaxLineQuantity)
		}
		if l.UnitPrice != nil {
			bad.Range(at+".unit_price", *l.UnitPrice, 0, MaxAmount/MaxLineQuantity)
		}
		for _, a := range []struct {
			field  string
			amount *int64
		}{{".discount", l.Discount}, {".tax", l.Tax}} {
			if a.amount != nil {
				amount(bad, at+a.field, *a.amount)
			}
		}
		l.Gift.validate(bad, at+".gift")
	}
	if len(e.Add) > MaxLines {
		bad.Add("add", problem.TooLong, "at most %d lines, got %d", MaxLines, len(e.Add))
		return
	}
	for i := range e.Add {
		e.Add[i].validate(bad, problem.At("add", i))
	}
}

func (e *Edit) validateAttributes(bad *problem.Invalid) {
	bad.Count("attributes", len(e.Attributes), MaxAttributes)
	for _, k := range slices.Sorted(maps.Keys(e.Attributes)) {
		if len(k) > 100 || k == "" {
			bad.Add("attributes", problem.TooLong, "keys have 1 to 100 bytes")
			return
		}
		found := len(*bad)
		bad.Text("attributes", k, 100)
		text(bad, "attributes", e.Attributes[k], MaxTextBytes)
		if len(*bad) > found {
			return
		}
	}
}

// validate checks a line that is wrong in itself.
func (l *NewLine) validate(bad *problem.Invalid, at string) {
	bad.ID(at+".sku", l.SKU)
	bad.Text(at+".id", l.ID, 100)
	bad.Text(at+".external_id", l.ExternalID, 200)
	text(bad, at+".name", l.Name, MaxTextBytes)
	bad.Range(at+".quantity", l.Quantity, 1, MaxLineQuantity)
	bad.Range(at+".unit_price", l.UnitPrice, 0, MaxAmount/MaxLineQuantity)
	amount(bad, at+".discount", l.Discount)
	amount(bad, at+".tax", l.Tax)
	l.Gift.validate(bad, at+".gift")
}

// validateTenders checks each tender by itself.
func validateTenders(bad *problem.Invalid, tenders []Tender) {
	bad.Count("tenders", len(tenders), MaxTenders)
	for i := range tenders[:min(len(tenders), MaxTenders)] {
		tenders[i].validate(bad, problem.At("tenders", i))
	}
}

func (p *Tender) validate(bad *problem.Invalid, at string) {
	switch p.Type {
	case "card", "gift_card", "account", "cash", "other":
	default:
		bad.Add(at+".type", problem.Unknown, "%.60q is none of card, gift_card, account, cash, other", p.Type)
	}
	amount(bad, at+".amount", p.Amount)
	bad.Text(at+".reference", p.Reference, 200)
	if looksLikeCardNumber(p.Reference) {
		bad.Add(at+".reference", "card_number", "looks like a card number; send the payment provider's token")
	}
}

// Editing is what an edit needs beside the request and the order.
type Editing struct {
	At time.Time
	// Parts gives the components of a SKU when it is a kit, else nil.
	Parts func(sku string) []inventory.Part
	// Weigh, when not nil, says that added kits come apart; see Captured.
	Weigh func(sku string) int64
}

// Edit gives the events that change the order, or a *Refusal. Units that are no longer wanted
// are cancelled as Cancel does; a new way to the customer takes back what no location has
// accepted, asks the others to stop, and leaves alone what has left. What is decided and not
// touched stays.
func (o *Order) Edit(e *Edit, with Editing) ([]Event, error) {
	if o.Status.Final() || o.Status == StatusFulfilled {
		return nil, refuse(CodeWrongState, "", "the order is %s; nothing of it is left to edit", o.Status)
	}
	d := &editing{o: o, e: e, with: with, out: Edited{Reason: e.Reason}}
	for _, step := range []func() error{d.lines, d.added, d.way, d.rest, d.sums} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	events, err := d.cancelled()
	if err != nil {
		return nil, err
	}
	if d.changed {
		events = append(events, Event{Type: EventEdited, Edit: &d.out, Reason: e.Reason})
	}
	if len(events) == 0 {
		return nil, refuse(CodeNothingToDo, "", "the order is like that already; say what is to change")
	}
	if !d.moved {
		return events, nil
	}
	next, err := Fold(o, events, o.Version+1, with.At)
	if err != nil {
		return nil, err
	}
	back, err := next.takeBack(e.Reason, with.At)
	if err != nil {
		return nil, err
	}
	return append(events, back...), nil
}

// editing is one edit being decided.
type editing struct {
	o       *Order
	e       *Edit
	with    Editing
	out     Edited
	cancel  []LineQuantity
	at      []int // of cancel, the places in e.Lines
	changed bool
	moved   bool // the way to the customer is another one
}

// refusedAt moves a refusal about the cancellation's lines to the edit's.
func (d *editing) refusedAt(err error) error {
	r, ok := err.(*Refusal)
	if !ok {
		return err
	}
	for i, at := range d.at {
		if r.Pointer == fmt.Sprintf("lines[%d].quantity", i) {
			return &Refusal{Code: r.Code, Message: r.Message, Pointer: fmt.Sprintf("lines[%d].quantity", at)}
		}
	}
	return r
}

func (d *editing) cancelled() ([]Event, error) {
	if len(d.cancel) == 0 {
		return nil, nil
	}
	c := Cancellation{Lines: d.cancel, Reason: d.e.Reason, RequestStop: d.e.RequestStop}
	events, err := d.o.CancelAt(c, d.with.At)
	if err != nil {
		return nil, d.refusedAt(err)
	}
	return events, nil
}

// lines prices the lines that change.
func (d *editing) lines() error {
	seen := map[string]bool{}
	for i := range d.e.Lines {
		change := &d.e.Lines[i]
		at := problem.At("lines", i)
		l := d.o.Line(change.Line)
		if l == nil || seen[change.Line] {
			return refuse(CodeUnknownLine, at+".line", "line %.60q is unknown or named twice", change.Line)
		}
		seen[change.Line] = true
		quantity := l.Quantity
		if change.Quantity != nil {
			live := l.Quantity - l.Cancelled
			switch more := *change.Quantity - live; {
			case more < 0:
				d.cancel, d.at = append(d.cancel, LineQuantity{Line: l.ID, Quantity: -more}), append(d.at, i)
			case more > 0 && l.Kit != nil:
				return refuse(CodeNotAllowed, at+".quantity", "line %s is a part of kit %s; add the kit again", l.ID, l.Kit.SKU)
			case more > MaxLineQuantity-l.Quantity:
				return refuse(CodeTooMany, at+".quantity", "a line has at most %d units, cancelled ones included", MaxLineQuantity)
			default:
				quantity += more
			}
		}
		priced, err := change.price(l, quantity, d.o.TaxIncluded, at)
		if err != nil {
			return err
		}
		if priced != nil {
			d.out.Lines = append(d.out.Lines, *priced)
			d.changed = true
		}
	}
	return nil
}

// price is what the line costs after the change; nil: it stays.
func (e *LineEdit) price(l *Line, quantity int64, taxIncluded bool, at string) (*EditedLine, error) {
	n := EditedLine{Line: l.ID, Quantity: quantity, UnitPrice: l.UnitPrice, Discount: l.Discount, Tax: l.Tax, Total: l.Total}
	if e.UnitPrice != nil {
		n.UnitPrice = *e.UnitPrice
	}
	if e.Discount != nil {
		n.Discount = *e.Discount
	}
	gross := n.UnitPrice * n.Quantity // at most MaxAmount, because of the limits of both
	if n.Discount > gross {
		return nil, refuse("exceeds_price", at+".discount", "discount %d is more than the line's price %d", n.Discount, gross)
	}
	was := l.UnitPrice*l.Quantity - l.Discount
	if e.Tax != nil {
		n.Tax = *e.Tax
	} else if now := gross - n.Discount; now != was && was > 0 {
		var fits bool
		if n.Tax, fits = scaled(l.Tax, now, was); !fits {
			return nil, refuse("out_of_range", at+".tax", "the tax in proportion is too large; give it")
		}
	}
	n.Total = gross - n.Discount
	if !taxIncluded {
		n.Total += n.Tax
	}
	if e.Gift != nil && !sameGift(l.Gift, e.Gift) {
		gift := *e.Gift
		n.Gift = &gift
	}
	if n.Gift == nil && n == (EditedLine{Line: l.ID, Quantity: l.Quantity, UnitPrice: l.UnitPrice, Discount: l.Discount, Tax: l.Tax, Total: l.Total}) {
		return nil, nil
	}
	return &n, nil
}

func sameGift(have, want *Gift) bool {
	if have == nil {
		return *want == Gift{}
	}
	return *have == *want
}

// added makes lines of what is added.
func (d *editing) added() error {
	if len(d.e.Add) == 0 {
		return nil
	}
	ids := make(map[string]bool, len(d.o.Lines)+len(d.e.Add))
	for i := range d.o.Lines {
		ids[d.o.Lines[i].ID] = true
		if k := d.o.Lines[i].Kit; k != nil {
			ids[k.Line] = true // its id is not given again
		}
	}
	next := len(d.o.Lines)
	for i := range d.e.Add {
		n := d.e.Add[i]
		if n.ID == "" {
			for n.ID = lineNumber(next); ids[n.ID]; n.ID = lineNumber(next) {
				next++
			}
		} else if ids[n.ID] {
			return refuse(CodeUnknownLine, problem.At("add", i)+".id", "the order has a line %.60q already", n.ID)
		}
		ids[n.ID] = true
		if n.Discount > n.UnitPrice*n.Quantity {
			return refuse("exceeds_price", problem.At("add", i)+".discount", "discount %d is more than the line's price %d", n.Discount, n.UnitPrice*n.Quantity)
		}
		l := n.line(n.ID, d.o.TaxIncluded, d.with.Parts(n.SKU))
		lines := []Line{l}
		if d.with.Weigh != nil && explodable(&l, ids, len(d.o.Lines)+len(d.out.Added)) {
			lines = explode(l, d.with.Weigh, d.o.TaxIncluded)
		}
		for k := range lines {
			ids[lines[k].ID] = true
		}
		d.out.Added = append(d.out.Added, lines...)
	}
	if have := len(d.o.Lines) + len(d.out.Added); have > MaxLines {
		return refuse(CodeTooMany, "add", "an order has at most %d lines, this would make %d", MaxLines, have)
	}
	d.changed = true
	return nil
}
