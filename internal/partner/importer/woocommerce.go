package importer

import (
	"encoding/json"
	"html"
	"slices"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/problem"
)

// wooOrder is what is read of an order of WooCommerce's REST API v3. All amounts
// are without tax, whatever prices_include_tax says: that is about how the shop
// keeps its prices.
type wooOrder struct {
	ID              scalar      `json:"id"`
	Number          scalar      `json:"number"`
	Status          scalar      `json:"status"`
	Currency        scalar      `json:"currency"`
	CreatedVia      scalar      `json:"created_via"`
	DateCreated     scalar      `json:"date_created"`
	DateCreatedGMT  scalar      `json:"date_created_gmt"`
	DateModifiedGMT scalar      `json:"date_modified_gmt"`
	DatePaidGMT     scalar      `json:"date_paid_gmt"`
	ShippingTotal   scalar      `json:"shipping_total"`
	ShippingTax     scalar      `json:"shipping_tax"`
	TotalTax        scalar      `json:"total_tax"`
	Total           scalar      `json:"total"`
	CustomerID      scalar      `json:"customer_id"`
	CustomerNote    scalar      `json:"customer_note"`
	PaymentMethod   scalar      `json:"payment_method"`
	PaymentTitle    scalar      `json:"payment_method_title"`
	TransactionID   scalar      `json:"transaction_id"`
	Billing         wooAddress  `json:"billing"`
	Shipping        wooAddress  `json:"shipping"`
	LineItems       []wooLine   `json:"line_items"`
	ShippingLines   []wooCharge `json:"shipping_lines"`
	FeeLines        []wooCharge `json:"fee_lines"`
	CouponLines     []wooCoupon `json:"coupon_lines"`
	Refunds         []wooCoupon `json:"refunds"` // counted only
}

type wooAddress struct {
	FirstName scalar `json:"first_name"`
	LastName  scalar `json:"last_name"`
	Company   scalar `json:"company"`
	Address1  scalar `json:"address_1"`
	Address2  scalar `json:"address_2"`
	City      scalar `json:"city"`
	State     scalar `json:"state"`
	Postcode  scalar `json:"postcode"`
	Country   scalar `json:"country"`
	Email     scalar `json:"email"`
	Phone     scalar `json:"phone"`
}

type wooLine struct {
	ID          scalar `json:"id"`
	Name        scalar `json:"name"`
	SKU         scalar `json:"sku"`
	ProductID   scalar `json:"product_id"`
	VariationID scalar `json:"variation_id"`
	Quantity    scalar `json:"quantity"`
	Subtotal    scalar `json:"subtotal"` // of the line, before discounts
	Total       scalar `json:"total"`    // of the line, after discounts
	TotalTax    scalar `json:"total_tax"`
}

// wooCharge is a shipping line or a fee.
type wooCharge struct {
	Name        scalar `json:"name"`
	MethodTitle scalar `json:"method_title"`
	MethodID    scalar `json:"method_id"`
	Total       scalar `json:"total"`
	TotalTax    scalar `json:"total_tax"`
}

type wooCoupon struct {
	Code scalar `json:"code"`
}

// wooStatuses translates the statuses that the core of WooCommerce has.
var wooStatuses = map[string]string{
	"pending": "", "processing": "", "on-hold": FlagOnHold, "completed": FlagFulfilled, "refunded": FlagRefunded,
	"cancelled": "", "failed": "", "trash": "",
}

var (
	wooDrafts    = []string{"checkout-draft", "auto-draft", "draft"}
	wooCancelled = []string{"cancelled", "failed", "trash"}
)

// wooKind names a document that is no order; empty for one that is.
func wooKind(d *document) string {
	for _, shape := range [...]struct{ field, kind string }{
		{"delivery_url", "a webhook"}, {"refunded_by", "a refund"}, {"regular_price", "a product"},
	} {
		if _, has := d.fields[shape.field]; has {
			return shape.kind
		}
	}
	topic := strings.ToLower(d.topic)
	if topic != "" && !strings.HasPrefix(topic, "order.") && !strings.HasPrefix(topic, "batch.") {
		return topic
	}
	if isList(d.fields["line_items"]) || (len(d.fields) == 1 && isID(textOf(d.fields["id"]))) {
		return ""
	}
	return "a document " + fieldNames(d.fields)
}

