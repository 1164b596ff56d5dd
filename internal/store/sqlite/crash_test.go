package sqlite

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
)

// crashDir names the folder that the test binary commits to, forever, when it
// runs as the process to be killed.
const crashDir = "ORDERLY_TEST_CRASH_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		commitForever(dir)
	}
	os.Exit(m.Run())
}

// commitForever prints the last sequence of each batch once it is acknowledged.
func commitForever(dir string) {
	s, err := Open(context.Background(), dir, Options{CheckpointPages: 200})
	if err != nil {
		fmt.Println("open:", err)
		os.Exit(1)
	}
	for n := int(s.head) + 1; ; n++ {
		b := order(n)
		if err := s.Commit(context.Background(), b); err != nil {
			fmt.Println("commit:", err)
			os.Exit(1)
		}
		fmt.Println(b.Commits[0].Seq)
	}
}

// TestKill kills a committing process again and again, amid commits and
// checkpoints: whatever it acknowledged must be there, whole, and the file sound.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	acknowledged := int64(0)
	for round := range 6 {
		acknowledged = killAfter(t, dir, 20+round*70)
		s := openDir(t, dir)
		if got := head(t, s); got < acknowledged {
			t.Fatalf("head %d after the crash, %d were acknowledged", got, acknowledged)
		}
		check := ""
		if err := s.writer.query("PRAGMA integrity_check", func(r *stmt) error { check += r.colText(0); return nil }); err != nil {
			t.Fatal(err)
		}
		if check != "ok" {
			t.Fatalf("integrity_check: %s", check)
		}
		records, rows := int64(0), head(t, s)
		if err := s.writer.query("SELECT count(*) FROM records", func(r *stmt) error { records = r.colInt(0); return nil }); err != nil {
			t.Fatal(err)
		}
		if records != rows {
			t.Fatalf("%d records and %d log rows", records, rows)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// killAfter runs the process until it acknowledged n batches, kills it, and
// returns the last sequence that it acknowledged.
func killAfter(t *testing.T, dir string, n int) (last int64) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), crashDir+"="+dir)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for i := 0; lines.Scan(); i++ {
		if i == n {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
		seq, err := strconv.ParseInt(lines.Text(), 10, 64)
		if err != nil {
			t.Fatalf("the process printed %q", lines.Text())
		}
		last = seq
	}
	_ = child.Wait() // it was killed
	if last < int64(n) {
		t.Fatalf("the process ended after sequence %d", last)
	}
	return last
}
