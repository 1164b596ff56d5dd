package exception

import (
	"strconv"
	"time"

	"github.com/orderly-oms/orderly/internal/money"
	"github.com/orderly-oms/orderly/internal/order"
)

// Limits of a price.
const (
	// MaxLateHours is from where on lateness adds nothing: thirty days.
	MaxLateHours = 720
	// MaxAgeDays is from where on age adds nothing.
	MaxAgeDays = 30
	// maxBase bounds what age multiplies, hundredths.
	maxBase = int64(1) << 44
	// leastBase is what an exception without money or promises counts, so that age orders those too.
	leastBase = 100
)

// Defaults of Terms.
const (
	DefaultPromiseValue     = 1500
	DefaultLateHourValue    = 50
	DefaultAgePercentPerDay = 20
)

// Terms are what promises and age are worth against money. Amounts are hundredths of a currency unit.
type Terms struct {
	PromiseValue     int64 `json:"promise_value"`       // of one promise at risk
	LateHourValue    int64 `json:"late_hour_value"`     // of each hour that one is late
	AgePercentPerDay int64 `json:"age_percent_per_day"` // that each day adds
}

// Price is what an open exception puts at risk.
type Price struct {
	// Money is the value of the units concerned, and of what would have to be paid back or as a penalty: minor units.
	Money    int64 `json:"money_at_risk"`
	Promises int64 `json:"promises_at_risk"`
	// HoursLate is how late those promises are or will be, in whole hours, at most MaxLateHours.
	HoursLate int64 `json:"hours_late"`
	// Rank orders the queue, highest first: hundredths of a currency unit.
	Rank int64 `json:"rank"`
}

// Assess prices an exception of an order at a time. The part that does not depend on the time is in
// the Stake, which can be kept.
func Assess(o *order.Order, x *order.Exception, t Terms, now time.Time) Price {
	s := StakeOf(o, x)
	return s.Price(t, now)
}

// Stake is what of a price follows from the order alone.
type Stake struct {
	Money     int64
	hundredth int64 // Money in hundredths of a currency unit
	Promises  int64
	due       time.Time // of the promise; zero: none
	expected  time.Time // when the carrier expects to keep it
	opened    time.Time
}

// StakeOf returns what an exception of an order puts at risk.
func StakeOf(o *order.Order, x *order.Exception) Stake {
	t := Lookup(x.Type)
	f := o.Fulfillment(x.FulfillmentID)
	s := Stake{Money: moneyOf(o, f, x, t.Concern), opened: x.OpenedAt}
	s.hundredth = hundredths(s.Money, o.Currency)
	if !t.Promise {
		return s
	}
	promised := o.Promise
	if f != nil {
		promised, s.expected = f.Promise, f.ExpectedAt
	}
	if f != nil && !f.DeliveredAt.IsZero() || f == nil && o.Status.Final() {
		return s // kept or not: it is over
	}
	if s.due = promised.DeliverBy; s.due.IsZero() {
		s.due = promised.ShipBy
	}
	if !s.due.IsZero() || t.Concern == ConcernUnplaced {
		s.Promises = 1 // units that nobody has were bought for some date, known or not
	}
	return s
}

// StandaloneStake is that of an exception that belongs to no order.
func StandaloneStake(amount int64, currency string, opened time.Time) Stake {
	return Stake{Money: amount, hundredth: hundredths(amount, currency), opened: opened}
}

// Price is the stake at a time.
func (s *Stake) Price(t Terms, now time.Time) Price {
	p := Price{Money: s.Money, Promises: s.Promises}
	if s.Promises > 0 && !s.due.IsZero() {
		at := now
		if s.expected.After(at) {
			at = s.expected
		}
		p.HoursLate = min(max(int64(at.Sub(s.due)/time.Hour), 0), MaxLateHours)
	}
	base := min(s.hundredth, maxBase) + p.Promises*min(t.PromiseValue, maxBase) + p.Promises*p.HoursLate*min(t.LateHourValue, maxBase/MaxLateHours)
	base = min(max(base, leastBase), maxBase)
	ageHours := min(max(int64(now.Sub(s.opened)/time.Hour), 0), MaxAgeDays*24)
	const whole = 100 * 24
	p.Rank = base / whole * (whole + t.AgePercentPerDay*ageHours)
	p.Rank += base % whole * (whole + t.AgePercentPerDay*ageHours) / whole
	return p
}

// moneyOf is the money an exception is about, minor units: what its data say, else the units concerned;
// and a penalty that its data name.
func moneyOf(o *order.Order, f *order.Fulfillment, x *order.Exception, c Concern) int64 {
	penalty := amountIn(x.Data, "penalty")
	back := o.Return(x.ReturnID)
	if a := amountIn(x.Data, "amount"); a > 0 || c == ConcernAmount && back == nil {
		return min(a+penalty, order.MaxAmount)
	}
	var sum int64
	add := func(line string, units int64) {
		if l := o.Line(line); l != nil && units > 0 {
			sum = min(sum+l.UnitValue()*units, order.MaxAmount)
		}
	}
	switch {
	case back != nil: // what is to come, or lies about
		for i := range back.Lines {
			l := &back.Lines[i]
			add(l.Line, l.Expected()+l.ToInspect()+l.ToDispose())
		}
	case c == ConcernUnplaced:
		for _, q := range o.Unplaced() {
			add(q.Line, q.Quantity)
		}
	case f != nil:
		for i := range f.Lines {
			l := &f.Lines[i]
			if f.DeliveredAt.IsZero() {
				add(l.Line, l.Quantity+l.Lost)
			} else {
				add(l.Line, l.Lost)
			}
		}
	default:
		delivered := map[string]int64{}
		for i := range o.Fulfillments {
			if f := &o.Fulfillments[i]; !f.DeliveredAt.IsZero() {
				for _, l := range f.Lines {
					delivered[l.Line] += l.Shipped
				}
			}
		}
		for i := range o.Lines {
			l := &o.Lines[i]
			add(l.ID, l.Quantity-l.Cancelled-delivered[l.ID])
		}
	}
	return min(sum+penalty, order.MaxAmount)
}

// amountIn reads an amount from data; what is not one counts 0.
func amountIn(data map[string]string, name string) int64 {
	n, err := strconv.ParseInt(data[name], 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return min(n, order.MaxAmount)
}

// hundredths brings amounts of currencies with other minor units to one measure. Rates between currencies are not known: a unit
// of each counts the same.
func hundredths(amount int64, currency string) int64 {
	digits, known := money.Exponent(currency)
	if !known {
		return amount
	}
	for ; digits < 2 && amount < maxBase; digits++ {
		amount *= 10
	}
	for ; digits > 2; digits-- {
		amount /= 10
	}
	return amount
}
