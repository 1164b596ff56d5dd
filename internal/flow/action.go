package flow

import (
	"reflect"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/problem"
)

// The actions. The core carries them out and refuses what the state of the order does not allow.
const (
	DoHold           = "hold"
	DoReleaseHold    = "release_hold"
	DoAuthorize      = "authorize"
	DoCapture        = "capture"
	DoVoid           = "void"
	DoRefund         = "refund"
	DoCancel         = "cancel"
	DoException      = "exception"
	DoCloseException = "close_exception"
	DoNotify         = "notify"
	DoResource       = "resource"
	DoRelease        = "release"
	DoRemind         = "remind"
	DoUncollected    = "uncollected"
	DoSet            = "set"
)

// Action is one action as it is written: exactly one of its fields is given.
type Action struct {
	// Hold places a hold on the order.
	Hold *HoldAction `yaml:"hold"`
	// ReleaseHold ends the order's holds of a type.
	ReleaseHold *ReleaseHoldAction `yaml:"release_hold"`
	// Authorize asks the payment providers for what is not authorized yet.
	Authorize *NoArguments `yaml:"authorize"`
	// Capture takes what is due for the units that left.
	Capture *NoArguments `yaml:"capture"`
	// Void lets go of what is authorized and will not be captured.
	Void *NoArguments `yaml:"void"`
	// Refund gives money back.
	Refund *RefundAction `yaml:"refund"`
	// Cancel cancels what of the subject can still be stopped.
	Cancel *CancelAction `yaml:"cancel"`
	// Exception asks a person; one of the same type about the same subject is not opened twice.
	Exception *ExceptionAction `yaml:"exception"`
	// CloseException closes what is open of a type about the subject.
	CloseException *CloseExceptionAction `yaml:"close_exception"`
	// Notify asks for a message to the customer or a partner.
	Notify *NotifyAction `yaml:"notify"`
	// Resource takes the fulfillment's units back and looks for another location.
	Resource *ResourceAction `yaml:"resource"`
	// Release looks for locations for the order's units that wait, now.
	Release *NoArguments `yaml:"release"`
	// Remind says again what the fulfillment waits for.
	Remind *ReasonAction `yaml:"remind"`
	// Uncollected takes what the customer did not collect back into the location's stock and cancels it.
	Uncollected *ReasonAction `yaml:"uncollected"`
	// Set gives the order an attribute; an empty value takes it away.
	Set *SetAction `yaml:"set"`
}

// NoArguments is written {}.
type NoArguments struct{}

// HoldAction is what a hold says.
type HoldAction struct {
	Type   string `yaml:"type"`
	Blocks string `yaml:"blocks"` // release (default), sourcing
	Reason string `yaml:"reason"`
	Owner  string `yaml:"owner"`
	// Expires is how long it lasts. Default: three days.
	Expires  string `yaml:"expires"`
	OnExpiry string `yaml:"on_expiry"` // exception (default), release, cancel
}

// ReleaseHoldAction says which holds end.
type ReleaseHoldAction struct {
	Type   string `yaml:"type"` // default: all
	Reason string `yaml:"reason"`
}

// RefundAction says what is given back.
type RefundAction struct {
	// Amount is CEL giving minor units. Default: what was captured and is not due any more.
	Amount string `yaml:"amount"`
	Reason string `yaml:"reason"`
}

// ReasonAction says why.
type ReasonAction struct {
	Reason string `yaml:"reason"`
}

// CancelAction says why, and what of an order.
type CancelAction struct {
	Reason string `yaml:"reason"`
	// Units, of an order: waiting cancels only those that no location has. Default: all that can be stopped.
	Units string `yaml:"units"`
}

// UnitsWaiting are the units that no location has.
const UnitsWaiting = "waiting"

// ResourceAction says why, and whether the location is asked again.
type ResourceAction struct {
	Reason string `yaml:"reason"`
	// Exclude keeps the location from being chosen again for the order. Default true.
	Exclude *bool `yaml:"exclude"`
}

// ExceptionAction is what a person is told. {fact} in Message stands for a fact's value.
type ExceptionAction struct {
	Type    string `yaml:"type"`
	Message string `yaml:"message"`
	Owner   string `yaml:"owner"`
}

