package bulk

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/catalog"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/money"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/problem"
)

// Stock is one counted position.
type Stock struct {
	SKU      string `json:"sku"`
	Location string `json:"location"`
	OnHand   int64  `json:"on_hand"` // stock units
	// AsOf is when it was counted; zero: when the file came.
	AsOf time.Time `json:"as_of,omitzero"`
}

// uncounted marks a row without on_hand, which must not read as a count of 0.
const uncounted = math.MinInt64

// Validate reports every field that is wrong.
func (s *Stock) Validate() error {
	var v problem.Invalid
	v.ID("sku", s.SKU)
	v.ID("location", s.Location)
	if s.OnHand == uncounted {
		v.Add("on_hand", problem.Required, "is required")
	} else {
		v.Range("on_hand", s.OnHand, 0, inventory.MaxQuantity)
	}
	return v.Err()
}

// StockTable reads and writes counted positions.
var StockTable = &Table[Stock]{
	name:    "stock",
	id:      func(s *Stock) string { return s.SKU },
	check:   (*Stock).Validate,
	prepare: func(s *Stock) { s.OnHand = uncounted },
	columns: []column[Stock]{
		text("sku", "sku", func(s *Stock) *string { return &s.SKU }),
		text("location", "location", func(s *Stock) *string { return &s.Location }),
		number("on_hand", "on_hand", func(s *Stock) *int64 { return &s.OnHand }),
		instant("as_of", "as_of", func(s *Stock) *time.Time { return &s.AsOf }),
	},
}

// SupplyTable reads and writes expected stock.
var SupplyTable = &Table[inventory.Supply]{
	name:  "supply",
	id:    func(s *inventory.Supply) string { return s.ID },
	check: checkSupply,
	columns: []column[inventory.Supply]{
		text("id", "id", func(s *inventory.Supply) *string { return &s.ID }),
		text("sku", "sku", func(s *inventory.Supply) *string { return &s.SKU }),
		text("location", "location", func(s *inventory.Supply) *string { return &s.Location }),
		number("quantity", "quantity", func(s *inventory.Supply) *int64 { return &s.Quantity }),
		instant("expected_at", "expected_at", func(s *inventory.Supply) *time.Time { return &s.ExpectedAt }),
		text("kind", "kind", func(s *inventory.Supply) *inventory.SupplyKind { return &s.Kind }),
		text("reference", "reference", func(s *inventory.Supply) *string { return &s.Reference }),
	},
}

func checkSupply(s *inventory.Supply) error {
	var v problem.Invalid
	v.ID("id", s.ID)
	v.ID("sku", s.SKU)
	v.ID("location", s.Location)
	v.Range("quantity", s.Quantity, 1, inventory.MaxQuantity)
	if s.ExpectedAt.IsZero() {
		v.Add("expected_at", problem.Required, "is required")
	}
	problem.OneOf(&v, "kind", s.Kind, inventory.PurchaseOrder, inventory.Transfer)
	v.Text("reference", s.Reference, problem.MaxIDBytes)
	return v.Err()
}

// unpriced marks a price of which only the currency was read.
const unpriced = math.MinInt64

// SKUTable reads and writes the catalog. The price is a decimal in the row's currency.
var SKUTable = &Table[catalog.SKU]{
	name:  "skus",
	id:    func(s *catalog.SKU) string { return s.SKU },
	check: (*catalog.SKU).Validate,
	finish: func(s *catalog.SKU) {
		if s.Price != nil && s.Price.Amount == unpriced {
			s.Price = nil
		}
	},
	columns: []column[catalog.SKU]{
		text("sku", "sku", func(s *catalog.SKU) *string { return &s.SKU }),
		text("name", "name", func(s *catalog.SKU) *string { return &s.Name }),
		text("gtin", "gtin", func(s *catalog.SKU) *string { return &s.GTIN }),
		list("barcodes", "barcodes", func(s *catalog.SKU) *[]string { return &s.Barcodes }),
		number("weight_g", "weight_g", func(s *catalog.SKU) *int64 { return &s.WeightG }),
		number("length_mm", "length_mm", func(s *catalog.SKU) *int64 { return &s.LengthMM }),
		number("width_mm", "width_mm", func(s *catalog.SKU) *int64 { return &s.WidthMM }),
		number("height_mm", "height_mm", func(s *catalog.SKU) *int64 { return &s.HeightMM }),
		{"currency", "price.currency", getCurrency, func(s *catalog.SKU, cell string) error {
			s.Price = &money.Money{Amount: unpriced, Currency: cell}
			return nil
		}},
		{"price", "price.amount", getPrice, setPrice}, // set after the currency, which says how to read it
		{"components", "components", getComponents, setComponents},
		list("tags", "tags", func(s *catalog.SKU) *[]string { return &s.Tags }),
		text("category", "category", func(s *catalog.SKU) *string { return &s.Category }),
		flag("active", "active", func(s *catalog.SKU) **bool { return &s.Active }),
		{"attributes", "attributes", getAttributes, setAttributes},
	},
}

