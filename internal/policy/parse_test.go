package policy

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/orderly-oms/orderly/internal/problem"
)

func FuzzParse(f *testing.F) {
	for _, e := range Library() {
		f.Add(e.Text)
	}
	files, err := filepath.Glob("testdata/problems/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add("")
	f.Add("a: &a [*a]")
	f.Add("kind: sourcing\nname: \"\\u00e9\nselect: {when: \"\"}")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := CompileText([]byte(text))
		if err != nil {
			var bad Problems
			if !errors.As(err, &bad) || len(bad) == 0 {
				t.Fatalf("refused with %v", err)
			}
			lines := len(splitLines(text))
			for _, p := range bad {
				if p.Message == "" || p.Code == "" || p.Line > lines+1 || p.Line < 0 {
					t.Fatalf("problem %+v of %d lines", p, lines)
				}
			}
			return
		}
		if len(Diff(c.Doc, c.Doc)) != 0 {
			t.Fatal("a document differs from itself")
		}
		RunExamples(c, nil)
	})
}

func TestLimitsOfADocument(t *testing.T) {
	t.Parallel()
	rules := func(n int) string {
		return "kind: returns\nname: x\nreturns:\n  rules:\n" + strings.Repeat("    - {name: a, to: keep}\n", n)
	}
	deep := "kind: returns\nname: x\nexamples:\n  - expect: {rule: " + strings.Repeat("[", maxDepth+1) + strings.Repeat("]", maxDepth+1) + "}\n"
	for name, x := range map[string]struct{ text, code string }{
		"too large":        {"# " + strings.Repeat("x", MaxDocumentBytes), problem.TooLong},
		"empty":            {"", problem.Required},
		"only a comment":   {"# nothing\n", problem.Required},
		"two documents":    {"kind: returns\n---\nkind: returns\n", CodeSyntax},
		"a list":           {"[]", problem.Malformed},
		"too many entries": {rules(MaxListEntries + 1), problem.TooLong},
		"too deep":         {deep, problem.TooLong},
		"merge key":        {"<<: {kind: returns}\n", CodeSyntax},
		"not a number":     {"kind: promise\npromise: {quantile: .nan}\n", problem.Malformed},
	} {
		_, err := Parse([]byte(x.text))
		var bad Problems
		if !errors.As(err, &bad) || bad[0].Code != x.code {
			t.Errorf("%s: %v, want %s", name, err, x.code)
		}
	}
	largest := "kind: returns\nname: x\nreturns: {rules: []}\n#"
	if _, err := CompileText([]byte(largest + strings.Repeat("x", MaxDocumentBytes-len(largest)))); err != nil {
		t.Errorf("the largest document: %v", err)
	}
	if _, err := Parse([]byte(rules(MaxListEntries))); err != nil {
		t.Errorf("the longest list: %v", err)
	}
}

func TestProblemsForTheAPI(t *testing.T) {
	t.Parallel()
	_, err := CompileText([]byte("kind: returns\nname: x\nreturns:\n  rules:\n    - {name: a, to: keep, when: 1}\n"))
	var bad Problems
	if !errors.As(err, &bad) {
		t.Fatal(err)
	}
	v := bad.Invalid()
	if len(v) != 1 || v[0].Pointer != "returns.rules[0].when" || v[0].Message != "line 5, column 33: must be true or false, but gives int" {
		t.Errorf("%+v", v)
	}
	if Problems(nil).Err() != nil {
		t.Error("no problems are an error")
	}
	var many Problems
	for range maxProblems + 5 {
		many.add(place{}, "x", CodeIdle, "x")
	}
	if len(many) != maxProblems {
		t.Errorf("%d problems", len(many))
	}
	d := &Document{Kind: KindReturns, Name: "made", Returns: &ReturnsSection{Rules: []ReturnRule{{Name: "a", To: ToKeep, When: "x"}}}}
	if _, err := Compile(d); err == nil || err.Error() != "returns.rules[0].when: there is no fact or function x (expression)" {
		t.Errorf("a document that was not parsed: %v", err)
	}
}
