package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/pgtest"
	"github.com/orderly-oms/orderly/internal/store"
	"github.com/orderly-oms/orderly/internal/store/postgres"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

var start = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)

func open(tb testing.TB, url string, o postgres.Options) *postgres.Store {
	tb.Helper()
	s, err := postgres.Open(context.Background(), url, o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

// order returns a batch that creates an order, or replaces the version base of it.
func order(bucket int, id string, base int64) *store.Batch {
	key := store.Key{Bucket: bucket, Kind: "order", ID: id}
	return &store.Batch{
		Bucket:  bucket,
		Puts:    []store.Put{{Record: store.Record{Key: key, Version: base + 1, State: "open", CreatedAt: start, Body: []byte(`{}`)}, Base: base}},
		Commits: []store.Commit{{Stream: key, Version: base + 1, Time: start, Command: fmt.Sprint(id, base), Events: []byte(`[]`)}},
	}
}

// move adds a movement and its position change to the last commit of a batch.
func move(b *store.Batch, sku, location string, from, to inventory.Account, quantity, need int64) {
	m := inventory.Movement{SKU: sku, Location: location, From: from, To: to, Quantity: quantity}
	c := &b.Commits[len(b.Commits)-1]
	c.Movements = append(c.Movements, m)
	b.Positions = append(b.Positions, store.PositionChange{
		PositionKey: inventory.PositionKey{SKU: sku, Location: location}, Delta: m.Delta(), Need: need})
}

func mustCommit(tb testing.TB, s store.Committer, b *store.Batch) {
	tb.Helper()
	if err := s.Commit(context.Background(), b); err != nil {
		tb.Fatal(err)
	}
}

func positions(t *testing.T, s store.Reader) map[inventory.PositionKey]inventory.Position {
	t.Helper()
	all := map[inventory.PositionKey]inventory.Position{}
	_, err := s.Scan(t.Context(), nil, func(p inventory.Position) error { all[p.Key()] = p; return nil }, nil)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestNodesConflict has two nodes that saw the same state; the second must be refused and change nothing.
func TestNodesConflict(t *testing.T) {
	t.Parallel()
	url := pgtest.NewDatabase(t)
	a, b := open(t, url, postgres.Options{Buckets: 4}), open(t, url, postgres.Options{Buckets: 4})
	receive := order(0, "receipt", 0)
	move(receive, "A1", "dc", inventory.Supplier, inventory.Free, 5, 0)
	mustCommit(t, a, receive)
	mustCommit(t, a, order(1, "o-1", 0))

	external := func(id string) *store.Batch {
		batch := order(1, id, 0)
		batch.Puts[0].Channel, batch.Puts[0].ExternalID = "web", "1001"
		return batch
	}
	mustCommit(t, a, external("o-2"))
	answer := func() *store.Batch {
		return &store.Batch{Bucket: 2, Answers: []store.Answer{{Bucket: 2, Key: "k-1", Status: 201}}}
	}
	mustCommit(t, a, answer())
	take := order(3, "o-9", 0)
	move(take, "A1", "dc", inventory.Free, inventory.Allocated, 6, 6)
	negative := order(3, "o-9", 0)
	move(negative, "A1", "dc", inventory.Reserved, inventory.Free, 1, 0)
	missing := order(3, "o-9", 0)
	move(missing, "B2", "dc", inventory.Free, inventory.Allocated, 1, 1)
	gone := order(3, "o-9", 0)
	gone.Puts = append(gone.Puts, store.Put{Record: store.Record{Key: store.Key{Bucket: 3, Kind: "order", ID: "o-8"}}, Base: 4, Delete: true})
	twice := order(1, "o-1", 0)
	twice.Puts = nil

	for name, test := range map[string]struct {
		batch *store.Batch
		names string // the error names the row
	}{
		"new record exists":      {order(1, "o-1", 0), "o-1"},
		"record was changed":     {order(1, "o-1", 7), "o-1"},
		"record to remove":       {gone, "o-8"},
		"external id taken":      {external("o-3"), "1001"},
		"answer remembered":      {answer(), "k-1"},
		"stream version exists":  {twice, "o-1"},
		"too few units":          {take, "A1 at dc"},
		"no position to take of": {missing, "B2 at dc"},
		"negative reserved":      {negative, "A1"},
	} {
		before := positions(t, b)
		heads, err := b.Heads(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		err = b.Commit(t.Context(), test.batch)
		if !errors.Is(err, store.ErrConflict) || !strings.Contains(err.Error(), test.names) {
			t.Errorf("%s: %v; want a conflict that names %s", name, err, test.names)
		}
		after, err := b.Heads(t.Context())
		if err != nil || fmt.Sprint(heads) != fmt.Sprint(after) {
			t.Errorf("%s: heads went from %v to %v, %v", name, heads, after, err)
		}
		if got := positions(t, b); fmt.Sprint(got) != fmt.Sprint(before) {
			t.Errorf("%s: positions went from %v to %v", name, before, got)
		}
	}
}

// TestNodesShareHotPositions has two nodes, each with a writer per bucket, that take
// the same units and touch positions in opposite orders.
func TestNodesShareHotPositions(t *testing.T) {
	t.Parallel()
	const batches, perBatch = 40, 8
	url := pgtest.NewDatabase(t)
	nodes := []*postgres.Store{open(t, url, postgres.Options{Buckets: 4}), open(t, url, postgres.Options{Buckets: 4})}
	buckets := nodes[0].Buckets()
	attempts := int64(len(nodes) * buckets * batches * perBatch)
	stock := attempts / 2 // half of the attempts must be refused
	receive := order(0, "receipt", 0)
	move(receive, "HOT", "dc", inventory.Supplier, inventory.Free, stock, 0)
	mustCommit(t, nodes[0], receive)

	var mu sync.Mutex
	var sold, rows int64
	var writers sync.WaitGroup
	for n, node := range nodes {
		for bucket := range buckets {
			writers.Go(func() {
				for i := range batches * perBatch {
					b := order(bucket, fmt.Sprintf("o-%d-%d", n, i), 0)
					move(b, "HOT", "dc", inventory.Free, inventory.Allocated, 1, 1)
					for _, k := range []int{i % 7, 7 + (i+n)%5, 12 + bucket} { // positions that others create and change too
						move(b, fmt.Sprintf("S%d", k), "dc", inventory.Supplier, inventory.Free, 1, 0)
					}
					if n == 1 {
						b.Positions[0], b.Positions[3] = b.Positions[3], b.Positions[0]
						other := order((bucket+1)%buckets, fmt.Sprintf("other-%d-%d", bucket, i), 0) // a row of another bucket's log
						b.Puts, b.Commits = append(b.Puts, other.Puts...), append(other.Commits, b.Commits...)
					}
					err := node.Commit(t.Context(), b)
					if err != nil && !errors.Is(err, store.ErrConflict) {
						t.Errorf("node %d bucket %d: %v", n, bucket, err)
						return
					}
					if err == nil {
						mu.Lock()
						sold++
						rows += int64(len(b.Commits))
						mu.Unlock()
					}
				}
			})
		}
	}
	writers.Wait()
	if sold != stock {
		t.Errorf("sold %d of %d", sold, stock)
	}
	hot := inventory.PositionKey{SKU: "HOT", Location: "dc"}
	for key, p := range positions(t, nodes[0]) {
		if key == hot && (p.Available() != 0 || p.Allocated != sold) {
			t.Errorf("%v after %d sales", p, sold)
		}
		checkLedger(t, nodes[1], p)
	}
	checkLogs(t, nodes[1], rows+1)
}

// checkLedger compares a position with the sum of its journal, which must have no gaps.
func checkLedger(t *testing.T, s store.Reader, p inventory.Position) {
	t.Helper()
	fold := inventory.Position{SKU: p.SKU, Location: p.Location}
	lines, err := s.Journal(t.Context(), p.Key(), 0, 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range lines {
		if line.PositionSeq != int64(i+1) {
			t.Fatalf("%v: line %d has sequence %d", p.Key(), i+1, line.PositionSeq)
		}
		fold = fold.Add(line.Delta())
	}
	if fold != p {
		t.Errorf("position %+v, its journal adds up to %+v", p, fold)
	}
}

// checkLogs reads all buckets: no gaps, the heads right, want rows in all.
func checkLogs(t *testing.T, s store.LogReader, want int64) {
	t.Helper()
	heads, err := s.Heads(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var rows int64
	for bucket, head := range heads {
		list, err := s.Log(t.Context(), bucket, 0, 1_000_000)
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range list {
			if c.Seq != int64(i+1) {
				t.Fatalf("bucket %d: row %d has sequence %d", bucket, i+1, c.Seq)
			}
		}
		if int64(len(list)) != head {
			t.Errorf("bucket %d: %d rows and head %d", bucket, len(list), head)
		}
		rows += head
	}
	if rows != want {
		t.Errorf("%d log rows, want %d", rows, want)
	}
}

// TestCrash crashes the server under load. Every batch that was acknowledged must be
// there, every batch reported as not written must not, and the same handles must work again.
func TestCrash(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	server, err := pgtest.Start(ctx, pgtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	s := open(t, server.NewDatabase(t), postgres.Options{Buckets: 4})
	for round, end := range []func(){server.Kill, func() {}} {
		outcomes := make(chan map[string]error)
		warm := make(chan struct{}, s.Buckets())
		for bucket := range s.Buckets() {
			go func() { outcomes <- writeUntilRefused(ctx, s, bucket, round, warm) }()
		}
		for range s.Buckets() {
			<-warm
		}
		end()
		if err := server.Restart(ctx); err != nil { // shuts a running server down first
			t.Fatal(err)
		}
		for bucket := range s.Buckets() {
			_ = bucket
			checkOutcomes(t, ctx, s, <-outcomes)
		}
		if err := s.Check(ctx); err != nil {
			t.Errorf("after the restart: %v", err)
		}
	}
}

// writeUntilRefused commits until a commit fails with something else than a conflict, and
// returns what came of each order. It signals warm when the load runs.
func writeUntilRefused(ctx context.Context, s *postgres.Store, bucket, round int, warm chan<- struct{}) map[string]error {
	outcomes := map[string]error{}
	for i := 0; ; i++ {
		id := fmt.Sprintf("%d/%d/%d", bucket, round, i)
		b := order(bucket, id, 0)
		move(b, "HOT", "dc", inventory.Supplier, inventory.Free, 1, 0)
		err := s.Commit(ctx, b)
		outcomes[id] = err
		if i == 50 {
			warm <- struct{}{}
		}
		if err != nil {
			return outcomes
		}
	}
}

func checkOutcomes(t *testing.T, ctx context.Context, s *postgres.Store, outcomes map[string]error) {
	t.Helper()
	for id, outcome := range outcomes {
		var bucket int
		if _, err := fmt.Sscanf(id, "%d/", &bucket); err != nil {
			t.Fatal(err)
		}
		var found []store.Record
		err := eventually(ctx, func() (err error) {
			found, err = s.Load(ctx, []store.Key{{Bucket: bucket, Kind: "order", ID: id}})
			return err
		})
		switch {
		case err != nil:
			t.Fatal(err)
		case outcome == nil && len(found) == 0:
			t.Errorf("%s was acknowledged and is lost", id)
		case errors.Is(outcome, store.ErrUnavailable) && len(found) != 0:
			t.Errorf("%s was reported as not written (%v) and is there", id, outcome)
		case outcome != nil && !errors.Is(outcome, store.ErrUnavailable) && !errors.Is(outcome, store.ErrUnknown):
			t.Errorf("%s: %v; want unavailable or unknown", id, outcome)
		}
	}
}

// eventually repeats f while the store is unavailable.
func eventually(ctx context.Context, f func() error) error {
	for {
		err := f()
		if !errors.Is(err, store.ErrUnavailable) || ctx.Err() != nil {
			return err
		}
	}
}

func TestUnavailable(t *testing.T) {
	t.Parallel()
	_, err := postgres.Open(t.Context(), "postgres://postgres@127.0.0.1:1/none?sslmode=disable", postgres.Options{Buckets: 4})
	if !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("nobody listens: %v", err)
	}
	s := open(t, pgtest.NewDatabase(t), postgres.Options{Buckets: 4})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Commit(ctx, order(0, "o-1", 0)); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("with a context that has ended: %v", err)
	}
	mustCommit(t, s, order(0, "o-1", 0))
}

func TestOpenRefusesAnUnsafeServer(t *testing.T) {
	t.Parallel()
	url := pgtest.NewDatabase(t)
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.ConnectConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), "alter database "+cfg.Database+" set synchronous_commit = off"); err != nil {
		t.Fatal(err)
	}
	if _, err := postgres.Open(t.Context(), url, postgres.Options{Buckets: 4}); err == nil || !strings.Contains(err.Error(), "synchronous_commit") {
		t.Errorf("opened with synchronous_commit = off: %v", err)
	}
	open(t, url, postgres.Options{AllowUnsafe: true})
}
