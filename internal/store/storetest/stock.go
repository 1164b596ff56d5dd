package storetest

import (
	"fmt"
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/store"
)

func testPositions(b *bench) {
	b.commit(moving(0, "s", 1, receipt("A", "L1", 10), move("A", "L1", inventory.Free, inventory.Reserved, 3), receipt("B", "L2", 5)))
	same(b, "A at L1", b.position("A", "L1"), inventory.Position{SKU: "A", Location: "L1", OnHand: 10, Reserved: 3})
	same(b, "B at L2", b.position("B", "L2"), inventory.Position{SKU: "B", Location: "L2", OnHand: 5})

	batch := moving(0, "s", 2,
		move("A", "L1", inventory.Reserved, inventory.Allocated, 2),
		move("A", "L1", inventory.Allocated, inventory.Picked, 1))
	safety := int64(4)
	batch.Positions[0].Safety = &safety
	batch.Positions[0].AsOf = noon.Add(time.Hour)
	batch.Positions[0].Changed = noon.Add(time.Minute)
	b.commit(batch)
	want := inventory.Position{
		SKU: "A", Location: "L1", OnHand: 10, Reserved: 1, Allocated: 2, Picked: 1, Safety: 4,
		AsOf: noon.Add(time.Hour), Changed: noon.Add(time.Minute),
	}
	same(b, "A at L1 after all counters", b.position("A", "L1"), want)

	b.commit(moving(0, "s", 3, move("A", "L1", inventory.Picked, inventory.Shipped, 1)))
	want.OnHand, want.Allocated, want.Picked = 9, 1, 0
	same(b, "what a change leaves out stays", b.position("A", "L1"), want)

	zero := int64(0)
	b.commit(&store.Batch{Positions: []store.PositionChange{{PositionKey: want.Key(), Safety: &zero}}})
	want.Safety = 0
	same(b, "safety back to zero", b.position("A", "L1"), want)

	five := int64(5)
	b.commit(&store.Batch{Positions: []store.PositionChange{{PositionKey: inventory.PositionKey{SKU: "new", Location: "L9"}, Safety: &five}}})
	same(b, "a position made by its safety", b.position("new", "L9"), inventory.Position{SKU: "new", Location: "L9", Safety: 5})
}

func testPositionGuards(b *bench) {
	batch := moving(0, "s", 1, receipt("A", "L1", 10))
	safety := int64(2)
	batch.Positions[0].Safety = &safety
	b.commit(batch)
	take := func(version, quantity, need int64) *store.Batch {
		batch := moving(0, "s", version, move("A", "L1", inventory.Free, inventory.Reserved, quantity))
		batch.Positions[0].Need = need
		return batch
	}
	b.refused(take(2, 9, 9), "9 of 8 available")
	b.commit(take(2, 5, 5))
	b.refused(take(3, 4, 4), "4 of 3 available")
	b.commit(take(3, 3, 3))
	b.refused(take(4, 1, 1), "1 of none")
	b.commit(take(4, 1, 0))
	same(b, "an unguarded take goes short", b.position("A", "L1").Available(), -1)

	refill := moving(0, "s", 5, receipt("A", "L1", 100), move("A", "L1", inventory.Free, inventory.Reserved, 1))
	refill.Positions[0].Need = 1
	b.refused(refill, "the guard looks at what is stored before the batch")

	counted := moving(0, "s", 5, receipt("A", "L1", 1))
	had := int64(9)
	counted.Positions[0].Had = &had
	b.refused(counted, "10 are on hand, not 9")
	had = 10
	b.commit(counted)
	b.commit(moving(0, "s", 6, move("A", "L1", inventory.Free, inventory.Adjustment, 1)))
	counted = moving(0, "s", 7, receipt("none", "L1", 1))
	counted.Positions[0].Had = &had
	b.refused(counted, "a missing position has nothing on hand")

	missing := moving(0, "s", 7, move("none", "L1", inventory.Free, inventory.Reserved, 1))
	missing.Positions[0].Need = 1
	b.refused(missing, "a missing position has nothing")
	if m := b.scan(); len(m.positions) != 1 {
		b.Fatalf("a refused batch left positions %v", m.positions)
	}
	missing = moving(0, "s", 7, receipt("none", "L1", 1))
	missing.Positions[0].Need, missing.Positions[0].Had = -1, new(int64)
	b.commit(missing)
}

func testPositionChecks(b *bench) {
	b.commit(moving(0, "s", 1, receipt("A", "L1", 10), move("A", "L1", inventory.Free, inventory.Allocated, 4)))
	before := b.position("A", "L1")
	for _, c := range []struct {
		name string
		d    inventory.Delta
	}{
		{"on_hand below zero", inventory.Delta{OnHand: -11}},
		{"reserved below zero", inventory.Delta{Reserved: -1}},
		{"allocated below zero", inventory.Delta{Allocated: -5}},
		{"picked below zero", inventory.Delta{Picked: -1}},
		{"picked above allocated", inventory.Delta{Picked: 5}},
		{"allocated below picked", inventory.Delta{Allocated: -3, Picked: 2}},
	} {
		b.refused(&store.Batch{Positions: []store.PositionChange{{PositionKey: before.Key(), Delta: c.d}}}, c.name)
		same(b, c.name, b.position("A", "L1"), before)
	}
	b.refused(&store.Batch{Positions: []store.PositionChange{{
		PositionKey: inventory.PositionKey{SKU: "new", Location: "L1"}, Delta: inventory.Delta{OnHand: -1},
	}}}, "a new position below zero")
	b.commit(&store.Batch{Positions: []store.PositionChange{{PositionKey: before.Key(), Delta: inventory.Delta{OnHand: -10, Allocated: -4}}}})
}

