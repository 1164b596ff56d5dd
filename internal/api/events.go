package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/auth"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/problem"
)

const (
	maxEventsPage = 1000
	maxEventsWait = 30 * time.Second
	// heartbeat keeps idle connections open through proxies.
	heartbeat = 15 * time.Second
)

func eventRoutes() []Route {
	return []Route{{
		Method: "GET", Path: "/v1/events", ID: "listEvents", Tag: "events", Scope: auth.EventsRead, Status: 200,
		Summary: "Events behind a cursor, in the order they happened per order. With wait, the answer comes when there is something or the time is over (long poll); with Accept: text/event-stream, as a stream",
		Query: []Query{
			{Name: "cursor", Doc: "the next field of the previous answer; absent: from the beginning; now: only what comes from here on"},
			{Name: "types", Doc: "comma-separated event types; absent: all"},
			{Name: "limit", Doc: "about how many events, 1 to 1000; default 50", Integer: true},
			{Name: "wait", Doc: "seconds to wait for something, 0 to 30; default 0", Integer: true},
		},
		Out: EventPage{}, Handle: (*Server).events, Stream: true,
	}}
}

// EventPage is a page of the log.
type EventPage struct {
	Events []engine.Published `json:"events"`
	Next   string             `json:"next"` // always there: the place to go on from
}

// eventQuery is what a reader of events asks for.
type eventQuery struct {
	after  engine.Cursor
	wanted func(string) bool
	limit  int
	wait   time.Duration
}

func (s *Server) eventQuery(c *Call) (q eventQuery, err error) {
	var bad problem.Invalid
	number := func(name string, fallback, low, high int) int {
		v := c.query(name)
		if v == "" {
			return fallback
		}
		n, err := strconv.Atoi(v)
		if err != nil || n < low || n > high {
			bad.Add(name, problem.OutOfRange, "must be between %d and %d", low, high)
		}
		return n
	}
	q.limit = number("limit", defaultPageSize, 1, maxEventsPage)
	q.wait = time.Duration(number("wait", 0, 0, int(maxEventsWait/time.Second))) * time.Second
	if t := c.query("types"); t != "" {
		types := strings.Split(t, ",")
		q.wanted = func(name string) bool { return slices.Contains(types, name) }
	}
	at := c.query("cursor")
	if id := c.R.Header.Get("Last-Event-ID"); id != "" {
		at = id
	}
	if at == "now" {
		ctx, cancel := c.Context()
		defer cancel()
		heads, err := s.engine.Store().Heads(ctx)
		if err != nil {
			return q, err
		}
		q.after = heads
		return q, bad.Err()
	}
	if q.after, err = engine.ParseCursor(at, s.engine.Store().Buckets()); err != nil {
		bad.Add("cursor", problem.Malformed, "%s", err)
	}
	return q, bad.Err()
}

func (s *Server) events(c *Call) error {
	q, err := s.eventQuery(c)
	if err != nil {
		return err
	}
	if strings.Contains(c.R.Header.Get("Accept"), "text/event-stream") {
		return s.streamEvents(c, q)
	}
	deadline := time.NewTimer(q.wait)
	defer deadline.Stop()
	for {
		changed := s.engine.Changed() // before reading, so that no commit between is missed
		events, next, err := s.engine.Events(c.R.Context(), q.after, q.limit, q.wanted)
		if err != nil {
			return err
		}
		if len(events) > 0 || q.wait == 0 {
			return c.json(http.StatusOK, EventPage{append([]engine.Published{}, events...), next.String()})
		}
		q.after = next
		select {
		case <-changed:
		case <-s.drained:
			q.wait = 0
		case <-deadline.C:
			return c.json(http.StatusOK, EventPage{[]engine.Published{}, next.String()})
		case <-c.R.Context().Done():
			return nil
		}
	}
}

// streamEvents writes Server-Sent Events until the client leaves or the node drains.
func (s *Server) streamEvents(c *Call, q eventQuery) error {
	h := c.W.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	c.W.WriteHeader(http.StatusOK)
	out := http.NewResponseController(c.W)
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for !s.draining.Load() {
		changed := s.engine.Changed()
		events, next, err := s.engine.Events(c.R.Context(), q.after, q.limit, q.wanted)
		if err != nil {
			return nil // the client sees the stream end and comes back with its last id
		}
		for i := range events {
			body, err := json.Marshal(&events[i])
			if err != nil {
				return nil
			}
			fmt.Fprintf(c.W, "event: %s\ndata: %s\n", events[i].Type, body)
			if i == len(events)-1 { // a place in the log is behind whole commands only
				fmt.Fprintf(c.W, "id: %s\n", next)
			}
			if _, err := fmt.Fprint(c.W, "\n"); err != nil {
				return nil
			}
		}
		if out.Flush() != nil {
			return nil
		}
		q.after = next
		if len(events) > 0 {
			continue
		}
		select {
		case <-changed:
		case <-beat.C:
			fmt.Fprint(c.W, ": still here\n\n")
		case <-s.drained:
		case <-c.R.Context().Done():
			return nil
		}
	}
	return nil
}
