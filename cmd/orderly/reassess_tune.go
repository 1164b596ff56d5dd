package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/orderly-oms/orderly/internal/money"
	"github.com/orderly-oms/orderly/internal/reassess/job"
	"github.com/orderly-oms/orderly/internal/reassess/tune"
	"github.com/orderly-oms/orderly/internal/replay"
)

type reassessTune struct {
	historySource `embed:""`
	Policy        []string      `help:"Policies whose settings are searched, those in force now; may be repeated." type:"existingfile" sep:"none" required:"" placeholder:"FILE"`
	Knobs         string        `help:"YAML file that lists settings and the values they may have." type:"existingfile" required:"" placeholder:"FILE"`
	Out           string        `help:"Folder for the drafts." default:"." type:"existingdir" placeholder:"DIR"`
	Middle        string        `help:"Day on which training ends and the held-out days begin; default: after two thirds." placeholder:"DAY"`
	Time          time.Duration `help:"How long to search." default:"10m"`
	Most          int           `help:"How many settings to try at most." default:"200"`
	LeastKept     float64       `help:"By how many points promises kept may fall." default:"0.5"`
	Seed          uint64        `help:"The same seed tries the same settings." default:"1"`
	Threads       int           `help:"Processors to use; default: all." placeholder:"N"`
}

// Run searches. It may be stopped and run again: what was tried is kept in a journal beside the history.
func (c *reassessTune) Run(ctx context.Context, m *Main) error {
	if c.Threads > 0 {
		runtime.GOMAXPROCS(c.Threads)
	}
	go relaxCollector(ctx)
	o := tune.Options{Seed: c.Seed, Most: c.Most, LeastKept: c.LeastKept, Parallel: runtime.GOMAXPROCS(0), Run: replay.Run}
	for _, file := range c.Policy {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		o.Policies = append(o.Policies, string(text))
	}
	var err error
	if o.Knobs, err = readKnobs(c.Knobs); err != nil {
		return err
	}
	if o.Middle, err = day("--middle", c.Middle); err != nil {
		return err
	}
	progress, done := reassessProgress(m.Stderr)
	defer done()
	h, err := c.open(ctx, progress)
	if err != nil {
		return interrupted(ctx, err)
	}
	if o.Journal, err = c.journal(h); err != nil {
		return err
	}
	end := time.Now().Add(c.Time)
	o.Deadline = func() bool { return time.Now().After(end) }
	if progress != nil {
		o.Progress = func(tried, of int) {
			progress(job.Progress{Part: "settings", Done: int64(tried), Of: int64(of)})
		}
	}
	out, err := tune.Search(ctx, h.open, o)
	done()
	if err != nil {
		return interrupted(ctx, err)
	}
	digits, _ := money.Exponent(h.header.Currency)
	tune.Text(m.Stdout, out, h.header.Currency, digits)
	return c.drafts(m, out, h.header.Currency, digits)
}

// journal is kept beside the history; its lines say which history and program they are of.
func (c *reassessTune) journal(h *openedHistory) (tune.Journal, error) {
	dir, err := c.folder()
	if err != nil {
		return nil, err
	}
	of := fmt.Sprintf("%s %s %d %v", version(), h.header.Origin, h.header.Orders, h.header.Cursors)
	return tune.OpenFile(filepath.Join(dir, "tune.jsonl"), of)
}

// drafts writes the policies that were changed, with their evidence as comments.
func (c *reassessTune) drafts(m *Main, out *tune.Outcome, currency string, digits int) error {
	if !out.Proven {
		_, err := fmt.Fprintf(m.Stdout, "\nNo draft: %s.\n", out.Why)
		return err
	}
	var evidence bytes.Buffer
	tune.Text(&evidence, out, currency, digits)
	comment := "# " + strings.ReplaceAll(strings.TrimSpace(evidence.String()), "\n", "\n# ")
	for i, text := range out.Draft {
		if was, err := os.ReadFile(c.Policy[i]); err == nil && string(was) == text {
			continue // no knob of it was turned
		}
		name := strings.TrimSuffix(filepath.Base(c.Policy[i]), filepath.Ext(c.Policy[i])) + ".tuned.yaml"
		file := filepath.Join(c.Out, name)
		if err := os.WriteFile(file, []byte(strings.ReplaceAll(comment, "\n# \n", "\n#\n")+"\n"+text), 0o644); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(m.Stdout, "wrote %s; look at it, test it with 'orderly policy test', then publish it with 'orderly policy publish'\n", file); err != nil {
			return err
		}
	}
	return nil
}

func readKnobs(file string) ([]tune.Knob, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var doc struct {
		Knobs []tune.Knob `yaml:"knobs"`
	}
	in := yaml.NewDecoder(bytes.NewReader(text))
	in.KnownFields(true)
	if err := in.Decode(&doc); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return doc.Knobs, nil
}
