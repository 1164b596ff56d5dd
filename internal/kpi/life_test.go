package kpi_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/kpi"
	"github.com/orderly-oms/orderly/internal/order"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// command is one log row of an order.
type command struct {
	id      string
	version int64
	at      time.Time
	events  []order.Event
}

// life is an order with its log.
type life struct {
	o   *order.Order
	log []command
	now time.Time
}

// must folds events as the order's next command.
func (l *life) must(t rapid.TB, events []order.Event, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	version := int64(len(l.log) + 1)
	next, err := order.Fold(l.o, events, version, l.now)
	if err != nil {
		t.Fatal(err)
	}
	l.o = next
	l.log = append(l.log, command{next.ID, version, l.now, events})
}

// capture begins a life; with places, units are placed by the same command.
func capture(t rapid.TB, id, channel, currency string, at time.Time, quantities []int64, place ...order.Placement) *life {
	t.Helper()
	n := order.New{Channel: channel, Currency: currency, Method: order.Ship, PlacedAt: at}
	for i, q := range quantities {
		n.Lines = append(n.Lines, order.NewLine{SKU: fmt.Sprint("S", i), Quantity: q, UnitPrice: 100})
	}
	if err := n.Validate(); err != nil {
		t.Fatal(err)
	}
	l := &life{now: at}
	captured := n.Capture(order.Captured{ID: id, At: at, Parts: func(string) []inventory.Part { return nil }})
	o, err := order.Fold(nil, []order.Event{captured}, 1, at)
	if err != nil {
		t.Fatal(err)
	}
	events := []order.Event{captured}
	if len(place) > 0 {
		placed, err := o.Place(rest(o, place), at)
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, placed...)
	}
	l.must(t, events, nil)
	return l
}

// rest is a plan in which what has no place waits for stock.
func rest(o *order.Order, places []order.Placement) order.Plan {
	p := order.Plan{Placements: places, Waiting: order.Waiting{Action: order.WaitBackorder}}
	for _, q := range o.Unplaced() {
		for i := range places {
			for _, l := range places[i].Lines {
				if l.Line == q.Line {
					q.Quantity -= l.Quantity
				}
			}
		}
		if q.Quantity > 0 {
			p.Unplaced = append(p.Unplaced, q)
		}
	}
	return p
}

func at(location string, cost int64, by time.Time, lines ...order.LineQuantity) order.Placement {
	return order.Placement{Location: location, Cost: cost, Promise: order.Promise{DeliverBy: by}, Lines: lines}
}

func lq(line string, n int64) order.LineQuantity { return order.LineQuantity{Line: line, Quantity: n} }

// step has a fulfillment do something; what is refused did not happen.
func (l *life) step(t rapid.TB, f string, s order.Step) {
	t.Helper()
	if events, err := l.o.Decide(f, s); err == nil && len(events) > 0 {
		l.must(t, events, nil)
	}
}

// drawLife draws an order and what happens to it.
func drawLife(t *rapid.T, id string) *life {
	places := []string{"dc", "north", "south"}
	begin := noon.Add(time.Duration(rapid.IntRange(0, 20*24).Draw(t, "hour")) * time.Hour)
	quantities := rapid.SliceOfN(rapid.Int64Range(1, 4), 1, 3).Draw(t, "quantities")
	channel := rapid.SampledFrom([]string{"web", "shop"}).Draw(t, "channel")
	currency := rapid.SampledFrom([]string{"EUR", "SEK"}).Draw(t, "currency")
	l := capture(t, id, channel, currency, begin, quantities)
	for range rapid.IntRange(0, 25).Draw(t, "steps") {
		l.now = l.now.Add(time.Duration(rapid.IntRange(0, 90_000).Draw(t, "seconds")) * time.Second)
		l.happen(t, places)
	}
	return l
}

