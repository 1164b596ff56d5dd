package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/orderly-oms/orderly/internal/audit"
	"github.com/orderly-oms/orderly/internal/store"
)

type verifyCommand struct {
	where `embed:""`
	JSON  bool `help:"Print the report as JSON."`
}

// Run audits the store; it changes nothing, and a running server may go on.
func (c *verifyCommand) Run(ctx context.Context, m *Main) error {
	s, err := c.openReadOnly(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	a, ok := s.(store.Auditor)
	if !ok {
		return errors.New("this kind of store cannot be audited")
	}
	progress, done := progressLine(m.Stderr)
	report, err := audit.Run(ctx, a, audit.Options{Progress: progress})
	done()
	if err != nil {
		return err
	}
	if c.JSON {
		out := json.NewEncoder(m.Stdout)
		out.SetIndent("", "  ")
		err = out.Encode(report)
	} else {
		err = writeReport(m.Stdout, report)
	}
	if err == nil && !report.OK {
		err = errQuiet
	}
	return err
}

// progressLine returns functions that keep one line of a terminal up to date,
// and clear it; in a pipe they do nothing.
func progressLine(w io.Writer) (progress func(string, int64), done func()) {
	f, ok := w.(*os.File)
	if !ok {
		return nil, func() {}
	}
	if info, err := f.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return nil, func() {}
	}
	return func(part string, rows int64) { fmt.Fprintf(f, "\r\x1b[K%s: %d", part, rows) }, func() { fmt.Fprint(f, "\r\x1b[K") }
}

// writeReport prints a report for people.
func writeReport(w io.Writer, r *audit.Report) error {
	var head int64
	for _, h := range r.Heads {
		head += h
	}
	fmt.Fprintf(w, "%d log rows", head)
	if !r.Newest.IsZero() {
		fmt.Fprintf(w, ", the newest of %s", r.Newest.Format(time.RFC3339))
	}
	fmt.Fprint(w, "\n\n")
	out := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	violations := int64(0)
	for _, c := range r.Checks {
		result := "ok"
		if c.Violations > 0 {
			result = fmt.Sprintf("%d VIOLATIONS", c.Violations)
		} else if r.Incomplete != "" {
			result = "UNKNOWN"
		}
		violations += c.Violations
		fmt.Fprintf(out, "%d\t%s\t%d %s\t%s\n", c.Number, c.Name, c.LookedAt, c.Unit, result)
	}
	if err := out.Flush(); err != nil {
		return err
	}
	for _, c := range r.Checks {
		for i, text := range c.First {
			if i == 0 {
				fmt.Fprintf(w, "\n%d  %s\n", c.Number, c.Name)
			}
			fmt.Fprintf(w, "    %s\n", text)
		}
		if more := c.Violations - int64(len(c.First)); more > 0 {
			fmt.Fprintf(w, "    and %d more\n", more)
		}
	}
	fmt.Fprintln(w)
	for _, c := range r.Checks {
		for _, n := range c.Notes {
			fmt.Fprintf(w, "note on %d: %s\n", c.Number, n)
		}
	}
	numbers := make([]string, len(r.Unchecked))
	for i, u := range r.Unchecked {
		numbers[i] = fmt.Sprint(u.Number)
	}
	fmt.Fprintf(w, "not checked, because a store does not show them or they are not built (--json says why): %s\n\n", strings.Join(numbers, ", "))
	switch {
	case r.Incomplete != "":
		fmt.Fprintf(w, "INCOMPLETE, which counts as failed: %s\n", r.Incomplete)
	case !r.OK:
		fmt.Fprintf(w, "FAILED: %d violations\n", violations)
	default:
		fmt.Fprintln(w, "every check holds")
	}
	return nil
}
