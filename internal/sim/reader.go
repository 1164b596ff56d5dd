package sim

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
)

const (
	eventsPage = 500
	eventsWait = "10" // seconds of a long poll
	// readPause keeps a reader from asking after every single commit.
	readPause = 15 * time.Millisecond
	// readRetry is how long a reader waits after an answer that failed.
	readRetry = 500 * time.Millisecond
)

// eventPage is a page of the log.
type eventPage struct {
	Events []engine.Published `json:"events"`
	Next   string             `json:"next"`
}

// reader follows the log of the server from its beginning.
type reader struct {
	client *client
	agenda *agenda // whose clock waits for the reader; nil: nobody does
	types  string  // comma-separated; empty: all
	hear   func(*engine.Published)

	mu    sync.Mutex
	at    string
	heard int64 // events
}

func newReader(c *client, types string, hear func(*engine.Published)) *reader {
	return &reader{client: c, types: types, hear: hear}
}

// cursor is the place up to which everything was heard.
func (r *reader) cursor() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.at
}

// has reports whether the reader has heard everything that the watcher has: the
// cursor of one that wants few types stays behind while there is nothing for it.
func (r *reader) has(seen map[string]int64) bool {
	want := int64(0)
	for name, n := range seen {
		if r.types == "" || slices.Contains(strings.Split(r.types, ","), name) {
			want += n
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.heard == want
}

// read hears one page; wait is how many seconds it may take to come.
func (r *reader) read(ctx context.Context, wait string) (n int, err error) {
	pairs := []string{"cursor", r.cursor(), "limit", strconv.Itoa(eventsPage), "wait", wait}
	if r.types != "" {
		pairs = append(pairs, "types", r.types)
	}
	var page eventPage
	if err := r.client.get(ctx, "/v1/events"+query(pairs...), &page); err != nil {
		return 0, err
	}
	for i := range page.Events {
		r.hear(&page.Events[i])
	}
	if n := len(page.Events); r.agenda != nil && n > 0 {
		r.agenda.heard(r, page.Events[n-1].Time)
	} else if r.agenda != nil {
		r.agenda.caughtUp(r)
	}
	r.mu.Lock()
	r.at = page.Next
	r.heard += int64(len(page.Events))
	r.mu.Unlock()
	return len(page.Events), nil
}

// catchUp hears everything that is there.
func (r *reader) catchUp(ctx context.Context) error {
	for {
		if n, err := r.read(ctx, "0"); err != nil || n == 0 {
			return err
		}
	}
}

// follow hears what comes until the context ends. A refused question ends the run:
// the key or the cursor is wrong.
func (r *reader) follow(ctx context.Context) error {
	for {
		wait := eventsWait
		if r.agenda.waitsFor(r) {
			wait = "0"
		}
		n, err := r.read(ctx, wait)
		pause := readPause
		var no *refusal
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.As(err, &no) && no.Status < 500:
			return err
		case err != nil:
			pause = readRetry
		case n >= eventsPage:
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}
