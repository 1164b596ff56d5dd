package order

import (
	"fmt"
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/money"
)

// Who pays a refund.
const (
	RefundRequested = "requested" // the order's payment provider was asked
	RefundDue       = "due"       // the channel pays it: no tender names a provider
	RefundNone      = "none"      // nothing is left to pay
)

// ReturnRefund is money that the customer gets for units of a return, minor units:
// amount = value + shipping − fee, as far as the customer still pays as much; of it, exchange pays
// the order that replaces the goods, and the rest is paid back.
type ReturnRefund struct {
	// Key is the same whenever the refund is asked for: it is never paid twice.
	Key      string       `json:"key,omitempty"`
	At       time.Time    `json:"at"`
	State    string       `json:"state"`
	Amount   int64        `json:"amount"`
	Value    int64        `json:"value"`
	Shipping int64        `json:"shipping,omitempty"`
	Fee      int64        `json:"fee,omitempty"`
	Exchange int64        `json:"exchange,omitempty"`
	Lines    []RefundLine `json:"lines"`
	// ReturnFee is the part of Fee that is charged once for the return.
	ReturnFee int64 `json:"return_fee,omitempty"`
}

// RefundLine is the units of a line that a refund counts, and what they are worth.
type RefundLine struct {
	Line     string `json:"line"`
	Quantity int64  `json:"quantity"`
	Value    int64  `json:"value"`
	Fee      int64  `json:"fee,omitempty"`
}

// Payable is what is paid back beside what pays the exchange.
func (f *ReturnRefund) Payable() int64 { return f.Amount - f.Exchange }

// netLines are what the customer pays for each line: its total without its share of the order's
// discount and of price adjustments. Shares are exact to the minor unit.
func (o *Order) netLines() []int64 {
	net := make([]int64, len(o.Lines))
	for i := range o.Lines {
		net[i] = o.Lines[i].Total
	}
	spread := func(amount int64, admits func(*Line) bool) {
		weights := make([]int64, len(net))
		var sum int64
		for i := range net {
			if admits(&o.Lines[i]) {
				weights[i] = net[i]
				sum += net[i]
			}
		}
		if amount = min(amount, sum); amount <= 0 {
			return
		}
		for i, share := range money.Prorate(amount, weights) {
			net[i] -= share
		}
	}
	spread(o.Discount, func(*Line) bool { return true })
	for i := range o.Adjustments {
		a := &o.Adjustments[i]
		if a.Kind == AdjustPrice && a.State == AdjustmentApplied {
			spread(a.Amount, func(l *Line) bool { return len(a.Lines) == 0 || slices.Contains(a.Lines, l.ID) })
		}
	}
	return net
}

// unitsWorth is what the first units of a line that are refunded are worth together.
func (o *Order) unitsWorth(net []int64, line string, units int64) int64 {
	for i := range o.Lines {
		if l := &o.Lines[i]; l.ID == line {
			part := Line{Total: max(net[i], 0), Quantity: l.Quantity}
			return part.worthOf(units)
		}
	}
	return 0
}

// refunded is how many units of a line refunds count, and their value; of one return, or of all (nil).
func (o *Order) refunded(of *Return, line string) (units, value int64) {
	for i := range o.Returns {
		if r := &o.Returns[i]; of == nil || of == r {
			for j := range r.Refunds {
				for _, l := range r.Refunds[j].Lines {
					if l.Line == line {
						units += l.Quantity
						value += l.Value
					}
				}
			}
		}
	}
	return units, value
}

// Refunds is what was given back in all, by returns and by hand: paid, due, or into exchanges.
func (o *Order) Refunds() (sum int64) {
	if o.Payment != nil {
		for i := range o.Payment.Refunds {
			sum += o.Payment.Refunds[i].Amount
		}
	}
	for i := range o.Returns {
		for j := range o.Returns[i].Refunds {
			sum += o.Returns[i].Refunds[j].Amount
		}
	}
	return sum
}

// refundable is how many units of an item are to be refunded by now.
func (r *Return) refundable(l *ReturnedLine) int64 {
	switch {
	case r.RefundRule == RefundNever:
		return 0
	case l.Keep:
		return l.Quantity
	case l.Refused != "", r.RefundRule == RefundOnInspection:
		return l.Accepted
	case r.RefundRule == RefundInstant, r.RefundRule == RefundOnScan && !r.SentAt.IsZero():
		return l.Quantity - l.Rejected
	}
	return l.Received - l.Rejected
}

// refundDue is the refund that a return asks for by now and has not had; nil: none.
func (o *Order) refundDue(r *Return, at time.Time) *ReturnRefund {
	if x := r.Exchange; x != nil && x.Waits && !x.Void && !r.ExchangeReady() {
		return nil // the goods pay what replaces them, or nothing
	}
	f := &ReturnRefund{Key: fmt.Sprintf("%s-f%d", r.ID, len(r.Refunds)+1), At: at}
	net := o.netLines()
	seen := map[string]bool{}
	for i := range r.Lines {
		id := r.Lines[i].Line
		if seen[id] {
			continue
		}
		seen[id] = true
		due := r.sum(func(l *ReturnedLine) int64 {
			if l.Line != id {
				return 0
			}
			return r.refundable(l)
		})
		had, before := o.refunded(r, id)
		if due <= had {
			continue
		}
		all, value := o.refunded(nil, id)
		x := RefundLine{Line: id, Quantity: due - had}
		x.Value = max(o.unitsWorth(net, id, all+x.Quantity)-value, 0)
		x.Fee = min(r.lineFee(id, had, before, &x), x.Value)
		f.Lines = append(f.Lines, x)
		f.Value += x.Value
		f.Fee += x.Fee
	}
	if len(f.Lines) == 0 {
		return nil
	}
	f.Shipping = o.shippingDue(r, f)
	o.charge(r, f)
	return f
}

