// Package pgtest runs a throwaway PostgreSQL from the system's binaries, for tests
// and for commands that need a database for a moment.
//
// A Server has its own data directory under the temporary directory, listens on a
// free port of 127.0.0.1 chosen when it starts, trusts every local connection,
// and keeps what it acknowledged (fsync, synchronous_commit and full_page_writes
// are on), so that figures measured on it are honest. On Linux it ends with the
// process that started it, also when that process is killed; only the data
// directory then stays behind.
//
// Tests use Main in TestMain and NewDatabase in each test; one server serves the
// whole test binary. Fault tests start their own Server and Kill it. When
// ORDERLY_TEST_POSTGRES holds the URL of a server, shared tests use that one.
//
// What it does not do: install PostgreSQL, secure the server, or keep data.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// startAttempts bounds how often Start picks another port when somebody else took the one it chose.
	startAttempts = 5
	// readyEvery is the pause between two attempts to connect to a starting server.
	readyEvery = 20 * time.Millisecond
	// stopTimeout is how long a server may take to shut down before it is killed.
	stopTimeout = 20 * time.Second
	// logTailBytes is how much of the server's log an error quotes.
	logTailBytes = 2000
)

// Options of a server; the zero value is what tests want.
type Options struct {
	// Dir is where the data directory is made; empty: the temporary directory.
	Dir string
	// Settings are added to postgresql.conf ("max_connections": "20") and win over the defaults.
	Settings map[string]string
}

// Server is a PostgreSQL server. It runs from Start (or Restart) until Kill or
// Stop; its port and its data survive Kill and Restart and go with Stop.
type Server struct {
	// URL connects to the maintenance database as the superuser.
	URL string

	bin   string // directory of the binaries
	dir   string // holds data, the socket and the log
	port  int
	owner *owner // nil: the user of this process

	mu      sync.Mutex
	process *process // nil: not running
}

// owner is the operating system user that runs the server, because PostgreSQL refuses to run as root.
type owner struct{ uid, gid uint32 }

// process is one run of the server.
type process struct {
	pid  int
	done chan struct{} // closed when it has ended
}

// Start makes a data directory and runs a server on it until Stop. It returns once
// the server answers queries, or with an error when ctx ends first.
func Start(ctx context.Context, o Options) (*Server, error) {
	bin, err := findBinaries()
	if err != nil {
		return nil, err
	}
	own, err := findOwner()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(o.Dir, "orderly-pg-")
	if err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	s := &Server{bin: bin, dir: dir, owner: own}
	if err := s.create(ctx, o); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	for attempt := 1; ; attempt++ {
		if s.port, err = freePort(); err != nil {
			break
		}
		s.URL = fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", s.port)
		if err = s.Restart(ctx); err == nil {
			return s, nil
		}
		if attempt == startAttempts || !strings.Contains(s.logTail(), "Address already in use") {
			break
		}
	}
	return nil, errors.Join(err, s.Stop())
}

// create initialises the data directory.
func (s *Server) create(ctx context.Context, o Options) error {
	if s.owner != nil {
		if err := os.Chown(s.dir, int(s.owner.uid), int(s.owner.gid)); err != nil {
			return fmt.Errorf("give data directory to the postgres user: %w", err)
		}
	}
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, "initdb"), "-D", s.data(), "-U", "postgres",
		"--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
	cmd.Dir = s.dir
	cmd.SysProcAttr = childAttributes(s.owner)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return s.configure(o.Settings)
}

