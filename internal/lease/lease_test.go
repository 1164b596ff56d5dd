package lease_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/lease"
	"github.com/orderly-oms/orderly/internal/pgtest"
	"github.com/orderly-oms/orderly/internal/store"
	"github.com/orderly-oms/orderly/internal/store/postgres"
	"github.com/orderly-oms/orderly/internal/store/sqlite"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// never is a length that no test waits for: what another node gets before, it was given.
const never = time.Hour

var (
	quiet = slog.New(slog.DiscardHandler)
	key   = engine.ReferenceKey(engine.KindPaymentLease, "test")
)

// node is one of several that share a store.
func node(t *testing.T, db store.Store, length time.Duration) *lease.Lease {
	t.Helper()
	e, err := engine.Open(t.Context(), db, engine.Options{Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	e.Run()
	t.Cleanup(e.Close)
	return lease.New(e, lease.Options{Key: key, State: "lease", Event: "test_lease.taken", Actor: "test", Length: length, Longest: length / 2, Log: quiet})
}

// shared gives connections to one database.
func shared(t *testing.T) func() store.Store {
	url := pgtest.NewDatabase(t)
	return func() store.Store {
		t.Helper()
		db, err := postgres.Open(t.Context(), url, postgres.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		return db
	}
}

func acquire(t *testing.T, l *lease.Lease) int64 {
	t.Helper()
	epoch, ok := l.Acquire(t.Context())
	if !ok {
		t.Fatal("the lease was not got")
	}
	return epoch
}

func TestReleaseHandsOver(t *testing.T) {
	t.Parallel()
	open := shared(t)
	a, b := node(t, open(), never), node(t, open(), never)
	if a.MayBegin() {
		t.Error("something may begin before the lease is owned")
	}
	first := acquire(t, a)
	if !a.MayBegin() || b.MayBegin() || a.Interval() != never/3 {
		t.Errorf("owned: may begin %t, the other %t, renewed every %s", a.MayBegin(), b.MayBegin(), a.Interval())
	}
	got := make(chan int64)
	go func() {
		epoch, _ := b.Acquire(t.Context())
		got <- epoch
	}()
	for range 3 {
		if err := a.Renew(t.Context(), first); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-got:
		t.Fatal("it was taken from an owner that is alive")
	default:
	}
	a.Release(first)
	second := <-got
	if second != first+1 {
		t.Errorf("epoch %d follows %d", second, first)
	}
	if err := a.Renew(t.Context(), first); !errors.Is(err, lease.ErrFenced) {
		t.Errorf("the owner before renewed: %v", err)
	}
	a.Release(first) // late: it is not its own any more
	if err := b.Renew(t.Context(), second); err != nil {
		t.Errorf("the owner lost it to a late release: %v", err)
	}
}

// An owner that says nothing is replaced, may begin nothing by then, and finds out.
func TestSilentOwnerIsReplaced(t *testing.T) {
	t.Parallel()
	open := shared(t)
	a, b := node(t, open(), 300*time.Millisecond), node(t, open(), 300*time.Millisecond)
	first := acquire(t, a)
	second := acquire(t, b)
	if second != first+1 || a.MayBegin() {
		t.Errorf("epoch %d follows %d; the owner before may begin something: %t", second, first, a.MayBegin())
	}
	if err := a.Renew(t.Context(), first); !errors.Is(err, lease.ErrFenced) || a.MayBegin() {
		t.Errorf("it renewed (%v), and may begin something: %t", err, a.MayBegin())
	}
	a.Release(first)
	if err := b.Renew(t.Context(), second); err != nil {
		t.Errorf("the owner lost it: %v", err)
	}
}

func TestOneOfManyGetsIt(t *testing.T) {
	t.Parallel()
	open := shared(t)
	const nodes = 4
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	got := make(chan bool, nodes)
	for range nodes {
		l := node(t, open(), never)
		go func() {
			_, ok := l.Acquire(ctx)
			got <- ok
		}()
	}
	if !<-got {
		t.Fatal("nobody got it")
	}
	cancel()
	for range nodes - 1 {
		if <-got {
			t.Error("two nodes own it")
		}
	}
}

// Where no other process can write, what a crash left behind is taken at once and never renewed.
func TestExclusiveStore(t *testing.T) {
	t.Parallel()
	db, err := sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	a := node(t, db, never)
	first := acquire(t, a)
	b := node(t, db, never) // the next process, as far as the store knows
	if second := acquire(t, b); second != first+1 || b.Interval() != 0 || !b.MayBegin() {
		t.Errorf("epoch %d follows %d, renewed every %s, may begin: %t", second, first, b.Interval(), b.MayBegin())
	}
}

func TestAcquireEndsWithItsContext(t *testing.T) {
	t.Parallel()
	open := shared(t)
	a, b := node(t, open(), never), node(t, open(), never)
	acquire(t, a)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan bool)
	go func() {
		_, ok := b.Acquire(ctx)
		ended <- ok
	}()
	cancel()
	if <-ended {
		t.Error("it was got from an owner that is alive")
	}
}
