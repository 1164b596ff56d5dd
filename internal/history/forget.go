package history

import (
	"cmp"
	"slices"
	"strings"
)

// forgotten is the part of a full table that goes: an eighth, at least one.
func forgotten(n int) int { return max(n/8, 1) }

// forgetLocations drops the locations with the fewest lines given, and their pairs.
func (h *History) forgetLocations() {
	order := ranked(len(h.locations), func(i int32) (float64, string) {
		return h.locations[i].sums[given].on(h.last), h.locations[i].id
	})
	places := keep(order)
	kept := make([]location, 0, cap(h.locations))
	clear(h.byLocation)
	for i := range h.locations {
		if places[i] >= 0 {
			h.byLocation[h.locations[i].id] = places[i]
			kept = append(kept, h.locations[i])
		}
	}
	h.locations = kept
	h.move(nil, places)
}

// forgetSKUs drops the SKUs with the fewest units ordered, and their pairs.
func (h *History) forgetSKUs() {
	order := ranked(len(h.skus), func(i int32) (float64, string) { return h.skus[i].ordered.on(h.last), h.skus[i].id })
	places := keep(order)
	kept := make([]sku, 0, cap(h.skus))
	clear(h.bySKU)
	for i := range h.skus {
		if places[i] >= 0 {
			h.bySKU[h.skus[i].id] = places[i]
			kept = append(kept, h.skus[i])
		}
	}
	h.skus = kept
	h.move(places, nil)
}

// ranked returns the places of a table, what counts least first.
func ranked(n int, worth func(i int32) (float64, string)) []int32 {
	order := make([]int32, n)
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int {
		x, xid := worth(a)
		y, yid := worth(b)
		return cmp.Or(cmp.Compare(x, y), strings.Compare(xid, yid))
	})
	return order
}

// keep says where each entry goes when the first of order are dropped; −1: nowhere.
func keep(order []int32) []int32 {
	places := make([]int32, len(order))
	for _, i := range order[:forgotten(len(order))] {
		places[i] = -1
	}
	next := int32(0)
	for i := range places {
		if places[i] == 0 {
			places[i] = next
			next++
		}
	}
	return places
}

// move takes the pairs along when entries of the tables moved; nil: they did not.
func (h *History) move(skus, locations []int32) {
	moved := make(map[pair]sum, len(h.shipped))
	for k, s := range h.shipped {
		if skus != nil {
			k.sku = skus[k.sku]
		}
		if locations != nil {
			k.location = locations[k.location]
		}
		if k.sku >= 0 && k.location >= 0 {
			moved[k] = s
		}
	}
	h.shipped = moved
}

// forgetPairs drops the pairs with the fewest units shipped.
func (h *History) forgetPairs() {
	type entry struct {
		pair
		units float64
	}
	all := make([]entry, 0, len(h.shipped))
	for k, s := range h.shipped {
		all = append(all, entry{k, s.on(h.last)})
	}
	slices.SortFunc(all, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.units, b.units),
			strings.Compare(h.skus[a.sku].id, h.skus[b.sku].id), strings.Compare(h.locations[a.location].id, h.locations[b.location].id))
	})
	for _, e := range all[:forgotten(len(all))] {
		delete(h.shipped, e.pair)
	}
}
