package main

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"

	"github.com/orderly-oms/orderly/internal/bench"
)

// maxBareBytes bounds the answer that the bare server gives.
const maxBareBytes = 16 << 20

// benchBareCommand is what bench starts to compare availability with: net/http
// with the settings of serve, that writes the bytes of its standard input.
type benchBareCommand struct{}

// Run serves on a free port of the loopback until SIGTERM.
func (benchBareCommand) Run(ctx context.Context, m *Main) error {
	body, err := io.ReadAll(io.LimitReader(m.Stdin, maxBareBytes))
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler: bench.Bare(body), ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
	}
	slog.New(slog.NewJSONHandler(m.Stderr, nil)).Info("ready", "url", "http://"+listener.Addr().String())
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return server.Close()
	}
}
