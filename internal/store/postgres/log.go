package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/store"
)

// Heads implements store.LogReader. Returns ErrUnavailable.
func (s *Store) Heads(ctx context.Context) ([]int64, error) {
	rows, err := s.reads.Query(ctx, "select seq from log_heads where bucket < $1 order by bucket", s.buckets)
	return collect(s, rows, err, pgx.RowTo[int64])
}

const logColumns = `bucket, seq, kind, id, version, time, actor, command, node, events`

func scanCommit(row pgx.CollectableRow) (store.Commit, error) {
	var c store.Commit
	var at int64
	err := row.Scan(&c.Stream.Bucket, &c.Seq, &c.Stream.Kind, &c.Stream.ID, &c.Version, &at, &c.Actor, &c.Command, &c.Node, &c.Events)
	c.Time = fromMicros(at)
	return c, err
}

// Log implements store.LogReader. Returns ErrUnavailable.
func (s *Store) Log(ctx context.Context, bucket int, after int64, limit int) ([]store.Commit, error) {
	rows, err := s.reads.Query(ctx, "select "+logColumns+" from log where bucket = $1 and seq > $2 order by seq limit $3", bucket, after, limit)
	commits, err := collect(s, rows, err, scanCommit)
	if err != nil || len(commits) == 0 {
		return nil, err
	}
	rows, err = s.reads.Query(ctx, "select "+movementColumns+" from movements where log_bucket = $1 and log_seq > $2 and log_seq <= $3",
		bucket, after, commits[len(commits)-1].Seq)
	return s.attachMovements(commits, rows, err)
}

// Stream implements store.LogReader. Returns ErrUnavailable.
func (s *Store) Stream(ctx context.Context, key store.Key, after int64, limit int) ([]store.Commit, error) {
	rows, err := s.reads.Query(ctx, "select "+logColumns+` from log
where bucket = $1 and kind = $2 and id = $3 and version > $4 order by version limit $5`, key.Bucket, string(key.Kind), key.ID, after, limit)
	commits, err := collect(s, rows, err, scanCommit)
	if err != nil || len(commits) == 0 {
		return nil, err
	}
	seqs := make([]int64, len(commits))
	for i := range commits {
		seqs[i] = commits[i].Seq
	}
	rows, err = s.reads.Query(ctx, "select "+movementColumns+" from movements where log_bucket = $1 and log_seq = any($2::bigint[])", key.Bucket, seqs)
	return s.attachMovements(commits, rows, err)
}

const movementColumns = `log_seq, line, sku, location, from_account, to_account, quantity, reason`

// attachMovements puts each movement of rows into its commit, at its line.
func (s *Store) attachMovements(commits []store.Commit, rows pgx.Rows, err error) ([]store.Commit, error) {
	if err != nil {
		return nil, s.readError(err)
	}
	defer rows.Close()
	bySeq := make(map[int64]*store.Commit, len(commits))
	for i := range commits {
		bySeq[commits[i].Seq] = &commits[i]
	}
	for rows.Next() {
		var seq int64
		var line int
		var m inventory.Movement
		if err := rows.Scan(&seq, &line, &m.SKU, &m.Location, &m.From, &m.To, &m.Quantity, &m.Reason); err != nil {
			return nil, err
		}
		c := bySeq[seq]
		if c == nil {
			return nil, fmt.Errorf("postgres: movement of log row %d that was not read", seq)
		}
		if need := line + 1 - len(c.Movements); need > 0 {
			c.Movements = append(c.Movements, make([]inventory.Movement, need)...)
		}
		c.Movements[line] = m
	}
	if err := rows.Err(); err != nil {
		return nil, s.readError(err)
	}
	return commits, nil
}

// Cursor implements store.LogReader. Returns ErrUnavailable.
func (s *Store) Cursor(ctx context.Context, reader string) ([]int64, error) {
	rows, err := s.reads.Query(ctx, `select c.seq from generate_series(0, $1::int - 1) b
join cursors c on c.bucket = b and c.reader = $2 order by b`, s.buckets, reader)
	seqs, err := collect(s, rows, err, pgx.RowTo[int64])
	if err != nil || len(seqs) == 0 {
		return nil, err
	}
	if len(seqs) != s.buckets {
		return nil, fmt.Errorf("postgres: cursor %s has %d places for %d buckets", reader, len(seqs), s.buckets)
	}
	return seqs, nil
}

// SaveCursor implements store.Committer. Returns ErrUnavailable, also when the
// outcome is unknown: a place that is too old only repeats work.
func (s *Store) SaveCursor(ctx context.Context, reader string, seqs []int64) error {
	if len(seqs) != s.buckets {
		return fmt.Errorf("postgres: cursor %s with %d places for %d buckets", reader, len(seqs), s.buckets)
	}
	_, err := s.writes.Exec(ctx, `insert into cursors (bucket, reader, seq)
select n - 1, $1, seq from unnest($2::bigint[]) with ordinality as c (seq, n) order by n
on conflict (bucket, reader) do update set seq = excluded.seq`, reader, seqs)
	return s.readError(err)
}
