package report

import (
	"bytes"
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/past"
	"github.com/orderly-oms/orderly/internal/reassess"
	"github.com/orderly-oms/orderly/internal/replay"
)

var (
	//go:embed page.html.tmpl
	pageText string
	//go:embed page.css
	pageStyle string

	page = template.Must(template.New("page").Parse(pageText))
)

// HTML writes the report as one file that needs nothing else.
func HTML(w io.Writer, r *reassess.Report) error {
	var b bytes.Buffer // so that a failure leaves no half page
	if err := page.Execute(&b, newView(r)); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}

// view is what the page's template reads: everything is text already.
type view struct {
	Style                             template.CSS
	Title, Span, Orders, Source, Made string
	Sureness, TouchMinute, Seed, Base string
	Baseline, Currency                string
	Questions                         []questionView
	Runs                              []string
	Others                            []string
	Rows                              []rowView
	TooLittle                         []string
	Charts                            []chart
	Money                             []chart
	Gap                               []chart
	GapMethod, GapSentence            string
	Maps                              []flowMap
	Identity                          []identityView
	Findings                          []findingView
	Changed                           []changedView
	ChangedLeft                       int
	Rules                             []ruleView
	Assumptions, Notes                []string
	Quality                           []qualityView
	Took                              []string
}

type questionView struct {
	Number, Asked, Answer, Verdict, VerdictText string
	N                                           int
	Trend                                       template.HTML
	TrendNote                                   string
}

type cellView struct{ Value, Change, Relative, Worth, WorthText, Drawn string }

type rowView struct {
	Name, Note string
	Cells      []cellView
}

type identityView struct {
	Run, Text   string
	Exact       bool
	Differences []replay.Difference
	More        int
}

// timeText is when a difference was, as the page writes it.
func timeText(at time.Time) string { return at.UTC().Format("2006-01-02 15:04") }

type findingView struct {
	Subject, Kind, Evidence, Suggest, Effect string
	Replayed                                 bool
	Diff                                     []string
}

type changedView struct {
	Order, At, Candidate        string
	BaseCost, OtherCost, Change string
	BaseFrom, OtherFrom         string
	Worth                       string
	Base, Other                 []string
}

type ruleView struct{ Policy, Group, Rule, Decisions, Excluded string }

type qualityView struct {
	past.Finding
	Share string
}

func newView(r *reassess.Report) *view {
	v := &view{
		Style: template.CSS(pageStyle), Title: "Reassessment", Span: span(r), Orders: whole(r.Orders), Source: sourceText(r.Source),
		Made: r.Made.UTC().Format("2 January 2006 15:04 UTC"), Sureness: percentLevel(r.Level), TouchMinute: amount(float64(r.TouchMinute), r.Currency),
		Seed: fmt.Sprint(r.Seed), Base: runName(r, 0), Baseline: r.Baseline, Currency: r.Currency, Assumptions: r.Assumptions, Notes: runNotes(r),
	}
	for i := range r.Runs {
		v.Runs = append(v.Runs, runName(r, i))
	}
	if len(v.Runs) > 1 {
		v.Others = v.Runs[1:]
	}
	v.questions(r)
	v.comparison(r)
	if len(r.Runs) > 0 {
		v.charts(r)
		v.money(r)
		v.flowMaps(r)
	}
	v.gap(r)
	v.identity(r)
	v.findings(r)
	v.changed(r)
	v.rules(r)
	for _, q := range r.Quality {
		s := ""
		if q.Of > 0 {
			s = whole(q.Count) + " of " + whole(q.Of)
		}
		v.Quality = append(v.Quality, qualityView{q, s})
	}
	for _, part := range slices.Sorted(maps.Keys(r.Took)) {
		v.Took = append(v.Took, part+" "+took(r.Took[part]))
	}
	return v
}

func (v *view) questions(r *reassess.Report) {
	for i, q := range r.Questions {
		x := questionView{N: i + 1, Number: cmp.Or(q.Number, dash), Asked: q.Asked, Answer: q.Answer, Verdict: q.Verdict, VerdictText: verdictText(q.Verdict)}
		if x.VerdictText == "not known" {
			x.Verdict = "unknown"
		}
		if x.Trend = trend(q.Trend, q.TrendOf, q.TrendBy); x.Trend != "" {
			x.TrendNote = q.TrendOf + ", by " + q.TrendBy
		}
		v.Questions = append(v.Questions, x)
	}
}

