package engine

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/problem"
	"github.com/orderly-oms/orderly/internal/promise"
	"github.com/orderly-oms/orderly/internal/sourcing"
)

const (
	// MaxPromiseItems bounds a basket.
	MaxPromiseItems = inventory.MaxReservationLines
	// maxPickupStores is how many stores are offered for pickup, nearest first, unless the request names its own.
	maxPickupStores = 30
	// maxUnitPrice bounds the price of a unit in a basket, minor units.
	maxUnitPrice = order.MaxAmount / order.MaxLineQuantity
	// CodePromiseChanged refuses to confirm an option that cannot be had any more as it was shown.
	CodePromiseChanged = "promise_changed"
)

// PromiseRequest asks when and how a basket can be had.
type PromiseRequest struct {
	Channel string        `json:"channel"`
	Items   []PromiseItem `json:"items"`
	// Destination is where it goes, and near where pickup stores are looked for.
	Destination *network.Address  `json:"destination,omitempty"`
	Customer    string            `json:"customer,omitempty"`
	Attributes  map[string]string `json:"attributes,omitempty"`
	// Kinds of options wanted: ship, pickup, same_day, ship_to_store; empty: all.
	Kinds []promise.OptionKind `json:"kinds,omitempty"`
	// Services of carriers to offer; empty: all.
	Services []string `json:"services,omitempty"`
	// Locations are the stores to offer for pickup; empty: those near the destination.
	Locations []string `json:"locations,omitempty"`
}

// PromiseItem is one line of the basket.
type PromiseItem struct {
	SKU      string `json:"sku"`
	Quantity int64  `json:"quantity"`
	// UnitPrice is what the customer pays for one, minor units; default: the catalog's price.
	UnitPrice *int64 `json:"unit_price,omitempty"`
}

// Validate reports every field that is wrong in itself.
func (r *PromiseRequest) Validate() error {
	var bad problem.Invalid
	bad.ID("channel", r.Channel)
	bad.Text("customer", r.Customer, 200)
	if len(r.Items) == 0 || len(r.Items) > MaxPromiseItems {
		bad.Add("items", problem.OutOfRange, "between 1 and %d items, got %d", MaxPromiseItems, len(r.Items))
	}
	for i, it := range r.Items[:min(len(r.Items), MaxPromiseItems)] {
		at := problem.At("items", i)
		bad.ID(at+".sku", it.SKU)
		bad.Range(at+".quantity", it.Quantity, 1, order.MaxLineQuantity)
		if it.UnitPrice != nil {
			bad.Range(at+".unit_price", *it.UnitPrice, 0, maxUnitPrice)
		}
	}
	for i, k := range r.Kinds {
		problem.OneOf(&bad, problem.At("kinds", i), k, promise.Ship, promise.Pickup, promise.SameDay, promise.ShipToStore)
	}
	bad.IDs("services", r.Services, maxServices)
	bad.IDs("locations", r.Locations, promise.MaxRequests/4)
	if r.Destination != nil {
		r.Destination.ValidateInto(&bad, "destination")
	}
	bad.Count("attributes", len(r.Attributes), order.MaxAttributes)
	return bad.Err()
}

// Promises is the answer to a PromiseRequest.
type Promises struct {
	Options  []promise.Option
	Excluded []promise.Exclusion
	Policy   string // of the promise, name@version
	Currency string
}

// offering is one basket being asked about. It implements promise.Facts.
type offering struct {
	e     *Engine
	book  *inventory.Book
	now   time.Time
	r     *PromiseRequest
	base  order.Order // as it would be captured, for shipping
	rules promiseRules
	// known are the sources found so far, which several requests share.
	known map[sourcesKey]*sources
}

// sourcesKey is what the sources of a basket depend on.
type sourcesKey struct {
	method          order.Method
	service, pickup string
}

// Promises lists all ways to have a basket. Errors: problem.Invalid.
func (e *Engine) Promises(r *PromiseRequest) (*Promises, error) {
	of, err := e.offering(r, e.Book(), e.Now())
	if err != nil {
		return nil, err
	}
	options, excluded := promise.Options(of.input(of.requests()))
	return &Promises{Options: options, Excluded: excluded, Policy: of.rules.name, Currency: of.base.Currency}, nil
}

