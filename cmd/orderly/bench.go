package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/orderly-oms/orderly/internal/auth"
	"github.com/orderly-oms/orderly/internal/bench"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/store"
)

type benchCommand struct {
	where     `embed:""`
	Kind      bench.Kind    `arg:"" help:"What to measure: ${kinds}."`
	Target    string        `help:"Server to measure. Default: one of its own, started on --data or --database, or on a temporary folder." placeholder:"URL"`
	Key       string        `help:"API key for --target." env:"ORDERLY_KEY"`
	Clients   int           `help:"Clients that ask and wait in turn." default:"64"`
	Duration  time.Duration `help:"How long to measure." default:"30s"`
	Requests  int64         `help:"End after so many operations (lifecycle: orders), if that is sooner; 0: no such limit." default:"0"`
	Positions int           `help:"Positions to work on; 0: availability 1000000, inventory and promise 100000, capture and lifecycle 50000." default:"0"`
	Profile   string        `help:"Loopback address on which the started server offers runtime profiles; empty: off." placeholder:"HOST:PORT"`
	Seed      uint64        `help:"What the random problems of plan and the seasons of stream are made from." default:"1"`
	Cases     string        `help:"Folder of instances for stream, one JSON file each." type:"existingdir" placeholder:"DIR"`
	Seasons   int           `help:"Seasons of each instance for stream." default:"3"`
	JSON      bool          `help:"Print the report on one line."`
}

// Run measures and prints the report as JSON. It writes orders and stock with ids
// that begin with "bench" into the store it measures, and leaves them there.
func (c *benchCommand) Run(ctx context.Context, m *Main) error {
	if c.Kind == bench.Plan {
		report, err := bench.Planning(ctx, bench.PlanOptions{Seed: c.Seed, Duration: c.Duration})
		if err != nil {
			return err
		}
		return c.print(m, report)
	}
	if c.Kind == bench.Stream {
		return c.stream(ctx, m)
	}
	if c.Target != "" && (c.Data != "" || c.Database != "") {
		return errors.New("--target measures a server that runs; --data and --database start one: give either")
	}
	o := bench.Options{
		Kind: c.Kind, Target: c.Target, Key: c.Key, Clients: c.Clients, Duration: c.Duration, Requests: c.Requests, Positions: c.Positions,
		Bare: func(ctx context.Context, body []byte) (string, func() error, error) {
			child, err := startChild(ctx, m.Stderr, bytes.NewReader(body), "bench-bare")
			if err != nil {
				return "", nil, err
			}
			return child.url, child.stop, nil
		},
	}
	if isTerminal(m.Stderr) {
		o.Progress = func(p bench.Progress) {
			fmt.Fprintf(m.Stderr, "%-16s %6.0fs %12d done %10.0f/s %8d errors\n", p.Phase, p.Elapsed.Seconds(), p.Done, p.PerSecond, p.ErrorCount)
		}
	}
	stop := func() error { return nil }
	if c.Target == "" {
		url, key, end, err := c.startServer(ctx, m)
		if err != nil {
			return err
		}
		o.Target, o.Key, stop = url, key, end
	}
	report, err := bench.Run(ctx, o)
	if err = errors.Join(err, stop()); err != nil {
		return err
	}
	switch {
	case c.Database != "":
		report.Store = "postgres"
	case c.Target == "":
		report.Store = "sqlite"
	}
	return c.print(m, report)
}

// stream runs the seasons of the cases, with a line that counts them on a terminal.
func (c *benchCommand) stream(ctx context.Context, m *Main) error {
	if c.Cases == "" {
		return errors.New("stream needs --cases, a folder of instances")
	}
	o := bench.StreamOptions{Cases: os.DirFS(c.Cases), Seasons: c.Seasons, Seed: c.Seed}
	if isTerminal(m.Stderr) {
		o.Progress = func(done, total int) { fmt.Fprintf(m.Stderr, "\rseason %d of %d", done, total) }
		defer fmt.Fprintln(m.Stderr)
	}
	report, err := bench.Streaming(ctx, o)
	if err != nil {
		return err
	}
	return c.print(m, report)
}

func (c *benchCommand) print(m *Main, report any) error {
	out := json.NewEncoder(m.Stdout)
	if !c.JSON {
		out.SetIndent("", "  ")
	}
	return out.Encode(report)
}

// startServer starts a server in a process of its own and returns how to reach
// and how to end it.
func (c *benchCommand) startServer(ctx context.Context, m *Main) (url, key string, stop func() error, err error) {
	w := c.where
	clean := func() error { return nil }
	if w.Data == "" && w.Database == "" {
		if w.Data, err = os.MkdirTemp("", "orderly-bench-"); err != nil {
			return "", "", nil, err
		}
		clean = func() error { return os.RemoveAll(w.Data) }
	}
	key, revoke, err := benchKey(ctx, w)
	if err != nil {
		return "", "", nil, errors.Join(err, clean())
	}
	args := []string{"serve", "--listen", "127.0.0.1:0", "--log-json"}
	if w.Database != "" {
		args = append(args, "--database", w.Database)
	} else {
		args = append(args, "--data", w.Data)
	}
	if c.Profile != "" {
		args = append(args, "--profile", c.Profile)
	}
	child, err := startChild(ctx, m.Stderr, nil, args...)
	if err != nil {
		return "", "", nil, errors.Join(err, revoke(), clean())
	}
	return child.url, key, func() error { return errors.Join(child.stop(), revoke(), clean()) }, nil
}

// benchKey makes a key for the run when the store has keys, because its server
// lets nobody in without. revoke takes it back; no server may run then.
func benchKey(ctx context.Context, w where) (token string, revoke func() error, err error) {
	revoke = func() error { return nil }
	err = withEngine(ctx, w, func(e *engine.Engine) error {
		keys, err := e.Store().Find(ctx, store.Query{Kind: engine.KindKey, State: "active", Limit: 1})
		if err != nil || len(keys) == 0 {
			return err
		}
		k, t, err := makeKey(ctx, e, "bench", []auth.Scope{auth.Admin}, 0)
		if err != nil {
			return err
		}
		token = t
		revoke = func() error {
			return withEngine(context.WithoutCancel(ctx), w, func(e *engine.Engine) error {
				k.RevokedAt = e.Now()
				return saveKey(context.WithoutCancel(ctx), e, &k, "api_key.revoked", "revoked")
			})
		}
		return nil
	})
	return token, revoke, err
}

// isTerminal reports whether somebody watches.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
