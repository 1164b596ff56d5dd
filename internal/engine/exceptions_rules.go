package engine

import (
	"errors"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/exception"
	"github.com/orderly-oms/orderly/internal/flow"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/problem"
)

// Exceptions that rules fix without a person. A rule is chosen when an exception opens, which arms a timer
// of the order, and chosen again when that fires: only then it acts. So a crash loses nothing, and what a person
// or the location did meanwhile counts.

// ruleBy is how events name a rule that acts.
func ruleBy(rule string) string { return "rule:" + rule }

// schedule arms the timers of exceptions that this change opened and a rule may fix.
func (c *change) schedule() error {
	var opened []string
	for i := range c.events {
		if x := c.events[i].Exception; c.events[i].Type == order.EventExceptionOpened && x != nil {
			opened = append(opened, x.ID)
		}
	}
	for _, id := range opened {
		x := c.now.Exception(id)
		if x == nil || !x.LookAt.IsZero() {
			continue
		}
		if e := c.nextLook(x, time.Time{}); e != nil {
			if err := c.add(*e); err != nil {
				return err
			}
		}
	}
	return nil
}

// nextLook is the event that says when rules look at an exception; nil when that is at the time it has.
func (c *change) nextLook(x *order.Exception, has time.Time) *order.Event {
	r, _, name := c.rule(x)
	e := &order.Event{Type: order.EventExceptionScheduled, ExceptionID: x.ID, By: "policy:" + name}
	if r != nil {
		e.Rule, e.At = r.Name, x.OpenedAt.Add(r.After)
		if e.At.Before(c.tx.Now) {
			e.At = c.tx.Now
		}
	}
	if e.At.Equal(has) {
		return nil
	}
	return e
}

// rule is the one that is to fix an exception, whether its time has come, and the name of its policy.
func (c *change) rule(x *order.Exception) (r *policy.CompiledFixRule, due bool, name string) {
	e := c.tx.e
	if !e.Policies().Has(policy.KindExceptions) {
		return nil, false, ""
	}
	subject, of := flow.SubjectOrder, ""
	if x.FulfillmentID != "" && c.now.Fulfillment(x.FulfillmentID) != nil {
		subject, of = flow.SubjectFulfillment, x.FulfillmentID
	}
	f := c.flowFacts(subject, of, nil, policy.UsesOrder|policy.UsesSubject|policy.UsesLocation)
	if f.Location == nil {
		f.Location = &policy.Location{}
	}
	compiled, version := e.choose(policy.KindExceptions, f)
	price := exception.Assess(c.now, x, termsOf(compiled.Exceptions), c.tx.Now)
	f.Exception = &policy.Exception{
		Type: x.Type, By: x.By, Status: f.Subject.Status, Owner: x.Owner, Money: price.Money, Promises: price.Promises, HoursLate: price.HoursLate,
		AgeMinutes: int64(c.tx.Now.Sub(x.OpenedAt) / time.Minute), Data: x.Data,
	}
	r, due, err := compiled.Exceptions.Choose(f, func(rule string) int { return c.now.RuleFixes[rule] })
	if err != nil {
		e.log.Warn("a rule for exceptions could not be evaluated", "policy", policyName(compiled, version), "order", c.now.ID, "error", err)
	}
	return r, due, policyName(compiled, version)
}

// termsOf are what a policy says promises and age are worth.
func termsOf(x *policy.CompiledExceptions) exception.Terms {
	return exception.Terms{PromiseValue: x.PromiseValue, LateHourValue: x.LateHourValue, AgePercentPerDay: x.AgePercentPerDay}
}

// fixDue lets rules act on the exceptions whose time has come. What a rule cannot do stays for a person, and
// so does what a person has claimed.
func (c *change) fixDue() error {
	for _, id := range c.now.ExceptionsDue(c.tx.Now) {
		x := c.now.Exception(id)
		if x == nil {
			continue // an earlier fix closed it
		}
		quiet := order.Event{Type: order.EventExceptionScheduled, ExceptionID: id, By: "timer"}
		if !x.ClaimedAt.IsZero() {
			quiet.Reason = "a person works on it"
			if err := c.add(quiet); err != nil {
				return err
			}
			continue
		}
		r, due, _ := c.rule(x)
		if r == nil || !due {
			if e := c.nextLook(x, x.LookAt); e != nil {
				if err := c.add(*e); err != nil {
					return err
				}
			}
			continue
		}
		if err := c.fixByRule(x, r, quiet); err != nil {
			return err
		}
	}
	return nil
}

func (c *change) fixByRule(x *order.Exception, r *policy.CompiledFixRule, quiet order.Event) error {
	id, first := x.ID, len(c.events) == 0
	a := exception.Args{Location: r.Location, Service: r.Service, Hold: r.Hold, Hours: r.Hours, Reason: r.Reason}
	err := c.fix(x, r.Fix, a, ruleBy(r.Name), r.Name)
	var no *order.Refusal
	if refused := errors.As(err, &no); refused || isInvalid(err) {
		quiet.Rule, quiet.Reason = r.Name, cut(err.Error(), order.MaxTextBytes)
		if refused {
			quiet.Reason = cut(no.Message, order.MaxTextBytes)
		}
		return c.add(quiet)
	}
	if err != nil {
		return err
	}
	if first {
		c.tx.actor = ruleBy(r.Name)
	}
	// A fix that leaves it open and does not say when it comes back must not act again at once.
	if left := c.now.Exception(id); left != nil && !left.LookAt.After(c.tx.Now) {
		return c.add(quiet)
	}
	return nil
}

func isInvalid(err error) bool {
	var bad problem.Invalid
	return errors.As(err, &bad)
}

// cut bounds a text.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "")
}
