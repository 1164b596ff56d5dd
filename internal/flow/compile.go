package flow

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/problem"
)

// Limits of a flow.
const (
	MaxStates      = 60
	MaxTransitions = 200 // of one state, and of the flow
	MaxTimers      = 10  // of one state
	MaxIgnored     = 100 // of one list
	MaxMigrations  = 200
	MaxSteps       = 50 // of one example
	maxActions     = 20 // of one list
	maxDescription = 500
	maxTimes       = 1000

	// MaxDuration bounds how far ahead a timer is.
	MaxDuration = 366 * 24 * time.Hour
)

// What a missed event does.
const (
	missedLog       = "log"
	missedException = "exception"
)

// compiler collects everything wrong with a document.
type compiler struct {
	s       *policy.Sheet
	doc     *Document
	out     *Compiled
	subject string
	allowed policy.Uses
	at      string // what is looked at, for messages
	ignored []*ignoring
	wide    []transition
}

// ignoring is a list of events that need no reaction.
type ignoring struct {
	exact    map[string]bool
	prefixes []string
}

func (g *ignoring) has(event string) bool { return g.exact[event] || hasPrefix(event, g.prefixes) }

// CompileText reads, checks and compiles a document; Body of what it returns is the *Compiled. Errors: policy.Problems.
func CompileText(text []byte) (*policy.Compiled, error) {
	d := &Document{}
	s, err := policy.ReadSheet(text, d)
	if err != nil {
		return nil, err
	}
	c := &compiler{s: s, doc: d, subject: SubjectOf(d.Kind), out: &Compiled{Doc: d, Name: d.Name, index: map[string]int{}}}
	head := c.head()
	if c.subject != "" {
		c.flow()
		c.check()
		c.examples()
	}
	c.out.Policy, c.out.Subject, c.out.sheet = head, c.subject, s
	c.out.MissedException = d.Flow.Missed == missedException
	if _, err := s.Compiled(head, c.out); err != nil {
		return nil, err
	}
	return c.out.Versioned(0).Policy, nil
}

// Of is the flow in a compiled document; nil when it is of another kind.
func Of(p *policy.Compiled) *Compiled {
	c, _ := p.Body.(*Compiled)
	return c
}

// facts that the conditions of a subject's flows may read, and those of its selection.
var guardUses = map[string]policy.Uses{
	SubjectOrder:       policy.UsesOrder | policy.UsesSubject | policy.UsesNow,
	SubjectFulfillment: policy.UsesOrder | policy.UsesSubject | policy.UsesLocation | policy.UsesNow,
	SubjectReturn:      policy.UsesOrder | policy.UsesSubject | policy.UsesReturned | policy.UsesNow,
}

func (c *compiler) head() *policy.Compiled {
	d := c.doc
	if c.subject == "" {
		c.s.OneOf("kind", string(d.Kind), string(policy.KindOrderFlow), string(policy.KindFulfillmentFlow), string(policy.KindReturnFlow))
	}
	c.allowed = guardUses[c.subject]
	return c.s.Head(d.Kind, d.Name, d.Description, d.Select, c.allowed|policy.UsesLine|policy.UsesSKU|policy.UsesNow)
}

func (c *compiler) flow() {
	f := &c.doc.Flow
	c.s.Count("flow.states", len(f.States), MaxStates)
	if len(f.States) == 0 {
		c.s.Add("flow.states", problem.Required, "a flow has states")
		return
	}
	names := make([]string, len(f.States))
	for i := range f.States {
		names[i] = f.States[i].Name
		if _, twice := c.out.index[names[i]]; !twice {
			c.out.index[names[i]] = i
		}
	}
	c.s.Unique("flow.states", names)
	c.out.states = make([]state, len(f.States))
	if f.Start != "" {
		c.at = "flow"
		c.out.start = max(c.target("flow.start", f.Start), 0)
	}
	if f.Missed != "" {
		c.s.OneOf("flow.missed", f.Missed, missedLog, missedException)
	}
	c.ignored = make([]*ignoring, len(f.States))
	wide := c.ignoring("flow.ignore", f.Ignore)
	for i := range f.States {
		c.state(i)
		c.ignored[i].prefixes = append(c.ignored[i].prefixes, wide.prefixes...)
		for e := range wide.exact {
			c.ignored[i].exact[e] = true
		}
	}
	c.at = "flow"
	c.s.Count("flow.on", len(f.On), MaxTransitions)
	for i := range f.On {
		c.wide = append(c.wide, c.transition(problem.At("flow.on", i), &f.On[i], nil))
	}
	for i := range f.States {
		c.reactions(i)
	}
	c.migrations()
}

