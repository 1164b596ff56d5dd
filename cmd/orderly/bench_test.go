package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/orderly-oms/orderly/internal/bench"
)

// runsAsProgram makes the test binary behave as the program, so that what starts
// itself as a server can be tested as it is.
const runsAsProgram = "ORDERLY_TEST_RUNS_AS_PROGRAM"

func init() {
	if os.Getenv(runsAsProgram) != "" {
		main() // which exits
	}
}

// benchReport runs bench and returns its report.
func benchReport(t *testing.T, args ...string) bench.Report {
	t.Helper()
	var out, log bytes.Buffer
	m := &Main{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &log}
	args = append([]string{"bench"}, append(args, "--clients", "4", "--requests", "40", "--positions", "1000", "--json")...)
	if code := m.Run(t.Context(), args); code != 0 {
		t.Fatalf("exit code %d: %s", code, log.String())
	}
	var r bench.Report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	if len(r.Errors) > 0 || r.ThroughputPS <= 0 {
		t.Errorf("errors %v, %g/s", r.Errors, r.ThroughputPS)
	}
	return r
}

func TestBenchStartsItsOwnServer(t *testing.T) {
	t.Setenv(runsAsProgram, "1")
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	if r := benchReport(t, "availability"); r.Store != "sqlite" || r.Availability.Ratio <= 0 {
		t.Errorf("store %q, ratio %g", r.Store, r.Availability.Ratio)
	}
	left, err := os.ReadDir(temp)
	if err != nil || len(left) > 0 {
		t.Errorf("the temporary folder still has %v (%v)", left, err)
	}
}

// A store with keys lets nobody in without one, so bench makes one for the run
// and takes it back.
func TestBenchOnAStoreWithKeys(t *testing.T) {
	t.Setenv(runsAsProgram, "1")
	data := t.TempDir()
	run := func(args ...string) string {
		var out, log bytes.Buffer
		m := &Main{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &log}
		if code := m.Run(t.Context(), args); code != 0 {
			t.Fatalf("%v: exit code %d: %s", args, code, log.String())
		}
		return out.String()
	}
	run("key", "create", "--data", data, "--name", "shop")
	for range 2 { // the ids of two runs on one store must not meet
		if r := benchReport(t, "capture", "--data", data); r.Requests != 40 || r.Server.Commands != 40 {
			t.Errorf("%d requests, %d commands; want 40 each", r.Requests, r.Server.Commands)
		}
	}
	lines := strings.Split(strings.TrimSpace(run("key", "list", "--data", data, "--json")), "\n")
	active := 0
	for _, l := range lines {
		var k struct {
			Name      string
			RevokedAt string `json:"revoked_at"`
		}
		if err := json.Unmarshal([]byte(l), &k); err != nil {
			t.Fatal(err)
		}
		if k.Name == "bench" && k.RevokedAt == "" {
			active++
		}
	}
	if len(lines) != 3 || active > 0 {
		t.Errorf("%d keys, %d of bench active; want 3 and 0", len(lines), active)
	}
}

func TestBenchRefusesTwoPlaces(t *testing.T) {
	var out, log bytes.Buffer
	m := &Main{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &log}
	if code := m.Run(t.Context(), []string{"bench", "capture", "--target", "http://127.0.0.1:1", "--data", t.TempDir()}); code != 1 || !strings.Contains(log.String(), "either") {
		t.Errorf("exit code %d: %s", code, log.String())
	}
}
