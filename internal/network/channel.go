package network

import (
	"github.com/orderly-oms/orderly/internal/money"
	"github.com/orderly-oms/orderly/internal/problem"
)

// ChannelType says how a channel meets the customer.
type ChannelType string

// The types of channel.
const (
	Web          ChannelType = "web"
	StoreChannel ChannelType = "store"
	Marketplace  ChannelType = "marketplace"
	CallCentre   ChannelType = "call_centre"
	OtherChannel ChannelType = "other"
)

// Shortage says what happens to units that no location has.
type Shortage string

// What a channel does when stock is short.
const (
	Backorder Shortage = "backorder" // capture the order, wait for stock
	Reject    Shortage = "reject"    // refuse the order
)

// Limits of a channel and of a network.
const (
	MaxChannelNetworks  = 1000
	MaxBuffer           = 1_000_000_000 // units
	MaxNetworkLocations = 100_000
	MaxRuleEntries      = 1000
)

// Channel is where orders come from.
type Channel struct {
	ID       string      `json:"id"`
	Name     string      `json:"name,omitempty"`
	Type     ChannelType `json:"type"`
	Currency string      `json:"currency"` // ISO 4217
	// Networks are the ids of the networks that fulfil for the channel; empty: all locations.
	Networks []string `json:"networks,omitempty"`
	// Buffer is how many units of each position are withheld from the channel. Default 0.
	Buffer int64 `json:"buffer,omitempty"`
	// Shortage defaults to backorder.
	Shortage Shortage `json:"shortage,omitempty"`
	// Service is the carrier service id for orders that name none.
	Service string `json:"service,omitempty"`
	// Active defaults to true. Orders of an inactive channel are refused.
	Active *bool `json:"active,omitempty"`
}

// IsActive reports whether the channel takes orders.
func (c *Channel) IsActive() bool { return c.Active == nil || *c.Active }

// OnShortage returns Shortage with its default.
func (c *Channel) OnShortage() Shortage {
	if c.Shortage == "" {
		return Backorder
	}
	return c.Shortage
}

// Validate reports every field that is wrong in itself; Directory.CheckChannel
// looks at what it names.
func (c *Channel) Validate() error {
	var v problem.Invalid
	v.ID("id", c.ID)
	v.Text("name", c.Name, MaxNameBytes)
	problem.OneOf(&v, "type", c.Type, Web, StoreChannel, Marketplace, CallCentre, OtherChannel)
	money.CheckCurrency(&v, "currency", c.Currency)
	v.IDs("networks", c.Networks, MaxChannelNetworks)
	v.Range("buffer", c.Buffer, 0, MaxBuffer)
	if c.Shortage != "" {
		problem.OneOf(&v, "shortage", c.Shortage, Backorder, Reject)
	}
	if c.Service != "" {
		v.ID("service", c.Service)
	}
	return v.Err()
}