// CloseExceptionAction says what is closed, and why.
type CloseExceptionAction struct {
	Type       string `yaml:"type"`
	Resolution string `yaml:"resolution"`
}

// NotifyAction names a message.
type NotifyAction struct {
	Template string `yaml:"template"`
	To       string `yaml:"to"` // customer (default), location, carrier, team
}

// SetAction is an attribute.
type SetAction struct {
	Name  string `yaml:"name"`
	Value string `yaml:"value"`
}

// Recipients lists whom notify can name.
var Recipients = []string{"customer", "location", "carrier", "team"}

// Limits of texts of actions, bytes.
const (
	maxReason  = 200
	maxMessage = 500
)

// Act is an action ready to be carried out. Which fields are set depends on Do.
type Act struct {
	Do string
	// Type of hold or exception.
	Type string
	// Reason of hold, release_hold, refund, cancel, resource, remind and uncollected; the
	// message of exception; the resolution of close_exception. Facts are filled in.
	Reason string
	Blocks string        // hold
	Expiry string        // hold: what happens at the end
	For    time.Duration // hold: how long; 0: the default
	Owner  string        // hold, exception
	// Amount of refund, minor units; 0: what was captured and is not due any more.
	Amount  int64
	Exclude bool   // resource
	Waiting bool   // cancel: only the units that no location has
	Name    string // notify: template; set: attribute
	Value   string // notify: recipient; set: value

	amount *policy.Expr
	fill   bool // Reason has places for facts
}

// String tells the action in a line, like "exception acceptance_overdue".
func (a *Act) String() string {
	switch a.Do {
	case DoHold, DoException, DoCloseException:
		return a.Do + " " + a.Type
	case DoCancel:
		if a.Waiting {
			return a.Do + " " + UnitsWaiting
		}
	case DoReleaseHold:
		return strings.TrimSpace(a.Do + " " + a.Type)
	case DoNotify:
		return a.Do + " " + a.Value + " " + a.Name
	case DoSet:
		return a.Do + " " + a.Name + "=" + a.Value
	}
	return a.Do
}

// actionsOf are the actions that a subject's flows may take.
var actionsOf = map[string][]string{
	SubjectOrder: {
		DoHold, DoReleaseHold, DoAuthorize, DoCapture, DoVoid, DoRefund, DoCancel, DoException, DoCloseException,
		DoNotify, DoRelease, DoSet,
	},
	SubjectFulfillment: {
		DoHold, DoReleaseHold, DoCapture, DoRefund, DoCancel, DoException, DoCloseException, DoNotify, DoResource, DoRemind, DoUncollected, DoSet,
	},
	SubjectReturn: {DoReleaseHold, DoRefund, DoCancel, DoException, DoCloseException, DoNotify, DoSet},
}

// ActionNames lists all actions, in the order of Action's settings.
func ActionNames() []string {
	t := reflect.TypeFor[Action]()
	names := make([]string, t.NumField())
	for i := range names {
		names[i] = t.Field(i).Tag.Get("yaml")
	}
	return names
}

// given lists the actions that an entry names.
func (a *Action) given() (names []string) {
	v := reflect.ValueOf(*a)
	for i, name := range ActionNames() {
		if !v.Field(i).IsNil() {
			names = append(names, name)
		}
	}
	return names
}

