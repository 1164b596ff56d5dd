package exception

import (
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/auth"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/problem"
)

// The fixes.
const (
	FixResource       = "resource"
	FixRetrySourcing  = "retry_sourcing"
	FixWait           = "wait"
	FixCancelUnits    = "cancel_units"
	FixReleaseHold    = "release_hold"
	FixRemind         = "remind_location"
	FixReship         = "reship"
	FixRefund         = "refund"
	FixRetryPayment   = "retry_payment"
	FixAcceptLateShip = "accept_late_ship"
	FixChangeService  = "change_service"
	FixShipFrom       = "ship_from"
	FixWriteOff       = "write_off"
	FixClose          = "close"
	FixCloseReturn    = "close_return"
	FixRestock        = "restock"
)

// Limits of what a fix is asked with.
const (
	MaxWaitHours     = 720
	DefaultWaitHours = 24
	// DefaultRemindHours is how long a reminded location has before the exception comes back.
	DefaultRemindHours = 4
)

// Fix is one thing that can be done about an exception.
type Fix struct {
	ID      string `json:"id"`
	Title   string `json:"title"`
	Meaning string `json:"meaning"` // in a sentence: what it does
	// Needs are arguments that it cannot do without; Takes those that it may have.
	Needs []string `json:"needs,omitempty"`
	Takes []string `json:"takes,omitempty"`
	// Keeps says that the exception stays open, set aside until it comes back.
	Keeps bool `json:"keeps,omitempty"`
	// Rule says that rules may apply it by themselves.
	Rule bool `json:"rule,omitempty"`
	// Right is what the caller needs beside the right to work on exceptions.
	Right auth.Scope `json:"right,omitempty"`
	// alone says that it fits exceptions that belong to no order.
	alone bool
}

// fixes are all of them, by id.
var fixes = []Fix{
	{ID: FixAcceptLateShip, Title: "Accept the shipment", Meaning: "Books what the location did: the units are taken back from where they are now and shipped from there", Takes: []string{"lines", "reason"}},
	{ID: FixCancelUnits, Title: "Cancel the units", Meaning: "Cancels the units concerned, as far as nobody has picked them", Takes: []string{"lines", "reason"}, Rule: true, Right: auth.OrdersCancel},
	{ID: FixChangeService, Title: "Change the service", Meaning: "Sends what has not left with another carrier service", Needs: []string{"service"}, Takes: []string{"reason"}, Rule: true, Right: auth.OrdersEdit},
	{ID: FixClose, Title: "Close", Meaning: "Closes the exception; nothing else changes", Takes: []string{"reason"}, Rule: true, alone: true},
	{ID: FixCloseReturn, Title: "Close the return", Meaning: "Ends the return: what has not come is not waited for", Takes: []string{"reason"}, Rule: true},
	{ID: FixRefund, Title: "Give money back", Meaning: "Gives an amount back to the customer", Needs: []string{"amount"}, Takes: []string{"reason"}, Right: auth.ServiceAdjust},
	{ID: FixReleaseHold, Title: "Release the hold", Meaning: "Ends the hold, so that the order goes on", Takes: []string{"hold", "reason"}, Rule: true},
	{ID: FixRemind, Title: "Remind the location", Meaning: "Reminds the location; the exception comes back unless it answers", Takes: []string{"hours", "reason"}, Keeps: true, Rule: true},
	{ID: FixReship, Title: "Send again", Meaning: "Takes the units for lost and sends others", Takes: []string{"lines", "reason"}, Rule: true, Right: auth.ServiceReship},
	{ID: FixResource, Title: "Give it to another location", Meaning: "Takes the units back and decides again without the location; one that has accepted is asked to stop", Takes: []string{"reason"}, Rule: true},
	{ID: FixRestock, Title: "Put it back in stock", Meaning: "Units of the return that wait for their place can be sold again where they are", Takes: []string{"reason"}, Rule: true},
	{ID: FixRetryPayment, Title: "Try the payment again", Meaning: "Asks anew for what was declined, and what became of what nobody answered for", Takes: []string{"reason"}, Rule: true},
	{ID: FixRetrySourcing, Title: "Look for a location again", Meaning: "Looks for locations for all units that none has; refused while there are none", Takes: []string{"reason"}, Rule: true},
	{ID: FixShipFrom, Title: "Ship from a location", Meaning: "Gives the units to the location named, whatever policies say, if it has them", Needs: []string{"location"}, Takes: []string{"service", "lines", "reason"}, Rule: true},
	{ID: FixWait, Title: "Wait", Meaning: "Sets the exception aside; it comes back unless it is closed before", Takes: []string{"hours", "reason"}, Keeps: true, Rule: true, alone: true},
	{ID: FixWriteOff, Title: "Write it off", Meaning: "Takes the units for lost and cancels them; of money: accepts the difference", Takes: []string{"lines", "reason"}, Right: auth.OrdersCancel, alone: true},
}

