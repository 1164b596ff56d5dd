package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/orderly-oms/orderly/internal/experiment"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/problem"
	"github.com/orderly-oms/orderly/internal/store"
)

// MaxExperiments is how many are kept.
const MaxExperiments = 1000

// Events of experiments.
const (
	EventExperimentCreated = "experiment.created"
	EventExperimentStarted = "experiment.started"
	EventExperimentStopped = "experiment.stopped"
)

// ExperimentEventTypes lists them.
var ExperimentEventTypes = []string{EventExperimentCreated, EventExperimentStarted, EventExperimentStopped}

func experimentKey(id string) store.Key { return ReferenceKey(KindExperiment, id) }

// CreateExperiment files an experiment; nothing happens until it is started. The challenger is a policy on the shelf, or a text, which is
// saved there as the next version of its policy first. The reply's value is the *experiment.Experiment. Errors: problem.Invalid.
func (e *Engine) CreateExperiment(ctx context.Context, setup experiment.Setup, text string, m Meta) (*Reply, error) {
	var bad problem.Invalid
	bad.Nest("", setup.Validate())
	if (setup.Policy == "") == (text == "") {
		bad.Add("policy", problem.Required, "name the challenger as policy, name@version, or send its document as text; not both")
	}
	e.checkChannels(&bad, &setup)
	if err := bad.Err(); err != nil {
		return nil, err
	}
	x := &experiment.Experiment{ID: e.opt.NewID(), Setup: setup.Filled(), State: experiment.Draft, Text: text}
	c := &Command{Stream: experimentKey(x.ID), Actor: m.Actor, Key: m.Key}
	shelve := func(*Tx, *experiment.Experiment) error { return nil }
	var err error
	if text != "" {
		shelve, err = e.newChallenger(ctx, c, x)
	} else {
		err = e.findChallenger(ctx, x)
	}
	if err != nil {
		return nil, err
	}
	c.Decide = func(tx *Tx) (*Reply, error) {
		if e.experimentCount() >= MaxExperiments {
			return nil, tooMany("", "experiments", MaxExperiments)
		}
		next := *x
		next.CreatedBy, next.CreatedAt = tx.actor, tx.Now
		if err := shelve(tx, &next); err != nil {
			return nil, err
		}
		reply, err := e.putExperiment(tx, &next, EventExperimentCreated)
		if err == nil {
			reply.Status = http.StatusCreated
		}
		return reply, err
	}
	return e.Submit(ctx, c)
}

// checkChannels names channels that do not exist, and fills in the currency when the channels have one.
func (e *Engine) checkChannels(bad *problem.Invalid, s *experiment.Setup) {
	d := e.Directory()
	var currencies []string
	for i, id := range s.Channels {
		ch, ok := d.Channel(id)
		if !ok {
			bad.Add(problem.At("channels", i), problem.Unknown, "there is no channel %q", id)
			continue
		}
		currencies = append(currencies, ch.Currency)
	}
	if len(s.Channels) == 0 {
		for _, ch := range d.Channels() {
			currencies = append(currencies, ch.Currency)
		}
	}
	slices.Sort(currencies)
	currencies = slices.Compact(currencies)
	switch {
	case s.Currency != "", len(currencies) == 0 && len(s.Channels) > 0: // or there are no such channels, which was said
	case len(currencies) == 1:
		s.Currency = currencies[0]
	default:
		bad.Add("currency", problem.Required, "the channels have %d currencies, and costs in several do not add up: say which orders take part", len(currencies))
	}
}

