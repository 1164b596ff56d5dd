package flow

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/orderly-oms/orderly/internal/policy"
)

func TestLibraryCompilesWithoutWarnings(t *testing.T) {
	t.Parallel()
	for _, e := range Library() {
		for _, w := range e.Flow.Policy.Warnings {
			t.Errorf("%s:%s", e.File, w)
		}
		if e.Flow.Doc.Description == "" || len(e.Flow.Doc.Examples) == 0 {
			t.Errorf("%s has no description or no examples", e.File)
		}
	}
	for _, kind := range policy.FlowKinds {
		if d := Default(kind); d == nil || d.Policy.Kind != kind || d.Ref != "default@0" {
			t.Errorf("the default of %s is %+v", kind, d)
		}
	}
}

func TestExamplesOfTheLibrary(t *testing.T) {
	t.Parallel()
	for _, e := range Library() {
		for _, r := range RunExamples(e.Flow) {
			if !r.OK {
				t.Errorf("%s: %s", e.File, r)
			}
		}
	}
}

// The examples are the library, for those who read the repository.
func TestExamplesAreTheLibrary(t *testing.T) {
	t.Parallel()
	const folder = "../../examples/flows"
	for _, e := range Library() {
		file := filepath.Join(folder, e.File)
		if *update {
			if err := os.WriteFile(file, []byte(e.Text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if text, err := os.ReadFile(file); err != nil || string(text) != e.Text {
			t.Errorf("%s is not %s of the library (%v); run the test with -update", file, e.File, err)
		}
	}
	files, err := os.ReadDir(folder)
	if err != nil || len(files) != len(Library()) {
		t.Errorf("%s has %d files, the library %d (%v)", folder, len(files), len(Library()), err)
	}
}
