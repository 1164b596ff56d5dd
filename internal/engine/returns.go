package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/problem"
	"github.com/orderly-oms/orderly/internal/sourcing"
)

// The ways goods come back.
const (
	ReturnByMail  = "mail"
	ReturnAtStore = "store"
)

// MaxReturnLines bounds the lines of one question.
const MaxReturnLines = order.MaxLines

// ReturnRequest asks where goods are to go that a customer gives back. It names an order, or
// else a channel; nothing is changed by it.
type ReturnRequest struct {
	OrderID  string `json:"order_id,omitempty"`
	Channel  string `json:"channel,omitempty"`  // without an order
	Currency string `json:"currency,omitempty"` // without an order; default the channel's
	// Method is mail (default) or store.
	Method string `json:"method,omitempty"`
	// Location is where the goods were handed in; with method store.
	Location string `json:"location,omitempty"`
	// From is where the customer is; default the order's address.
	From  *network.Address `json:"from,omitempty"`
	Lines []ReturnLine     `json:"lines"`
}

// ReturnLine is some units of one article.
type ReturnLine struct {
	Line      string `json:"line,omitempty"` // of the order
	SKU       string `json:"sku,omitempty"`  // without an order
	Quantity  int64  `json:"quantity"`
	UnitPrice int64  `json:"unit_price,omitempty"` // without an order; minor units
	Reason    string `json:"reason,omitempty"`     // as the customer gave it
	Condition string `json:"condition,omitempty"`  // as declared or inspected
}

// ReturnRoute is where the units of one line are to go.
type ReturnRoute struct {
	Line     string `json:"line,omitempty"`
	SKU      string `json:"sku"`
	Quantity int64  `json:"quantity"`
	// Location takes the goods; "": the customer keeps them, or no location takes returns.
	Location string `json:"location,omitempty"`
	Keep     bool   `json:"keep,omitempty"`
	// DistanceKm is the way from the customer; nil: unknown.
	DistanceKm *float64 `json:"distance_km,omitempty"`
	Rule       string   `json:"rule"`   // of the policy; "none": no rule matched
	Policy     string   `json:"policy"` // name@version
	Reason     string   `json:"reason"`
}

// RouteReturn decides where returned goods go by the returns policy in force, one answer
// per line in the order of the question. Errors: problem.Invalid, ErrNotFound (the order).
func (e *Engine) RouteReturn(ctx context.Context, r *ReturnRequest) ([]ReturnRoute, error) {
	if err := r.validate(); err != nil {
		return nil, err
	}
	o, err := e.returnedOrder(ctx, r)
	if err != nil {
		return nil, err
	}
	d, now := e.Directory(), e.Now()
	if err := e.checkReturn(d, r, o); err != nil {
		return nil, err
	}
	from := r.From
	if from == nil {
		from = o.ShipTo
	}
	of := orderFacts(o)
	facts := policy.Facts{Order: &of, Now: now}
	goods := make([]returnedGoods, len(r.Lines))
	for i := range r.Lines {
		goods[i] = e.returnedGoods(r, o, i, now)
		facts.Lines = append(facts.Lines, policy.OrderLine{Line: &goods[i].line, SKU: goods[i].sku})
	}
	c, version := e.choose(policy.KindReturns, &facts)
	places := returnPlaces(d, e.placesOf(d), o.Channel, from)
	out := make([]ReturnRoute, len(goods))
	for i := range goods {
		g := &goods[i]
		f := policy.Facts{Order: &of, Line: &g.line, SKU: g.sku, Returned: &g.returned, Now: now}
		out[i] = routeReturn(c.Returns, &f, g, places)
		out[i].Policy = policyName(c, version)
		out[i].Line, out[i].SKU, out[i].Quantity = r.Lines[i].Line, g.line.SKU, r.Lines[i].Quantity
	}
	return out, nil
}

