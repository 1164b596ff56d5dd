package inventory

import "math"

// Holdback is what is kept from a channel at a position. The zero value keeps nothing
// beside the position's own safety stock. Quantities are stock units, from 0.
type Holdback struct {
	Safety  int64 // of which the larger counts: this or the position's own safety stock
	Buffer  int64
	Percent int64 // of what is left after safety stock and buffer, rounded up, 0..100
	Hide    bool  // nothing is offered
}

// Left is what the channel may have of a position: free is on hand less reserved and
// allocated, safety the position's own safety stock. The larger of the two safety stocks is
// subtracted, once; then the buffer; then the percentage of what is left, rounded up. Never below 0.
func (h *Holdback) Left(free, safety int64) int64 {
	if h.Hide {
		return 0
	}
	// Units first: a negative figure minus a huge buffer could overflow.
	left := max(max(free-max(safety, h.Safety, 0), 0)-max(h.Buffer, 0), 0)
	// ⌈left × percent ÷ 100⌉ without overflow.
	return left - left/100*h.Percent - (left%100*h.Percent+99)/100
}

// Withheld is what is kept of one SKU: by location, one of a few holdbacks. It does
// not change once made.
type Withheld struct {
	Holdbacks []Holdback // the first one also counts where By says nothing; not empty
	By        []uint16   // by a location's index in the book: which of Holdbacks
}

// At is what is kept at a location.
func (w *Withheld) At(location int32) *Holdback {
	if location >= 0 && int(location) < len(w.By) {
		return &w.Holdbacks[w.By[location]]
	}
	return &w.Holdbacks[0]
}

// take turns units free beyond the positions' own safety stocks into what the channel may have.
func (w *Withheld) take(locations []int32, units, safety []int64) {
	for i, l := range locations {
		free := min(units[i], math.MaxInt64-MaxQuantity) + safety[i]
		units[i] = w.At(l).Left(free, safety[i])
	}
}
