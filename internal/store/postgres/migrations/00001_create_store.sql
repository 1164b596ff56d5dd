-- Times are microseconds since 1970 UTC, 0 for none. Text that is compared or ordered has the collation "C", so that the order
-- is that of the bytes on every server. bucket leads every key.

-- +goose Up

-- Facts about the store itself, fixed when it was created.
create table meta (
    name  text collate "C" primary key,
    value bigint not null
);

-- The current state of every aggregate and piece of reference data. Bodies stay
-- uncompressed and, up to 4 KB, in the row: compressing and moving them apart costs
-- more time on every write than the space is worth.
create table records (
    bucket      int not null,
    kind        text collate "C" not null,
    id          text collate "C" not null,
    version     bigint not null,
    state       text collate "C" not null,
    wake        bigint not null,
    channel     text collate "C" not null,
    external_id text collate "C" not null,
    created_at  bigint not null,
    body        bytea not null,
    primary key (bucket, kind, id)
) with (fillfactor = 85, toast_tuple_target = 4080);
alter table records alter column body set storage external;
create unique index records_external on records (bucket, kind, channel, external_id) where external_id <> '';
create index records_wake on records (bucket, wake) where wake <> 0;
create index records_state on records (bucket, kind, state, id) include (created_at);

-- Search terms of records.
create table record_terms (
    bucket int not null,
    kind   text collate "C" not null,
    term   text collate "C" not null,
    id     text collate "C" not null,
    primary key (bucket, kind, term, id)
);
create index record_terms_record on record_terms (bucket, kind, id);

-- Every accepted command; seq has no gaps and follows the order of the commits,
-- because the bucket's row in log_heads is locked from before the insert to the commit.
create table log (
    bucket  int not null,
    seq     bigint not null,
    kind    text collate "C" not null,
    id      text collate "C" not null,
    version bigint not null,
    time    bigint not null,
    actor   text not null,
    command text not null,
    node    text not null,
    events  bytea not null,
    primary key (bucket, seq)
) with (toast_tuple_target = 4080);
alter table log alter column events set storage external;
create unique index log_stream on log (bucket, kind, id, version);

create table log_heads (
    bucket int primary key,
    seq    bigint not null
) with (fillfactor = 10);

-- Stock. bucket follows from the SKU, so that all locations of a SKU are together.
-- moves counts the movements and latest is the latest of their times.
create table positions (
    bucket    int not null,
    sku       text collate "C" not null,
    location  text collate "C" not null,
    on_hand   bigint not null default 0 check (on_hand >= 0),
    reserved  bigint not null default 0 check (reserved >= 0),
    allocated bigint not null default 0 check (allocated >= 0),
    picked    bigint not null default 0 check (picked >= 0),
    safety    bigint not null default 0,
    as_of     bigint not null default 0,
    changed   bigint not null default 0,
    moves     bigint not null default 0,
    latest    bigint not null default 0,
    primary key (bucket, sku, location),
    constraint positions_picked_allocated check (picked <= allocated)
) with (fillfactor = 50);

-- The stock journal. bucket, sku, location and position_seq place a line in its
-- position's ledger; log_bucket, log_seq and line place it in the log. latest is
-- not before the time of this line and of every earlier line of the position, so
-- that a search by time may stop at the first line with an earlier latest.
-- on_hand is the change of the position's units on hand.
create table movements (
    bucket       int not null,
    sku          text collate "C" not null,
    location     text collate "C" not null,
    position_seq bigint not null,
    log_bucket   int not null,
    log_seq      bigint not null,
    line         int not null,
    time         bigint not null,
    latest       bigint not null,
    from_account text not null,
    to_account   text not null,
    quantity     bigint not null,
    on_hand      bigint not null,
    reason       text not null,
    primary key (bucket, sku, location, position_seq)
);
create unique index movements_log on movements (log_bucket, log_seq, line);

-- Remembered answers to writes with an idempotency key; header is a JSON object.
create table answers (
    bucket  int not null,
    key     text collate "C" not null,
    hash    bytea not null,
    status  int not null,
    header  text not null,
    body    bytea not null,
    expires bigint not null,
    primary key (bucket, key)
) with (toast_tuple_target = 4080);
alter table answers alter column body set storage external;
create index answers_expires on answers (bucket, expires) where expires <> 0;

-- Places of log readers.
create table cursors (
    bucket int not null,
    reader text collate "C" not null,
    seq    bigint not null,
    primary key (bucket, reader)
);

-- +goose Down
drop table cursors, answers, movements, positions, log_heads, log, record_terms, records, meta;
