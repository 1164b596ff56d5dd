package order

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"maps"
	"math"
	"slices"

	"github.com/orderly-oms/orderly/internal/network"
)

// Fingerprint identifies what the request asks for, to tell a repeat of it from
// another request under the same external id. It compares meaning: the order of
// JSON fields, white space and defaults that are written out or not do not count.
// It is part of the stored format: 16 bytes of SHA-256, in hexadecimal.
func (n *New) Fingerprint() string {
	p := make(print, 0, 1024)
	p.texts(n.Channel, n.ExternalID, n.Currency, string(n.Method), n.Service, n.PickupLocation, n.ReservationID, n.Shortage, n.Note)
	p.texts(n.Customer.ID, n.Customer.Name, n.Customer.Email, n.Customer.Phone)
	placed := int64(0)
	if !n.PlacedAt.IsZero() {
		placed = n.PlacedAt.UnixNano()
	}
	p.numbers(placed, n.Discount, n.Shipping, n.ShippingTax)
	p.flag(n.TaxIncluded)
	p.flag(n.Total != nil)
	if n.Total != nil {
		p.numbers(*n.Total)
	}
	p.address(n.ShipTo)
	p.address(n.BillTo)
	p.numbers(int64(len(n.Lines)))
	for i := range n.Lines {
		l := &n.Lines[i]
		p.texts(l.ID, l.ExternalID, l.SKU, l.Name)
		p.numbers(l.Quantity, l.UnitPrice, l.Discount, l.Tax)
	}
	p.numbers(int64(len(n.Tenders)))
	for _, t := range n.Tenders {
		p.texts(t.Type, t.Reference)
		p.numbers(t.Amount)
	}
	p.numbers(int64(len(n.Attributes)))
	for _, k := range slices.Sorted(maps.Keys(n.Attributes)) {
		p.texts(k, n.Attributes[k])
	}
	// Fields of later versions count only when they are set, so that fingerprints in a
	// store stay what they were.
	if n.RequiredLocation != "" || n.PreferredLocation != "" || !n.WantedBy.IsZero() {
		p.texts(n.RequiredLocation, n.PreferredLocation)
		p.numbers(n.WantedBy.Unix())
	}
	for i := range n.Lines {
		if g := n.Lines[i].Gift; g != nil {
			p.texts("gift", g.Message, g.From)
			p.numbers(int64(i))
			p.flag(g.Wrap)
		}
	}
	if n.AcceptSubstitutes {
		p.texts("accept_substitutes")
	}
	sum := sha256.Sum256(p)
	return hex.EncodeToString(sum[:16])
}

// print collects values so that different ones never give the same bytes: texts
// with their length in front, numbers as varints, lists with their length.
type print []byte

func (p *print) texts(values ...string) {
	for _, v := range values {
		*p = append(binary.AppendUvarint(*p, uint64(len(v))), v...)
	}
}

func (p *print) numbers(values ...int64) {
	for _, v := range values {
		*p = binary.AppendVarint(*p, v)
	}
}

func (p *print) flag(v bool) {
	if v {
		*p = append(*p, 1)
	} else {
		*p = append(*p, 0)
	}
}

func (p *print) address(a *network.Address) {
	p.flag(a != nil)
	if a == nil {
		return
	}
	p.texts(a.Name, a.Company, a.Line1, a.Line2, a.City, a.Region, a.PostalCode, a.Country, a.Phone, a.Email, a.Zone)
	for _, degrees := range []*float64{a.Latitude, a.Longitude} {
		p.flag(degrees != nil)
		if degrees != nil {
			*p = binary.BigEndian.AppendUint64(*p, math.Float64bits(*degrees))
		}
	}
}