func (r *ReturnRequest) validate() error {
	var bad problem.Invalid
	switch {
	case r.OrderID == "" && r.Channel == "":
		bad.Add("order_id", problem.Required, "name an order, or the channel of lines without one")
	case r.OrderID != "" && (r.Channel != "" || r.Currency != ""):
		bad.Add("channel", problem.Conflict, "the order has its own channel and currency")
	}
	if r.Method == "" {
		r.Method = ReturnByMail
	}
	problem.OneOf(&bad, "method", r.Method, ReturnByMail, ReturnAtStore)
	if r.Location != "" && r.Method != ReturnAtStore {
		bad.Add("location", problem.Conflict, "goods that come by mail are not handed in")
	}
	if r.From != nil {
		r.From.ValidateInto(&bad, "from")
	}
	if len(r.Lines) == 0 {
		bad.Add("lines", problem.Required, "say what is returned")
	}
	bad.Count("lines", len(r.Lines), MaxReturnLines)
	for i := range r.Lines {
		l, at := &r.Lines[i], problem.At("lines", i)
		bad.Range(at+".quantity", l.Quantity, 1, order.MaxLineQuantity)
		bad.Range(at+".unit_price", l.UnitPrice, 0, maxUnitPrice)
		bad.Text(at+".reason", l.Reason, order.MaxTextBytes)
		bad.Text(at+".condition", l.Condition, order.MaxTextBytes)
		switch {
		case r.OrderID == "" && l.Line != "":
			bad.Add(at+".line", problem.Conflict, "without an order there are no lines; name the sku")
		case r.OrderID != "" && (l.SKU != "" || l.UnitPrice != 0):
			bad.Add(at+".sku", problem.Conflict, "name the line of the order; it has sku and price")
		}
	}
	return bad.Err()
}

// returnedOrder is the order that is returned, else one that has just the lines.
func (e *Engine) returnedOrder(ctx context.Context, r *ReturnRequest) (*order.Order, error) {
	if r.OrderID != "" {
		return e.loadOrder(ctx, r.OrderID)
	}
	o := &order.Order{Channel: r.Channel, Currency: r.Currency, Method: order.Ship, ShipTo: r.From}
	if ch, ok := e.Directory().Channel(r.Channel); ok && o.Currency == "" {
		o.Currency = ch.Currency
	}
	for _, l := range r.Lines {
		o.Lines = append(o.Lines, order.Line{SKU: l.SKU, Quantity: l.Quantity, UnitPrice: l.UnitPrice, Total: l.UnitPrice * l.Quantity, Fulfilled: l.Quantity})
	}
	return o, nil
}

func (e *Engine) loadOrder(ctx context.Context, id string) (*order.Order, error) {
	en, err := e.stored(ctx, e.OrderKey(id))
	if err != nil {
		return nil, err
	}
	return en.Value.(*order.Order), nil
}

// checkReturn reports what the request names and nobody knows, and more units than left.
func (e *Engine) checkReturn(d *network.Directory, r *ReturnRequest, o *order.Order) error {
	var bad problem.Invalid
	if _, ok := d.Channel(o.Channel); !ok && r.OrderID == "" {
		bad.Add("channel", problem.Unknown, "there is no channel %q", o.Channel)
	}
	if _, ok := d.Location(r.Location); r.Location != "" && !ok {
		bad.Add("location", problem.Unknown, "there is no location %q", r.Location)
	}
	named := map[string]int64{}
	for i, l := range r.Lines {
		at := problem.At("lines", i)
		if r.OrderID == "" {
			if !e.Catalog().Has(l.SKU) {
				bad.Add(at+".sku", problem.Unknown, "the catalog has no SKU %q", l.SKU)
			}
			continue
		}
		line := o.Line(l.Line)
		if line == nil {
			bad.Add(at+".line", problem.Unknown, "the order has no line %q", l.Line)
			continue
		}
		named[l.Line] += l.Quantity
		if out := line.Fulfilled - line.Returned; named[l.Line] > out {
			bad.Add(at+".quantity", problem.OutOfRange, "%d units of the line are with the customer", out)
		}
	}
	return bad.Err()
}

// returnedGoods is a line of a return with what rules may read of it.
type returnedGoods struct {
	line     policy.Line
	sku      *policy.SKU
	returned policy.Returned
	origin   string // shipped most of it; "": unknown
	received string // where it was handed in
}

func (e *Engine) returnedGoods(r *ReturnRequest, o *order.Order, i int, now time.Time) returnedGoods {
	back := &r.Lines[i]
	line := o.Line(back.Line)
	if r.OrderID == "" {
		line = &o.Lines[i]
	}
	g := returnedGoods{sku: e.skuFacts(line.SKU, len(e.Parts(line.SKU)) > 0), received: r.Location}
	grams := g.sku.WeightG
	if grams == 0 {
		grams = e.kitGrams(line.Parts)
	}
	g.line = policy.Line{
		SKU: line.SKU, Quantity: back.Quantity, UnitPrice: line.UnitPrice, Value: line.UnitValue() * back.Quantity, WeightG: grams * back.Quantity,
	}
	g.returned = policy.Returned{Reason: back.Reason, Condition: back.Condition, Method: r.Method, Quantity: back.Quantity}
	var most int64
	var delivered time.Time
	for k := range o.Fulfillments {
		f := &o.Fulfillments[k]
		for _, l := range f.Lines {
			if l.Line != line.ID || l.Shipped == 0 {
				continue
			}
			if l.Shipped > most || l.Shipped == most && f.Location < g.origin {
				most, g.origin = l.Shipped, f.Location
			}
			if f.DeliveredAt.After(delivered) {
				delivered = f.DeliveredAt
			}
		}
	}
	if !delivered.IsZero() {
		g.returned.Days = int64(now.Sub(delivered) / (24 * time.Hour))
	}
	return g
}

