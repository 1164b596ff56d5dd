package sqlite

import (
	"errors"
	"fmt"
	"syscall"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/orderly-oms/orderly/internal/store"
)

// ErrReadOnly is returned by writes to a store that OpenReadOnly opened.
var ErrReadOnly = errors.New("store: opened for reading only")

// mapped gives an error of SQLite its meaning in the store's contract. Errors
// that already have one, and errors of other origin, pass.
func mapped(err error) error {
	var e *sqliteError
	if !errors.As(err, &e) {
		return err
	}
	switch e.code & 0xff {
	case sqlite3.SQLITE_CONSTRAINT:
		return fmt.Errorf("%w: %w", store.ErrConflict, err)
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("%w: %w", store.ErrFull, err)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOMEM:
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	case sqlite3.SQLITE_IOERR:
		if fullDisk(e) {
			return fmt.Errorf("%w: %w", store.ErrFull, err)
		}
		return fmt.Errorf("%w: %w", store.ErrBroken, err)
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("%w: %w", store.ErrBroken, err)
	}
	return err
}

// fullDisk reports that an I/O error only means a lack of room. A failed fsync
// never does: the kernel may have dropped what it could not write.
func fullDisk(e *sqliteError) bool {
	switch e.code {
	case sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_TRUNCATE:
		return e.errno == int32(syscall.ENOSPC) || e.errno == int32(syscall.EDQUOT)
	}
	return false
}
