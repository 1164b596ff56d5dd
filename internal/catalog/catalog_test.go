package catalog_test

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/orderly-oms/orderly/internal/catalog"
	"github.com/orderly-oms/orderly/internal/money"
	"github.com/orderly-oms/orderly/internal/problem"
)

func pointers(err error) string {
	var v problem.Invalid
	errors.As(err, &v)
	var list []string
	for _, f := range v {
		list = append(list, f.Pointer+":"+f.Code)
	}
	return strings.Join(list, " ")
}

func TestGTIN(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]bool{
		"96385074": true, "036000291452": true, "4006381333931": true, "10614141000415": true, "00000000": true,
		"4006381333932": false, "4006381333913": false, "400638133393": false, "40063813339310": false,
		"": false, "400638133393x": false, "123456789": false,
	} {
		if got := catalog.ValidGTIN(code); got != want {
			t.Errorf("ValidGTIN(%q) = %v", code, got)
		}
	}
}

func TestValidateNamesEveryBadField(t *testing.T) {
	t.Parallel()
	s := catalog.SKU{
		SKU: "kit", Name: "a\nb", GTIN: "4006381333932", Barcodes: []string{"1", "1"},
		WeightG: -1, LengthMM: catalog.MaxLengthMM + 1, WidthMM: -1, HeightMM: -1, Price: &money.Money{Amount: -1, Currency: "XXX"},
		Components: []catalog.Component{{SKU: "kit", Quantity: 1}, {SKU: "a", Quantity: 0}, {SKU: "a", Quantity: 1}, {Quantity: 1}},
		Tags:       []string{""}, Category: "\x00", Attributes: map[string]string{"": "x", "b": "\t", "a": strings.Repeat("x", catalog.MaxAttributeValueBytes+1)},
	}
	want := "name:malformed gtin:malformed barcodes[1]:duplicate weight_g:out_of_range length_mm:out_of_range width_mm:out_of_range height_mm:out_of_range " +
		"price.amount:out_of_range price.currency:unknown components[0].sku:conflict components[1].quantity:out_of_range components[2].sku:duplicate components[3].sku:required " +
		"tags[0]:required category:malformed attributes:malformed attributes.a:too_long attributes.b:malformed"
	if got := pointers(s.Validate()); got != want {
		t.Errorf("bad fields\n got %s\nwant %s", got, want)
	}
	kit := catalog.SKU{SKU: "k"}
	for i := range catalog.MaxComponents {
		kit.Components = append(kit.Components, catalog.Component{SKU: fmt.Sprint(i), Quantity: catalog.MaxComponentQuantity})
	}
	if err := kit.Validate(); err != nil {
		t.Error(err)
	}
	kit.Components = append(kit.Components, catalog.Component{SKU: "one more", Quantity: 1})
	if got := pointers(kit.Validate()); got != "components:too_long" {
		t.Error(got)
	}
}

func anySKU() *rapid.Generator[catalog.SKU] {
	return rapid.Custom(func(t *rapid.T) catalog.SKU {
		text := func(name string) string { return rapid.StringN(0, 20, -1).Draw(t, name) }
		texts := func(name string) []string {
			list := rapid.SliceOfN(rapid.StringN(1, 10, -1), 0, 3).Draw(t, name)
			if len(list) == 0 {
				return nil
			}
			return list
		}
		s := catalog.SKU{
			SKU: rapid.StringN(1, 20, -1).Draw(t, "sku"), Name: text("name"), GTIN: text("gtin"), Barcodes: texts("barcodes"),
			Tags: texts("tags"), Category: text("category"),
		}
		if rapid.Bool().Draw(t, "sized") {
			s.WeightG, s.HeightMM = rapid.Int64().Draw(t, "weight"), rapid.Int64().Draw(t, "height")
		}
		if rapid.Bool().Draw(t, "priced") {
			s.Price = &money.Money{Amount: rapid.Int64().Draw(t, "price"), Currency: "EUR"}
		}
		if rapid.Bool().Draw(t, "decided") {
			active := rapid.Bool().Draw(t, "active")
			s.Active = &active
		}
		for _, id := range texts("components") {
			s.Components = append(s.Components, catalog.Component{SKU: id, Quantity: rapid.Int64().Draw(t, "quantity")})
		}
		for _, name := range texts("attributes") {
			if s.Attributes == nil {
				s.Attributes = make(map[string]string)
			}
			s.Attributes[name] = text("value")
		}
		return s
	})
}

