package roi

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/money"
)

// Statement says what a month was worth.
type Statement struct {
	Month Month `json:"month"`
	// Headline is a sentence per currency.
	Headline []string `json:"headline"`
	// Pins are the baselines that orders of the month were compared with.
	Pins []Pin `json:"pins"`
	// Accounts are by currency, the one with most orders first.
	Accounts []Account `json:"accounts"`
	// Trend is the same figures of all months up to this one, by month and currency.
	Trend       []Point  `json:"trend"`
	Assumptions []string `json:"assumptions"`
}

// Account is the month's orders in one currency. Amounts are its minor units.
type Account struct {
	Currency string `json:"currency"`
	Sums
	// TooFew: fewer than MinOrders are compared, so that nothing is concluded; what follows is arithmetic then, and no finding.
	TooFew bool `json:"too_few"`
	// Saved is BaselineCost less RealCost; negative: the baseline would have been cheaper.
	Saved      int64    `json:"saved"`
	SavedShare *float64 `json:"saved_share"` // of BaselineCost
	// SavedExpected is like for like, both as expected when they were decided: ExpectedBaseline less ExpectedCost.
	SavedExpected      int64    `json:"saved_expected"`
	SavedExpectedShare *float64 `json:"saved_expected_share"` // of ExpectedBaseline
	// Gap is ExpectedReal less ExpectedCost.
	Gap      int64    `json:"gap"`
	GapShare *float64 `json:"gap_share"` // of ExpectedCost
	// KeptShare and BaselineMetShare are of Promised.
	KeptShare        *float64 `json:"kept_share"`
	BaselineMetShare *float64 `json:"baseline_met_share"`
	// DaysEarlier is by how much the promise was the earlier one, on average; negative: the later one.
	DaysEarlier *float64 `json:"days_earlier"`

	TouchesPerOrder *float64 `json:"touches_per_order"`
	// Work is what Touches cost at the stated rate; nil: no rate is stated in this currency.
	Work *int64 `json:"work"`
	// TouchesBefore per order are those stated with the baseline, or those of the first month (BeforeFrom).
	TouchesBefore *float64 `json:"touches_before"`
	BeforeFrom    string   `json:"before_from,omitempty"`
	TouchesSaved  *float64 `json:"touches_saved"`
	WorkSaved     *int64   `json:"work_saved"`

	// Spent is the stated monthly cost of the system; nil: not stated in this currency. Net is Saved and WorkSaved less Spent.
	Spent *int64 `json:"spent"`
	Net   *int64 `json:"net"`
}

// Point is a month of the trend.
type Point struct {
	Month           Month    `json:"month"`
	Currency        string   `json:"currency"`
	Orders          int64    `json:"orders"`
	Compared        int64    `json:"compared"`
	TooFew          bool     `json:"too_few"`
	Saved           int64    `json:"saved"`
	SavedShare      *float64 `json:"saved_share"`
	Net             *int64   `json:"net"`
	KeptShare       *float64 `json:"kept_share"`
	TouchesPerOrder *float64 `json:"touches_per_order"`
}

// FromLines is the statement of single orders, like those of a replay.
func FromLines(lines []Line, pins []Pin, month Month) *Statement {
	g := New()
	for i := range lines {
		g.Add(lines[i])
	}
	return g.Statement(pins, month)
}

// Statement is a month's. pins ascend by version.
func (g *Ledger) Statement(pins []Pin, month Month) *Statement {
	out := &Statement{Month: month, Headline: []string{}, Pins: []Pin{}, Accounts: []Account{}, Trend: []Point{}}
	for _, at := range g.sorted() {
		if p := pinOf(pins, at.Pin); at.Month == month && p != nil && !slices.ContainsFunc(out.Pins, func(x Pin) bool { return x.Version == p.Version }) {
			out.Pins = append(out.Pins, *p)
		}
	}
	slices.SortFunc(out.Pins, func(a, b Pin) int { return int(a.Version - b.Version) })
	for _, m := range g.Months() {
		if m > month {
			break
		}
		for _, a := range g.accounts(pins, m) {
			out.Trend = append(out.Trend, Point{
				Month: m, Currency: a.Currency, Orders: a.Orders, Compared: a.Compared, TooFew: a.TooFew, Saved: a.Saved,
				SavedShare: a.SavedShare, Net: a.Net, KeptShare: a.KeptShare, TouchesPerOrder: a.TouchesPerOrder,
			})
			if m == month {
				out.Accounts = append(out.Accounts, a)
				out.Headline = append(out.Headline, a.sentence(out))
			}
		}
	}
	if len(out.Accounts) == 0 {
		out.Headline = append(out.Headline, fmt.Sprintf("No order of %s was compared with a baseline: none was pinned when they came, or none came.", month))
	}
	out.Assumptions = g.assumptions(out)
	return out
}

