package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/orderly-oms/orderly/internal/api"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/partner/pay"
	"github.com/orderly-oms/orderly/internal/reassess/job"
	"github.com/orderly-oms/orderly/internal/store"
	"github.com/orderly-oms/orderly/internal/store/postgres"
	"github.com/orderly-oms/orderly/internal/store/sqlite"
	"github.com/orderly-oms/orderly/internal/webhook"
)

// where is a store: a folder or a database.
type where struct {
	Data     string `help:"Data folder (embedded SQLite)." env:"ORDERLY_DATA" placeholder:"DIR" xor:"store"`
	Database string `help:"PostgreSQL URL; several nodes may share it." env:"ORDERLY_DATABASE" placeholder:"URL" xor:"store"`
}

// open opens the store for writing, creating it when it does not exist.
func (w where) open(ctx context.Context) (store.Store, error) {
	switch {
	case w.Database != "":
		return postgres.Open(ctx, w.Database, postgres.Options{})
	case w.Data != "":
		return sqlite.Open(ctx, w.Data, sqlite.Options{})
	}
	return nil, errors.New("say where the store is: --data DIR or --database URL")
}

// openReadOnly opens the store for reading, beside a running server too.
func (w where) openReadOnly(ctx context.Context) (store.Store, error) {
	if w.Data != "" {
		return sqlite.OpenReadOnly(ctx, w.Data)
	}
	return w.open(ctx)
}

// Times of an HTTP connection. Bodies may be large and links slow, but a client
// that sends nothing must not hold a connection for ever.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 2 * time.Minute
	idleTimeout       = 2 * time.Minute
	drainTimeout      = 30 * time.Second
	maxHeaderBytes    = 64 << 10
)

// node is a running server: store, engine, API and listener.
type node struct {
	where    where
	store    store.Store
	engine   *engine.Engine
	api      *api.Server
	webhooks *webhook.Worker
	payments *pay.Worker
	// reassessments are made in processes of their own.
	reassessments *job.Worker
	http          *http.Server
	listener      net.Listener
	log           *slog.Logger
}

// startNode opens everything and listens, with an engine of the options, which name a log. Serve then answers. open lets
// requests without a key in; it is refused beyond loopback.
func startNode(ctx context.Context, w where, listen string, hooks webhookFlags, o engine.Options) (*node, error) {
	s, err := w.open(ctx)
	if err != nil {
		return nil, err
	}
	n := &node{where: w, store: s, log: o.Log}
	if err := n.start(ctx, listen, hooks, o); err != nil {
		s.Close()
		return nil, err
	}
	return n, nil
}

func (n *node) start(ctx context.Context, listen string, hooks webhookFlags, o engine.Options) error {
	keys, err := n.store.Find(ctx, store.Query{Kind: engine.KindKey, State: "active", Limit: 1})
	if err != nil {
		return err
	}
	open := len(keys) == 0
	if open && !loopback(listen) {
		return fmt.Errorf("there is no API key, so everyone who reaches %s could do everything: make a key with `orderly key create`, or listen on 127.0.0.1", listen)
	}
	o.Fatal = func(err error) {
		// What the device does with data already handed to it cannot be known, so
		// nothing may be decided on this memory any more, and nothing is flushed.
		n.log.Error("the store's device failed; ending at once so that nothing is answered that is not durable", "error", err)
		os.Exit(1)
	}
	n.engine, err = engine.Open(ctx, n.store, o)
	if err != nil {
		return err
	}
	subscriptions, worker := hooks.make(n.engine, n.log)
	jobs := job.New(n.engine)
	n.reassessments = job.NewWorker(jobs, makeInChild(n.where, os.Getenv("ORDERLY_REASSESS_WORK")), n.log)
	n.api = api.New(n.engine, api.Options{Open: open, Version: version(), Log: n.log, Webhooks: subscriptions, Reassessments: jobs})
	n.webhooks = worker
	worker.Register(n.api.Registry())
	n.payments = pay.NewWorker(n.engine, pay.Options{Log: n.log})
	n.payments.Register(n.api.Registry())
	n.http = &http.Server{
		Handler: n.api.Handler(), ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeaderBytes, ErrorLog: slog.NewLogLogger(n.log.Handler(), slog.LevelDebug),
	}
	n.listener, err = net.Listen("tcp", listen)
	return err
}

// loopback reports whether an address can only be reached from this machine.
func loopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// URL is where the node answers.
func (n *node) URL() string { return "http://" + n.listener.Addr().String() }

// serve answers until ctx ends, then finishes what was accepted.
func (n *node) serve(ctx context.Context) error {
	n.engine.Run()
	go relaxCollector(ctx)
	n.webhooks.Run()
	n.payments.Run()
	n.reassessments.Run()
	failed := make(chan error, 1)
	go func() { failed <- n.http.Serve(n.listener) }()
	select {
	case <-ctx.Done():
	case err := <-failed:
		n.close()
		return err
	}
	return n.close()
}

// close drains: no new connections, requests in flight are answered, commands
// accepted and the places of webhooks are committed, then the store is closed.
func (n *node) close() error {
	n.api.Drain()
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	err := n.http.Shutdown(ctx)
	n.webhooks.Stop()
	n.payments.Stop()
	n.reassessments.Stop()
	n.engine.Close()
	return errors.Join(err, n.store.Close())
}
