package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/orderly-oms/orderly/internal/store"
)

// maxAttempts is how often Commit sends a batch that the server keeps undoing only
// because of what other nodes do at the same moment.
const maxAttempts = 10

// Commit implements store.Committer. Returns ErrConflict, ErrFull, ErrUnavailable,
// ErrUnknown, or another error when the batch breaks the port's rules or holds what
// PostgreSQL cannot store (text with a zero byte).
//
// A context that ends while the batch is on its way makes the outcome unknown.
func (s *Store) Commit(ctx context.Context, b *store.Batch) error {
	if len(b.Puts)+len(b.Commits)+len(b.Positions)+len(b.Answers) == 0 {
		return nil
	}
	plan, err := s.plan(b)
	if err != nil {
		return err
	}
	creating := false
	for range maxAttempts {
		var heads []int64
		if heads, err = s.send(ctx, plan, creating); err == nil {
			for i, at := range plan.places {
				b.Commits[i].Seq = heads[at.head] - int64(at.back)
			}
			return nil
		}
		failed, ok := errors.AsType[*stepError](err)
		if !ok {
			return err // what became of it is known, or known to be unknown
		}
		if failed.Code == codeDivisionByZero {
			if creating, err = s.explainGuard(ctx, plan, failed.step, b); err != nil {
				return fmt.Errorf("postgres: %w", err)
			}
			continue
		}
		if err = failed.PgError; !isRepeatable(err) {
			break
		}
	}
	if e := pgError(err); e != nil {
		return fmt.Errorf("postgres: commit: %w", serverError(e))
	}
	return fmt.Errorf("postgres: %w: the batch was refused %d times", store.ErrConflict, maxAttempts)
}

// stepError is a server's error at a step before the COMMIT: nothing was written.
type stepError struct {
	*pgconn.PgError
	step statement
}

func (e *stepError) Unwrap() error { return e.PgError }

// send runs the steps as one transaction in one round trip and returns the heads
// after it of the buckets with log rows. Its errors are a *stepError, ErrUnavailable or ErrUnknown.
func (s *Store) send(ctx context.Context, plan *steps, creating bool) (heads []int64, err error) {
	conn, err := s.writes.Acquire(ctx)
	if err != nil {
		if isConnectionError(err) {
			s.reset()
		}
		return nil, fmt.Errorf("postgres: %w: %w", store.ErrUnavailable, err)
	}
	defer conn.Release()
	pg := conn.Conn().PgConn()
	heads, err = exchange(ctx, pg, plan, creating)
	if err != nil && pg.IsClosed() {
		s.reset()
	} else if err != nil {
		// The transaction failed on the server and must be left. If that does
		// not work, the pool drops the connection.
		_ = pg.Exec(ctx, "rollback").Close()
	}
	return heads, err
}

// binaryFormat says that all parameters, or all results, are in binary format.
var binaryFormat = []int16{1}

// exchange sends all steps and reads all results.
func exchange(ctx context.Context, pg *pgconn.PgConn, plan *steps, creating bool) (heads []int64, err error) {
	p := pg.StartPipeline(ctx)
	sent := make([]statement, 0, len(plan.list))
	for _, st := range plan.list {
		if st.whenCreating && !creating {
			continue
		}
		p.SendQueryPrepared(st.name, st.parameters, binaryFormat, binaryFormat)
		sent = append(sent, st.statement)
	}
	if err := p.Sync(); err != nil {
		if pgconn.SafeToRetry(err) {
			return nil, fmt.Errorf("postgres: %w: %w", store.ErrUnavailable, err)
		}
		return nil, fmt.Errorf("postgres: %w: %w", store.ErrUnknown, err)
	}
	var answer []byte // of appendLog
	for _, st := range sent {
		values, err := readResult(p)
		if err != nil {
			// Close reads to the end of the batch, which the server skips.
			_ = p.Close()
			return nil, exchangeError(err, st)
		}
		if st.name == appendLog.name {
			answer = values
		}
	}
	_ = p.Close() // COMMIT was answered: what breaks now breaks nothing of this batch
	if len(plan.heads) == 0 {
		return nil, nil
	}
	if heads, err = decodeInt8Array(answer); err != nil || len(heads) != len(plan.heads) {
		return nil, fmt.Errorf("postgres: %w: its sequences came back as %v (%v)", store.ErrUnknown, heads, err)
	}
	return heads, nil
}

