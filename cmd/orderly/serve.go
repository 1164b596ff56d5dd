package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	_ "net/http/pprof" // served on --profile only
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
)

type serveCommand struct {
	where         `embed:""`
	Listen        string       `help:"Address to listen on." default:"127.0.0.1:8080" env:"ORDERLY_LISTEN" placeholder:"HOST:PORT"`
	LogJSON       bool         `help:"Write the log as JSON." env:"ORDERLY_LOG_JSON"`
	Verbose       bool         `help:"Log debug messages too." env:"ORDERLY_VERBOSE"`
	Webhook       webhookFlags `embed:"" prefix:"webhook-"`
	ReassessDaily bool         `help:"Reassess the last eight weeks once a day, to watch the rules in force for drift." env:"ORDERLY_REASSESS_DAILY"`
	Profile       string       `help:"Loopback address to serve runtime profiles (pprof) on; empty: off." env:"ORDERLY_PROFILE" placeholder:"HOST:PORT"`
}

// Run serves until SIGTERM or SIGINT.
func (c *serveCommand) Run(ctx context.Context, m *Main) error {
	level := slog.LevelInfo
	if c.Verbose {
		level = slog.LevelDebug
	}
	options := &slog.HandlerOptions{Level: level}
	var handler slog.Handler = slog.NewTextHandler(m.Stderr, options)
	if c.LogJSON {
		handler = slog.NewJSONHandler(m.Stderr, options)
	}
	log := slog.New(handler)
	if c.Profile != "" {
		if !loopback(c.Profile) {
			return fmt.Errorf("--profile %s: profiles are served on a loopback address only", c.Profile)
		}
		go http.ListenAndServe(c.Profile, nil)
	}
	start := time.Now()
	n, err := startNode(ctx, c.where, c.Listen, c.Webhook, engine.Options{Log: log})
	if err != nil {
		return err
	}
	if c.ReassessDaily {
		n.reassessments.EveryDay()
	}
	log.Info("ready", "url", n.URL(), "positions", n.engine.Book().Len(), "skus", n.engine.Catalog().Len(), "start", time.Since(start).Round(time.Millisecond).String())
	err = n.serve(ctx)
	log.Info("stopped", "error", err)
	return err
}
