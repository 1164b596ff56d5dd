package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/store"
)

// BenchmarkCapture measures durable captures without HTTP: 64 callers, 2.5 lines, 25 locations.
func BenchmarkCapture(b *testing.B) {
	for name, fresh := range stores {
		b.Run(name, func(b *testing.B) {
			n := open(b, fresh(b)(), newClock())
			n.retailer(25, 200, 1_000_000)
			var next atomic.Int64
			b.SetParallelism(32)
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					id := next.Add(1)
					o := basket(fmt.Sprint("x-", id))
					for range 1 + rand.IntN(4) {
						o.Lines = append(o.Lines, basket("", fmt.Sprint("S", rand.IntN(200))).Lines...)
					}
					if _, err := n.Capture(context.Background(), o, engine.Meta{Actor: "bench"}); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "orders/s")
			b.ReportMetric(float64(n.Stats.Commands.Load())/float64(n.Stats.Batches.Load()), "commands/batch")
		})
	}
}

// BenchmarkReserve measures durable reservations of one hot SKU without HTTP.
func BenchmarkReserve(b *testing.B) {
	for name, fresh := range stores {
		b.Run(name, func(b *testing.B) {
			n := open(b, fresh(b)(), newClock())
			n.retailer(1, 2, 1_000_000_000)
			b.SetParallelism(32)
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					r := &inventory.NewReservation{Channel: "web", Lines: []inventory.NewReservationLine{{SKU: "S0", Quantity: 1}}}
					if _, err := n.Reserve(context.Background(), r, engine.Meta{Actor: "bench"}); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "reservations/s")
		})
	}
}

// BenchmarkOpen measures the start of a node over 1 M positions and 1 M orders
// (ORDERLY_BENCH_ORDERS and ORDERLY_BENCH_POSITIONS change that).
func BenchmarkOpen(b *testing.B) {
	orders, positions := size(b, "ORDERLY_BENCH_ORDERS", 1_000_000), size(b, "ORDERLY_BENCH_POSITIONS", 1_000_000)
	for name, fresh := range stores {
		b.Run(name, func(b *testing.B) {
			again := fresh(b)
			s := again()
			fill(b, s, orders, positions)
			s.Close()
			b.ResetTimer()
			for b.Loop() {
				s := again()
				e, err := engine.Open(context.Background(), s, engine.Options{Log: slog.New(slog.DiscardHandler)})
				if err != nil {
					b.Fatal(err)
				}
				if e.Book().Len() != positions {
					b.Fatalf("%d positions in memory", e.Book().Len())
				}
				s.Close()
			}
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/start")
		})
	}
}

func size(b *testing.B, variable string, fallback int) int {
	v := os.Getenv(variable)
	if v == "" {
		return fallback
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// fill writes orders and positions straight into a store: as many as a node
// would have after a while, without having to live through it.
func fill(b *testing.B, s store.Store, orders, positions int) {
	b.Helper()
	body := bytes.Repeat([]byte("x"), 1200)
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	write := func(batch *store.Batch) {
		if err := s.Commit(context.Background(), batch); err != nil {
			b.Fatal(err)
		}
	}
	for i := 0; i < positions; i += 1000 {
		batch := &store.Batch{}
		for j := i; j < min(i+1000, positions); j++ {
			batch.Positions = append(batch.Positions, store.PositionChange{
				PositionKey: inventory.PositionKey{SKU: fmt.Sprintf("S%06d", j/50), Location: fmt.Sprintf("L%02d", j%50)},
				Delta:       inventory.Delta{OnHand: 100}, Changed: at,
			})
		}
		write(batch)
	}
	for i := 0; i < orders; i += 1000 {
		batch := &store.Batch{Bucket: i / 1000 % s.Buckets()}
		for j := i; j < min(i+1000, orders); j++ {
			key := store.Key{Bucket: batch.Bucket, Kind: engine.KindOrder, ID: fmt.Sprintf("01a20000-0000-7000-8000-%012x", j)}
			batch.Puts = append(batch.Puts, store.Put{Record: store.Record{
				Key: key, Version: 1, State: "delivered", Channel: "web", ExternalID: fmt.Sprint(j), CreatedAt: at, Body: body,
			}})
			batch.Commits = append(batch.Commits, store.Commit{Stream: key, Version: 1, Time: at, Actor: "a", Command: "c", Node: "n", Events: []byte(`[]`)})
		}
		write(batch)
	}
}
