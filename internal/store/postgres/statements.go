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
// which they lock. A guard is a division by zero when it fails: the only way to
// make plain SQL fail on a condition, and a failed statement makes the server
// skip everything up to the end of the batch, the COMMIT included.
var (
	begin = statement{name: "orderly_begin", sql: `begin isolation level read committed read write`}

	// createPositions runs only when a position of the batch is missing.
	createPositions = statement{name: "orderly_create_positions", sql: `
insert into positions (bucket, sku, location)
select c.bucket, c.sku, c.location
from unnest($1::int[], $2::text[], $3::text[]) with ordinality as c (bucket, sku, location, n)
order by c.n
on conflict (bucket, sku, location) do nothing`}

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
	from unnest($1::int[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
		$8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[])
		as c (bucket, sku, location, on_hand, reserved, allocated, picked, need, safety, as_of, changed, moves, latest)
	where p.bucket = c.bucket and p.sku = c.sku collate "C" and p.location = c.location collate "C"
		and (c.need = 0 or p.on_hand - p.reserved - p.allocated - p.safety >= c.need)
	returning 1
)
select 1 / (count(*) = $14::bigint)::int from changed`}

	replaceRecords = statement{name: "orderly_replace_records", sql: `
with replaced as (
	update records r
	set version = p.version, state = p.state, wake = p.wake, channel = p.channel,
		external_id = p.external_id, created_at = p.created_at, body = p.body
	from unnest($1::int[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::text[], $7::bigint[],
		$8::text[], $9::text[], $10::bigint[], $11::bytea[])
		as p (bucket, kind, id, base, version, state, wake, channel, external_id, created_at, body)
	where r.bucket = p.bucket and r.kind = p.kind collate "C" and r.id = p.id collate "C" and r.version = p.base
	returning 1
)
select 1 / (count(*) = $12::bigint)::int from replaced`}

	deleteRecords = statement{name: "orderly_delete_records", sql: `
with gone as (
	delete from records r
	using unnest($1::int[], $2::text[], $3::text[], $4::bigint[]) as p (bucket, kind, id, base)
	where r.bucket = p.bucket and r.kind = p.kind collate "C" and r.id = p.id collate "C" and r.version = p.base
	returning r.bucket, r.kind, r.id
), gone_terms as (
	delete from record_terms t using gone where t.bucket = gone.bucket and t.kind = gone.kind and t.id = gone.id
)
select 1 / (count(*) = $5::bigint)::int from gone`}

	// refuseRecords is for records that came and went within the batch.
	refuseRecords = statement{name: "orderly_refuse_records", sql: `
select 1 / (count(*) = 0)::int
from unnest($1::int[], $2::text[], $3::text[]) as p (bucket, kind, id)
join records r on r.bucket = p.bucket and r.kind = p.kind collate "C" and r.id = p.id collate "C"`}

	insertRecords = statement{name: "orderly_insert_records", sql: `
insert into records (bucket, kind, id, version, state, wake, channel, external_id, created_at, body)
select * from unnest($1::int[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::bigint[],
	$7::text[], $8::text[], $9::bigint[], $10::bytea[])`}

	insertTerms = statement{name: "orderly_insert_terms", sql: `
insert into record_terms (bucket, kind, term, id)
select * from unnest($1::int[], $2::text[], $3::text[], $4::text[])
on conflict (bucket, kind, term, id) do nothing`}

	insertAnswers = statement{name: "orderly_insert_answers", sql: `
insert into answers (bucket, key, hash, status, header, body, expires)
select * from unnest($1::int[], $2::text[], $3::bytea[], $4::int[], $5::text[], $6::bytea[], $7::bigint[])`}

	// advanceHead returns the bucket's last sequence with this batch; it fails when
	// the bucket has no head.
	advanceHead = statement{name: "orderly_advance_head", sql: `
with head as (update log_heads set seq = seq + $2::bigint where bucket = $1::bigint returning seq)
select coalesce(max(seq), 0) / count(*) from head`}

	// insertLog and insertMovements count sequences back from the head: the app
	// does not know it yet when it sends them.
	insertLog = statement{name: "orderly_insert_log", sql: `
insert into log (bucket, seq, kind, id, version, time, actor, command, node, events)
select h.bucket, h.seq - l.back, l.kind, l.id, l.version, l.time, l.actor, l.command, l.node, l.events
from log_heads h, unnest($1::int[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::text[],
	$7::text[], $8::text[], $9::bytea[])
	as l (back, kind, id, version, time, actor, command, node, events)
where h.bucket = $10::bigint`}

	insertMovements = statement{name: "orderly_insert_movements", sql: `
insert into movements (bucket, sku, location, position_seq, log_bucket, log_seq, line, time, latest,
	from_account, to_account, quantity, on_hand, reason)
select p.bucket, p.sku, p.location, p.moves - m.later, h.bucket, h.seq - m.back, m.line, m.time, p.latest,
	m.from_account, m.to_account, m.quantity, m.on_hand, m.reason
from log_heads h, unnest($1::int[], $2::text[], $3::text[], $4::int[], $5::int[], $6::int[], $7::bigint[],
	$8::text[], $9::text[], $10::bigint[], $11::bigint[], $12::text[])
	as m (bucket, sku, location, later, back, line, time, from_account, to_account, quantity, on_hand, reason)
join positions p on p.bucket = m.bucket and p.sku = m.sku collate "C" and p.location = m.location collate "C"
where h.bucket = $13::bigint`}

	commit = statement{name: "orderly_commit", sql: `commit`}
)

var writeStatements = []statement{begin, createPositions, changePositions, replaceRecords, deleteRecords, refuseRecords,
	insertRecords, insertTerms, insertAnswers, advanceHead, insertLog, insertMovements, commit}

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
