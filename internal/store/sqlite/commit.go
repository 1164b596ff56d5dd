package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/store"
)

// Commit writes the batch in one durable transaction and fills in each commit's
// Seq. The context is only looked at before the transaction begins: a batch is
// short, and one that began is always ended by COMMIT or ROLLBACK.
//
// Returns ErrConflict, ErrFull, ErrUnavailable or ErrBroken; never ErrUnknown,
// because there is no connection to lose.
func (s *Store) Commit(ctx context.Context, b *store.Batch) error {
	if err := checkBatch(b); err != nil {
		return err
	}
	return s.transact(ctx, func(w *conn) error {
		t := transaction{conn: w, batch: b, first: s.head + 1, firstMove: s.moves + 1}
		return t.write()
	}, func() {
		for i := range b.Commits {
			s.head++
			s.moves += int64(len(b.Commits[i].Movements))
			b.Commits[i].Seq = s.head
		}
	})
}

// checkBatch refuses what breaks the port's rules for callers.
func checkBatch(b *store.Batch) error {
	if len(b.Commits) > store.MaxBatchCommits {
		return fmt.Errorf("sqlite: batch of %d commits, at most %d are allowed", len(b.Commits), store.MaxBatchCommits)
	}
	if b.Bucket != 0 {
		return fmt.Errorf("sqlite: batch for bucket %d, there is only bucket 0", b.Bucket)
	}
	for i := range b.Puts {
		if b.Puts[i].Bucket != 0 {
			return fmt.Errorf("sqlite: record %s %s in bucket %d, there is only bucket 0", b.Puts[i].Kind, b.Puts[i].ID, b.Puts[i].Bucket)
		}
	}
	for i := range b.Commits {
		if b.Commits[i].Stream.Bucket != 0 {
			return fmt.Errorf("sqlite: commit on %s %s in bucket %d, there is only bucket 0", b.Commits[i].Stream.Kind, b.Commits[i].Stream.ID, b.Commits[i].Stream.Bucket)
		}
	}
	return nil
}

