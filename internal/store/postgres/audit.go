package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/store"
)

var _ store.Auditor = (*Store)(nil)

// auditSettings let the planner read whole tables; sorting tables apart from
// their rows costs more than the walk along an index that has the order already.
const auditSettings = scanSettings + `; set local enable_sort = off`

// Audit implements store.Auditor. Its sequences are read on connections of their
// own, at most three at once, which share one snapshot. Returns ErrUnavailable.
func (s *Store) Audit(ctx context.Context, read func(*store.View) error) error {
	var failed error // the reader's
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := pgx.BeginTxFunc(ctx, s.reads, options, func(tx pgx.Tx) error {
		a := audit{ctx: ctx, s: s}
		if err := tx.QueryRow(ctx, "select pg_export_snapshot()").Scan(&a.snapshot); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, "select seq from log_heads where bucket < $1 order by bucket", s.buckets)
		if err != nil {
			return err
		}
		heads, err := pgx.CollectRows(rows, pgx.RowTo[int64])
		if err != nil {
			return err
		}
		failed = read(a.view(heads))
		return failed
	})
	if failed != nil {
		return failed
	}
	return s.readError(err)
}

// audit is one view and how to open more connections on it.
type audit struct {
	ctx      context.Context
	s        *Store
	snapshot string
}

func (a *audit) view(heads []int64) *store.View {
	return &store.View{
		Heads:   heads,
		Log:     a.log,
		Streams: auditRows(a, "select "+logColumns+" from log order by bucket, kind, id, version", scanCommit),
		Records: auditRows(a, "select "+recordColumns+" from records r order by bucket, kind, id", scanRecord),
		Journal: auditRows(a, `select sku, location, position_seq, log_bucket, log_seq, time, from_account, to_account, quantity, reason
from movements order by bucket, sku, location, position_seq`, scanLine),
		Positions: auditRows(a, `select sku, location, on_hand, reserved, allocated, picked, safety, as_of, changed, moves
from positions order by bucket, sku, location`, scanPositionRow),
		Answers: auditRows(a, "select bucket, key, hash, status, header, body, expires from answers order by bucket, key", scanAnswer),
		Device:  a.inspect,
	}
}

var errEnough = errors.New("the reader wants no more rows")

// auditRows is a query as a sequence, on the audit's snapshot.
func auditRows[T any](a *audit, sql string, scan func(pgx.CollectableRow) (T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		// Cancelling ends a query whose rows are not wanted any more, which would be read to the end otherwise.
		ctx, cancel := context.WithCancel(a.ctx)
		defer cancel()
		options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
		err := pgx.BeginTxFunc(ctx, a.s.reads, options, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "set transaction snapshot '"+a.snapshot+"'; "+auditSettings); err != nil {
				return err
			}
			rows, err := tx.Query(ctx, sql)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				v, err := scan(rows)
				if err != nil {
					return err
				}
				if !yield(v, nil) {
					cancel()
					return errEnough
				}
			}
			return rows.Err()
		})
		if err != nil && !errors.Is(err, errEnough) {
			var none T
			yield(none, a.s.readError(err))
		}
	}
}

// moved is a movement of a log row.
type moved struct {
	bucket int
	seq    int64
	inventory.Movement
}

// log merges the log with the movements, both in the log's order.
func (a *audit) log(yield func(store.Commit, error) bool) {
	movements, stop := iter.Pull2(auditRows(a, `select log_bucket, log_seq, sku, location, from_account, to_account, quantity, reason
from movements order by log_bucket, log_seq, line`, func(row pgx.CollectableRow) (m moved, err error) {
		return m, row.Scan(&m.bucket, &m.seq, &m.SKU, &m.Location, &m.From, &m.To, &m.Quantity, &m.Reason)
	}))
	defer stop()
	m, err, more := movements()
	for c, rowErr := range auditRows(a, "select "+logColumns+" from log order by bucket, seq", scanCommit) {
		if rowErr != nil || err != nil {
			yield(c, errors.Join(rowErr, err))
			return
		}
		// Movements of rows that do not exist are passed over: the journal's sequence shows them.
		for more && err == nil && (m.bucket < c.Stream.Bucket || m.bucket == c.Stream.Bucket && m.seq <= c.Seq) {
			if m.bucket == c.Stream.Bucket && m.seq == c.Seq {
				c.Movements = append(c.Movements, m.Movement)
			}
			m, err, more = movements()
		}
		if !yield(c, err) || err != nil {
			return
		}
	}
}

