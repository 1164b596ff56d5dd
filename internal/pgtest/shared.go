package pgtest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// EnvURL names the environment variable that holds the URL of a server for
// shared tests to use, as a superuser, instead of starting one.
const EnvURL = "ORDERLY_TEST_POSTGRES"

// setupTimeout bounds starting the shared server, and creating or dropping one database.
const setupTimeout = 60 * time.Second

var shared struct {
	once     sync.Once
	inMain   bool
	server   *Server // nil: EnvURL is used
	url      string
	err      error
	database atomic.Int64 // counts the databases of this process
}

// Main runs the tests of a binary and then stops the shared server, if a test
// used it: func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }.
func Main(m *testing.M) int {
	shared.inMain = true
	code := m.Run()
	if shared.server != nil {
		if err := shared.server.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "pgtest:", err)
			return max(code, 1)
		}
	}
	return code
}

// NewDatabase returns the URL of an empty database for the test alone. The first call of a test binary starts the shared server. The test fails when
// there is no PostgreSQL.
func NewDatabase(tb testing.TB) string {
	tb.Helper()
	if !shared.inMain {
		tb.Fatal("pgtest.NewDatabase without pgtest.Main in TestMain: the server would stay behind")
	}
	shared.once.Do(startShared)
	if shared.err != nil {
		tb.Fatal(shared.err)
	}
	return newDatabase(tb, shared.url, shared.server == nil)
}

// NewDatabase returns the URL of an empty database on the server for the test alone.
func (s *Server) NewDatabase(tb testing.TB) string {
	tb.Helper()
	return newDatabase(tb, s.URL, false)
}

func startShared() {
	if shared.url = os.Getenv(EnvURL); shared.url != "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), setupTimeout)
	defer cancel()
	if shared.server, shared.err = Start(ctx, Options{}); shared.err == nil {
		shared.url = shared.server.URL
	}
}

// newDatabase drops the database at the end when the server stays or the database may be
// large. Otherwise it goes with the server: to drop it makes the server write all
// databases to disk, which takes longer than most tests.
func newDatabase(tb testing.TB, serverURL string, drop bool) string {
	tb.Helper()
	u, err := url.Parse(serverURL)
	if err != nil {
		tb.Fatalf("%s: %v", EnvURL, err)
	}
	name := fmt.Sprintf("orderly_test_%d_%d", os.Getpid(), shared.database.Add(1))
	// template0 accepts no connections, so that databases can be made from it concurrently.
	if err := execute(serverURL, "create database "+name+" template template0 encoding 'UTF8'"); err != nil {
		tb.Fatalf("create database: %v", err)
	}
	if _, large := tb.(*testing.B); drop || large {
		tb.Cleanup(func() {
			if err := execute(serverURL, "drop database "+name+" with (force)"); err != nil {
				tb.Errorf("drop database: %v", err)
			}
		})
	}
	u.Path = "/" + name
	return u.String()
}

func execute(serverURL, statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), setupTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, serverURL)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement)
	return err
}

// newestFirst sorts directories like /usr/lib/postgresql/15/bin by their version, highest first.
func newestFirst(dirs []string) {
	version := func(dir string) float64 {
		v, err := strconv.ParseFloat(filepath.Base(filepath.Dir(dir)), 64)
		if err != nil {
			return -1
		}
		return v
	}
	slices.SortFunc(dirs, func(a, b string) int {
		switch va, vb := version(a), version(b); {
		case va > vb:
			return -1
		case va < vb:
			return 1
		}
		return 0
	})
}
