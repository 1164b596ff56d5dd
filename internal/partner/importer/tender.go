package importer

import (
	"strings"

	"github.com/orderly-oms/orderly/internal/order"
)

// tenderTypes are the kinds of payment behind the gateways that most shops have;
// any other is "other".
var tenderTypes = map[string]string{
	"shopify_payments": "card", "stripe": "card", "woocommerce_payments": "card", "braintree_credit_card": "card",
	"authorize_net_cim_credit_card": "card", "square_credit_card": "card", "authorize_net": "card", "cybersource": "card",
	"visa": "card", "mastercard": "card", "american_express": "card", "bogus": "card",
	"gift_card": "gift_card", "store_credit": "account", "shopify_store_credit": "account",
	"cash": "cash", "cod": "cash", "cash on delivery (cod)": "cash",
}

func tenderType(gateway string) string {
	if t, known := tenderTypes[strings.ToLower(gateway)]; known {
		return t
	}
	return "other"
}

// safeReference is a provider's reference, empty when it may be a card number: 12
// digits or more with nothing but spaces and dashes between them.
func safeReference(s scalar) string {
	reference := clip(s.clean(), 200)
	digits := 0
	for _, c := range reference {
		switch {
		case c >= '0' && c <= '9':
			digits++
		case c != ' ' && c != '-':
			return reference
		}
	}
	if digits >= 12 {
		return ""
	}
	return reference
}

// paidBy makes one tender of the whole total.
func (d *draft) paidBy(gateway, reference string) {
	if d.request.Total == nil || *d.request.Total <= 0 {
		return
	}
	d.request.Tenders = []order.Tender{{Type: tenderType(gateway), Amount: *d.request.Total, Reference: reference}}
}
