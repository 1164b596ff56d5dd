package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/auth"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/sim"
	"github.com/orderly-oms/orderly/internal/store"
)

const (
	// demoWeeks is how long before now a demo without end begins, demoTailWeeks how long before
	// now the last shopper of one with an end comes: what was ordered has to arrive.
	demoWeeks     = 26
	demoTailWeeks = 3
	// demoSnapshots is how often what was learned is persisted, by the retailer's clock, and demoLearns
	// how often the log is looked at, real time: hours of the retailer's life as well.
	demoSnapshots = 3 * time.Hour
	demoLearns    = 500 * time.Millisecond
)

type demoCommand struct {
	where  `embed:""`
	Listen string   `help:"Loopback address to listen on; port 0: any free one." default:"127.0.0.1:0" placeholder:"HOST:PORT"`
	Orders int      `help:"End with a report when so many orders are placed and have come to their end; 0: go on until Ctrl-C." default:"0"`
	PerDay float64  `help:"Orders a day of the retailer's life, on average over a week." default:"400"`
	Seed   uint64   `help:"Repeats the retailer, the shoppers and the partners' choices." default:"1"`
	Speed  *float64 `help:"How much faster than life the clock of server, partners and shoppers runs at most: 3600 lets a second stand for an hour. Default: 3600; with --orders 36000, and hours in which nothing happens are skipped."`
	// Baseline is a pointer to tell whether it was asked for.
	Baseline *bool `help:"After a run with --orders, send the same shoppers to a fresh temporary store where the nearest location ships, and compare. Default: with --orders." negatable:""`
	JSON     bool  `help:"Print the report as JSON."`
}

// Run creates the retailer, starts the server with partners and shoppers, and
// prints the report when all orders are settled or ctx ends. Exit code 1 when the server's
// books and those of the partners disagree, or a request failed on the server's side.
func (c *demoCommand) Run(ctx context.Context, m *Main) (err error) {
	report, err := c.measure(ctx, m)
	if err != nil {
		return err
	}
	if err = c.print(m.Stdout, report); err == nil && !report.OK {
		err = errQuiet
	}
	return err
}

// measure runs the demo, and the baseline when it is to be compared.
func (c *demoCommand) measure(ctx context.Context, m *Main) (*sim.Report, error) {
	report, err := c.once(ctx, m, c.where, c.options())
	if err != nil || !c.compares() || report.Interrupted {
		return report, err
	}
	o := c.options()
	o.Nearest = true
	nearest, err := c.once(ctx, m, where{}, o)
	if err == nil && nearest.Interrupted {
		report.Notes = append(report.Notes, "stopped before the nearest rule had run: nothing to compare with")
		return report, nil
	}
	if err == nil {
		report.Compare(nearest)
	}
	return report, err
}

// compares reports whether a baseline is wanted. A run without end has none.
func (c *demoCommand) compares() bool {
	if c.Baseline != nil {
		return *c.Baseline && c.Orders > 0
	}
	return c.Orders > 0
}

