package importer

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/problem"
)

// shopifyFinancial and shopifyFulfillment translate the statuses of an order.
var (
	shopifyFinancial = map[string]string{
		"pending": FlagUnpaid, "expired": FlagUnpaid, "authorized": FlagAuthorized, "partially_paid": FlagPartiallyPaid,
		"paid": FlagPaid, "partially_refunded": FlagPartiallyRefunded, "refunded": FlagRefunded, "voided": FlagVoided,
	}
	shopifyFulfillment = map[string]string{
		"fulfilled": FlagFulfilled, "partial": FlagPartiallyFulfilled, "unfulfilled": "", "restocked": "", "not_eligible": "",
	}
	// shopifyPaid are the financial statuses of orders that one gateway pays in full.
	shopifyPaid = map[scalar]bool{"pending": true, "authorized": true, "paid": true, "partially_refunded": true, "refunded": true}
)

func decodeShopify(d *document) outcome {
	topic := shopifyTopic(d)
	about := textOf(d.fields["order_id"])
	if kind, exact := globalID(scalar(textOf(d.fields["admin_graphql_api_id"]))); kind == "Order" {
		about = exact
	} else if strings.HasPrefix(topic, "orders/") && about == "" {
		about = textOf(d.fields["id"])
	}
	if !isID(about) {
		about = ""
	}
	switch {
	case topic == "":
		return rejected("", "", CodeNotAnOrder, "a document %s is no order; nothing to do", fieldNames(d.fields))
	case !strings.HasPrefix(topic, "orders/"):
		return rejected(about, "", CodeNotAnOrder, "%.100s carries no order; nothing to do", topic)
	case isObject(d.fields["order_edit"]):
		return readShopifyEdit(d)
	case topic == "orders/delete":
		return rejected(about, "", CodeDeleted, "orders/delete carries no order; that the platform forgot it cancels nothing here")
	case !isList(d.fields["line_items"]) && (topic != "orders/cancelled" || about == ""):
		return rejected(about, "", CodeNoOrder, "%.100s carries no order; nothing to do", strings.TrimSuffix(topic, "/"))
	}
	return readShopifyOrder(d, topic, about)
}

func readShopifyOrder(d *document, topic, about string) outcome {
	var o shopifyOrder
	if err := json.Unmarshal(d.raw, &o); err != nil {
		return malformed(about, err)
	}
	draft := newDraft(d)
	id := draft.identify("id", "Order", o.ID, o.GlobalID)
	if id == "" || len(draft.bad) > 0 {
		return outcome{externalID: id, problems: draft.bad}
	}
	draft.request.ExternalID = id
	item := &Item{Kind: Create, ExternalID: id}
	if removed := draft.shopifyLines(&o); len(removed) > 0 {
		item.Edit = &Changes{Removed: removed}
		draft.flag(FlagEdited)
	}
	draft.shopifyAbout(&o)
	draft.shopifyPlaces(&o, d.opts)
	draft.shopifySums(&o)
	draft.shopifyTenders(&o)
	bad := draft.close()
	if o.CancelledAt != "" || topic == "orders/cancelled" {
		item.Kind, item.Cancel = Cancel, shopifyCancellation(&o)
		draft.flag(FlagCancelled)
	}
	return finish(item, draft, bad)
}

// finish gives the outcome. A cancellation stands even when its order cannot be read.
func finish(item *Item, d *draft, bad problem.Invalid) outcome {
	if len(bad) == 0 {
		item.Order = &d.request
	} else if item.Kind != Cancel {
		return outcome{externalID: item.ExternalID, problems: bad}
	} else {
		item.Edit = nil
		d.notices = append(bad, d.notices...)
	}
	item.Flags, item.Notices = d.flags, d.notices
	return outcome{item: item}
}

func shopifyCancellation(o *shopifyOrder) *Cancellation {
	c := &Cancellation{Reason: clip(o.CancelReason.clean(), order.MaxTextBytes)}
	if c.Reason == "" {
		c.Reason = "other"
	}
	c.At, _ = firstTime(time.RFC3339, o.CancelledAt, o.UpdatedAt)
	return c
}