// TestCatalogKeepsWhatWasPut compares the catalog with a plain map.
func TestCatalogKeepsWhatWasPut(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c, model := catalog.New(), make(map[string]catalog.SKU)
		for range rapid.IntRange(0, 30).Draw(t, "steps") {
			s := anySKU().Draw(t, "s")
			if rapid.Bool().Draw(t, "short id") {
				s.SKU = rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "id")
			}
			if rapid.IntRange(0, 3).Draw(t, "delete") == 0 {
				if _, had := model[s.SKU]; c.Delete(s.SKU) != had {
					t.Fatalf("Delete(%q) does not tell whether there was one", s.SKU)
				}
				delete(model, s.SKU)
				continue
			}
			c.Put(&s)
			model[s.SKU] = s
		}
		if c.Len() != len(model) {
			t.Fatalf("Len() = %d, want %d", c.Len(), len(model))
		}
		var ids []string
		for s := range c.All() {
			ids = append(ids, s.SKU)
			if want := model[s.SKU]; !reflect.DeepEqual(s, want) || !c.Has(s.SKU) {
				t.Fatalf("%q came back as %+v, want %+v", s.SKU, s, want)
			}
		}
		if !slices.IsSorted(ids) || len(ids) != len(model) {
			t.Fatalf("All() gives %q of %d", ids, len(model))
		}
		var paged []string
		for after, limit := "", rapid.IntRange(1, 5).Draw(t, "limit"); ; {
			page := c.Page(after, limit)
			if len(page) == 0 {
				break
			}
			for _, s := range page {
				paged = append(paged, s.SKU)
			}
			after = paged[len(paged)-1]
		}
		if !slices.Equal(paged, ids) {
			t.Fatalf("pages give %q, want %q", paged, ids)
		}
	})
}

func TestKitsDoNotNest(t *testing.T) {
	t.Parallel()
	c := catalog.New()
	kit := func(id string, parts ...string) *catalog.SKU {
		s := catalog.SKU{SKU: id}
		for _, p := range parts {
			s.Components = append(s.Components, catalog.Component{SKU: p, Quantity: 1})
		}
		return &s
	}
	c.Put(kit("box", "cup", "spoon"))
	if got := pointers(c.Check(kit("crate", "cup", "box"))); got != "components[1].sku:conflict" {
		t.Errorf("kit of a kit: %s", got)
	}
	if got := pointers(c.Check(kit("cup", "handle"))); got != "components:conflict" {
		t.Errorf("component becomes a kit: %s", got)
	}
	if err := errors.Join(c.Check(kit("box", "plate")), c.Check(kit("cup")), c.Check(kit("tray", "cup", "unseen"))); err != nil {
		t.Error(err)
	}
	c.Put(kit("box", "plate"))
	if err := c.Check(kit("cup", "handle")); err != nil {
		t.Errorf("after the kit changed: %v", err)
	}
	c.Delete("box")
	if err := c.Check(kit("plate", "handle")); err != nil {
		t.Errorf("after the kit is gone: %v", err)
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	c := catalog.New()
	var group sync.WaitGroup
	for w := range 4 {
		group.Go(func() {
			for i := range 500 {
				s := catalog.SKU{SKU: fmt.Sprint(i), Components: []catalog.Component{{SKU: "part", Quantity: int64(w + 1)}}}
				c.Put(&s)
				if got, ok := c.Get(s.SKU); !ok || got.SKU != s.SKU || len(got.Components) != 1 {
					t.Errorf("Get(%s) = %+v, %v", s.SKU, got, ok)
				}
				c.Page("", 3)
			}
		})
	}
	group.Wait()
	if c.Len() != 500 {
		t.Errorf("Len() = %d", c.Len())
	}
	for i := range 500 {
		c.Delete(fmt.Sprint(i))
	}
	part := catalog.SKU{SKU: "part", Components: []catalog.Component{{SKU: "x", Quantity: 1}}}
	if err := c.Check(&part); err != nil || c.Len() != 0 {
		t.Errorf("kits were miscounted: %v, %d left", err, c.Len())
	}
}

func plain(i int) *catalog.SKU {
	return &catalog.SKU{
		SKU: fmt.Sprintf("SKU-%08d", i), Name: fmt.Sprintf("Plain article number %d", i), GTIN: "4006381333931",
		WeightG: 350, LengthMM: 200, WidthMM: 100, HeightMM: 50, Price: &money.Money{Amount: 1999, Currency: "EUR"}, Category: "home",
	}
}

func BenchmarkMillionSKUs(b *testing.B) {
	const n = 1_000_000
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	c := catalog.New()
	for i := range n {
		c.Put(plain(i))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.Run("get", func(b *testing.B) {
		b.ReportAllocs()
		id := plain(n / 2).SKU
		for b.Loop() {
			if _, ok := c.Get(id); !ok {
				b.Fatal(id)
			}
		}
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/sku")
	})
	b.Run("page", func(b *testing.B) {
		for b.Loop() {
			c.Page("SKU-00500000", 100)
		}
	})
}

func TestNamesOfCapacityAreNoSKUs(t *testing.T) {
	t.Parallel()
	for sku, want := range map[string]string{"capacity/orders/2026-11-26": "sku:malformed", "capacity/": "sku:malformed", "capacity": "", "Capacity/1": "", "x/capacity/": ""} {
		if got := pointers((&catalog.SKU{SKU: sku}).Validate()); got != want {
			t.Errorf("%q: %q, want %q", sku, got, want)
		}
	}
}
