package sim

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
)

const indexDigits = 7 // of a shopper's number in an external id

// What shoppers do, as shares of them.
const (
	pickupShare    = .14
	marketShare    = .14
	reserveShare   = .6  // of web orders: hold the basket, then order
	askShare       = .3  // of web and pickup orders: see when it can be there, confirm that, then order
	abandonShare   = .12 // before an order, somebody else leaves a basket behind
	cancelShare    = .04
	repeatShare    = .04 // the shop sends the order again
	giftCardShare  = .06
	discountShare  = .15 // of lines
	expressShare   = .12
	courierShare   = .08  // of shoppers in a city with a store
	freeFrom       = 5900 // cents of goods from which ground shipping is free
	vatPercent     = 19
	abandonSeconds = 20 * 60 // for which a basket that is left behind is held
	reserveSeconds = 60 * 60
)

// visit is what one shopper does; it depends on the seed and the shopper's number only.
type visit struct {
	order    order.New // without the provider's tokens
	browse   []string  // SKUs looked at
	reserve  bool
	ask      bool            // for a promise, and confirm it; then there is nothing to reserve
	abandon  []order.NewLine // basket that somebody leaves behind; empty: nobody
	repeat   bool
	cancel   bool
	cancelIn float64 // hours
	partly   bool    // cancel one unit of the first line only
}

func (d *Data) orderPrefix() string { return fmt.Sprintf("W%d-", d.Seed) }

// marketPrefix is decimal, as the platform's ids are.
func (d *Data) marketPrefix() string { return fmt.Sprintf("7%04d", d.Seed%10_000) }

// visit makes the shopper with the number.
func (d *Data) visit(index int) *visit {
	c := newChance(d.Seed, "shopper", strconv.Itoa(index))
	v := &visit{order: order.New{
		Channel: webChannel, ExternalID: fmt.Sprintf("%s%0*d", d.orderPrefix(), indexDigits, index), Currency: currency, TaxIncluded: true,
	}}
	n := &v.order
	home := c.weighted(d.drawCity)
	d.person(c, n, home)
	switch x := c.r.Float64(); {
	case x < pickupShare:
		n.Channel, n.Method, n.PickupLocation = pickupChannel, order.Pickup, d.nearestStore(n.ShipTo)
	case x < pickupShare+marketShare:
		n.Channel, n.ExternalID = marketChannel, fmt.Sprintf("%s%0*d", d.marketPrefix(), indexDigits, index)
	default:
		v.reserve = c.happens(reserveShare)
	}
	d.basket(c, n)
	d.shipping(c, n, home)
	v.pay(c)
	for range c.whole(1, 4) {
		v.browse = append(v.browse, d.SKUs[c.weighted(d.drawSKU)].SKU)
	}
	for _, l := range n.Lines {
		v.browse = append(v.browse, l.SKU)
	}
	if c.happens(abandonShare) {
		v.abandon = []order.NewLine{{SKU: d.SKUs[c.weighted(d.drawSKU)].SKU, Quantity: c.whole(1, 2)}}
	}
	v.repeat = c.happens(repeatShare)
	v.cancel, v.cancelIn, v.partly = c.happens(cancelShare), c.between(.05, 3), c.happens(.3)
	if v.ask = n.Channel != marketChannel && c.happens(askShare); v.ask {
		v.reserve = false
	}
	return v
}

func (d *Data) person(c chance, n *order.New, home int) {
	at := cities[home]
	first, last := pick(c, firstNames), pick(c, lastNames)
	to := address(at, fmt.Sprintf("%s %d", pick(c, streets), c.whole(1, 120)))
	near := func(degrees float64) *float64 {
		x := math.Round((degrees+c.between(-.07, .07))*1e4) / 1e4
		return &x
	}
	to.Latitude, to.Longitude = near(at.lat), near(at.long)
	to.Name = first + " " + last
	to.PostalCode = at.postal[:3] + fmt.Sprintf("%02d", c.whole(1, 99))
	ascii := strings.NewReplacer("ä", "ae", "ö", "oe", "ü", "ue", "Ö", "Oe", "ı", "i")
	n.ShipTo = &to
	n.Customer = order.Customer{
		ID: fmt.Sprintf("c-%06d", c.whole(1, 400_000)), Name: to.Name,
		Email: strings.ToLower(ascii.Replace(first+"."+last)) + "@example.com",
	}
}

// nearestStore is where a shopper collects.
func (d *Data) nearestStore(from *network.Address) string {
	best, least := "", math.MaxFloat64
	for i := range d.Locations {
		l := &d.Locations[i]
		if l.Type != network.Store {
			continue
		}
		if km, ok := network.Distance(from, &l.Address); ok && km < least {
			best, least = l.ID, km
		}
	}
	return best
}

