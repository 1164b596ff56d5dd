// Package store is the port between the engine and what keeps its data, and the
// contract both adapters (store/sqlite, store/postgres) fulfil.
//
// What it promises:
//
//   - One log. Commit writes a batch of commands in one transaction: the new
//     records, the log rows that explain them, the position changes with their
//     journal lines, and the remembered answers. Either all of it is durable
//     (fsynced) when Commit returns nil, or none of it is visible.
//   - Sequences are gap-free and commit-ordered per bucket: a reader that has
//     seen sequence n of a bucket never later finds a row at or below n.
//   - Guards. A record is replaced only if its version is the one the caller
//     saw; a position gives units away only while it has them. A failed guard
//     refuses the whole batch with ErrConflict and changes nothing.
//
// What it does not do: decide, retry a refused batch, cache, or know what a
// record's body means.
package store

import (
	"context"
	"errors"
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
)

// Errors that an adapter returns, to be tested with errors.Is.
var (
	// ErrConflict: a guard of the batch did not hold; nothing was written. The
	// caller refreshes its view from the log and decides again.
	ErrConflict = errors.New("store: conflict")
	// ErrFull: the disk has no room; nothing was written. Writes work again once there is room.
	ErrFull = errors.New("store: no space left")
	// ErrUnavailable: the store could not be reached before the transaction's
	// outcome was in doubt; nothing was written. Worth trying again.
	ErrUnavailable = errors.New("store: unavailable")
	// ErrUnknown: the connection was lost while committing, so the batch may or
	// may not be durable. The caller must not trust its memory any more.
	ErrUnknown = errors.New("store: outcome of the commit unknown")
	// ErrBroken: the device failed to make data durable (fsync, I/O error). The
	// process must end: what the kernel still caches cannot be trusted.
	ErrBroken = errors.New("store: device failed to keep data")
	// ErrNotFound: no such record, remembered answer or position.
	ErrNotFound = errors.New("store: not found")
)

// Kind is the type of a record: "order", "reservation", "location", …
type Kind string

// Key names a record and, being its stream, the log rows about it.
type Key struct {
	Bucket int // 0 ≤ Bucket < Store.Buckets()
	Kind   Kind
	ID     string
}

// Record is the current state of one aggregate or one piece of reference data.
type Record struct {
	Key
	Version int64 // counts the log rows of the stream, from 1
	// State is a search column; for orders the derived status.
	State string
	// Wake is when the record wants to be woken (Due finds it from then on); zero: never.
	Wake time.Time
	// Channel and ExternalID are unique together within bucket and kind when ExternalID is not empty.
	Channel, ExternalID string
	CreatedAt           time.Time
	// Terms are search terms ("customer:c-17", "sku:A1") that this version adds; terms
	// of earlier versions stay. Load and Find leave it nil.
	Terms []string
	Body  []byte
}

// Put writes a record in a batch. A batch holds at most one Put per key: when
// several commands of a batch change a record, only the last state is written.
type Put struct {
	Record
	// Base is the version the record must have before the batch; 0: it must not exist.
	Base int64
	// Delete removes the record (its log rows stay).
	Delete bool
}

// Commit is one row of the log: one accepted command on one stream.
type Commit struct {
	Stream  Key
	Version int64 // of the stream, after this command
	// Seq counts the rows of the bucket from 1 without gaps. Set by the store.
	Seq     int64
	Time    time.Time
	Actor   string
	Command string // id of the command; several rows share it when a command touches several streams
	Node    string // id of the process that decided it
	// Events is a JSON array of events.
	Events []byte
	// Movements are the journal lines of the command, in the order they took effect.
	Movements []inventory.Movement
}

// PositionChange is the sum of what a batch does to one position.
type PositionChange struct {
	inventory.PositionKey
	inventory.Delta
	// Need guards the change: it is refused (ErrConflict) unless the stored
	// on_hand − reserved − allocated − safety is at least Need beforehand. 0: no guard.
	Need int64
	// Had, when not nil, guards the change as well: it is refused (ErrConflict) unless the stored on_hand is
	// that beforehand. For changes that were worked out from it, as a count is.
	Had *int64
	// Safety, AsOf and Changed replace the stored values when not nil / not zero.
	Safety  *int64
	AsOf    time.Time
	Changed time.Time
}

// Answer is the remembered answer to a write with an idempotency key.
type Answer struct {
	Bucket  int    // any bucket, chosen by the key
	Key     string // scope and key as the caller composed them
	Hash    []byte // of the request, to tell a repeat from a reuse
	Status  int
	Header  map[string]string // e.g. ETag, Location
	Body    []byte
	Expires time.Time
}

