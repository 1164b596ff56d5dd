package experiment

import (
	"cmp"
	"hash/fnv"
	"slices"
	"strings"

	"github.com/orderly-oms/orderly/internal/order"
)

// TakesPart reports that an order of a channel and currency is in the experiment.
func (s *Setup) TakesPart(o *order.Order) bool {
	return o.Currency == s.Currency && (len(s.Channels) == 0 || slices.Contains(s.Channels, o.Channel))
}

// Group is the group of an order that takes part. It depends on the experiment's id and the order's key alone, so that it is the
// same on every node and at every time.
func (x *Experiment) Group(o *order.Order) string {
	switch {
	case x.Mode == Shadow:
		return order.GroupShadow
	case share(x.ID, x.key(o)) < uint64(x.Percent)*100:
		return order.GroupChallenger
	}
	return order.GroupIncumbent
}

// key is what orders are split by. A customer is the customer's id, else the e-mail address; an order without either is
// a customer of its own. A region is the country with its state or province, else with the first three characters of the
// postal code; of an order for pickup, the pickup location. Orders without any address are one region.
func (s *Setup) key(o *order.Order) string {
	if s.Split == ByRegion {
		if o.PickupLocation != "" {
			return "pickup\x00" + o.PickupLocation
		}
		a := o.ShipTo
		if a == nil {
			return ""
		}
		if a.Region != "" {
			return strings.ToUpper(a.Country + "\x00" + a.Region)
		}
		code := []rune(strings.ReplaceAll(a.PostalCode, " ", ""))
		return strings.ToUpper(a.Country + "\x00\x00" + string(code[:min(len(code), 3)]))
	}
	if who := cmp.Or(o.Customer.ID, strings.ToLower(o.Customer.Email)); who != "" {
		return "customer\x00" + who
	}
	if o.ExternalID != "" {
		return "external\x00" + o.Channel + "\x00" + o.ExternalID
	}
	return "order\x00" + o.ID
}

// share maps a key to a number below 10,000, evenly, and independently for every salt.
func share(salt, key string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(salt))
	h.Write([]byte{0})
	h.Write([]byte(key))
	// FNV's last byte reaches few bits; this (the finalizer of MurmurHash3) lets every bit depend on all.
	x := h.Sum64()
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	x ^= x >> 33
	return x % 10_000
}
