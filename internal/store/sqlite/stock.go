package sqlite

import (
	"cmp"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/store"
)

const (
	selectPosition = `SELECT on_hand, reserved, allocated, picked, safety, as_of, changed, moves, moved, chain
FROM positions WHERE sku = ? AND location = ?`
	insertPosition = `INSERT INTO positions (on_hand, reserved, allocated, picked, safety, as_of, changed, moves, moved, chain, sku, location)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	updatePosition = `UPDATE positions
SET on_hand = ?, reserved = ?, allocated = ?, picked = ?, safety = ?, as_of = ?, changed = ?, moves = ?, moved = ?, chain = ?
WHERE sku = ? AND location = ?`
)

var insertMovement = bulk(`INSERT OR ROLLBACK INTO movements (pk, seq, position_seq, previous, skip, time, ahead, quantity, sku, location, source, target, reason) VALUES`, 13)

// balance is a row of positions.
type balance struct {
	inventory.Position
	moves  int64
	moved  int64 // µs
	chain  chain
	exists bool
}

// noTime is before every time a movement can have, and the greatest time of no movements.
const noTime = math.MinInt64

// line is one movement of the batch and its place in the journal.
type line struct {
	*inventory.Movement
	seq         int64 // log row
	time        int64 // µs
	positionSeq int64
	previous    int64
	skip        int64
	ahead       int64
}

func (l *line) key() inventory.PositionKey {
	return inventory.PositionKey{SKU: l.SKU, Location: l.Location}
}

// moveStock applies the position changes, position by position in the order of
// their keys, and writes the journal in the order of the batch.
func (t *transaction) moveStock() error {
	changes := make([]*store.PositionChange, len(t.batch.Positions))
	for i := range t.batch.Positions {
		changes[i] = &t.batch.Positions[i]
	}
	slices.SortFunc(changes, func(a, b *store.PositionChange) int { return compareKeys(a.PositionKey, b.PositionKey) })
	lines := t.lines()
	sorted := make([]int, len(lines))
	for i := range sorted {
		sorted[i] = i
	}
	slices.SortFunc(sorted, func(a, b int) int {
		return cmp.Or(compareKeys(lines[a].key(), lines[b].key()), cmp.Compare(a, b))
	})

	for rest := sorted; len(changes) > 0 || len(rest) > 0; {
		change := nextPosition(&changes, lines, rest)
		n := 0
		for n < len(rest) && lines[rest[n]].key() == change.PositionKey {
			n++
		}
		if err := t.movePosition(change, lines, rest[:n]); err != nil {
			return fmt.Errorf("position %s at %s: %w", change.SKU, change.Location, err)
		}
		rest = rest[n:]
	}
	return t.appendJournal(lines)
}

// lines returns the movements of the batch in their order.
func (t *transaction) lines() []line {
	n := 0
	for i := range t.batch.Commits {
		n += len(t.batch.Commits[i].Movements)
	}
	lines := make([]line, 0, n)
	for i := range t.batch.Commits {
		c := &t.batch.Commits[i]
		for j := range c.Movements {
			lines = append(lines, line{Movement: &c.Movements[j], seq: t.first + int64(i), time: c.Time.UnixMicro()})
		}
	}
	return lines
}

// nextPosition takes the change with the lowest key; a position that is moved
// without a change is given an empty one.
func nextPosition(changes *[]*store.PositionChange, lines []line, sorted []int) *store.PositionChange {
	if len(sorted) > 0 {
		key := lines[sorted[0]].key()
		if len(*changes) == 0 || compareKeys(key, (*changes)[0].PositionKey) < 0 {
			return &store.PositionChange{PositionKey: key}
		}
	}
	change := (*changes)[0]
	*changes = (*changes)[1:]
	return change
}

// movePosition applies one change and numbers and links the lines that explain it.
func (t *transaction) movePosition(change *store.PositionChange, lines []line, mine []int) error {
	p, err := t.position(change.PositionKey)
	if err != nil {
		return err
	}
	if change.Need != 0 && p.Available() < change.Need {
		return fmt.Errorf("%w: %d available, %d needed", store.ErrConflict, p.Available(), change.Need)
	}
	if change.Had != nil && p.OnHand != *change.Had {
		return fmt.Errorf("%w: %d on hand, the batch is for %d", store.ErrConflict, p.OnHand, *change.Had)
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
	for _, i := range mine {
		l := &lines[i]
		p.moves++
		p.moved = max(p.moved, l.time)
		l.positionSeq, l.ahead = p.moves, p.moved-l.time
		l.previous, l.skip = p.chain.push(p.moves, t.firstMove+int64(i))
	}
	return t.keep(change.PositionKey, &p)
}

func (t *transaction) position(key inventory.PositionKey) (p balance, err error) {
	s, err := t.prepare(selectPosition)
	if err != nil {
		return p, err
	}
	s.text(key.SKU)
	s.text(key.Location)
	p.moved = noTime
	p.chain = t.chain[:0]
	p.exists, err = s.step()
	if err != nil || !p.exists {
		return p, err
	}
	p.OnHand, p.Reserved, p.Allocated, p.Picked, p.Safety = s.colInt(0), s.colInt(1), s.colInt(2), s.colInt(3), s.colInt(4)
	p.AsOf, p.Changed = s.colTime(5), s.colTime(6)
	p.moves, p.moved = s.colInt(7), s.colInt(8)
	p.chain = readChain(p.chain, s.colMemory(9))
	s.reset()
	if len(p.chain) != bits.OnesCount64(uint64(p.moves)) {
		return p, brokenJournal(key.SKU, key.Location, p.moves)
	}
	return p, nil
}

func brokenJournal(sku, location string, n int64) error {
	return fmt.Errorf("%w: journal of %s at %s is damaged at line %d", store.ErrBroken, sku, location, n)
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
	t.chain = p.chain
	t.scratch = p.chain.append(t.scratch[:0])
	s.int(p.OnHand)
	s.int(p.Reserved)
	s.int(p.Allocated)
	s.int(p.Picked)
	s.int(p.Safety)
	s.time(p.AsOf)
	s.time(p.Changed)
	s.int(p.moves)
	s.int(p.moved)
	s.blob(t.scratch)
	s.text(key.SKU)
	s.text(key.Location)
	return s.run()
}

func (t *transaction) appendJournal(lines []line) error {
	err := t.insertRows(insertMovement, len(lines), func(s *stmt, i int) {
		l := &lines[i]
		s.int(t.firstMove + int64(i))
		s.int(l.seq)
		s.int(l.positionSeq)
		s.int(l.previous)
		s.int(l.skip)
		s.int(l.time)
		s.int(l.ahead)
		s.int(l.Quantity)
		s.text(l.SKU)
		s.text(l.Location)
		s.text(string(l.From))
		s.text(string(l.To))
		s.text(l.Reason)
	})
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return nil
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
