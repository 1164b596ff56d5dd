package exception

import (
	"time"

	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/problem"
)

// The states of a standalone exception.
const (
	StateOpen   = "open"
	StateClosed = "closed"
)

// MaxData bounds the facts that an exception keeps.
const MaxData = 50

// Standalone is an exception that belongs to no order, or to more than its order shows: a difference in a provider's report, a
// message nobody could process. It is a record of its own.
type Standalone struct {
	ID       string            `json:"id"`
	Type     string            `json:"type"`
	Message  string            `json:"message"`
	State    string            `json:"state"`
	OrderID  string            `json:"order_id,omitempty"` // it is about, when there is one
	Channel  string            `json:"channel,omitempty"`
	Location string            `json:"location,omitempty"`
	Amount   int64             `json:"amount,omitempty"` // minor units, of Currency
	Currency string            `json:"currency,omitempty"`
	Data     map[string]string `json:"data,omitempty"`
	By       string            `json:"by"`
	OpenedAt time.Time         `json:"opened_at"`

	Owner     string    `json:"owner,omitempty"`
	ClaimedAt time.Time `json:"claimed_at,omitzero"`
	Until     time.Time `json:"until,omitzero"` // set aside until then

	ClosedAt   time.Time `json:"closed_at,omitzero"`
	ClosedBy   string    `json:"closed_by,omitempty"`
	Fix        string    `json:"fix,omitempty"` // that closed it
	Resolution string    `json:"resolution,omitempty"`

	Touches      int   `json:"touches,omitempty"`
	TouchSeconds int64 `json:"touch_seconds,omitempty"`
}

// StandaloneEvent is one row of the history of a standalone exception: what an order would say as order.Event.
type StandaloneEvent struct {
	Type      string       `json:"type"`
	Exception *Standalone  `json:"exception,omitempty"` // of exception.opened
	By        string       `json:"by,omitempty"`
	Name      string       `json:"name,omitempty"` // of exception.fixed: the fix
	Reason    string       `json:"reason,omitempty"`
	At        time.Time    `json:"at,omitzero"` // of exception.postponed: until when
	Touch     *order.Touch `json:"touch,omitempty"`
}

// FoldStandalone applies the events of one command; s is nil before exception.opened and is not changed.
func FoldStandalone(s *Standalone, events []StandaloneEvent, at time.Time) *Standalone {
	var next Standalone
	if s != nil {
		next = *s
	}
	for i := range events {
		e := &events[i]
		switch e.Type {
		case order.EventExceptionOpened:
			next = *e.Exception
		case order.EventExceptionClaimed:
			if next.Owner, next.ClaimedAt = e.By, at; e.By == "" {
				next.ClaimedAt = time.Time{}
			}
		case order.EventExceptionPostponed:
			next.Until = e.At
		case order.EventExceptionFixed:
			next.Fix = e.Name
		case order.EventExceptionClosed:
			next.State, next.ClosedAt, next.ClosedBy, next.Resolution = StateClosed, at, e.By, e.Reason
		case order.EventTouched:
			next.Touches++
			next.TouchSeconds += e.Touch.Seconds
		}
	}
	return &next
}

// Validate reports every field that is wrong in itself (problem.Invalid).
func (s *Standalone) Validate() error {
	var bad problem.Invalid
	bad.ID("type", s.Type)
	if s.Message == "" {
		bad.Add("message", problem.Required, "say what is wrong, in a sentence")
	}
	bad.Text("message", s.Message, order.MaxTextBytes)
	bad.Range("amount", s.Amount, 0, order.MaxAmount)
	bad.Count("data", len(s.Data), MaxData)
	for k, v := range s.Data {
		if len(k) > 100 || len(v) > order.MaxTextBytes {
			bad.Add("data", problem.TooLong, "a name has at most 100 bytes, a value at most %d", order.MaxTextBytes)
			break
		}
	}
	return bad.Err()
}

// open refuses what is closed.
func (s *Standalone) open() error {
	if s.State != StateOpen {
		return refuse(order.CodeUnknownException, "", "%s closed it at %s: %s", s.ClosedBy, s.ClosedAt.Format(time.RFC3339), s.Resolution)
	}
	return nil
}

// Claim is order.Order.Claim for a standalone exception.
func (s *Standalone) Claim(owner string, take bool) ([]StandaloneEvent, error) {
	if err := s.open(); err != nil {
		return nil, err
	}
	switch {
	case s.Owner == owner && !s.ClaimedAt.IsZero() || s.Owner == "" && owner == "":
		return nil, nil
	case !s.ClaimedAt.IsZero() && owner != "" && !take:
		return nil, refuse(order.CodeClaimed, "owner", "%s works on it since %s; say take to take it over", s.Owner, s.ClaimedAt.Format(time.RFC3339))
	}
	return []StandaloneEvent{{Type: order.EventExceptionClaimed, By: owner}}, nil
}

// BeginStandalone gives what a fix means for a standalone exception.
func BeginStandalone(s *Standalone, fix string, a Args, by string, now time.Time) ([]StandaloneEvent, error) {
	if err := Check(fix, &a); err != nil {
		return nil, err
	}
	if err := s.open(); err != nil {
		return nil, err
	}
	if f, _ := FixOf(fix); !f.alone {
		return nil, refuse(order.CodeNotAllowed, "", "the exception belongs to no order; %s does not fit it", fix)
	}
	fixed := StandaloneEvent{Type: order.EventExceptionFixed, By: by, Name: fix, Reason: a.Reason}
	if fix == FixWait {
		return []StandaloneEvent{fixed, {Type: order.EventExceptionPostponed, By: by, At: a.until(DefaultWaitHours, now), Reason: a.Reason}}, nil
	}
	resolution := a.Reason
	if resolution == "" {
		resolution = fix
	}
	return []StandaloneEvent{fixed, {Type: order.EventExceptionClosed, By: by, Reason: resolution}}, nil
}