// happen lets one thing happen.
func (l *life) happen(t *rapid.T, places []string) {
	reason := rapid.SampledFrom([]string{"", "broken", order.ReasonNoLocation}).Draw(t, "reason")
	commands := []string{"accept", "reject", "pick", "pack", "ship", "deliver", "accept", "pick", "pack", "ship", "deliver"}
	switch what := rapid.SampledFrom(append(commands, "place", "place", "place", "cancel", "hold", "release", "raise", "close", "touch", "lost", "return")).Draw(t, "what"); what {
	case "place":
		var p []order.Placement
		for _, q := range l.o.Unplaced() {
			if n := rapid.Int64Range(0, q.Quantity).Draw(t, "units"); n > 0 {
				p = append(p, at(rapid.SampledFrom(places).Draw(t, "location"), 400, l.now.Add(48*time.Hour), lq(q.Line, n)))
			}
		}
		if events, err := l.o.Place(rest(l.o, p), l.now); err == nil && len(events) > 0 {
			l.must(t, events, nil)
		}
	case "cancel":
		if events, err := l.o.Cancel(order.Cancellation{Reason: reason}); err == nil && len(events) > 0 {
			l.must(t, events, nil)
		}
	case "hold":
		if events, err := l.o.Hold(order.NewHold{Type: "fraud"}, "ada", l.now); err == nil {
			l.must(t, events, nil)
		}
	case "release":
		if len(l.o.Holds) > 0 {
			events, err := l.o.ReleaseHold(l.o.Holds[0].ID, "ada", reason)
			l.must(t, events, err)
		}
	case "raise":
		if e := l.o.Raise(order.Exception{Type: "overdue", Message: "late"}, l.now); e != nil {
			l.must(t, []order.Event{*e}, nil)
		}
	case "close":
		if len(l.o.Exceptions) > 0 {
			events, err := l.o.CloseException(l.o.Exceptions[0].ID, "ada", reason)
			l.must(t, events, err)
		}
	case "touch":
		l.must(t, []order.Event{{Type: order.EventTouched, Touch: &order.Touch{By: "ada", At: l.now, Action: "cancel", Seconds: 30, Cause: reason}}}, nil)
	case "lost":
		l.lose(t)
		if rapid.Bool().Draw(t, "sent again") {
			l.deliver(t)
		}
	case "return":
		l.takeBack(t)
	default:
		if len(l.o.Fulfillments) > 0 {
			f := rapid.SampledFrom(l.o.Fulfillments).Draw(t, "fulfillment")
			l.step(t, f.ID, order.Step{Command: what, Reason: reason})
		}
	}
}

// takeBack returns a unit of the first line that a customer has units of.
func (l *life) takeBack(t rapid.TB) {
	for i := range l.o.Lines {
		x := &l.o.Lines[i]
		if l.o.Returnable(x.ID) == 0 {
			continue
		}
		r := order.Return{
			Method: order.ReturnAtStore, RefundRule: order.RefundOnReceipt, ExpiresAt: l.now.AddDate(0, 0, 30), By: "ada",
			Lines: []order.ReturnedLine{{Line: x.ID, SKU: x.SKU, Quantity: 1}},
		}
		events, err := l.o.OpenReturn(r, l.now)
		l.must(t, events, err)
		events, err = l.o.Receive(events[0].ReturnID, order.Receipt{Location: "north"}, l.now)
		l.must(t, events, err)
		return
	}
}

// deliver brings all units that are still to come to the customer.
func (l *life) deliver(t rapid.TB) {
	var p []order.Placement
	for _, q := range l.o.Unplaced() {
		p = append(p, at("dc", 300, l.now.Add(48*time.Hour), q))
	}
	if events, err := l.o.Place(rest(l.o, p), l.now); err == nil && len(events) > 0 {
		l.must(t, events, nil)
	}
	for _, command := range []string{"ship", "deliver"} {
		for i := range l.o.Fulfillments {
			l.step(t, l.o.Fulfillments[i].ID, order.Step{Command: command})
		}
	}
}

// lose lets the first shipment that is under way go astray.
func (l *life) lose(t rapid.TB) {
	for i := range l.o.Fulfillments {
		if f := &l.o.Fulfillments[i]; f.Status == order.FulfillmentShipped {
			l.step(t, f.ID, order.Step{Command: "lose", Reason: "lost"})
			return
		}
	}
}

