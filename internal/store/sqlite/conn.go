package sqlite

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unsafe"

	"modernc.org/libc"
	"modernc.org/libc/sys/types"
	sqlite3 "modernc.org/sqlite/lib"
)

// conn is one SQLite connection with its prepared statements, used by one
// goroutine at a time.
//
// It calls the C interface that modernc.org/sqlite transpiles instead of going
// through database/sql: a batch binds some thousand values, and the driver
// allocates memory for each of them.
type conn struct {
	tls   *libc.TLS
	db    uintptr          // sqlite3*
	stmts map[string]*stmt // by SQL text; bounded by the fixed texts of this package
}

// stmt is a prepared statement and the memory of its bound values.
type stmt struct {
	c     *conn
	p     uintptr // sqlite3_stmt*
	arena uintptr // C memory for bound texts and blobs
	size  int     // bytes of arena
	used  int
	extra []uintptr // blocks for values that did not fit into arena; freed by reset
	bound int       // parameters bound so far
	err   error     // of a bind, reported by step
}

const (
	arenaBytes = 64 << 10
	// busyTimeoutMillis bounds the wait for another connection's lock. Readers
	// never wait in WAL mode; only recovery and checkpoints lock.
	busyTimeoutMillis = 10_000
	ptrBytes          = int(unsafe.Sizeof(uintptr(0)))
)

// sqliteError is a failed call with SQLite's extended result code.
type sqliteError struct {
	code  int32 // extended
	errno int32 // of the operating system, when it had one
	text  string
}

func (e *sqliteError) Error() string { return fmt.Sprintf("sqlite: %s (%d)", e.text, e.code) }

// openConn opens the file with the given SQLITE_OPEN_… flags on the platform's file system.
func openConn(file string, flags int32) (*conn, error) { return openConnOn(file, flags, "") }

// openConnOn opens the file on the named file system of SQLite; "" is the platform's.
func openConnOn(file string, flags int32, fileSystem string) (*conn, error) {
	c := &conn{tls: libc.NewTLS(), stmts: map[string]*stmt{}}
	name, err := libc.CString(file)
	if err != nil {
		c.tls.Close()
		return nil, err
	}
	defer libc.Xfree(c.tls, name)
	var vfs uintptr
	if fileSystem != "" {
		if vfs, err = libc.CString(fileSystem); err != nil {
			c.tls.Close()
			return nil, err
		}
		defer libc.Xfree(c.tls, vfs)
	}
	out := libc.Xcalloc(c.tls, 1, types.Size_t(ptrBytes))
	defer libc.Xfree(c.tls, out)
	rc := sqlite3.Xsqlite3_open_v2(c.tls, name, out, flags|sqlite3.SQLITE_OPEN_NOMUTEX, vfs)
	c.db = *(*uintptr)(pointer(out))
	if rc != sqlite3.SQLITE_OK {
		err := c.failure(rc)
		c.close()
		return nil, err
	}
	sqlite3.Xsqlite3_extended_result_codes(c.tls, c.db, 1)
	sqlite3.Xsqlite3_busy_timeout(c.tls, c.db, busyTimeoutMillis)
	return c, nil
}

// close finalizes every statement and closes the connection.
func (c *conn) close() error {
	for _, s := range c.stmts {
		sqlite3.Xsqlite3_finalize(c.tls, s.p)
		s.free()
		libc.Xfree(c.tls, s.arena)
	}
	c.stmts = nil
	var err error
	if c.db != 0 {
		if rc := sqlite3.Xsqlite3_close_v2(c.tls, c.db); rc != sqlite3.SQLITE_OK {
			err = c.failure(rc)
		}
		c.db = 0
	}
	c.tls.Close()
	return err
}

// failure is the error of a call that returned rc.
func (c *conn) failure(rc int32) error {
	e := &sqliteError{code: rc, text: libc.GoString(sqlite3.Xsqlite3_errstr(c.tls, rc))}
	if c.db != 0 && sqlite3.Xsqlite3_extended_errcode(c.tls, c.db) == rc {
		e.text = libc.GoString(sqlite3.Xsqlite3_errmsg(c.tls, c.db))
		e.errno = sqlite3.Xsqlite3_system_errno(c.tls, c.db)
	}
	return e
}

