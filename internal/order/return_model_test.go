package order_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/problem"
)

// counter is an order whose customer gives things back, with the log and the stock of everything that happened since.
type counter struct {
	t     *rapid.T
	o     *order.Order
	begin string // the order when it was delivered
	log   []logged
	now   time.Time
	stock map[inventory.Account]int64
}

// logged is one row of the log.
type logged struct {
	events []order.Event
	at     time.Time
}

func newCounter(t *rapid.T) *counter {
	n := newOrder(order.Ship, rapid.SliceOfN(rapid.Int64Range(1, 5), 1, 3).Draw(t, "quantities")...)
	for i := range n.Lines {
		l := &n.Lines[i]
		l.UnitPrice = rapid.Int64Range(0, 1000).Draw(t, "price")
		l.Discount = rapid.Int64Range(0, l.UnitPrice*l.Quantity).Draw(t, "discount")
	}
	n.Lines[0].SKU = rapid.SampledFrom([]string{"sku1", "set"}).Draw(t, "sku")
	n.Shipping = rapid.Int64Range(0, 500).Draw(t, "shipping")
	o := capture(t, n)
	var lines []order.LineQuantity
	for i := range o.Lines {
		lines = append(lines, lq(o.Lines[i].ID, o.Lines[i].Quantity))
	}
	o = step(t, step(t, place(t, o, at("dc", lines...)), "ship"), "deliver")
	return &counter{t: t, o: o, begin: toJSON(t, o), now: o.UpdatedAt, stock: map[inventory.Account]int64{}}
}

// commit folds what was decided, and what the return does by itself then. A refusal changes nothing; another error is a bug.
func (c *counter) commit(events []order.Event, err error) {
	c.t.Helper()
	var no *order.Refusal
	var bad problem.Invalid
	if err != nil && !errors.As(err, &no) && !errors.As(err, &bad) {
		c.t.Fatalf("%v", err)
	}
	if err != nil || len(events) == 0 {
		return
	}
	var id string
	for i := range events {
		if events[i].ReturnID != "" {
			id = events[i].ReturnID
		}
	}
	var all []order.Event
	version := c.o.Version + 1
	next := c.o
	for len(events) > 0 {
		var moves []inventory.Movement
		each := func(o *order.Order, e *order.Event) { moves = append(moves, order.Movements(o, e)...) }
		fold := order.FoldEach
		if len(all) > 0 {
			fold = order.Extend
		}
		if next, err = fold(next, events, version, c.now, each); err != nil {
			c.t.Fatalf("%v of %s", err, toJSON(c.t, events))
		}
		for _, m := range moves {
			if c.stock[m.From] -= m.Quantity; m.From != inventory.Shipped && c.stock[m.From] < 0 {
				c.t.Fatalf("%+v takes more than there is", m)
			}
			c.stock[m.To] += m.Quantity
		}
		all = append(all, events...)
		events = next.AdvanceReturn(id, c.now)
	}
	c.o = next
	c.log = append(c.log, logged{all, c.now})
}

// someReturn is the id of a return; "": there is none.
func (c *counter) someReturn() string {
	if len(c.o.Returns) == 0 {
		return ""
	}
	return rapid.SampledFrom(c.o.Returns).Draw(c.t, "return").ID
}

func (c *counter) someLine() string { return rapid.SampledFrom(c.o.Lines).Draw(c.t, "line").ID }

