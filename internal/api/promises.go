package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/orderly-oms/orderly/internal/auth"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/problem"
	"github.com/orderly-oms/orderly/internal/promise"
	"github.com/orderly-oms/orderly/internal/sourcing"
)

func promiseRoutes() []Route {
	return []Route{
		{
			Method: "POST", Path: "/v1/promises", ID: "getPromises", Tag: "promises", Scope: auth.InventoryRead, Status: 200,
			Summary: "All ways to have a basket: shipped by each service, picked up, the same day, shipped to a store; with dates, probability, cost, price and the plan behind each",
			In:      engine.PromiseRequest{}, Out: PromiseAnswer{}, Handle: (*Server).promises,
		},
		{
			Method: "POST", Path: "/v1/promises/confirm", ID: "confirmPromise", Tag: "promises", Scope: auth.OrdersWrite, Status: 201,
			Summary: "Hold the stock and the plan of an option until it expires; an order with the reservation's id gets exactly that promise",
			In:      engine.Confirmation{}, Out: inventory.Reservation{}, Handle: command(false, confirmPromise),
		},
		{
			Method: "GET", Path: "/v1/promises/{sku}", ID: "getQuickPromise", Tag: "promises", Scope: auth.InventoryRead, Status: 200,
			Summary: "For a product page: the earliest delivery and the earliest pickup of one SKU",
			Query: []Query{
				{Name: "channel", Doc: "required"},
				{Name: "country", Doc: "of the destination, ISO 3166-1; without it only a pickup at location is dated"},
				{Name: "postal_code", Doc: "of the destination"},
				{Name: "latitude", Doc: "of the destination, degrees; rounded to three decimals"},
				{Name: "longitude", Doc: "of the destination, degrees; rounded to three decimals"},
				{Name: "quantity", Doc: "default 1", Integer: true},
				{Name: "location", Doc: "the only store looked at for pickup; default: all near the destination"},
			},
			Out: QuickPromise{}, Handle: (*Server).quickPromise,
		},
		{
			Method: "GET", Path: "/v1/promises/at-risk", ID: "listPromisesAtRisk", Tag: "promises", Scope: auth.OrdersRead, Status: 200,
			Summary: "Open promises that will probably be broken, the least probable first",
			Query: []Query{
				{Name: "threshold", Doc: "probability below which a promise is listed, above 0 and at most the highest at_risk of the promise policies; default: at_risk of the channel's policy"},
				{Name: "channel", Doc: "only promises of this channel"},
				{Name: "limit", Doc: "1 to 200; default 50", Integer: true},
			},
			Out: PromisesAtRisk{}, Handle: (*Server).promisesAtRisk,
		},
		{
			Method: "GET", Path: "/v1/promises/ledger", ID: "getPromiseLedger", Tag: "promises", Scope: auth.OrdersRead, Status: 200,
			Summary: "Open, kept and broken promises by channel and location, as this node knows them", Out: PromiseLedger{}, Handle: (*Server).promiseLedger,
		},
	}
}

// PromiseAnswer lists the ways to have a basket, soonest first.
type PromiseAnswer struct {
	Options []PromiseOption `json:"options"`
	// Excluded are ways that cannot be offered, by id.
	Excluded []PromiseExclusion `json:"excluded"`
	Policy   string             `json:"policy"` // of the promise, name@version
	Currency string             `json:"currency"`
}

// PromiseExclusion says why a way is not offered.
type PromiseExclusion struct {
	ID     string `json:"id"`
	Reason string `json:"reason"`
}

// PromiseOption is one way to have the basket. Amounts are minor units.
type PromiseOption struct {
	ID   string             `json:"id"`   // to confirm it by
	Kind promise.OptionKind `json:"kind"` // ship, pickup, same_day, ship_to_store
	// Service of the carrier; empty for pickup.
	Service string `json:"service,omitempty"`
	// Location is the store of pickup, same day and ship to store.
	Location string `json:"location,omitempty"`
	// From and To are the first and the last date; of a pickup the date on which it is ready.
	From network.Date `json:"from"`
	To   network.Date `json:"to"`
	// Ready is when it can be picked up.
	Ready  time.Time `json:"ready,omitzero"`
	ShipBy time.Time `json:"ship_by"`
	// DeliverBy is the promise: the first instant after the last date, or when the pickup is ready.
	DeliverBy time.Time `json:"deliver_by"`
	// Probability of being kept, 0..1, and the level of the history that says so.
	Probability float64 `json:"probability"`
	Level       string  `json:"level"`
	Cost        int64   `json:"cost"`  // to serve, by the sourcing policy's terms
	Price       int64   `json:"price"` // to the customer, by the promise policy
	Earliest    bool    `json:"earliest,omitempty"`
	Cheapest    bool    `json:"cheapest,omitempty"`
	Greenest    bool    `json:"greenest,omitempty"`
	// ValidUntil is when the dates change though the stock stays.
	ValidUntil time.Time         `json:"valid_until"`
	Shipments  []PromiseShipment `json:"shipments"`
	// Decision is the plan with its reasons, Explanation the same in sentences.
	Decision    *sourcing.Decision `json:"decision"`
	Explanation []string           `json:"explanation"`
}

