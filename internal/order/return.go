package order

import (
	"fmt"
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/plant"
	"github.com/orderly-oms/orderly/internal/problem"
)

// ReturnStatus is where a return is in its life.
type ReturnStatus string

// The states of a return. Edges: see ReturnEdges.
const (
	ReturnAuthorized ReturnStatus = "authorized" // the customer may send or bring it
	ReturnInTransit  ReturnStatus = "in_transit" // a carrier has it
	ReturnReceived   ReturnStatus = "received"   // some of it arrived; more may come, or it is to be looked at
	ReturnInspected  ReturnStatus = "inspected"  // what arrived was looked at; what becomes of it is open
	ReturnDisposed   ReturnStatus = "disposed"   // what arrived has found its place
	ReturnClosed     ReturnStatus = "closed"     // nothing is left to happen
	ReturnCancelled  ReturnStatus = "cancelled"
	ReturnExpired    ReturnStatus = "expired" // nothing came in time
)

// Final reports whether a return in the status has nothing left to happen.
func (s ReturnStatus) Final() bool {
	return s == ReturnClosed || s == ReturnCancelled || s == ReturnExpired
}

// ReturnEdge is a step a return can take by a command.
type ReturnEdge struct {
	Command  string
	From, To ReturnStatus
}

// ReturnEdges is the published state machine of returns. Receipt of what needs no inspection, and
// whose place is known, goes on to closed in the same commit.
var ReturnEdges = []ReturnEdge{
	{"send", ReturnAuthorized, ReturnInTransit},
	{"receive", ReturnAuthorized, ReturnReceived}, {"receive", ReturnInTransit, ReturnReceived},
	{"receive", ReturnAuthorized, ReturnInspected}, {"receive", ReturnInTransit, ReturnInspected}, {"receive", ReturnReceived, ReturnInspected},
	{"receive", ReturnInspected, ReturnReceived},
	{"inspect", ReturnReceived, ReturnInspected}, {"inspect", ReturnReceived, ReturnDisposed}, // all of it went back to the customer
	{"dispose", ReturnInspected, ReturnReceived}, {"dispose", ReturnInspected, ReturnDisposed}, // the first: more is to come
	{"close", ReturnAuthorized, ReturnClosed}, {"close", ReturnInTransit, ReturnClosed},
	{"close", ReturnReceived, ReturnClosed}, {"close", ReturnDisposed, ReturnClosed},
	{"cancel", ReturnAuthorized, ReturnCancelled}, {"cancel", ReturnInTransit, ReturnCancelled},
	{"expire", ReturnAuthorized, ReturnExpired}, {"expire", ReturnInTransit, ReturnExpired},
}

// The ways goods come back.
const (
	ReturnByMail  = "mail"
	ReturnAtStore = "store"
)

// When money is given back.
const (
	RefundInstant      = "instant"       // with the authorisation
	RefundOnScan       = "on_scan"       // when the carrier has the parcel
	RefundOnReceipt    = "on_receipt"    // when the units arrive
	RefundOnInspection = "on_inspection" // when they were accepted
	RefundNever        = "never"         // the units are replaced
)

// RefundRules lists those that a policy may name.
var RefundRules = []string{RefundInstant, RefundOnScan, RefundOnReceipt, RefundOnInspection}

// When the shipping that the customer paid is given back.
const (
	ShippingNever      = "never"
	ShippingFullReturn = "full_return" // when the last unit of the order comes back
	ShippingAlways     = "always"      // with the first refund
)

// What becomes of units that came back.
const (
	Restock   = "restock"   // free to be sold where they are
	Refurbish = "refurbish" // to be repaired or repacked
	Scrap     = "scrap"
	ToVendor  = "vendor" // back to who supplied them
)

// Dispositions lists them.
var Dispositions = []string{Restock, Refurbish, Scrap, ToVendor}

