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

// far is more than any plan costs, and small enough that sums of it do not overflow. The cost
// of one offer or line must stay below MaxCost.
const (
	far     = 1 << 60
	MaxCost = 1 << 50
)

// Assigner finds the cheapest way to cover all lines of an order by offers. It
// keeps its working memory between calls, so one goroutine uses it at a time.
// The zero value is ready.
type Assigner[N number] struct {
	best, open [1 << MaxLines]N      // per set of lines; far: no cover
	held       [1 << MaxLines]uint16 // per set: what the newest offer ships in open
	taken      []uint16              // per offer and set: the lines it ships in the best cover of the set
	ByLine     [MaxLines]int
}

// Cheapest covers lines 0 to lines-1 (1 to MaxLines) at least cost, and leaves in
// ByLine which offer ships each. Of covers that cost the same it takes the one
// that the earlier offers make. ok is false when no cover exists.
//
// It adds one offer at a time to the best covers of all line sets, which takes
// len(offers) · lines · 2^lines steps and no search over sets of locations.
func (a *Assigner[N]) Cheapest(offers []Offer[N], lines int) (cost N, ok bool) {
	if lines == 1 {
		return a.single(offers)
	}
	size := 1 << lines
	if need := len(offers) * size; cap(a.taken) < need {
		a.taken = make([]uint16, need)
	}
	for set := range size {
		a.best[set] = far
	}
	a.best[0] = 0
	for i := range offers {
		a.add(&offers[i], lines, a.taken[i*size:(i+1)*size])
	}
	full := size - 1
	if a.best[full] >= far/2 {
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

// single is Cheapest for one line.
func (a *Assigner[N]) single(offers []Offer[N]) (cost N, ok bool) {
	for i := range offers {
		if o := &offers[i]; o.Has&1 == 1 && (!ok || o.Fixed+o.Unit[0] < cost) {
			cost, ok, a.ByLine[0] = o.Fixed+o.Unit[0], true, i
		}
	}
	return cost, ok
}

// add improves the best covers by one more offer, and notes what it ships in each.
func (a *Assigner[N]) add(o *Offer[N], lines int, taken []uint16) {
	size := 1 << lines
	best, open, held := a.best[:size], a.open[:size], a.held[:size]
	taken = taken[:size]
	for set := range open {
		taken[set], held[set], open[set] = 0, 0, best[set]+o.Fixed
	}
	for l := range lines {
		bit := 1 << l
		if o.Has&uint16(bit) == 0 {
			continue
		}
		price := o.Unit[l]
		for set := bit; set < size; set = (set + 1) | bit {
			if with := open[set&^bit] + price; with < open[set] {
				open[set], held[set] = with, held[set&^bit]|uint16(bit)
			}
		}
	}
	for set, cost := range open {
		if cost < best[set] {
			best[set], taken[set] = cost, held[set]
		}
	}
}
