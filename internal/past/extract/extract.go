// Package extract writes the log of a store as a history (package past).
//
// It reads the log from where the last extraction ended, in the order in which things happened over
// all buckets, and cuts each row of an order into what happened to the order and what was decided
// about it. It reads only, page by page, and can run beside a server on the same store.
//
// It promises: the movements in the history are those of the log, each once; every fulfillment is in
// exactly one decision; extracting in several goes gives the same entries as in one. Memory grows with
// orders that are under way, of which only the latest are kept unfolded.
//
// Rows that several processes or lanes made within moments may be in the log in another order than they were
// decided in. They are put in the order of their times within a window; beyond it time stands still instead of
// going back. It judges nothing.
package extract

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/past"
	"github.com/orderly-oms/orderly/internal/store"
)

// Source is the store whose log is read.
type Source interface {
	store.Reader
	store.LogReader
	Buckets() int
}

// Options say how the log is read.
type Options struct {
	// Progress, when not nil, is called now and then with how many rows of how many were read.
	Progress func(rows, of int64)
	// Gentle, when above 0, is how many rows are read a second at most, so that a server beside it is not slowed down.
	Gentle int
}

const (
	// page is how many rows are read at once, window how many of a bucket are put in the order of their times.
	page   = 500
	window = 1000
	// commitRows is after how many rows what was written is made durable.
	commitRows = 200_000
)

// Extract brings the history in a file up to the present end of the log, and returns its header. A file that is not there is made; one
// of another store is refused.
func Extract(ctx context.Context, s Source, path string, o Options) (*past.Header, error) {
	origin, err := originOf(ctx, s)
	if err != nil {
		return nil, err
	}
	x := newExtractor(ctx, s, o)
	x.header = past.Header{Source: "log", Origin: origin, Cursors: make([]int64, s.Buckets()), Recorded: true}
	r, err := past.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if x.w, err = past.Create(path, x.header); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, err
	default:
		if err := x.goOn(r, path, origin); err != nil {
			return nil, err
		}
	}
	return x.finish()
}

// goOn takes up where the history ends.
func (x *extractor) goOn(r past.Reader, path, origin string) error {
	h := *r.Header()
	if h.Source != "log" || h.Origin != origin || len(h.Cursors) != len(x.header.Cursors) {
		_ = r.Close()
		return fmt.Errorf("%s is the history of something else; name another file, or delete it to make it anew", path)
	}
	x.header = h
	x.header.Cursors = slices.Clone(h.Cursors)
	if err := errors.Join(x.recall(r), r.Close()); err != nil {
		return fmt.Errorf("reading %s, which is to be continued: %w; delete it to make it anew", path, err)
	}
	var err error
	x.w, err = past.Append(path)
	return err
}

// To writes the whole log to a writer.
func To(ctx context.Context, s Source, w past.Writer, o Options) (*past.Header, error) {
	origin, err := originOf(ctx, s)
	if err != nil {
		return nil, err
	}
	x := newExtractor(ctx, s, o)
	x.w = w
	x.header = past.Header{Source: "log", Origin: origin, Cursors: make([]int64, s.Buckets()), Recorded: true}
	if err := x.run(); err != nil {
		return nil, err
	}
	return &x.header, x.commit()
}

func (x *extractor) finish() (*past.Header, error) {
	err := x.run()
	if err == nil {
		err = x.commit()
	}
	if err := errors.Join(err, x.w.Close()); err != nil {
		return nil, err
	}
	return &x.header, nil
}

// originOf identifies a store by the first row of its log: no other store has the same.
func originOf(ctx context.Context, s Source) (string, error) {
	for bucket := range s.Buckets() {
		rows, err := s.Log(ctx, bucket, 0, 1)
		if err != nil {
			return "", err
		}
		if len(rows) > 0 {
			r := &rows[0]
			sum := sha256.Sum256(fmt.Appendf(nil, "%d %s %s %s %s", bucket, r.Time.UTC().Format(time.RFC3339Nano), r.Command, r.Node, r.Stream.ID))
			return hex.EncodeToString(sum[:12]), nil
		}
	}
	return "", errors.New("the store is empty: there is no history to extract")
}

// recall reads which orders of a history are not done, and what else has to be known to go on.
func (x *extractor) recall(r past.Reader) error {
	for {
		var e past.Entry
		if err := r.Next(&e); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		x.last = e.At
		x.note(&e)
		switch {
		case e.Decision != nil && e.Decision.First && e.Decision.State != nil:
			x.known(e.Decision.State.ID, e.Decision.Order)
		case e.Step != nil && e.Step.Kind == past.StepDone:
			x.done(e.Step.Order)
		case e.Document != nil:
			x.document(e.Document)
		}
	}
}
