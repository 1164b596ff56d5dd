package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the database/sql driver that goose works through
	sqlite3 "modernc.org/sqlite/lib"
)

//go:embed migrations/*.sql
var embedded embed.FS

// schema holds the migrations of this binary.
var schema = must(fs.Sub(embedded, "migrations"))

func must(f fs.FS, err error) fs.FS {
	if err != nil {
		panic(err) // the folder is embedded above
	}
	return f
}

// Migrate brings the store in dir to the schema of this binary. No other
// process may have it open for writing.
func Migrate(ctx context.Context, dir string) error {
	if err := checkLibrary(); err != nil {
		return err
	}
	file := filepath.Join(dir, FileName)
	if _, err := os.Stat(file); err != nil {
		return fmt.Errorf("no store to migrate: %w", err)
	}
	folder, err := lock(dir)
	if err != nil {
		return err
	}
	defer folder.Close()
	return migrate(ctx, dir, file, schema)
}

func migrate(ctx context.Context, dir, file string, migrations fs.FS) error {
	have, err := fileVersion(file)
	if err != nil {
		return err
	}
	want, err := latestVersion(migrations)
	if err != nil {
		return err
	}
	if have > want {
		return newerError(dir, have, want)
	}
	return runGoose(ctx, file, migrations)
}

// create makes the database with its tables when the folder has none. A first
// start that was interrupted is completed.
func create(ctx context.Context, dir, file string, migrations fs.FS) error {
	c, err := openConn(file, sqlite3.SQLITE_OPEN_READWRITE|sqlite3.SQLITE_OPEN_CREATE)
	if err != nil {
		return mapped(err)
	}
	have, err := schemaVersion(c)
	if err == nil && have == 0 {
		err = errors.Join(
			c.exec("PRAGMA page_size = "+strconv.Itoa(pageBytes)),
			c.exec("PRAGMA journal_mode = WAL"))
	}
	if err := errors.Join(err, c.close()); err != nil {
		return mapped(err)
	}
	if have > 0 {
		return nil
	}
	if err := runGoose(ctx, file, migrations); err != nil {
		return err
	}
	return syncFolder(dir)
}

// syncFolder makes the names of newly created files durable.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func runGoose(ctx context.Context, file string, migrations fs.FS) error {
	db, err := sql.Open("sqlite", "file:"+strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(file)+
		"?_pragma=synchronous(FULL)&_pragma=busy_timeout("+strconv.Itoa(busyTimeoutMillis)+")")
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	p, err := goose.NewProvider(goose.DialectSQLite3, db, migrations,
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate the store: %w", err)
	}
	return nil
}

// checkSchema refuses a store whose schema is not the one of this binary.
func checkSchema(c *conn, dir string, migrations fs.FS) error {
	have, err := schemaVersion(c)
	if err != nil {
		return err
	}
	want, err := latestVersion(migrations)
	if err != nil {
		return err
	}
	switch {
	case have == 0:
		return fmt.Errorf("%s holds no store", dir)
	case have < want:
		return fmt.Errorf("the store in %s has schema version %d and this binary needs %d: run `orderly migrate`", dir, have, want)
	case have > want:
		return newerError(dir, have, want)
	}
	return nil
}

func newerError(dir string, have, want int64) error {
	return fmt.Errorf("the store in %s has schema version %d, this binary knows versions up to %d: use a newer binary", dir, have, want)
}

func fileVersion(file string) (version int64, err error) {
	c, err := openConn(file, sqlite3.SQLITE_OPEN_READONLY)
	if err != nil {
		return 0, mapped(err)
	}
	version, err = schemaVersion(c)
	return version, mapped(errors.Join(err, c.close()))
}

// schemaVersion is the last applied migration; 0 for an empty database.
func schemaVersion(c *conn) (version int64, err error) {
	one := func(s *stmt) error { version = s.colInt(0); return nil }
	err = c.query("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'goose_db_version'", one)
	if err != nil || version == 0 {
		return 0, err
	}
	err = c.query("SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied", one)
	return version, err
}

// latestVersion is the highest number that a migration's file name begins with.
func latestVersion(migrations fs.FS) (latest int64, err error) {
	names, err := fs.Glob(migrations, "*.sql")
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		number, _, _ := strings.Cut(name, "_")
		v, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("migration %s: %w", name, err)
		}
		latest = max(latest, v)
	}
	return latest, nil
}
