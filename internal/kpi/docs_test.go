package kpi_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/orderly-oms/orderly/internal/kpi"
)

var updateDocs = flag.Bool("update-docs", false, "rewrite the dictionary in docs/kpis.md")

const docsFile = "../../docs/kpis.md"

// better is how the documentation says what is better.
var better = map[string]string{kpi.BetterUp: "more is better", kpi.BetterDown: "less is better", kpi.BetterNone: "describes"}

// dictionaryText is the dictionary as the documentation has it.
func dictionaryText() string {
	var b strings.Builder
	for _, d := range kpi.Dictionary() {
		fmt.Fprintf(&b, "### %s\n\n%s %s\n\n", d.ID, d.Sentence, strings.TrimSuffix(d.Title, ".")+": "+d.Unit+", "+better[d.Better]+".")
		if d.Denominator == "" {
			fmt.Fprintf(&b, "- **What:** %s\n", d.Numerator)
		} else {
			fmt.Fprintf(&b, "- **Of:** %s\n- **How many:** %s\n", d.Denominator, d.Numerator)
		}
		fmt.Fprintf(&b, "- **Counts:** by day of %s, at the %s's location\n", d.Day, d.Place)
		if d.Excluded != "" {
			fmt.Fprintf(&b, "- **Left out, and notes:** %s\n", d.Excluded)
		}
		fmt.Fprintf(&b, "- **Definition:** %s\n\n", d.Source)
	}
	return b.String()
}

// The documentation has every definition, word for word.
func TestDocumentationIsTheDictionary(t *testing.T) {
	t.Parallel()
	body, err := os.ReadFile(docsFile)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- dictionary -->\n\n", "<!-- end of the dictionary -->\n"
	before, rest, found := strings.Cut(string(body), begin)
	had, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s has no place for the dictionary", docsFile)
	}
	want := dictionaryText()
	if had == want {
		return
	}
	if !*updateDocs {
		t.Fatalf("%s does not have the dictionary as it is; run go test ./internal/kpi -update-docs", docsFile)
	}
	if err := os.WriteFile(docsFile, []byte(before+begin+want+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
