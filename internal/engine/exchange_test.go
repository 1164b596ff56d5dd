package engine_test

import (
	"testing"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/order"
)

// An exchange that waits for goods which are kept after all: what was held for it is given back, once, and nothing of it is
// sent to its location. The simulator found it sent there.
func TestExchangeThatIsCalledOff(t *testing.T) {
	n := open(t, stores["sqlite"](t)(), newClock())
	n.retailer(1, 2, 10)
	clerk := engine.Meta{Actor: "ada"}
	o := n.capture(paidBasket("a", "S0"))
	n.ship(o.Fulfillments[0].ID)
	n.step(o.Fulfillments[0].ID, "deliver", order.Step{})
	r, err := n.Exchange(background, o.ID, &order.NewExchange{
		Return: order.NewReturn{Lines: []order.NewReturnLine{{Line: "1", Quantity: 1}}}, When: order.ExchangeOnReceipt,
		Reason: order.ReasonWarranty, Lines: []order.NewLine{{SKU: "S1", Quantity: 1}},
	}, true, clerk)
	if err != nil {
		t.Fatal(err)
	}
	answer := r.Value.(*engine.ReturnAnswer)
	if f := answer.Exchange.Fulfillments; len(f) != 1 || f[0].Status != order.FulfillmentHeld {
		t.Fatalf("the replacement has %+v, want one fulfillment that is held", f)
	}
	if _, err := n.CancelReturn(background, answer.Return.ID, "kept", clerk); err != nil {
		t.Fatal(err)
	}
	next := n.stored(answer.Exchange.ID)
	if next.Status != order.StatusCancelled || next.Fulfillments[0].Status != order.FulfillmentCancelled || len(next.Holds) > 0 {
		t.Errorf("the replacement is %s, its fulfillment %s, with %d holds", next.Status, next.Fulfillments[0].Status, len(next.Holds))
	}
	n.audited()
}
