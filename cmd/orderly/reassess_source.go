package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/past"
	"github.com/orderly-oms/orderly/internal/reassess/job"
	"github.com/orderly-oms/orderly/internal/replay"
)

// historySource is where a history comes from: the log of a store, a folder of CSV files, or a file
// that was made of one before.
type historySource struct {
	where   `embed:""`
	CSV     string `help:"Folder of CSV files of any other system." type:"existingdir" placeholder:"DIR" xor:"store" name:"csv"`
	History string `help:"History file that was made before." type:"existingfile" placeholder:"FILE" xor:"store"`
	Work    string `help:"Folder for the history file and finished replays; default: reassess in the data or CSV folder, or in the user's cache." placeholder:"DIR" env:"ORDERLY_REASSESS_WORK"`

	gentle int // rows of the log a second at most; 0: as fast as can be
}

// historyName is the file that a history is kept in, beside the finished replays.
const (
	historyName = "history.orh"
	runsName    = "runs"
)

// openedHistory is a history that is up to date.
type openedHistory struct {
	open   replay.Open
	header *past.Header
	runs   string // folder of finished replays
	// baseline is the policy that is pinned in the store, minute what a minute of work was said to cost when it was; nil and 0: nothing.
	baseline *replay.Scenario
	minute   int64
}

// folder is where files are kept.
func (s *historySource) folder() (string, error) {
	switch {
	case s.Work != "":
		return s.Work, nil
	case s.Data != "":
		return filepath.Join(s.Data, "reassess"), nil
	case s.CSV != "":
		return filepath.Join(s.CSV, "reassess"), nil
	case s.History != "":
		return s.History + ".work", nil
	case s.Database == "":
		return "", errors.New("say where the history is: --data DIR, --database URL, --csv DIR or --history FILE")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("%w; say where to keep the history with --work DIR", err)
	}
	return filepath.Join(cache, "orderly", "reassess-"+databaseName(s.Database)), nil
}

// databaseName tells databases apart without saying who uses them.
func databaseName(text string) string {
	if u, err := url.Parse(text); err == nil {
		text = u.Host + u.Path
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:6])
}

// open brings the history up to date with where it comes from, and opens it.
func (s *historySource) open(ctx context.Context, progress func(job.Progress)) (*openedHistory, error) {
	dir, err := s.folder()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	file := s.History
	if file == "" {
		file = filepath.Join(dir, historyName)
		if err := s.grow(ctx, file, progress); err != nil {
			return nil, err
		}
	}
	h := &openedHistory{open: func() (past.Reader, error) { return past.Open(file) }, runs: filepath.Join(dir, runsName)}
	r, err := h.open()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	h.header = r.Header()
	return h, errors.Join(r.Close(), s.pinned(ctx, h))
}

// pinned reads what the store says the rules' worth is to be measured against.
func (s *historySource) pinned(ctx context.Context, h *openedHistory) error {
	if s.Data == "" && s.Database == "" {
		return nil
	}
	db, err := s.openReadOnly(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	b, err := engine.StoredBaseline(ctx, db)
	if err != nil || b == nil || b.Current() == nil {
		return err
	}
	pin := b.Current()
	h.baseline = &replay.Scenario{Name: "baseline: " + pin.Sourcing, Policies: []string{b.Text}}
	if b.PromiseText != "" {
		h.baseline.Policies = append(h.baseline.Policies, b.PromiseText)
	}
	if pin.Currency == h.header.Currency {
		h.minute = pin.MinuteCost
	}
	return nil
}