// Limits of returns.
const (
	MaxReturns        = 100                  // of one order
	MaxReturnItems    = 2 * MaxLines         // of one return, with those that come apart by location
	MaxReturnMessages = 500                  // receipts of one return
	MaxReturnAge      = 366 * 24 * time.Hour // that an authorisation may last
)

// ReturnUnexpected is why units need a person's decision that nobody announced.
const ReturnUnexpected = "unexpected"

// Exceptions about returns.
const (
	ExceptionReturnUnexpected = "return_unexpected" // something arrived that was not to
	ExceptionReturnOverdue    = "return_overdue"    // refunded or replaced, and it did not come
	ExceptionExchangeUnpaid   = "exchange_unpaid"   // replaced, and what came was not accepted
)

// Codes of refusals about returns.
const (
	CodeNoReturn       = "return_not_found"
	CodeTooManyReturns = "too_many_returns"
	CodeNotReturnable  = "not_returnable"
	CodeRefunded       = "refunded_already"
	CodeReturnRefused  = "return_refused"
	CodeReturnOpenWork = "return_open_work"
	CodeTwoLocations   = "several_locations"
)

// Return is goods on their way back from the customer.
type Return struct {
	ID     string         `json:"id"`
	Status ReturnStatus   `json:"status"`
	Blind  bool           `json:"blind,omitempty"` // it arrived without being authorised
	Method string         `json:"method"`
	Lines  []ReturnedLine `json:"lines"`
	Note   string         `json:"note,omitempty"`

	Carrier  string `json:"carrier,omitempty"`
	Tracking string `json:"tracking,omitempty"`
	LabelURL string `json:"label_url,omitempty"`

	// Policy decided about it, name@version.
	Policy         string `json:"policy,omitempty"`
	RefundRule     string `json:"refund_rule"`
	RefundShipping string `json:"refund_shipping"`
	// Fee is charged once, minor units, beside those of the lines.
	Fee int64 `json:"fee,omitempty"`
	// Override is why a refusal by the policy did not count.
	Override string `json:"override,omitempty"`
	By       string `json:"by"`

	CreatedAt  time.Time `json:"created_at"`
	ExpiresAt  time.Time `json:"expires_at,omitzero"` // what has not arrived by then is not waited for
	SentAt     time.Time `json:"sent_at,omitzero"`
	ReceivedAt time.Time `json:"received_at,omitzero"` // the first of it
	EndedAt    time.Time `json:"ended_at,omitzero"`

	Refunds []ReturnRefund `json:"refunds,omitempty"`
	// Exchange is the order that replaces the goods.
	Exchange *Exchange `json:"exchange,omitempty"`
	// Messages are the ids of receipts that were booked, so that a repeat changes nothing.
	Messages []string `json:"messages,omitempty"`
	// Flow is where the return is in its lifecycle.
	Flow *FlowState `json:"flow,omitempty"`
}

// ReturnedLine is some units of an order line in a return. Units of one line that arrive at several
// locations, or that nobody announced, are items of their own.
type ReturnedLine struct {
	Line     string `json:"line"`
	SKU      string `json:"sku"`
	Quantity int64  `json:"quantity"` // that are to come back, came, or are kept
	// Unexpected says that nobody announced the units.
	Unexpected bool   `json:"unexpected,omitempty"`
	Reason     string `json:"reason,omitempty"`
	Condition  string `json:"condition,omitempty"` // as declared
	// Keep says that the customer keeps the units; they count as returned.
	Keep bool `json:"keep,omitempty"`
	// To is where the policy wants the units; they may arrive anywhere.
	To      string `json:"to,omitempty"`
	Rule    string `json:"rule,omitempty"` // of the policy, that said so
	Inspect bool   `json:"inspect,omitempty"`
	// Refused is the rule that speaks against taking the units back: they are refunded only once
	// somebody accepts them.
	Refused    string `json:"refused,omitempty"`
	UnitFee    int64  `json:"unit_fee,omitempty"`    // minor units
	FeePercent int64  `json:"fee_percent,omitempty"` // of the units' value

	At       string `json:"at,omitempty"`    // where they arrived
	Found    string `json:"found,omitempty"` // condition
	Received int64  `json:"received,omitempty"`
	Accepted int64  `json:"accepted,omitempty"`
	Rejected int64  `json:"rejected,omitempty"` // went back to the customer
	Missing  int64  `json:"missing,omitempty"`  // announced, never came, not waited for any more

	Restocked   int64 `json:"restocked,omitempty"`
	Refurbished int64 `json:"refurbished,omitempty"`
	Scrapped    int64 `json:"scrapped,omitempty"`
	ToVendor    int64 `json:"to_vendor,omitempty"`
}

