package sqlite

import (
	"errors"
	"testing"
	"unsafe"

	"modernc.org/libc"
	"modernc.org/libc/sys/types"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/orderly-oms/orderly/internal/store"
)

// failing replaces methods of the platform's file system under the store's
// write-ahead log, and returns how to heal it.
func failing(t *testing.T, s *Store, spoil func(*sqlite3.Tsqlite3_io_methods)) (heal func()) {
	t.Helper()
	tls := libc.NewTLS()
	t.Cleanup(tls.Close)
	var w *walFile
	walFiles.Range(func(_, v any) bool {
		w = v.(*walFile)
		return false
	})
	if w == nil {
		t.Fatal("no write-ahead log is open")
	}
	base := w.base
	copied := libc.Xcalloc(tls, 1, types.Size_t(unsafe.Sizeof(sqlite3.Tsqlite3_io_methods{})))
	m := (*sqlite3.Tsqlite3_io_methods)(pointer(copied))
	*m = *(*sqlite3.Tsqlite3_io_methods)(pointer(base))
	spoil(m)
	w.base = copied
	w.synced = false // so that the platform's sync is asked
	return func() { w.base = base }
}

// TestFullDisk lets writes to the log fail for lack of room, in the middle of
// what is held back and at its start: nothing of the batch may remain, and
// writing must work again when there is room.
func TestFullDisk(t *testing.T) {
	for _, good := range []int{0, 1, 3} {
		s := openTemp(t)
		mustCommit(t, s, order(1))
		large := &store.Batch{}
		for n := 100; n < 700; n++ {
			one := order(n)
			large.Puts = append(large.Puts, one.Puts...)
			large.Commits = append(large.Commits, one.Commits...)
		}
		goodWrites = good
		heal := failing(t, s, func(m *sqlite3.Tsqlite3_io_methods) {
			platformWrite = m.FxWrite
			m.FxWrite = address(fullWrite)
		})
		if err := s.Commit(t.Context(), large); !errors.Is(err, store.ErrFull) {
			t.Fatalf("after %d good writes Commit returned %v, want ErrFull", good, err)
		}
		if got := head(t, s); got != 1 {
			t.Fatalf("head %d after the refusal, want 1", got)
		}
		heal()
		mustCommit(t, s, large)
		if got := head(t, s); got != 601 || large.Commits[0].Seq != 2 {
			t.Fatalf("head %d, first sequence %d with room again", got, large.Commits[0].Seq)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFailedSync: a failed fsync breaks the store for good, even if the next would succeed.
func TestFailedSync(t *testing.T) {
	for name, spoil := range map[string]func(*sqlite3.Tsqlite3_io_methods){
		"sync":  func(m *sqlite3.Tsqlite3_io_methods) { m.FxSync = address(failedSync) },
		"write": func(m *sqlite3.Tsqlite3_io_methods) { m.FxWrite = address(failedWrite) },
	} {
		s := openTemp(t)
		mustCommit(t, s, order(1))
		heal := failing(t, s, spoil)
		if err := s.Commit(t.Context(), order(2)); !errors.Is(err, store.ErrBroken) {
			t.Fatalf("%s: Commit returned %v, want ErrBroken", name, err)
		}
		heal()
		if err := s.Commit(t.Context(), order(3)); !errors.Is(err, store.ErrBroken) {
			t.Fatalf("%s: the next Commit returned %v, want ErrBroken", name, err)
		}
		if err := s.Check(t.Context()); !errors.Is(err, store.ErrBroken) {
			t.Fatalf("%s: Check returned %v, want ErrBroken", name, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// The faulty methods are functions of the package, because SQLite's structures
// do not keep a closure alive.

var (
	goodWrites    int     // how many writes succeed before fullWrite fails
	platformWrite uintptr // xWrite
)

func fullWrite(tls *libc.TLS, file, buffer uintptr, n int32, offset int64) int32 {
	if goodWrites == 0 {
		return sqlite3.SQLITE_FULL
	}
	goodWrites--
	return function[transferFunc](platformWrite)(tls, file, buffer, n, offset)
}

func failedWrite(*libc.TLS, uintptr, uintptr, int32, int64) int32 { return sqlite3.SQLITE_IOERR_WRITE }

func failedSync(*libc.TLS, uintptr, int32) int32 { return sqlite3.SQLITE_IOERR_FSYNC }