func testPositionEdges(b *bench) {
	b.commit(moving(0, "s", 1, receipt("ключ-📦", "Ł'\"", inventory.MaxQuantity)))
	p := b.position("ключ-📦", "Ł'\"")
	same(b, "the greatest quantity", p.OnHand, inventory.MaxQuantity)
	take := moving(0, "s", 2, move("ключ-📦", "Ł'\"", inventory.Free, inventory.Reserved, inventory.MaxQuantity))
	take.Positions[0].Need = inventory.MaxQuantity
	b.commit(take)
	same(b, "all of it reserved", b.position("ключ-📦", "Ł'\"").Reserved, inventory.MaxQuantity)
	safety := int64(-3)
	b.commit(&store.Batch{Positions: []store.PositionChange{{PositionKey: p.Key(), Safety: &safety}}})
	same(b, "available with a negative safety", b.position("ключ-📦", "Ł'\"").Available(), 3)
	lines := b.journal("ключ-📦", "Ł'\"", 0, 10)
	same(b, "quantity in the journal", lines[0].Quantity, inventory.MaxQuantity)
}

func testJournal(b *bench) {
	last := b.s.Buckets() - 1
	var want []store.JournalLine
	version := map[int]int64{}
	for i := range 7 {
		bucket := []int{0, last}[i%2]
		version[bucket]++
		id := fmt.Sprint("s", bucket)
		batch := moving(bucket, id, version[bucket],
			receipt("A", "L1", int64(10+i)), receipt("A", "L2", 1), move("A", "L1", inventory.Free, inventory.Reserved, 1))
		// A second command in the batch that moves the same position again.
		version[bucket]++
		more := row(batch.Commits[0].Stream, version[bucket])
		more.Movements = []inventory.Movement{move("A", "L1", inventory.Reserved, inventory.Free, 1)}
		batch.Commits = append(batch.Commits, more)
		batch.Positions = sums(append(append([]inventory.Movement{}, batch.Commits[0].Movements...), more.Movements...))
		b.commit(batch)
		for _, c := range batch.Commits {
			for _, m := range c.Movements {
				if m.Location == "L1" {
					want = append(want, store.JournalLine{
						Movement: m, PositionSeq: int64(len(want) + 1), Bucket: bucket, Seq: c.Seq, Stream: c.Stream, Time: c.Time,
					})
				}
			}
		}
	}
	same(b, "whole journal", b.journal("A", "L1", 0, 1000), want)
	for limit := 1; limit <= 4; limit++ {
		var got []store.JournalLine
		for after := int64(0); ; {
			page := b.journal("A", "L1", after, limit)
			if len(page) > limit {
				b.Fatalf("page of %d lines, limit %d", len(page), limit)
			}
			if len(page) == 0 {
				break
			}
			got = append(got, page...)
			if len(got) > len(want) {
				b.Fatalf("pages of %d repeat: %v", limit, got)
			}
			after = page[len(page)-1].PositionSeq
		}
		same(b, fmt.Sprint("journal in pages of ", limit), got, want)
	}
	if n := len(b.journal("A", "L2", 0, 1000)); n != 7 {
		b.Fatalf("the other position has %d lines, want 7", n)
	}
	if n := len(b.journal("A", "L3", 0, 1000)); n != 0 {
		b.Fatalf("an unknown position has %d lines", n)
	}
}

func testOnHandSince(b *bench) {
	at := func(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }
	for i, c := range []struct {
		minutes  int
		movement inventory.Movement
	}{
		{1, receipt("A", "L1", 100)},
		{5, receipt("A", "L1", 20)},
		{3, move("A", "L1", inventory.Free, inventory.Adjustment, 7)}, // a late line with an early time
		{6, move("A", "L1", inventory.Free, inventory.Reserved, 50)},
		{7, receipt("B", "L1", 1)},
		{8, move("A", "L1", inventory.Free, inventory.Adjustment, 1)},
	} {
		batch := moving(0, "s", int64(i+1), c.movement)
		batch.Commits[0].Time = at(c.minutes)
		b.commit(batch)
	}
	a, bb, none := inventory.PositionKey{SKU: "A", Location: "L1"}, inventory.PositionKey{SKU: "B", Location: "L1"}, inventory.PositionKey{SKU: "C", Location: "L1"}
	for _, c := range []struct {
		since time.Time
		want  map[inventory.PositionKey]int64
	}{
		{at(0), map[inventory.PositionKey]int64{a: 112, bb: 1}},
		{at(1), map[inventory.PositionKey]int64{a: 12, bb: 1}},
		{at(2), map[inventory.PositionKey]int64{a: 12, bb: 1}},
		{at(3), map[inventory.PositionKey]int64{a: 19, bb: 1}},
		{at(5).Add(-time.Microsecond), map[inventory.PositionKey]int64{a: 19, bb: 1}},
		{at(7), map[inventory.PositionKey]int64{a: -1}},
		{at(8), map[inventory.PositionKey]int64{}},
	} {
		got, err := b.s.OnHandSince(b.ctx, []inventory.PositionKey{a, bb, none}, c.since)
		b.must(err)
		for key := range got {
			if got[key] == 0 { // "without any" and "none net" are both no change
				delete(got, key)
			}
		}
		same(b, fmt.Sprint("since ", c.since), fmt.Sprint(got), fmt.Sprint(c.want))
	}
	got, err := b.s.OnHandSince(b.ctx, []inventory.PositionKey{a}, at(1))
	b.must(err)
	if len(got) != 1 {
		b.Fatalf("asked for one position, got %v", got)
	}
	got, err = b.s.OnHandSince(b.ctx, nil, at(0))
	b.must(err)
	if len(got) != 0 {
		b.Fatalf("asked for nothing, got %v", got)
	}
}