func decodeWooCommerce(d *document) outcome {
	id := textOf(d.fields["id"])
	if !isID(id) {
		id = ""
	}
	topic := strings.ToLower(d.topic)
	failure := d.fields
	if raw := d.fields["error"]; isObject(raw) {
		failure = nil
		_ = json.Unmarshal(raw, &failure) // a part of what was read before: cannot fail
	}
	code, message := textOf(failure["code"]), textOf(failure["message"])
	if code != "" && message != "" && len(d.fields["line_items"]) == 0 {
		return rejected(id, "", CodePlatform, "the shop answered %.100s: %.200s", code, message)
	}
	kind := wooKind(d)
	switch {
	case kind != "":
		return rejected("", "", CodeNotAnOrder, "%.400s carries no order; nothing to do", kind)
	case topic == "order.deleted" || topic == "batch.delete":
		return rejected(id, "", CodeDeleted, "%s: that the shop forgot the order cancels nothing here", topic)
	case !isList(d.fields["line_items"]):
		return rejected(id, "", CodeNoOrder, "holds only an id; nothing to do")
	}
	return readWooOrder(d, id)
}

func readWooOrder(d *document, id string) outcome {
	var o wooOrder
	if err := json.Unmarshal(d.raw, &o); err != nil {
		return malformed(id, err)
	}
	draft := newDraft(d)
	if id == "" {
		return rejected("", "id", problem.Malformed, "%.40q is not an identifier of digits", string(o.ID))
	}
	if isImprecise(id) {
		draft.notice("id", CodeIDImprecise, "%s is beyond 2^53; a sender that keeps numbers as float64 may have rounded it", id)
	}
	status := o.Status.clean()
	if slices.Contains(wooDrafts, status) {
		return rejected(id, "status", CodeDraft, "the order is a %s; it is not placed yet", status)
	}
	draft.request.ExternalID = id
	item := &Item{Kind: Create, ExternalID: id}
	draft.wooLines(&o)
	draft.wooAbout(&o)
	draft.wooPlaces(&o, d.opts)
	draft.wooSums(&o)
	if draft.request.Total != nil && o.PaymentMethod != "" {
		draft.paidBy(o.PaymentMethod.clean(), safeReference(o.TransactionID))
	}
	bad := draft.close()
	if slices.Contains(wooCancelled, status) {
		item.Kind, item.Cancel = Cancel, &Cancellation{Reason: status}
		item.Cancel.At, _ = firstTime(gmtLayout, o.DateModifiedGMT)
		draft.flag(FlagCancelled)
	}
	return finish(item, draft, bad)
}

func (d *draft) wooLines(o *wooOrder) {
	d.currency("currency", o.Currency)
	if len(o.LineItems) > order.MaxLines {
		d.unsure = true
		d.bad.Add("line_items", problem.TooLong, "has %d lines; at most %d are allowed", len(o.LineItems), order.MaxLines)
		return
	}
	for i := range o.LineItems {
		l := &o.LineItems[i]
		at := problem.At("line_items", i)
		b := bought{pointer: at, id: string(l.ID), sku: l.SKU.clean(), name: wooText(l.Name)}
		if !isID(b.id) {
			d.bad.Add(at+".id", problem.Malformed, "%.40q is not an identifier of digits", b.id)
		}
		switch {
		case isID(string(l.VariationID)):
			b.fallbackSKU = "woocommerce-variation-" + string(l.VariationID)
		case isID(string(l.ProductID)):
			b.fallbackSKU = "woocommerce-product-" + string(l.ProductID)
		}
		b.quantity = d.quantity(at+".quantity", l.Quantity)
		b.tax = d.amount(at+".total_tax", l.TotalTax)
		total := d.required(at+".total", l.Total)
		before := max(total, d.amount(at+".subtotal", l.Subtotal))
		b.unitPrice = before / b.quantity
		if before%b.quantity > 0 {
			b.unitPrice++
			d.notice(at+".subtotal", CodeRounded, "%s is no multiple of %d units; the unit price is rounded up and the line's discount holds the rest", d.show(before), b.quantity)
		}
		b.discount = b.unitPrice*b.quantity - total
		d.line(&b)
	}
}

