package sim

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/bulk"
	"github.com/orderly-oms/orderly/internal/catalog"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/network"
)

const (
	currency   = "EUR"
	country    = "DE"
	timeZone   = "Europe/Berlin"
	storeCount = 40
	// storeOrders is what the smallest store can take in a day; big cities' take more.
	storeOrders = 8
	// Ids of the channels.
	webChannel    = "web"
	pickupChannel = "store"
	marketChannel = "marketplace"
)

// Data is a retailer: everything that is loaded before the first shopper comes.
type Data struct {
	Seed      uint64
	Locations []network.Location // the DCs, then the stores from the biggest city on
	Carriers  []network.Carrier
	Networks  []network.Network
	Channels  []network.Channel
	SKUs      []catalog.SKU // plain articles, then kits
	Stock     []bulk.Stock  // without a time of count
	Safety    []engine.SafetyItem
	Supply    []Expected

	directory  *network.Directory
	bySKU      map[string]*catalog.SKU
	popularity []float64 // of each SKU, adding up to 1
	drawSKU    []float64 // running sums of popularity
	drawCity   []float64
	assortment map[string]map[string]bool // by store: SKUs it had when the run began
}

// Expected is supply that comes some hours after the retailer opens.
type Expected struct {
	inventory.Supply
	Hours float64
}

// Retailer makes the retailer of a seed.
func Retailer(seed uint64) *Data {
	d := &Data{Seed: seed, SKUs: goods(seed), Carriers: carriers(), Networks: networks(), Channels: channels()}
	d.Locations = append(centres(), stores(seed)...)
	d.directory = network.NewDirectory().WithLocations(d.Locations...).WithCarriers(d.Carriers...).
		WithNetworks(d.Networks...).WithChannels(d.Channels...)
	d.bySKU = make(map[string]*catalog.SKU, len(d.SKUs))
	for i := range d.SKUs {
		d.bySKU[d.SKUs[i].SKU] = &d.SKUs[i]
	}
	d.rank()
	d.stock()
	inhabitants := make([]float64, len(cities))
	for i := range cities {
		inhabitants[i] = cities[i].thousands
	}
	d.drawCity = runningSums(inhabitants)
	return d
}

// rank gives every SKU its share of demand: a few sell much, most hardly ever.
func (d *Data) rank() {
	ranks := newChance(d.Seed, "popularity").r.Perm(len(d.SKUs))
	d.popularity = make([]float64, len(d.SKUs))
	sum := 0.0
	for i, rank := range ranks {
		d.popularity[i] = math.Pow(float64(rank+10), -0.85)
		sum += d.popularity[i]
	}
	for i := range d.popularity {
		d.popularity[i] /= sum
	}
	d.drawSKU = runningSums(d.popularity)
}

// holidays are the public holidays of all of Germany.
func holidays(year int) []network.Date {
	day := func(m time.Month, n int) network.Date { return network.DateOf(year, m, n) }
	e := easter(year)
	return []network.Date{
		day(time.January, 1), e.AddDays(-2), e.AddDays(1), day(time.May, 1), e.AddDays(39), e.AddDays(50),
		day(time.October, 3), day(time.December, 25), day(time.December, 26),
	}
}

// easter is the Sunday by the algorithm of Meeus, Jones and Butcher.
func easter(year int) network.Date {
	a, b, c := year%19, year/100, year%100
	h := (19*a + b - b/4 - (b-(b+8)/25+1)/3 + 15) % 30
	l := (32 + 2*(b%4) + 2*(c/4) - h - c%4) % 7
	m := (a + 11*h + 22*l) / 451
	n := h + l - 7*m + 114
	return network.DateOf(year, time.Month(n/31), n%31+1)
}

// calendar is the week with the holidays of some years closed.
func calendar(week string, shortDays bool) *network.Calendar {
	hours, err := network.ParseWeek(week)
	if err != nil {
		panic("sim: " + err.Error()) // a constant of this package
	}
	c := &network.Calendar{Hours: hours}
	for year := 2025; year <= 2030; year++ {
		for _, d := range holidays(year) {
			c.Exceptions = append(c.Exceptions, network.Exception{Date: d, Closed: true})
		}
		for _, n := range []int{24, 31} {
			d := network.DateOf(year, time.December, n)
			if shortDays && len(*hours.On(d.Weekday())) > 0 {
				c.Exceptions = append(c.Exceptions, network.Exception{Date: d, Hours: []network.Interval{{Opens: 9 * 60, Closes: 14 * 60}}})
			}
		}
	}
	return c
}

func address(c city, line string) network.Address {
	lat, long := c.lat, c.long
	return network.Address{Line1: line, City: c.name, Region: c.region, PostalCode: c.postal, Country: country, Latitude: &lat, Longitude: &long}
}

// clock is a time of day.
func clock(s string) network.Clock {
	c, err := network.ParseClock(s)
	if err != nil {
		panic("sim: " + err.Error()) // a constant of this package
	}
	return c
}