// returnPlace is a location that may take goods back.
type returnPlace struct {
	location *policy.Location
	takes    bool // active, with the capability returns, in the channel's networks
	active   bool
	km       float64 // sourcing.UnknownDistance when unknown
}

// returnPlaces are all locations, the nearest first; those of unknown distance last; then by id.
func returnPlaces(d *network.Directory, places map[string]*policy.Location, channel string, from *network.Address) []returnPlace {
	takes := map[string]bool{}
	for _, l := range d.Eligible(channel, network.CanReturn) {
		takes[l.ID] = true
	}
	out := make([]returnPlace, 0, len(d.Locations()))
	for _, l := range d.Locations() {
		p := returnPlace{location: places[l.ID], takes: takes[l.ID], active: l.IsActive(), km: sourcing.UnknownDistance}
		if from != nil {
			if km, ok := network.Distance(&l.Address, from); ok {
				p.km = km
			}
		}
		out = append(out, p)
	}
	slices.SortStableFunc(out, func(a, b returnPlace) int { // they came ascending by id
		au, bu := a.km == sourcing.UnknownDistance, b.km == sourcing.UnknownDistance
		if au != bu {
			if au {
				return 1
			}
			return -1
		}
		return cmp.Compare(a.km, b.km)
	})
	return out
}

// routeReturn decides about one line. It depends on nothing but its arguments.
func routeReturn(c *policy.CompiledReturns, f *policy.Facts, g *returnedGoods, places []returnPlace) ReturnRoute {
	rule, _ := c.Choose(f) // a rule that cannot be evaluated does not match
	out := ReturnRoute{Rule: "none"}
	to, tags := policy.ToNearest, policy.TagRule{}
	if rule != nil {
		out.Rule, to, tags = rule.Name, rule.To, rule.Locations
	}
	but := ""
	at := func(id string) *returnPlace {
		i := slices.IndexFunc(places, func(p returnPlace) bool { return p.location.ID == id })
		if i < 0 {
			return nil
		}
		return &places[i]
	}
	switch to {
	case policy.ToNearest:
	case policy.ToKeep:
		out.Keep, out.Reason = true, "the customer keeps it"
		return out
	case policy.ToReceived:
		if p := at(g.received); p != nil {
			return out.to(p, "it stays where it was handed in")
		}
		but = "it was not handed in anywhere; "
	case policy.ToOrigin:
		switch p := at(g.origin); {
		case g.origin == "":
			but = "it is not known where it came from; "
		case p == nil || !p.takes:
			but = fmt.Sprintf("%s, where it came from, takes no returns; ", g.origin)
		default:
			return out.to(p, "it goes back to where it came from")
		}
	default:
		if p := at(to); p != nil && p.active {
			return out.to(p, "the rule names the location")
		}
		but = fmt.Sprintf("there is no active location %s; ", to)
	}
	for i := range places {
		if p := &places[i]; p.takes && tags.Admits(p.location.Tags) {
			if p.km == sourcing.UnknownDistance {
				return out.to(p, but+"no distance is known, so the lowest id of those that take returns")
			}
			return out.to(p, but+"the nearest location that takes returns")
		}
	}
	out.Reason = but + "no location takes returns"
	return out
}

func (r ReturnRoute) to(p *returnPlace, reason string) ReturnRoute {
	r.Location, r.Reason = p.location.ID, reason
	if p.km != sourcing.UnknownDistance {
		km := p.km
		r.DistanceKm = &km
	}
	return r
}

// kitGrams is the weight of a kit's parts.
func (e *Engine) kitGrams(parts []inventory.Part) (grams int64) {
	for _, p := range parts {
		if s, ok := e.Catalog().Get(p.SKU); ok {
			grams += s.WeightG * p.Quantity
		}
	}
	return grams
}
