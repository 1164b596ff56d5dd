package sqlite

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/store"
)

// The benchmarks report commits/s, movements/s or positions/s; each iteration
// is one durable batch (or one scan). Run them for at least -benchtime=10s:
// the first seconds write to an almost empty file.

const (
	benchBatch     = 64
	benchSKUs      = 20_000
	benchLocations = 50
)

var benchStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// fill creates positions with stock, SKU by SKU.
func fill(b testing.TB, s *Store, skus, locations int) {
	b.Helper()
	const each = 20_000
	batch := &store.Batch{}
	for i := range skus {
		for l := range locations {
			batch.Positions = append(batch.Positions, store.PositionChange{
				PositionKey: inventory.PositionKey{SKU: benchSKU(i), Location: fmt.Sprintf("L%03d", l)},
				Delta:       inventory.Delta{OnHand: 1_000_000_000}, Changed: benchStart,
			})
		}
		if len(batch.Positions) >= each || i == skus-1 {
			if err := s.Commit(b.Context(), batch); err != nil {
				b.Fatal(err)
			}
			batch = &store.Batch{}
		}
	}
}

func benchSKU(i int) string { return fmt.Sprintf("SKU-%06d", i) }

// uuid7 is an id as the application makes them: time first.
func uuid7(n int, r *rand.Rand) string {
	ms := benchStart.UnixMilli() + int64(n)/10
	return fmt.Sprintf("%08x-%04x-7%03x-%04x-%012x", ms>>16, ms&0xffff, n%10, 0x8000|r.IntN(0x4000), r.Int64N(1<<48))
}

// captures builds batches like those of order capture.
type captures struct {
	n, locations int
	r            *rand.Rand
	zipf         *rand.Zipf
	body         []byte
	events       []byte
}

func newCaptures(locations int) *captures {
	r := rand.New(rand.NewPCG(1, 2))
	return &captures{
		r: r, locations: locations, zipf: rand.NewZipf(r, 1.1, 50, benchSKUs-1),
		body:   []byte(`"` + strings.Repeat("b", 1198) + `"`),
		events: []byte(`["` + strings.Repeat("e", 1020) + `"]`),
	}
}

func (c *captures) batch() *store.Batch {
	b := &store.Batch{}
	at := map[inventory.PositionKey]int{}
	for range benchBatch {
		c.n++
		key := store.Key{Kind: "order", ID: uuid7(c.n, c.r)}
		now := benchStart.Add(time.Duration(c.n) * 100 * time.Microsecond)
		row := store.Commit{Stream: key, Version: 1, Time: now, Actor: "key:web", Command: uuid7(c.n, c.r), Node: "n1", Events: c.events}
		terms := []string{fmt.Sprint("customer:c-", c.r.IntN(200_000))}
		location := fmt.Sprintf("L%03d", c.r.IntN(c.locations))
		for range 2 + c.n%2 {
			m := inventory.Movement{
				SKU: benchSKU(int(c.zipf.Uint64())), Location: location,
				From: inventory.Free, To: inventory.Allocated, Quantity: 1, Reason: "sourced",
			}
			if len(terms) < 3 {
				terms = append(terms, "sku:"+m.SKU)
			}
			row.Movements = append(row.Movements, m)
			p := inventory.PositionKey{SKU: m.SKU, Location: m.Location}
			i, seen := at[p]
			if !seen {
				i = len(b.Positions)
				at[p] = i
				b.Positions = append(b.Positions, store.PositionChange{PositionKey: p})
			}
			b.Positions[i].Delta = b.Positions[i].Plus(m.Delta())
			b.Positions[i].Need++
		}
		b.Commits = append(b.Commits, row)
		b.Puts = append(b.Puts, store.Put{Record: store.Record{
			Key: key, Version: 1, State: "sourced", Wake: now.Add(time.Hour), Channel: "web",
			ExternalID: fmt.Sprintf("W-%09d", c.n), CreatedAt: now, Terms: terms, Body: c.body,
		}})
	}
	return b
}

