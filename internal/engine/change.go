package engine

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/orderly-oms/orderly/internal/exception"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/plant"
	"github.com/orderly-oms/orderly/internal/store"
)

// change is one order on its way through one command. Events are added and take effect at
// once, on the order and on the stock; when it is saved, flows have reacted, units that came free are
// with a location again, and everything that happened is one row of the log.
type change struct {
	tx     *Tx
	before *order.Order // nil: it is new
	now    *order.Order // as it is after the events so far; before, while there are none
	events []order.Event
	moves  []inventory.Movement
	// reacted counts the events that flows have seen.
	reacted int
	steps   int
	flows   []order.FlowMove
	sources *sources // nil: not gathered yet
	placed  bool     // units that wait were tried in this change
}

// order returns the order a command is about, after the caller's guard.
func (tx *Tx) order(key store.Key, m Meta) (*order.Order, error) {
	en := tx.Entry(key)
	if en == nil {
		return nil, ErrNotFound
	}
	o := en.Value.(*order.Order)
	if m.IfVersion != 0 && m.IfVersion != o.Version && !plant.On(plant.StaleAccepted) {
		return nil, ErrVersion
	}
	return o, nil
}

// change begins a change of an order; nil for a new one.
func (tx *Tx) change(o *order.Order) *change { return &change{tx: tx, before: o, now: o} }

// saveOrder is a change with these events. Without any, and with nothing left to do, the order stays as it is.
func (tx *Tx) saveOrder(o *order.Order, events []order.Event) (*order.Order, error) {
	c := tx.change(o)
	if err := c.add(events...); err != nil {
		return nil, err
	}
	return c.save()
}

// version is that of the order after the change.
func (c *change) version() int64 {
	if c.before == nil {
		return 1
	}
	return c.before.Version + 1
}

// add lets events take effect.
func (c *change) add(events ...order.Event) error {
	if len(events) == 0 {
		return nil
	}
	var moves []inventory.Movement
	each := func(o *order.Order, e *order.Event) { moves = append(moves, order.Movements(o, e)...) }
	fold := order.Extend
	if c.now == c.before {
		fold = order.FoldEach
	}
	next, err := fold(c.now, events, c.version(), c.tx.Now, each)
	if err != nil {
		return err
	}
	c.now, c.events = next, append(c.events, events...)
	moves = inventory.Cover(moves, func(k inventory.PositionKey) int64 {
		p, _ := c.tx.Book().Get(k)
		return p.OnHand
	})
	c.moves = append(c.moves, moves...)
	if plant.On(plant.MovementTwice) {
		moves = append(moves, moves...)
	}
	return c.tx.move(moves)
}

// place looks for locations for all units that nobody has.
func (c *change) place() error { return c.placeFor(false) }

// placeFor is place; asked: a person wants it, however often they came back.
func (c *change) placeFor(asked bool) error {
	e := c.tx.e
	if c.sources == nil || c.sources.directory != e.Directory() {
		c.sources = e.sources(c.now, c.tx.Now)
	}
	baseline := c.would(c.sources, nil)
	opinion := c.ask(nil)
	placed, err := (&placing{e: e, tx: c.tx, book: c.tx.Book(), now: c.tx.Now, s: c.sources, o: c.now, asked: asked}).run(nil)
	if err != nil {
		return err
	}
	placed.compare(baseline)
	c.placed = true
	return c.add(placed.beside(opinion)...)
}

// maxRounds bounds how often flows react to what placing did and the other way round.
const maxRounds = 20

// settle lets flows react, places what has come free and asks for payments that are due, until nothing more happens.
func (c *change) settle() error {
	for range maxRounds {
		if err := c.react(); err != nil {
			return err
		}
		if anyOpen(c.now) && !c.now.Held(order.BlocksSourcing) {
			if err := c.place(); err != nil {
				return err
			}
			continue
		}
		more := append(c.now.Found(c.before), c.now.Relieved()...)
		if err := c.add(more...); err != nil {
			return err
		}
		if paid, err := c.pay(); err != nil || !paid && len(more) == 0 {
			return err
		}
	}
	return nil
}

