package postgres

import (
	"context"

	"github.com/jackc/pgx/v5/pgconn"
)

// statement is a statement of a batch, prepared once per write connection. Its
// first parameters are the columns of a table, then come single bigints.
type statement struct {
	name string // also names the step in errors
	sql  string
}

// The statements of a batch, in the order in which they run, which is the order in
// which they lock: the buckets' heads, positions, records, answers. Heads come first,
// so that a batch which waits for another one of the same bucket holds no
// positions meanwhile. A guard is a division by zero when it fails: the only way to
// make plain SQL fail on a condition, and a failed statement makes the server
// skip everything up to the end of the batch, the COMMIT included. Arrays are
// unnested side by side in a select list, which hands rows on one by one; in
// FROM each column would first be stored as a whole.
var (
	begin = statement{name: "orderly_begin", sql: `begin isolation level read committed read write`}

	// appendLog returns the last sequences with this batch of the buckets it writes
	// to, in their order; it fails when one has no head. It counts sequences back
	// from the head, which the sender does not know yet.
	appendLog = statement{name: "orderly_append_log", sql: `
with head as (
	update log_heads h set seq = h.seq + b.rows
	from (select unnest($11::int[]) as bucket, unnest($12::bigint[]) as rows) b
	where h.bucket = b.bucket
	returning h.bucket, h.seq
), appended as (
	insert into log (bucket, seq, kind, id, version, time, actor, command, node, events)
	select h.bucket, h.seq - l.back, l.kind, l.id, l.version, l.time, l.actor, l.command, l.node, l.events
	from (select unnest($1::int[]) as bucket, unnest($2::int[]) as back, unnest($3::text[]) as kind, unnest($4::text[]) as id,
		unnest($5::bigint[]) as version, unnest($6::bigint[]) as time, unnest($7::text[]) as actor,
		unnest($8::text[]) as command, unnest($9::text[]) as node, unnest($10::bytea[]) as events) l
	join head h on h.bucket = l.bucket
)
select 1 / (count(*) = $13::bigint)::int, array_agg(seq order by bucket) from head`}

	// createPositions runs only when a position of the batch is missing.
	createPositions = statement{name: "orderly_create_positions", sql: `
insert into positions (bucket, sku, location)
select c.bucket, c.sku, c.location
from unnest($1::int[], $2::text[], $3::text[]) with ordinality as c (bucket, sku, location, n)
order by c.n
on conflict (bucket, sku, location) do nothing`}

	// changePositions also writes the journal. Movements come grouped by position, in
	// the order of the positions: a position's own are the c.moves ones after the
	// c.skip first. Their columns are taken by subscript, which is fast because the
	// elements of those arrays have a fixed length; $25 holds their texts and $26 the
	// buckets of their log rows, whose heads appendLog has advanced.
	changePositions = statement{name: "orderly_change_positions", sql: `
with changed as (
	update positions p
	set on_hand = p.on_hand + c.on_hand,
		reserved = p.reserved + c.reserved,
		allocated = p.allocated + c.allocated,
		picked = p.picked + c.picked,
		safety = coalesce(c.safety, p.safety),
		as_of = case when c.as_of = 0 then p.as_of else c.as_of end,
		changed = case when c.changed = 0 then p.changed else c.changed end,
		moves = p.moves + c.moves,
		latest = greatest(p.latest, c.latest)
	from (select unnest($1::int[]) as bucket, unnest($2::text[]) as sku, unnest($3::text[]) as location,
		unnest($4::bigint[]) as on_hand, unnest($5::bigint[]) as reserved, unnest($6::bigint[]) as allocated,
		unnest($7::bigint[]) as picked, unnest($8::bigint[]) as need, unnest($9::bigint[]) as safety,
		unnest($10::bigint[]) as as_of, unnest($11::bigint[]) as changed, unnest($12::int[]) as moves,
		unnest($13::bigint[]) as latest, unnest($14::int[]) as skip, unnest($15::bigint[]) as had) c
	where p.bucket = c.bucket and p.sku = c.sku collate "C" and p.location = c.location collate "C"
		and (c.need = 0 or p.on_hand - p.reserved - p.allocated - p.safety >= c.need)
		and (c.had is null or p.on_hand = c.had)
	returning p.bucket, p.sku, p.location, p.moves - c.moves as moves_before, p.latest, c.moves, c.skip
), journal as (
	insert into movements (bucket, sku, location, position_seq, log_bucket, log_seq, line, time, latest,
		from_account, to_account, quantity, on_hand, reason)
	select c.bucket, c.sku, c.location, c.moves_before + c.i, ($26::int[])[($16::int[])[c.skip + c.i]],
		((select array_agg(seq order by bucket) from log_heads where bucket = any($26::int[])))[($16::int[])[c.skip + c.i]]
			- ($17::int[])[c.skip + c.i],
		($18::int[])[c.skip + c.i], ($19::bigint[])[c.skip + c.i], c.latest,
		($25::text[])[($20::int[])[c.skip + c.i]], ($25::text[])[($21::int[])[c.skip + c.i]],
		($22::bigint[])[c.skip + c.i], ($23::bigint[])[c.skip + c.i], ($25::text[])[($24::int[])[c.skip + c.i]]
	from (select *, generate_series(1, moves) as i from changed) c
)
select 1 / (count(*) = $27::bigint)::int from changed`}

	replaceRecords = statement{name: "orderly_replace_records", sql: `
with replaced as (
	update records r
	set version = p.version, state = p.state, wake = p.wake, channel = p.channel,
		external_id = p.external_id, created_at = p.created_at, body = p.body
	from (select unnest($1::int[]) as bucket, unnest($2::text[]) as kind, unnest($3::text[]) as id,
		unnest($4::bigint[]) as base, unnest($5::bigint[]) as version, unnest($6::text[]) as state,
		unnest($7::bigint[]) as wake, unnest($8::text[]) as channel, unnest($9::text[]) as external_id,
		unnest($10::bigint[]) as created_at, unnest($11::bytea[]) as body) p
	where r.bucket = p.bucket and r.kind = p.kind collate "C" and r.id = p.id collate "C" and r.version = p.base
	returning 1
)
select 1 / (count(*) = $12::bigint)::int from replaced`}

	deleteRecords = statement{name: "orderly_delete_records", sql: `
with gone as (
	delete from records r
	using (select unnest($1::int[]) as bucket, unnest($2::text[]) as kind, unnest($3::text[]) as id, unnest($4::bigint[]) as base) p
	where r.bucket = p.bucket and r.kind = p.kind collate "C" and r.id = p.id collate "C" and r.version = p.base
	returning r.bucket, r.kind, r.id
), gone_terms as (
	delete from record_terms t using gone where t.bucket = gone.bucket and t.kind = gone.kind and t.id = gone.id
)
select 1 / (count(*) = $5::bigint)::int from gone`}

	// refuseRecords is for records that came and went within the batch.
	refuseRecords = statement{name: "orderly_refuse_records", sql: `
select 1 / (count(*) = 0)::int
from (select unnest($1::int[]) as bucket, unnest($2::text[]) as kind, unnest($3::text[]) as id) p
join records r on r.bucket = p.bucket and r.kind = p.kind collate "C" and r.id = p.id collate "C"`}

	insertRecords = statement{name: "orderly_insert_records", sql: `
insert into records (bucket, kind, id, version, state, wake, channel, external_id, created_at, body)
select unnest($1::int[]), unnest($2::text[]), unnest($3::text[]), unnest($4::bigint[]), unnest($5::text[]),
	unnest($6::bigint[]), unnest($7::text[]), unnest($8::text[]), unnest($9::bigint[]), unnest($10::bytea[])`}

	// insertTerms is for terms of new records: nothing can have them yet.
	insertTerms = statement{name: "orderly_insert_terms", sql: `
insert into record_terms (bucket, kind, term, id)
select unnest($1::int[]), unnest($2::text[]), unnest($3::text[]), unnest($4::text[])`}

	addTerms = statement{name: "orderly_add_terms", sql: insertTerms.sql + `
on conflict (bucket, kind, term, id) do nothing`}

	insertAnswers = statement{name: "orderly_insert_answers", sql: `
insert into answers (bucket, key, hash, status, header, body, expires)
select unnest($1::int[]), unnest($2::text[]), unnest($3::bytea[]), unnest($4::int[]), unnest($5::text[]),
	unnest($6::bytea[]), unnest($7::bigint[])`}

	commit = statement{name: "orderly_commit", sql: `commit`}
)

var writeStatements = []statement{begin, appendLog, createPositions, changePositions, replaceRecords, deleteRecords, refuseRecords,
	insertRecords, insertTerms, addTerms, insertAnswers, commit}

// prepareWrites prepares the statements of a batch on a new connection, in one round trip.
func prepareWrites(ctx context.Context, c *pgconn.PgConn) error {
	p := c.StartPipeline(ctx)
	for _, s := range writeStatements {
		p.SendPrepare(s.name, s.sql, nil)
	}
	if err := p.Sync(); err != nil {
		return err
	}
	return p.Close()
}
