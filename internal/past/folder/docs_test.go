package folder

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the tables of docs/reassess-csv.md anew")

const csvDocs = "../../../docs/reassess-csv.md"

// tables are the files and columns as the documentation has them.
func tables() string {
	var b strings.Builder
	for _, f := range Files {
		need := "The file may be left out."
		if f.Need {
			need = "The file is necessary."
		}
		fmt.Fprintf(&b, "### %s\n\nOne row: %s. %s", f.Name, f.Row, need)
		if f.Default != "" {
			fmt.Fprintf(&b, " Without it: %s.", f.Default)
		}
		b.WriteString("\n\n| column | also understood | when it is missing |\n|---|---|---|\n")
		for _, c := range f.Columns {
			missing := c.Default
			if c.Need {
				missing = "the row is left out"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", c.Name, strings.Join(c.Aliases, ", "), missing)
		}
		b.WriteString("\n")
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

func TestDocs(t *testing.T) {
	const from, to = "<!-- tables -->\n", "<!-- end of tables -->\n"
	body, err := os.ReadFile(csvDocs)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(body), from)
	was, after, found := strings.Cut(rest, to)
	if !ok || !found {
		t.Fatalf("%s has no place for tables", csvDocs)
	}
	if *update {
		if err := os.WriteFile(csvDocs, []byte(before+from+tables()+to+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if was != tables() {
		t.Errorf("the tables of %s are not those of the code; run this test with -update", csvDocs)
	}
}
