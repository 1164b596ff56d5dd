package bench

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/problem"
	"github.com/orderly-oms/orderly/internal/sourcing"
	"github.com/orderly-oms/orderly/internal/sourcing/exact"
)

// Plan measures the search for plans in this process, on one goroutine.
const Plan Kind = "plan"

// PlanOptions say how to measure the search.
type PlanOptions struct {
	Seed     uint64
	Duration time.Duration // of all shapes together, > 0
	Problems int           // different ones of each shape, 1 to MaxPlanProblems; 0: 50
}

// Limits of a plan run.
const (
	MaxPlanProblems     = 1000
	defaultPlanProblems = 50
	// maxPlanSamples bounds the latencies that are kept of each shape: 8 bytes each.
	maxPlanSamples = 4_000_000
)

// PlanReport is the outcome: for each shape the search, and the plain rule (the nearest location
// that has everything, then the nearest ones) on the same problems in turn.
type PlanReport struct {
	Kind   Kind          `json:"kind"`
	Seed   uint64        `json:"seed"`
	Shapes []ShapeReport `json:"shapes"`
}

// ShapeReport is about problems of one shape.
type ShapeReport struct {
	Lines        int     `json:"lines"`
	Locations    int     `json:"locations"`
	Availability float64 `json:"availability"` // probability that a location has a line
	Problems     int     `json:"problems"`
	Plans        int     `json:"plans"` // measured
	ThroughputPS float64 `json:"throughput_per_s"`
	PlanLatency
	// ExactShare of the problems were searched whole; the gap is (cost − bound) / cost.
	ExactShare float64     `json:"exact_share"`
	GapMean    float64     `json:"gap_mean"`
	GapLargest float64     `json:"gap_largest"`
	CostMean   float64     `json:"cost_mean"` // minor units
	Baseline   PlanLatency `json:"baseline"`
	// BaselineCostMean is what the plain rule's plans cost on the mean.
	BaselineCostMean float64 `json:"baseline_cost_mean"`
	TimeRatio        float64 `json:"time_ratio"` // p50 of the search / p50 of the baseline
	CostRatio        float64 `json:"cost_ratio"` // mean cost of the search / of the baseline
}

// PlanLatency is how long one plan took, in microseconds.
type PlanLatency struct {
	P50US  float64 `json:"p50_us"`
	P99US  float64 `json:"p99_us"`
	P999US float64 `json:"p999_us"`
	MaxUS  float64 `json:"max_us"`
}

// shape is a size of problem.
type shape struct {
	lines, locations int
	availability     float64
}

var planShapes = []shape{{5, 500, .6}, {5, 500, .95}, {10, 500, .6}, {10, 500, .95}, {100, 2000, .6}}

// Validate reports every option that is wrong.
func (o *PlanOptions) Validate() error {
	var bad problem.Invalid
	bad.Range("problems", int64(o.Problems), 0, MaxPlanProblems)
	if o.Duration <= 0 {
		bad.Add("duration", problem.Required, "a run needs an end")
	}
	return bad.Err()
}

// Planning measures each shape in turn, until it is done or ctx ends.
func Planning(ctx context.Context, o PlanOptions) (*PlanReport, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if o.Problems == 0 {
		o.Problems = defaultPlanProblems
	}
	r := &PlanReport{Kind: Plan, Seed: o.Seed}
	for i, sh := range planShapes {
		random := rand.New(rand.NewPCG(o.Seed, uint64(i)))
		report, err := sh.measure(ctx, random, o.Problems, o.Duration/time.Duration(len(planShapes)))
		if err != nil {
			return nil, err
		}
		r.Shapes = append(r.Shapes, report)
	}
	return r, nil
}

