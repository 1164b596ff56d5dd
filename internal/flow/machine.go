package flow

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/orderly-oms/orderly/internal/policy"
)

// Times are the dates that timers go by.
type Times struct {
	Now        time.Time
	ShipBy     time.Time // promise.ship_by; zero: none
	DeliverBy  time.Time // promise.deliver_by
	WantedBy   time.Time
	ExpectedAt time.Time
	ReturnBy   time.Time
}

// Outcome is what became of an event.
type Outcome int

// The outcomes.
const (
	// Missed: nothing in the state takes the event, and nothing says that it need not.
	Missed Outcome = iota
	// Ignored on purpose, or no event that a flow must take.
	Ignored
	// Stayed: a transition without another state was taken, or a timer fired that nothing takes now.
	Stayed
	// Moved into a state, which may be the one it was in.
	Moved
)

var outcomeNames = [...]string{Missed: "missed", Ignored: "ignored", Stayed: "stayed", Moved: "moved"}

// String is the outcome's name.
func (o Outcome) String() string { return outcomeNames[o] }

// Move is a step of an instance.
type Move struct {
	From  string // "": it starts
	Event string
	// To is the instance afterwards. Its timers must not be changed.
	To Instance
	// Changed tells that To differs from the instance before and must be kept.
	Changed bool
	// Actions are to be carried out in this order. The list must not be changed.
	Actions []Act
	// Failed is the first condition or amount that could not be evaluated, which then counted as
	// not met, or as the action left out. Nil: all could.
	Failed error
}

// Compiled is a flow ready to run. It is immutable and safe for concurrent use.
type Compiled struct {
	Policy  *policy.Compiled
	Doc     *Document
	Subject string
	Name    string
	// Ref is name@version, which instances carry; see Versioned.
	Ref string
	// MissedException tells that a missed event asks a person as well.
	MissedException bool

	start  int
	states []state
	index  map[string]int
	uses   policy.Uses
	sheet  *policy.Sheet // says where examples are
}

type state struct {
	name   string
	final  bool
	awaits string
	timers []timer
	enter  []Act
	on     map[string]*reaction
}

// reaction is what a state does about one event.
type reaction struct {
	transitions []transition
	ignored     bool
	// guarded tells that something is evaluated, so that facts are needed.
	guarded bool
}

type transition struct {
	when *policy.Expr // nil: always
	to   int          // -1: stay
	acts []Act        // its own, and then those of the state that it enters
}

type timer struct {
	name             string
	event, exhausted string // timer.<name>, timer.<name>.exhausted
	after            time.Duration
	at               string
	offset           time.Duration
	every            time.Duration
	times            int64
}

const (
	// maxChain bounds how many states an instance runs through at once by conditions.
	maxChain = 10
	// minEvery is the shortest duration of a timer, and the soonest a timer comes that a timer led to.
	minEvery = time.Minute
)

// ErrState reports an instance in a state that its flow does not have.
var ErrState = errors.New("flow: there is no such state")

// Versioned is the flow as one of its versions: instances that start in it carry the reference.
func (c *Compiled) Versioned(version int64) *Compiled {
	out, p := *c, *c.Policy
	out.Ref = fmt.Sprintf("%s@%d", c.Name, version)
	out.Policy, p.Body = &p, &out
	return &out
}

// Uses says which sections of facts the flow reads.
func (c *Compiled) Uses() policy.Uses { return c.uses }

// Guarded reports whether a step needs facts.
func (c *Compiled) Guarded(in *Instance, event string) bool {
	i, ok := c.index[in.State]
	if !ok {
		return false
	}
	r := c.states[i].on[event]
	return r != nil && r.guarded
}

// StartGuarded reports whether Start needs facts.
func (c *Compiled) StartGuarded() bool {
	s := &c.states[c.start]
	r := s.on[eventEnter]
	return r != nil && r.guarded || needFacts(s.enter)
}

// Final reports whether nothing is left to happen for an instance.
func (c *Compiled) Final(in *Instance) bool {
	i, ok := c.index[in.State]
	return ok && c.states[i].final
}

