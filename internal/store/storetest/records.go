package storetest

import (
	"fmt"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/store"
)

func testEmpty(b *bench) {
	if n := b.s.Buckets(); n < 1 {
		b.Fatalf("Buckets() = %d", n)
	}
	b.must(b.s.Check(b.ctx))
	same(b, "heads", b.heads(), make([]int64, b.s.Buckets()))
	m := b.scan(order)
	if len(m.positions)+len(m.records) != 0 {
		b.Fatalf("an empty store shows %v", m)
	}
	same(b, "heads of the scan", m.heads, make([]int64, b.s.Buckets()))
	if len(b.load(store.Key{Kind: order, ID: "none"})) != 0 {
		b.Fatal("Load found a record in an empty store")
	}
	b.commit(&store.Batch{})
	same(b, "heads after an empty batch", b.heads(), make([]int64, b.s.Buckets()))
}

func testRecordRoundTrip(b *bench) {
	full := draft(0, order, "full")
	full.Wake = noon.Add(time.Hour)
	bare := store.Record{Key: store.Key{Kind: order, ID: "bare"}, Version: 1, CreatedAt: noon}
	odd := draft(0, "ключ", "ид-📦'\"\\%_")
	odd.Channel, odd.ExternalID, odd.State = "канал", "номер'\"", "zu tun"
	long := draft(0, order, strings.Repeat("i", store.MaxIDBytes))
	long.ExternalID = strings.Repeat("e", store.MaxIDBytes)
	long.Body = []byte(`"` + strings.Repeat("b", 100_000) + `"`)
	early := draft(0, order, "early")
	early.CreatedAt = time.Date(1900, 1, 1, 0, 0, 0, 1000, time.UTC)
	early.Wake = time.Date(9000, 12, 31, 23, 59, 59, 999_999_000, time.UTC)
	zoned := draft(0, order, "zoned")
	zoned.CreatedAt = noon.In(time.FixedZone("", 3600))

	all := []store.Record{full, bare, odd, long, early, zoned}
	b.commit(creation(all...))
	var keys []store.Key
	for _, r := range all {
		keys = append(keys, r.Key)
	}
	found := b.load(append(keys, store.Key{Kind: order, ID: "absent"})...)
	if len(found) != len(all) {
		b.Fatalf("Load found %d records of %d", len(found), len(all))
	}
	scanned := b.scan(order, "ключ").records
	for _, want := range all {
		same(b, "loaded", found[want.Key], want)
		same(b, "scanned", scanned[want.Key], want)
	}
	if found[bare.Key].Wake != (time.Time{}) {
		b.Fatalf("a record that never wakes came back with %v", found[bare.Key].Wake)
	}
	if len(b.load()) != 0 {
		b.Fatal("Load of no keys found records")
	}
}

func testRecordReplace(b *bench) {
	r := draft(0, order, "o1")
	b.commit(creation(r))
	for v := int64(2); v <= 5; v++ {
		r.Version = v
		r.Body = []byte(fmt.Sprintf(`{"v":%d,"pad":%q}`, v, strings.Repeat("x", int(v)*1000)))
		switch v {
		case 2:
			r.State = "packed"
		case 3:
			r.Wake = noon.Add(time.Minute)
		case 4:
			r.Wake, r.Channel, r.ExternalID, r.CreatedAt = time.Time{}, "pos", "other", noon.Add(time.Second)
		}
		b.commit(change(r, v-1))
		same(b, "replaced", b.load(r.Key)[r.Key], r)
	}
	same(b, "found by the new state", b.find(store.Query{Kind: order, State: "packed"}), []string{"o1"})
	same(b, "found by the old state", b.find(store.Query{Kind: order, State: "open"}), []string{})
	same(b, "found by the new external id", b.find(store.Query{Kind: order, ExternalID: "other"}), []string{"o1"})
	same(b, "found by the old external id", b.find(store.Query{Kind: order, ExternalID: "ext-o1"}), []string{})
}

