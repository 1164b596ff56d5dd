package policy

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/orderly-oms/orderly/internal/problem"
)

// KindPayment says which providers act for an order's payments, and when.
const KindPayment Kind = "payment"

// PaymentSection is how the payments of an order go. Of an order whose policy names no provider, payments are
// handled elsewhere: it carries its tenders, and nothing is asked of anybody.
type PaymentSection struct {
	// Providers says who acts for each type of tender: card, gift_card, account, other. What is due
	// of a type without one is only written down: the channel, or the store, does it.
	Providers map[string]string `yaml:"providers"`
	// Authorize is when tenders are authorized: capture (default; of the order), release or flow.
	Authorize string `yaml:"authorize"`
	// Capture is when authorized money is captured: shipment (default), handover, order or flow.
	Capture string `yaml:"capture"`
	// CaptureOrder and RefundOrder are types of tenders, first to last.
	// Defaults: gift_card, account, card, other, cash; and card, account, other, gift_card, cash.
	CaptureOrder []string `yaml:"capture_order"`
	RefundOrder  []string `yaml:"refund_order"`
	// LifetimeHours is how long an authorization lasts when the provider does not say. Default: 168; 0: for ever.
	LifetimeHours *int64 `yaml:"lifetime_hours"`
	// RenewHours is how long before its end an authorization is replaced. Default: 24; 0: when it has ended.
	RenewHours *int64 `yaml:"renew_hours"`
	// HoldUntilAuthorized keeps orders from their locations until all that is to be paid is authorized.
	HoldUntilAuthorized bool `yaml:"hold_until_authorized"`
	// Declined is what happens when a provider declines.
	Declined DeclinedSection `yaml:"declined"`
	// InquiryMinutes are the delays before each inquiry about an operation that nobody answered for; after
	// the last a person is asked. Default: 1, 5, 30, 120, 720.
	InquiryMinutes []int64 `yaml:"inquiry_minutes"`
	// Cash: require (default) refuses to hand over what was to be paid in cash until the payment is written down; record takes it as paid.
	Cash string `yaml:"cash"`
}

// DeclinedSection is what happens when a provider declines.
type DeclinedSection struct {
	// Hold holds the order with type payment. Default true.
	Hold *bool `yaml:"hold"`
	// RetryHours is after how many hours the same is asked for anew; 0 (default): when a person says so.
	RetryHours int64 `yaml:"retry_hours"`
	// Attempts is after how many declines in a row only a person tries again. Default: 3.
	Attempts int64 `yaml:"attempts"`
	// CancelHours is after how many hours what can be is cancelled; 0 (default): never.
	CancelHours int64 `yaml:"cancel_hours"`
}

// CompiledPayment is a PaymentSection with its defaults filled in.
type CompiledPayment struct {
	PaymentSection
	Lifetime, Renew int64 // hours
	HoldDeclined    bool
}

// Acts reports whether a provider acts for any tender.
func (p *CompiledPayment) Acts() bool { return len(p.Providers) > 0 }

var (
	tenderTypes         = []string{"card", "gift_card", "account", "cash", "other"}
	defaultCaptureOrder = []string{"exchange", "gift_card", "account", "card", "other", "cash"}
	defaultRefundOrder  = []string{"card", "account", "other", "gift_card", "cash", "exchange"}
	defaultInquiries    = []int64{1, 5, 30, 120, 720}
)

const (
	maxPaymentHours   = 366 * 24
	maxInquiries      = 20
	maxInquiryMinutes = 7 * 24 * 60
	maxDeclines       = 20
)

func (c *compiler) payment(s *PaymentSection) *CompiledPayment {
	out := &CompiledPayment{PaymentSection: *s, Lifetime: 168, Renew: 24, HoldDeclined: true}
	for _, typ := range slices.Sorted(maps.Keys(s.Providers)) {
		at := "payment.providers." + typ
		if typ == "cash" {
			c.add(at, problem.Conflict, "cash is paid when goods are handed over; no provider acts for it")
		} else {
			c.oneOf(at, typ, "card", "gift_card", "account", "other")
		}
		c.identifier(at, s.Providers[typ])
	}
	out.Authorize = cmp.Or(s.Authorize, "capture")
	c.oneOf("payment.authorize", out.Authorize, "capture", "release", "flow")
	out.Capture = cmp.Or(s.Capture, "shipment")
	c.oneOf("payment.capture", out.Capture, "shipment", "handover", "order", "flow")
	if out.Authorize != "capture" && s.HoldUntilAuthorized && out.Authorize == "flow" {
		c.warning("payment.hold_until_authorized", CodeIdle, "the order waits until a flow authorizes it")
	}
	out.Cash = cmp.Or(s.Cash, "require")
	c.oneOf("payment.cash", out.Cash, "require", "record")
	out.CaptureOrder = c.tenderOrder("payment.capture_order", s.CaptureOrder, defaultCaptureOrder)
	out.RefundOrder = c.tenderOrder("payment.refund_order", s.RefundOrder, defaultRefundOrder)
	c.paymentTimes(s, out)
	return out
}

// tenderOrder checks an order of types of tenders; those it leaves out come after it.
func (c *compiler) tenderOrder(at string, order, otherwise []string) []string {
	if len(order) == 0 {
		return otherwise
	}
	for i, typ := range order {
		here := problem.At(at, i)
		c.oneOf(here, typ, tenderTypes...)
		if slices.Contains(order[:i], typ) {
			c.add(here, problem.Duplicate, "%q is listed twice", clip(typ))
		}
	}
	return order
}

func (c *compiler) paymentTimes(s *PaymentSection, out *CompiledPayment) {
	if s.LifetimeHours != nil {
		out.Lifetime = *s.LifetimeHours
		c.within("payment.lifetime_hours", out.Lifetime, 0, maxPaymentHours)
	}
	if s.RenewHours != nil {
		out.Renew = *s.RenewHours
		c.within("payment.renew_hours", out.Renew, 0, maxPaymentHours)
	}
	if out.Lifetime > 0 && out.Renew >= out.Lifetime {
		c.add("payment.renew_hours", problem.Conflict, "must be less than the %d hours that an authorization lasts", out.Lifetime)
	}
	d := &s.Declined
	out.HoldDeclined = d.Hold == nil || *d.Hold
	out.Declined.Attempts = cmp.Or(d.Attempts, 3)
	c.within("payment.declined.attempts", out.Declined.Attempts, 1, maxDeclines)
	c.within("payment.declined.retry_hours", d.RetryHours, 0, maxPaymentHours)
	c.within("payment.declined.cancel_hours", d.CancelHours, 0, maxPaymentHours)
	if len(s.InquiryMinutes) == 0 {
		out.InquiryMinutes = defaultInquiries
	}
	c.count("payment.inquiry_minutes", len(s.InquiryMinutes), maxInquiries)
	for i, m := range s.InquiryMinutes {
		c.within(problem.At("payment.inquiry_minutes", i), m, 1, maxInquiryMinutes)
	}
}

func (c *Compiled) decidePayment() (map[string]any, error) {
	p := c.Payment
	providers := make([]string, 0, len(p.Providers))
	for _, typ := range slices.Sorted(maps.Keys(p.Providers)) {
		providers = append(providers, typ+"="+p.Providers[typ])
	}
	return map[string]any{"providers": strings.Join(providers, " "), "authorize": p.Authorize, "capture": p.Capture}, nil
}
