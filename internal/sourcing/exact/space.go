package exact

// Costs at or above never are those of what cannot be. Real ones stay far below
// (see the bounds of a problem), and two of them add without overflow.
const (
	impossible = int64(1) << 61
	never      = int64(1) << 60
)

// space is every combination of levels of the items: the states. State v has item
// i at level v/stride_i mod (levels_i+1).
type space struct {
	size                int
	grams, value, units []int64
	saved               []int64 // cost that is not left unfilled
	lines               []int32 // lines with nothing unfilled
	prices              [][]int64
	priced              []bool // per tariff + 1
	last                int    // tariff + 1 whose prices the shared table has; -1: none
	minimum             int64  // least value of a shipment
	keep                bool   // each tariff has its own table
	binary              bool   // every item has one level
	digits              []int32
	listState           []int32
	listCost            []int64
}

// maxPriceEntries bounds the memory of price tables: 8 bytes each.
const maxPriceEntries = 1 << 21

// spaceSize returns the number of states and how many pairs of a state and a part
// of it there are, as far as both stay below 1<<40.
func spaceSize(items []item) (states, pairs int64) {
	states, pairs = 1, 1
	for i := range items {
		m := int64(items[i].levels)
		if m > 1<<16 || pairs > 1<<40/((m+1)*(m+2)/2) {
			return 1 << 40, 1 << 40
		}
		states *= m + 1
		pairs *= (m + 1) * (m + 2) / 2
	}
	return states, pairs
}

// build lays out the states of the frame's items; sizes were checked.
func (sp *space) build(f *frame) {
	size := 1
	for i := range f.items {
		f.items[i].stride = int32(size)
		size *= int(f.items[i].levels) + 1
	}
	sp.size, sp.binary, sp.minimum, sp.last = size, !f.split, f.p.MinShipmentValue, -1
	sp.grams, sp.value, sp.units = resize(sp.grams, size), resize(sp.value, size), resize(sp.units, size)
	sp.saved, sp.lines = resize(sp.saved, size), resize(sp.lines, size)
	sp.listState, sp.listCost = resize(sp.listState, size), resize(sp.listCost, size)
	sp.digits = resize(sp.digits, len(f.items))
	sp.grams[0], sp.value[0], sp.units[0], sp.saved[0], sp.lines[0] = 0, 0, 0, 0, 0
	for i := range f.items {
		it := &f.items[i]
		n := int(it.stride)
		for level := 1; level <= int(it.levels); level++ {
			whole := int32(0)
			if int64(level) == it.full {
				whole = it.lines
			}
			to, times := level*n, int64(level)
			for v := range n {
				sp.grams[to+v] = sp.grams[v] + times*it.grams
				sp.value[to+v] = sp.value[v] + times*it.value
				sp.units[to+v] = sp.units[v] + times*it.units
				sp.saved[to+v] = sp.saved[v] + times*it.unfilled
				sp.lines[to+v] = sp.lines[v] + whole
			}
		}
	}
	tariffs := len(f.p.Tariffs) + 1
	sp.keep = tariffs*size <= maxPriceEntries
	if !sp.keep {
		tariffs = 1
	}
	for len(sp.prices) < tariffs {
		sp.prices = append(sp.prices, nil)
	}
	sp.priced = resize(sp.priced, tariffs)
	clear(sp.priced)
}

// price returns the charge of each state as one shipment, impossible where the
// carrier does not take it or it is worth too little.
func (sp *space) price(p *Problem, tariff int32) []int64 {
	at := int(tariff) + 1
	if !sp.keep {
		if sp.last == at {
			return sp.prices[0]
		}
		sp.last, at = at, 0
	} else if sp.priced[at] {
		return sp.prices[at]
	}
	sp.priced[at] = true
	table := resize(sp.prices[at], sp.size)
	sp.prices[at] = table
	table[0] = impossible
	for v := 1; v < sp.size; v++ {
		price, ok := charge(p, tariff, sp.grams[v])
		if !ok || sp.value[v] < sp.minimum {
			price = impossible
		}
		table[v] = price
	}
	return table
}

// list enumerates what candidate c can ship: states with their cost without the
// carrier's charge, nothing first. The slices are reused by the next call.
func (sp *space) list(f *frame, c int) (states []int32, costs []int64) {
	n := len(f.items)
	unit, parts := f.unit[c*n:c*n+n], f.parts[c*n:c*n+n]
	states, costs = sp.listState, sp.listCost
	states[0], costs[0] = 0, f.candidates[c].shipment
	size := 1
	for i, most := range parts {
		stride, each := f.items[i].stride, unit[i]
		before := size
		for level := int32(1); level <= most; level++ {
			step, more := level*stride, int64(level)*each
			from, to := states[:before], states[size:size+before]
			fromCost, toCost := costs[:before], costs[size:size+before]
			for j := range from {
				to[j] = from[j] + step
				toCost[j] = fromCost[j] + more
			}
			size += before
		}
	}
	return states[:size], costs[:size]
}

// admits reports whether the candidate's own limits let it ship state v.
func (sp *space) admits(c *candidate, v int32) bool {
	return (c.units < 0 || sp.units[v] <= c.units) && (c.value < 0 || sp.value[v] <= c.value)
}

// decode sets digits to the levels of a state.
func (sp *space) decode(f *frame, v int32) []int32 {
	for i := range f.items {
		it := &f.items[i]
		sp.digits[i] = v / it.stride % (it.levels + 1)
	}
	return sp.digits
}