// Expected is how many units are still to come.
func (l *ReturnedLine) Expected() int64 {
	if l.Keep {
		return 0
	}
	return l.Quantity - l.Received
}

// ToInspect is how many units that arrived nobody has looked at.
func (l *ReturnedLine) ToInspect() int64 { return l.Received - l.Accepted - l.Rejected }

// ToDispose is how many accepted units have no place yet.
func (l *ReturnedLine) ToDispose() int64 {
	return l.Accepted - l.Restocked - l.Refurbished - l.Scrapped - l.ToVendor
}

// sum adds up something of the lines.
func (r *Return) sum(of func(*ReturnedLine) int64) (n int64) {
	for i := range r.Lines {
		n += of(&r.Lines[i])
	}
	return n
}

// Expected is how many units are still to come.
func (r *Return) Expected() int64 { return r.sum((*ReturnedLine).Expected) }

// Return returns the return with the id, or nil.
func (o *Order) Return(id string) *Return {
	for i := range o.Returns {
		if o.Returns[i].ID == id {
			return &o.Returns[i]
		}
	}
	return nil
}

// NewReturn asks for a return.
type NewReturn struct {
	Method string `json:"method,omitempty"` // mail (default) or store
	// Location is where the goods are or will be handed in; with method store.
	Location string `json:"location,omitempty"`
	// From is where the customer is; default: the order's address.
	From     *network.Address `json:"from,omitempty"`
	Lines    []NewReturnLine  `json:"lines"`
	Carrier  string           `json:"carrier,omitempty"`
	Tracking string           `json:"tracking,omitempty"`
	LabelURL string           `json:"label_url,omitempty"`
	Note     string           `json:"note,omitempty"`
	// Override is why the return is taken although the policy refuses it; the caller needs the right.
	Override string `json:"override,omitempty"`
}

// NewReturnLine is some units of a line of the order, or of a kit that was taken apart (its line, in kits).
type NewReturnLine struct {
	Line      string `json:"line"`
	Quantity  int64  `json:"quantity"`
	Reason    string `json:"reason,omitempty"`
	Condition string `json:"condition,omitempty"`
}

// Validate reports every field that is wrong in itself (problem.Invalid), and fills in the method.
func (n *NewReturn) Validate() error {
	var bad problem.Invalid
	n.validate(&bad)
	if len(n.Lines) == 0 {
		bad.Add("lines", problem.Required, "say what is returned")
	}
	return bad.Err()
}

func (n *NewReturn) validate(bad *problem.Invalid) {
	if n.Method == "" {
		n.Method = ReturnByMail
	}
	problem.OneOf(bad, "method", n.Method, ReturnByMail, ReturnAtStore)
	bad.Text("location", n.Location, 200)
	if n.Location != "" && n.Method != ReturnAtStore {
		bad.Add("location", problem.Conflict, "goods that come by mail are not handed in")
	}
	if n.From != nil {
		n.From.ValidateInto(bad, "from")
	}
	bad.Text("carrier", n.Carrier, 200)
	bad.Text("tracking", n.Tracking, 200)
	bad.Text("label_url", n.LabelURL, 2000)
	text(bad, "note", n.Note, MaxTextBytes)
	text(bad, "override", n.Override, MaxTextBytes)
	bad.Count("lines", len(n.Lines), MaxLines)
	for i := range n.Lines[:min(len(n.Lines), MaxLines)] {
		l, at := &n.Lines[i], problem.At("lines", i)
		bad.ID(at+".line", l.Line)
		bad.Range(at+".quantity", l.Quantity, 1, MaxLineQuantity)
		bad.Text(at+".reason", l.Reason, MaxTextBytes)
		bad.Text(at+".condition", l.Condition, MaxTextBytes)
	}
}