func pinOf(pins []Pin, version int64) *Pin {
	for i := range pins {
		if pins[i].Version == version {
			return &pins[i]
		}
	}
	return nil
}

// accounts are those of a month.
func (g *Ledger) accounts(pins []Pin, month Month) (out []Account) {
	for _, at := range g.sorted() {
		if at.Month == month && !slices.ContainsFunc(out, func(a Account) bool { return a.Currency == at.Currency }) {
			out = append(out, g.account(pins, month, at.Currency))
		}
	}
	slices.SortStableFunc(out, func(a, b Account) int { return int(b.Orders - a.Orders) })
	return out
}

func (g *Ledger) account(pins []Pin, month Month, currency string) Account {
	a := Account{Currency: currency}
	var last *Pin // the newest of the month
	for _, at := range g.sorted() {
		if at.Month == month && at.Currency == currency {
			a.merge(*g.cells[at])
			last = pinOf(pins, at.Pin)
		}
	}
	a.TooFew = a.Compared < MinOrders
	a.Saved, a.Gap = a.BaselineCost-a.RealCost, a.ExpectedReal-a.ExpectedCost
	a.SavedExpected = a.ExpectedBaseline - a.ExpectedCost
	a.SavedExpectedShare = share(a.SavedExpected, a.ExpectedBaseline)
	a.SavedShare, a.GapShare = share(a.Saved, a.BaselineCost), share(a.Gap, a.ExpectedCost)
	a.KeptShare, a.BaselineMetShare = share(a.Kept, a.Promised), share(a.BaselineMet, a.Promised)
	a.DaysEarlier = share(a.HoursEarlier, 24*a.Promised)
	a.TouchesPerOrder = share(a.Touches, a.Done)
	if last == nil || last.Off {
		return a
	}
	g.touchesBefore(&a, last, month)
	a.work(last)
	if last.Currency == currency && last.MonthlyCost > 0 {
		a.Spent = &last.MonthlyCost
		net := a.Saved - last.MonthlyCost
		if a.WorkSaved != nil {
			net += *a.WorkSaved
		}
		a.Net = &net
	}
	return a
}

// touchesBefore finds what touches per order are compared with.
func (g *Ledger) touchesBefore(a *Account, p *Pin, month Month) {
	if p.TouchesPerOrder != nil {
		a.TouchesBefore, a.BeforeFrom = p.TouchesPerOrder, "stated"
		return
	}
	for _, m := range g.Months() {
		if m >= month {
			return
		}
		var s Sums
		for at, x := range g.cells {
			if at.Month == m && at.Currency == a.Currency {
				s.merge(*x)
			}
		}
		if s.Done >= MinOrders {
			a.TouchesBefore, a.BeforeFrom = share(s.Touches, s.Done), string(m)
			return
		}
	}
}

// work prices touches.
func (a *Account) work(p *Pin) {
	priced := p.Currency == a.Currency && p.MinuteCost > 0
	price := func(minutes float64) *int64 {
		n := int64(math.Round(minutes * float64(p.MinuteCost)))
		return &n
	}
	minutes := float64(a.TouchSeconds) / 60
	if priced {
		a.Work = price(minutes)
	}
	if a.TouchesBefore == nil || a.Done == 0 {
		return
	}
	before := *a.TouchesBefore * float64(a.Done)
	saved := before - float64(a.Touches)
	a.TouchesSaved = &saved
	each := p.MinutesPerTouch
	if each == 0 && a.Touches > 0 {
		each = minutes / float64(a.Touches)
	}
	if priced && each > 0 {
		a.WorkSaved = price(before*each - minutes)
	}
}

func share(part, of int64) *float64 {
	if of == 0 {
		return nil
	}
	x := float64(part) / float64(of)
	return &x
}

// amount writes minor units with their currency.
func amount(minor int64, currency string) string {
	return money.Format(minor, currency) + " " + currency
}

func percent(x *float64) string {
	if x == nil {
		return "–"
	}
	return fmt.Sprintf("%.1f %%", *x*100)
}

