package engine_test

import (
	"fmt"
	"io"
	"log/slog"
	"testing"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/store/memory"
)

// BenchmarkBaseline measures what a baseline costs a capture, without a disk: 2.5 lines, 25 locations, the nearest
// location decides and is the baseline.
func BenchmarkBaseline(b *testing.B) {
	for _, pinned := range []bool{false, true} {
		b.Run(fmt.Sprintf("pinned=%t", pinned), func(b *testing.B) {
			s, err := memory.New(1, true).Open(memory.Options{})
			if err != nil {
				b.Fatal(err)
			}
			c := newClock()
			e, err := engine.Open(background, s, engine.Options{Clock: c.now, Inline: true, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
			if err != nil {
				b.Fatal(err)
			}
			n := &node{Engine: e, tb: b, clock: c, store: s}
			b.Cleanup(n.close)
			n.retailer(25, 200, 1_000_000)
			if pinned {
				n.pin(engine.PinBaseline{Library: "nearest"})
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				o := basket(fmt.Sprint("x-", i))
				for k := range 1 + i%4 {
					o.Lines = append(o.Lines, basket("", fmt.Sprint("S", (i*7+k)%200)).Lines...)
				}
				n.capture(o)
			}
		})
	}
}
