package flow

import (
	"slices"
	"strconv"
	"strings"

	"github.com/orderly-oms/orderly/internal/problem"
)

// CheckMigration says where subjects of one flow go in another, for each state of the one that is
// not final: where mapping says, else where the other's own migrate list does, else the state of the
// same name. Subjects in final states stay where they are. Errors: problem.Invalid for states without a target,
// targets that are final or left at once, and names that are no states.
func CheckMigration(from, to *Compiled, mapping map[string]string) (map[string]string, error) {
	var bad problem.Invalid
	if from.Subject != to.Subject {
		bad.Add("", problem.Conflict, "%s is the flow of a %s, %s that of a %s", from.Ref, from.Subject, to.Ref, to.Subject)
		return nil, bad.Err()
	}
	out := map[string]string{}
	for i := range from.states {
		s := &from.states[i]
		if s.final {
			continue
		}
		target := to.successor(from, s.name, mapping)
		at, ok := to.index[target]
		pointer := problem.Join("mapping", s.name)
		switch {
		case target == "":
			bad.Add(pointer, problem.Required, "%s has no state %s; say which state takes its place", to.Ref, s.name)
		case !ok:
			bad.Add(pointer, problem.Unknown, "%s has no state %.60q", to.Ref, target)
		case to.states[at].final:
			bad.Add(pointer, problem.Conflict, "%s is final in %s, but %s is not in %s", target, to.Ref, s.name, from.Ref)
		case to.passes(at):
			bad.Add(pointer, problem.Conflict, "%s is left at once in %s; say which state takes the place of %s", target, to.Ref, s.name)
		default:
			out[s.name] = target
		}
	}
	for _, name := range sortedKeys(mapping) {
		if at, ok := from.index[name]; !ok || from.states[at].final {
			bad.Add(problem.Join("mapping", name), problem.Unknown, "%s has no state of that name that is not final", from.Ref)
		}
	}
	return out, bad.Err()
}

// passes reports whether a state is left at once, whatever the facts are.
func (c *Compiled) passes(i int) bool {
	r := c.states[i].on[eventEnter]
	return r != nil && slices.ContainsFunc(r.transitions, func(x transition) bool { return x.when == nil && x.to >= 0 })
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m { // sorted below
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// successor is the state that takes the place of one of another version; "": none.
func (c *Compiled) successor(from *Compiled, name string, mapping map[string]string) string {
	if to, ok := mapping[name]; ok {
		return to
	}
	_, text, _ := strings.Cut(from.Ref, "@")
	version, _ := strconv.ParseInt(text, 10, 64) // made by Versioned
	for i := range c.Doc.Flow.Migrate {
		m := &c.Doc.Flow.Migrate[i]
		low, high, _ := parseVersions(m.Versions)
		if from.Name == c.Name && m.From == name && version >= low && version <= high {
			return m.To
		}
	}
	if _, ok := c.index[name]; ok {
		return name
	}
	return ""
}

// Migrate puts an instance of another version into a state of this one. It keeps how long it has
// been there, and timers of the same name with their time; other timers are armed from now on.
// Actions on entering are not taken: nothing was entered.
func (c *Compiled) Migrate(in *Instance, state string, t Times) (Instance, error) {
	at, ok := c.index[state]
	if !ok {
		return Instance{}, ErrState
	}
	s := &c.states[at]
	out := Instance{Flow: c.Ref, State: s.name, Since: in.Since, Timers: s.arm(eventStart, t)}
	for i := range out.Timers {
		x := s.timer(out.Timers[i].Name)
		for _, was := range in.Timers {
			if was.Name == x.name && (was.Left < 0) == (out.Timers[i].Left < 0) {
				out.Timers[i].At = was.At
				out.Timers[i].Left = min(was.Left, max(out.Timers[i].Left, 0))
			}
		}
	}
	return out, nil
}