// readResult reads the result of one statement and returns the last value of its only row, if it has one.
func readResult(p *pgconn.Pipeline) ([]byte, error) {
	result, err := p.GetResults()
	if err != nil {
		return nil, err
	}
	reader, ok := result.(*pgconn.ResultReader)
	if !ok {
		return nil, fmt.Errorf("result of type %T", result)
	}
	var value []byte
	for reader.NextRow() {
		if row := reader.Values(); len(row) > 0 {
			value = bytes.Clone(row[len(row)-1])
		}
	}
	_, err = reader.Close()
	return value, err
}

// exchangeError classifies an error while the result of st was awaited. Results come in
// order, so an error that the server reports before COMMIT's turn means that
// COMMIT was not and will not be run. Without a word from the server it may have been.
func exchangeError(err error, st statement) error {
	e := pgError(err)
	switch {
	case e == nil:
		return fmt.Errorf("postgres: %w: %w", store.ErrUnknown, err)
	case st.name != commit.name || e.SeverityUnlocalized == "ERROR":
		return &stepError{PgError: e, step: st}
	}
	return fmt.Errorf("postgres: %w: %w", store.ErrUnknown, e)
}

// explainGuard finds out which row made a guard fail. Returns ErrConflict that names it;
// or creating, when positions are only missing; or neither when the guard would
// hold by now.
func (s *Store) explainGuard(ctx context.Context, plan *steps, st statement, b *store.Batch) (creating bool, err error) {
	switch st.name {
	case changePositions.name:
		return s.explainPositions(ctx, plan)
	case replaceRecords.name, deleteRecords.name, refuseRecords.name:
		return false, s.explainRecords(ctx, b)
	}
	return false, errors.New("the store has lost the head of a log bucket")
}

func (s *Store) explainPositions(ctx context.Context, plan *steps) (missing bool, err error) {
	n := len(plan.positions)
	buckets, skus, locations, needs, hads := make([]int32, n), make([]string, n), make([]string, n), make([]int64, n), make([]*int64, n)
	for i, p := range plan.positions {
		buckets[i], skus[i], locations[i], needs[i], hads[i] = p.bucket, p.SKU, p.Location, p.Need, p.Had
	}
	rows, err := s.reads.Query(ctx, `
select c.sku, c.location, c.need, p.sku is null, coalesce(p.on_hand - p.reserved - p.allocated - p.safety, 0), coalesce(c.had <> coalesce(p.on_hand, 0), false)
from unnest($1::int[], $2::text[], $3::text[], $4::bigint[], $5::bigint[]) with ordinality as c (bucket, sku, location, need, had, n)
left join positions p on p.bucket = c.bucket and p.sku = c.sku collate "C" and p.location = c.location collate "C"
order by c.n`, buckets, skus, locations, needs, hads)
	if err != nil {
		return false, s.explainError(err)
	}
	defer rows.Close()
	for rows.Next() {
		var sku, location string
		var need, available int64
		var absent, moved bool
		if err := rows.Scan(&sku, &location, &need, &absent, &available, &moved); err != nil {
			return false, err
		}
		if need != 0 && available < need {
			return false, fmt.Errorf("%w: %s at %s has %d available and the batch needs %d", store.ErrConflict, sku, location, available, need)
		}
		if moved {
			return false, fmt.Errorf("%w: the stock on hand of %s at %s has changed since the batch was decided", store.ErrConflict, sku, location)
		}
		missing = missing || absent
	}
	return missing, s.explainError(rows.Err())
}

func (s *Store) explainRecords(ctx context.Context, b *store.Batch) error {
	keys := make([]store.Key, len(b.Puts))
	for i := range b.Puts {
		keys[i] = b.Puts[i].Key
	}
	records, err := s.Load(ctx, keys)
	if err != nil {
		return s.explainError(err)
	}
	versions := make(map[store.Key]int64, len(records))
	for i := range records {
		versions[records[i].Key] = records[i].Version
	}
	for i := range b.Puts {
		if p := &b.Puts[i]; versions[p.Key] != p.Base {
			return fmt.Errorf("%w: %s %s has version %d and the batch expects %d", store.ErrConflict, p.Kind, p.ID, versions[p.Key], p.Base)
		}
	}
	return nil
}

// explainError is for a failure to find out why: that a guard failed is certain, and that nothing was written.
func (s *Store) explainError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: a guard did not hold (%v)", store.ErrConflict, err)
}
