package sim

import (
	"fmt"
	"math"
	"strings"

	"github.com/orderly-oms/orderly/internal/catalog"
	"github.com/orderly-oms/orderly/internal/money"
)

// Size of the catalog.
const (
	skuCount = 2000
	kitCount = 40
	// clearanceShare is of models that are to be gone by the end of the season.
	clearanceShare = .12
)

// family is a kind of article with its variants.
type family struct {
	code, category, noun string
	sizes                []string
	coloured             bool
	cents                [2]int64 // list price, from and to
	grams                [2]int64
	mm                   [3]int64 // length, width and height of the packed article
}

var (
	clothes = []string{"XS", "S", "M", "L", "XL"}
	shoes   = []string{"37", "38", "39", "40", "41", "42", "43", "44"}
	once    = []string{""}

	families = []family{
		{"SHI", "Clothing", "Linen Shirt", clothes, true, [2]int64{3999, 6999}, [2]int64{210, 290}, [3]int64{320, 240, 30}},
		{"TEE", "Clothing", "Cotton T-Shirt", clothes, true, [2]int64{1499, 2999}, [2]int64{140, 200}, [3]int64{300, 220, 20}},
		{"JUM", "Clothing", "Merino Jumper", clothes, true, [2]int64{6999, 11999}, [2]int64{320, 480}, [3]int64{340, 260, 60}},
		{"RAI", "Clothing", "Rain Jacket", clothes, true, [2]int64{7999, 15999}, [2]int64{480, 760}, [3]int64{360, 280, 80}},
		{"CHI", "Clothing", "Chino Trousers", clothes, true, [2]int64{4999, 7999}, [2]int64{420, 560}, [3]int64{340, 260, 40}},
		{"DRE", "Clothing", "Jersey Dress", clothes, true, [2]int64{4499, 8999}, [2]int64{260, 380}, [3]int64{340, 260, 40}},
		{"SNE", "Shoes", "Leather Sneakers", shoes, true, [2]int64{7999, 12999}, [2]int64{850, 1150}, [3]int64{330, 210, 120}},
		{"BOO", "Shoes", "Chelsea Boots", shoes, true, [2]int64{11999, 17999}, [2]int64{1100, 1500}, [3]int64{340, 260, 130}},
		{"TRA", "Shoes", "Trail Shoes", shoes, true, [2]int64{8999, 14999}, [2]int64{650, 900}, [3]int64{330, 210, 120}},
		{"MUG", "Home", "Stoneware Mug", once, true, [2]int64{899, 1699}, [2]int64{320, 420}, [3]int64{130, 110, 110}},
		{"PLA", "Home", "Dinner Plate", once, true, [2]int64{1099, 1999}, [2]int64{620, 780}, [3]int64{280, 280, 40}},
		{"THR", "Home", "Wool Throw", []string{"130 x 170 cm", "150 x 200 cm"}, true, [2]int64{5999, 12999}, [2]int64{900, 1500}, [3]int64{400, 320, 140}},
		{"CUS", "Home", "Linen Cushion", []string{"40 x 40 cm", "50 x 50 cm"}, true, [2]int64{1999, 3999}, [2]int64{350, 600}, [3]int64{400, 400, 120}},
		{"TOW", "Home", "Bath Towel", []string{"50 x 100 cm", "70 x 140 cm"}, true, [2]int64{1299, 3499}, [2]int64{280, 650}, [3]int64{340, 260, 80}},
		{"LAM", "Home", "Table Lamp", once, true, [2]int64{3999, 9999}, [2]int64{1300, 2600}, [3]int64{360, 280, 280}},
		{"PAN", "Kitchen", "Cast Iron Pan", []string{"20 cm", "24 cm", "28 cm"}, false, [2]int64{3499, 7999}, [2]int64{1700, 3600}, [3]int64{480, 300, 70}},
		{"KNI", "Kitchen", "Chef's Knife", []string{"16 cm", "20 cm"}, false, [2]int64{3999, 12999}, [2]int64{180, 320}, [3]int64{380, 90, 40}},
		{"BOA", "Kitchen", "Oak Cutting Board", []string{"S", "M", "L"}, false, [2]int64{1999, 4999}, [2]int64{700, 2200}, [3]int64{450, 300, 40}},
		{"ESP", "Kitchen", "Espresso Maker", []string{"3 cups", "6 cups"}, false, [2]int64{2499, 4999}, [2]int64{520, 820}, [3]int64{200, 160, 120}},
		{"BAC", "Outdoor", "Hiking Backpack", []string{"18 l", "25 l", "40 l"}, true, [2]int64{5999, 16999}, [2]int64{650, 1500}, [3]int64{560, 320, 180}},
		{"BOT", "Outdoor", "Insulated Bottle", []string{"0.5 l", "0.75 l", "1 l"}, true, [2]int64{1999, 3499}, [2]int64{290, 480}, [3]int64{290, 90, 90}},
		{"SLE", "Outdoor", "Sleeping Bag", []string{"Regular", "Long"}, false, [2]int64{7999, 19999}, [2]int64{900, 1800}, [3]int64{420, 240, 240}},
		{"TRN", "Toys", "Wooden Train", once, true, [2]int64{1999, 4999}, [2]int64{600, 1400}, [3]int64{340, 240, 90}},
		{"PUZ", "Toys", "Puzzle", []string{"500 pieces", "1000 pieces"}, false, [2]int64{1299, 2499}, [2]int64{520, 860}, [3]int64{330, 230, 60}},
		{"SPE", "Electronics", "Bluetooth Speaker", once, true, [2]int64{4999, 14999}, [2]int64{480, 1300}, [3]int64{220, 120, 110}},
		{"HEA", "Electronics", "Wireless Headphones", once, true, [2]int64{6999, 24999}, [2]int64{250, 420}, [3]int64{220, 190, 90}},
	}
	collections = []string{"Alster", "Fjord", "Heide", "Isar", "Kiesel", "Lumen", "Nordsee", "Rhön", "Saale", "Tide", "Wald", "Zephyr", "Anker", "Birke"}
	colours     = []struct{ code, name string }{
		{"NVY", "Navy"}, {"SND", "Sand"}, {"OLV", "Olive"}, {"BLK", "Black"}, {"WHT", "White"}, {"RST", "Rust"}, {"SKY", "Sky Blue"}, {"FIR", "Fir Green"},
	}
	plain = []struct{ code, name string }{{"", ""}}
)

