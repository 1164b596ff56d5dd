package folder

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/catalog"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/money"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/past"
)

// loader is a folder that is being read.
type loader struct {
	dir      string
	currency string
	channel  string
	zone     *time.Location
	zoneName string

	locations     []network.Location
	located       map[string]*network.Location
	home          string // country of most locations
	skus          map[string]*catalog.SKU
	service       string // of orders that name none
	tariffs       map[string]*network.Tariff
	carriers      []network.Carrier
	otherServices int // orders with a service that has no rates

	orders   []*csvOrder
	byID     map[string]*csvOrder
	stock    []stockRow
	absent   map[string]bool
	counts   map[string]int64
	bad      map[string]*badRows
	findings []past.Finding
}

// stockRow is a change of a position that no order made.
type stockRow struct {
	at     time.Time // zero: the beginning
	key    inventory.PositionKey
	units  int64
	safety *int64
	why    string
}

// csvOrder is an order with everything that is known of it.
type csvOrder struct {
	id, service, customer string
	at, promised          time.Time
	shipTo                network.Address
	shipping              int64
	lines                 []csvLine
	shipments             []*csvShipment
	steps                 []csvStep
}

type csvLine struct {
	sku             string
	quantity, price int64
	left            int64 // units that have neither been shipped nor cancelled
}

// csvShipment is what one location sent at one time. parts are by line of the order.
type csvShipment struct {
	id, location, service string
	at, delivered         time.Time
	cost                  int64
	charged               bool
	parts                 []int64
}

// csvStep is a cancellation or a touch.
type csvStep struct {
	at      time.Time
	kind    past.StepKind
	parts   []int64 // by line; nil: no units
	seconds int64
	reason  string
}

func newLoader(dir string) *loader {
	return &loader{
		dir: dir, currency: "EUR", channel: "shop", zone: time.UTC, zoneName: "UTC", located: map[string]*network.Location{},
		skus: map[string]*catalog.SKU{}, byID: map[string]*csvOrder{}, absent: map[string]bool{}, counts: map[string]int64{},
		bad: map[string]*badRows{}, tariffs: map[string]*network.Tariff{},
	}
}

