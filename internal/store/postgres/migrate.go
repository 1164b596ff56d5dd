package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

const (
	// lockEvery and lockAttempts bound the wait for another node that migrates: 5 minutes.
	lockEvery    = 100 * time.Millisecond
	lockAttempts = 3000
	// migrateAttempts bounds repeats when nodes create the migration tables at the same moment.
	migrateAttempts = 5
)

func migrations() fs.FS {
	sub, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		panic(err) // the folder is embedded
	}
	return sub
}

// Migrate brings the schema of the database to the version of this program. It
// may run on several nodes at once: one migrates, the others wait.
func Migrate(ctx context.Context, url string) error {
	return withProvider(url, migrations(), func(p *goose.Provider) error { return migrateUp(ctx, p) })
}

// prepareSchema creates the schema in an empty database and refuses any other
// version than that of files.
func prepareSchema(ctx context.Context, url string, files fs.FS) error {
	return withProvider(url, files, func(p *goose.Provider) error {
		current, target, err := p.GetVersions(ctx)
		if err != nil {
			return fmt.Errorf("read schema version: %w", err)
		}
		switch {
		case current == 0:
			return migrateUp(ctx, p)
		case current < target:
			return fmt.Errorf("the database has schema version %d and this program needs %d: run orderly migrate", current, target)
		case current > target:
			return fmt.Errorf("the database has schema version %d and this program only knows up to %d: use a newer program", current, target)
		}
		return nil
	})
}

// migrateUp applies what is missing. Nodes that start together may collide while
// they create goose's own tables, before its lock can hold: the loser repeats.
func migrateUp(ctx context.Context, p *goose.Provider) error {
	var err error
	for range migrateAttempts {
		if _, err = p.Up(ctx); err == nil {
			return nil
		}
		if !isCreatedMeanwhile(err) {
			break
		}
	}
	return fmt.Errorf("migrate: %w", err)
}

func withProvider(url string, files fs.FS, use func(*goose.Provider) error) error {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return fmt.Errorf("database URL: %w", err)
	}
	db := stdlib.OpenDB(*cfg)
	p, err := newProvider(db, files)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	return errors.Join(use(p), p.Close())
}

func newProvider(db *sql.DB, files fs.FS) (*goose.Provider, error) {
	quiet := slog.New(slog.DiscardHandler)
	locker, err := lock.NewPostgresTableLocker(lock.WithTableLogger(quiet), lock.WithTableLockTimeout(lockEvery, lockAttempts))
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectPostgres, db, files, goose.WithLocker(locker), goose.WithSlog(quiet), goose.WithDisableGlobalRegistry(true))
}