// firstTime is the first of the times that can be read.
func firstTime(layout string, times ...scalar) (time.Time, bool) {
	for _, s := range times {
		if at, ok := parseTime(s, layout); ok {
			return at, true
		}
	}
	return time.Time{}, false
}

// shopifyLines reads the lines, and what of them was removed since the order was placed.
func (d *draft) shopifyLines(o *shopifyOrder) (removed []Change) {
	d.currency("currency", o.Currency)
	if len(o.LineItems) > order.MaxLines {
		d.unsure = true
		d.bad.Add("line_items", problem.TooLong, "has %d lines; at most %d are allowed", len(o.LineItems), order.MaxLines)
		return nil
	}
	for i := range o.LineItems {
		l := &o.LineItems[i]
		at := problem.At("line_items", i)
		b := bought{pointer: at, id: d.identify(at+".id", "LineItem", l.ID, l.GlobalID), sku: l.SKU.clean(), name: l.Name.clean()}
		if b.name == "" {
			b.name = l.Title.clean()
		}
		if isID(string(l.VariantID)) {
			b.fallbackSKU = "shopify-variant-" + string(l.VariantID)
		}
		b.unpicked = l.Shipped == "false"
		b.quantity = d.quantity(at+".quantity", l.Quantity)
		b.unitPrice = d.required(at+".price", l.Price)
		b.discount = d.shopifyDiscount(at, l.TotalDiscount, l.Allocations)
		b.tax = d.shopifyTax(at, l.TaxLines)
		picked := d.line(&b)
		if now, err := strconv.ParseInt(string(l.CurrentQuantity), 10, 64); err == nil && now >= 0 && now < b.quantity && picked {
			removed = append(removed, Change{ExternalID: b.id, Quantity: b.quantity - now})
		}
	}
	return removed
}

// shopifyDiscount is the sum of the allocations; without any, the older total.
func (d *draft) shopifyDiscount(at string, total scalar, allocations []shopifyAllocation) (sum int64) {
	if len(allocations) == 0 {
		return d.amount(at+".total_discount", total)
	}
	for i := range allocations {
		d.add(&sum, d.amount(problem.At(at+".discount_allocations", i)+".amount", allocations[i].Amount))
	}
	return sum
}

func (d *draft) shopifyTax(at string, lines []shopifyPrice) (sum int64) {
	for i := range lines {
		d.add(&sum, d.amount(problem.At(at+".tax_lines", i)+".price", lines[i].Price))
	}
	return sum
}

// shopifySums reads shipping, charges and order discount, and checks every total.
func (d *draft) shopifySums(o *shopifyOrder) {
	var shippingDiscount int64
	for i := range o.ShippingLines {
		s := &o.ShippingLines[i]
		if s.Removed.isTrue() {
			continue
		}
		at := problem.At("shipping_lines", i)
		price := d.required(at+".price", s.Price)
		discount := d.shopifyDiscount(at, "", s.Allocations)
		if s.DiscountedPrice != "" && len(s.Allocations) == 0 {
			discount = price - d.amount(at+".discounted_price", s.DiscountedPrice)
		}
		d.add(&shippingDiscount, discount)
		d.add(&d.sum.shipping, price-discount)
		d.add(&d.sum.otherTax, d.shopifyTax(at, s.TaxLines))
	}
	if o.TotalDiscounts != "" {
		all := d.amount("total_discounts", o.TotalDiscounts)
		d.add(&d.sum.discount, all)
		d.add(&d.sum.discount, -d.sum.lineDiscount)
		d.add(&d.sum.discount, -shippingDiscount)
		if d.sum.discount < 0 && !d.unsure {
			d.bad.Add("total_discounts", CodeWrongSum, "the lines' discounts %s and shipping's %s are more than %s in all",
				d.show(d.sum.lineDiscount), d.show(shippingDiscount), d.show(all))
		}
	}
	if o.Subtotal != "" {
		d.mustEqual("subtotal_price", o.Subtotal, d.shopifySubtotal(o), "lines less discounts")
	}
	if tip := d.amount("total_tip_received", o.TotalTip); tip != 0 && !hasTipLine(o) {
		d.charge("Tip", tip, 0)
	}
	d.charge("Fees", d.amount("original_total_additional_fees_set", o.Fees.Shop.Amount), 0)
	if !o.DutiesIncluded.isTrue() {
		d.charge("Duties", d.amount("original_total_duties_set", o.Duties.Shop.Amount), 0)
	}
	tax := d.sum.lineTax
	d.add(&tax, d.sum.otherTax)
	d.mustEqual("total_tax", o.TotalTax, tax, "the taxes of lines and shipping")
	d.total("total_price", o.TotalPrice)
}