func getCurrency(s *catalog.SKU) string {
	if s.Price == nil {
		return ""
	}
	return s.Price.Currency
}

func getPrice(s *catalog.SKU) string {
	if s.Price == nil {
		return ""
	}
	return money.Format(s.Price.Amount, s.Price.Currency)
}

func setPrice(s *catalog.SKU, cell string) (err error) {
	if s.Price == nil {
		return fmt.Errorf("a price needs a currency")
	}
	s.Price.Amount, err = money.Parse(strings.TrimSpace(cell), s.Price.Currency)
	return err
}

func getComponents(s *catalog.SKU) string {
	pairs := make([]pair, len(s.Components))
	for i, c := range s.Components {
		pairs[i] = pair{c.SKU, fmt.Sprint(c.Quantity)}
	}
	return joinPairs(pairs)
}

func setComponents(s *catalog.SKU, cell string) error {
	pairs, err := splitPairs(cell, "sku=quantity|sku=quantity")
	for _, p := range pairs {
		var c catalog.Component
		if c.Quantity, err = parseInteger(p.value); err != nil {
			return err
		}
		c.SKU = strings.TrimSpace(p.key)
		s.Components = append(s.Components, c)
	}
	return err
}

func getAttributes(s *catalog.SKU) string {
	pairs := make([]pair, 0, len(s.Attributes))
	for _, name := range slices.Sorted(maps.Keys(s.Attributes)) {
		pairs = append(pairs, pair{name, s.Attributes[name]})
	}
	return joinPairs(pairs)
}

func setAttributes(s *catalog.SKU, cell string) error {
	pairs, err := splitPairs(cell, "name=value|name=value")
	if err != nil {
		return err
	}
	s.Attributes = make(map[string]string, len(pairs))
	for _, p := range pairs {
		if _, twice := s.Attributes[p.key]; twice {
			return fmt.Errorf("the attribute %.60q is there twice", p.key)
		}
		s.Attributes[p.key] = p.value
	}
	return nil
}

// ChannelTable reads and writes channels.
var ChannelTable = &Table[network.Channel]{
	name:  "channels",
	id:    func(c *network.Channel) string { return c.ID },
	check: (*network.Channel).Validate,
	columns: []column[network.Channel]{
		text("id", "id", func(c *network.Channel) *string { return &c.ID }),
		text("name", "name", func(c *network.Channel) *string { return &c.Name }),
		text("type", "type", func(c *network.Channel) *network.ChannelType { return &c.Type }),
		text("currency", "currency", func(c *network.Channel) *string { return &c.Currency }),
		list("networks", "networks", func(c *network.Channel) *[]string { return &c.Networks }),
		number("buffer", "buffer", func(c *network.Channel) *int64 { return &c.Buffer }),
		text("shortage", "shortage", func(c *network.Channel) *network.Shortage { return &c.Shortage }),
		text("service", "service", func(c *network.Channel) *string { return &c.Service }),
		flag("active", "active", func(c *network.Channel) **bool { return &c.Active }),
	},
}

// NetworkTable reads and writes networks. In CSV the rule is JSON; {} takes all locations.
var NetworkTable = &Table[network.Network]{
	name:  "networks",
	id:    func(n *network.Network) string { return n.ID },
	check: (*network.Network).Validate,
	columns: []column[network.Network]{
		text("id", "id", func(n *network.Network) *string { return &n.ID }),
		text("name", "name", func(n *network.Network) *string { return &n.Name }),
		list("locations", "locations", func(n *network.Network) *[]string { return &n.Locations }),
		document("rule", "rule", func(n *network.Network) **network.Rule { return &n.Rule },
			func(r *network.Rule) bool { return r == nil }),
	},
}

// CarrierTable reads and writes carriers. In CSV the services are JSON.
var CarrierTable = &Table[network.Carrier]{
	name:  "carriers",
	id:    func(c *network.Carrier) string { return c.ID },
	check: (*network.Carrier).Validate,
	columns: []column[network.Carrier]{
		text("id", "id", func(c *network.Carrier) *string { return &c.ID }),
		text("name", "name", func(c *network.Carrier) *string { return &c.Name }),
		document("services", "services", func(c *network.Carrier) *[]network.Service { return &c.Services },
			func(s []network.Service) bool { return len(s) == 0 }),
	},
}
