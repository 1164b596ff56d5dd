package memory_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/store"
	"github.com/orderly-oms/orderly/internal/store/memory"
	"github.com/orderly-oms/orderly/internal/store/storetest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, shape := range map[string]struct {
		buckets   int
		exclusive bool
	}{"exclusive": {1, true}, "shared": {4, false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			disks := map[store.Store]*memory.Disk{}
			open := func(t *testing.T, d *memory.Disk) store.Store {
				s, err := d.Open(memory.Options{})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { s.Close() })
				disks[s] = d
				return s
			}
			storetest.Run(t,
				func(t *testing.T) store.Store { return open(t, memory.New(shape.buckets, shape.exclusive)) },
				storetest.Again(func(t *testing.T, s store.Store) store.Store {
					d := disks[s]
					if s.Exclusive() {
						s.Close()
					}
					return open(t, d)
				}))
		})
	}
}

// batch is one record with its log row.
func batch(id string) *store.Batch {
	k := store.Key{Kind: "order", ID: id}
	at := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	return &store.Batch{
		Puts:    []store.Put{{Record: store.Record{Key: k, Version: 1, CreatedAt: at, Body: []byte("{}")}}},
		Commits: []store.Commit{{Stream: k, Version: 1, Time: at, Events: []byte("[]")}},
	}
}

// TestFaults meets every fault at a commit: what the caller learns, and what is there afterwards.
func TestFaults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fault memory.Fault
		err   error
		there bool
	}{
		{memory.None, nil, true},
		{memory.Unavailable, store.ErrUnavailable, false},
		{memory.Conflict, store.ErrConflict, false},
		{memory.Full, store.ErrFull, false},
		{memory.UnknownLost, store.ErrUnknown, false},
		{memory.UnknownDone, store.ErrUnknown, true},
		{memory.CrashBefore, memory.Crash{}, false},
		{memory.CrashAfter, memory.Crash{}, true},
	} {
		t.Run(c.fault.String(), func(t *testing.T) {
			t.Parallel()
			d := memory.New(1, true)
			s, err := d.Open(memory.Options{Inject: func(call memory.Call) memory.Fault {
				if call == memory.CallCommit {
					return c.fault
				}
				return memory.None
			}})
			if err != nil {
				t.Fatal(err)
			}
			got := commit(s, batch("o1"))
			var crash memory.Crash
			if dies := errors.As(c.err, &crash); dies != errors.As(got, &crash) || !dies && !errors.Is(got, c.err) {
				t.Fatalf("Commit returned %v, want %v", got, c.err)
			} else if dies {
				if s.Check(t.Context()) == nil {
					t.Error("a dead handle serves")
				}
				if s, err = d.Open(memory.Options{}); err != nil {
					t.Fatal(err)
				}
			}
			if found, err := s.Load(t.Context(), []store.Key{{Kind: "order", ID: "o1"}}); err != nil || (len(found) == 1) != c.there {
				t.Errorf("found %v (%v), want it there: %v", found, err, c.there)
			}
		})
	}
}

// commit returns a crash as an error.
func commit(s store.Store, b *store.Batch) (err error) {
	defer func() {
		if crash, ok := recover().(memory.Crash); ok {
			err = crash
		}
	}()
	return s.Commit(context.Background(), b)
}

func TestExclusive(t *testing.T) {
	t.Parallel()
	d := memory.New(1, true)
	s, err := d.Open(memory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Open(memory.Options{}); !errors.Is(err, store.ErrUnavailable) {
		t.Fatalf("a second handle: %v, want ErrUnavailable", err)
	}
	s.Close()
	if _, err := d.Open(memory.Options{}); err != nil {
		t.Fatal(err)
	}
}