// transact runs write in a durable transaction, and committed after it became
// durable while the writer is still held.
func (s *Store) transact(ctx context.Context, write func(*conn) error, committed func()) error {
	s.write.Lock()
	defer s.write.Unlock()
	if err := s.brokenError(); err != nil {
		return err
	}
	if s.writer == nil {
		if s.folder == nil {
			return ErrReadOnly
		}
		return errClosed
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	w := s.writer
	err := w.exec("BEGIN IMMEDIATE")
	if err == nil {
		if err = write(w); err == nil {
			err = w.exec("COMMIT")
		}
		if err != nil {
			err = errors.Join(err, w.rollback())
		}
	}
	if err != nil {
		err = mapped(err)
		s.noteBroken(err)
		return err
	}
	committed()
	s.checkpoint.committed(w)
	return nil
}

// rollback ends a transaction that failed. SQLite has already rolled back by
// itself after some errors.
func (c *conn) rollback() error {
	if !c.inTransaction() {
		return nil
	}
	return c.exec("ROLLBACK")
}

// transaction writes one batch.
type transaction struct {
	*conn
	batch     *store.Batch
	first     int64 // sequence of the batch's first log row
	firstMove int64 // pk of its first movement

	chain   chain  // reused from position to position
	scratch []byte // likewise
}

func (t *transaction) write() error {
	if err := t.putRecords(); err != nil {
		return err
	}
	if err := t.appendLog(); err != nil {
		return err
	}
	if err := t.moveStock(); err != nil {
		return err
	}
	return t.rememberAnswers()
}

var insertLog = bulk(`INSERT OR ROLLBACK INTO log (seq, version, time, first_move, moves, kind, id, actor, command, node, events) VALUES`, 11)

func (t *transaction) appendLog() error {
	move := t.firstMove
	err := t.insertRows(insertLog, len(t.batch.Commits), func(s *stmt, i int) {
		c := &t.batch.Commits[i]
		s.int(t.first + int64(i))
		s.int(c.Version)
		s.int(c.Time.UnixMicro())
		s.int(move)
		s.int(int64(len(c.Movements)))
		s.text(string(c.Stream.Kind))
		s.text(c.Stream.ID)
		s.text(c.Actor)
		s.text(c.Command)
		s.text(c.Node)
		s.blob(c.Events)
		move += int64(len(c.Movements))
	})
	if err != nil {
		return fmt.Errorf("log: %w", err)
	}
	return nil
}

const insertAnswer = `INSERT INTO answers (expires, status, key, hash, header, body) VALUES (?, ?, ?, ?, ?, ?)`

func (t *transaction) rememberAnswers() error {
	if len(t.batch.Answers) == 0 {
		return nil
	}
	s, err := t.prepare(insertAnswer)
	if err != nil {
		return err
	}
	for i := range t.batch.Answers {
		a := &t.batch.Answers[i]
		header, err := json.Marshal(a.Header)
		if err != nil {
			return fmt.Errorf("header of answer %q: %w", a.Key, err)
		}
		s.int(a.Expires.UnixMicro())
		s.int(int64(a.Status))
		s.text(a.Key)
		s.blob(a.Hash)
		s.text(string(header))
		s.blob(a.Body)
		if err := s.run(); err != nil {
			return fmt.Errorf("answer %q: %w", a.Key, err)
		}
	}
	return nil
}

// SaveCursor stores a log reader's place durably.
func (s *Store) SaveCursor(ctx context.Context, reader string, seqs []int64) error {
	if len(seqs) != 1 {
		return fmt.Errorf("sqlite: cursor with %d sequences, there is 1 bucket", len(seqs))
	}
	return s.transact(ctx, func(w *conn) error {
		return w.exec(`INSERT INTO cursors (reader, seq) VALUES (?, ?) ON CONFLICT (reader) DO UPDATE SET seq = excluded.seq`,
			reader, seqs[0])
	}, func() {})
}

// Purge removes expired answers and old finished records, at most limit rows of each.
func (s *Store) Purge(ctx context.Context, now time.Time, kind store.Kind, states []string, olderThan time.Time, limit int) (int, error) {
	var gone int
	err := s.transact(ctx, func(w *conn) error {
		err := w.exec(`DELETE FROM answers WHERE pk IN (SELECT pk FROM answers WHERE expires < ? ORDER BY expires LIMIT ?)`,
			now.UnixMicro(), int64(limit))
		if err != nil {
			return err
		}
		gone = w.changes()
		for _, id := range slices.Compact(slices.Sorted(slices.Values(states))) {
			n, err := w.purgeRecords(kind, id, olderThan, limit)
			if err != nil {
				return err
			}
			gone += n
			limit -= n
		}
		return nil
	}, func() {})
	if err != nil {
		return 0, err
	}
	return gone, nil
}

// purgeRecords deletes up to limit records of a kind and state created before a time.
func (c *conn) purgeRecords(kind store.Kind, state string, olderThan time.Time, limit int) (int, error) {
	type row struct {
		pk        int64
		id, terms string
	}
	var rows []row
	err := c.query(`SELECT pk, id, terms FROM records WHERE kind = ? AND state = ? AND created_at < ? ORDER BY id LIMIT ?`,
		func(s *stmt) error {
			rows = append(rows, row{s.colInt(0), s.colText(1), s.colText(2)})
			return nil
		}, string(kind), state, olderThan.UnixMicro(), int64(limit))
	if err != nil {
		return 0, err
	}
	for _, r := range rows {
		if err := c.deleteRecord(r.pk, string(kind), r.id, r.terms); err != nil {
			return 0, err
		}
	}
	return len(rows), nil
}

func compareKeys(a, b inventory.PositionKey) int {
	if c := strings.Compare(a.SKU, b.SKU); c != 0 {
		return c
	}
	return strings.Compare(a.Location, b.Location)
}