func testRecordDelete(b *bench) {
	r := draft(0, order, "o1")
	r.Wake = noon
	r.Terms = []string{"customer:1"}
	b.commit(creation(r, draft(0, order, "o2")))
	gone := r
	gone.Version = 2
	batch := change(gone, 1)
	batch.Puts[0].Delete = true
	b.commit(batch)

	if found := b.load(r.Key); len(found) != 0 {
		b.Fatalf("deleted record is still there: %v", found)
	}
	same(b, "listed", b.find(store.Query{Kind: order}), []string{"o2"})
	same(b, "listed by term", b.find(store.Query{Kind: order, Term: "customer:1"}), []string{})
	due, err := b.s.Due(b.ctx, 0, noon.Add(time.Hour), 10)
	b.must(err)
	same(b, "due", due, []store.Key{})
	rows, err := b.s.Stream(b.ctx, r.Key, 0, 10)
	b.must(err)
	if len(rows) != 2 {
		b.Fatalf("the log of a deleted record has %d rows, want 2", len(rows))
	}

	b.refused(change(gone, 2), "replace a deleted record")
	back := draft(0, order, "o1")
	back.Version = 3
	back.Terms = []string{"customer:2"}
	b.commit(creation(back))
	same(b, "created again", b.load(r.Key)[r.Key], back)
	same(b, "a term of the first life", b.find(store.Query{Kind: order, Term: "customer:1"}), []string{})
	same(b, "a term of the second life", b.find(store.Query{Kind: order, Term: "customer:2"}), []string{"o1"})
}

func testRecordGuards(b *bench) {
	r := draft(0, order, "o1")
	b.commit(creation(r))
	next := r
	next.Version, next.State = 2, "packed"
	b.commit(change(next, 1))

	// Without a log row, so that nothing but the guard can refuse.
	bare := func(r store.Record, base int64, gone bool) *store.Batch {
		r.ExternalID = ""
		return &store.Batch{Puts: []store.Put{{Record: r, Base: base, Delete: gone}}}
	}
	absent := draft(0, order, "absent")
	b.refused(bare(r, 0, false), "create what exists")
	b.refused(bare(r, 3, false), "replace with a base that is ahead")
	b.refused(bare(r, 1, false), "replace with a base that is behind")
	b.refused(bare(absent, 1, false), "replace what does not exist")
	b.refused(bare(r, 3, true), "delete with a base that is ahead")
	b.refused(bare(r, 1, true), "delete with a base that is behind")
	b.refused(bare(absent, 1, true), "delete what does not exist")
	same(b, "after refusals", b.load(r.Key)[r.Key], next)
	b.commit(bare(next, 2, true))
}

func testExternalID(b *bench) {
	b.commit(creation(draft(0, order, "o1")))
	twin := draft(0, order, "o2")
	twin.ExternalID = "ext-o1"
	b.refused(creation(twin), "a second record with the external id")
	two := creation(draft(0, order, "o3"), draft(0, order, "o4"))
	two.Puts[0].ExternalID, two.Puts[1].ExternalID = "same", "same"
	b.refused(two, "two records with one external id in a batch")

	pos := twin
	pos.ID, pos.Channel = "o5", "pos"
	other := draft(0, place, "o6")
	other.ExternalID = "ext-o1"
	none1, none2 := draft(0, order, "o7"), draft(0, order, "o8")
	none1.ExternalID, none2.ExternalID = "", ""
	b.commit(creation(pos, other, none1, none2))

	mine := draft(0, order, "o5")
	mine.Version, mine.ExternalID = 2, "ext-o1" // into channel web, where it is taken
	b.refused(change(mine, 1), "take a taken external id by a change")

	gone := draft(0, order, "o1")
	gone.Version = 2
	batch := change(gone, 1)
	batch.Puts[0].Delete = true
	b.commit(batch)
	b.commit(creation(twin))
	same(b, "found", b.find(store.Query{Kind: order, Channel: "web", ExternalID: "ext-o1"}), []string{"o2"})
}

func testTerms(b *bench) {
	r1, r2 := draft(0, order, "o1"), draft(0, order, "o2")
	r1.Terms = []string{"customer:c1", "sku:A", "sku:A"}
	r2.Terms = []string{"customer:c2", "sku:A", "größe:📏"}
	b.commit(creation(r1, r2))
	r1.Version, r1.Terms = 2, []string{"sku:B", "sku:A"}
	b.commit(change(r1, 1))
	r1.Version, r1.Terms = 3, nil
	b.commit(change(r1, 2))
	for term, want := range map[string][]string{
		"sku:A": {"o2", "o1"}, "sku:B": {"o1"}, "customer:c1": {"o1"}, "customer:c2": {"o2"},
		"größe:📏": {"o2"}, "sku:": {}, "SKU:A": {}, "sku:%": {},
	} {
		same(b, "term "+term, b.find(store.Query{Kind: order, Term: term}), want)
	}
	same(b, "another kind", b.find(store.Query{Kind: place, Term: "sku:A"}), []string{})
	if terms := b.load(r2.Key)[r2.Key].Terms; terms != nil {
		b.Fatalf("Load returned terms %v, want nil", terms)
	}
	records, err := b.s.Find(b.ctx, store.Query{Kind: order, Term: "sku:A", Limit: 1})
	b.must(err)
	same(b, "found by term", records[0], r2)
}

