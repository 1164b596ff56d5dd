// Package arch holds the test of the import direction.
package arch

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/orderly-oms/orderly/"

// layers lists the packages from the bottom up. A package may import packages
// of layers below its own, and of its own layer where peers says so.
var layers = [][]string{
	{"internal/plant"},
	{"internal/problem", "internal/jsonenc", "internal/stats"},
	{"internal/money"},
	{"internal/inventory", "internal/network", "internal/auth"},
	{"internal/catalog", "internal/policy", "internal/sourcing/exact"},
	{"internal/price", "internal/plancase"},
	{"internal/sourcing"},
	{"internal/promise"},
	{"internal/payment"},
	{"internal/order"},
	{"internal/exception"},
	{"internal/flow"},
	{"internal/bulk", "internal/history", "internal/experiment", "internal/kpi", "internal/roi", "internal/partner/importer", "internal/store"},
	{"internal/store/sqlite", "internal/store/postgres", "internal/store/memory", "internal/store/storetest", "internal/pgtest"},
	{"internal/past"},
	{"internal/engine"},
	{"internal/audit", "internal/intake", "internal/lease", "internal/past/extract", "internal/past/folder"},
	{"internal/replay"},
	{"internal/reassess"},
	{"internal/reassess/report", "internal/reassess/tune"},
	{"internal/webhook", "internal/partner/pay", "internal/reassess/job"},
	{"internal/api", "internal/partner/sandbox"},
	{"internal/sim", "internal/bench"},
	{"internal/sim/dst"},
	{"internal/e2e", "internal/arch"},
	{"cmd/orderly"},
}

// pure packages decide or calculate: no store, no HTTP, no clock, no log, no
// randomness, no files, no goroutines that outlive a call.
var pure = []string{
	"internal/problem", "internal/jsonenc", "internal/money", "internal/inventory", "internal/network", "internal/catalog",
	"internal/policy", "internal/price", "internal/promise", "internal/sourcing", "internal/sourcing/exact", "internal/plancase", "internal/payment", "internal/order", "internal/exception", "internal/flow", "internal/history", "internal/experiment", "internal/kpi", "internal/roi", "internal/bulk", "internal/partner/importer",
}

// impure are imports that a pure package must not have.
var impure = []string{
	"net/http", "net", "os", "log", "log/slog", "database/sql", "math/rand", "math/rand/v2", "crypto/rand", "os/exec", "syscall",
}

// peers are the arrows within a layer that are meant.
var peers = map[string][]string{
	"internal/store/sqlite":   {"internal/store/storetest"},
	"internal/store/postgres": {"internal/store/storetest", "internal/pgtest"},
	"internal/store/memory":   {"internal/store/storetest"},
}

func level(pkg string) int {
	return slices.IndexFunc(layers, func(l []string) bool { return slices.Contains(l, pkg) })
}

// files calls f for every import of every Go file of the module.
func files(t *testing.T, f func(pkg, file, imported string)) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		tree, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range tree.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			f(filepath.ToSlash(filepath.Dir(rel)), rel, imported)
			seen++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen == 0 {
		t.Fatal("no imports found: the test looks in the wrong place")
	}
}

func TestImportsRunDownwards(t *testing.T) {
	files(t, func(pkg, file, imported string) {
		target, ours := strings.CutPrefix(imported, module)
		if !ours || target == pkg {
			return
		}
		from, to := level(pkg), level(target)
		switch {
		case from < 0 || to < 0:
			t.Errorf("%s: %s or %s has no layer; give it one", file, pkg, target)
		case to > from, to == from && !slices.Contains(peers[pkg], target):
			if strings.HasSuffix(file, "_test.go") && target != "cmd/orderly" {
				return // a test may use what is built on top, as long as the package does not
			}
			t.Errorf("%s imports %s, which is not below it", file, target)
		}
	})
}

func TestPurePackagesDoNoIO(t *testing.T) {
	files(t, func(pkg, file, imported string) {
		if slices.Contains(pure, pkg) && slices.Contains(impure, imported) && !strings.HasSuffix(file, "_test.go") {
			t.Errorf("%s imports %s, but %s only decides", file, imported, pkg)
		}
	})
}

// libraries are third parties that a pure package may use: languages, calendars and formats, which no decision should have its own version of.
var libraries = map[string][]string{
	"internal/policy":  {"cel.dev/cel-go", "go.yaml.in/yaml"},
	"internal/promise": {"github.com/rickar/cal"},
	"internal/jsonenc": {"github.com/go-json-experiment"},
}

func allowed(pkg, imported string) bool {
	return slices.ContainsFunc(libraries[pkg], func(l string) bool { return strings.HasPrefix(imported, l+"/") })
}

func TestThirdPartiesStayOutOfTheCore(t *testing.T) {
	files(t, func(pkg, file, imported string) {
		first, _, _ := strings.Cut(imported, "/")
		if slices.Contains(pure, pkg) && strings.Contains(first, ".") && !strings.HasPrefix(imported, module) && !allowed(pkg, imported) && !strings.HasSuffix(file, "_test.go") {
			t.Errorf("%s imports %s; the core has no third parties", file, imported)
		}
	})
}
