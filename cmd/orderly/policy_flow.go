package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/flow"
	"github.com/orderly-oms/orderly/internal/policy"
)

type policyDraw struct {
	File string `arg:"" help:"Flow file; - is standard input."`
	Out  string `help:"File to write; default: standard output." short:"o" placeholder:"FILE"`
}

// Run draws a flow. Counts are with a server: /v1/flows/{subject}/{name}/diagram.svg.
func (c *policyDraw) Run(m *Main) error {
	files, err := m.readPolicies([]string{c.File})
	if err != nil {
		return err
	}
	if len(files) != 1 {
		return fmt.Errorf("%s: name one file", c.File)
	}
	check := engine.CheckPolicy(files[0].text, false)
	if len(check.Problems) > 0 {
		m.printCheck(c.File, &check, false)
		return errQuiet
	}
	f := flow.Of(check.Compiled)
	if f == nil {
		return fmt.Errorf("%s: only flows can be drawn; this is of kind %s", c.File, check.Kind)
	}
	picture := flow.Diagram(f, nil)
	if c.Out != "" {
		return os.WriteFile(c.Out, picture, 0o644)
	}
	_, err = m.Stdout.Write(picture)
	return err
}

type policyMigrate struct {
	policyWhere `embed:""`
	Flow        string            `arg:"" help:"KIND/NAME of a flow, like order_flow/web."`
	Version     int64             `help:"Which version they go to; default: the one in force."`
	From        string            `help:"Another flow of the same subject that they come from." placeholder:"NAME"`
	Map         map[string]string `help:"Where a state goes that the version has not: OLD=NEW, several with a semicolon between." placeholder:"OLD=NEW"`
	DryRun      bool              `help:"Check the mapping and count; move nothing."`
	JSON        bool              `help:"Print JSON Lines, one for each page."`
}

// Run migrates page after page until all orders were looked at. It can be broken off and run again.
func (c *policyMigrate) Run(ctx context.Context, m *Main) error {
	kind, name, err := policyName(c.Flow)
	if err != nil {
		return err
	}
	if flow.SubjectOf(kind) == "" {
		return fmt.Errorf("%s is no flow", c.Flow)
	}
	r := engine.MigrateRequest{Version: c.Version, From: c.From, Mapping: c.Map, DryRun: c.DryRun, Limit: engine.MaxMigrationPage}
	return c.with(ctx, func(s policyStore) error {
		var looked, moved, failed int64
		var out *engine.Migrated
		for {
			if out, err = s.migrate(ctx, kind, name, &r); err != nil {
				return err
			}
			looked, moved, failed = looked+out.Looked, moved+out.Moved, failed+out.Failed
			if c.JSON {
				if err := json.NewEncoder(m.Stdout).Encode(out); err != nil {
					return err
				}
			}
			if r.Cursor = out.Next; out.Next == "" {
				break
			}
		}
		if !c.JSON {
			m.printMigration(out, looked, moved)
		}
		if failed > 0 {
			return errors.New(fmt.Sprint(failed, " orders could not be moved; the first: ", out.Reason))
		}
		return nil
	})
}

func (m *Main) printMigration(out *engine.Migrated, looked, moved int64) {
	table := tabwriter.NewWriter(m.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "FROM\tSTATE\tTO\tAS COUNTED")
	for _, x := range out.States {
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\n", x.From, x.State, x.To, x.Count)
	}
	table.Flush()
	if out.DryRun {
		fmt.Fprintf(m.Stdout, "every state has its place in %s; nothing was moved\n", out.To)
		return
	}
	fmt.Fprintf(m.Stdout, "%d of %d orders were moved to %s\n", moved, looked, out.To)
}

func (l localPolicies) migrate(ctx context.Context, kind policy.Kind, name string, r *engine.MigrateRequest) (*engine.Migrated, error) {
	out, err := l.e.MigrateFlow(ctx, kind, name, r, operator)
	return out, named(err, kind, name)
}

func (r *remotePolicies) migrate(ctx context.Context, kind policy.Kind, name string, q *engine.MigrateRequest) (*engine.Migrated, error) {
	out := new(engine.Migrated)
	return out, r.do(ctx, "POST", "/v1/flows"+policyPath(policy.Kind(flow.SubjectOf(kind)), name)+"/migrations", q, out)
}