// run commits one batch per iteration; building batches is not timed.
func run(b *testing.B, s *Store, unit string, each int, next func() *store.Batch) {
	b.Helper()
	ctx := context.Background()
	var slowest time.Duration
	b.ResetTimer()
	for range b.N {
		b.StopTimer()
		batch := next()
		b.StartTimer()
		began := time.Now()
		if err := s.Commit(ctx, batch); err != nil {
			b.Fatal(err)
		}
		slowest = max(slowest, time.Since(began))
	}
	b.ReportMetric(float64(b.N*each)/b.Elapsed().Seconds(), unit)
	b.ReportMetric(float64(slowest.Microseconds())/1000, "slowest-ms")
}

func BenchmarkCommitCapture(b *testing.B) {
	for _, locations := range []int{5, benchLocations} {
		b.Run(fmt.Sprintf("positions=%d", benchSKUs*locations), func(b *testing.B) {
			s := openTemp(b)
			fill(b, s, benchSKUs, locations)
			run(b, s, "commits/s", benchBatch, newCaptures(locations).batch)
		})
	}
}

func BenchmarkCommitReplace(b *testing.B) {
	s := openTemp(b)
	const orders = 100 * benchBatch
	c := newCaptures(benchLocations)
	body := []byte(`"` + strings.Repeat("b", 1998) + `"`)
	var records []store.Record
	for range orders / benchBatch {
		batch := c.batch()
		batch.Positions = nil
		for i := range batch.Commits {
			batch.Commits[i].Movements = nil
		}
		for i := range batch.Puts {
			batch.Puts[i].Body = body
			records = append(records, batch.Puts[i].Record)
		}
		if err := s.Commit(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	next := 0
	run(b, s, "commits/s", benchBatch, func() *store.Batch {
		batch := &store.Batch{}
		for range benchBatch {
			r := &records[next%orders]
			next++
			r.Version++
			r.Terms = nil
			r.State = []string{"sourced", "picked"}[r.Version/2%2] // every second step changes the state
			batch.Puts = append(batch.Puts, store.Put{Record: *r, Base: r.Version - 1})
			batch.Commits = append(batch.Commits, store.Commit{
				Stream: r.Key, Version: r.Version, Time: r.CreatedAt, Actor: "key:wms", Command: uuid7(next, c.r), Node: "n1", Events: c.events,
			})
		}
		return batch
	})
}

func BenchmarkCommitMovements(b *testing.B) {
	for _, shape := range []struct {
		name string
		key  func(n, i int) inventory.PositionKey
	}{
		// One location's feed: each position is as far as can be from the next.
		{"one-location", func(n, i int) inventory.PositionKey {
			return inventory.PositionKey{SKU: benchSKU((n*1000 + i) % benchSKUs), Location: fmt.Sprintf("L%03d", n/20%benchLocations)}
		}},
		// All locations of a few SKUs.
		{"few-skus", func(n, i int) inventory.PositionKey {
			return inventory.PositionKey{SKU: benchSKU((n*20 + i/benchLocations) % benchSKUs), Location: fmt.Sprintf("L%03d", i%benchLocations)}
		}},
	} {
		b.Run(shape.name, func(b *testing.B) {
			s := openTemp(b)
			fill(b, s, benchSKUs, benchLocations)
			n := 0
			run(b, s, "movements/s", 1000, func() *store.Batch {
				row := store.Commit{
					Stream: store.Key{Kind: "feed", ID: "wms"}, Version: int64(n + 1), Time: benchStart, Actor: "key:wms",
					Command: fmt.Sprint("c", n), Node: "n1", Events: []byte(`[]`),
				}
				batch := &store.Batch{}
				for i := range 1000 {
					key := shape.key(n, i)
					m := inventory.Movement{SKU: key.SKU, Location: key.Location, From: inventory.Supplier, To: inventory.Free, Quantity: 5, Reason: "feed"}
					row.Movements = append(row.Movements, m)
					batch.Positions = append(batch.Positions, store.PositionChange{PositionKey: key, Delta: m.Delta(), Changed: benchStart})
				}
				n++
				batch.Commits = []store.Commit{row}
				return batch
			})
		})
	}
}

func BenchmarkScanPositions(b *testing.B) {
	s := openTemp(b)
	fill(b, s, benchSKUs, benchLocations)
	n := 0
	for b.Loop() {
		n = 0
		if _, err := s.Scan(b.Context(), nil, func(inventory.Position) error { n++; return nil }, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "positions/s")
}