// shopifySubtotal is what the lines cost after discounts, without tips.
func (d *draft) shopifySubtotal(o *shopifyOrder) int64 {
	subtotal := d.sum.goods
	d.add(&subtotal, -d.sum.lineDiscount)
	d.add(&subtotal, -d.sum.discount)
	if hasTipLine(o) {
		d.add(&subtotal, -d.amount("total_tip_received", o.TotalTip))
	}
	return subtotal
}

// hasTipLine reports whether the tip is one of the lines, not only a total.
func hasTipLine(o *shopifyOrder) bool {
	for i := range o.LineItems {
		if isObject(o.LineItems[i].Tip) {
			return true
		}
	}
	return false
}

// shopifyAbout reads what the order is, beside lines and money.
func (d *draft) shopifyAbout(o *shopifyOrder) {
	n := &d.request
	n.TaxIncluded = o.TaxesIncluded.isTrue()
	at, ok := firstTime(time.RFC3339, o.ProcessedAt, o.CreatedAt)
	if !ok {
		d.bad.Add("processed_at", problem.Required, "neither processed_at nor created_at is a time of RFC 3339")
	}
	n.PlacedAt = at
	d.attribute("name", o.Name.clean())
	d.attribute("number", o.Number.clean())
	d.attribute("po_number", o.PONumber.clean())
	d.attribute("source_name", o.SourceName.clean())
	d.attribute("tags", o.Tags.clean())
	d.attribute("discount_codes", joined(o.DiscountCodes, func(c shopifyCode) scalar { return c.Code }))
	d.attribute("gateways", joined(o.Gateways, func(s scalar) scalar { return s }))
	if o.Presentment != o.Currency {
		d.attribute("presentment_currency", o.Presentment.clean())
	}
	d.note(o.Note)
	d.status("financial_status", o.FinancialStatus, shopifyFinancial)
	d.status("fulfillment_status", o.FulfillmentStatus, shopifyFulfillment)
	if o.Test.isTrue() {
		d.flag(FlagTest)
	}
	if o.ClosedAt != "" {
		d.flag(FlagClosed)
	}
}

// joined is the texts that are not empty, with commas.
func joined[T any](list []T, text func(T) scalar) string {
	var texts []string
	for _, entry := range list {
		if s := text(entry).clean(); s != "" {
			texts = append(texts, s)
		}
	}
	return strings.Join(texts, ", ")
}

// shopifyPlaces reads the customer and where the order goes.
func (d *draft) shopifyPlaces(o *shopifyOrder, opts *Options) {
	c := &o.Customer
	customer := order.Customer{Name: fullName(c.FirstName, c.LastName), Phone: c.Phone.clean()}
	if c.ID != "" || c.GlobalID != "" {
		customer.ID = d.identify("customer.id", "Customer", c.ID, c.GlobalID)
	}
	for _, email := range []scalar{o.Email, o.ContactEmail, c.Email} {
		if customer.Email == "" {
			customer.Email = email.clean()
		}
	}
	if phone := o.Phone.clean(); phone != "" {
		customer.Phone = phone
	}
	d.request.Customer = customer
	var titles []string
	for i := range o.ShippingLines {
		if s := &o.ShippingLines[i]; !s.Removed.isTrue() {
			titles = append(titles, s.Title.clean())
			d.collects(s.Title.clean(), opts.Pickup)
		}
	}
	d.attribute("shipping", strings.Join(titles, ", "))
	sent := false
	for i := range o.LineItems {
		sent = sent || o.LineItems[i].Shipped != "false"
	}
	d.billTo("billing_address", o.BillingAddress.address())
	d.shipTo("shipping_address", o.ShippingAddress.address(), sent)
}

func fullName(first, last scalar) string {
	return strings.TrimSpace(first.clean() + " " + last.clean())
}

