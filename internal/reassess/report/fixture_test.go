package report_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/orderly-oms/orderly/internal/past"
	"github.com/orderly-oms/orderly/internal/reassess"
	"github.com/orderly-oms/orderly/internal/replay"
	"github.com/orderly-oms/orderly/internal/stats"
)

type place struct {
	name     string
	lat, lon float64
}

var locations = []place{
	{"dc-kassel", 51.31, 9.49}, {"store-berlin", 52.52, 13.40}, {"store-hamburg", 53.55, 9.99}, {"store-muenchen", 48.14, 11.58},
	{"store-koeln", 50.94, 6.96}, {"store-frankfurt", 50.11, 8.68}, {"store-stuttgart", 48.78, 9.18}, {"store-leipzig", 51.34, 12.37},
	{"store-dresden", 51.05, 13.74}, {"store-hannover", 52.37, 9.73}, {"store-nuernberg", 49.45, 11.08}, {"store-bremen", 53.08, 8.80},
	{"store-essen", 51.46, 7.01}, {"vendor-mainz", 50.00, 8.27},
}

var zones = []place{
	{"DE 10", 52.5, 13.4}, {"DE 20", 53.6, 10.0}, {"DE 30", 52.4, 9.7}, {"DE 40", 51.2, 6.8}, {"DE 50", 50.9, 7.0}, {"DE 60", 50.1, 8.7},
	{"DE 70", 48.8, 9.2}, {"DE 80", 48.1, 11.6}, {"DE 90", 49.4, 11.1}, {"DE 01", 51.0, 13.7}, {"DE 04", 51.3, 12.4}, {"DE 99", 50.98, 11.03},
	{"DE 18", 54.1, 12.1}, {"DE 24", 54.3, 10.1}, {"DE 79", 48.0, 7.85}, {"DE 87", 47.7, 10.3}, {"DE 66", 49.2, 7.0}, {"DE 48", 52.0, 7.6},
}

// season makes up a report as a retailer with fourteen locations would get it: the rules in force, two
// candidates and the baseline, over some days.
func season(days int) *reassess.Report {
	from := time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)
	r := &reassess.Report{
		Made: time.Date(2026, 11, 26, 17, 0, 0, 0, time.UTC), Source: "log", From: from, Until: from.AddDate(0, 0, days),
		Currency: "EUR", Seed: 7, Level: .95, TouchMinute: 70, Base: "the rules in force", Baseline: "baseline: nearest",
	}
	for i, s := range []struct {
		name              string
		cost, split, kept float64
		drawn             float64
		closed            float64
	}{
		{"the rules in force", 742, .114, .958, 0, .64}, {"cheaper-splits", 716, .082, .957, .11, .79},
		{"fast-promise", 751, .117, .976, .07, .55}, {"baseline: nearest", 806, .168, .941, .24, 0},
	} {
		res := run(s.name, from, days, s.cost, s.split, s.kept)
		if i == 0 {
			n := res.Total.Orders + 311
			res.Identity = &replay.Identity{Decisions: n, Same: n, SameCost: n, Joint: 14}
			res.Rules = []replay.RuleUse{
				{Policy: "sourcing/main", Group: "near", Decisions: 18_210}, {Policy: "sourcing/main", Group: "near", Rule: "store-is-tired", Decisions: 4_122, Excluded: 6_011, Asked: 182_200},
				{Policy: "sourcing/main", Group: "far", Decisions: 2_202}, {Policy: "sourcing/main", Group: "far", Rule: "never-to-islands", Asked: 31_002},
			}
		}
		closed := s.closed
		r.Runs = append(r.Runs, reassess.Run{Result: res, Measures: measures(r, res, s.drawn), GapClosed: &closed})
	}
	r.Orders = r.Runs[0].Result.Total.Orders
	r.Bound = bound(r, from, days)
	r.Questions = questions(r)
	r.Changed, r.Findings = changed(from), findings()
	r.Assumptions = []string{
		"What a location or carrier would have done with an order that history had elsewhere is drawn from rates fitted on this history, with seed 7; all candidates met the same luck.",
		"Customers would have ordered the same under other promises.",
		"A minute of a person's work counts 0.70 EUR.",
	}
	r.Quality = []past.Finding{
		{Subject: "deliveries", Missing: "no delivery is known of orders to islands", Assumed: "they are left out of promises kept", Count: 212, Of: r.Orders, Matters: "little", Why: "for promises kept"},
		{Subject: "store-essen", Missing: "stock was counted once in 60 days", Assumed: "what movements say", Count: 1, Of: 14, Matters: "some", Why: "for rejections there"},
	}
	r.Took = map[string]time.Duration{"replay": 4_200 * time.Millisecond, "bound": 1_900 * time.Millisecond}
	return r
}

