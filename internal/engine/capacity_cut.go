package engine

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/store"
)

const capacityReason = "the location's capacity was cut"

// A cut is a document that leaves a location less capacity than it was given in the window that runs. The commit writes a
// relocation; the node that has it takes the fulfillments beyond the capacity, of those nobody accepted, latest promise first.
// What was given to the location while it had no limit was not counted, and stays.

// isCut reports that a location may do less than before, and less than it has now.
func (tx *Tx) isCut(was, now *network.Location) bool {
	return was.IsActive() && now.IsActive() && len(beyond(tx.Book(), now, tx.Now)) > 0 && lower(was, now)
}

// lower reports that one of a location's limits is lower than it was.
func lower(was, now *network.Location) bool {
	less := func(a, b *int64) bool { return b != nil && (a == nil || *b < *a) }
	for _, m := range order.Measures {
		dayWas, hourWas := limits(was, m)
		day, hour := limits(now, m)
		if less(dayWas, day) || less(hourWas, hour) {
			return true
		}
	}
	return false
}

// beyond are the slots of which a location was given more than it offers, with what was given.
func beyond(book *inventory.Book, l *network.Location, now time.Time) map[string]int64 {
	var out map[string]int64
	for _, m := range order.Measures {
		for _, s := range slotsFor(l, m, now) {
			p, _ := book.Get(inventory.PositionKey{SKU: s.Slot, Location: l.ID})
			if p.Allocated <= s.Limit {
				continue
			}
			if out == nil {
				out = map[string]int64{}
			}
			out[s.Slot] = p.Allocated
		}
	}
	return out
}

// burden is a fulfillment that nobody accepted.
type burden struct {
	key store.Key
	id  string
	due time.Time
}

// lighten decides again what a location has beyond its capacity.
func (e *Engine) lighten(ctx context.Context, j *joint) error {
	location := j.request.Location
	j.planner = planner{e: e, book: e.Book(), now: e.Now(), movable: j.movable}
	over := func() map[string]int64 {
		l, ok := e.Directory().Location(location)
		if !ok {
			return nil
		}
		return beyond(e.Book(), l, e.Now())
	}
	if len(over()) == 0 {
		return nil
	}
	backlog, err := e.softBacklog(ctx, j)
	if err != nil {
		return err
	}
	var all []burden
	for _, s := range backlog {
		for i := range s.o.Fulfillments {
			if f := &s.o.Fulfillments[i]; burdens(f, location, over()) {
				all = append(all, burden{s.key, f.ID, f.Promise.DeliverBy})
			}
		}
	}
	j.out.Looked = int64(len(all))
	slices.SortFunc(all, func(a, b burden) int { return cmp.Or(b.due.Compare(a.due), cmp.Compare(b.id, a.id)) })
	for _, b := range all {
		if len(over()) == 0 {
			break
		}
		reply, err := e.Submit(ctx, &Command{Stream: b.key, Actor: j.actor, Decide: func(tx *Tx) (*Reply, error) { return tx.unburden(b, location) }})
		switch {
		case err == nil:
			j.add(reply.Value.(*moveResult))
		case ctx.Err() != nil:
			return err
		case !errors.Is(err, errStays):
			j.out.Failed++
			e.log.Warn("a fulfillment beyond a location's capacity could not be decided again", "fulfillment", b.id, "error", err)
		}
		j.beat()
	}
	return nil
}

// burdens reports that a fulfillment nobody accepted has some of a location's slots.
func burdens(f *order.Fulfillment, location string, slots map[string]int64) bool {
	return f.Location == location && f.Status == order.FulfillmentOpen &&
		slices.ContainsFunc(f.Capacity, func(u order.CapacityUse) bool { return slots[u.Slot] > 0 })
}

// unburden takes a fulfillment from a location and places its units anew, in one transaction. Returns errStays when
// that is not needed any more, or when the policy gives the location the same again.
func (tx *Tx) unburden(b burden, location string) (*Reply, error) {
	l, ok := tx.e.Directory().Location(location)
	en := tx.Entry(b.key)
	if !ok || en == nil {
		return nil, errStays
	}
	o := en.Value.(*order.Order)
	was := beyond(tx.Book(), l, tx.Now)
	events := o.Withdraw(func(f *order.Fulfillment) bool { return f.ID == b.id && burdens(f, location, was) }, capacityReason)
	if len(events) == 0 {
		return nil, errStays
	}
	c := tx.change(o)
	if err := c.add(events...); err != nil {
		return nil, err
	}
	if _, err := c.save(); err != nil {
		return nil, err
	}
	for slot, given := range was {
		if p, _ := tx.Book().Get(inventory.PositionKey{SKU: slot, Location: location}); p.Allocated < given {
			return &Reply{Value: &moveResult{forced: true, unplaced: newlyUnplaced(o, units(c.now.Unplaced()))}}, nil
		}
	}
	return nil, errStays
}