// counted counts commands in the sequence they are in. lose tells, when it is not nil, whether the
// case of the next command's order is dropped and rebuilt from the log first.
func counted(t rapid.TB, lives []*life, log []command, lose func() bool) *kpi.Counters {
	t.Helper()
	c, cases := kpi.New(), map[string]*kpi.Case{}
	for _, x := range log {
		k := cases[x.id]
		if k == nil || lose != nil && lose() {
			k = new(kpi.Case)
			i := slices.IndexFunc(lives, func(l *life) bool { return l.o.ID == x.id })
			for _, y := range lives[i].log[:x.version-1] {
				if err := k.Apply(y.events, y.version, y.at, nil); err != nil {
					t.Fatal(err)
				}
			}
			cases[x.id] = k
		}
		if err := k.Apply(x.events, x.version, x.at, c); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func same(t rapid.TB, what string, a, b *kpi.Counters) {
	t.Helper()
	for _, d := range a.Differences(b) {
		t.Errorf("%s: %s", what, d)
	}
}

// value asks for one KPI of all days.
func value(t rapid.TB, c *kpi.Counters, id string) kpi.Value {
	t.Helper()
	first, last := c.Days()
	values, err := c.Ask(kpi.Question{From: first, To: last, Today: last, KPIs: []string{id}})
	if err != nil || len(values) != 1 {
		t.Fatalf("%s: %d values, %v", id, len(values), err)
	}
	return values[0]
}

// However the log is cut, mixed and taken up again, the counters come out the same; and they are what the orders say.
func TestCountersAddUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var lives []*life
		var log []command
		for i := range rapid.IntRange(1, 6).Draw(t, "orders") {
			l := drawLife(t, fmt.Sprint("o", i))
			lives = append(lives, l)
			log = append(log, l.log...)
		}
		plain := counted(t, lives, log, nil)

		mixed := slices.Clone(log)
		slices.SortStableFunc(mixed, func(a, b command) int { return a.at.Compare(b.at) })
		lose := func() bool { return rapid.IntRange(0, 3).Draw(t, "lose") == 0 }
		same(t, "by time, with lost cases", counted(t, lives, mixed, lose), plain)

		cut := rapid.IntRange(0, len(lives)).Draw(t, "cut")
		sum, second := kpi.New(), kpi.New()
		for i, l := range lives {
			into := sum
			if i >= cut {
				into = second
			}
			into.Add(counted(t, lives, l.log, nil))
		}
		body, err := second.Encode()
		if err != nil {
			t.Fatal(err)
		}
		read, err := kpi.Decode(body)
		if err != nil {
			t.Fatal(err)
		}
		sum.Add(read)
		same(t, "in parts, written and read", sum, plain)
		agree(t, plain, lives)
	})
}

// agree compares counters with the orders themselves.
func agree(t rapid.TB, c *kpi.Counters, lives []*life) {
	t.Helper()
	var left, touches, waits, late int64
	for _, l := range lives {
		for i := range l.o.Fulfillments {
			for _, fl := range l.o.Fulfillments[i].Lines {
				left += fl.Shipped + fl.Lost
			}
		}
		touches += int64(l.o.Touches)
		if s := l.o.Status; !s.Final() && s != order.StatusFulfilled {
			waits++
			late = max(late, int64(kpi.DayOf(lastCommand(lives))-kpi.DayOf(l.o.CreatedAt)))
		}
	}
	if n := value(t, c, "orders_captured").Numerator; n != int64(len(lives)) {
		t.Errorf("%d orders captured, not %d", n, len(lives))
	}
	if n := value(t, c, "short_rate").Denominator; n < left {
		t.Errorf("%d units picked, %d left", n, left)
	}
	if n := value(t, c, "lost_rate").Denominator; n != left {
		t.Errorf("%d units left, not %d", n, left)
	}
	if n := value(t, c, "backlog").Numerator; n != waits {
		t.Errorf("a backlog of %d orders, not %d", n, waits)
	}
	if age := value(t, c, "backlog_age_p90").Value; waits == 1 && (age == nil || int64(*age) != late) {
		t.Errorf("the only order in the backlog is %d days old: %v", late, age)
	}
	otif, perfect, kept := value(t, c, "otif"), value(t, c, "perfect_order"), value(t, c, "promise_kept")
	if otif.Numerator > kept.Numerator || otif.Denominator != kept.Denominator || perfect.Denominator < otif.Denominator {
		t.Errorf("otif %+v, perfect %+v, kept %+v", otif, perfect, kept)
	}
	if n := value(t, c, "touches_per_order").Numerator; n > touches {
		t.Errorf("%d touches of completed orders, %d of all", n, touches)
	}
}

func lastCommand(lives []*life) (last time.Time) {
	for _, l := range lives {
		if at := l.log[len(l.log)-1].at; at.After(last) {
			last = at
		}
	}
	return last
}
