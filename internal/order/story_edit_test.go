package order_test

import (
	"time"

	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
)

func ptr[T any](v T) *T { return &v }

var editing = order.Editing{At: noon, Parts: parts}

// servicing tells what customer service does to an order.
func (s *story) servicing() {
	n := fullOrder()
	s.o = place(s.t, capture(s.t, n), at("dc", lq("1", 1)), at("north", lq("2", 5)))
	s.then(s.o.Decide("o1-1", order.Step{Command: "accept"}))
	s.then(s.o.Edit(&order.Edit{
		Lines: []order.LineEdit{
			{Line: "1", Quantity: ptr(int64(3)), UnitPrice: ptr(int64(3900)), Gift: &order.Gift{Wrap: true, Message: "Happy trails", From: "Ada"}},
			{Line: "2", Quantity: ptr(int64(4))},
		},
		Add:    []order.NewLine{{SKU: "tent", Name: "Tent", Quantity: 1, UnitPrice: 9900, Tax: 1881}},
		ShipTo: &network.Address{Name: "Ada", Line1: "Hauptstr. 2", City: "Hamburg", PostalCode: "20095", Country: "DE"},
		BillTo: &network.Address{Name: "Ada", City: "Hamburg", Country: "DE"}, Service: "post/express", WantedBy: noon.Add(48 * time.Hour),
		Shipping: ptr(int64(900)), ShippingTax: ptr(int64(171)), Attributes: map[string]string{"gift": "", "called": "yes"},
		Tenders: []order.Tender{{Type: "card", Amount: 5000, Reference: "tok_2"}}, Reason: "the customer moved",
	}, editing))
	golden(s.t, "order_edited", s.o)
	s.then(s.o.Adjust(order.NewAdjustment{Kind: order.AdjustAppeasement, Amount: 500, Reason: "late", Lines: []string{"1"}}, "ada", 1000, noon))
	s.then(s.o.Adjust(order.NewAdjustment{Kind: order.AdjustPrice, Amount: 700, Reason: "it was on sale"}, "ada", 1000, noon))
	golden(s.t, "order_adjusted", s.o)
	s.then(s.o.DecideAdjustment("a2", true, "eve", "goodwill", noon))
}