func (c *compiler) names() []string {
	out := make([]string, len(c.doc.Flow.States))
	for i := range out {
		out[i] = c.doc.Flow.States[i].Name
	}
	return out
}

// target finds a state that is named; -1 and a problem when there is none.
func (c *compiler) target(pointer, name string) int {
	if i, ok := c.out.index[name]; ok {
		return i
	}
	c.s.Add(pointer, problem.Unknown, "%s: there is no state %.60q%s", c.at, name, policy.Nearest(name, c.names()))
	return -1
}

func (c *compiler) state(i int) {
	d := &c.doc.Flow.States[i]
	p := problem.At("flow.states", i)
	c.at = "state " + d.Name
	c.s.Text(p+".description", d.Description, maxDescription, 0)
	if d.Awaits != "" {
		c.s.OneOf(p+".awaits", d.Awaits, Awaited...)
	}
	s := &c.out.states[i]
	s.name, s.final, s.awaits = d.Name, d.Final, d.Awaits
	s.enter = c.acts(p+".enter", d.Enter)
	c.s.Count(p+".timers", len(d.Timers), MaxTimers)
	names := make([]string, len(d.Timers))
	for k := range d.Timers {
		names[k] = d.Timers[k].Name
		s.timers = append(s.timers, c.timer(problem.At(p+".timers", k), &d.Timers[k]))
	}
	c.s.Unique(p+".timers", names)
	c.ignored[i] = c.ignoring(p+".ignore", d.Ignore)
}

func (c *compiler) timer(p string, d *StateTimer) timer {
	at := c.at
	c.at += ", timer " + d.Name
	defer func() { c.at = at }()
	out := timer{name: d.Name, event: timerPrefix + d.Name, exhausted: timerPrefix + d.Name + exhausted, at: d.At, times: d.Times}
	if strings.Contains(d.Name, ".") {
		c.s.Add(p+".name", problem.Malformed, "%s: a timer's name has no dots", c.at)
	}
	switch {
	case (d.After == "") == (d.At == ""):
		c.s.Add(p, problem.Required, "%s: give either after, or at with otherwise", c.at)
	case d.After != "":
		out.after = c.duration(p+".after", d.After, minEvery, MaxDuration)
		if d.Offset != "" || d.Otherwise != "" {
			c.s.Add(p, problem.Conflict, "%s: offset and otherwise go with at", c.at)
		}
	default:
		c.s.OneOf(p+".at", d.At, Dates[c.subject]...)
		if d.Offset != "" {
			out.offset = c.duration(p+".offset", d.Offset, -MaxDuration, MaxDuration)
		}
		if d.Otherwise == "" {
			c.s.Add(p+".otherwise", problem.Required, "%s: say after how long it fires when there is no %s", c.at, d.At)
			break
		}
		out.after = c.duration(p+".otherwise", d.Otherwise, minEvery, MaxDuration)
	}
	c.s.Within(p+".times", d.Times, 0, maxTimes)
	switch {
	case d.Every != "":
		out.every = c.duration(p+".every", d.Every, minEvery, MaxDuration)
	case d.Times != 0:
		c.s.Add(p+".times", problem.Conflict, "%s: times goes with every", c.at)
	}
	return out
}