// wooSums reads shipping and fees, and checks every total.
func (d *draft) wooSums(o *wooOrder) {
	var shippingTax int64
	for i := range o.ShippingLines {
		at := problem.At("shipping_lines", i)
		d.add(&d.sum.shipping, d.required(at+".total", o.ShippingLines[i].Total))
		d.add(&shippingTax, d.amount(at+".total_tax", o.ShippingLines[i].TotalTax))
	}
	d.mustEqual("shipping_total", o.ShippingTotal, d.sum.shipping, "the shipping lines")
	d.mustEqual("shipping_tax", o.ShippingTax, shippingTax, "the shipping lines' taxes")
	d.add(&d.sum.otherTax, shippingTax)
	for i := range o.FeeLines {
		f := &o.FeeLines[i]
		at := problem.At("fee_lines", i)
		d.charge(wooText(f.Name), d.required(at+".total", f.Total), d.amount(at+".total_tax", f.TotalTax))
	}
	tax := d.sum.lineTax
	d.add(&tax, d.sum.otherTax)
	d.mustEqual("total_tax", o.TotalTax, tax, "the taxes of lines, shipping and fees")
	d.total("total", o.Total)
}

// wooAbout reads what the order is, beside lines and money.
func (d *draft) wooAbout(o *wooOrder) {
	at, ok := firstTime(gmtLayout, o.DateCreatedGMT)
	if !ok {
		at, ok = firstTime(time.RFC3339, o.DateCreatedGMT, o.DateCreated)
	}
	if !ok {
		d.bad.Add("date_created_gmt", problem.Required, "is required: a time like 2026-03-22T19:28:02")
	}
	d.request.PlacedAt = at
	d.attribute("number", o.Number.clean())
	d.attribute("created_via", o.CreatedVia.clean())
	d.attribute("gateways", wooText(o.PaymentTitle))
	d.attribute("discount_codes", joined(o.CouponLines, func(c wooCoupon) scalar { return c.Code }))
	d.attribute("shipping", joined(o.ShippingLines, func(c wooCharge) scalar { return scalar(wooText(c.MethodTitle)) }))
	d.note(o.CustomerNote)
	d.status("status", o.Status, wooStatuses)
	if o.DatePaidGMT != "" {
		d.flag(FlagPaid)
	} else {
		d.flag(FlagUnpaid)
	}
	if len(o.Refunds) > 0 && o.Status != "refunded" {
		d.flag(FlagPartiallyRefunded)
	}
}

// wooPlaces reads the customer and where the order goes.
func (d *draft) wooPlaces(o *wooOrder, opts *Options) {
	d.request.Customer = order.Customer{
		Name: fullName(o.Billing.FirstName, o.Billing.LastName), Email: o.Billing.Email.clean(), Phone: o.Billing.Phone.clean(),
	}
	if id := string(o.CustomerID); isID(id) { // a guest has 0
		d.request.Customer.ID = id
	}
	for i := range o.ShippingLines {
		s := &o.ShippingLines[i]
		if !d.collects(wooText(s.MethodTitle), opts.Pickup) && (s.MethodID == "local_pickup" || s.MethodID == "pickup_location") {
			d.bad.Add(problem.At("shipping_lines", i), CodePickup, "the customer collects at %.100q, which is mapped to no location", wooText(s.MethodTitle))
		}
	}
	d.billTo("billing", o.Billing.address())
	d.shipTo("shipping", o.Shipping.address(), len(o.ShippingLines) > 0)
}

// address is nil for one of empty fields, which is how the platform writes none.
func (a *wooAddress) address() *network.Address {
	to := network.Address{
		Name: fullName(a.FirstName, a.LastName), Company: a.Company.clean(), Line1: a.Address1.clean(), Line2: a.Address2.clean(),
		City: a.City.clean(), Region: a.State.clean(), PostalCode: a.Postcode.clean(), Country: a.Country.clean(), Phone: a.Phone.clean(),
	}
	if to == (network.Address{}) {
		return nil
	}
	return &to
}

// wooText undoes the HTML escapes that the platform keeps names with.
func wooText(s scalar) string { return scalar(html.UnescapeString(string(s))).clean() }