// lineFee is what taking further units of a line back costs the customer. The percentage is of all
// that the return gave for the line, so that no rounding adds up.
func (r *Return) lineFee(line string, had, before int64, x *RefundLine) int64 {
	at := slices.IndexFunc(r.Lines, func(l ReturnedLine) bool { return l.Line == line })
	l := &r.Lines[at]
	percent := func(value int64) int64 { return value/100*l.FeePercent + value%100*l.FeePercent/100 }
	return l.UnitFee*x.Quantity + percent(before+x.Value) - percent(before)
}

// charge takes the return's own fee, bounds the amount by what the customer still pays, and pays the
// exchange first.
func (o *Order) charge(r *Return, f *ReturnRefund) {
	fee := r.Fee
	for i := range r.Refunds {
		fee -= r.Refunds[i].ReturnFee
	}
	f.ReturnFee = min(max(fee, 0), f.Value+f.Shipping-f.Fee)
	f.Fee += f.ReturnFee
	f.Amount = max(min(f.Value+f.Shipping-f.Fee, o.Owed()-o.Refunds()), 0)
	if x := r.Exchange; x != nil && !x.Void {
		f.Exchange = min(f.Amount, x.Credit-r.exchanged())
	}
	switch {
	case f.Payable() == 0:
		f.State = RefundNone
	case o.Payment != nil:
		f.State = RefundRequested
	default:
		f.State = RefundDue
	}
}

// exchanged is how much of the exchange's credit refunds have paid.
func (r *Return) exchanged() (sum int64) {
	for i := range r.Refunds {
		sum += r.Refunds[i].Exchange
	}
	return sum
}

// shippingDue is the shipping that a refund gives back: once for an order.
func (o *Order) shippingDue(r *Return, f *ReturnRefund) int64 {
	shipping := o.Shipping
	if !o.TaxIncluded {
		shipping += o.ShippingTax
	}
	for i := range o.Returns {
		for j := range o.Returns[i].Refunds {
			if o.Returns[i].Refunds[j].Shipping > 0 {
				return 0
			}
		}
	}
	switch r.RefundShipping {
	case ShippingAlways:
		return shipping
	case ShippingFullReturn:
		for i := range o.Lines {
			l := &o.Lines[i]
			had, _ := o.refunded(nil, l.ID)
			for _, x := range f.Lines {
				if x.Line == l.ID {
					had += x.Quantity
				}
			}
			if had < l.Quantity-l.Cancelled {
				return 0
			}
		}
		return shipping
	}
	return 0
}

func (r *Return) applyRefund(e *Event) error {
	if e.Refund == nil {
		return fmt.Errorf("order: %s without its refund", e.Type)
	}
	r.Refunds = append(slices.Clip(r.Refunds), *e.Refund)
	return nil
}

// RefundEstimate is what a return would give back in all, would it all come and be accepted, as
// things are: the refund that it would have if it were due at once.
func (o *Order) RefundEstimate(r Return, at time.Time) ReturnRefund {
	r.ID, r.Exchange = o.ID, nil
	if r.RefundRule != RefundNever {
		r.RefundRule = RefundInstant
	}
	r.Lines = slices.Clone(r.Lines)
	for i := range r.Lines {
		r.Lines[i].Refused = ""
	}
	if f := o.refundDue(&r, at); f != nil {
		f.Key = "" // nobody is to pay an estimate
		return *f
	}
	return ReturnRefund{At: at, State: RefundNone}
}

// AdvanceReturn gives what a return asks for by itself: a refund that is due, or its end. nil: nothing.
// Each must be folded before it is asked again.
func (o *Order) AdvanceReturn(id string, at time.Time) []Event {
	r := o.Return(id)
	if r == nil {
		return nil
	}
	if f := o.refundDue(r, at); f != nil {
		return o.payRefund(r, f)
	}
	done := r.Expected() == 0 && r.sum((*ReturnedLine).ToInspect) == 0 && r.sum((*ReturnedLine).ToDispose) == 0
	if r.Status.Final() || !done {
		return nil
	}
	events := append([]Event{{Type: EventReturnClosed, ReturnID: id, Reason: "complete"}}, o.unpaidExchange(r, at)...)
	if units, amount := r.unearned(); units > 0 && r.sum(func(l *ReturnedLine) int64 { return l.Rejected }) > 0 {
		events = append(events, o.unreturned(r, units, amount, "were not accepted", at)...) // paid before anybody looked
	}
	return events
}

// unpaidExchange is the exception of goods that were sent in place of others that were not accepted.
func (o *Order) unpaidExchange(r *Return, at time.Time) []Event {
	if r.Exchange == nil || r.Exchange.Waits || r.Exchange.Credit <= r.exchanged() || r.sum(func(l *ReturnedLine) int64 { return l.Rejected + l.Missing }) == 0 {
		return nil
	}
	open := r.Exchange.Credit - r.exchanged()
	x := o.Raise(Exception{
		Type: ExceptionExchangeUnpaid, ReturnID: r.ID, By: "core",
		Message: fmt.Sprintf("Order %s replaces goods that were not taken back: %d minor units of it are not paid", r.Exchange.OrderID, open),
		Data:    map[string]string{"order": r.Exchange.OrderID, "amount": fmt.Sprint(open)},
	}, at)
	if x == nil {
		return nil
	}
	return []Event{*x}
}

// payRefund asks for the money of a refund.
func (o *Order) payRefund(r *Return, f *ReturnRefund) []Event {
	return []Event{{Type: EventReturnRefundDue, ReturnID: r.ID, Refund: f}}
}
