package order_test

import (
	"testing"

	"github.com/orderly-oms/orderly/internal/order"
)

func TestPlanTakesTheCapacityOfItsLines(t *testing.T) {
	t.Parallel()
	n := order.New{Channel: "web", Currency: "EUR", Method: order.Ship, Lines: []order.NewLine{{SKU: "rope", Quantity: 3, UnitPrice: 100, Discount: 1}}}
	if err := n.Validate(); err != nil {
		t.Fatal(err)
	}
	o := fold(t, nil, n.Capture(order.Captured{ID: "o1", At: noon, Parts: parts}))
	if v := o.Lines[0].UnitValue(); v != 99 { // 299 for three
		t.Fatalf("a unit counts %d", v)
	}
	take := func(uses ...order.CapacityUse) error {
		p := at("dc", lq("1", 2))
		p.Capacity = uses
		_, err := o.Place(order.Plan{Placements: []order.Placement{p}}, noon)
		return err
	}
	day := func(m order.Measure, n int64) order.CapacityUse {
		return order.CapacityUse{Slot: order.Slot(m, "2026-11-26"), Quantity: n}
	}
	if err := take(day(order.MeasureOrders, 1), day(order.MeasureUnits, 2), day(order.MeasureValue, 198)); err != nil {
		t.Fatal(err)
	}
	for name, uses := range map[string][]order.CapacityUse{
		"two orders": {day(order.MeasureOrders, 2)}, "other units": {day(order.MeasureUnits, 3)}, "nothing": {day(order.MeasureValue, 0)},
		"twice": {day(order.MeasureUnits, 2), day(order.MeasureUnits, 2)}, "no slot": {{Slot: "rope", Quantity: 2}}, "no measure": {day("pallets", 1)},
	} {
		if take(uses...) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