// PromiseShipment is what one location would do. Lines are numbered like the items, from 1.
type PromiseShipment struct {
	Location string           `json:"location"`
	Service  string           `json:"service,omitempty"`
	Via      string           `json:"via,omitempty"` // the pickup location that it is shipped to
	Lines    []sourcing.Units `json:"lines"`
}

func (s *Server) promises(c *Call) error {
	var in engine.PromiseRequest
	if err := c.Decode(&in); err != nil {
		return err
	}
	p, err := s.engine.Promises(&in)
	if err != nil {
		return err
	}
	out := PromiseAnswer{Options: []PromiseOption{}, Excluded: []PromiseExclusion{}, Policy: p.Policy, Currency: p.Currency}
	for i := range p.Options {
		out.Options = append(out.Options, promiseOption(&p.Options[i], digits(p.Currency)))
	}
	for _, x := range p.Excluded {
		out.Excluded = append(out.Excluded, PromiseExclusion{ID: x.ID, Reason: x.Reason})
	}
	return c.json(http.StatusOK, out)
}

func promiseOption(o *promise.Option, digits int) PromiseOption {
	out := PromiseOption{
		ID: o.ID, Kind: o.Request.Kind, Service: o.Request.Service, Location: o.Request.Location, From: o.From, To: o.To,
		Ready: o.Ready, ShipBy: o.ShipBy, DeliverBy: o.DeliverBy, Probability: o.Probability, Level: o.Level, Cost: o.Cost, Price: o.Price,
		Earliest: o.Earliest, Cheapest: o.Cheapest, Greenest: o.Greenest, ValidUntil: o.ValidUntil,
		Shipments: []PromiseShipment{}, Decision: o.Plan, Explanation: sourcing.Explain(o.Plan, digits),
	}
	for i := range o.Plan.Shipments {
		sh := &o.Plan.Shipments[i]
		out.Shipments = append(out.Shipments, PromiseShipment{Location: sh.Location, Service: sh.Service, Via: sh.Via, Lines: sh.Lines})
	}
	return out
}

func confirmPromise(s *Server, ctx context.Context, _ *Call, in *engine.Confirmation, m engine.Meta) (*engine.Reply, error) {
	return s.engine.Confirm(ctx, in, m)
}

// QuickPromise is what a product page shows of one SKU.
type QuickPromise struct {
	SKU      string `json:"sku"`
	Channel  string `json:"channel"`
	Quantity int64  `json:"quantity"`
	// Available tells that it can be had at all, in one of the ways below.
	Available bool         `json:"available"`
	Delivery  *QuickOption `json:"delivery,omitempty"` // absent: it cannot be delivered
	Pickup    *QuickOption `json:"pickup,omitempty"`   // absent: no store has it
	// ShipUnits and PickupUnits are in stock for the channel, at all locations that ship and at the stores looked at.
	ShipUnits   int64     `json:"ship_units"`
	PickupUnits int64     `json:"pickup_units"`
	Policy      string    `json:"policy"`               // of the promise, name@version
	ValidUntil  time.Time `json:"valid_until,omitzero"` // when the dates change though the stock stays
}

// QuickOption is the earliest date of one way.
type QuickOption struct {
	Date network.Date `json:"date"`
	// By is the first instant after the date, of a pickup when it is ready.
	By time.Time `json:"by"`
	// Location has everything; with split it is the last of several that have it together.
	Location string `json:"location"`
	Split    bool   `json:"split,omitempty"`
}

func quickOption(s promise.Soonest, on network.Date) *QuickOption {
	if s.By.IsZero() {
		return nil
	}
	return &QuickOption{Date: on, By: s.By, Location: s.Location, Split: s.Split}
}

func (s *Server) quickPromise(c *Call) error {
	q := c.R.URL.Query()
	var bad problem.Invalid
	in := engine.QuickRequest{SKU: c.R.PathValue("sku"), Channel: q.Get("channel"), Quantity: 1, Location: q.Get("location")}
	if v := q.Get("quantity"); v != "" {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			bad.Add("quantity", problem.Malformed, "must be an integer between 1 and %d", order.MaxLineQuantity)
		}
		in.Quantity = n
	}
	degrees := func(name string) *float64 {
		v := q.Get(name)
		if v == "" {
			return nil
		}
		f, err := strconv.ParseFloat(v, 64)
		if err != nil {
			bad.Add(name, problem.Malformed, "must be a number of degrees")
			return nil
		}
		return &f
	}
	to := network.Address{Country: q.Get("country"), PostalCode: q.Get("postal_code"), Latitude: degrees("latitude"), Longitude: degrees("longitude")}
	switch {
	case to.Country != "":
		in.Destination = &to
	case to.PostalCode != "" || to.Latitude != nil || to.Longitude != nil:
		bad.Add("country", problem.Required, "a destination has a country")
	}
	if err := bad.Err(); err != nil {
		return err
	}
	a, err := s.engine.Quick(in)
	if err != nil {
		return err
	}
	out := QuickPromise{
		SKU: in.SKU, Channel: in.Channel, Quantity: in.Quantity, Delivery: quickOption(a.Deliver, a.DeliverOn), Pickup: quickOption(a.Pickup, a.PickupOn),
		ShipUnits: a.ShipUnits, PickupUnits: a.PickupUnits, Policy: a.Policy, ValidUntil: a.ValidUntil,
	}
	out.Available = out.Delivery != nil || out.Pickup != nil
	return c.json(http.StatusOK, out)
}

