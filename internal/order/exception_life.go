package order

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// The events of exceptions beside opening, claiming and closing them.
const (
	EventExceptionFixed     = "exception.fixed"
	EventExceptionPostponed = "exception.postponed"
	EventExceptionScheduled = "exception.scheduled"
)

// applyException applies what is done about an exception while it is open.
func (o *Order) applyException(e *Event) error {
	i := slices.IndexFunc(o.Exceptions, func(x Exception) bool { return x.ID == e.ExceptionID })
	if e.Type == EventExceptionFixed {
		if e.Name == "" {
			return fmt.Errorf("order: %s without the name of the fix", e.Type)
		}
		if e.Rule != "" {
			next := maps.Clone(o.RuleFixes) // readers may hold the one before
			if next == nil {
				next = map[string]int{}
			}
			next[e.Rule]++
			o.RuleFixes = next
		}
		return nil // it may have closed the exception already
	}
	if i < 0 {
		return fmt.Errorf("order: %s of an exception %q that is not open", e.Type, e.ExceptionID)
	}
	x := &o.Exceptions[i]
	if e.Type == EventExceptionPostponed {
		x.Until = e.At
	}
	x.LookAt = e.At
	return nil
}

// Claim gives the event that makes somebody the owner of an exception ("": nobody). Returns a *Refusal when it
// is not open, or another has it and take is false.
func (o *Order) Claim(id, owner string, take bool) ([]Event, error) {
	x := o.Exception(id)
	switch {
	case x == nil:
		return nil, refuse(CodeUnknownException, "exception", "the order has no open exception %q", id)
	case x.Owner == owner && !x.ClaimedAt.IsZero() || x.Owner == "" && owner == "":
		return nil, nil
	case !x.ClaimedAt.IsZero() && owner != "" && !take: // without a claim the owner is the team that a flow named
		return nil, refuse(CodeClaimed, "owner", "%s works on it since %s; say take to take it over", x.Owner, x.ClaimedAt.Format(time.RFC3339))
	}
	return []Event{{Type: EventExceptionClaimed, ExceptionID: id, By: owner}}, nil
}

// Postpone gives the event that sets an open exception aside until a time, which must lie ahead.
func (o *Order) Postpone(id, by, reason string, until time.Time) Event {
	return Event{Type: EventExceptionPostponed, ExceptionID: id, By: by, Reason: reason, At: until}
}

// ExceptionsDue are the ids of open exceptions that rules are to look at by a time.
func (o *Order) ExceptionsDue(now time.Time) (ids []string) {
	for i := range o.Exceptions {
		if x := &o.Exceptions[i]; !x.LookAt.IsZero() && !x.LookAt.After(now) {
			ids = append(ids, x.ID)
		}
	}
	return ids
}
