package engine

import (
	"cmp"
	"context"
	"errors"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/order"
)

// maxMoving is how many orders are under way at once: they share commits, and whoever else
// waits for the lane waits for these at most.
const maxMoving = 256

const decidedAgain = "decided again"

// errStays takes back a move that is not worth it.
var errStays = errors.New("the order stays where it is")

// moveResult is what one move did.
type moveResult struct {
	forced   bool
	saving   int64 // minor units; 0 when it had to move or more of it was placed
	unplaced int64 // units
}

// flight is an order under way.
type flight struct {
	s *soft
	r *request
}

// move decides the orders in their sequence; those that would have moved but for another that moved after them are tried again.
func (j *joint) move(ctx context.Context, work []*soft) error {
	for range maxPasses {
		before := j.out.Moved
		blocked, err := j.pass(ctx, work)
		if err != nil {
			return err
		}
		if len(blocked) == 0 || j.out.Moved == before || !j.room(0) {
			break
		}
		work = blocked
	}
	return nil
}

// room reports whether one more order may move beside those that may still turn out to.
func (j *joint) room(underWay int) bool {
	return j.request.MaxMoves == nil || j.out.Moved+int64(underWay) < *j.request.MaxMoves
}

// pass sends the orders to their lanes, in sequence, and returns those that stay.
func (j *joint) pass(ctx context.Context, work []*soft) (stay []*soft, err error) {
	var way []flight
	land := func() {
		f := way[0]
		way = way[1:]
		<-f.r.done
		j.e.submits.Done()
		if j.count(f.r) {
			stay = append(stay, f.s)
		}
		if j.beat != nil {
			j.beat()
		}
	}
	for _, s := range work {
		for len(way) >= maxMoving || len(way) > 0 && !j.room(len(way)) {
			land()
		}
		if err = ctx.Err(); err != nil || !j.room(len(way)) {
			break
		}
		var r *request
		if r, err = j.send(s); errors.Is(err, ErrBusy) && len(way) > 0 {
			land()
			r, err = j.send(s)
		}
		if errors.Is(err, ErrBusy) {
			j.out.Failed++
			err = nil
			continue
		}
		if err != nil {
			break
		}
		way = append(way, flight{s, r})
	}
	for len(way) > 0 {
		land()
	}
	return stay, err
}

// send puts the decision about an order into a lane without waiting for it, so that orders are decided in
// the sequence in which they are sent. Those that contest stock all go through one lane, whatever
// their bucket, because lanes do not wait for each other; the version of the record guards the rest. Whoever waits for
// it ends it with submits.Done.
func (j *joint) send(s *soft) (*request, error) {
	e := j.e
	var sources *sources
	if s.prepared != nil {
		sources = s.prepared.sources
	} else {
		sources = e.sources(s.o, e.Now())
	}
	c := &Command{Stream: s.key, Actor: j.actor, Decide: func(tx *Tx) (*Reply, error) { return j.decide(tx, s, sources) }}
	if !e.enter() {
		return nil, ErrClosed
	}
	r := &request{command: c, id: e.opt.NewID(), done: make(chan struct{})}
	lane := c.lane()
	if s.touched {
		lane = 0
	}
	if e.enqueue(lane, r) {
		return r, nil
	}
	e.submits.Done()
	return nil, ErrBusy
}

// count notes what became of an order and reports that it stays.
func (j *joint) count(r *request) bool {
	if r.err != nil {
		if errors.Is(r.err, errStays) {
			return true
		}
		j.out.Failed++
		j.e.log.Warn("an order could not be decided again", "order", r.command.Stream.ID, "error", r.err)
		return false
	}
	j.add(r.reply.Value.(*moveResult))
	return false
}

func (j *joint) add(m *moveResult) {
	j.out.Moved++
	j.out.Saved += m.saving
	j.out.Unplaced += m.unplaced
	if m.forced {
		j.out.Forced++
	}
}

