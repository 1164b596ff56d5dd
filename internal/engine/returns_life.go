package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/problem"
	"github.com/orderly-oms/orderly/internal/store"
)

// ReturnRefused says which rule speaks against taking units back.
type ReturnRefused struct {
	Line    string `json:"line"`
	Rule    string `json:"rule"` // of the policy: its name, or window, or reasons
	Message string `json:"message"`
	Final   bool   `json:"final,omitempty"` // nobody may take them all the same
}

// ReturnDecision is what the policy in force says of a return.
type ReturnDecision struct {
	Allowed bool            `json:"allowed"`
	Policy  string          `json:"policy"` // name@version
	Refused []ReturnRefused `json:"refused,omitempty"`
	Routes  []ReturnRoute   `json:"routes"`
	// Return as it would be, or is.
	Return order.Return `json:"return"`
	// Refund is what the customer gets in all when everything comes and is accepted.
	Refund order.ReturnRefund `json:"refund"`
}

// ReturnAnswer is what a command about a return answers.
type ReturnAnswer struct {
	Preview  bool            `json:"preview,omitempty"`
	Version  int64           `json:"version"` // of the order
	OrderID  string          `json:"order_id"`
	Return   *order.Return   `json:"return,omitempty"`
	Decision *ReturnDecision `json:"decision,omitempty"`
	// Exchange is the order that replaces the goods.
	Exchange *order.Order `json:"exchange,omitempty"`
}

// judgeReturn asks the returns policy in force about a return of an order. Errors: problem.Invalid.
func (e *Engine) judgeReturn(o *order.Order, n *order.NewReturn, by string, now time.Time) (*ReturnDecision, error) {
	lines, err := o.ReturnLines(n.Lines)
	if err != nil {
		return nil, err
	}
	return e.judgeLines(o, n, lines, by, now), nil
}

// judgeLines is judgeReturn for lines that are known to be returnable.
func (e *Engine) judgeLines(o *order.Order, n *order.NewReturn, lines []order.NewReturnLine, by string, now time.Time) *ReturnDecision {
	d := e.Directory()
	from := n.From
	if from == nil {
		from = o.ShipTo
	}
	ask := &ReturnRequest{OrderID: o.ID, Method: n.Method, Location: n.Location, From: from}
	for _, l := range lines {
		ask.Lines = append(ask.Lines, ReturnLine{Line: l.Line, Quantity: l.Quantity, Reason: l.Reason, Condition: l.Condition})
	}
	of := orderFacts(o)
	facts := policy.Facts{Order: &of, Now: now}
	goods := make([]returnedGoods, len(lines))
	for i := range lines {
		goods[i] = e.returnedGoods(ask, o, i, now)
		facts.Lines = append(facts.Lines, policy.OrderLine{Line: &goods[i].line, SKU: goods[i].sku})
	}
	c, version := e.choose(policy.KindReturns, &facts)
	p := c.Returns
	out := &ReturnDecision{Policy: policyName(c, version)}
	out.Return = order.Return{
		Method: n.Method, Note: n.Note, Carrier: n.Carrier, Tracking: n.Tracking, LabelURL: n.LabelURL, Policy: out.Policy, By: by,
		RefundRule: p.Refund, RefundShipping: p.RefundShipping, ExpiresAt: now.Add(time.Duration(p.ExpiresDays) * 24 * time.Hour),
	}
	places := returnPlaces(d, e.placesOf(d), o.Channel, from)
	for i := range goods {
		g := &goods[i]
		f := policy.Facts{Order: &of, Line: &g.line, SKU: g.sku, Returned: &g.returned, Now: now}
		route := routeReturn(p, &f, g, places)
		route.Policy, route.Line, route.SKU, route.Quantity = out.Policy, lines[i].Line, g.line.SKU, lines[i].Quantity
		out.Routes = append(out.Routes, route)
		l := order.ReturnedLine{
			Line: lines[i].Line, SKU: g.line.SKU, Quantity: lines[i].Quantity, Reason: lines[i].Reason, Condition: lines[i].Condition,
			Keep: route.Keep, To: route.Location, Rule: route.Rule,
		}
		no, failed := p.Refused(&f)
		e.logReturnRule(o, out.Policy, failed)
		if no != nil {
			l.Refused = no.Rule
			out.Refused = append(out.Refused, ReturnRefused{Line: l.Line, Rule: no.Rule, Message: no.Message, Final: no.Final})
		}
		fees, failed := p.Fees(&f)
		e.logReturnRule(o, out.Policy, failed)
		l.UnitFee, l.FeePercent = fees.Unit, fees.Percent
		out.Return.Fee = max(out.Return.Fee, fees.Once)
		l.Inspect, failed = p.Inspects(&f)
		e.logReturnRule(o, out.Policy, failed)
		out.Return.Lines = append(out.Return.Lines, l)
	}
	out.Allowed = len(out.Refused) == 0
	out.Refund = o.RefundEstimate(out.Return, now)
	return out
}

