package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/store"
	"github.com/orderly-oms/orderly/internal/store/storetest"
)

func openTemp(t testing.TB) *Store {
	t.Helper()
	return openDir(t, t.TempDir())
}

func openDir(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestConformance(t *testing.T) {
	dirs := map[store.Store]string{}
	storetest.Run(t, func(t *testing.T) store.Store {
		dir := t.TempDir()
		s := openDir(t, dir)
		dirs[s] = dir
		return s
	}, storetest.Again(func(t *testing.T, s store.Store) store.Store {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		next := openDir(t, dirs[s])
		dirs[next] = dirs[s]
		return next
	}))
}

func order(n int) *store.Batch {
	key := store.Key{Kind: "order", ID: fmt.Sprintf("o%06d", n)}
	now := time.Unix(int64(n), 0)
	return &store.Batch{
		Puts:    []store.Put{{Record: store.Record{Key: key, Version: 1, CreatedAt: now, Body: make([]byte, 1000)}}},
		Commits: []store.Commit{{Stream: key, Version: 1, Time: now, Events: []byte("[]")}},
	}
}

func mustCommit(t testing.TB, s *Store, b *store.Batch) {
	t.Helper()
	if err := s.Commit(context.Background(), b); err != nil {
		t.Fatal(err)
	}
}

func head(t testing.TB, s *Store) int64 {
	t.Helper()
	heads, err := s.Heads(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return heads[0]
}

func TestSecondOpenNamesTheProcess(t *testing.T) {
	dir := t.TempDir()
	s := openDir(t, dir)
	_, err := Open(t.Context(), dir, Options{})
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("in use by process %d", os.Getpid())) {
		t.Fatalf("second Open: %v, want an error that names process %d", err, os.Getpid())
	}
	if err := Migrate(t.Context(), dir); err == nil {
		t.Fatal("Migrate of an open store succeeded")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	openDir(t, dir)
}

func TestReadOnlyBesideTheWriter(t *testing.T) {
	dir := t.TempDir()
	if _, err := OpenReadOnly(t.Context(), dir); err == nil {
		t.Fatal("OpenReadOnly of an empty folder succeeded")
	}
	s := openDir(t, dir)
	mustCommit(t, s, order(1))
	r, err := OpenReadOnly(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := head(t, r); got != 1 {
		t.Fatalf("head %d beside the writer, want 1", got)
	}
	mustCommit(t, s, order(2))
	if got := head(t, r); got != 2 {
		t.Fatalf("head %d after another commit, want 2", got)
	}
	if err := r.Commit(t.Context(), order(3)); !errors.Is(err, ErrReadOnly) {
		t.Fatalf("Commit returned %v, want ErrReadOnly", err)
	}
	if err := r.SaveCursor(t.Context(), "r", []int64{1}); !errors.Is(err, ErrReadOnly) {
		t.Fatalf("SaveCursor returned %v, want ErrReadOnly", err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	r, err = OpenReadOnly(t.Context(), dir) // nobody has it open now
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got := head(t, r); got != 2 {
		t.Fatalf("head %d without a writer, want 2", got)
	}
}

func TestClosedStore(t *testing.T) {
	s := openTemp(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(t.Context(), order(1)); !errors.Is(err, store.ErrUnavailable) {
		t.Fatalf("Commit returned %v, want ErrUnavailable", err)
	}
	if err := s.Check(t.Context()); !errors.Is(err, store.ErrUnavailable) {
		t.Fatalf("Check returned %v, want ErrUnavailable", err)
	}
}

func TestBatchLimits(t *testing.T) {
	s := openTemp(t)
	big := &store.Batch{Commits: make([]store.Commit, store.MaxBatchCommits+1)}
	wrong := order(1)
	wrong.Commits[0].Stream.Bucket = 1
	for name, b := range map[string]*store.Batch{"too many commits": big, "bucket": {Bucket: 1}, "bucket of a commit": wrong} {
		if err := s.Commit(t.Context(), b); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if got := head(t, s); got != 0 {
		t.Fatalf("head %d, want 0", got)
	}
}

// TestFullDatabase fills the database to a limit of pages, which SQLite reports as it reports a full disk.
func TestFullDatabase(t *testing.T) {
	s := openTemp(t)
	var pages int64
	set := func(limit int64) {
		err := s.writer.query(fmt.Sprintf("PRAGMA max_page_count = %d", limit), func(r *stmt) error {
			pages = r.colInt(0)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	set(200)
	n := 0
	var err error
	for ; n < 10_000 && err == nil; n++ {
		err = s.Commit(t.Context(), order(n))
	}
	if !errors.Is(err, store.ErrFull) {
		t.Fatalf("Commit %d returned %v, want ErrFull", n, err)
	}
	if got := head(t, s); got != int64(n-1) {
		t.Fatalf("head %d after the refusal, want %d", got, n-1)
	}
	if err := s.Commit(t.Context(), order(n-1)); !errors.Is(err, store.ErrFull) {
		t.Fatalf("Commit returned %v, want ErrFull again", err)
	}
	set(pages + 1000)
	b := order(n - 1)
	mustCommit(t, s, b)
	if b.Commits[0].Seq != int64(n) {
		t.Fatalf("sequence %d with room again, want %d", b.Commits[0].Seq, n)
	}
}
