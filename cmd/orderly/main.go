// Command orderly is the order management system: the server, its demo and the
// tools to operate, audit and measure it. Run it with --help, or a command with --help.
//
// Exit codes: 0 done; 1 the command ran and found or met something wrong;
// 2 it was called wrongly.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/orderly-oms/orderly/internal/auth"
	"github.com/orderly-oms/orderly/internal/bench"
	"github.com/orderly-oms/orderly/internal/intake"
)

// Main is the program with its surroundings, so that tests can run it.
type Main struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// commands is the command line. Each command is a struct with a Run method in a
// file of its own.
type commands struct {
	Demo      demoCommand      `cmd:"" help:"Run a synthetic retailer with its partners and shoppers."`
	Serve     serveCommand     `cmd:"" help:"Run a node."`
	Plan      planCommand      `cmd:"" help:"Plan cases from standard input, without a store; exit code 1 when a line was no case."`
	Import    importCommand    `cmd:"" help:"Load reference data, stock, or orders of another platform from files."`
	Export    exportCommand    `cmd:"" help:"Write reference data, stock or orders as files."`
	Key       keyCommand       `cmd:"" help:"Make, list and revoke API keys."`
	Bench     benchCommand     `cmd:"" help:"Measure throughput and latency of a server, or of planning."`
	BenchBare benchBareCommand `cmd:"" hidden:""`
	Verify    verifyCommand    `cmd:"" help:"Audit a store, also beside a running server; exit code 1 on a violation."`
	Simulate  simulateCommand  `cmd:"" help:"Simulate whole lives of a retailer under faults and check every invariant; exit code 1 on a violation."`
	Reconcile reconcileCommand `cmd:"" help:"Compare the books with a payment provider's report of a day; exit code 1 when they differ."`
	Sandbox   sandboxCommand   `cmd:"" help:"Play a payment provider to test against, which can misbehave."`
	Policy    policyCommand    `cmd:"" help:"Check, test, compare, publish and roll back policies."`
	ROI       roiCommand       `cmd:"" name:"roi" help:"Say what deciding was worth in a month against the pinned baseline."`
	Reassess  reassessCommand  `cmd:"" help:"Replay history against other rules, and answer with numbers whether those in force are right."`
	Migrate   migrateCommand   `cmd:"" help:"Bring a store's schema up to this version."`
	Version   versionCommand   `cmd:"" help:"Print the version."`

	Config kong.ConfigFlag `help:"JSON file with flag values, like {\"serve\":{\"listen\":\":8080\"}}." env:"ORDERLY_CONFIG" placeholder:"FILE"`
}

func main() {
	m := &Main{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(m.Run(ctx, os.Args[1:]))
}

// errQuiet ends a command with exit code 1 without another message: it has said what is wrong.
var errQuiet = errors.New("")

// Run parses arguments, runs the command until it is done or ctx ends, and returns the exit code.
func (m *Main) Run(ctx context.Context, args []string) int {
	var c commands
	exited := -1
	parser, err := kong.New(&c,
		kong.Name("orderly"),
		kong.Description("Order management: what to promise, who fulfils, and what happens next."),
		kong.UsageOnError(),
		kong.Writers(m.Stdout, m.Stderr),
		kong.Exit(func(code int) { exited = code }),
		kong.Configuration(kong.JSON, "/etc/orderly.json"),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(m),
		kong.Vars{"scopes": fmt.Sprint(auth.Scopes), "tables": strings.Join(intake.Tables(), ", "), "kinds": fmt.Sprint(append(slices.Clone(bench.Kinds), bench.Plan, bench.Stream)) + " (plan and stream: in this process, without a server)"},
	)
	if err != nil {
		fmt.Fprintln(m.Stderr, "orderly:", err)
		return 2
	}
	k, err := parser.Parse(args)
	if exited >= 0 { // --help
		return exited
	}
	if err != nil {
		fmt.Fprintln(m.Stderr, "orderly:", err)
		return 2
	}
	if err := k.Run(); err != nil {
		if !errors.Is(err, errQuiet) {
			fmt.Fprintln(m.Stderr, "orderly:", err)
		}
		return 1
	}
	return 0
}

type versionCommand struct{}

// Run prints the version.
func (versionCommand) Run(m *Main) error {
	_, err := fmt.Fprintln(m.Stdout, version())
	return err
}

// version is that of the build: a release's tag, or the commit it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return "dev-" + s.Value[:min(12, len(s.Value))]
		}
	}
	return "dev"
}