func (e *Engine) logReturnRule(o *order.Order, name string, err error) {
	if err != nil {
		e.log.Debug("a rule of a returns policy cannot be evaluated", "policy", name, "order", o.ID, "error", err)
	}
}

// overridden refuses a return that the policy refuses, unless the caller may take it and says why.
func (d *ReturnDecision) overridden(reason string, may bool) error {
	for i, no := range d.Refused {
		pointer := problem.At("lines", i)
		message := fmt.Sprintf("rule %s of %s: line %s: %s", no.Rule, d.Policy, no.Line, no.Message)
		switch {
		case no.Final, reason == "":
			return &order.Refusal{Code: order.CodeReturnRefused, Pointer: pointer, Message: message}
		case !may:
			return notPermitted("take back what the policy refuses: " + message)
		}
	}
	if len(d.Refused) > 0 {
		d.Return.Override = reason
		for i := range d.Return.Lines {
			d.Return.Lines[i].Refused = ""
		}
	}
	return nil
}

// PreviewReturn says what the policy means for a return, and changes nothing. Errors: problem.Invalid, ErrNotFound.
func (e *Engine) PreviewReturn(ctx context.Context, id string, n *order.NewReturn) (*ReturnAnswer, error) {
	if err := e.checkNewReturn(n); err != nil {
		return nil, err
	}
	o, err := e.loadOrder(ctx, id)
	if err != nil {
		return nil, err
	}
	d, err := e.judgeReturn(o, n, "", e.Now())
	if err != nil {
		return nil, err
	}
	return &ReturnAnswer{Preview: true, Version: o.Version, OrderID: o.ID, Decision: d}, nil
}

func (e *Engine) checkNewReturn(n *order.NewReturn) error {
	if err := n.Validate(); err != nil {
		return err
	}
	return e.checkPlace("location", n.Location)
}

func (e *Engine) checkPlace(pointer, id string) error {
	var bad problem.Invalid
	if _, ok := e.Directory().Location(id); id != "" && !ok {
		bad.Add(pointer, problem.Unknown, "there is no location %.60q", id)
	}
	return bad.Err()
}

// AuthorizeReturn opens a return. mayOverride: the caller may take what the policy refuses, with a reason.
// The reply's value is a *ReturnAnswer. Errors: problem.Invalid, *order.Refusal, those of Submit.
func (e *Engine) AuthorizeReturn(ctx context.Context, id string, n *order.NewReturn, mayOverride bool, m Meta) (*Reply, error) {
	if err := e.checkNewReturn(n); err != nil {
		return nil, err
	}
	return e.returnCommand(ctx, id, nil, m, func(c *change, out *ReturnAnswer) (string, error) {
		d, err := e.judgeReturn(c.now, n, m.who(), c.tx.Now)
		if err != nil {
			return "", err
		}
		out.Decision = d
		return c.openReturn(d, n.Override, mayOverride)
	})
}

// openReturn begins a return as it was decided.
func (c *change) openReturn(d *ReturnDecision, override string, may bool) (string, error) {
	if err := d.overridden(override, may); err != nil {
		return "", err
	}
	events, err := c.now.OpenReturn(d.Return, c.tx.Now)
	if err != nil {
		return "", err
	}
	if err := c.add(events...); err != nil {
		return "", err
	}
	id := events[0].ReturnID
	return id, c.advanceReturn(id)
}

