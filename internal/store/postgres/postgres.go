// Package postgres implements store.Store on PostgreSQL 14 or later, for several
// nodes on one database.
//
// What it promises, beyond the port's contract:
//
//   - A batch is one transaction in one round trip: all its statements and the
//     COMMIT are sent at once, and a guard that does not hold raises an error, which
//     makes the server skip the rest. No lock is ever held while a node thinks or
//     is paused.
//   - Locks are taken in one order (the bucket's log head, positions, records,
//     answers, each sorted by key), READ COMMITTED is enough, and a transaction that the
//     server aborts as a deadlock or a serialization failure is repeated.
//   - It refuses a server that would lose acknowledged writes (fsync or
//     synchronous_commit off).
//
// What it does not do: create the database, work through a pooler that does not
// keep a session per connection, or find out what became of a commit whose
// answer was lost (ErrUnknown). It never returns ErrBroken: a server that cannot
// write ends itself, and comes back with what it acknowledged.
package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/orderly-oms/orderly/internal/store"
)

const (
	defaultBuckets   = 2
	maxBuckets       = 256
	defaultReadConns = 8
	// spareWriteConns are the write connections beyond one per bucket, for cursors and purges.
	spareWriteConns = 2
)

// Options of a store; the zero value is the default of each.
type Options struct {
	// Buckets is the number of log buckets of a store that this call creates, 1 to 256;
	// 0: 2. An existing store keeps its own number.
	Buckets int
	// ReadConns is the most connections that reads use; 0: 8. Writes use up to one
	// per bucket and two more.
	ReadConns int
	// AllowUnsafe accepts a server that may lose acknowledged commits in a crash.
	AllowUnsafe bool
}

// Store is a PostgreSQL database used as a store. Open makes it, Close ends it. It
// survives restarts of the server: calls fail with ErrUnavailable meanwhile.
type Store struct {
	writes, reads *pgxpool.Pool
	buckets       int
}

var _ store.Store = (*Store)(nil)

// Open connects to the database, creates the schema when the database is empty,
// and checks that schema and server are fit. Returns ErrUnavailable when the
// server cannot be reached.
func Open(ctx context.Context, url string, o Options) (*Store, error) {
	if o.Buckets < 0 || o.Buckets > maxBuckets {
		return nil, fmt.Errorf("postgres: %d buckets: must be between 1 and %d", o.Buckets, maxBuckets)
	}
	if o.Buckets == 0 {
		o.Buckets = defaultBuckets
	}
	if o.ReadConns <= 0 {
		o.ReadConns = defaultReadConns
	}
	s := &Store{}
	if err := s.open(ctx, url, o); err != nil {
		return nil, errors.Join(fmt.Errorf("postgres: open: %w", err), s.Close())
	}
	return s, nil
}

func (s *Store) open(ctx context.Context, url string, o Options) (err error) {
	if s.reads, err = newPool(ctx, url, o.ReadConns, nil); err != nil {
		return err
	}
	if err := s.checkServer(ctx, o.AllowUnsafe); err != nil {
		return readError(err)
	}
	if err := prepareSchema(ctx, url, migrations()); err != nil {
		return readError(err)
	}
	if err := s.loadBuckets(ctx, o.Buckets); err != nil {
		return readError(err)
	}
	s.writes, err = newPool(ctx, url, s.buckets+spareWriteConns, prepareWrites)
	return err
}

// Close ends all connections.
func (s *Store) Close() error {
	for _, pool := range []*pgxpool.Pool{s.writes, s.reads} {
		if pool != nil {
			pool.Close()
		}
	}
	return nil
}

// Buckets implements store.Store.
func (s *Store) Buckets() int { return s.buckets }

// Exclusive implements store.Store: other nodes may write.
func (s *Store) Exclusive() bool { return false }

// Check implements store.Store. Returns ErrUnavailable.
func (s *Store) Check(ctx context.Context) error {
	var n int64
	return s.readError(s.reads.QueryRow(ctx, "select value from meta where name = 'buckets'").Scan(&n))
}

// newPool returns a pool of at most conns connections; it connects on first use.
// prepare, when not nil, runs on each new connection.
//
// Every statement of the store but Scan's finds its rows through an index, one
// small lookup per row. The settings make that the only plan, fixed once per
// connection: planning each time costs more than running, and a plan made while
// tables were empty would read whole tables later.
func newPool(ctx context.Context, url string, conns int, prepare func(context.Context, *pgconn.PgConn) error) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("database URL: %w", err)
	}
	cfg.MaxConns, cfg.MinConns = int32(conns), 0
	for name, value := range map[string]string{
		"application_name":    "orderly",
		"plan_cache_mode":     "force_generic_plan",
		"enable_seqscan":      "off",
		"enable_hashjoin":     "off",
		"enable_mergejoin":    "off",
		"enable_bitmapscan":   "off",
		"jit":                 "off",
		"client_min_messages": "error",
	} {
		cfg.ConnConfig.RuntimeParams[name] = value
	}
	if prepare != nil {
		cfg.AfterConnect = func(ctx context.Context, c *pgx.Conn) error { return prepare(ctx, c.PgConn()) }
	}
	return pgxpool.NewWithConfig(ctx, cfg)
}

// checkServer refuses a server that does not keep what it acknowledges or changes text.
func (s *Store) checkServer(ctx context.Context, allowUnsafe bool) error {
	var fsync, synchronousCommit, encoding string
	err := s.reads.QueryRow(ctx, `select current_setting('fsync'), current_setting('synchronous_commit'),
		current_setting('server_encoding')`).Scan(&fsync, &synchronousCommit, &encoding)
	switch {
	case err != nil:
		return err
	case encoding != "UTF8":
		return fmt.Errorf("the database has the encoding %s: create it with encoding UTF8", encoding)
	case allowUnsafe:
		return nil
	case fsync != "on":
		return fmt.Errorf("the server has fsync = %s and would lose or corrupt acknowledged orders in a crash: set fsync = on", fsync)
	case synchronousCommit == "off":
		return errors.New("the server has synchronous_commit = off and would lose acknowledged orders in a crash: set synchronous_commit = on")
	}
	return nil
}

// loadBuckets reads the number of buckets; the first node of an empty store writes it.
func (s *Store) loadBuckets(ctx context.Context, wanted int) error {
	return pgx.BeginFunc(ctx, s.reads, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "insert into meta (name, value) values ('buckets', $1) on conflict (name) do nothing", wanted); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, "select value from meta where name = 'buckets'").Scan(&s.buckets); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `insert into log_heads (bucket, seq) select b, 0 from generate_series(0, $1::int - 1) b
			on conflict (bucket) do nothing`, s.buckets)
		return err
	})
}

// positionBucket spreads SKUs over the buckets, by the FNV-1a hash of the SKU. It is
// part of the stored format.
func (s *Store) positionBucket(sku string) int32 {
	const offset, prime = 2166136261, 16777619
	h := uint32(offset)
	for i := range len(sku) {
		h = (h ^ uint32(sku[i])) * prime
	}
	return int32(h % uint32(s.buckets))
}
