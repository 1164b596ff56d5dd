package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/past"
	"github.com/orderly-oms/orderly/internal/reassess/job"
)

const returnsPolicy = `kind: returns
name: main
returns:
  rules:
    - {name: all, to: dc-1}
examples:
  - {name: all, given: {returned: {}}, expect: {to: dc-1}}
`

// folderOf writes files to a folder.
func folderOf(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestReassessNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	dir := folderOf(t, map[string]string{
		"good.yaml": returnsPolicy, "bad.yaml": "kind: returns\nname: x\n", "empty.yaml": "", "field.yaml": "changes: {clos: [s1]}\n",
		"value.yaml": "changes: {cut_off: {s1: noon}}\n", "lost.yaml": "policies: [none.yaml]\n", "damaged.orh": "this is no history",
	})
	in := func(name string) string { return filepath.Join(dir, name) }
	for want, args := range map[string][]string{
		"say where the history is":               nil,
		"write NAME=FILE":                        {"--candidate", "x"},
		"none.yaml":                              {"--candidate", "a=" + in("none.yaml")},
		"candidates[0].policies[0]":              {"--candidate", "a=" + in("bad.yaml")},
		"candidates[1].name":                     {"--candidate", "a=" + in("good.yaml"), "--candidate", "a=" + in("good.yaml")},
		"empty.yaml: the file is empty":          {"--scenario", in("empty.yaml")},
		"field.yaml: changes.clos":               {"--scenario", in("field.yaml")},
		"value.yaml: changes.cut_off.s1":         {"--scenario", in("value.yaml")},
		"lost.yaml: policies[0]":                 {"--scenario", in("lost.yaml")},
		"--from yesterday: write a day like":     {"--from", "yesterday"},
		"until: must be after from":              {"--from", "2026-11-02", "--until", "2026-11-01"},
		"level: must be from 0.5 to 0.999":       {"--level", "95"},
		"damaged.orh: past: the history file is": {"--history", in("damaged.orh")},
	} {
		var stdout, stderr bytes.Buffer
		m := &Main{Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr}
		if code := m.Run(t.Context(), append([]string{"reassess"}, args...)); code != 1 || !strings.Contains(stderr.String(), want) {
			t.Errorf("%v: exit code %d, %q; want %q", args, code, stderr.String(), want)
		}
	}
}

func TestReassessRequest(t *testing.T) {
	t.Parallel()
	dir := folderOf(t, map[string]string{"p.yaml": returnsPolicy, "closed.yaml": "policies: [p.yaml]\nchanges: {close: [s4]}\n"})
	p := filepath.Join(dir, "p.yaml")
	c := &reassessRun{Candidate: []string{"two=" + p + "," + p}, Scenario: []string{filepath.Join(dir, "closed.yaml")}, Baseline: []string{p}, From: "2026-11-01", Seed: 3, Level: .9}
	r, err := c.request()
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Candidates) != 2 || len(r.Candidates[0].Policies) != 2 || r.Candidates[1].Name != "closed" || r.Candidates[1].Policies[0] != returnsPolicy || r.Candidates[1].Changes.Close[0] != "s4" {
		t.Errorf("candidates: %+v", r.Candidates)
	}
	if r.Baseline == nil || r.Seed != 3 || r.Level != .9 || !r.From.Equal(time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("request: %+v", r)
	}
}

// TestHistoryFile opens one that was made, and names where its replays are kept.
func TestHistoryFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "h.orh")
	w, err := past.Create(file, past.Header{Source: "csv", Currency: "EUR"})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(&past.Header{Source: "csv", Currency: "EUR", Orders: 3}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	s := historySource{History: file}
	h, err := s.open(t.Context(), nil)
	if err != nil || h.header.Orders != 3 || !strings.HasPrefix(h.runs, file) {
		t.Errorf("%+v, %v", h, err)
	}
}

// TestDatabaseNames: the folder of a database's history tells databases apart, whoever uses them.
func TestDatabaseNames(t *testing.T) {
	t.Parallel()
	a, b, c := databaseName("postgres://u:secret@h/x"), databaseName("postgres://v@h/x?sslmode=disable"), databaseName("postgres://u@h/y")
	if a != b || a == c || strings.Contains(a, "secret") {
		t.Errorf("%s, %s, %s", a, b, c)
	}
}

func TestProgressText(t *testing.T) {
	t.Parallel()
	if got := progressText(job.Progress{Part: "cheaper", Done: 400, Of: 1000, PerSec: 100}); got != "cheaper, of 1000, 100/s, 6s left" {
		t.Error(got)
	}
	if got := progressText(job.Progress{Part: "reading the log", Done: 4}); got != "reading the log" {
		t.Error(got)
	}
}

// TestConverse: what the process says is told on, until a report, an error, or its end.
func TestConverse(t *testing.T) {
	t.Parallel()
	talk := func(says string) (body, asked, failed string, seen []job.Progress) {
		var in bytes.Buffer
		b, err := converse(&in, strings.NewReader(says), []byte(`{"request":{}}`), func(p job.Progress) { seen = append(seen, p) })
		if err != nil {
			failed = err.Error()
		}
		return string(b), in.String(), failed, seen
	}
	body, asked, failed, seen := talk(`{"progress":{"part":"a","done":1,"of":2}}` + "\n" + `{"report":{"orders":7}}` + "\n")
	if body != `{"orders":7}` || failed != "" || len(seen) != 1 || seen[0].Of != 2 || !json.Valid([]byte(asked)) {
		t.Errorf("%s, %s, %v, %s", body, failed, seen, asked)
	}
	if body, _, failed, _ := talk(`{"error":"no order came in the period"}`); body != "" || failed != "no order came in the period" {
		t.Errorf("an error: %s, %s", body, failed)
	}
	for _, cut := range []string{"", `{"report":{"ord`, "panic: x"} {
		if body, _, failed, _ := talk(cut); body != "" || failed != "" {
			t.Errorf("%q: %s, %s", cut, body, failed)
		}
	}
}
