package order

import (
	"fmt"

	"github.com/orderly-oms/orderly/internal/money"
)

// KitRef says which kit a component line was bought as.
type KitRef struct {
	Line     string `json:"line"` // id the kit's line had
	SKU      string `json:"sku"`
	Quantity int64  `json:"quantity"` // kits ordered
	PerKit   int64  `json:"per_kit"`  // units of the component in one
}

// explode replaces a kit's line by one line per component, so that components may
// come from different locations. Price, discount and tax are divided by weight
// (what the components cost alone; equal when nothing is known) to the last minor
// unit: what does not divide by a component's quantity is rounded up in its unit
// price and given back as its discount, so that every line's total is exact.
func explode(l Line, weight func(sku string) int64, taxIncluded bool) []Line {
	weights := make([]int64, len(l.Parts))
	for i, p := range l.Parts {
		weights[i] = p.Quantity * weight(p.SKU)
	}
	gross := money.Prorate(l.UnitPrice*l.Quantity, weights)
	discount := money.Prorate(l.Discount, weights)
	tax := money.Prorate(l.Tax, weights)
	out := make([]Line, len(l.Parts))
	for i, p := range l.Parts {
		q := p.Quantity * l.Quantity
		unit := (gross[i] + q - 1) / q
		c := Line{
			ID: fmt.Sprintf("%s.%d", l.ID, i+1), ExternalID: l.ExternalID, SKU: p.SKU, Name: l.Name, Quantity: q,
			UnitPrice: unit, Discount: discount[i] + unit*q - gross[i], Tax: tax[i], Gift: l.Gift,
			Kit: &KitRef{Line: l.ID, SKU: l.SKU, Quantity: l.Quantity, PerKit: p.Quantity},
		}
		c.Total = gross[i] - discount[i]
		if !taxIncluded {
			c.Total += c.Tax
		}
		out[i] = c
	}
	return out
}

// explodeKits replaces all kits of a captured order, as long as MaxLines and
// MaxLineQuantity admit it; a kit beyond them stays whole. Line ids that would clash keep their kit whole too.
func explodeKits(o *Order, weight func(sku string) int64) {
	ids := make(map[string]bool, len(o.Lines))
	for i := range o.Lines {
		ids[o.Lines[i].ID] = true
	}
	lines := make([]Line, 0, len(o.Lines))
	for i := range o.Lines {
		l := o.Lines[i]
		if !explodable(&l, ids, len(lines)+len(o.Lines)-i-1) {
			lines = append(lines, l)
			continue
		}
		for _, c := range explode(l, weight, o.TaxIncluded) {
			// Both grow by what the rounding of unit prices added, so the total stays.
			o.Totals.Subtotal += c.UnitPrice * c.Quantity
			o.Totals.Discount += c.Discount
			lines = append(lines, c)
		}
		o.Totals.Subtotal -= l.UnitPrice * l.Quantity
		o.Totals.Discount -= l.Discount
	}
	o.Lines = lines
}

func explodable(l *Line, ids map[string]bool, others int) bool {
	if len(l.Parts) == 0 || others+len(l.Parts) > MaxLines {
		return false
	}
	for i, p := range l.Parts {
		if ids[fmt.Sprintf("%s.%d", l.ID, i+1)] || p.Quantity < 1 || l.Quantity > MaxLineQuantity/p.Quantity {
			return false
		}
	}
	return true
}