// gtin13 completes 12 digits with the GS1 check digit.
func gtin13(twelve string) string {
	sum := 0
	for i, d := range twelve {
		weight := 1
		if i%2 == 1 {
			weight = 3
		}
		sum += int(d-'0') * weight
	}
	return twelve + string(rune('0'+(10-sum%10)%10))
}

// goods makes the catalog: plain articles, then kits of them.
func goods(seed uint64) []catalog.SKU {
	c := newChance(seed, "goods")
	out := make([]catalog.SKU, 0, skuCount)
	for model := 0; len(out) < skuCount-kitCount; model++ {
		f := families[model%len(families)]
		collection := collections[(model/len(families))%len(collections)]
		out = append(out, variants(c, f, collection, model, min(skuCount-kitCount-len(out), 40))...)
	}
	for i := range out {
		// Numbers that begin with 2 are free for use within a company: no real article has them.
		out[i].GTIN = gtin13(fmt.Sprintf("2%011d", 40_000+i))
	}
	return append(out, kits(c, out)...)
}

// variants are the colours and sizes of one model, at most so many.
func variants(c chance, f family, collection string, model, most int) []catalog.SKU {
	price := c.whole(f.cents[0]/100, f.cents[1]/100)*100 + 99
	grams := c.whole(f.grams[0], f.grams[1])
	tones := plain
	if f.coloured {
		first := c.r.IntN(len(colours) - 2)
		tones = colours[first : first+3]
	}
	clearance := c.happens(clearanceShare)
	var out []catalog.SKU
	for _, tone := range tones {
		for i, size := range f.sizes {
			if len(out) == most {
				return out
			}
			id, name := fmt.Sprintf("%s-%03d", f.code, model+100), collection+" "+f.noun
			attributes := map[string]string{"collection": collection}
			if tone.code != "" {
				id, name = id+"-"+tone.code, name+", "+tone.name
				attributes["colour"] = tone.name
			}
			attributes[catalog.StyleAttribute] = id
			if size != "" {
				code, _, _ := strings.Cut(strings.ReplaceAll(size, ".", ""), " ")
				id, name = id+"-"+code, name+", "+size
				attributes["size"] = size
			}
			grow := 1 + 0.12*float64(i) // of variants by size
			if f.category == "Clothing" || f.category == "Shoes" {
				grow = 1 + 0.03*float64(i)
			}
			s := catalog.SKU{
				SKU: id, Name: name, Category: f.category, WeightG: int64(math.Round(float64(grams) * grow)),
				LengthMM: f.mm[0], WidthMM: f.mm[1], HeightMM: f.mm[2],
				Price: &money.Money{Amount: price, Currency: currency}, Attributes: attributes,
			}
			label(&s, f, clearance)
			if f.category != "Clothing" && f.category != "Shoes" {
				s.Price.Amount += int64(i) * 500
			}
			out = append(out, s)
		}
	}
	return out
}

