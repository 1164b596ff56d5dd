package replay

import (
	"cmp"
	"slices"
	"time"
)

// waits are the orders of which units wait for stock.
type waits struct {
	bySKU map[string]map[int64]*life
}

// set notes what an order that is not on course waits for now.
func (x *waits) set(o *life) {
	x.drop(o)
	if o.on || o.state == nil {
		return
	}
	for _, q := range o.state.Unplaced() {
		each(o.state, q, func(sku string, _ int64) {
			if x.bySKU[sku] == nil {
				x.bySKU[sku] = map[int64]*life{}
			}
			x.bySKU[sku][o.number] = o
		})
	}
}

func (x *waits) drop(o *life) {
	if o.state == nil {
		return
	}
	for i := range o.state.Lines {
		l := &o.state.Lines[i]
		delete(x.bySKU[l.SKU], o.number)
		for _, p := range l.Parts {
			delete(x.bySKU[p.SKU], o.number)
		}
	}
}

// wakeAfter is how long orders on another course leave stock that came in to those that history let have it at once.
const wakeAfter = time.Second

// maxWoken is how many orders look for the units of one SKU that came free at one moment.
const maxWoken = 50

// freed has orders that are not on course look for units that came free, those promised first before others.
func (w *world) freed(skus []string, at time.Time, now bool) error {
	for _, sku := range skus {
		waiting := w.waits.bySKU[sku]
		if len(waiting) == 0 {
			continue
		}
		list := make([]*life, 0, len(waiting))
		for _, o := range waiting {
			list = append(list, o)
		}
		slices.SortFunc(list, func(a, b *life) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.number, b.number)) })
		when := at
		if !now {
			when = at.Add(wakeAfter)
		}
		for _, o := range list[:min(len(list), maxWoken)] {
			w.agenda.add(task{at: when, order: o.number, f: -1})
		}
	}
	return nil
}
