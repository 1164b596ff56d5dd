package job

import (
	"maps"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/problem"
	"github.com/orderly-oms/orderly/internal/replay"
)

// Request says what a reassessment is to compare.
type Request struct {
	Name string `json:"name,omitempty" doc:"for lists; at most 200 bytes"`
	// From and Until bound the orders, by when they came; default: the whole history.
	From  time.Time `json:"from,omitzero"`
	Until time.Time `json:"until,omitzero"`
	// Candidates are compared with the rules that were in force.
	Candidates []replay.Scenario `json:"candidates,omitempty"`
	// Baseline is what the rules' worth is measured against; default: the policy that is pinned, else "nearest" of the library.
	Baseline    *replay.Scenario `json:"baseline,omitempty"`
	Seed        uint64           `json:"seed,omitempty"`
	Level       float64          `json:"level,omitempty" doc:"how sure intervals are, 0.5 to 0.999; default 0.95"`
	TouchMinute int64            `json:"touch_minute,omitempty" doc:"what a minute of a person's work counts, minor units; default 50"`
	// NoWatch leaves out looking for drift of the rules in force.
	NoWatch bool `json:"no_watch,omitempty"`
}

// Limits of a request.
const (
	maxCandidates = 20
	maxNameBytes  = 200
	maxItems      = 1000 // of every list and map of a scenario
	maxFactor     = 100
	maxDays       = 365
	maxUnits      = 1_000_000_000
)

// Check refuses what cannot be carried out, with the field and the reason. Errors: problem.Invalid.
func (r *Request) Check() error {
	var bad problem.Invalid
	bad.Text("name", r.Name, maxNameBytes)
	if !r.From.IsZero() && !r.Until.IsZero() && !r.Until.After(r.From) {
		bad.Add("until", problem.OutOfRange, "must be after from")
	}
	if r.Level != 0 && !(r.Level >= .5 && r.Level <= .999) {
		bad.Add("level", problem.OutOfRange, "must be from 0.5 to 0.999")
	}
	if r.TouchMinute < 0 || r.TouchMinute > maxUnits {
		bad.Add("touch_minute", problem.OutOfRange, "must be from 0 to %d", maxUnits)
	}
	bad.Count("candidates", len(r.Candidates), maxCandidates)
	names := map[string]bool{}
	check := func(at string, s *replay.Scenario) {
		if s.Name != "" && names[s.Name] {
			bad.Add(at+".name", problem.Duplicate, "another scenario is called %q", s.Name)
		}
		names[s.Name] = true
		CheckScenario(&bad, at, s)
	}
	for i := range r.Candidates[:min(len(r.Candidates), maxCandidates)] {
		check(problem.At("candidates", i), &r.Candidates[i])
	}
	if r.Baseline != nil {
		check("baseline", r.Baseline)
	}
	return bad.Err()
}

// CheckScenario adds what is wrong with a scenario. Whether its locations and carriers exist depends on the history, and
// is found when it is replayed.
func CheckScenario(bad *problem.Invalid, at string, s *replay.Scenario) {
	if strings.TrimSpace(s.Name) == "" {
		bad.Add(at+".name", problem.Required, "give the scenario a name")
	}
	bad.Text(at+".name", s.Name, maxNameBytes)
	if s.Recorded && (len(s.Policies) > 0 || !nothing(&s.Changes)) {
		bad.Add(at+".recorded", problem.Conflict, "what was recorded has no other policies or changes")
	}
	bad.Count(at+".policies", len(s.Policies), maxCandidates)
	for i, text := range s.Policies[:min(len(s.Policies), maxCandidates)] {
		checkPolicy(bad, problem.At(at+".policies", i), text)
	}
	checkChanges(bad, at+".changes", &s.Changes)
}

func checkPolicy(bad *problem.Invalid, at, text string) {
	if len(text) > policy.MaxDocumentBytes {
		bad.Add(at, problem.TooLong, "at most %d bytes", policy.MaxDocumentBytes)
		return
	}
	c := engine.CheckPolicy(text, false)
	for i, p := range c.Problems {
		if i == 5 {
			return
		}
		bad.Add(at, problem.Malformed, "%s", p)
	}
}

var clock = regexp.MustCompile(`^([01][0-9]|2[0-3]):[0-5][0-9]$`)

func checkChanges(bad *problem.Invalid, at string, c *replay.Changes) {
	count := func(name string, n int) { bad.Count(at+"."+name, n, maxItems) }
	count("close", len(c.Close))
	for i, l := range c.Close {
		if l == "" {
			bad.Add(problem.At(at+".close", i), problem.Required, "name a location")
		}
	}
	documents(bad, at+".locations", c.Locations)
	documents(bad, at+".carriers", c.Carriers)
	documents(bad, at+".networks", c.Networks)
	documents(bad, at+".channels", c.Channels)
	count("stock", len(c.Stock))
	for i, s := range c.Stock {
		p := problem.At(at+".stock", i)
		if s.Location == "" {
			bad.Add(p+".location", problem.Required, "name a location")
		}
		if s.SKU == "" {
			bad.Add(p+".sku", problem.Required, "name a SKU, or * for all")
		}
		between(bad, p+".units", float64(s.Units), 0, maxUnits)
	}
	each(bad, at+".capacity", c.Capacity, func(p string, v int64) { between(bad, p, float64(v), -1, maxUnits) })
	each(bad, at+".safety", c.Safety, func(p string, v int64) { between(bad, p, float64(v), 0, maxUnits) })
	each(bad, at+".cut_off", c.CutOff, func(p string, v string) {
		if !clock.MatchString(v) {
			bad.Add(p, problem.Malformed, "must be a time of day like 14:30")
		}
	})
	each(bad, at+".rates", c.Rates, func(p string, v float64) { between(bad, p, v, 0, maxFactor) })
	each(bad, at+".shift", c.Shift, func(p string, v float64) { between(bad, p, v, 0, maxFactor) })
	each(bad, at+".rejects", c.Rejects, func(p string, v float64) { between(bad, p, v, 0, 1) })
	each(bad, at+".late", c.Late, func(p string, v float64) { between(bad, p, v, -maxDays, maxDays) })
	between(bad, at+".demand", c.Demand, 0, maxFactor)
}

// documents checks that a list has documents with ids; what is in them is checked when they are put in place.
func documents(bad *problem.Invalid, at string, list []any) {
	bad.Count(at, len(list), maxItems)
	for i, d := range list[:min(len(list), maxItems)] {
		if m, ok := d.(map[string]any); !ok {
			bad.Add(problem.At(at, i), problem.Malformed, "must be an object, as the API takes it")
		} else if id, _ := m["id"].(string); id == "" {
			bad.Add(problem.At(at, i)+".id", problem.Required, "say which one it is")
		}
	}
}

// nothing reports that a scenario changes no circumstances.
func nothing(c *replay.Changes) bool { return reflect.ValueOf(*c).IsZero() }

// each checks the values of a map, in the order of their names.
func each[V any](bad *problem.Invalid, at string, m map[string]V, check func(at string, v V)) {
	bad.Count(at, len(m), maxItems)
	for i, name := range slices.Sorted(maps.Keys(m)) {
		if i == maxItems {
			return
		}
		if name == "" {
			bad.Add(at, problem.Required, "a name is missing")
		}
		check(at+"."+name, m[name])
	}
}

func between(bad *problem.Invalid, at string, v, low, high float64) {
	if math.IsNaN(v) || v < low || v > high {
		bad.Add(at, problem.OutOfRange, "must be from %s to %s", short(low), short(high))
	}
}

func short(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
