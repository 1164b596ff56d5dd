package bulk

import (
	"bytes"
	"encoding/csv"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/orderly-oms/orderly/internal/catalog"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/money"
	"github.com/orderly-oms/orderly/internal/network"
)

// Text with everything that separates, quotes or starts a formula.
var (
	anyText = rapid.StringOfN(rapid.RuneFrom([]rune("ab09=+-@'|\\,;\" .é＝{}<")), 0, 8, -1)
	anyID   = rapid.Map(anyText, func(s string) string { return strings.TrimSpace(s) + "x" }).
		Filter(func(s string) bool { return strings.TrimSpace(s) == s })
)

func draw[V any](t *rapid.T, g *rapid.Generator[V]) V { return g.Draw(t, "v") }

func oneOf[V any](t *rapid.T, values ...V) V { return draw(t, rapid.SampledFrom(values)) }

func someIDs(t *rapid.T) []string {
	list := draw(t, rapid.SliceOfNDistinct(anyID, 0, 3, rapid.ID[string]))
	if len(list) == 0 {
		return nil
	}
	return list
}

func maybe[V any](t *rapid.T, g *rapid.Generator[V]) *V {
	if !draw(t, rapid.Bool()) {
		return nil
	}
	v := draw(t, g)
	return &v
}

func someTime(t *rapid.T) time.Time {
	return time.Unix(draw(t, rapid.Int64Range(0, 1<<33)), draw(t, rapid.Int64Range(0, 999_999_999))).UTC()
}

func someStock(t *rapid.T) Stock {
	s := Stock{SKU: draw(t, anyID), Location: draw(t, anyID), OnHand: draw(t, rapid.Int64Range(0, inventory.MaxQuantity))}
	if draw(t, rapid.Bool()) {
		s.AsOf = someTime(t)
	}
	return s
}

func someSupply(t *rapid.T) inventory.Supply {
	return inventory.Supply{
		ID: draw(t, anyID), SKU: draw(t, anyID), Location: draw(t, anyID), Quantity: draw(t, rapid.Int64Range(1, inventory.MaxQuantity)),
		ExpectedAt: someTime(t), Kind: oneOf(t, inventory.PurchaseOrder, inventory.Transfer), Reference: draw(t, anyText),
	}
}

func someSKU(t *rapid.T) catalog.SKU {
	s := catalog.SKU{
		SKU: draw(t, anyID), Name: draw(t, anyText), GTIN: oneOf(t, "", "4006381333931", "00000000"), Barcodes: someIDs(t),
		WeightG: draw(t, rapid.Int64Range(0, 9999)), LengthMM: draw(t, rapid.Int64Range(0, 9)), WidthMM: 3, HeightMM: draw(t, rapid.Int64Range(0, 9)),
		Price: maybe(t, rapid.Custom(func(t *rapid.T) money.Money {
			return money.Money{Amount: draw(t, rapid.Int64Range(0, money.MaxAmount)), Currency: oneOf(t, "EUR", "JPY", "KWD")}
		})),
		Tags: someIDs(t), Category: draw(t, anyText), Active: maybe(t, rapid.Bool()),
	}
	for _, id := range someIDs(t) {
		if id != s.SKU {
			s.Components = append(s.Components, catalog.Component{SKU: id, Quantity: draw(t, rapid.Int64Range(1, 99))})
		}
	}
	for _, name := range someIDs(t) {
		if s.Attributes == nil {
			s.Attributes = make(map[string]string)
		}
		s.Attributes[name] = draw(t, anyText)
	}
	return s
}

func someHours(t *rapid.T) []network.Interval {
	from := draw(t, rapid.IntRange(0, 1000))
	return oneOf(t, nil, []network.Interval{{Opens: 540, Closes: 720}, {Opens: 780, Closes: 1440}},
		[]network.Interval{{Opens: network.Clock(from), Closes: network.Clock(from + 7)}})
}

func someLocation(t *rapid.T) network.Location {
	l := network.Location{
		ID: draw(t, anyID), Name: draw(t, anyText), Type: oneOf(t, network.DC, network.Store, network.Vendor),
		Address: network.Address{
			Name: draw(t, anyText), Company: draw(t, anyText), Line1: draw(t, anyText), Line2: draw(t, anyText), City: draw(t, anyText),
			Region: draw(t, anyText), PostalCode: draw(t, anyText), Country: "DE", Phone: "+49 30 1", Email: oneOf(t, "", "-a@b.example"), Zone: draw(t, anyText),
		},
		TimeZone: "Europe/Berlin", Capabilities: oneOf(t, nil, []network.Capability{"ship", "pickup"}),
		Capacity: network.Capacity{
			OrdersPerDay: maybe(t, rapid.Int64Range(0, 9)), OrdersPerHour: maybe(t, rapid.Int64Range(0, 9)),
			UnitsPerDay: maybe(t, rapid.Int64Range(0, 9)), UnitsPerHour: maybe(t, rapid.Int64Range(0, 9)),
			ValuePerDay: maybe(t, rapid.Int64Range(0, 9)), ValuePerHour: maybe(t, rapid.Int64Range(0, 9)),
		},
		ProcessingMinutes: draw(t, rapid.Int64Range(0, 99)), Priority: draw(t, rapid.Int64Range(-9, 9)), Tags: someIDs(t), Status: oneOf(t, "", network.Active, network.Suspended),
	}
	if !l.IsActive() {
		l.SuspendedReason = draw(t, anyText)
	}
	if draw(t, rapid.Bool()) {
		lat, long := draw(t, rapid.Float64Range(-90, 90)), math.Trunc(draw(t, rapid.Float64Range(-180, 180)))
		l.Address.Latitude, l.Address.Longitude = &lat, &long
	}
	for _, id := range someIDs(t) {
		l.Cutoffs = append(l.Cutoffs, network.Cutoff{Service: id, Time: 61})
	}
	if draw(t, rapid.Bool()) {
		l.Cutoffs = append(l.Cutoffs, network.Cutoff{Time: 1440})
		l.Calendar = &network.Calendar{Hours: network.Week{Monday: someHours(t), Tuesday: someHours(t), Wednesday: someHours(t), Friday: someHours(t), Saturday: someHours(t), Sunday: someHours(t)}}
		l.Calendar.Exceptions = oneOf(t, nil, []network.Exception{{Date: 20000, Closed: true}, {Date: 20007, Hours: []network.Interval{{Opens: 1, Closes: 2}}}})
		if l.Calendar.Validate() != nil { // never opens
			l.Calendar = nil
		}
	}
	return l
}

