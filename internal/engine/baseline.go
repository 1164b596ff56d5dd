package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/money"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/problem"
	"github.com/orderly-oms/orderly/internal/roi"
	"github.com/orderly-oms/orderly/internal/store"
)

// Events of the baseline.
const (
	EventBaselinePinned   = "baseline.pinned"
	EventBaselineUnpinned = "baseline.unpinned"
)

// BaselineEventTypes lists them.
var BaselineEventTypes = []string{EventBaselinePinned, EventBaselineUnpinned}

// Limits of the baseline.
const (
	MaxPins = 1000 // versions of it
	// maxMinuteCost and maxMonthlyCost are minor units, maxTouches per order and maxTouchMinutes per touch.
	maxMinuteCost   = 1_000_000
	maxMonthlyCost  = 1_000_000_000_000
	maxTouches      = 1000
	maxTouchMinutes = 10_000
)

// Baseline is what decisions are compared with, and was. Its texts are those of the last pin.
type Baseline struct {
	// Pins, oldest first; number i+1 is at i.
	Pins        []roi.Pin `json:"pins"`
	Text        string    `json:"text,omitempty"`
	PromiseText string    `json:"promise_text,omitempty"`
}

// Current is the pin in force; nil: nothing is pinned.
func (b *Baseline) Current() *roi.Pin {
	if n := len(b.Pins); n > 0 && !b.Pins[n-1].Off {
		return &b.Pins[n-1]
	}
	return nil
}

// PinBaseline asks for a policy to be the baseline. Exactly one of Policy, Library and Text names it.
type PinBaseline struct {
	Policy  string `json:"policy,omitempty" doc:"a saved sourcing policy, name or name@version; without a version the latest"`
	Library string `json:"library,omitempty" doc:"one of the ready sourcing policies, like nearest; it is saved as a policy of that name"`
	Text    string `json:"text,omitempty" doc:"a sourcing policy in YAML; it is saved as a policy of its name"`
	Promise string `json:"promise_policy,omitempty" doc:"a saved promise policy, name or name@version, that dates what the baseline decides; default: the one in force"`
	// What follows is stated by the operator, and used as it is.
	Currency        string   `json:"currency,omitempty" doc:"of the two costs; needed with either"`
	MinuteCost      int64    `json:"minute_cost,omitempty" doc:"what a minute of a person costs, minor units"`
	MonthlyCost     int64    `json:"monthly_cost,omitempty" doc:"what the system costs in a month, minor units"`
	TouchesPerOrder *float64 `json:"touches_per_order,omitempty" doc:"how often people worked on an order before; default: unknown"`
	MinutesPerTouch float64  `json:"minutes_per_touch,omitempty" doc:"how long that took each time; default: as long as now"`
	Reason          string   `json:"reason,omitempty"`
}

func (n *PinBaseline) validate() error {
	var bad problem.Invalid
	named := 0
	for _, s := range []string{n.Policy, n.Library, n.Text} {
		if s != "" {
			named++
		}
	}
	if named != 1 {
		bad.Add("policy", problem.Conflict, "name the baseline by exactly one of policy, library and text")
	}
	bad.Range("minute_cost", n.MinuteCost, 0, maxMinuteCost)
	bad.Range("monthly_cost", n.MonthlyCost, 0, maxMonthlyCost)
	if n.Currency != "" || n.MinuteCost != 0 || n.MonthlyCost != 0 {
		money.CheckCurrency(&bad, "currency", n.Currency)
	}
	number := func(pointer string, x, most float64) {
		if math.IsNaN(x) || x < 0 || x > most {
			bad.Add(pointer, problem.OutOfRange, "must be between 0 and %v", most)
		}
	}
	if n.TouchesPerOrder != nil {
		number("touches_per_order", *n.TouchesPerOrder, maxTouches)
	}
	number("minutes_per_touch", n.MinutesPerTouch, maxTouchMinutes)
	bad.Text("reason", n.Reason, MaxReasonBytes)
	return bad.Err()
}

func baselineKey() store.Key { return ReferenceKey(KindBaseline, "baseline") }

type baselineEvent struct {
	Type     string    `json:"type"`
	Pin      roi.Pin   `json:"pin"`
	Document *Baseline `json:"document"`
}

// Baseline returns what is pinned and was, with the version of its record. Errors: ErrNotFound when nothing ever was.
func (e *Engine) Baseline(ctx context.Context) (*Baseline, int64, error) {
	en, err := e.stored(ctx, baselineKey())
	if err != nil {
		return nil, 0, err
	}
	return en.Value.(*Baseline), en.Version, nil
}

