package promise

import (
	"cmp"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/sourcing"
)

// OptionKind is how the customer gets the goods.
type OptionKind string

// The kinds of options.
const (
	Ship        OptionKind = "ship"
	Pickup      OptionKind = "pickup"
	SameDay     OptionKind = "same_day"      // shipped from a store, there today
	ShipToStore OptionKind = "ship_to_store" // another location ships to the store where it is picked up
)

// MaxRequests bounds what one answer looks at: services, and stores for pickup, same day and ship to store.
const MaxRequests = 2000

// Request is one way to ask for a plan.
type Request struct {
	Kind    OptionKind
	Service string // of the carrier; for pickup none
	// Location is the store for pickup, same day and ship to store.
	Location string
	// Unsplit wants everything from one location.
	Unsplit bool
}

// ID names the request, like "ship:dhl-express", "pickup:store-12",
// "same_day:store-12:bike" or "ship:dhl:unsplit". It depends on nothing
// else, so that an option can be confirmed by it later. Colons and
// other signs in ids of services and locations are written as in a URL.
func (r Request) ID() string {
	parts := []string{string(r.Kind)}
	for _, part := range []string{r.Location, r.Service} {
		if part != "" {
			parts = append(parts, url.QueryEscape(part))
		}
	}
	if r.Unsplit {
		parts = append(parts, unsplit)
	}
	return strings.Join(parts, ":")
}

const unsplit = "unsplit"

// ParseID reads what ID wrote; ok false: it is no such text.
func ParseID(id string) (r Request, ok bool) {
	parts := strings.Split(id, ":")
	r.Kind = OptionKind(parts[0])
	parts = parts[1:]
	fields := map[OptionKind][]*string{
		Ship: {&r.Service}, Pickup: {&r.Location}, SameDay: {&r.Location, &r.Service}, ShipToStore: {&r.Location, &r.Service},
	}[r.Kind]
	if len(parts) == len(fields)+1 && parts[len(fields)] == unsplit {
		r.Unsplit, parts = true, parts[:len(fields)]
	}
	if len(fields) == 0 || len(parts) != len(fields) {
		return Request{}, false
	}
	for i, field := range fields {
		text, err := url.QueryUnescape(parts[i])
		if err != nil || text == "" {
			return Request{}, false
		}
		*field = text
	}
	return r, r.ID() == id
}

// Facts are what the caller knows about a basket.
type Facts interface {
	// Plan returns the plan for a request, or nil when there is none. Shipments may
	// name another service than asked only when the request names none.
	Plan(Request) *sourcing.Decision
	Location(id string) (*network.Location, bool)
	// Leg is the way from a location to the destination, or to the pickup location via
	// when that is not empty, and its length; unknown lengths are negative. Returns network.ErrNoZone.
	Leg(from *network.Location, service, via string) (leg network.Leg, km float64, err error)
	// Weight of units in grams.
	Weight([]sourcing.Units) int64
	// Price is what the customer pays for the request, minor units.
	Price(Request, *sourcing.Decision) int64
}

// Input is what Options are found from.
type Input struct {
	Now      time.Time
	Settings *Settings
	Calendar *Calendar
	Learned  *Delays // nil: nothing learned
	// Backlog is the queue of a location, minutes of opening hours; nil: none anywhere.
	Backlog func(location string) int64
	Facts   Facts
	// Requests beyond MaxRequests are not looked at, and listed as excluded.
	Requests []Request
}

// Option is one way to have the basket.
type Option struct {
	ID      string
	Request Request
	// From and To are the first and the last date; of a pickup both the date it is ready on.
	From, To network.Date
	ShipBy   time.Time // when the last shipment leaves; of a pickup like Ready
	// DeliverBy is the promise: the first instant after To, or when the pickup is ready.
	DeliverBy time.Time
	// Ready is when it can be collected; zero when it is delivered.
	Ready time.Time
	// Probability that all of it is there by DeliverBy.
	Probability float64
	Level       string // the coarsest level of history among the shipments
	Cost        int64  // cost to serve by the policy's terms, minor units
	Price       int64  // to the customer, minor units
	Shipments   int
	// Arrivals are those of Plan.Shipments, in the same order; empty for pickup.
	Arrivals []Arrival
	// GramKm is weight × way of all shipments; −1 unknown. What the customer travels is not in it.
	GramKm                       int64
	Plan                         *sourcing.Decision
	ValidUntil                   time.Time // dates hold for orders before it
	Earliest, Cheapest, Greenest bool
}

// Exclusion says why a request gives no option.
type Exclusion struct {
	ID, Reason string
}

// The reasons of exclusions.
const (
	ReasonTooMany     = "more requests than are looked at"
	ReasonNoStock     = "not everything can be had this way"
	ReasonSplit       = "no single location has everything"
	ReasonNoService   = "the carrier does not go there"
	ReasonNeverOpen   = "a location does not open"
	ReasonNotToday    = "it would not arrive today"
	ReasonDuplicate   = "the same as another option"
	ReasonNotAStore   = "the plan does not end at the store asked for"
	ReasonBeyondLimit = "beyond the number of options"
)

