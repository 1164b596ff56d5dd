package importer

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/orderly-oms/orderly/internal/problem"
)

// shopifyOrder is what is read of an order of Shopify's Admin REST API and its
// webhooks, version 2026-04. Amounts are decimals in the shop's currency.
type shopifyOrder struct {
	ID                scalar               `json:"id"`
	GlobalID          scalar               `json:"admin_graphql_api_id"`
	Name              scalar               `json:"name"`
	Number            scalar               `json:"order_number"`
	PONumber          scalar               `json:"po_number"`
	Currency          scalar               `json:"currency"`
	Presentment       scalar               `json:"presentment_currency"`
	CreatedAt         scalar               `json:"created_at"`
	ProcessedAt       scalar               `json:"processed_at"`
	UpdatedAt         scalar               `json:"updated_at"`
	ClosedAt          scalar               `json:"closed_at"`
	CancelledAt       scalar               `json:"cancelled_at"`
	CancelReason      scalar               `json:"cancel_reason"`
	FinancialStatus   scalar               `json:"financial_status"`
	FulfillmentStatus scalar               `json:"fulfillment_status"`
	SourceName        scalar               `json:"source_name"`
	Tags              scalar               `json:"tags"`
	Note              scalar               `json:"note"`
	Test              scalar               `json:"test"`
	TaxesIncluded     scalar               `json:"taxes_included"`
	DutiesIncluded    scalar               `json:"duties_included"`
	Email             scalar               `json:"email"`
	ContactEmail      scalar               `json:"contact_email"`
	Phone             scalar               `json:"phone"`
	Subtotal          scalar               `json:"subtotal_price"`
	TotalDiscounts    scalar               `json:"total_discounts"` // all of them: lines, order and shipping
	TotalTax          scalar               `json:"total_tax"`
	TotalTip          scalar               `json:"total_tip_received"`
	TotalPrice        scalar               `json:"total_price"`
	Duties            shopifyAmounts       `json:"original_total_duties_set"`
	Fees              shopifyAmounts       `json:"original_total_additional_fees_set"`
	Gateways          []scalar             `json:"payment_gateway_names"`
	DiscountCodes     []shopifyCode        `json:"discount_codes"`
	Transactions      []shopifyTransaction `json:"transactions"`
	Customer          shopifyCustomer      `json:"customer"`
	BillingAddress    *shopifyAddress      `json:"billing_address"`
	ShippingAddress   *shopifyAddress      `json:"shipping_address"`
	LineItems         []shopifyLine        `json:"line_items"`
	ShippingLines     []shopifyShipping    `json:"shipping_lines"`
}

type shopifyAmounts struct {
	Shop struct {
		Amount scalar `json:"amount"`
	} `json:"shop_money"`
}

type shopifyCode struct {
	Code scalar `json:"code"`
}

type shopifyPrice struct {
	Price scalar `json:"price"`
}

type shopifyAllocation struct {
	Amount scalar `json:"amount"`
}

// shopifyTransaction leaves out payment_details and receipt: they are about cards.
type shopifyTransaction struct {
	ID       scalar `json:"id"`
	GlobalID scalar `json:"admin_graphql_api_id"`
	ParentID scalar `json:"parent_id"`
	Kind     scalar `json:"kind"`
	Status   scalar `json:"status"`
	Gateway  scalar `json:"gateway"`
	Amount   scalar `json:"amount"`
	Currency scalar `json:"currency"`
}

type shopifyCustomer struct {
	ID        scalar `json:"id"`
	GlobalID  scalar `json:"admin_graphql_api_id"`
	FirstName scalar `json:"first_name"`
	LastName  scalar `json:"last_name"`
	Email     scalar `json:"email"`
	Phone     scalar `json:"phone"`
}

type shopifyAddress struct {
	FirstName    scalar `json:"first_name"`
	LastName     scalar `json:"last_name"`
	Name         scalar `json:"name"`
	Company      scalar `json:"company"`
	Address1     scalar `json:"address1"`
	Address2     scalar `json:"address2"`
	City         scalar `json:"city"`
	Province     scalar `json:"province"`
	ProvinceCode scalar `json:"province_code"`
	PostalCode   scalar `json:"zip"`
	CountryCode  scalar `json:"country_code"`
	Phone        scalar `json:"phone"`
	Latitude     scalar `json:"latitude"`
	Longitude    scalar `json:"longitude"`
}