func (c *counter) open() {
	r := order.Return{
		Method: order.ReturnByMail, By: "ada", ExpiresAt: c.now.Add(time.Duration(rapid.IntRange(1, 60).Draw(c.t, "days")) * 24 * time.Hour),
		RefundRule:     rapid.SampledFrom(order.RefundRules).Draw(c.t, "refund"),
		RefundShipping: rapid.SampledFrom([]string{order.ShippingNever, order.ShippingFullReturn, order.ShippingAlways}).Draw(c.t, "refund shipping"),
		Fee:            rapid.SampledFrom([]int64{0, 0, 300}).Draw(c.t, "fee"),
	}
	for range rapid.IntRange(1, 3).Draw(c.t, "lines") {
		id := c.someLine()
		r.Lines = append(r.Lines, order.ReturnedLine{
			Line: id, SKU: c.o.Line(id).SKU, Quantity: rapid.Int64Range(1, 4).Draw(c.t, "units"),
			Keep: rapid.IntRange(0, 5).Draw(c.t, "keep") == 0, Inspect: rapid.Bool().Draw(c.t, "inspect"),
			Refused: rapid.SampledFrom([]string{"", "", "window"}).Draw(c.t, "refused"), UnitFee: rapid.SampledFrom([]int64{0, 0, 50}).Draw(c.t, "unit fee"),
			FeePercent: rapid.SampledFrom([]int64{0, 0, 7}).Draw(c.t, "percent"),
		})
	}
	c.commit(c.o.OpenReturn(r, c.now))
}

func (c *counter) receive(id string) {
	in := order.Receipt{Location: rapid.SampledFrom([]string{"dc", "store"}).Draw(c.t, "location")}
	if rapid.Bool().Draw(c.t, "message") {
		in.MessageID = fmt.Sprint("m", rapid.IntRange(0, 9).Draw(c.t, "message id"))
	}
	if rapid.Bool().Draw(c.t, "in part") {
		in.Lines = []order.ReceivedLine{{Line: c.someLine(), Quantity: rapid.Int64Range(1, 6).Draw(c.t, "units")}}
	}
	c.commit(c.o.Receive(id, in, c.now))
	if again, err := c.o.Receive(id, in, c.now); in.MessageID != "" && err == nil {
		for _, e := range again {
			if e.Type == order.EventReturnReceived && len(c.o.Return(id).Messages) > 0 && c.o.Booked(in.MessageID) == id {
				c.t.Fatalf("the message %s is booked twice", in.MessageID)
			}
		}
	}
}

// happen lets one thing happen.
func (c *counter) happen() {
	t := c.t
	c.now = c.now.Add(time.Duration(rapid.IntRange(0, 100).Draw(t, "hours")) * time.Hour)
	what := rapid.SampledFrom([]string{"open", "open", "send", "receive", "receive", "receive", "inspect", "inspect", "dispose", "dispose", "cancel", "close", "expire", "lose"}).Draw(t, "what")
	id := c.someReturn()
	switch {
	case what == "open" || id == "":
		c.open()
	case what == "send":
		c.commit(c.o.SendReturn(id, "post", "T"))
	case what == "receive":
		c.receive(id)
	case what == "inspect":
		in := order.Inspection{Override: rapid.SampledFrom([]string{"", "why not"}).Draw(t, "override")}
		if rapid.Bool().Draw(t, "in part") {
			in.Lines = []order.InspectedLine{{Line: c.someLine(), Accepted: rapid.Int64Range(0, 3).Draw(t, "accepted"), Rejected: rapid.Int64Range(0, 2).Draw(t, "rejected")}}
		}
		c.commit(c.o.Inspect(id, in))
	case what == "dispose":
		c.commit(c.o.Dispose(id, order.Disposal{Disposition: rapid.SampledFrom(order.Dispositions).Draw(t, "to")}))
	case what == "cancel":
		c.commit(c.o.CancelReturn(id, "no"))
	case what == "close":
		c.commit(c.o.CloseReturn(id, "over", c.now))
	case what == "lose":
		c.commit(c.o.Decide("o1-1", order.Step{Command: "lose", At: c.now}))
	default:
		c.commit(c.o.ReturnsDue(c.now), nil)
	}
}

