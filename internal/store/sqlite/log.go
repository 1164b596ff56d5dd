package sqlite

import (
	"context"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/store"
)

const logColumns = "seq, version, time, kind, id, actor, command, node, events, first_move, moves"

func readCommit(s *stmt) (store.Commit, error) {
	movements, err := s.c.movements(s.colInt(9), s.colInt(10))
	return store.Commit{
		Seq: s.colInt(0), Version: s.colInt(1), Time: timeOf(s.colInt(2)),
		Stream: store.Key{Kind: store.Kind(s.colText(3)), ID: s.colText(4)},
		Actor:  s.colText(5), Command: s.colText(6), Node: s.colText(7),
		Events: s.colBlob(8), Movements: movements,
	}, err
}

// movements returns n movements from pk first on; nil for none.
func (c *conn) movements(first, n int64) ([]inventory.Movement, error) {
	if n == 0 {
		return nil, nil
	}
	movements := make([]inventory.Movement, 0, n)
	err := c.query("SELECT sku, location, source, target, quantity, reason FROM movements WHERE pk >= ? AND pk < ? ORDER BY pk",
		func(s *stmt) error {
			movements = append(movements, inventory.Movement{
				SKU: s.colText(0), Location: s.colText(1), From: account(s.colMemory(2)), To: account(s.colMemory(3)),
				Quantity: s.colInt(4), Reason: s.colText(5),
			})
			return nil
		}, first, first+n)
	return movements, err
}

// account returns the name of an account, without a copy of its own for those that are known.
func account(name []byte) inventory.Account {
	switch inventory.Account(name) {
	case inventory.Free:
		return inventory.Free
	case inventory.Reserved:
		return inventory.Reserved
	case inventory.Allocated:
		return inventory.Allocated
	case inventory.Picked:
		return inventory.Picked
	case inventory.Shipped:
		return inventory.Shipped
	case inventory.Supplier:
		return inventory.Supplier
	}
	return inventory.Account(name)
}

// readHead returns the last sequence of the log.
func readHead(c *conn) (head int64, err error) {
	err = c.query("SELECT coalesce(max(seq), 0) FROM log", func(s *stmt) error {
		head = s.colInt(0)
		return nil
	})
	return head, err
}

// readMoves returns the last pk of the movements.
func readMoves(c *conn) (last int64, err error) {
	err = c.query("SELECT coalesce(max(pk), 0) FROM movements", func(s *stmt) error {
		last = s.colInt(0)
		return nil
	})
	return last, err
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
