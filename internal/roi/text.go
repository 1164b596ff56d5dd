package roi

import (
	"fmt"
	"io"
	"math"
)

// WriteText writes the statement for a terminal.
func (s *Statement) WriteText(w io.Writer) error {
	p := &printer{w: w}
	p.line("Statement of %s", s.Month)
	for _, h := range s.Headline {
		p.line("  %s", h)
	}
	for i := range s.Accounts {
		p.account(&s.Accounts[i])
	}
	p.trend(s.Trend)
	p.line("")
	p.line("What the figures rest on")
	for _, a := range s.Assumptions {
		p.line("  - %s", a)
	}
	return p.err
}

// printer keeps the first error.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

func (p *printer) row(name, format string, args ...any) {
	p.line("  %-26s %s", name, fmt.Sprintf(format, args...))
}

func (p *printer) account(a *Account) {
	p.line("")
	p.line("%s", a.Currency)
	p.row("orders", "%d, of which %d done", a.Orders, a.Done)
	p.row("compared", "%d; not: %d not done, %d cancelled, %d changed, %d the baseline could not place, %d without a shipment",
		a.Compared, a.NotDone, a.Cancelled, a.Changed, a.NotByBaseline, a.NotSent)
	p.row("baseline would have cost", "%s for %d shipments", amount(a.BaselineCost, a.Currency), a.BaselineShipments)
	p.row("it really cost", "%s for %d shipments", amount(a.RealCost, a.Currency), a.Shipments)
	few := ""
	if a.TooFew {
		few = "; too few orders to conclude anything"
	}
	p.row("saved", "%s (%s); as expected: %s (%s)%s", amount(a.Saved, a.Currency), percent(a.SavedShare), amount(a.SavedExpected, a.Currency), percent(a.SavedExpectedShare), few)
	p.row("expected, and gap to real", "%s, %s (%s)", amount(a.ExpectedCost, a.Currency), amount(a.Gap, a.Currency), percent(a.GapShare))
	p.row("no location at first", "%d orders, %d units; baseline: %d orders, %d units", a.UnplacedOrders, a.UnplacedUnits, a.BaselineUnplacedOrders, a.BaselineUnplacedUnits)
	if a.Promised > 0 {
		way := "earlier"
		if *a.DaysEarlier < 0 {
			way = "later"
		}
		p.row("promises kept", "%d of %d (%s), %.1f days %s than the baseline's", a.Kept, a.Promised, percent(a.KeptShare), math.Abs(*a.DaysEarlier), way)
		p.row("arrived by baseline's date", "%d of %d (%s)", a.BaselineMet, a.Promised, percent(a.BaselineMetShare))
	} else {
		p.row("promises kept", "no delivered order was promised a date by both")
	}
	p.work(a)
	if a.Spent != nil {
		p.row("spent on the system", "%s", amount(*a.Spent, a.Currency))
		p.row("net", "%s", amount(*a.Net, a.Currency))
	}
}

func (p *printer) work(a *Account) {
	text := fmt.Sprintf("%d on %d orders, %.0f minutes", a.Touches, a.Touched, float64(a.TouchSeconds)/60)
	if a.Work != nil {
		text += ", " + amount(*a.Work, a.Currency)
	}
	p.row("touches", "%s", text)
	if a.TouchesSaved != nil {
		text = fmt.Sprintf("%.0f, from %.3g per order to %.3g", *a.TouchesSaved, *a.TouchesBefore, *a.TouchesPerOrder)
		if a.WorkSaved != nil {
			text += ", " + amount(*a.WorkSaved, a.Currency)
		}
		p.row("touches saved", "%s", text)
	}
}

func (p *printer) trend(all []Point) {
	if len(all) < 2 {
		return
	}
	p.line("")
	p.line("  %-8s %-4s %9s %16s %9s %9s %9s", "month", "", "compared", "saved", "", "kept", "touches")
	for i := range all {
		x := &all[i]
		touches := "–"
		if x.TouchesPerOrder != nil {
			touches = fmt.Sprintf("%.3f", *x.TouchesPerOrder)
		}
		note := ""
		if x.TooFew {
			note = "  too few"
		}
		p.line("  %-8s %-4s %9d %16s %9s %9s %9s%s", x.Month, x.Currency, x.Compared, amount(x.Saved, x.Currency), percent(x.SavedShare), percent(x.KeptShare), touches, note)
	}
}
