package flow

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/problem"
)

// maxFired bounds the timers that fire in one step of an example.
const maxFired = 1000

// examples checks the examples' form.
func (c *compiler) examples() {
	list := c.doc.Examples
	c.s.Count("examples", len(list), policy.MaxExamples)
	seen := map[string]bool{}
	for i := range list {
		x, p := &list[i], problem.At("examples", i)
		c.at = "example " + x.Name
		switch {
		case x.Name == "":
			c.s.Add(p+".name", problem.Required, "is required")
		case seen[x.Name]:
			c.s.Add(p+".name", problem.Duplicate, "%.60q is the name of another example", x.Name)
		}
		seen[x.Name] = true
		c.s.Given(p+".given", x.Given.policy())
		for name, after := range x.Given.Dates {
			c.s.OneOf(p+".given.dates."+name, name, Dates[c.subject]...)
			c.duration(p+".given.dates."+name, after, -MaxDuration, MaxDuration)
		}
		c.s.Count(p+".steps", len(x.Steps), MaxSteps)
		if len(x.Steps) == 0 {
			c.s.Add(p+".steps", problem.Required, "%s: an example has steps with what must come of them", c.at)
		}
		for k := range x.Steps {
			c.step(problem.At(p+".steps", k), &x.Steps[k], k == 0)
		}
	}
}

func (c *compiler) step(p string, s *Step, first bool) {
	switch {
	case s.Event != "" && s.Wait != "":
		c.s.Add(p, problem.Conflict, "%s: a step is either an event or a wait", c.at)
	case s.Event != "":
		c.event(p+".event", s.Event, nil)
	case s.Wait != "":
		c.duration(p+".wait", s.Wait, minEvery, MaxDuration)
	case !first:
		c.s.Add(p, problem.Required, "%s: a step is an event or a wait; only the first may be neither, to look at the start", c.at)
	}
	if s.Expect.State != "" {
		c.target(p+".expect.state", s.Expect.State)
	}
	if s.Expect.Outcome != "" {
		c.s.OneOf(p+".expect.outcome", s.Expect.Outcome, outcomeNames[:]...)
	}
}

// policy are the facts that package policy knows.
func (g *Given) policy() *policy.Given {
	out := &policy.Given{Order: g.Order, Lines: g.Lines, Returned: g.Returned}
	if g.Location != nil {
		out.Locations = []policy.GivenLocation{*g.Location}
	}
	return out
}

// RunExamples runs a flow's examples. The actions are not carried out: what they would change is
// given by the example.
func RunExamples(c *Compiled) []policy.ExampleResult {
	out := make([]policy.ExampleResult, len(c.Doc.Examples))
	for i := range c.Doc.Examples {
		x := &c.Doc.Examples[i]
		out[i] = c.sheet.ExampleAt(problem.At("examples", i), x.Name)
		out[i].Differences = c.run(x)
		out[i].OK = len(out[i].Differences) == 0
	}
	return out
}

// story is an example under way.
type story struct {
	c     *Compiled
	in    Instance
	times Times
	facts policy.Facts
	do    []string
	last  Outcome
	fails error
}

func (c *Compiled) run(x *Example) (out []policy.Difference) {
	s := newStory(c, x)
	for i := range x.Steps {
		step := &x.Steps[i]
		step.Subject.into(s.facts.Subject)
		if i > 0 || step.Event != "" || step.Wait != "" {
			s.do = nil
		}
		switch {
		case step.Event != "":
			s.step(step.Event)
		case step.Wait != "":
			d, _ := ParseDuration(step.Wait)
			s.wait(d)
		}
		out = append(out, s.compare(fmt.Sprintf("step %d", i+1), &step.Expect)...)
	}
	return out
}

