package policy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/orderly-oms/orderly/internal/problem"
)

// expectations are what an example of a kind may expect.
var expectations = map[Kind][]string{
	// shipments: units by location and SKU; unplaced: units by SKU; groups: the rule groups
	// that placed something, in order; excluded: the rule that excluded a location;
	// cost: of the plan, minor units; otherwise: what happens to unplaced units.
	KindSourcing: {"shipments", "unplaced", "groups", "excluded", "cost", "otherwise"},
	// price: what the customer pays with the first location as candidate; pickup and
	// same_day: the locations near enough, by id; delivers: the weekdays.
	KindPromise: {"applies", "price", "pickup", "same_day", "delivers"},
	// rule: the row that decides, none when no row does; offered: units.
	KindAvailability: {"rule", "offered"},
	// rule: the row that decides; to: where the goods go, as the row says; location: for nearest, which of the locations;
	// refused: the rule that speaks against the return, "" when none does; fee: minor units; inspect: whether somebody
	// looks at the goods; disposition: what becomes of them, "" when somebody decides; refund: when the money is given back.
	KindReturns: {"rule", "to", "location", "refused", "fee", "inspect", "disposition", "refund"},
	// holds: the rules that stop the order, in their order.
	KindHolds: {"holds"},
	// rule: the row that fixes the exception, none when a person does; fix: what it does; now: its time has come.
	KindExceptions: {"rule", "fix", "now"},
	// providers: who acts for which type of tender, like "card=acme gift_card=acme"; authorize, capture: when.
	KindPayment: {"providers", "authorize", "capture"},
}

// Decider decides about an example of a sourcing policy. Sourcing lies above this
// package, which therefore is given it. It answers with the keys of docs/policies.md;
// quantities are int64.
type Decider func(c *Compiled, given Given) (map[string]any, error)

// ExampleResult is how an example came out.
type ExampleResult struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	// Differences say for each expectation that was not met what came instead.
	Differences []Difference `json:"differences,omitempty"`
	// Error is why nothing was decided.
	Error string `json:"error,omitempty"`
	// Line and Column are where the example is in the document; 0: unknown.
	Line   int `json:"line,omitempty"`
	Column int `json:"column,omitempty"`
}

// Difference is one expectation that was not met; values are JSON.
type Difference struct {
	Key  string `json:"key"`
	Want string `json:"want"`
	Got  string `json:"got"`
}

// String writes the difference in a line.
func (d Difference) String() string { return fmt.Sprintf("%s: want %s, got %s", d.Key, d.Want, d.Got) }

// String tells an example's outcome in a line per difference.
func (r ExampleResult) String() string {
	if r.OK {
		return "ok: " + r.Name
	}
	var b strings.Builder
	b.WriteString("failed: " + r.Name)
	if r.Line > 0 {
		fmt.Fprintf(&b, " (line %d)", r.Line)
	}
	if r.Error != "" {
		b.WriteString(": " + r.Error)
	}
	for _, d := range r.Differences {
		b.WriteString("\n  " + d.String())
	}
	return b.String()
}

// RunExamples runs a policy's examples. sourcing decides those of sourcing policies;
// without it they fail.
func RunExamples(c *Compiled, sourcing Decider) []ExampleResult {
	out := make([]ExampleResult, len(c.Doc.Examples))
	for i := range c.Doc.Examples {
		x := &c.Doc.Examples[i]
		at := c.Doc.places.of(problem.At("examples", i))
		r := ExampleResult{Name: x.Name, Line: at.line, Column: at.column}
		got, err := c.decide(&x.Given, sourcing)
		if err != nil {
			r.Error = err.Error()
		} else {
			r.Differences = compareExpectation(x.Expect, got)
		}
		r.OK = r.Error == "" && len(r.Differences) == 0
		out[i] = r
	}
	return out
}

// ExampleProblems are the examples that failed, as problems at their lines.
func ExampleProblems(results []ExampleResult) Problems {
	var bad Problems
	for i, r := range results {
		if r.OK {
			continue
		}
		var reasons []string
		if r.Error != "" {
			reasons = append(reasons, r.Error)
		}
		for _, d := range r.Differences {
			reasons = append(reasons, d.String())
		}
		bad.add(place{r.Line, r.Column}, problem.At("examples", i), CodeExample, "%s: %s", r.Name, strings.Join(reasons, "; "))
	}
	return bad
}

func (c *Compiled) decide(g *Given, sourcing Decider) (map[string]any, error) {
	switch c.Kind {
	case KindSourcing:
		if sourcing == nil {
			return nil, fmt.Errorf("nothing here can decide about orders")
		}
		return sourcing(c, *g)
	case KindPromise:
		return c.decidePromise(g)
	case KindAvailability:
		return c.decideAvailability(g)
	case KindHolds:
		return c.decideHolds(g)
	case KindExceptions:
		return c.decideException(g)
	case KindPayment:
		return c.decidePayment()
	}
	return c.decideReturn(g)
}

func compareExpectation(want, got map[string]any) (out []Difference) {
	for _, key := range sortedKeys(want) {
		w, g := canonical(want[key]), canonical(got[key])
		if w != g {
			out = append(out, Difference{key, w, g})
		}
	}
	return out
}

// canonical writes a value so that equal ones are the same text: maps by key, 5.0 as
// 5, and nothing, an empty list and an empty map alike.
func canonical(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	switch s := string(b); s {
	case "null", "[]":
		return "{}"
	default:
		return s
	}
}

func (g *Given) facts() *Facts {
	f := &Facts{Order: g.OrderFacts(), Now: g.Time()}
	for i := range g.Lines {
		l, s := g.LineFacts(i)
		f.Lines = append(f.Lines, OrderLine{l, s})
	}
	if len(f.Lines) > 0 {
		f.Line, f.SKU = f.Lines[0].Line, f.Lines[0].SKU
	}
	return f
}

func (c *Compiled) decidePromise(g *Given) (map[string]any, error) {
	f := g.facts()
	applies, err := c.Applies(f)
	if err != nil {
		return nil, err
	}
	pickup, sameDay := []string{}, []string{}
	for i := range g.Locations {
		l := g.LocationFacts(i)
		km := g.CandidateFacts(i)
		if km.DistanceKnown && km.DistanceKm <= c.Promise.PickupMaxKm {
			pickup = append(pickup, l.ID)
		}
		if km.DistanceKnown && l.Type == "store" && c.Promise.SameDayMaxKm > 0 && km.DistanceKm <= c.Promise.SameDayMaxKm {
			sameDay = append(sameDay, l.ID)
		}
	}
	slices.Sort(pickup)
	slices.Sort(sameDay)
	price := int64(0)
	if c.Promise.Price != nil {
		if len(g.Locations) > 0 {
			candidate := g.CandidateFacts(0)
			f.Location, f.Candidate = g.LocationFacts(0), &candidate
		}
		if price, err = c.Promise.Price.Int(f); err != nil {
			return nil, fmt.Errorf("price: %w", err)
		}
	}
	return map[string]any{"applies": applies, "price": price, "pickup": pickup, "same_day": sameDay, "delivers": c.Promise.DeliveryDays}, nil
}

func (c *Compiled) decideAvailability(g *Given) (map[string]any, error) {
	f := g.facts()
	f.Location = g.LocationFacts(0)
	rule, err := c.Availability.Choose(f)
	if err != nil {
		return nil, err
	}
	s := g.StockFacts(0, 0)
	name := "none"
	if rule != nil {
		name = rule.Name
	}
	return map[string]any{"rule": name, "offered": rule.Offer(s.Available, s.Safety)}, nil
}
