package order

import (
	"fmt"
	"slices"
)

// checkPlan asserts that a plan hands out only units that no location has, each
// once: a plan is made by this program, so one that does not fit is its fault
// and not the caller's of the API.
func (o *Order) checkPlan(placements []Placement, backorder []LineQuantity) error {
	left := make([]int64, len(o.Lines)) // unplaced units by line
	for i := range o.Lines {
		left[i] = o.Lines[i].Open() + o.Lines[i].Backordered
	}
	take := func(what string, lines []LineQuantity) error {
		for i, q := range lines {
			at := slices.IndexFunc(o.Lines, func(l Line) bool { return l.ID == q.Line })
			switch {
			case at < 0:
				return fmt.Errorf("order: plan %s line %q, which the order does not have", what, q.Line)
			case q.Quantity < 1 || q.Quantity > left[at]:
				return fmt.Errorf("order: plan %s %d units of line %s, of which %d are to be placed", what, q.Quantity, q.Line, left[at])
			case slices.ContainsFunc(lines[:i], func(l LineQuantity) bool { return l.Line == q.Line }):
				return fmt.Errorf("order: plan %s line %s twice", what, q.Line)
			}
			left[at] -= q.Quantity
		}
		return nil
	}
	for i := range placements {
		p := &placements[i]
		if p.Location == "" || len(p.Lines) == 0 {
			return fmt.Errorf("order: plan gives nothing to location %q", p.Location)
		}
		if err := take("gives "+p.Location, p.Lines); err != nil {
			return err
		}
		if err := p.checkReserved(); err != nil {
			return err
		}
		if err := o.checkCapacity(p); err != nil {
			return err
		}
	}
	return take("backorders", backorder)
}

// checkReserved asserts that reserved units are among those given.
func (p *Placement) checkReserved() error {
	for i, r := range p.Reserved {
		given := slices.IndexFunc(p.Lines, func(l LineQuantity) bool { return l.Line == r.Line })
		twice := slices.ContainsFunc(p.Reserved[:i], func(l LineQuantity) bool { return l.Line == r.Line })
		if given < 0 || twice || r.Quantity < 1 || r.Quantity > p.Lines[given].Quantity {
			return fmt.Errorf("order: plan takes %d reserved units of line %q at %s beyond those it gives", r.Quantity, r.Line, p.Location)
		}
	}
	return nil
}
