package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/orderly-oms/orderly/internal/pgtest"
)

// binary is the program under test, built once.
var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "orderly-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "orderly")
	if out, err := exec.Command("go", "build", "-o", binary, "../../cmd/orderly").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		return 1
	}
	return pgtest.Main(m)
}

// repeats is how often a test does its thing: short, unless the environment asks for more.
func repeats(t *testing.T, variable string, short int) int {
	t.Helper()
	v := os.Getenv(variable)
	if v == "" {
		return short
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 {
		t.Fatalf("%s=%q is not a number of repeats", variable, v)
	}
	return n
}

// place is where nodes keep their data, as arguments of the command line.
type place []string

// onBothStores runs a test on an empty SQLite folder and on an empty PostgreSQL database.
func onBothStores(t *testing.T, test func(t *testing.T, where place)) {
	t.Run("sqlite", func(t *testing.T) { test(t, place{"--data", t.TempDir()}) })
	t.Run("postgres", func(t *testing.T) { test(t, place{"--database", pgtest.NewDatabase(t)}) })
}
