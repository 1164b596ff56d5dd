package reassess

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/past"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/replay"
)

// rule is a policy in force at the end of the period.
type rule struct {
	compiled *policy.Compiled
	version  int64
	text     string
	since    time.Time // when this version came into force; zero: it was given, or is the library's
}

// rules are the policies in force at the end of the period, and what else of the history the watch has to know.
type rules struct {
	kinds map[policy.Kind][]rule
	// moved are kinds of which a version came into force, or was withdrawn, within the period.
	moved map[policy.Kind]bool
	// keeping are locations with safety stock at any time.
	keeping map[string]bool
}

// watched are the kinds that the watch and the questions read.
var watched = []policy.Kind{policy.KindSourcing, policy.KindPromise, policy.KindAvailability}

// survey reads through the history for the rules in force at a time. Policies that the base was given replace those of their kind.
// Errors: of the history; a policy that does not compile.
func survey(open replay.Open, base *replay.Scenario, from, until time.Time) (*rules, error) {
	out := &rules{kinds: map[policy.Kind][]rule{}, moved: map[policy.Kind]bool{}, keeping: map[string]bool{}}
	published, err := out.read(open, until)
	if err != nil {
		return nil, err
	}
	var set []policy.Published
	texts := map[string]string{}
	for _, p := range published {
		kind := policy.Kind(p.Kind)
		if !slices.Contains(watched, kind) {
			continue
		}
		x := policy.Published{Kind: kind, Name: p.Name, Version: p.Version, From: p.From, Withdrawn: p.Withdrawn}
		if !p.Withdrawn {
			if x.Compiled, err = policy.CompileText([]byte(p.Text)); err != nil {
				return nil, fmt.Errorf("reassess: policy %s/%s@%d of the history: %w", p.Kind, p.Name, p.Version, err)
			}
			texts[key(kind, p.Name, p.Version)] = p.Text
		}
		if p.From.After(from) && !p.From.After(until) {
			out.moved[kind] = true
		}
		set = append(set, x)
	}
	s := policy.NewSet(set)
	for _, kind := range watched {
		for _, p := range s.InForce(kind, until) {
			out.kinds[kind] = append(out.kinds[kind], rule{p.Compiled, p.Version, texts[key(kind, p.Compiled.Name, p.Version)], p.From})
		}
	}
	return out, out.given(base.Policies)
}

func key(kind policy.Kind, name string, version int64) string {
	return fmt.Sprintf("%s/%s@%d", kind, name, version)
}

// read goes through the history up to a time.
func (r *rules) read(open replay.Open, until time.Time) (published []past.Policy, err error) {
	in, err := open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	var e past.Entry
	for {
		switch err := in.Next(&e); {
		case errors.Is(err, io.EOF):
			return published, nil
		case err != nil:
			return nil, err
		case e.At.After(until):
			return published, nil
		}
		if e.Policy != nil {
			published = append(published, *e.Policy)
		}
		for i := range e.Stock {
			if s := e.Stock[i].Safety; s != nil && *s > 0 {
				r.keeping[e.Stock[i].Location] = true
			}
		}
		e = past.Entry{}
	}
}

// given puts policies of the base in place of those of their kind, and the library's where there is none.
func (r *rules) given(texts []string) error {
	seen := map[policy.Kind]bool{}
	for _, text := range texts {
		c, err := policy.CompileText([]byte(text))
		if err != nil {
			return fmt.Errorf("reassess: a policy of the base: %w", err)
		}
		if !seen[c.Kind] {
			seen[c.Kind], r.kinds[c.Kind], r.moved[c.Kind] = true, nil, false
		}
		r.kinds[c.Kind] = append(r.kinds[c.Kind], rule{compiled: c, text: text})
	}
	for _, e := range policy.Library() {
		if kind := e.Compiled.Kind; e.Default && slices.Contains(watched, kind) && len(r.kinds[kind]) == 0 {
			r.kinds[kind] = []rule{{compiled: e.Compiled, text: e.Text}}
		}
	}
	return nil
}

// general is the policy of a kind that decides about orders in general: of those with the fewest conditions the one of
// the highest priority, then the lowest name.
func (r *rules) general(kind policy.Kind) *rule {
	conditions := func(x *rule) int {
		s := &x.compiled.Doc.Select
		return len(s.Channels) + len(s.Methods) + len(s.Services) + len(s.When)
	}
	list := r.kinds[kind]
	if len(list) == 0 {
		return nil
	}
	best := &list[0]
	for i := range list {
		x := &list[i]
		if cmp.Or(cmp.Compare(conditions(x), conditions(best)),
			cmp.Compare(best.compiled.Doc.Select.Priority, x.compiled.Doc.Select.Priority),
			strings.Compare(x.compiled.Name, best.compiled.Name)) < 0 {
			best = x
		}
	}
	return best
}

// texts are the policies of a kind in force, with one of them changed.
func (r *rules) texts(kind policy.Kind, name, changed string) (out []string) {
	for i := range r.kinds[kind] {
		x := &r.kinds[kind][i]
		if x.compiled.Name == name {
			out = append(out, changed)
		} else {
			out = append(out, x.text)
		}
	}
	return out
}

// aim is the share of promises that the promise policy means to keep, 0 to 1.
func (r *rules) aim() float64 {
	if p := r.general(policy.KindPromise); p != nil {
		return p.compiled.Promise.Quantile
	}
	return policy.Default(policy.KindPromise).Promise.Quantile
}

// anyMoved reports that rules changed within the period.
func (r *rules) anyMoved() bool {
	return slices.ContainsFunc(watched, func(k policy.Kind) bool { return r.moved[k] })
}