// Options returns the ways to have the basket, soonest first, then cheapest for
// the retailer, then by id; and why other requests gave none, by id. The first that
// is earliest, cheapest and greenest is marked and always kept; MaxOptions bounds the rest.
func Options(in Input) ([]Option, []Exclusion) {
	var options []Option
	var excluded []Exclusion
	for i, r := range in.Requests {
		if i >= MaxRequests {
			excluded = append(excluded, Exclusion{r.ID(), ReasonTooMany})
			continue
		}
		o, reason := in.option(r)
		if reason != "" {
			excluded = append(excluded, Exclusion{r.ID(), reason})
			continue
		}
		options = append(options, o)
	}
	slices.SortFunc(options, func(a, b Option) int {
		return cmp.Or(a.DeliverBy.Compare(b.DeliverBy), cmp.Compare(a.Cost, b.Cost), cmp.Compare(len(a.ID), len(b.ID)), cmp.Compare(a.ID, b.ID))
	})
	options, excluded = merge(options, excluded)
	mark(options)
	options, excluded = limit(options, in.Settings.MaxOptions, excluded)
	slices.SortFunc(excluded, func(a, b Exclusion) int { return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Reason, b.Reason)) })
	return options, excluded
}

// option builds one option, or says why there is none.
func (in *Input) option(r Request) (Option, string) {
	plan := in.Facts.Plan(r)
	switch {
	case plan == nil || len(plan.Shipments) == 0 || len(plan.Unplaced) > 0:
		return Option{}, ReasonNoStock
	case r.Unsplit && slices.ContainsFunc(plan.Shipments, func(s sourcing.Shipment) bool { return s.Location != plan.Shipments[0].Location }):
		return Option{}, ReasonSplit
	}
	o := Option{
		ID: r.ID(), Request: r, Plan: plan, Cost: plan.Cost, Price: in.Facts.Price(r, plan), Shipments: len(plan.Shipments), Probability: 1,
	}
	switch r.Kind {
	case Pickup:
		return o, in.pickup(&o)
	case ShipToStore:
		return o, in.shipToStore(&o)
	}
	if reason := in.ship(&o); reason != "" {
		return o, reason
	}
	if r.Kind == SameDay {
		for i := range plan.Shipments {
			from, _ := in.Facts.Location(plan.Shipments[i].Location)
			if plan.Shipments[i].Location != r.Location {
				return o, ReasonNotAStore
			}
			if !o.Arrivals[i].SameDay(from, in.Now) {
				return o, ReasonNotToday
			}
		}
	}
	return o, ""
}

func (in *Input) backlog(location string) int64 {
	if in.Backlog == nil {
		return 0
	}
	return in.Backlog(location)
}

// pickup dates what waits at the store already.
func (in *Input) pickup(o *Option) string {
	store, ok := in.Facts.Location(o.Request.Location)
	if !ok || slices.ContainsFunc(o.Plan.Shipments, func(s sourcing.Shipment) bool { return s.Location != store.ID || s.Via != "" }) {
		return ReasonNotAStore
	}
	c, err := in.Calendar.Collection(store, in.backlog(store.ID), in.Now)
	if err != nil {
		return ReasonNeverOpen
	}
	o.ready(store, c.Ready)
	o.ShipBy, o.ValidUntil = c.Ready, c.ValidUntil
	o.Level, o.Probability = LevelNone, pickupProbability
	return ""
}

// pickupProbability is what is believed of pickups: the work is the store's own,
// and its opening hours are counted. The ledger learns how long stages really take.
const pickupProbability = 0.95

func (o *Option) ready(store *network.Location, ready time.Time) {
	o.Ready, o.DeliverBy = ready, ready
	if zone, err := network.LoadZone(store.TimeZone); err == nil {
		o.To = network.DateOf(ready.In(zone).Date())
		o.From = o.To
	}
}

// ship dates every shipment; the last one decides.
func (in *Input) ship(o *Option) string {
	for i := range o.Plan.Shipments {
		s := &o.Plan.Shipments[i]
		a, reason := in.arrive(o, s)
		if reason != "" {
			return reason
		}
		o.Arrivals = append(o.Arrivals, a)
		if a.DeliverBy.After(o.DeliverBy) {
			o.DeliverBy, o.From, o.To = a.DeliverBy, a.From, a.To
		}
		if a.ShipBy.After(o.ShipBy) {
			o.ShipBy = a.ShipBy
		}
		if i == 0 || a.ValidUntil.Before(o.ValidUntil) {
			o.ValidUntil = a.ValidUntil
		}
		o.Level = coarser(o.Level, a.Level)
	}
	for i, a := range o.Arrivals { // an earlier shipment has until the last date
		s := &o.Plan.Shipments[i]
		leg, _, err := in.leg(s, o.Request)
		if err != nil {
			return ReasonNoService
		}
		curve := in.Learned.Curve(Key{s.Location, leg.Service, leg.Zone}, in.Settings.MinObservations)
		o.Probability *= curve.Probability(o.DeliverBy.Sub(a.Calendar))
	}
	return ""
}

