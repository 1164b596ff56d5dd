package folder

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/orderly-oms/orderly/internal/money"
	"github.com/orderly-oms/orderly/internal/network"
)

// area is where a rate is for: a zone rule, or a distance.
type area struct {
	network.ZoneRule
	km int64 // -1: any
}

// priced is a service while its rates are read. Every area is a zone of its own.
type priced struct {
	carrier string
	service network.Service
	zones   map[area]int // index of Rates
}

// rates reads rates.csv, or takes the stated tariff.
func (l *loader) rates(ctx context.Context) error {
	var services []*priced
	err := l.each(ctx, "rates.csv", func(r *row) {
		a := area{km: r.number("up_to_km", -1)}
		a.DestinationCountry, a.DestinationPostalPrefix = strings.ToUpper(r.text("country")), r.text("postal_prefix")
		a.OriginCountry, a.OriginPostalPrefix = strings.ToUpper(r.text("from_country")), r.text("from_postal")
		if a.km >= 0 && a.ZoneRule != (network.ZoneRule{}) {
			r.wrong("a rate is up to a distance or to a country, not both")
		}
		grams, days := r.number("up_to_grams", 30_000), r.number("transit_days", 2)
		price, _ := r.money("price")
		if r.bad != "" {
			return
		}
		carrier, name := cmp.Or(r.text("carrier"), "carrier"), cmp.Or(r.text("service"), "standard")
		at := slices.IndexFunc(services, func(s *priced) bool { return s.service.ID == name })
		if at < 0 {
			at = len(services)
			services = append(services, &priced{carrier: carrier, service: network.Service{ID: name, Currency: l.currency}, zones: map[area]int{}})
		}
		services[at].add(r, carrier, a, days, network.Bracket{UpToGrams: grams, Price: price})
	})
	if err != nil {
		return err
	}
	if len(services) == 0 {
		if !l.absent["rates.csv"] {
			return fmt.Errorf("rates.csv: no row is usable%s; mend it, or take the file away to have a stated tariff", l.firstBad("rates.csv"))
		}
		services = []*priced{l.statedTariff()}
	}
	return l.carriersOf(services)
}

func (p *priced) add(r *row, carrier string, a area, days int64, b network.Bracket) {
	if p.carrier != carrier {
		r.wrong("service %.60s is of carrier %.60s in a row before; give it another name", p.service.ID, p.carrier)
		return
	}
	i, ok := p.zones[a]
	if !ok {
		i = len(p.service.Rates)
		p.zones[a] = i
		p.service.Rates = append(p.service.Rates, network.Rate{Zone: int64(i + 1), TransitDays: days})
	}
	rate := &p.service.Rates[i]
	if slices.ContainsFunc(rate.Brackets, func(x network.Bracket) bool { return x.UpToGrams == b.UpToGrams }) {
		r.wrong("there is a price up to %d g for it in a row before", b.UpToGrams)
		return
	}
	rate.Brackets = append(rate.Brackets, b)
}

// carriersOf makes the documents and tariffs.
func (l *loader) carriersOf(services []*priced) error {
	l.service = services[0].service.ID
	for _, p := range services {
		s := &p.service
		for a, i := range p.zones {
			a.Zone = s.Rates[i].Zone
			switch {
			case a.km >= 0:
				s.DistanceBands = append(s.DistanceBands, network.DistanceBand{UpToKM: &a.km, Zone: a.Zone})
			default:
				s.Zones = append(s.Zones, a.ZoneRule)
			}
		}
		slices.SortFunc(s.Zones, func(a, b network.ZoneRule) int { return cmp.Compare(a.Zone, b.Zone) })
		slices.SortFunc(s.DistanceBands, func(a, b network.DistanceBand) int { return cmp.Compare(*a.UpToKM, *b.UpToKM) })
		// A rule for everywhere would hide the distances: it is what comes behind them.
		if n := len(s.Zones); n > 0 && len(s.DistanceBands) > 0 {
			everywhere := func(z network.ZoneRule) bool { z.Zone = 0; return z == network.ZoneRule{} }
			if i := slices.IndexFunc(s.Zones, everywhere); i >= 0 {
				s.DistanceBands = append(s.DistanceBands, network.DistanceBand{Zone: s.Zones[i].Zone})
				s.Zones = slices.Delete(s.Zones, i, i+1)
			}
		}
		for i := range s.Rates {
			slices.SortFunc(s.Rates[i].Brackets, func(a, b network.Bracket) int { return cmp.Compare(a.UpToGrams, b.UpToGrams) })
		}
		at := slices.IndexFunc(l.carriers, func(c network.Carrier) bool { return c.ID == p.carrier })
		if at < 0 {
			at = len(l.carriers)
			l.carriers = append(l.carriers, network.Carrier{ID: p.carrier})
		}
		l.carriers[at].Services = append(l.carriers[at].Services, *s)
		l.tariffs[s.ID] = network.NewTariff(p.carrier, s)
	}
	for i := range l.carriers {
		if err := l.carriers[i].Validate(); err != nil {
			return fmt.Errorf("rates.csv: carrier %s: %w", l.carriers[i].ID, err)
		}
	}
	return nil
}

// statedTariff is what file("rates.csv").Default says.
func (l *loader) statedTariff() *priced {
	amount := func(text string) int64 {
		n, err := money.Parse(text, l.currency)
		if err != nil { // a currency without two decimals: whole units
			n, _ = money.Parse(strings.Split(text, ".")[0], l.currency)
		}
		return n
	}
	p := &priced{carrier: "carrier", service: network.Service{ID: "standard", Currency: l.currency}, zones: map[area]int{}}
	extra := amount("0.50")
	rate := func(days, more int64) network.Rate {
		return network.Rate{
			Zone: int64(len(p.service.Rates) + 1), TransitDays: days, PerExtraKG: &extra, Brackets: []network.Bracket{
				{UpToGrams: 2000, Price: amount("4.90") + more}, {UpToGrams: 10_000, Price: amount("6.90") + more}, {UpToGrams: 30_000, Price: amount("10.90") + more},
			},
		}
	}
	p.service.Rates = append(p.service.Rates, rate(4, amount("3.00")))
	p.zones[area{km: -1}] = 0
	countries := map[string]bool{}
	for i := range l.locations {
		country := l.locations[i].Address.Country
		if countries[country] {
			continue
		}
		if len(countries) == 0 {
			p.service.Rates = append(p.service.Rates, rate(2, 0))
		}
		countries[country] = true
		z := area{km: -1}
		z.OriginCountry, z.DestinationCountry = country, country
		p.zones[z] = 1
	}
	return p
}
