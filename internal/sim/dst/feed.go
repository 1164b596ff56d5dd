package dst

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
)

// feeds are what locations say about their stock by themselves.
func (w *World) feeds() {
	rounds := w.opt.Orders/3 + 2
	span := time.Duration(w.opt.Orders+1) * 20 * time.Minute
	for i := range rounds {
		at := w.now.Add(w.between(0, span))
		switch w.r.IntN(6) {
		case 0, 1:
			w.at(at, w.receive)
		case 2:
			w.at(at, w.lose)
		case 3:
			w.at(at, w.damage)
		case 4:
			w.at(at, w.count)
		default:
			w.at(at, func() { w.purchase(fmt.Sprintf("po%d", i)) })
		}
	}
}

func (w *World) anyRoom() *room { return w.rooms[choose(w, w.retailer.locations...).ID] }

func (w *World) anySKU() string { return choose(w, w.retailer.plain()...).SKU }

// receive unloads a lorry.
func (w *World) receive() { w.arrived(w.anyRoom(), w.anySKU(), w.whole(1, 6)) }

func (w *World) arrived(rm *room, sku string, n int64) {
	if rm.counting {
		w.in(time.Hour, func() { w.arrived(rm, sku, n) })
		return
	}
	w.adjust(rm, sku, n, "receipt", func() { rm.physical[sku] += n })
}

// adjust reports a change, which the location books once it is acknowledged.
func (w *World) adjust(rm *room, sku string, n int64, reason string, booked func()) {
	rm.sending++
	a := &engine.Adjustments{Items: []engine.Adjustment{{SKU: sku, Location: rm.id, Quantity: n}}, Reason: reason}
	m := &message{name: fmt.Sprintf("adjust %s %s %+d %s", rm.id, sku, n, reason), do: func(e *engine.Engine, m engine.Meta) (*engine.Reply, error) {
		return e.Adjust(ctx, a, m)
	}}
	m.settled = func(_ *engine.Reply, err error) {
		rm.sending--
		if err == nil {
			booked()
		}
	}
	w.send(0, m)
}

// lose has units disappear that nobody misses yet.
func (w *World) lose() {
	rm, sku := w.anyRoom(), w.anySKU()
	if w.free(rm, sku) > 0 && !rm.counting {
		rm.physical[sku]--
		rm.unseen[sku]++
		w.say("%s loses a unit of %s and does not notice", rm.id, sku)
	}
}

// damage takes a unit off the shelf and says so.
func (w *World) damage() {
	rm, sku := w.anyRoom(), w.anySKU()
	if w.free(rm, sku) <= 0 || rm.counting {
		return
	}
	rm.picking[sku]++ // nobody else takes it meanwhile
	w.adjust(rm, sku, -1, "damage", func() { rm.leave(sku, 1) })
	w.in(retention, func() { rm.picking[sku]-- })
}

// count closes the shelves and says what lies on all of them. Where clocks differ, nothing is
// counted: what happened before the count and what after it could not be told apart.
func (w *World) count() {
	rm := w.anyRoom()
	if rm.counting || len(w.nodes) > 1 && w.weather.skew != 0 {
		return
	}
	if rm.sending > 0 {
		w.in(w.between(time.Minute, time.Hour), func() { w.countOf(rm, 20) })
		return
	}
	w.countOf(rm, 20)
}

func (w *World) countOf(rm *room, patience int) {
	if rm.sending > 0 || rm.counting {
		if patience > 0 {
			w.in(w.between(time.Minute, time.Hour), func() { w.countOf(rm, patience-1) })
		}
		return
	}
	rm.counting = true
	c := &engine.Count{AsOf: w.now, Confirm: true, Complete: w.chance(.3)}
	found := map[string]int64{}
	for _, s := range w.retailer.plain() {
		c.Items = append(c.Items, engine.CountedItem{SKU: s.SKU, Location: rm.id, OnHand: rm.physical[s.SKU]})
		found[s.SKU] = rm.unseen[s.SKU]
	}
	c.Complete = false // capacity is kept at the location as well, and is no stock
	m := &message{name: "count " + rm.id, do: func(e *engine.Engine, m engine.Meta) (*engine.Reply, error) { return e.Count(ctx, c, m) }}
	m.settled = func(r *engine.Reply, err error) {
		rm.counting = false
		if err != nil {
			return
		}
		stale := map[string]bool{}
		var result engine.CountResult
		if json.Unmarshal(r.Body, &result) == nil {
			for _, s := range result.Stale {
				stale[s.SKU] = true
			}
		}
		for _, s := range w.retailer.plain() {
			if !stale[s.SKU] {
				rm.unseen[s.SKU] -= found[s.SKU]
			}
		}
	}
	w.send(0, m)
}

// purchase announces stock, which comes later, or not.
func (w *World) purchase(id string) {
	s := w.supply(id)
	put := func(e *engine.Engine, m engine.Meta) (*engine.Reply, error) {
		return e.PutDocuments(ctx, []engine.Document{{Kind: engine.KindSupply, ID: id, Value: s}}, m)
	}
	w.send(0, &message{name: "announce " + id, do: put})
	w.at(s.ExpectedAt.Add(w.between(-time.Hour, 20*time.Hour)), func() {
		w.send(0, &message{name: "arrived " + id, do: func(e *engine.Engine, m engine.Meta) (*engine.Reply, error) { return e.RemoveSupply(ctx, id, m) }})
		if w.chance(.8) {
			w.arrived(w.rooms[s.Location], s.SKU, s.Quantity)
		}
	})
}
