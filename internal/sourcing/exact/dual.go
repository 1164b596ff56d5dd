package exact

// dual prices each part of each item so that no location could ship anything for
// less than the prices of what it ships: then no plan costs less than the prices
// of all parts (linear programming duality). Prices rise in turns until locations stop them.
//
// A carrier's charge enters as a line below it: a fixed part and an amount for
// each part by its weight.
type dual struct {
	each  []int64 // item × candidate: cost of one part; impossible: it has none
	fixed []int64 // per candidate, ≥ 0
	slack []int64 // per candidate: how far its prices are from stopping a rise
	price []int64 // per item part
	bound int64
	lines []line // per tariff + 1
	// below is what fixed parts under zero could save at most; it is in bound.
	below int64
}

// line lies below a tariff: fixed + perGram/2^slopeBits × grams.
type line struct {
	fixed, perGram int64
	usable         bool // the carrier takes something
}

const (
	slopeBits = 10
	// Points at which a tariff is read, over all tariffs and for each.
	allSamples, mostSamples, leastSamples = 1 << 14, 1 << 10, 16
)

// build computes prices and the bound. With sp, which has every state, the lines
// are below every price there is; without, see sample.
func (d *dual) build(f *frame, sp *space) {
	d.lines = resize(d.lines, len(f.p.Tariffs)+1)
	if sp != nil {
		for t := range d.lines {
			d.lines[t] = under(sp.grams, sp.price(f.p, int32(t-1)))
		}
	} else {
		d.sample(f)
	}
	n, m := len(f.items), len(f.candidates)
	d.each, d.fixed, d.slack, d.price = resize(d.each, n*m), resize(d.fixed, m), resize(d.slack, m), resize(d.price, n)
	lowest, shipments := int64(0), int64(0)
	for c := range f.candidates {
		at := &f.candidates[c]
		l := &d.lines[at.tariff+1]
		for i := range f.items {
			e := impossible
			if f.parts[c*n+i] > 0 && l.usable {
				e = f.unit[c*n+i] + l.perGram*f.items[i].grams>>slopeBits
			}
			d.each[i*m+c] = e
		}
		fixed := at.shipment + l.fixed
		lowest = min(lowest, fixed)
		d.fixed[c] = max(0, fixed)
		d.slack[c] = d.fixed[c]
	}
	for i := range f.items {
		shipments += int64(f.items[i].levels)
	}
	if f.p.MaxShipments != NoLimit {
		shipments = min(shipments, int64(f.p.MaxShipments))
	}
	d.below = lowest * min(shipments, int64(m))
	d.raise(f)
	d.bound = f.cost + d.below
	for i := range f.items {
		it := &f.items[i]
		d.bound += int64(it.levels) * (d.price[i] - it.unfilled)
	}
}

// under finds a line below the prices of states: that through the lightest and the
// heaviest, lowered until every price is on it or above.
func under(grams, prices []int64) line {
	low, high := -1, -1
	for v, price := range prices {
		switch {
		case price >= never:
		case low < 0:
			low, high = v, v
		case grams[v] < grams[low]:
			low = v
		case grams[v] > grams[high]:
			high = v
		}
	}
	if low < 0 {
		return line{}
	}
	l := line{fixed: prices[low], usable: true}
	if grams[high] > grams[low] && prices[high] > prices[low] {
		l.perGram = (prices[high] - prices[low]) << slopeBits / (grams[high] - grams[low])
		if l.perGram > (int64(1)<<60)/grams[len(grams)-1] {
			l.perGram = 0
		}
	}
	for v, price := range prices {
		if price < never {
			l.fixed = min(l.fixed, price-(l.perGram*grams[v])>>slopeBits-1)
		}
	}
	return l
}

// sample finds the line below each tariff without asking for every weight. It relies on prices that do not fall as the
// weight rises, and on a carrier that refuses a weight refusing heavier ones.
func (d *dual) sample(f *frame) {
	lightest, heaviest := int64(-1), int64(0)
	for i := range f.items {
		it := &f.items[i]
		if lightest < 0 || it.grams < lightest {
			lightest = it.grams
		}
		heaviest += it.grams * int64(it.levels)
	}
	d.lines[0] = line{usable: true}
	samples := int64(min(mostSamples, max(leastSamples, allSamples/(len(f.p.Tariffs)+1))))
	step := max(1, (heaviest-lightest)/samples+1)
	for t := range f.p.Tariffs {
		d.lines[t+1] = below(f.p, int32(t), lightest, heaviest, step)
	}
}

// below finds a line below a tariff between two weights: that through its ends,
// lowered until every sample is above it.
func below(p *Problem, tariff int32, from, to, step int64) line {
	first, ok := charge(p, tariff, from)
	if !ok {
		return line{}
	}
	last, heaviest := first, from
	for g := from + step; g <= to; g += step {
		price, ok := charge(p, tariff, g)
		if !ok {
			break
		}
		last, heaviest = price, g
	}
	slope := int64(0)
	if heaviest > from && last > first {
		slope = (last - first) << slopeBits / (heaviest - from)
		if slope > (int64(1)<<60)/(heaviest+step) || slope > (int64(1)<<60)/(to+1) {
			slope = 0
		}
	}
	l := line{fixed: first - slope*min(to, from+step)>>slopeBits, perGram: slope, usable: true}
	for g := from; g <= to; g += step {
		price, ok := charge(p, tariff, g)
		if !ok {
			break
		}
		// Every weight up to the next sample costs at least this.
		end := min(to, g+step-1)
		l.fixed = min(l.fixed, price-(slope*end)>>slopeBits-1)
	}
	return l
}

// raise lifts the prices, by less at first so that every item has its turn.
func (d *dual) raise(f *frame) {
	n, m := len(f.items), len(f.candidates)
	for i := range f.items {
		price := f.items[i].unfilled
		for _, e := range d.each[i*m : i*m+m] {
			price = min(price, e)
		}
		d.price[i] = price
	}
	shares := []int64{int64(n), int64(n+2) / 3, 4, 3, 2, 1, 1}
	for _, share := range shares {
		for i := range f.items {
			d.raiseItem(f, i, max(1, share))
		}
	}
}

// raiseItem lifts one price by a share of what is possible.
func (d *dual) raiseItem(f *frame, i int, share int64) {
	m := len(f.candidates)
	price, split := d.price[i], f.items[i].levels > 1
	room := f.items[i].unfilled
	column := d.each[i*m : i*m+m]
	for c, e := range column {
		if e >= never {
			continue
		}
		slack := d.slack[c]
		if split {
			slack /= int64(f.parts[c*len(f.items)+i])
		}
		room = min(room, max(e, price)+slack)
	}
	if room <= price {
		return
	}
	to := price + max(1, (room-price)/share)
	for c, e := range column {
		if e >= to {
			continue
		}
		used := to - max(e, price)
		if split {
			used *= int64(f.parts[c*len(f.items)+i])
		}
		d.slack[c] -= used
	}
	d.price[i] = to
}