func (a *shopifyAddress) address() *network.Address {
	if a == nil {
		return nil
	}
	to := &network.Address{
		Name: a.Name.clean(), Company: a.Company.clean(), Line1: a.Address1.clean(), Line2: a.Address2.clean(),
		City: a.City.clean(), Region: a.ProvinceCode.clean(), PostalCode: a.PostalCode.clean(),
		Country: a.CountryCode.clean(), Phone: a.Phone.clean(),
	}
	if to.Name == "" {
		to.Name = fullName(a.FirstName, a.LastName)
	}
	if to.Region == "" {
		to.Region = a.Province.clean()
	}
	lat, errLat := strconv.ParseFloat(string(a.Latitude), 64)
	long, errLong := strconv.ParseFloat(string(a.Longitude), 64)
	if errLat == nil && errLong == nil {
		to.Latitude, to.Longitude = &lat, &long
	}
	return to
}

// shopifyTenders divides the total by the transactions that succeeded, when they
// make it up; else one gateway pays it all, or nothing is known.
func (d *draft) shopifyTenders(o *shopifyOrder) {
	if d.request.Total == nil {
		return
	}
	var tenders []order.Tender
	var sum int64
	for i := range o.Transactions {
		t := &o.Transactions[i]
		// A capture has the authorization that it takes the money of as its parent.
		first := t.ParentID == "" && (t.Kind == "sale" || t.Kind == "authorization" || t.Kind == "capture")
		if !first || t.Status != "success" || (t.Currency != "" && t.Currency != o.Currency) {
			continue
		}
		at := problem.At("transactions", i)
		amount := d.required(at+".amount", t.Amount)
		reference := "OrderTransaction/" + d.identify(at+".id", "OrderTransaction", t.ID, t.GlobalID)
		tenders = append(tenders, order.Tender{Type: tenderType(string(t.Gateway)), Amount: amount, Reference: reference})
		d.add(&sum, amount)
	}
	switch {
	case len(tenders) > 0 && len(tenders) <= order.MaxTenders && sum == *d.request.Total:
		d.request.Tenders = tenders
	case len(o.Gateways) == 1 && len(tenders) <= 1 && shopifyPaid[o.FinancialStatus]:
		d.paidBy(string(o.Gateways[0]), "")
	case len(o.Gateways)+len(tenders) > 0:
		d.notice("payment_gateway_names", CodeLeftOut, "how the total was divided over the payments is not known, so the order has no tenders")
	}
}

func readShopifyEdit(d *document) outcome {
	var e shopifyEdit
	if err := json.Unmarshal(d.raw, &e); err != nil {
		return malformed("", err)
	}
	draft := newDraft(d)
	edit := &e.Edit
	id := draft.identify("order_edit.order_id", "Order", edit.OrderID, "")
	changes := &Changes{
		Added:   draft.shopifyDeltas("order_edit.line_items.additions", edit.LineItems.Additions),
		Removed: draft.shopifyDeltas("order_edit.line_items.removals", edit.LineItems.Removals),
	}
	changes.At, _ = firstTime(time.RFC3339, edit.CommittedAt, edit.CreatedAt)
	if len(draft.bad) == 0 && len(changes.Added)+len(changes.Removed) == 0 {
		draft.bad.Add("order_edit.line_items", CodeNoOrder, "the edit changes no quantity; nothing to do")
	}
	if len(draft.bad) > 0 {
		return outcome{externalID: id, problems: draft.bad}
	}
	return outcome{item: &Item{Kind: Edit, ExternalID: id, Edit: changes, Notices: draft.notices}}
}

func (d *draft) shopifyDeltas(pointer string, deltas []shopifyDelta) (changes []Change) {
	if len(deltas) > order.MaxLines {
		d.bad.Add(pointer, problem.TooLong, "has %d lines; at most %d are allowed", len(deltas), order.MaxLines)
		return nil
	}
	for i := range deltas {
		at := problem.At(pointer, i)
		changes = append(changes, Change{
			ExternalID: d.identify(at+".id", "LineItem", deltas[i].ID, ""),
			Quantity:   d.quantity(at+".delta", deltas[i].Delta),
		})
	}
	return changes
}
