package engine

import (
	"math"
	"slices"
	"sync"
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
	// maxBoardRows bounds the remembered boards: rows of one generation, of which there are
	// two. A row is one location for one destination and takes about 130 bytes, so all take 150 MB at most.
	maxBoardRows = 600_000
	// maxBoardAge is when a board is made anew though none of its dates has changed: a
	// location without any opening hours in sight may have some then.
	maxBoardAge = time.Hour
	// coordinateSteps are the steps of a degree to which coordinates are rounded: about 100 m.
	coordinateSteps = 1000
)

// QuickRequest asks for a product page when a SKU can be had.
type QuickRequest struct {
	SKU     string
	Channel string
	// Quantity of one order, 1 to order.MaxLineQuantity.
	Quantity int64
	// Destination is where it would go; nil: no delivery date is asked for, and no store is near.
	Destination *network.Address
	// Location is the customer's store: the only one looked at for pickup, however far. "": all near the destination.
	Location string
}

// QuickAnswer is what a product page shows.
type QuickAnswer struct {
	// Deliver is the earliest delivery by any service that the channel's orders may go with.
	Deliver promise.Soonest
	// DeliverOn is the date of Deliver, which is the end of that date where it leaves.
	DeliverOn network.Date
	Pickup    promise.Soonest
	PickupOn  network.Date
	// ShipUnits and PickupUnits may be promised now, by all locations that ship or that are looked at for pickup.
	ShipUnits, PickupUnits int64
	Policy                 string // of the promise, name@version
	// ValidUntil is when the dates change if stock does not; zero: there are none.
	ValidUntil time.Time
}

// Quick answers from the stock of this moment and from dates that were found before.
// Filters of sourcing policies are not asked; POST /v1/promises asks them. Errors: problem.Invalid, ErrNotFound.
func (e *Engine) Quick(r QuickRequest) (*QuickAnswer, error) {
	return e.quick(r, e.boards.of)
}

// boardMaker gives the board for a destination.
type boardMaker func(e *Engine, k boardKey, s *shop, now time.Time) *promise.Board

func (e *Engine) quick(r QuickRequest, board boardMaker) (*QuickAnswer, error) {
	d, now := e.Directory(), e.Now()
	ch, err := e.checkQuick(d, &r)
	if err != nil {
		return nil, err
	}
	facts := e.quickFacts(&r, ch, now)
	rules := e.promiseRules(&facts.Order, now)
	s := e.boards.shop(e, d, ch)
	b := board(e, keyOf(&r, rules.Settings), s, now)
	available := e.quickUnits(s, facts, &r, now)
	q := b.Earliest(available, r.Quantity)
	out := &QuickAnswer{Deliver: q.Deliver, Pickup: q.Pickup, Policy: rules.name}
	for i := range s.locations {
		if s.ships[i] {
			out.ShipUnits += available[i]
		}
		if s.picks[i] && (r.Location == s.locations[i].ID || r.Location == "" && !b.Rows()[i].Ready.IsZero()) {
			out.PickupUnits += available[i]
		}
	}
	if r.Location != "" {
		out.Pickup = e.quickPickup(s, &r, available, now)
	}
	out.DeliverOn, out.PickupOn = dateAt(d, out.Deliver, -time.Nanosecond), dateAt(d, out.Pickup, 0)
	for _, until := range []time.Time{out.Deliver.ValidUntil, out.Pickup.ValidUntil} {
		if !until.IsZero() && (out.ValidUntil.IsZero() || until.Before(out.ValidUntil)) {
			out.ValidUntil = until
		}
	}
	return out, nil
}

func (e *Engine) checkQuick(d *network.Directory, r *QuickRequest) (*network.Channel, error) {
	if !e.Catalog().Has(r.SKU) {
		return nil, ErrNotFound
	}
	var bad problem.Invalid
	ch, ok := d.Channel(r.Channel)
	if !ok {
		bad.Add("channel", problem.Unknown, "there is no channel %q", r.Channel)
	}
	bad.Range("quantity", r.Quantity, 1, order.MaxLineQuantity)
	if _, ok := d.Location(r.Location); r.Location != "" && !ok {
		bad.Add("location", problem.Unknown, "there is no location %q", r.Location)
	}
	if r.Destination != nil {
		r.Destination.ValidateInto(&bad, "")
	}
	return ch, bad.Err()
}

