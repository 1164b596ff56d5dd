package exact

// draft is a good plan found without proof: locations are opened, closed and swapped
// while that saves money by the lines below the tariffs, then priced as they are.
type draft struct {
	f    *frame
	d    *dual
	open []int32 // candidates
	// levels has a row for each open candidate.
	levels []int32
	costs  []int64 // of each open candidate's shipment
	cost   int64
	// Scratch.
	now, gain []int64 // per item part: what it costs now; per candidate: what opening it saves
	missing   []int32 // per item: so many parts at the price of now
	left      []int32
	moved     []int32
}

// Steps that a draft takes at most.
const (
	maxOpenings = 60
	maxSwaps    = 40
	maxPolishes = 4
)

// build finds a plan; one that ships nothing is always there.
func (p *draft) build(f *frame, d *dual) {
	p.f, p.d, p.open = f, d, p.open[:0]
	limit := f.p.MaxShipments
	p.now, p.gain, p.missing = resize(p.now, len(f.items)), resize(p.gain, len(f.candidates)), resize(p.missing, len(f.items))
	p.assess()
	for range maxOpenings {
		if limit != NoLimit && len(p.open) >= limit {
			break
		}
		c, gain := p.bestOpening()
		if gain <= 0 {
			break
		}
		p.open = append(p.open, int32(c))
		p.closeUseless()
	}
	p.swap()
	p.realize()
	p.polish()
	p.keepRemainder()
}

// assess notes what one more part of each item costs with the open locations, and
// returns what they cost in all.
func (p *draft) assess() (total int64) {
	m := len(p.f.candidates)
	for i := range p.f.items {
		it := &p.f.items[i]
		if it.levels > 1 {
			total += p.assessSplit(i)
			continue
		}
		cost := it.unfilled
		for _, c := range p.open {
			cost = min(cost, p.d.each[i*m+int(c)])
		}
		p.now[i], p.missing[i] = cost, 1
		total += cost
	}
	for _, c := range p.open {
		total += p.d.fixed[c]
	}
	return total
}

// assessSplit does so for an item of several parts, which the cheapest open locations give.
func (p *draft) assessSplit(i int) (total int64) {
	it, column := &p.f.items[i], p.d.each[i*len(p.f.candidates):]
	left, last := it.levels, -impossible
	p.now[i] = it.unfilled
	for left > 0 {
		next, parts := it.unfilled, int32(0)
		for _, c := range p.open {
			switch e := column[c]; {
			case e <= last || e > next || e >= it.unfilled:
			case e == next:
				parts += p.f.parts[int(c)*len(p.f.items)+i]
			default:
				next, parts = e, p.f.parts[int(c)*len(p.f.items)+i]
			}
		}
		if parts == 0 {
			break
		}
		given := min(left, parts)
		left -= given
		total += int64(given) * next
		last = next
	}
	p.missing[i] = left
	if left == 0 {
		p.now[i], p.missing[i] = last, it.levels
	}
	return total + int64(left)*it.unfilled
}

// bestOpening returns the location whose opening saves most.
func (p *draft) bestOpening() (best int, gain int64) {
	m := len(p.f.candidates)
	for c := range p.gain {
		p.gain[c] = -p.d.fixed[c]
	}
	for i, now := range p.now {
		column := p.d.each[i*m : i*m+m]
		if p.f.items[i].levels == 1 {
			for c, e := range column {
				p.gain[c] += max(0, now-e)
			}
			continue
		}
		for c, e := range column {
			if e < now {
				p.gain[c] += (now - e) * int64(min(p.missing[i], p.f.parts[c*len(p.f.items)+i]))
			}
		}
	}
	for _, c := range p.open {
		p.gain[c] = 0
	}
	for c, g := range p.gain {
		if g > gain {
			best, gain = c, g
		}
	}
	return best, gain
}

// closeUseless closes locations that others replace for less.
func (p *draft) closeUseless() {
	total := p.assess()
	for k := 0; k < len(p.open); {
		c := p.open[k]
		p.open = append(p.open[:k], p.open[k+1:]...)
		if t := p.assess(); t <= total {
			total = t
			continue
		}
		p.open = append(p.open, 0)
		copy(p.open[k+1:], p.open[k:])
		p.open[k] = c
		k++
	}
	p.assess()
}

// swap replaces open locations by better ones.
func (p *draft) swap() {
	for range maxSwaps {
		improved := false
		for k := 0; k < len(p.open); k++ {
			before, c := p.assess(), p.open[k]
			last := len(p.open) - 1
			p.open[k] = p.open[last]
			p.open = p.open[:last]
			without := p.assess()
			with, gain := p.bestOpening()
			if without-gain < before {
				p.open = append(p.open, int32(with))
				improved = true
				break
			}
			p.open = append(p.open, 0)
			p.open[last], p.open[k] = p.open[k], c
		}
		if !improved {
			break
		}
		p.closeUseless()
	}
}

func (p *draft) row(k int) []int32 {
	n := len(p.f.items)
	return p.levels[k*n : k*n+n]
}

