package engine_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/orderly-oms/orderly/internal/engine"
)

// BenchmarkLearn measures what it takes to learn from one captured order, behind the commits, reading
// included and persisting apart.
func BenchmarkLearn(b *testing.B) {
	for name, fresh := range stores {
		b.Run(name, func(b *testing.B) {
			n := studious(b, fresh(b)(), newClock())
			n.retailer(25, 20, 1_000_000)
			var next atomic.Int64
			b.SetParallelism(32)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					id := next.Add(1)
					if _, err := n.Capture(background, basket(fmt.Sprint("x-", id), fmt.Sprint("S", id%20), fmt.Sprint("S", id%7)), engine.Meta{Actor: "bench"}); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportAllocs()
			b.ResetTimer()
			for n.LookAtLog(background); n.Observed() < int64(b.N); {
				n.LookAtLog(background)
			}
		})
	}
}
