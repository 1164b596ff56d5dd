package audit

import (
	"fmt"
	"maps"
	"slices"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/store"
)

// position is what the journal, the orders and the reservations say about one position.
type position struct {
	key    inventory.PositionKey
	moves  int64
	folded inventory.Delta // of the journal
	// wanted is what held reservations and open fulfillments say belongs to them.
	wanted inventory.Delta
	short  bool // a count or a loss left less than was promised
	stored bool
}

// stock collects what is known about positions.
type stock struct {
	index     map[inventory.PositionKey]int32
	positions []position
	// outside is, per SKU, what the journal says is outside; plus what positions have it must be zero.
	outside map[string]int64
}

func newStock() stock {
	return stock{index: map[inventory.PositionKey]int32{}, outside: map[string]int64{}}
}

// at returns the position with the key, valid until the next call.
func (s *stock) at(key inventory.PositionKey) *position {
	i, ok := s.index[key]
	if !ok {
		i = int32(len(s.positions))
		s.index[key] = i
		s.positions = append(s.positions, position{key: key})
	}
	return &s.positions[i]
}

// accounts are those a movement can name.
var accounts = []inventory.Account{
	inventory.Free, inventory.Reserved, inventory.Allocated, inventory.Picked,
	inventory.Supplier, inventory.Shipped, inventory.Adjustment,
	inventory.ReturnPending, inventory.Refurbished, inventory.Scrapped, inventory.ToVendor,
}

// readJournal folds the journal of every position and looks at every balance on the way.
func (a *auditor) readJournal() error {
	err := each(a, "journal", a.view.Journal, func(l *store.JournalLine) {
		m := &l.Movement
		a.conservation.LookedAt++
		a.ranges.LookedAt++
		if m.From == m.To || m.Quantity <= 0 || !slices.Contains(accounts, m.From) || !slices.Contains(accounts, m.To) {
			a.conservation.add("movement %d of %s at %s (log row %d/%d) moves %d units from %q to %q",
				l.PositionSeq, m.SKU, m.Location, l.Bucket, l.Seq, m.Quantity, m.From, m.To)
		}
		if m.Quantity > inventory.MaxQuantity || m.Quantity < -inventory.MaxQuantity {
			a.ranges.add("movement %d of %s at %s is of %d units, more than %d", l.PositionSeq, m.SKU, m.Location, m.Quantity, inventory.MaxQuantity)
		}
		if row := a.row(l.Bucket, l.Seq); row != nil {
			row.journal.add(m)
		} else {
			a.projection.add("movement %d of %s at %s belongs to log row %d/%d, which does not exist", l.PositionSeq, m.SKU, m.Location, l.Bucket, l.Seq)
		}
		a.fold(l)
	})
	if err != nil {
		return err
	}
	for b := range a.rows {
		for i := range a.rows[b] {
			if r := &a.rows[b][i]; r.log != r.journal {
				a.projection.add("the movements of log row %d/%d are not those that the journal has for it", b, r.seq)
			}
		}
	}
	return nil
}

// fold applies a line to its position.
func (a *auditor) fold(l *store.JournalLine) {
	m := &l.Movement
	p := a.stock.at(inventory.PositionKey{SKU: m.SKU, Location: m.Location})
	if l.PositionSeq != p.moves+1 {
		a.projection.add("the journal of %s at %s goes on with movement %d after %d", m.SKU, m.Location, l.PositionSeq, p.moves)
	}
	p.moves = l.PositionSeq
	d := m.Delta()
	p.folded = p.folded.Plus(d)
	a.stock.outside[m.SKU] -= d.OnHand
	f := &p.folded
	a.buckets.LookedAt++
	if f.OnHand < 0 || f.Reserved < 0 || f.Allocated < 0 || f.Picked < 0 || f.Picked > f.Allocated {
		a.buckets.add("%s at %s after movement %d (log row %d/%d): %s", m.SKU, m.Location, l.PositionSeq, l.Bucket, l.Seq, counters(*f))
	}
	free := f.Available()
	if m.IsTake() {
		a.oversell.LookedAt++
		if free < 0 {
			a.oversell.add("movement %d of %s at %s (log row %d/%d) promised %d units when %d were free",
				l.PositionSeq, m.SKU, m.Location, l.Bucket, l.Seq, m.Quantity, free+m.Quantity)
		}
		return
	}
	p.short = free < 0
}

