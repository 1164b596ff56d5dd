// Package folder makes a history of a folder of plain CSV files, so that the routing of any system can be
// measured before anything of this one is adopted.
//
// It promises: only orders.csv, lines.csv and locations.csv are necessary, and of these only a few
// columns (Files says which); whatever is missing has a stated default, and what was assumed is a finding of
// the history with how much it matters; a row that is wrong is left out or mended as its finding says, which
// counts such rows and names the first with file and line; a file that cannot be used at all is an error that
// says where and what to do. The same folder gives the same history.
//
// It does not know which rules placed the orders (histories of it are not Recorded), and it takes what was
// shipped as the only decision there was: that a location was asked before and refused is not known.
//
// All rows are held in memory to be sorted: about 1 KB for an order with two lines, so a million orders need
// about a gigabyte.
package folder

import "strings"

// Column is a column of a file.
type Column struct {
	Name    string
	Aliases []string // other names that are understood
	Need    bool     // rows without it are left out
	Default string   // what is assumed when it is empty or not there
	// Matters is "high", "some" or "little" when the column is missing, Why for which numbers. Empty: no finding.
	Matters, Why string
}

// File is a file of the folder.
type File struct {
	Name         string
	Need         bool
	Row          string // what one row is
	Default      string // what is assumed without it
	Matters, Why string
	Columns      []Column
}

