package inventory

import (
	"slices"
	"time"
)

// Part is what one unit of a kit takes of a component.
type Part struct {
	SKU      string `json:"sku"`
	Quantity int64  `json:"quantity"` // stock units per kit, > 0
}

// Inquiry asks what a channel may promise of a SKU.
type Inquiry struct {
	SKU string
	// Parts, when not empty, make the SKU a kit: it has no stock of its own and
	// ships whole from one location that has all its parts. A part with a quantity
	// below 1 makes the kit unavailable.
	Parts []Part
	// Locations are the book indexes of the eligible locations, each once,
	// fastest when ascending by location id (see SortLocations).
	Locations []int32
	// Buffer is the channel's buffer in stock units, held back once per position
	// after the safety stock. For a kit it is held back of each part. Below 0: 0.
	Buffer int64
	// Withheld, when not nil, says for the SKU, or of a kit for each of its parts, what is
	// kept from the channel at each location. What it returns counts instead of Buffer;
	// nil: Buffer counts.
	Withheld func(sku string) *Withheld
	// By, when not zero, also counts supply expected at or before it.
	By time.Time
	// Empty also lists the locations that have nothing.
	Empty bool
}

// Availability answers an Inquiry. No quantity is negative or above MaxQuantity.
type Availability struct {
	SKU   string
	Total int64 // over all eligible locations
	// Locations are those with something, in the order of the inquiry. They lie in
	// the AvailabilityBuffer and are valid until its Reset.
	Locations []Stock
	// Changed is the latest change of any position that was read, from which the
	// age of the figure follows; zero when none is known.
	Changed time.Time
}

// AvailabilityBuffer is memory that answers share, so that answering allocates
// nothing once it has grown. One goroutine at a time; the zero value is ready.
type AvailabilityBuffer struct {
	units, part, safety []int64
	stocks              []Stock
}

// Reset makes the memory of earlier answers free for new ones.
func (u *AvailabilityBuffer) Reset() { u.stocks = u.stocks[:0] }

// AppendAvailability appends the answer to one inquiry. Several answers may
// share one buffer; Reset it before the next request.
func (b *Book) AppendAvailability(dst []Availability, u *AvailabilityBuffer, q Inquiry) []Availability {
	n := len(q.Locations)
	u.units = slices.Grow(u.units[:0], n)[:n]
	var changed int64
	if len(q.Parts) == 0 {
		changed = b.offer(q.SKU, &q, u, u.units)
	} else {
		changed = b.kits(&q, u)
	}
	answer := Availability{SKU: q.SKU, Changed: fromMicros(changed)}
	first := len(u.stocks)
	for i, units := range u.units {
		if units > 0 || q.Empty {
			units = min(units, MaxQuantity)
			answer.Total = min(answer.Total+units, MaxQuantity)
			u.stocks = append(u.stocks, Stock{q.Locations[i], units})
		}
	}
	// Capped, so that a caller's append cannot run into the next answer.
	answer.Locations = u.stocks[first:len(u.stocks):len(u.stocks)]
	return append(dst, answer)
}

// offer sets out[i] to what the channel may promise of a stocked SKU at
// q.Locations[i] and returns the latest change, as micros.
func (b *Book) offer(sku string, q *Inquiry, u *AvailabilityBuffer, out []int64) (changed int64) {
	if q.Withheld != nil {
		if w := q.Withheld(sku); w != nil {
			n := len(q.Locations)
			u.safety = slices.Grow(u.safety[:0], n)[:n]
			changed = b.read(sku, q.Locations, q.By, out, u.safety)
			w.take(q.Locations, out, u.safety)
			return changed
		}
	}
	changed = b.read(sku, q.Locations, q.By, out, nil)
	buffer := max(q.Buffer, 0)
	for i, units := range out {
		// Units first: a negative figure minus a huge buffer could overflow.
		out[i] = max(max(units, 0)-buffer, 0)
	}
	return changed
}

// kits sets u.units[i] to how many whole kits can leave q.Locations[i] and
// returns the latest change of any part, as micros.
func (b *Book) kits(q *Inquiry, u *AvailabilityBuffer) (changed int64) {
	u.part = slices.Grow(u.part[:0], len(u.units))[:len(u.units)]
	for i, part := range q.Parts {
		perKit := perKit(q.Parts, part.SKU)
		changed = max(changed, b.offer(part.SKU, q, u, u.part))
		for k, units := range u.part {
			kits := int64(0)
			if perKit > 0 {
				kits = units / perKit
			}
			if i > 0 {
				kits = min(kits, u.units[k])
			}
			u.units[k] = kits
		}
	}
	return changed
}

// perKit is how much of a SKU one kit takes over all parts that name it; 0 when
// one of their quantities is below 1.
func perKit(parts []Part, sku string) (sum int64) {
	for _, p := range parts {
		switch {
		case p.SKU != sku:
		case p.Quantity < 1:
			return 0
		default:
			sum = plus(sum, p.Quantity)
		}
	}
	return sum
}