// act checks one action and makes it ready; false: it has problems.
func (c *compiler) act(pointer string, a *Action) (Act, bool) {
	names := a.given()
	if len(names) != 1 {
		c.s.Add(pointer, problem.Required, "%s: an entry is one action with its arguments, like release: {} or exception: {type: …}, not %d", c.at, len(names))
		return Act{}, false
	}
	name := names[0]
	pointer += "." + name
	if !contains(actionsOf[c.subject], name) {
		c.s.Add(pointer, problem.Conflict, "%s: a flow of a %s cannot %s; it can %s", c.at, c.subject, name, strings.Join(actionsOf[c.subject], ", "))
		return Act{}, false
	}
	out := Act{Do: name}
	switch name {
	case DoHold:
		c.hold(pointer, a.Hold, &out)
	case DoReleaseHold:
		out.Type, out.Reason = a.ReleaseHold.Type, a.ReleaseHold.Reason
		if out.Type != "" {
			c.s.Identifier(pointer+".type", out.Type)
		}
	case DoRefund:
		out.Reason = a.Refund.Reason
		out.amount = c.s.Number(pointer+".amount", a.Refund.Amount, c.allowed)
	case DoCancel:
		out.Reason, out.Waiting = a.Cancel.Reason, a.Cancel.Units == UnitsWaiting
		switch {
		case a.Cancel.Units == "":
		case c.subject != SubjectOrder:
			c.s.Add(pointer+".units", problem.Conflict, "%s: only a flow of an order chooses among units", c.at)
		default:
			c.s.OneOf(pointer+".units", a.Cancel.Units, UnitsWaiting)
		}
	case DoRemind:
		out.Reason = a.Remind.Reason
	case DoUncollected:
		out.Reason = a.Uncollected.Reason
	case DoResource:
		out.Reason, out.Exclude = a.Resource.Reason, a.Resource.Exclude == nil || *a.Resource.Exclude
	case DoException:
		c.exception(pointer, a.Exception, &out)
	case DoCloseException:
		out.Type, out.Reason = a.CloseException.Type, a.CloseException.Resolution
		c.s.Identifier(pointer+".type", out.Type)
		c.s.Text(pointer+".resolution", out.Reason, maxReason, c.allowed)
	case DoNotify:
		c.notify(pointer, a.Notify, &out)
	case DoSet:
		out.Name, out.Value = a.Set.Name, a.Set.Value
		c.s.Identifier(pointer+".name", out.Name)
		c.s.Text(pointer+".value", out.Value, maxReason, 0)
	}
	if name != DoException && name != DoCloseException {
		c.s.Text(pointer+".reason", out.Reason, maxReason, c.allowed)
	}
	out.fill = policy.HasPlaceholder(out.Reason)
	return out, true
}

func (c *compiler) hold(pointer string, h *HoldAction, out *Act) {
	out.Type, out.Blocks, out.Reason, out.Owner, out.Expiry = h.Type, h.Blocks, h.Reason, h.Owner, h.OnExpiry
	c.s.Identifier(pointer+".type", h.Type)
	c.s.Text(pointer+".owner", h.Owner, maxReason, 0)
	if out.Blocks == "" {
		out.Blocks = order.BlocksRelease
	}
	if out.Expiry == "" {
		out.Expiry = order.ExpiryException
	}
	c.s.OneOf(pointer+".blocks", out.Blocks, order.BlocksRelease, order.BlocksSourcing)
	c.s.OneOf(pointer+".on_expiry", out.Expiry, order.ExpiryException, order.ExpiryRelease, order.ExpiryCancel)
	if h.Expires != "" {
		out.For = c.duration(pointer+".expires", h.Expires, minEvery, order.MaxHold)
	}
}

func (c *compiler) exception(pointer string, x *ExceptionAction, out *Act) {
	out.Type, out.Reason, out.Owner = x.Type, x.Message, x.Owner
	c.s.Identifier(pointer+".type", x.Type)
	c.s.Text(pointer+".owner", x.Owner, maxReason, 0)
	c.s.Text(pointer+".message", x.Message, maxMessage, c.allowed)
	if x.Message == "" {
		c.s.Add(pointer+".message", problem.Required, "%s: say in a sentence what is wrong", c.at)
	}
}

func (c *compiler) notify(pointer string, n *NotifyAction, out *Act) {
	out.Name, out.Value = n.Template, n.To
	c.s.Identifier(pointer+".template", n.Template)
	if out.Value == "" {
		out.Value = Recipients[0]
	}
	c.s.OneOf(pointer+".to", out.Value, Recipients...)
}

// acts makes a list of actions ready.
func (c *compiler) acts(pointer string, list []Action) []Act {
	c.s.Count(pointer, len(list), maxActions)
	var out []Act
	for i := range list {
		if a, ok := c.act(problem.At(pointer, i), &list[i]); ok {
			out = append(out, a)
		}
	}
	return out
}
