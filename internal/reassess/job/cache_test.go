package job_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/past"
	"github.com/orderly-oms/orderly/internal/reassess/job"
	"github.com/orderly-oms/orderly/internal/replay"
)

// history is an empty one.
type history struct{ header past.Header }

func (h history) Header() *past.Header { return &h.header }
func (history) Next(*past.Entry) error { return io.EOF }
func (history) Close() error           { return nil }
func of(h past.Header) replay.Open     { return func() (past.Reader, error) { return history{h}, nil } }

// TestRunsAreKept: what was run is not run again, until its history, scenario, options or the program are others.
func TestRunsAreKept(t *testing.T) {
	t.Parallel()
	dir, ran := filepath.Join(t.TempDir(), "runs"), []string{}
	fail := ""
	run := func(_ context.Context, _ replay.Open, list []replay.Scenario, _ replay.Options) (out []*replay.Result, err error) {
		for _, s := range list {
			if s.Name == fail {
				return nil, errors.New("interrupted")
			}
			ran = append(ran, s.Name)
			out = append(out, &replay.Result{Scenario: s.Name, Total: replay.Day{Orders: 3}, Orders: []replay.OrderResult{{ID: "o-" + s.Name, Why: []string{"near"}}}, Identity: &replay.Identity{Same: 2}})
		}
		return out, nil
	}
	list := []replay.Scenario{{Name: "a"}, {Name: "b"}, {Name: "c", Changes: replay.Changes{Locations: []any{map[string]any{"id": "s1"}}}}}
	all := func(program string, h past.Header, o replay.Options) ([]*replay.Result, error) {
		o.Parallel, ran = 1, nil
		return job.Cache(dir, program, run)(t.Context(), of(h), list, o)
	}
	expect := func(want string) {
		t.Helper()
		if got := strings.Join(ran, ""); got != want {
			t.Errorf("ran %q, want %q", got, want)
		}
	}
	h := past.Header{Source: "log", Cursors: []int64{5}}
	fail = "c"
	if _, err := all("v1", h, replay.Options{KeepOrders: true}); err == nil {
		t.Fatal("an interrupted run is no error")
	}
	expect("ab")
	fail = ""
	first, err := all("v1", h, replay.Options{KeepOrders: true})
	if err != nil {
		t.Fatal(err)
	}
	expect("c")
	again, err := all("v1", h, replay.Options{KeepOrders: true})
	if err != nil || !reflect.DeepEqual(first, again) {
		t.Errorf("kept runs differ: %v", err)
	}
	expect("")
	for name, f := range map[string]func(){
		"program": func() { all("v2", h, replay.Options{KeepOrders: true}) },
		"history": func() { all("v1", past.Header{Source: "log", Cursors: []int64{6}}, replay.Options{KeepOrders: true}) },
		"seed":    func() { all("v1", h, replay.Options{KeepOrders: true, Seed: 9}) },
		"period":  func() { all("v1", h, replay.Options{KeepOrders: true, From: time.Unix(1, 0)}) },
	} {
		t.Log(name)
		f()
		expect("abc")
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*.run"))
	for _, f := range files {
		if err := os.Truncate(f, 20); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := all("v1", h, replay.Options{KeepOrders: true}); err != nil {
		t.Errorf("damaged runs: %v", err)
	}
	expect("abc")
	for i := range job.MaxCached {
		if _, err := all(fmt.Sprint(i), h, replay.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	if files, _ = filepath.Glob(filepath.Join(dir, "*")); len(files) != job.MaxCached {
		t.Errorf("%d files are kept", len(files))
	}
}

func TestParseScenario(t *testing.T) {
	t.Parallel()
	read := func(file string) (string, error) {
		if file != "near.yaml" {
			return "", os.ErrNotExist
		}
		return policyText, nil
	}
	s, err := job.ParseScenario([]byte("policies: [near.yaml]\nchanges:\n  close: [s4]\n  cut_off: {s1: \"14:30\"}\n"), "file", read)
	if err != nil || s.Name != "file" || s.Changes.Close[0] != "s4" || s.Policies[0] != policyText {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err := job.ParseScenario([]byte(`{"name":"json","changes":{"demand":1.5}}`), "file", read); err != nil || s.Name != "json" || s.Changes.Demand != 1.5 {
		t.Errorf("%+v, %v", s, err)
	}
	for text, want := range map[string]string{
		"":                                     "empty",
		"changes: {clos: [s4]}":                "changes.clos: there is no such field",
		"changes: {close: s4}":                 "changes.close",
		"changes: {demand: -1}":                "changes.demand",
		"changes: {rejects: {s1: 2}}":          "changes.rejects.s1",
		"policies: [far.yaml]":                 "policies[0]",
		"policies: [\"kind: x\\nname: y\\n\"]": "policies[0]",
		"name: a\n---\nname: b\n":              "one scenario",
		"a: [":                                 "yaml",
	} {
		if _, err := job.ParseScenario([]byte(text), "file", read); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

const policyText = `kind: returns
name: main
returns:
  rules:
    - {name: all, to: dc-1}
examples:
  - {name: all, given: {returned: {}}, expect: {to: dc-1}}
`
