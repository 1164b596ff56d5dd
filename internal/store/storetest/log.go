package storetest

import (
	"fmt"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/store"
)

func testSequences(b *bench) {
	next := make([]int64, b.s.Buckets())
	for i := range 12 {
		bucket := i % b.s.Buckets()
		batch := &store.Batch{Bucket: bucket}
		for j := range i % 4 {
			batch.Commits = append(batch.Commits, row(store.Key{Bucket: bucket, Kind: order, ID: fmt.Sprint(i, "-", j)}, 1))
		}
		b.commit(batch)
		for _, c := range batch.Commits {
			next[bucket]++
			if c.Seq != next[bucket] {
				b.Fatalf("bucket %d: sequence %d, want %d", bucket, c.Seq, next[bucket])
			}
		}
		same(b, "heads", b.heads(), next)
		if i%3 == 0 { // a refused batch must not use up numbers
			r := draft(bucket, order, "absent")
			r.Version = 2
			b.refused(change(r, 1), "replace what does not exist")
		}
	}
}

func testLogRoundTrip(b *bench) {
	full := row(store.Key{Kind: order, ID: "ид-📦"}, 1)
	full.Actor, full.Command, full.Node = "пользователь", "команда'\"\\", "узел"
	full.Events = []byte(`[{"type":"created","note":"zwölf \"Boxen\" 📦"},{"n":9007199254740993,"f":1.10}]`)
	full.Movements = []inventory.Movement{
		{SKU: `a"b\c`, Location: "Ł1", From: inventory.Supplier, To: inventory.Free, Quantity: inventory.MaxQuantity, Reason: "line\nbreak\ttab \u2028"},
		{SKU: "A", Location: "L1", From: inventory.Supplier, To: inventory.Free, Quantity: 1},
		{SKU: "A", Location: "L1", From: inventory.Free, To: inventory.Reserved, Quantity: 1, Reason: "basket"},
	}
	bare := store.Commit{Stream: store.Key{Kind: order, ID: "bare"}, Version: 1, Time: noon, Events: []byte("[]")}
	batch := &store.Batch{Commits: []store.Commit{full, bare}, Positions: sums(full.Movements)}
	b.commit(batch)
	full.Seq, bare.Seq = 1, 2
	same(b, "log", b.log(0, 0, 10), []store.Commit{full, bare})
	rows, err := b.s.Stream(b.ctx, full.Stream, 0, 10)
	b.must(err)
	same(b, "stream", rows, []store.Commit{full})
	if got := b.log(0, 0, 1)[0].Events; string(got) != string(full.Events) {
		b.Fatalf("events changed:\n got %s\nwant %s", got, full.Events)
	}
	same(b, "journal", b.journal(`a"b\c`, "Ł1", 0, 10)[0].Reason, full.Movements[0].Reason)
}

func testLogPages(b *bench) {
	last := b.s.Buckets() - 1
	for i := range 9 {
		b.commit(&store.Batch{Bucket: last, Commits: []store.Commit{row(store.Key{Bucket: last, Kind: order, ID: fmt.Sprint(i)}, 1)}})
	}
	if last > 0 && len(b.log(0, 0, 100)) != 0 {
		b.Fatal("rows of one bucket show in another")
	}
	for limit := 1; limit <= 10; limit++ {
		after := int64(0)
		for {
			page := b.log(last, after, limit)
			if len(page) > limit {
				b.Fatalf("page of %d rows, limit %d", len(page), limit)
			}
			for _, c := range page {
				after++
				if c.Seq != after || c.Stream.ID != fmt.Sprint(after-1) || c.Stream.Bucket != last {
					b.Fatalf("row %d is %v", after, c)
				}
			}
			if len(page) < limit {
				break
			}
		}
		same(b, "rows read", after, 9)
	}
}

func testStream(b *bench) {
	last := b.s.Buckets() - 1
	key, other := store.Key{Bucket: last, Kind: order, ID: "o1"}, store.Key{Bucket: last, Kind: place, ID: "o1"}
	for v := int64(1); v <= 5; v++ {
		b.commit(&store.Batch{Bucket: last, Commits: []store.Commit{row(key, v), row(other, v)}})
	}
	read := func(after int64, limit int) string {
		rows, err := b.s.Stream(b.ctx, key, after, limit)
		b.must(err)
		text := ""
		for _, c := range rows {
			if c.Stream != key {
				b.Fatalf("row of %v in the stream of %v", c.Stream, key)
			}
			text += fmt.Sprint(c.Version, "@", c.Seq, " ")
		}
		return text
	}
	same(b, "all", read(0, 10), "1@1 2@3 3@5 4@7 5@9 ")
	same(b, "limited", read(0, 2), "1@1 2@3 ")
	same(b, "after", read(3, 10), "4@7 5@9 ")
	same(b, "at the end", read(5, 10), "")
	rows, err := b.s.Stream(b.ctx, store.Key{Bucket: last, Kind: order, ID: "absent"}, 0, 10)
	b.must(err)
	same(b, "absent", len(rows), 0)
}

func testStreamVersionTaken(b *bench) {
	key := store.Key{Kind: order, ID: "o1"}
	b.commit(&store.Batch{Commits: []store.Commit{row(key, 1)}})
	b.refused(&store.Batch{Commits: []store.Commit{row(key, 1)}}, "a second row with the version")
	b.refused(&store.Batch{Commits: []store.Commit{row(key, 2), row(key, 2)}}, "a version twice in a batch")
	b.commit(&store.Batch{Commits: []store.Commit{row(key, 2)}})
	same(b, "head", b.heads()[0], 2)
}
