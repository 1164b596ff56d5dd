package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

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
			header, err := parseHeader(s.colMemory(3))
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

func parseHeader(text []byte) (header map[string]string, err error) {
	err = json.Unmarshal(text, &header)
	return header, err
}