// realize gives items to the open locations, cheapest first, within every limit.
func (p *draft) realize() {
	f, m := p.f, len(p.f.candidates)
	p.levels, p.costs, p.left = resize(p.levels, len(p.open)*len(f.items)), resize(p.costs, len(p.open)), resize(p.left, len(f.items))
	clear(p.levels)
	p.assess()
	for i := range f.items {
		left := f.items[i].levels
		for left > 0 {
			best, cost := -1, f.items[i].unfilled
			for k, c := range p.open {
				if e := p.d.each[i*m+int(c)]; p.row(k)[i] == 0 && e < cost {
					best, cost = k, e
				}
			}
			if best < 0 {
				break
			}
			give := min(left, f.parts[int(p.open[best])*len(f.items)+i])
			p.row(best)[i] = give
			left -= give
		}
		p.left[i] = left
	}
	for k := range p.open {
		p.fit(k)
	}
	p.sum()
}

// fit takes items from a shipment until it is allowed; in the end it ships nothing.
func (p *draft) fit(k int) {
	row := p.row(k)
	for {
		cost, ok := p.f.shipment(int(p.open[k]), row)
		if ok {
			p.costs[k] = cost
			return
		}
		worst, least, m := -1, int64(0), len(p.f.candidates)
		for i, level := range row {
			if level == 0 {
				continue
			}
			it := &p.f.items[i]
			benefit := int64(level) * (it.unfilled - p.d.each[i*m+int(p.open[k])])
			if worst < 0 || benefit < least {
				worst, least = i, benefit
			}
		}
		take := row[worst] - row[worst]/2 // split lines give way by halves
		row[worst] -= take
		p.left[worst] += take
	}
}

// shipment prices a shipment of candidate c; ok false: it is not allowed. Nothing costs nothing.
func (f *frame) shipment(c int, levels []int32) (cost int64, ok bool) {
	at, n := &f.candidates[c], len(f.items)
	units, value, grams := int64(0), int64(0), int64(0)
	cost = at.shipment
	for i, level := range levels {
		if level == 0 {
			continue
		}
		it, times := &f.items[i], int64(level)
		cost += times * f.unit[c*n+i]
		units += times * it.units
		value += times * it.value
		grams += times * it.grams
	}
	if units == 0 {
		return 0, true
	}
	if (at.units >= 0 && units > at.units) || (at.value >= 0 && value > at.value) || value < f.p.MinShipmentValue {
		return 0, false
	}
	price, ok := charge(f.p, at.tariff, grams)
	return cost + price, ok
}

// sum adds up the plan.
func (p *draft) sum() {
	p.cost = p.f.cost
	for i, left := range p.left {
		it := &p.f.items[i]
		p.cost -= int64(it.levels-left) * it.unfilled
	}
	for _, c := range p.costs {
		p.cost += c
	}
}

// polish moves items between the shipments, and out of them, while that saves real money.
func (p *draft) polish() {
	for range maxPolishes {
		improved := false
		for i := range p.f.items {
			for k := range p.open {
				if p.row(k)[i] > 0 && p.move(i, k) {
					improved = true
				}
			}
			if p.left[i] > 0 && p.move(i, -1) {
				improved = true
			}
		}
		if !improved {
			return
		}
	}
}

// move takes what shipment k (-1: nobody) has of item i to where it costs less.
func (p *draft) move(i, k int) bool {
	it := &p.f.items[i]
	amount, saved, rest := p.left[i], int64(0), int64(0)
	if k >= 0 {
		amount = p.row(k)[i]
		p.row(k)[i] = 0
		cost, ok := p.f.shipment(int(p.open[k]), p.row(k))
		p.row(k)[i] = amount
		if !ok {
			return false
		}
		rest, saved = cost, p.costs[k]-cost
	} else {
		saved = int64(amount) * it.unfilled
	}
	to, best, bestCost := -2, int64(0), int64(0)
	if k >= 0 {
		to, best = -1, int64(amount)*it.unfilled
	}
	for j, c := range p.open {
		if j == k || p.row(j)[i]+amount > p.f.parts[int(c)*len(p.f.items)+i] {
			continue
		}
		p.row(j)[i] += amount
		cost, ok := p.f.shipment(int(c), p.row(j))
		p.row(j)[i] -= amount
		if more := cost - p.costs[j]; ok && (to == -2 || more < best) {
			to, best, bestCost = j, more, cost
		}
	}
	if to == -2 || best >= saved {
		return false
	}
	if k >= 0 {
		p.row(k)[i], p.costs[k] = 0, rest
	} else {
		p.left[i] = 0
	}
	if to >= 0 {
		p.row(to)[i] += amount
		p.costs[to] = bestCost
	} else {
		p.left[i] += amount
	}
	p.sum()
	return true
}

// keepRemainder ships nothing when that is better, or when what is left over is
// worth too little.
func (p *draft) keepRemainder() {
	value, units := p.f.value, p.f.units
	for i, left := range p.left {
		it := &p.f.items[i]
		value -= int64(it.levels-left) * it.value
		units -= int64(it.levels-left) * it.units
	}
	if (units > 0 && value < p.f.p.MinRemainderValue) || p.cost >= p.f.cost {
		p.open, p.cost = p.open[:0], p.f.cost
	}
}

// result writes the plan.
func (p *draft) result() Result {
	w := newWriter(p.f, len(p.open))
	for k := range p.open {
		for _, level := range p.row(k) {
			if level > 0 {
				w.add(int(p.open[k]), p.row(k))
				break
			}
		}
	}
	r := w.result()
	assert(r.Cost == p.cost, "the plan costs %d, the draft said %d", r.Cost, p.cost)
	return r
}
