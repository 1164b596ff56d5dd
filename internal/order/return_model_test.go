package order_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/orderly-oms/orderly/internal/order"
)

// Whatever is announced, received, called off and given up in any sequence, more than the customer has is
// neither expected nor taken back, and no refund pays for a unit twice.
func TestNothingComesBackTwice(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		const had = 5
		o := place(t, capture(t, newOrder(order.Ship, had, had)), at("dc", lq("1", had), lq("2", had)))
		shipped := []order.LineQuantity{lq("1", rapid.Int64Range(1, had).Draw(t, "shipped")), lq("2", had)}
		o = step(t, o, "ship", shipped...)
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			o = returnStep(t, o)
			for i, l := range shipped {
				line := &o.Lines[i]
				if on := line.Returned + onReturns(o, l.Line); line.Returned > l.Quantity || on > l.Quantity {
					t.Fatalf("of line %s %d units were shipped, %d came back, and %d are on returns", l.Line, l.Quantity, line.Returned, on-line.Returned)
				}
				if left := o.Returnable(l.Line); left != l.Quantity-line.Returned-onReturns(o, l.Line) {
					t.Fatalf("line %s: %d can be returned of %d shipped, %d returned, %d on returns", l.Line, left, l.Quantity, line.Returned, onReturns(o, l.Line))
				}
			}
			if paid := o.Refunds(); paid > o.Totals.Total {
				t.Fatalf("%d is refunded of %d", paid, o.Totals.Total)
			}
		}
	})
}

// onReturns is how many units of a line are on open returns and have not come.
func onReturns(o *order.Order, line string) (n int64) {
	for i := range o.Returns {
		if r := &o.Returns[i]; !r.Status.Final() {
			for k := range r.Lines {
				if l := &r.Lines[k]; l.Line == line {
					n += l.Expected()
				}
			}
		}
	}
	return n
}

// returnStep does something with the returns of the order; what is refused changes nothing.
func returnStep(t *rapid.T, o *order.Order) *order.Order {
	line := rapid.SampledFrom([]string{"1", "2"}).Draw(t, "line")
	n := rapid.Int64Range(1, 4).Draw(t, "units")
	var id string
	if len(o.Returns) > 0 {
		id = o.Returns[rapid.IntRange(0, len(o.Returns)-1).Draw(t, "return")].ID
	}
	var events []order.Event
	var err error
	switch kind := rapid.IntRange(0, 4).Draw(t, "kind"); {
	case kind == 0 || id == "":
		events, err = o.OpenReturn(order.Return{
			Method: order.ReturnByMail, RefundRule: rapid.SampledFrom([]string{order.RefundOnReceipt, order.RefundInstant}).Draw(t, "refund"),
			RefundShipping: order.ShippingNever, ExpiresAt: noon.AddDate(0, 0, 30), By: "ada",
			Lines: []order.ReturnedLine{{Line: line, SKU: "sku" + line, Quantity: n, To: "dc"}},
		}, noon)
	case kind == 1:
		events, err = o.CancelReturn(id, "changed my mind")
	case kind == 2:
		events, err = o.CloseReturn(id, "the rest stays away", noon)
	default:
		in := order.Receipt{Location: "dc", Lines: []order.ReceivedLine{{Line: line, Quantity: n}}}
		if rapid.Bool().Draw(t, "named") {
			in.MessageID = fmt.Sprintf("m%d", rapid.IntRange(0, 3).Draw(t, "message"))
		}
		if events, err = o.Receive(id, in, noon); err == nil && len(events) > 0 && in.MessageID != "" {
			o, events = fold(t, o, events...), nil
			if again, err := o.Receive(id, in, noon); err == nil && len(again) > 0 && slices.Contains(o.Return(id).Messages, in.MessageID) {
				t.Fatalf("message %s again gives %+v", in.MessageID, again)
			}
		}
	}
	if err != nil {
		return o
	}
	if len(events) > 0 {
		o = fold(t, o, events...)
	}
	for i := range o.Returns {
		for {
			more := o.AdvanceReturn(o.Returns[i].ID, noon)
			if more == nil {
				break
			}
			o = fold(t, o, more...)
		}
	}
	return o
}
