package kpi_test

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/orderly-oms/orderly/internal/kpi"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
)

// tally is what a KPI is calculated from at one place on one day.
type tally struct {
	kpi, key          string
	day               network.Date
	channel, location string
	currency          string
}

// naive counts from whole histories, an order at a time, by what the dictionary's sentences say. It keeps every
// duration and every tally, and knows nothing of cases, cells or sketches.
type naive struct {
	top, over map[tally]int64
	spent     map[tally][]float64 // seconds
}

// moment is an order after one of its commands.
type moment struct {
	o      *order.Order
	at     time.Time
	events []order.Event
}

// history folds a life again, a command at a time.
func (l *life) history(t rapid.TB) (out []moment) {
	t.Helper()
	var o *order.Order
	for _, c := range l.log {
		next, err := order.Fold(o, c.events, c.version, c.at)
		if err != nil {
			t.Fatal(err)
		}
		o = next
		out = append(out, moment{o, c.at, c.events})
	}
	return out
}

func (m *moment) home() string {
	if len(m.o.Fulfillments) == 0 {
		return ""
	}
	return m.o.Fulfillments[0].Location
}

// total adds up something of an order's lines.
func (m *moment) total(of func(*order.Line) int64) (n int64) {
	for i := range m.o.Lines {
		n += of(&m.o.Lines[i])
	}
	return n
}

// left adds up what left a fulfillment, whether or not it arrived.
func left(f *order.Fulfillment) (shipped, rejected, short, lost int64) {
	for _, l := range f.Lines {
		shipped, rejected, short, lost = shipped+l.Shipped+l.Lost, rejected+l.Rejected, short+l.Short, lost+l.Lost
	}
	return shipped, rejected, short, lost
}

// book is one history on its way into the tallies.
type book struct {
	*naive
	all    []moment
	lacked []int64 // units cancelled for want of stock, up to each moment
}

// count adds to a KPI on the day of a moment, where the order was then, or at a location.
func (b *book) count(id, key string, i int, location string, top, over int64) {
	m := &b.all[i]
	at := tally{id, key, kpi.DayOf(m.at), m.o.Channel, location, ""}
	b.top[at] += top
	b.over[at] += over
}

func (b *book) here(id string, i int, top, over int64) {
	b.count(id, "", i, b.all[i].home(), top, over)
}

func (b *book) spend(stage string, i int, location string, since time.Time) {
	m := &b.all[i]
	at := tally{stage, "", kpi.DayOf(m.at), m.o.Channel, location, ""}
	b.spent[at] = append(b.spent[at], m.at.Sub(since).Seconds())
}

// first is the first moment that something holds; -1: never.
func (b *book) first(is func(i int, m *moment) bool) int {
	for i := range b.all {
		if is(i, &b.all[i]) {
			return i
		}
	}
	return -1
}

func one(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}

func (n *naive) add(all []moment) {
	b := &book{naive: n, all: all}
	var lacked int64
	for i := range all {
		for _, e := range all[i].events {
			if e.Type == order.EventCancelled && (e.Reason == order.ReasonNoLocation || e.Reason == order.ReasonWaitedTooLong) {
				lacked += count(e.Lines)
			}
		}
		b.lacked = append(b.lacked, lacked)
	}
	b.here("orders_captured", 0, 1, 0)
	b.here("exceptions_per_order", 0, 0, 1)
	b.decided()
	b.left()
	b.completed()
	b.happened()
	b.quantities()
	b.steps()
	b.lasted()
}

func count(lines []order.LineQuantity) (n int64) {
	for _, l := range lines {
		n += l.Quantity
	}
	return n
}

func (b *book) decided() {
	if i := b.first(func(_ int, m *moment) bool { return len(m.o.Fulfillments) > 0 }); i >= 0 {
		b.spend("placed_to_sourced", i, b.all[i].home(), b.all[i].o.PlacedAt)
	}
	had := func(l *order.Line) int64 { return l.Allocated + l.Fulfilled }
	waits := func(l *order.Line) int64 { return l.Backordered }
	i := b.first(func(i int, m *moment) bool { return m.total(had)+m.total(waits)+b.lacked[i] > 0 })
	if i < 0 {
		return
	}
	m := &b.all[i]
	b.here("first_fill_rate", i, m.total(had), m.total(func(l *order.Line) int64 { return l.Quantity - l.Cancelled })+b.lacked[i])
	b.here("backorder_rate", i, one(m.total(waits) > 0), 1)
}