// arrive dates one shipment and adds its way to the option's.
func (in *Input) arrive(o *Option, s *sourcing.Shipment) (Arrival, string) {
	from, ok := in.Facts.Location(s.Location)
	if !ok {
		return Arrival{}, ReasonNotAStore
	}
	leg, km, err := in.leg(s, o.Request)
	if err != nil {
		return Arrival{}, ReasonNoService
	}
	a, err := in.Calendar.Arrive(Shipping{from, leg.Service, leg.Zone, leg.TransitDays, in.backlog(s.Location)}, in.Settings, in.Learned, in.Now)
	if err != nil {
		return Arrival{}, ReasonNeverOpen
	}
	if way := float64(in.Facts.Weight(s.Lines)) * km; km < 0 || o.GramKm < 0 || way > math.MaxInt64/4 {
		o.GramKm = -1
	} else {
		o.GramKm += int64(math.Round(way))
	}
	return a, ""
}

func (in *Input) leg(s *sourcing.Shipment, r Request) (network.Leg, float64, error) {
	from, ok := in.Facts.Location(s.Location)
	if !ok {
		return network.Leg{}, -1, network.ErrNoZone
	}
	return in.Facts.Leg(from, or(s.Service, r.Service), s.Via)
}

// shipToStore dates the way to the store and then its work on it. What the plan
// takes from the store itself waits there.
func (in *Input) shipToStore(o *Option) string {
	store, ok := in.Facts.Location(o.Request.Location)
	moved := 0
	for i := range o.Plan.Shipments {
		s := &o.Plan.Shipments[i]
		if s.Via == "" && s.Location != o.Request.Location || s.Via != "" && s.Via != o.Request.Location {
			return ReasonNotAStore
		}
		if s.Via != "" {
			moved++
		}
	}
	if !ok || moved == 0 {
		return ReasonNotAStore
	}
	all := o.Plan
	hop := *all
	hop.Shipments = slices.DeleteFunc(slices.Clone(all.Shipments), func(s sourcing.Shipment) bool { return s.Via == "" })
	o.Plan = &hop
	reason := in.ship(o)
	o.Plan = all
	if reason != "" {
		return reason
	}
	ready, err := Forward(store, o.DeliverBy)
	if err != nil {
		return ReasonNeverOpen
	}
	o.ready(store, ready)
	return ""
}

// coarser returns the level that says less.
func coarser(a, b string) string {
	rank := func(level string) int {
		if level == "" {
			return -1
		}
		if i := slices.Index(levelNames[:], level); i >= 0 {
			return i
		}
		return len(levelNames)
	}
	if rank(b) > rank(a) {
		return b
	}
	return a
}

// merge keeps the first of options that mean the same shipments and dates.
func merge(options []Option, excluded []Exclusion) ([]Option, []Exclusion) {
	seen := make(map[string]bool, len(options))
	kept := options[:0]
	for _, o := range options {
		var b strings.Builder
		fmt.Fprintf(&b, "%s|%s|%d", o.Request.Kind, o.Request.Location, o.DeliverBy.Unix())
		for i := range o.Plan.Shipments {
			s := &o.Plan.Shipments[i]
			fmt.Fprintf(&b, "|%q %q %q %v", s.Location, or(s.Service, o.Request.Service), s.Via, s.Lines)
		}
		if seen[b.String()] {
			excluded = append(excluded, Exclusion{o.ID, ReasonDuplicate})
			continue
		}
		seen[b.String()] = true
		kept = append(kept, o)
	}
	return kept, excluded
}

// mark marks one option each; of equal ones the first.
func mark(options []Option) {
	if len(options) == 0 {
		return
	}
	options[0].Earliest = true
	cheapest, greenest := 0, -1
	for i := range options {
		if options[i].Cost < options[cheapest].Cost {
			cheapest = i
		}
		if options[i].GramKm >= 0 && (greenest < 0 || options[i].GramKm < options[greenest].GramKm) {
			greenest = i
		}
	}
	options[cheapest].Cheapest = true
	if greenest >= 0 {
		options[greenest].Greenest = true
	}
}

// limit keeps the marked options and of the others the first, at most n together
// unless more than n are marked.
func limit(options []Option, n int, excluded []Exclusion) ([]Option, []Exclusion) {
	free := n
	for _, o := range options {
		if o.Earliest || o.Cheapest || o.Greenest {
			free--
		}
	}
	kept := options[:0]
	for _, o := range options {
		if !o.Earliest && !o.Cheapest && !o.Greenest {
			if free--; free < 0 {
				excluded = append(excluded, Exclusion{o.ID, ReasonBeyondLimit})
				continue
			}
		}
		kept = append(kept, o)
	}
	return kept, excluded
}
