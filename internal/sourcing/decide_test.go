package sourcing_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/sourcing"
	"github.com/orderly-oms/orderly/internal/sourcing/exact"
)

var update = flag.Bool("update", false, "write golden files")

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// compile compiles a sourcing policy from the lines of its section.
func compile(t interface {
	Helper()
	Fatalf(string, ...any)
}, section string,
) *policy.Compiled {
	t.Helper()
	text := "kind: sourcing\nname: tested\nsourcing:\n"
	for line := range strings.SplitSeq(strings.Trim(section, "\n"), "\n") {
		text += "  " + strings.TrimPrefix(line, "\t\t") + "\n"
	}
	c, err := policy.CompileText([]byte(strings.ReplaceAll(text, "\t", "  ")))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return c
}

// perKg is a carrier that charges a base and a price per kg begun, up to 30 kg.
type perKg struct{ base, kg int64 }

func (p perKg) Price(grams int64) (int64, bool) {
	return p.base + p.kg*((grams+999)/1000), grams <= 30_000
}

// site is a location with what it has of each line.
func site(id string, km float64, available ...int64) sourcing.Site {
	return sourcing.Site{
		Location:  &policy.Location{ID: id, Type: "dc"},
		Candidate: policy.Candidate{DistanceKm: km, DistanceKnown: true},
		Available: available, OrdersLeft: exact.NoLimit, UnitsLeft: exact.NoLimit, ValueLeft: exact.NoLimit,
		Services: []sourcing.Service{{ID: "post", Tariff: perKg{300 + int64(km), 50}, Deliver: noon.AddDate(0, 0, 1+int(km)/300)}},
	}
}

// basket is facts with lines of the quantities, 500 g and 20.00 a unit.
func basket(quantities ...int64) *sourcing.Facts {
	f := &sourcing.Facts{Now: noon, Order: policy.Order{Channel: "web", Method: "ship", Currency: "EUR"}}
	for i, q := range quantities {
		id := fmt.Sprint(i + 1)
		f.Lines = append(f.Lines, sourcing.Line{
			ID: id, Quantity: q, Grams: 500, Value: 2000, SKU: &policy.SKU{ID: "sku" + id},
			Facts: policy.Line{SKU: "sku" + id, Quantity: q, UnitPrice: 2000, Value: 2000 * q, WeightG: 500 * q},
		})
		f.Order.Units += q
		f.Order.Value += 2000 * q
	}
	return f
}

// placed writes a decision as location:line×quantity, sorted.
func placed(d *sourcing.Decision) string {
	var parts []string
	for _, s := range d.Shipments {
		text := s.Location + ":"
		for i, u := range s.Lines {
			if i > 0 {
				text += "+"
			}
			text += fmt.Sprintf("%s×%d", u.Line, u.Quantity)
		}
		parts = append(parts, text)
	}
	slices.Sort(parts)
	return strings.Join(parts, " ")
}

const carrierOnly = `
groups:
  - name: all
    cost: [{term: carrier}]`

