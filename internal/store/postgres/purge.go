package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/orderly-oms/orderly/internal/store"
)

// Purge implements store.Committer. Rows that another node changes at that moment
// stay for the next time. Returns ErrUnavailable, also when the outcome is unknown: what was
// not removed is removed by the next call.
func (s *Store) Purge(ctx context.Context, now time.Time, kind store.Kind, states []string, olderThan time.Time, limit int) (int, error) {
	var answers, records int64
	err := pgx.BeginFunc(ctx, s.writes, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `
delete from answers a
using (select bucket, key from generate_series(0, $1::int - 1) b cross join lateral (
	select bucket, key from answers where bucket = b and expires <> 0 and expires < $2
	order by expires limit $3) e limit $3) e
where a.bucket = e.bucket and a.key = e.key and a.expires <> 0 and a.expires < $2`, s.buckets, micros(now), limit)
		if err != nil {
			return err
		}
		answers = tag.RowsAffected()
		return tx.QueryRow(ctx, `
with gone as (
	delete from records r
	using (select o.bucket, o.kind, o.id
		from generate_series(0, $1::int - 1) b cross join unnest($3::text[]) as states (state) cross join lateral (
			select bucket, kind, id from records
			where bucket = b and kind = $2 and records.state = states.state collate "C" and created_at < $4
			order by id limit $5) o limit $5) o
	where r.bucket = o.bucket and r.kind = o.kind and r.id = o.id and r.state = any($3::text[])
	returning r.bucket, r.kind, r.id
), gone_terms as (
	delete from record_terms t using gone where t.bucket = gone.bucket and t.kind = gone.kind and t.id = gone.id
)
select count(*) from gone`, s.buckets, string(kind), states, micros(olderThan), limit).Scan(&records)
	})
	if err != nil {
		return 0, s.readError(err)
	}
	return int(answers + records), nil
}