// quickFacts are what policies see of an order for the SKU.
func (e *Engine) quickFacts(r *QuickRequest, ch *network.Channel, now time.Time) *sourcing.Facts {
	w := &want{id: "1", sku: r.SKU, parts: e.Parts(r.SKU), left: r.Quantity}
	l := order.Line{ID: "1", SKU: r.SKU, Quantity: r.Quantity, Parts: w.parts}
	if s, ok := e.Catalog().Get(r.SKU); ok && s.Price != nil {
		l.UnitPrice = min(s.Price.Amount, maxUnitPrice)
	}
	l.Total = l.UnitPrice * l.Quantity
	w.demands = []*demand{{line: &l, left: r.Quantity}}
	f := &sourcing.Facts{Now: now, Lines: []sourcing.Line{e.lineFacts(w)}}
	f.Order = policy.Order{
		Channel: ch.ID, Method: string(order.Ship), Currency: ch.Currency, Lines: 1, Units: r.Quantity, Value: l.Total,
		PlacedAt: now, WeightG: f.Lines[0].Facts.WeightG,
	}
	if a := r.Destination; a != nil {
		f.Order.Country, f.Order.PostalCode = a.Country, a.PostalCode
	}
	return f
}

// quickUnits is what each location may give now, as sourcing reads it, within its capacity.
func (e *Engine) quickUnits(s *shop, f *sourcing.Facts, r *QuickRequest, now time.Time) []int64 {
	book := e.Book()
	group := []*want{{id: "1", sku: r.SKU, parts: e.Parts(r.SKU), left: r.Quantity}}
	out := e.availability(book, &s.sources, f, group, nil, nil)
	for i, l := range s.locations {
		if out[i] == 0 || !l.Capacity.IsLimited() {
			continue
		}
		orders, units, value := e.capacityLeft(book, l, now)
		if orders == 0 {
			out[i] = 0
		}
		if units >= 0 {
			out[i] = min(out[i], units)
		}
		if each := f.Lines[0].Value; value >= 0 && each > 0 {
			out[i] = min(out[i], value/each)
		}
	}
	return out
}

// quickPickup answers for the customer's own store.
func (e *Engine) quickPickup(s *shop, r *QuickRequest, available []int64, now time.Time) promise.Soonest {
	i := s.at(r.Location)
	if i < 0 || !s.picks[i] || available[i] < r.Quantity {
		return promise.Soonest{}
	}
	c, err := e.calendar.Collection(s.locations[i], e.queues.Load().of(s.locations[i].ID), now)
	if err != nil {
		return promise.Soonest{}
	}
	return promise.Soonest{By: c.Ready, Location: r.Location, ValidUntil: c.ValidUntil}
}

// dateAt is the date of an instant, moved by a shift, where the location of an answer is; zero when there is none.
func dateAt(d *network.Directory, s promise.Soonest, shift time.Duration) network.Date {
	l, ok := d.Location(s.Location)
	if !ok || s.By.IsZero() {
		return 0
	}
	zone, err := network.LoadZone(l.TimeZone)
	if err != nil {
		return 0
	}
	return network.DateOf(s.By.Add(shift).In(zone).Date())
}

// shop is the locations of a channel that ship or have pickup, ascending by id.
type shop struct {
	sources
	services     []string
	ships, picks []bool
	book         *inventory.Book
}

// boardKey is what a board depends on beside reference data, history and time.
type boardKey struct {
	channel, country, postalCode string
	located                      bool
	latitude, longitude          int32 // in steps of a degree
	settings                     *promise.Settings
}

func keyOf(r *QuickRequest, s *promise.Settings) boardKey {
	k := boardKey{channel: r.Channel, settings: s}
	if a := r.Destination; a != nil {
		k.country, k.postalCode = a.Country, a.PostalCode
		if a.Latitude != nil && a.Longitude != nil {
			k.located = true
			k.latitude, k.longitude = int32(math.Round(*a.Latitude*coordinateSteps)), int32(math.Round(*a.Longitude*coordinateSteps))
		}
	}
	return k
}

// address is the destination that a key stands for; nil: none.
func (k *boardKey) address() *network.Address {
	if k.country == "" {
		return nil
	}
	a := &network.Address{Country: k.country, PostalCode: k.postalCode}
	if k.located {
		latitude, longitude := float64(k.latitude)/coordinateSteps, float64(k.longitude)/coordinateSteps
		a.Latitude, a.Longitude = &latitude, &longitude
	}
	return a
}

// boards remembers boards and shops. What is in use survives: when the young
// generation is full it becomes the old one, and the old one is dropped.
type boards struct {
	mu         sync.Mutex
	young, old map[boardKey]*knownBoard
	rows       int              // of the young generation
	shops      map[string]*shop // by channel, of one directory
	directory  *network.Directory
}

// knownBoard is a board with what it was made from.
type knownBoard struct {
	board       *promise.Board
	directory   *network.Directory
	delays      *promise.Delays
	queues      *queues
	made, until time.Time
}