func TestDecide(t *testing.T) {
	t.Parallel()
	store := func(s sourcing.Site, tags ...string) sourcing.Site {
		s.Location.Type, s.Location.Tags = "store", tags
		return s
	}
	for _, c := range []struct {
		name, policy string
		facts        func() *sourcing.Facts
		want         string
		otherwise    string
	}{
		{"cheapest carrier", carrierOnly, func() *sourcing.Facts {
			f := basket(1)
			f.Sites = []sourcing.Site{site("far", 500, 1), site("near", 10, 1)}
			return f
		}, "near:1×1", ""},
		{"one parcel beats two", carrierOnly, func() *sourcing.Facts {
			f := basket(1, 1)
			f.Sites = []sourcing.Site{site("a", 10, 1, 0), site("b", 10, 0, 1), site("c", 200, 1, 1)}
			return f
		}, "c:1×1+2×1", ""},
		{"a split term keeps lines together that the carrier would part", `
groups:
  - name: all
    cost: [{term: carrier}, {term: split, value: "1000"}]`, func() *sourcing.Facts {
			f := basket(1, 1)
			f.Sites = []sourcing.Site{site("a", 10, 1, 0), site("b", 10, 0, 1), site("c", 900, 1, 1)}
			return f
		}, "c:1×1+2×1", ""},
		{"a filter leaves stores out", `
groups:
  - name: dcs
    filters: [{name: dc-only, keep: 'location.type == "dc"', reason: not a DC}]
    cost: [{term: carrier}]`, func() *sourcing.Facts {
			f := basket(1)
			f.Sites = []sourcing.Site{store(site("a", 1, 1)), site("b", 100, 1)}
			return f
		}, "b:1×1", ""},
		{"a filter per line leaves one line elsewhere", `
groups:
  - name: all
    filters: [{name: batteries, keep: '!("battery" in sku.tags) || location.type == "dc"', reason: no batteries from stores}]
    cost: [{term: carrier}]`, func() *sourcing.Facts {
			f := basket(1, 1)
			f.Lines[1].SKU.Tags = []string{"battery"}
			f.Sites = []sourcing.Site{store(site("a", 1, 1, 1)), site("b", 900, 0, 1)}
			return f
		}, "a:1×1 b:2×1", ""},
		{"the second group takes what the first left", `
groups:
  - name: dcs
    filters: [{name: dc-only, keep: 'location.type == "dc"', reason: not a DC}]
    cost: [{term: carrier}]
  - name: stores
    cost: [{term: carrier}]`, func() *sourcing.Facts {
			f := basket(3)
			f.Sites = []sourcing.Site{store(site("a", 1, 2)), site("b", 900, 2)}
			return f
		}, "a:1×1 b:1×2", ""},
		{"a group that must be complete places nothing else", `
groups:
  - name: dcs
    accept: complete
    filters: [{name: dc-only, keep: 'location.type == "dc"', reason: not a DC}]
    cost: [{term: carrier}]
  - name: stores
    cost: [{term: carrier}]`, func() *sourcing.Facts {
			f := basket(3)
			f.Sites = []sourcing.Site{store(site("a", 1, 3)), site("b", 900, 2)}
			return f
		}, "a:1×3", ""},
		{"in rank, the nearest that has everything", `
groups:
  - name: nearest
    sort: [{by: distance}]`, func() *sourcing.Facts {
			f := basket(2, 1)
			f.Sites = []sourcing.Site{site("a", 10, 1, 1), site("b", 20, 2, 1), site("c", 30, 2, 1)}
			return f
		}, "b:1×2+2×1", ""},
		{"an unknown distance ranks last", `
groups:
  - name: nearest
    sort: [{by: distance}]`, func() *sourcing.Facts {
			f := basket(1)
			f.Sites = []sourcing.Site{site("a", 20038, 1), site("b", 9000, 1)}
			f.Sites[0].Candidate.DistanceKnown = false
			return f
		}, "b:1×1", ""},
		{"capacity used up", carrierOnly, func() *sourcing.Facts {
			f := basket(1)
			f.Sites = []sourcing.Site{site("a", 1, 1), site("b", 900, 1)}
			f.Sites[0].OrdersLeft = 0
			return f
		}, "b:1×1", ""},
		{"capacity of units bounds a shipment", carrierOnly, func() *sourcing.Facts {
			f := basket(2, 2)
			f.Sites = []sourcing.Site{site("a", 1, 2, 2), site("b", 400, 2, 2)}
			f.Sites[0].UnitsLeft = 3
			return f
		}, "b:1×2+2×2", ""},
		{"no shipment at all is what a limit of 0 means", `
groups:
  - name: all
    cost: [{term: carrier}]
    limits: {max_shipments: 0}
otherwise: {action: hold, queue: stock}`, func() *sourcing.Facts {
			f := basket(1)
			f.Sites = []sourcing.Site{site("a", 1, 1)}
			return f
		}, "", "hold"},
		{"all or nothing", `
groups:
  - name: all
    cost: [{term: carrier}]
otherwise: {action: cancel, partial: false}`, func() *sourcing.Facts {
			f := basket(3)
			f.Sites = []sourcing.Site{site("a", 1, 2)}
			return f
		}, "", "cancel"},
		{"lateness costs more than the nearer carrier saves", `
groups:
  - name: all
    cost: [{term: carrier}, {term: lateness, value: "5000"}]`, func() *sourcing.Facts {
			f := basket(1)
			f.Wanted = noon.AddDate(0, 0, 2)
			f.Sites = []sourcing.Site{site("a", 100, 1), site("b", 200, 1)}
			f.Sites[0].Services[0].Deliver = noon.AddDate(0, 0, 3)
			return f
		}, "b:1×1", ""},
		{"the price of a scarce unit", `
prices: learned
groups:
  - name: all
    cost: [{term: carrier}, {term: opportunity}]`, func() *sourcing.Facts {
			f := basket(1)
			f.Sites = []sourcing.Site{site("a", 100, 1), site("b", 200, 1)}
			f.Sites[0].Prices = []int64{500}
			return f
		}, "b:1×1", ""},
		{"credit for what would be marked down", `
groups:
  - name: all
    cost: [{term: carrier}, {term: markdown, value: '"clearance" in location.tags ? 400 : 0'}]`, func() *sourcing.Facts {
			f := basket(1)
			f.Sites = []sourcing.Site{site("a", 100, 1), store(site("b", 300, 1), "clearance")}
			return f
		}, "b:1×1", ""},
		{"kept together", `
groups:
  - name: all
    limits: {keep_together: set}
    cost: [{term: carrier}]`, func() *sourcing.Facts {
			f := basket(1, 1)
			for i := range f.Lines {
				f.Lines[i].SKU.Attributes = map[string]string{"set": "x"}
			}
			f.Sites = []sourcing.Site{site("a", 1, 1, 0), site("b", 1, 0, 1), site("c", 2000, 1, 1)}
			return f
		}, "c:1×1+2×1", ""},
		{"a forced location", carrierOnly, func() *sourcing.Facts {
			f := basket(1)
			f.Forced = "b"
			f.Sites = []sourcing.Site{site("a", 1, 1), site("b", 900, 1)}
			return f
		}, "b:1×1", ""},
		{"a preferred location wins a tie", carrierOnly, func() *sourcing.Facts {
			f := basket(1)
			f.Preferred = []string{"b"}
			f.Sites = []sourcing.Site{site("a", 5, 1), site("b", 5, 1)}
			return f
		}, "b:1×1", ""},
		{"ties go to the lowest id", carrierOnly, func() *sourcing.Facts {
			f := basket(1)
			f.Sites = []sourcing.Site{site("a", 5, 1), site("b", 5, 1)}
			return f
		}, "a:1×1", ""},
		{"who refused is not asked again", carrierOnly, func() *sourcing.Facts {
			f := basket(1)
			f.Refused = []sourcing.Refusal{{Location: "a", Reason: "it refused"}}
			f.Sites = []sourcing.Site{site("a", 5, 1), site("b", 50, 1)}
			return f
		}, "b:1×1", ""},
		{"a filter that cannot be evaluated excludes", `
groups:
  - name: all
    filters: [{name: broken, keep: 'order.attributes["x"] == "y"', reason: x is not y}]
    cost: [{term: carrier}]`, func() *sourcing.Facts {
			f := basket(1)
			f.Sites = []sourcing.Site{site("a", 5, 1)}
			return f
		}, "", "backorder"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := sourcing.Decide(c.facts(), compile(t, c.policy), "tested@1")
			if got := placed(d); got != c.want || d.Otherwise != c.otherwise {
				t.Errorf("placed %q, otherwise %q; want %q, %q\n%s", got, d.Otherwise, c.want, c.otherwise, strings.Join(sourcing.Explain(d, 2), "\n"))
			}
		})
	}
}

