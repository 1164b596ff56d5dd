package plant_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/orderly-oms/orderly/internal/plant"
)

// Every bug has a place in the product, a comment that says what it is, and a row in the documentation.
func TestBugsHavePlaces(t *testing.T) {
	t.Parallel()
	names := constants(t)
	if len(names) != len(plant.Bugs) {
		t.Errorf("%d bugs are declared, %d listed", len(names), len(plant.Bugs))
	}
	uses := map[string]int{}
	err := filepath.WalkDir("..", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for name := range names {
			uses[name] += strings.Count(string(text), "plant.On(plant."+name+")")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	docs, err := os.ReadFile("../../docs/simulation.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, bug := range names {
		if uses[name] == 0 {
			t.Errorf("%s is nowhere in the product", name)
		}
		if !strings.Contains(string(docs), "| `"+bug+"` |") {
			t.Errorf("docs/simulation.md has no row for %s", bug)
		}
		if !plant.Bug(bug).Known() {
			t.Errorf("%s is not in the list of bugs", bug)
		}
	}
}

// constants are the declared bugs by the name of their constant.
func constants(t *testing.T) map[string]string {
	tree, err := parser.ParseFile(token.NewFileSet(), "plant.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{}
	for _, d := range tree.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			continue
		}
		for _, s := range g.Specs {
			v := s.(*ast.ValueSpec)
			names[v.Names[0].Name] = strings.Trim(v.Values[0].(*ast.BasicLit).Value, `"`)
			if !strings.HasPrefix(v.Doc.Text(), v.Names[0].Name+": ") {
				t.Errorf("%s has no comment that says what it is", v.Names[0].Name)
			}
		}
	}
	return names
}
