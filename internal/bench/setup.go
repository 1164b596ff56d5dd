package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Limits of preparing.
const (
	setupClients     = 32
	setupFeedClients = 2    // a feed is work for all processors, and must be answered in time
	setupFeedItems   = 2000 // deltas per request
)

// setup is what preparing a server needs.
type setup struct {
	opt  *Options
	host string
	head *head
}

// shop returns a shop with so many locations and as many SKUs as the positions make,
// those of the options or the default.
func (s *setup) shop(locations, positions int) shop {
	if s.opt.Positions != 0 {
		positions = s.opt.Positions
	}
	return shop{locations: locations, skus: positions / locations}
}

// put sends n documents; document returns the path and the value of each.
func (s *setup) put(ctx context.Context, phase, method string, clients, n int, document func(i int) (path string, value any)) error {
	return s.send(ctx, phase, clients, n, func(i int, dst []byte) ([]byte, error) {
		path, value := document(i)
		body, err := json.Marshal(value)
		return s.head.request(dst, method, path, body), err
	})
}

// send sends n requests over some connections; the first that is refused ends it.
func (s *setup) send(ctx context.Context, phase string, clients, n int, request func(i int, dst []byte) ([]byte, error)) error {
	o := *s.opt
	o.Clients, o.Requests = min(clients, n), int64(n)
	next := make(chan int, n)
	for i := range n {
		next <- i
	}
	_, err := measure(ctx, &o, s.host, phase, 0, func(int) func(*client) error {
		return func(c *client) error {
			i := <-next
			var err error
			if c.request, err = request(i, c.request[:0]); err != nil {
				return err
			}
			status, body, err := c.do(c.request)
			if err != nil {
				return fmt.Errorf("%s: %w", phase, err)
			}
			if status >= 300 {
				return fmt.Errorf("%s: %s was answered with status %d: %.500s", phase, requestLine(c.request), status, body)
			}
			c.done.Add(1)
			return nil
		}
	})
	return err
}

func requestLine(request []byte) []byte {
	line, _, _ := bytes.Cut(request, []byte(" HTTP/"))
	return line
}

// ready waits until the server takes traffic.
func (s *setup) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	c := conn{host: s.host}
	defer c.close()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		status, _, err := c.do(s.head.request(nil, "GET", "/readyz"))
		if err == nil && status == 200 {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready (status %d): %w", s.opt.Target, status, errFirst(err, ctx.Err()))
		}
	}
}

func errFirst(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
