package engine_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/inventory"
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
