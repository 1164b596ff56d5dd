package engine

import (
	"context"
	"regexp"

	"github.com/orderly-oms/orderly/internal/exception"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/problem"
)

// maxTouchSeconds is the longest that one touch may take: a day.
const maxTouchSeconds = 24 * 3600

// actionName is how actions are called, so that effort can be counted by them.
var actionName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// NewTouch is work that a person did elsewhere, like a phone call.
type NewTouch struct {
	By      string `json:"by,omitempty"` // default: the Orderly-Operator header, else the caller
	Action  string `json:"action"`       // what was done, like phone_call
	Seconds int64  `json:"seconds,omitempty"`
	Cause   string `json:"cause,omitempty"` // why it was needed, like the type of an exception
}

// Validate reports every field that is wrong in itself (problem.Invalid).
func (n *NewTouch) Validate() error {
	var bad problem.Invalid
	bad.Text("by", n.By, 200)
	if !actionName.MatchString(n.Action) {
		bad.Add("action", problem.Malformed, "must be 1 to 64 letters, digits, dots, dashes and underscores, like phone_call")
	}
	bad.Text("cause", n.Cause, 200)
	if n.Seconds != 0 {
		bad.Range("seconds", n.Seconds, 1, maxTouchSeconds)
	}
	return bad.Err()
}

// manual is the touch as the work behind a command.
func (n *NewTouch) manual(m *Meta) *Manual {
	out := &Manual{Operator: n.By, Action: n.Action, Seconds: n.Seconds, Cause: n.Cause}
	if out.Operator == "" {
		out.Operator = m.who()
	}
	if m.Manual != nil {
		if out.Seconds == 0 {
			out.Seconds = m.Manual.Seconds
		}
		if out.Cause == "" {
			out.Cause = m.Manual.Cause
		}
	}
	return out
}

// TouchOrder books work that a person did about an order. The reply's value is the order.
func (e *Engine) TouchOrder(ctx context.Context, id string, n *NewTouch, m Meta) (*Reply, error) {
	if err := n.Validate(); err != nil {
		return nil, err
	}
	by := n.manual(&m)
	m.Manual = nil // this is the touch, not another one
	return e.changeOrder(ctx, id, m, func(tx *Tx, o *order.Order) ([]order.Event, error) {
		return []order.Event{{Type: order.EventTouched, Touch: by.touch(tx)}}, nil
	})
}

// TouchException books work that a person did about an open exception. The reply's value is an *ExceptionView.
func (e *Engine) TouchException(ctx context.Context, id string, n *NewTouch, m Meta) (*Reply, error) {
	if err := n.Validate(); err != nil {
		return nil, err
	}
	by := n.manual(&m)
	m.Manual = nil
	return e.aboutException(ctx, id, m, func(tx *Tx, o *order.Order, x *order.Exception) ([]order.Event, error) {
		t := by.touch(tx)
		if t.Cause == "" {
			t.Cause = x.Type
		}
		return []order.Event{{Type: order.EventTouched, Touch: t}}, nil
	}, func(tx *Tx, s *exception.Standalone) ([]exception.StandaloneEvent, error) {
		t := by.touch(tx)
		if t.Cause == "" {
			t.Cause = s.Type
		}
		return []exception.StandaloneEvent{{Type: order.EventTouched, Touch: t}}, nil
	})
}