// once starts a server on a store, a temporary one unless it is named, and runs on it.
func (c *demoCommand) once(ctx context.Context, m *Main, w where, o sim.Options) (report *sim.Report, err error) {
	if w.Data == "" && w.Database == "" {
		if w.Data, err = os.MkdirTemp("", "orderly-demo-"); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(w.Data)) }()
	}
	clock, err := c.clock(ctx, w)
	if err != nil {
		return nil, err
	}
	o.Clock = clock
	options := engine.Options{
		Clock: clock.Now, SnapshotInterval: demoSnapshots, LearnInterval: demoLearns,
		Log: slog.New(slog.NewTextHandler(m.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	err = withEngineOf(ctx, w, engine.Options{Clock: clock.Now, Log: slog.New(slog.DiscardHandler)}, func(e *engine.Engine) error {
		_, token, err := makeKey(ctx, e, "demo", []auth.Scope{auth.Admin}, 0)
		o.Key = token
		return err
	})
	if err != nil {
		return nil, err
	}
	n, err := startNode(ctx, w, c.Listen, webhookFlags{Attempts: 10, AllowPrivate: true}, options)
	if err != nil {
		return nil, err
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx)) // the report needs the server when ctx has ended
	stopped := make(chan error, 1)
	go func() { stopped <- n.serve(serving) }()
	o.Target = n.URL()
	report, err = c.run(ctx, m, o)
	stop()
	return report, errors.Join(err, <-stopped)
}

// clock makes the retailer's clock. It begins on a Monday so long ago that the run ends about now, or goes on where the
// log of the store ends: what is decided next must not lie before what was decided last.
func (c *demoCommand) clock(ctx context.Context, w where) (*sim.Clock, error) {
	s, err := w.open(ctx)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	last, err := newest(ctx, s)
	if err != nil {
		return nil, err
	}
	begin := demoBegin(time.Now(), c.Orders, c.PerDay)
	if after := last.Add(time.Millisecond); !last.IsZero() {
		begin = after
	}
	return sim.NewClock(begin, time.Now), nil
}

// demoBegin is when a run on a new store begins: Monday at five, in winter six by the clocks of the
// country, with the weeks of the run and some more until now. A run without end has half a year to catch up with.
func demoBegin(now time.Time, orders int, perDay float64) time.Time {
	weeks := demoWeeks
	if orders > 0 {
		weeks = demoTailWeeks + int(math.Ceil(float64(orders)/max(perDay, 1)/7))
	}
	day := now.UTC().AddDate(0, 0, -int(now.UTC().Weekday()+6)%7-7*weeks)
	return time.Date(day.Year(), day.Month(), day.Day(), 5, 0, 0, 0, time.UTC)
}

// newest is the time of the last row of a store's log; zero: it has none.
func newest(ctx context.Context, s store.Store) (at time.Time, err error) {
	heads, err := s.Heads(ctx)
	if err != nil {
		return at, err
	}
	for bucket, head := range heads {
		rows, err := s.Log(ctx, bucket, head-1, 1)
		if err != nil {
			return at, err
		}
		for i := range rows {
			if rows[i].Time.After(at) {
				at = rows[i].Time
			}
		}
	}
	return at, nil
}

// options fills in what depends on --orders: a run with an end hurries, one without is to be watched.
func (c *demoCommand) options() sim.Options {
	o := sim.Options{Seed: c.Seed, Orders: c.Orders, PerDay: c.PerDay, Speed: sim.DefaultSpeed}
	if c.Orders > 0 {
		o.Speed, o.Skip = sim.HurriedSpeed, true
	}
	if c.Speed != nil {
		o.Speed, o.Skip = *c.Speed, false
	}
	return o
}

// run says where the server is and runs, with a live summary when somebody watches.
func (c *demoCommand) run(ctx context.Context, m *Main, o sim.Options) (*sim.Report, error) {
	out := m.Stdout
	if c.JSON {
		out = m.Stderr // standard output is for the report
	}
	what := "Orderly demo"
	if o.Nearest {
		what = "The same shoppers, the nearest location ships"
	}
	fmt.Fprintf(out, "%s: 3 DCs, 40 stores, 2,000 SKUs in Germany, seed %d\n\n  address  %s\n  API key  %s\n\n", what, o.Seed, o.Target, o.Key)
	if isTerminal(out) {
		s := &screen{out: out}
		o.Progress = s.draw
		defer fmt.Fprintln(out)
	}
	return sim.Run(ctx, o)
}

func (c *demoCommand) print(w io.Writer, r *sim.Report) error {
	if !c.JSON {
		return r.Write(w)
	}
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	return out.Encode(r)
}

// screen redraws a block of lines in its place.
type screen struct {
	out   io.Writer
	lines int // drawn before
}

// draw writes the status over the one before.
func (s *screen) draw(status sim.Status) {
	var b strings.Builder
	if s.lines > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", s.lines)
	}
	lines := status.Lines()
	for _, l := range lines {
		b.WriteString("\r" + l + "\x1b[K\n")
	}
	s.lines = len(lines)
	io.WriteString(s.out, b.String())
}