// Fixes lists all fixes, by id.
func Fixes() []Fix { return slices.Clone(fixes) }

// FixOf returns a fix.
func FixOf(id string) (Fix, bool) {
	i := slices.IndexFunc(fixes, func(f Fix) bool { return f.ID == id })
	if i < 0 {
		return Fix{}, false
	}
	return fixes[i], true
}

// Alone reports whether a fix fits exceptions that belong to no order.
func (f Fix) Alone() bool { return f.alone }

// Args are what a fix is asked with. Each fix says which it takes.
type Args struct {
	Location string               `json:"location,omitempty"`
	Service  string               `json:"service,omitempty"`
	Hold     string               `json:"hold,omitempty"` // type of hold; default: that of the exception, or the only one
	Hours    int64                `json:"hours,omitempty"`
	Amount   int64                `json:"amount,omitempty"` // minor units
	Lines    []order.LineQuantity `json:"lines,omitempty"`
	Reason   string               `json:"reason,omitempty"`
}

// given are the arguments that have a value.
func (a *Args) given() (names []string) {
	for _, x := range []struct {
		name string
		some bool
	}{
		{"location", a.Location != ""}, {"service", a.Service != ""}, {"hold", a.Hold != ""}, {"hours", a.Hours != 0}, {"amount", a.Amount != 0},
		{"lines", len(a.Lines) > 0}, {"reason", a.Reason != ""},
	} {
		if x.some {
			names = append(names, x.name)
		}
	}
	return names
}

// Check reports everything that is wrong with a request for a fix (problem.Invalid).
func Check(fix string, a *Args) error {
	var bad problem.Invalid
	f, known := FixOf(fix)
	if !known {
		bad.Add("fix", problem.Unknown, "there is no fix %.60q; GET /v1/exceptions/types has those of each type", fix)
		return bad.Err()
	}
	given := a.given()
	for _, name := range f.Needs {
		if !slices.Contains(given, name) {
			bad.Add(name, problem.Required, "%s needs it", fix)
		}
	}
	for _, name := range given {
		if !slices.Contains(f.Needs, name) && !slices.Contains(f.Takes, name) {
			bad.Add(name, problem.Conflict, "%s has no use for it", fix)
		}
	}
	bad.Text("location", a.Location, 200)
	bad.Text("service", a.Service, 200)
	bad.Text("hold", a.Hold, 64)
	bad.Text("reason", a.Reason, order.MaxTextBytes)
	if a.Hours != 0 {
		bad.Range("hours", a.Hours, 1, MaxWaitHours)
	}
	if a.Amount != 0 {
		bad.Range("amount", a.Amount, 1, order.MaxAmount)
	}
	bad.Count("lines", len(a.Lines), order.MaxLines)
	for i, q := range a.Lines[:min(len(a.Lines), order.MaxLines)] {
		bad.Range(problem.At("lines", i)+".quantity", q.Quantity, 1, order.MaxLineQuantity)
		if q.Short != 0 || q.Picked != 0 {
			bad.Add(problem.At("lines", i), problem.Conflict, "only line and quantity have a meaning here")
		}
	}
	return bad.Err()
}

// until is when an exception that is set aside comes back.
func (a *Args) until(hours int64, now time.Time) time.Time {
	if a.Hours != 0 {
		hours = a.Hours
	}
	return now.Add(time.Duration(hours) * time.Hour)
}