// prepare returns the statement of a SQL text, preparing it the first time.
// The text must be one of this package's fixed texts, which bounds the cache.
func (c *conn) prepare(text string) (*stmt, error) {
	if s := c.stmts[text]; s != nil {
		return s, nil
	}
	zSQL, err := libc.CString(text)
	if err != nil {
		return nil, err
	}
	defer libc.Xfree(c.tls, zSQL)
	out := libc.Xcalloc(c.tls, 1, types.Size_t(ptrBytes))
	defer libc.Xfree(c.tls, out)
	if rc := sqlite3.Xsqlite3_prepare_v3(c.tls, c.db, zSQL, -1, sqlite3.SQLITE_PREPARE_PERSISTENT, out, 0); rc != sqlite3.SQLITE_OK {
		return nil, fmt.Errorf("prepare %q: %w", text, c.failure(rc))
	}
	s := &stmt{c: c, p: *(*uintptr)(pointer(out)), size: arenaBytes}
	if s.arena = libc.Xmalloc(c.tls, arenaBytes); s.arena == 0 {
		return nil, errors.New("sqlite: out of memory")
	}
	c.stmts[text] = s
	return s, nil
}

// exec runs a statement without result rows; args are int64, string or []byte.
func (c *conn) exec(text string, args ...any) error {
	return c.query(text, func(*stmt) error { return nil }, args...)
}

// query runs a statement and calls row for each result row.
func (c *conn) query(text string, row func(*stmt) error, args ...any) error {
	s, err := c.prepare(text)
	if err != nil {
		return err
	}
	for _, a := range args {
		s.bind(a)
	}
	return s.each(row)
}

// interruptible lets the end of ctx interrupt what the connection is doing,
// until the returned function is called.
func (c *conn) interruptible(ctx context.Context) (done func()) {
	if ctx.Done() == nil {
		return func() {}
	}
	finished := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(finished)
		tls := libc.NewTLS() // c.tls belongs to the goroutine that is being interrupted
		defer tls.Close()
		sqlite3.Xsqlite3_interrupt(tls, c.db)
	})
	return func() {
		if !stop() {
			<-finished // so that a late interrupt cannot hit the connection's next user
		}
	}
}

// bind sets the next parameter.
func (s *stmt) bind(arg any) {
	switch v := arg.(type) {
	case int64:
		s.int(v)
	case string:
		s.text(v)
	case []byte:
		s.blob(v)
	default:
		s.bound++
		if s.err == nil {
			s.err = fmt.Errorf("sqlite: cannot bind %T", arg)
		}
	}
}

func (s *stmt) int(v int64) {
	s.bound++
	s.check(sqlite3.Xsqlite3_bind_int64(s.c.tls, s.p, int32(s.bound), v))
}

func (s *stmt) null() {
	s.bound++
	s.check(sqlite3.Xsqlite3_bind_null(s.c.tls, s.p, int32(s.bound)))
}

func (s *stmt) text(v string) {
	s.bound++
	p, mem := s.memory(len(v))
	copy(mem, v)
	s.check(sqlite3.Xsqlite3_bind_text(s.c.tls, s.p, int32(s.bound), p, int32(len(v)), 0))
}

func (s *stmt) blob(v []byte) {
	s.bound++
	p, mem := s.memory(len(v))
	copy(mem, v)
	s.check(sqlite3.Xsqlite3_bind_blob(s.c.tls, s.p, int32(s.bound), p, int32(len(v)), 0))
}

func (s *stmt) check(rc int32) {
	if rc != sqlite3.SQLITE_OK && s.err == nil {
		s.err = s.c.failure(rc)
	}
}

// memory returns n bytes of C memory that stay until reset. SQLite is told not
// to copy or free them.
func (s *stmt) memory(n int) (uintptr, []byte) {
	p := s.arena + uintptr(s.used)
	if s.used+n < s.size {
		s.used += n
	} else {
		p = libc.Xmalloc(s.c.tls, types.Size_t(n+1))
		if p == 0 {
			if s.err == nil {
				s.err = errors.New("sqlite: out of memory")
			}
			return 0, nil
		}
		s.extra = append(s.extra, p)
	}
	return p, unsafe.Slice((*byte)(pointer(p)), n)
}