// Files are all that a folder may have.
var Files = []File{
	{Name: "settings.csv", Row: "one setting: currency, time_zone or channel, with its value", Default: "EUR, UTC, shop",
		Matters: "some", Why: "times without a zone and amounts without a currency are read with it",
		Columns: []Column{{Name: "setting", Aliases: list("name key"), Need: true}, {Name: "value", Need: true}}},
	{Name: "orders.csv", Need: true, Row: "one order", Columns: []Column{
		{Name: "order", Aliases: list("order_id id order_number"), Need: true},
		{Name: "placed_at", Aliases: list("ordered_at created_at order_date date"), Need: true},
		{Name: "country", Aliases: list("ship_country"), Default: "the country of most locations", Matters: "some", Why: "cost: zones of carriers go by country"},
		{Name: "postal_code", Aliases: list("zip postcode ship_zip"), Default: "none", Matters: "high", Why: "cost and lanes: zones go by postal code"},
		{Name: "city", Default: "none"},
		{Name: "region", Aliases: list("state province"), Default: "none"},
		{Name: "latitude", Aliases: list("lat"), Default: "unknown", Matters: "some", Why: "nearest location and tariffs by distance"},
		{Name: "longitude", Aliases: list("lon lng"), Default: "unknown"},
		{Name: "service", Aliases: list("shipping_method"), Default: "the first service of rates.csv", Matters: "little", Why: "cost of orders that were to come faster"},
		{Name: "promised_by", Aliases: list("deliver_by promise"), Default: "no promise", Matters: "high", Why: "promises kept cannot be judged"},
		{Name: "shipping", Aliases: list("shipping_paid"), Default: "0"},
		{Name: "customer", Aliases: list("customer_id"), Default: "none"},
	}},
	{Name: "lines.csv", Need: true, Row: "one article of an order", Columns: []Column{
		{Name: "order", Aliases: list("order_id order_number"), Need: true},
		{Name: "sku", Aliases: list("article item"), Need: true},
		{Name: "quantity", Aliases: list("qty units"), Default: "1", Matters: "some", Why: "units, stock and weights"},
		{Name: "unit_price", Aliases: list("price"), Default: "0", Matters: "some", Why: "sales lost with cancelled units"},
	}},
	{Name: "locations.csv", Need: true, Row: "one place that sends goods", Columns: []Column{
		{Name: "location", Aliases: list("location_id id"), Need: true},
		{Name: "name", Default: "its id"},
		{Name: "type", Aliases: list("kind"), Default: "dc (else store or vendor)", Matters: "little", Why: "rules that go by type of location"},
		{Name: "country", Need: true},
		{Name: "postal_code", Aliases: list("zip postcode"), Default: "none", Matters: "some", Why: "cost: zones go by postal code"},
		{Name: "city", Default: "none"},
		{Name: "latitude", Aliases: list("lat"), Default: "unknown", Matters: "some", Why: "nearest location and tariffs by distance"},
		{Name: "longitude", Aliases: list("lon lng"), Default: "unknown"},
		{Name: "time_zone", Aliases: list("timezone tz"), Default: "that of the settings"},
		{Name: "cut_off", Aliases: list("cutoff"), Default: "none: orders leave on the day they are ready", Matters: "some", Why: "promises"},
		{Name: "orders_per_day", Aliases: list("capacity"), Default: "no limit", Matters: "high", Why: "other rules may give a location more than it can do"},
		{Name: "processing_minutes", Default: "0", Matters: "some", Why: "promises"},
	}},
	{Name: "stock.csv", Row: "the units of an article at a location at the beginning",
		Default: "what history shipped from a location is there from the beginning of the seven days in which it was ordered, and nothing else",
		Matters: "high", Why: "other rules can only use stock that is known: their gain looks smaller than it is",
		Columns: []Column{
			{Name: "location", Aliases: list("location_id"), Need: true}, {Name: "sku", Aliases: list("article item"), Need: true},
			{Name: "units", Aliases: list("on_hand quantity qty"), Need: true},
			{Name: "safety", Aliases: list("safety_stock"), Default: "0"},
		}},
	{Name: "stock_movements.csv", Row: "units that came (or, below zero, left) without an order",
		Default: "none; units that were shipped and had not been there came at that moment", Matters: "some", Why: "availability later in the period",
		Columns: []Column{
			{Name: "at", Aliases: list("date"), Need: true}, {Name: "location", Aliases: list("location_id"), Need: true},
			{Name: "sku", Aliases: list("article item"), Need: true}, {Name: "units", Aliases: list("quantity qty"), Need: true},
			{Name: "why", Aliases: list("reason"), Default: "receipt above zero, sale below"},
		}},
	{Name: "rates.csv", Row: "the price of a parcel up to a weight, to a country (and beginning of postal codes) or up to a distance",
		Default: "one service, standard: 4.90 up to 2 kg, 6.90 up to 10 kg, 10.90 up to 30 kg and 0.50 per kg more, 2 days; 3.00 more and 4 days to other countries",
		Matters: "high", Why: "every cost: only its differences between rules mean something, and those little",
		Columns: []Column{
			{Name: "carrier", Default: "carrier"}, {Name: "service", Default: "standard"},
			{Name: "country", Aliases: list("to_country"), Default: "any"},
			{Name: "postal_prefix", Aliases: list("to_postal"), Default: "any"},
			{Name: "from_country", Default: "any"}, {Name: "from_postal", Default: "any"},
			{Name: "up_to_km", Aliases: list("km"), Default: "any distance"},
			{Name: "up_to_grams", Aliases: list("grams"), Default: "30000", Matters: "some", Why: "cost of heavy orders"},
			{Name: "price", Aliases: list("cost"), Need: true},
			{Name: "transit_days", Aliases: list("days"), Default: "2", Matters: "some", Why: "promises"},
		}},
	{Name: "skus.csv", Row: "one article", Default: "every article that was ordered, of 500 g", Matters: "some", Why: "cost: rates go by weight",
		Columns: []Column{
			{Name: "sku", Aliases: list("article item"), Need: true}, {Name: "name", Default: "none"},
			{Name: "weight_grams", Aliases: list("weight_g grams weight"), Default: "500", Matters: "some", Why: "cost: rates go by weight"},
			{Name: "category", Default: "none"},
		}},
	{Name: "shipments.csv", Row: "units of an order that left a location", Default: "where orders left from is unknown",
		Matters: "high", Why: "what was done cannot be compared with other rules: there is no cost, split or lane of it",
		Columns: []Column{
			{Name: "order", Aliases: list("order_id order_number"), Need: true}, {Name: "location", Aliases: list("location_id"), Need: true},
			{Name: "shipped_at", Aliases: list("date at"), Default: "one day after the order", Matters: "some", Why: "how long orders take"},
			{Name: "shipment", Aliases: list("shipment_id tracking"), Default: "one per order, location and time"},
			{Name: "sku", Aliases: list("article item"), Default: "everything of the order that has not left"},
			{Name: "quantity", Aliases: list("qty units"), Default: "all of the article"},
			{Name: "service", Default: "that of the order"},
			{Name: "cost", Aliases: list("charged"), Default: "by rates.csv", Matters: "some", Why: "what history cost is calculated and not what was charged"},
		}},
	{Name: "deliveries.csv", Row: "a shipment that arrived", Default: "when goods arrived is unknown", Matters: "high", Why: "promises kept cannot be judged",
		Columns: []Column{
			{Name: "order", Aliases: list("order_id order_number"), Need: true}, {Name: "delivered_at", Aliases: list("date at"), Need: true},
			{Name: "shipment", Aliases: list("shipment_id tracking"), Default: "all of the order that left before"},
		}},
	{Name: "cancellations.csv", Row: "units that were cancelled", Default: "nothing was cancelled", Matters: "some", Why: "cancelled units and lost sales",
		Columns: []Column{
			{Name: "order", Aliases: list("order_id order_number"), Need: true}, {Name: "cancelled_at", Aliases: list("date at"), Need: true},
			{Name: "sku", Aliases: list("article item"), Default: "everything that has not left"},
			{Name: "quantity", Aliases: list("qty units"), Default: "all of the article that has not left"},
			{Name: "reason", Default: "none"},
		}},
	{Name: "touches.csv", Row: "a person's work on an order", Default: "nobody worked on orders", Matters: "some", Why: "effort cannot be judged",
		Columns: []Column{
			{Name: "order", Aliases: list("order_id order_number"), Need: true}, {Name: "at", Aliases: list("date touched_at"), Need: true},
			{Name: "seconds", Default: "180", Matters: "some", Why: "minutes of work and what they cost"},
			{Name: "reason", Aliases: list("why"), Default: "none"},
		}},
}

func list(s string) []string { return strings.Fields(s) }

func file(name string) *File {
	for i := range Files {
		if Files[i].Name == name {
			return &Files[i]
		}
	}
	panic("folder: no file " + name)
}
