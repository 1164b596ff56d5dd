package network_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/orderly-oms/orderly/internal/network"
)

func ids(locations []*network.Location) []string {
	list := []string{}
	for _, l := range locations {
		list = append(list, l.ID)
	}
	return list
}

func shops() []network.Location {
	both := []network.Capability{network.CanShip, network.CanPickup}
	return []network.Location{
		{ID: "s2", Type: network.Store, Address: network.Address{Country: "DE", Region: "BE"}, Capabilities: both, Tags: []string{"big"}},
		{ID: "dc", Type: network.DC, Address: network.Address{Country: "DE"}, Capabilities: both[:1]},
		{ID: "s1", Type: network.Store, Address: network.Address{Country: "FR"}, Capabilities: both, Tags: []string{"small", "old"}},
		{ID: "s3", Type: network.Store, Address: network.Address{Country: "DE"}, Capabilities: both, Status: network.Suspended},
	}
}

func TestEligible(t *testing.T) {
	t.Parallel()
	empty := network.NewDirectory()
	d := empty.WithLocations(shops()...).WithNetworks(
		network.Network{ID: "list", Locations: []string{"s3", "s1", "gone"}},
		network.Network{ID: "stores-de", Rule: &network.Rule{Types: []network.LocationType{network.Store}, Countries: []string{"DE"}}},
	).WithChannels(
		network.Channel{ID: "all"}, network.Channel{ID: "one", Networks: []string{"list"}},
		network.Channel{ID: "two", Networks: []string{"list", "stores-de"}}, network.Channel{ID: "none", Networks: []string{"gone"}},
	)
	check := func(d *network.Directory, channel string, c network.Capability, want ...string) {
		t.Helper()
		if got := ids(d.Eligible(channel, c)); !slices.Equal(got, want) {
			t.Errorf("Eligible(%s, %s) = %v, want %v", channel, c, got, want)
		}
	}
	check(d, "all", network.CanShip, "dc", "s1", "s2")
	check(d, "all", network.CanPickup, "s1", "s2")
	check(d, "all", network.CanReturn)
	check(d, "one", network.CanShip, "s1")
	check(d, "two", network.CanShip, "s1", "s2")
	check(d, "none", network.CanShip)
	check(d, "unknown", network.CanShip)

	opened := shops()[3]
	opened.Status = network.Active
	next := d.WithLocations(opened)
	check(next, "one", network.CanShip, "s1", "s3")
	check(d, "one", network.CanShip, "s1") // the old one stays as it was
	check(next.WithNetworks(network.Network{ID: "list", Locations: []string{"dc"}}), "one", network.CanShip, "dc")
	check(next.WithChannels(network.Channel{ID: "one"}), "one", network.CanShip, "dc", "s1", "s2", "s3")
	if len(empty.Locations()) != 0 || len(d.Locations()) != 4 || d.Locations()[0].ID != "dc" {
		t.Error("a directory changed, or its list is not sorted")
	}
}

func TestEligibleAnswersWithoutAllocating(t *testing.T) {
	d := network.NewDirectory().WithLocations(shops()...).WithChannels(network.Channel{ID: "all"})
	if allocs := testing.AllocsPerRun(100, func() { d.Eligible("all", network.CanShip) }); allocs != 0 {
		t.Errorf("Eligible allocates %v times", allocs)
	}
}

func TestDirectoryIsReadAndGrownAtOnce(t *testing.T) {
	t.Parallel()
	d := network.NewDirectory().WithLocations(shops()...).WithChannels(network.Channel{ID: "all"})
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			if i%2 == 0 {
				d.WithLocations(network.Location{ID: fmt.Sprint(i), Capabilities: []network.Capability{network.CanShip}})
			}
			if got := ids(d.Eligible("all", network.CanShip)); !slices.Equal(got, []string{"dc", "s1", "s2"}) {
				t.Errorf("Eligible = %v", got)
			}
		})
	}
	group.Wait()
}

func TestResolveByRule(t *testing.T) {
	t.Parallel()
	var all []*network.Location
	for _, l := range shops() {
		all = append(all, &l)
	}
	for _, tt := range []struct {
		rule network.Rule
		want []string
	}{
		{network.Rule{}, []string{"dc", "s1", "s2", "s3"}},
		{network.Rule{TagsAny: []string{"big", "old"}}, []string{"s1", "s2"}},
		{network.Rule{TagsNone: []string{"old"}}, []string{"dc", "s2", "s3"}},
		{network.Rule{Regions: []string{"BE"}}, []string{"s2"}},
		{network.Rule{Capabilities: []network.Capability{network.CanShip, network.CanPickup}}, []string{"s1", "s2", "s3"}},
		{network.Rule{Types: []network.LocationType{network.DC}, Countries: []string{"FR"}}, nil},
	} {
		n := network.Network{ID: "n", Rule: &tt.rule}
		if got := n.Resolve(all); !slices.Equal(got, tt.want) {
			t.Errorf("%+v resolves to %v, want %v", tt.rule, got, tt.want)
		}
	}
}

func TestChecksNameWhatIsMissing(t *testing.T) {
	t.Parallel()
	d := network.NewDirectory().WithLocations(shops()...).WithCarriers(parcelCarrier())
	if got := pointers(d.CheckChannel(&network.Channel{Networks: []string{"x"}, Service: "y"})); got != "networks[0]:unknown service:unknown" {
		t.Error(got)
	}
	if got := pointers(d.CheckNetwork(&network.Network{Locations: []string{"dc", "x"}})); got != "locations[1]:unknown" {
		t.Error(got)
	}
	if got := pointers(d.CheckCarrier(&network.Carrier{ID: "other", Services: []network.Service{{ID: "ground"}}})); got != "services[0].id:conflict" {
		t.Error(got)
	}
	own := parcelCarrier()
	if err := errors.Join(d.CheckCarrier(&own), d.CheckChannel(&network.Channel{Service: "ground"})); err != nil {
		t.Error(err)
	}
}

