// Package bench measures a running server over HTTP, as its clients see it.
//
// A run prepares the server through the public API (locations, channel,
// carrier, catalog, stock, all with ids that begin with "bench"), then lets a
// number of clients ask and wait in turn (a closed loop, one connection each)
// and reports throughput and latency. What the clients send is decided by fixed
// seeds, so two runs ask the same.
//
// It promises to cost little processor time itself, because it usually shares
// the machine with the server: requests are built once, answers are read but not
// decoded. A request counts when the server answered it with success; everything
// else is listed under errors.
//
// It does not start or stop servers, clean up what it wrote, speak TLS, or model
// arrivals: a closed loop slows down with the server, so its latencies are those
// of that many waiting clients and not those of an overload.
package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/orderly-oms/orderly/internal/problem"
)

// Kind names what is measured.
type Kind string

// The kinds of run.
const (
	Availability Kind = "availability"
	Capture      Kind = "capture"
	Reserve      Kind = "reserve"
	Lifecycle    Kind = "lifecycle"
	Inventory    Kind = "inventory"
	Promise      Kind = "promise"
)

// Kinds lists every kind.
var Kinds = []Kind{Availability, Capture, Reserve, Lifecycle, Inventory, Promise}

// Limits of a run.
const (
	MaxClients   = 10_000
	MaxPositions = 10_000_000
	minPositions = 1000 // of which one batch of deltas takes each once
	// grace is how long answers are waited for after the end.
	grace = time.Minute
)

// Options say what to measure. Kind, Target and Clients are required.
type Options struct {
	Kind    Kind
	Target  string // http://host:port of the server
	Key     string // API key; empty: none
	Clients int
	// Duration ends the measured part; Requests ends it after so many operations
	// (orders of a lifecycle, otherwise requests), whichever comes first. 0: no such end.
	Duration time.Duration
	Requests int64
	// Positions is how many positions the run works on, beside reserve, which has one; 0:
	// the kind's default (availability 1,000,000, inventory and promise 100,000, orders 50,000).
	Positions int
	// Bare starts a server that answers every request with the body and nothing
	// else, for availability and promise to compare with. nil: no comparison.
	Bare func(ctx context.Context, body []byte) (url string, stop func() error, err error)
	// Progress, when set, is told every second what was done in it.
	Progress func(Progress)
}

// Progress is one second of a run.
type Progress struct {
	Phase      string // what is being prepared or measured
	Done       int64  // requests answered in the phase so far
	PerSecond  float64
	Elapsed    time.Duration
	ErrorCount int64
}

// Validate reports every option that is wrong.
func (o *Options) Validate() error {
	var bad problem.Invalid
	problem.OneOf(&bad, "kind", o.Kind, Kinds...)
	if _, err := hostOf(o.Target); err != nil {
		bad.Add("target", problem.Malformed, "%s", err)
	}
	bad.Range("clients", int64(o.Clients), 1, MaxClients)
	if o.Positions != 0 {
		bad.Range("positions", int64(o.Positions), minPositions, MaxPositions)
	}
	if o.Duration <= 0 && o.Requests <= 0 {
		bad.Add("duration", problem.Required, "a run needs an end: a duration or a number of requests")
	}
	return bad.Err()
}

// scenario is one kind of run.
type scenario interface {
	// prepare brings the server into the state that the run needs.
	prepare(ctx context.Context, s *setup) error
	// operation returns what client i does, over and over. It is called once per client
	// and run, before the first request.
	operation(i int) func(c *client) error
	// figures adds what only this kind reports.
	figures(r *Report, total *tally)
}

// furthered is a scenario that measures something else as well, after the rest.
type furthered interface {
	further(ctx context.Context, o *Options, host string, r *Report) error
}

// Run prepares the server and measures it.
func Run(ctx context.Context, o Options) (*Report, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	host, err := hostOf(o.Target)
	if err != nil {
		return nil, err
	}
	s := &setup{opt: &o, host: host, head: newHead(host, o.Key)}
	sc := newScenario(o.Kind)
	if err := sc.prepare(ctx, s); err != nil {
		return nil, fmt.Errorf("preparing: %w", err)
	}
	before, err := scrape(s)
	if err != nil {
		return nil, err
	}
	var (
		total   *tally
		against *comparison
		cpu     = processSeconds()
	)
	c, compares := sc.(compared)
	if compares && o.Bare != nil {
		total, against, err = compare(ctx, &o, host, c)
	} else {
		total, err = measure(ctx, &o, host, string(o.Kind), o.Duration, sc.operation)
	}
	if err != nil {
		return nil, err
	}
	r := newReport(&o, total)
	r.ClientCPUSeconds = processSeconds() - cpu
	after, err := scrape(s)
	if err != nil {
		return nil, err
	}
	r.Server = after.since(before, total.ok)
	sc.figures(r, total)
	if against != nil {
		c.compare(r, against.figures())
	}
	if f, ok := sc.(furthered); ok {
		err = f.further(ctx, &o, host, r)
	}
	return r, err
}

func newScenario(k Kind) scenario {
	switch k {
	case Availability:
		return &availabilityRun{}
	case Capture:
		return &captureRun{}
	case Reserve:
		return &reserveRun{}
	case Lifecycle:
		return &lifecycleRun{}
	case Inventory:
		return &inventoryRun{}
	case Promise:
		return &promiseRun{}
	}
	panic("bench: a valid kind without a scenario: " + string(k))
}
