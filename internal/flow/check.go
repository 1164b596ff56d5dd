package flow

import (
	"strings"

	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/problem"
)

// Codes of problems of flows, beside those of package policy. They are part of the public API.
const (
	CodeDeadEnd = "dead_end" // a state that nothing leads out of, or from which no end is reached
	CodeNoTimer = "no_timer" // a state that may last for ever without anybody noticing
	CodeUnheard = "unheard"  // a timer that nothing listens to, or an event that no state takes
)

// check proves that the flow is alive: that every state is reached and left, and nothing lasts unnoticed.
func (c *compiler) check() {
	states := c.doc.Flow.States
	if len(states) == 0 {
		return
	}
	ends := false
	for i := range states {
		c.at = "state " + states[i].Name
		ends = ends || states[i].Final
		if states[i].Final {
			c.checkFinal(i)
			continue
		}
		c.checkTimers(i)
		c.checkWayOut(i)
	}
	if !ends {
		c.s.Add("flow.states", CodeDeadEnd, "no state is final; a life has an end")
	}
	for i := range states {
		c.at = "state " + states[i].Name
		c.checkTaken(problem.At("flow.states", i)+".on", states[i].On)
		c.checkIdle(i)
	}
	c.at = "flow"
	c.checkTaken("flow.on", c.doc.Flow.On)
	c.checkWide()
	c.checkGraph(ends)
	c.checkHandled()
}

// takes are the transitions of a state on an event: its own, then the flow's.
func (c *compiler) takes(i int, event string) (out []*Transition) {
	s := &c.doc.Flow.States[i]
	for k := range s.On {
		if contains(s.On[k].events(), event) {
			out = append(out, &s.On[k])
		}
	}
	if s.Final {
		return out
	}
	for k := range c.doc.Flow.On {
		if contains(c.doc.Flow.On[k].events(), event) {
			out = append(out, &c.doc.Flow.On[k])
		}
	}
	return out
}

func (t *Transition) guarded() bool { return strings.TrimSpace(t.When) != "" }

func (t *Transition) raises() bool {
	for i := range t.Do {
		if t.Do[i].Exception != nil {
			return true
		}
	}
	return false
}

func (c *compiler) checkFinal(i int) {
	s, p := &c.doc.Flow.States[i], problem.At("flow.states", i)
	if len(s.Timers) > 0 {
		c.s.Add(p+".timers", problem.Conflict, "%s: it is final, and nothing is left to wait for", c.at)
	}
	if s.Awaits != "" {
		c.s.Add(p+".awaits", problem.Conflict, "%s: it is final, and nothing is left to await", c.at)
	}
	for k := range s.On {
		if t := &s.On[k]; t.To != "" && !t.Reopen {
			c.s.Add(problem.At(p+".on", k), problem.Conflict, "%s: it is final, but %s leads to %s; say reopen: true if that is meant", c.at, strings.Join(t.events(), ", "), t.To)
		}
	}
}

// passes reports whether a state is left at once, whatever the facts are.
func (c *compiler) passes(i int) bool {
	for _, t := range c.takes(i, eventEnter) {
		if !t.guarded() && t.To != "" {
			return true
		}
	}
	return false
}

func (c *compiler) checkWayOut(i int) {
	s := &c.doc.Flow.States[i]
	for _, list := range [][]Transition{s.On, c.doc.Flow.On} {
		for k := range list {
			if list[k].To != "" && list[k].To != s.Name {
				return
			}
		}
	}
	c.s.Add(problem.At("flow.states", i), CodeDeadEnd, "%s: nothing leads out of it; give it a transition, or mark it final", c.at)
}

// checkTimers demands that a state does not last unnoticed: it has timers, each is listened to,
// one of them leaves or asks a person, and one is armed for as long as the state lasts.
func (c *compiler) checkTimers(i int) {
	s, p := &c.doc.Flow.States[i], problem.At("flow.states", i)
	if c.passes(i) {
		if len(s.Timers) > 0 {
			c.s.Add(p+".timers", policy.CodeUnreachable, "%s: it is left at once, so its timers never fire", c.at)
		}
		return
	}
	if len(s.Timers) == 0 {
		if s.Awaits != "" {
			c.s.Add(p, CodeNoTimer, "%s: it awaits the %s without a deadline; give it a timer that asks a person or leads on", c.at, s.Awaits)
		} else {
			c.s.Add(p, CodeNoTimer, "%s: it may last for ever; give it a timer that asks a person or leads on", c.at)
		}
		return
	}
	escalates, lasts := false, false
	for k := range s.Timers {
		x, at := &s.Timers[k], problem.At(p+".timers", k)
		events := []string{timerPrefix + x.Name}
		if x.Times > 0 {
			events = append(events, timerPrefix+x.Name+exhausted)
		}
		for _, event := range events {
			list := c.takes(i, event)
			if len(list) == 0 {
				c.s.Add(at, CodeUnheard, "%s: nothing listens to %s", c.at, event)
			}
			for _, t := range list {
				escalates = escalates || t.raises() || t.To != "" && t.To != s.Name
			}
		}
		lasts = lasts || c.lasts(i, x)
	}
	if !escalates {
		c.s.Add(p+".timers", CodeNoTimer, "%s: none of its timers asks a person (exception) or leads to another state, so that it may last for ever", c.at)
	}
	if !lasts {
		c.s.Add(p+".timers", CodeNoTimer, "%s: once its timers have fired it may last for ever; let one repeat (every without times), or let each transition of its last event enter a state, one of them without a condition", c.at)
	}
}