// left counts when everything has left.
func (b *book) left() {
	i := b.first(func(_ int, m *moment) bool {
		return m.o.Status == order.StatusFulfilled || m.o.Status == order.StatusDelivered
	})
	if i < 0 {
		return
	}
	m := &b.all[i]
	var n, cost int64
	for _, f := range m.o.Fulfillments {
		if !f.ShippedAt.IsZero() {
			n, cost = n+1, cost+f.Cost
		}
	}
	b.here("split_rate", i, one(n > 1), 1)
	b.here("shipments_per_order", i, n, 1)
	at := tally{"cost_per_order", "", kpi.DayOf(m.at), m.o.Channel, m.home(), m.o.Currency}
	b.top[at] += cost
	b.over[at]++
}

// completed counts when the order came to its end.
func (b *book) completed() {
	i := b.first(func(_ int, m *moment) bool {
		return m.o.Status == order.StatusDelivered || m.o.Status == order.StatusCancelled
	})
	if i < 0 {
		return
	}
	m := &b.all[i]
	var touches, seconds int64
	var lost, moved bool
	var promised time.Time
	for j := range b.all[:i+1] {
		for _, e := range b.all[j].events {
			if e.Type == order.EventTouched {
				touches, seconds = touches+1, seconds+e.Touch.Seconds
			}
			lost = lost || e.Type == order.EventFulfillmentLost || e.Type == order.EventFulfillmentUndeliverable
			moved = moved || e.Type == order.EventPromiseChanged
		}
		if o := b.all[j].o; promised.IsZero() && len(o.Fulfillments) > 0 && len(o.Unplaced()) == 0 {
			promised = o.Promise.DeliverBy
		}
	}
	delivered := m.o.Status == order.StatusDelivered
	b.here("touchless_share", i, one(touches == 0), 1)
	b.here("touches_per_order", i, touches, 1)
	b.here("touch_seconds_per_order", i, seconds, 1)
	b.here("promise_changed", i, one(moved), 1)
	b.here("cancel_rate", i, one(!delivered), 1)
	if delivered {
		b.here("orders_delivered", i, 1, 0)
	}
	if !delivered && b.lacked[i] == 0 {
		return
	}
	var arrived time.Time
	for _, f := range m.o.Fulfillments {
		if f.DeliveredAt.After(arrived) {
			arrived = f.DeliveredAt
		}
	}
	if delivered {
		b.spend("placed_to_delivered", i, m.home(), m.o.PlacedAt.Add(m.at.Sub(arrived)))
	}
	full, kept := b.lacked[i] == 0, delivered && !arrived.After(promised)
	b.here("fill_rate", i, m.total(func(l *order.Line) int64 { return l.Fulfilled }), m.total(func(l *order.Line) int64 { return l.Quantity - l.Cancelled })+b.lacked[i])
	b.here("perfect_order", i, one(delivered && full && !lost && (kept || promised.IsZero())), 1)
	if !promised.IsZero() {
		b.here("promise_kept", i, one(kept), 1)
		b.here("latest_promise_kept", i, one(delivered && !arrived.After(m.o.Promise.DeliverBy)), 1)
		b.here("otif", i, one(kept && full), 1)
	}
}

