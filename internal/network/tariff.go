package network

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/orderly-oms/orderly/internal/money"
)

// Errors of a quote, to be tested with errors.Is.
var (
	// ErrUnknownService: no carrier has the service.
	ErrUnknownService = errors.New("no carrier has the service")
	// ErrNoZone: no zone rule and no distance band fits origin and destination.
	ErrNoZone = errors.New("the service does not go from this origin to this destination")
	// ErrTooHeavy: the zone has no price for the weight.
	ErrTooHeavy = errors.New("the service does not carry this weight")
)

// Quote is what a shipment with a service costs and how long it takes.
type Quote struct {
	Carrier     string `json:"carrier"`
	Service     string `json:"service"`
	Zone        int64  `json:"zone"`
	Price       int64  `json:"price"` // minor units
	Currency    string `json:"currency"`
	TransitDays int64  `json:"transit_days"`
}

// Tariff is a service prepared for quoting: zone rules are found by hash instead
// of by search. It is immutable; it must not outlive changes of its Service.
type Tariff struct {
	carrier string
	service *Service
	zones   map[zoneKey]int64
	rates   map[int64]*Rate
	// Lengths of the postal prefixes in use, longest first, 0 always among them.
	originLengths, destinationLengths []int
}

// zoneKey is a zone rule without its zone.
type zoneKey struct {
	originCountry, originPrefix, destinationCountry, destinationPrefix string
}

func (z *ZoneRule) key() zoneKey {
	return zoneKey{z.OriginCountry, postalKey(z.OriginPostalPrefix), z.DestinationCountry, postalKey(z.DestinationPostalPrefix)}
}

// postalKey writes a postal code as prefixes are compared: capitals and digits only.
func postalKey(code string) string {
	plain := func(r rune) bool { return (r >= '0' && r <= '9') || (r >= 'A' && r <= 'Z') }
	if !strings.ContainsFunc(code, func(r rune) bool { return !plain(r) }) {
		return code
	}
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' {
			return -1
		}
		return r
	}, strings.ToUpper(code))
}

// NewTariff prepares a valid service of a carrier.
func NewTariff(carrier string, s *Service) *Tariff {
	t := &Tariff{
		carrier: carrier,
		service: s,
		zones:   make(map[zoneKey]int64, len(s.Zones)),
		rates:   make(map[int64]*Rate, len(s.Rates)),
	}
	origins, destinations := map[int]bool{0: true}, map[int]bool{0: true}
	for i := range s.Zones {
		key := s.Zones[i].key()
		t.zones[key] = s.Zones[i].Zone
		origins[len(key.originPrefix)] = true
		destinations[len(key.destinationPrefix)] = true
	}
	for i := range s.Rates {
		t.rates[s.Rates[i].Zone] = &s.Rates[i]
	}
	t.originLengths, t.destinationLengths = longestFirst(origins), longestFirst(destinations)
	return t
}

func longestFirst(set map[int]bool) []int {
	var lengths []int
	for n := range set {
		lengths = append(lengths, n)
	}
	slices.SortFunc(lengths, func(a, b int) int { return cmp.Compare(b, a) })
	return lengths
}

// Service returns what the tariff was made from; do not change it.
func (t *Tariff) Service() *Service { return t.service }

// Leg is what a tariff says of one origin and one destination, whatever the weight.
type Leg struct {
	Carrier, Service, Currency string
	Zone                       int64
	TransitDays                int64
	// Rate prices parcels; legs of one zone share it.
	Rate *Rate
}

// Leg finds the zone and its rate between two addresses. Returns ErrNoZone.
func (t *Tariff) Leg(origin, destination *Address) (Leg, error) {
	zone, ok := t.zone(origin, destination)
	if !ok {
		return Leg{}, ErrNoZone
	}
	rate := t.rates[zone]
	if rate == nil {
		return Leg{}, ErrNoZone
	}
	return Leg{
		Carrier: t.carrier, Service: t.service.ID, Currency: t.service.Currency, Zone: zone, TransitDays: rate.TransitDays, Rate: rate,
	}, nil
}

// Quote prices one parcel. Returns ErrNoZone or ErrTooHeavy; a negative weight is
// ErrTooHeavy as well.
func (t *Tariff) Quote(origin, destination *Address, grams int64) (Quote, error) {
	leg, err := t.Leg(origin, destination)
	if err != nil {
		return Quote{}, err
	}
	price, err := leg.Rate.price(grams)
	if err != nil {
		return Quote{}, err
	}
	return Quote{
		Carrier: leg.Carrier, Service: leg.Service, Zone: leg.Zone, Price: price, Currency: leg.Currency, TransitDays: leg.TransitDays,
	}, nil
}

// Price returns what a parcel of the weight costs in the zone; ok false: it is too heavy.
func (r *Rate) Price(grams int64) (price int64, ok bool) {
	price, err := r.price(grams)
	return price, err == nil
}

// price returns what a parcel of the weight costs in the zone.
func (r *Rate) price(grams int64) (int64, error) {
	if grams < 0 || grams > MaxGrams || len(r.Brackets) == 0 {
		return 0, ErrTooHeavy
	}
	for _, b := range r.Brackets {
		if grams <= b.UpToGrams {
			return b.Price, nil
		}
	}
	if r.PerExtraKG == nil {
		return 0, ErrTooHeavy
	}
	last := r.Brackets[len(r.Brackets)-1]
	extra, err := money.Mul((grams-last.UpToGrams+999)/1000, *r.PerExtraKG)
	if err != nil {
		return 0, ErrTooHeavy
	}
	price, err := money.Add(last.Price, extra)
	if err != nil {
		return 0, ErrTooHeavy
	}
	return price, nil
}

// zone finds the zone by rule, then by distance.
func (t *Tariff) zone(origin, destination *Address) (int64, bool) {
	if len(t.zones) > 0 {
		if zone, ok := t.ruleZone(origin, destination); ok {
			return zone, true
		}
	}
	km, known := Distance(origin, destination)
	for _, b := range t.service.DistanceBands {
		if b.UpToKM == nil || (known && km <= float64(*b.UpToKM)) {
			return b.Zone, true
		}
	}
	return 0, false
}

// ruleZone looks for rules from the most to the least specific.
func (t *Tariff) ruleZone(origin, destination *Address) (int64, bool) {
	from, to := postalKey(origin.PostalCode), postalKey(destination.PostalCode)
	for _, toLength := range t.destinationLengths {
		if toLength > len(to) {
			continue
		}
		for _, fromLength := range t.originLengths {
			if fromLength > len(from) {
				continue
			}
			key := zoneKey{origin.Country, from[:fromLength], destination.Country, to[:toLength]}
			if zone, ok := t.lookup(key); ok {
				return zone, true
			}
		}
	}
	return 0, false
}

// lookup tries a key with both countries, then with any origin country, then any
// destination country. A prefix means something only within its country.
func (t *Tariff) lookup(key zoneKey) (int64, bool) {
	if zone, ok := t.zones[key]; ok {
		return zone, true
	}
	anyOrigin, anyDestination := key, key
	anyOrigin.originCountry, anyDestination.destinationCountry = "", ""
	if key.originPrefix == "" {
		if zone, ok := t.zones[anyOrigin]; ok {
			return zone, true
		}
	}
	if key.destinationPrefix != "" {
		return 0, false
	}
	if zone, ok := t.zones[anyDestination]; ok {
		return zone, true
	}
	if key.originPrefix != "" {
		return 0, false
	}
	zone, ok := t.zones[zoneKey{}]
	return zone, ok
}
