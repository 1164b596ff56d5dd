package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
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
			bad.Range(at+".unit_price", *it.UnitPrice, 0, order.MaxAmount/order.MaxLineQuantity)
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
	// memory of sources, which several requests share
	shipTo map[string]*sources // by service
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
	of := &offering{e: e, book: book, now: now, r: r, shipTo: map[string]*sources{}}
	of.base = order.Order{
		ID: "promise", Channel: r.Channel, Currency: ch.Currency, Method: order.Ship, ShipTo: r.Destination,
		Customer: order.Customer{ID: r.Customer}, Attributes: r.Attributes, PlacedAt: now, CreatedAt: now,
	}
	for i, it := range r.Items {
		s, ok := e.Catalog().Get(it.SKU)
		if !ok {
			bad.Add(problem.At("items", i)+".sku", problem.Unknown, "the catalog has no SKU %q", it.SKU)
			continue
		}
		l := order.Line{ID: fmt.Sprint(i + 1), SKU: it.SKU, Quantity: it.Quantity, Parts: e.Parts(it.SKU)}
		if it.UnitPrice != nil {
			l.UnitPrice = *it.UnitPrice
		} else if s.Price != nil {
			l.UnitPrice = s.Price.Amount
		}
		l.Total = l.UnitPrice * l.Quantity
		of.base.Lines = append(of.base.Lines, l)
	}
	for i, id := range r.Locations {
		if _, ok := e.Directory().Location(id); !ok {
			bad.Add(problem.At("locations", i), problem.Unknown, "there is no location %q", id)
		}
	}
	f := orderFacts(&of.base)
	of.rules = e.promiseRules(&f, now)
	return of, bad.Err()
}

