package storetest

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/store"
)

func answer(bucket int, key string) store.Answer {
	return store.Answer{
		Bucket: bucket, Key: key, Hash: []byte{0, 1, 255}, Status: 201, Header: map[string]string{"ETag": `"1"`, "Location": "/v1/ö"},
		Body: []byte("{\"a\":1}\x00\xff"), Expires: noon.Add(time.Hour),
	}
}

func testAnswers(b *bench) {
	last := b.s.Buckets() - 1
	first := answer(last, "POST /v1/orders ключ")
	bare := store.Answer{Bucket: last, Key: "bare", Hash: []byte{1}, Status: 204, Expires: noon}
	b.commit(&store.Batch{Bucket: last, Answers: []store.Answer{first, bare}})
	for _, want := range []store.Answer{first, bare} {
		got, err := b.s.Answer(b.ctx, last, want.Key)
		b.must(err)
		same(b, "answer", *got, want)
	}
	if _, err := b.s.Answer(b.ctx, last, "absent"); !errors.Is(err, store.ErrNotFound) {
		b.Fatalf("Answer of an unknown key returned %v, want ErrNotFound", err)
	}
	again := first
	again.Status = 500
	b.refused(&store.Batch{Bucket: last, Answers: []store.Answer{answer(last, "fresh"), again}}, "a key that is remembered")
	b.refused(&store.Batch{Bucket: last, Answers: []store.Answer{answer(last, "twice"), answer(last, "twice")}}, "a key twice in a batch")
	for _, key := range []string{"fresh", "twice"} {
		if _, err := b.s.Answer(b.ctx, last, key); !errors.Is(err, store.ErrNotFound) {
			b.Fatalf("a refused batch left answer %q (%v)", key, err)
		}
	}
	got, err := b.s.Answer(b.ctx, last, first.Key)
	b.must(err)
	same(b, "the first answer stays", *got, first)
}

func testCursors(b *bench) {
	seqs, err := b.s.Cursor(b.ctx, "webhooks")
	b.must(err)
	if seqs != nil {
		b.Fatalf("a reader that saved nothing has cursor %v", seqs)
	}
	place := make([]int64, b.s.Buckets())
	for round := range int64(3) {
		for i := range place {
			place[i] = round*1000 + int64(i)
		}
		b.must(b.s.SaveCursor(b.ctx, "webhooks", place))
		seqs, err = b.s.Cursor(b.ctx, "webhooks")
		b.must(err)
		same(b, "cursor", seqs, place)
	}
	other := make([]int64, b.s.Buckets())
	other[0] = inventory.MaxQuantity
	b.must(b.s.SaveCursor(b.ctx, "получатель", other))
	seqs, err = b.s.Cursor(b.ctx, "webhooks")
	b.must(err)
	same(b, "the other reader's cursor", seqs, place)
	seqs, err = b.s.Cursor(b.ctx, "получатель")
	b.must(err)
	same(b, "cursor at the edge", seqs, other)
}