// load reads all files, each after those that its rows name.
func (l *loader) load(ctx context.Context) error {
	for _, f := range []struct {
		name string
		row  func(*row)
		then func() error
	}{
		{"settings.csv", l.setting, nil}, {"locations.csv", l.location, l.someLocations}, {"rates.csv", nil, nil},
		{"orders.csv", l.order, nil}, {"lines.csv", l.line, l.dropEmpty}, {"skus.csv", l.sku, l.defaultSKUs},
		{"stock.csv", l.stockOf, nil}, {"stock_movements.csv", l.movement, nil}, {"shipments.csv", l.shipment, nil},
		{"deliveries.csv", l.delivery, nil}, {"cancellations.csv", l.cancellation, nil}, {"touches.csv", l.touch, nil},
	} {
		var err error
		if f.name == "rates.csv" {
			err = l.rates(ctx)
		} else {
			err = l.each(ctx, f.name, f.row)
		}
		if err == nil && f.then != nil {
			err = f.then()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *loader) setting(r *row) {
	value := r.text("value")
	switch name := strings.ToLower(r.text("setting")); name {
	case "currency":
		if value = strings.ToUpper(value); !money.ValidCurrency(value) {
			r.wrong("%.40q is not a currency like EUR", value)
			return
		}
		l.currency = value
	case "time_zone":
		zone, err := network.LoadZone(value)
		if err != nil {
			r.wrong("%.60q is not a time zone like Europe/Berlin", value)
			return
		}
		l.zone, l.zoneName = zone, value
	case "channel":
		l.channel = value
	default:
		r.wrong("no setting %.40q; there are currency, time_zone and channel", name)
	}
}

func (l *loader) location(r *row) {
	x := network.Location{
		ID: r.text("location"), Name: r.text("name"), Type: network.DC, TimeZone: l.zoneName, Capabilities: []network.Capability{network.CanShip},
		Address: network.Address{
			Country: strings.ToUpper(r.text("country")), PostalCode: r.text("postal_code"), City: r.text("city"),
			Latitude: r.degrees("latitude", 90), Longitude: r.degrees("longitude", 180),
		},
		ProcessingMinutes: r.number("processing_minutes", 0),
	}
	if text := strings.ToLower(r.text("type")); text != "" {
		x.Type = network.LocationType(text)
	}
	if text := r.text("time_zone"); text != "" {
		x.TimeZone = text
	}
	if text := r.text("cut_off"); text != "" {
		if len(text) == 4 {
			text = "0" + text
		}
		at, err := network.ParseClock(text)
		if err != nil {
			r.wrong("cut_off: %v", err)
		}
		x.Cutoffs = []network.Cutoff{{Time: at}}
	}
	if n := r.number("orders_per_day", -1); n >= 0 {
		x.Capacity.OrdersPerDay = &n
	}
	if err := x.Validate(); err != nil {
		r.wrong("%v", err)
	}
	if l.located[x.ID] != nil {
		r.wrong("location %s is there twice; the first is taken", x.ID)
	}
	if r.bad == "" {
		l.locations = append(l.locations, x)
		l.located[x.ID] = &x
	}
}

func (l *loader) someLocations() error {
	if len(l.locations) == 0 {
		return fmt.Errorf("locations.csv: no row is usable%s; write each place that sends goods with its country", l.firstBad("locations.csv"))
	}
	count := map[string]int{}
	for i := range l.locations {
		c := l.locations[i].Address.Country
		count[c]++
		if l.home == "" || count[c] > count[l.home] {
			l.home = c
		}
	}
	return nil
}

func (l *loader) firstBad(name string) string {
	if b := l.bad[name]; b != nil {
		return " (" + b.named[0] + ")"
	}
	return ""
}

func (l *loader) order(r *row) {
	o := &csvOrder{
		id: r.text("order"), at: r.time("placed_at"), promised: r.time("promised_by"), service: r.text("service"), customer: r.text("customer"),
		shipTo: network.Address{
			Country: strings.ToUpper(r.text("country")), PostalCode: r.text("postal_code"), City: r.text("city"), Region: r.text("region"),
			Latitude: r.degrees("latitude", 90), Longitude: r.degrees("longitude", 180),
		},
	}
	o.shipping, _ = r.money("shipping")
	if o.shipTo.Country == "" {
		o.shipTo.Country = l.home
	}
	if l.tariffs[o.service] == nil {
		if o.service != "" {
			l.otherServices++
		}
		o.service = l.service
	}
	if err := o.shipTo.Validate(); err != nil {
		r.wrong("%v", err)
	}
	if !o.promised.IsZero() && o.promised.Before(o.at) {
		r.wrong("it was promised before it was placed")
	}
	if l.byID[o.id] != nil {
		r.wrong("order %.60s is there twice; the first is taken", o.id)
	}
	if r.bad == "" {
		l.orders, l.byID[o.id] = append(l.orders, o), o
	}
}

// of finds the order that a row is about.
func (l *loader) of(r *row) *csvOrder {
	o := l.byID[r.text("order")]
	if o == nil {
		r.wrong("order %.60q is not in orders.csv", r.text("order"))
	}
	return o
}

func (l *loader) line(r *row) {
	o := l.of(r)
	x := csvLine{sku: r.text("sku"), quantity: r.number("quantity", 1)}
	x.price, _ = r.money("unit_price")
	x.left = x.quantity
	if x.quantity <= 0 || x.quantity > 1_000_000 {
		r.wrong("quantity %d is not from 1 to 1000000", x.quantity)
	}
	if o != nil && len(o.lines) == maxLines {
		r.wrong("order %.60s has more than %d lines", o.id, maxLines)
	}
	if r.bad == "" {
		o.lines = append(o.lines, x)
	}
}

const maxLines = 500

// dropEmpty leaves out orders without a line.
func (l *loader) dropEmpty() error {
	before := len(l.orders)
	l.orders = slices.DeleteFunc(l.orders, func(o *csvOrder) bool {
		if len(o.lines) == 0 {
			delete(l.byID, o.id)
		}
		return len(o.lines) == 0
	})
	if n := before - len(l.orders); n > 0 {
		l.find("orders.csv", "orders have no line in lines.csv", "they were left out", int64(n), int64(before), "some", "the number of orders")
	}
	if len(l.orders) == 0 {
		return fmt.Errorf("orders.csv and lines.csv: no order is usable%s%s; do the order numbers of both files agree?", l.firstBad("orders.csv"), l.firstBad("lines.csv"))
	}
	if l.otherServices > 0 {
		l.find("orders.csv service", "services that rates.csv does not have", l.service, int64(l.otherServices), int64(before), "little", "cost of orders that were to come faster")
	}
	return nil
}

const defaultGrams = 500

func (l *loader) sku(r *row) {
	x := &catalog.SKU{SKU: r.text("sku"), Name: r.text("name"), Category: r.text("category"), WeightG: r.number("weight_grams", defaultGrams)}
	if err := x.Validate(); err != nil {
		r.wrong("%v", err)
	}
	if l.skus[x.SKU] != nil {
		r.wrong("article %.60s is there twice; the first is taken", x.SKU)
	}
	if r.bad == "" {
		l.skus[x.SKU] = x
	}
}

// defaultSKUs adds articles that were ordered and are not in skus.csv.
func (l *loader) defaultSKUs() error {
	added := map[string]bool{}
	for _, o := range l.orders {
		for _, x := range o.lines {
			if l.skus[x.sku] == nil {
				l.skus[x.sku] = &catalog.SKU{SKU: x.sku, WeightG: defaultGrams}
				if err := l.skus[x.sku].Validate(); err != nil {
					return fmt.Errorf("lines.csv: article %.60q: %w; write it without", x.sku, err)
				}
				added[x.sku] = true
			}
		}
	}
	if n := len(added); n > 0 && !l.absent["skus.csv"] {
		l.find("skus.csv", "articles that were ordered are not in it", "500 g", int64(n), int64(len(l.skus)), "some", "cost: rates go by weight")
	}
	return nil
}

// position is the location and article that a row names.
func (l *loader) position(r *row) inventory.PositionKey {
	k := inventory.PositionKey{SKU: r.text("sku"), Location: r.text("location")}
	if l.located[k.Location] == nil {
		r.wrong("location %.60q is not in locations.csv", k.Location)
	}
	if l.skus[k.SKU] == nil {
		l.skus[k.SKU] = &catalog.SKU{SKU: k.SKU, WeightG: defaultGrams}
		if err := l.skus[k.SKU].Validate(); err != nil {
			delete(l.skus, k.SKU)
			r.wrong("%v", err)
		}
	}
	return k
}

func (l *loader) stockOf(r *row) {
	s := stockRow{key: l.position(r), units: r.number("units", 0), why: "count"}
	if s.units < 0 {
		r.wrong("units %d is below 0", s.units)
	}
	if n := r.number("safety", 0); n < 0 {
		r.wrong("safety %d is below 0", n)
	} else if n > 0 {
		s.safety = &n
	}
	if r.bad == "" {
		l.stock = append(l.stock, s)
	}
}

func (l *loader) movement(r *row) {
	s := stockRow{at: r.time("at"), key: l.position(r), units: r.number("units", 0), why: strings.ToLower(r.text("why"))}
	switch s.why {
	case "sale", "receipt", "count", "return", "other":
	case "":
		if s.why = "receipt"; s.units < 0 {
			s.why = "sale"
		}
	default:
		r.wrong("why %.40q is not sale, receipt, count, return or other", s.why)
	}
	if r.bad == "" && s.units != 0 {
		l.stock = append(l.stock, s)
	}
}
