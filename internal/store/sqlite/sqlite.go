// Package sqlite keeps a store in one SQLite file inside a data folder: the
// adapter for one machine, fulfilling the contract of package store.
//
// What it promises:
//
//   - One process writes: Open locks the folder. Auditors and backups read
//     beside it through OpenReadOnly.
//   - A commit is in the write-ahead log and fsynced (journal_mode=WAL,
//     synchronous=FULL) when Commit returns nil. One connection writes; readers
//     have their own and never wait for it.
//   - Checkpoints run beside the writer and pause it only for the pages written
//     meanwhile, so the write-ahead log stays bounded without long stalls.
//   - After a failed fsync or I/O error every further write returns ErrBroken.
//
// What it does not do: share a folder between processes that write, run on a
// network file system, or upgrade a store with data unasked (see Migrate).
package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/orderly-oms/orderly/internal/store"
)

// FileName is the database inside the data folder.
const FileName = "orderly.db"

const (
	// oldestSQLite is 3.53.0: earlier ones can corrupt a database when the
	// write-ahead log is reset.
	oldestSQLite = 3_053_000
	// readers is how many queries run at once; further ones wait.
	readers = 4
	// readerCacheBytes bounds the page cache of each reading connection.
	readerCacheBytes = 16 << 20
	// pageBytes is fixed when a store is created.
	pageBytes = 4096
)

// Options tune a store. The zero value is the default.
type Options struct {
	// CacheBytes bounds the page cache of the writing connection. Default 32 MiB: SQLite walks
	// the whole cache at every commit, and what falls out of it is still in the system's.
	CacheBytes int64
	// CheckpointPages is how many pages are written before a checkpoint moves
	// them from the write-ahead log to the database. Default 16,384 (64 MiB).
	CheckpointPages int64
}

func (o Options) withDefaults() Options {
	if o.CacheBytes == 0 {
		o.CacheBytes = 32 << 20
	}
	if o.CheckpointPages == 0 {
		o.CheckpointPages = 16_384
	}
	return o
}

// Store is an open data folder.
type Store struct {
	file    string
	options Options
	folder  *os.File // the lock; nil when read-only

	write  sync.Mutex // guards writer, head and moves
	writer *conn      // nil when read-only
	head   int64      // last sequence of the log
	moves  int64      // last pk of the movements

	// idle holds readers connections, or nil in the place of one not opened yet.
	idle chan *conn

	broken     atomic.Pointer[error] // the first failure of the device
	checkpoint *checkpointer

	closing sync.Once
	closed  chan struct{}
}

var _ store.Store = (*Store)(nil)

// Open opens the store in dir for this process alone, creating folder and
// tables when there are none. A store with an older schema is refused with a
// hint to run Migrate, one with a newer schema altogether.
func Open(ctx context.Context, dir string, options Options) (*Store, error) {
	if err := checkLibrary(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	folder, err := lock(dir)
	if err != nil {
		return nil, err
	}
	s := newStore(dir, options)
	s.folder = folder
	if err := s.openWriter(ctx, dir); err != nil {
		s.Close()
		return nil, fmt.Errorf("open store in %s: %w", dir, err)
	}
	return s, nil
}

// OpenReadOnly opens the store in dir for reading, beside the process that
// writes to it or without one. Its write methods return ErrReadOnly.
func OpenReadOnly(ctx context.Context, dir string) (*Store, error) {
	if err := checkLibrary(); err != nil {
		return nil, err
	}
	s := newStore(dir, Options{})
	err := s.read(ctx, func(c *conn) error { return checkSchema(c, dir, schema) })
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("open store in %s: %w", dir, err)
	}
	return s, nil
}

func newStore(dir string, options Options) *Store {
	s := &Store{
		file:    filepath.Join(dir, FileName),
		options: options.withDefaults(),
		idle:    make(chan *conn, readers),
		closed:  make(chan struct{}),
	}
	for range readers {
		s.idle <- nil
	}
	return s
}

