package sqlite

import (
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

// withNext is the binary's schema and one migration more.
func withNext(t *testing.T) fstest.MapFS {
	t.Helper()
	next := fstest.MapFS{"00002_next.sql": {Data: []byte("-- +goose Up\nCREATE TABLE next (a INTEGER);\n-- +goose Down\nDROP TABLE next;\n")}}
	names, err := fs.Glob(schema, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		data, err := fs.ReadFile(schema, name)
		if err != nil {
			t.Fatal(err)
		}
		next[name] = &fstest.MapFile{Data: data}
	}
	return next
}

func checkDir(t *testing.T, dir string, migrations fs.FS) error {
	t.Helper()
	s := newStore(dir, Options{})
	defer s.Close()
	return s.read(t.Context(), func(c *conn) error { return checkSchema(c, dir, migrations) })
}

func TestSchemaVersions(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, FileName)
	if err := Migrate(t.Context(), dir); err == nil {
		t.Fatal("Migrate of an empty folder succeeded")
	}
	s := openDir(t, dir)
	mustCommit(t, s, order(1))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	next := withNext(t)

	err := checkDir(t, dir, next)
	if err == nil || !strings.Contains(err.Error(), "orderly migrate") || !strings.Contains(err.Error(), "version 1 ") || !strings.Contains(err.Error(), "needs 2") {
		t.Fatalf("older store: %v, want both versions and a hint to migrate", err)
	}
	if err := migrate(t.Context(), dir, file, next); err != nil {
		t.Fatal(err)
	}
	if err := checkDir(t, dir, next); err != nil {
		t.Fatalf("after the migration: %v", err)
	}

	for name, open := range map[string]func() error{
		"Open":         func() error { _, err := Open(t.Context(), dir, Options{}); return err },
		"OpenReadOnly": func() error { _, err := OpenReadOnly(t.Context(), dir); return err },
		"Migrate":      func() error { return Migrate(t.Context(), dir) },
	} {
		err := open()
		if err == nil || !strings.Contains(err.Error(), "version 2") || !strings.Contains(err.Error(), "up to 1") {
			t.Fatalf("%s of a newer store: %v, want both versions", name, err)
		}
	}
}

// TestInterruptedCreation opens a folder whose first start ended before any table was made.
func TestInterruptedCreation(t *testing.T) {
	dir := t.TempDir()
	if err := create(t.Context(), dir, filepath.Join(dir, FileName), fstest.MapFS{
		"00001_other.sql": {Data: []byte("-- +goose Up\nTHIS IS NOT SQL;\n")},
	}); err == nil {
		t.Fatal("a migration that is not SQL succeeded")
	}
	s := openDir(t, dir)
	mustCommit(t, s, order(1))
}

func TestMigrateIsRepeatable(t *testing.T) {
	dir := t.TempDir()
	s := openDir(t, dir)
	mustCommit(t, s, order(1))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := Migrate(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	if got := head(t, openDir(t, dir)); got != 1 {
		t.Fatalf("head %d, want 1", got)
	}
}