type shopifyLine struct {
	ID              scalar              `json:"id"`
	GlobalID        scalar              `json:"admin_graphql_api_id"`
	SKU             scalar              `json:"sku"`
	VariantID       scalar              `json:"variant_id"`
	Name            scalar              `json:"name"`
	Title           scalar              `json:"title"`
	Quantity        scalar              `json:"quantity"`
	CurrentQuantity scalar              `json:"current_quantity"`
	Shipped         scalar              `json:"requires_shipping"`
	Price           scalar              `json:"price"` // of one unit, before discounts
	TotalDiscount   scalar              `json:"total_discount"`
	Allocations     []shopifyAllocation `json:"discount_allocations"`
	TaxLines        []shopifyPrice      `json:"tax_lines"`
	Tip             json.RawMessage     `json:"tip"`
}

type shopifyShipping struct {
	Title           scalar              `json:"title"`
	Price           scalar              `json:"price"`
	DiscountedPrice scalar              `json:"discounted_price"`
	Removed         scalar              `json:"is_removed"`
	Allocations     []shopifyAllocation `json:"discount_allocations"`
	TaxLines        []shopifyPrice      `json:"tax_lines"`
}

// shopifyEdit is the notice orders/edited: quantities by line, without the order.
type shopifyEdit struct {
	Edit struct {
		OrderID     scalar `json:"order_id"`
		CreatedAt   scalar `json:"created_at"`
		CommittedAt scalar `json:"committed_at"`
		LineItems   struct {
			Additions []shopifyDelta `json:"additions"`
			Removals  []shopifyDelta `json:"removals"`
		} `json:"line_items"`
	} `json:"order_edit"`
}

type shopifyDelta struct {
	ID    scalar `json:"id"`
	Delta scalar `json:"delta"`
}

// globalID takes "gid://shopify/Order/123?…" apart.
func globalID(s scalar) (kind, id string) {
	rest, ok := strings.CutPrefix(string(s), "gid://shopify/")
	if !ok {
		return "", ""
	}
	rest, _, _ = strings.Cut(rest, "?")
	kind, id, _ = strings.Cut(rest, "/")
	if !isID(id) {
		return "", ""
	}
	return kind, id
}

// identify gives the exact identifier of an object. The global one goes first,
// because it is text: many senders and recorders keep the other as float64, which
// rounds it. Two that are not the same number even so are a problem.
func (d *draft) identify(pointer, kind string, id, global scalar) string {
	globalKind, exact := globalID(global)
	switch {
	case globalKind == kind:
		if id != "" && string(id) != exact && !sameRounded(string(id), exact) {
			d.bad.Add(pointer, CodeIDConflict, "id is %.40s, but the global id says %s", string(id), exact)
		}
		return exact
	case !isID(string(id)):
		d.bad.Add(pointer, problem.Malformed, "%.40q is not an identifier of digits", string(id))
		return ""
	case isImprecise(string(id)):
		d.notice(pointer, CodeIDImprecise, "%s is beyond 2^53 and given as a number only; a sender that keeps numbers as float64 may have rounded it", string(id))
	}
	return string(id)
}

// shopifyShapes tells documents by a field that only they have.
var shopifyShapes = []struct{ field, topic string }{
	{"order_edit", "orders/edited"},
	{"risk_level", "orders/risk_assessment_changed"},
	{"eligibility", "orders/shopify_protect_eligibility_changed"},
	{"refund_line_items", "refunds"},
	{"fulfillment_order", "fulfillment_orders"},
	{"original_fulfillment_order", "fulfillment_orders"},
	{"fulfillment_order_merges", "fulfillment_orders"},
	{"return_line_items", "returns"},
	{"inventory_item_id", "inventory_levels"},
	{"abandoned_checkout_url", "checkouts"},
}

// shopifyTopic is what a document is about: the topic given, else told from its
// shape; empty when neither says.
func shopifyTopic(d *document) string {
	if d.topic != "" {
		return strings.ToLower(d.topic)
	}
	for _, shape := range shopifyShapes {
		if _, has := d.fields[shape.field]; has {
			return shape.topic
		}
	}
	kind, _ := globalID(scalar(textOf(d.fields["admin_graphql_api_id"])))
	switch {
	case kind == "Order":
		return "orders/"
	case kind != "":
		return kind
	case isList(d.fields["line_items"]) && textOf(d.fields["total_price"])+textOf(d.fields["currency"]) != "":
		return "orders/"
	}
	return ""
}

// fieldNames lists the first fields of a document, to name one of unknown kind.
func fieldNames(fields map[string]json.RawMessage) string {
	const most = 8
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, clip(name, 40))
	}
	slices.Sort(names)
	if len(names) > most {
		names = append(names[:most], "…")
	}
	return "{" + strings.Join(names, ", ") + "}"
}
