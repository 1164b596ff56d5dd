package sqlite

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/store"
)

var _ store.Auditor = (*Store)(nil)

// auditCacheBytes is the page cache of an audit: reading by stream and checking
// indexes jump about in the file.
const auditCacheBytes = 256 << 20

// Audit implements store.Auditor on a connection of its own. As long as it runs
// the write-ahead log keeps what is written meanwhile.
func (s *Store) Audit(ctx context.Context, read func(*store.View) error) error {
	c, err := s.openReader()
	if err != nil {
		return mapped(err)
	}
	err = c.audit(ctx, read, func() (store.Inspection, error) { return s.inspect(ctx) })
	if end := c.close(); err == nil {
		err = end
	}
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return mapped(err)
}

// begin starts reading one state of the file.
func (c *conn) begin() error {
	return errors.Join(c.exec(fmt.Sprintf("PRAGMA cache_size = -%d", auditCacheBytes/1024)), c.exec("BEGIN"))
}

func (c *conn) audit(ctx context.Context, read func(*store.View) error, inspect func() (store.Inspection, error)) error {
	if err := c.begin(); err != nil {
		return err
	}
	defer c.interruptible(ctx)()
	head, err := readHead(c) // the first read fixes the view
	if err != nil {
		return err
	}
	return read(&store.View{
		Heads: []int64{head},
		Log:   rows(c, "SELECT "+logColumns+" FROM log ORDER BY seq", readCommit),
		Streams: rows(c, "SELECT seq, version, time, kind, id, actor, command, node, events, 0, 0 FROM log INDEXED BY log_stream ORDER BY kind, id, version",
			readCommit),
		Records: rows(c, "SELECT "+recordColumns+" FROM records r INDEXED BY records_id ORDER BY kind, id",
			func(s *stmt) (store.Record, error) { return readRecord(s), nil }),
		Journal: rows(c, "SELECT seq, position_seq, time, sku, location, source, target, quantity, reason FROM movements ORDER BY pk", readLine),
		Positions: rows(c, "SELECT sku, location, on_hand, reserved, allocated, picked, safety, as_of, changed, moves FROM positions ORDER BY sku, location",
			readPositionRow),
		Answers: rows(c, "SELECT key, expires, status, hash, header, body FROM answers ORDER BY pk", readAnswer),
		Device:  inspect,
	})
}

var errEnough = errors.New("the reader wants no more rows")

// rows is a query as a sequence.
func rows[T any](c *conn, text string, read func(*stmt) (T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		err := c.query(text, func(s *stmt) error {
			v, err := read(s)
			if err == nil && !yield(v, nil) {
				err = errEnough
			}
			return err
		})
		if err != nil && !errors.Is(err, errEnough) {
			var none T
			yield(none, mapped(err))
		}
	}
}

func readLine(s *stmt) (store.JournalLine, error) {
	return store.JournalLine{
		Seq: s.colInt(0), PositionSeq: s.colInt(1), Time: timeOf(s.colInt(2)),
		Movement: inventory.Movement{
			SKU: s.colText(3), Location: s.colText(4), From: account(s.colMemory(5)), To: account(s.colMemory(6)),
			Quantity: s.colInt(7), Reason: s.colText(8),
		},
	}, nil
}

func readPositionRow(s *stmt) (store.PositionRow, error) {
	return store.PositionRow{
		Position: inventory.Position{
			SKU: s.colText(0), Location: s.colText(1),
			OnHand: s.colInt(2), Reserved: s.colInt(3), Allocated: s.colInt(4), Picked: s.colInt(5), Safety: s.colInt(6),
			AsOf: s.colTime(7), Changed: s.colTime(8),
		},
		Moves: s.colInt(9),
	}, nil
}