// readPositions compares the stored positions with the journal, the orders and the reservations.
func (a *auditor) readPositions() error {
	short := 0
	err := each(a, "positions", a.view.Positions, func(row *store.PositionRow) {
		p := a.stock.at(row.Key())
		a.projection.LookedAt++
		if p.stored {
			a.projection.add("%s at %s is stored twice", row.SKU, row.Location)
			return
		}
		p.stored = true
		a.stock.outside[row.SKU] += row.OnHand
		a.checkPosition(p, row)
		if p.short && p.folded.Available() < 0 {
			short++
		}
	})
	if err != nil {
		return err
	}
	if short > 0 {
		a.buckets.note("%d positions have less than was promised of them, after a count or a loss", short)
	}
	for i := range a.stock.positions {
		p := &a.stock.positions[i]
		if !p.stored && p.moves > 0 {
			a.projection.add("%s at %s has %d movements and no position", p.key.SKU, p.key.Location, p.moves)
		}
		a.checkWanted(p)
	}
	for _, sku := range slices.Sorted(maps.Keys(a.stock.outside)) {
		if sum := a.stock.outside[sku]; sum != 0 {
			a.conservation.add("the accounts of %s sum to %d: its positions have other units than its movements brought", sku, sum)
		}
	}
	return nil
}

func (a *auditor) checkPosition(p *position, row *store.PositionRow) {
	stored := inventory.Delta{OnHand: row.OnHand, Reserved: row.Reserved, Allocated: row.Allocated, Picked: row.Picked}
	switch {
	case stored != p.folded:
		a.projection.add("%s at %s is stored with %s, but its %d movements add up to %s", row.SKU, row.Location, counters(stored), p.moves, counters(p.folded))
	case row.Moves != p.moves:
		a.projection.add("%s at %s counts %d movements, but its journal has %d", row.SKU, row.Location, row.Moves, p.moves)
	}
	if row.OnHand < 0 || row.Reserved < 0 || row.Allocated < 0 || row.Picked < 0 || row.Picked > row.Allocated {
		a.buckets.add("%s at %s is stored with %s", row.SKU, row.Location, counters(stored))
	}
	a.ranges.LookedAt++
	if row.Safety < 0 || max(row.OnHand, row.Reserved, row.Allocated, row.Safety) > inventory.MaxQuantity {
		a.ranges.add("%s at %s is stored with %s, safety %d: beyond 0 to %d", row.SKU, row.Location, counters(stored), row.Safety, inventory.MaxQuantity)
	}
}

// checkWanted compares what the journal says is promised with who says it is theirs.
func (a *auditor) checkWanted(p *position) {
	a.leaks.LookedAt++
	f, w := &p.folded, &p.wanted
	if f.Reserved != w.Reserved {
		a.leaks.add("%s at %s: %d units are reserved, held reservations account for %d", p.key.SKU, p.key.Location, f.Reserved, w.Reserved)
	}
	if f.Allocated != w.Allocated || f.Picked != w.Picked {
		a.leaks.add("%s at %s: %d units are allocated and %d of them picked, open fulfillments account for %d and %d",
			p.key.SKU, p.key.Location, f.Allocated, f.Picked, w.Allocated, w.Picked)
	}
}

// counters writes the counters of a position in words.
func counters(d inventory.Delta) string {
	return fmt.Sprintf("on_hand %d, reserved %d, allocated %d, picked %d", d.OnHand, d.Reserved, d.Allocated, d.Picked)
}
