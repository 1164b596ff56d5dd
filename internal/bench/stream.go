package bench

import (
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"runtime"
	"sync"

	"github.com/orderly-oms/orderly/internal/price"
)

// Stream runs seasons of orders against finite stock in this process, under each
// policy of StreamPolicies, and compares their cost with a bound.
const Stream Kind = "stream"

// Limits of a stream run.
const (
	MaxSeasons        = 1000
	streamBoundRounds = 3000
)

// StreamOptions say what to run.
type StreamOptions struct {
	Cases   fs.FS // folder of instances, *.json
	Seasons int   // per instance, 1 to MaxSeasons
	Seed    uint64
	// Progress, when set, is told how many seasons of how many are done, by one goroutine at a time.
	Progress func(done, total int)
}

// StreamReport is the outcome. Money is in dollars.
type StreamReport struct {
	Kind      Kind             `json:"kind"`
	Seed      uint64           `json:"seed"`
	Seasons   int              `json:"seasons"` // per instance
	Steady    StreamTable      `json:"steady"`  // demand stays as it is
	Shifted   StreamTable      `json:"shifted"` // demand is another one in the second half
	Instances []StreamInstance `json:"instances"`
}

// StreamTable compares the policies; the last row is the bound.
type StreamTable struct {
	Policies []StreamFigures `json:"policies"`
}

// StreamFigures are one policy's, means over instances and seasons.
type StreamFigures struct {
	Policy            string  `json:"policy"`
	CostOverBound     float64 `json:"cost_over_bound"`
	ShipmentsPerOrder float64 `json:"shipments_per_order,omitzero"` // the bound makes no plans, so it has none
	UnshippedShare    float64 `json:"unshipped_share,omitzero"`     // of items
}

// StreamInstance is what was computed about one instance.
type StreamInstance struct {
	File         string  `json:"file"`
	Bound        float64 `json:"bound"`
	ShiftedBound float64 `json:"shifted_bound"`
	// PublishedBound is ours with the published penalty; PublishedRatio is it over the one in the
	// file, absent when the file has none.
	PublishedBound float64         `json:"published_penalty_bound"`
	PublishedRatio *float64        `json:"published_penalty_ratio,omitempty"`
	Steady         []StreamFigures `json:"steady"`
	Shifted        []StreamFigures `json:"shifted"`
}

// Streaming runs all instances, as many at a time as there are processors.
func Streaming(ctx context.Context, o StreamOptions) (*StreamReport, error) {
	if o.Seasons < 1 || o.Seasons > MaxSeasons {
		return nil, fmt.Errorf("seasons must be 1 to %d, not %d", MaxSeasons, o.Seasons)
	}
	instances, err := readInstances(o.Cases)
	if err != nil {
		return nil, err
	}
	run := &streamRun{opt: &o, costs: newStreamCosts(false), total: 2 * o.Seasons * len(instances)}
	report := &StreamReport{Kind: Stream, Seed: o.Seed, Seasons: o.Seasons, Instances: make([]StreamInstance, len(instances))}
	work := make(chan int)
	errs := make([]error, len(instances))
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(instances)) {
		wg.Go(func() {
			for i := range work {
				report.Instances[i], errs[i] = run.instance(ctx, i, instances[i])
			}
		})
	}
	for i := range instances {
		work <- i
	}
	close(work)
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("%s: %w", instances[i].file, err)
		}
	}
	for _, in := range report.Instances {
		report.Steady.add(in.Steady, len(instances))
		report.Shifted.add(in.Shifted, len(instances))
	}
	for _, t := range []*StreamTable{&report.Steady, &report.Shifted} {
		t.Policies = append(t.Policies, StreamFigures{Policy: "bound", CostOverBound: 1})
	}
	return report, nil
}

// add takes one of n instances into the mean.
func (t *StreamTable) add(figures []StreamFigures, n int) {
	if t.Policies == nil {
		for _, f := range figures {
			t.Policies = append(t.Policies, StreamFigures{Policy: f.Policy})
		}
	}
	for i, f := range figures {
		t.Policies[i].CostOverBound += f.CostOverBound / float64(n)
		t.Policies[i].ShipmentsPerOrder += f.ShipmentsPerOrder / float64(n)
		t.Policies[i].UnshippedShare += f.UnshippedShare / float64(n)
	}
}

type streamRun struct {
	opt   *StreamOptions
	costs *streamCosts
	total int
	mu    sync.Mutex
	done  int
}

// instance runs the seasons of one instance.
func (r *streamRun) instance(ctx context.Context, index int, in *instance) (StreamInstance, error) {
	out := StreamInstance{File: in.file}
	steady := in.first()
	shifted := steady.shifted(r.random(index, 0, 0))
	half := in.Periods / 2
	expected := in.classes(steady, in.Periods)
	mixed := append(in.classes(steady, half), in.classes(shifted, in.Periods-half)...)
	market := newWorld(in, r.costs, 0).market(in.Periods)
	published := market
	published.Costs = newStreamCosts(true)
	for _, b := range []struct {
		to      *float64
		market  price.Market
		classes []price.Class
	}{{&out.Bound, market, expected}, {&out.ShiftedBound, market, mixed}, {&out.PublishedBound, published, expected}} {
		bound, err := price.Bound(b.market, b.classes, streamBoundRounds)
		if err != nil {
			return out, err
		}
		*b.to = bound / streamUnit
	}
	if in.Published != nil {
		ratio := out.PublishedBound / *in.Published
		out.PublishedRatio = &ratio
	}
	for season := range r.opt.Seasons {
		arrivals := steady.season(r.random(index, season, 1), in.Periods)
		if err := r.season(ctx, in, arrivals, out.Bound, &out.Steady); err != nil {
			return out, err
		}
		random := r.random(index, season, 2)
		arrivals = append(steady.season(random, half), shifted.season(random, in.Periods-half)...)
		if err := r.season(ctx, in, arrivals, out.ShiftedBound, &out.Shifted); err != nil {
			return out, err
		}
	}
	return out, nil
}

// random numbers of one use; each has its own, so that none depends on how the others went.
func (r *streamRun) random(instance, season, use int) *rand.Rand {
	return rand.New(rand.NewPCG(r.opt.Seed, uint64(instance)<<32|uint64(season)<<4|uint64(use)))
}

// season runs one season under each policy, all on the same arrivals.
func (r *streamRun) season(ctx context.Context, in *instance, arrivals []arrival, bound float64, figures *[]StreamFigures) error {
	table := StreamTable{Policies: *figures}
	var rows []StreamFigures
	for _, policy := range StreamPolicies {
		if err := ctx.Err(); err != nil {
			return err
		}
		o, err := newWorld(in, r.costs, r.opt.Seed).run(newStreamPolicy(policy), arrivals)
		if err != nil {
			return fmt.Errorf("%s: %w", policy, err)
		}
		rows = append(rows, StreamFigures{
			Policy: policy, CostOverBound: float64(o.cost) / streamUnit / bound,
			ShipmentsPerOrder: float64(o.shipments) / float64(o.orders), UnshippedShare: float64(o.missing) / float64(o.items),
		})
	}
	table.add(rows, r.opt.Seasons)
	*figures = table.Policies
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done++
	if r.opt.Progress != nil {
		r.opt.Progress(r.done, r.total)
	}
	return nil
}