// ignoring reads a list of events that need no reaction.
func (c *compiler) ignoring(pointer string, list []string) *ignoring {
	out := &ignoring{exact: map[string]bool{}}
	c.s.Count(pointer, len(list), MaxIgnored)
	for i, e := range list {
		p := problem.At(pointer, i)
		prefix, star := strings.CutSuffix(e, "*")
		if !star {
			if c.event(p, e, nil) {
				out.exact[e] = true
			}
			continue
		}
		if !strings.HasSuffix(prefix, ".") || !matchesAny(prefix, c.subject) {
			c.s.Add(p, problem.Unknown, "%s: %.60q covers no event that reaches the flow of a %s", c.at, e, c.subject)
			continue
		}
		out.prefixes = append(out.prefixes, prefix)
	}
	return out
}

func matchesAny(prefix, subject string) bool {
	if contains(prefixes[subject].own, prefix) || contains(prefixes[subject].others, prefix) {
		return true
	}
	for _, e := range EventsOf(subject) {
		if strings.HasPrefix(e, prefix) {
			return true
		}
	}
	return false
}

// event checks the name of an event of order. timers, when not nil, are those that can be listened to.
func (c *compiler) event(pointer, name string, timers []string) bool {
	known := EventsOf(c.subject)
	switch {
	case name == "":
		c.s.Add(pointer, problem.Required, "%s: say on which event", c.at)
		return false
	case contains(known, name), contains(timers, name), name == eventEnter && timers != nil:
		return true
	case strings.HasPrefix(name, timerPrefix) && timers != nil:
		c.s.Add(pointer, problem.Unknown, "%s: no timer here fires %.60q%s", c.at, name, policy.Nearest(name, timers))
	case contains(order.EventTypes, name):
		c.s.Add(pointer, problem.Unknown, "%s: %s does not reach the flow of a %s", c.at, name, c.subject)
	default:
		c.s.Add(pointer, problem.Unknown, "%s: there is no event %.60q%s", c.at, name, policy.Nearest(name, append(known, eventEnter)))
	}
	return false
}

// timerEvents are the events that the timers of a state fire; of nil, of all states.
func (c *compiler) timerEvents(of *state) (out []string) {
	out = []string{}
	for i := range c.out.states {
		s := &c.out.states[i]
		if of != nil && of != s {
			continue
		}
		for k := range s.timers {
			out = append(out, s.timers[k].event)
			if s.timers[k].times > 0 {
				out = append(out, s.timers[k].exhausted)
			}
		}
	}
	return out
}

// transition compiles one transition; of is its state, nil for those of the flow.
func (c *compiler) transition(p string, d *Transition, of *state) transition {
	at := c.at
	c.at += ", on " + strings.Join(d.events(), ", ")
	defer func() { c.at = at }()
	c.events(p, d, c.timerEvents(of))
	out := transition{to: -1, when: c.s.Condition(p+".when", d.When, c.allowed), acts: c.acts(p+".do", d.Do)}
	if d.To != "" {
		out.to = c.target(p+".to", d.To)
	}
	switch {
	case d.To == "" && len(d.Do) == 0:
		c.s.Add(p, policy.CodeIdle, "%s: neither goes anywhere nor does anything; name the event under ignore", c.at)
	case contains(d.events(), eventEnter) && of == nil:
		c.s.Add(p, problem.Conflict, "%s: enter belongs to a state", c.at)
	case contains(d.events(), eventEnter) && d.To == of.name:
		c.s.Add(p+".to", problem.Conflict, "%s: the state would be entered for ever", c.at)
	case d.Reopen && (of == nil || !of.final):
		c.s.Add(p+".reopen", problem.Conflict, "%s: only a transition out of a final state reopens", c.at)
	case d.Reopen && d.To == "":
		c.s.Add(p+".reopen", problem.Conflict, "%s: say which state it goes on in", c.at)
	}
	if out.to >= 0 {
		out.acts = append(out.acts, c.out.states[out.to].enter...)
	}
	return out
}

