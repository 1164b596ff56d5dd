package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/orderly-oms/orderly/internal/reassess/job"
)

// A server makes reassessments in a process of its own, with one processor and the lowest priority, so that orders do not wait
// for it. Server and process talk through the process's pipes; the process ends when the server does, however that ends,
// because its standard input does.

// jobInput is what the process is to do. It comes through a pipe, because arguments can be seen by everybody on the machine and
// a database's URL may have a password in it.
type jobInput struct {
	Request  job.Request `json:"request"`
	Data     string      `json:"data,omitempty"`
	Database string      `json:"database,omitempty"`
	Work     string      `json:"work,omitempty"`
}

// jobOutput is one message of the process: one of the three.
type jobOutput struct {
	Progress *job.Progress   `json:"progress,omitempty"`
	Report   json.RawMessage `json:"report,omitempty"`
	Error    string          `json:"error,omitempty"`
}

type reassessJob struct{}

// Run makes the reassessment that standard input asks for.
func (reassessJob) Run(ctx context.Context, m *Main) error {
	in := json.NewDecoder(m.Stdin)
	var x jobInput
	if err := in.Decode(&x); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // whatever comes, the server's end is the end
		io.Copy(io.Discard, m.Stdin)
		cancel()
	}()
	var mu sync.Mutex
	out := json.NewEncoder(m.Stdout)
	say := func(o jobOutput) error {
		mu.Lock()
		defer mu.Unlock()
		return out.Encode(o)
	}
	body, err := x.made(ctx, func(p job.Progress) { say(jobOutput{Progress: &p}) })
	if err != nil {
		return say(jobOutput{Error: err.Error()})
	}
	return say(jobOutput{Report: body})
}

func (x *jobInput) made(ctx context.Context, progress func(job.Progress)) ([]byte, error) {
	s := historySource{where: where{Data: x.Data, Database: x.Database}, Work: x.Work, gentle: gentleRows}
	h, err := s.open(ctx, progress)
	if err != nil {
		return nil, err
	}
	r, err := assess(ctx, h, &x.Request, progress)
	if err != nil {
		return nil, err
	}
	return json.Marshal(r)
}

// gentleRows is how many rows of the log a process beside a server reads a second at most.
const gentleRows = 50_000

// maxJobErrorBytes bounds what is told of a process that failed.
const maxJobErrorBytes = 2000

// makeInChild makes reassessments of a store in processes of their own.
func makeInChild(w where, work string) job.Make {
	return func(ctx context.Context, r *job.Request, report func(job.Progress)) (json.RawMessage, error) {
		input, err := json.Marshal(jobInput{Request: *r, Data: w.Data, Database: w.Database, Work: work})
		if err != nil {
			return nil, err
		}
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		cmd := exec.CommandContext(ctx, self, "reassess", "job")
		cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
		cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
		cmd.WaitDelay = 5 * time.Second
		var complaint bytes.Buffer
		cmd.Stderr = &complaint
		stdin, err := cmd.StdinPipe()
		if err != nil {
			return nil, err
		}
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			return nil, err
		}
		if err := startApart(cmd); err != nil {
			return nil, err
		}
		body, err := converse(stdin, stdout, input, report)
		stdin.Close()
		ended := cmd.Wait()
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case err != nil:
			return nil, err
		case body == nil:
			text := strings.TrimSpace(complaint.String())
			return nil, fmt.Errorf("the process that made it ended early (%v): %s", ended, text[max(0, len(text)-maxJobErrorBytes):])
		}
		return body, nil
	}
}

// converse tells a process what to do and takes what it says. A report of nothing is none.
func converse(stdin io.Writer, stdout io.Reader, input []byte, report func(job.Progress)) (json.RawMessage, error) {
	if _, err := stdin.Write(append(input, '\n')); err != nil {
		return nil, nil // it has ended: how is told by its end
	}
	in := json.NewDecoder(stdout)
	for {
		var o jobOutput
		if err := in.Decode(&o); err != nil {
			return nil, nil
		}
		switch {
		case o.Progress != nil:
			report(*o.Progress)
		case o.Error != "":
			return nil, errors.New(o.Error)
		case o.Report != nil:
			return o.Report, nil
		}
	}
}
