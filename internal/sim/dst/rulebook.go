package dst

import (
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/flow"
	"github.com/orderly-oms/orderly/internal/policy"
)

// rule is a document that can be put in force: a policy or a flow.
type rule struct {
	kind       policy.Kind
	name, text string
}

// rules are the ready policies about holds, exceptions and payments, and the ready flows.
func rules() (out []rule) {
	for _, e := range flow.Library() {
		out = append(out, rule{e.Flow.Policy.Kind, e.Flow.Policy.Name, e.Text})
	}
	for _, e := range policy.Library() {
		switch k := e.Compiled.Kind; k {
		case policy.KindHolds, policy.KindExceptions, policy.KindPayment, policy.KindReturns:
			out = append(out, rule{k, e.Compiled.Name, e.Text})
		}
	}
	return append(out, rule{policy.KindOrderFlow, "odd", oddFlow}, rule{policy.KindReturns, "looked-at", lookedAt}, rule{policy.KindReturns, "early", early})
}

// lookedAt has goods that came back inspected, and pays the customer then; early pays before it sees anything.
const (
	lookedAt = "kind: returns\nname: looked-at\nreturns: {rules: [{name: all, to: nearest}], inspect: 'true', refund: on_inspection}\n"
	early    = "kind: returns\nname: early\nreturns: {rules: [{name: all, to: nearest}], refund: instant}\n"
)

// enact puts a rule in force; every second time as a new version with the same meaning.
func (w *World) enact(r rule) {
	text := r.text
	if w.chance(.5) {
		text = strings.TrimRight(text, "\n") + "\n# edition " + choose(w, "two", "three") + "\n"
	}
	isFlow := strings.HasSuffix(string(r.kind), "_flow")
	m := &message{name: "save-rule " + string(r.kind) + " " + r.name, do: func(e *engine.Engine, m engine.Meta) (*engine.Reply, error) {
		return e.SavePolicy(ctx, r.kind, r.name, text, "", m)
	}}
	m.settled = func(_ *engine.Reply, err error) {
		p := &message{name: "publish-rule " + string(r.kind) + " " + r.name, do: func(e *engine.Engine, m engine.Meta) (*engine.Reply, error) {
			return e.PublishPolicy(ctx, r.kind, r.name, engine.Publish{}, m)
		}}
		p.settled = func(_ *engine.Reply, err error) {
			if isFlow && err == nil && w.chance(.6) {
				w.in(w.between(time.Minute, 20*time.Hour), func() { w.migrate(r) })
			}
		}
		if err == nil {
			w.send(0, p)
		}
	}
	w.send(0, m)
}

// migrate takes what is in flight to the flow's version in force.
func (w *World) migrate(r rule) {
	n := w.some()
	if n == nil {
		return
	}
	var err error
	alive := n.on(func(e *engine.Engine) {
		_, err = e.MigrateFlow(ctx, r.kind, r.name, &engine.MigrateRequest{}, engine.Meta{Actor: "operator"})
	})
	w.say("%s: migrate %s %s -> %v", n.name, r.kind, r.name, err)
	if alive && err == nil {
		w.cover.hit(operations, "migrate-flow")
	}
}