// basket fills in the lines: mostly one, mostly one unit each.
func (d *Data) basket(c chance, n *order.New) {
	size := 1 + c.weighted([]float64{.58, .82, .92, .97, 1})
	seen := map[string]bool{}
	for tries := 0; len(n.Lines) < size && tries < 200; tries++ {
		s := &d.SKUs[c.weighted(d.drawSKU)]
		if seen[s.SKU] || (n.PickupLocation != "" && !d.assortment[n.PickupLocation][s.SKU]) {
			continue // a pickup basket is made of what the store shows
		}
		seen[s.SKU] = true
		l := order.NewLine{SKU: s.SKU, Name: s.Name, UnitPrice: s.Price.Amount, Quantity: 1 + int64(c.weighted([]float64{.9, .98, 1}))}
		gross := l.UnitPrice * l.Quantity
		if c.happens(discountShare) {
			l.Discount = gross * c.whole(1, 4) * 5 / 100
		}
		l.Tax = taxWithin(gross - l.Discount)
		n.Lines = append(n.Lines, l)
	}
}

// taxWithin is the tax in an amount that includes it, rounded half up.
func taxWithin(gross int64) int64 {
	return (2*gross*vatPercent + 100 + vatPercent) / (2 * (100 + vatPercent))
}

func (d *Data) shipping(c chance, n *order.New, home int) {
	if n.Method == order.Pickup {
		n.ShipTo = nil
		return
	}
	goods := goodsTotal(n)
	x := c.r.Float64()
	switch {
	case n.Channel == marketChannel:
		n.Shipping = 0
	case x < expressShare:
		n.Service, n.Shipping = "express", 995
	case x < expressShare+courierShare && home < storeCount:
		n.Service, n.Shipping = "courier", 1290
	case goods < freeFrom:
		n.Shipping = 495
	}
	n.ShippingTax = taxWithin(n.Shipping)
}

func goodsTotal(n *order.New) (sum int64) {
	for _, l := range n.Lines {
		sum += l.UnitPrice*l.Quantity - l.Discount
	}
	return sum
}

// pay splits the total over the tenders. References come from the provider.
func (v *visit) pay(c chance) {
	n := &v.order
	total := goodsTotal(n) + n.Shipping
	n.Total = &total
	left := total
	if n.Channel != marketChannel && c.happens(giftCardShare) {
		gift := min(c.whole(1, 5)*1000, total/2)
		n.Tenders = append(n.Tenders, order.Tender{Type: "gift_card", Amount: gift})
		left -= gift
	}
	kind := "card"
	if n.Channel == marketChannel {
		kind = "other" // the marketplace collects
	}
	n.Tenders = append(n.Tenders, order.Tender{Type: kind, Amount: left})
}

// decimal writes cents as platforms do.
func decimal(cents int64) string { return fmt.Sprintf("%d.%02d", cents/100, cents%100) }

// document is the order as a marketplace sends it: an order of Shopify's Admin API, placed at a time.
func (v *visit) document(at time.Time) map[string]any {
	n := &v.order
	items := make([]map[string]any, len(n.Lines))
	var tax int64
	for i, l := range n.Lines {
		items[i] = map[string]any{
			"id": n.ExternalID + fmt.Sprintf("%02d", i+1), "sku": l.SKU, "name": l.Name, "quantity": l.Quantity, "price": decimal(l.UnitPrice),
			"total_discount": decimal(l.Discount), "tax_lines": []any{map[string]any{"price": decimal(l.Tax), "title": "VAT", "rate": .19}},
		}
		tax += l.Tax
	}
	first, last, _ := strings.Cut(n.Customer.Name, " ")
	to := n.ShipTo
	return map[string]any{
		"id": n.ExternalID, "name": "#" + n.ExternalID[1:], "currency": currency, "created_at": at.Format(time.RFC3339),
		"taxes_included": true, "financial_status": "paid",
		"email": n.Customer.Email, "total_price": decimal(*n.Total), "subtotal_price": decimal(goodsTotal(n)), "total_tax": decimal(tax),
		"payment_gateway_names": []string{"marketplace"}, "line_items": items,
		"customer": map[string]any{"id": n.Customer.ID[2:], "first_name": first, "last_name": last, "email": n.Customer.Email},
		"shipping_address": map[string]any{
			"first_name": first, "last_name": last, "address1": to.Line1, "city": to.City, "zip": to.PostalCode, "province_code": to.Region,
			"country_code": to.Country, "latitude": *to.Latitude, "longitude": *to.Longitude,
		},
	}
}