// label gives an article the tags that policies ask for.
func label(s *catalog.SKU, f family, clearance bool) {
	if clearance {
		s.Tags = append(s.Tags, "clearance")
	}
	if f.category == "Electronics" {
		s.Tags = append(s.Tags, "battery", "hazmat") // lithium cells: no air freight
		s.Attributes["hazard_class"] = "UN3481"
	}
	if s.LengthMM >= 450 {
		s.Tags = append(s.Tags, "bulky")
	}
}

// kits are sets of articles of one category, 10 % below their prices.
func kits(c chance, articles []catalog.SKU) []catalog.SKU {
	byCategory := map[string][]int{}
	for i := range articles {
		byCategory[articles[i].Category] = append(byCategory[articles[i].Category], i)
	}
	names := map[string]string{"Home": "Home Set", "Kitchen": "Kitchen Set", "Outdoor": "Trail Set", "Toys": "Play Set"}
	categories := []string{"Home", "Kitchen", "Outdoor", "Toys"}
	out := make([]catalog.SKU, kitCount)
	for n := range out {
		category := categories[n%len(categories)]
		s := &out[n]
		*s = catalog.SKU{
			SKU: fmt.Sprintf("SET-%03d", n+1), Category: category, Tags: []string{"kit"},
			Name: fmt.Sprintf("%s No. %d", names[category], n/len(categories)+1), GTIN: gtin13(fmt.Sprintf("2%011d", 90_000+n)),
			Price: &money.Money{Currency: currency},
		}
		for len(s.Components) < 2+n%2 {
			part := &articles[pick(c, byCategory[category])]
			if hasComponent(s, part.SKU) {
				continue
			}
			quantity := int64(1)
			if part.Price.Amount < 2000 {
				quantity = 2
			}
			s.Components = append(s.Components, catalog.Component{SKU: part.SKU, Quantity: quantity})
			s.Price.Amount += part.Price.Amount * quantity
			s.WeightG += part.WeightG * quantity
		}
		s.Price.Amount = s.Price.Amount*9/1000*10 + 9
	}
	return out
}

func hasComponent(s *catalog.SKU, sku string) bool {
	for _, p := range s.Components {
		if p.SKU == sku {
			return true
		}
	}
	return false
}