func parcelCarrier() network.Carrier {
	rate := func(zone, price int64) network.Rate {
		return network.Rate{Zone: zone, TransitDays: zone, Brackets: []network.Bracket{{UpToGrams: 1000, Price: price}, {UpToGrams: 5000, Price: 2 * price}}}
	}
	open := rate(1, 400)
	open.PerExtraKG = ptr(int64(50))
	return network.Carrier{ID: "parcel", Services: []network.Service{
		{
			ID: "ground", Currency: "EUR",
			Rates: []network.Rate{open, rate(2, 600), rate(3, 900), rate(4, 1500), rate(5, 100)},
			Zones: []network.ZoneRule{
				{Zone: 4},
				{DestinationCountry: "DE", Zone: 3},
				{OriginCountry: "DE", DestinationCountry: "DE", Zone: 2},
				{OriginCountry: "DE", DestinationCountry: "DE", DestinationPostalPrefix: "10", Zone: 1},
				{OriginCountry: "GB", OriginPostalPrefix: "SW1", DestinationCountry: "GB", DestinationPostalPrefix: "EC1A", Zone: 5},
			},
		},
		{
			ID: "courier", Currency: "EUR", Rates: []network.Rate{rate(1, 900), rate(2, 1900)},
			DistanceBands: []network.DistanceBand{{UpToKM: ptr(int64(20)), Zone: 1}, {UpToKM: ptr(int64(600)), Zone: 2}},
		},
		{
			ID: "anywhere", Currency: "EUR", Rates: []network.Rate{rate(1, 900), rate(2, 1900)},
			DistanceBands: []network.DistanceBand{{UpToKM: ptr(int64(20)), Zone: 1}, {Zone: 2}},
		},
	}}
}

func TestQuote(t *testing.T) {
	t.Parallel()
	c := parcelCarrier()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	d := network.NewDirectory().WithCarriers(c)
	berlin := network.Address{Country: "DE", PostalCode: "10115", Latitude: ptr(52.52), Longitude: ptr(13.405)}
	munich := network.Address{Country: "DE", PostalCode: "80331", Latitude: ptr(48.137), Longitude: ptr(11.575)}
	paris := network.Address{Country: "FR", PostalCode: "75001"}
	london, city := network.Address{Country: "GB", PostalCode: "sw1a 1aa"}, network.Address{Country: "GB", PostalCode: "EC1A-1BB"}
	for _, tt := range []struct {
		service     string
		from, to    network.Address
		grams       int64
		zone, price int64
		err         error
	}{
		{"ground", munich, berlin, 1000, 1, 400, nil},
		{"ground", munich, berlin, 1001, 1, 800, nil},
		{"ground", munich, berlin, 5001, 1, 850, nil},
		{"ground", munich, berlin, 7001, 1, 950, nil},
		{"ground", berlin, munich, 0, 2, 600, nil},
		{"ground", berlin, munich, 5001, 0, 0, network.ErrTooHeavy},
		{"ground", berlin, munich, -1, 0, 0, network.ErrTooHeavy},
		{"ground", paris, berlin, 1, 3, 900, nil},
		{"ground", berlin, paris, 1, 4, 1500, nil},
		{"ground", london, city, 1, 5, 100, nil},
		{"courier", berlin, berlin, 1, 1, 900, nil},
		{"courier", berlin, munich, 1, 2, 1900, nil},
		{"courier", berlin, paris, 1, 0, 0, network.ErrNoZone},
		{"anywhere", berlin, paris, 1, 2, 1900, nil},
		{"rocket", berlin, paris, 1, 0, 0, network.ErrUnknownService},
	} {
		got, err := d.Quote(tt.service, &tt.from, &tt.to, tt.grams)
		want := network.Quote{}
		if tt.err == nil {
			want = network.Quote{Carrier: "parcel", Service: tt.service, Zone: tt.zone, Price: tt.price, Currency: "EUR", TransitDays: tt.zone}
		}
		if !errors.Is(err, tt.err) || !reflect.DeepEqual(got, want) {
			t.Errorf("Quote(%s, %s, %s, %d) = %+v, %v; want %+v, %v", tt.service, tt.from.PostalCode, tt.to.PostalCode, tt.grams, got, err, want, tt.err)
		}
	}
}

func TestSharedServiceIDGoesToTheLowestCarrier(t *testing.T) {
	t.Parallel()
	first, second := parcelCarrier(), parcelCarrier()
	second.ID = "another"
	for _, d := range []*network.Directory{
		network.NewDirectory().WithCarriers(first, second), network.NewDirectory().WithCarriers(first).WithCarriers(second),
	} {
		q, err := d.Quote("anywhere", &network.Address{}, &network.Address{}, 1)
		if err != nil || q.Carrier != "another" {
			t.Errorf("carrier %q, %v", q.Carrier, err)
		}
	}
}

func BenchmarkQuote(b *testing.B) {
	c := parcelCarrier()
	for i := range 900 {
		c.Services[0].Zones = append(c.Services[0].Zones, network.ZoneRule{OriginCountry: "US", OriginPostalPrefix: "100", DestinationCountry: "US", DestinationPostalPrefix: fmt.Sprint(100 + i), Zone: 1})
	}
	d := network.NewDirectory().WithCarriers(c)
	from, to := network.Address{Country: "US", PostalCode: "10001"}, network.Address{Country: "US", PostalCode: "94105"}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Quote("ground", &from, &to, 800); err != nil {
			b.Fatal(err)
		}
	}
}
