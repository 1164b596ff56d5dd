package promise

import (
	"slices"
	"sync"
	"time"

	"github.com/rickar/cal/v2"
	"github.com/rickar/cal/v2/ar"
	"github.com/rickar/cal/v2/at"
	"github.com/rickar/cal/v2/au"
	"github.com/rickar/cal/v2/be"
	"github.com/rickar/cal/v2/bg"
	"github.com/rickar/cal/v2/br"
	"github.com/rickar/cal/v2/ca"
	"github.com/rickar/cal/v2/ch"
	"github.com/rickar/cal/v2/cz"
	"github.com/rickar/cal/v2/de"
	"github.com/rickar/cal/v2/dk"
	"github.com/rickar/cal/v2/es"
	"github.com/rickar/cal/v2/fr"
	"github.com/rickar/cal/v2/gb"
	"github.com/rickar/cal/v2/gr"
	"github.com/rickar/cal/v2/hr"
	"github.com/rickar/cal/v2/ie"
	"github.com/rickar/cal/v2/it"
	"github.com/rickar/cal/v2/jp"
	"github.com/rickar/cal/v2/lt"
	"github.com/rickar/cal/v2/lv"
	"github.com/rickar/cal/v2/nl"
	"github.com/rickar/cal/v2/no"
	"github.com/rickar/cal/v2/nz"
	"github.com/rickar/cal/v2/pl"
	"github.com/rickar/cal/v2/ro"
	"github.com/rickar/cal/v2/se"
	"github.com/rickar/cal/v2/si"
	"github.com/rickar/cal/v2/sk"
	"github.com/rickar/cal/v2/ua"
	"github.com/rickar/cal/v2/us"
	"github.com/rickar/cal/v2/za"

	"github.com/orderly-oms/orderly/internal/network"
)

// Holidays are known for dates of these years, both included.
const (
	firstHolidayYear = 2000
	lastHolidayYear  = 2099
)

// national has the holidays of the countries that are supported. Of Switzerland
// and Canada only those that the whole country keeps.
var national = map[string][]*cal.Holiday{
	"AR": ar.Holidays, "AT": at.Holidays, "AU": au.HolidaysNSW, "BE": be.Holidays, "BG": bg.Holidays, "BR": br.Holidays,
	"CA": {
		ca.NewYear, ca.GoodFriday, ca.VictoriaDay, ca.CanadaDay, ca.LabourDay, ca.ThanksgivingDay, ca.ChristmasDay,
	},
	"CH": {ch.Neujahr, ch.Auffahrt, ch.Bundesfeiertag, ch.Weihnachtstag},
	"CZ": cz.Holidays, "DE": de.Holidays, "DK": dk.Holidays, "ES": es.Holidays, "FR": fr.Holidays, "GB": gb.Holidays,
	"GR": gr.Holidays, "HR": hr.Holidays, "IE": ie.Holidays, "IT": it.Holidays, "JP": jp.Holidays, "LT": lt.Holidays,
	"LV": lv.Holidays, "NL": nl.Holidays, "NO": no.Holidays, "NZ": nz.Holidays, "PL": pl.Holidays, "RO": ro.Holidays,
	"SE": se.Holidays, "SI": si.Holidays, "SK": sk.Holidays, "UA": ua.Holidays, "US": us.Holidays, "ZA": za.Holidays,
}

// holidays is the set of a country's holidays, one bit per date from the first of
// firstHolidayYear: 4.5 KiB, found once per country.
type holidays [(lastHolidayYear-firstHolidayYear+1)*366/64 + 1]uint64

var firstHolidayDate = network.DateOf(firstHolidayYear, time.January, 1)

func (h *holidays) has(d network.Date) bool {
	i := int(d - firstHolidayDate)
	return h != nil && i >= 0 && i < len(h)*64 && h[i/64]&(1<<(i%64)) != 0
}

func (h *holidays) add(t time.Time) {
	if t.IsZero() || t.Year() < firstHolidayYear || t.Year() > lastHolidayYear {
		return
	}
	i := int(network.DateOf(t.Date()) - firstHolidayDate)
	h[i/64] |= 1 << (i % 64)
}

// found has one entry per supported country, filled at the first question.
var found = func() map[string]func() *holidays {
	m := make(map[string]func() *holidays, len(national))
	for country, list := range national {
		m[country] = sync.OnceValue(func() *holidays {
			h := new(holidays)
			for year := firstHolidayYear; year <= lastHolidayYear+1; year++ { // next January may be observed in December
				for _, holiday := range list {
					actual, observed := holiday.Calc(year)
					h.add(actual)
					h.add(observed)
				}
			}
			return h
		})
	}
	return m
}()

// HolidayCountries lists the ISO 3166-1 codes whose holidays are known, ascending.
// Australia's are those of New South Wales.
func HolidayCountries() []string {
	countries := make([]string, 0, len(national))
	for country := range national {
		countries = append(countries, country)
	}
	slices.Sort(countries)
	return countries
}
