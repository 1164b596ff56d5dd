package main

import (
	"bytes"
	"context"
	"flag"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/orderly-oms/orderly/internal/api"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/store/sqlite"
)

var updatePolicy = flag.Bool("update-policy", false, "write the golden file of the policy commands")

// session runs commands and writes down what they said.
type session struct {
	t     *testing.T
	out   strings.Builder
	names []string // pairs: what differs between runs, and its name
}

func (s *session) run(args ...string) string {
	s.t.Helper()
	var out bytes.Buffer
	m := &Main{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out}
	code := m.Run(context.Background(), append([]string{"policy"}, args...))
	s.out.WriteString(strings.NewReplacer(s.names...).Replace(strings.Join(append([]string{"$ orderly policy"}, args...), " ") + "\n" + out.String()))
	if code != 0 {
		s.out.WriteString("exit code " + string(rune('0'+code)) + "\n")
	}
	s.out.WriteString("\n")
	return out.String()
}

func TestPolicyCommands(t *testing.T) {
	dir := t.TempDir()
	s := &session{t: t, names: []string{dir, "DIR"}}
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := write("good.yaml", `kind: returns
name: main
returns:
  rules: [{name: all, to: dc-1}]
examples: [{name: all go to dc-1, given: {returned: {}}, expect: {to: dc-1}}]
`)
	wrong := write("wrong.yaml", `kind: returns
name: main
returns:
  rules: [{name: all, to: dc-2}]
examples: [{name: all go to dc-1, given: {returned: {}}, expect: {to: dc-1}}]
`)
	broken := write("broken.yaml", "kind: returns\nname: main\nreturns:\n  rules: [{name: all, to: keep, when: order.valeu > 5}]\n")
	s.run("check", good, wrong, broken)
	s.run("test", good, wrong)
	s.run("test", "--json", wrong)
	s.run("diff", good, wrong)
	s.run("check", filepath.Join(dir, "none.yaml"))
	s.run("library", filepath.Join(dir, "library"))
	s.run("library", filepath.Join(dir, "library"))
	s.run("test", filepath.Join(dir, "library"))

	data := filepath.Join(dir, "data")
	s.run("publish", "--data", data, wrong)
	s.run("publish", "--data", data, "--draft", "--reason", "for later", wrong)
	s.run("publish", "--data", data, "returns/main")
	s.run("publish", "--data", data, "--reason", "go live", good)
	s.run("list", "--data", data)
	s.run("show", "--data", data, "--version", "1", "returns/main")
	s.run("rollback", "--data", data, "--reason", "too early", "returns/main")
	s.run("rollback", "--data", data, "returns/main")
	s.run("rollback", "--data", data, "returns/none")
	s.run("show", "--data", data, "nonsense")
	s.run("list")
	s.flows(write, data)
	golden := filepath.Join("testdata", "policy.golden")
	if *updatePolicy {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, []byte(s.out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if s.out.String() != string(want) {
		t.Errorf("commands differ from %s (write it with -update-policy):\n%s", golden, s.out.String())
	}
}

// flows checks, draws, publishes and migrates a flow.
func (s *session) flows(write func(name, text string) string, data string) {
	text := `kind: return_flow
name: slow
flow:
  ignore: ["return.*"]
  states:
    - name: open
      awaits: customer
      timers: [{name: slow, after: 9d, every: 9d}]
      on:
        - {event: return.closed, to: closed}
        - {event: timer.slow, do: [exception: {type: slow, message: nothing came}]}
    - {name: closed, final: true}
`
	flow, next := write("flow.yaml", text), write("next.yaml", strings.ReplaceAll(text, "open", "waiting"))
	stuck := write("stuck.yaml", strings.Replace(text, "      timers: [{name: slow, after: 9d, every: 9d}]\n", "", 1))
	s.run("check", flow, stuck)
	s.run("draw", stuck)
	if out := s.picture("draw", flow); !strings.HasPrefix(out, "<svg") || !strings.HasSuffix(out, "</svg>\n") {
		s.t.Errorf("drawn: %s", out)
	}
	s.run("draw", write("policy.yaml", "kind: returns\nname: main\nreturns:\n  rules: [{name: all, to: keep}]\n"))
	s.run("diff", flow, next)
	s.run("publish", "--data", data, flow)
	s.run("publish", "--data", data, next)
	s.run("migrate", "--data", data, "return_flow/slow")
	s.run("migrate", "--data", data, "--map", "open=waiting", "--dry-run", "return_flow/slow")
	s.run("migrate", "--data", data, "--map", "open=waiting", "return_flow/slow")
	s.run("migrate", "--data", data, "returns/main")
}

// picture runs a command whose output is not written down.
func (s *session) picture(args ...string) string {
	said := s.out.String()
	out := s.run(args...)
	s.out.Reset()
	s.out.WriteString(said)
	return out
}

// TestPolicyCommandsOnAServer asks a server what the store is asked elsewhere.
func TestPolicyCommandsOnAServer(t *testing.T) {
	db, err := sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	e, err := engine.Open(t.Context(), db, engine.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	e.Run()
	defer e.Close()
	server := httptest.NewServer(api.New(e, api.Options{Open: true, Log: slog.New(slog.DiscardHandler)}).Handler())
	defer server.Close()
	s := &session{t: t}
	library := filepath.Join(t.TempDir(), "library")
	s.run("library", library)
	expect := func(out, want string) {
		t.Helper()
		if !strings.Contains(out, want) {
			t.Errorf("got\n%s\nwant %s", out, want)
		}
	}
	cheapest := filepath.Join(library, "cheapest.yaml")
	expect(s.run("publish", "--target", server.URL, "--reason", "cheaper", cheapest), "sourcing/cheapest: version 1 of 1 is in force")
	expect(s.run("publish", "--target", server.URL, "--at", "2999-01-01T00:00:00Z", "sourcing/cheapest"), "version 1 from 2999-01-01T00:00:00Z")
	expect(s.run("list", "--target", server.URL), "sourcing/cheapest  1         1       local     cheaper")
	text, err := os.ReadFile(cheapest)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.run("show", "--target", server.URL, "sourcing/cheapest"); got != string(text) {
		t.Errorf("showed\n%s", got)
	}
	expect(s.run("rollback", "--target", server.URL, "sourcing/cheapest"), "sourcing/cheapest: no version is in force; the latest is 1")
	expect(s.run("show", "--history", "--target", server.URL, "sourcing/cheapest"), "dropped")
	expect(s.run("rollback", "--target", server.URL, "sourcing/cheapest"), "there is nothing to roll back")
	expect(s.run("show", "--target", server.URL, "sourcing/none"), "there is nothing with this id")
	expect(s.run("list", "--target", server.URL, "--data", "x"), "not both")
}

// TestExamplesAreTheLibrary keeps the folder of examples equal to what the program carries.
func TestExamplesAreTheLibrary(t *testing.T) {
	t.Parallel()
	dir := filepath.Join("..", "..", "examples", "policies")
	for _, e := range policy.Library() {
		text, err := os.ReadFile(filepath.Join(dir, e.File))
		if err != nil || string(text) != e.Text {
			t.Errorf("examples/policies/%s is not the library's: orderly policy library examples/policies writes it anew (%v)", e.File, err)
		}
	}
}
