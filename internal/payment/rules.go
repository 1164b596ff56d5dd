package payment

import "time"

// When tenders are authorized.
const (
	AuthorizeAtCapture = "capture" // as soon as the order is there
	AuthorizeAtRelease = "release" // once units are with a location and nothing but payment holds them
	AuthorizeByFlow    = "flow"    // when the order's flow says so
)

// When authorized money is captured.
const (
	CaptureAtShipment = "shipment" // pro rata, for units that left
	CaptureAtHandover = "handover" // pro rata, for units that reached the customer
	CaptureAtOrder    = "order"    // all of it, as soon as it is authorized
	CaptureByFlow     = "flow"     // pro rata for units that left, once the order's flow said so
)

// What happens when goods are handed over that were to be paid in cash.
const (
	CashRequired = "require" // the handover is refused until the payment is written down
	CashRecorded = "record"  // handing over means that it was paid
)

// AuthorizeTimes, CaptureTimes and CashRules list what a policy may say.
var (
	AuthorizeTimes = []string{AuthorizeAtCapture, AuthorizeAtRelease, AuthorizeByFlow}
	CaptureTimes   = []string{CaptureAtShipment, CaptureAtHandover, CaptureAtOrder, CaptureByFlow}
	CashRules      = []string{CashRequired, CashRecorded}
)

// Rules are how payments go: what a payment policy says, as it was when the order came.
type Rules struct {
	Authorize string `json:"authorize"`
	Capture   string `json:"capture"`
	// CaptureOrder and RefundOrder are types of tenders, first to last; others come after them, as the order has them.
	CaptureOrder []string `json:"capture_order,omitempty"`
	RefundOrder  []string `json:"refund_order,omitempty"`
	// LifetimeHours is how long an authorization lasts when the provider does not say; 0: for ever.
	LifetimeHours int64 `json:"lifetime_hours,omitempty"`
	// RenewHours is how long before its end an authorization is replaced.
	RenewHours int64 `json:"renew_hours,omitempty"`
	// HoldUntilPaid holds the order with type payment until all that is to be paid is authorized.
	HoldUntilPaid bool `json:"hold_until_paid,omitempty"`
	// HoldDeclined holds it when an authorization was declined.
	HoldDeclined bool `json:"hold_declined,omitempty"`
	// RetryHours is after how many hours a declined operation is asked for anew; 0: when a person says so.
	RetryHours int64 `json:"retry_hours,omitempty"`
	// Declines is after how many in a row it is left to a person.
	Declines int64 `json:"declines,omitempty"`
	// CancelHours is after how many hours what can be is cancelled because the payment stays declined; 0: never.
	CancelHours int64 `json:"cancel_hours,omitempty"`
	// AskMinutes are the delays before each inquiry about an operation without an answer; then a person is asked.
	AskMinutes []int64 `json:"ask_minutes"`
	Cash       string  `json:"cash"`
}

// askAt is when the outcome of an operation is asked for after so many inquiries.
func (r *Rules) askAt(attempts int, now time.Time) time.Time {
	delay := int64(defaultAskMinutes)
	if n := len(r.AskMinutes); n > 0 {
		delay = r.AskMinutes[min(attempts, n-1)]
	}
	return now.Add(time.Duration(delay) * time.Minute)
}

// defaultAskMinutes is for rules without delays, which no policy gives.
const defaultAskMinutes = 15
