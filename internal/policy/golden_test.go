package policy

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares got with a file.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", file, got, want)
	}
}

// TestProblems compiles each document of testdata/problems and compares everything
// it is told with the file of the same name.
func TestProblems(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/problems/*.yaml")
	if err != nil || len(files) < 5 {
		t.Fatalf("%d documents: %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		c, err := CompileText(text)
		if err != nil {
			b.WriteString(err.Error() + "\n")
		} else {
			for _, w := range c.Warnings {
				b.WriteString("warning " + w.String() + "\n")
			}
		}
		golden(t, strings.TrimSuffix(file, ".yaml")+".txt", b.String())
	}
}

func TestDiff(t *testing.T) {
	t.Parallel()
	read := func(name string) *Document {
		text, err := os.ReadFile("testdata/diff/" + name)
		if err != nil {
			t.Fatal(err)
		}
		d, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	var b strings.Builder
	for _, c := range Diff(read("before.yaml"), read("after.yaml")) {
		b.WriteString(c.String() + "\n")
	}
	golden(t, "testdata/diff/changes.txt", b.String())
	for _, e := range Library() {
		if c := Diff(e.Compiled.Doc, e.Compiled.Doc); len(c) != 0 {
			t.Errorf("%s differs from itself: %v", e.File, c)
		}
	}
}
