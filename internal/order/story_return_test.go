package order_test

import (
	"time"

	"github.com/orderly-oms/orderly/internal/order"
)

// returns tells what comes back, and what replaces it.
func (s *story) returns() {
	n := fullOrder()
	s.o = place(s.t, capture(s.t, n), at("dc", lq("1", 2), lq("2", 5)))
	s.o = step(s.t, step(s.t, s.o, "ship"), "deliver")
	s.then(s.o.OpenReturn(order.Return{
		Method: order.ReturnByMail, Carrier: "post", Tracking: "R1", LabelURL: "https://post.example/R1", Note: "no box",
		Policy: "main@2", RefundRule: order.RefundOnReceipt, RefundShipping: order.ShippingNever, Fee: 300, By: "ada", ExpiresAt: noon.AddDate(0, 0, 30),
		Lines: []order.ReturnedLine{
			{Line: "1", SKU: "set", Quantity: 1, Reason: "too_small", Condition: "new", To: "dc", Rule: "by-mail", Inspect: true, UnitFee: 50, FeePercent: 10},
			{Line: "2", SKU: "rope", Quantity: 2, Keep: true},
		},
	}, noon))
	s.advance("o1-r1")
	s.then(s.o.SendReturn("o1-r1", "", ""))
	s.then(s.o.Receive("o1-r1", order.Receipt{Location: "dc", MessageID: "m1", Lines: []order.ReceivedLine{
		{Line: "1", Quantity: 2, Condition: "opened"}, {Line: "2", Quantity: 4},
	}}, noon))
	s.advance("o1-r1")
	golden(s.t, "order_return_received", s.o)
	s.then(s.o.Inspect("o1-r1", order.Inspection{Lines: []order.InspectedLine{{Line: "1", Accepted: 1, Rejected: 1, Condition: "used"}}}))
	s.then(s.o.Inspect("o1-r1", order.Inspection{}))
	s.then(s.o.Dispose("o1-r1", order.Disposal{Disposition: order.Restock}))
	s.advance("o1-r1")
	golden(s.t, "order_returned", s.o)

	one := order.Return{Method: order.ReturnAtStore, RefundRule: order.RefundOnReceipt, RefundShipping: order.ShippingNever, ExpiresAt: noon.AddDate(0, 0, 30), By: "ada", Lines: []order.ReturnedLine{{Line: "1", SKU: "set", Quantity: 1}}}
	s.then(s.o.OpenReturn(one, noon))
	s.then(s.o.CancelReturn("o1-r2", "changed my mind"))
	one.Exchange = &order.Exchange{OrderID: "o2", Credit: 100}
	s.then(s.o.OpenReturn(one, noon))
	s.then(s.o.Exchanged("o2", "o1-r3", "too_small", noon))
	s.then(s.o.ReturnsDue(noon.AddDate(0, 0, 31).Add(time.Minute)), nil)
	golden(s.t, "order_exchanged", s.o)
}

func (s *story) advance(id string) {
	s.t.Helper()
	for {
		events := s.o.AdvanceReturn(id, noon)
		if events == nil {
			return
		}
		s.then(events, nil)
	}
}
