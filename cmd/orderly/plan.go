package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"

	"github.com/orderly-oms/orderly/internal/plancase"
	"github.com/orderly-oms/orderly/internal/problem"
	"github.com/orderly-oms/orderly/internal/sourcing/exact"
)

type planCommand struct{}

// Help is what --help says beside the flags.
func (planCommand) Help() string {
	return `Reads one case for each line of standard input: a JSON object with lines, locations, prices and limits, ` +
		`which needs no store. Writes one plan for each case, in the same order, as soon as it and those before it are ready. ` +
		`"method" is "exact" when no plan is better; otherwise "bound" says what no plan can cost less than. Unknown fields are ignored, empty lines too.

A line that is no valid case gets no plan. What is wrong with it is written to standard error with the number of the line ` +
		`and the path of each field; the other lines are planned all the same, and the exit code is 1.`
}

// planLine is a line on its way. done receives what to write.
type planLine struct {
	number int
	data   []byte
	tooBig bool
	done   chan planned
}

// planned is a plan as JSON, or why there is none.
type planned struct {
	number int
	plan   []byte
	err    error
}

// waitingLines bounds, for each worker, the lines that are in memory.
const waitingLines = 4

// planWork is far more than a server would spend on one order (some three seconds):
// here nobody waits at a till.
const planWork = int64(1) << 30

// Run plans until the input ends.
func (planCommand) Run(ctx context.Context, m *Main) error {
	ctx, cancel := context.WithCancel(ctx)
	workers := runtime.GOMAXPROCS(0)
	work := make(chan planLine)
	ordered := make(chan planLine, waitingLines*workers)
	var wait sync.WaitGroup
	defer wait.Wait()
	defer cancel()
	for range workers {
		wait.Go(func() {
			solver := exact.Solver{Work: planWork}
			for {
				select {
				case l, more := <-work:
					if !more {
						return
					}
					l.done <- l.solve(&solver)
				case <-ctx.Done():
					return
				}
			}
		})
	}
	failed := make(chan error, 1)
	// Not waited for: it may be reading when the output breaks.
	go func() {
		defer close(ordered)
		defer close(work)
		failed <- readPlanLines(ctx, m.Stdin, func(l planLine) bool {
			for _, to := range []chan<- planLine{ordered, work} {
				select {
				case to <- l:
				case <-ctx.Done():
					return false
				}
			}
			return true
		})
	}()
	refused, err := writePlans(ctx, m, ordered)
	if err != nil {
		return err
	}
	if err := <-failed; err != nil {
		return err
	}
	if refused {
		return errQuiet
	}
	return nil
}

// readPlanLines calls f for each line that is not empty, until it returns false.
func readPlanLines(ctx context.Context, r io.Reader, f func(planLine) bool) error {
	in := bufio.NewReaderSize(r, 1<<16)
	for number := 1; ; number++ {
		line := planLine{number: number, done: make(chan planned, 1)}
		for {
			part, err := in.ReadSlice('\n')
			if len(line.data)+len(part) > plancase.MaxBytes {
				line.tooBig, line.data = true, nil
			} else if !line.tooBig {
				line.data = append(line.data, part...)
			}
			if err == nil {
				break
			}
			if errors.Is(err, bufio.ErrBufferFull) {
				continue
			}
			if line.data = bytes.TrimSpace(line.data); len(line.data) > 0 || line.tooBig {
				f(line)
			}
			if errors.Is(err, io.EOF) {
				return ctx.Err()
			}
			return fmt.Errorf("reading line %d: %w", number, err)
		}
		line.data = bytes.TrimSpace(line.data)
		if (len(line.data) > 0 || line.tooBig) && !f(line) {
			return ctx.Err()
		}
	}
}

func (l *planLine) solve(s *exact.Solver) planned {
	if l.tooBig {
		return planned{number: l.number, err: fmt.Errorf("has more than %d bytes", plancase.MaxBytes)}
	}
	c, err := plancase.Decode(l.data)
	if err != nil {
		return planned{number: l.number, err: err}
	}
	plan, err := json.Marshal(c.Solve(s))
	return planned{number: l.number, plan: append(plan, '\n'), err: err}
}

// writePlans writes what becomes ready, in order. It flushes when nothing more is, so
// that somebody who waits for an answer gets it.
func writePlans(ctx context.Context, m *Main, ordered <-chan planLine) (refused bool, err error) {
	out := bufio.NewWriterSize(m.Stdout, 1<<16)
	for l := range ordered {
		var p planned
		select {
		case p = <-l.done:
		case <-ctx.Done():
			return refused, errors.Join(ctx.Err(), out.Flush())
		}
		if p.err != nil {
			refused = true
			if err := out.Flush(); err != nil {
				return refused, err
			}
			complain(m.Stderr, p)
			continue
		}
		if _, err := out.Write(p.plan); err != nil {
			return refused, err
		}
		if len(ordered) == 0 {
			if err := out.Flush(); err != nil {
				return refused, err
			}
		}
	}
	return refused, out.Flush()
}

// complain names the line and each field that is wrong.
func complain(w io.Writer, p planned) {
	var fields problem.Invalid
	if !errors.As(p.err, &fields) {
		fmt.Fprintf(w, "line %d: %v\n", p.number, p.err)
		return
	}
	for _, f := range fields {
		fmt.Fprintf(w, "line %d: %s\n", p.number, f)
	}
}