// decide takes back what may move of an order and places it anew, in one transaction. Returns
// errStays when that is not worth it.
func (j *joint) decide(tx *Tx, s *soft, sources *sources) (*Reply, error) {
	e := j.e
	en := tx.Entry(s.key)
	if en == nil {
		return nil, errStays
	}
	o := en.Value.(*order.Order)
	may, must := j.movable(o)
	w := withdraw(o, may, cmp.Or(j.request.Reason, decidedAgain))
	if len(w.events) == 0 {
		return nil, errStays // work began, or it moved meanwhile
	}
	c := tx.change(o)
	if err := c.add(w.events...); err != nil {
		return nil, err
	}
	after := c.now
	if sources.directory != e.Directory() {
		sources = e.sources(o, tx.Now)
	}
	var stay *judged
	if !must {
		compiled, name := e.sourcingPolicy(after, unplacedDemands(after), tx.Now)
		if tooOften(o, &w, compiled) {
			return nil, errStays
		}
		stay = e.judge(&placing{e: e, book: tx.Book(), now: tx.Now, s: sources, o: after}, &view{stay: w.held}, compiled, compiled, name)
	}
	p := &placing{e: e, tx: tx, book: tx.Book(), now: tx.Now, s: sources, o: after}
	placed, err := p.run(nil)
	if err != nil {
		return nil, err
	}
	m := &moveResult{forced: must}
	now := &judged{}
	for _, q := range placed.unplaced {
		now.unplaced += q.Quantity
	}
	for _, d := range p.plan.Decisions {
		now.cost += d.Cost
	}
	if must {
		m.unplaced = newlyUnplaced(o, now.unplaced)
	} else {
		now.policy = stay.policy
		var worth bool
		if m.saving, worth = now.saves(stay); !worth {
			return nil, errStays
		}
	}
	if err := c.add(placed.events...); err != nil {
		return nil, err
	}
	if _, err := c.save(); err != nil {
		return nil, err
	}
	return &Reply{Value: m}, nil
}

// newlyUnplaced is how many of the units that no location has were with one before.
func newlyUnplaced(before *order.Order, unplaced int64) int64 {
	for _, q := range before.Unplaced() {
		unplaced -= q.Quantity
	}
	return max(unplaced, 0)
}

// pretend decides the orders in their sequence, each on what those before it leave, and changes nothing.
func (j *joint) pretend(ctx context.Context, work []*soft) error {
	v := &view{units: map[inventory.PositionKey]int64{}, used: map[string]load{}}
	for _, s := range work {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !j.room(0) {
			return nil
		}
		may, must := j.movable(s.o)
		w := withdraw(s.o, may, decidedAgain)
		shift(v.units, w.freed, 1)
		err := j.pretendOne(s, &w, must, v)
		if errors.Is(err, errStays) {
			shift(v.units, w.freed, -1)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// shift adds units times sign to those of a view.
func shift(to, units map[inventory.PositionKey]int64, sign int64) {
	for k, n := range units {
		to[k] += sign * n
	}
}

// pretendOne plans one order on what the view leaves, and takes what it would be given.
func (j *joint) pretendOne(s *soft, w *withdrawn, must bool, v *view) error {
	best, err := j.replan(s, w, v)
	if err != nil {
		return err
	}
	m := &moveResult{forced: must}
	if must {
		m.unplaced = newlyUnplaced(s.o, best.unplaced)
	} else {
		stay, err := j.replan(s, w, &view{stay: w.held})
		if err != nil {
			return err
		}
		var worth bool
		if m.saving, worth = best.saves(stay); !worth || tooOften(s.o, w, best.policy) {
			return errStays
		}
	}
	j.add(m)
	shift(v.units, best.uses, -1)
	for location, sh := range best.shares {
		if v.used[location] == nil {
			v.used[location] = load{}
		}
		for _, measure := range order.Measures {
			v.used[location][measure] += s.o.Load(measure, sh.lines)
		}
	}
	return nil
}
