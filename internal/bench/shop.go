package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"

	"github.com/orderly-oms/orderly/internal/catalog"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/money"
	"github.com/orderly-oms/orderly/internal/network"
)

// Ids of what a run writes.
const (
	channelID = "bench-web"
	networkID = "bench"
	carrierID = "bench-parcel"
	serviceID = "bench-standard"
	currency  = "EUR"
	country   = "DE"
)

// plentyUnits is on hand at each position before a run, so that none runs dry.
const plentyUnits = 1_000_000

// shop is the retailer a run works on: locations across Germany that all ship
// for one channel, and SKUs that each of them stocks.
type shop struct {
	locations, skus int
}

func (sh shop) locationID(i int) string { return fmt.Sprintf("bench-loc-%02d", i) }
func (sh shop) skuID(i int) string      { return fmt.Sprintf("BENCH-%06d", i) }

// priceOf and gramsOf vary over the catalog without a table.
func priceOf(sku int) int64 { return 990 + int64(sku*7919%90)*100 }
func gramsOf(sku int) int64 { return 120 + int64(sku*104_729%1500) }

// location returns one location; every eighth is a distribution centre.
func (sh shop) location(i int) (*network.Location, error) {
	city := cities[i%len(cities)]
	kind, hours, processing := network.Store, "mon-sat 09:00-20:00", int64(120)
	if i%8 == 0 {
		kind, hours, processing = network.DC, "mon-fri 06:00-22:00; sat 06:00-14:00", 60
	}
	week, err := network.ParseWeek(hours)
	if err != nil {
		return nil, err
	}
	cutoff, err := network.ParseClock("15:00")
	if err != nil {
		return nil, err
	}
	return &network.Location{
		ID: sh.locationID(i), Name: city.name, Type: kind, TimeZone: "Europe/Berlin",
		Address: network.Address{
			Company: "Bench Retail", Line1: "Lagerstraße 1", City: city.name, PostalCode: city.postalCode, Country: country,
			Latitude: &city.latitude, Longitude: &city.longitude,
		},
		Calendar: &network.Calendar{Hours: week}, Cutoffs: []network.Cutoff{{Time: cutoff}},
		Capabilities: []network.Capability{network.CanShip, network.CanPickup}, ProcessingMinutes: processing,
	}, nil
}

// carrier has one service that is dearer and slower with distance and weight.
func carrier() *network.Carrier {
	s := network.Service{ID: serviceID, Name: "Standard", Mode: "ground", Currency: currency}
	for zone, upTo := range []int64{50, 150, 300, 500, 800} {
		s.DistanceBands = append(s.DistanceBands, network.DistanceBand{UpToKM: &upTo, Zone: int64(zone + 1)})
	}
	s.DistanceBands = append(s.DistanceBands, network.DistanceBand{Zone: 6})
	extra := int64(60)
	for zone := int64(1); zone <= 6; zone++ {
		r := network.Rate{Zone: zone, TransitDays: (zone + 1) / 2, PerExtraKG: &extra}
		for i, grams := range []int64{500, 1000, 2000, 5000, 10_000, 31_500} {
			r.Brackets = append(r.Brackets, network.Bracket{UpToGrams: grams, Price: 310 + zone*35 + int64(i)*90})
		}
		s.Rates = append(s.Rates, r)
	}
	return &network.Carrier{ID: carrierID, Name: "Bench Parcel", Services: []network.Service{s}}
}

// open brings the shop's reference data into the server.
func (sh shop) open(ctx context.Context, s *setup) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	ids := make([]string, sh.locations)
	locations := make([]*network.Location, sh.locations)
	for i := range ids {
		l, err := sh.location(i)
		if err != nil {
			return err
		}
		ids[i], locations[i] = l.ID, l
	}
	type document struct {
		path  string
		value any
	}
	for _, stage := range [][]document{
		{{"/v1/carriers/" + carrierID, carrier()}},
		nil, // locations
		{{"/v1/networks/" + networkID, &network.Network{ID: networkID, Name: "Bench", Locations: ids}}},
		{{"/v1/channels/" + channelID, &network.Channel{
			ID: channelID, Name: "Bench web shop", Type: network.Web, Currency: currency, Networks: []string{networkID}, Service: serviceID,
		}}},
	} {
		if stage == nil {
			for _, l := range locations {
				stage = append(stage, document{"/v1/locations/" + l.ID, l})
			}
		}
		err := s.put(ctx, "reference data", "PUT", setupClients, len(stage), func(i int) (string, any) { return stage[i].path, stage[i].value })
		if err != nil {
			return err
		}
	}
	return s.put(ctx, "catalog", "PUT", setupClients, sh.skus, func(i int) (string, any) {
		id := sh.skuID(i)
		return "/v1/catalog/" + id, &catalog.SKU{
			SKU: id, Name: nameOf(i), WeightG: gramsOf(i), Price: &money.Money{Amount: priceOf(i), Currency: currency}, Category: "bench",
		}
	})
}