func (of *offering) input(requests []promise.Request) promise.Input {
	return promise.Input{
		Now: of.now, Settings: of.rules.Settings, Calendar: of.e.calendar, Learned: of.e.lore().delays(), Facts: of, Requests: requests,
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
		if of.wants(promise.ShipToStore) && of.e.transfers() {
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
	if o.Method != order.Ship {
		return of.e.sources(o)
	}
	if of.shipTo[o.Service] == nil {
		of.shipTo[o.Service] = of.e.sources(o)
	}
	return of.shipTo[o.Service]
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

// joined is the decisions about parts of one basket as one.
func joined(all []*sourcing.Decision) *sourcing.Decision {
	if len(all) == 1 {
		return all[0]
	}
	var out *sourcing.Decision
	for _, d := range all {
		if out == nil {
			first := *d
			out = &first
			continue
		}
		out.Cost += d.Cost
		out.Gap += d.Gap
		out.Shipments = slices.Concat(out.Shipments, d.Shipments)
		out.Unplaced = slices.Concat(out.Unplaced, d.Unplaced)
		out.Excluded = slices.Concat(out.Excluded, d.Excluded)
	}
	return out
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

// Confirmation asks for an option of a basket to be held.
type Confirmation struct {
	PromiseRequest
	Option     string `json:"option"`                // id of the option
	TTLSeconds int64  `json:"ttl_seconds,omitempty"` // default 900, 1..604800
	// DeliverBy is what the customer was shown; the option is refused when it would be later now.
	DeliverBy time.Time `json:"deliver_by,omitzero"`
}

// Confirm holds the stock and the plan of an option until it expires: an order that
// names the reservation gets exactly that promise. The reply's value is the
// *inventory.Reservation. Errors: problem.Invalid, *order.Refusal with
// CodePromiseChanged, those of Submit.
func (e *Engine) Confirm(ctx context.Context, c *Confirmation, m Meta) (*Reply, error) {
	request, ok := promise.ParseID(c.Option)
	if !ok {
		var bad problem.Invalid
		bad.Add("option", problem.Malformed, "%.100q is no id of an option; send one that POST /v1/promises gave", c.Option)
		return nil, bad.Err()
	}
	if err := inventory.ValidateTTL(c.TTLSeconds); err != nil {
		return nil, err
	}
	if _, err := e.offering(&c.PromiseRequest, e.Book(), e.Now()); err != nil {
		return nil, err
	}
	id := e.opt.NewID()
	id = id[:len(id)-2] + fmt.Sprintf("%02x", hashByte(id))
	key := e.ReservationKey(id)
	return e.Submit(ctx, &Command{
		Stream: key, Actor: m.Actor, Key: m.Key, Unique: &Unique{Kind: KindReservation},
		Decide: func(tx *Tx) (*Reply, error) {
			of, err := e.offering(&c.PromiseRequest, tx.Book(), tx.Now)
			if err != nil {
				return nil, err
			}
			options, excluded := promise.Options(of.input([]promise.Request{request}))
			if len(options) == 0 {
				return nil, &order.Refusal{Code: CodePromiseChanged, Pointer: "option", Message: "the option cannot be had any more: " + excluded[0].Reason}
			}
			o := &options[0]
			if !c.DeliverBy.IsZero() && o.DeliverBy.After(c.DeliverBy) {
				return nil, &order.Refusal{
					Code: CodePromiseChanged, Pointer: "deliver_by",
					Message: fmt.Sprintf("the option would be there by %s now; show the options anew", o.DeliverBy.Format(time.RFC3339)),
				}
			}
			r, err := of.reservation(id, o, c, tx.Now)
			if err != nil {
				return nil, err
			}
			event := inventory.ReservationEvent{Type: inventory.EventReservationHeld, Reservation: r}
			if err := tx.saveReservation(nil, event, r.Movements(true, "")); err != nil {
				return nil, err
			}
			en := tx.Entry(key)
			return &Reply{Status: http.StatusCreated, Value: en.Value, Entry: en}, nil
		},
	})
}

// reservation holds what an option's plan takes.
func (of *offering) reservation(id string, o *promise.Option, c *Confirmation, now time.Time) (*inventory.Reservation, error) {
	decision, err := json.Marshal(o.Plan)
	if err != nil {
		return nil, err
	}
	asked := of.order(o.Request)
	offer := &inventory.Offer{
		Option: o.ID, Method: string(asked.Method), Service: asked.Service, PickupLocation: asked.PickupLocation, Decision: decision,
	}
	if asked.Method == order.Pickup {
		offer.Service = ""
	}
	if d := of.r.Destination; d != nil && asked.Method == order.Ship {
		offer.PostalCode, offer.Country = d.PostalCode, d.Country
	}
	r := &inventory.Reservation{
		ID: id, Channel: of.r.Channel, Status: inventory.ReservationHeld, CreatedAt: now, ExpiresAt: now.Add(inventory.TTL(c.TTLSeconds)),
		Holds: []inventory.Hold{}, Offer: offer,
	}
	left := make([]int64, len(of.base.Lines))
	for i, l := range of.base.Lines {
		left[i] = l.Quantity
		r.Lines = append(r.Lines, inventory.ReservationLine{SKU: l.SKU, Requested: l.Quantity, Held: l.Quantity, Parts: l.Parts})
	}
	for i := range o.Plan.Shipments {
		s := &o.Plan.Shipments[i]
		shipment := inventory.OfferShipment{Location: s.Location, Service: s.Service, Via: s.Via, Cost: s.Carrier, ShipBy: o.ShipBy, DeliverBy: o.DeliverBy}
		if i < len(o.Arrivals) {
			shipment.ShipBy = o.Arrivals[i].ShipBy
		}
		offer.Shipments = append(offer.Shipments, shipment)
		for _, u := range s.Lines {
			need := u.Quantity
			for k := range of.base.Lines {
				if n := min(need, left[k]); n > 0 && covered(u.Line, of.base.Lines[k].ID) {
					r.Holds = append(r.Holds, inventory.Hold{Line: k, Location: s.Location, Quantity: n})
					left[k] -= n
					need -= n
				}
			}
		}
	}
	return r, nil
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
