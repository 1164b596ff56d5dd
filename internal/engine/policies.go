package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/flow"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/problem"
	"github.com/orderly-oms/orderly/internal/sourcing"
	"github.com/orderly-oms/orderly/internal/store"
)

// Limits of stored policies.
const (
	MaxPolicies           = 1000
	MaxPolicyVersions     = 1000 // of one policy
	MaxPolicyPublications = 1000 // of one policy, with those that are over
	// MaxScheduledPublications is how many publications of one policy may lie ahead.
	MaxScheduledPublications = 5
	MaxReasonBytes           = 1000
)

// Events of policies.
const (
	EventPolicySaved      = "policy.saved"
	EventPolicyPublished  = "policy.published"
	EventPolicyRolledBack = "policy.rolled_back"
)

// PolicyEventTypes lists them.
var PolicyEventTypes = []string{EventPolicySaved, EventPolicyPublished, EventPolicyRolledBack}

// Policy is a policy with its history. The texts of its versions are records of their own.
type Policy struct {
	Kind policy.Kind `json:"kind"`
	Name string      `json:"name"`
	// Versions, oldest first; number i+1 is at i. A version never changes.
	Versions []PolicyVersion `json:"versions"`
	// Publications in the order they were made; a rollback is one too.
	Publications []Publication `json:"publications,omitempty"`
}

// PolicyVersion says who saved a version, when and why.
type PolicyVersion struct {
	Version int64     `json:"version"`
	By      string    `json:"by"`
	At      time.Time `json:"at"`
	Reason  string    `json:"reason,omitempty"`
	// Text is the document; only where one version is asked for.
	Text string `json:"text,omitempty"`
}

// Publication puts a version in force.
type Publication struct {
	// Version is 0 when from then on no version is in force.
	Version int64     `json:"version"`
	From    time.Time `json:"from"`
	By      string    `json:"by"`
	At      time.Time `json:"at"`
	Reason  string    `json:"reason,omitempty"`
	// Rollback marks publications that went back.
	Rollback bool `json:"rollback,omitempty"`
	// Dropped marks publications that were taken back before they came into force.
	Dropped bool `json:"dropped,omitempty"`
	// Text is kept for the version in force and those ahead, so that every node can compile them.
	Text string `json:"text,omitempty"`
}

// policyText is the record of one version.
type policyText struct {
	Kind    policy.Kind `json:"kind"`
	Name    string      `json:"name"`
	Version int64       `json:"version"`
	Text    string      `json:"text"`
}

type policyEvent struct {
	Type     string      `json:"type"`
	Kind     policy.Kind `json:"kind"`
	Name     string      `json:"name"`
	Version  int64       `json:"version"`
	From     time.Time   `json:"from,omitzero"`
	Reason   string      `json:"reason,omitempty"`
	Document any         `json:"document,omitempty"`
}

func policyKey(kind policy.Kind, name string) store.Key {
	return ReferenceKey(KindPolicy, string(kind)+"/"+name)
}

func policyTextKey(kind policy.Kind, name string, version int64) store.Key {
	return ReferenceKey(KindPolicyVersion, fmt.Sprintf("%s/%s/%d", kind, name, version))
}

// inForce returns the index of the publication in force at a time, of several from one
// moment on the last that was made; -1: there is none.
func (p *Policy) inForce(now time.Time) int {
	best := -1
	for i := range p.Publications {
		x := &p.Publications[i]
		if !x.Dropped && !x.From.After(now) && (best < 0 || !x.From.Before(p.Publications[best].From)) {
			best = i
		}
	}
	return best
}

// InForce is the version in force at a time; 0: none.
func (p *Policy) InForce(now time.Time) int64 {
	if i := p.inForce(now); i >= 0 {
		return p.Publications[i].Version
	}
	return 0
}

// PolicyView is a policy as it is shown: without texts, with what holds now.
type PolicyView struct {
	Kind policy.Kind `json:"kind"`
	Name string      `json:"name"`
	// Latest is the number of the latest version, InForce of the one in force now; 0: none.
	Latest       int64           `json:"latest"`
	InForce      int64           `json:"in_force"`
	Versions     []PolicyVersion `json:"versions"`
	Publications []Publication   `json:"publications"`
}

// View is how a policy is shown at a time.
func (p *Policy) View(now time.Time) *PolicyView {
	v := &PolicyView{
		Kind: p.Kind, Name: p.Name, Latest: int64(len(p.Versions)), InForce: p.InForce(now),
		Versions: p.Versions, Publications: append([]Publication{}, p.Publications...),
	}
	for i := range v.Publications {
		v.Publications[i].Text = ""
	}
	return v
}

