package dst_test

import (
	"testing"

	"github.com/orderly-oms/orderly/internal/sim/dst"
)

func TestSeeds(t *testing.T) {
	t.Parallel()
	for seed := range uint64(30) {
		if r := dst.Run(dst.Options{Seed: seed}); r.Violation != nil {
			t.Fatal(r.Violation)
		}
	}
}