func (v *view) comparison(r *reassess.Report) {
	for _, id := range measureIDs(r) {
		row := rowView{}
		for i := range r.Runs {
			m := measureOf(r.Runs[i].Measures, id)
			c := cellView{Value: dash, Worth: worth(m)}
			if m != nil {
				row.Name, row.Note = m.Name, unitNote(m)
				c.Drawn = drawnNote(m.Drawn)
				if m.Known {
					c.Value = quantity(m.Value, m.Unit, r.Currency)
				}
				c.Change, c.Relative = changeText(m, r.Currency), relative(m)
				if m.Versus != nil && m.Versus.TooLittle != "" && !slices.Contains(v.TooLittle, m.Versus.TooLittle) {
					v.TooLittle = append(v.TooLittle, m.Versus.TooLittle)
				}
			}
			c.WorthText = worthText[c.Worth]
			row.Cells = append(row.Cells, c)
		}
		v.Rows = append(v.Rows, row)
	}
	if r.Bound == nil {
		return
	}
	row := rowView{Name: "Gap to the best possible closed", Note: "0 %: as dear as the dearest run; 100 %: nobody could do better"}
	for i := range r.Runs {
		row.Cells = append(row.Cells, cellView{Value: gapText(&r.Runs[i])})
	}
	v.Rows = append(v.Rows, row)
}

// charts are cost, split and promises over time.
func (v *view) charts(r *reassess.Report) {
	by := cut(r)
	var labels []string
	cuts := make([][]period, len(drawn(r)))
	for i := range cuts {
		cuts[i] = periods(r.Runs[i].Result, by)
		for _, p := range cuts[i] {
			if !slices.Contains(labels, p.label) {
				labels = append(labels, p.label)
			}
		}
	}
	slices.Sort(labels)
	each := func(of func(d *replay.Day) float64) (out []series) {
		for i := range cuts {
			s := series{runName(r, i), make([]float64, len(labels))}
			for k := range s.values {
				s.values[k] = math.NaN()
			}
			for _, p := range cuts[i] {
				k, _ := slices.BinarySearch(labels, p.label)
				s.values[k] = of(&p.day)
			}
			out = append(out, s)
		}
		return out
	}
	percent := func(x float64, places int) string { return number(x, places) + " %" }
	one := func(x float64) string { return quantity(x, "percent", "") }
	v.Charts = []chart{
		(&lines{
			title: "Cost per order, " + byText(by), about: "What carriers charge, per order that came. The axis does not begin at zero.", labels: labels,
			series: each(func(d *replay.Day) float64 {
				if d.Orders == 0 {
					return math.NaN()
				}
				return float64(d.Cost) / float64(d.Orders)
			}),
			format: func(x float64, _ int) string { return amountBare(x, r.Currency) },
			value:  func(x float64) string { return amount0(x, r.Currency) }, floor: 0, ceil: math.NaN(),
		}).chart(),
		(&lines{
			title: "Split orders, " + byText(by), about: "Share of shipped orders that left in more than one shipment.", labels: labels,
			series: each(func(d *replay.Day) float64 { return share(d.Split, d.Shipped) }), format: percent, value: one, floor: 0, ceil: 100,
		}).chart(),
		(&lines{
			title: "Promises kept, " + byText(by), about: "Share of orders with a promised date that arrived in time, of those it is known of.", labels: labels,
			series: each(func(d *replay.Day) float64 { return share(d.Kept, d.Judged) }), format: percent, value: one, floor: 0, ceil: 100,
		}).chart(),
		(&lines{
			title: "Touches, " + byText(by), about: "How often people had to work on 100 orders.", labels: labels,
			series: each(func(d *replay.Day) float64 { return share(d.Touches, d.Orders) }),
			format: number, value: func(x float64) string { return quantity(x, "", "") }, floor: 0, ceil: math.NaN(),
		}).chart(),
	}
}

func amount0(x float64, currency string) string {
	if math.IsNaN(x) {
		return dash
	}
	return amount(x, currency)
}

