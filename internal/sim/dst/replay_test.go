package dst

import (
	"path/filepath"
	"reflect"
	"testing"

	"github.com/orderly-oms/orderly/internal/past"
	"github.com/orderly-oms/orderly/internal/past/extract"
	"github.com/orderly-oms/orderly/internal/replay"
	"github.com/orderly-oms/orderly/internal/store/memory"
)

// Whole lives under faults, decided again from their log with the rules that were in force, are decided the same.
func TestLivesAreDecidedAgain(t *testing.T) {
	var decisions, same, cost int64
	for seed := range uint64(6) {
		w := lived(t, seed+1)
		s, err := w.disk.Open(memory.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if s.Buckets() > 1 || len(w.nodes) > 1 {
			continue // other lanes and nodes decide at the same time: see docs/reassess-method.md
		}
		file := filepath.Join(t.TempDir(), "history")
		if _, err := extract.Extract(t.Context(), s, file, extract.Options{}); err != nil {
			t.Fatal(err)
		}
		open := func() (past.Reader, error) { return past.Open(file) }
		r, err := replay.Run(t.Context(), open, []replay.Scenario{{Name: "a"}, {Name: "a"}}, replay.Options{KeepOrders: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range r {
			x.Took, x.DecideP50, x.DecideP99 = 0, 0, 0
		}
		if !reflect.DeepEqual(r[0], r[1]) {
			t.Errorf("seed %d: two replays differ", seed+1)
		}
		id := r[0].Identity
		decisions, same, cost = decisions+id.Decisions, same+id.Same, cost+id.SameCost
		for _, d := range id.Differences {
			t.Logf("seed %d: %+v", seed+1, d)
		}
	}
	// The clock stands still between two commands here, so a rule that is changed at the moment of a decision counts for the
	// replay a moment later than it did: docs/reassess-method.md.
	if decisions == 0 || same < decisions*98/100 || cost != decisions {
		t.Errorf("of %d decisions %d are the same, %d in cost", decisions, same, cost)
	}
}