func run(name string, from time.Time, days int, cost, split, kept float64) *replay.Result {
	luck := rand.New(rand.NewPCG(11, 3)) // common to all runs
	own := rand.New(rand.NewPCG(uint64(cost), 5))
	res := &replay.Result{Scenario: name, Took: 2 * time.Second, DecideP50: 41 * time.Microsecond, DecideP99: 310 * time.Microsecond}
	for i := range days {
		at := from.AddDate(0, 0, i)
		n := int64(300 + 60*math.Sin(float64(i)/7*2*math.Pi) + 40*luck.NormFloat64())
		mood := luck.NormFloat64()
		d := replay.Day{Date: at.Format("2006-01-02"), Orders: n, Units: n * 2}
		d.Cost = int64(float64(n) * (cost + 22*mood + 4*own.NormFloat64() - float64(i)*.4))
		d.Shipped = n - n/60
		d.Split = int64(float64(d.Shipped) * max(0, split+.012*mood+.004*own.NormFloat64()))
		d.Shipments = d.Shipped + d.Split
		d.Promised, d.Judged = n, n-n/20
		d.PromisedHours = int64(float64(n) * (58 + 2*mood))
		d.Kept = int64(float64(d.Judged) * min(1, kept+.006*mood+.003*own.NormFloat64()))
		d.Touches = n / 20
		d.Rejections = n / 60
		res.Days = append(res.Days, d)
		t := &res.Total
		t.Orders, t.Units, t.Cost, t.Shipments, t.Shipped, t.Split = t.Orders+d.Orders, t.Units+d.Units, t.Cost+d.Cost, t.Shipments+d.Shipments, t.Shipped+d.Shipped, t.Split+d.Split
		t.Judged, t.Kept, t.Touches, t.Rejections = t.Judged+d.Judged, t.Kept+d.Kept, t.Touches+d.Touches, t.Rejections+d.Rejections
	}
	weight := 0.0
	for i := range locations {
		weight += 1 / float64(i+1)
	}
	for i, l := range locations {
		share := 1 / float64(i+1) / weight * (1 + .1*own.NormFloat64())
		res.Locations = append(res.Locations, replay.LocationUse{Location: l.name, Shipments: int64(share * float64(res.Total.Shipments)), Cost: int64(share * float64(res.Total.Cost))})
		for _, z := range zones {
			near := math.Exp(-math.Hypot(l.lat-z.lat, (l.lon-z.lon)*.63) / (1.2 + 3*float64(min(1, 1-min(i, 1)))))
			n := int64(share * float64(res.Total.Shipments) * near * (.3 + .1*own.Float64()))
			if n > 0 {
				res.Lanes = append(res.Lanes, replay.Lane{Location: l.name, Zone: z.name, Shipments: n, Cost: n * 690, FromLat: l.lat, FromLon: l.lon, ToLat: z.lat, ToLon: z.lon})
			}
		}
	}
	res.Lanes = append(res.Lanes, replay.Lane{Location: "dc-kassel", Zone: "AX 22", Shipments: 41, Cost: 41 * 1890})
	return res
}