func centres() []network.Location {
	sites := []struct {
		id, name, street string
		at               city
		perDay           int64
	}{
		{"dc-mitte", "DC Mitte", "Am Güterbahnhof 12", city{"Bad Hersfeld", "HE", "36251", 50.868, 9.706, 0}, 1600},
		{"dc-nord", "DC Nord", "Hafenring 3", city{"Winsen (Luhe)", "NI", "21423", 53.365, 10.207, 0}, 1000},
		{"dc-sued", "DC Süd", "Logistikallee 40", city{"Graben", "BY", "86836", 48.190, 10.823, 0}, 1000},
	}
	out := make([]network.Location, len(sites))
	for i, s := range sites {
		out[i] = network.Location{
			ID: s.id, Name: s.name, Type: network.DC, Address: address(s.at, s.street), TimeZone: timeZone,
			Calendar:     calendar("mon-sat 06:00-22:00", false),
			Cutoffs:      []network.Cutoff{{Time: clock("18:00")}, {Service: "express", Time: clock("16:00")}},
			Capabilities: []network.Capability{network.CanShip, network.CanReturn}, Capacity: network.Capacity{OrdersPerDay: &s.perDay},
			ProcessingMinutes: 120, Priority: int64(i), Tags: []string{"automated", regionTag(s.at)},
		}
	}
	return out
}

func stores(seed uint64) []network.Location {
	out := make([]network.Location, storeCount)
	for i := range out {
		at := cities[i]
		c := newChance(seed, "store", at.name)
		l := network.Location{
			ID: "store-" + slug(at.name), Name: at.name, Type: network.Store, TimeZone: timeZone,
			Address:           address(at, fmt.Sprintf("%s %d", pick(c, storeStreets), c.whole(1, 60))),
			Cutoffs:           []network.Cutoff{{Time: clock("14:00")}},
			Capabilities:      []network.Capability{network.CanShip, network.CanPickup, network.CanReturn},
			ProcessingMinutes: 180, Priority: 10, Tags: []string{"city"},
		}
		perDay := storeOrders + int64(at.thousands/50)
		l.Capacity.OrdersPerDay = &perDay
		week := "mon-fri 10:00-19:00; sat 10:00-18:00"
		if at.thousands > 500 {
			week, l.Tags, l.Priority = "mon-sat 09:30-20:00", []string{"flagship"}, 5
		}
		if at.thousands > 300 || c.happens(.3) {
			l.Tags = append(l.Tags, "ship-from-store")
		} else {
			l.Capabilities = l.Capabilities[1:]
		}
		if c.happens(.15) {
			l.Tags = append(l.Tags, "clearance") // has an outlet corner
		}
		l.Tags = append(l.Tags, regionTag(at))
		l.Calendar = calendar(week, true)
		out[i] = l
	}
	return out
}

// regionTag names the federal state, for policies.
func regionTag(at city) string { return "region-" + strings.ToLower(at.region) }

// slug writes a name with the letters of ids.
func slug(name string) string {
	name, _, _ = strings.Cut(name, " ")
	return strings.NewReplacer("ä", "ae", "ö", "oe", "ü", "ue", "ß", "ss").Replace(strings.ToLower(name))
}

func networks() []network.Network {
	return []network.Network{
		{ID: "all", Name: "Everything that ships", Rule: &network.Rule{}},
		{ID: "dcs", Name: "Distribution centres", Locations: []string{"dc-mitte", "dc-nord", "dc-sued"}},
		{ID: "stores", Name: "Stores with pickup", Rule: &network.Rule{Types: []network.LocationType{network.Store}, Capabilities: []network.Capability{network.CanPickup}}},
	}
}

func channels() []network.Channel {
	return []network.Channel{
		{ID: webChannel, Name: "Web shop", Type: network.Web, Currency: currency, Networks: []string{"all"}, Shortage: network.Backorder, Service: "ground"},
		{ID: pickupChannel, Name: "Click and collect", Type: network.StoreChannel, Currency: currency, Networks: []string{"stores"}, Shortage: network.Backorder},
		{ID: marketChannel, Name: "Marketplace", Type: network.Marketplace, Currency: currency, Networks: []string{"dcs"}, Buffer: 1, Shortage: network.Reject, Service: "ground"},
	}
}

// brackets are prices up to 2, 5, 10 and 31.5 kg.
func brackets(cents ...int64) []network.Bracket {
	limits := []int64{2000, 5000, 10_000, 31_500}
	out := make([]network.Bracket, len(cents))
	for i, p := range cents {
		out[i] = network.Bracket{UpToGrams: limits[i], Price: p}
	}
	return out
}

