package importer

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/orderly-oms/orderly/internal/money"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/problem"
)

// draft is an order that is being read. It collects every problem, so that a
// rejection names all of them.
type draft struct {
	format  string
	skuByID bool
	request order.New
	bad     problem.Invalid
	notices problem.Invalid
	flags   []string
	// unsure is set when a figure could not be read: sums would then only mislead.
	unsure bool

	sum     sums
	charges []string // what is in sum.charges, for people
}

// sums are of the whole order, in minor units.
type sums struct {
	goods        int64 // Σ quantity × unit price of all lines, charges among them
	lineDiscount int64
	shipping     int64 // what is paid for shipping, after its discounts
	charges      int64 // after their discounts, the negative ones left out
	discount     int64 // of the order beside its lines, negative fees among them
	lineTax      int64 // of the lines that are picked
	otherTax     int64 // of shipping and charges
}

func newDraft(d *document) *draft {
	return &draft{format: d.format, skuByID: d.opts.SKUFromID, request: order.New{
		Channel: d.channel, Method: order.Ship, Attributes: map[string]string{},
	}}
}

// currency must be read before any amount.
func (d *draft) currency(pointer string, code scalar) {
	d.request.Currency = string(code)
	if !money.ValidCurrency(string(code)) {
		d.unsure = true
		d.bad.Add(pointer, problem.Unknown, "%.10q is not a current ISO 4217 currency code", string(code))
	}
}

// amount reads a decimal into minor units; absent is zero.
func (d *draft) amount(pointer string, s scalar) int64 {
	if s == "" || !money.ValidCurrency(d.request.Currency) {
		return 0
	}
	n, err := money.Parse(string(s), d.request.Currency)
	switch {
	case err == nil && n >= -order.MaxAmount && n <= order.MaxAmount:
		return n
	case err == nil || errors.Is(err, money.ErrOverflow):
		d.bad.Add(pointer, problem.OutOfRange, "%.40s is beyond the largest amount, %s", string(s), d.show(order.MaxAmount))
	default:
		d.bad.Add(pointer, problem.Malformed, "%s", err)
	}
	d.unsure = true
	return 0
}

// required is amount for a field that every order has.
func (d *draft) required(pointer string, s scalar) int64 {
	if s == "" {
		d.unsure = true
		d.bad.Add(pointer, problem.Required, "is required")
	}
	return d.amount(pointer, s)
}

// add adds n to a sum.
func (d *draft) add(sum *int64, n int64) {
	var err error
	if *sum, err = money.Add(*sum, n); err != nil {
		d.unsure = true
		d.bad.Add("", problem.OutOfRange, "the amounts add up to more than 64 bits of minor units")
	}
}

// quantity reads a count of units, 1 to order.MaxLineQuantity.
func (d *draft) quantity(pointer string, s scalar) int64 {
	n, err := strconv.ParseInt(string(s), 10, 64)
	if err != nil || n < 1 || n > order.MaxLineQuantity {
		d.unsure = true
		d.bad.Add(pointer, problem.OutOfRange, "%.40q is not a whole number of units from 1 to %d", string(s), order.MaxLineQuantity)
		return 1
	}
	return n
}

// bought is one line of a document with its figures read.
type bought struct {
	pointer                            string
	id, sku, fallbackSKU, name         string
	quantity, unitPrice, discount, tax int64
	unpicked                           bool // needs no shipping
}

// line places a line among those that are picked, or among the charges.
func (d *draft) line(b *bought) (picked bool) {
	const maxUnitPrice = order.MaxAmount / order.MaxLineQuantity
	if b.unitPrice < 0 || b.unitPrice > maxUnitPrice {
		d.unsure = true
		d.bad.Add(problem.Join(b.pointer, "price"), problem.OutOfRange, "a unit costs %s; 0 to %s are allowed", d.show(b.unitPrice), d.show(maxUnitPrice))
		return false
	}
	price := b.unitPrice * b.quantity // both are bounded, the product is below 2^53
	d.add(&d.sum.goods, price)
	d.add(&d.sum.lineDiscount, b.discount)
	if b.sku == "" && b.unpicked {
		d.charge(b.name, price-b.discount, b.tax)
		return false
	}
	sku := b.sku
	if sku == "" && d.skuByID {
		sku = b.fallbackSKU
	}
	if sku == "" {
		d.bad.Add(problem.Join(b.pointer, "sku"), CodeSKUMissing, "line %s (%.100s) has no SKU, so nobody can pick it", b.id, b.name)
	}
	d.add(&d.sum.lineTax, b.tax)
	d.request.Lines = append(d.request.Lines, order.NewLine{
		ExternalID: b.id, SKU: sku, Name: clip(b.name, order.MaxTextBytes),
		Quantity: b.quantity, UnitPrice: b.unitPrice, Discount: b.discount, Tax: b.tax,
	})
	return true
}

// charge adds something paid that nobody picks. A negative one is a discount.
func (d *draft) charge(name string, amount, tax int64) {
	if amount < 0 {
		d.add(&d.sum.discount, -amount)
	} else {
		d.add(&d.sum.charges, amount)
	}
	d.add(&d.sum.otherTax, tax)
	if amount != 0 || tax != 0 {
		d.charges = append(d.charges, clip(name, 100)+" "+d.show(amount))
	}
}