// happened counts events where the order was.
func (b *book) happened() {
	named := func(key string) string { return cmp.Or(key, kpi.NoKey) }
	for i := range b.all {
		m := &b.all[i]
		for _, e := range m.events {
			b.count("events_by_type", e.Type, i, m.home(), 1, 0)
			switch e.Type {
			case order.EventExceptionOpened:
				b.here("exceptions_per_order", i, 1, 0)
				b.count("exceptions_by_type", e.Exception.Type, i, m.home(), 1, 0)
			case order.EventHeld:
				b.count("holds_by_type", e.Hold.Type, i, m.home(), 1, 0)
			case order.EventTouched:
				b.count("touch_causes", named(e.Touch.Cause), i, m.home(), 1, 0)
				b.count("touch_actions", named(e.Touch.Action), i, m.home(), 1, 0)
			case order.EventCancelled:
				b.count("cancel_reasons", named(e.Reason), i, m.home(), count(e.Lines), 0)
			case order.EventFulfillmentCancel:
				b.count("cancel_reasons", named(e.Reason), i, m.o.Fulfillment(e.FulfillmentID).Location, count(e.Lines), 0)
			case order.EventFulfillmentRejected:
				b.count("reject_reasons", named(e.Reason), i, m.o.Fulfillment(e.FulfillmentID).Location, count(e.Lines), 0)
			case order.EventFulfillmentPicked:
				at := m.o.Fulfillment(e.FulfillmentID).Location
				b.count("reject_rate", "", i, at, 0, count(e.Lines))
				b.count("short_rate", "", i, at, 0, count(e.Lines))
			}
		}
	}
}

// quantities counts what became more from one moment to the next.
func (b *book) quantities() {
	for i := range b.all {
		var was order.Order
		var returned int64
		if i > 0 {
			was, returned = *b.all[i-1].o, b.all[i-1].total(func(l *order.Line) int64 { return l.Returned })
		}
		b.here("return_rate", i, b.all[i].total(func(l *order.Line) int64 { return l.Returned })-returned, 0)
		for j := range b.all[i].o.Fulfillments {
			f := &b.all[i].o.Fulfillments[j]
			shipped, rejected, short, lost := left(f)
			if before := was.Fulfillment(f.ID); before != nil {
				s, r, h, l := left(before)
				shipped, rejected, short, lost = shipped-s, rejected-r, short-h, lost-l
			}
			b.count("reject_rate", "", i, f.Location, rejected, rejected+short)
			b.count("short_rate", "", i, f.Location, short, short)
			b.count("lost_rate", "", i, f.Location, lost, shipped)
			b.count("return_rate", "", i, f.Location, 0, shipped)
		}
	}
}

// steps measures fulfillments from each step to the next, the first time.
func (b *book) steps() {
	for _, f := range b.all[len(b.all)-1].o.Fulfillments {
		step := func(stage, to string, from ...string) {
			end := -1
			var since time.Time
			for i := range b.all {
				for _, e := range b.all[i].events {
					of := e.FulfillmentID
					if e.Fulfillment != nil {
						of = e.Fulfillment.ID
					}
					switch {
					case of != f.ID || end >= 0:
					case e.Type == to:
						end = i
					case e.Type == order.EventFulfillmentReleased && slices.Contains(from, e.Type):
						since = b.all[i].at
					case slices.Contains(from, e.Type) && since.IsZero():
						since = b.all[i].at
					}
				}
			}
			if end >= 0 && !since.IsZero() {
				b.spend(stage, end, f.Location, since)
			}
		}
		step("sourced_to_accepted", order.EventFulfillmentAccepted, order.EventFulfillmentCreated, order.EventFulfillmentReleased)
		step("accepted_to_picked", order.EventFulfillmentPicked, order.EventFulfillmentAccepted)
		step("picked_to_packed", order.EventFulfillmentPacked, order.EventFulfillmentPicked)
		step("packed_to_shipped", order.EventFulfillmentShipped, order.EventFulfillmentPacked)
		step("shipped_to_delivered", order.EventFulfillmentDeliver, order.EventFulfillmentShipped)
	}
}

// lasted measures holds and exceptions.
func (b *book) lasted() {
	began := map[string]time.Time{}
	for i := range b.all {
		for _, e := range b.all[i].events {
			switch e.Type {
			case order.EventHeld:
				began[e.Hold.ID] = b.all[i].at
			case order.EventExceptionOpened:
				began[e.Exception.ID] = b.all[i].at
			case order.EventHoldReleased:
				b.spend("hold_time", i, b.all[i].home(), began[e.HoldID])
			case order.EventExceptionClosed:
				b.spend("exception_time", i, b.all[i].home(), began[e.ExceptionID])
			}
		}
	}
}