// finds makes six orders that differ in every searchable field, in two buckets
// when there are as many.
func (b *bench) finds() {
	b.Helper()
	for i := range 6 {
		r := draft(i%min(2, b.s.Buckets()), order, fmt.Sprintf("o%d", i))
		r.State = []string{"open", "packed"}[i%2]
		r.Channel = []string{"web", "pos", "web"}[i%3]
		r.CreatedAt = noon.Add(time.Duration(i) * time.Second)
		r.Terms = []string{fmt.Sprintf("third:%d", i/2)}
		b.commit(creation(r))
	}
	b.commit(creation(draft(0, place, "l1")))
}

func testFindFields(b *bench) {
	b.finds()
	at := func(i int) time.Time { return noon.Add(time.Duration(i) * time.Second) }
	for _, c := range []struct {
		name string
		q    store.Query
		want string
	}{
		{"kind", store.Query{}, "o5 o4 o3 o2 o1 o0"},
		{"other kind", store.Query{Kind: place}, "l1"},
		{"unknown kind", store.Query{Kind: "none"}, ""},
		{"state", store.Query{State: "packed"}, "o5 o3 o1"},
		{"channel", store.Query{Channel: "pos"}, "o4 o1"},
		{"external id", store.Query{ExternalID: "ext-o3"}, "o3"},
		{"external id and channel", store.Query{Channel: "web", ExternalID: "ext-o3"}, "o3"},
		{"external id in another channel", store.Query{Channel: "pos", ExternalID: "ext-o3"}, ""},
		{"term", store.Query{Term: "third:1"}, "o3 o2"},
		{"created from", store.Query{CreatedFrom: at(4)}, "o5 o4"},
		{"created before", store.Query{CreatedBefore: at(2)}, "o1 o0"},
		{"created between", store.Query{CreatedFrom: at(1), CreatedBefore: at(4)}, "o3 o2 o1"},
		{"created never", store.Query{CreatedFrom: at(9)}, ""},
		{"before", store.Query{Before: "o2"}, "o1 o0"},
		{"before in between", store.Query{Before: "o2x"}, "o2 o1 o0"},
		{"limit", store.Query{Limit: 2}, "o5 o4"},
		{"ascending", store.Query{Ascending: true}, "o0 o1 o2 o3 o4 o5"},
		{"ascending after", store.Query{Ascending: true, Before: "o3"}, "o4 o5"},
		{"ascending limit", store.Query{Ascending: true, Limit: 1}, "o0"},
		{"state and channel", store.Query{State: "open", Channel: "web"}, "o2 o0"},
		{"state, channel and time", store.Query{State: "open", Channel: "web", CreatedFrom: at(1)}, "o2"},
		{"term and state", store.Query{Term: "third:2", State: "packed"}, "o5"},
		{"term, before and limit", store.Query{Term: "third:1", Before: "o3", Limit: 1}, "o2"},
		{"term, ascending", store.Query{Term: "third:1", Ascending: true}, "o2 o3"},
		{"term and time", store.Query{Term: "third:1", CreatedBefore: at(3)}, "o2"},
		{"everything", store.Query{
			State: "packed", Channel: "web", ExternalID: "ext-o3", Term: "third:1", CreatedFrom: at(3), CreatedBefore: at(4), Before: "o4", Limit: 9,
		}, "o3"},
	} {
		if c.q.Kind == "" {
			c.q.Kind = order
		}
		if got := strings.Join(b.find(c.q), " "); got != c.want {
			b.Errorf("%s: found %q, want %q", c.name, got, c.want)
		}
	}
}

func testFindPages(b *bench) {
	b.finds()
	for _, ascending := range []bool{false, true} {
		for limit := 1; limit <= 7; limit++ {
			q := store.Query{Kind: order, Limit: limit, Ascending: ascending}
			var got []string
			for {
				page := b.find(q)
				if len(page) > limit {
					b.Fatalf("page of %d records, limit %d", len(page), limit)
				}
				if len(page) == 0 {
					break
				}
				got = append(got, page...)
				if len(got) > 6 {
					b.Fatalf("pages of %d, ascending %v, repeat: %v", limit, ascending, got)
				}
				q.Before = page[len(page)-1]
			}
			want := "o5 o4 o3 o2 o1 o0"
			if ascending {
				want = "o0 o1 o2 o3 o4 o5"
			}
			if strings.Join(got, " ") != want {
				b.Fatalf("pages of %d, ascending %v: %v", limit, ascending, got)
			}
		}
	}
}

