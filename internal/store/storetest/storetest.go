// Package storetest is the conformance suite of package store: every adapter
// runs it and so proves that it keeps the port's contract.
//
// It promises to cover each sentence of the contract with a test that an
// adapter breaking it fails, through the port alone: it knows no adapter, and
// works with one bucket or many. It does not measure speed, and it cannot cut
// the power: durability is tested as far as closing and opening again shows it.
package storetest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/store"
)

// Option widens the suite.
type Option func(*suite)

// Again tells how to open the data of s once more. When s is exclusive, again
// closes s first; otherwise both stay open side by side, as two nodes do.
// Without it the tests of reopening and of several nodes do not run.
func Again(again func(t *testing.T, s store.Store) store.Store) Option {
	return func(x *suite) { x.again = again }
}

// suite is what the tests share.
type suite struct {
	open  func(t *testing.T) store.Store
	again func(t *testing.T, s store.Store) store.Store
}

// Run runs the suite. Each open returns a fresh, empty store and arranges its
// closing with t.Cleanup.
func Run(t *testing.T, open func(t *testing.T) store.Store, options ...Option) {
	x := &suite{open: open}
	for _, o := range options {
		o(x)
	}
	tests := []struct {
		name string
		run  func(*bench)
	}{
		{"Empty", testEmpty},
		{"RecordRoundTrip", testRecordRoundTrip},
		{"RecordReplace", testRecordReplace},
		{"RecordDelete", testRecordDelete},
		{"RecordGuards", testRecordGuards},
		{"ExternalID", testExternalID},
		{"Terms", testTerms},
		{"FindFields", testFindFields},
		{"FindPages", testFindPages},
		{"FindLimits", testFindLimits},
		{"Due", testDue},
		{"Sequences", testSequences},
		{"LogRoundTrip", testLogRoundTrip},
		{"LogPages", testLogPages},
		{"Stream", testStream},
		{"StreamVersionTaken", testStreamVersionTaken},
		{"CoalescedPut", testCoalescedPut},
		{"Positions", testPositions},
		{"PositionGuards", testPositionGuards},
		{"PositionChecks", testPositionChecks},
		{"PositionEdges", testPositionEdges},
		{"Journal", testJournal},
		{"OnHandSince", testOnHandSince},
		{"Answers", testAnswers},
		{"Cursors", testCursors},
		{"Purge", testPurge},
		{"ConflictChangesNothing", testConflictChangesNothing},
		{"LargestBatch", testLargestBatch},
		{"CancelledContext", testCancelledContext},
		{"CancelAnyTime", testCancelAnyTime},
		{"ScanStops", testScanStops},
		{"ScanIsConsistent", testScanIsConsistent},
		{"TailNeverSkips", testTailNeverSkips},
		{"OversellRace", testOversellRace},
		{"Buckets", testBuckets},
		{"Audit", testAudit},
		{"Model", testModel},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(x.bench(t)) })
	}
	if x.again != nil {
		t.Run("Reopen", func(t *testing.T) { testReopen(x.bench(t)) })
		t.Run("TwoNodes", func(t *testing.T) { testTwoNodes(x.bench(t)) })
	}
}

// bench is one test's store with the calls that must succeed.
type bench struct {
	*testing.T
	suite *suite
	ctx   context.Context
	s     store.Store
}

func (x *suite) bench(t *testing.T) *bench {
	t.Helper()
	return &bench{T: t, suite: x, ctx: t.Context(), s: x.open(t)}
}

// noon is the time the tests start at; microseconds must survive.
var noon = time.Date(2026, 3, 4, 12, 0, 0, 123_456_000, time.UTC)

const (
	order = store.Kind("order")
	place = store.Kind("location")
)

// draft returns a first version of a record with every field set.
func draft(bucket int, kind store.Kind, id string) store.Record {
	return store.Record{
		Key: store.Key{Bucket: bucket, Kind: kind, ID: id}, Version: 1, State: "open",
		Channel: "web", ExternalID: "ext-" + id, CreatedAt: noon, Body: []byte(`{"id":"` + id + `"}`),
	}
}

// creation puts a new record and its first log row.
func creation(records ...store.Record) *store.Batch {
	b := &store.Batch{}
	for _, r := range records {
		b.Bucket = r.Bucket
		b.Puts = append(b.Puts, store.Put{Record: r})
		b.Commits = append(b.Commits, row(r.Key, r.Version))
	}
	return b
}

// change puts a next version of a record and its log row.
func change(r store.Record, base int64) *store.Batch {
	return &store.Batch{
		Bucket: r.Bucket, Puts: []store.Put{{Record: r, Base: base}}, Commits: []store.Commit{row(r.Key, r.Version)},
	}
}

// row is a log row of a stream with every field set.
func row(key store.Key, version int64) store.Commit {
	return store.Commit{
		Stream: key, Version: version, Time: noon.Add(time.Duration(version) * time.Microsecond), Actor: "user:ann",
		Command: fmt.Sprintf("cmd-%s-%d", key.ID, version), Node: "node-1", Events: []byte(`[{"type":"x"}]`),
	}
}

// moving is a batch of one command whose movements change positions as they say.
func moving(bucket int, id string, version int64, movements ...inventory.Movement) *store.Batch {
	c := row(store.Key{Bucket: bucket, Kind: "stock", ID: id}, version)
	c.Movements = movements
	return &store.Batch{Bucket: bucket, Commits: []store.Commit{c}, Positions: sums(movements)}
}

