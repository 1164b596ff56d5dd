package audit

import (
	"slices"
	"strconv"
	"strings"

	"github.com/orderly-oms/orderly/internal/exception"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/store"
)

// checkLiveness checks that an order that is not final, and each fulfillment and return that is not, waits for something
// that comes: a timer that is set, or a person who is asked. An order from before there were flows may wait for its
// location or carrier without a deadline.
func (f *orderFolder) checkLiveness(o *order.Order, r *store.Record) {
	f.checkExceptions(o)
	wants := o.NextWake()
	open := !o.Status.Final() || slices.ContainsFunc(o.Returns, func(x order.Return) bool { return !x.Status.Final() })
	lost := r.Wake.IsZero() && !wants.IsZero() && open
	if !sameTime(r.Wake, wants) && !lost {
		f.timers.add("order %s wants to be woken at %s, but its timer is set to %s", r.ID, wants, r.Wake)
	}
	f.checkParts(o)
	if !open {
		return
	}
	f.liveness.LookedAt++
	switch {
	case lost:
		f.liveness.add("order %s is %s and wants to be woken at %s, but has no timer", r.ID, o.Status, wants)
	case o.Status.Final() || !r.Wake.IsZero() || len(o.Exceptions) > 0:
	case o.Flow == nil && awaited(o):
	default:
		f.liveness.add("order %s is %s, and neither a timer nor an open exception will change that", r.ID, o.Status)
	}
}

// checkParts checks that what of an order is not final is watched: by the timer of its own flow, or by somebody who was asked
// about it. Where a flow ends before its subject does, the order itself must be watched.
func (f *orderFolder) checkParts(o *order.Order) {
	asked := func(of string) bool {
		return slices.ContainsFunc(o.Exceptions, func(x order.Exception) bool { return x.FulfillmentID+x.ReturnID == of })
	}
	whole := len(o.Holds) > 0 || !o.RetryAt.IsZero() || asked("") || o.Flow != nil && len(o.Flow.Timers) > 0
	part := func(what, id, status string, at *order.FlowState, other bool) {
		f.liveness.LookedAt++
		if at == nil || len(at.Timers) > 0 || other || asked(id) || at.Final && whole {
			return // without a flow it is from before there were any
		}
		f.liveness.add("%s %s is %s, in state %s of flow %s, and neither a timer nor an open exception will change that", what, id, status, at.State, at.Flow)
	}
	if !o.Status.Final() && o.Flow != nil && !o.Flow.Final {
		part("order", "", string(o.Status), o.Flow, false)
	}
	for i := range o.Fulfillments {
		if u := &o.Fulfillments[i]; !ended(u.Status) {
			part("fulfillment", u.ID, string(u.Status), u.Flow, u.Stop != nil)
		}
	}
	for i := range o.Returns {
		if r := &o.Returns[i]; !r.Status.Final() {
			part("return", r.ID, string(r.Status), r.Flow, r.Expected() > 0 && !r.ExpiresAt.IsZero())
		}
	}
}

func ended(s order.FulfillmentStatus) bool {
	switch s {
	case order.FulfillmentDelivered, order.FulfillmentHandedOver, order.FulfillmentRejected, order.FulfillmentCancelled, order.FulfillmentLost:
		return true
	}
	return false
}

// awaited reports that every unit is with somebody and a location or carrier will report.
func awaited(o *order.Order) bool {
	if len(o.Unplaced()) > 0 {
		return false
	}
	for i := range o.Fulfillments {
		if !ended(o.Fulfillments[i].Status) {
			return true
		}
	}
	return false
}

// checkExceptions checks that the open exceptions and holds of an order can be told apart and worked on.
func (f *orderFolder) checkExceptions(o *order.Order) {
	numbered := func(id, prefix string, most int) bool {
		n, err := strconv.Atoi(strings.TrimPrefix(id, prefix))
		return err == nil && strings.HasPrefix(id, prefix) && n >= 1 && n <= most
	}
	seen := map[string]bool{}
	for i := range o.Exceptions {
		x := &o.Exceptions[i]
		switch {
		case seen[x.ID] || !numbered(x.ID, "e", o.ExceptionCount):
			f.liveness.add("order %s has exception %q twice, or one that it did not count: it counted %d", o.ID, x.ID, o.ExceptionCount)
		case x.Type == "" || x.OpenedAt.IsZero():
			f.liveness.add("exception %s of order %s has no type or no time", x.ID, o.ID)
		case x.FulfillmentID != "" && o.Fulfillment(x.FulfillmentID) == nil:
			f.liveness.add("exception %s of order %s is about fulfillment %s, which the order does not have", x.ID, o.ID, x.FulfillmentID)
		}
		seen[x.ID] = true
	}
	for i := range o.Holds {
		h := &o.Holds[i]
		if seen[h.ID] || !numbered(h.ID, "h", o.HoldCount) || h.ExpiresAt.IsZero() {
			f.liveness.add("hold %q of order %s is there twice, was not counted, or never runs out", h.ID, o.ID)
		}
		seen[h.ID] = true
	}
}

// exceptionFolder replays an exception that belongs to no order.
type exceptionFolder struct {
	*auditor
	key store.Key
	now *exception.Standalone
	bad bool
}

func (f *exceptionFolder) row(c *store.Commit) {
	list, ok := events[exception.StandaloneEvent](f.auditor, c)
	if f.bad = f.bad || !ok; f.bad {
		return
	}
	opens := list[0].Type == order.EventExceptionOpened
	if opens != (f.now == nil) || opens && list[0].Exception == nil {
		f.replay.add("exception %s begins or goes on otherwise than its version %d says", f.key.ID, c.Version)
		f.bad = true
		return
	}
	f.now = exception.FoldStandalone(f.now, list, c.Time)
}

func (f *exceptionFolder) end(r *store.Record) {
	switch {
	case r == nil:
		f.atomicity.add("exception %s is in the log but not stored", f.key.ID)
	case !f.bad && f.now != nil:
		f.checkBody(r, f.now)
		f.checkColumns(r, f.now.State, f.now.Channel, "", f.now.OpenedAt)
	}
}
