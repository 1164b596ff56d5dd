package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/money"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/reassess"
	"github.com/orderly-oms/orderly/internal/reassess/job"
	"github.com/orderly-oms/orderly/internal/reassess/report"
	"github.com/orderly-oms/orderly/internal/replay"
)

type reassessCommand struct {
	Run     reassessRun     `cmd:"" default:"withargs" help:"Replay a history with the rules in force and with others, and compare."`
	Init    reassessInit    `cmd:"" help:"Write an example folder of CSV files, for --csv."`
	Convert reassessConvert `cmd:"" help:"Write such a folder from what another system exports."`
	Tune    reassessTune    `cmd:"" help:"Search for better settings of policies, and confirm them on days that the search has not seen."`
	Job     reassessJob     `cmd:"" hidden:""`
}

type reassessRun struct {
	historySource `embed:""`
	Candidate     []string `help:"Policies to compare with those in force, like NAME=FILE or NAME=FILE,FILE; may be repeated." sep:"none" placeholder:"NAME=FILE"`
	Scenario      []string `help:"Scenario file (YAML or JSON): other policies, network, rates, demand; may be repeated." type:"existingfile" sep:"none" placeholder:"FILE"`
	Baseline      []string `help:"Policies that the rules' worth is measured against; default: what is pinned in the store, else the library's nearest." type:"existingfile" sep:"none" placeholder:"FILE"`
	From          string   `help:"First day of the orders that count, like 2026-11-01, or a time as in RFC 3339; default: the whole history." placeholder:"DAY"`
	Until         string   `help:"Day after the last." placeholder:"DAY"`
	Seed          uint64   `help:"Of what is drawn; the same seed gives the same report." default:"1"`
	Level         float64  `help:"How sure intervals are, 0.5 to 0.999." default:"0.95"`
	TouchCost     string   `help:"What a minute of a person's work costs, in the history's currency, like 0.50." placeholder:"AMOUNT"`
	NoWatch       bool     `help:"Leave out looking for drift of the rules in force."`
	Threads       int      `help:"Processors to use; default: all. One leaves the others to a server beside it." placeholder:"N"`
	HTML          string   `help:"Write the report as one HTML file." placeholder:"FILE"`
	JSONFile      string   `help:"Write the report as JSON; - is standard output, instead of the summary." name:"json" placeholder:"FILE"`
}

// Run reassesses. It may be interrupted and run again: what was read of the log and replayed is kept.
func (c *reassessRun) Run(ctx context.Context, m *Main) error {
	if c.Threads > 0 {
		runtime.GOMAXPROCS(c.Threads)
	}
	go relaxCollector(ctx)
	request, err := c.request()
	if err != nil {
		return err
	}
	progress, done := reassessProgress(m.Stderr)
	defer done()
	h, err := c.open(ctx, progress)
	if err != nil {
		return interrupted(ctx, err)
	}
	if c.TouchCost != "" {
		if request.TouchMinute, err = money.Parse(c.TouchCost, h.header.Currency); err != nil {
			return fmt.Errorf("--touch-cost: %w", err)
		}
		if request.TouchMinute == 0 {
			request.TouchMinute = -1 // nothing, and not the default
		}
	}
	r, err := assess(ctx, h, request, progress)
	done()
	if err != nil {
		return interrupted(ctx, err)
	}
	return c.write(m, r)
}

// interrupted says of a command that was stopped that it goes on when it is run again.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errors.New("interrupted; run the same command again, and it goes on where it was")
	}
	return err
}

// assess makes the report of a request.
func assess(ctx context.Context, h *openedHistory, r *job.Request, progress func(job.Progress)) (*reassess.Report, error) {
	clock := newPace(progress)
	o := reassess.Options{
		Replay: replay.Options{From: r.From, Until: r.Until, Seed: r.Seed, Progress: clock.orders, Parallel: runtime.GOMAXPROCS(0)},
		Level:  r.Level, TouchMinute: cmp.Or(r.TouchMinute, h.minute), Baseline: cmp.Or(r.Baseline, h.baseline), Watch: !r.NoWatch, Now: time.Now(),
		Run: job.Cache(h.runs, version(), replay.Run), LeastCost: reassess.LeastCost,
	}
	return reassess.Assess(ctx, h.open, replay.Scenario{}, r.Candidates, o)
}

// request is what the flags ask for.
func (c *reassessRun) request() (*job.Request, error) {
	r := &job.Request{Seed: c.Seed, Level: c.Level, NoWatch: c.NoWatch}
	var err error
	if r.From, err = day("--from", c.From); err != nil {
		return nil, err
	}
	if r.Until, err = day("--until", c.Until); err != nil {
		return nil, err
	}
	for _, text := range c.Candidate {
		name, files, ok := strings.Cut(text, "=")
		if !ok || name == "" || files == "" {
			return nil, fmt.Errorf("--candidate %s: write NAME=FILE, or NAME=FILE,FILE", text)
		}
		s, err := policies(name, strings.Split(files, ","))
		if err != nil {
			return nil, fmt.Errorf("--candidate %s: %w", name, err)
		}
		r.Candidates = append(r.Candidates, *s)
	}
	for _, file := range c.Scenario {
		s, err := readScenario(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		r.Candidates = append(r.Candidates, *s)
	}
	if len(c.Baseline) > 0 {
		if r.Baseline, err = policies("baseline", c.Baseline); err != nil {
			return nil, fmt.Errorf("--baseline: %w", err)
		}
	}
	return r, r.Check()
}

// day reads a day or a time.
func day(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("%s %s: write a day like 2026-11-01, or a time like 2026-11-01T09:00:00Z", flag, text)
}

func policies(name string, files []string) (*replay.Scenario, error) {
	s := &replay.Scenario{Name: name}
	for _, f := range files {
		text, err := readLimited(f, policy.MaxDocumentBytes)
		if err != nil {
			return nil, err
		}
		s.Policies = append(s.Policies, text)
	}
	return s, nil
}

// readScenario reads a file; files that it names are found from its folder.
func readScenario(file string) (*replay.Scenario, error) {
	text, err := readLimited(file, job.MaxScenarioBytes)
	if err != nil {
		return nil, err
	}
	name := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	return job.ParseScenario([]byte(text), name, func(other string) (string, error) {
		if !filepath.IsAbs(other) {
			other = filepath.Join(filepath.Dir(file), other)
		}
		return readLimited(other, policy.MaxDocumentBytes)
	})
}

func readLimited(file string, limit int64) (string, error) {
	info, err := os.Stat(file)
	if err != nil {
		return "", err
	}
	if info.Size() > limit {
		return "", fmt.Errorf("%s has %d bytes; at most %d are read", file, info.Size(), limit)
	}
	text, err := os.ReadFile(file)
	return string(text), err
}

// write prints the summary and writes the files.
func (c *reassessRun) write(m *Main, r *reassess.Report) error {
	if c.HTML != "" {
		f, err := os.Create(c.HTML)
		if err != nil {
			return err
		}
		if err := errors.Join(report.HTML(f, r), f.Close()); err != nil {
			return err
		}
	}
	if c.JSONFile == "" {
		return report.Text(m.Stdout, r)
	}
	body, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	body = append(body, '\n')
	if c.JSONFile == "-" {
		_, err = m.Stdout.Write(body)
		return err
	}
	if err := os.WriteFile(c.JSONFile, body, 0o644); err != nil {
		return err
	}
	return report.Text(m.Stdout, r)
}
