package storetest

import (
	"errors"
	"iter"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/store"
)

// collectAll reads a sequence to its end.
func collectAll[T any](t *testing.T, rows iter.Seq2[T, error]) []T {
	t.Helper()
	var all []T
	for row, err := range rows {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, row)
	}
	return all
}

func key(c store.Commit) (int, string, string, int64) {
	return c.Stream.Bucket, string(c.Stream.Kind), c.Stream.ID, c.Version
}

// testAudit compares what an audit sees with what the other methods read, while
// a commit goes on that the audit must not see.
func testAudit(b *bench) {
	a, ok := b.s.(store.Auditor)
	if !ok {
		b.Fatal("the store offers no audit")
	}
	for bucket := range b.s.Buckets() {
		batch := creation(draft(bucket, order, "o2"), draft(bucket, order, "o1"), draft(bucket, place, "p"))
		for i := range batch.Commits {
			batch.Commits[i].Movements = []inventory.Movement{
				{SKU: "A", Location: "l1", From: inventory.Supplier, To: inventory.Free, Quantity: 2, Reason: "receipt"},
				{SKU: "B", Location: "l1", From: inventory.Supplier, To: inventory.Free, Quantity: 1},
			}
		}
		n := int64(len(batch.Commits))
		batch.Positions = []store.PositionChange{
			{PositionKey: inventory.PositionKey{SKU: "A", Location: "l1"}, Delta: inventory.Delta{OnHand: 2 * n}, Changed: noon},
			{PositionKey: inventory.PositionKey{SKU: "B", Location: "l1"}, Delta: inventory.Delta{OnHand: n}, Changed: noon},
		}
		batch.Answers = []store.Answer{{Bucket: bucket, Key: "k", Hash: []byte("h"), Status: 201, Header: map[string]string{"ETag": "1"}, Body: []byte("{}"), Expires: noon}}
		b.commit(batch)
	}
	err := a.Audit(b.ctx, func(v *store.View) error {
		b.commit(creation(draft(0, order, "late"))) // not in the view
		b.sameLog(v)
		b.sameRecords(v)
		b.sameStock(v)
		answers := collectAll(b.T, v.Answers)
		want, err := b.s.Answer(b.ctx, 0, "k")
		if err != nil || len(answers) != b.s.Buckets() || !reflect.DeepEqual(&answers[0], want) {
			b.Errorf("answers %+v (%v), want %+v", answers, err, want)
		}
		for range v.Log { // and read again, not to the end
			break
		}
		found, err := v.Device()
		if err != nil || len(found.Faults) > 0 || len(found.Tests)+len(found.Skipped) == 0 {
			b.Errorf("inspection %+v, %v", found, err)
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	if stop := errors.New("stop"); !errors.Is(a.Audit(b.ctx, func(*store.View) error { return stop }), stop) {
		b.Error("the reader's error is lost")
	}
}

func (b *bench) sameLog(v *store.View) {
	var want []store.Commit
	for bucket, head := range v.Heads {
		rows, err := b.s.Log(b.ctx, bucket, 0, 1000)
		if err != nil {
			b.Fatal(err)
		}
		want = append(want, rows[:head]...)
	}
	if got := collectAll(b.T, v.Log); !reflect.DeepEqual(got, want) {
		b.Errorf("log %+v, want %+v", got, want)
	}
	slices.SortFunc(want, func(x, y store.Commit) int {
		xb, xk, xi, xv := key(x)
		yb, yk, yi, yv := key(y)
		if c := xb - yb; c != 0 {
			return c
		}
		if c := strings.Compare(xk, yk); c != 0 {
			return c
		}
		if c := strings.Compare(xi, yi); c != 0 {
			return c
		}
		return int(xv - yv)
	})
	for i := range want {
		want[i].Movements = nil
	}
	if got := collectAll(b.T, v.Streams); !reflect.DeepEqual(got, want) {
		b.Errorf("streams %+v, want %+v", got, want)
	}
}

func (b *bench) sameRecords(v *store.View) {
	records := collectAll(b.T, v.Records)
	if want := 3 * b.s.Buckets(); len(records) != want {
		b.Errorf("%d records, want %d", len(records), want)
	}
	for i, r := range records {
		if want := []string{"p", "o1", "o2"}[i%3]; r.Bucket != i/3 || r.ID != want {
			b.Errorf("record %d is %s of bucket %d, want %s of %d", i, r.ID, r.Bucket, want, i/3)
		}
		loaded, err := b.s.Load(b.ctx, []store.Key{r.Key})
		if err != nil || len(loaded) != 1 || !reflect.DeepEqual(loaded[0], r) {
			b.Errorf("record %+v, loaded %+v, %v", r, loaded, err)
		}
	}
}

func (b *bench) sameStock(v *store.View) {
	journal := map[inventory.PositionKey][]store.JournalLine{}
	for _, l := range collectAll(b.T, v.Journal) {
		k := inventory.PositionKey{SKU: l.SKU, Location: l.Location}
		journal[k] = append(journal[k], l)
	}
	rows := collectAll(b.T, v.Positions)
	if len(rows) != 2 || len(journal) != 2 {
		b.Fatalf("%d positions, %d journals", len(rows), len(journal))
	}
	for _, p := range rows {
		want, err := b.s.Journal(b.ctx, p.Key(), 0, 1000)
		if err != nil {
			b.Fatal(err)
		}
		for i := range want {
			want[i].Stream = store.Key{}
		}
		if got := journal[p.Key()]; !reflect.DeepEqual(got, want) {
			b.Errorf("journal %+v, want %+v", got, want)
		}
		if p.Moves != int64(len(want)) || p.OnHand == 0 || !p.Changed.Equal(noon) {
			b.Errorf("position %+v with %d movements", p, len(want))
		}
	}
}
