package catalog_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/orderly-oms/orderly/internal/catalog"
)

// Siblings are the SKUs of a style, whatever was put, replaced and deleted before.
func TestSiblings(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c, model := catalog.New(), map[string]string{}
		for range rapid.IntRange(0, 40).Draw(t, "steps") {
			sku := fmt.Sprint("s", rapid.IntRange(0, 5).Draw(t, "sku"))
			if rapid.Bool().Draw(t, "delete") {
				c.Delete(sku)
				delete(model, sku)
				continue
			}
			style := rapid.SampledFrom([]string{"", "shirt", "shoe"}).Draw(t, "style")
			s := &catalog.SKU{SKU: sku}
			if style != "" {
				s.Attributes = map[string]string{catalog.StyleAttribute: style, "size": "M"}
			}
			c.Put(s)
			model[sku] = style
		}
		for _, style := range []string{"shirt", "shoe"} {
			var want []string
			for sku, s := range model {
				if s == style {
					want = append(want, sku)
				}
			}
			slices.Sort(want)
			if got := c.Siblings(style); !slices.Equal(got, want) {
				t.Fatalf("%s: %v, want %v", style, got, want)
			}
		}
	})
}
