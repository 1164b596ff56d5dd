package reassess_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/orderly-oms/orderly/internal/reassess"
)

const docsFile = "../../docs/reassess-method.md"

// The documentation has every measure, word for word, and every kind of finding.
func TestDocumentation(t *testing.T) {
	t.Parallel()
	body, err := os.ReadFile(docsFile)
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	want.WriteString("| measure | what it is | unit | better | drawn outcomes in it |\n|---|---|---|---|---|\n")
	for _, d := range reassess.Definitions() {
		fmt.Fprintf(&want, "| `%s` %s | %s | %s | %s | %s |\n", d.ID, d.Name, d.Sentence, d.Unit, d.Better, map[bool]string{true: "yes", false: "no"}[d.Drawn])
	}
	const begin, end = "<!-- measures -->\n\n", "\n<!-- end of the measures -->\n"
	before, rest, found := strings.Cut(string(body), begin)
	had, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s has no place for the measures", docsFile)
	}
	for _, kind := range reassess.FindingKinds {
		if !strings.Contains(string(body), "| `"+kind+"` |") {
			t.Errorf("%s does not say what %s is", docsFile, kind)
		}
	}
	if had == want.String() {
		return
	}
	if !*update {
		t.Fatalf("%s does not have the measures as they are; run go test ./internal/reassess -update", docsFile)
	}
	if err := os.WriteFile(docsFile, []byte(before+begin+want.String()+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
