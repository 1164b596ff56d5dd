package main

import (
	"context"
	"errors"
	"fmt"
	"os"

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

type reassessConvert struct {
	From string `arg:"" enum:"shopify,export" help:"shopify: Shopify's export of orders as CSV. export: answers of this program's /v1/orders and /v1/locations, one after the other."`
	File string `arg:"" type:"existingfile" help:"File to read."`
	Dir  string `arg:"" help:"Folder to write; new or empty."`
}

// Run writes the folder and says what is still missing in it.
func (c *reassessConvert) Run(m *Main) error {
	f, err := os.Open(c.File)
	if err != nil {
		return err
	}
	defer f.Close()
	read := folder.FromExport
	if c.From == "shopify" {
		read = folder.FromShopify
	}
	out, err := read(f, c.Dir)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	if _, err := fmt.Fprintf(m.Stdout, "wrote %d orders and %d locations to %s\n", out.Orders, out.Locations, c.Dir); err != nil {
		return err
	}
	for _, s := range out.Missing {
		if _, err := fmt.Fprintf(m.Stdout, "- %s\n", s); err != nil {
			return err
		}
	}
	return nil
}
