package sqlite

import (
	"context"
	"encoding/binary"
	"math/bits"
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/store"
)

// The lines of a position lie scattered over the journal, which is in the order
// of the log. An index over (sku, location, position_seq) would find them, but
// each line would dirty a random page of it: measured, 160 of the 586 pages that a
// batch of 64 captures wrote. Instead the lines are linked backwards.
//
// Line n points to line n−1 and to line n with its lowest set bit cleared, so
// that any line is a few jumps (the square of the number's bits at worst) from
// the last one. chain is what is needed to write these links without reading
// earlier lines: the pks of the lines whose numbers are the leading set bits of
// the position's moves. After 13 = 0b1101 moves these are lines 8, 12 and 13.
type chain []int64

// push returns the links of line n, which has the given pk, and adds it.
func (c *chain) push(n, pk int64) (previous, skip int64) {
	if len(*c) > 0 {
		previous = (*c)[len(*c)-1]
	}
	keep := bits.OnesCount64(uint64(n)) - 1
	if keep > 0 {
		skip = (*c)[keep-1]
	}
	*c = append((*c)[:keep], pk)
	return previous, skip
}

// seek returns the nearest known line at or after n: its number and pk.
func (c chain) seek(moves, n int64) (number, pk int64) {
	number = moves
	for i := len(c) - 1; i >= 0; i-- {
		pk = c[i]
		if number&(number-1) < n {
			return number, pk
		}
		number &= number - 1
	}
	return number, pk
}

func (c chain) append(b []byte) []byte {
	for _, pk := range c {
		b = binary.AppendUvarint(b, uint64(pk))
	}
	return b
}

func readChain(c chain, b []byte) chain {
	for len(b) > 0 {
		pk, n := binary.Uvarint(b)
		if n <= 0 {
			break // not written by append; the links that are missing fail the walk
		}
		c = append(c, int64(pk))
		b = b[n:]
	}
	return c
}

const selectChain = `SELECT moves, moved, chain FROM positions WHERE sku = ? AND location = ?`

// walk is a reader's place in the journal of a position.
type walk struct {
	*conn
	moves  int64 // lines of the position
	moved  int64 // greatest time of them, µs
	chain  chain
	number int64 // of the line read last
	pk     int64
	seq    int64
	time   int64 // µs
	ahead  int64 // µs
	links  [2]int64
	inventory.Movement
}

// walkJournal returns a walk of a position; without lines when there is no such position.
func (c *conn) walkJournal(key inventory.PositionKey) (*walk, error) {
	w := &walk{conn: c, Movement: inventory.Movement{SKU: key.SKU, Location: key.Location}}
	err := c.query(selectChain, func(s *stmt) error {
		w.moves, w.moved = s.colInt(0), s.colInt(1)
		w.chain = readChain(nil, s.colMemory(2))
		return nil
	}, key.SKU, key.Location)
	return w, err
}

// to reads line n; the next call must ask for an earlier line.
func (w *walk) to(n int64) error {
	if w.pk == 0 {
		w.number, w.pk = w.chain.seek(w.moves, n)
		if err := w.load(); err != nil {
			return err
		}
	}
	for w.number > n {
		if skipped := w.number & (w.number - 1); skipped >= n {
			w.number, w.pk = skipped, w.links[1]
		} else {
			w.number, w.pk = w.number-1, w.links[0]
		}
		if err := w.load(); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) load() error {
	found := false
	err := w.query("SELECT seq, previous, skip, time, ahead, quantity, source, target, reason FROM movements WHERE pk = ? AND position_seq = ?",
		func(s *stmt) error {
			found = true
			w.seq, w.links, w.time, w.ahead = s.colInt(0), [2]int64{s.colInt(1), s.colInt(2)}, s.colInt(3), s.colInt(4)
			w.Quantity, w.From, w.To, w.Reason = s.colInt(5), account(s.colMemory(6)), account(s.colMemory(7)), s.colText(8)
			return nil
		}, w.pk, w.number)
	if err == nil && !found {
		return brokenJournal(w.SKU, w.Location, w.number)
	}
	return err
}

// Journal returns the lines of a position with PositionSeq > after, in order.
func (s *Store) Journal(ctx context.Context, key inventory.PositionKey, after int64, limit int) ([]store.JournalLine, error) {
	var lines []store.JournalLine
	err := s.view(ctx, func(c *conn) error {
		w, err := c.walkJournal(key)
		if err != nil {
			return err
		}
		after = max(after, 0)
		for n := min(w.moves, after+int64(limit)); n > after; n-- {
			if err := w.to(n); err != nil {
				return err
			}
			line, err := w.line()
			if err != nil {
				return err
			}
			lines = append(lines, line)
		}
		slices.Reverse(lines)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return lines, nil
}

// line is the line the walk is at, with its stream.
func (w *walk) line() (store.JournalLine, error) {
	line := store.JournalLine{Movement: w.Movement, PositionSeq: w.number, Seq: w.seq, Time: timeOf(w.time)}
	err := w.query("SELECT kind, id FROM log WHERE seq = ?", func(s *stmt) error {
		line.Stream = store.Key{Kind: store.Kind(s.colText(0)), ID: s.colText(1)}
		return nil
	}, w.seq)
	return line, err
}

// OnHandSince returns the net change of OnHand by movements with Time after t.
// It reads each journal backwards and stops where no earlier line is later than t.
func (s *Store) OnHandSince(ctx context.Context, keys []inventory.PositionKey, t time.Time) (map[inventory.PositionKey]int64, error) {
	changes := map[inventory.PositionKey]int64{}
	since := t.UnixMicro()
	err := s.view(ctx, func(c *conn) error {
		for _, key := range keys {
			w, err := c.walkJournal(key)
			if err != nil {
				return err
			}
			if err := w.onHandSince(changes, key, since); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return changes, nil
}

func (w *walk) onHandSince(changes map[inventory.PositionKey]int64, key inventory.PositionKey, since int64) error {
	if w.moved <= since {
		return nil
	}
	var sum int64
	found := false
	for n := w.moves; n > 0; n-- {
		if err := w.to(n); err != nil {
			return err
		}
		if w.time+w.ahead <= since {
			break
		}
		if w.time > since {
			sum += w.Delta().OnHand
			found = true
		}
	}
	if found {
		changes[key] = sum
	}
	return nil
}
