package order_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/order"
)

// A location that does not answer a request to stop is asked again, and a person once.
func TestUnansweredStops(t *testing.T) {
	t.Parallel()
	o := place(t, capture(t, newOrder(order.Ship, 2)), at("dc", lq("1", 2)))
	o = step(t, o, "pick")
	events, err := o.CancelFulfillment("o1-1", "changed my mind", noon)
	if err != nil {
		t.Fatal(err)
	}
	o = fold(t, o, events...)
	due := noon.Add(order.DefaultStopAnswer)
	if o.Fulfillments[0].Stop == nil || !o.NextWake().Equal(due) || len(o.StopsDue(due.Add(-time.Second))) != 0 {
		t.Fatalf("stop %+v, next wake %s", o.Fulfillments[0].Stop, o.NextWake())
	}
	o.Fulfillments[0].Stop.Exclude = true // as of one that is decided again
	for range 2 {
		o = fold(t, o, o.StopsDue(due)...)
		if !o.Fulfillments[0].Stop.Exclude {
			t.Fatal("asked again, the location is not excluded any more")
		}
		if len(o.Exceptions) != 1 || !o.NextWake().After(due) {
			t.Fatalf("overdue: %+v, next wake %s", o.Exceptions, o.NextWake())
		}
		due = o.NextWake()
	}
	if _, err := o.CancelFulfillment("o1-1", "again", due); err == nil {
		t.Error("what was asked already was asked once more")
	}
}

// An answer to a request to stop counts once, however often the message comes.
func TestStopIsAnsweredOnce(t *testing.T) {
	t.Parallel()
	o := place(t, capture(t, newOrder(order.Ship, 3)), at("dc", lq("1", 3)))
	o = step(t, o, "pick")
	events, err := o.CancelAt(order.Cancellation{Lines: []order.LineQuantity{lq("1", 1)}, RequestStop: true}, noon)
	if err != nil {
		t.Fatal(err)
	}
	o = fold(t, o, events...)
	if o = step(t, o, "stopped"); o.Fulfillments[0].Stop != nil || o.Lines[0].Cancelled != 1 {
		t.Fatalf("answered: %+v, %d cancelled", o.Fulfillments[0].Stop, o.Lines[0].Cancelled)
	}
	again, err := o.Decide("o1-1", order.Step{Command: "stopped"})
	if err != nil || len(again) != 0 {
		t.Errorf("the same answer again gives %+v, %v", again, err)
	}
}

// Units that came back as a return, and were refunded, cannot get lost or come back undelivered as well.
func TestReturnedUnitsAreNotLost(t *testing.T) {
	t.Parallel()
	o := place(t, capture(t, fullOrder()), at("dc", lq("1", 2), lq("2", 5)))
	o = step(t, o, "ship")
	back := func(line string, n int64) {
		t.Helper()
		events, err := o.OpenReturn(order.Return{
			Method: order.ReturnAtStore, RefundRule: order.RefundOnReceipt, ExpiresAt: noon.AddDate(0, 0, 30),
			Lines: []order.ReturnedLine{{Line: line, SKU: o.Line(line).SKU, Quantity: n}},
		}, noon)
		if err != nil {
			t.Fatal(err)
		}
		o = fold(t, o, events...)
		if events, err = o.Receive(events[0].ReturnID, order.Receipt{Location: "store"}, noon); err != nil {
			t.Fatal(err)
		}
		o = fold(t, o, events...)
	}
	back("1", 1)
	f := o.Fulfillments[0].ID
	for _, command := range []string{"lose", "undeliverable"} {
		var no *order.Refusal
		if _, err := o.Decide(f, order.Step{Command: command, At: noon, Lines: []order.LineQuantity{lq("1", 2)}}); !errors.As(err, &no) || no.Code != order.CodeTooMany {
			t.Errorf("%s of two units of which one came back: %v", command, err)
		}
		events, err := o.Decide(f, order.Step{Command: command, At: noon})
		if err != nil || !slices.Equal(events[0].Lines, []order.LineQuantity{lq("1", 1), lq("2", 5)}) {
			t.Errorf("%s of what is left: %+v, %v", command, events, err)
		}
	}
	back("1", 1)
	back("2", 5)
	if _, err := o.Decide(f, order.Step{Command: "lose"}); err == nil {
		t.Error("what came back got lost")
	}
}
