// Package catalog is what the retailer sells: SKUs with their weights, sizes,
// prices and barcodes, and kits made of other SKUs.
//
// It promises that Validate names every bad field (problem.Invalid) and that a
// Catalog is safe for concurrent use and lean enough for millions of SKUs in
// memory (a plain one takes about 200 bytes). It does not persist anything, keep
// stock, or know which channel sells what.
package catalog

import (
	"maps"
	"slices"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/money"
	"github.com/orderly-oms/orderly/internal/problem"
)

// Limits of a SKU.
const (
	MaxNameBytes           = 1000
	MaxBarcodes            = 100
	MaxWeightG             = 1_000_000_000 // 1,000 t
	MaxLengthMM            = 1_000_000     // 1 km, for each of the three sizes
	MaxComponents          = 50
	MaxComponentQuantity   = 10_000
	MaxTags                = 100
	MaxAttributes          = 100
	MaxAttributeNameBytes  = 100
	MaxAttributeValueBytes = 2000
)

// Component is a part of a kit.
type Component struct {
	SKU      string `json:"sku"`
	Quantity int64  `json:"quantity"` // units in one kit
}

// SKU is one sellable or stocked article. A kit (one with components) has no
// stock of its own.
type SKU struct {
	SKU  string `json:"sku"`
	Name string `json:"name,omitempty"`
	// GTIN is a GTIN-8, -12, -13 or -14 with its check digit.
	GTIN string `json:"gtin,omitempty"`
	// Barcodes are further codes that a scanner may read for it.
	Barcodes []string `json:"barcodes,omitempty"`
	// Weight and size of one packed unit; 0: unknown.
	WeightG  int64 `json:"weight_g,omitempty"`
	LengthMM int64 `json:"length_mm,omitempty"`
	WidthMM  int64 `json:"width_mm,omitempty"`
	HeightMM int64 `json:"height_mm,omitempty"`
	// Price is the list price of one unit; an order line carries its own.
	Price *money.Money `json:"price,omitempty"`
	// Components make it a kit; they are not kits themselves.
	Components []Component `json:"components,omitempty"`
	Tags       []string    `json:"tags,omitempty"`
	Category   string      `json:"category,omitempty"`
	// Active defaults to true. An inactive SKU is not sold any more.
	Active *bool `json:"active,omitempty"`
	// Attributes are the retailer's own, for policies: colour, size, hazard class.
	Attributes map[string]string `json:"attributes,omitempty"`
}

// IsActive reports whether the SKU is sold.
func (s *SKU) IsActive() bool { return s.Active == nil || *s.Active }

// IsKit reports whether the SKU is made of others.
func (s *SKU) IsKit() bool { return len(s.Components) > 0 }

// Validate reports every field that is wrong in itself; Catalog.Check looks at
// the SKUs it names.
func (s *SKU) Validate() error {
	var v problem.Invalid
	v.ID("sku", s.SKU)
	if inventory.IsCapacity(s.SKU) {
		v.Add("sku", problem.Malformed, "must not begin with %q, which names capacity", inventory.CapacityPrefix)
	}
	v.Text("name", s.Name, MaxNameBytes)
	if s.GTIN != "" && !ValidGTIN(s.GTIN) {
		v.Add("gtin", problem.Malformed, "must be 8, 12, 13 or 14 digits with a right check digit")
	}
	v.IDs("barcodes", s.Barcodes, MaxBarcodes)
	v.Range("weight_g", s.WeightG, 0, MaxWeightG)
	v.Range("length_mm", s.LengthMM, 0, MaxLengthMM)
	v.Range("width_mm", s.WidthMM, 0, MaxLengthMM)
	v.Range("height_mm", s.HeightMM, 0, MaxLengthMM)
	if s.Price != nil {
		v.Range("price.amount", s.Price.Amount, 0, money.MaxAmount)
		money.CheckCurrency(&v, "price.currency", s.Price.Currency)
	}
	s.checkComponents(&v)
	v.IDs("tags", s.Tags, MaxTags)
	v.Text("category", s.Category, MaxNameBytes)
	v.Count("attributes", len(s.Attributes), MaxAttributes)
	for _, name := range slices.Sorted(maps.Keys(s.Attributes)) {
		if name == "" || len(name) > MaxAttributeNameBytes {
			v.Add("attributes", problem.Malformed, "an attribute's name has 1 to %d bytes, not %d", MaxAttributeNameBytes, len(name))
			continue
		}
		v.Text("attributes", name, MaxAttributeNameBytes)
		v.Text("attributes."+name, s.Attributes[name], MaxAttributeValueBytes)
	}
	return v.Err()
}

func (s *SKU) checkComponents(v *problem.Invalid) {
	if len(s.Components) > MaxComponents {
		v.Count("components", len(s.Components), MaxComponents)
		return
	}
	seen := make(map[string]bool, len(s.Components))
	for i, c := range s.Components {
		at := problem.At("components", i)
		v.ID(at+".sku", c.SKU)
		switch {
		case c.SKU != "" && c.SKU == s.SKU:
			v.Add(at+".sku", problem.Conflict, "a kit cannot contain itself")
		case seen[c.SKU]:
			v.Add(at+".sku", problem.Duplicate, "%q is listed twice", c.SKU)
		}
		seen[c.SKU] = true
		v.Range(at+".quantity", c.Quantity, 1, MaxComponentQuantity)
	}
}

// ValidGTIN reports whether code is a GTIN-8, -12, -13 or -14 (EAN, UPC) whose last
// digit is its GS1 check digit.
func ValidGTIN(code string) bool {
	switch len(code) {
	case 8, 12, 13, 14:
	default:
		return false
	}
	sum := 0
	for i := range len(code) {
		digit := int(code[i]) - '0'
		if digit < 0 || digit > 9 {
			return false
		}
		if (len(code)-1-i)%2 == 1 { // every second digit left of the check digit weighs 3
			digit *= 3
		}
		sum += digit
	}
	return sum%10 == 0
}
