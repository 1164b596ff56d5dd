package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/orderly-oms/orderly/internal/past"
	"github.com/orderly-oms/orderly/internal/past/folder"
)

// convertFolder makes the history file of a folder of CSV files anew: its files may have changed.
func convertFolder(ctx context.Context, dir, file string) error {
	w, err := past.Create(file, past.Header{Source: "csv"})
	if err != nil {
		return err
	}
	_, err = folder.Convert(ctx, dir, w)
	if err = errors.Join(err, w.Close()); err != nil {
		return fmt.Errorf("reading the folder %s: %w", dir, err)
	}
	return nil
}

type reassessInit struct {
	Dir string `arg:"" help:"Folder to write; new or empty."`
}

func (c *reassessInit) Run(m *Main) error {
	if err := folder.Init(c.Dir); err != nil {
		return err
	}
	_, err := fmt.Fprintf(m.Stdout, "wrote an example to %s; read README.txt there, then run: orderly reassess --csv %s\n", c.Dir, c.Dir)
	return err
}