// StoredBaseline is Baseline for those who read the store directly; nil when nothing ever was pinned.
func StoredBaseline(ctx context.Context, s store.Reader) (*Baseline, error) {
	records, err := s.Load(ctx, []store.Key{baselineKey()})
	if err != nil || len(records) == 0 {
		return nil, err
	}
	en, err := decode(records[0])
	if err != nil {
		return nil, err
	}
	return en.Value.(*Baseline), nil
}

// PinBaseline makes a sourcing policy the baseline from now on. A text is saved as the next version of its
// policy first, which stays also when the pin is refused. The reply's value is the *Baseline. Errors: problem.Invalid.
func (e *Engine) PinBaseline(ctx context.Context, n *PinBaseline, m Meta) (*Reply, error) {
	if err := n.validate(); err != nil {
		return nil, err
	}
	next := Baseline{}
	pin := roi.Pin{
		Reason: n.Reason, Currency: n.Currency, MinuteCost: n.MinuteCost, MonthlyCost: n.MonthlyCost,
		TouchesPerOrder: n.TouchesPerOrder, MinutesPerTouch: n.MinutesPerTouch,
	}
	var err error
	if pin.Sourcing, next.Text, err = e.baselineSourcing(ctx, n, m); err != nil {
		return nil, err
	}
	if n.Promise != "" {
		if pin.Promise, next.PromiseText, err = e.pinnable(ctx, policy.KindPromise, "promise_policy", n.Promise); err != nil {
			return nil, err
		}
	}
	return e.pin(ctx, next, pin, EventBaselinePinned, m)
}

// UnpinBaseline compares no further orders. The reply's value is the *Baseline. Errors: ErrNotFound when nothing is pinned.
func (e *Engine) UnpinBaseline(ctx context.Context, reason string, m Meta) (*Reply, error) {
	if err := reasonProblem(reason); err != nil {
		return nil, err
	}
	return e.pin(ctx, Baseline{}, roi.Pin{Reason: reason, Off: true}, EventBaselineUnpinned, m)
}

func (e *Engine) pin(ctx context.Context, next Baseline, pin roi.Pin, event string, m Meta) (*Reply, error) {
	key := baselineKey()
	return e.Submit(ctx, &Command{Stream: key, Actor: m.Actor, Key: m.Key, Decide: func(tx *Tx) (*Reply, error) {
		was := new(Baseline)
		en := tx.Entry(key)
		if en != nil {
			was = en.Value.(*Baseline)
		}
		switch {
		case m.IfVersion != 0 && (en == nil || en.Version != m.IfVersion):
			return nil, ErrVersion
		case pin.Off && was.Current() == nil:
			return nil, ErrNotFound
		case len(was.Pins) >= MaxPins:
			return nil, tooMany("", "baselines", MaxPins)
		}
		pin := pin
		pin.Version, pin.From, pin.By = int64(len(was.Pins))+1, tx.Now, tx.actor
		next := next
		next.Pins = append(slices.Clip(was.Pins), pin)
		stored := tx.Put(store.Record{Key: key, CreatedAt: tx.Now, State: StateActive}, &next)
		if err := tx.Emit(key, stored.Version, []baselineEvent{{Type: event, Pin: pin, Document: &next}}, nil); err != nil {
			return nil, err
		}
		tx.After(func() { e.keepBaseline(&next) })
		return &Reply{Status: http.StatusOK, Value: &next, Header: map[string]string{"ETag": fmt.Sprintf("%q", fmt.Sprint(stored.Version))}}, nil
	}})
}

// baselineSourcing finds the policy to pin, and saves it when it came as text.
func (e *Engine) baselineSourcing(ctx context.Context, n *PinBaseline, m Meta) (name, text string, err error) {
	if n.Policy != "" {
		return e.pinnable(ctx, policy.KindSourcing, "policy", n.Policy)
	}
	pointer := "text"
	if text = n.Text; n.Library != "" {
		pointer = "library"
		if text = libraryText(n.Library); text == "" {
			var bad problem.Invalid
			bad.Add(pointer, problem.Unknown, "there is no ready sourcing policy %q; there are %s", n.Library, strings.Join(librarySourcing(), ", "))
			return "", "", bad.Err()
		}
	}
	check := CheckPolicy(text, true)
	if len(check.Problems) > 0 {
		return "", "", check.Problems.Invalid()
	}
	if check.Kind != policy.KindSourcing {
		var bad problem.Invalid
		bad.Add(pointer, problem.Conflict, "a baseline is a sourcing policy; this is one of kind %s", check.Kind)
		return "", "", bad.Err()
	}
	saved, err := e.SavePolicy(ctx, check.Kind, check.Name, text, "the baseline", Meta{Actor: m.Actor})
	if err != nil {
		return "", "", err
	}
	return fmt.Sprintf("%s@%d", check.Name, saved.Value.(*PolicyView).Latest), text, nil
}

