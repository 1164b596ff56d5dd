package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"testing"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/store"
)

// faulty is a store whose next commits fail in a given way.
type faulty struct {
	store.Store
	next atomic.Pointer[fault]
}

type fault struct {
	err     error
	written bool // the batch becomes durable all the same: only the answer is lost
}

func (f *faulty) Commit(ctx context.Context, b *store.Batch) error {
	if x := f.next.Swap(nil); x != nil {
		if x.written {
			if err := f.Store.Commit(ctx, b); err != nil {
				return err
			}
		}
		return x.err
	}
	return f.Store.Commit(ctx, b)
}

// withFaults opens an engine over a store that fails on demand. Fatal errors are sent to the channel.
func withFaults(t *testing.T, s store.Store) (*node, *faulty, chan error) {
	t.Helper()
	f, c, fatal := &faulty{Store: s}, newClock(), make(chan error, 10)
	e, err := engine.Open(background, f, engine.Options{
		Clock: c.now, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Fatal: func(err error) { fatal <- err },
	})
	if err != nil {
		t.Fatal(err)
	}
	e.Run()
	n := &node{Engine: e, tb: t, clock: c, store: s}
	t.Cleanup(n.close)
	n.retailer(2, 2, 10)
	return n, f, fatal
}

func TestFailedCommitLeavesMemoryAsItWas(t *testing.T) {
	for name, fresh := range stores {
		t.Run(name, func(t *testing.T) {
			n, f, _ := withFaults(t, fresh(t)())
			for _, cause := range []error{store.ErrFull, store.ErrUnavailable} {
				f.next.Store(&fault{err: fmt.Errorf("injected: %w", cause)})
				if _, err := n.Capture(background, basket("a", "S0"), engine.Meta{}); !errors.Is(err, cause) {
					t.Fatalf("got %v, want %v", err, cause)
				}
				f.next.Store(&fault{err: fmt.Errorf("injected: %w", cause)})
				if _, err := n.SetSafety(background, []engine.SafetyItem{{SKU: "S0", Location: "L00", Quantity: 3}}, engine.Meta{}); !errors.Is(err, cause) {
					t.Fatalf("got %v, want %v", err, cause)
				}
				n.equalsStore()
			}
			n.capture(basket("a", "S0")) // writes work again by themselves
			n.equalsStore()
		})
	}
}

func TestRefusedGuardIsDecidedAgain(t *testing.T) {
	n, f, _ := withFaults(t, stores["sqlite"](t)())
	f.next.Store(&fault{err: fmt.Errorf("injected: %w", store.ErrConflict)})
	n.capture(basket("a", "S0"))
	if n.Stats.Conflicts.Load() != 1 {
		t.Fatalf("%d conflicts", n.Stats.Conflicts.Load())
	}
	n.equalsStore()
}

func TestUnknownOutcomeReloadsMemory(t *testing.T) {
	for name, fresh := range stores {
		for _, written := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s written=%v", name, written), func(t *testing.T) {
				n, f, _ := withFaults(t, fresh(t)())
				f.next.Store(&fault{err: fmt.Errorf("injected: %w", store.ErrUnknown), written: written})
				_, err := n.Reserve(background, &inventory.NewReservation{Channel: "web", Lines: []inventory.NewReservationLine{{SKU: "S0", Quantity: 4}}}, engine.Meta{})
				if !errors.Is(err, store.ErrUnknown) {
					t.Fatal(err)
				}
				// The next commands are decided on memory that the store agrees with, whatever became of the first.
				for i := range 20 {
					n.capture(basket(fmt.Sprint("b", i), "S1"))
				}
				n.AwaitReload()
				n.equalsStore()
				var reserved int64
				n.Book().Each("S0", func(p inventory.Position) bool { reserved += p.Reserved; return true })
				if want := map[bool]int64{true: 4, false: 0}[written]; reserved != want {
					t.Fatalf("%d reserved, want %d", reserved, want)
				}
			})
		}
	}
}

func TestBrokenDeviceIsFatal(t *testing.T) {
	n, f, fatal := withFaults(t, stores["sqlite"](t)())
	f.next.Store(&fault{err: fmt.Errorf("injected: %w", store.ErrBroken)})
	if _, err := n.Capture(background, basket("a", "S0"), engine.Meta{}); !errors.Is(err, store.ErrBroken) {
		t.Fatalf("%v", err)
	}
	if err := <-fatal; !errors.Is(err, store.ErrBroken) {
		t.Fatal(err)
	}
}

func FuzzParseCursor(f *testing.F) {
	f.Add("", 1)
	f.Add(engine.Cursor{1, 2, 3}.String(), 3)
	f.Add("MC4x", 2)
	f.Fuzz(func(t *testing.T, s string, n int) {
		if n < 0 || n > 1000 {
			return
		}
		c, err := engine.ParseCursor(s, n)
		if err != nil {
			return
		}
		if len(c) != n {
			t.Fatalf("%d places, want %d", len(c), n)
		}
		again, err := engine.ParseCursor(c.String(), n)
		if err != nil && n > 0 {
			t.Fatal(err)
		}
		for i := range again {
			if again[i] != c[i] || c[i] < 0 {
				t.Fatalf("%v read back as %v", c, again)
			}
		}
	})
}