const everything = `
groups:
  - name: near
    when: order.units < 30
    filters:
      - {name: near-enough, keep: candidate.distance_km < 700.0, reason: too far}
      - {name: enough-stock, keep: 'stock.available > 1 || location.type == "dc"', reason: the last unit stays in the store}
    cost:
      - {term: carrier}
      - {term: pick, value: 'location.type == "dc" ? 80 : 150'}
      - {term: pick-items, value: "20", per: unit}
      - {term: split, value: "200"}
      - {term: distance, value: "0.1"}
      - {term: risk, value: "300"}
      - {term: capacity, value: "50"}
      - {term: carbon, value: "10"}
      - {term: opportunity, weight: 0.5}
    limits: {max_shipments: 3, min_shipment_value: 1000}
  - name: anywhere
    sort: [{by: balance}, {by: distance}]
otherwise: {action: hold, queue: stock, cancel_after_hours: 48}`

func drawFacts(t *rapid.T) *sourcing.Facts {
	n := rapid.IntRange(1, 4).Draw(t, "lines")
	f := basket(rapid.SliceOfN(rapid.Int64Range(1, 4), n, n).Draw(t, "quantities")...)
	for i := range rapid.IntRange(0, 7).Draw(t, "sites") {
		s := site(fmt.Sprint("l", i), float64(rapid.SampledFrom([]int{1, 5, 5, 300, 900}).Draw(t, "km")), rapid.SliceOfN(rapid.Int64Range(0, 5), n, n).Draw(t, "available")...)
		s.Location.Type = rapid.SampledFrom([]string{"dc", "store"}).Draw(t, "type")
		s.Candidate.FailureRate = float64(rapid.IntRange(0, 4).Draw(t, "failures")) / 10
		s.Candidate.CapacityUsed = float64(rapid.IntRange(0, 4).Draw(t, "used")) / 4
		for k := range n {
			s.Stock = append(s.Stock, policy.Stock{Available: s.Available[k]})
			s.Prices = append(s.Prices, rapid.SampledFrom([]int64{0, 0, 100, 900}).Draw(t, "price"))
		}
		s.UnitsLeft = rapid.SampledFrom([]int64{exact.NoLimit, exact.NoLimit, 2, 5}).Draw(t, "units left")
		f.Sites = append(f.Sites, s)
	}
	return f
}

