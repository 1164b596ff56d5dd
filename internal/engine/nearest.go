package engine

import (
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/sourcing"
)

// nearest plans wants by the plain rule and books the result into shares and taken. It
// serves baskets, which have no destination yet: a policy would have nothing to go by.
func (e *Engine) nearest(book *inventory.Book, s *sources, channel string, group []*want, taken map[inventory.PositionKey]int64, shares map[string]*share, now time.Time) {
	problem := sourcing.Problem{Quantity: make([]int64, len(group)), Candidates: make([]sourcing.Candidate, len(s.locations))}
	f := &sourcing.Facts{Order: policy.Order{Channel: channel}, Now: now}
	for i, w := range group {
		problem.Quantity[i] = w.left
		f.Lines = append(f.Lines, sourcing.Line{SKU: e.skuFacts(w.sku, len(w.parts) > 0)})
	}
	available := e.availability(book, s, f, group, taken, nil)
	for c, l := range s.locations {
		problem.Candidates[c] = sourcing.Candidate{
			Location: l.ID, DistanceKm: s.distances[c], Priority: int(l.Priority), Available: available[c*len(group) : (c+1)*len(group)],
		}
	}
	for _, r := range sourcing.Plan(problem).Shares {
		location := problem.Candidates[r.Candidate].Location
		for i, q := range r.Quantity {
			if q == 0 {
				continue
			}
			sh := shares[location]
			if sh == nil {
				sh = &share{}
				shares[location] = sh
			}
			group[i].give(sh, q, 0)
			eachStocked(group[i].sku, group[i].parts, q, func(sku string, n int64) {
				taken[inventory.PositionKey{SKU: sku, Location: location}] += n
			})
		}
	}
}

// give hands q units of the want, of which some are reserved, to a share, to its lines in their order.
func (w *want) give(sh *share, q, reserved int64) {
	w.left -= q
	for _, d := range w.demands {
		if n := min(q, d.left); n > 0 {
			held := min(n, reserved)
			sh.add(d.line, n, held)
			d.left -= n
			q, reserved = q-n, reserved-held
		}
	}
}
