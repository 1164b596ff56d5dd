package network

import (
	"github.com/orderly-oms/orderly/internal/money"
	"github.com/orderly-oms/orderly/internal/problem"
)

// Limits of a carrier.
const (
	MaxServices       = 100
	MaxZoneRules      = 50_000
	MaxDistanceBands  = 1000
	MaxRates          = 1000
	MaxBrackets       = 1000
	MaxZone           = 1_000_000
	MaxTransitDays    = 365
	MaxGrams          = 1_000_000_000 // of one parcel
	MaxKM             = 25_000        // more than half of the equator
	maxPostalKeyBytes = 12            // of a postal prefix
)

// Carrier moves parcels.
type Carrier struct {
	ID       string    `json:"id"`
	Name     string    `json:"name,omitempty"`
	Services []Service `json:"services"`
}

// Service is one product of a carrier, with how it finds the zone of a shipment
// and what each zone costs. Zone rules are looked at first, then distance bands.
type Service struct {
	ID       string `json:"id"` // unique among the services of all carriers
	Name     string `json:"name,omitempty"`
	Mode     string `json:"mode,omitempty"` // the retailer's word: ground, air, express, …
	Currency string `json:"currency"`       // ISO 4217, of all prices
	// Zones: the most specific rule that fits decides, whatever the order.
	Zones []ZoneRule `json:"zones,omitempty"`
	// DistanceBands go from near to far.
	DistanceBands []DistanceBand `json:"distance_bands,omitempty"`
	Rates         []Rate         `json:"rates"`
}

// ZoneRule gives the zone of shipments between two areas. An empty country is any
// country, an empty prefix any postal code. Of several that fit, the one with the
// longest destination prefix decides, then the longest origin prefix, then one
// that names the destination country, then one that names the origin country.
type ZoneRule struct {
	OriginCountry           string `json:"origin_country,omitempty"`
	OriginPostalPrefix      string `json:"origin_postal_prefix,omitempty"`
	DestinationCountry      string `json:"destination_country,omitempty"`
	DestinationPostalPrefix string `json:"destination_postal_prefix,omitempty"`
	Zone                    int64  `json:"zone"`
}

// DistanceBand gives the zone of shipments up to a distance.
type DistanceBand struct {
	// UpToKM is included; nil: any distance and also an unknown one, only in the last band.
	UpToKM *int64 `json:"up_to_km,omitempty"`
	Zone   int64  `json:"zone"`
}

// Rate is what one zone costs and how long it takes.
type Rate struct {
	Zone int64 `json:"zone"`
	// TransitDays are the carrier's days from hand-over to delivery.
	TransitDays int64 `json:"transit_days"`
	// Brackets go from light to heavy.
	Brackets []Bracket `json:"brackets"`
	// PerExtraKG is added per kg begun above the last bracket, in minor units; nil:
	// heavier parcels are not carried.
	PerExtraKG *int64 `json:"per_extra_kg,omitempty"`
}

// Bracket is the price of parcels up to a weight.
type Bracket struct {
	UpToGrams int64 `json:"up_to_grams"` // included
	Price     int64 `json:"price"`       // minor units
}

// Validate reports every field that is wrong in itself; Directory.CheckCarrier
// looks at what other carriers have.
func (c *Carrier) Validate() error {
	var v problem.Invalid
	v.ID("id", c.ID)
	v.Text("name", c.Name, MaxNameBytes)
	v.Count("services", len(c.Services), MaxServices)
	seen := make(map[string]bool, len(c.Services))
	for i := range c.Services {
		s := &c.Services[i]
		at := problem.At("services", i)
		if seen[s.ID] {
			v.Add(at+".id", problem.Duplicate, "%q is listed twice", s.ID)
		}
		seen[s.ID] = true
		s.check(&v, at)
	}
	return v.Err()
}