// with returns the policy with one publication more: of those ahead one for the same
// moment is dropped, with a rollback all, and texts that are over are let go.
func (p *Policy) with(n Publication) *Policy {
	out := *p
	out.Publications = append(slices.Clone(p.Publications), n)
	last := len(out.Publications) - 1
	for i := range out.Publications[:last] {
		x := &out.Publications[i]
		if x.From.After(n.At) && (n.Rollback || x.From.Equal(n.From)) {
			x.Dropped = true
		}
	}
	if flow.SubjectOf(p.Kind) != "" {
		out.keepTexts()
		return &out
	}
	current := out.inForce(n.At)
	for i := range out.Publications {
		if x := &out.Publications[i]; x.Dropped || i != current && !x.From.After(n.At) {
			x.Text = ""
		}
	}
	return &out
}

// scheduled counts the publications ahead.
func (p *Policy) scheduled(now time.Time) (n int) {
	for i := range p.Publications {
		if x := &p.Publications[i]; !x.Dropped && x.From.After(now) {
			n++
		}
	}
	return n
}

// PolicyCheck is what checking a document finds. Compiled is nil when there are problems.
type PolicyCheck struct {
	Compiled *policy.Compiled       `json:"-"`
	Kind     policy.Kind            `json:"kind,omitempty"`
	Name     string                 `json:"name,omitempty"`
	Problems policy.Problems        `json:"problems"`
	Warnings policy.Problems        `json:"warnings"`
	Examples []policy.ExampleResult `json:"examples,omitempty"`
}

// CheckPolicy compiles a document and, when test is set, runs its examples. Examples
// that fail are problems as well.
func CheckPolicy(text string, test bool) PolicyCheck {
	out := PolicyCheck{Problems: policy.Problems{}, Warnings: policy.Problems{}}
	c, err := CompileDocument([]byte(text))
	if err != nil {
		out.Problems = err.(policy.Problems)
		return out
	}
	out.Compiled, out.Kind, out.Name = c, c.Kind, c.Name
	out.Warnings = append(out.Warnings, c.Warnings...)
	if test {
		if f := flow.Of(c); f != nil {
			out.Examples = flow.RunExamples(f)
		} else {
			out.Examples = policy.RunExamples(c, sourcing.RunExample)
		}
		out.Problems = append(out.Problems, policy.ExampleProblems(out.Examples)...)
	}
	return out
}

func reasonProblem(reason string) error {
	var bad problem.Invalid
	bad.Text("reason", reason, MaxReasonBytes)
	return bad.Err()
}

// checkName refuses a document that is filed under another name than its own.
func checkName(c *policy.Compiled, kind policy.Kind, name string) error {
	var bad problem.Invalid
	if c.Kind != kind {
		bad.Add("kind", problem.Conflict, "the document is of kind %s, not %s", c.Kind, kind)
	}
	if c.Name != name {
		bad.Add("name", problem.Conflict, "the document is named %q, not %q", c.Name, name)
	}
	return bad.Err()
}

// SavePolicy keeps a document as the next version of its policy. It must compile; a
// text equal to the latest version's makes no new one. The reply's value is a *PolicyView, its status
// 201 when there is a new version. Errors: problem.Invalid.
func (e *Engine) SavePolicy(ctx context.Context, kind policy.Kind, name, text, reason string, m Meta) (*Reply, error) {
	check := CheckPolicy(text, false)
	if len(check.Problems) > 0 {
		return nil, check.Problems.Invalid()
	}
	if err := cmp.Or(checkName(check.Compiled, kind, name), reasonProblem(reason)); err != nil {
		return nil, err
	}
	latest, err := e.latestText(ctx, kind, name)
	if err != nil {
		return nil, err
	}
	key := policyKey(kind, name)
	return e.Submit(ctx, &Command{Stream: key, Actor: m.Actor, Key: m.Key, Decide: func(tx *Tx) (*Reply, error) {
		if _, err := policyEntry(tx, key, m); err != nil {
			return nil, err
		}
		p, created, err := tx.savePolicy(kind, name, text, reason, latest)
		if err != nil {
			return nil, err
		}
		status := http.StatusOK
		if created {
			status = http.StatusCreated
		}
		return policyReply(tx.Entry(key), p, tx.Now, status), nil
	}})
}

