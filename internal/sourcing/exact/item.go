package exact

// item is what is decided as one: a line, or the lines of a group. Level v of an
// item means that v of its parts ship: a whole item has one part, a split line has
// one for each unit that the locations have together.
type item struct {
	first  int32 // line, or the group's first line
	group  int32 // 0: none
	whole  bool
	levels int32 // parts
	stride int32 // weight of a level in the index of a state
	lines  int32
	// Of one part.
	units, grams, value, unfilled int64
	// full is the level at which nothing of the item is unfilled; above levels when
	// the locations have too little.
	full int64
}

// candidate is a location that has a part of some item.
type candidate struct {
	location int32
	tariff   int32 // -1: none
	shipment int64
	units    int64 // most units, NoLimit: any
	value    int64 // most value, NoLimit: any
}

// frame is a problem written in items. Row c of unit and parts belongs to candidate c.
type frame struct {
	p          *Problem
	items      []item
	candidates []candidate
	unit       []int64 // minor units for each part; candidate × item
	parts      []int32 // parts it has; candidate × item
	// What stays unfilled when nothing ships, over all lines.
	cost, units, value int64
	lines              int64
	split              bool // some item has several levels
	// Per line, while items are made.
	most, total []int64
	itemOf      []int32 // per line; -1: nothing can be shipped of it
}

func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// build reads a valid problem.
func (f *frame) build(p *Problem) {
	*f = frame{p: p, items: f.items[:0], candidates: f.candidates[:0], unit: f.unit[:0], parts: f.parts[:0], most: f.most, total: f.total, itemOf: f.itemOf}
	f.measure()
	f.makeItems()
	f.makeCandidates()
}

// measure finds per line the most one location has and what all have, up to the quantity.
func (f *frame) measure() {
	n := len(f.p.Lines)
	f.most, f.total, f.itemOf = resize(f.most, n), resize(f.total, n), resize(f.itemOf, n)
	clear(f.most)
	clear(f.total)
	for s := range f.p.Locations {
		available := f.p.Locations[s].Available
		for i, a := range available {
			if a < 0 {
				panic("exact: a location has less than nothing of a line")
			}
			a = min(a, f.p.Lines[i].Quantity)
			f.most[i] = max(f.most[i], a)
			f.total[i] += a // ≤ MaxLocations × MaxQuantity
		}
	}
}

func (f *frame) makeItems() {
	for i := range f.p.Lines {
		l := &f.p.Lines[i]
		f.cost += l.Quantity * l.Unfilled
		f.units += l.Quantity
		f.value += l.Quantity * l.Value
		f.lines++
		f.itemOf[i] = -1
		if l.Group > 0 {
			f.joinGroup(i)
			continue
		}
		whole := f.p.Split == SplitNever || l.Quantity == 1 || (f.p.Split == SplitWhenNeeded && f.most[i] >= l.Quantity)
		switch {
		case f.total[i] == 0, whole && f.most[i] < l.Quantity:
		case whole:
			f.itemOf[i] = int32(len(f.items))
			f.items = append(f.items, wholeItem(i, l))
		default:
			levels := min(l.Quantity, f.total[i])
			f.itemOf[i] = int32(len(f.items))
			f.items = append(f.items, item{
				first: int32(i), levels: int32(levels), lines: 1, units: 1, grams: l.Grams, value: l.Value, unfilled: l.Unfilled, full: l.Quantity,
			})
			f.split = f.split || levels > 1
		}
	}
}

func wholeItem(i int, l *Line) item {
	return item{
		first: int32(i), group: int32(l.Group), whole: true, levels: 1, lines: 1, full: 1,
		units: l.Quantity, grams: l.Quantity * l.Grams, value: l.Quantity * l.Value, unfilled: l.Quantity * l.Unfilled,
	}
}

// joinGroup adds a line to its group's item, which it starts when it is the first.
func (f *frame) joinGroup(i int) {
	one := wholeItem(i, &f.p.Lines[i])
	for k := range f.items {
		it := &f.items[k]
		if it.group == one.group {
			it.lines++
			it.units += one.units
			it.grams += one.grams
			it.value += one.value
			it.unfilled += one.unfilled
			f.itemOf[i] = int32(k)
			return
		}
	}
	f.itemOf[i] = int32(len(f.items))
	f.items = append(f.items, one)
}

func (f *frame) makeCandidates() {
	n := len(f.items)
	plain := n == len(f.p.Lines) // each line is an item,
	for i := range f.items {
		plain = plain && f.items[i].whole // and each item a whole line
	}
	for s := range f.p.Locations {
		l := &f.p.Locations[s]
		from := len(f.unit)
		f.unit = grow(f.unit, n)
		f.parts = grow(f.parts, n)
		row := f.row
		if plain {
			row = f.plainRow
		}
		if !row(l, f.unit[from:], f.parts[from:]) {
			f.unit, f.parts = f.unit[:from], f.parts[:from]
			continue
		}
		f.candidates = append(f.candidates, candidate{
			location: int32(s), tariff: int32(l.Tariff), shipment: l.Shipment, units: l.MaxUnits, value: l.MaxValue,
		})
	}
}

// row fills what one location has and asks per item; false: it has nothing to give.
func (f *frame) row(l *Location, unit []int64, parts []int32) bool {
	for k := range f.items {
		unit[k], parts[k] = 0, f.items[k].levels
	}
	for i, k := range f.itemOf {
		if k < 0 {
			continue
		}
		line := &f.p.Lines[i]
		if !within(line.Quantity, l.Unit[i]) {
			panic("exact: the cost of a line's units at a location is beyond its bound")
		}
		switch it := &f.items[k]; {
		case !it.whole:
			unit[k] = l.Unit[i]
			parts[k] = int32(min(l.Available[i], int64(it.levels)))
		case l.Available[i] < line.Quantity:
			parts[k] = 0
		default:
			unit[k] += l.Unit[i] * line.Quantity
		}
	}
	for _, a := range parts {
		if a > 0 {
			return true
		}
	}
	return false
}

// plainRow does the same when the items are the lines and whole, without a branch
// on what is in stock.
func (f *frame) plainRow(l *Location, unit []int64, parts []int32) bool {
	lines := f.p.Lines[:len(parts)]
	available, each := l.Available[:len(parts)], l.Unit[:len(parts)]
	unit = unit[:len(parts)]
	some := int32(0)
	for i := range lines {
		quantity := lines[i].Quantity
		has := int32(0)
		if available[i] >= quantity {
			has = 1
		}
		parts[i] = has
		some |= has
		if !within(quantity, each[i]) {
			panic("exact: the cost of a line's units at a location is beyond its bound")
		}
		unit[i] = each[i] * quantity
	}
	return some != 0
}

// grow lengthens s by n entries of any value.
func grow[T any](s []T, n int) []T {
	if len(s)+n <= cap(s) {
		return s[:len(s)+n]
	}
	return append(s, make([]T, n)...)
}
