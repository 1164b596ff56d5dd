//go:build plants

package plant_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/plant"
	"github.com/orderly-oms/orderly/internal/sim/dst"
)

const (
	// seedsMax bounds the seeds that may be needed to find a bug.
	seedsMax = 100
	// seedOrders is the size of a run: as in the short test of the simulator.
	seedOrders = 25
	// testLimit bounds the test of a package that is to find a bug.
	testLimit = time.Minute
)

// catcher is what finds a bug: the simulator by one of some invariants (numbers of
// INVARIANTS.md; 0 is the simulator's own "every error is a known one" and the like), or a test.
type catcher struct {
	invariants []int
	pkg, test  string
	flags      []string
}

func simulator(invariants ...int) catcher { return catcher{invariants: invariants} }

func testOf(pkg, test string) catcher { return catcher{pkg: pkg, test: test} }

// property is testOf for a test that draws its cases, which is not to keep the one that failed.
func property(pkg, test string) catcher {
	return catcher{pkg: pkg, test: test, flags: []string{"-rapid.nofailfile", "-rapid.shrinktime=1s", "-rapid.checks=500"}}
}

// catchers is who is to find each bug.
var catchers = map[plant.Bug]catcher{
	plant.CheckThenAct:         simulator(4),
	plant.DoubleRelease:        simulator(0, 3, 4),
	plant.ExpiryKeepsStock:     simulator(5, 9),
	plant.MovementTwice:        simulator(2, 34),
	plant.ShortPickKeepsStock:  simulator(5, 11),
	plant.KitWithoutParts:      simulator(5, 11),
	plant.CountOverwrites:      testOf("engine", "TestCounts/sqlite"),
	plant.StaleCount:           testOf("engine", "TestCountsAreOfTheStoredStock"),
	plant.CancelShipped:        simulator(0, 17, 20),
	plant.HoldIgnored:          testOf("order", "TestHoldFromTheStart"),
	plant.RefusedAskedAgain:    simulator(21),
	plant.PromiseMovesSilently: simulator(22),
	plant.LateSwallowed:        testOf("engine", "TestLateMessagesAreAnsweredAndAsked/sqlite"),
	plant.StopAnsweredTwice:    testOf("order", "TestStopIsAnsweredOnce"),
	plant.OverReturn:           property("order", "TestReturnsKeepTheirInvariants"),
	plant.ReceiptTwice:         property("order", "TestReturnsKeepTheirInvariants"),
	plant.StaleAccepted:        simulator(24),
	plant.CentLost:             simulator(23),
	plant.CaptureNewID:         property("payment", "TestPayments"),
	plant.UnknownIsFree:        property("payment", "TestPayments"),
	plant.RefundTwice:          property("payment", "TestPayments"),
	plant.KeyIgnored:           simulator(38),
	plant.KeyForgotten:         simulator(38),
	plant.DuplicateOrder:       simulator(16),
	plant.EventLostOnCrash:     simulator(34, 37),
	plant.AckBeforeDurable:     simulator(16, 38, 46),
	plant.UnknownIsFailure:     simulator(0, 2, 38),
	plant.FailedCommitStays:    simulator(2),
	plant.RefusalStays:         simulator(2),
	plant.StaleReadDecides:     simulator(0, 38),
	plant.CursorSkips:          simulator(2),
	plant.PoisonSwallowed:      testOf("webhook", "TestDeadDeliveryIsKeptAndTheStreamGoesOn"),
	plant.WakeLost:             simulator(41),
	plant.StockWakesNobody:     testOf("engine", "TestOneRoundServesWhoWaits"),
	plant.TimerLostOnRestart:   simulator(9, 19, 41),
}

// TestPlanted puts one bug after the other into the product and fails when it is not found, or not by
// what is to find it. A seed or test finds a bug only if it passes without it, and a seed that failed fails again the same way.
func TestPlanted(t *testing.T) {
	sound := &soundness{seeds: map[uint64]bool{}}
	for _, b := range plant.Bugs {
		c, ok := catchers[b]
		if !ok {
			t.Errorf("%s: nothing is named that finds it", b)
			continue
		}
		t.Run(string(b), func(t *testing.T) {
			start := time.Now()
			var by string
			if c.test != "" {
				by = c.runTest(t, b)
			} else {
				by = c.runSeeds(t, b, sound)
			}
			t.Logf("%s: found by %s (%.1f s)", b, by, time.Since(start).Seconds())
		})
	}
	if len(catchers) != len(plant.Bugs) {
		t.Errorf("%d catchers for %d bugs", len(catchers), len(plant.Bugs))
	}
}