func testPurge(b *bench) {
	batch := &store.Batch{}
	for i, minutes := range []int{1, 2, 3, 60} {
		a := answer(0, fmt.Sprint("k", i))
		a.Expires = noon.Add(time.Duration(minutes) * time.Minute)
		batch.Answers = append(batch.Answers, a)
	}
	b.commit(batch)
	for i := range 8 {
		r := draft(0, "basket", fmt.Sprint("r", i))
		r.State = []string{"claimed", "live", "expired", "released"}[i%4]
		r.CreatedAt = noon.Add(time.Duration(i) * time.Minute)
		r.Terms = []string{"t"}
		b.commit(creation(r))
	}
	b.commit(creation(draft(0, order, "r2")))
	purge := func(now time.Time, states []string, older time.Time, limit, want int) {
		b.Helper()
		n, err := b.s.Purge(b.ctx, now, "basket", states, older, limit)
		b.must(err)
		same(b, "rows purged", n, want)
	}
	ended := []string{"claimed", "expired"}
	old := noon.Add(6 * time.Minute) // r6 is not older, r0, r2 and r4 are
	purge(noon, nil, noon, 100, 0)
	purge(noon.Add(time.Minute), nil, noon, 100, 0) // expires now, not before
	purge(noon.Add(3*time.Minute), nil, noon, 1, 1)
	purge(noon.Add(3*time.Minute), nil, noon, 100, 1)
	left := ""
	for i := range 4 {
		if _, err := b.s.Answer(b.ctx, 0, fmt.Sprint("k", i)); err == nil {
			left += fmt.Sprint("k", i, " ")
		}
	}
	same(b, "answers left", left, "k2 k3 ")
	b.commit(&store.Batch{Answers: []store.Answer{answer(0, "k0")}})

	purge(noon, ended, old, 2, 2)
	purge(noon, ended, old, 100, 1)
	purge(noon, ended, old, 100, 0)
	same(b, "records left", strings.Join(b.find(store.Query{Kind: "basket"}), " "), "r7 r6 r5 r3 r1")
	same(b, "by term", strings.Join(b.find(store.Query{Kind: "basket", Term: "t"}), " "), "r7 r6 r5 r3 r1")
	same(b, "another kind", b.find(store.Query{Kind: order}), []string{"r2"})
	same(b, "log", len(b.log(0, 0, 100)), 9)
}

func testConflictChangesNothing(b *bench) {
	r := draft(0, order, "o1")
	b.commit(creation(r))
	b.commit(moving(0, "s", 1, receipt("A", "L1", 5)))
	b.commit(&store.Batch{Answers: []store.Answer{answer(0, "taken")}})
	before := b.scan(order)
	head := b.heads()

	build := func() *store.Batch {
		fresh, next := draft(0, order, "o2"), r
		next.Version, next.State = 2, "packed"
		fresh.Terms = []string{"new"}
		batch := moving(0, "s", 2, receipt("A", "L1", 1), receipt("B", "L1", 1), move("A", "L1", inventory.Free, inventory.Reserved, 5))
		batch.Puts = []store.Put{{Record: fresh}, {Record: next, Base: 1}}
		batch.Commits = append(batch.Commits, row(fresh.Key, 1), row(next.Key, 2))
		batch.Answers = []store.Answer{answer(0, "new")}
		return batch
	}
	for name, spoil := range map[string]func(*store.Batch){
		"base":           func(x *store.Batch) { x.Puts[1].Base = 7 },
		"exists":         func(x *store.Batch) { x.Puts[0].ID = "o1" },
		"external id":    func(x *store.Batch) { x.Puts[0].ExternalID = "ext-o1" },
		"need":           func(x *store.Batch) { x.Positions[0].Need = 6 },
		"check":          func(x *store.Batch) { x.Positions[1].OnHand = -1 },
		"answer":         func(x *store.Batch) { x.Answers[0].Key = "taken" },
		"stream version": func(x *store.Batch) { x.Commits[2].Version = 1 },
	} {
		batch := build()
		spoil(batch)
		b.refused(batch, name)
		after := b.scan(order)
		same(b, name+": heads", b.heads(), head)
		same(b, name+": scan", fmt.Sprint(after.heads, after.positions, len(after.records)), fmt.Sprint(before.heads, before.positions, len(before.records)))
		same(b, name+": record", after.records[r.Key], r)
		same(b, name+": term", b.find(store.Query{Kind: order, Term: "new"}), []string{})
		same(b, name+": journal", len(b.journal("A", "L1", 0, 100)), 1)
		same(b, name+": log", len(b.log(0, 0, 100)), 2)
		if _, err := b.s.Answer(b.ctx, 0, "new"); !errors.Is(err, store.ErrNotFound) {
			b.Fatalf("%s: the answer was kept (%v)", name, err)
		}
	}
	good := build()
	b.commit(good)
	same(b, "the batch unspoilt", good.Commits[0].Seq, head[0]+1)
	same(b, "heads", b.heads()[0], head[0]+3)
}

