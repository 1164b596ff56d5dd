package kpi_test

import (
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/kpi"
	"github.com/orderly-oms/orderly/internal/order"
)

// BenchmarkLifecycle measures what counting costs for one order, from capture to delivery in six commands.
func BenchmarkLifecycle(b *testing.B) {
	l := capture(b, "o1", "web", "EUR", noon, []int64{2, 1}, at("dc", 400, noon.Add(48*time.Hour), lq("1", 2), lq("2", 1)))
	for _, s := range []string{"accept", "pick", "pack", "ship", "deliver"} {
		l.now = l.now.Add(time.Hour)
		l.step(b, l.o.Fulfillments[0].ID, order.Step{Command: s})
	}
	if l.o.Status != order.StatusDelivered {
		b.Fatal(l.o.Status)
	}
	c := kpi.New()
	b.ReportAllocs()
	for b.Loop() {
		k := new(kpi.Case)
		for i := range l.log {
			if err := k.Apply(l.log[i].events, l.log[i].version, l.log[i].at, c); err != nil {
				b.Fatal(err)
			}
		}
	}
}
