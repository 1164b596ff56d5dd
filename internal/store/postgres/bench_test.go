package postgres

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/pgtest"
	"github.com/orderly-oms/orderly/internal/store"
)

const (
	benchBuckets = 4
	benchGroup   = 64 // commits per batch
	benchSKUs    = 20_000
	benchPlaces  = 25
)

func sku(i int) string { return fmt.Sprintf("SKU-%06d", i%benchSKUs) }

func shop(i int) string { return fmt.Sprintf("store-%03d", i%benchPlaces) }

// orderID is as long as a UUIDv7 and grows with i.
func orderID(bucket, i int) string {
	return fmt.Sprintf("0190%08x-7abc-8def-%04x%08x", i, bucket, i*7919)
}

// capture returns a batch like that of orders that were sourced and allocated.
func capture(bucket, batch int, body, events []byte, at time.Time) *store.Batch {
	b := &store.Batch{Bucket: bucket}
	changes := map[inventory.PositionKey]*store.PositionChange{}
	for n := range benchGroup {
		i := batch*benchGroup + n
		key := store.Key{Bucket: bucket, Kind: "order", ID: orderID(bucket, i)}
		b.Puts = append(b.Puts, store.Put{Record: store.Record{Key: key, Version: 1, State: "sourced", Wake: at.Add(time.Hour),
			Channel: "web", ExternalID: fmt.Sprintf("W%d-%d", bucket, i), CreatedAt: at, Body: body,
			Terms: []string{fmt.Sprintf("customer:c-%d", i*31%100_000), "sku:" + sku(i*13), "sku:" + sku(i*17)}}})
		c := store.Commit{Stream: key, Version: 1, Time: at, Actor: "key:web", Command: orderID(9, i), Node: "node-1", Events: events}
		for line := range 2 + i%2 {
			h := (i*2654435761 + line*40503 + bucket*977) & 0x7fffffff
			k := inventory.PositionKey{SKU: sku(h), Location: shop(h / 7)}
			c.Movements = append(c.Movements, inventory.Movement{SKU: k.SKU, Location: k.Location, From: inventory.Free, To: inventory.Allocated, Quantity: 1})
			if changes[k] == nil {
				changes[k] = &store.PositionChange{PositionKey: k}
			}
			changes[k].Allocated++
			changes[k].Need++
		}
		b.Commits = append(b.Commits, c)
	}
	for _, c := range changes {
		b.Positions = append(b.Positions, *c)
	}
	return b
}

// receive returns a batch that adds quantity to n positions, from the i-th on.
func receive(bucket, i, n int, quantity int64, at time.Time) *store.Batch {
	key := store.Key{Bucket: bucket, Kind: "feed", ID: orderID(bucket, i)}
	c := store.Commit{Stream: key, Version: 1, Time: at, Actor: "key:wms", Command: orderID(8, i), Node: "node-1", Events: []byte(`[]`)}
	b := &store.Batch{Bucket: bucket}
	for j := range n {
		k := inventory.PositionKey{SKU: sku((i + j) / benchPlaces), Location: shop(i + j)}
		c.Movements = append(c.Movements, inventory.Movement{SKU: k.SKU, Location: k.Location, From: inventory.Supplier, To: inventory.Free, Quantity: quantity, Reason: "delta"})
		b.Positions = append(b.Positions, store.PositionChange{PositionKey: k, Delta: inventory.Delta{OnHand: quantity}, Changed: at})
	}
	b.Commits = []store.Commit{c}
	return b
}

// eachBucket runs b.N rounds split over one writer per bucket.
func eachBucket(b *testing.B, write func(bucket, round int)) {
	b.ReportAllocs()
	b.ResetTimer()
	var writers sync.WaitGroup
	for bucket := range benchBuckets {
		writers.Go(func() {
			for round := bucket; round < b.N; round += benchBuckets {
				write(bucket, round/benchBuckets)
			}
		})
	}
	writers.Wait()
}

var benchTime = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// benchStore returns a store with all positions, well stocked.
func benchStore(b *testing.B) *Store {
	b.Helper()
	ctx := context.Background()
	s, err := Open(ctx, pgtest.NewDatabase(b), Options{Buckets: benchBuckets})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	n := benchSKUs * benchPlaces
	_, err = s.writes.CopyFrom(ctx, pgx.Identifier{"positions"}, []string{"bucket", "sku", "location", "on_hand"},
		pgx.CopyFromSlice(n, func(i int) ([]any, error) {
			return []any{s.positionBucket(sku(i / benchPlaces)), sku(i / benchPlaces), shop(i), int64(1_000_000)}, nil
		}))
	if err != nil {
		b.Fatal(err)
	}
	if _, err := s.writes.Exec(ctx, "vacuum analyze"); err != nil {
		b.Fatal(err)
	}
	return s
}

func BenchmarkCapture(b *testing.B) {
	s := benchStore(b)
	body, events := bytes.Repeat([]byte("b"), 1200), bytes.Repeat([]byte("e"), 1000)
	eachBucket(b, func(bucket, round int) {
		if err := s.Commit(context.Background(), capture(bucket, round, body, events, benchTime)); err != nil {
			b.Error(err)
		}
	})
	b.ReportMetric(float64(b.N*benchGroup)/b.Elapsed().Seconds(), "commits/s")
}

func BenchmarkReplace(b *testing.B) {
	s := benchStore(b)
	body, events := bytes.Repeat([]byte("b"), 2000), bytes.Repeat([]byte("e"), 1000)
	const groups = 50 // each record is replaced every so many batches
	for bucket := range benchBuckets {
		for g := range groups {
			batch := capture(bucket, g, body, events, benchTime)
			batch.Positions = nil
			for i := range batch.Commits {
				batch.Commits[i].Movements = nil
			}
			if err := s.Commit(context.Background(), batch); err != nil {
				b.Fatal(err)
			}
		}
	}
	eachBucket(b, func(bucket, round int) {
		batch := capture(bucket, round%groups, body, events, benchTime)
		batch.Positions = nil
		for i := range batch.Puts {
			p, c := &batch.Puts[i], &batch.Commits[i]
			c.Movements, p.Terms = nil, nil
			p.Base = int64(1 + round/groups)
			p.Version, c.Version = p.Base+1, p.Base+1
			p.State = fmt.Sprint("state", round/groups%5)
			p.Wake = benchTime.Add(time.Duration(round) * time.Second)
		}
		if err := s.Commit(context.Background(), batch); err != nil {
			b.Error(err)
		}
	})
	b.ReportMetric(float64(b.N*benchGroup)/b.Elapsed().Seconds(), "commits/s")
}

func BenchmarkInventory(b *testing.B) {
	s := benchStore(b)
	const perBatch = 1000
	eachBucket(b, func(bucket, round int) {
		i := (round*benchBuckets+bucket)*perBatch*7 + bucket
		batch := receive(bucket, i, perBatch, 1, benchTime)
		batch.Commits[0].Stream.ID = orderID(bucket, round)
		if err := s.Commit(context.Background(), batch); err != nil {
			b.Error(err)
		}
	})
	b.ReportMetric(float64(b.N*perBatch)/b.Elapsed().Seconds(), "movements/s")
}

func BenchmarkScan(b *testing.B) {
	s := benchStore(b)
	b.ResetTimer()
	n := 0
	for b.Loop() {
		_, err := s.Scan(context.Background(), nil, func(inventory.Position) error { n++; return nil }, nil)
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "positions/s")
}
