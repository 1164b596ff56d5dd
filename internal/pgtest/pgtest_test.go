package pgtest_test

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/orderly-oms/orderly/internal/pgtest"
)

// envChild makes the test binary start a server, print its URL and wait to be killed.
const envChild = "ORDERLY_PGTEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(envChild) != "" {
		s, err := pgtest.Start(context.Background(), pgtest.Options{Dir: os.Getenv(envChild)})
		if err != nil {
			os.Stderr.WriteString(err.Error())
			os.Exit(1)
		}
		os.Stdout.WriteString(s.URL + "\n")
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}
	os.Exit(pgtest.Main(m))
}

func connect(t *testing.T, ctx context.Context, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func start(t *testing.T, ctx context.Context, o pgtest.Options) *pgtest.Server {
	t.Helper()
	s, err := pgtest.Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestServerKeepsWhatItAcknowledged(t *testing.T) {
	ctx := t.Context()
	s := start(t, ctx, pgtest.Options{Settings: map[string]string{"work_mem": "9MB"}})
	conn := connect(t, ctx, s.URL)
	for name, want := range map[string]string{
		"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "work_mem": "9MB", "server_encoding": "UTF8",
	} {
		var got string
		if err := conn.QueryRow(ctx, "select current_setting($1)", name).Scan(&got); err != nil || got != want {
			t.Errorf("%s = %q, %v; want %q", name, got, err, want)
		}
	}
	if _, err := conn.Exec(ctx, "create table kept (n int); insert into kept values (7)"); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	if _, err := pgx.Connect(ctx, s.URL); err == nil {
		t.Fatal("a killed server accepts connections")
	}
	if err := s.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := connect(t, ctx, s.URL).QueryRow(ctx, "select n from kept").Scan(&n); err != nil || n != 7 {
		t.Errorf("after the crash: %d, %v; want 7", n, err)
	}
}

func TestStopRemovesEverything(t *testing.T) {
	dir := openDir(t)
	s, err := pgtest.Start(t.Context(), pgtest.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if _, err := pgx.Connect(t.Context(), s.URL); err == nil {
		t.Error("a stopped server accepts connections")
	}
}

func TestDatabasesAreApart(t *testing.T) {
	ctx := t.Context()
	a, b := pgtest.NewDatabase(t), pgtest.NewDatabase(t)
	if a == b {
		t.Fatalf("the same database twice: %s", a)
	}
	if _, err := connect(t, ctx, a).Exec(ctx, "create table only_here (n int)"); err != nil {
		t.Fatal(err)
	}
	if _, err := connect(t, ctx, b).Exec(ctx, "select n from only_here"); err == nil {
		t.Error("a table of one database is in the other")
	}
}

func TestServerEndsWithItsKilledParent(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	child := exec.CommandContext(ctx, os.Args[0])
	child.Env = append(os.Environ(), envChild+"="+openDir(t))
	child.Stderr = os.Stderr
	if _, err := child.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	conn := connect(t, ctx, strings.TrimSpace(url))
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // it was killed
	// The server breaks its connections when it ends: this waits for that and nothing else.
	if _, err := conn.WaitForNotification(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("the server lived on after its parent was killed: %v", err)
	}
}

// openDir is a temporary directory that the postgres user can enter.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "orderly-pgtest-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}
