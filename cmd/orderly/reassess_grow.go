package main

import (
	"context"
	"fmt"

	"github.com/orderly-oms/orderly/internal/past/extract"
	"github.com/orderly-oms/orderly/internal/reassess/job"
)

// grow brings the history file up to date with the store; reading goes on where it ended before.
func (s *historySource) grow(ctx context.Context, file string, progress func(job.Progress)) error {
	if s.CSV != "" {
		return convertFolder(ctx, s.CSV, file)
	}
	db, err := s.openReadOnly(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = extract.Extract(ctx, db, file, extract.Options{Gentle: s.gentle, Progress: func(rows, of int64) {
		if progress != nil {
			progress(job.Progress{Part: "rows of the log read", Done: rows, Of: of})
		}
	}})
	if err != nil {
		return fmt.Errorf("reading the log into %s: %w", file, err)
	}
	return nil
}