// as is where a tally shows when it is asked for by something.
func (a tally) as(by string, newest network.Date) tally {
	if a.day <= newest.AddDays(-kpi.DetailDays) {
		a.location = kpi.Everywhere
	}
	day, channel, location := a.day, a.channel, cmp.Or(a.location, kpi.NoKey)
	a.day, a.channel, a.location = 0, "", ""
	switch by {
	case kpi.ByDay:
		a.day = day
	case kpi.ByChannel:
		a.channel = channel
	case kpi.ByLocation:
		a.location = location
	}
	return a
}

// check compares all that counters answer with the tallies.
func (n *naive) check(t rapid.TB, c *kpi.Counters, by string) {
	t.Helper()
	first, newest := c.Days()
	top, over, spent, whole := map[tally]int64{}, map[tally]int64{}, map[tally][]float64{}, map[tally]int64{}
	for a, x := range n.top {
		at := a.as(by, newest)
		top[at] += x
		over[at] += n.over[a]
		at.key = ""
		whole[at] += x
	}
	for a, x := range n.spent {
		at := a.as(by, newest)
		spent[at] = append(spent[at], x...)
	}
	values, err := c.Ask(kpi.Question{From: first, To: newest, Today: newest, By: by})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range values {
		d, _ := kpi.Find(v.KPI)
		at := tally{v.KPI, v.Key, v.Day, v.Channel, v.Location, v.Currency}
		switch stage, share := stageOf(v.KPI); {
		case stage == "backlog", stage == "backlog_age", stage == "ready_to_collected", stage == "packed_to_ready":
		case d.Unit == kpi.UnitSeconds && share > 0:
			at.kpi = stage
			quantileIs(t, v, spent[at], share)
			if share > 0.6 {
				delete(spent, at)
			}
		default:
			wantOver := over[at]
			if d.Keyed {
				plain := at
				plain.key = ""
				wantOver = whole[plain]
			}
			if v.Numerator != top[at] || v.Denominator != wantOver {
				t.Errorf("by %q: %+v is %d of %d, want %d of %d", by, at, v.Numerator, v.Denominator, top[at], wantOver)
			}
			delete(top, at)
		}
	}
	for at, x := range top {
		if x != 0 {
			t.Errorf("by %q: no answer has %d of %+v", by, x, at)
		}
	}
	for at := range spent {
		t.Errorf("by %q: no answer has the duration %+v", by, at)
	}
}

// stageOf splits the id of a quantile; 0: it is none.
func stageOf(id string) (stage string, share float64) {
	if len(id) > 4 {
		switch id[len(id)-4:] {
		case "_p50":
			return id[:len(id)-4], 0.5
		case "_p90":
			return id[:len(id)-4], 0.9
		}
	}
	return id, 0
}

func quantileIs(t rapid.TB, v kpi.Value, measured []float64, share float64) {
	t.Helper()
	if v.Numerator != int64(len(measured)) || (v.Value == nil) != (len(measured) == 0) {
		t.Errorf("%s at %d %q %q: %d were measured, want %d", v.KPI, v.Day, v.Channel, v.Location, v.Numerator, len(measured))
		return
	}
	if v.Value == nil {
		return
	}
	slices.Sort(measured)
	want := measured[int(math.Ceil(share*float64(len(measured))))-1]
	if off := math.Abs(*v.Value - want); off > want*kpi.MaxQuantileError+1 {
		t.Errorf("%s is %v, want %v of %v", v.KPI, *v.Value, want, measured)
	}
}

// What the counters say of any lives, by whatever they are told apart, is what whole histories say.
func TestCountersAreTheNaiveCount(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var lives []*life
		var log []command
		n := &naive{top: map[tally]int64{}, over: map[tally]int64{}, spent: map[tally][]float64{}}
		for i := range rapid.IntRange(1, 8).Draw(t, "orders") {
			l := drawLife(t, fmt.Sprint("o", i))
			lives, log = append(lives, l), append(log, l.log...)
			n.add(l.history(t))
		}
		slices.SortStableFunc(log, func(a, b command) int { return a.at.Compare(b.at) })
		c := counted(t, lives, log, nil)
		for _, by := range []string{"", kpi.ByDay, kpi.ByChannel, kpi.ByLocation} {
			n.check(t, c, by)
		}
	})
}
