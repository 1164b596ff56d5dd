package engine

import (
	"slices"
	"sync"

	"github.com/orderly-oms/orderly/internal/flow"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/problem"
)

// Limits of published flows, beside those of policies. Every version that was ever in force stays
// in memory and in the flow's record, because orders may be on it.
const (
	MaxFlowVersions  = 200     // of one flow, published
	MaxFlowTextBytes = 4 << 20 // of the published versions of one flow
)

// maxCompiledTexts bounds the documents that are remembered compiled.
const maxCompiledTexts = 256

// compiledTexts are documents compiled lately, by text: each is compiled when it is saved, when it is published, and
// by every engine of the process that opens the store. What is compiled is never changed.
var compiledTexts struct {
	sync.Mutex
	of map[string]*policy.Compiled
}

// CompileDocument compiles a policy or a flow, by the kind that it says it is. Errors: policy.Problems.
func CompileDocument(text []byte) (*policy.Compiled, error) {
	m := &compiledTexts
	m.Lock()
	c := m.of[string(text)]
	m.Unlock()
	if c != nil {
		return c, nil
	}
	var err error
	if flow.SubjectOf(policy.KindOf(text)) != "" {
		c, err = flow.CompileText(text)
	} else {
		c, err = policy.CompileText(text)
	}
	if err != nil {
		return nil, err
	}
	m.Lock()
	defer m.Unlock()
	if m.of == nil || len(m.of) >= maxCompiledTexts {
		m.of = map[string]*policy.Compiled{}
	}
	m.of[string(text)] = c
	return c, nil
}

// ParseDocument reads a policy or a flow as the struct of its kind, for comparing. Errors: policy.Problems.
func ParseDocument(text []byte) (any, error) {
	if flow.SubjectOf(policy.KindOf(text)) == "" {
		d, err := policy.Parse(text)
		if err != nil {
			return nil, err
		}
		return *d, nil
	}
	c, err := flow.CompileText(text)
	if err != nil {
		return nil, err
	}
	return *flow.Of(c).Doc, nil
}

// DocumentKinds are the kinds of policies and of flows.
func DocumentKinds() []policy.Kind {
	kinds := slices.Clone(policy.Kinds)
	for _, subject := range flow.Subjects {
		kinds = append(kinds, flow.KindOf(subject))
	}
	return kinds
}

// flowRef names a version of a flow.
type flowRef struct {
	kind policy.Kind
	ref  string // name@version
}

// flowVersions are the compiled versions of all flows.
func flowVersions(heads map[string]*Policy, compiled map[string]*policy.Compiled) *map[flowRef]*flow.Compiled {
	out := map[flowRef]*flow.Compiled{}
	for _, p := range heads {
		for i := range p.Publications {
			c := compiled[versionKey(p, p.Publications[i].Version)]
			if c == nil {
				continue
			}
			if f := flow.Of(c); f != nil {
				out[flowRef{p.Kind, f.Ref}] = f
			}
		}
	}
	return &out
}

// keepTexts leaves the text of each version at one publication.
func (p *Policy) keepTexts() {
	seen := map[int64]bool{}
	for i := range p.Publications {
		x := &p.Publications[i]
		if seen[x.Version] {
			x.Text = ""
		}
		seen[x.Version] = true
	}
}

// roomForFlow refuses a publication of a flow beyond the limits of what is kept.
func (p *Policy) roomForFlow(n *Publication) error {
	if flow.SubjectOf(p.Kind) == "" || n.Version == 0 || p.text(n.Version) != "" {
		return nil
	}
	versions, size := 1, len(n.Text)
	for i := range p.Publications {
		if x := &p.Publications[i]; x.Text != "" {
			versions, size = versions+1, size+len(x.Text)
		}
	}
	if versions <= MaxFlowVersions && size <= MaxFlowTextBytes {
		return nil
	}
	var bad problem.Invalid
	bad.Add("", problem.TooMany, "a flow keeps at most %d published versions with %d bytes together; go on under another name", MaxFlowVersions, MaxFlowTextBytes)
	return bad.Err()
}

// Flow is the flow that a subject begins: of those published the one whose selection admits the
// facts, else the program's own. Nil for a kind that is not one of flows.
func (e *Engine) Flow(kind policy.Kind, f *policy.Facts) *flow.Compiled {
	if c, _, ok := e.Policies().Choose(kind, f); ok {
		return flow.Of(c)
	}
	return flow.Default(kind)
}

// FlowByName is a version of a flow that is or was in force, by the reference that instances
// carry; nil when there is none.
func (e *Engine) FlowByName(kind policy.Kind, ref string) *flow.Compiled {
	if d := flow.Default(kind); d != nil && d.Ref == ref {
		return d
	}
	if known := e.flows.Load(); known != nil {
		return (*known)[flowRef{kind, ref}]
	}
	return nil
}
