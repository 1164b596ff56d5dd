-- The tables of one store. Times are microseconds since 1970-01-01 UTC.

-- +goose Up

CREATE TABLE records (
    pk          INTEGER PRIMARY KEY,
    version     INTEGER NOT NULL CHECK (version > 0),
    wake        INTEGER,                     -- NULL: never
    created_at  INTEGER NOT NULL,
    kind        TEXT    NOT NULL,
    id          TEXT    NOT NULL,
    state       TEXT    NOT NULL,
    channel     TEXT    NOT NULL,
    external_id TEXT    NOT NULL,
    terms       TEXT    NOT NULL DEFAULT '', -- all terms so far, each ended by U+0000; record_terms is the index over them
    body        BLOB    NOT NULL
) STRICT;
CREATE UNIQUE INDEX records_id       ON records (kind, id);
CREATE UNIQUE INDEX records_external ON records (kind, channel, external_id) WHERE external_id <> '';
CREATE INDEX        records_state    ON records (kind, state, id);
CREATE INDEX        records_created  ON records (kind, created_at, id);
CREATE INDEX        records_wake     ON records (wake, kind, id) WHERE wake IS NOT NULL;

CREATE TABLE record_terms (
    kind TEXT NOT NULL,
    term TEXT NOT NULL,
    id   TEXT NOT NULL,
    PRIMARY KEY (kind, term, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE log (
    seq        INTEGER PRIMARY KEY, -- from 1 without gaps
    version    INTEGER NOT NULL CHECK (version > 0),
    time       INTEGER NOT NULL,
    first_move INTEGER NOT NULL,    -- its movements are those with first_move <= pk < first_move + moves
    moves      INTEGER NOT NULL,
    kind       TEXT    NOT NULL,
    id         TEXT    NOT NULL,
    actor      TEXT    NOT NULL,
    command    TEXT    NOT NULL,
    node       TEXT    NOT NULL,
    events     BLOB    NOT NULL
) STRICT;
CREATE UNIQUE INDEX log_stream ON log (kind, id, version);

CREATE TABLE positions (
    sku       TEXT    NOT NULL,
    location  TEXT    NOT NULL,
    on_hand   INTEGER NOT NULL CHECK (on_hand >= 0),
    reserved  INTEGER NOT NULL CHECK (reserved >= 0),
    allocated INTEGER NOT NULL CHECK (allocated >= 0),
    picked    INTEGER NOT NULL CHECK (picked >= 0 AND picked <= allocated),
    safety    INTEGER NOT NULL,
    as_of     INTEGER,             -- NULL: never counted
    changed   INTEGER,
    moves     INTEGER NOT NULL,    -- movements so far: the last position_seq
    moved     INTEGER NOT NULL,    -- the greatest time of them
    chain     BLOB    NOT NULL,    -- where they are: see journal.go
    PRIMARY KEY (sku, location)
) STRICT, WITHOUT ROWID;

-- The journal, in the order of the log, so that writing it touches only its
-- end. The lines of a position are linked backwards, starting at positions.chain.
CREATE TABLE movements (
    pk           INTEGER PRIMARY KEY, -- from 1 without gaps
    seq          INTEGER NOT NULL,    -- log row
    position_seq INTEGER NOT NULL,    -- of the position, from 1 without gaps
    previous     INTEGER NOT NULL,    -- pk of line position_seq - 1 of the position; 0: none
    skip         INTEGER NOT NULL,    -- pk of line position_seq with its lowest set bit cleared; 0: none
    time         INTEGER NOT NULL,    -- of the log row
    ahead        INTEGER NOT NULL,    -- greatest time of this and all earlier lines of the position, minus time
    quantity     INTEGER NOT NULL CHECK (quantity > 0),
    sku          TEXT    NOT NULL,
    location     TEXT    NOT NULL,
    source       TEXT    NOT NULL,
    target       TEXT    NOT NULL,
    reason       TEXT    NOT NULL
) STRICT;

CREATE TABLE answers (
    pk      INTEGER PRIMARY KEY,
    expires INTEGER NOT NULL,
    status  INTEGER NOT NULL,
    key     TEXT    NOT NULL,
    hash    BLOB    NOT NULL,
    header  TEXT    NOT NULL,      -- JSON object
    body    BLOB    NOT NULL
) STRICT;
CREATE UNIQUE INDEX answers_key     ON answers (key);
CREATE INDEX        answers_expires ON answers (expires);

CREATE TABLE cursors (
    reader TEXT    NOT NULL PRIMARY KEY,
    seq    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- +goose Down

DROP TABLE cursors;
DROP TABLE answers;
DROP TABLE movements;
DROP TABLE positions;
DROP TABLE log;
DROP TABLE record_terms;
DROP TABLE records;