// ReturnLines replaces kits that were taken apart by their components and checks that the
// units are with the customer and on no other return. Units of one line for several reasons are several entries.
// Errors: problem.Invalid.
func (o *Order) ReturnLines(lines []NewReturnLine) ([]NewReturnLine, error) {
	var bad problem.Invalid
	var out []NewReturnLine
	named := map[string]int64{}
	take := func(at string, l NewReturnLine) {
		named[l.Line] += l.Quantity
		if with := o.Returnable(l.Line); named[l.Line] > with {
			bad.Add(at+".quantity", problem.OutOfRange, "%d units of line %s are with the customer and on no other return, got %d", with, l.Line, named[l.Line])
		}
		out = append(out, l)
	}
	for i, l := range lines {
		at := problem.At("lines", i)
		if o.Line(l.Line) != nil {
			take(at, l)
			continue
		}
		parts := o.components(l.Line)
		if len(parts) == 0 {
			bad.Add(at+".line", problem.Unknown, "the order has no line %.60q", l.Line)
		}
		for _, p := range parts {
			part := l
			part.Line, part.Quantity = p.ID, l.Quantity*p.Kit.PerKit
			take(at, part)
		}
	}
	return out, bad.Err()
}

// components are the lines that a kit's line was replaced by.
func (o *Order) components(kit string) (out []*Line) {
	for i := range o.Lines {
		if k := o.Lines[i].Kit; k != nil && k.Line == kit {
			out = append(out, &o.Lines[i])
		}
	}
	return out
}

// Returnable is how many units of a line are with the customer and on no open return.
func (o *Order) Returnable(line string) int64 {
	l := o.Line(line)
	if l == nil {
		return 0
	}
	var with int64
	for i := range o.Fulfillments {
		f := &o.Fulfillments[i]
		if fl := f.line(line); fl != nil && (f.Via == "" || f.Status == FulfillmentHandedOver) {
			with += fl.Shipped
		}
	}
	if plant.On(plant.OverReturn) {
		return min(with, l.Fulfilled)
	}
	return max(min(with, l.Fulfilled)-l.Returned-o.expected(line), 0)
}

// expected is how many units of a line are on their way back.
func (o *Order) expected(line string) (n int64) {
	for i := range o.Returns {
		r := &o.Returns[i]
		if r.Status.Final() {
			continue
		}
		n += r.sum(func(l *ReturnedLine) int64 {
			if l.Line != line {
				return 0
			}
			return l.Expected()
		})
	}
	return n
}

// OpenReturn gives the event that begins a return that the policy has decided about: what is left
// out is its id, its status and its time. Returns a *Refusal at the limit, or for units that are not with the customer.
func (o *Order) OpenReturn(r Return, at time.Time) ([]Event, error) {
	if len(o.Returns) >= MaxReturns {
		return nil, refuse(CodeTooManyReturns, "", "the order has %d returns already", len(o.Returns))
	}
	named := map[string]int64{}
	for i := range r.Lines {
		l := &r.Lines[i]
		named[l.Line] += l.Quantity
		if with := o.Returnable(l.Line); l.Quantity < 1 || named[l.Line] > with {
			return nil, refuse(CodeNotReturnable, problem.At("lines", i), "%d units of line %s are with the customer and on no other return", with, l.Line)
		}
	}
	r.ID, r.CreatedAt = fmt.Sprintf("%s-r%d", o.ID, len(o.Returns)+1), at
	r.Lines = slices.Clone(r.Lines)
	r.Status = ReturnAuthorized
	return []Event{{Type: EventReturnAuthorized, ReturnID: r.ID, Return: &r}}, nil
}