func testScanStops(b *bench) {
	b.commit(creation(draft(0, order, "o1"), draft(0, order, "o2")))
	b.commit(moving(0, "s", 1, receipt("A", "L1", 1), receipt("B", "L1", 1), receipt("A", "L2", 1)))
	stop := errors.New("enough")
	calls := 0
	_, err := b.s.Scan(b.ctx, nil, func(inventory.Position) error { calls++; return stop }, nil)
	if !errors.Is(err, stop) || calls != 1 {
		b.Fatalf("after %d calls Scan returned %v, want the callback's error after one", calls, err)
	}
	calls = 0
	_, err = b.s.Scan(b.ctx, []store.Kind{order}, func(inventory.Position) error { return nil }, func(store.Record) error { calls++; return stop })
	if !errors.Is(err, stop) || calls != 1 {
		b.Fatalf("after %d calls Scan returned %v, want the callback's error after one", calls, err)
	}
	same(b, "kinds that were not asked for", len(b.scan(place).records), 0)
	var skus []string
	_, err = b.s.Scan(b.ctx, nil, func(p inventory.Position) error {
		if len(skus) == 0 || skus[len(skus)-1] != p.SKU {
			skus = append(skus, p.SKU)
		}
		return nil
	}, nil)
	b.must(err)
	same(b, "groups of one SKU", len(skus), 2)
}

// testBuckets checks that records of the same name in two buckets are two.
func testBuckets(b *bench) {
	for bucket := range b.s.Buckets() {
		r := draft(bucket, order, "same")
		r.State = fmt.Sprint("bucket ", bucket)
		b.commit(creation(r))
		b.commit(&store.Batch{Bucket: bucket, Answers: []store.Answer{answer(bucket, "same")}})
	}
	for bucket := range b.s.Buckets() {
		key := store.Key{Bucket: bucket, Kind: order, ID: "same"}
		same(b, "record", b.load(key)[key].State, fmt.Sprint("bucket ", bucket))
		if _, err := b.s.Answer(b.ctx, bucket, "same"); err != nil {
			b.Fatalf("answer of bucket %d: %v", bucket, err)
		}
		rows, err := b.s.Stream(b.ctx, key, 0, 10)
		b.must(err)
		same(b, "rows", len(rows), 1)
	}
	same(b, "scanned", len(b.scan(order).records), b.s.Buckets())
}

func testReopen(b *bench) {
	r := draft(0, order, "o1")
	r.Wake, r.Terms = noon, []string{"t"}
	b.commit(creation(r))
	b.commit(moving(0, "s", 1, receipt("A", "L1", 5)))
	b.commit(&store.Batch{Answers: []store.Answer{answer(0, "k")}})
	places := make([]int64, b.s.Buckets())
	places[0] = 1
	b.must(b.s.SaveCursor(b.ctx, "reader", places))
	before, log := b.scan(order), b.log(0, 0, 10)

	for range 2 {
		b.s = b.suite.again(b.T, b.s)
		after := b.scan(order)
		same(b, "heads", after.heads, before.heads)
		same(b, "record", after.records[r.Key], r)
		same(b, "position", b.position("A", "L1"), before.positions[inventory.PositionKey{SKU: "A", Location: "L1"}])
		same(b, "log", b.log(0, 0, 10), log)
		same(b, "term", b.find(store.Query{Kind: order, Term: "t"}), []string{"o1"})
		got, err := b.s.Answer(b.ctx, 0, "k")
		b.must(err)
		same(b, "answer", *got, answer(0, "k"))
		seqs, err := b.s.Cursor(b.ctx, "reader")
		b.must(err)
		same(b, "cursor", seqs, places)
	}
	next := moving(0, "s", 2, receipt("A", "L1", 1))
	b.commit(next)
	same(b, "next sequence", next.Commits[0].Seq, 3)
	same(b, "next place in the journal", b.journal("A", "L1", 1, 10)[0].PositionSeq, 2)
}