func encode(t *rapid.T, d *sourcing.Decision) string {
	b, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// What is decided adds up, keeps to what there is and to the rules.
func TestDecideProperties(t *testing.T) {
	t.Parallel()
	c := compile(t, everything)
	rapid.Check(t, func(t *rapid.T) {
		f := drawFacts(t)
		d := sourcing.Decide(f, c, "tested@1")
		given := map[string]int64{}
		at := map[string]map[string]int64{}
		var sum int64
		for _, s := range d.Shipments {
			var terms int64
			for _, term := range s.Terms {
				terms += term.Amount
			}
			if s.Cost != terms {
				t.Fatalf("shipment from %s costs %d, its terms add up to %d", s.Location, s.Cost, terms)
			}
			sum += s.Cost
			if at[s.Location] == nil {
				at[s.Location] = map[string]int64{}
			}
			for _, u := range s.Lines {
				given[u.Line] += u.Quantity
				at[s.Location][u.Line] += u.Quantity
			}
		}
		if sum != d.Cost {
			t.Fatalf("the decision costs %d, its shipments add up to %d", d.Cost, sum)
		}
		for _, s := range f.Sites {
			for i, l := range f.Lines {
				if got := at[s.Location.ID][l.ID]; got > s.Available[i] {
					t.Fatalf("%s gives %d of line %s, it has %d", s.Location.ID, got, l.ID, s.Available[i])
				}
			}
		}
		for _, u := range d.Unplaced {
			given[u.Line] += u.Quantity
		}
		for _, l := range f.Lines {
			if given[l.ID] != l.Quantity {
				t.Fatalf("line %s: %d of %d units are accounted for", l.ID, given[l.ID], l.Quantity)
			}
		}
		if (len(d.Unplaced) > 0) != (d.Otherwise != "") {
			t.Fatalf("unplaced %v, otherwise %q", d.Unplaced, d.Otherwise)
		}
	})
}

// The same facts in another order give the same bytes.
func TestDecideDoesNotDependOnTheOrderOfSites(t *testing.T) {
	t.Parallel()
	c := compile(t, everything)
	rapid.Check(t, func(t *rapid.T) {
		f := drawFacts(t)
		want := encode(t, sourcing.Decide(f, c, "tested@1"))
		if again := encode(t, sourcing.Decide(f, c, "tested@1")); again != want {
			t.Fatalf("decided twice:\n%s\nthen\n%s", want, again)
		}
		shuffled := *f
		shuffled.Sites = rapid.Permutation(f.Sites).Draw(t, "shuffled")
		if got := encode(t, sourcing.Decide(&shuffled, c, "tested@1")); got != want {
			t.Fatalf("shuffled sites give\n%s\nwant\n%s", got, want)
		}
	})
}

// What two groups give one location leaves in one parcel.
func TestGroupsShareAParcel(t *testing.T) {
	t.Parallel()
	c := compile(t, `
groups:
  - name: first
    products: {include: [a]}
    cost: [{term: carrier}, {term: pick, value: "100"}]
  - name: second
    cost: [{term: carrier}, {term: pick, value: "100"}]`)
	f := basket(1, 1)
	f.Lines[0].SKU.Tags = []string{"a"}
	f.Sites = []sourcing.Site{site("x", 10, 1, 1)}
	d := sourcing.Decide(f, c, "tested@1")
	// 10 km: 310 + 50 a kg begun; both lines together weigh 1 kg.
	if placed(d) != "x:1×1+2×1" || d.Shipments[0].Carrier != 360 || d.Cost != 360+200 || len(d.Shipments) != 1 {
		t.Errorf("%+v", d)
	}
}

// An explanation is a contract with people: golden.
func TestExplain(t *testing.T) {
	t.Parallel()
	f := basket(2, 1)
	f.Order.Units = 3
	f.Sites = []sourcing.Site{site("berlin", 5, 2, 0), site("bonn", 480, 2, 1), site("dresden", 190, 0, 1), site("rome", 1180, 9, 9), site("ulm", 520, 2, 1)}
	for i := range f.Sites {
		f.Sites[i].Stock = []policy.Stock{{Available: f.Sites[i].Available[0]}, {Available: f.Sites[i].Available[1]}}
	}
	d := sourcing.Decide(f, compile(t, everything), "everything@7")
	body, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(sourcing.Explain(d, 2), "\n") + "\n\n" + string(body) + "\n"
	path := filepath.Join("testdata", "explain.txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func BenchmarkDecide(b *testing.B) {
	for _, sites := range []int{25, 500} {
		b.Run(fmt.Sprint(sites), func(b *testing.B) {
			c := compile(b, everything)
			f := basket(1, 2, 1)
			for i := range sites {
				s := site(fmt.Sprintf("l%04d", i), float64(i*7%600), int64(i%3), int64(i%4), int64(i%2))
				s.Stock = make([]policy.Stock, 3)
				s.Prices = make([]int64, 3)
				f.Sites = append(f.Sites, s)
			}
			b.ReportAllocs()
			for b.Loop() {
				sourcing.Decide(f, c, "tested@1")
			}
		})
	}
}
