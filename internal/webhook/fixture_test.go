package webhook_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/pgtest"
	"github.com/orderly-oms/orderly/internal/store"
	"github.com/orderly-oms/orderly/internal/store/sqlite"
	"github.com/orderly-oms/orderly/internal/webhook"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

var quiet = slog.New(slog.DiscardHandler)

// message is one attempt as the receiver saw it.
type message struct {
	id     string
	header http.Header
	body   []byte
	at     time.Time
	event  engine.Published
	status int // it was answered; 0: not at all
}

// receiver stands for the network and the subscriber behind it.
type receiver struct {
	mu       sync.Mutex
	messages []message
	// answer decides; nil: 200. A status of 0 is no answer (an error).
	answer func(m *message, attempt int) (status int, header http.Header)
	// hold, when not nil, is called before the answer.
	hold     func(ctx context.Context, m *message) error
	attempts map[string]int
}

func (r *receiver) RoundTrip(q *http.Request) (*http.Response, error) {
	raw, err := io.ReadAll(q.Body)
	if err != nil {
		return nil, err
	}
	m := message{id: q.Header.Get("webhook-id"), header: q.Header, body: raw, at: time.Now()}
	var envelope struct {
		Data engine.Published `json:"data"`
	}
	if err := json.Unmarshal(raw, &envelope); err != nil {
		return nil, err
	}
	m.event = envelope.Data
	if r.hold != nil {
		if err := r.hold(q.Context(), &m); err != nil {
			return nil, err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.attempts == nil {
		r.attempts = map[string]int{}
	}
	r.attempts[m.id]++
	status, header := http.StatusOK, http.Header{}
	if r.answer != nil {
		status, header = r.answer(&m, r.attempts[m.id])
	}
	m.status = status
	r.messages = append(r.messages, m)
	if status == 0 {
		return nil, errors.New("connection reset")
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(bytes.NewReader(nil)), Request: q}, nil
}

func (r *receiver) got() []message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]message{}, r.messages...)
}

// accepted returns the ids answered 2xx.
func (r *receiver) accepted() map[string]int {
	out := map[string]int{}
	for _, m := range r.got() {
		if m.status/100 == 2 {
			out[m.id]++
		}
	}
	return out
}

// node is an engine with subscriptions and a worker.
type node struct {
	*engine.Engine
	t      testing.TB
	store  *cuttable
	hooks  *webhook.Subscriptions
	worker *webhook.Worker
}

func openSQLite(t testing.TB, dir string) store.Store {
	s, err := sqlite.Open(context.Background(), dir, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func start(t testing.TB, s store.Store, r http.RoundTripper, opt webhook.Options) *node {
	cut := &cuttable{Store: s}
	e, err := engine.Open(context.Background(), cut, engine.Options{Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	e.Run()
	opt.Log = quiet
	if opt.Waits == nil {
		// Short ones: the engine's timers make every minute of a bubble cost real time.
		opt.Waits = []time.Duration{time.Second, 2 * time.Second, 4 * time.Second}
	}
	if opt.Jitter == nil {
		opt.Jitter = func() float64 { return 0 }
	}
	sender := webhook.NewSender(webhook.SenderOptions{AllowPrivate: true, Transport: r})
	n := &node{Engine: e, t: t, store: cut, hooks: webhook.NewSubscriptions(e, sender), worker: webhook.NewWorker(e, sender, opt)}
	n.worker.Run()
	return n
}

func (n *node) close() {
	n.worker.Stop()
	n.Engine.Close()
	n.Store().Close()
}

// crash ends the node without saving how far deliveries came.
func (n *node) crash() {
	n.store.cut.Store(true)
	n.close()
}

// cuttable is a store that can be made to refuse writes.
type cuttable struct {
	store.Store
	cut atomic.Bool
}

func (c *cuttable) Commit(ctx context.Context, b *store.Batch) error {
	if c.cut.Load() {
		return store.ErrUnavailable
	}
	return c.Store.Commit(ctx, b)
}

func (n *node) subscribe(s webhook.Settings) webhook.View {
	n.t.Helper()
	if s.URL == nil {
		s.URL = new("http://receiver.test/hooks")
	}
	r, err := n.hooks.Create(context.Background(), s, engine.Meta{Actor: "test"})
	if err != nil {
		n.t.Fatal(err)
	}
	return r.Value.(webhook.View)
}

const kindThing store.Kind = "thing"

// emit writes one event of a stream and returns nothing: its id follows from the log.
func (n *node) emit(stream string, types ...string) {
	n.t.Helper()
	if err := n.tryEmit(stream, types...); err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) tryEmit(stream string, types ...string) error {
	bucket := 0
	for _, c := range stream {
		bucket = (bucket + int(c)) % n.Store().Buckets()
	}
	key := store.Key{Bucket: bucket, Kind: kindThing, ID: stream}
	_, err := n.Submit(context.Background(), &engine.Command{Stream: key, Actor: "test", Decide: func(tx *engine.Tx) (*engine.Reply, error) {
		en := tx.Put(store.Record{Key: key, CreatedAt: tx.Now}, map[string]string{})
		events := []map[string]string{}
		for _, t := range types {
			events = append(events, map[string]string{"type": t})
		}
		return &engine.Reply{}, tx.Emit(key, en.Version, events, nil)
	}})
	return err
}

// events returns the ids of all events in the log.
func (n *node) events() []string {
	n.t.Helper()
	var ids []string
	at := make(engine.Cursor, n.Store().Buckets())
	for {
		page, next, err := n.Events(context.Background(), at, 1000, nil)
		if err != nil {
			n.t.Fatal(err)
		}
		for _, e := range page {
			ids = append(ids, e.ID)
		}
		if len(page) == 0 && next.String() == at.String() {
			return ids
		}
		at = next
	}
}

func (n *node) deliveries(id string, state webhook.State) []webhook.Delivery {
	n.t.Helper()
	found, _, err := n.hooks.Deliveries(context.Background(), id, state, "", 900)
	if err != nil {
		n.t.Fatal(err)
	}
	return found
}

// until waits in real time for something another goroutine does.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	limit := time.After(60 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatal("gave up waiting: " + what)
		}
	}
}

func name(i int) string { return fmt.Sprintf("s%d", i) }