// measure plans the same problems over and over, each at least once.
func (sh shape) measure(ctx context.Context, random *rand.Rand, problems int, d time.Duration) (ShapeReport, error) {
	var (
		r             = ShapeReport{Lines: sh.lines, Locations: sh.locations, Availability: sh.availability, Problems: problems}
		exactProblems = make([]*exact.Problem, problems)
		plainProblems = make([]sourcing.Problem, problems)
		solver        exact.Solver
		took, plain   []time.Duration
		busy          time.Duration
	)
	for i := range problems {
		exactProblems[i] = sh.problem(random)
		plainProblems[i] = plainly(exactProblems[i])
		solver.Solve(exactProblems[i]) // memory is grown before it counts
	}
	for i, begin := 0, time.Now(); (i < problems || time.Since(begin) < d) && i < maxPlanSamples; i++ {
		if err := ctx.Err(); err != nil {
			return r, err
		}
		p := exactProblems[i%problems]
		start := time.Now()
		result := solver.Solve(p)
		one := time.Since(start)
		busy += one
		took = append(took, one)
		start = time.Now()
		simple := sourcing.Plan(plainProblems[i%problems])
		plain = append(plain, time.Since(start))
		if i < problems {
			r.judge(p, &result, &simple)
		}
	}
	r.Plans = len(took)
	r.ThroughputPS = perSecond(int64(r.Plans), busy)
	r.PlanLatency, r.Baseline = latencyOf(took), latencyOf(plain)
	n := float64(problems)
	r.ExactShare, r.GapMean, r.CostMean, r.BaselineCostMean = r.ExactShare/n, r.GapMean/n, r.CostMean/n, r.BaselineCostMean/n
	r.TimeRatio = r.P50US / max(r.Baseline.P50US, .001)
	r.CostRatio = r.CostMean / r.BaselineCostMean
	return r, nil
}

// judge adds one problem's plans to the sums.
func (r *ShapeReport) judge(p *exact.Problem, result *exact.Result, simple *sourcing.Result) {
	if result.Method == exact.MethodExact {
		r.ExactShare++
	}
	gap := float64(result.Cost-result.Bound) / float64(result.Cost)
	r.GapMean += gap
	r.GapLargest = max(r.GapLargest, gap)
	r.CostMean += float64(result.Cost)
	r.BaselineCostMean += float64(costOf(p, simple))
}

func latencyOf(took []time.Duration) PlanLatency {
	slices.Sort(took)
	at := func(share float64) float64 {
		return float64(took[min(len(took)-1, int(share*float64(len(took))))].Nanoseconds()) / 1000
	}
	return PlanLatency{P50US: at(.5), P99US: at(.99), P999US: at(.999), MaxUS: at(1)}
}

// planRate is a carrier's charge in one zone: a base and each started pound.
type planRate struct{ base, perPound int64 }

// Price charges a shipment.
func (t planRate) Price(grams int64) (int64, bool) {
	return t.base + t.perPound*((grams+453)/454), true
}

const planZones = 8

// problem makes an order with a cost of its own for every unit at every location.
func (sh shape) problem(random *rand.Rand) *exact.Problem {
	p := &exact.Problem{MaxShipments: exact.NoLimit, Split: exact.SplitWhenNeeded}
	for zone := range int64(planZones) {
		p.Tariffs = append(p.Tariffs, planRate{base: 350 + 40*zone, perPound: 45 + 12*zone})
	}
	for range sh.lines {
		p.Lines = append(p.Lines, exact.Line{
			Quantity: 1 + random.Int64N(4), Unfilled: 1500 + random.Int64N(3000), Grams: 100 + random.Int64N(2500), Value: 2000,
		})
	}
	for range sh.locations {
		l := exact.Location{
			Shipment: 150 + random.Int64N(500), Tariff: random.IntN(planZones), MaxUnits: exact.NoLimit, MaxValue: exact.NoLimit,
			Unit: make([]int64, sh.lines), Available: make([]int64, sh.lines),
		}
		for i := range sh.lines {
			l.Unit[i] = 50 + random.Int64N(200)
			if random.Float64() < sh.availability {
				l.Available[i] = 4 + random.Int64N(20)
			}
		}
		p.Locations = append(p.Locations, l)
	}
	return p
}

// plainly writes the problem for the plain rule: the zone stands for the distance.
func plainly(p *exact.Problem) sourcing.Problem {
	var q sourcing.Problem
	for i := range p.Lines {
		q.Quantity = append(q.Quantity, p.Lines[i].Quantity)
	}
	for i := range p.Locations {
		l := &p.Locations[i]
		q.Candidates = append(q.Candidates, sourcing.Candidate{DistanceKm: float64(l.Tariff), Priority: i, Available: l.Available})
	}
	return q
}

// costOf is what a plan of the plain rule costs.
func costOf(p *exact.Problem, r *sourcing.Result) int64 {
	total := int64(0)
	for i, n := range r.Missing {
		total += n * p.Lines[i].Unfilled
	}
	for _, s := range r.Shares {
		l := &p.Locations[s.Candidate]
		total += l.Shipment
		grams := int64(0)
		for i, n := range s.Quantity {
			total += n * l.Unit[i]
			grams += n * p.Lines[i].Grams
		}
		price, _ := p.Tariffs[l.Tariff].Price(grams) // a planRate takes any weight
		total += price
	}
	return total
}
