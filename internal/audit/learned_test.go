package audit_test

import (
	"testing"

	"github.com/orderly-oms/orderly/internal/engine"
)

// TestLearnedFactsAreSound: snapshots of what was learned stand beside orders; one whose
// version is not that of its log is found.
func TestLearnedFactsAreSound(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := openSQLite(t, dir)
	n.day()
	for range 2 {
		n.capture(basket("", 1, "S1"))
		if err := n.LearnNow(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	learned := n.Learned()
	if len(learned) == 0 || learned[0].Version != 2 {
		t.Fatalf("learned %+v", learned)
	}
	n.close()
	wantFailed(t, run(t, dir))
	edit(t, dir, `UPDATE records SET version = version + 1 WHERE kind = '`+string(engine.KindLearned)+`'`)
	wantFailed(t, run(t, dir), 34)
}
