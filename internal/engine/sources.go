package engine

import (
	"cmp"
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/sourcing"
)

const (
	// maxServices is how many carrier services are tried for an order that names none, lowest ids first.
	maxServices = 8
	// farthestKm stands for an unknown distance: half the equator, rounded up.
	farthestKm = 20_038
)

// sources are the locations that may fulfil an order, found before the decision
// because they depend on reference data only.
type sources struct {
	directory *network.Directory
	locations []*network.Location // ascending by id
	places    []*policy.Location  // the same, as policies see them
	book      *inventory.Book     // that was read
	indexes   []int32             // of the locations in the book
	distances []float64           // km; sourcing.UnknownDistance when unknown
	legs      [][]network.Leg     // per location, the services that go from there to the destination
	via       []bool              // per location: it would ship to the pickup location
	buffer    int64
	reject    bool // refuse the order when it cannot be placed whole
}

// sources finds the locations a channel's order may be fulfilled from.
func (e *Engine) sources(o *order.Order, now time.Time) *sources {
	d := e.Directory()
	s := &sources{directory: d}
	ch, ok := d.Channel(o.Channel)
	if !ok {
		return s
	}
	s.buffer = ch.Buffer
	if o.Method != order.Pickup {
		s.locations = d.Eligible(o.Channel, network.CanShip)
		s.fill(e, o.ShipTo, serviceIDs(d, o.Service))
		return s
	}
	// An order for pickup may be filled from elsewhere where a policy allows transfers.
	for _, l := range d.Eligible(o.Channel, network.CanPickup) {
		if l.ID == o.PickupLocation {
			s.locations = append(s.locations, l)
		}
	}
	target, _ := d.Location(o.PickupLocation)
	if target != nil && target.IsActive() && e.transfers(now) {
		s.locations = append(s.locations, d.Eligible(o.Channel, network.CanShip)...)
		slices.SortFunc(s.locations, func(a, b *network.Location) int { return compare(a.ID, b.ID) })
		s.locations = slices.CompactFunc(s.locations, func(a, b *network.Location) bool { return a.ID == b.ID })
	}
	var to *network.Address
	if target != nil {
		to = &target.Address
	}
	s.fill(e, to, serviceIDs(d, cmp.Or(o.Service, ch.Service)))
	s.via = make([]bool, len(s.locations))
	for i, l := range s.locations {
		if s.via[i] = l.ID != o.PickupLocation; !s.via[i] {
			s.legs[i] = nil // nothing is carried
		}
	}
	return s
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// serviceIDs are the services an order may go with: the one it names, else all, up to maxServices.
func serviceIDs(d *network.Directory, named string) []string {
	if named != "" {
		return []string{named}
	}
	var ids []string
	for _, c := range d.Carriers() {
		for i := range c.Services {
			ids = append(ids, c.Services[i].ID)
		}
	}
	slices.Sort(ids)
	return ids[:min(len(ids), maxServices)]
}

// fill measures the way from each location to an address; nil: none is known.
func (s *sources) fill(e *Engine, to *network.Address, services []string) {
	book, n := e.Book(), len(s.locations)
	places := e.placesOf(s.directory)
	s.book, s.places = book, make([]*policy.Location, n)
	s.indexes, s.distances, s.legs = make([]int32, n), make([]float64, n), make([][]network.Leg, n)
	legs := make([]network.Leg, 0, n*len(services))
	for i, l := range s.locations {
		s.places[i] = places[l.ID]
		s.indexes[i] = book.LocationIndex(l.ID)
		s.distances[i] = sourcing.UnknownDistance
		if to == nil {
			continue
		}
		if km, ok := network.Distance(&l.Address, to); ok {
			s.distances[i] = km
		}
		from := len(legs)
		for _, id := range services {
			if t, ok := s.directory.Tariff(id); ok {
				if leg, err := t.Leg(&l.Address, to); err == nil {
					legs = append(legs, leg)
				}
			}
		}
		s.legs[i] = legs[from:len(legs):len(legs)]
	}
}

// at is the place of a location among the sources, -1 when it is not one.
func (s *sources) at(location string) int {
	i, ok := slices.BinarySearchFunc(s.locations, location, func(l *network.Location, id string) int { return compare(l.ID, id) })
	if !ok {
		return -1
	}
	return i
}

func (s *sources) has(location string) bool { return s.at(location) >= 0 }

// only keeps one location of the sources.
func (s *sources) only(location string) *sources {
	i := slices.IndexFunc(s.locations, func(l *network.Location) bool { return l.ID == location })
	if i < 0 {
		return &sources{directory: s.directory, buffer: s.buffer}
	}
	one := *s
	one.locations, one.places, one.indexes = s.locations[i:i+1], s.places[i:i+1], s.indexes[i:i+1]
	one.distances, one.legs = s.distances[i:i+1], s.legs[i:i+1]
	if s.via != nil {
		one.via = s.via[i : i+1]
	}
	return &one
}

// indexesIn are the locations' indexes in a book, which is another one when memory was reloaded meanwhile.
func (s *sources) indexesIn(book *inventory.Book) []int32 {
	if s.book == book {
		return s.indexes
	}
	indexes := make([]int32, len(s.locations))
	for i, l := range s.locations {
		indexes[i] = book.LocationIndex(l.ID)
	}
	return indexes
}

// places are a directory's locations as policies see them, made once per directory.
type places struct {
	directory *network.Directory
	byID      map[string]*policy.Location
}

func (e *Engine) placesOf(d *network.Directory) map[string]*policy.Location {
	if p := e.places.Load(); p != nil && p.directory == d {
		return p.byID
	}
	byID := make(map[string]*policy.Location, len(d.Locations()))
	for _, l := range d.Locations() {
		p := &policy.Location{
			ID: l.ID, Type: string(l.Type), Country: l.Address.Country, PostalCode: l.Address.PostalCode, Region: l.Address.Region,
			City: l.Address.City, TimeZone: l.TimeZone, Tags: l.Tags, Priority: l.Priority,
		}
		for _, c := range l.Capabilities {
			p.Capabilities = append(p.Capabilities, string(c))
		}
		byID[l.ID] = p
	}
	e.places.Store(&places{d, byID})
	return byID
}