// receive puts units on hand at every position.
func (sh shop) receive(ctx context.Context, s *setup, units int64) error {
	positions := sh.locations * sh.skus
	feeds := (positions + setupFeedItems - 1) / setupFeedItems
	return s.put(ctx, "stock", "POST", setupFeedClients, feeds, func(i int) (string, any) {
		a := engine.Adjustments{Reason: "receipt"}
		for p := i * setupFeedItems; p < min((i+1)*setupFeedItems, positions); p++ {
			a.Items = append(a.Items, engine.Adjustment{SKU: sh.skuID(p / sh.locations), Location: sh.locationID(p % sh.locations), Quantity: units})
		}
		return "/v1/inventory/adjustments", &a
	})
}

// random returns numbers that are the same in every run, different per stream.
func random(stream int) *rand.Rand { return rand.New(rand.NewPCG(0x6f726465726c79, uint64(stream))) }

func nameOf(sku int) string {
	colours := []string{"black", "navy", "olive", "sand", "white", "burgundy", "grey"}
	articles := []string{"Merino sweater", "Cotton shirt", "Rain jacket", "Chinos", "Wool socks", "Trail shoes", "Leather belt", "Linen dress"}
	sizes := []string{"S", "M", "L", "XL"}
	return fmt.Sprintf("%s, %s, %s", articles[sku%len(articles)], colours[sku/len(articles)%len(colours)], sizes[sku/7%len(sizes)])
}

// encode marshals what this package made itself, which always can be.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("bench: %T cannot be encoded: %v", v, err))
	}
	return b
}

// city is a place in Germany; coordinates are degrees (WGS 84) of its centre.
type city struct {
	name, postalCode    string
	latitude, longitude float64
}

// cities are the fifty places of the locations, and what addresses lie around.
var cities = [50]city{
	{"Berlin", "10115", 52.520, 13.405}, {"Hamburg", "20095", 53.551, 9.994}, {"München", "80331", 48.137, 11.575},
	{"Köln", "50667", 50.938, 6.960}, {"Frankfurt am Main", "60311", 50.111, 8.682}, {"Stuttgart", "70173", 48.776, 9.183},
	{"Düsseldorf", "40213", 51.226, 6.774}, {"Leipzig", "04109", 51.340, 12.375}, {"Dortmund", "44135", 51.514, 7.465},
	{"Essen", "45127", 51.457, 7.012}, {"Bremen", "28195", 53.079, 8.802}, {"Dresden", "01067", 51.050, 13.738},
	{"Hannover", "30159", 52.374, 9.738}, {"Nürnberg", "90402", 49.452, 11.077}, {"Duisburg", "47051", 51.434, 6.762},
	{"Bochum", "44787", 51.482, 7.217}, {"Wuppertal", "42103", 51.256, 7.150}, {"Bielefeld", "33602", 52.021, 8.532},
	{"Bonn", "53111", 50.735, 7.100}, {"Münster", "48143", 51.961, 7.626}, {"Mannheim", "68159", 49.488, 8.466},
	{"Karlsruhe", "76131", 49.007, 8.404}, {"Augsburg", "86150", 48.371, 10.898}, {"Wiesbaden", "65183", 50.083, 8.240},
	{"Mönchengladbach", "41061", 51.195, 6.442}, {"Gelsenkirchen", "45879", 51.508, 7.102}, {"Aachen", "52062", 50.776, 6.084},
	{"Braunschweig", "38100", 52.264, 10.524}, {"Kiel", "24103", 54.323, 10.123}, {"Chemnitz", "09111", 50.833, 12.922},
	{"Magdeburg", "39104", 52.131, 11.640}, {"Freiburg", "79098", 47.996, 7.849}, {"Krefeld", "47798", 51.333, 6.564},
	{"Mainz", "55116", 49.999, 8.274}, {"Lübeck", "23552", 53.869, 10.687}, {"Erfurt", "99084", 50.978, 11.029},
	{"Oberhausen", "46045", 51.470, 6.852}, {"Rostock", "18055", 54.089, 12.133}, {"Kassel", "34117", 51.316, 9.498},
	{"Hagen", "58095", 51.359, 7.475}, {"Potsdam", "14467", 52.397, 13.059}, {"Saarbrücken", "66111", 49.235, 6.996},
	{"Hamm", "59065", 51.681, 7.820}, {"Ludwigshafen", "67059", 49.477, 8.445}, {"Oldenburg", "26122", 53.139, 8.214},
	{"Osnabrück", "49074", 52.279, 8.047}, {"Leverkusen", "51373", 51.033, 6.984}, {"Heidelberg", "69115", 49.399, 8.672},
	{"Darmstadt", "64283", 49.873, 8.651}, {"Regensburg", "93047", 49.013, 12.102},
}
