package sqlite

import (
	"context"

	"github.com/orderly-oms/orderly/internal/store"
)

const logColumns = "seq, version, time, kind, id, actor, command, node, events, movements"

func readCommit(s *stmt) (store.Commit, error) {
	movements, err := parseMovements(s.colMemory(9))
	return store.Commit{
		Seq: s.colInt(0), Version: s.colInt(1), Time: timeOf(s.colInt(2)),
		Stream: store.Key{Kind: store.Kind(s.colText(3)), ID: s.colText(4)},
		Actor:  s.colText(5), Command: s.colText(6), Node: s.colText(7),
		Events: s.colBlob(8), Movements: movements,
	}, err
}

// readHead returns the last sequence of the log.
func readHead(c *conn) (head int64, err error) {
	err = c.query("SELECT coalesce(max(seq), 0) FROM log", func(s *stmt) error {
		head = s.colInt(0)
		return nil
	})
	return head, err
}

// Heads returns the last sequence of each bucket.
func (s *Store) Heads(ctx context.Context) ([]int64, error) {
	heads := make([]int64, 1)
	err := s.view(ctx, func(c *conn) (err error) {
		heads[0], err = readHead(c)
		return err
	})
	if err != nil {
		return nil, err
	}
	return heads, nil
}

// Log returns rows of a bucket with Seq > after, in order.
func (s *Store) Log(ctx context.Context, bucket int, after int64, limit int) ([]store.Commit, error) {
	if bucket != 0 {
		return nil, nil
	}
	return s.commits(ctx, "SELECT "+logColumns+" FROM log WHERE seq > ? ORDER BY seq LIMIT ?", after, int64(limit))
}

// Stream returns the rows of one stream with Version > after, in order.
func (s *Store) Stream(ctx context.Context, key store.Key, after int64, limit int) ([]store.Commit, error) {
	if key.Bucket != 0 {
		return nil, nil
	}
	return s.commits(ctx, "SELECT "+logColumns+" FROM log WHERE kind = ? AND id = ? AND version > ? ORDER BY version LIMIT ?",
		string(key.Kind), key.ID, after, int64(limit))
}

func (s *Store) commits(ctx context.Context, text string, args ...any) ([]store.Commit, error) {
	var commits []store.Commit
	err := s.view(ctx, func(c *conn) error {
		return c.query(text, func(s *stmt) error {
			commit, err := readCommit(s)
			commits = append(commits, commit)
			return err
		}, args...)
	})
	if err != nil {
		return nil, err
	}
	return commits, nil
}

// Cursor returns a reader's saved place, or nil when it has none yet.
func (s *Store) Cursor(ctx context.Context, reader string) ([]int64, error) {
	var seqs []int64
	err := s.view(ctx, func(c *conn) error {
		return c.query("SELECT seq FROM cursors WHERE reader = ?", func(s *stmt) error {
			seqs = []int64{s.colInt(0)}
			return nil
		}, reader)
	})
	return seqs, err
}
