package engine

import (
	"fmt"
	"time"

	"github.com/orderly-oms/orderly/internal/catalog"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/jsonenc"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/promise"
	"github.com/orderly-oms/orderly/internal/sourcing"
	"github.com/orderly-oms/orderly/internal/store"
)

// Desk decides orders with the functions of an Engine, on stock, rules and reference data that its caller
// sets, and keeps nothing: it has no store, no log and no clock. It is what a replay decides
// with. One goroutine uses it.
type Desk struct {
	e         *Engine
	batch     *batch // of all decisions: nothing is ever kept in it
	now       time.Time
	directory *network.Directory
	changed   *reference // documents since the directory was made; nil: none
	lore      deskLore
}

// NewDesk returns a desk that knows nothing.
func NewDesk() *Desk {
	d := &Desk{directory: network.NewDirectory(), batch: newBatch(0, nil)}
	e := &Engine{calendar: promise.NewCalendar()}
	e.opt.Clock = func() time.Time { return d.now }
	e.book.Store(inventory.NewBook())
	e.catalog.Store(catalog.New())
	e.directory.Store(d.directory)
	d.e = e
	return d
}

// Book is the stock. The caller changes it: deciding takes nothing.
func (d *Desk) Book() *inventory.Book { return d.e.Book() }

// Directory is the network.
func (d *Desk) Directory() *network.Directory {
	d.settle()
	return d.e.Directory()
}

// Catalog is the articles.
func (d *Desk) Catalog() *catalog.Catalog { return d.e.Catalog() }

// ReadDocument decodes a piece of reference data of a kind, as it is stored: *network.Channel, *network.Location,
// *network.Network, *network.Carrier, *catalog.SKU or *inventory.Supply.
func ReadDocument(kind string, body []byte) (any, error) {
	switch k := store.Kind(kind); k {
	case KindChannel, KindLocation, KindNetwork, KindCarrier, KindSKU, KindSupply:
		return decoders[k](body)
	}
	return nil, fmt.Errorf("engine: %q is no kind of reference data", kind)
}

// Put brings in a piece of reference data that ReadDocument returned, and that is the desk's from then on.
func (d *Desk) Put(value any) {
	if d.changed == nil {
		d.changed = &reference{book: d.e.Book(), catalog: d.e.Catalog(), directory: d.e.Directory()}
	}
	d.changed.take(value)
}

// RemoveSupply takes away expected stock.
func (d *Desk) RemoveSupply(id string) { d.e.Book().RemoveSupply(id) }

// settle makes one directory of all documents that came since the last: it is dear for one by one.
func (d *Desk) settle() {
	if d.changed == nil {
		return
	}
	d.changed.finish()
	d.e.directory.Store(d.changed.directory)
	d.changed = nil
}

// SetPolicies replaces what is published.
func (d *Desk) SetPolicies(published []policy.Published) {
	d.e.policies.Store(policy.NewSet(published))
}

// Ask is what is to be decided.
type Ask struct {
	// Order is as it is before; its units that no location has are placed. It is not changed.
	Order *order.Order
	At    time.Time
	// Asked, Reject and Held are as in past.Decision.
	Asked, Reject bool
	Held          *inventory.Reservation
}

// Answer is what was decided.
type Answer struct {
	// Events are those that live go into the log. Capacity that is opened for them is in the book already.
	Events []order.Event
	// Decisions are the explanations that are in the events.
	Decisions []*sourcing.Decision
	Unplaced  []order.LineQuantity
	// Refused: the order would not have been taken.
	Refused bool

	ask Ask
}

// Decide places the units of an order that no location has, as live.
func (d *Desk) Decide(q Ask) (*Answer, error) {
	d.settle()
	d.now = q.At
	e := d.e
	tx := &Tx{e: e, b: d.batch, Now: q.At}
	s := e.sources(q.Order, q.At)
	s.reject = q.Reject
	held, err := e.claimedBy(q.Held, q.Order)
	if err != nil {
		return nil, err
	}
	p := &placing{e: e, tx: tx, book: tx.Book(), now: q.At, s: s, o: q.Order, asked: q.Asked}
	placed, err := p.run(held)
	if err != nil {
		return nil, err
	}
	return &Answer{
		Events: placed.events, Decisions: p.plan.Decisions, Unplaced: placed.unplaced,
		Refused: (s.reject || placed.rejected) && placed.missing(), ask: q,
	}, nil
}

// Fold returns the order after the events, and what they do to stock and capacity.
func (a *Answer) Fold() (o *order.Order, moves []inventory.Movement, err error) {
	if len(a.Events) == 0 {
		return a.ask.Order, nil, nil
	}
	o, err = order.FoldEach(a.ask.Order, a.Events, a.ask.Order.Version+1, a.ask.At, func(o *order.Order, ev *order.Event) {
		moves = append(moves, order.Movements(o, ev)...)
	})
	return o, moves, err
}

// Date gives a placement its promise, zone and charge as if it were decided at a time: for
// histories that do not say.
func (d *Desk) Date(o *order.Order, pl *order.Placement, at time.Time) {
	d.settle()
	d.now = at
	s := d.e.sources(o, at)
	of := orderFacts(o)
	p := &placing{e: d.e, book: d.e.Book(), now: at, s: s, o: o, rules: d.e.promiseRules(&of, at)}
	if pl.Service == "" {
		pl.Service = o.Service
	}
	if c := s.at(pl.Location); pl.Service == "" && c >= 0 && len(s.legs[c]) > 0 {
		pl.Service = s.legs[c][0].Service
	}
	p.date(pl)
	if pl.Cost == 0 {
		pl.Cost = p.charge(pl)
	}
}

// Encode writes an event as it stands in the log.
func (d *Desk) Encode(ev *order.Event) ([]byte, error) { return jsonenc.Marshal(ev) }

// keepsRecords is false for a desk: capacity that is opened changes the book and nothing else.
func (e *Engine) keepsRecords() bool { return e.store != nil }

// UseFacts lets the next decisions read the snapshots that a recorded decision names, of those given to
// Learn, and nothing else that was learned. Reports false when a version named is not known.
func (d *Desk) UseFacts(names []string) bool { return d.use(names, false) }

// UseNewest lets the next decisions read the newest snapshots given to Learn.
func (d *Desk) UseNewest() { d.use(nil, true) }

func (d *Desk) use(names []string, newest bool) bool {
	p := d.lore.pick(names, newest)
	d.e.lorePtr.Store(p.lore)
	d.e.queues.Store(p.queues)
	return p.complete
}

// Learn makes a snapshot of learned facts known, which UseFacts picks from then on.
func (d *Desk) Learn(id string, version int64, state []byte) error {
	return d.lore.add(d.e, id, version, state)
}