// money is where the money goes: by location and by lane.
func (v *view) money(r *reassess.Report) {
	places := map[string]int64{}
	var names []string
	for i := range drawn(r) {
		for _, l := range r.Runs[i].Result.Locations {
			if _, ok := places[l.Location]; !ok {
				names = append(names, l.Location)
			}
			places[l.Location] = max(places[l.Location], l.Cost)
		}
	}
	if len(names) == 0 {
		return
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(places[b], places[a]), cmp.Compare(a, b)) })
	left := 0
	if len(names) > maxPlaces {
		left = len(names) - maxPlaces + 1
		names = append(slices.Clone(names[:maxPlaces-1]), fmt.Sprintf("%d others", left))
	}
	b := bars{
		title: "Carrier cost by location", about: "What the shipments of each location cost, over the whole period.", first: "location", groups: names,
		value: func(x float64) string { return amount0(x, r.Currency) },
	}
	for i := range drawn(r) {
		s := series{runName(r, i), make([]float64, len(names))}
		for _, l := range r.Runs[i].Result.Locations {
			k := slices.Index(names, l.Location)
			if k < 0 {
				k = len(names) - 1
			}
			s.values[k] += float64(l.Cost)
		}
		b.series = append(b.series, s)
	}
	v.Money = []chart{b.chart()}
	if c, ok := laneCosts(r); ok {
		v.Money = append(v.Money, c)
	}
}

// laneCosts are the dearest lanes of any run, by location and region of destination.
func laneCosts(r *reassess.Report) (chart, bool) {
	cost := map[string]int64{}
	for i := range drawn(r) {
		for _, l := range r.Runs[i].Result.Lanes {
			cost[laneName(&l)] = max(cost[laneName(&l)], l.Cost)
		}
	}
	names := slices.SortedFunc(maps.Keys(cost), func(a, b string) int { return cmp.Or(cmp.Compare(cost[b], cost[a]), cmp.Compare(a, b)) })
	names = names[:min(len(names), maxPlaces)]
	b := bars{
		title: "Carrier cost by lane", about: "The dearest lanes, from a location to a region of destination.", first: "lane", groups: names,
		value: func(x float64) string { return amount0(x, r.Currency) },
	}
	at := make(map[string]int, len(names))
	for k, name := range names {
		at[name] = k
	}
	for i := range drawn(r) {
		s := series{runName(r, i), make([]float64, len(names))}
		for _, l := range r.Runs[i].Result.Lanes {
			if k, ok := at[laneName(&l)]; ok {
				s.values[k] += float64(l.Cost)
			}
		}
		b.series = append(b.series, s)
	}
	return b.chart(), len(names) > 0
}

func laneName(l *replay.Lane) string { return l.Location + " → " + l.Zone }

// maps are those of the base and of the candidate that costs least, drawn alike.
func (v *view) flowMaps(r *reassess.Report) {
	shown := []int{0}
	best := -1
	for i := 1; i < len(r.Runs); i++ {
		if runName(r, i) != r.Baseline && (best < 0 || r.Runs[i].Result.Total.Cost < r.Runs[best].Result.Total.Cost) {
			best = i
		}
	}
	if best > 0 {
		shown = append(shown, best)
	}
	var all []replay.Lane
	most := int64(1)
	for _, i := range shown {
		all = append(all, r.Runs[i].Result.Lanes...)
	}
	for i := range all {
		most = max(most, all[i].Shipments)
	}
	p, ok := newProjection(all)
	if !ok {
		return
	}
	for _, i := range shown {
		lanes := slices.Clone(r.Runs[i].Result.Lanes)
		slices.SortStableFunc(lanes, func(a, b replay.Lane) int { return cmp.Compare(b.Shipments, a.Shipments) })
		m := flows(runName(r, i), lanes, p, most)
		for _, l := range lanes[:min(len(lanes), maxLanesListed)] {
			m.Lanes = append(m.Lanes, laneRow{l.Location, l.Zone, whole(l.Shipments), amount(float64(l.Cost), r.Currency), amount(float64(l.Cost)/float64(max(l.Shipments, 1)), r.Currency)})
		}
		v.Maps = append(v.Maps, m)
	}
}