// lasts reports whether a timer keeps a state from lasting for ever without one being armed: it
// repeats, or whatever happens when it fires last enters a state.
func (c *compiler) lasts(i int, x *StateTimer) bool {
	if x.Every != "" && x.Times == 0 {
		return true
	}
	event := timerPrefix + x.Name
	if x.Times > 0 {
		event += exhausted
	}
	for _, t := range c.takes(i, event) {
		if t.To == "" {
			return false
		}
		if !t.guarded() {
			return true
		}
	}
	return false
}

// checkTaken finds transitions that an earlier one for the same event keeps from being taken.
func (c *compiler) checkTaken(pointer string, list []Transition) {
	for k := range list {
		for _, event := range list[k].events() {
			for before := range k {
				x := &list[before]
				if !contains(x.events(), event) || x.guarded() && strings.TrimSpace(x.When) != strings.TrimSpace(list[k].When) {
					continue
				}
				c.s.Add(problem.At(pointer, k), policy.CodeUnreachable, "%s: on %s it is never taken; the transition at %s comes first", c.at, event, c.s.Note(problem.At(pointer, before)))
				break
			}
		}
	}
}

// checkIdle finds what a state says in vain.
func (c *compiler) checkIdle(i int) {
	s, p := &c.doc.Flow.States[i], problem.At("flow.states", i)
	for k, event := range s.Ignore {
		for _, t := range c.takes(i, event) {
			if !t.guarded() {
				c.s.Warn(problem.At(p+".ignore", k), policy.CodeIdle, "%s: %s is taken, so that ignoring it says nothing", c.at, event)
				break
			}
		}
	}
	if !s.Final && c.passes(i) {
		for k := range s.On {
			if !contains(s.On[k].events(), eventEnter) {
				c.s.Add(problem.At(p+".on", k), policy.CodeUnreachable, "%s: it is left at once, so that this is never taken", c.at)
			}
		}
	}
}

// checkWide finds transitions of the flow that every state keeps from being taken.
func (c *compiler) checkWide() {
	for k := range c.doc.Flow.On {
		t := &c.doc.Flow.On[k]
		taken := false
		for i := range c.doc.Flow.States {
			if c.doc.Flow.States[i].Final || c.passes(i) {
				continue
			}
			for _, event := range t.events() {
				if strings.HasPrefix(event, timerPrefix) && !contains(c.timerEvents(&c.out.states[i]), event) {
					continue
				}
				taken = taken || !c.shadows(i, event)
			}
		}
		if !taken {
			c.s.Add(problem.At("flow.on", k), policy.CodeUnreachable, "flow: on %s it is never taken; every state has a transition of its own without a condition", strings.Join(t.events(), ", "))
		}
	}
}

// shadows reports whether a state has a transition of its own that always takes an event.
func (c *compiler) shadows(i int, event string) bool {
	s := &c.doc.Flow.States[i]
	for k := range s.On {
		if contains(s.On[k].events(), event) && !s.On[k].guarded() {
			return true
		}
	}
	return false
}

// next are the states that a state leads to.
func (c *compiler) next(i int) (out []int) {
	s := &c.doc.Flow.States[i]
	add := func(list []Transition) {
		for k := range list {
			if to, ok := c.out.index[list[k].To]; ok {
				out = append(out, to)
			}
		}
	}
	add(s.On)
	if !s.Final {
		add(c.doc.Flow.On)
	}
	return out
}

// checkGraph demands that every state is reached from the start, and a final one from every state.
func (c *compiler) checkGraph(ends bool) {
	n := len(c.doc.Flow.States)
	reached, ending := make([]bool, n), make([]bool, n)
	queue := []int{c.out.start}
	reached[c.out.start] = true
	for len(queue) > 0 {
		for _, to := range c.next(queue[0]) {
			if !reached[to] {
				reached[to] = true
				queue = append(queue, to)
			}
		}
		queue = queue[1:]
	}
	for again := true; again; {
		again = false
		for i := range n {
			done := c.doc.Flow.States[i].Final
			for _, to := range c.next(i) {
				done = done || ending[to]
			}
			if done && !ending[i] {
				ending[i], again = true, true
			}
		}
	}
	for i := range n {
		p, name := problem.At("flow.states", i), c.doc.Flow.States[i].Name
		if !reached[i] {
			c.s.Add(p, policy.CodeUnreachable, "state %s: nothing leads to it from the start, %s", name, c.doc.Flow.States[c.out.start].Name)
		} else if ends && !ending[i] && len(c.next(i)) > 0 {
			c.s.Add(p, CodeDeadEnd, "state %s: no final state is ever reached from it", name)
		}
		c.checkRound(i)
	}
}

// checkRound refuses states that are left at once round and round.
func (c *compiler) checkRound(i int) {
	at := i
	for range len(c.doc.Flow.States) {
		to := -1
		for _, t := range c.takes(at, eventEnter) {
			if !t.guarded() {
				if next, ok := c.out.index[t.To]; ok {
					to = next
				}
				break
			}
		}
		if to < 0 {
			return
		}
		if at = to; at == i {
			c.s.Add(problem.At("flow.states", i), CodeDeadEnd, "state %s: it is left at once, and comes back to itself at once", c.doc.Flow.States[i].Name)
			return
		}
	}
}

// checkHandled warns of events that no state takes or ignores.
func (c *compiler) checkHandled() {
	var unheard []string
	for _, event := range EventsOf(c.subject) {
		handled := !answersFor(c.subject, event)
		for i := range c.out.states {
			handled = handled || c.out.states[i].on[event] != nil
		}
		if !handled {
			unheard = append(unheard, event)
		}
	}
	if len(unheard) > 0 {
		c.s.Warn("flow", CodeUnheard, "no state takes or ignores %s; each will be missed when it comes", strings.Join(unheard, ", "))
	}
}
