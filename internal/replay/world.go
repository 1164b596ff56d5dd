package replay

import (
	"fmt"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/past"
)

// world is one run on its way through the history.
type world struct {
	sc     *Scenario
	o      Options
	header *past.Header
	fit    *fitted
	rules  *rulebook
	desk   *engine.Desk
	book   *inventory.Book

	pending []past.Entry // rules, documents and facts that take effect after the present moment
	orders  map[int64]*life
	waits   waits
	agenda  agenda
	tally   tally
	out     *Result
	// identical: nothing differs from history, so that decisions are compared with the record.
	identical bool
	seen      int64 // orders
	read      int64 // entries
	copies    int64 // orders beside those of the history, numbered below 0
	explain   map[int64]bool
	odd       map[string]int64 // what the run had to assume, counted by sentence
}

// life is an order in this run.
type life struct {
	number  int64
	id      string
	at      time.Time
	counted bool
	on      bool // where history had it
	drawn   bool
	// state is the order as it is in this run; of orders on course, as it was before its last decision.
	state *order.Order
	fs    []*parcel
	// recorded are the fulfillments of the record by number from 0; nil where this run has another.
	recorded []*parcel
	why      []string

	decided        bool // locations were looked for at least once
	promised       time.Time
	backordered    int64 // units at the first look
	rejections     int64
	cancelled      int64
	lost           int64
	touches        int64
	seconds        int64
	trouble        bool // something was rejected or backordered in this run
	recordedBefore bool // the same in the record
	done           bool
}

// parcel is a fulfillment in this run.
type parcel struct {
	id                string
	location, service string
	via               string
	lines             []order.LineQuantity
	cost              int64
	promise           order.Promise
	created           time.Time
	shipped           time.Time
	delivered         time.Time
	gone              bool // nothing of it is left
	lost              bool
	rejected          bool
	drawn             bool // what becomes of it is drawn
}

func (p *parcel) units() (n int64) {
	for _, q := range p.lines {
		n += q.Quantity
	}
	return n
}

func newWorld(sc *Scenario, h *past.Header, fit *fitted, o Options) (*world, error) {
	w := &world{
		sc: sc, o: o, header: h, fit: fit, desk: engine.NewDesk(), orders: map[int64]*life{},
		out: &Result{Scenario: sc.Name}, explain: map[int64]bool{}, odd: map[string]int64{},
	}
	w.book = w.desk.Book()
	w.waits.bySKU = map[string]map[int64]*life{}
	w.tally = newTally()
	w.identical = !sc.Recorded && sc.same() && h.Recorded
	if w.identical {
		w.out.Identity = &Identity{}
	}
	for _, n := range o.Explain {
		w.explain[n] = true
	}
	var err error
	w.rules, err = newRulebook(sc, w.desk)
	return w, err
}

// entry lets one entry of the history happen.
func (w *world) entry(e *past.Entry) error {
	if err := w.advance(e.At); err != nil {
		return err
	}
	switch {
	case e.Learned != nil: // decisions name what they read, so it may be known at once
		return w.rules.take(e)
	case e.Document != nil, e.Policy != nil:
		w.pending = append(w.pending, *e)
		return nil
	case e.Stock != nil:
		return w.stock(e.Stock, e.At)
	case e.Decision != nil:
		return w.decision(e.Decision, e.At)
	case e.Step != nil:
		return w.step(e.Step, e.At)
	}
	return nil
}

// advance brings the run to a moment: what was pending takes effect, and what is due on the way happens.
func (w *world) advance(at time.Time) error {
	if len(w.pending) > 0 && w.pending[0].At.Before(at) {
		for i := range w.pending {
			if err := w.rules.take(&w.pending[i]); err != nil {
				return err
			}
		}
		w.pending = w.pending[:0]
	}
	for {
		t, ok := w.agenda.due(at)
		if !ok {
			return nil
		}
		if err := w.happen(t); err != nil {
			return err
		}
	}
}

// stock changes positions from outside. What cannot be taken because this run has it elsewhere is noted.
func (w *world) stock(changes []past.Stock, at time.Time) error {
	var freed []string
	for i := range changes {
		s := &changes[i]
		delta := s.Delta
		was, _ := w.book.Get(s.PositionKey)
		if short := was.OnHand + delta.OnHand; short < 0 {
			w.odd["units that were sold or counted away elsewhere were not there in this run"] -= short
			delta.OnHand -= short
		}
		p := w.book.Apply(s.PositionKey, delta)
		if delta.OnHand != 0 {
			w.book.SetChanged(s.PositionKey, at)
		}
		if s.Safety != nil {
			w.book.SetSafety(s.PositionKey, w.rules.safety(s.Location, *s.Safety))
		} else if _, ok := w.rules.safetyOf(s.Location); ok && p.Safety == 0 {
			w.book.SetSafety(s.PositionKey, w.rules.safety(s.Location, 0))
		}
		if delta.Available() > 0 {
			freed = append(freed, s.SKU)
		}
	}
	return w.freed(freed, at, false)
}

// move applies movements and says of which SKUs more is free.
func (w *world) move(moves []inventory.Movement, at time.Time) (freed []string) {
	for i := range moves {
		m := &moves[i]
		d := m.Delta()
		k := inventory.PositionKey{SKU: m.SKU, Location: m.Location}
		w.book.Apply(k, d)
		if d.OnHand != 0 {
			w.book.SetChanged(k, at)
		}
		if d.Available() > 0 {
			freed = append(freed, m.SKU)
		}
	}
	return freed
}

// end lets what is still under way come to the end of the history, and counts every order that is left.
func (w *world) end() error {
	if err := w.advance(w.header.Until); err != nil {
		return err
	}
	for _, n := range sortedKeys(w.orders) {
		w.finish(w.orders[n])
	}
	return nil
}

func (w *world) note(sentence string) { w.odd[sentence]++ }

func (w *world) fail(o *life, err error) error {
	return fmt.Errorf("order %s: %w", o.id, err)
}