// newChallenger checks the text of a challenger, and returns what saves it as a version of its policy, which the experiment
// then names, in the same commit.
func (e *Engine) newChallenger(ctx context.Context, c *Command, x *experiment.Experiment) (func(*Tx, *experiment.Experiment) error, error) {
	check := CheckPolicy(x.Text, true)
	var bad problem.Invalid
	switch {
	case len(check.Problems) > 0:
		bad.Nest("text", check.Problems.Invalid())
	case check.Kind != policy.KindSourcing:
		bad.Add("text", problem.Conflict, "the document is of kind %s; sourcing policies can be tried", check.Kind)
	}
	if err := bad.Err(); err != nil {
		return nil, err
	}
	latest, err := e.latestText(ctx, policy.KindSourcing, check.Name)
	if err != nil {
		return nil, err
	}
	c.Needs = []store.Key{policyKey(policy.KindSourcing, check.Name)}
	return func(tx *Tx, x *experiment.Experiment) error {
		p, _, err := tx.savePolicy(policy.KindSourcing, check.Name, x.Text, "challenger of the experiment "+x.Name, latest)
		if err == nil {
			x.Policy = policyName(check.Compiled, int64(len(p.Versions)))
		}
		return err
	}, nil
}

// findChallenger takes the challenger from the shelf.
func (e *Engine) findChallenger(ctx context.Context, x *experiment.Experiment) error {
	var bad problem.Invalid
	name, number, versioned := strings.Cut(x.Policy, "@")
	version, err := strconv.ParseInt(cmp.Or(number, "0"), 10, 64)
	if err != nil || version < 0 || versioned && version == 0 {
		bad.Add("policy", problem.Malformed, "write name@version, or the name alone for the latest version")
		return bad.Err()
	}
	v, err := e.PolicyVersion(ctx, policy.KindSourcing, name, version)
	if errors.Is(err, ErrNotFound) {
		bad.Add("policy", problem.Unknown, "the shelf has no sourcing policy %.200q; save it with PUT /v1/policies/sourcing/{name} or send it as text", x.Policy)
		return bad.Err()
	}
	if err != nil {
		return err
	}
	check := CheckPolicy(v.Text, true)
	if len(check.Problems) > 0 {
		bad.Nest("policy", check.Problems.Invalid())
		return bad.Err()
	}
	x.Policy, x.Text = policyName(check.Compiled, v.Version), v.Text
	return nil
}

// StartExperiment lets an experiment run. Orders captured from then on take part. Errors: ErrNotFound; problem.Invalid
// when it is not a draft, or one that runs has the same orders.
func (e *Engine) StartExperiment(ctx context.Context, id string, m Meta) (*Reply, error) {
	return e.changeExperiment(ctx, id, m, func(tx *Tx, x *experiment.Experiment) (*Reply, error) {
		var bad problem.Invalid
		if x.State != experiment.Draft {
			bad.Add("state", problem.Conflict, "the experiment is %s; only a draft can be started, once: make another to try again", x.State)
		}
		for _, t := range e.runningTrials() {
			if t.ID != x.ID && t.Overlaps(&x.Setup) {
				bad.Add("channels", problem.Conflict, "experiment %s (%s) runs on orders of the same channels; stop it first or choose other channels", t.ID, t.Name)
			}
		}
		if slices.Contains(e.incumbents(), x.Policy) {
			bad.Add("policy", problem.Conflict, "%s is in force itself; there is nothing to compare", x.Policy)
		}
		if err := bad.Err(); err != nil {
			return nil, err
		}
		return e.putExperiment(tx, x.Started(tx.actor, tx.Now, e.incumbents()), EventExperimentStarted)
	})
}

// StopExperiment ends an experiment for good; a draft is withdrawn by it. From then on the policies in force
// decide everything. Errors: ErrNotFound; problem.Invalid when it is stopped already.
func (e *Engine) StopExperiment(ctx context.Context, id, reason string, m Meta) (*Reply, error) {
	if err := reasonProblem(reason); err != nil {
		return nil, err
	}
	return e.changeExperiment(ctx, id, m, func(tx *Tx, x *experiment.Experiment) (*Reply, error) {
		stop := experiment.Stop{Cause: experiment.StopPerson, Reason: reason}
		if x.State == experiment.Running {
			c, _, _ := e.trialCounts(id)
			stop.Answer = x.Answer(&c)
		}
		return e.stopExperiment(tx, x, stop)
	})
}

