package flow

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
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
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
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

// parseXML reads a whole document and returns its texts.
func parseXML(t *testing.T, text []byte) string {
	t.Helper()
	in := xml.NewDecoder(bytes.NewReader(text))
	var all strings.Builder
	for {
		token, err := in.Token()
		if errors.Is(err, io.EOF) {
			return all.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		switch x := token.(type) {
		case xml.CharData:
			all.Write(x)
			all.WriteByte('\n')
		case xml.StartElement:
			if x.Name.Local == "script" {
				t.Error("the diagram has a script")
			}
			for _, a := range x.Attr {
				if strings.HasPrefix(a.Name.Local, "on") {
					t.Errorf("the diagram has the handler %s", a.Name.Local)
				}
			}
		}
	}
}

func TestDiagrams(t *testing.T) {
	t.Parallel()
	for _, e := range Library() {
		svg := Diagram(e.Flow, nil)
		if !bytes.Equal(svg, Diagram(e.Flow, nil)) {
			t.Errorf("%s: two drawings differ", e.File)
		}
		text := parseXML(t, svg)
		for _, s := range e.Flow.Doc.Flow.States {
			if !strings.Contains(text, s.Name) {
				t.Errorf("%s: state %s is not drawn", e.File, s.Name)
			}
		}
	}
	golden(t, "testdata/small.svg", string(Diagram(compile(t, small), map[string]int64{"open": 1203, "gone": 4})))
}

func TestDiagramsEscapeWhatTheyShow(t *testing.T) {
	t.Parallel()
	text := strings.Replace(small, "name: gone, final", `name: gone, description: "<script>alert('1 & 2')</script>", final`, 1)
	text = strings.Replace(text, `subject.status == "shipped"`, `subject.status == "<&>" && subject.units < 3`, 1)
	all := parseXML(t, Diagram(compile(t, text), nil))
	if !strings.Contains(all, "<script>alert('1 & 2')</script>") || !strings.Contains(all, `"<&>"`) {
		t.Errorf("the texts are %s", all)
	}
}
