package bench

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/network"
)

// The shop of promises.
const (
	promiseLocations    = 500
	promisePositions    = 100_000 // default
	promiseDestinations = 1000
	promiseTemplates    = 8192
	promiseBasketLines  = 3
	promiseBaskets      = 512
	promiseUnits        = 40
)

// promiseRun asks as product pages do: when can one SKU be at one of 1,000 addresses, of
// a retailer with 500 locations that all have it. Then it asks for all options of
// baskets of three lines.
type promiseRun struct {
	shop      shop
	questions [][]byte // whole requests
	baskets   [][]byte
	answer    []byte // of middle length
}

func (r *promiseRun) prepare(ctx context.Context, s *setup) error {
	r.shop = s.shop(promiseLocations, promisePositions)
	numbers := random(5)
	addresses := make([]*network.Address, promiseDestinations)
	for i := range addresses {
		addresses[i] = destination(numbers, i)
	}
	for i := range promiseTemplates {
		to := addresses[i%len(addresses)]
		path := fmt.Sprintf("/v1/promises/%s?channel=%s&country=%s&postal_code=%s&latitude=%.4f&longitude=%.4f",
			r.shop.skuID(numbers.IntN(r.shop.skus)), channelID, to.Country, to.PostalCode, *to.Latitude, *to.Longitude)
		r.questions = append(r.questions, s.head.request(nil, "GET", path))
	}
	for i := range promiseBaskets {
		q := engine.PromiseRequest{Channel: channelID, Destination: addresses[i%len(addresses)]}
		first := numbers.IntN(r.shop.skus)
		for k := range min(promiseBasketLines, r.shop.skus) {
			q.Items = append(q.Items, engine.PromiseItem{SKU: r.shop.skuID((first + k) % r.shop.skus), Quantity: 1})
		}
		r.baskets = append(r.baskets, s.head.request(nil, "POST", "/v1/promises", encode(&q)))
	}
	if err := r.shop.open(ctx, s); err != nil {
		return err
	}
	if err := r.shop.receive(ctx, s, promiseUnits); err != nil {
		return err
	}
	var err error
	r.answer, err = s.sample(r.questions)
	return err
}

// destination is an address near one of the cities, with a postal code of its own.
func destination(numbers *rand.Rand, i int) *network.Address {
	city := cities[i%len(cities)]
	latitude, longitude := city.latitude+numbers.Float64()-0.5, city.longitude+numbers.Float64()-0.5
	return &network.Address{City: city.name, PostalCode: fmt.Sprintf("%05d", 10_000+i), Country: country, Latitude: &latitude, Longitude: &longitude}
}

func (r *promiseRun) operation(i int) func(*client) error { return inTurn(r.questions, i) }

// inTurn asks one question after the other, each client from another place on.
func inTurn(questions [][]byte, i int) func(*client) error {
	at := i * len(questions) / 7
	return func(c *client) error {
		at++
		_, _, err := c.call(questions[at%len(questions)])
		return err
	}
}

func (r *promiseRun) figures(report *Report, _ *tally) {
	report.ResponseBytes = len(r.answer)
	report.Promise = &PromiseFigures{Locations: r.shop.locations, SKUs: r.shop.skus, Destinations: promiseDestinations}
}

func (r *promiseRun) example() []byte { return r.answer }

func (r *promiseRun) compare(report *Report, f BareFigures) { report.Promise.BareFigures = f }

// further measures the baskets, for a quarter of the duration.
func (r *promiseRun) further(ctx context.Context, o *Options, host string, report *Report) error {
	t, err := measure(ctx, o, host, "baskets", o.Duration/4, func(i int) func(*client) error { return inTurn(r.baskets, i) })
	if err != nil {
		return err
	}
	f := report.Promise
	f.BasketLines, f.Baskets, f.BasketsPS = promiseBasketLines, t.ok, perSecond(t.ok, t.elapsed)
	f.BasketP50MS, f.BasketP99MS = ms(t.latency.quantile(.5)), ms(t.latency.quantile(.99))
	for kind, n := range t.errors {
		report.Errors[kind] += n
	}
	return nil
}
