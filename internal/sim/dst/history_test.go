package dst

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/jsonenc"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/past"
	"github.com/orderly-oms/orderly/internal/past/extract"
	"github.com/orderly-oms/orderly/internal/store"
	"github.com/orderly-oms/orderly/internal/store/memory"
)

// lived is the disk of a whole run.
func lived(t *testing.T, seed uint64) *World {
	t.Helper()
	w := newWorld(Options{Seed: seed, Orders: 25})
	w.load()
	w.live()
	w.heal()
	for _, n := range w.nodes {
		if n.e != nil {
			n.s.Close()
		}
	}
	return w
}

// upTo is a store whose log ends earlier.
type upTo struct {
	*memory.Store
	heads []int64
}

func (u *upTo) Heads(context.Context) ([]int64, error) { return u.heads, nil }

func entriesOf(t *testing.T, r past.Reader, err error) []past.Entry {
	t.Helper()
	var out []past.Entry
	for err == nil {
		var e past.Entry
		if err = r.Next(&e); err == nil {
			out = append(out, e)
		}
	}
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return out
}

// The history of a run has every movement once, every fulfillment in one decision, and is the same when it is
// extracted in several goes.
func TestHistoryTellsTheLog(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := lived(t, seed+1)
			s, err := w.disk.Open(memory.Options{})
			if err != nil {
				t.Fatal(err)
			}
			open := past.Open
			whole := filepath.Join(t.TempDir(), "whole")
			h, err := extract.Extract(t.Context(), s, whole, extract.Options{})
			if err != nil {
				t.Fatal(err)
			}
			r, err := open(whole)
			all := entriesOf(t, r, err)
			checkMoves(t, w, all)
			checkDecisions(t, s, h, all)

			parts := filepath.Join(t.TempDir(), "parts")
			heads, _ := s.Heads(t.Context())
			for k := int64(1); k <= 3; k++ {
				cut := make([]int64, len(heads))
				for b := range heads {
					cut[b] = heads[b] * k / 3
				}
				if _, err := extract.Extract(t.Context(), &upTo{s, cut}, parts, extract.Options{}); err != nil {
					t.Fatal(err)
				}
			}
			r, err = open(parts)
			again := entriesOf(t, r, err)
			checkMoves(t, w, again)
			if len(heads) == 1 && !reflect.DeepEqual(all, again) { // cuts of several buckets are at different times
				t.Errorf("extracted in three goes it is another history: %d entries, %d at once", len(again), len(all))
			}
		})
	}
}

// checkMoves compares what all movements add up to with the positions.
func checkMoves(t *testing.T, w *World, all []past.Entry) {
	t.Helper()
	sums := map[inventory.PositionKey]inventory.Delta{}
	add := func(moves []inventory.Movement) {
		for _, m := range moves {
			k := inventory.PositionKey{SKU: m.SKU, Location: m.Location}
			sums[k] = sums[k].Plus(m.Delta())
		}
	}
	for i := range all {
		e := &all[i]
		if i > 0 && e.At.Before(all[i-1].At) {
			t.Fatalf("entry %d is before the one before it", i)
		}
		for _, s := range e.Stock {
			sums[s.PositionKey] = sums[s.PositionKey].Plus(s.Delta)
		}
		if e.Decision != nil {
			add(e.Decision.Moves)
		}
		if e.Step != nil {
			add(e.Step.Moves)
		}
	}
	for _, p := range w.disk.Positions() {
		k := inventory.PositionKey{SKU: p.SKU, Location: p.Location}
		if got := sums[k]; got != (inventory.Delta{OnHand: p.OnHand, Reserved: p.Reserved, Allocated: p.Allocated, Picked: p.Picked}) {
			t.Errorf("the history moves %+v at %+v; the store has %+v", got, k, p.Position)
		}
	}
}

// checkDecisions compares the decisions with the fulfillments in the log.
func checkDecisions(t *testing.T, s *memory.Store, h *past.Header, all []past.Entry) {
	t.Helper()
	created, captured := 0, int64(0)
	for b := range s.Buckets() {
		rows, err := s.Log(t.Context(), b, 0, 1_000_000)
		if err != nil {
			t.Fatal(err)
		}
		for i := range rows {
			if rows[i].Stream.Kind != store.Kind("order") {
				continue
			}
			var events []order.Event
			if err := jsonenc.Unmarshal(rows[i].Events, &events); err != nil {
				t.Fatal(err)
			}
			for k := range events {
				switch events[k].Type {
				case order.EventFulfillmentCreated:
					created++
				case order.EventCaptured:
					captured++
				}
			}
		}
	}
	placed, first, begun := 0, int64(0), map[int64]bool{}
	for i := range all {
		if d := all[i].Decision; d != nil {
			placed += len(d.Placed)
			if d.First != !begun[d.Order] {
				t.Errorf("decision %d of order %d: first is %v", i, d.Order, d.First)
			}
			if d.First {
				first++
			}
			begun[d.Order] = true
			if len(d.Placed) > 0 && len(d.Hashes) == 0 {
				t.Errorf("decision of order %d has no hashes", d.Order)
			}
		} else if s := all[i].Step; s != nil && !begun[s.Order] {
			t.Errorf("a step of order %d, which has not come", s.Order)
		}
	}
	if placed != created || first != captured || h.Orders != captured {
		t.Errorf("%d placed, %d fulfillments; %d first decisions, %d in the header, %d orders", placed, created, first, h.Orders, captured)
	}
}