// events checks for which events a transition is.
func (c *compiler) events(p string, d *Transition, timers []string) {
	if len(d.Events) == 0 {
		c.event(p+".event", d.Event, timers)
		return
	}
	if d.Event != "" {
		c.s.Add(p+".event", problem.Conflict, "%s: give either event or events", c.at)
	}
	c.s.Count(p+".events", len(d.Events), MaxIgnored)
	for i, e := range d.Events {
		at := problem.At(p+".events", i)
		if c.event(at, e, timers) && slices.Index(d.Events, e) < i {
			c.s.Add(at, problem.Duplicate, "%s: %s is named twice", c.at, e)
		}
	}
}

// reactions puts together what a state does about each event: its own transitions, those of the
// flow, and what it ignores.
func (c *compiler) reactions(i int) {
	d := &c.doc.Flow.States[i]
	s := &c.out.states[i]
	p := problem.At("flow.states", i)
	c.at = "state " + d.Name
	c.s.Count(p+".on", len(d.On), MaxTransitions)
	s.on = map[string]*reaction{}
	at := func(event string) *reaction {
		if s.on[event] == nil {
			s.on[event] = &reaction{}
		}
		return s.on[event]
	}
	for k := range d.On {
		x := c.transition(problem.At(p+".on", k), &d.On[k], s)
		for _, event := range d.On[k].events() {
			r := at(event)
			r.transitions = append(r.transitions, x)
		}
	}
	if !s.final {
		own := c.timerEvents(s)
		for k := range c.wide {
			for _, event := range c.doc.Flow.On[k].events() {
				if strings.HasPrefix(event, timerPrefix) && !contains(own, event) {
					continue
				}
				at(event).transitions = append(at(event).transitions, c.wide[k])
			}
		}
	}
	for _, event := range EventsOf(c.subject) {
		if c.ignored[i].has(event) {
			at(event).ignored = true
		}
	}
	for _, r := range s.on {
		r.guarded = c.needsFacts(r, 0)
	}
}

// needsFacts reports whether a reaction evaluates anything, and notes what it reads.
func (c *compiler) needsFacts(r *reaction, depth int) bool {
	needs := false
	for i := range r.transitions {
		x := &r.transitions[i]
		if x.when != nil {
			c.out.uses |= x.when.Uses()
			needs = true
		}
		needs = needs || needFacts(x.acts)
		for k := range x.acts {
			if x.acts[k].fill {
				c.out.uses |= c.allowed
			}
			if x.acts[k].amount != nil {
				c.out.uses |= x.acts[k].amount.Uses()
			}
		}
		if x.to >= 0 && depth < maxChain {
			if next := c.enterTransitions(x.to); next {
				needs = true
			}
		}
	}
	return needs
}

// enterTransitions reports whether entering a state may evaluate something.
func (c *compiler) enterTransitions(i int) bool {
	for k := range c.doc.Flow.States[i].On {
		if contains(c.doc.Flow.States[i].On[k].events(), eventEnter) {
			return true
		}
	}
	return false
}

func (c *compiler) migrations() {
	list := c.doc.Flow.Migrate
	c.s.Count("flow.migrate", len(list), MaxMigrations)
	for i := range list {
		m, p := &list[i], problem.At("flow.migrate", i)
		c.at = "migrate " + m.From
		c.s.Identifier(p+".from", m.From)
		c.target(p+".to", m.To)
		if _, _, ok := parseVersions(m.Versions); !ok {
			c.s.Add(p+".versions", problem.Malformed, "%s: write versions like 2 or 1-3", c.at)
		}
	}
}

// parseVersions reads "2" or "1-3"; "" is all.
func parseVersions(text string) (low, high int64, ok bool) {
	if text == "" {
		return 0, math.MaxInt64, true
	}
	if n, err := fmt.Sscanf(text+";", "%d-%d;", &low, &high); err == nil && n == 2 {
		return low, high, low >= 0 && low <= high
	}
	if n, err := fmt.Sscanf(text+";", "%d;", &low); err == nil && n == 1 {
		return low, low, low >= 0
	}
	return 0, 0, false
}