func (e *Engine) stopExperiment(tx *Tx, x *experiment.Experiment, stop experiment.Stop) (*Reply, error) {
	if x.State == experiment.Stopped {
		var bad problem.Invalid
		bad.Add("state", problem.Conflict, "the experiment is stopped already")
		return nil, bad.Err()
	}
	stop.By = tx.actor
	return e.putExperiment(tx, x.Ended(stop, tx.Now), EventExperimentStopped)
}

// endExperiment stops a running experiment for what was found; one that is stopped already stays as it is.
func (e *Engine) endExperiment(ctx context.Context, id string, stop experiment.Stop) error {
	_, err := e.changeExperiment(ctx, id, Meta{Actor: "experiments"}, func(tx *Tx, x *experiment.Experiment) (*Reply, error) {
		if x.State != experiment.Running {
			return &Reply{Status: http.StatusOK, Value: x}, nil
		}
		return e.stopExperiment(tx, x, stop)
	})
	return err
}

func (e *Engine) changeExperiment(ctx context.Context, id string, m Meta, decide func(*Tx, *experiment.Experiment) (*Reply, error)) (*Reply, error) {
	key := experimentKey(id)
	return e.Submit(ctx, &Command{Stream: key, Actor: m.Actor, Key: m.Key, Decide: func(tx *Tx) (*Reply, error) {
		en := tx.Entry(key)
		if en == nil {
			return nil, &Missing{What: fmt.Sprintf("experiment %.100q", id)}
		}
		if m.IfVersion != 0 && m.IfVersion != en.Version {
			return nil, ErrVersion
		}
		return decide(tx, en.Value.(*experiment.Experiment))
	}})
}

func (e *Engine) putExperiment(tx *Tx, x *experiment.Experiment, event string) (*Reply, error) {
	key := experimentKey(x.ID)
	en := tx.Put(store.Record{Key: key, CreatedAt: x.CreatedAt, State: StateActive}, x)
	if err := tx.Emit(key, en.Version, []documentEvent{{Type: event, ID: x.ID, Document: x}}, nil); err != nil {
		return nil, err
	}
	tx.After(func() { e.experiments.keep(e, []*experiment.Experiment{x}) })
	return &Reply{Status: http.StatusOK, Value: x, Entry: en}, nil
}

func (e *Engine) experimentCount() int {
	e.experiments.mu.Lock()
	defer e.experiments.mu.Unlock()
	return len(e.experiments.all)
}

// Experiments lists all, the newest first.
func (e *Engine) Experiments() []*experiment.Experiment {
	e.experiments.mu.Lock()
	defer e.experiments.mu.Unlock()
	out := make([]*experiment.Experiment, 0, len(e.experiments.all))
	for _, x := range e.experiments.all { // sorted below
		out = append(out, x)
	}
	slices.SortFunc(out, func(a, b *experiment.Experiment) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID, a.ID))
	})
	return out
}

// Experiment returns one, with the version for its ETag. Errors: ErrNotFound.
func (e *Engine) Experiment(ctx context.Context, id string) (*experiment.Experiment, int64, error) {
	en, err := e.stored(ctx, experimentKey(id))
	if errors.Is(err, ErrNotFound) {
		err = &Missing{What: fmt.Sprintf("experiment %.100q", id)}
	}
	if err != nil {
		return nil, 0, err
	}
	return en.Value.(*experiment.Experiment), en.Version, nil
}

// ExperimentResult is what is known of one so far: a node counts every LearnInterval. Errors: ErrNotFound.
func (e *Engine) ExperimentResult(ctx context.Context, id string) (*experiment.Result, error) {
	x, _, err := e.Experiment(ctx, id)
	if err != nil {
		return nil, err
	}
	c, at, behind := e.trialCounts(id)
	r := x.Result(&c)
	r.At, r.Behind = at, behind
	return r, nil
}