func (e *Engine) offering(r *PromiseRequest, book *inventory.Book, now time.Time) (*offering, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	var bad problem.Invalid
	ch, ok := e.Directory().Channel(r.Channel)
	if !ok {
		bad.Add("channel", problem.Unknown, "there is no channel %q", r.Channel)
		return nil, bad.Err()
	}
	n := &order.New{
		Channel: r.Channel, Currency: ch.Currency, Method: order.Ship, ShipTo: r.Destination, Customer: order.Customer{ID: r.Customer}, Attributes: r.Attributes,
	}
	for i, it := range r.Items {
		s, ok := e.Catalog().Get(it.SKU)
		if !ok {
			bad.Add(problem.At("items", i)+".sku", problem.Unknown, "the catalog has no SKU %q", it.SKU)
			continue
		}
		l := order.NewLine{SKU: it.SKU, Quantity: it.Quantity}
		if it.UnitPrice != nil {
			l.UnitPrice = *it.UnitPrice
		} else if s.Price != nil {
			l.UnitPrice = min(s.Price.Amount, maxUnitPrice)
		}
		n.Lines = append(n.Lines, l)
	}
	for i, id := range r.Locations {
		if _, ok := e.Directory().Location(id); !ok {
			bad.Add(problem.At("locations", i), problem.Unknown, "there is no location %q", id)
		}
	}
	if err := bad.Err(); err != nil {
		return nil, err
	}
	of := &offering{e: e, book: book, r: r, known: map[sourcesKey]*sources{}}
	start := e.captured(n, order.Captured{ID: "promise", At: now, Parts: e.Parts}, nil)
	of.base = *start.Order
	of.at(now)
	return of, nil
}

// at makes the offering that of a moment.
func (of *offering) at(now time.Time) {
	of.now, of.base.PlacedAt, of.base.CreatedAt = now, now, now
	f := orderFacts(&of.base)
	of.rules = of.e.promiseRules(&f, now)
}

func (of *offering) input(requests []promise.Request) promise.Input {
	return promise.Input{
		Now: of.now, Settings: of.rules.Settings, Calendar: of.e.calendar, Learned: of.e.lore().delays(), Facts: of, Requests: requests,
		Backlog: of.e.queues.Load().of,
	}
}

func (of *offering) wants(k promise.OptionKind) bool {
	return len(of.r.Kinds) == 0 || slices.Contains(of.r.Kinds, k)
}

// requests are the ways worth asking for.
func (of *offering) requests() []promise.Request {
	var out []promise.Request
	d := of.e.Directory()
	services := of.r.Services
	if len(services) == 0 {
		services = serviceIDs(d, "")
	}
	if of.r.Destination != nil && of.wants(promise.Ship) {
		for _, s := range services {
			out = append(out, promise.Request{Kind: promise.Ship, Service: s})
			if len(of.base.Lines) > 1 || of.base.Lines[0].Quantity > 1 {
				out = append(out, promise.Request{Kind: promise.Ship, Service: s, Unsplit: true})
			}
		}
	}
	for _, store := range of.stores(network.CanPickup, of.rules.PickupMaxKm, of.wants(promise.Pickup) || of.wants(promise.ShipToStore)) {
		if of.wants(promise.Pickup) {
			out = append(out, promise.Request{Kind: promise.Pickup, Location: store})
		}
		if of.wants(promise.ShipToStore) && of.e.transfers(of.now) {
			for _, s := range services {
				out = append(out, promise.Request{Kind: promise.ShipToStore, Location: store, Service: s})
			}
		}
	}
	if s := of.rules.SameDayService; s != "" && of.rules.SameDayMaxKm > 0 && of.r.Destination != nil {
		for _, store := range of.stores(network.CanShip, of.rules.SameDayMaxKm, of.wants(promise.SameDay)) {
			if l, _ := d.Location(store); l != nil && l.Type == network.Store {
				out = append(out, promise.Request{Kind: promise.SameDay, Location: store, Service: s})
			}
		}
	}
	return out
}

// stores are the channel's locations that can do something, within a distance of the
// destination, nearest first; those the request names, when it names some.
func (of *offering) stores(can network.Capability, maxKm float64, wanted bool) []string {
	if !wanted {
		return nil
	}
	type at struct {
		id string
		km float64
	}
	var near []at
	for _, l := range of.e.Directory().Eligible(of.r.Channel, can) {
		if len(of.r.Locations) > 0 {
			if slices.Contains(of.r.Locations, l.ID) {
				near = append(near, at{l.ID, 0})
			}
			continue
		}
		if of.r.Destination == nil {
			continue
		}
		if km, ok := network.Distance(&l.Address, of.r.Destination); ok && km <= maxKm {
			near = append(near, at{l.ID, km})
		}
	}
	slices.SortFunc(near, func(a, b at) int { return cmp.Or(cmp.Compare(a.km, b.km), cmp.Compare(a.id, b.id)) })
	if len(of.r.Locations) == 0 {
		near = near[:min(len(near), maxPickupStores)]
	}
	ids := make([]string, len(near))
	for i := range near {
		ids[i] = near[i].id
	}
	return ids
}

