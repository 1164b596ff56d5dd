package roi

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Sums are lines added up. Amounts are minor units of one currency.
type Sums struct {
	// Orders had a baseline booked; Done of them are delivered or cancelled.
	Orders    int64 `json:"orders"`
	Done      int64 `json:"done"`
	Cancelled int64 `json:"cancelled"`
	// Compared are done orders of which the costs compare; the others are in NotDone and below, each in one.
	Compared      int64 `json:"compared"`
	NotDone       int64 `json:"not_done"`
	Changed       int64 `json:"changed"`
	NotByBaseline int64 `json:"baseline_unplaced"`
	NotSent       int64 `json:"not_sent"`

	// BaselineCost and RealCost are of compared orders, and so are the shipments.
	BaselineCost      int64 `json:"baseline_cost"`
	RealCost          int64 `json:"real_cost"`
	BaselineShipments int64 `json:"baseline_shipments"`
	Shipments         int64 `json:"shipments"`
	// Expected counts compared orders that were placed whole at once, ExpectedCost what they were expected to cost then
	// and ExpectedReal what they did cost: how far expectation is to be trusted. ExpectedBaseline is what the baseline would
	// have cost for the same orders.
	Expected         int64 `json:"expected"`
	ExpectedCost     int64 `json:"expected_cost"`
	ExpectedReal     int64 `json:"expected_real"`
	ExpectedBaseline int64 `json:"expected_baseline"`

	// UnplacedOrders, of all orders, had units that nobody was given at first, BaselineUnplacedOrders would have had.
	UnplacedOrders         int64 `json:"unplaced_orders"`
	UnplacedUnits          int64 `json:"unplaced_units"`
	BaselineUnplacedOrders int64 `json:"baseline_unplaced_orders"`
	BaselineUnplacedUnits  int64 `json:"baseline_unplaced_units"`

	// Promised counts delivered orders that were promised a date, and would have been by the baseline. Kept of them
	// arrived by their own date, BaselineMet by that of the baseline; HoursEarlier is by how much, in sum, their own was the earlier one.
	Promised     int64 `json:"promised"`
	Kept         int64 `json:"kept"`
	BaselineMet  int64 `json:"baseline_met"`
	HoursEarlier int64 `json:"hours_earlier"`

	// Touched counts done orders that people worked on, Touches how often, TouchSeconds how long.
	Touched      int64 `json:"touched"`
	Touches      int64 `json:"touches"`
	TouchSeconds int64 `json:"touch_seconds"`
}

// add counts a line; sign -1 takes it away again.
func (s *Sums) add(l *Line, sign int64) {
	count := func(to *int64, n int64) { *to += sign * n }
	one := func(to *int64, yes bool) {
		if yes {
			*to += sign
		}
	}
	count(&s.Orders, 1)
	one(&s.UnplacedOrders, l.Unplaced > 0)
	count(&s.UnplacedUnits, l.Unplaced)
	one(&s.BaselineUnplacedOrders, l.BaselineUnplaced > 0)
	count(&s.BaselineUnplacedUnits, l.BaselineUnplaced)
	one(&s.NotDone, l.NotCompared == NotDone)
	one(&s.Cancelled, l.NotCompared == NotDelivered)
	one(&s.Changed, l.NotCompared == NotSame)
	one(&s.NotByBaseline, l.NotCompared == NotByBaseline)
	one(&s.NotSent, l.NotCompared == NotSent)
	if l.NotCompared == NotDone {
		return
	}
	count(&s.Done, 1)
	one(&s.Touched, l.Touches > 0)
	count(&s.Touches, l.Touches)
	count(&s.TouchSeconds, l.TouchSeconds)
	s.promise(l, sign)
	if l.NotCompared != "" {
		return
	}
	count(&s.Compared, 1)
	count(&s.BaselineCost, l.Baseline)
	count(&s.RealCost, l.Real)
	count(&s.BaselineShipments, l.BaselineShipments)
	count(&s.Shipments, l.Shipments)
	if l.Unplaced == 0 {
		count(&s.Expected, 1)
		count(&s.ExpectedCost, l.Expected)
		count(&s.ExpectedReal, l.Real)
		count(&s.ExpectedBaseline, l.Baseline)
	}
}

func (s *Sums) promise(l *Line, sign int64) {
	if l.Arrived.IsZero() || l.PromisedBy.IsZero() || l.BaselineBy.IsZero() || l.Unplaced > 0 || l.BaselineUnplaced > 0 {
		return
	}
	s.Promised += sign
	if !l.Arrived.After(l.PromisedBy) {
		s.Kept += sign
	}
	if !l.Arrived.After(l.BaselineBy) {
		s.BaselineMet += sign
	}
	s.HoursEarlier += sign * int64(l.BaselineBy.Sub(l.PromisedBy)/time.Hour)
}

