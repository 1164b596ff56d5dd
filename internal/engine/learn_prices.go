package engine

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/price"
)

const (
	// pricesEvery is how many snapshot intervals lie between two solves.
	pricesEvery = 10
	// maxPriceOrders are remembered one by one, so that a restart goes on from them; about 100 bytes each.
	maxPriceOrders = 10_000
	// maxPriceZones bounds the destinations that are told apart.
	maxPriceZones = 2_000
	// priceHorizon is how far ahead orders compete for a unit, unless supply comes first.
	priceHorizon = 28 * 24 * time.Hour
	// priceHalfLife is the age at which an order counts half.
	priceHalfLife = 14 * 24 * time.Hour
	// zonePrefix is how many characters of the postal code tell destinations apart.
	zonePrefix = 2
	// lostSale is what a unit not shipped costs whose list price is unknown, minor units.
	lostSale = 3000
)

// priceOrder is an order as prices are learned from it.
type priceOrder struct {
	Zone  string       `json:"zone"`
	Lines []price.Line `json:"lines"`
	At    time.Time    `json:"at"`
}

// priceLearner learns what stock is worth where it is: which orders come, and from the
// engine's stock, supply and rates what their cheapest plans would take.
type priceLearner struct {
	e       *Engine
	learner *price.Learner
	orders  []priceOrder // the newest, oldest first
	zones   map[string]*network.Address
	prices  *price.Prices
}

func newPriceLearner(e *Engine) *priceLearner {
	l, err := price.NewLearner(price.Options{HalfLife: priceHalfLife}, e.Now())
	if err != nil {
		panic(err) // the options are constants
	}
	return &priceLearner{e: e, learner: l, zones: map[string]*network.Address{}}
}

func (p *priceLearner) id() string { return LearnedPrices }

func (p *priceLearner) observe(x *lesson) {
	events, at := x.events, x.at
	for i := range events {
		if o := events[i].Order; events[i].Type == order.EventCaptured && o != nil && o.Method == order.Ship && o.ShipTo != nil {
			x := priceOrder{Zone: p.zone(o.ShipTo), At: at}
			for k := range o.Lines {
				l := &o.Lines[k]
				eachStocked(l.SKU, l.Parts, l.Quantity, func(sku string, n int64) {
					x.Lines = append(x.Lines, price.Line{SKU: sku, Quantity: n})
				})
			}
			p.note(x)
		}
	}
}

func (p *priceLearner) note(x priceOrder) {
	p.learner.Observe(x.Zone, x.Lines, x.At)
	if len(p.orders) >= 2*maxPriceOrders {
		p.orders = append(p.orders[:0], p.orders[len(p.orders)-maxPriceOrders:]...)
	}
	p.orders = append(p.orders, x)
}

// zone is what destinations that cost the same to reach have in common, with the first such address as its example.
func (p *priceLearner) zone(a *network.Address) string {
	key := a.Country + " " + a.PostalCode[:min(zonePrefix, len(a.PostalCode))]
	if p.zones[key] == nil {
		if len(p.zones) >= maxPriceZones {
			return "" // of no known place: such orders are not priced
		}
		p.zones[key] = &network.Address{Country: a.Country, PostalCode: a.PostalCode, Latitude: a.Latitude, Longitude: a.Longitude}
	}
	return key
}

// priceState is all that the learner knows.
type priceState struct {
	Orders []priceOrder                `json:"orders"`
	Zones  map[string]*network.Address `json:"zones"`
	Prices *price.Prices               `json:"prices"`
}

func (p *priceLearner) encode(version int64, at time.Time) ([]byte, error) {
	prices, err := p.learner.Solve(p.market(), at)
	if err != nil {
		return nil, fmt.Errorf("solving for prices: %w", err)
	}
	prices.Version, p.prices = version, prices
	kept := p.orders[max(len(p.orders)-maxPriceOrders, 0):]
	return json.Marshal(priceState{Orders: kept, Zones: p.zones, Prices: prices})
}

