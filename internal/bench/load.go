package bench

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxBrokenInRow is how many requests in a row may fail without an answer
	// before a client gives up: the server is gone.
	maxBrokenInRow = 5
	maxErrorKinds  = 50
)

// tally is what clients counted.
type tally struct {
	ok         int64 // requests answered with success
	operations int64 // done from start to end, where they have several requests
	durable    int64 // writes among them
	latency    histogram
	whole      histogram // of operations; filled where they have several requests
	errors     map[string]int64
	elapsed    time.Duration
}

func (t *tally) add(o *tally) {
	t.ok += o.ok
	t.operations += o.operations
	t.durable += o.durable
	t.latency.add(&o.latency)
	t.whole.add(&o.whole)
	for k, n := range o.errors {
		t.fail(k, n)
	}
}

func (t *tally) fail(kind string, n int64) {
	if t.errors == nil {
		t.errors = map[string]int64{}
	}
	if _, known := t.errors[kind]; !known && len(t.errors) >= maxErrorKinds {
		kind = "other"
	}
	t.errors[kind] += n
}

// client is one closed loop: it asks, waits for the answer, and asks again.
type client struct {
	conn
	tally
	request []byte // memory for the request being built
	broken  int    // failures without an answer, in a row
	over    *atomic.Bool
	done    atomic.Int64 // for progress
	failed  atomic.Int64
	_       [64]byte // keeps the counters of two clients off one cache line
}

// call sends a request and counts its answer. ok tells whether it was a success;
// an error means that the client cannot go on.
func (c *client) call(request []byte) (body []byte, ok bool, err error) {
	start := time.Now()
	status, body, err := c.do(request)
	if err != nil {
		return nil, false, c.lost(err)
	}
	c.latency.record(time.Since(start))
	c.broken = 0
	if status >= 200 && status < 300 {
		c.ok++
		c.done.Add(1)
		return body, true, nil
	}
	c.failed.Add(1)
	c.fail(errorKind(status, body), 1)
	return body, false, nil
}

// lost counts a request without an answer.
func (c *client) lost(err error) error {
	if c.over.Load() {
		return nil // the run cut it off
	}
	c.failed.Add(1)
	c.fail("no_answer", 1)
	if c.broken++; c.broken >= maxBrokenInRow {
		return fmt.Errorf("%d requests in a row got no answer: %w", c.broken, err)
	}
	return nil
}

// errorKind names a refusal by its status and the code of its problem document.
func errorKind(status int, body []byte) string {
	kind := strconv.Itoa(status)
	if code := stringAfter(body, `"code":"`); len(code) > 0 {
		kind += " " + string(code)
	}
	return kind
}

// stringAfter returns the string that follows a mark in a JSON document; ids and
// codes have nothing to unescape. nil: the mark is not there.
func stringAfter(body []byte, mark string) []byte {
	at := bytes.Index(body, []byte(mark))
	if at < 0 {
		return nil
	}
	rest := body[at+len(mark):]
	end := bytes.IndexByte(rest, '"')
	if end < 0 {
		return nil
	}
	return rest[:end]
}

// measure runs the clients until the duration or the number of operations of
// the options is over.
func measure(ctx context.Context, o *Options, host, phase string, d time.Duration, operation func(i int) func(*client) error) (*tally, error) {
	limit := d
	if limit <= 0 {
		limit = time.Duration(1<<63 - 1 - int64(grace))
	}
	ctx, cancel := context.WithTimeout(ctx, limit+grace)
	defer cancel()
	var over atomic.Bool
	var left atomic.Int64
	left.Store(o.Requests)
	clients := make([]*client, o.Clients)
	operations := make([]func(*client) error, o.Clients)
	for i := range clients {
		clients[i] = &client{conn: conn{host: host}, over: &over}
		operations[i] = operation(i)
	}
	defer context.AfterFunc(ctx, func() {
		over.Store(true)
		for _, c := range clients {
			c.close()
		}
	})()
	start := time.Now()
	if d > 0 {
		defer time.AfterFunc(d, func() { over.Store(true) }).Stop()
	}
	stop := watch(o, phase, start, clients)
	defer stop()
	errs := make(chan error, len(clients))
	var all sync.WaitGroup
	for i, c := range clients {
		all.Go(func() {
			defer c.close()
			for !over.Load() && (o.Requests <= 0 || left.Add(-1) >= 0) {
				if err := operations[i](c); err != nil {
					over.Store(true)
					errs <- err
					return
				}
			}
		})
	}
	all.Wait()
	total := &tally{elapsed: time.Since(start)}
	for _, c := range clients {
		total.add(&c.tally)
	}
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	select {
	case err := <-errs:
		return nil, err
	default:
		return total, nil
	}
}

// watch reports progress every second until the returned function is called.
func watch(o *Options, phase string, start time.Time, clients []*client) (stop func()) {
	if o.Progress == nil {
		return func() {}
	}
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		var before int64
		last := start
		for {
			select {
			case <-end:
				return
			case now := <-tick.C:
				p := Progress{Phase: phase, Elapsed: now.Sub(start)}
				for _, c := range clients {
					p.Done += c.done.Load()
					p.ErrorCount += c.failed.Load()
				}
				p.PerSecond = float64(p.Done-before) / now.Sub(last).Seconds()
				before, last = p.Done, now
				o.Progress(p)
			}
		}
	}()
	return func() { close(end); <-ended }
}
