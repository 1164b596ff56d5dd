package network

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/orderly-oms/orderly/internal/problem"
)

// Directory holds all channels, locations, networks and carriers at one moment.
// It never changes: each With method returns a new one that shares what stayed.
// Publish it through an atomic pointer and read it without a lock; what it returns
// belongs to it and must not be changed. Lists are sorted by id.
//
// A With method costs time in proportion to what the directory holds, so load
// many entries with one call. Entries must be valid; what they name may be
// missing, which the Check methods report.
type Directory struct {
	channels  shelf[Channel]
	locations shelf[Location]
	networks  shelf[Network]
	carriers  shelf[Carrier]
	tariffs   map[string]*Tariff   // by service id
	eligible  map[string]*eligible // by channel id
}

// NewDirectory returns an empty directory.
func NewDirectory() *Directory { return &Directory{} }

// shelf is an immutable set of entries by id.
type shelf[T any] struct {
	byID   map[string]*T
	sorted []*T
}

// with returns a shelf in which the entries are added or replaced.
func (s shelf[T]) with(id func(*T) string, entries []T) shelf[T] {
	byID := maps.Clone(s.byID)
	if byID == nil {
		byID = make(map[string]*T, len(entries))
	}
	for _, e := range entries {
		byID[id(&e)] = &e
	}
	sorted := slices.SortedFunc(maps.Values(byID), func(a, b *T) int { return strings.Compare(id(a), id(b)) })
	return shelf[T]{byID, sorted}
}

// WithChannels returns a directory in which the channels are added or replaced.
func (d *Directory) WithChannels(channels ...Channel) *Directory {
	next := *d
	next.channels = d.channels.with(func(c *Channel) string { return c.ID }, channels)
	next.resetEligible()
	return &next
}

// WithLocations returns a directory in which the locations are added or replaced.
func (d *Directory) WithLocations(locations ...Location) *Directory {
	next := *d
	next.locations = d.locations.with(func(l *Location) string { return l.ID }, locations)
	next.resetEligible()
	return &next
}

// WithNetworks returns a directory in which the networks are added or replaced.
func (d *Directory) WithNetworks(networks ...Network) *Directory {
	next := *d
	next.networks = d.networks.with(func(n *Network) string { return n.ID }, networks)
	next.resetEligible()
	return &next
}

// WithCarriers returns a directory in which the carriers are added or replaced.
// If two carriers have a service of one id, the lowest carrier id wins.
func (d *Directory) WithCarriers(carriers ...Carrier) *Directory {
	next := *d
	next.carriers = d.carriers.with(func(c *Carrier) string { return c.ID }, carriers)
	next.tariffs = make(map[string]*Tariff)
	for _, c := range next.carriers.sorted {
		for i := range c.Services {
			s := &c.Services[i]
			if next.tariffs[s.ID] != nil {
				continue
			}
			if old := d.tariffs[s.ID]; old != nil && old.service == s {
				next.tariffs[s.ID] = old
				continue
			}
			next.tariffs[s.ID] = NewTariff(c.ID, s)
		}
	}
	return &next
}

// Channel returns the channel of an id.
func (d *Directory) Channel(id string) (*Channel, bool) { c, ok := d.channels.byID[id]; return c, ok }

// Location returns the location of an id.
func (d *Directory) Location(id string) (*Location, bool) {
	l, ok := d.locations.byID[id]
	return l, ok
}

// Network returns the network of an id.
func (d *Directory) Network(id string) (*Network, bool) { n, ok := d.networks.byID[id]; return n, ok }

// Carrier returns the carrier of an id.
func (d *Directory) Carrier(id string) (*Carrier, bool) { c, ok := d.carriers.byID[id]; return c, ok }

// Tariff returns the service of an id, of whichever carrier, ready for quoting.
func (d *Directory) Tariff(service string) (*Tariff, bool) { t, ok := d.tariffs[service]; return t, ok }

// Channels returns all channels.
func (d *Directory) Channels() []*Channel { return d.channels.sorted }

// Locations returns all locations.
func (d *Directory) Locations() []*Location { return d.locations.sorted }

// Networks returns all networks.
func (d *Directory) Networks() []*Network { return d.networks.sorted }

// Carriers returns all carriers.
func (d *Directory) Carriers() []*Carrier { return d.carriers.sorted }

// Quote prices one parcel with a service. Returns ErrUnknownService, ErrNoZone or
// ErrTooHeavy.
func (d *Directory) Quote(service string, origin, destination *Address, grams int64) (Quote, error) {
	t := d.tariffs[service]
	if t == nil {
		return Quote{}, ErrUnknownService
	}
	return t.Quote(origin, destination, grams)
}

// eligible is which locations may work for a channel, found at the first question.
type eligible struct {
	once sync.Once
	by   map[Capability][]*Location
}

func (d *Directory) resetEligible() {
	d.eligible = make(map[string]*eligible, len(d.channels.byID))
	for id := range d.channels.byID {
		d.eligible[id] = new(eligible)
	}
}

// Eligible returns the active locations in the channel's networks (all locations
// when it names none) that have the capability. An unknown channel has none.
// Answers after the first cost one map lookup each.
func (d *Directory) Eligible(channel string, c Capability) []*Location {
	e := d.eligible[channel]
	if e == nil {
		return nil
	}
	e.once.Do(func() { e.by = d.findEligible(d.channels.byID[channel]) })
	return e.by[c]
}

func (d *Directory) findEligible(channel *Channel) map[Capability][]*Location {
	members := make(map[string]bool)
	for _, id := range channel.Networks {
		if n := d.networks.byID[id]; n != nil {
			for _, member := range n.Resolve(d.locations.sorted) {
				members[member] = true
			}
		}
	}
	by := make(map[Capability][]*Location)
	for _, l := range d.locations.sorted {
		if !l.IsActive() || (len(channel.Networks) > 0 && !members[l.ID]) {
			continue
		}
		for _, c := range l.Capabilities {
			by[c] = append(by[c], l)
		}
	}
	return by
}

// CheckChannel reports networks and a service that the channel names but the
// directory has not.
func (d *Directory) CheckChannel(c *Channel) error {
	var v problem.Invalid
	for i, id := range c.Networks {
		if d.networks.byID[id] == nil {
			v.Add(problem.At("networks", i), problem.Unknown, "there is no network %q", id)
		}
	}
	if c.Service != "" && d.tariffs[c.Service] == nil {
		v.Add("service", problem.Unknown, "no carrier has a service %q", c.Service)
	}
	return v.Err()
}

// CheckNetwork reports locations that the network lists but the directory has not.
func (d *Directory) CheckNetwork(n *Network) error {
	var v problem.Invalid
	for i, id := range n.Locations {
		if d.locations.byID[id] == nil {
			v.Add(problem.At("locations", i), problem.Unknown, "there is no location %q", id)
		}
	}
	return v.Err()
}

// CheckCarrier reports services whose id another carrier's service has.
func (d *Directory) CheckCarrier(c *Carrier) error {
	var v problem.Invalid
	for i := range c.Services {
		id := c.Services[i].ID
		if t := d.tariffs[id]; t != nil && t.carrier != c.ID {
			v.Add(problem.At("services", i)+".id", problem.Conflict, "carrier %q has a service %q already", t.carrier, id)
		}
	}
	return v.Err()
}