// savePolicy keeps a text as the next version of its policy, unless it is that of the latest version, which the caller
// looked up. The policy's record must be loaded.
func (tx *Tx) savePolicy(kind policy.Kind, name, text, reason string, latest PolicyVersion) (p *Policy, created bool, err error) {
	key := policyKey(kind, name)
	if p, err = policyEntry(tx, key, Meta{}); err != nil {
		return nil, false, err
	}
	if p == nil {
		p = &Policy{Kind: kind, Name: name}
		if tx.e.policyCount() >= MaxPolicies {
			return nil, false, tooMany("", "policies", MaxPolicies)
		}
	}
	if latest.Version == int64(len(p.Versions)) && latest.Version > 0 && latest.Text == text {
		return p, false, nil
	}
	if len(p.Versions) >= MaxPolicyVersions {
		return nil, false, tooMany("", "versions", MaxPolicyVersions)
	}
	next := *p
	v := PolicyVersion{Version: int64(len(p.Versions)) + 1, By: tx.actor, At: tx.Now, Reason: reason}
	next.Versions = append(slices.Clone(p.Versions), v)
	body := &policyText{Kind: kind, Name: name, Version: v.Version, Text: text}
	textKey := policyTextKey(kind, name, v.Version)
	saved := policyEvent{Type: EventPolicySaved, Kind: kind, Name: name, Version: v.Version, Reason: reason}
	if _, err := tx.e.putPolicy(tx, key, &next, saved); err != nil {
		return nil, false, err
	}
	stored := tx.Put(store.Record{Key: textKey, CreatedAt: tx.Now, State: StateActive}, body)
	saved.Document = body
	return &next, true, tx.Emit(textKey, stored.Version, []policyEvent{saved}, nil)
}

func tooMany(pointer, what string, limit int) error {
	var bad problem.Invalid
	bad.Add(pointer, problem.TooMany, "there are %d %s already; at most so many are kept", limit, what)
	return bad.Err()
}

// policyEntry returns the stored policy, nil when there is none, and checks the caller's guard.
func policyEntry(tx *Tx, key store.Key, m Meta) (*Policy, error) {
	was := tx.Entry(key)
	if m.IfVersion != 0 && (was == nil || was.Version != m.IfVersion) {
		return nil, ErrVersion
	}
	if was == nil {
		return nil, nil
	}
	return was.Value.(*Policy), nil
}

func (e *Engine) putPolicy(tx *Tx, key store.Key, p *Policy, event policyEvent) (*Entry, error) {
	en := tx.Put(store.Record{Key: key, CreatedAt: tx.Now, State: StateActive}, p)
	if err := tx.Emit(key, en.Version, []policyEvent{event}, nil); err != nil {
		return nil, err
	}
	tx.After(func() { e.keepPolicies([]*Policy{p}) })
	return en, nil
}

func policyReply(en *Entry, p *Policy, now time.Time, status int) *Reply {
	return &Reply{Status: status, Value: p.View(now), Header: map[string]string{"ETag": fmt.Sprintf("%q", fmt.Sprint(en.Version))}}
}

// Publish asks for a version to be put in force.
type Publish struct {
	Version int64     // 0: the latest
	At      time.Time // zero or past: now
	Reason  string
}

// PublishPolicy puts a version in force from a time on. It is compiled and its examples
// are run again; problems refuse it. Errors: ErrNotFound, problem.Invalid.
func (e *Engine) PublishPolicy(ctx context.Context, kind policy.Kind, name string, n Publish, m Meta) (*Reply, error) {
	if err := reasonProblem(n.Reason); err != nil {
		return nil, err
	}
	v, err := e.PolicyVersion(ctx, kind, name, n.Version)
	if err != nil {
		return nil, err
	}
	check := CheckPolicy(v.Text, true)
	if len(check.Problems) > 0 {
		return nil, check.Problems.Invalid()
	}
	key := policyKey(kind, name)
	return e.Submit(ctx, &Command{Stream: key, Actor: m.Actor, Key: m.Key, Decide: func(tx *Tx) (*Reply, error) {
		p, err := policyEntry(tx, key, m)
		if err != nil {
			return nil, err
		}
		if p == nil {
			return nil, ErrNotFound
		}
		x := Publication{Version: v.Version, From: n.At.UTC(), By: tx.actor, At: tx.Now, Reason: n.Reason, Text: v.Text}
		if x.From.Before(tx.Now) {
			x.From = tx.Now
		}
		if x.From.After(tx.Now) && p.scheduled(tx.Now) >= MaxScheduledPublications {
			return nil, tooMany("at", "publications ahead", MaxScheduledPublications)
		}
		return e.publish(tx, key, p, x, EventPolicyPublished)
	}})
}

