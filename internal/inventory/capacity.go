package inventory

import "strings"

// CapacityPrefix begins the names of positions that count a location's capacity
// instead of stock: their units are slots. No SKU of a catalog may begin with it,
// so that one journal with one set of guards serves both and they never mix.
const CapacityPrefix = "capacity/"

// IsCapacity reports whether a position's name is that of capacity, not of a SKU.
func IsCapacity(sku string) bool { return strings.HasPrefix(sku, CapacityPrefix) }
