package exact

import (
	"cmp"
	"slices"
)

// writer turns levels of items into the shares of a result.
type writer struct {
	f      *frame
	r      Result
	memory []int64 // for quantities
}

func newWriter(f *frame, shipments int) *writer {
	n := len(f.p.Lines)
	w := &writer{f: f, memory: make([]int64, (shipments+1)*n)}
	w.r.Unfilled = w.take()
	for i := range w.r.Unfilled {
		w.r.Unfilled[i] = f.p.Lines[i].Quantity
	}
	if shipments > 0 {
		w.r.Shares = make([]Share, 0, shipments)
	}
	return w
}

func (w *writer) take() []int64 {
	n := len(w.f.p.Lines)
	taken := w.memory[:n:n]
	w.memory = w.memory[n:]
	return taken
}

// add ships the levels from candidate c.
func (w *writer) add(c int, levels []int32) {
	p := w.f.p
	at := &w.f.candidates[c]
	location := &p.Locations[at.location]
	share := Share{Location: int(at.location), Quantity: w.take(), Cost: location.Shipment}
	grams := int64(0)
	for i, k := range w.f.itemOf {
		if k < 0 || levels[k] == 0 {
			continue
		}
		line := &p.Lines[i]
		q := line.Quantity
		if !w.f.items[k].whole {
			q = int64(levels[k])
		}
		share.Quantity[i] = q
		share.Cost += q * location.Unit[i]
		grams += q * line.Grams
		w.r.Unfilled[i] -= q
	}
	price, ok := charge(p, at.tariff, grams)
	assert(ok, "location %d ships what its carrier does not take", at.location)
	share.Cost += price
	w.r.Shares = append(w.r.Shares, share)
}

// result closes the books.
func (w *writer) result() Result {
	slices.SortFunc(w.r.Shares, func(a, b Share) int { return cmp.Compare(a.Location, b.Location) })
	for i := range w.r.Shares {
		w.r.Cost += w.r.Shares[i].Cost
	}
	for i, u := range w.r.Unfilled {
		assert(u >= 0, "line %d ships more than was ordered", i)
		w.r.Cost += u * w.f.p.Lines[i].Unfilled
	}
	return w.r
}
