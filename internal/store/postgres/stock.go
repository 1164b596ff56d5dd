package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/store"
)

// Journal implements store.Reader. Returns ErrUnavailable.
func (s *Store) Journal(ctx context.Context, key inventory.PositionKey, after int64, limit int) ([]store.JournalLine, error) {
	rows, err := s.reads.Query(ctx, `
select m.position_seq, m.from_account, m.to_account, m.quantity, m.reason, m.log_bucket, m.log_seq, m.time, l.kind, l.id
from movements m join log l on l.bucket = m.log_bucket and l.seq = m.log_seq
where m.bucket = $1 and m.sku = $2 and m.location = $3 and m.position_seq > $4
order by m.position_seq limit $5`, s.positionBucket(key.SKU), key.SKU, key.Location, after, limit)
	return collect(s, rows, err, func(row pgx.CollectableRow) (store.JournalLine, error) {
		var j store.JournalLine
		var at int64
		j.SKU, j.Location = key.SKU, key.Location
		err := row.Scan(&j.PositionSeq, &j.From, &j.To, &j.Quantity, &j.Reason, &j.Bucket, &j.Seq, &at, &j.Stream.Kind, &j.Stream.ID)
		j.Stream.Bucket, j.Time = j.Bucket, fromMicros(at)
		return j, err
	})
}

const (
	// sinceFirstLines is how many of its newest movements OnHandSince first looks at
	// per position; sinceGrowth multiplies it for the positions where they were all too new.
	sinceFirstLines = 64
	sinceGrowth     = 16
)

// OnHandSince implements store.Reader. Per position it reads the movements since t
// and a few older ones. Returns ErrUnavailable.
func (s *Store) OnHandSince(ctx context.Context, keys []inventory.PositionKey, t time.Time) (map[inventory.PositionKey]int64, error) {
	sums := make(map[inventory.PositionKey]int64)
	open := make([]sinceKey, 0, len(keys))
	seen := make(map[inventory.PositionKey]bool, len(keys))
	for _, k := range keys {
		if !seen[k] {
			seen[k] = true
			open = append(open, sinceKey{PositionKey: k})
		}
	}
	for lines := sinceFirstLines; len(open) > 0; lines *= sinceGrowth {
		var err error
		if open, err = s.sumNewest(ctx, open, micros(t), lines, sums); err != nil {
			return nil, err
		}
	}
	return sums, nil
}

// sinceKey is a position whose movements at and above the sequence from are summed already; 0: none.
type sinceKey struct {
	inventory.PositionKey
	from int64
}

// sumNewest adds up, per position, the movements after t among the next lines older
// ones, and returns the positions that may have more of them. It may stop at the first line
// whose latest is not after t: no earlier line is after t then.
func (s *Store) sumNewest(ctx context.Context, keys []sinceKey, t int64, lines int, sums map[inventory.PositionKey]int64) ([]sinceKey, error) {
	n := len(keys)
	buckets, skus, locations, froms := make([]int32, n), make([]string, n), make([]string, n), make([]int64, n)
	for i, k := range keys {
		buckets[i], skus[i], locations[i], froms[i] = s.positionBucket(k.SKU), k.SKU, k.Location, k.from
	}
	rows, err := s.reads.Query(ctx, `
select k.n - 1, count(*) filter (where m.time > $5), coalesce(sum(m.on_hand) filter (where m.time > $5), 0)::bigint,
	min(m.position_seq), min(m.latest) > $5
from unnest($1::int[], $2::text[], $3::text[], $4::bigint[]) with ordinality as k (bucket, sku, location, before, n)
cross join lateral (
	select position_seq, time, latest, on_hand from movements
	where bucket = k.bucket and sku = k.sku collate "C" and location = k.location collate "C"
		and (k.before = 0 or position_seq < k.before)
	order by position_seq desc limit $6
) m
group by k.n`, buckets, skus, locations, froms, t, lines)
	if err != nil {
		return nil, s.readError(err)
	}
	defer rows.Close()
	var more []sinceKey
	for rows.Next() {
		var i int
		var count, sum, oldest int64
		var goesOn bool
		if err := rows.Scan(&i, &count, &sum, &oldest, &goesOn); err != nil {
			return nil, err
		}
		key := keys[i].PositionKey
		if _, had := sums[key]; had || count > 0 {
			sums[key] += sum
		}
		if goesOn && oldest > 1 {
			more = append(more, sinceKey{PositionKey: key, from: oldest})
		}
	}
	return more, s.readError(rows.Err())
}

// scanSettings let the planner read whole tables in the way that is fastest for that.
const scanSettings = `set local plan_cache_mode = force_custom_plan; set local enable_seqscan = on; set local work_mem = '64MB'`

// Scan implements store.Reader. A callback's error ends it and is returned as it is. Returns ErrUnavailable.
func (s *Store) Scan(ctx context.Context, kinds []store.Kind, position func(inventory.Position) error, record func(store.Record) error) (store.Snapshot, error) {
	var snapshot store.Snapshot
	var stopped error // the callback's
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := pgx.BeginTxFunc(ctx, s.reads, options, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, scanSettings); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, "select seq from log_heads where bucket < $1 order by bucket", s.buckets)
		if err != nil {
			return err
		}
		if snapshot.Heads, err = pgx.CollectRows(rows, pgx.RowTo[int64]); err != nil {
			return err
		}
		if stopped, err = scanPositions(ctx, tx, position); stopped != nil || err != nil {
			return errors.Join(stopped, err)
		}
		stopped, err = scanRecords(ctx, tx, kinds, record)
		return errors.Join(stopped, err)
	})
	if stopped != nil {
		return store.Snapshot{}, stopped
	}
	if err != nil {
		return store.Snapshot{}, s.readError(err)
	}
	return snapshot, nil
}

func scanPositions(ctx context.Context, tx pgx.Tx, use func(inventory.Position) error) (stopped, err error) {
	if use == nil {
		return nil, nil
	}
	rows, err := tx.Query(ctx, `select sku, location, on_hand, reserved, allocated, picked, safety, as_of, changed
from positions order by bucket, sku, location`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		p, err := decodePosition(rows.RawValues())
		if err != nil {
			return nil, err
		}
		if err := use(p); err != nil {
			return err, nil
		}
	}
	return nil, rows.Err()
}

// positionColumns is the number of columns that decodePosition takes.
const positionColumns = 9

// decodePosition reads a row in binary format; by hand because a store has millions.
func decodePosition(v [][]byte) (inventory.Position, error) {
	if len(v) != positionColumns {
		return inventory.Position{}, fmt.Errorf("postgres: position with %d columns", len(v))
	}
	n := [positionColumns]int64{}
	for i := 2; i < positionColumns; i++ {
		var err error
		if n[i], err = decodeInt8(v[i]); err != nil {
			return inventory.Position{}, err
		}
	}
	return inventory.Position{SKU: string(v[0]), Location: string(v[1]), OnHand: n[2], Reserved: n[3], Allocated: n[4],
		Picked: n[5], Safety: n[6], AsOf: fromMicros(n[7]), Changed: fromMicros(n[8])}, nil
}

func scanRecords(ctx context.Context, tx pgx.Tx, kinds []store.Kind, use func(store.Record) error) (stopped, err error) {
	if len(kinds) == 0 || use == nil {
		return nil, nil
	}
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = string(k)
	}
	rows, err := tx.Query(ctx, "select "+recordColumns+" from records r where r.kind = any($1::text[])", names)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		r, err := scanRecord(rows)
		if err != nil {
			return nil, err
		}
		if err := use(r); err != nil {
			return err, nil
		}
	}
	return nil, rows.Err()
}