// of returns the board for a key, remembered when nothing that it depends on has changed.
func (x *boards) of(e *Engine, k boardKey, s *shop, now time.Time) *promise.Board {
	delays, waiting := e.lore().delays(), e.queues.Load()
	x.mu.Lock()
	known, young := x.young[k], true
	if known == nil {
		known, young = x.old[k], false
	}
	valid := known != nil && known.directory == s.directory && known.delays == delays && known.queues == waiting && !now.Before(known.made) && now.Before(known.until)
	if valid && !young {
		x.add(k, known)
	}
	x.mu.Unlock()
	if valid {
		return known.board
	}
	b := makeBoard(k, s, delays, waiting, e.calendar, now)
	fresh := &knownBoard{board: b, directory: s.directory, delays: delays, queues: waiting, made: now, until: now.Add(maxBoardAge)}
	if until := b.ValidUntil(); !until.IsZero() && until.Before(fresh.until) {
		fresh.until = until
	}
	x.mu.Lock()
	x.add(k, fresh)
	x.mu.Unlock()
	return b
}

// add puts a board into the young generation. The caller holds the lock.
func (x *boards) add(k boardKey, b *knownBoard) {
	rows := max(len(b.board.Rows()), 1)
	if was := x.young[k]; was != nil {
		x.rows -= max(len(was.board.Rows()), 1)
		delete(x.young, k)
	}
	if x.young == nil || x.rows+rows > maxBoardRows {
		x.young, x.old, x.rows = map[boardKey]*knownBoard{}, x.young, 0
	}
	x.young[k] = b
	x.rows += rows
}

// shop returns the locations of a channel, remembered for as long as the directory stays.
func (x *boards) shop(e *Engine, d *network.Directory, ch *network.Channel) *shop {
	book := e.Book()
	x.mu.Lock()
	if x.directory != d {
		x.directory, x.shops = d, map[string]*shop{}
	}
	s := x.shops[ch.ID]
	x.mu.Unlock()
	if s != nil && s.book == book && !slices.Contains(s.indexes, inventory.NoLocation) {
		return s
	}
	s = e.newShop(d, ch, book)
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.directory == d {
		x.shops[ch.ID] = s
	}
	return s
}

func (e *Engine) newShop(d *network.Directory, ch *network.Channel, book *inventory.Book) *shop {
	s := &shop{services: serviceIDs(d, ch.Service), book: book}
	s.directory, s.buffer = d, ch.Buffer
	s.locations = slices.Concat(d.Eligible(ch.ID, network.CanShip), d.Eligible(ch.ID, network.CanPickup))
	slices.SortFunc(s.locations, func(a, b *network.Location) int { return compare(a.ID, b.ID) })
	s.locations = slices.Compact(s.locations)
	s.locations = s.locations[:min(len(s.locations), promise.MaxBoardRows)]
	places := e.placesOf(d)
	for _, l := range s.locations {
		s.places = append(s.places, places[l.ID])
		s.indexes = append(s.indexes, book.LocationIndex(l.ID))
		s.ships, s.picks = append(s.ships, l.Can(network.CanShip)), append(s.picks, l.Can(network.CanPickup))
	}
	return s
}

// makeBoard dates every location of a shop for a destination.
func makeBoard(k boardKey, s *shop, delays *promise.Delays, waiting *queues, calendar *promise.Calendar, now time.Time) *promise.Board {
	to := k.address()
	rows := make([]promise.Row, len(s.locations))
	for i, l := range s.locations {
		row := &rows[i]
		row.Location = l.ID
		if to == nil {
			continue
		}
		if s.ships[i] {
			row.Deliver, row.DeliverUntil = quickest(s, l, to, k.settings, delays, waiting, calendar, now)
		}
		if !s.picks[i] {
			continue
		}
		if km, known := network.Distance(&l.Address, to); known && km <= k.settings.PickupMaxKm {
			if c, err := calendar.Collection(l, waiting.of(l.ID), now); err == nil {
				row.Ready, row.ReadyUntil = c.Ready, c.ValidUntil
			}
		}
	}
	return promise.NewBoard(rows)
}

// quickest is the earliest promise of any service from a location; zero: none goes there.
func quickest(s *shop, l *network.Location, to *network.Address, set *promise.Settings, delays *promise.Delays, waiting *queues, calendar *promise.Calendar, now time.Time) (by, until time.Time) {
	for _, id := range s.services {
		t, ok := s.directory.Tariff(id)
		if !ok {
			continue
		}
		leg, err := t.Leg(&l.Address, to)
		if err != nil {
			continue
		}
		a, err := calendar.Arrive(shipping(l, &leg, waiting), set, delays, now)
		if err == nil && (by.IsZero() || a.DeliverBy.Before(by) || a.DeliverBy.Equal(by) && a.ValidUntil.After(until)) {
			by, until = a.DeliverBy, a.ValidUntil
		}
	}
	return by, until
}
