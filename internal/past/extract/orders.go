package extract

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/orderly-oms/orderly/internal/exception"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/jsonenc"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/past"
)

// maxUnfolded is how many orders under way are held as they are. Others are folded from their streams when
// something happens to them.
const maxUnfolded = 50_000

// orders are those under way.
type orders struct {
	count   int64            // numbers given
	numbers map[string]int64 // by id
	ids     map[int64]string
	now     map[string]*order.Order
	// queue has ids of now in the order they came in, to drop the oldest.
	queue []string
}

func newOrders() orders {
	return orders{numbers: map[string]int64{}, ids: map[int64]string{}, now: map[string]*order.Order{}}
}

func (o *orders) known(id string, number int64) {
	o.numbers[id], o.ids[number] = number, id
	o.count = max(o.count, number+1)
}

func (o *orders) done(number int64) {
	id := o.ids[number]
	delete(o.numbers, id)
	delete(o.ids, number)
	delete(o.now, id)
}

func (o *orders) keep(id string, now *order.Order) {
	if _, ok := o.now[id]; !ok {
		o.queue = append(o.queue, id)
	}
	o.now[id] = now
	for len(o.now) > maxUnfolded {
		delete(o.now, o.queue[0])
		o.queue = o.queue[1:]
	}
	if len(o.queue) > 4*maxUnfolded { // most of them are done
		o.queue = slices.DeleteFunc(slices.Clone(o.queue), func(id string) bool { return o.now[id] == nil })
	}
}

// before is an order as it was before a row; nil: it is new.
func (x *extractor) before(r *row) (*order.Order, error) {
	if r.Version == 1 {
		return nil, nil
	}
	if o := x.now[r.Stream.ID]; o != nil && o.Version == r.Version-1 {
		return o, nil
	}
	var o *order.Order
	for after := int64(0); after < r.Version-1; {
		rows, err := x.s.Stream(x.ctx, r.Stream, after, page)
		if err != nil {
			return nil, err
		}
		if len(rows) == 0 {
			return nil, fmt.Errorf("its stream ends at version %d", after)
		}
		for i := range rows {
			c := &rows[i]
			if c.Version >= r.Version {
				return o, nil
			}
			var list []order.Event
			if err := jsonenc.Unmarshal(c.Events, &list); err != nil {
				return nil, err
			}
			if o, err = order.Extend(o, list, c.Version, c.Time, nil); err != nil {
				return nil, err
			}
			after = c.Version
		}
	}
	return o, nil
}

// order writes a row of an order.
func (x *extractor) order(r *row) error {
	number, under := x.numbers[r.Stream.ID]
	if !under && r.Version > 1 { // it was done: only stock moves
		return x.stock(r.at, r.Movements, nil, "return")
	}
	var raw []json.RawMessage
	if err := jsonenc.Unmarshal(r.Events, &raw); err != nil {
		return err
	}
	events := make([]order.Event, len(raw))
	for i := range raw {
		if err := jsonenc.Unmarshal(raw[i], &events[i]); err != nil {
			return err
		}
	}
	now, err := x.before(r)
	if err != nil {
		return err
	}
	if now == nil {
		number = x.count
		x.known(r.Stream.ID, number)
	}
	c := &cutter{x: x, r: r, number: number, now: now, raw: raw, events: events, moves: r.Movements, first: now == nil}
	if err := c.cut(); err != nil {
		return err
	}
	delete(x.claims, r.Command)
	if finished(c.now) {
		x.done(number)
		return x.write(r.at, past.Entry{Step: &past.Step{Order: number, Kind: past.StepDone}})
	}
	x.keep(r.Stream.ID, c.now)
	return nil
}

// finished: every unit is delivered or cancelled, and nothing is open about it.
func finished(o *order.Order) bool {
	return o.Status.Final() && len(o.Exceptions) == 0 && !slices.ContainsFunc(o.Returns, func(r order.Return) bool { return !r.Status.Final() })
}

// placing are the types of events that placing gives, and nothing else.
var placing = map[string]bool{
	order.EventSourced: true, order.EventFulfillmentCreated: true, order.EventBackordered: true, order.EventWaiting: true, order.EventRetryScheduled: true,
}

// isPlacing reports whether an event was given by looking for locations.
func isPlacing(e *order.Event) bool {
	switch e.Type {
	case order.EventCancelled:
		return e.Reason == order.ReasonNoLocation
	case order.EventExceptionOpened:
		return e.Exception != nil && e.Exception.By == "core" && (e.Exception.Type == order.ExceptionNoLocation || e.Exception.Type == order.ExceptionAttempts)
	}
	return placing[e.Type]
}

// besidePlacing are events that stand among those of placing and were not decided by it.
func besidePlacing(e *order.Event) bool {
	return e.Type == order.EventBaseline || e.Type == order.EventCompared
}

// cutter cuts one row into steps and decisions.
type cutter struct {
	x      *extractor
	r      *row
	number int64
	now    *order.Order
	raw    []json.RawMessage
	events []order.Event
	moves  []inventory.Movement // of the row, those not assigned yet
	first  bool                 // the first decision is still to come
	// waiting are entries that the first decision has to come before.
	waiting []past.Entry
}

