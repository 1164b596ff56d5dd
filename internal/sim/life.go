package sim

import (
	"strconv"
	"sync"
	"time"

	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
)

// How partners differ, seeded: some are slow, some lanes are often late. These are the
// delays that a promise has to reckon with.
const (
	slowStores    = .15 // of stores take slowFactor times as long
	slowFactor    = 2.5
	groundLate    = .03 // of parcels, and as much again for each further zone
	quickLate     = .015
	roughRegions  = .2 // of postal regions (first digit) have roughLate more
	roughLate     = .1
	veryLateShare = .2 // of late parcels, by two days instead of one
)

// givenLater reports that the fulfillment was not made when the order was captured.
func givenLater(o *order.Order, f *order.Fulfillment) bool { return f.CreatedAt.After(o.CreatedAt) }

// slowness is how many times longer than usual a location takes.
func (d *Data) slowness(l *network.Location) float64 {
	c := newChance(d.Seed, "slowness", l.ID)
	if l.Type == network.DC {
		return c.between(.9, 1.2)
	}
	if c.happens(slowStores) {
		return slowFactor
	}
	return c.between(.8, 1.5)
}

// lateRisk is the share of a carrier's parcels that come late on a lane.
func (d *Data) lateRisk(service string, zone int64, to *network.Address) float64 {
	risk := quickLate
	if service == "ground" {
		risk = groundLate * float64(max(zone, 1))
	}
	if to != nil && to.PostalCode != "" && newChance(d.Seed, "roughness", to.PostalCode[:1]).happens(roughRegions) {
		risk += roughLate
	}
	return risk
}

// berlin is the zone in which carriers deliver.
var berlin = sync.OnceValue(func() *time.Location {
	zone, err := time.LoadLocation(timeZone)
	if err != nil {
		panic("sim: " + err.Error()) // the program carries the zones
	}
	return zone
})

// arrival is when a parcel that left at a moment is delivered: after the working
// days of transit and those it is late, during the day. A service without transit days is
// there within hours.
func arrival(left time.Time, transit, late int64, c chance) time.Time {
	if transit == 0 && late == 0 {
		return left.Add(time.Duration(c.between(1, 4) * float64(time.Hour)))
	}
	local := left.In(berlin())
	day := network.DateOf(local.Year(), local.Month(), local.Day())
	for n := transit + late; n > 0; {
		if day = day.AddDays(1); works(day) {
			n--
		}
	}
	return day.Start(berlin()).Add(time.Duration(c.between(9, 19) * float64(time.Hour)))
}

// works reports whether carriers deliver on the date.
func works(d network.Date) bool {
	if d.Weekday() == time.Sunday {
		return false
	}
	year, _ := strconv.Atoi(d.String()[:4])
	for _, h := range holidays(year) {
		if h == d {
			return false
		}
	}
	return true
}
