package order

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Limits of what is kept with an order.
const (
	MaxHolds      = 50 // open ones
	MaxExceptions = 50 // open ones
	MaxNotes      = 200
)

// FlowState is where an order, a fulfillment or a return is in its flow (package flow).
type FlowState struct {
	Flow   string      `json:"flow"` // name@version
	State  string      `json:"state"`
	Since  time.Time   `json:"since"`
	Timers []FlowTimer `json:"timers,omitempty"`
	// Final says that the flow has nothing left to happen. In any other state a timer is armed.
	Final bool `json:"final,omitempty"`
}

// FlowTimer is an armed timer of a flow's state.
type FlowTimer struct {
	Name string    `json:"name"`
	At   time.Time `json:"at"`
	Left int       `json:"left,omitempty"` // how often it fires again after At
}

// FlowMove is a step of a flow. Of a missed event, To is empty.
type FlowMove struct {
	Of    string     `json:"of,omitempty"` // fulfillment or return id; "": the order
	From  string     `json:"from,omitempty"`
	Event string     `json:"event"`
	To    *FlowState `json:"to,omitempty"`
	// Was is the version of a flow, name@version, that a migration left.
	Was string `json:"was,omitempty"`
}

// Note is what somebody wrote down.
type Note struct {
	By   string    `json:"by"`
	At   time.Time `json:"at"`
	Text string    `json:"text"`
}

// Touch is one thing that a person did about an order: the unit of operational effort.
type Touch struct {
	By      string    `json:"by"`
	At      time.Time `json:"at"`
	Action  string    `json:"action"`
	Seconds int64     `json:"seconds"`         // how long it took; stated, not measured, when the caller did not say
	Cause   string    `json:"cause,omitempty"` // why a person was needed, like an exception's type
}

// applyLife applies the events that are about the order as a whole and move no units; not
// known: it is another kind of event.
func (o *Order) applyLife(e *Event, at time.Time) (known bool, err error) {
	missing := func(what string) (bool, error) {
		return true, fmt.Errorf("order: %s without its %s", e.Type, what)
	}
	switch e.Type {
	case EventHeld:
		if e.Hold == nil {
			return missing("hold")
		}
		o.Holds = append(o.Holds, *e.Hold)
		o.HoldCount++
	case EventHoldReleased:
		o.Holds = slices.DeleteFunc(o.Holds, func(h Hold) bool { return h.ID == e.HoldID })
	case EventPromiseChanged:
		if e.Promise == nil {
			return missing("promise")
		}
		o.Promise = *e.Promise
	case EventNoted:
		if e.Note == nil {
			return missing("note")
		}
		o.Notes = append(slices.Clip(o.Notes), *e.Note)
	case EventTouched:
		if e.Touch == nil {
			return missing("touch")
		}
		o.Touches++
		o.TouchSeconds += e.Touch.Seconds
	case EventAttributeSet:
		o.setAttribute(e.Name, e.Value)
	case EventNotify:
	case EventExceptionOpened:
		if e.Exception == nil {
			return missing("exception")
		}
		o.Exceptions = append(o.Exceptions, *e.Exception)
		o.ExceptionCount++
	case EventExceptionClaimed:
		for i := range o.Exceptions {
			if x := &o.Exceptions[i]; x.ID == e.ExceptionID {
				if x.Owner, x.ClaimedAt = e.By, at; e.By == "" {
					x.ClaimedAt = time.Time{}
				}
			}
		}
	case EventExceptionClosed:
		o.Exceptions = slices.DeleteFunc(o.Exceptions, func(x Exception) bool { return x.ID == e.ExceptionID })
	case EventExceptionFixed, EventExceptionPostponed, EventExceptionScheduled:
		return true, o.applyException(e)
	case EventFlowMoved, EventFlowMigrated:
		return true, o.applyMoves(e.Moves)
	case EventFlowMissed:
	case EventCompared:
		return true, o.applyCompared(e)
	default:
		return false, nil
	}
	return true, nil
}

func (o *Order) applyMoves(moves []FlowMove) error {
	for i := range moves {
		m := &moves[i]
		at := o.flow(m.Of)
		if at == nil || m.To == nil {
			return fmt.Errorf("order: a flow moves %q, which the order does not have, or nowhere", m.Of)
		}
		to := *m.To
		*at = &to
	}
	return nil
}

// flow is the place of the flow state of the order (""), a fulfillment or a return; nil: there is no such thing.
func (o *Order) flow(of string) **FlowState {
	if of == "" {
		return &o.Flow
	}
	if f := o.Fulfillment(of); f != nil {
		return &f.Flow
	}
	if r := o.Return(of); r != nil {
		return &r.Flow
	}
	return nil
}

func (o *Order) setAttribute(name, value string) {
	next := make(map[string]string, len(o.Attributes)+1)
	for k, v := range o.Attributes { // a copy, so the sequence does not matter
		next[k] = v
	}
	if value == "" {
		delete(next, name)
	} else {
		next[name] = value
	}
	o.Attributes = next
}

// NextWake is when the order wants to be looked at without being asked; zero: never.
func (o *Order) NextWake() (next time.Time) {
	wake := func(t time.Time) {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	wake(o.RetryAt)
	if o.Waiting != nil {
		wake(o.Waiting.CancelAt)
	}
	for i := range o.Holds {
		wake(o.Holds[i].ExpiresAt)
	}
	for i := range o.Exceptions {
		wake(o.Exceptions[i].LookAt)
	}
	flow := func(s *FlowState) {
		if s != nil {
			for _, t := range s.Timers {
				wake(t.At)
			}
		}
	}
	flow(o.Flow)
	for i := range o.Returns {
		flow(o.Returns[i].Flow)
		wake(o.Returns[i].wake())
	}
	if o.Payment != nil {
		wake(o.Payment.NextWake())
	}
	for i := range o.Fulfillments {
		f := &o.Fulfillments[i]
		flow(f.Flow)
		if f.Stop != nil {
			wake(f.Stop.AnswerBy)
		}
	}
	return next
}

func number(prefix string, n int) string { return prefix + strconv.Itoa(n) }

// FlowOf is where the order (""), a fulfillment or a return is in its flow; nil: in none.
func (o *Order) FlowOf(of string) *FlowState {
	if at := o.flow(of); at != nil {
		return *at
	}
	return nil
}

// SetFlow puts the order (""), a fulfillment or a return into a state. The order must be the
// caller's own (see Extend), and an event flow.moved must say so afterwards.
func (o *Order) SetFlow(of string, to *FlowState) {
	if at := o.flow(of); at != nil {
		*at = to
	}
}