// gap is how far above the least possible cost each run is, and how much of the way it goes.
func (v *view) gap(r *reassess.Report) {
	b := r.Bound
	if b == nil {
		return
	}
	v.GapMethod = b.Method
	v.GapSentence = fmt.Sprintf("No way of serving the %s orders that the bound covers could have cost less than %s.", whole(b.Orders), amount(float64(b.Cost), r.Currency))
	var labels []string
	over := make([]series, len(drawn(r)))
	closed := bars{
		title: "Share of the gap closed", about: "From the dearest run (0 %) to the least possible cost (100 %), over the whole period.", first: "run",
		series: []series{{name: "gap closed"}}, value: func(x float64) string { return quantity(x, "percent", "") },
	}
	for i := range over {
		over[i].name = runName(r, i)
		x := math.NaN()
		if g := r.Runs[i].GapClosed; g != nil {
			x = 100 * *g
		}
		closed.groups = append(closed.groups, runName(r, i))
		closed.series[0].values = append(closed.series[0].values, x)
	}
	for _, p := range b.Periods {
		labels = append(labels, p.From)
		for i := range over {
			x := math.NaN()
			if i < len(p.Costs) && p.Bound > 0 {
				x = 100 * float64(p.Costs[i]-p.Bound) / float64(p.Bound)
			}
			over[i].values = append(over[i].values, x)
		}
	}
	v.Gap = append(v.Gap, closed.chart())
	if len(labels) > 0 {
		v.Gap = append(v.Gap, (&lines{
			title: "Cost above the least possible", about: "By how much each run was dearer than the bound, in percent of it, in each period of the bound. Zero: nobody could have done better.",
			labels: labels, series: over, format: func(x float64, places int) string { return number(x, places) + " %" },
			value: func(x float64) string { return quantity(x, "percent", "") }, floor: 0, ceil: math.NaN(),
		}).chart())
	}
}

func (v *view) identity(r *reassess.Report) {
	for i := range r.Runs {
		id := r.Runs[i].Result.Identity
		if id == nil {
			continue
		}
		x := identityView{Run: runName(r, i), Text: identityText(id.Decisions, id.Same, id.SameCost, id.Joint, id.Unrecorded), Exact: id.Decisions > 0 && id.Same == id.Decisions && id.SameCost == id.Decisions}
		x.Differences = id.Differences[:min(len(id.Differences), maxDifferences)]
		x.More = len(id.Differences) - len(x.Differences)
		v.Identity = append(v.Identity, x)
	}
}

func (v *view) findings(r *reassess.Report) {
	for i := range r.Findings {
		f := &r.Findings[i]
		v.Findings = append(v.Findings, findingView{
			Subject: f.Subject, Kind: strings.ReplaceAll(f.Kind, "_", " "), Evidence: f.Evidence + sinceText(f), Suggest: f.Suggest, Effect: f.Effect, Replayed: f.Effect != "", Diff: f.Diff,
		})
	}
}

func (v *view) changed(r *reassess.Report) {
	n := min(len(r.Changed), maxChangedDrawn)
	v.ChangedLeft = len(r.Changed) - n
	for _, c := range r.Changed[:n] {
		v.Changed = append(v.Changed, changedView{
			Order: c.Order, At: timeText(c.At), Candidate: c.Candidate, BaseCost: amount(float64(c.BaseCost), r.Currency), OtherCost: amount(float64(c.CandidateCost), r.Currency),
			Change: signed(float64(c.CandidateCost-c.BaseCost), "money", r.Currency), Worth: costWorth(c.BaseCost, c.CandidateCost),
			BaseFrom: orNowhere(c.BaseFrom), OtherFrom: orNowhere(c.OtherFrom), Base: c.Base, Other: c.Other,
		})
	}
}

// rules are how often each rule of the base mattered.
func (v *view) rules(r *reassess.Report) {
	if len(r.Runs) == 0 {
		return
	}
	for i, u := range r.Runs[0].Result.Rules {
		if i == maxRulesListed {
			return
		}
		x := ruleView{Policy: u.Policy, Group: u.Group, Rule: cmp.Or(u.Rule, "(the group itself)"), Decisions: whole(u.Decisions), Excluded: dash}
		if u.Rule != "" {
			x.Excluded = fmt.Sprintf("%s of %s", whole(u.Excluded), whole(u.Asked))
		}
		v.Rules = append(v.Rules, x)
	}
}

func costWorth(base, other int64) string {
	switch {
	case other < base:
		return "better"
	case other > base:
		return "worse"
	}
	return "same"
}