// PromisesAtRisk are the worst of the promises that will probably be broken.
type PromisesAtRisk struct {
	Items []PromiseAtRisk `json:"items"`
	Count int             `json:"count"` // of all, those beyond the limit too
	// Loaded is false for some time after the node has started, while it still reads open orders.
	Loaded bool `json:"loaded"`
}

// PromiseAtRisk is one of them.
type PromiseAtRisk struct {
	Order       string `json:"order"`
	Fulfillment string `json:"fulfillment"`
	Channel     string `json:"channel"`
	Location    string `json:"location"`
	Service     string `json:"service,omitempty"`
	// Stage is how far the location is: open, accepted, picked, packed, shipped; since Since.
	Stage string    `json:"stage"`
	Since time.Time `json:"since"`
	// Promised is the end of the promise; SlackSeconds how much of it is left at the expected time, negative when that is later.
	Promised     time.Time `json:"promised"`
	SlackSeconds int64     `json:"slack_seconds"`
	Probability  float64   `json:"probability"` // of being kept, as of now
	Value        int64     `json:"value"`       // of its units, minor units of the order's currency
}

func (s *Server) promisesAtRisk(c *Call) error {
	limit, err := c.limit()
	if err != nil {
		return err
	}
	threshold := 0.0
	if v := c.query("threshold"); v != "" {
		threshold, err = strconv.ParseFloat(v, 64)
		if err != nil || !(threshold > 0 && threshold <= 1) {
			var bad problem.Invalid
			bad.Add("threshold", problem.OutOfRange, "must be a probability above 0 and at most 1")
			return bad.Err()
		}
	}
	ctx, cancel := c.Context()
	defer cancel()
	risks := s.engine.PromisesAtRisk(ctx, threshold, c.query("channel"), limit)
	out := PromisesAtRisk{Items: []PromiseAtRisk{}, Count: risks.Count, Loaded: risks.Loaded}
	for i := range risks.Items {
		r := &risks.Items[i]
		out.Items = append(out.Items, PromiseAtRisk{
			Order: r.Order, Fulfillment: r.ID, Channel: r.Channel, Location: r.Location, Service: r.Service, Stage: r.Stage.String(), Since: r.Since,
			Promised: r.DeliverBy, SlackSeconds: seconds(r.Slack), Probability: r.Probability, Value: r.Value,
		})
	}
	return c.json(http.StatusOK, out)
}

// PromiseLedger counts promises.
type PromiseLedger struct {
	Since time.Time `json:"since"` // kept and broken ones are counted from here, the start of the node
	// Loaded is false for some time after the node has started, while it still reads open orders.
	Loaded bool `json:"loaded"`
	// Full tells that more promises are open than are counted.
	Full   bool           `json:"full,omitempty"`
	Open   int64          `json:"open"`
	Kept   int64          `json:"kept"`
	Broken int64          `json:"broken"`
	Items  []PromiseTally `json:"items"` // by channel, then location
}

// PromiseTally counts the promises of a channel at a location.
type PromiseTally struct {
	Channel  string `json:"channel"`
	Location string `json:"location"`
	Open     int64  `json:"open"`
	Kept     int64  `json:"kept"`
	Broken   int64  `json:"broken"`
	// AverageSlackSeconds is how long before its end a promise was kept, on the average of kept and broken ones; negative: late.
	AverageSlackSeconds int64 `json:"average_slack_seconds"`
}

func (s *Server) promiseLedger(c *Call) error {
	ctx, cancel := c.Context()
	defer cancel()
	l := s.engine.PromiseLedger(ctx)
	out := PromiseLedger{Since: l.Since, Loaded: l.Loaded, Full: l.Full, Items: []PromiseTally{}}
	for _, t := range l.Items {
		out.Open += t.Open
		out.Kept += t.Kept
		out.Broken += t.Broken
		out.Items = append(out.Items, PromiseTally{
			Channel: t.Channel, Location: t.Location, Open: t.Open, Kept: t.Kept, Broken: t.Broken, AverageSlackSeconds: seconds(t.AverageSlack()),
		})
	}
	return c.json(http.StatusOK, out)
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }
