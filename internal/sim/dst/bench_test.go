package dst_test

import (
	"testing"

	"github.com/orderly-oms/orderly/internal/sim/dst"
)

// BenchmarkRun says how many orders are simulated in a second, on one core.
func BenchmarkRun(b *testing.B) {
	orders := 0
	for seed := range uint64(b.N) {
		orders += dst.Run(dst.Options{Seed: seed}).Orders
	}
	b.ReportMetric(float64(orders)/b.Elapsed().Seconds(), "orders/s")
}