// Batch is what one Commit writes. Nearly all of its records and log rows are of
// one bucket, Bucket; a few may be of others (an order that claims a reservation),
// and then the heads of all those buckets advance together. Answers and positions may be of any bucket.
type Batch struct {
	Bucket  int
	Puts    []Put
	Commits []Commit // in the order of the decisions; Seq is filled in by Commit
	// Positions has at most one change per key. A missing position counts as all zeros and is created.
	Positions []PositionChange
	// Answers are refused (ErrConflict) when one of their keys is already remembered.
	Answers []Answer
}

// JournalLine is one movement as stored, with where it came from.
type JournalLine struct {
	inventory.Movement
	// PositionSeq counts the movements of the position from 1 without gaps, in the order they took effect.
	PositionSeq int64
	Bucket      int
	Seq         int64 // log row
	Stream      Key
	Time        time.Time
}

// Query selects records of one kind, newest id first (ids are UUIDv7, so newest created first).
// Zero fields do not restrict. Several restrictions all apply.
type Query struct {
	Kind          Kind
	State         string
	Channel       string
	ExternalID    string
	Term          string
	CreatedFrom   time.Time // inclusive
	CreatedBefore time.Time // exclusive
	// Before is the id of the last record of the previous page; empty: first page.
	Before string
	Limit  int // 1..1000
	// Ascending lists oldest id first instead (then Before means "after").
	Ascending bool
}

// Snapshot is what Scan reads in one consistent view.
type Snapshot struct {
	// Heads is the last sequence of each bucket that the view includes, by bucket.
	Heads []int64
}

// Store is one open store. All methods are safe for concurrent use. Batches that
// touch the same bucket wait for each other.
type Store interface {
	Committer
	Reader
	LogReader
	// Buckets is the number of log buckets, fixed when the store was created.
	Buckets() int
	// Exclusive reports that no other process can write to the store, so memory
	// that follows every Commit is always current.
	Exclusive() bool
	// Check returns nil when the store can be read now.
	Check(ctx context.Context) error
	Close() error
}

// Committer writes.
type Committer interface {
	// Commit writes the batch in one durable transaction and fills in each commit's Seq.
	// Errors: ErrConflict, ErrFull, ErrUnavailable, ErrUnknown, ErrBroken.
	Commit(ctx context.Context, b *Batch) error
	// SaveCursor stores a log reader's place durably; seqs has one entry per bucket.
	SaveCursor(ctx context.Context, reader string, seqs []int64) error
	// Purge removes answers that expired before now, and records of the kinds given
	// whose state is one of states and which were created before olderThan; at most limit rows of each. Returns
	// how many rows went.
	Purge(ctx context.Context, now time.Time, kind Kind, states []string, olderThan time.Time, limit int) (int, error)
}

// Reader reads records and stock.
type Reader interface {
	// Load returns the records that exist among keys, in any order.
	Load(ctx context.Context, keys []Key) ([]Record, error)
	// Find returns a page of records.
	Find(ctx context.Context, q Query) ([]Record, error)
	// Due returns keys of records whose wake time is at or before now, soonest first.
	Due(ctx context.Context, bucket int, now time.Time, limit int) ([]Key, error)
	// Answer returns the remembered answer, or ErrNotFound.
	Answer(ctx context.Context, bucket int, key string) (*Answer, error)
	// Scan calls position for every position and record for every record of the
	// kinds given, in one consistent view. Positions come grouped by SKU. Callbacks are never called concurrently.
	Scan(ctx context.Context, kinds []Kind, position func(inventory.Position) error, record func(Record) error) (Snapshot, error)
	// Journal returns the lines of a position with PositionSeq > after, in order, at most limit.
	Journal(ctx context.Context, key inventory.PositionKey, after int64, limit int) ([]JournalLine, error)
	// OnHandSince returns, for the positions given, the net change of OnHand by movements
	// with Time after t. Positions without any are left out.
	OnHandSince(ctx context.Context, keys []inventory.PositionKey, t time.Time) (map[inventory.PositionKey]int64, error)
}

// LogReader reads the log.
type LogReader interface {
	// Heads returns the last sequence of each bucket.
	Heads(ctx context.Context) ([]int64, error)
	// Log returns rows of a bucket with Seq > after, in order, at most limit.
	Log(ctx context.Context, bucket int, after int64, limit int) ([]Commit, error)
	// Stream returns the rows of one stream with Version > after, in order, at most limit.
	Stream(ctx context.Context, key Key, after int64, limit int) ([]Commit, error)
	// Cursor returns a reader's saved place, or nil when it has none yet.
	Cursor(ctx context.Context, reader string) ([]int64, error)
}

// Limits that the engine keeps and the conformance suite meets.
const (
	MaxBatchCommits = 4096
	MaxIDBytes      = 200
)