func readAnswer(s *stmt) (store.Answer, error) {
	a := store.Answer{Key: s.colText(0), Expires: timeOf(s.colInt(1)), Status: int(s.colInt(2)), Hash: s.colBlob(3), Body: s.colBlob(5)}
	var err error
	if a.Header, err = parseHeader(s.colMemory(4)); err != nil {
		err = fmt.Errorf("header of answer %q: %w", a.Key, err)
	}
	return a, err
}

// inspect runs the inspection on a connection of its own.
func (s *Store) inspect(ctx context.Context) (found store.Inspection, err error) {
	c, err := s.openReader()
	if err != nil {
		return found, mapped(err)
	}
	defer c.close()
	if err := c.begin(); err != nil {
		return found, mapped(err)
	}
	defer c.interruptible(ctx)()
	return c.inspect()
}

// inspect looks at pages, indexes and the links of the journal.
func (c *conn) inspect() (store.Inspection, error) {
	var found store.Inspection
	for _, test := range []struct {
		name, text string
		fault      func(*stmt) string
	}{
		{"PRAGMA integrity_check", fmt.Sprintf("PRAGMA integrity_check(%d)", store.MaxInspectionFaults), func(s *stmt) string {
			return strings.TrimPrefix("integrity_check: "+s.colText(0), "integrity_check: ok")
		}},
		{"PRAGMA foreign_key_check", "PRAGMA foreign_key_check", func(s *stmt) string {
			return fmt.Sprintf("foreign_key_check: row %d of table %s", s.colInt(1), s.colText(0))
		}},
		{"links of the journal", brokenLinks, func(s *stmt) string {
			return fmt.Sprintf("line %d of the journal of %s at %s (movements.pk %d) does not link to the lines before it", s.colInt(0), s.colText(1), s.colText(2), s.colInt(3))
		}},
	} {
		found.Tests = append(found.Tests, test.name)
		err := c.query(test.text, func(s *stmt) error {
			if f := test.fault(s); f != "" && len(found.Faults) < store.MaxInspectionFaults {
				found.Faults = append(found.Faults, f)
			}
			return nil
		})
		if err != nil {
			return found, mapped(err)
		}
	}
	return found, c.inspectChains(&found)
}

// brokenLinks finds lines whose links lead anywhere but to line n − 1 and to
// line n with its lowest set bit cleared (see chain).
const brokenLinks = `SELECT m.position_seq, m.sku, m.location, m.pk FROM movements m
LEFT JOIN movements p ON p.pk = m.previous
LEFT JOIN movements k ON k.pk = m.skip
WHERE (m.position_seq > 1 AND (p.pk IS NULL OR p.position_seq <> m.position_seq - 1 OR p.sku <> m.sku OR p.location <> m.location))
   OR (m.position_seq & (m.position_seq - 1) > 0
       AND (k.pk IS NULL OR k.position_seq <> m.position_seq & (m.position_seq - 1) OR k.sku <> m.sku OR k.location <> m.location))
LIMIT 100`

// inspectChains checks that each position knows where its journal is.
func (c *conn) inspectChains(found *store.Inspection) error {
	found.Tests = append(found.Tests, "places of the journal in positions")
	return mapped(c.query("SELECT sku, location, moves, chain FROM positions", func(s *stmt) error {
		known := readChain(nil, s.colMemory(3))
		sku, location := s.colText(0), s.colText(1)
		n := s.colInt(2)
		ok := true
		for i := len(known) - 1; ok && i >= 0; i-- {
			ok = false
			err := c.query("SELECT position_seq, sku, location FROM movements WHERE pk = ?", func(m *stmt) error {
				ok = m.colInt(0) == n && m.colText(1) == sku && m.colText(2) == location
				return nil
			}, known[i])
			if err != nil {
				return err
			}
			n &= n - 1
		}
		if (!ok || n != 0) && len(found.Faults) < store.MaxInspectionFaults {
			found.Faults = append(found.Faults, fmt.Sprintf("position %s at %s does not know where its journal is", sku, location))
		}
		return nil
	}))
}