// publish adds a publication to a policy.
func (e *Engine) publish(tx *Tx, key store.Key, p *Policy, x Publication, event string) (*Reply, error) {
	if len(p.Publications) >= MaxPolicyPublications {
		return nil, tooMany("", "publications", MaxPolicyPublications)
	}
	if err := p.roomForFlow(&x); err != nil {
		return nil, err
	}
	next := p.with(x)
	en, err := e.putPolicy(tx, key, next, policyEvent{Type: event, Kind: p.Kind, Name: p.Name, Version: x.Version, From: x.From, Reason: x.Reason})
	if err != nil {
		return nil, err
	}
	return policyReply(en, next, tx.Now, http.StatusOK), nil
}

// RollbackPolicy puts, at once, the version in force that was before the present one;
// when there was none, none is in force any more. Publications ahead are dropped. Errors:
// ErrNotFound; problem.Invalid when nothing is in force or ahead.
func (e *Engine) RollbackPolicy(ctx context.Context, kind policy.Kind, name, reason string, m Meta) (*Reply, error) {
	if err := reasonProblem(reason); err != nil {
		return nil, err
	}
	key := policyKey(kind, name)
	seen, _, err := e.Policy(ctx, kind, name)
	if err != nil {
		return nil, err
	}
	target := seen.previous(e.Now())
	text := ""
	if target > 0 {
		v, err := e.PolicyVersion(ctx, kind, name, target)
		if err != nil {
			return nil, err
		}
		text = v.Text
	}
	return e.Submit(ctx, &Command{Stream: key, Actor: m.Actor, Key: m.Key, Decide: func(tx *Tx) (*Reply, error) {
		p, err := policyEntry(tx, key, m)
		if err != nil {
			return nil, err
		}
		if p == nil {
			return nil, ErrNotFound
		}
		if p.InForce(tx.Now) == 0 && p.scheduled(tx.Now) == 0 {
			var bad problem.Invalid
			bad.Add("", problem.Conflict, "no version is in force or ahead; there is nothing to roll back")
			return nil, bad.Err()
		}
		if p.previous(tx.Now) != target {
			return nil, ErrContention // somebody published meanwhile; the caller looks again
		}
		return e.publish(tx, key, p, Publication{Version: target, From: tx.Now, By: tx.actor, At: tx.Now, Reason: reason, Rollback: true, Text: text}, EventPolicyRolledBack)
	}})
}

// previous is the version in force before the present one; 0: there was none. While
// nothing is in force but something is ahead, it is 0: rolling back drops what is ahead.
func (p *Policy) previous(now time.Time) int64 {
	current := p.inForce(now)
	if current < 0 {
		return 0
	}
	x := p.Publications[current]
	best := -1
	for i := range p.Publications {
		y := &p.Publications[i]
		if i == current || y.Version == x.Version || y.Dropped || y.From.After(now) {
			continue
		}
		if best < 0 || !y.From.Before(p.Publications[best].From) {
			best = i
		}
	}
	if best < 0 {
		return 0
	}
	return p.Publications[best].Version
}

// Policy returns a stored policy and the version of its record. Errors: ErrNotFound.
func (e *Engine) Policy(ctx context.Context, kind policy.Kind, name string) (*Policy, int64, error) {
	en, err := e.stored(ctx, policyKey(kind, name))
	if err != nil {
		return nil, 0, err
	}
	return en.Value.(*Policy), en.Version, nil
}

// PolicyVersion returns one version of a policy with its text; 0: the latest. Errors: ErrNotFound.
func (e *Engine) PolicyVersion(ctx context.Context, kind policy.Kind, name string, version int64) (PolicyVersion, error) {
	p, _, err := e.Policy(ctx, kind, name)
	if err != nil {
		return PolicyVersion{}, err
	}
	if version == 0 {
		version = int64(len(p.Versions))
	}
	if version < 1 || version > int64(len(p.Versions)) {
		return PolicyVersion{}, &Missing{fmt.Sprintf("version %d of %s/%s; the latest is %d", version, kind, name, len(p.Versions))}
	}
	records, err := e.store.Load(ctx, []store.Key{policyTextKey(kind, name, version)})
	if err != nil {
		return PolicyVersion{}, err
	}
	if len(records) == 0 {
		return PolicyVersion{}, fmt.Errorf("engine: version %d of policy %s/%s has no text", version, kind, name)
	}
	en, err := decode(records[0])
	if err != nil {
		return PolicyVersion{}, err
	}
	v := p.Versions[version-1]
	v.Text = en.Value.(*policyText).Text
	return v, nil
}

// latestText is the latest version of a policy; the zero value when there is none.
func (e *Engine) latestText(ctx context.Context, kind policy.Kind, name string) (PolicyVersion, error) {
	v, err := e.PolicyVersion(ctx, kind, name, 0)
	if errors.Is(err, ErrNotFound) {
		return PolicyVersion{}, nil
	}
	return v, err
}
