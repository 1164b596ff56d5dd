package replay

// Scenario is what is to be different from history. The zero value is nothing: the rules that were in
// force, in the network that there was.
type Scenario struct {
	Name string `json:"name"`
	// Recorded takes every decision as it was recorded, and decides nothing.
	Recorded bool `json:"recorded,omitempty"`
	// Policies are the texts (YAML) of policies that replace all of their kind for the whole period.
	Policies []string `json:"policies,omitempty"`
	Changes  Changes  `json:"changes,omitzero"`
}

// Changes are circumstances other than those there were. They hold for the whole period.
type Changes struct {
	// Close lists locations that fulfil nothing.
	Close []string `json:"close,omitempty"`
	// Locations, Carriers, Networks and Channels are documents as the API takes them, added or put in place of those there were.
	Locations []any `json:"locations,omitempty"`
	Carriers  []any `json:"carriers,omitempty"`
	Networks  []any `json:"networks,omitempty"`
	Channels  []any `json:"channels,omitempty"`
	// Stock is what new locations have at the beginning.
	Stock []StockLevel `json:"stock,omitempty"`
	// Capacity is the orders that a location takes per day; -1: no limit.
	Capacity map[string]int64 `json:"capacity,omitempty"`
	// CutOff is the time of day, "15:04" on the location's clock, until which orders leave on the same day.
	CutOff map[string]string `json:"cut_off,omitempty"`
	// Rates multiplies the prices of carrier services ("carrier/service", or "*" for all), 1.1: ten percent more.
	Rates map[string]float64 `json:"rates,omitempty"`
	// Safety is the safety stock of every position of a location, "*": of all; units.
	Safety map[string]int64 `json:"safety,omitempty"`
	// Demand scales the number of orders: 0.8 leaves out a fifth, 1.5 has half of them come twice. 0: as it was.
	Demand float64 `json:"demand,omitempty"`
	// Shift scales the orders of single regions on top: by the beginning of "COUNTRY POSTALCODE", like "DE 8".
	Shift map[string]float64 `json:"shift,omitempty"`
	// Rejects is the share of units that a location rejects or does not find, 0 to 1, instead of what history shows; "*": all.
	Rejects map[string]float64 `json:"rejects,omitempty"`
	// Late is by how many days the deliveries of a carrier service come later than they did; may be negative.
	Late map[string]float64 `json:"late,omitempty"`
}

// StockLevel is a stock at the beginning.
type StockLevel struct {
	Location string `json:"location"`
	SKU      string `json:"sku"` // "*": every SKU of the catalog
	Units    int64  `json:"units"`
}
