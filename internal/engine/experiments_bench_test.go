package engine_test

import (
	"fmt"
	"io"
	"log/slog"
	"testing"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/experiment"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/store/memory"
)

// BenchmarkExperiment measures what an experiment costs a capture, without a disk: 2.5 lines, 25 locations, by the cheapest
// policy of the library.
func BenchmarkExperiment(b *testing.B) {
	text := ""
	for _, x := range policy.Library() {
		if x.File == "cheapest.yaml" {
			text = x.Text
		}
	}
	for _, mode := range []string{"none", experiment.Share, experiment.Shadow} {
		b.Run(mode, func(b *testing.B) {
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
			n.publish(policy.KindSourcing, "cheapest", text)
			switch mode {
			case experiment.Share:
				n.experiment(half(), farthest)
			case experiment.Shadow:
				n.experiment(experiment.Setup{Name: "look", Mode: mode}, farthest)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				o := of(i)
				for k := range 1 + i%4 {
					o.Lines = append(o.Lines, basket("", fmt.Sprint("S", (i*7+k)%200)).Lines...)
				}
				n.capture(o)
			}
		})
	}
}