func librarySourcing() (names []string) {
	for _, x := range policy.Library() {
		if x.Compiled.Kind == policy.KindSourcing {
			names = append(names, x.Compiled.Name)
		}
	}
	return names
}

func libraryText(name string) string {
	for _, x := range policy.Library() {
		if x.Compiled.Kind == policy.KindSourcing && x.Compiled.Name == name {
			return x.Text
		}
	}
	return ""
}

// pinnable finds a saved policy by name or name@version and checks it. Errors: problem.Invalid.
func (e *Engine) pinnable(ctx context.Context, kind policy.Kind, pointer, named string) (name, text string, err error) {
	name, number, given := strings.Cut(named, "@")
	version := int64(0)
	var bad problem.Invalid
	if given {
		if version, err = strconv.ParseInt(number, 10, 64); err != nil || version < 1 {
			bad.Add(pointer, problem.Malformed, "write name or name@version, like nearest@2")
			return "", "", bad.Err()
		}
	}
	v, err := e.PolicyVersion(ctx, kind, name, version)
	if errors.Is(err, ErrNotFound) {
		bad.Add(pointer, problem.Unknown, "no %s policy %q is saved; GET /v1/policies shows what there is", kind, named)
		return "", "", bad.Err()
	}
	if err != nil {
		return "", "", err
	}
	if check := CheckPolicy(v.Text, true); len(check.Problems) > 0 {
		return "", "", check.Problems.Invalid()
	}
	return fmt.Sprintf("%s@%d", name, v.Version), v.Text, nil
}

// pinned is the baseline ready to be asked.
type pinned struct {
	second
	pins int // how many there were, to tell which is newer
	pin  roi.Pin
}

// keepBaseline takes a changed baseline into memory.
func (e *Engine) keepBaseline(b *Baseline) {
	next := &pinned{pins: len(b.Pins)}
	if p := b.Current(); p != nil {
		next.pin = *p
		next.name, next.promiseName = p.Sourcing, p.Promise
		var err error
		next.policy, err = CompileDocument([]byte(b.Text))
		if err == nil && b.PromiseText != "" {
			next.promise, err = CompileDocument([]byte(b.PromiseText))
		}
		if err != nil { // it compiled when it was pinned, by another version of the program
			e.log.Error("the baseline does not compile; orders are not compared until another is pinned", "baseline", p.Sourcing, "error", err)
			next.policy = nil
		}
	}
	for {
		was := e.baseline.Load()
		if was != nil && was.pins >= next.pins || e.baseline.CompareAndSwap(was, next) {
			return
		}
	}
}

// would is what the baseline would decide about an order for which locations are looked for the first time; nil when
// nothing is pinned, or the order came before it was.
func (c *change) would(s *sources, held *claimed) *order.Baseline {
	e, o := c.tx.e, c.now
	b := e.baseline.Load()
	if b == nil || b.policy == nil || o.Baseline != nil || o.Attempts > 0 || o.Waiting != nil || !o.RetryAt.IsZero() || o.CreatedAt.Before(b.pin.From) {
		return nil
	}
	opinion, err := e.opinion(c.tx.Book(), s, o, held, b.second, c.tx.Now)
	if err != nil { // the order matters more than the comparison
		e.log.Error("the baseline could not be asked", "order", o.ID, "error", err)
		return nil
	}
	return &order.Baseline{Pin: b.pin.Version, At: c.tx.Now.Truncate(time.Microsecond), Units: units(o.Unplaced()), Would: *opinion}
}

// compare books what was decided beside what the baseline would have done, with the events of the decision.
func (p *placement) compare(b *order.Baseline) {
	if b == nil {
		return
	}
	b.Did = *p.plan.Opinion(cmp.Or(p.policy, "reservation"))
	p.events = append(p.events, order.Event{Type: order.EventBaseline, Baseline: b})
}

// Pins are all pins there were; none when nothing ever was pinned.
func (e *Engine) Pins(ctx context.Context) ([]roi.Pin, error) {
	b, _, err := e.Baseline(ctx)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return b.Pins, nil
}