// mustEqual rejects a figure of the document (absent: nothing to compare) that its parts do not add up to.
func (d *draft) mustEqual(pointer string, s scalar, parts int64, what string) {
	stated := d.amount(pointer, s)
	if s != "" && !d.unsure && stated != parts {
		d.bad.Add(pointer, CodeWrongSum, "%s add up to %s, not %s", what, d.show(parts), d.show(stated))
	}
}

// total compares what the request adds up to with the document's total.
func (d *draft) total(pointer string, s scalar) {
	stated := d.required(pointer, s)
	n := &d.request
	n.Discount, n.Shipping, n.ShippingTax = d.sum.discount, d.sum.shipping, d.sum.otherTax
	d.add(&n.Shipping, d.sum.charges)
	d.attribute("charges", strings.Join(d.charges, "; "))
	var goods, discount, total int64
	for i := range n.Lines {
		l := &n.Lines[i]
		d.add(&goods, l.UnitPrice*l.Quantity)
		d.add(&discount, l.Discount)
	}
	d.add(&discount, n.Discount)
	tax := d.sum.otherTax
	d.add(&tax, d.sum.lineTax)
	d.add(&total, goods)
	d.add(&total, -discount)
	d.add(&total, n.Shipping)
	included := " (included)"
	if !n.TaxIncluded {
		d.add(&total, tax)
		included = ""
	}
	if d.unsure {
		return
	}
	if total != stated {
		d.bad.Add(pointer, CodeWrongSum, "lines %s − discounts %s + shipping and charges %s + tax %s%s add up to %s, not %s",
			d.show(goods), d.show(discount), d.show(n.Shipping), d.show(tax), included, d.show(total), d.show(stated))
	}
	n.Total = &stated
}

// show writes an amount with its currency.
func (d *draft) show(minor int64) string {
	return money.Money{Amount: minor, Currency: d.request.Currency}.String()
}

// attribute keeps what an order has no field for; empty is left out.
func (d *draft) attribute(name, value string) {
	if value == "" {
		return
	}
	if len(value) > order.MaxTextBytes {
		d.notice(name, CodeLeftOut, "%s is longer than %d bytes; its end is left out", name, order.MaxTextBytes)
		value = clip(value, order.MaxTextBytes)
	}
	d.request.Attributes[d.format+"."+name] = value
}

func (d *draft) notice(pointer, code, format string, args ...any) {
	d.notices.Add(pointer, code, format, args...)
}

func (d *draft) flag(name string) {
	if name != "" && !slices.Contains(d.flags, name) {
		d.flags = append(d.flags, name)
		slices.Sort(d.flags)
	}
}

// status keeps a platform's status as an attribute and translates it by known;
// one that is not in it is no error: platforms add some, and shops their own.
func (d *draft) status(name string, s scalar, known map[string]string) {
	value := s.clean()
	if value == "" {
		return
	}
	d.attribute(name, value)
	flag, isKnown := known[value]
	if !isKnown {
		d.notice(name, CodeUnknownValue, "%s %.60q is not known", name, value)
	}
	d.flag(flag)
}

// note keeps the customer's note.
func (d *draft) note(s scalar) {
	const limit = 4 * order.MaxTextBytes // as order.New allows
	if len(s) > limit {
		d.notice("note", CodeLeftOut, "the note is longer than %d bytes; its end is left out", limit)
	}
	d.request.Note = clip(string(s), limit)
}

// billTo keeps an address for the invoice; one without a country is no address.
func (d *draft) billTo(pointer string, a *network.Address) {
	if a != nil && a.Country == "" {
		d.notice(pointer, CodeLeftOut, "the billing address has no country and is left out")
		return
	}
	d.request.BillTo = a
}

// shipTo demands an address when something is sent; pickup orders need none.
func (d *draft) shipTo(pointer string, a *network.Address, needed bool) {
	d.request.ShipTo = a
	if a == nil && needed && d.request.Method == order.Ship {
		d.bad.Add(pointer, problem.Required, "is required: something is to be shipped; if the customer collects it, map the shipping line's title to a location")
	}
}

// collects makes it an order for pickup when the shipping line's title is mapped to a location.
func (d *draft) collects(title string, pickup map[string]string) bool {
	location := pickup[title]
	if location == "" {
		return false
	}
	d.request.Method, d.request.PickupLocation = order.Pickup, location
	return true
}

// close gives what is wrong with the order, nil when it can be captured.
func (d *draft) close() problem.Invalid {
	if len(d.request.Lines) == 0 && len(d.bad) == 0 {
		d.bad.Add("line_items", CodeNothing, "no line is picked by anybody, so there is nothing to orchestrate")
	}
	if len(d.bad) == 0 {
		d.bad.Nest("", d.request.Validate())
		slices.SortStableFunc(d.bad, func(a, b problem.Field) int { return strings.Compare(a.Pointer, b.Pointer) })
	}
	return d.bad
}
