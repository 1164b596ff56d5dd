package sourcing_test

import (
	"testing"

	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/sourcing"
)

// Every ready policy has examples, and all of them come out as they say.
func TestLibraryExamples(t *testing.T) {
	t.Parallel()
	for _, e := range policy.Library() {
		results := policy.RunExamples(e.Compiled, sourcing.RunExample)
		if len(results) == 0 {
			t.Errorf("%s has no examples", e.File)
		}
		for _, r := range results {
			if !r.OK {
				t.Errorf("%s: %s", e.File, r)
			}
		}
	}
}