func scanLine(row pgx.CollectableRow) (store.JournalLine, error) {
	var j store.JournalLine
	var at int64
	err := row.Scan(&j.SKU, &j.Location, &j.PositionSeq, &j.Bucket, &j.Seq, &at, &j.From, &j.To, &j.Quantity, &j.Reason)
	j.Time = fromMicros(at)
	return j, err
}

func scanPositionRow(row pgx.CollectableRow) (store.PositionRow, error) {
	var p store.PositionRow
	var asOf, changed int64
	err := row.Scan(&p.SKU, &p.Location, &p.OnHand, &p.Reserved, &p.Allocated, &p.Picked, &p.Safety, &asOf, &changed, &p.Moves)
	p.AsOf, p.Changed = fromMicros(asOf), fromMicros(changed)
	return p, err
}

func scanAnswer(row pgx.CollectableRow) (store.Answer, error) {
	var a store.Answer
	var header []byte
	var expires int64
	if err := row.Scan(&a.Bucket, &a.Key, &a.Hash, &a.Status, &header, &a.Body, &expires); err != nil {
		return a, err
	}
	a.Expires = fromMicros(expires)
	if err := json.Unmarshal(header, &a.Header); err != nil {
		return a, fmt.Errorf("postgres: header of answer %s: %w", a.Key, err)
	}
	return a, nil
}

// inspect checks the indexes against the tables where the server has the
// extension amcheck. Checking needs its own privileges and so may be refused.
func (a *audit) inspect() (store.Inspection, error) {
	const name = "amcheck (B-tree indexes hold every row, in order)"
	var found store.Inspection
	skip := func(why string) (store.Inspection, error) {
		found.Skipped = append(found.Skipped, name+": "+why)
		return found, nil
	}
	var schema string
	err := a.s.reads.QueryRow(a.ctx, `select quote_ident(n.nspname) from pg_extension e join pg_namespace n on n.oid = e.extnamespace
where e.extname = 'amcheck'`).Scan(&schema)
	if errors.Is(err, pgx.ErrNoRows) {
		return skip("the extension is not installed; install it, or run pg_amcheck --heapallindexed on the server")
	}
	if err != nil {
		return found, a.s.readError(err)
	}
	rows, err := a.s.reads.Query(a.ctx, `select c.oid::bigint, c.relname::text from pg_index i join pg_class c on c.oid = i.indexrelid
join pg_class t on t.oid = i.indrelid join pg_am m on m.oid = c.relam
where m.amname = 'btree' and i.indisvalid and t.relnamespace = current_schema()::regnamespace order by c.relname`)
	type index struct {
		OID  int64
		Name string
	}
	indexes, err := collect(a.s, rows, err, pgx.RowToStructByPos[index])
	if err != nil {
		return found, err
	}
	for _, i := range indexes {
		_, err := a.s.reads.Exec(a.ctx, "select "+schema+".bt_index_check($1::bigint::oid::regclass, true)", i.OID)
		if e := pgError(err); e != nil && strings.HasPrefix(e.Code, "42501") {
			return skip("the database user may not run it; grant execute on its functions")
		} else if e != nil && strings.HasPrefix(e.Code, "XX") {
			found.Faults = append(found.Faults, fmt.Sprintf("index %s: %s", i.Name, e.Message))
		} else if err != nil {
			return found, a.s.readError(err)
		}
	}
	found.Tests = append(found.Tests, name)
	return found, nil
}
