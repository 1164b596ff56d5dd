package price

// MaxLines is how many lines one assignment takes. The work doubles with each.
const MaxLines = 8

// number is money: int64 minor units where it decides, float64 where it estimates.
type number interface{ ~int64 | ~float64 }

// Offer is what one location asks for: once for the shipment, and for each line.
type Offer[N number] struct {
	Fixed N
	Unit  [MaxLines]N
	Has   uint16 // bit i: the location can ship line i
}

// Assigner finds the cheapest way to cover all lines of an order by offers. It
// keeps its working memory between calls, so one goroutine uses it at a time.
// The zero value is ready.
type Assigner[N number] struct {
	best, open     [1 << MaxLines]N
	covered, begun [1 << MaxLines]bool
	held           [1 << MaxLines]uint16
	taken          []uint16 // per offer and set: the lines it ships in the best cover of the set
	ByLine         [MaxLines]int
}

// Cheapest covers lines 0 to lines-1 (1 to MaxLines) at least cost, and leaves in
// ByLine which offer ships each. Of covers that cost the same it takes the one
// that the earlier offers make. ok is false when no cover exists.
//
// It adds one offer at a time to the best covers of all line sets, which takes
// len(offers) · lines · 2^lines steps and no search over sets of locations.
func (a *Assigner[N]) Cheapest(offers []Offer[N], lines int) (cost N, ok bool) {
	size := 1 << lines
	if need := len(offers) * size; cap(a.taken) < need {
		a.taken = make([]uint16, need)
	}
	clear(a.covered[:size])
	a.covered[0], a.best[0] = true, 0
	for i := range offers {
		a.add(&offers[i], lines, a.taken[i*size:(i+1)*size])
	}
	full := size - 1
	if !a.covered[full] {
		return 0, false
	}
	for i, set := len(offers)-1, full; i >= 0; i-- {
		t := int(a.taken[i*size+set])
		for l := range lines {
			if t>>l&1 == 1 {
				a.ByLine[l] = i
			}
		}
		set &^= t
	}
	return a.best[full], true
}

// add improves the best covers by one more offer, and notes what it ships in each.
func (a *Assigner[N]) add(o *Offer[N], lines int, taken []uint16) {
	size := 1 << lines
	for set := range size {
		taken[set] = 0
		a.begun[set], a.held[set] = a.covered[set], 0
		a.open[set] = a.best[set] + o.Fixed
	}
	for l := range lines {
		bit := 1 << l
		if o.Has&uint16(bit) == 0 {
			continue
		}
		price := o.Unit[l]
		for set := bit; set < size; set = (set + 1) | bit {
			without := set &^ bit
			if a.begun[without] && (!a.begun[set] || a.open[without]+price < a.open[set]) {
				a.begun[set], a.open[set], a.held[set] = true, a.open[without]+price, a.held[without]|uint16(bit)
			}
		}
	}
	for set := range size {
		if a.begun[set] && a.held[set] != 0 && (!a.covered[set] || a.open[set] < a.best[set]) {
			a.covered[set], a.best[set], taken[set] = true, a.open[set], a.held[set]
		}
	}
}