func checkLibrary() error {
	tls := libc.NewTLS()
	defer tls.Close()
	if v := sqlite3.Xsqlite3_libversion_number(tls); v < oldestSQLite {
		return fmt.Errorf("SQLite %s is too old: at least 3.53.0 is needed", libc.GoString(sqlite3.Xsqlite3_libversion(tls)))
	}
	return nil
}

func (s *Store) openWriter(ctx context.Context, dir string) error {
	if err := create(ctx, dir, s.file, schema); err != nil {
		return err
	}
	var err error
	registerWALFileSystem()
	s.writer, err = openConnOn(s.file, sqlite3.SQLITE_OPEN_READWRITE, walFileSystem)
	if err != nil {
		return mapped(err)
	}
	if err := checkSchema(s.writer, dir, schema); err != nil {
		return err
	}
	pragmas := []string{
		"PRAGMA synchronous = FULL",
		"PRAGMA temp_store = MEMORY",
		"PRAGMA wal_autocheckpoint = 0", // the checkpointer does it
		fmt.Sprintf("PRAGMA cache_size = -%d", s.options.CacheBytes/1024),
	}
	for _, p := range pragmas {
		if err := s.writer.exec(p); err != nil {
			return mapped(err)
		}
	}
	if s.head, err = readHead(s.writer); err != nil {
		return mapped(err)
	}
	if s.moves, err = readMoves(s.writer); err != nil {
		return mapped(err)
	}
	s.checkpoint, err = startCheckpointer(s)
	return err
}

// Buckets is 1: one file has one log.
func (s *Store) Buckets() int { return 1 }

// Exclusive is true: the folder is locked.
func (s *Store) Exclusive() bool { return true }

// Check returns nil when the store can be read now.
func (s *Store) Check(ctx context.Context) error {
	if err := s.brokenError(); err != nil {
		return err
	}
	_, err := s.Heads(ctx)
	return err
}

// Close waits for running calls, closes the connections and frees the folder.
// What Commit acknowledged is durable whether or not Close is called.
func (s *Store) Close() error {
	var err error
	s.closing.Do(func() {
		close(s.closed)
		if s.checkpoint != nil {
			err = errors.Join(err, s.checkpoint.close())
		}
		for range readers {
			if c := <-s.idle; c != nil {
				err = errors.Join(err, c.close())
			}
		}
		s.write.Lock()
		defer s.write.Unlock()
		if s.writer != nil { // last, so that it leaves a checkpointed file behind
			err = errors.Join(err, s.writer.close())
			s.writer = nil
		}
		if s.folder != nil {
			err = errors.Join(err, s.folder.Close())
		}
	})
	return err
}

// read runs f on a connection of the reader pool.
func (s *Store) read(ctx context.Context, f func(*conn) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var c *conn
	select {
	case <-s.closed:
		return errClosed
	default:
	}
	select {
	case c = <-s.idle:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closed:
		return errClosed
	}
	defer func() { s.idle <- c }()
	if c == nil {
		var err error
		if c, err = s.openReader(); err != nil {
			c = nil
			return mapped(err)
		}
	}
	return mapped(f(c))
}

var errClosed = fmt.Errorf("%w: the store is closed", store.ErrUnavailable)

func (s *Store) openReader() (*conn, error) {
	c, err := openConn(s.file, sqlite3.SQLITE_OPEN_READONLY)
	if err != nil {
		return nil, err
	}
	for _, p := range []string{
		"PRAGMA query_only = 1",
		"PRAGMA temp_store = MEMORY",
		fmt.Sprintf("PRAGMA cache_size = -%d", readerCacheBytes/1024),
	} {
		if err := c.exec(p); err != nil {
			c.close()
			return nil, err
		}
	}
	return c, nil
}

// brokenError is ErrBroken with its cause once the device has failed.
func (s *Store) brokenError() error {
	if err := s.broken.Load(); err != nil {
		return *err
	}
	return nil
}

// noteBroken remembers the first failure of the device.
func (s *Store) noteBroken(err error) {
	if errors.Is(err, store.ErrBroken) {
		s.broken.CompareAndSwap(nil, &err)
	}
}