// advanceReturn does what a return asks for by itself: refunds that are due, its end, and the release or the
// end of what replaces its goods.
func (c *change) advanceReturn(id string) error {
	for range maxReturnSteps {
		events := c.now.AdvanceReturn(id, c.tx.Now)
		if len(events) == 0 {
			break
		}
		if err := c.add(events...); err != nil {
			return err
		}
	}
	return c.settleExchange(c.now.Return(id))
}

// maxReturnSteps bounds what a return does by itself: two refunds and its end.
const maxReturnSteps = 10

// returnCommand runs a command about a return. decide names the return that the answer shows. needs are
// further orders that it may change: those that replace goods.
func (e *Engine) returnCommand(ctx context.Context, id string, needs []store.Key, m Meta, decide func(*change, *ReturnAnswer) (string, error)) (*Reply, error) {
	key := e.OrderKey(id)
	return e.Submit(ctx, &Command{Stream: key, Needs: needs, Actor: m.Actor, Key: m.Key, Manual: m.Manual, Decide: func(tx *Tx) (*Reply, error) {
		o, err := tx.order(key, m)
		if err != nil {
			return nil, err
		}
		c := tx.change(o)
		out := &ReturnAnswer{}
		back, err := decide(c, out)
		if err != nil {
			return nil, err
		}
		next, err := c.save()
		if err != nil {
			return nil, err
		}
		out.Version, out.OrderID = next.Version, next.ID
		if out.Return = next.Return(back); out.Return != nil && out.Decision != nil {
			out.Decision.Return = *out.Return
		}
		status := http.StatusOK
		if o.Return(back) == nil {
			status = http.StatusCreated
		}
		reply := &Reply{Status: status, Value: out}
		reply.Body, err = json.Marshal(out)
		return reply, err
	}})
}

// stepReturn runs a step of an existing return: decide gives its events.
func (e *Engine) stepReturn(ctx context.Context, id string, m Meta, decide func(*change) ([]order.Event, error)) (*Reply, error) {
	of := OrderOfFulfillment(id)
	needs, err := e.replacements(ctx, of)
	if err != nil {
		return nil, err
	}
	return e.returnCommand(ctx, of, needs, m, func(c *change, out *ReturnAnswer) (string, error) {
		if c.now.Return(id) == nil {
			return "", ErrNotFound
		}
		events, err := decide(c)
		if err != nil {
			return "", err
		}
		if len(events) == 0 {
			return id, nil
		}
		if err := c.add(events...); err != nil {
			return "", err
		}
		if err := c.disposeByPolicy(id, events); err != nil {
			return "", err
		}
		return id, c.advanceReturn(id)
	})
}

// SendReturn notes that a carrier has the goods. The reply's value is a *ReturnAnswer, as of all steps of returns.
func (e *Engine) SendReturn(ctx context.Context, id, carrier, tracking string, m Meta) (*Reply, error) {
	var bad problem.Invalid
	bad.Text("carrier", carrier, 200)
	bad.Text("tracking", tracking, 200)
	if err := bad.Err(); err != nil {
		return nil, err
	}
	return e.stepReturn(ctx, id, m, func(c *change) ([]order.Event, error) { return c.now.SendReturn(id, carrier, tracking) })
}

// ReceiveReturn books goods that arrived.
func (e *Engine) ReceiveReturn(ctx context.Context, id string, r *order.Receipt, m Meta) (*Reply, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	if err := e.checkPlace("location", r.Location); err != nil {
		return nil, err
	}
	return e.stepReturn(ctx, id, m, func(c *change) ([]order.Event, error) {
		events, err := c.now.Receive(id, *r, c.tx.Now)
		wantDispositions(events, r)
		return events, err
	})
}

// wantDispositions notes in a receipt where its units are to go, as the caller said.
func wantDispositions(events []order.Event, r *order.Receipt) {
	for i := range events {
		for j := range events[i].ReturnSteps {
			s := &events[i].ReturnSteps[j]
			k := slices.IndexFunc(r.Lines, func(l order.ReceivedLine) bool { return l.Line == s.Line })
			if k >= 0 {
				s.Disposition = r.Lines[k].Disposition
			}
		}
	}
}

