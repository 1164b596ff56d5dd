package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/policy"
)

type policyCommand struct {
	Check    policyCheck    `cmd:"" help:"Check policy files: schema, types, cost, rules that never decide. Exit code 1 on problems."`
	Test     policyTest     `cmd:"" help:"Check policy files and run their examples. Exit code 1 when one comes out differently."`
	Diff     policyDiff     `cmd:"" help:"Tell in which settings two policy files differ."`
	List     policyList     `cmd:"" help:"List the policies of a store or a running server."`
	Show     policyShow     `cmd:"" help:"Print a policy's document, or its history."`
	Publish  policyPublish  `cmd:"" help:"Save a policy file as the next version, or take one that is saved, and put it in force."`
	Rollback policyRollback `cmd:"" help:"Put the version in force that was before the present one."`
	Library  policyLibrary  `cmd:"" help:"List the ready policies and flows, or write them to a folder."`
	Draw     policyDraw     `cmd:"" help:"Draw a flow as SVG."`
	Migrate  policyMigrate  `cmd:"" help:"Take what is in flight from other versions of a flow to one."`
}

// policyFile is a document with the file it came from.
type policyFile struct {
	name, text string
}

// readPolicies reads files, and of folders every .yaml and .yml file in them; - is standard input.
func (m *Main) readPolicies(paths []string) ([]policyFile, error) {
	var out []policyFile
	read := func(path string) error {
		in := m.Stdin
		if path != "-" {
			f, err := os.Open(path)
			if err != nil {
				return err
			}
			defer f.Close()
			in = f
		}
		text, err := io.ReadAll(io.LimitReader(in, policy.MaxDocumentBytes+1))
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		out = append(out, policyFile{path, string(text)})
		return nil
	}
	for _, path := range paths {
		files := []string{path}
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			entries, err := os.ReadDir(path)
			if err != nil {
				return nil, err
			}
			files = nil
			for _, e := range entries {
				if ext := filepath.Ext(e.Name()); !e.IsDir() && (ext == ".yaml" || ext == ".yml") {
					files = append(files, filepath.Join(path, e.Name()))
				}
			}
			if len(files) == 0 {
				return nil, fmt.Errorf("%s holds no .yaml files", path)
			}
		}
		for _, f := range files {
			if err := read(f); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

type policyCheck struct {
	Files []string `arg:"" help:"Policy files, or folders of them; - is standard input."`
	JSON  bool     `help:"Print JSON Lines."`
}

// Run checks files.
func (c *policyCheck) Run(m *Main) error { return m.checkPolicies(c.Files, false, c.JSON) }

type policyTest struct {
	Files []string `arg:"" help:"Policy files, or folders of them; - is standard input."`
	JSON  bool     `help:"Print JSON Lines."`
}

// Run tests files.
func (c *policyTest) Run(m *Main) error { return m.checkPolicies(c.Files, true, c.JSON) }

func (m *Main) checkPolicies(paths []string, test, asJSON bool) error {
	files, err := m.readPolicies(paths)
	if err != nil {
		return err
	}
	failed := false
	for _, f := range files {
		check := engine.CheckPolicy(f.text, test)
		failed = failed || len(check.Problems) > 0
		if asJSON {
			line := struct {
				File string `json:"file"`
				engine.PolicyCheck
			}{f.name, check}
			if err := json.NewEncoder(m.Stdout).Encode(line); err != nil {
				return err
			}
			continue
		}
		m.printCheck(f.name, &check, test)
	}
	if failed {
		return errQuiet
	}
	return nil
}

// printCheck writes one line per finding, as compilers do.
func (m *Main) printCheck(file string, c *engine.PolicyCheck, test bool) {
	for _, p := range c.Problems {
		fmt.Fprintf(m.Stdout, "%s:%s\n", file, p)
	}
	for _, p := range c.Warnings {
		fmt.Fprintf(m.Stdout, "%s:%s, a warning\n", file, p)
	}
	passed := 0
	for _, x := range c.Examples {
		if x.OK {
			passed++
		}
	}
	switch {
	case test && c.Compiled != nil:
		fmt.Fprintf(m.Stdout, "%s: %d of %d examples came out as expected\n", file, passed, len(c.Examples))
	case len(c.Problems) == 0:
		fmt.Fprintf(m.Stdout, "%s: ok\n", file)
	}
}

type policyDiff struct {
	Before string `arg:"" help:"Policy file."`
	After  string `arg:"" help:"Policy file."`
	JSON   bool   `help:"Print JSON Lines."`
}

// Run compares two files.
func (c *policyDiff) Run(m *Main) error {
	var documents []any
	for _, path := range []string{c.Before, c.After} {
		files, err := m.readPolicies([]string{path})
		if err != nil {
			return err
		}
		if len(files) != 1 {
			return fmt.Errorf("%s: name one file", path)
		}
		d, err := engine.ParseDocument([]byte(files[0].text))
		if err != nil {
			return fmt.Errorf("%s:%w", path, err)
		}
		documents = append(documents, d)
	}
	for _, change := range policy.DiffOf(documents[0], documents[1]) {
		if c.JSON {
			if err := json.NewEncoder(m.Stdout).Encode(change); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintln(m.Stdout, change)
	}
	return nil
}

// policyName reads KIND/NAME.
func policyName(text string) (policy.Kind, string, error) {
	kind, name, ok := strings.Cut(text, "/")
	if kinds := engine.DocumentKinds(); !ok || !slices.Contains(kinds, policy.Kind(kind)) || name == "" {
		return "", "", fmt.Errorf("%q does not name a policy or a flow: write KIND/NAME, with a kind of %v", text, kinds)
	}
	return policy.Kind(kind), name, nil
}

type policyList struct {
	policyWhere `embed:""`
	JSON        bool `help:"Print JSON Lines."`
}

// Run lists policies.
func (c *policyList) Run(ctx context.Context, m *Main) error {
	return c.with(ctx, func(s policyStore) error {
		policies, err := s.list(ctx)
		if err != nil {
			return err
		}
		out := tabwriter.NewWriter(m.Stdout, 0, 4, 2, ' ', 0)
		if !c.JSON {
			fmt.Fprintln(out, "POLICY\tIN FORCE\tLATEST\tSAVED BY\tREASON")
		}
		for _, p := range policies {
			if c.JSON {
				if err := json.NewEncoder(m.Stdout).Encode(p); err != nil {
					return err
				}
				continue
			}
			last := p.Versions[len(p.Versions)-1]
			fmt.Fprintf(out, "%s/%s\t%s\t%d\t%s\t%s\n", p.Kind, p.Name, versionText(p.InForce), p.Latest, last.By, last.Reason)
		}
		return out.Flush()
	})
}

func versionText(n int64) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

type policyShow struct {
	policyWhere `embed:""`
	Policy      string `arg:"" help:"KIND/NAME, like sourcing/main."`
	Version     int64  `help:"Which version; default: the latest."`
	History     bool   `help:"Print versions and publications instead."`
	JSON        bool   `help:"Print JSON."`
}

// Run prints a document or a history.
func (c *policyShow) Run(ctx context.Context, m *Main) error {
	kind, name, err := policyName(c.Policy)
	if err != nil {
		return err
	}
	return c.with(ctx, func(s policyStore) error {
		if !c.History {
			v, err := s.version(ctx, kind, name, c.Version)
			if err != nil {
				return err
			}
			if c.JSON {
				return json.NewEncoder(m.Stdout).Encode(v)
			}
			_, err = io.WriteString(m.Stdout, v.Text)
			return err
		}
		p, err := s.get(ctx, kind, name)
		if err != nil {
			return err
		}
		if c.JSON {
			return json.NewEncoder(m.Stdout).Encode(p)
		}
		return m.printHistory(p)
	})
}

func (m *Main) printHistory(p *engine.PolicyView) error {
	out := tabwriter.NewWriter(m.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(out, "WHAT\tVERSION\tFROM\tBY\tAT\tREASON")
	for _, v := range p.Versions {
		fmt.Fprintf(out, "saved\t%d\t-\t%s\t%s\t%s\n", v.Version, v.By, v.At.UTC().Format(time.RFC3339), v.Reason)
	}
	for _, x := range p.Publications {
		what := "published"
		switch {
		case x.Dropped:
			what = "dropped"
		case x.Rollback:
			what = "rolled back"
		}
		fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\n", what, versionText(x.Version), x.From.UTC().Format(time.RFC3339), x.By, x.At.UTC().Format(time.RFC3339), x.Reason)
	}
	return out.Flush()
}

type policyPublish struct {
	policyWhere `embed:""`
	Policy      string    `arg:"" help:"Policy file to save and publish, or KIND/NAME of one that is saved."`
	Version     int64     `help:"With KIND/NAME: which version; default: the latest."`
	At          time.Time `help:"From when on it is in force; default: now." format:"2006-01-02T15:04:05Z07:00" placeholder:"TIME"`
	Reason      string    `help:"Why, for the history."`
	Draft       bool      `help:"Only save the file; put nothing in force."`
	JSON        bool      `help:"Print JSON."`
}

// Run publishes.
func (c *policyPublish) Run(ctx context.Context, m *Main) error {
	kind, name, notName := policyName(c.Policy)
	text := ""
	if _, err := os.Stat(c.Policy); err == nil || notName != nil {
		files, err := m.readPolicies([]string{c.Policy})
		if err != nil {
			return errors.Join(err, notName)
		}
		if len(files) != 1 || c.Version != 0 {
			return errors.New("name one file, and no version: the file becomes the next one")
		}
		check := engine.CheckPolicy(files[0].text, !c.Draft)
		if len(check.Problems) > 0 {
			m.printCheck(c.Policy, &check, !c.Draft)
			return errQuiet
		}
		kind, name, text = check.Kind, check.Name, files[0].text
	} else if c.Draft {
		return errors.New("--draft goes with a file")
	}
	return c.with(ctx, func(s policyStore) error {
		var p *engine.PolicyView
		var err error
		if text != "" {
			if p, err = s.save(ctx, kind, name, text, c.Reason); err != nil {
				return err
			}
		}
		if !c.Draft {
			n := engine.Publish{Version: c.Version, At: c.At, Reason: c.Reason}
			if p != nil {
				n.Version = p.Latest
			}
			if p, err = s.publish(ctx, kind, name, n); err != nil {
				return err
			}
		}
		return m.printStanding(p, c.JSON)
	})
}

// printStanding says what is in force and what is ahead.
func (m *Main) printStanding(p *engine.PolicyView, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(m.Stdout).Encode(p)
	}
	standing := fmt.Sprintf("version %d of %d is in force", p.InForce, p.Latest)
	if p.InForce == 0 {
		standing = fmt.Sprintf("no version is in force; the latest is %d", p.Latest)
	}
	fmt.Fprintf(m.Stdout, "%s/%s: %s\n", p.Kind, p.Name, standing)
	for _, x := range p.Publications {
		if !x.Dropped && x.From.After(x.At) {
			fmt.Fprintf(m.Stdout, "  version %s from %s\n", versionText(x.Version), x.From.UTC().Format(time.RFC3339))
		}
	}
	return nil
}

type policyRollback struct {
	policyWhere `embed:""`
	Policy      string `arg:"" help:"KIND/NAME, like sourcing/main."`
	Reason      string `help:"Why, for the history."`
	JSON        bool   `help:"Print JSON."`
}

// Run rolls back.
func (c *policyRollback) Run(ctx context.Context, m *Main) error {
	kind, name, err := policyName(c.Policy)
	if err != nil {
		return err
	}
	return c.with(ctx, func(s policyStore) error {
		p, err := s.rollback(ctx, kind, name, c.Reason)
		if err != nil {
			return err
		}
		return m.printStanding(p, c.JSON)
	})
}