// order is the basket as an order that asks for the request.
func (of *offering) order(r promise.Request) *order.Order {
	o := of.base
	o.Service = r.Service
	switch r.Kind {
	case promise.Pickup, promise.ShipToStore:
		o.Method, o.PickupLocation = order.Pickup, r.Location
		if r.Kind == promise.Pickup {
			o.RequiredLocation, o.Service = r.Location, ""
		}
	case promise.SameDay:
		o.RequiredLocation = r.Location
	}
	return &o
}

func (of *offering) sources(o *order.Order) *sources {
	key := sourcesKey{o.Method, o.Service, o.PickupLocation}
	s := of.known[key]
	if s == nil {
		s = of.e.sources(o, of.now)
		of.known[key] = s
	}
	return s
}

// Plan implements promise.Facts: the decision for one request on the stock of this moment.
func (of *offering) Plan(r promise.Request) *sourcing.Decision {
	o := of.order(r)
	p := &placing{e: of.e, book: of.book, now: of.now, s: of.sources(o), o: o, unsplit: r.Unsplit}
	if _, err := p.run(nil); err != nil {
		return nil
	}
	return joined(p.plan.Decisions)
}

// joined is the decisions about parts of one basket as one. Nil: there was nothing to decide.
func joined(all []*sourcing.Decision) *sourcing.Decision {
	if len(all) == 0 {
		return nil
	}
	out := *all[0]
	if len(all) > 1 {
		out.Shipments = slices.Clone(out.Shipments)
	}
	for _, d := range all[1:] {
		out.Cost += d.Cost
		out.Gap += d.Gap
		for i := range d.Shipments {
			s := &d.Shipments[i]
			same := slices.IndexFunc(out.Shipments, func(x sourcing.Shipment) bool {
				return x.Location == s.Location && x.Service == s.Service && x.Via == s.Via
			})
			if same < 0 {
				out.Shipments = append(out.Shipments, *s)
				continue
			}
			x := &out.Shipments[same] // one parcel, whose parts were priced apart
			x.Lines, x.Terms = slices.Concat(x.Lines, s.Lines), slices.Concat(x.Terms, s.Terms)
			x.Cost += s.Cost
			x.Carrier += s.Carrier
		}
		out.Unplaced = slices.Concat(out.Unplaced, d.Unplaced)
		out.Excluded = slices.Concat(out.Excluded, d.Excluded)
	}
	return &out
}

// Location implements promise.Facts.
func (of *offering) Location(id string) (*network.Location, bool) {
	return of.e.Directory().Location(id)
}

// Leg implements promise.Facts.
func (of *offering) Leg(from *network.Location, service, via string) (network.Leg, float64, error) {
	d := of.e.Directory()
	to := of.r.Destination
	if via != "" {
		l, ok := d.Location(via)
		if !ok {
			return network.Leg{}, -1, network.ErrNoZone
		}
		to = &l.Address
	}
	t, ok := d.Tariff(service)
	if to == nil || !ok {
		return network.Leg{}, -1, network.ErrNoZone
	}
	km, known := network.Distance(&from.Address, to)
	if !known {
		km = -1
	}
	leg, err := t.Leg(&from.Address, to)
	return leg, km, err
}

// Weight implements promise.Facts.
func (of *offering) Weight(lines []sourcing.Units) (grams int64) {
	for _, u := range lines {
		for i := range of.base.Lines {
			if l := &of.base.Lines[i]; covered(u.Line, l.ID) {
				grams += of.e.unitGrams(l) * u.Quantity
				break
			}
		}
	}
	return grams
}

// Price implements promise.Facts.
func (of *offering) Price(r promise.Request, d *sourcing.Decision) int64 {
	if of.rules.policy.Price == nil {
		return 0
	}
	f := orderFacts(of.order(r))
	candidate := policy.Candidate{}
	for i := range d.Shipments {
		candidate.Carrier += d.Shipments[i].Carrier
	}
	price, err := of.rules.policy.Price.Int(&policy.Facts{Order: &f, Candidate: &candidate, Now: of.now})
	if err != nil {
		return 0
	}
	return price
}

// covered reports whether the line of a decision, which may stand for several joined
// with +, is or has the line of the basket.
func covered(of, line string) bool {
	for part := range strings.SplitSeq(of, "+") {
		if part == line {
			return true
		}
	}
	return false
}

// unitGrams is the weight of one unit of a line.
func (e *Engine) unitGrams(l *order.Line) int64 {
	return e.lineFacts(&want{sku: l.SKU, parts: l.Parts, left: 1, demands: []*demand{{line: l}}}).Grams
}
