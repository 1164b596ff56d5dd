package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	// startLimit bounds how long a node may take until it is ready.
	startLimit = 60 * time.Second
	// stopLimit bounds how long a node may take to drain.
	stopLimit = 45 * time.Second
	// pollInterval is the pause between two looks at something outside this process.
	pollInterval = 5 * time.Millisecond
	// maxLogBytes is how much of a node's log a failing test shows.
	maxLogBytes = 8 << 10
)

// node is a running `orderly serve`.
type node struct {
	url   string
	ready time.Duration // from the start of the process until it took traffic
	cmd   *exec.Cmd
	log   tail
	ended chan struct{} // closed when the process is gone and its log read
}

// tail keeps the end of a log.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (l *tail) add(line []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(append(l.text, line...), '\n')
	if len(l.text) > 2*maxLogBytes {
		l.text = append([]byte(nil), l.text[len(l.text)-maxLogBytes:]...)
	}
}

func (l *tail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}

// startNode starts a node on a free port of the loopback and waits until it is
// ready. It is killed when the test ends.
func startNode(t testing.TB, where place, more ...string) *node {
	t.Helper()
	args := append([]string{"serve", "--listen", "127.0.0.1:0", "--log-json"}, where...)
	return startCommand(t, exec.Command(binary, append(args, more...)...), childAttributes())
}

// startCommand runs a command that becomes a node.
func startCommand(t testing.TB, cmd *exec.Cmd, attributes *syscall.SysProcAttr) *node {
	t.Helper()
	n, err := launch(cmd, attributes)
	if err != nil {
		t.Fatalf("%v: %v", cmd.Args, err)
	}
	t.Cleanup(func() {
		n.kill()
		if t.Failed() {
			t.Logf("log of the node on %s, its end:\n%s", n.url, n.log.String())
		}
	})
	return n
}

func launch(cmd *exec.Cmd, attributes *syscall.SysProcAttr) (*node, error) {
	n := &node{cmd: cmd, ended: make(chan struct{})}
	cmd.SysProcAttr = attributes
	out, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	address, started := make(chan string, 1), make(chan error)
	go func() {
		// The signal that ends the node with the test is tied to the thread that started it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(n.ended)
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			n.log.add(lines.Bytes())
			var line struct{ Msg, URL string }
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "ready" && line.URL != "" {
				select {
				case address <- line.URL:
				default:
				}
			}
		}
		_ = cmd.Wait() // how it ended is in ProcessState
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	select {
	case n.url = <-address:
	case <-n.ended:
		return nil, errors.New("the node ended before it was ready:\n" + n.log.String())
	case <-ctx.Done():
		n.kill()
		return nil, errors.New("the node was not ready in time:\n" + n.log.String())
	}
	c := client{url: n.url}
	for c.do(ctx, "GET", "/readyz", nil).status != 200 {
		if !pause(ctx) {
			n.kill()
			return nil, errors.New("the node did not become ready:\n" + n.log.String())
		}
	}
	n.ready = time.Since(begin)
	return n, nil
}

// kill ends the node at once, as a crash would, and waits until it is gone.
func (n *node) kill() {
	_ = n.cmd.Process.Kill() // an error means that it is gone already
	<-n.ended
}

// terminate asks the node to end, without waiting.
func (n *node) terminate(t testing.TB) {
	t.Helper()
	if err := n.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
}

// wait waits until the node has ended by itself and returns its exit code.
func (n *node) wait(t testing.TB) int {
	t.Helper()
	limit := time.NewTimer(stopLimit)
	defer limit.Stop()
	select {
	case <-n.ended:
	case <-limit.C:
		t.Fatalf("the node did not end within %s", stopLimit)
	}
	return n.cmd.ProcessState.ExitCode()
}

// stop ends the node as an operator would.
func (n *node) stop(t testing.TB) {
	t.Helper()
	n.terminate(t)
	if code := n.wait(t); code != 0 {
		t.Errorf("the node ended with code %d after SIGTERM", code)
	}
}

// pause waits a moment before looking again; false when ctx ended.
func pause(ctx context.Context) bool {
	timer := time.NewTimer(pollInterval)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// eventually looks until the condition holds, and fails the test with what is
// wrong when that takes too long.
func eventually(t testing.TB, limit time.Duration, wrong func() string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	for {
		w := wrong()
		if w == "" {
			return
		}
		if !pause(ctx) {
			t.Fatalf("after %s: %s", limit, w)
		}
	}
}

// command runs the program to its end.
func command(t testing.TB, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	var out, errors bytes.Buffer
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Stdout, cmd.Stderr = &out, &errors
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Run(); cmd.ProcessState == nil || ctx.Err() != nil {
		t.Fatalf("orderly %s: %v", strings.Join(args, " "), err)
	}
	return out.String(), errors.String(), cmd.ProcessState.ExitCode()
}