func carriers() []network.Carrier {
	near, middle, city := int64(150), int64(450), int64(25)
	extra := int64(60)
	ground := network.Service{
		ID: "ground", Name: "Parcel", Mode: "ground", Currency: currency,
		DistanceBands: []network.DistanceBand{{UpToKM: &near, Zone: 1}, {UpToKM: &middle, Zone: 2}, {Zone: 3}},
		Rates: []network.Rate{
			{Zone: 1, TransitDays: 1, Brackets: brackets(389, 459, 619, 1049), PerExtraKG: &extra},
			{Zone: 2, TransitDays: 2, Brackets: brackets(469, 559, 749, 1249), PerExtraKG: &extra},
			{Zone: 3, TransitDays: 3, Brackets: brackets(589, 699, 929, 1549), PerExtraKG: &extra},
		},
	}
	express := network.Service{
		ID: "express", Name: "Next day", Mode: "air", Currency: currency,
		Zones: []network.ZoneRule{
			{OriginCountry: country, DestinationCountry: country, Zone: 2},
			{OriginCountry: country, DestinationCountry: country, DestinationPostalPrefix: "27498", Zone: 3}, // Helgoland
		},
		Rates: []network.Rate{
			{Zone: 1, TransitDays: 1, Brackets: brackets(899, 1149, 1499, 2399), PerExtraKG: &extra},
			{Zone: 2, TransitDays: 1, Brackets: brackets(1049, 1299, 1799, 2799), PerExtraKG: &extra},
			{Zone: 3, TransitDays: 3, Brackets: brackets(1699, 2099, 2999, 4599), PerExtraKG: &extra},
		},
	}
	for digit := '0'; digit <= '9'; digit++ { // within a postal region
		area := string(digit)
		express.Zones = append(express.Zones, network.ZoneRule{OriginCountry: country, OriginPostalPrefix: area, DestinationCountry: country, DestinationPostalPrefix: area, Zone: 1})
	}
	courier := network.Service{
		ID: "courier", Name: "Same day by bicycle, elsewhere by van", Mode: "courier", Currency: currency,
		DistanceBands: []network.DistanceBand{{UpToKM: &city, Zone: 1}, {Zone: 2}},
		Rates: []network.Rate{
			{Zone: 1, TransitDays: 0, Brackets: brackets(690, 890, 1190, 1990), PerExtraKG: &extra},
			{Zone: 2, TransitDays: 1, Brackets: brackets(2490, 2890, 3490, 4990), PerExtraKG: &extra},
		},
	}
	return []network.Carrier{
		{ID: "paketwerk", Name: "Paketwerk", Services: []network.Service{ground}},
		{ID: "eilbote", Name: "Eilbote Express", Services: []network.Service{express}},
		{ID: "stadtrad", Name: "Stadtrad Kuriere", Services: []network.Service{courier}},
	}
}

// homes are the DCs that have all articles of a category; others have some.
var homes = map[string]string{
	"Clothing": "dc-mitte", "Shoes": "dc-mitte", "Home": "dc-nord", "Kitchen": "dc-nord",
	"Outdoor": "dc-sued", "Toys": "dc-sued", "Electronics": "dc-mitte",
}

// stock fills the shelves: DCs deep and wide, stores by what sells, some places empty.
func (d *Data) stock() {
	articles := d.SKUs[:skuCount-kitCount]
	d.assortment = map[string]map[string]bool{}
	for li := range d.Locations {
		l := &d.Locations[li]
		c := newChance(d.Seed, "stock", l.ID)
		has := map[string]bool{}
		for i := range articles {
			share := d.popularity[i] * skuCount // 1 is an article of average demand
			onHand, stocked := shelf(c, l, share, homes[articles[i].Category] == l.ID)
			if !stocked {
				continue
			}
			sku := articles[i].SKU
			d.Stock = append(d.Stock, bulk.Stock{SKU: sku, Location: l.ID, OnHand: onHand})
			if has[sku] = onHand > 0; onHand > 5 && share > 1.5 {
				safety := int64(1)
				if l.Type == network.DC {
					safety = 3
				}
				d.Safety = append(d.Safety, engine.SafetyItem{SKU: sku, Location: l.ID, Quantity: safety})
			}
			if l.Type == network.DC && (onHand == 0 || c.happens(.05)) {
				d.Supply = append(d.Supply, Expected{Hours: math.Round(c.between(12, 120)), Supply: inventory.Supply{
					ID: "po-" + l.ID + "-" + sku, SKU: sku, Location: l.ID, Quantity: c.whole(20, 80), Kind: inventory.PurchaseOrder,
					Reference: fmt.Sprintf("PO-%06d", 100_000+len(d.Supply)),
				}})
			}
		}
		if l.Type == network.Store {
			d.assortment[l.ID] = has
		}
	}
	slices.SortStableFunc(d.Supply, func(a, b Expected) int { return strings.Compare(a.ID, b.ID) })
}

// shelf is how many units of an article a location has; not stocked: it has no place there.
func shelf(c chance, l *network.Location, share float64, home bool) (onHand int64, stocked bool) {
	if l.Type == network.DC {
		switch {
		case !home && !c.happens(.25+.35*math.Min(share, 1)):
			return 0, false
		case c.happens(.04):
			return 0, true
		}
		return int64(3 + 10*share*c.between(.5, 1.5)), true
	}
	if !c.happens(math.Min(.12+.35*share, .92)) {
		return 0, false
	}
	if c.happens(.08) {
		return 0, true
	}
	return int64(1 + c.between(0, 2+4*math.Min(share, 3))), true
}