// soundness remembers of seeds whether they pass without any bug.
type soundness struct{ seeds map[uint64]bool }

func (s *soundness) passes(seed uint64) bool {
	ok, known := s.seeds[seed]
	if !known {
		plant.Set("")
		ok = dst.Run(dst.Options{Seed: seed, Orders: seedOrders}).Violation == nil
		s.seeds[seed] = ok
	}
	return ok
}

// runSeeds runs seeds with the bug until one that passes without it violates an invariant that is to find it.
func (c catcher) runSeeds(t *testing.T, b plant.Bug, sound *soundness) string {
	defer plant.Set("")
	met := int64(0)
	for first := uint64(0); first < seedsMax; {
		page := uint64(runtime.GOMAXPROCS(0))
		plant.Set(b)
		results := make([]*dst.Result, page)
		var wait sync.WaitGroup
		for i := range page {
			wait.Go(func() { results[i] = dst.Run(dst.Options{Seed: first + i, Orders: seedOrders}) })
		}
		wait.Wait()
		met += plant.Met()
		for i, r := range results {
			v := r.Violation
			switch {
			case v == nil:
			case !sound.passes(first + uint64(i)):
				t.Logf("seed %d fails without the bug; it does not count", v.Seed)
			case !slices.Contains(c.invariants, v.Invariant):
				t.Logf("seed %d finds it by another check than is asked for: %.300s", v.Seed, v.Error())
			default:
				plant.Set(b)
				if again := dst.Run(dst.Options{Seed: r.Seed, Orders: seedOrders}); again.LogHash != r.LogHash || !reflect.DeepEqual(again.Violation, v) {
					t.Errorf("seed %d does not fail again as it did: log %s then %s, %v then %v", r.Seed, r.LogHash, again.LogHash, v, again.Violation)
				}
				return fmt.Sprintf("invariant %d (%s) with seed %d, the %d. run", v.Invariant, v.Name, v.Seed, v.Seed+1)
			}
		}
		first += page
	}
	t.Fatalf("not found by %d seeds; its place was come by %d times", seedsMax, met)
	return ""
}

// runTest runs a test of the product without and with the bug.
func (c catcher) runTest(t *testing.T, b plant.Bug) string {
	binary := binaryOf(t, c.pkg)
	if out, err := c.run(t, binary, ""); err != nil {
		t.Fatalf("%s fails without the bug: %v\n%s", c.test, err, out)
	}
	out, err := c.run(t, binary, b)
	if err == nil {
		t.Fatalf("not found by %s", c.test)
	}
	if !bytes.Contains(out, []byte("--- FAIL: "+c.test)) {
		t.Fatalf("%s did not fail as a test does: %v\n%s", c.test, err, out)
	}
	return fmt.Sprintf("%s of internal/%s", c.test, c.pkg)
}

// run runs the test of a package's test binary in the package's folder, as go test does.
func (c catcher) run(t *testing.T, binary string, b plant.Bug) ([]byte, error) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*testLimit)
	defer cancel()
	args := append([]string{"-test.run=^" + strings.ReplaceAll(c.test, "/", "$/^") + "$", "-test.timeout=" + testLimit.String(), "-test.v"}, c.flags...)
	run := exec.CommandContext(ctx, binary, args...)
	run.Dir = "../" + c.pkg
	run.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, plant.Variable+"=") }), plant.Variable+"="+string(b))
	out, err := run.CombinedOutput()
	if err == nil && !bytes.Contains(out, []byte("--- PASS: "+c.test)) {
		t.Fatalf("internal/%s has no test %s any more", c.pkg, c.test)
	}
	return out, err
}

var binaries = map[string]string{}

// folder is where test binaries are kept while the tests run.
var folder string

func TestMain(m *testing.M) {
	var err error
	if folder, err = os.MkdirTemp("", "plants"); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(folder)
	os.Exit(code)
}

// binaryOf builds the tests of a package with the tag, once.
func binaryOf(t *testing.T, pkg string) string {
	if binaries[pkg] == "" {
		file := folder + "/" + pkg + ".test"
		if out, err := exec.Command("go", "test", "-c", "-tags", "plants", "-o", file, "../"+pkg).CombinedOutput(); err != nil {
			t.Fatalf("building the tests of internal/%s: %v\n%s", pkg, err, out)
		}
		binaries[pkg] = file
	}
	return binaries[pkg]
}
