package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// childStopTimeout is how long a child may take to drain before it is killed.
const childStopTimeout = 45 * time.Second

// child is this program again, as a server in a process of its own.
type child struct {
	url  string
	cmd  *exec.Cmd
	read chan struct{} // closed when its log ended
}

// startChild starts the program with a command that logs JSON lines to standard error, and
// waits until it logs "ready" with its url. Warnings and errors are passed on.
func startChild(ctx context.Context, stderr io.Writer, stdin io.Reader, args ...string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Stdin = stdin
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = childStopTimeout
	out, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := &child{cmd: cmd, read: make(chan struct{})}
	ready := make(chan string, 1)
	go c.follow(out, stderr, ready)
	select {
	case c.url = <-ready:
		return c, nil
	case <-c.read:
		return nil, fmt.Errorf("orderly %s ended before it was ready: %w", args[0], errors.Join(cmd.Wait(), ctx.Err()))
	}
}

// follow reads the child's log until it ends.
func (c *child) follow(log io.Reader, stderr io.Writer, ready chan<- string) {
	defer close(c.read)
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		var line struct{ Level, Msg, URL string }
		if err := json.Unmarshal(lines.Bytes(), &line); err == nil && line.Msg == "ready" && line.URL != "" {
			select {
			case ready <- line.URL:
			default:
			}
			continue
		}
		if line.Level != "INFO" && line.Level != "DEBUG" {
			fmt.Fprintf(stderr, "%s\n", lines.Bytes())
		}
	}
	io.Copy(io.Discard, log) // after a line that is too long: the child must not block
}

// stop asks the child to end and waits until it has.
func (c *child) stop() error {
	kill := time.AfterFunc(childStopTimeout, func() { c.cmd.Process.Kill() })
	defer kill.Stop()
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-c.read
	if err := c.cmd.Wait(); err != nil {
		return fmt.Errorf("the server that was started: %w", err)
	}
	return nil
}