func testFindLimits(b *bench) {
	var all []store.Record
	for i := range 1001 {
		all = append(all, draft(0, order, fmt.Sprintf("o%04d", i)))
	}
	b.commit(creation(all...))
	if n := len(b.find(store.Query{Kind: order, Limit: 1000})); n != 1000 {
		b.Fatalf("found %d records, want the limit of 1000", n)
	}
}

func testDue(b *bench) {
	for bucket := range b.s.Buckets() {
		var all []store.Record
		for i, seconds := range []int{30, 10, 20, 0, 10_000} {
			r := draft(bucket, order, fmt.Sprintf("b%d-o%d", bucket, i))
			if seconds > 0 {
				r.Wake = noon.Add(time.Duration(seconds) * time.Second)
			}
			all = append(all, r)
		}
		b.commit(creation(all...))
		due := func(now time.Time, limit int) string {
			keys, err := b.s.Due(b.ctx, bucket, now, limit)
			b.must(err)
			var ids []string
			for _, k := range keys {
				if k.Bucket != bucket || k.Kind != order {
					b.Fatalf("Due of bucket %d returned %v", bucket, k)
				}
				ids = append(ids, strings.TrimPrefix(k.ID, fmt.Sprintf("b%d-", bucket)))
			}
			return strings.Join(ids, " ")
		}
		check := func(what, got, want string) {
			if got != want {
				b.Fatalf("due %s: %q, want %q", what, got, want)
			}
		}
		check("too early", due(noon.Add(10*time.Second-time.Microsecond), 9), "")
		check("at the moment", due(noon.Add(10*time.Second), 9), "o1")
		check("later, soonest first", due(noon.Add(time.Minute), 9), "o1 o2 o0")
		check("limited", due(noon.Add(time.Minute), 2), "o1 o2")

		r := all[1]
		r.Version, r.Wake = 2, time.Time{}
		b.commit(change(r, 1))
		r = all[0]
		r.Version, r.Wake = 2, noon.Add(time.Second)
		b.commit(change(r, 1))
		check("after changes", due(noon.Add(time.Minute), 9), "o0 o2")
	}
}

func testCoalescedPut(b *bench) {
	r := draft(0, order, "o1")
	r.Version = 3
	batch := &store.Batch{Puts: []store.Put{{Record: r}}}
	for v := int64(1); v <= 3; v++ {
		batch.Commits = append(batch.Commits, row(r.Key, v))
	}
	b.commit(batch)
	same(b, "created by three commands", b.load(r.Key)[r.Key], r)
	r.Version = 5
	batch = &store.Batch{Puts: []store.Put{{Record: r, Base: 3}}, Commits: []store.Commit{row(r.Key, 4), row(r.Key, 5)}}
	b.commit(batch)
	rows, err := b.s.Stream(b.ctx, r.Key, 0, 10)
	b.must(err)
	for i, c := range rows {
		if c.Version != int64(i+1) || c.Seq != int64(i+1) {
			b.Fatalf("row %d has version %d and sequence %d", i, c.Version, c.Seq)
		}
	}
	if len(rows) != 5 {
		b.Fatalf("%d rows, want 5", len(rows))
	}
}

func testLargestBatch(b *bench) {
	batch := &store.Batch{}
	var movements []inventory.Movement
	for i := range store.MaxBatchCommits {
		r := draft(0, order, fmt.Sprintf("o%06d", i))
		batch.Puts = append(batch.Puts, store.Put{Record: r})
		c := row(r.Key, 1)
		c.Movements = []inventory.Movement{receipt("A", fmt.Sprint("L", i%7), 1)}
		movements = append(movements, c.Movements...)
		batch.Commits = append(batch.Commits, c)
	}
	batch.Positions = sums(movements)
	b.commit(batch)
	same(b, "head", b.heads()[0], store.MaxBatchCommits)
	for i, c := range batch.Commits {
		if c.Seq != int64(i+1) {
			b.Fatalf("commit %d has sequence %d", i, c.Seq)
		}
	}
	if n := len(b.load(store.Key{Kind: order, ID: "o000000"}, store.Key{Kind: order, ID: fmt.Sprintf("o%06d", store.MaxBatchCommits-1)})); n != 2 {
		b.Fatalf("%d of the first and last record are there", n)
	}
	total := int64(0)
	for _, p := range b.scan().positions {
		total += p.OnHand
	}
	same(b, "units", total, store.MaxBatchCommits)
}
