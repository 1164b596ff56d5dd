package order_test

import (
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/order"
)

// An exception wakes its order when rules are to look at it, counts what rules did, and belongs to one person at a time.
func TestExceptionLife(t *testing.T) {
	t.Parallel()
	o := place(t, capture(t, newOrder(order.Ship, 1)), at("dc", lq("1", 1)))
	o = fold(t, o, *o.Raise(order.Exception{Type: "acceptance_overdue", FulfillmentID: "o1-1"}, noon))
	if again := o.Raise(order.Exception{Type: "acceptance_overdue", FulfillmentID: "o1-1"}, noon); again != nil {
		t.Errorf("the same exception opened twice: %+v", again)
	}
	look := noon.Add(time.Hour)
	o = fold(t, o, order.Event{Type: order.EventExceptionScheduled, ExceptionID: "e1", At: look})
	if !o.NextWake().Equal(look) || len(o.ExceptionsDue(look)) != 1 || len(o.ExceptionsDue(look.Add(-1))) != 0 || !o.Exceptions[0].Until.IsZero() {
		t.Errorf("scheduled for %s, but the order wakes at %s and the exception is %+v", look, o.NextWake(), o.Exceptions[0])
	}
	before := o
	for range 2 {
		o = fold(t, o, o.Postpone("e1", "rule:wait", "", look.Add(time.Hour)), order.Event{Type: order.EventExceptionFixed, ExceptionID: "e1", Name: "wait", By: "rule:wait", Rule: "wait"})
	}
	if o.RuleFixes["wait"] != 2 || before.RuleFixes != nil || !o.Exceptions[0].Until.Equal(look.Add(time.Hour)) {
		t.Errorf("two fixes by a rule: counted %v, before them %v; %+v", o.RuleFixes, before.RuleFixes, o.Exceptions[0])
	}
	events, err := o.Claim("e1", "ada", false)
	if err != nil {
		t.Fatal(err)
	}
	o = fold(t, o, events...)
	events, err = o.Claim("e1", "bob", false)
	wantRefusal(t, events, err, order.CodeClaimed, "owner")
	if events, err = o.Claim("e1", "bob", true); err != nil {
		t.Fatal(err)
	}
	o = fold(t, o, events...)
	if events, err = o.Claim("e1", "", false); err != nil {
		t.Fatal(err)
	}
	if o = fold(t, o, events...); o.Exceptions[0].Owner != "" || !o.Exceptions[0].ClaimedAt.IsZero() {
		t.Errorf("released: %+v", o.Exceptions[0])
	}
	events, err = o.Claim("e2", "ada", false)
	wantRefusal(t, events, err, order.CodeUnknownException, "exception")
	if _, err := order.Fold(o, []order.Event{o.Postpone("e2", "ada", "", look)}, 9, noon); err == nil {
		t.Error("an exception that is not open was postponed")
	}
}