// sums adds up movements per position, in the order of first appearance.
func sums(movements []inventory.Movement) []store.PositionChange {
	var changes []store.PositionChange
	at := map[inventory.PositionKey]int{}
	for _, m := range movements {
		key := inventory.PositionKey{SKU: m.SKU, Location: m.Location}
		i, seen := at[key]
		if !seen {
			i = len(changes)
			at[key] = i
			changes = append(changes, store.PositionChange{PositionKey: key})
		}
		changes[i].Delta = changes[i].Plus(m.Delta())
	}
	return changes
}

func move(sku, location string, from, to inventory.Account, quantity int64) inventory.Movement {
	return inventory.Movement{SKU: sku, Location: location, From: from, To: to, Quantity: quantity, Reason: "test"}
}

func receipt(sku, location string, quantity int64) inventory.Movement {
	return move(sku, location, inventory.Supplier, inventory.Free, quantity)
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) commit(batch *store.Batch) {
	b.Helper()
	b.must(b.s.Commit(b.ctx, batch))
}

// refused commits a batch that must fail with ErrConflict.
func (b *bench) refused(batch *store.Batch, why string) {
	b.Helper()
	if err := b.s.Commit(b.ctx, batch); !errors.Is(err, store.ErrConflict) {
		b.Fatalf("%s: Commit returned %v, want ErrConflict", why, err)
	}
}

func (b *bench) load(keys ...store.Key) map[store.Key]store.Record {
	b.Helper()
	records, err := b.s.Load(b.ctx, keys)
	b.must(err)
	found := map[store.Key]store.Record{}
	for _, r := range records {
		if _, twice := found[r.Key]; twice {
			b.Fatalf("Load returned %v twice", r.Key)
		}
		found[r.Key] = r
	}
	return found
}

func (b *bench) find(q store.Query) []string {
	b.Helper()
	if q.Limit == 0 {
		q.Limit = 1000
	}
	records, err := b.s.Find(b.ctx, q)
	b.must(err)
	ids := []string{}
	for _, r := range records {
		ids = append(ids, r.ID)
	}
	return ids
}

func (b *bench) log(bucket int, after int64, limit int) []store.Commit {
	b.Helper()
	commits, err := b.s.Log(b.ctx, bucket, after, limit)
	b.must(err)
	return commits
}

func (b *bench) heads() []int64 {
	b.Helper()
	heads, err := b.s.Heads(b.ctx)
	b.must(err)
	return heads
}

func (b *bench) journal(sku, location string, after int64, limit int) []store.JournalLine {
	b.Helper()
	lines, err := b.s.Journal(b.ctx, inventory.PositionKey{SKU: sku, Location: location}, after, limit)
	b.must(err)
	return lines
}

// image is everything that Scan shows.
type image struct {
	heads     []int64
	positions map[inventory.PositionKey]inventory.Position
	records   map[store.Key]store.Record
}

func (b *bench) scan(kinds ...store.Kind) image {
	b.Helper()
	m := image{positions: map[inventory.PositionKey]inventory.Position{}, records: map[store.Key]store.Record{}}
	snapshot, err := b.s.Scan(b.ctx, kinds, func(p inventory.Position) error {
		if _, twice := m.positions[p.Key()]; twice {
			return fmt.Errorf("position %v scanned twice", p.Key())
		}
		m.positions[p.Key()] = p
		return nil
	}, func(r store.Record) error {
		if _, twice := m.records[r.Key]; twice {
			return fmt.Errorf("record %v scanned twice", r.Key)
		}
		m.records[r.Key] = r
		return nil
	})
	b.must(err)
	m.heads = snapshot.Heads
	return m
}

func (b *bench) position(sku, location string) inventory.Position {
	b.Helper()
	return b.scan().positions[inventory.PositionKey{SKU: sku, Location: location}]
}

// same fails unless got is want. Both are compared as JSON, in which an empty
// list, a missing one and the same instant in another zone are told apart only
// after plain has made them alike.
func same(t interface {
	Helper()
	Fatalf(string, ...any)
}, what string, got, want any,
) {
	t.Helper()
	g, err := json.Marshal(plain(got))
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	w, err := json.Marshal(plain(want))
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if !bytes.Equal(g, w) {
		t.Fatalf("%s:\n got %s\nwant %s", what, g, w)
	}
}

func plain(v any) any {
	switch v := v.(type) {
	case store.Record:
		v.Wake, v.CreatedAt, v.Terms = v.Wake.UTC(), v.CreatedAt.UTC(), nil
		v.Body = append([]byte{}, v.Body...)
		return v
	case store.Commit:
		v.Time = v.Time.UTC()
		v.Events = append([]byte{}, v.Events...)
		v.Movements = append([]inventory.Movement{}, v.Movements...)
		return v
	case []store.Commit:
		list := []any{}
		for _, c := range v {
			list = append(list, plain(c))
		}
		return list
	case []store.JournalLine:
		for i := range v {
			v[i].Time = v[i].Time.UTC()
		}
		return append([]store.JournalLine{}, v...)
	case inventory.Position:
		v.AsOf, v.Changed = v.AsOf.UTC(), v.Changed.UTC()
		return v
	case store.Answer:
		v.Expires = v.Expires.UTC()
		v.Hash, v.Body = append([]byte{}, v.Hash...), append([]byte{}, v.Body...)
		if len(v.Header) == 0 {
			v.Header = nil
		}
		return v
	case []string:
		return append([]string{}, v...)
	case []store.Key:
		return append([]store.Key{}, v...)
	}
	return v
}