// sentence is the account in one.
func (a *Account) sentence(s *Statement) string {
	if a.TooFew {
		return fmt.Sprintf("%s: %d orders of %s can be compared so far, which are too few to say anything; it takes %d.", a.Currency, a.Compared, s.Month, MinOrders)
	}
	verb, saved, which := "saved", a.Saved, a.SavedShare
	if saved < 0 {
		verb, saved, which = "cost", -saved, share(-saved, a.BaselineCost)
	}
	text := fmt.Sprintf("%s: compared with %s, the decisions of %s %s %s", a.Currency, s.baselines(), s.Month, verb, amount(saved, a.Currency))
	if a.Saved < 0 {
		text += " more"
	}
	text += fmt.Sprintf(" (%s) on %d orders", percent(which), a.Compared)
	if a.Net != nil {
		with := "less what the system costs"
		if a.WorkSaved != nil {
			with = "with work saved and " + with
		}
		text += fmt.Sprintf("; %s, that is %s", with, amount(*a.Net, a.Currency))
	}
	return text + "."
}

// baselines names what was compared with.
func (s *Statement) baselines() string {
	var names []string
	for i := range s.Pins {
		if n := s.Pins[i].Sourcing; n != "" && !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	if len(names) == 0 {
		return "the baseline"
	}
	return strings.Join(names, ", ")
}

// assumptions says, in sentences, what the figures rest on.
func (g *Ledger) assumptions(s *Statement) []string {
	out := []string{
		"An order counts in the month in which it came, once it is delivered or cancelled; so a month goes on changing until all of its orders are done. Orders that came while no baseline was pinned are not in it.",
		"What the baseline would have cost is expected and not real: it never shipped. It decided on the stock that the policies in force had left; its own decisions would have left other stock. How far expected and real cost of what was shipped lie apart (gap) shows how far expectation is to be trusted.",
		"Saved is what the baseline was expected to cost less what was really paid. Shipments that had to be sent again are charged to the decisions that were made and never to the baseline, so the figure is on the cautious side; the figure beside it compares like for like, both as expected.",
		"Real cost is what the carriers' tariffs say for all shipments that left, also those that were sent again; invoices and the cost of picking, packing and returns are not in it.",
		"Costs are compared for orders that were delivered whole. Not compared, but counted: cancelled orders, orders of which units were cancelled or added later, and orders for which the baseline had no location.",
		"Whether the baseline's date was met is judged by when the order really arrived. Orders that customers collect are not judged.",
	}
	if g.Unreadable > 0 {
		out = append(out, fmt.Sprintf("%d commands could not be read; their orders may be wrong in the sums. orderly verify says what is wrong with the log.", g.Unreadable))
	}
	for i := range s.Accounts {
		out = append(out, s.Accounts[i].assumptions(s)...)
	}
	if len(s.Pins) > 1 {
		out = append(out, "The baseline was changed during the month; each order is compared with the one that was pinned when it was placed. Rates and costs of the last one count for the month.")
	}
	return out
}

func (a *Account) assumptions(s *Statement) (out []string) {
	var p Pin
	if len(s.Pins) > 0 {
		p = s.Pins[len(s.Pins)-1]
	}
	say := func(format string, args ...any) { out = append(out, a.Currency+": "+fmt.Sprintf(format, args...)) }
	if a.Work != nil {
		say("a minute of a person costs %s, as stated with the baseline.", amount(p.MinuteCost, p.Currency))
	} else if a.Touches > 0 {
		say("no cost of a person's minute is stated in this currency, so work is shown in minutes only.")
	}
	switch {
	case a.BeforeFrom == "stated":
		say("before, people worked %.3g times on an order, as stated with the baseline.", *a.TouchesBefore)
	case a.BeforeFrom != "":
		say("how often people worked on an order before is not stated; %s, the first month with enough orders, stands for it (%.3g times).", a.BeforeFrom, *a.TouchesBefore)
	default:
		say("how often people worked on an order before is not known, so touches are counted and not compared.")
	}
	if a.WorkSaved != nil && p.MinutesPerTouch == 0 {
		say("a touch took as long before as it did this month.")
	}
	if a.Spent != nil {
		say("the system costs %s a month, as stated with the baseline; all of it is charged to the month, also when the baseline was pinned during it or the month is not over.", amount(*a.Spent, a.Currency))
	} else {
		say("what the system costs is not stated in this currency, so nothing is taken off.")
	}
	return out
}

// Over reports that a month is over at a moment.
func (m Month) Over(now time.Time) bool { end := m.End(); return !end.IsZero() && !end.After(now) }