func someChannel(t *rapid.T) network.Channel {
	return network.Channel{
		ID: draw(t, anyID), Name: draw(t, anyText), Type: oneOf(t, network.Web, network.CallCentre), Currency: "EUR", Networks: someIDs(t),
		Buffer: draw(t, rapid.Int64Range(0, 9)), Shortage: oneOf(t, "", network.Backorder, network.Reject), Service: oneOf(t, "", "-ground"), Active: maybe(t, rapid.Bool()),
	}
}

func someNetwork(t *rapid.T) network.Network {
	n := network.Network{ID: draw(t, anyID), Name: draw(t, anyText), Locations: someIDs(t)}
	if len(n.Locations) == 0 {
		n.Rule = &network.Rule{TagsAny: someIDs(t), Types: oneOf(t, nil, []network.LocationType{network.DC})}
	}
	return n
}

func someCarrier(t *rapid.T) network.Carrier {
	c := network.Carrier{ID: draw(t, anyID), Name: draw(t, anyText)}
	for _, id := range someIDs(t) {
		c.Services = append(c.Services, network.Service{
			ID: id, Name: draw(t, anyText), Currency: "EUR", Zones: []network.ZoneRule{{Zone: 1}},
			DistanceBands: []network.DistanceBand{{UpToKM: maybe(t, rapid.Int64Range(1, 9)), Zone: 1}},
			Rates:         []network.Rate{{Zone: 1, Brackets: []network.Bracket{{UpToGrams: 1, Price: 2}}, PerExtraKG: maybe(t, rapid.Int64Range(0, 9))}},
		})
	}
	return c
}

// roundTrip writes rows in both formats and reads them back. The tables are tried
// one after the other, because rapid's generators must not be shared by goroutines.
func roundTrip[T any](table *Table[T], some func(*rapid.T) T) func(*testing.T) {
	return func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			rows := draw(t, rapid.SliceOfN(rapid.Custom(some), 0, 5))
			for _, format := range []Format{CSV, JSONLines} {
				var file bytes.Buffer
				if err := table.Write(&file, format, slices.Values(rows)); err != nil {
					t.Fatal(err)
				}
				text := file.String()
				if format == CSV {
					noFormulas(t, text)
				}
				var back []T
				report, err := table.Read(&file, format, func(_ int, row *T) error { back = append(back, *row); return nil })
				if err != nil || report.Rejected > 0 || report.Accepted != len(rows) {
					t.Fatalf("%s\nreport %+v, %v", text, report, err)
				}
				for i := range rows {
					if !reflect.DeepEqual(rows[i], back[i]) {
						t.Fatalf("%s\nrow %d\nwas  %+v\nis   %+v", text, i, rows[i], back[i])
					}
				}
			}
		})
	}
}

func noFormulas(t *rapid.T, text string) {
	records, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, cell := range slices.Concat(records...) {
		if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) && strings.Trim(cell[1:], "0123456789.") != "" {
			t.Fatalf("the cell %q is a formula", cell)
		}
	}
}

func TestWhatIsWrittenReadsBackEqual(t *testing.T) {
	t.Parallel()
	t.Run("stock", roundTrip(StockTable, someStock))
	t.Run("supply", roundTrip(SupplyTable, someSupply))
	t.Run("skus", roundTrip(SKUTable, someSKU))
	t.Run("locations", roundTrip(LocationTable, someLocation))
	t.Run("channels", roundTrip(ChannelTable, someChannel))
	t.Run("networks", roundTrip(NetworkTable, someNetwork))
	t.Run("carriers", roundTrip(CarrierTable, someCarrier))
}

func TestNeutralise(t *testing.T) {
	t.Parallel()
	for cell, want := range map[string]string{
		"": "", "plain": "plain", "=1+1": "'=1+1", "+cmd": "'+cmd", "-cmd": "'-cmd", "@sum": "'@sum", "\tx": "'\tx", "\rx": "'\rx", "＝1": "'＝1",
		"-5": "-5", "+5": "+5", "-5.25": "-5.25", "1e5": "1e5", "-1e-5": "-1e-5", "-5+1": "'-5+1", "-": "'-", "+1e": "'+1e", "-.5": "'-.5", "--5": "'--5", "-1e--5": "'-1e--5",
		"'=1": "''=1", "''-x": "'''-x", "'n": "'n", "'": "'", "a=b": "a=b",
	} {
		got := Neutralise(cell)
		if got != want {
			t.Errorf("Neutralise(%q) = %q, want %q", cell, got, want)
		}
		if back := restore(got); back != cell {
			t.Errorf("%q came back as %q", cell, back)
		}
	}
}