// InspectReturn books what somebody found out about goods that arrived.
func (e *Engine) InspectReturn(ctx context.Context, id string, in *order.Inspection, mayOverride bool, m Meta) (*Reply, error) {
	if err := in.Validate(); err != nil {
		return nil, err
	}
	if in.Override != "" && !mayOverride {
		return nil, notPermitted("take back what the policy refuses")
	}
	return e.stepReturn(ctx, id, m, func(c *change) ([]order.Event, error) { return c.now.Inspect(id, *in) })
}

// DisposeReturn books where accepted goods go.
func (e *Engine) DisposeReturn(ctx context.Context, id string, d *order.Disposal, m Meta) (*Reply, error) {
	if err := d.Validate(); err != nil {
		return nil, err
	}
	return e.stepReturn(ctx, id, m, func(c *change) ([]order.Event, error) { return c.now.Dispose(id, *d) })
}

// CancelReturn ends a return of which nothing came.
func (e *Engine) CancelReturn(ctx context.Context, id, reason string, m Meta) (*Reply, error) {
	if err := checkReason(reason); err != nil {
		return nil, err
	}
	return e.stepReturn(ctx, id, m, func(c *change) ([]order.Event, error) { return c.now.CancelReturn(id, reason) })
}

// CloseReturn ends a return: what has not come is not waited for.
func (e *Engine) CloseReturn(ctx context.Context, id, reason string, m Meta) (*Reply, error) {
	if err := checkReason(reason); err != nil {
		return nil, err
	}
	return e.stepReturn(ctx, id, m, func(c *change) ([]order.Event, error) { return c.now.CloseReturn(id, reason, c.tx.Now) })
}

// disposeByPolicy gives accepted units their place: the one that the step asked for, else the one of
// the policy in force, as they were found.
func (c *change) disposeByPolicy(id string, events []order.Event) error {
	r := c.now.Return(id)
	d := order.Disposal{}
	for i := range r.Lines {
		l := &r.Lines[i]
		n := l.ToDispose()
		if n == 0 {
			continue
		}
		to := askedDisposition(events, i+1, l)
		if to == "" {
			to = c.policyDisposition(r, l, n)
		}
		if to != "" {
			d.Lines = append(d.Lines, order.DisposedLine{Line: l.Line, Location: l.At, Quantity: n, Disposition: to})
		}
	}
	if len(d.Lines) == 0 {
		return nil
	}
	out, err := c.now.Dispose(id, d)
	if err != nil {
		return err
	}
	return c.add(out...)
}

// askedDisposition is what the step that just happened asks for units of an item.
func askedDisposition(events []order.Event, item int, l *order.ReturnedLine) string {
	for i := range events {
		for _, s := range events[i].ReturnSteps {
			if s.Disposition != "" && (s.Item == item || s.Item == 0 && s.Line == l.Line && l.At == events[i].Location) {
				return s.Disposition
			}
		}
	}
	return ""
}

func (c *change) policyDisposition(r *order.Return, l *order.ReturnedLine, n int64) string {
	e, o := c.tx.e, c.now
	condition := l.Found
	if condition == "" {
		condition = l.Condition
	}
	ask := &ReturnRequest{OrderID: o.ID, Method: r.Method, Location: l.At, Lines: []ReturnLine{{Line: l.Line, Quantity: n, Reason: l.Reason, Condition: condition}}}
	g := e.returnedGoods(ask, o, 0, c.tx.Now)
	of := orderFacts(o)
	f := policy.Facts{Order: &of, Line: &g.line, SKU: g.sku, Returned: &g.returned, Now: c.tx.Now}
	f.Lines = []policy.OrderLine{{Line: &g.line, SKU: g.sku}}
	p, version := e.choose(policy.KindReturns, &f)
	to, failed := p.Returns.Disposition(&f)
	e.logReturnRule(o, policyName(p, version), failed)
	return to
}

// wakeReturns ends the wait for goods whose time is up.
func (c *change) wakeReturns() error {
	for range order.MaxReturns {
		events := c.now.ReturnsDue(c.tx.Now)
		if len(events) == 0 {
			return nil
		}
		if err := c.add(events...); err != nil {
			return err
		}
		if err := c.advanceReturn(events[0].ReturnID); err != nil {
			return err
		}
	}
	return nil
}
