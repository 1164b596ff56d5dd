package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/orderly-oms/orderly/internal/store"
)

// SQLSTATE codes that mean something to the store.
const (
	codeDivisionByZero      = "22012" // how a guard in a statement refuses
	codeUniqueViolation     = "23505"
	codeCheckViolation      = "23514"
	codeReadOnlyTransaction = "25006"
	codeSerialization       = "40001"
	codeDeadlock            = "40P01"
	codeDuplicateTable      = "42P07"
	codeDuplicateObject     = "42710"
	codeDiskFull            = "53100"
	codeIOError             = "58030"
)

// pgError returns the server's error in err, or nil.
func pgError(err error) *pgconn.PgError {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e
	}
	return nil
}

// isCreatedMeanwhile reports that a table was created by another session between look and create.
func isCreatedMeanwhile(err error) bool {
	e := pgError(err)
	return e != nil && (e.Code == codeUniqueViolation || e.Code == codeDuplicateTable || e.Code == codeDuplicateObject)
}

// isRepeatable reports that the server undid the transaction only because of what
// ran beside it.
func isRepeatable(err error) bool {
	e := pgError(err)
	return e != nil && (e.Code == codeSerialization || e.Code == codeDeadlock)
}

// serverError turns an error that the server reported, and after which it has
// undone the transaction, into the port's errors.
func serverError(e *pgconn.PgError) error {
	switch {
	case e.Code == codeUniqueViolation || e.Code == codeCheckViolation:
		return fmt.Errorf("%w: %s %s", store.ErrConflict, e.Message, e.Detail)
	case e.Code == codeDiskFull:
		return fmt.Errorf("%w: %w", store.ErrFull, e)
	case e.Code == codeReadOnlyTransaction, // a standby, or the former primary
		e.Code == codeIOError,
		e.Code == codeSerialization, e.Code == codeDeadlock, // more often than Commit repeats
		strings.HasPrefix(e.Code, "08"),   // connection
		strings.HasPrefix(e.Code, "53"),   // out of memory, connections
		strings.HasPrefix(e.Code, "57P0"), // shutting down, crashing, starting
		e.SeverityUnlocalized == "FATAL", e.SeverityUnlocalized == "PANIC":
		return fmt.Errorf("%w: %w", store.ErrUnavailable, e)
	}
	return e
}

// readError turns an error of a read, or of a write whose outcome the caller
// does not depend on, into the port's errors.
func readError(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return store.ErrNotFound
	}
	if e := pgError(err); e != nil {
		return fmt.Errorf("postgres: %w", serverError(e))
	}
	if isConnectionError(err) {
		return fmt.Errorf("postgres: %w: %w", store.ErrUnavailable, err)
	}
	return err
}

// isConnectionError reports that err came from the connection and not from what was sent over it.
func isConnectionError(err error) bool {
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	if pgError(err) != nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || pgconn.SafeToRetry(err)
}

// readError is readError, and drops the connections that are likely to have broken together with this one.
func (s *Store) readError(err error) error {
	if err != nil && isConnectionError(err) {
		s.reset()
	}
	return readError(err)
}

// reset drops all connections, so that after a crash of the server only the calls that
// were under way meet a broken one.
func (s *Store) reset() {
	for _, pool := range []*pgxpool.Pool{s.writes, s.reads} {
		if pool != nil {
			pool.Reset()
		}
	}
}