// fields are all counts.
func (s *Sums) fields() []*int64 {
	return []*int64{
		&s.Orders, &s.Done, &s.Cancelled, &s.Compared, &s.NotDone, &s.Changed, &s.NotByBaseline, &s.NotSent,
		&s.BaselineCost, &s.RealCost, &s.BaselineShipments, &s.Shipments, &s.Expected, &s.ExpectedCost, &s.ExpectedReal, &s.ExpectedBaseline,
		&s.UnplacedOrders, &s.UnplacedUnits, &s.BaselineUnplacedOrders, &s.BaselineUnplacedUnits,
		&s.Promised, &s.Kept, &s.BaselineMet, &s.HoursEarlier, &s.Touched, &s.Touches, &s.TouchSeconds,
	}
}

// merge adds the sums of other orders.
func (s *Sums) merge(other Sums) {
	from := other.fields()
	for i, f := range s.fields() {
		*f += *from[i]
	}
}

// Month is a month of UTC, like 2026-11.
type Month string

// MonthOf is the month of a moment.
func MonthOf(t time.Time) Month { return Month(t.UTC().Format("2006-01")) }

// Begin is the month's first moment, End that of the next one. Errors: it is no month.
func (m Month) Begin() (time.Time, error) {
	t, err := time.Parse("2006-01", string(m))
	if err != nil {
		return t, fmt.Errorf("%q is no month like 2026-11", string(m))
	}
	return t, nil
}

// End is the first moment after the month; zero: it is no month.
func (m Month) End() time.Time {
	t, err := m.Begin()
	if err != nil {
		return time.Time{}
	}
	return t.AddDate(0, 1, 0)
}

// cell is what is added up together: what a pin states holds for all of it.
type cell struct {
	Month    Month  `json:"month"`
	Currency string `json:"currency"`
	Pin      int64  `json:"pin"`
}

func compareCells(a, b cell) int {
	return cmp.Or(strings.Compare(string(a.Month), string(b.Month)), strings.Compare(a.Currency, b.Currency), cmp.Compare(a.Pin, b.Pin))
}

// Ledger is the sums of all orders, by month, currency and pin.
type Ledger struct {
	cells map[cell]*Sums
	// Unreadable counts commands that could not be followed: their orders may be wrong in the sums.
	Unreadable int64
}

// New is an empty ledger.
func New() *Ledger { return &Ledger{cells: map[cell]*Sums{}} }

// Add books a line.
func (g *Ledger) Add(l Line) { g.book(&l, 1) }

// Replace books a line instead of one of the same order that was booked before.
func (g *Ledger) Replace(was, now Line) {
	if was == now {
		return
	}
	g.book(&was, -1)
	g.book(&now, 1)
}

func (g *Ledger) book(l *Line, sign int64) {
	at := cell{MonthOf(l.At), l.Currency, l.Pin}
	s := g.cells[at]
	if s == nil {
		s = new(Sums)
		g.cells[at] = s
	}
	s.add(l, sign)
	if *s == (Sums{}) {
		delete(g.cells, at)
	}
}

// Merge adds the orders of another ledger.
func (g *Ledger) Merge(other *Ledger) {
	for at, s := range other.cells {
		if g.cells[at] == nil {
			g.cells[at] = new(Sums)
		}
		g.cells[at].merge(*s)
	}
	g.Unreadable += other.Unreadable
}

// Clone is a copy that does not change with it.
func (g *Ledger) Clone() *Ledger {
	out := New()
	out.Merge(g)
	return out
}

// Months are those with orders, ascending.
func (g *Ledger) Months() (out []Month) {
	for _, at := range g.sorted() {
		if len(out) == 0 || out[len(out)-1] != at.Month {
			out = append(out, at.Month)
		}
	}
	return out
}

func (g *Ledger) sorted() []cell { return slices.SortedFunc(maps.Keys(g.cells), compareCells) }

// Format is the version of how a ledger is written and counted; one of another is counted anew from the log.
const Format = 2

type document struct {
	Format     int        `json:"format"`
	Unreadable int64      `json:"unreadable,omitempty"`
	Cells      []cellSums `json:"cells"`
}

type cellSums struct {
	cell
	Sums
}

// Encode writes the ledger.
func (g *Ledger) Encode() ([]byte, error) {
	d := document{Format: Format, Unreadable: g.Unreadable, Cells: []cellSums{}}
	for _, at := range g.sorted() {
		d.Cells = append(d.Cells, cellSums{at, *g.cells[at]})
	}
	return json.Marshal(&d)
}

// Decode reads what Encode wrote. Errors: another Format, or no ledger.
func Decode(body []byte) (*Ledger, error) {
	var d document
	if err := json.Unmarshal(body, &d); err != nil {
		return nil, fmt.Errorf("roi: %w", err)
	}
	if d.Format != Format {
		return nil, fmt.Errorf("roi: a ledger of format %d, not %d", d.Format, Format)
	}
	g := New()
	g.Unreadable = d.Unreadable
	for _, c := range d.Cells {
		s := c.Sums
		g.cells[c.cell] = &s
	}
	return g, nil
}
