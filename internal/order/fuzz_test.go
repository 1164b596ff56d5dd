package order_test

import (
	"encoding/json"
	"testing"

	"github.com/orderly-oms/orderly/internal/order"
)

// FuzzCapture: whatever arrives is refused or becomes an order that adds up and
// survives JSON.
func FuzzCapture(f *testing.F) {
	f.Add([]byte(`{"channel":"web","lines":[{"sku":"set","quantity":2,"unit_price":1000,"discount":5,"tax":7}],"total":2002,"tenders":[{"type":"card","amount":2002,"reference":"tok"}]}`))
	f.Add([]byte(`{"channel":"web","method":"pickup","pickup_location":"dc","tax_included":true,"shipping":3,"discount":3,"lines":[{"id":"a","sku":"x","quantity":1,"unit_price":0},{"id":"b","sku":"y","quantity":1000000,"unit_price":1125899906}]}`))
	f.Add([]byte(`{"channel":"web","placed_at":"9999-12-31T23:59:59-10:00","lines":[{"sku":"x","quantity":1,"unit_price":1}]}`))
	f.Add([]byte(`{"channel":"web","placed_at":"0000-01-01T00:00:00+10:00","ship_to":{"country":"DE","latitude":1e3},"attributes":{"":"\u0000"},"lines":[{"sku":" ","quantity":-1,"unit_price":-9223372036854775808}]}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var n order.New
		if json.Unmarshal(body, &n) != nil || n.Validate() != nil {
			return
		}
		event := n.Capture(order.Captured{ID: "o1", At: noon, Parts: parts})
		o := fold(t, nil, event)
		decoded := fromJSON[order.Event](t, toJSON(t, event))
		if got, want := toJSON(t, fold(t, nil, decoded)), toJSON(t, o); got != want {
			t.Fatalf("folded from JSON:\n%s\nwant\n%s", got, want)
		}
		if o.Status != order.StatusOpen || len(o.Lines) != len(n.Lines) || len(order.Movements(o, &event)) != 0 {
			t.Fatalf("captured %s", toJSON(t, o))
		}
		ids := map[string]bool{}
		sum := o.Shipping - o.Discount
		if !o.TaxIncluded {
			sum += o.ShippingTax
		}
		for _, l := range o.Lines {
			if l.ID == "" || ids[l.ID] || l.Open() != l.Quantity || l.Quantity < 1 || l.Total < 0 {
				t.Fatalf("line %+v", l)
			}
			ids[l.ID] = true
			sum += l.Total
		}
		if sum != o.Totals.Total || sum < 0 || sum > order.MaxAmount {
			t.Fatalf("lines lead to %d, total %+v", sum, o.Totals)
		}
	})
}