func measures(r *reassess.Report, res *replay.Result, drawn float64) []reassess.Measure {
	var base *replay.Result
	if len(r.Runs) > 0 {
		base = r.Runs[0].Result
	}
	t := res.Total
	out := []reassess.Measure{}
	for _, m := range []struct {
		id, name, unit, better string
		factor                 float64
		of                     func(d *replay.Day) (over, under int64)
		fixed                  float64
	}{
		{"cost_per_order", "Cost per order", "money", "lower", 1, func(d *replay.Day) (int64, int64) { return d.Cost, d.Orders }, 0},
		{"shipments_per_order", "Shipments per order", "per order", "lower", 1, func(d *replay.Day) (int64, int64) { return d.Shipments, d.Shipped }, 0},
		{"split_orders", "Split orders", "percent", "lower", 100, func(d *replay.Day) (int64, int64) { return d.Split, d.Shipped }, 0},
		{"promised_days", "Days promised", "days", "lower", 1. / 24, func(d *replay.Day) (int64, int64) { return d.PromisedHours, d.Promised }, 0},
		{"promise_kept", "Promises kept", "percent", "higher", 100, func(d *replay.Day) (int64, int64) { return d.Kept, d.Judged }, 0},
		{"rejections", "Rejected units", "per 100 units", "lower", 100, func(d *replay.Day) (int64, int64) { return d.Rejections, d.Units }, 0},
		{"touches_per_order", "Touches per order", "per order", "lower", 1, func(d *replay.Day) (int64, int64) { return d.Touches, d.Orders }, 0},
	} {
		x := reassess.Measure{ID: m.id, Name: m.name, Unit: m.unit, Better: m.better, Known: true, Drawn: drawn}
		sum := func(r *replay.Result) (a, b int64) {
			for i := range r.Days {
				o, u := m.of(&r.Days[i])
				a, b = a+o, b+u
			}
			return a, b
		}
		a, b := sum(res)
		x.Value = m.factor * float64(a) / float64(b)
		if base != nil {
			var pairs []stats.Day
			for i := range res.Days {
				bo, bu := m.of(&base.Days[i])
				oo, ou := m.of(&res.Days[i])
				pairs = append(pairs, stats.Day{Base: stats.Ratio{Over: m.factor * float64(bo), Under: float64(bu)}, Other: stats.Ratio{Over: m.factor * float64(oo), Under: float64(ou)}})
			}
			d := stats.Compare(pairs, stats.Options{Seed: 7, Draws: 400})
			x.Versus = &d
		}
		out = append(out, x)
	}
	_ = t
	return append(out, reassess.Measure{ID: "decide_p99", Name: "Time of a decision, slowest of 100", Unit: "seconds", Better: "lower", Known: true, Value: res.DecideP99.Seconds()},
		reassess.Measure{ID: "touch_minutes", Name: "Minutes of work per order", Unit: "minutes", Better: "lower"})
}

func bound(r *reassess.Report, from time.Time, days int) *reassess.Bound {
	b := &reassess.Bound{Method: "Lagrangian relaxation of stock, by week; stock that came in during a week counts as there from its beginning, and capacity as without limit, so that the true least is not below it.", Orders: r.Orders - 120}
	for at := 0; at < days; at += 7 {
		p := reassess.BoundPeriod{From: from.AddDate(0, 0, at).Format("2006-01-02"), Until: from.AddDate(0, 0, min(at+7, days)-1).Format("2006-01-02")}
		for i := range r.Runs {
			c := int64(0)
			for _, d := range r.Runs[i].Result.Days[at:min(at+7, days)] {
				c += d.Cost
				if i == 0 {
					p.Orders += d.Orders
				}
			}
			p.Costs = append(p.Costs, c)
		}
		p.Bound = p.Costs[1] * 97 / 100
		b.Cost += p.Bound
		b.Periods = append(b.Periods, p)
	}
	return b
}