// save writes the order, its log row and its movements, and returns the order.
func (c *change) save() (*order.Order, error) {
	tx := c.tx
	if err := c.settle(); err != nil {
		return nil, err
	}
	if len(c.events) == 0 && len(c.flows) == 0 {
		return c.before, nil
	}
	if err := c.close(); err != nil {
		return nil, err
	}
	o, next := c.before, c.now
	key := tx.e.OrderKey(next.ID)
	if err := tx.record(key, next.Version, c.events, c.moves); err != nil {
		return nil, err
	}
	r := store.Record{
		Key: key, State: string(next.Status), Wake: next.NextWake(),
		Channel: next.Channel, ExternalID: next.ExternalID, CreatedAt: next.CreatedAt,
	}
	if plant.On(plant.DuplicateOrder) {
		r.ExternalID = ""
	}
	if o != nil && plant.On(plant.WakeLost) {
		r.Wake = o.NextWake()
	}
	if o == nil {
		r.Terms = searchTerms(next)
	} else if len(next.Lines) > len(o.Lines) {
		r.Terms = skuTerms(nil, next.Lines[len(o.Lines):])
	}
	if len(next.Returns) > 0 {
		r.Terms = append(r.Terms, returnTerms(o, next)...)
	}
	if next.Payment != nil && (o == nil || o.Payment == nil || len(o.Payment.Tenders) < len(next.Payment.Tenders)) {
		r.Terms = append(r.Terms, paymentTerms(o, next)...)
	}
	if w := next.Waiting; w != nil && w.Queue != "" && (o == nil || o.Waiting == nil || o.Waiting.Queue != w.Queue) {
		r.Terms = append(r.Terms, "queue:"+w.Queue) // stays when the order leaves the queue; readers look at the order
	}
	if next.ExceptionCount > 0 && (o == nil || o.ExceptionCount == 0) {
		r.Terms = append(r.Terms, termException)
	}
	tx.Put(r, next)
	tx.After(func() { tx.e.promised.changed(o, next) })
	tx.After(func() { tx.e.waking.changed(next) })
	if len(next.Exceptions) > 0 || o != nil && len(o.Exceptions) > 0 {
		tx.After(func() { tx.e.exceptions.changed(o, next) })
	}
	return next, nil
}

// close adds what a command says at its end: that the promise is another one, and that a
// person was needed.
func (c *change) close() error {
	if p := c.promiseChange(); p != nil {
		if err := c.add(*p); err != nil {
			return err
		}
		if err := c.settle(); err != nil {
			return err
		}
	}
	if err := c.schedule(); err != nil {
		return err
	}
	if len(c.flows) > 0 {
		c.events = append(c.events, order.Event{Type: order.EventFlowMoved, Moves: c.flows})
	}
	if m := c.tx.manual; m != nil {
		c.tx.manual = nil // it was one touch, however many orders it changes
		return c.add(order.Event{Type: order.EventTouched, Touch: m.touch(c.tx)})
	}
	return nil
}

// promiseChange is the event that tells of a delivery date other than the one the customer knows.
func (c *change) promiseChange() *order.Event {
	if c.before == nil || plant.On(plant.PromiseMovesSilently) || c.before.Promise.DeliverBy.Equal(c.now.Promise.DeliverBy) ||
		slices.ContainsFunc(c.events, func(e order.Event) bool { return e.Type == order.EventPromiseChanged }) {
		return nil
	}
	now, was := c.now.Promise, c.before.Promise
	reason := ""
	for i := range c.events {
		reason = cmp.Or(reason, c.events[i].Reason)
	}
	return &order.Event{Type: order.EventPromiseChanged, Promise: &now, Was: &was, Reason: cmp.Or(reason, "other units are ready at another time")}
}

// touch is the person's work as it is kept with the order.
func (m *Manual) touch(tx *Tx) *order.Touch {
	return &order.Touch{By: m.Operator, At: tx.Now, Action: m.Action, Seconds: cmp.Or(m.Seconds, exception.SecondsFor(m.Action, m.Cause)), Cause: m.Cause}
}

// okReply shows an order after a command.
func (tx *Tx) okReply(o *order.Order) *Reply {
	return &Reply{Status: http.StatusOK, Value: o, Entry: tx.Entry(tx.e.OrderKey(o.ID))}
}
