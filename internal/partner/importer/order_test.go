package importer_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/orderly-oms/orderly/internal/money"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/partner/importer"
)

// object is a document in the making.
type object = map[string]any

func text(t testing.TB, v any) string {
	t.Helper()
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// shopifyDocument is an order of two kinds of goods, a gift card by mail and a tip, in
// Swiss francs: 2 × 30.00 − 6.00 + 1 × 9.95 + 25.00 + 3.50 + shipping 8.00 − 2.00
// + tax 4.20 + 0.77 + 0.46, of which 2.00 more are taken off the whole.
func shopifyDocument() object {
	return object{
		"id": json.Number("9007199254740993"), "admin_graphql_api_id": "gid://shopify/Order/9007199254740993?key=x",
		"name": "#1001", "order_number": 1001, "currency": "CHF", "presentment_currency": "EUR",
		"processed_at": "2026-04-01T10:00:00+02:00", "created_at": "2026-04-01T08:00:01Z", "cancelled_at": nil,
		"financial_status": "paid", "fulfillment_status": "partial", "test": false, "taxes_included": false,
		"email": "kim@example.com", "note": "ring twice", "tags": "vip, gift",
		"total_price": "101.88", "subtotal_price": "86.95", "total_discounts": "10.00", "total_tax": "5.43", "total_tip_received": "3.50",
		"payment_gateway_names": []string{"gift_card", "shopify_payments"},
		"customer":              object{"id": json.Number("7000000000000000001"), "first_name": "Kim", "last_name": "Keller", "phone": "+41 44 000 00 00"},
		"shipping_address":      object{"first_name": "Kim", "last_name": "Keller", "address1": "Gasse 1\tHof", "city": "Zürich", "zip": "8001", "country_code": "CH", "province": "Zürich", "latitude": 47.37, "longitude": 8.54},
		"billing_address":       object{"name": "Kim Keller", "city": "Zürich"},
		"line_items": []any{
			object{"id": 11, "sku": "MUG", "name": "Mug", "quantity": 2, "current_quantity": 1, "price": 30, "requires_shipping": true, "total_discount": "0.00",
				"discount_allocations": []any{object{"amount": "5.00"}, object{"amount": "1.00"}}, "tax_lines": []any{object{"price": "4.00"}, object{"price": 0.20}}},
			object{"id": 12, "sku": " CUP ", "title": "Cup", "quantity": "1", "price": "9.95", "tax_lines": []any{object{"price": "0.77"}}},
			object{"id": 13, "sku": nil, "name": "Gift card", "quantity": 1, "price": "25.00", "requires_shipping": false, "gift_card": true},
			object{"id": 14, "sku": "", "name": "Tip", "quantity": 1, "price": "3.50", "requires_shipping": false, "tip": object{"payment_gateway": "x"}},
		},
		"shipping_lines": []any{
			object{"title": "Post", "price": "8.00", "discounted_price": "6.00", "tax_lines": []any{object{"price": "0.46"}}},
			object{"title": "Removed", "price": "99.00", "is_removed": true},
		},
		"discount_codes": []any{object{"code": "SPRING"}},
		"transactions": []any{
			object{"id": 501, "kind": "sale", "status": "success", "gateway": "gift_card", "amount": "20.00", "currency": "CHF"},
			object{"id": 502, "kind": "authorization", "status": "success", "gateway": "shopify_payments", "amount": "81.88",
				"payment_details": object{"credit_card_number": "•••• 4242", "credit_card_bin": "424242"}, "receipt": object{"pan": "4242424242424242"}},
			object{"id": 503, "parent_id": 502, "kind": "capture", "status": "success", "gateway": "shopify_payments", "amount": "81.88"},
			object{"id": 504, "kind": "sale", "status": "failure", "gateway": "bogus", "amount": "81.88"},
		},
	}
}

func wooDocument() object {
	address := object{"first_name": "Ana", "last_name": "Ruiz", "address_1": "Calle 1", "city": "Madrid", "postcode": "28001", "country": "ES"}
	return object{
		"id": json.Number("18446744073709551615"), "number": "A-77", "status": "processing", "currency": "EUR", "prices_include_tax": true,
		"date_created": "2026-03-29T01:30:00", "date_created_gmt": "2026-03-29T00:30:00", "date_paid_gmt": "2026-03-29T00:31:00",
		"shipping_total": "5.00", "shipping_tax": "1.05", "total_tax": "2.94", "total": "19.94", "customer_id": 26,
		"billing": object{"first_name": "Ana", "last_name": "Ruiz", "email": "ana@example.com", "country": "ES"}, "shipping": address,
		"payment_method": "stripe", "payment_method_title": "Card &amp; more", "transaction_id": "pi_123",
		"line_items": []any{
			object{"id": 1, "name": "Tea &ndash; green", "sku": "TEA", "product_id": 5, "variation_id": 0, "quantity": 3, "subtotal": "10.00", "total": "9.00", "total_tax": "1.89", "price": 3.0},
			object{"id": 2, "name": "Bag", "sku": "", "product_id": 6, "variation_id": 9, "quantity": 1, "subtotal": "2.00", "total": "2.00", "total_tax": "0.00"},
		},
		"shipping_lines": []any{object{"method_id": "flat_rate", "method_title": "Courier", "total": "5.00", "total_tax": "1.05"}},
		"fee_lines":      []any{object{"name": "Wrapping", "total": "2.00", "total_tax": "0.00"}, object{"name": "Loyal", "total": "-1.00", "total_tax": "0.00"}},
		"coupon_lines":   []any{object{"code": "TENOFF"}},
	}
}

func TestWholeOrders(t *testing.T) {
	t.Parallel()
	shop := one(t, "shopify", text(t, shopifyDocument()), importer.Options{Topic: "orders/updated"})
	golden(t, "shopify_order.json", text(t, shop)+"\n")
	woo := one(t, "woocommerce", text(t, wooDocument()), importer.Options{SKUFromID: true})
	golden(t, "woocommerce_order.json", text(t, woo)+"\n")
	for _, secret := range []string{"4242", "pan", "credit_card", "payment_details"} {
		if strings.Contains(text(t, shop), secret) {
			t.Errorf("the item holds %q of a card", secret)
		}
	}
}

// variation changes a document and says what must become of it.
type variation struct {
	name   string
	change func(object)
	opts   importer.Options
	want   string // part of the outcome's line
}

func line(doc object, i int) object     { return doc["line_items"].([]any)[i].(object) }
func shipping(doc object, i int) object { return doc["shipping_lines"].([]any)[i].(object) }
func set(field string, value any) func(object) {
	return func(doc object) { doc[field] = value }
}

func vary(t *testing.T, format string, document func() object, variations []variation) {
	t.Helper()
	for _, v := range variations {
		doc := document()
		v.change(doc)
		if got := one(t, format, text(t, doc), v.opts).String(); !strings.Contains(got, v.want) {
			t.Errorf("%s %s: %s\nwant %s", format, v.name, got, v.want)
		}
	}
}

func TestShopifyVariations(t *testing.T) {
	t.Parallel()
	vary(t, "shopify", shopifyDocument, []variation{
		{"as it is", func(object) {}, importer.Options{}, `create order=9007199254740993 total="101.88 CHF" lines=2 tenders=2`},
		{"a cent more", set("total_price", "101.89"), importer.Options{}, "total_price=wrong_sum: lines 69.95 CHF − discounts 8.00 CHF + shipping and charges 34.50 CHF + tax 5.43 CHF add up to 101.88"},
		{"another subtotal", set("subtotal_price", "86.96"), importer.Options{}, "subtotal_price=wrong_sum"},
		{"another tax", set("total_tax", 5.44), importer.Options{}, "total_tax=wrong_sum"},
		{"less discount than its parts", set("total_discounts", "7.99"), importer.Options{}, "total_discounts=wrong_sum"},
		{"no totals but the total", func(d object) { delete(d, "subtotal_price"); delete(d, "total_tax") }, importer.Options{}, "create"},
		{"no total", func(d object) { delete(d, "total_price") }, importer.Options{}, "total_price=required"},
		{"duties", func(d object) {
			d["original_total_duties_set"] = object{"shop_money": object{"amount": "1.00"}}
			d["total_price"] = "102.88"
		}, importer.Options{}, `total="102.88 CHF"`},
		{"duties in the prices", func(d object) {
			d["original_total_duties_set"] = object{"shop_money": object{"amount": "1.00"}}
			d["duties_included"] = true
		}, importer.Options{}, `total="101.88 CHF"`},
		{"a tip beside the lines", func(d object) {
			d["line_items"] = d["line_items"].([]any)[:3]
		}, importer.Options{}, `total="101.88 CHF"`},
		{"taxes in the prices", func(d object) { d["taxes_included"] = true; d["total_price"] = "96.45" }, importer.Options{}, `total="96.45 CHF"`},
		{"an unknown status", set("financial_status", "on_the_moon"), importer.Options{}, "financial_status~unknown_value"},
		{"a rounded id", set("id", json.Number("9007199254740992")), importer.Options{}, "create order=9007199254740993"},
		{"another id", set("id", 5), importer.Options{}, "REJECT order=9007199254740993 id=id_conflict"},
		{"no global id", set("admin_graphql_api_id", nil), importer.Options{}, "create order=9007199254740993"},
		{"an id in exponents", func(d object) { d["id"] = json.Number("9e15"); d["admin_graphql_api_id"] = nil }, importer.Options{}, "REJECT order= id=malformed"},
		{"a line without SKU", func(d object) { line(d, 1)["sku"] = "  "; line(d, 1)["variant_id"] = 808 }, importer.Options{}, "line_items[1].sku=sku_missing"},
		{"a SKU from the id", func(d object) { line(d, 1)["sku"] = nil; line(d, 1)["variant_id"] = 808 }, importer.Options{SKUFromID: true}, "create"},
		{"a line of no variant", func(d object) { line(d, 1)["sku"] = nil }, importer.Options{SKUFromID: true}, "sku_missing"},
		{"half a unit", func(d object) { line(d, 0)["quantity"] = 0.5 }, importer.Options{}, "line_items[0].quantity=out_of_range"},
		{"parts of a cent", func(d object) { line(d, 0)["price"] = "30.001" }, importer.Options{}, "line_items[0].price=malformed"},
		{"a dear unit", func(d object) { line(d, 0)["price"] = "99999999999" }, importer.Options{}, "line_items[0].price=out_of_range"},
		{"a negative unit", func(d object) { line(d, 0)["price"] = "-30" }, importer.Options{}, "line_items[0].price=out_of_range"},
		{"an amount in exponents", func(d object) { line(d, 0)["price"] = json.Number("3e1") }, importer.Options{}, "line_items[0].price=malformed"},
		{"an unknown currency", set("currency", "XXX"), importer.Options{}, "currency=unknown"},
		{"nowhere to ship", set("shipping_address", nil), importer.Options{}, "shipping_address=required"},
		{"collected", set("shipping_address", nil), importer.Options{Pickup: map[string]string{"Post": "store-1"}}, "create"},
		{"another country", func(d object) { d["shipping_address"].(object)["country_code"] = "Suisse" }, importer.Options{}, "ship_to.country=unknown"},
		{"only charges", func(d object) { d["line_items"] = d["line_items"].([]any)[2:] }, importer.Options{}, "REJECT"},
		{"no time", func(d object) { d["processed_at"] = "yesterday"; d["created_at"] = nil }, importer.Options{}, "processed_at=required"},
		{"too many lines", set("line_items", make([]object, order.MaxLines+1)), importer.Options{}, "line_items=too_long"},
		{"cancelled", set("cancelled_at", "2026-04-02T00:00:00Z"), importer.Options{Topic: "orders/create"}, `cancel order=9007199254740993 total="101.88 CHF" lines=2 tenders=2 reason=other at=2026-04-02T00:00:00Z`},
		{"cancelled by topic", set("updated_at", "2026-04-03T00:00:00Z"), importer.Options{Topic: "orders/cancelled"}, "reason=other at=2026-04-03"},
		{"cancelled and wrong", func(d object) { d["cancelled_at"] = "2026-04-02T00:00:00Z"; d["total_price"] = "1.00" }, importer.Options{}, "cancel order=9007199254740993 reason=other at=2026-04-02T00:00:00Z flags=[cancelled edited paid partially_fulfilled] total_price~wrong_sum"},
		{"cancelled, thin", func(d object) { clear(d); d["id"] = 5 }, importer.Options{Topic: "orders/cancelled"}, "cancel order=5 reason=other"},
		{"a draft order", set("admin_graphql_api_id", "gid://shopify/DraftOrder/5"), importer.Options{}, "not_an_order"},
		{"another topic", func(object) {}, importer.Options{Topic: "products/update"}, "not_an_order: products/update"},
		{"nothing but charges", func(d object) {
			d["line_items"] = d["line_items"].([]any)[2:]
			d["total_discounts"], d["subtotal_price"], d["total_tax"], d["total_price"] = "2.00", "25.00", "0.46", "34.96"
		}, importer.Options{}, "REJECT order=9007199254740993 line_items=nothing_to_pick"},
		{"two bad addresses", func(d object) {
			d["shipping_address"].(object)["country_code"] = "ch"
			d["billing_address"].(object)["country_code"] = "che"
		}, importer.Options{}, "bill_to.country=unknown ship_to.country=unknown"},
		{"more than an amount holds", set("total_price", "99999999999999999"), importer.Options{}, "total_price=out_of_range"},
		{"more than 64 bits hold", func(d object) {
			line(d, 0)["discount_allocations"] = slices.Repeat([]any{object{"amount": "11258999068426.24"}}, 1<<13)
		}, importer.Options{}, "=out_of_range"},
		{"a test, closed", func(d object) { d["test"], d["closed_at"] = true, "2026-05-01T00:00:00Z" }, importer.Options{}, "flags=[closed edited paid partially_fulfilled test]"},
		{"another phone", set("phone", "+49 1"), importer.Options{}, "create"},
		{"for nothing", func(d object) {
			d["line_items"] = []any{object{"id": 1, "sku": "GIFT", "quantity": 1, "price": 0}}
			d["payment_gateway_names"] = []string{"visa"}
			for _, field := range []string{"shipping_lines", "total_discounts", "total_tax", "total_tip_received", "subtotal_price", "transactions"} {
				delete(d, field)
			}
			d["total_price"] = "0"
		}, importer.Options{}, `total="0.00 CHF" lines=1 tenders=0`},
		{"a wrong type", set("line_items", []any{object{"price": []any{}}}), importer.Options{}, "line_items.price=malformed"},
		{"one gateway", func(d object) { delete(d, "transactions"); d["payment_gateway_names"] = []string{"visa"} }, importer.Options{}, "tenders=1"},
		{"paid in another currency", func(d object) { d["transactions"].([]any)[0].(object)["currency"] = "EUR" }, importer.Options{}, "tenders=0"},
		{"two gateways", func(d object) { delete(d, "transactions") }, importer.Options{}, "tenders=0"},
	})
}

func TestWooCommerceVariations(t *testing.T) {
	t.Parallel()
	byID := importer.Options{SKUFromID: true}
	vary(t, "woocommerce", wooDocument, []variation{
		{"as it is", func(object) {}, byID, `create order=18446744073709551615 total="19.94 EUR" lines=2 tenders=1`},
		{"without SKU", func(object) {}, importer.Options{}, "line_items[1].sku=sku_missing"},
		{"a cent less", set("total", "19.93"), byID, "total=wrong_sum"},
		{"another shipping", set("shipping_total", "5.01"), byID, "shipping_total=wrong_sum"},
		{"another shipping tax", set("shipping_tax", "1.06"), byID, "shipping_tax=wrong_sum"},
		{"another tax", set("total_tax", "2.95"), byID, "total_tax=wrong_sum"},
		{"cancelled", func(d object) { d["status"] = "cancelled"; d["date_modified_gmt"] = "2026-03-30T00:00:00" }, byID, "reason=cancelled at=2026-03-30T00:00:00Z"},
		{"cancelled without SKU", set("status", "failed"), importer.Options{}, "cancel order=18446744073709551615 reason=failed"},
		{"a draft", set("status", "checkout-draft"), byID, "status=draft"},
		{"an unknown status", set("status", "wc-polished"), byID, "status~unknown_value"},
		{"on hold, unpaid", func(d object) { d["status"] = "on-hold"; d["date_paid_gmt"] = nil }, byID, "flags=[on_hold unpaid]"},
		{"partly refunded", set("refunds", []any{object{"id": 1}}), byID, "flags=[paid partially_refunded]"},
		{"refunded", func(d object) { d["status"] = "refunded"; d["refunds"] = []any{object{"id": 1}} }, byID, "flags=[paid refunded]"},
		{"an id of zero", set("id", 0), byID, "id=malformed"},
		{"nowhere to ship", set("shipping", object{"first_name": "", "country": ""}), byID, "shipping=required"},
		{"nothing to ship", func(d object) {
			d["shipping"], d["shipping_lines"], d["shipping_total"], d["shipping_tax"] = object{}, []any{}, "0.00", "0.00"
			d["total_tax"], d["total"] = "1.89", "13.89"
		}, byID, `total="13.89 EUR"`},
		{"collected nowhere", func(d object) { shipping(d, 0)["method_id"] = "local_pickup" }, byID, "shipping_lines[0]=pickup_place"},
		{"collected", func(d object) { shipping(d, 0)["method_id"] = "local_pickup" }, importer.Options{SKUFromID: true, Pickup: map[string]string{"Courier": "shop"}}, "create"},
		{"no time in GMT", func(d object) { delete(d, "date_created_gmt") }, byID, "date_created_gmt=required"},
		{"deleted", func(object) {}, importer.Options{Topic: "order.deleted"}, "deleted"},
		{"thin", func(d object) { clear(d); d["id"] = 5 }, importer.Options{Topic: "order.updated"}, "REJECT order=5 =no_order"},
		{"refused", func(d object) {
			clear(d)
			d["id"], d["error"] = 5, object{"code": "invalid_id", "message": "No such order."}
		}, byID, "REJECT order=5 =platform_error: the shop answered invalid_id"},
		{"a refusal alone", func(d object) { clear(d); d["code"], d["message"], d["data"] = "denied", "No.", object{"status": 401} }, byID, "REJECT order= =platform_error: the shop answered denied"},
		{"a wrong type", set("billing", 5), byID, "REJECT order=18446744073709551615 billing=malformed"},
		{"a line without id", func(d object) { line(d, 0)["id"] = nil }, byID, "line_items[0].id=malformed"},
		{"another topic", func(object) {}, importer.Options{Topic: "product.updated"}, "not_an_order"},
		{"something else", func(d object) { clear(d); d["b"], d["a"] = 1, 2 }, byID, "a document {a, b}"},
		{"too many lines", set("line_items", make([]object, order.MaxLines+1)), byID, "line_items=too_long"},
	})
}

func TestShopifyEdits(t *testing.T) {
	t.Parallel()
	edit := func() object {
		return object{"order_edit": object{
			"order_id": 77, "created_at": "2026-04-01T00:00:00Z", "committed_at": nil,
			"line_items": object{"additions": []any{object{"id": 1, "delta": 2}}, "removals": []any{object{"id": "3", "delta": "4"}}},
		}}
	}
	lines := func(d object) object { return d["order_edit"].(object)["line_items"].(object) }
	vary(t, "shopify", edit, []variation{
		{"edit as it is", func(object) {}, importer.Options{}, "edit order=77 added=[{1 2}] removed=[{3 4}] flags=[]"},
		{"edit by topic", func(object) {}, importer.Options{Topic: "orders/edited"}, "edit order=77"},
		{"edit of nothing", func(d object) { clear(lines(d)) }, importer.Options{}, "REJECT order=77 order_edit.line_items=no_order"},
		{"edit of no order", func(d object) { delete(d["order_edit"].(object), "order_id") }, importer.Options{}, "order_edit.order_id=malformed"},
		{"edit by nothing", func(d object) { lines(d)["additions"].([]any)[0].(object)["delta"] = 0 }, importer.Options{}, "order_edit.line_items.additions[0].delta=out_of_range"},
		{"edit of many lines", func(d object) { lines(d)["removals"] = make([]object, order.MaxLines+1) }, importer.Options{}, "order_edit.line_items.removals=too_long"},
		{"edit of a wrong type", func(d object) { lines(d)["removals"] = 5 }, importer.Options{}, "=malformed"},
	})
}

// TestCardNumbersAreNotKept drops a reference that is only digits, and keeps a token.
func TestCardNumbersAreNotKept(t *testing.T) {
	t.Parallel()
	for reference, want := range map[string]string{"4242 4242-4242 4242": "", "5500005555555559": "", "pi_4242424242424242": "pi_4242424242424242", "12345": "12345"} {
		doc := wooDocument()
		doc["transaction_id"] = reference
		r := one(t, "woocommerce", text(t, doc), importer.Options{SKUFromID: true})
		if r.Item == nil || r.Item.Order.Tenders[0].Reference != want {
			t.Errorf("%q: %s", reference, r)
		}
	}
}

func TestLongTextsAreCutAndSaid(t *testing.T) {
	t.Parallel()
	doc := shopifyDocument()
	doc["note"] = strings.Repeat("é", 2*order.MaxTextBytes+1)
	doc["tags"] = "x" + strings.Repeat("é", order.MaxTextBytes)
	r := one(t, "shopify", text(t, doc), importer.Options{})
	if r.Item == nil || len(r.Item.Order.Note) != 4*order.MaxTextBytes || len(r.Item.Order.Attributes["shopify.tags"]) != order.MaxTextBytes-1 {
		t.Fatalf("%s", r)
	}
	if s := r.String(); !strings.Contains(s, "note~left_out") || !strings.Contains(s, "tags~left_out") {
		t.Errorf("the cut is not said: %s", s)
	}
}

// TestEverythingAddsUp makes documents of random amounts in currencies with 0 to 3
// decimals: each is captured to the minor unit, and refused when its total is one off.
func TestEverythingAddsUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		currency := rapid.SampledFrom([]string{"JPY", "EUR", "KWD"}).Draw(t, "currency")
		format := rapid.SampledFrom(importer.Formats()).Draw(t, "format")
		amount := func(name string, most int64) int64 { return rapid.Int64Range(0, most).Draw(t, name) }
		show := func(n int64) any {
			if s := money.Format(n, currency); rapid.Bool().Draw(t, "number") {
				return json.Number(s)
			} else {
				return s
			}
		}
		included := format == "shopify" && rapid.Bool().Draw(t, "included")
		var total, tax, discount, shippingPrice, shippingTax int64
		var lines []any
		for i := range rapid.IntRange(1, 6).Draw(t, "lines") {
			quantity, unit := rapid.Int64Range(1, 9).Draw(t, "quantity"), amount("unit", 1_000_000)
			gross := quantity * unit
			if format == "woocommerce" {
				gross += amount("uneven", quantity-1) // a line's price need not be a multiple of its units
			}
			off, taxed := amount("off", gross), amount("tax", 9_999)
			total, tax, discount = total+gross-off, tax+taxed, discount+off
			lines = append(lines, object{
				"id": i + 1, "sku": fmt.Sprint("S", i), "quantity": quantity, "price": show(unit), "tax_lines": []any{object{"price": show(taxed)}},
				"discount_allocations": []any{object{"amount": show(off)}}, "subtotal": show(gross), "total": show(gross - off), "total_tax": show(taxed),
			})
		}
		subtotal := total
		shippingPrice, shippingTax = amount("shipping", 5_000), amount("shipping tax", 900)
		total += shippingPrice
		if tax += shippingTax; !included {
			total += tax
		}
		document := func(total int64) string {
			b, err := json.Marshal(object{
				"id": 1, "currency": currency, "processed_at": "2026-01-01T00:00:00Z", "date_created_gmt": "2026-01-01T00:00:00",
				"taxes_included": included, "line_items": lines, "subtotal_price": show(subtotal), "total_discounts": show(discount),
				"total_price": show(total), "total": show(total), "total_tax": show(tax), "shipping_tax": show(shippingTax),
				"shipping_lines":   []any{object{"price": show(shippingPrice), "total": show(shippingPrice), "total_tax": show(shippingTax), "tax_lines": []any{object{"price": show(shippingTax)}}}},
				"shipping_address": object{"country_code": "DE"}, "shipping": object{"country": "DE"},
			})
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
		outcome := func(doc string) (r result) {
			if err := importer.Read(format, "web", strings.NewReader(doc), importer.Options{}, func(i *importer.Item, j *importer.Rejection) error {
				r = result{i, j}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			return r
		}
		r := outcome(document(total))
		if r.Item == nil || r.Item.Order == nil || sum(r.Item.Order) != total || *r.Item.Order.Total != total {
			t.Fatalf("%s", r)
		}
		off := rapid.SampledFrom([]int64{-1, 1}).Draw(t, "one off")
		if r := outcome(document(total + off)); total+off >= 0 && (r.Rejection == nil || r.Rejection.Code != importer.CodeWrongSum) {
			t.Fatalf("one off: %s", r)
		}
	})
}

// sum adds an order up, independently of package order.
func sum(n *order.New) int64 {
	total, tax := n.Shipping-n.Discount, n.ShippingTax
	for _, l := range n.Lines {
		total += l.Quantity*l.UnitPrice - l.Discount
		tax += l.Tax
	}
	if n.TaxIncluded {
		return total
	}
	return total + tax
}

func fuzz(f *testing.F, format string, documents ...object) {
	for _, doc := range documents {
		f.Add(text(f, doc), "", false)
		f.Add("["+text(f, doc)+","+text(f, doc)+"]", "orders/cancelled", true)
	}
	for _, seed := range []string{
		"", "{}", `{"orders":[{}]}`, `{"order":{"id":1}}`, `{"create":[],"update":[{"id":1}],"delete":[{}]}`, `{"name":"orders/edited","response":{}}`,
		`{"order_edit":{"order_id":"1","line_items":{"additions":[{"id":2,"delta":1}],"removals":[]}}}`, "{\"a\":\"\\\"}", "[{}", "\ufeff{}",
	} {
		f.Add(seed, "order.deleted", true)
	}
	f.Fuzz(func(t *testing.T, input, topic string, byID bool) {
		results, err := read(t, format, input, importer.Options{Topic: topic, SKUFromID: byID})
		again, errAgain := read(t, format, input, importer.Options{Topic: topic, SKUFromID: byID})
		if text(t, results) != text(t, again) || (err == nil) != (errAgain == nil) {
			t.Fatal("two readings differ")
		}
		for index, r := range results {
			if r.Rejection != nil {
				if r.Rejection.Index != index || r.Rejection.Code == "" || r.Rejection.Message == "" {
					t.Fatalf("%+v", r.Rejection)
				}
				continue
			}
			i := r.Item
			if i.Index != index || i.ExternalID == "" || strings.Trim(i.ExternalID, "0123456789") != "" || !slices.IsSorted(i.Flags) {
				t.Fatalf("%+v", i)
			}
			if (i.Kind == importer.Create && i.Order == nil) || (i.Kind == importer.Cancel && i.Cancel == nil) || (i.Kind == importer.Edit && i.Edit == nil) {
				t.Fatalf("%s without its part", i.Kind)
			}
			if o := i.Order; o != nil && (o.Validate() != nil || sum(o) != *o.Total || o.ExternalID != i.ExternalID) {
				t.Fatalf("%s: %v", r, o.Validate())
			}
		}
	})
}

func FuzzShopify(f *testing.F)     { fuzz(f, "shopify", shopifyDocument()) }
func FuzzWooCommerce(f *testing.F) { fuzz(f, "woocommerce", wooDocument()) }

func BenchmarkRead(b *testing.B) {
	for _, tt := range []struct {
		format string
		doc    object
	}{{"shopify", shopifyDocument()}, {"woocommerce", wooDocument()}} {
		b.Run(tt.format, func(b *testing.B) {
			input := text(b, tt.doc)
			b.SetBytes(int64(len(input)))
			b.ReportAllocs()
			for b.Loop() {
				if r := one(b, tt.format, input, importer.Options{SKUFromID: true}); r.Item == nil {
					b.Fatal(r)
				}
			}
		})
	}
}