func questions(r *reassess.Report) []reassess.Question {
	var cost, kept, touch, gap []float64
	for i := 0; i+7 <= len(r.Runs[0].Result.Days); i += 7 {
		var sum replay.Day
		for _, d := range r.Runs[0].Result.Days[i : i+7] {
			sum.Orders, sum.Cost, sum.Kept, sum.Judged, sum.Touches = sum.Orders+d.Orders, sum.Cost+d.Cost, sum.Kept+d.Kept, sum.Judged+d.Judged, sum.Touches+d.Touches
		}
		cost, kept = append(cost, 64-float64(i)*.03), append(kept, 100*float64(sum.Kept)/float64(sum.Judged))
		touch, gap = append(touch, 100*float64(sum.Touches)/float64(sum.Orders)), append(gap, float64(i)*2500)
	}
	return []reassess.Question{
		{ID: "fit", Asked: "Are our rules still fit?", Number: "64.0 %", Verdict: "attention", Answer: "The rules in force close 64.0 % of the gap between the dearest run and the best possible; cheaper-splits closes 79.0 %, and three findings say where.", Trend: cost, TrendOf: "share of the gap closed", TrendBy: "week"},
		{ID: "effort", Asked: "Do they cut operational effort?", Number: "0.048 per order", Verdict: "good", Answer: "People touched 4.8 of 100 orders, as many as in the weeks before, and 1.9 fewer than the baseline would have needed.", Trend: touch, TrendOf: "touches of 100 orders", TrendBy: "week"},
		{ID: "promises", Asked: "Are promises kept?", Number: "95.8 %", Verdict: "good", Answer: "95.8 % of promised orders arrived in time.", Trend: kept, TrendOf: "promises kept, %", TrendBy: "week"},
		{ID: "money", Asked: "What are they worth in money?", Number: "0.64 EUR per order", Verdict: "unknown", Answer: "Against “baseline: nearest” they saved 0.64 EUR per order, 11,712.00 EUR in all, between 10,900.00 and 12,500.00 EUR.", Trend: gap, TrendOf: "saved, EUR", TrendBy: "week"},
	}
}

func changed(from time.Time) (out []reassess.Changed) {
	for i := range 4 {
		out = append(out, reassess.Changed{
			Order: fmt.Sprintf("W-10%d23", i), At: from.AddDate(0, 0, 3*i).Add(9*time.Hour + 41*time.Minute), Candidate: "cheaper-splits", BaseCost: int64(1890 + 300*i), CandidateCost: int64(690 + 700*i),
			BaseFrom: "store-berlin + store-koeln", OtherFrom: "dc-kassel",
			Base:  []string{"store-berlin sends 1 of A-77 and 1 of B-12 for 9.40 EUR; store-koeln sends 1 of C-4 for 9.50 EUR.", "dc-kassel was left out: rule “store first” (<b>stores</b> that have it come before the DC).", "The next best plan would have cost 0.35 EUR more."},
			Other: []string{"dc-kassel sends all 3 units for 6.90 EUR.", "Two shipments would have cost 12.00 EUR more."},
		})
	}
	return out
}

func findings() []reassess.Finding {
	return []reassess.Finding{
		{Kind: "reject_rate", Subject: "store-essen", Evidence: "It rejected 14.2 % of 1,204 fulfillments (12.3 to 16.3 %), others 2.1 %, and is the third choice for 40 % of orders nearby.", Suggest: "Raise the weight of risk for it from 1 to 3.", Diff: []string{"cost.risk.weight: 1 -> 3"}, Effect: "Rejected units fall from 0.84 to 0.52 per 100, cost per order falls by 0.06 EUR (0.03 to 0.09)."},
		{Kind: "rule_never_fires", Since: time.Date(2026, 10, 12, 0, 0, 0, 0, time.UTC), Subject: "sourcing/main, far: never-to-islands", Evidence: "It excluded nothing in 31,002 looks at locations.", Suggest: "Remove it, or check what it is meant to catch."},
		{Kind: "promise_loose", Subject: "post/parcel from dc-kassel", Evidence: "98.9 % of 9,120 promises were kept with a quantile of 95 %.", Suggest: "Lower the buffer by 4 hours.", Diff: []string{"promise.buffer_hours: 12 -> 8"}, Effect: "Promised days fall from 2.42 to 2.31, promises kept from 95.8 % to 95.6 %."},
	}
}
