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
    seq       INTEGER PRIMARY KEY, -- from 1 without gaps
    version   INTEGER NOT NULL CHECK (version > 0),
    time      INTEGER NOT NULL,
    kind      TEXT    NOT NULL,
    id        TEXT    NOT NULL,
    actor     TEXT    NOT NULL,
    command   TEXT    NOT NULL,
    node      TEXT    NOT NULL,
    events    BLOB    NOT NULL,
    movements BLOB    NOT NULL     -- JSON: [[sku, location, from, to, quantity, reason], …]
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
    moves     INTEGER NOT NULL,    -- movements so far; the last position_seq
    moved     INTEGER,             -- the greatest time of them
    PRIMARY KEY (sku, location)
) STRICT, WITHOUT ROWID;

CREATE TABLE movements (
    sku          TEXT    NOT NULL,
    location     TEXT    NOT NULL,
    position_seq INTEGER NOT NULL, -- from 1 without gaps
    seq          INTEGER NOT NULL, -- log row
    time         INTEGER NOT NULL, -- of the log row
    moved        INTEGER NOT NULL, -- greatest time of this and all earlier movements of the position
    quantity     INTEGER NOT NULL CHECK (quantity > 0),
    source       TEXT    NOT NULL,
    target       TEXT    NOT NULL,
    reason       TEXT    NOT NULL,
    PRIMARY KEY (sku, location, position_seq)
) STRICT, WITHOUT ROWID;

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
