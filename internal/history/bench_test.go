package history

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/orderly-oms/orderly/internal/order"
)

// BenchmarkObserve folds the life of orders over 10,000 SKUs and 500 locations; an operation is one event.
func BenchmarkObserve(b *testing.B) {
	h := New()
	var commands []*command
	for i := range 20_000 {
		at := days(float64(i) / 1000)
		o := bought(fmt.Sprint("SKU-", i*7919%10_000), fmt.Sprint("store-", i*31%500), 1, at)
		commands = append(commands, placed(o, at), did(o, order.EventFulfillmentAccepted, 0, at), did(o, order.EventFulfillmentPicked, 0, at), did(o, order.EventFulfillmentShipped, 0, at))
	}
	events := 0
	b.ReportAllocs()
	for i := 0; events < b.N; i++ {
		c := commands[i%len(commands)]
		c.fold(h)
		events += len(c.events)
	}
}

// BenchmarkPairs reports what a full table of pairs takes in memory and as a snapshot.
func BenchmarkPairs(b *testing.B) {
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		h := New()
		for i := range MaxPairs {
			did(bought(fmt.Sprint("SKU-", i%20_000), fmt.Sprint("store-", i/20_000), 1, start), order.EventFulfillmentShipped, 0, start).fold(h)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(len(h.shipped)), "B/pair")
		b.ReportMetric(float64(len(snapshot(b, h, 1, start)))/float64(len(h.shipped)), "JSON-B/pair")
		runtime.KeepAlive(h)
	}
}
