package sqlite

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/store"
)

const recordColumns = "r.kind, r.id, r.version, r.state, r.wake, r.channel, r.external_id, r.created_at, r.body"

func readRecord(s *stmt) store.Record {
	return store.Record{
		Key:     store.Key{Kind: store.Kind(s.colText(0)), ID: s.colText(1)},
		Version: s.colInt(2), State: s.colText(3), Wake: s.colTime(4),
		Channel: s.colText(5), ExternalID: s.colText(6), CreatedAt: timeOf(s.colInt(7)),
		Body: s.colBlob(8),
	}
}

// Load returns the records that exist among keys.
func (s *Store) Load(ctx context.Context, keys []store.Key) ([]store.Record, error) {
	var records []store.Record
	err := s.view(ctx, func(c *conn) error {
		for _, k := range keys {
			if k.Bucket != 0 {
				continue // nothing is stored there
			}
			err := c.query("SELECT "+recordColumns+" FROM records r WHERE kind = ? AND id = ?", func(s *stmt) error {
				records = append(records, readRecord(s))
				return nil
			}, string(k.Kind), k.ID)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return records, nil
}

// view runs f in one read transaction, which the end of the context interrupts.
func (s *Store) view(ctx context.Context, f func(*conn) error) error {
	err := s.read(ctx, func(c *conn) error {
		if err := c.exec("BEGIN"); err != nil {
			return err
		}
		done := c.interruptible(ctx)
		err := f(c)
		done()
		if end := c.rollback(); err == nil {
			err = end
		}
		return err
	})
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// Find returns a page of records. Which SQL text is used depends only on which
// fields are set, so the texts are a fixed set.
func (s *Store) Find(ctx context.Context, q store.Query) ([]store.Record, error) {
	if q.Limit < 1 || q.Limit > 1000 {
		return nil, fmt.Errorf("sqlite: limit of %d records, must be between 1 and 1000", q.Limit)
	}
	var records []store.Record
	err := s.view(ctx, func(c *conn) error {
		f := filter{}
		// CROSS JOIN fixes the order: terms first.
		from := "records r"
		id := "r.id"
		if q.Term != "" {
			from, id = "record_terms t CROSS JOIN records r ON r.kind = t.kind AND r.id = t.id", "t.id"
			f.and("t.kind = ?", string(q.Kind))
			f.and("t.term = ?", q.Term)
		} else {
			f.and("r.kind = ?", string(q.Kind))
		}
		if err := f.restrict(c, q, id); err != nil {
			return err
		}
		order := " DESC"
		if q.Ascending {
			order = " ASC"
		}
		return c.query("SELECT "+recordColumns+" FROM "+from+" WHERE "+f.text.String()+" ORDER BY "+id+order+" LIMIT ?",
			func(s *stmt) error {
				records = append(records, readRecord(s))
				return nil
			}, append(f.args, int64(q.Limit))...)
	})
	if err != nil {
		return nil, err
	}
	return records, nil
}

// filter is the WHERE clause of a Find.
type filter struct {
	text strings.Builder
	args []any
}

func (f *filter) and(text string, args ...any) {
	if f.text.Len() > 0 {
		f.text.WriteString(" AND ")
	}
	f.text.WriteString(text)
	f.args = append(f.args, args...)
}

func (f *filter) restrict(c *conn, q store.Query, id string) error {
	if q.State != "" {
		f.and("r.state = ?", q.State)
	}
	if q.Channel != "" {
		f.and("r.channel = ?", q.Channel)
	}
	if q.ExternalID != "" {
		f.and("r.external_id = ?", q.ExternalID)
		f.and("r.external_id <> ''") // lets SQLite use the partial index
	}
	switch {
	case q.Before != "" && q.Ascending:
		f.and(id+" > ?", q.Before)
	case q.Before != "":
		f.and(id+" < ?", q.Before)
	}
	return f.created(c, q, id)
}

// created restricts the time of creation. Ids mostly follow that time, so the
// lowest and the highest id within the time range bound what must be looked at;
// they come from an index alone.
func (f *filter) created(c *conn, q store.Query, id string) error {
	if q.CreatedFrom.IsZero() && q.CreatedBefore.IsZero() {
		return nil
	}
	from, before := int64(noTime), int64(1<<63-1)
	if !q.CreatedFrom.IsZero() {
		from = q.CreatedFrom.UnixMicro()
	}
	if !q.CreatedBefore.IsZero() {
		before = q.CreatedBefore.UnixMicro()
	}
	var low, high string
	err := c.query("SELECT min(id), max(id) FROM records INDEXED BY records_created WHERE kind = ? AND created_at >= ? AND created_at < ?",
		func(s *stmt) error {
			low, high = s.colText(0), s.colText(1)
			return nil
		}, string(q.Kind), from, before)
	if err != nil {
		return err
	}
	f.and("+r.created_at >= ? AND +r.created_at < ?", from, before)
	f.and(id+" BETWEEN ? AND ?", low, high)
	return nil
}

// Due returns keys of records whose wake time is at or before now, soonest first.
func (s *Store) Due(ctx context.Context, bucket int, now time.Time, limit int) ([]store.Key, error) {
	var keys []store.Key
	if bucket != 0 {
		return nil, nil
	}
	err := s.view(ctx, func(c *conn) error {
		return c.query("SELECT kind, id FROM records WHERE wake <= ? ORDER BY wake, kind, id LIMIT ?", func(s *stmt) error {
			keys = append(keys, store.Key{Kind: store.Kind(s.colText(0)), ID: s.colText(1)})
			return nil
		}, now.UnixMicro(), int64(limit))
	})
	if err != nil {
		return nil, err
	}
	return keys, nil
}

// Answer returns the remembered answer, or ErrNotFound.
func (s *Store) Answer(ctx context.Context, bucket int, key string) (*store.Answer, error) {
	var a *store.Answer
	if bucket != 0 {
		return nil, store.ErrNotFound
	}
	err := s.view(ctx, func(c *conn) error {
		return c.query("SELECT expires, status, hash, header, body FROM answers WHERE key = ?", func(s *stmt) error {
			header, err := parseHeader(s.colText(3))
			if err != nil {
				return fmt.Errorf("header of answer %q: %w", key, err)
			}
			a = &store.Answer{
				Key: key, Expires: timeOf(s.colInt(0)), Status: int(s.colInt(1)),
				Hash: s.colBlob(2), Header: header, Body: s.colBlob(4),
			}
			return nil
		}, key)
	})
	if err != nil {
		return nil, err
	}
	if a == nil {
		return nil, store.ErrNotFound
	}
	return a, nil
}

// Journal returns the lines of a position with PositionSeq > after, in order.
func (s *Store) Journal(ctx context.Context, key inventory.PositionKey, after int64, limit int) ([]store.JournalLine, error) {
	var lines []store.JournalLine
	err := s.view(ctx, func(c *conn) error {
		return c.query(`SELECT m.position_seq, m.seq, m.time, m.quantity, m.source, m.target, m.reason, l.kind, l.id
FROM movements m CROSS JOIN log l ON l.seq = m.seq
WHERE m.sku = ? AND m.location = ? AND m.position_seq > ? ORDER BY m.position_seq LIMIT ?`, func(s *stmt) error {
			lines = append(lines, store.JournalLine{
				PositionSeq: s.colInt(0), Seq: s.colInt(1), Time: timeOf(s.colInt(2)),
				Movement: inventory.Movement{
					SKU: key.SKU, Location: key.Location, Quantity: s.colInt(3),
					From: account(s.colText(4)), To: account(s.colText(5)), Reason: s.colText(6),
				},
				Stream: store.Key{Kind: store.Kind(s.colText(7)), ID: s.colText(8)},
			})
			return nil
		}, key.SKU, key.Location, after, int64(limit))
	})
	if err != nil {
		return nil, err
	}
	return lines, nil
}

// OnHandSince returns the net change of OnHand by movements with Time after t.
// It reads each journal backwards and stops where no earlier movement is later than t.
func (s *Store) OnHandSince(ctx context.Context, keys []inventory.PositionKey, t time.Time) (map[inventory.PositionKey]int64, error) {
	changes := map[inventory.PositionKey]int64{}
	since := t.UnixMicro()
	err := s.view(ctx, func(c *conn) error {
		for _, key := range keys {
			if err := c.onHandSince(changes, key, since); err != nil {
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

func (c *conn) onHandSince(changes map[inventory.PositionKey]int64, key inventory.PositionKey, since int64) error {
	st, err := c.prepare(`SELECT time, moved, quantity, source, target FROM movements
WHERE sku = ? AND location = ? ORDER BY position_seq DESC`)
	if err != nil {
		return err
	}
	var sum int64
	found := false
	st.text(key.SKU)
	st.text(key.Location)
	for {
		more, err := st.step()
		if err != nil {
			return err
		}
		if !more {
			break
		}
		if st.colInt(1) <= since {
			st.reset()
			break
		}
		if st.colInt(0) > since {
			m := inventory.Movement{Quantity: st.colInt(2), From: account(st.colText(3)), To: account(st.colText(4))}
			sum += m.Delta().OnHand
			found = true
		}
	}
	if found {
		changes[key] = sum
	}
	return nil
}
