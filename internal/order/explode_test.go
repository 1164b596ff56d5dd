package order_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/order"
)

// Exploding kits changes no amount of money and loses no unit, for any price and any components.
func TestKitsByComponent(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := &order.New{Channel: "web", Currency: "EUR", Method: order.Ship, TaxIncluded: rapid.Bool().Draw(t, "tax included")}
		parts := map[string][]inventory.Part{}
		for i := range rapid.IntRange(1, 3).Draw(t, "lines") {
			sku := fmt.Sprint("sku", i)
			for k := range rapid.IntRange(0, 3).Draw(t, "components") {
				parts[sku] = append(parts[sku], inventory.Part{SKU: fmt.Sprint("part", k), Quantity: rapid.Int64Range(1, 4).Draw(t, "per kit")})
			}
			l := order.NewLine{
				SKU: sku, Quantity: rapid.Int64Range(1, 5).Draw(t, "quantity"), UnitPrice: rapid.Int64Range(0, 2000).Draw(t, "price"),
				Tax: rapid.Int64Range(0, 300).Draw(t, "tax"),
			}
			l.Discount = rapid.Int64Range(0, l.UnitPrice*l.Quantity).Draw(t, "discount")
			n.Lines = append(n.Lines, l)
		}
		with := func(weigh func(string) int64) *order.Order {
			o, err := order.Fold(nil, []order.Event{n.Capture(order.Captured{ID: "o", At: noon, Parts: func(sku string) []inventory.Part { return parts[sku] }, Weigh: weigh})}, 1, noon)
			if err != nil {
				t.Fatal(err)
			}
			return o
		}
		whole, exploded := with(nil), with(func(sku string) int64 { return int64(len(sku)) })
		if whole.Totals.Total != exploded.Totals.Total || whole.Totals.Tax != exploded.Totals.Tax {
			t.Fatalf("totals %+v became %+v", whole.Totals, exploded.Totals)
		}
		units := func(o *order.Order) map[string]int64 {
			sum := map[string]int64{}
			for _, l := range o.Lines {
				if len(l.Parts) == 0 {
					sum[l.SKU] += l.Quantity
				}
				for _, p := range l.Parts {
					sum[p.SKU] += p.Quantity * l.Quantity
				}
			}
			return sum
		}
		if got, want := fmt.Sprint(units(exploded)), fmt.Sprint(units(whole)); got != want {
			t.Fatalf("units %s became %s", want, got)
		}
		var subtotal, discount, total int64
		for _, l := range exploded.Lines {
			if len(l.Parts) > 0 {
				t.Fatalf("line %s is still a kit", l.ID)
			}
			subtotal, discount = subtotal+l.UnitPrice*l.Quantity, discount+l.Discount
			sum := l.UnitPrice*l.Quantity - l.Discount
			if !n.TaxIncluded {
				sum += l.Tax
			}
			if sum != l.Total || l.Discount < 0 {
				t.Fatalf("line %s does not add up: %+v", l.ID, l)
			}
			total += l.Total
		}
		if subtotal != exploded.Totals.Subtotal || discount != exploded.Totals.Discount || total != exploded.Totals.Total {
			t.Fatalf("lines add up to %d, %d, %d; the order says %+v", subtotal, discount, total, exploded.Totals)
		}
	})
}
