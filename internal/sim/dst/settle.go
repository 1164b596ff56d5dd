package dst

import (
	"time"

	"github.com/orderly-oms/orderly/internal/audit"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/inventory"
)

const (
	// giveUpDays is how long most people look for stock for what waits, once everything works again.
	giveUpDays = 5
	// quietDays is within how many days every order must have come to its end.
	quietDays = 60
)

// heal ends all faults, and lets the run come to rest: every order final.
func (w *World) heal() {
	w.calm = true
	w.say("everything works from here on")
	for _, n := range w.nodes {
		n.start()
		w.tickSoon(n)
	}
	for _, l := range w.retailer.locations {
		w.put("reopen", l)
		for _, s := range w.retailer.plain() {
			if w.weather.poor {
				break
			}
			w.arrived(w.rooms[l.ID], s.SKU, 5)
		}
	}
	for day := range quietDays {
		open := 0
		for _, id := range w.watch.sequence {
			o := w.watch.orders[id].now
			if o.Status.Final() {
				continue
			}
			open++
			for i := range o.Fulfillments {
				f := &o.Fulfillments[i]
				if j := w.rooms[f.Location].jobs[f.ID]; j != nil {
					j.tries = 0
				}
				w.workIn(w.between(0, time.Hour), id, f.ID)
			}
			w.desk(o, day)
		}
		if open == 0 && w.unsettled == 0 && w.due() && day >= w.weather.tail {
			break
		}
		for until := w.now.Add(24 * time.Hour); w.now.Before(until); {
			w.next()
		}
	}
	w.checkRest()
}

// due reports that nothing is overdue.
func (w *World) due() bool {
	next := w.disk.NextWake()
	return next.IsZero() || next.After(w.now)
}

// checkRest checks what must hold once nothing fails any more and everybody had time.
func (w *World) checkRest() {
	for _, id := range w.watch.sequence {
		if o := w.watch.orders[id].now; !o.Status.Final() && len(o.Exceptions) == 0 {
			fail(19, "every order comes to its end", "order %s is still %s %d days after everything works again: %+v", id, o.Status, quietDays, o)
		}
	}
	if w.unsettled > 0 {
		fail(0, "a message gets an answer", "%d are still on their way", w.unsettled)
	}
	if !w.due() {
		fail(41, "timers fire", "one of %s is still armed", w.disk.NextWake())
	}
	for _, l := range w.retailer.locations {
		rm := w.rooms[l.ID]
		for _, s := range w.retailer.plain() {
			p := w.disk.Position(inventory.PositionKey{SKU: s.SKU, Location: l.ID})
			if have := rm.physical[s.SKU] + rm.unseen[s.SKU]; p.OnHand != have && !rm.doubtful[s.SKU] {
				fail(11, "the feeds' own books agree", "%s at %s: %d on hand, the location has %d and is missing %d it has not noticed",
					s.SKU, l.ID, p.OnHand, rm.physical[s.SKU], rm.unseen[s.SKU])
			}
			if p.Reserved != 0 || p.Allocated != 0 {
				fail(5, "nothing stays held for nobody", "%s at %s: %d reserved, %d allocated when every order is final", s.SKU, l.ID, p.Reserved, p.Allocated)
			}
		}
	}
	w.provider.reconcile()
	w.compareMemory()
}

// compareMemory compares what the nodes remember with what is stored.
func (w *World) compareMemory() {
	calm := w.calm
	w.calm = true
	defer func() { w.calm = calm }()
	rows := w.disk.Positions()
	for _, n := range w.nodes {
		if n.e == nil {
			continue
		}
		_, _ = n.e.Release(ctx, "none", engine.Meta{Actor: "simulator"}) // has memory reloaded that is not to be trusted
		for _, t := range n.e.Tasks() {
			if t.Name == "follow" {
				t.Do(ctx)
			}
		}
		for i := range rows {
			p := &rows[i]
			m, _ := n.e.Book().Get(p.Key())
			if m.OnHand != p.OnHand || m.Reserved != p.Reserved || m.Allocated != p.Allocated || m.Picked != p.Picked || m.Safety != p.Safety {
				fail(2, "memory is what is stored", "node %s has %+v, stored is %+v", n.name, m, p.Position)
			}
		}
	}
}

// audit runs the audit of `orderly verify` on the whole disk.
func (w *World) audit(over bool) {
	report, err := audit.Run(ctx, w.disk, audit.Options{})
	if err != nil {
		fail(0, "the store can be audited", "%v", err)
	}
	for _, c := range report.Checks {
		if c.Number == 41 && !over {
			continue // a node that is down lets timers wait
		}
		if c.Violations > 0 {
			fail(c.Number, c.Name, "%v", c.First)
		}
	}
	if report.Incomplete != "" {
		fail(0, "the store can be audited", "%s", report.Incomplete)
	}
}
