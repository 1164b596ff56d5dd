package reassess

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
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

// gathered is what is picked out of a history for the rules.
type gathered struct {
	published []past.Policy
	at        []time.Time          // when it says so of each
	keeping   map[string]time.Time // locations with safety stock, since when
}

// add picks out of an entry.
func (g *gathered) add(e *past.Entry) {
	if e.Policy != nil {
		g.published, g.at = append(g.published, *e.Policy), append(g.at, e.At)
	}
	for i := range e.Stock {
		if s := &e.Stock[i]; s.Safety != nil && *s.Safety > 0 {
			if _, has := g.keeping[s.Location]; !has {
				g.keeping[s.Location] = e.At
			}
		}
	}
}

// surveyor picks out of a history while it is read by others, because reading it takes as long as a good part of a replay.
type surveyor struct {
	open replay.Open
	mu   sync.Mutex
	done *gathered // by the first who read to the end
}

// watched opens the history for somebody else.
func (s *surveyor) watched() (past.Reader, error) {
	r, err := s.open()
	if err != nil {
		return nil, err
	}
	return &watchedReader{r, s, &gathered{keeping: map[string]time.Time{}}}, nil
}

type watchedReader struct {
	past.Reader
	s *surveyor
	g *gathered
}

// Next implements past.Reader.
func (r *watchedReader) Next(e *past.Entry) error {
	err := r.Reader.Next(e)
	switch {
	case err == nil:
		r.g.add(e)
	case errors.Is(err, io.EOF):
		r.s.mu.Lock()
		if r.s.done == nil {
			r.s.done = r.g
		}
		r.s.mu.Unlock()
	}
	return err
}

// gathered is what somebody read to the end, or else is read now.
func (s *surveyor) gathered() (g *gathered, err error) {
	s.mu.Lock()
	g = s.done
	s.mu.Unlock()
	if g != nil {
		return g, nil
	}
	r, err := s.watched()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	for {
		var e past.Entry
		switch err := r.Next(&e); {
		case errors.Is(err, io.EOF):
			return s.done, nil
		case err != nil:
			return nil, err
		}
	}
}

// survey finds the rules in force at the end of a period. Policies that the base was given replace those of their kind.
// Errors: of the history; a policy that does not compile.
func (s *surveyor) survey(base *replay.Scenario, from, until time.Time) (*rules, error) {
	g, err := s.gathered()
	if err != nil {
		return nil, err
	}
	out := &rules{kinds: map[policy.Kind][]rule{}, moved: map[policy.Kind]bool{}, keeping: map[string]bool{}}
	for location, since := range g.keeping {
		if !since.After(until) {
			out.keeping[location] = true
		}
	}
	var set []policy.Published
	texts := map[string]string{}
	for i := range g.published {
		p := &g.published[i]
		kind := policy.Kind(p.Kind)
		if !slices.Contains(watched, kind) || g.at[i].After(until) {
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
	inForce := policy.NewSet(set)
	for _, kind := range watched {
		for _, p := range inForce.InForce(kind, until) {
			out.kinds[kind] = append(out.kinds[kind], rule{p.Compiled, p.Version, texts[key(kind, p.Compiled.Name, p.Version)], p.From})
		}
	}
	return out, out.given(base.Policies)
}

func key(kind policy.Kind, name string, version int64) string {
	return fmt.Sprintf("%s/%s@%d", kind, name, version)
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