// check holds the order against what must always be.
func (c *counter) check() {
	t, o := c.t, c.o
	t.Helper()
	var came, rejected, pending, free, elsewhere int64
	each := func(line string, n int64) (stocked int64) {
		per := int64(1)
		if l := o.Line(line); len(l.Parts) > 0 {
			per = 3 // two pegs and a tent
		}
		return n * per
	}
	keys, units, value, amount := map[string]bool{}, map[string]int64{}, map[string]int64{}, int64(0)
	for i := range o.Returns {
		r := &o.Returns[i]
		for j := range r.Lines {
			l := &r.Lines[j]
			came += each(l.Line, l.Received)
			rejected += each(l.Line, l.Rejected)
			pending += each(l.Line, l.ToInspect()+l.ToDispose())
			free += each(l.Line, l.Restocked)
			elsewhere += each(l.Line, l.Refurbished+l.Scrapped+l.ToVendor)
		}
		for _, f := range r.Refunds {
			if keys[f.Key] || f.Amount < 0 || f.Fee < 0 || f.Amount > f.Value+f.Shipping-f.Fee {
				t.Fatalf("refund %+v", f)
			}
			keys[f.Key] = true
			amount += f.Amount
			for _, l := range f.Lines {
				units[l.Line] += l.Quantity
				value[l.Line] += l.Value
			}
		}
	}
	if c.stock[inventory.ReturnPending] != pending || came-rejected != pending+free+elsewhere {
		t.Fatalf("%d units came, %d went back, %d wait (%d in stock's books), %d are free and %d elsewhere", came, rejected, pending, c.stock[inventory.ReturnPending], free, elsewhere)
	}
	if c.stock[inventory.Refurbished]+c.stock[inventory.Scrapped]+c.stock[inventory.ToVendor] != elsewhere {
		t.Fatalf("%d units are neither free nor pending, stock has %v", elsewhere, c.stock)
	}
	if amount != o.Refunds() || amount > max(o.Owed(), 0) {
		t.Fatalf("%d were refunded, %d by the order's count, of %d that it cost", amount, o.Refunds(), o.Owed())
	}
	for i := range o.Returns {
		c.checkOwed(&o.Returns[i])
	}
	for i := range o.Lines {
		l := &o.Lines[i]
		if l.Returned < 0 || l.Returned > l.Fulfilled || o.Returnable(l.ID) > l.Fulfilled-l.Returned {
			t.Fatalf("of line %s %d of %d units came back, %d more may", l.ID, l.Returned, l.Fulfilled, o.Returnable(l.ID))
		}
		if value[l.ID] > l.Total || units[l.ID] == l.Quantity && value[l.ID] != l.Total {
			t.Fatalf("%d units of line %s, which cost %d, were worth %d", units[l.ID], l.ID, l.Total, value[l.ID])
		}
	}
}

// checkOwed demands an exception for each return that ended and gave money for units that the customer has.
func (c *counter) checkOwed(r *order.Return) {
	if r.Status != order.ReturnClosed && r.Status != order.ReturnExpired {
		return
	}
	var refunded, taken int64
	for _, f := range r.Refunds {
		for _, l := range f.Lines {
			refunded += l.Quantity
		}
	}
	for i := range r.Lines {
		l := &r.Lines[i]
		if taken += l.Received - l.Rejected; l.Keep {
			taken += l.Quantity
		}
	}
	for _, x := range c.o.Exceptions {
		if x.Type == order.ExceptionReturnOverdue && x.ReturnID == r.ID {
			return
		}
	}
	if refunded > taken {
		c.t.Fatalf("%d units were refunded, %d came to stay, and nobody is asked: %s", refunded, taken, toJSON(c.t, r))
	}
}

// Whatever comes back in whatever order: no unit comes back twice, stock and money add up, and
// the log gives the same order again.
func TestReturnsKeepTheirInvariants(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := newCounter(t)
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			c.happen()
			c.check()
		}
		again := fromJSON[*order.Order](t, c.begin)
		for i := range c.log {
			events := fromJSON[[]order.Event](t, toJSON(t, c.log[i].events))
			next, err := order.Fold(again, events, again.Version+1, c.log[i].at)
			if err != nil {
				t.Fatalf("row %d does not replay: %v", i, err)
			}
			again = next
		}
		if got, want := toJSON(t, again), toJSON(t, c.o); got != want {
			t.Fatalf("replayed\n%s\nwas\n%s", got, want)
		}
	})
}
