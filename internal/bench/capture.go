package bench

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
)

// The shop of orders.
const (
	orderLocations = 25
	orderPositions = 50_000 // default: 2,000 SKUs at each location
	orderTemplates = 4096
)

// placeholder stands in prebuilt bodies for what each request has of its own.
const placeholder = "@@@@"

// hole is a document with a place to fill in.
type hole struct{ before, after []byte }

func newHole(v any) hole {
	before, after, found := bytes.Cut(encode(v), []byte(placeholder))
	if !found {
		panic("bench: the document has no place to fill in")
	}
	return hole{before, after}
}

// captureRun places orders of one to four lines, each with a customer, an
// address and amounts, that any of 25 locations could fulfil.
type captureRun struct {
	head    *head
	shop    shop
	orders  []hole
	run     string // makes external ids differ between runs on one store
	current int    // size of a usual body
}

func (r *captureRun) prepare(ctx context.Context, s *setup) error {
	r.head, r.shop = s.head, s.shop(orderLocations, orderPositions)
	r.run = runID()
	numbers := random(1)
	bytes := 0
	for range orderTemplates {
		n := newOrder(numbers, r.shop, basket(numbers, r.shop))
		n.ExternalID = placeholder
		h := newHole(n)
		r.orders = append(r.orders, h)
		bytes += len(h.before) + len(h.after) + len(r.externalID(nil, 0, 0))
	}
	r.current = bytes / orderTemplates
	if err := r.shop.open(ctx, s); err != nil {
		return err
	}
	return r.shop.receive(ctx, s, plentyUnits)
}

// runID names a run: the seconds since 1970 in base 36.
func runID() string { return strconv.FormatInt(time.Now().UnixMilli(), 36) }

func (r *captureRun) externalID(dst []byte, client, n int) []byte {
	dst = append(append(dst, "b-"...), r.run...)
	dst = strconv.AppendInt(append(dst, '-'), int64(client), 10)
	return strconv.AppendInt(append(dst, '-'), int64(n), 10)
}

func (r *captureRun) operation(i int) func(*client) error {
	n, at := 0, i*len(r.orders)/7
	var id []byte
	return func(c *client) error {
		h := &r.orders[at%len(r.orders)]
		id = r.externalID(id[:0], i, n)
		n, at = n+1, at+1
		c.request = r.head.request(c.request[:0], "POST", "/v1/orders", h.before, id, h.after)
		_, _, err := c.call(c.request)
		return err
	}
}

func (r *captureRun) figures(report *Report, _ *tally) { report.RequestBytes = r.current }

// basketLine is one SKU of a basket.
type basketLine struct {
	sku      int
	quantity int64
}

// basket returns one to four lines, 2.5 on average, of different SKUs, with one
// unit in three of four.
func basket(numbers *rand.Rand, sh shop) []basketLine {
	lines := make([]basketLine, 1+numbers.IntN(4))
	first := numbers.IntN(sh.skus)
	for i := range lines {
		lines[i] = basketLine{sku: (first + i*numbers.IntN(sh.skus/4) + i) % sh.skus, quantity: 1}
		for j := 0; j < i; j++ {
			if lines[j].sku == lines[i].sku { // the next one is not in the basket of at most four
				lines[i].sku = (lines[i].sku + 1) % sh.skus
				j = -1
			}
		}
		if numbers.IntN(4) == 0 {
			lines[i].quantity = 2 + int64(numbers.IntN(2))
		}
	}
	return lines
}

// newOrder returns an order of the basket to an address near one of the cities.
func newOrder(numbers *rand.Rand, sh shop, lines []basketLine) *order.New {
	person := numbers.IntN(900_000) + 100_000
	name := fmt.Sprintf("%s %s", firstNames[person%len(firstNames)], lastNames[person/7%len(lastNames)])
	email := fmt.Sprintf("customer.%d@example.com", person)
	town := cities[numbers.IntN(len(cities))]
	latitude := town.latitude + float64(numbers.IntN(400)-200)/1000
	longitude := town.longitude + float64(numbers.IntN(400)-200)/1000
	n := &order.New{
		Channel: channelID, Currency: currency, Service: serviceID, TaxIncluded: true, Shipping: 495,
		Customer: order.Customer{ID: fmt.Sprintf("cust-%d", person), Name: name, Email: email, Phone: fmt.Sprintf("+49 30 %d", person)},
		ShipTo: &network.Address{
			Name: name, Line1: fmt.Sprintf("Hauptstraße %d", 1+numbers.IntN(150)), City: town.name, PostalCode: town.postalCode, Country: country,
			Email: email, Latitude: &latitude, Longitude: &longitude,
		},
		Attributes: map[string]string{"basket": fmt.Sprintf("bk-%d", numbers.IntN(1_000_000_000)), "locale": "de-DE"},
	}
	total := n.Shipping
	for i, l := range lines {
		price := priceOf(l.sku)
		sum := price * l.quantity
		n.Lines = append(n.Lines, order.NewLine{
			ID: strconv.Itoa(i + 1), SKU: sh.skuID(l.sku), Name: nameOf(l.sku), Quantity: l.quantity, UnitPrice: price, Tax: sum * 19 / 119,
		})
		total += sum
	}
	n.Total = &total
	n.Tenders = []order.Tender{{Type: "card", Amount: total, Reference: fmt.Sprintf("pi_bench_%d", numbers.IntN(1_000_000_000))}}
	return n
}

var (
	firstNames = []string{"Anna", "Ben", "Clara", "David", "Emma", "Felix", "Greta", "Hannes", "Ida", "Jonas", "Lea"}
	lastNames  = []string{"Becker", "Fischer", "Hoffmann", "Klein", "Krüger", "Müller", "Neumann", "Schmidt", "Schulz", "Wagner", "Weber", "Wolf", "Zimmermann"}
)
