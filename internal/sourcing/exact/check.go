package exact

import (
	"fmt"
	"math/bits"
)

// check panics when the problem breaks its contract: the sums would be wrong
// otherwise, and the caller is at fault, not the order.
func check(p *Problem) {
	assert(len(p.Lines) <= MaxLines, "%d lines; at most %d are allowed", len(p.Lines), MaxLines)
	assert(len(p.Locations) <= MaxLocations, "%d locations; at most %d are allowed", len(p.Locations), MaxLocations)
	assert(p.Split >= SplitNever && p.Split <= SplitAlways, "no split rule %d", p.Split)
	assert(p.MaxShipments >= NoLimit, "MaxShipments is %d", p.MaxShipments)
	assert(p.MinShipmentValue >= 0 && p.MinRemainderValue >= 0, "a least value is negative")
	for i := range p.Lines {
		l := &p.Lines[i]
		assert(l.Quantity > 0 && l.Quantity <= MaxQuantity, "line %d: quantity is %d", i, l.Quantity)
		assert(l.Grams >= 0 && l.Value >= 0 && l.Group >= 0, "line %d: a weight, value or group is negative", i)
		assert(within(l.Quantity, l.Unfilled) && within(l.Quantity, l.Grams) && within(l.Quantity, l.Value), "line %d: an amount is beyond its bound", i)
	}
	for s := range p.Locations {
		l := &p.Locations[s]
		ok := len(l.Unit) == len(p.Lines) && len(l.Available) == len(p.Lines) && l.Tariff >= -1 && l.Tariff < len(p.Tariffs) &&
			l.Shipment <= MaxCharge && l.Shipment >= -MaxCharge && l.MaxUnits >= NoLimit && l.MaxValue >= NoLimit
		if !ok {
			panic(fmt.Sprintf("exact: location %d breaks the contract: %+v", s, *l))
		}
	}
}

func assert(ok bool, format string, args ...any) {
	if !ok {
		panic("exact: " + fmt.Sprintf(format, args...))
	}
}

// within reports |quantity × amount| ≤ MaxLineAmount, for quantity > 0.
func within(quantity, amount int64) bool {
	magnitude := uint64(amount)
	if amount < 0 {
		magnitude = -magnitude
	}
	high, low := bits.Mul64(uint64(quantity), magnitude)
	return high == 0 && low <= uint64(MaxLineAmount)
}

// charge asks a tariff for the price of one shipment.
func charge(p *Problem, tariff int32, grams int64) (price int64, ok bool) {
	if tariff < 0 {
		return 0, true
	}
	price, ok = p.Tariffs[tariff].Price(grams)
	if ok && (price > MaxCharge || price < -MaxCharge) {
		panic(fmt.Sprintf("exact: tariff %d charges %d for %d g", tariff, price, grams))
	}
	return price, ok
}