func (c *cutter) cut() error {
	for i := 0; i < len(c.events); {
		end := i + 1
		if !isPlacing(&c.events[i]) {
			if err := c.step(&c.events[i]); err != nil {
				return err
			}
			i = end
			continue
		}
		for end < len(c.events) && (isPlacing(&c.events[end]) || besidePlacing(&c.events[end])) {
			end++
		}
		if err := c.decision(i, end); err != nil {
			return err
		}
		i = end
	}
	if c.first { // nobody was to have it yet
		if err := c.put(past.Entry{Decision: &past.Decision{Order: c.number, First: true, State: unpaid(c.now), Reject: c.x.reject[c.now.Channel], Bucket: c.r.bucket, Seq: c.r.Seq}}); err != nil {
			return err
		}
	}
	if len(c.moves) > 0 { // corrections of a count that was wrong
		return c.put(past.Entry{Step: &past.Step{Order: c.number, Kind: past.StepOther, Moves: c.moves}})
	}
	return nil
}

// put writes an entry, the first decision before all others.
func (c *cutter) put(e past.Entry) error {
	if c.first && (e.Decision == nil || !e.Decision.First) {
		c.waiting = append(c.waiting, e)
		return nil
	}
	if err := c.x.write(c.r.at, e); err != nil {
		return err
	}
	if c.first {
		c.first = false
		for _, w := range c.waiting {
			if err := c.x.write(c.r.at, w); err != nil {
				return err
			}
		}
	}
	return nil
}

// apply folds events onto a copy of the order, so that what it was can still be written, and takes their movements from the row.
func (c *cutter) apply(events []order.Event) (next *order.Order, moves []inventory.Movement, err error) {
	next, err = order.FoldEach(c.now, events, c.r.Version, c.r.Time, func(o *order.Order, e *order.Event) {
		for _, m := range order.Movements(o, e) {
			moves = append(moves, c.take(m)...)
		}
	})
	return next, moves, err
}

// take takes a movement from those of the row, with the corrections before it.
func (c *cutter) take(m inventory.Movement) []inventory.Movement {
	i := slices.Index(c.moves, m)
	if i < 0 {
		return nil // what is left at the end is written all the same
	}
	out := c.moves[: i+1 : i+1]
	c.moves = c.moves[i+1:]
	return out
}

// decision writes the events of one look for locations.
func (c *cutter) decision(from, to int) error {
	d := &past.Decision{Order: c.number, First: c.first, State: unpaid(c.now), Reject: c.first && c.x.reject[c.now.Channel], Bucket: c.r.bucket, Seq: c.r.Seq}
	if c.first {
		d.Held = c.x.claims[c.r.Command]
	}
	d.Joint, d.Asked = c.joint(), c.asked(from)
	var cancelled []order.LineQuantity
	for i := from; i < to; i++ {
		e := &c.events[i]
		if besidePlacing(e) {
			continue
		}
		sum := sha256.Sum256(c.raw[i])
		d.Hashes = append(d.Hashes, binary.BigEndian.Uint64(sum[:]))
		switch {
		case e.Type == order.EventSourced && e.Sourcing != nil:
			for _, f := range e.Sourcing.Facts {
				if !slices.Contains(d.Facts, f) {
					d.Facts = append(d.Facts, f)
				}
			}
		case e.Type == order.EventFulfillmentCreated:
			d.Placed = append(d.Placed, placed(e.Fulfillment))
		case e.Type == order.EventCancelled:
			cancelled = append(cancelled, e.Lines...)
		}
	}
	next, moves, err := c.apply(c.events[from:to])
	if err != nil {
		return err
	}
	d.Moves = moves
	d.Unplaced = append(next.Unplaced(), cancelled...)
	switch {
	case next.Waiting != nil && len(d.Unplaced) > 0:
		d.Waiting = next.Waiting.Action
	case len(cancelled) > 0:
		d.Waiting = order.WaitCancel
	case len(d.Unplaced) > 0:
		d.Waiting = order.WaitBackorder
	}
	c.now = next
	return c.put(past.Entry{Decision: d})
}

// unpaid is the order without its payments: half of what is in it, and no decision reads them.
func unpaid(o *order.Order) *order.Order {
	if o.Payment == nil {
		return o
	}
	c := *o
	c.Payment = nil
	return &c
}

func placed(f *order.Fulfillment) past.Placed {
	p := past.Placed{Location: f.Location, Service: f.Service, Via: f.Via, Cost: f.Cost, Promise: f.Promise}
	for i := range f.Lines {
		p.Lines = append(p.Lines, order.LineQuantity{Line: f.Lines[i].Line, Quantity: f.Lines[i].Quantity})
	}
	return p
}

// joint reports whether the row was decided together with other orders: units that nobody asked to move were withdrawn to
// decide again.
func (c *cutter) joint() bool {
	return slices.ContainsFunc(c.events, func(e order.Event) bool {
		return e.Type == order.EventFulfillmentWithdraw && strings.HasPrefix(e.Reason, decidedAgain)
	}) || c.r.Actor == relocationActor
}

// As package engine writes them.
const (
	decidedAgain    = "decided again"
	relocationActor = "relocation"
)

// systemActors look for locations by themselves.
var systemActors = []string{"stock", "timer", relocationActor}

// asked reports whether a person had locations looked for: by that alone, or as the fix of an exception.
func (c *cutter) asked(from int) bool {
	if from == 0 {
		return c.r.Version > 1 && !slices.Contains(systemActors, c.r.Actor)
	}
	return slices.ContainsFunc(c.events[:from], func(e order.Event) bool {
		return e.Type == order.EventExceptionFixed && e.Rule == "" && e.Name == exception.FixRetrySourcing
	})
}
