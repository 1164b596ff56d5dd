package flow

import "testing"

func TestLibraryCompilesWithoutWarnings(t *testing.T) {
	t.Parallel()
	for _, e := range Library() {
		for _, w := range e.Flow.Policy.Warnings {
			t.Errorf("%s:%s", e.File, w)
		}
	}
}