func newStory(c *Compiled, x *Example) *story {
	given := x.Given.policy()
	s := &story{c: c, times: Times{Now: policy.DefaultNow}}
	for name, after := range x.Given.Dates {
		d, _ := ParseDuration(after)
		date := s.times.Now.Add(d)
		switch name {
		case AtShipBy:
			s.times.ShipBy = date
		case AtDeliverBy:
			s.times.DeliverBy = date
		case AtWantedBy:
			s.times.WantedBy = date
		case AtExpected:
			s.times.ExpectedAt = date
		case AtReturnBy:
			s.times.ReturnBy = date
		}
	}
	s.facts = policy.Facts{Order: given.OrderFacts(), Now: s.times.Now, Subject: &policy.Subject{Payment: "none", Method: "ship", Units: 1}}
	if given.Returned != nil {
		s.facts.Returned = given.ReturnedFacts()
		s.facts.Subject.Method = s.facts.Returned.Method
	}
	s.facts.Location = &policy.Location{ID: "dc", Type: "dc"}
	if len(given.Locations) > 0 {
		s.facts.Location = given.LocationFacts(0)
	}
	x.Given.Subject.into(s.facts.Subject)
	s.facts.Subject.State = c.states[c.start].name
	s.dated()
	m := c.Start(&s.facts, s.times)
	s.took(&m, Moved)
	return s
}

// dated brings the facts that follow from the time up to date.
func (s *story) dated() {
	s.facts.Now = s.times.Now
	subject := s.facts.Subject
	if !s.in.Since.IsZero() {
		subject.Hours = int64(s.times.Now.Sub(s.in.Since) / time.Hour)
	}
	if subject.Promised = !s.times.DeliverBy.IsZero(); subject.Promised {
		subject.PromiseHours = int64(s.times.DeliverBy.Sub(s.times.Now) / time.Hour)
	}
}

func (s *story) step(event string) {
	s.dated()
	s.facts.Subject.Tries = s.c.Tries(&s.in, event)
	m, outcome := s.c.Step(&s.in, event, &s.facts, s.times)
	s.took(&m, outcome)
}

func (s *story) took(m *Move, outcome Outcome) {
	s.in, s.last = m.To, outcome
	s.facts.Subject.State = s.in.State
	for i := range m.Actions {
		s.do = append(s.do, m.Actions[i].String())
	}
	if s.fails == nil {
		s.fails = m.Failed
	}
}

// wait lets time pass; timers fire when they come due.
func (s *story) wait(d time.Duration) {
	until := s.times.Now.Add(d)
	for range maxFired {
		next := until
		for i := range s.in.Timers {
			if s.in.Timers[i].At.Before(next) {
				next = s.in.Timers[i].At
			}
		}
		if next.After(s.times.Now) {
			s.times.Now = next
		}
		event, due := s.c.Due(&s.in, s.times.Now)
		if !due {
			break
		}
		s.step(event)
	}
	s.times.Now = until
	s.dated()
}

func (s *story) compare(at string, want *Expectation) (out []policy.Difference) {
	differs := func(key string, want, got any) {
		w, _ := json.Marshal(want) // texts and lists of them
		g, _ := json.Marshal(got)
		if string(w) != string(g) {
			out = append(out, policy.Difference{Key: at + ": " + key, Want: string(w), Got: string(g)})
		}
	}
	if want.State != "" {
		differs("state", want.State, s.in.State)
	}
	if want.Do != nil {
		differs("do", append([]string{}, *want.Do...), append([]string{}, s.do...))
	}
	if want.Outcome != "" {
		differs("outcome", want.Outcome, s.last.String())
	}
	if s.fails != nil {
		differs("evaluates", "everything", s.fails.Error())
		s.fails = nil
	}
	return out
}

// into puts what is given in the place of facts.
func (g *GivenSubject) into(s *policy.Subject) {
	put(&s.Status, g.Status)
	put(&s.Reason, g.Reason)
	put(&s.Payment, g.Payment)
	put(&s.Method, g.Method)
	put(&s.Via, g.Via)
	put(&s.Attempts, g.Attempts)
	put(&s.Units, g.Units)
	put(&s.UnitsOpen, g.UnitsOpen)
	put(&s.UnitsBackordered, g.UnitsBackordered)
	put(&s.Value, g.Value)
	if g.Holds != nil {
		s.Holds = g.Holds
	}
	if g.Exceptions != nil {
		s.Exceptions = g.Exceptions
	}
}

func put[T any](to *T, v *T) {
	if v != nil {
		*to = *v
	}
}
