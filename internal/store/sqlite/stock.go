package sqlite

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/store"
)

const (
	selectPosition = `SELECT on_hand, reserved, allocated, picked, safety, as_of, changed, moves, moved
FROM positions WHERE sku = ? AND location = ?`
	insertPosition = `INSERT INTO positions (on_hand, reserved, allocated, picked, safety, as_of, changed, moves, moved, sku, location)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	updatePosition = `UPDATE positions
SET on_hand = ?, reserved = ?, allocated = ?, picked = ?, safety = ?, as_of = ?, changed = ?, moves = ?, moved = ?
WHERE sku = ? AND location = ?`
	insertMovement = `INSERT INTO movements (sku, location, position_seq, seq, time, moved, quantity, source, target, reason)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
)

// balance is a row of positions.
type balance struct {
	inventory.Position
	moves  int64
	moved  int64 // µs; noTime before the first movement
	exists bool
}

// noTime is before every time a movement can have.
const noTime = math.MinInt64

// moveStock applies the position changes and writes the journal, position by
// position in the order of their keys.
func (t *transaction) moveStock() error {
	changes := make([]*store.PositionChange, len(t.batch.Positions))
	for i := range t.batch.Positions {
		changes[i] = &t.batch.Positions[i]
	}
	slices.SortFunc(changes, func(a, b *store.PositionChange) int { return compareKeys(a.PositionKey, b.PositionKey) })
	lines := t.lines()

	for len(changes) > 0 || len(lines) > 0 {
		key, change := nextPosition(&changes, lines)
		n := 0
		for n < len(lines) && lines[n].SKU == key.SKU && lines[n].Location == key.Location {
			n++
		}
		if err := t.movePosition(key, change, lines[:n]); err != nil {
			return fmt.Errorf("position %s at %s: %w", key.SKU, key.Location, err)
		}
		lines = lines[n:]
	}
	return nil
}

// lines returns the movements of the batch by position, and within a position in the order of the batch.
func (t *transaction) lines() []line {
	n := 0
	for i := range t.batch.Commits {
		n += len(t.batch.Commits[i].Movements)
	}
	lines := make([]line, 0, n)
	for i := range t.batch.Commits {
		c := &t.batch.Commits[i]
		for j := range c.Movements {
			lines = append(lines, line{&c.Movements[j], t.first + int64(i), c.Time.UnixMicro(), len(lines)})
		}
	}
	slices.SortFunc(lines, func(a, b line) int {
		return cmp.Or(
			compareKeys(inventory.PositionKey{SKU: a.SKU, Location: a.Location}, inventory.PositionKey{SKU: b.SKU, Location: b.Location}),
			cmp.Compare(a.number, b.number))
	})
	return lines
}

// nextPosition returns the lowest key of the changes and lines that are left,
// and takes its change from them when it has one.
func nextPosition(changes *[]*store.PositionChange, lines []line) (inventory.PositionKey, *store.PositionChange) {
	if len(lines) > 0 {
		key := inventory.PositionKey{SKU: lines[0].SKU, Location: lines[0].Location}
		if len(*changes) == 0 || compareKeys(key, (*changes)[0].PositionKey) < 0 {
			return key, &store.PositionChange{PositionKey: key}
		}
	}
	change := (*changes)[0]
	*changes = (*changes)[1:]
	return change.PositionKey, change
}

// movePosition applies one change, which lines explain.
func (t *transaction) movePosition(key inventory.PositionKey, change *store.PositionChange, lines []line) error {
	p, err := t.position(key)
	if err != nil {
		return err
	}
	if change.Need != 0 && p.Available() < change.Need {
		return fmt.Errorf("%w: %d available, %d needed", store.ErrConflict, p.Available(), change.Need)
	}
	p.Position = p.Add(change.Delta)
	if change.Safety != nil {
		p.Safety = *change.Safety
	}
	if !change.AsOf.IsZero() {
		p.AsOf = change.AsOf
	}
	if !change.Changed.IsZero() {
		p.Changed = change.Changed
	}
	for i := range lines {
		p.moves++
		p.moved = max(p.moved, lines[i].time)
		if err := t.journal(&lines[i], &p); err != nil {
			return err
		}
	}
	return t.keep(key, &p)
}

func (t *transaction) position(key inventory.PositionKey) (p balance, err error) {
	s, err := t.prepare(selectPosition)
	if err != nil {
		return p, err
	}
	s.text(key.SKU)
	s.text(key.Location)
	p.moved = noTime
	p.exists, err = s.step()
	if err != nil || !p.exists {
		return p, err
	}
	p.OnHand, p.Reserved, p.Allocated, p.Picked, p.Safety = s.colInt(0), s.colInt(1), s.colInt(2), s.colInt(3), s.colInt(4)
	p.AsOf, p.Changed = s.colTime(5), s.colTime(6)
	p.moves = s.colInt(7)
	if !s.colNull(8) {
		p.moved = s.colInt(8)
	}
	s.reset()
	return p, nil
}

func (t *transaction) journal(l *line, p *balance) error {
	s, err := t.prepare(insertMovement)
	if err != nil {
		return err
	}
	s.text(l.SKU)
	s.text(l.Location)
	s.int(p.moves)
	s.int(l.seq)
	s.int(l.time)
	s.int(p.moved)
	s.int(l.Quantity)
	s.text(string(l.From))
	s.text(string(l.To))
	s.text(l.Reason)
	return s.run()
}

func (t *transaction) keep(key inventory.PositionKey, p *balance) error {
	text := updatePosition
	if !p.exists {
		text = insertPosition
	}
	s, err := t.prepare(text)
	if err != nil {
		return err
	}
	s.int(p.OnHand)
	s.int(p.Reserved)
	s.int(p.Allocated)
	s.int(p.Picked)
	s.int(p.Safety)
	s.time(p.AsOf)
	s.time(p.Changed)
	s.int(p.moves)
	if p.moved == noTime {
		s.null()
	} else {
		s.int(p.moved)
	}
	s.text(key.SKU)
	s.text(key.Location)
	return s.run()
}

// time binds a time in microseconds, and NULL for the zero time.
func (s *stmt) time(v time.Time) {
	if v.IsZero() {
		s.null()
		return
	}
	s.int(v.UnixMicro())
}

// colTime is the time that stmt.time bound.
func (s *stmt) colTime(i int) time.Time {
	if s.colNull(i) {
		return time.Time{}
	}
	return timeOf(s.colInt(i))
}

func timeOf(micros int64) time.Time { return time.UnixMicro(micros).UTC() }