// Start begins the life of a subject.
func (c *Compiled) Start(f *policy.Facts, t Times) Move {
	m := Move{Event: eventStart, To: Instance{Flow: c.Ref}}
	c.enter(&m, c.start, f, t, c.states[c.start].enter)
	return m
}

// Step is what an event does to an instance. Facts may be nil when Guarded says so.
func (c *Compiled) Step(in *Instance, event string, f *policy.Facts, t Times) (Move, Outcome) {
	m := Move{From: in.State, Event: event, To: *in}
	at, ok := c.index[in.State]
	if !ok {
		m.Failed = fmt.Errorf("%w: %s has no state %q", ErrState, c.Ref, in.State)
		return m, Missed
	}
	s := &c.states[at]
	fired := s.advance(&m, event, t.Now)
	r := s.on[event]
	if r == nil {
		if fired || !answersFor(c.Subject, event) {
			return m, settled(fired)
		}
		return m, Missed
	}
	for i := range r.transitions {
		x := &r.transitions[i]
		if !x.holds(&m, f) {
			continue
		}
		if x.to < 0 {
			m.Actions = c.ready(&m, x.acts, f)
			return m, Stayed
		}
		c.enter(&m, x.to, f, t, x.acts)
		return m, Moved
	}
	if fired || r.ignored || !answersFor(c.Subject, event) {
		return m, settled(fired)
	}
	return m, Missed
}

// settled is the outcome of an event that no transition takes and nobody misses.
func settled(fired bool) Outcome {
	if fired {
		return Stayed
	}
	return Ignored
}

var noFacts policy.Facts

// holds evaluates a condition; one that cannot be is not met.
func (x *transition) holds(m *Move, f *policy.Facts) bool {
	if x.when == nil {
		return true
	}
	ok, err := x.when.Bool(cmp.Or(f, &noFacts))
	if err != nil && m.Failed == nil {
		m.Failed = fmt.Errorf("the condition %q of %s in state %s: %w", x.when.Source(), m.Event, m.To.State, err)
	}
	return err == nil && ok
}

// enter puts the instance into a state, and on through states that are left at once. After maxChain
// states conditions are not asked any more, so that only states that are left whatever the facts are
// passed; the check made sure that those do not go round.
func (c *Compiled) enter(m *Move, to int, f *policy.Facts, t Times, acts []Act) {
	m.Actions, m.Changed = c.ready(m, acts, f), true
	var r *reaction
chain:
	for passed := 0; ; passed++ {
		if r = c.states[to].on[eventEnter]; r == nil {
			break
		}
		m.To.State = c.states[to].name // for what a failed condition says
		for i := range r.transitions {
			x := &r.transitions[i]
			if passed >= maxChain && (x.when != nil || x.to < 0) || !x.holds(m, f) {
				continue
			}
			// A new list: that of the transition before must not be changed.
			m.Actions = append(m.Actions[:len(m.Actions):len(m.Actions)], c.ready(m, x.acts, f)...)
			if x.to < 0 {
				break chain
			}
			to = x.to
			continue chain
		}
		break
	}
	s := &c.states[to]
	m.To.State, m.To.Since, m.To.Final = s.name, t.Now, s.final
	m.To.Timers = s.arm(m.Event, t)
}

// arm are the timers of a state that is entered.
func (s *state) arm(event string, t Times) []Timer {
	if len(s.timers) == 0 {
		return nil
	}
	soonest := t.Now
	if len(event) > len(timerPrefix) && event[:len(timerPrefix)] == timerPrefix {
		soonest = t.Now.Add(minEvery) // so that timers whose dates are past do not chase each other
	}
	out := make([]Timer, len(s.timers))
	for i := range s.timers {
		out[i] = s.timers[i].arm(t)
		if out[i].At.Before(soonest) {
			out[i].At = soonest
		}
	}
	return out
}

func (x *timer) arm(t Times) Timer {
	out := Timer{Name: x.name, At: t.Now.Add(x.after)}
	if date := t.date(x.at); !date.IsZero() {
		out.At = date.Add(x.offset)
	}
	switch {
	case x.every == 0:
	case x.times == 0:
		out.Left = -1
	default:
		out.Left = int(x.times)
	}
	return out
}

