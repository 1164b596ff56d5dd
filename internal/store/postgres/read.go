package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/orderly-oms/orderly/internal/store"
)

// recordColumns are the columns that scanRecord reads, of records r.
const recordColumns = `r.bucket, r.kind, r.id, r.version, r.state, r.wake, r.channel, r.external_id, r.created_at, r.body`

func scanRecord(row pgx.CollectableRow) (store.Record, error) {
	var r store.Record
	var wake, created int64
	err := row.Scan(&r.Bucket, &r.Kind, &r.ID, &r.Version, &r.State, &wake, &r.Channel, &r.ExternalID, &created, &r.Body)
	r.Wake, r.CreatedAt = fromMicros(wake), fromMicros(created)
	return r, err
}

// Load implements store.Reader. Returns ErrUnavailable.
func (s *Store) Load(ctx context.Context, keys []store.Key) ([]store.Record, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	buckets, kinds, ids := make([]int32, len(keys)), make([]string, len(keys)), make([]string, len(keys))
	for i, k := range keys {
		buckets[i], kinds[i], ids[i] = int32(k.Bucket), string(k.Kind), k.ID
	}
	rows, err := s.reads.Query(ctx, `select `+recordColumns+`
from (select distinct * from unnest($1::int[], $2::text[], $3::text[])) as k (bucket, kind, id)
join records r on r.bucket = k.bucket and r.kind = k.kind collate "C" and r.id = k.id collate "C"`, buckets, kinds, ids)
	return collect(s, rows, err, scanRecord)
}

// Find implements store.Reader. It takes a page from each bucket and merges them.
// Restricting by creation time alone reads all newer (or, ascending, older)
// records of the kind. Returns ErrUnavailable.
func (s *Store) Find(ctx context.Context, q store.Query) ([]store.Record, error) {
	sql, args := s.findStatement(q)
	rows, err := s.reads.Query(ctx, sql, args...)
	return collect(s, rows, err, scanRecord)
}

// findStatement has one text per combination of restrictions, so that few statements are prepared.
func (s *Store) findStatement(q store.Query) (sql string, args []any) {
	arg := func(v any) string {
		args = append(args, v)
		return "$" + strconv.Itoa(len(args))
	}
	buckets, limit := arg(s.buckets), arg(q.Limit)
	from, id := "records r", "r.id"
	where := []string{"r.bucket = b", "r.kind = " + arg(string(q.Kind))}
	if q.Term != "" {
		from, id = "record_terms t join records r on r.bucket = t.bucket and r.kind = t.kind and r.id = t.id", "t.id"
		where = append(where, "t.bucket = b", "t.kind = "+arg(string(q.Kind)), "t.term = "+arg(q.Term))
	}
	if q.State != "" {
		where = append(where, "r.state = "+arg(q.State))
	}
	if q.Channel != "" {
		where = append(where, "r.channel = "+arg(q.Channel))
	}
	if q.ExternalID != "" {
		where = append(where, "r.external_id <> '' and r.external_id = "+arg(q.ExternalID))
	}
	if !q.CreatedFrom.IsZero() {
		where = append(where, "r.created_at >= "+arg(micros(q.CreatedFrom)))
	}
	if !q.CreatedBefore.IsZero() {
		// 0 is no time at all.
		where = append(where, "r.created_at < "+arg(micros(q.CreatedBefore)))
	}
	order, after := "desc", " < "
	if q.Ascending {
		order, after = "asc", " > "
	}
	if q.Before != "" {
		where = append(where, id+after+arg(q.Before))
	}
	return fmt.Sprintf(`select %[1]s from generate_series(0, %[2]s::int - 1) b cross join lateral (
select r.* from %[3]s where %[4]s order by %[5]s %[6]s limit %[7]s) r
order by r.id %[6]s, r.bucket limit %[7]s`,
		recordColumns, buckets, from, strings.Join(where, " and "), id, order, limit), args
}

// Due implements store.Reader. Returns ErrUnavailable.
func (s *Store) Due(ctx context.Context, bucket int, now time.Time, limit int) ([]store.Key, error) {
	rows, err := s.reads.Query(ctx, `select kind, id from records where bucket = $1 and wake <> 0 and wake <= $2
order by wake limit $3`, bucket, micros(now), limit)
	return collect(s, rows, err, func(row pgx.CollectableRow) (store.Key, error) {
		k := store.Key{Bucket: bucket}
		return k, row.Scan(&k.Kind, &k.ID)
	})
}

// Answer implements store.Reader. Returns ErrNotFound, ErrUnavailable.
func (s *Store) Answer(ctx context.Context, bucket int, key string) (*store.Answer, error) {
	a := &store.Answer{Bucket: bucket, Key: key}
	var header []byte
	var expires int64
	err := s.reads.QueryRow(ctx, "select hash, status, header, body, expires from answers where bucket = $1 and key = $2", bucket, key).
		Scan(&a.Hash, &a.Status, &header, &a.Body, &expires)
	if err != nil {
		return nil, s.readError(err)
	}
	if err := json.Unmarshal(header, &a.Header); err != nil {
		return nil, fmt.Errorf("postgres: header of answer %s: %w", key, err)
	}
	a.Expires = fromMicros(expires)
	return a, nil
}

// collect reads all rows of a query and turns its errors into the port's.
func collect[T any](s *Store, rows pgx.Rows, err error, scan pgx.RowToFunc[T]) ([]T, error) {
	if err != nil {
		return nil, s.readError(err)
	}
	list, err := pgx.CollectRows(rows, scan)
	if err != nil {
		return nil, s.readError(err)
	}
	return list, nil
}