// configure appends the settings to postgresql.conf, where the last one wins.
func (s *Server) configure(extra map[string]string) error {
	var b strings.Builder
	for _, line := range []string{
		"listen_addresses = '127.0.0.1'",
		"unix_socket_directories = '" + s.dir + "'",
		"fsync = on",
		"synchronous_commit = on",
		"full_page_writes = on",
		"shared_buffers = 256MB",
		"max_wal_size = 8GB",
		"checkpoint_timeout = 30min",
		"max_connections = 200",
	} {
		b.WriteString(line + "\n")
	}
	for name, value := range extra {
		fmt.Fprintf(&b, "%s = '%s'\n", name, strings.ReplaceAll(value, "'", "''"))
	}
	f, err := os.OpenFile(filepath.Join(s.data(), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(b.String())
	return errors.Join(err, f.Close())
}

// Restart runs the server on its data and port, and returns once it answers queries.
// A running server is shut down first.
func (s *Server) Restart(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end(syscall.SIGINT)
	p, err := s.run()
	if err != nil {
		return err
	}
	s.process = p
	if err := s.waitReady(ctx); err != nil {
		return fmt.Errorf("start postgres: %w\n%s", err, s.logTail())
	}
	return nil
}

// run starts the server process.
func (s *Server) run() (*process, error) {
	logFile, err := os.OpenFile(s.logPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer logFile.Close()
	cmd := exec.Command(filepath.Join(s.bin, "postgres"), "-D", s.data(), "-p", strconv.Itoa(s.port))
	cmd.Dir = s.dir
	cmd.Stdout, cmd.Stderr = logFile, logFile
	cmd.SysProcAttr = childAttributes(s.owner)
	p := &process{done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The signal that ends the server with its parent is tied to the thread that
		// started it, so that thread must live as long as the server.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(p.done)
		err := cmd.Start()
		if err == nil {
			p.pid = cmd.Process.Pid
		}
		started <- err
		if err == nil {
			_ = cmd.Wait() // why it ended is in its log
		}
	}()
	return p, <-started
}

// waitReady connects until the server answers, ends, or ctx does.
func (s *Server) waitReady(ctx context.Context) error {
	retry := time.NewTicker(readyEvery)
	defer retry.Stop()
	for {
		conn, err := pgx.Connect(ctx, s.URL)
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-s.process.done:
			s.process = nil
			return errors.New("the server ended")
		case <-retry.C:
		}
	}
}

// Kill ends the server at once, as a crash would: nothing is written any more,
// connections break, and the next Restart recovers from the log. It returns when
// the server is gone.
func (s *Server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end(syscall.SIGQUIT)
}

// Stop shuts the server down and removes its data. It may be called again.
func (s *Server) Stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end(syscall.SIGINT)
	return os.RemoveAll(s.dir)
}

// end signals the process and waits until it is gone.
func (s *Server) end(sig syscall.Signal) {
	if s.process == nil {
		return
	}
	p := s.process
	s.process = nil
	// An error means that it is gone already, which the wait then sees.
	_ = syscall.Kill(p.pid, sig)
	timeout := time.NewTimer(stopTimeout)
	defer timeout.Stop()
	select {
	case <-p.done:
	case <-timeout.C:
		_ = syscall.Kill(p.pid, syscall.SIGKILL)
		<-p.done
	}
}

func (s *Server) data() string    { return filepath.Join(s.dir, "data") }
func (s *Server) logPath() string { return filepath.Join(s.dir, "log") }

// logTail returns the end of the server's log.
func (s *Server) logTail() string {
	b, _ := os.ReadFile(s.logPath()) // no log is an empty log
	return string(b[max(0, len(b)-logTailBytes):])
}

// findBinaries returns the directory that holds initdb and postgres.
func findBinaries() (string, error) {
	var candidates []string
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			candidates = append(candidates, filepath.Dir(path))
		}
	}
	installed, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return "", err
	}
	newestFirst(installed)
	for _, dir := range append(candidates, installed...) {
		if isFile(filepath.Join(dir, "initdb")) && isFile(filepath.Join(dir, "postgres")) {
			return dir, nil
		}
	}
	return "", errors.New("PostgreSQL is not installed: no initdb and postgres in PATH or /usr/lib/postgresql/*/bin; " +
		"install it (Debian and Ubuntu: apt-get install postgresql) or set " + EnvURL + " to the URL of a server")
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// findOwner returns the user to run the server as, nil for the user of this process.
func findOwner() (*owner, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL refuses to run as root and there is no user postgres to run it as: %w", err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user id of postgres: %w", err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("group id of postgres: %w", err)
	}
	return &owner{uid: uint32(uid), gid: uint32(gid)}, nil
}

// freePort returns a port of 127.0.0.1 that nobody listens on right now.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}
