package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/orderly-oms/orderly/internal/flow"
	"github.com/orderly-oms/orderly/internal/policy"
)

// readyDocument is a policy or flow that comes with the program.
type readyDocument struct {
	file, text, description string
	kind                    policy.Kind
}

// library lists them, policies first.
func library() (out []readyDocument) {
	for _, e := range policy.Library() {
		out = append(out, readyDocument{e.File, e.Text, e.Compiled.Doc.Description, e.Compiled.Kind})
	}
	for _, e := range flow.Library() {
		out = append(out, readyDocument{e.File, e.Text, e.Flow.Doc.Description, e.Flow.Policy.Kind})
	}
	return out
}

type policyLibrary struct {
	Dir string `arg:"" optional:"" help:"Folder to write the files to; existing files are left alone. Default: list them."`
}

// Run lists or writes the library.
func (c *policyLibrary) Run(m *Main) error {
	if c.Dir == "" {
		out := tabwriter.NewWriter(m.Stdout, 0, 4, 2, ' ', 0)
		for _, d := range library() {
			fmt.Fprintf(out, "%s\t%s\t%s\n", d.file, d.kind, strings.Join(strings.Fields(d.description), " "))
		}
		return out.Flush()
	}
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return err
	}
	for _, d := range library() {
		path := filepath.Join(c.Dir, d.file)
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if errors.Is(err, os.ErrExist) {
			fmt.Fprintf(m.Stdout, "%s is there already\n", path)
			continue
		}
		if err != nil {
			return err
		}
		_, err = f.WriteString(d.text)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
		fmt.Fprintln(m.Stdout, path)
	}
	return nil
}