func (t *Times) date(name string) time.Time {
	switch name {
	case AtShipBy:
		return t.ShipBy
	case AtDeliverBy:
		return t.DeliverBy
	case AtWantedBy:
		return t.WantedBy
	case AtExpected:
		return t.ExpectedAt
	case AtReturnBy:
		return t.ReturnBy
	}
	return time.Time{}
}

// advance takes note that a timer of the state fired: it comes again, or is over. Left counts down
// the times it still comes, and, when it comes for ever, up those it came, below zero.
func (s *state) advance(m *Move, event string, now time.Time) bool {
	for i := range m.To.Timers {
		was := &m.To.Timers[i]
		x := s.timer(was.Name)
		if x == nil || event != x.event && event != x.exhausted {
			continue
		}
		next := make([]Timer, 0, len(m.To.Timers))
		next = append(next, m.To.Timers[:i]...)
		if x.every > 0 && was.Left != 0 {
			again := *was
			again.Left--
			if again.At = was.At.Add(x.every); !again.At.After(now) {
				again.At = now.Add(x.every)
			}
			next = append(next, again)
		}
		next = append(next, m.To.Timers[i+1:]...)
		if len(next) == 0 {
			next = nil
		}
		m.To.Timers, m.Changed = next, true
		return true
	}
	return false
}

func (s *state) timer(name string) *timer {
	for i := range s.timers {
		if s.timers[i].name == name {
			return &s.timers[i]
		}
	}
	return nil
}

// Due is the event of the timer that has been due longest; false: none is. Each step with the event
// moves the timer on, so that asking again comes to an end.
func (c *Compiled) Due(in *Instance, now time.Time) (event string, ok bool) {
	at, known := c.index[in.State]
	if !known {
		return "", false
	}
	first := -1
	for i := range in.Timers {
		if t := &in.Timers[i]; !t.At.After(now) && (first < 0 || t.At.Before(in.Timers[first].At)) {
			first = i
		}
	}
	if first < 0 {
		return "", false
	}
	x := c.states[at].timer(in.Timers[first].Name)
	if x == nil {
		return timerPrefix + in.Timers[first].Name, true
	}
	if x.every > 0 && in.Timers[first].Left == 0 {
		return x.exhausted, true
	}
	return x.event, true
}

// Tries counts how often the timer of an event has fired in the state, with this time; 0: it is no timer's event.
func (c *Compiled) Tries(in *Instance, event string) int64 {
	at, ok := c.index[in.State]
	if !ok {
		return 0
	}
	for i := range in.Timers {
		x := c.states[at].timer(in.Timers[i].Name)
		switch left := int64(in.Timers[i].Left); {
		case x == nil || event != x.event && event != x.exhausted:
		case left < 0:
			return -left
		case x.every > 0:
			return min(x.times-left+1, x.times)
		default:
			return 1
		}
	}
	return 0
}

// ready fills facts into actions. A list without any is returned as it is.
func (c *Compiled) ready(m *Move, acts []Act, f *policy.Facts) []Act {
	if !needFacts(acts) {
		return acts
	}
	out := make([]Act, 0, len(acts))
	for i := range acts {
		a := acts[i]
		if a.fill {
			a.Reason = policy.FillIn(a.Reason, f)
		}
		if a.amount != nil {
			var err error
			if a.Amount, err = a.amount.Int(cmp.Or(f, &noFacts)); err != nil || a.Amount < 0 {
				if m.Failed == nil {
					m.Failed = fmt.Errorf("the amount %q of %s in state %s is %d: %w", a.amount.Source(), m.Event, m.To.State, a.Amount, err)
				}
				continue
			}
			if a.Amount == 0 {
				continue // nothing is to be given back
			}
		}
		out = append(out, a)
	}
	return out
}

func needFacts(acts []Act) bool {
	for i := range acts {
		if acts[i].fill || acts[i].amount != nil {
			return true
		}
	}
	return false
}
