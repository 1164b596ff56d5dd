package policy

import "testing"

func TestLibraryCompilesWithoutWarnings(t *testing.T) {
	t.Parallel()
	for _, e := range Library() {
		for _, w := range e.Compiled.Warnings {
			t.Errorf("%s:%s", e.File, w)
		}
		if len(e.Compiled.Doc.Examples) == 0 {
			t.Errorf("%s has no examples", e.File)
		}
	}
	for _, k := range Kinds {
		if Default(k).Kind != k {
			t.Errorf("the default of %s is of another kind", k)
		}
	}
}

func TestExamplesOfTheLibraryThatNeedNoSourcing(t *testing.T) {
	t.Parallel()
	ran := 0
	for _, e := range Library() {
		if e.Compiled.Kind == KindSourcing {
			continue // package sourcing runs them
		}
		for _, r := range RunExamples(e.Compiled, nil) {
			ran++
			if !r.OK {
				t.Errorf("%s: %s", e.File, r)
			}
		}
	}
	if ran < 4 {
		t.Errorf("only %d examples ran", ran)
	}
}

func BenchmarkCompile(b *testing.B) {
	for _, e := range Library() {
		b.Run(e.File, func(b *testing.B) {
			for b.Loop() {
				if _, err := CompileText([]byte(e.Text)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
