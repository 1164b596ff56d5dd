package policy

import (
	"fmt"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestOffer(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		rule               *CompiledBuffer
		free, safety, want int64
	}{
		{nil, 10, 3, 7},
		{nil, 2, 3, 0},
		{&CompiledBuffer{Safety: 5}, 10, 3, 5}, // the larger, once
		{&CompiledBuffer{Safety: 2}, 10, 3, 7},
		{&CompiledBuffer{Buffer: 2, Safety: 2}, 10, 3, 5},
		{&CompiledBuffer{Percent: 10}, 11, 0, 9}, // 1.1 is rounded up
		{&CompiledBuffer{Percent: 100}, 11, 0, 0},
		{&CompiledBuffer{Percent: 99}, 1, 0, 0},
		{&CompiledBuffer{Hide: true}, 11, 0, 0},
		{&CompiledBuffer{}, 0, 0, 0},
		{&CompiledBuffer{}, -4, 0, 0},
	} {
		if got := x.rule.Offer(x.free, x.safety); got != x.want {
			t.Errorf("%+v of %d with safety %d offers %d, want %d", x.rule, x.free, x.safety, got, x.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		r := &CompiledBuffer{Percent: rapid.Int64Range(0, 100).Draw(t, "percent")}
		free := rapid.Int64Range(0, 1<<62).Draw(t, "free")
		held := new(big.Int).Mul(big.NewInt(free), big.NewInt(r.Percent))
		held.Add(held, big.NewInt(99)).Div(held, big.NewInt(100))
		if want := free - held.Int64(); r.Offer(free, 0) != want {
			t.Fatalf("%d %% of %d: offers %d, want %d", r.Percent, free, r.Offer(free, 0), want)
		}
	})
}

func TestChooseTakesTheFirstRow(t *testing.T) {
	t.Parallel()
	c, err := CompileText([]byte(`
kind: availability
name: x
availability:
  rules:
    - {name: odd, when: 'sku.attributes["size"] == "odd"', buffer: 9}
    - {name: web, channels: [web], types: [store], buffer: 2}
    - {name: small, locations: {include: [small]}, products: {exclude: [bulky]}, buffer: 1}
`))
	if err != nil {
		t.Fatal(err)
	}
	at := func(channel, typ, tags, product string) string {
		f := &Facts{Order: &Order{Channel: channel}, Location: &Location{Type: typ, Tags: strings.Fields(tags)}, SKU: &SKU{Tags: strings.Fields(product), Attributes: map[string]string{"size": "M"}}}
		r, err := c.Availability.Choose(f)
		if err != nil {
			t.Error(err)
		}
		if r == nil {
			return "none"
		}
		return r.Name
	}
	for _, x := range [][5]string{{"web", "store", "small", "", "web"}, {"pos", "store", "small", "", "small"}, {"web", "dc", "small", "bulky", "none"}} {
		if got := at(x[0], x[1], x[2], x[3]); got != x[4] {
			t.Errorf("%v: row %s decides", x, got)
		}
	}
	r, err := c.Availability.Choose(&Facts{Order: &Order{Channel: "web"}, Location: &Location{Type: "store"}, SKU: &SKU{}})
	if r == nil || r.Name != "web" || err == nil || !strings.Contains(err.Error(), "rule odd") {
		t.Errorf("a row that fails: %v %v", r, err)
	}
}

// TestUnreachableRowsNeverDecide makes tables and looks for facts that a row decides
// although it was called unreachable, or two matching rows that were not called overlapping.
func TestUnreachableRowsNeverDecide(t *testing.T) {
	t.Parallel()
	list := func(t *rapid.T, label string, from ...string) string {
		return "[" + strings.Join(rapid.SliceOfNDistinct(rapid.SampledFrom(from), 0, 2, rapid.ID).Draw(t, label), ", ") + "]"
	}
	condition := rapid.SampledFrom([]string{
		"sku.price > 100", "sku.price >= 100", "sku.price < 100", "sku.price == 100", "sku.price != 100", "sku.price > 50", "90 < sku.price",
		`sku.category == "tv"`, `sku.category != "tv"`, `sku.category == "radio"`, "sku.kit", "!sku.kit", `"small" in location.tags`, "sku.weight_g > sku.price",
	})
	flagged := 0
	rapid.Check(t, func(t *rapid.T) {
		var b strings.Builder
		b.WriteString("kind: availability\nname: x\navailability:\n  rules:\n")
		n := rapid.IntRange(2, 5).Draw(t, "rows")
		for i := range n {
			when := strings.Join(rapid.SliceOfN(condition, 0, 2).Draw(t, "when"), " && ")
			fmt.Fprintf(&b, "    - {name: r%d, buffer: %d, channels: %s, types: %s, products: {include: %s}, when: '%s'}\n",
				i, i, list(t, "channels", "web", "pos"), list(t, "types", "dc", "store"), list(t, "tags", "a", "b"), when)
		}
		d, err := Parse([]byte(b.String()))
		if err != nil {
			t.Fatal(err)
		}
		c := &compiler{doc: d, places: d.places}
		table := c.availability(d.Availability)
		unreachable, overlap := map[string]bool{}, map[string]bool{}
		for _, p := range c.bad {
			if p.Code != CodeUnreachable {
				t.Fatalf("%s\n%s", b.String(), p)
			}
			unreachable[strings.TrimSuffix(p.Pointer, ".when")] = true
			flagged++
		}
		for _, p := range c.warn {
			overlap[p.Pointer] = true
		}
		f := &Facts{
			Order:    &Order{Channel: rapid.SampledFrom([]string{"web", "pos", "app"}).Draw(t, "channel")},
			Location: &Location{Type: rapid.SampledFrom([]string{"dc", "store", "vendor"}).Draw(t, "type"), Tags: rapid.SliceOfN(rapid.SampledFrom([]string{"small", "large"}), 0, 2).Draw(t, "location")},
			SKU: &SKU{
				Price: rapid.SampledFrom([]int64{50, 51, 90, 91, 99, 100, 101}).Draw(t, "price"), WeightG: 95, Kit: rapid.Bool().Draw(t, "kit"),
				Category: rapid.SampledFrom([]string{"tv", "radio", ""}).Draw(t, "category"), Tags: rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 2).Draw(t, "product"),
			},
		}
		rule, err := table.Choose(f)
		if err != nil {
			t.Fatal(err)
		}
		if rule != nil && unreachable[fmt.Sprintf("availability.rules[%s]", rule.Name[1:])] {
			t.Fatalf("row %s decides but is unreachable\n%s", rule.Name, b.String())
		}
		for i := range table.Rules {
			for j := range i {
				x, _ := table.Rules[j].matches(f)
				y, _ := table.Rules[i].matches(f)
				p := fmt.Sprintf("availability.rules[%d]", i)
				rows := [2]row{rowOf(&table.Rules[j]), rowOf(&table.Rules[i])}
				if x && y && rows[0].apart(&rows[1]) {
					t.Fatalf("rows %d and %d both match but are called apart (%s)\n%s", j, i, p, b.String())
				}
			}
		}
	})
	if flagged == 0 {
		t.Error("no row was called unreachable")
	}
}

func rowOf(r *CompiledBuffer) row {
	return row{channels: r.Channels, types: r.Types, locations: r.Locations, products: r.Products, when: conjuncts(r.When)}
}