func (s *Service) check(v *problem.Invalid, at string) {
	v.ID(at+".id", s.ID)
	v.Text(at+".name", s.Name, MaxNameBytes)
	v.Text(at+".mode", s.Mode, MaxNameBytes)
	money.CheckCurrency(v, at+".currency", s.Currency)
	priced := make(map[int64]bool, len(s.Rates))
	if len(s.Rates) == 0 {
		v.Add(at+".rates", problem.Required, "a service has at least one rate")
	}
	v.Count(at+".rates", len(s.Rates), MaxRates)
	for i := range s.Rates {
		r := &s.Rates[i]
		rateAt := problem.At(at+".rates", i)
		if priced[r.Zone] {
			v.Add(rateAt+".zone", problem.Duplicate, "zone %d has its rate twice", r.Zone)
		}
		priced[r.Zone] = true
		r.check(v, rateAt)
	}
	if len(s.Zones) == 0 && len(s.DistanceBands) == 0 {
		v.Add(at+".zones", problem.Required, "give zone rules or distance bands")
	}
	s.checkZones(v, at+".zones", priced)
	s.checkBands(v, at+".distance_bands", priced)
}

func (s *Service) checkZones(v *problem.Invalid, pointer string, priced map[int64]bool) {
	v.Count(pointer, len(s.Zones), MaxZoneRules)
	seen := make(map[zoneKey]bool, len(s.Zones))
	for i, z := range s.Zones {
		at := problem.At(pointer, i)
		checkArea(v, at+".origin_", z.OriginCountry, z.OriginPostalPrefix)
		checkArea(v, at+".destination_", z.DestinationCountry, z.DestinationPostalPrefix)
		checkPriced(v, at+".zone", z.Zone, priced)
		if seen[z.key()] {
			v.Add(at, problem.Duplicate, "another rule is for the same areas")
		}
		seen[z.key()] = true
	}
}

func checkArea(v *problem.Invalid, at, country, prefix string) {
	if country != "" {
		checkCountry(v, at+"country", country)
	} else if prefix != "" {
		v.Add(at+"country", problem.Required, "is required with a postal prefix")
	}
	v.Text(at+"postal_prefix", prefix, maxPostalKeyBytes)
}

func checkPriced(v *problem.Invalid, pointer string, zone int64, priced map[int64]bool) {
	if !priced[zone] {
		v.Add(pointer, problem.Unknown, "zone %d has no rate", zone)
	}
}

func (s *Service) checkBands(v *problem.Invalid, pointer string, priced map[int64]bool) {
	v.Count(pointer, len(s.DistanceBands), MaxDistanceBands)
	last := int64(-1)
	for i, b := range s.DistanceBands {
		at := problem.At(pointer, i)
		checkPriced(v, at+".zone", b.Zone, priced)
		if b.UpToKM == nil {
			if i < len(s.DistanceBands)-1 {
				v.Add(at+".up_to_km", problem.Required, "is required in every band but the last")
			}
			continue
		}
		v.Range(at+".up_to_km", *b.UpToKM, 0, MaxKM)
		if *b.UpToKM <= last {
			v.Add(at+".up_to_km", problem.OutOfRange, "must be more than %d, where the band before ends", last)
		}
		last = *b.UpToKM
	}
}

func (r *Rate) check(v *problem.Invalid, at string) {
	v.Range(at+".zone", r.Zone, 0, MaxZone)
	v.Range(at+".transit_days", r.TransitDays, 0, MaxTransitDays)
	if len(r.Brackets) == 0 {
		v.Add(at+".brackets", problem.Required, "a rate has at least one weight bracket")
	}
	v.Count(at+".brackets", len(r.Brackets), MaxBrackets)
	last := int64(0)
	for i, b := range r.Brackets {
		bracketAt := problem.At(at+".brackets", i)
		v.Range(bracketAt+".up_to_grams", b.UpToGrams, 1, MaxGrams)
		if i > 0 && b.UpToGrams <= last {
			v.Add(bracketAt+".up_to_grams", problem.OutOfRange, "must be more than %d, where the bracket before ends", last)
		}
		last = b.UpToGrams
		v.Range(bracketAt+".price", b.Price, 0, money.MaxAmount)
	}
	if r.PerExtraKG != nil {
		v.Range(at+".per_extra_kg", *r.PerExtraKG, 0, money.MaxAmount)
	}
}