// step runs the statement to its next row, and reports whether there is one.
// After false or an error the statement is ready for its next use.
func (s *stmt) step() (bool, error) {
	if s.err != nil {
		err := s.err
		s.reset()
		return false, err
	}
	switch rc := sqlite3.Xsqlite3_step(s.c.tls, s.p); rc {
	case sqlite3.SQLITE_ROW:
		return true, nil
	case sqlite3.SQLITE_DONE:
		s.reset()
		return false, nil
	default:
		err := s.c.failure(rc)
		s.reset()
		return false, err
	}
}

// run steps a statement that returns no rows.
func (s *stmt) run() error {
	more, err := s.step()
	if more {
		s.reset()
	}
	return err
}

// each calls row for each remaining row and resets the statement.
func (s *stmt) each(row func(*stmt) error) error {
	for {
		more, err := s.step()
		if err != nil || !more {
			return err
		}
		if err := row(s); err != nil {
			s.reset()
			return err
		}
	}
}

// reset makes the statement ready for its next use. Parameters keep pointing
// at the arena, which is harmless because each use binds all of them again.
func (s *stmt) reset() {
	sqlite3.Xsqlite3_reset(s.c.tls, s.p)
	s.free()
	s.bound, s.used, s.err = 0, 0, nil
}

// free releases the blocks beside the arena.
func (s *stmt) free() {
	for _, p := range s.extra {
		libc.Xfree(s.c.tls, p)
	}
	s.extra = s.extra[:0]
}

// Columns count from 0.

func (s *stmt) colInt(i int) int64 {
	return sqlite3.Xsqlite3_column_int64(s.c.tls, s.p, int32(i))
}

func (s *stmt) colNull(i int) bool {
	return sqlite3.Xsqlite3_column_type(s.c.tls, s.p, int32(i)) == sqlite3.SQLITE_NULL
}

func (s *stmt) colText(i int) string { return string(s.colMemory(i)) }

// colBlob returns a copy; nil for an empty value.
func (s *stmt) colBlob(i int) []byte { return append([]byte(nil), s.colMemory(i)...) }

// colMemory returns the column's bytes in SQLite's memory, valid until the next step.
func (s *stmt) colMemory(i int) []byte {
	p := sqlite3.Xsqlite3_column_blob(s.c.tls, s.p, int32(i))
	if p == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(pointer(p)), sqlite3.Xsqlite3_column_bytes(s.c.tls, s.p, int32(i)))
}

// pointer turns an address in C memory into a pointer. C memory is outside the
// Go heap, so it neither moves nor is collected.
func pointer(p uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&p)) }

// changes is how many rows the last statement changed.
func (c *conn) changes() int { return int(sqlite3.Xsqlite3_changes64(c.tls, c.db)) }

func (c *conn) inTransaction() bool { return sqlite3.Xsqlite3_get_autocommit(c.tls, c.db) == 0 }

// bulkRows is how many rows one statement of insertRows writes. A statement
// opens and closes its cursors once, which is a good part of inserting one row.
const bulkRows = 32

// bulkInsert inserts many rows of one table.
type bulkInsert struct {
	one, many string // SQL text for one row and for bulkRows rows
}

// bulk builds the texts from "INSERT … VALUES" and the number of columns. The
// INSERT should name a conflict rule that ends the transaction: SQLite keeps a
// copy of each changed page for a statement of several rows that it might have
// to undo alone.
func bulk(insert string, columns int) bulkInsert {
	row := " (" + strings.Repeat("?, ", columns-1) + "?)"
	return bulkInsert{one: insert + row, many: insert + strings.Repeat(row+",", bulkRows-1) + row}
}

// insertRows inserts n rows; bind binds the columns of row i.
func (c *conn) insertRows(b bulkInsert, n int, bind func(s *stmt, i int)) error {
	for i := 0; i < n; {
		text, rows := b.one, 1
		if n-i >= bulkRows {
			text, rows = b.many, bulkRows
		}
		s, err := c.prepare(text)
		if err != nil {
			return err
		}
		for range rows {
			bind(s, i)
			i++
		}
		if err := s.run(); err != nil {
			return err
		}
	}
	return nil
}