func (p *priceLearner) restore(body []byte) error {
	var s priceState
	if err := json.Unmarshal(body, &s); err != nil {
		return err
	}
	if len(s.Orders) > 0 {
		fresh, err := price.NewLearner(price.Options{HalfLife: priceHalfLife}, s.Orders[0].At)
		if err != nil {
			return err
		}
		p.learner = fresh
	}
	if s.Zones != nil {
		p.zones = s.Zones
	}
	for _, x := range s.Orders {
		p.note(x)
	}
	p.prices = s.Prices
	return nil
}

func (p *priceLearner) publish(into *lore) { into.worth = p.prices }

// market is the stock of the SKUs that orders asked for, and what shipping it costs.
func (p *priceLearner) market() price.Market {
	book, d, now := p.e.Book(), p.e.Directory(), p.e.Now()
	m := price.Market{Costs: newPriceCosts(p.e, p.zones), Horizon: priceHorizon}
	seen := map[string]bool{}
	for _, x := range p.orders {
		for _, l := range x.Lines {
			if seen[l.SKU] {
				continue
			}
			seen[l.SKU] = true
			next := map[string]time.Time{} // the next supply by location
			book.EachSupply(l.SKU, func(s inventory.Supply) bool {
				if s.ExpectedAt.After(now) && next[s.Location].IsZero() {
					next[s.Location] = s.ExpectedAt
				}
				return true
			})
			book.Each(l.SKU, func(at inventory.Position) bool {
				if loc, ok := d.Location(at.Location); ok && loc.IsActive() && loc.Can(network.CanShip) {
					s := price.Stock{SKU: l.SKU, Location: at.Location, Quantity: max(at.Available(), 0)}
					if t := next[at.Location]; !t.IsZero() {
						s.Horizon = t.Sub(now)
					}
					m.Stock = append(m.Stock, s)
				}
				return true
			})
		}
	}
	return m
}

// priceCosts is what shipping costs from each location to each zone, by the rates of now.
type priceCosts struct {
	e    *Engine
	legs map[[2]string]parcelCost
	sku  map[string][2]int64 // grams and list price
}

// parcelCost is a charge as a line through its prices at no weight and at parcelGrams.
type parcelCost struct {
	fixed   int64
	perGram float64
	ok      bool
}

const parcelGrams = 5000

func newPriceCosts(e *Engine, zones map[string]*network.Address) *priceCosts {
	c := &priceCosts{e: e, legs: map[[2]string]parcelCost{}, sku: map[string][2]int64{}}
	d := e.Directory()
	services := serviceIDs(d, "")
	for zone, to := range zones {
		for _, l := range d.Locations() {
			if !l.IsActive() || !l.Can(network.CanShip) {
				continue
			}
			best := parcelCost{}
			for _, id := range services {
				t, _ := d.Tariff(id)
				leg, err := t.Leg(&l.Address, to)
				if err != nil {
					continue
				}
				light, ok := leg.Rate.Price(1)
				heavy, fits := leg.Rate.Price(parcelGrams)
				if !ok || !fits || best.ok && light >= best.fixed {
					continue
				}
				best = parcelCost{fixed: light, perGram: float64(heavy-light) / parcelGrams, ok: true}
			}
			c.legs[[2]string{zone, l.ID}] = best
		}
	}
	return c
}

// Shipment implements price.Costs.
func (c *priceCosts) Shipment(zone, location string) (int64, bool) {
	if location == price.Nowhere {
		return 0, true
	}
	p := c.legs[[2]string{zone, location}]
	return p.fixed, p.ok
}

// Unit implements price.Costs.
func (c *priceCosts) Unit(zone, location, sku string) int64 {
	facts, ok := c.sku[sku]
	if !ok {
		facts[1] = lostSale
		if s, ok := c.e.Catalog().Get(sku); ok {
			facts[0] = s.WeightG
			if s.Price != nil && s.Price.Amount > 0 {
				facts[1] = s.Price.Amount
			}
		}
		c.sku[sku] = facts
	}
	if location == price.Nowhere {
		return facts[1]
	}
	return int64(c.legs[[2]string{zone, location}].perGram * float64(facts[0]))
}
