package api

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/orderly-oms/orderly/internal/auth"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/problem"
)

// maxAvailabilityItems bounds the SKUs of one question.
const maxAvailabilityItems = 200

func availabilityRoutes() []Route {
	return []Route{{
		Method: "POST", Path: "/v1/availability", ID: "getAvailability", Tag: "inventory", Scope: auth.InventoryRead, Status: 200,
		Summary: "What a channel may promise of some SKUs: in total and per location, from memory, with the age of the figures",
		In:      AvailabilityRequest{}, Out: AvailabilityAnswer{}, Handle: (*Server).availability,
	}}
}

// AvailabilityRequest asks for some SKUs.
type AvailabilityRequest struct {
	Channel string `json:"channel"`
	// Location restricts the answer to one location; Network to one network.
	Location string             `json:"location,omitempty"`
	Network  string             `json:"network,omitempty"`
	Items    []AvailabilityItem `json:"items"`
	// Method is ship (default) or pickup: which locations count.
	Method string `json:"method,omitempty"`
	// By also counts supply expected at or before this time.
	By time.Time `json:"by,omitzero"`
	// Destination is accepted so that one request serves later promises; it does not change stock.
	Destination *network.Address `json:"destination,omitempty"`
}

// AvailabilityItem is one SKU asked for.
type AvailabilityItem struct {
	SKU      string `json:"sku"`
	Quantity int64  `json:"quantity,omitempty"` // default 1
}

// AvailabilityAnswer answers in the order of the items.
type AvailabilityAnswer struct {
	// AsOf is when the figures were read; AgeSeconds how long ago the last change of any of them was.
	AsOf time.Time `json:"as_of"`
	// Confidence is "exact" when this node sees every write as it happens, else "following":
	// other nodes write too and the figures trail them by lag_ms at most.
	Confidence string            `json:"confidence"`
	LagMS      int64             `json:"lag_ms"`
	Items      []SKUAvailability `json:"items"`
}

// SKUAvailability is the answer for one SKU.
type SKUAvailability struct {
	SKU        string                 `json:"sku"`
	Available  bool                   `json:"available"` // the quantity asked for can be promised
	Total      int64                  `json:"total"`
	Unknown    bool                   `json:"unknown,omitempty"` // the catalog has no such SKU
	AgeSeconds *int64                 `json:"age_seconds,omitempty"`
	Locations  []LocationAvailability `json:"locations"`
}

// LocationAvailability is what one location can promise.
type LocationAvailability struct {
	Location string `json:"location"`
	Quantity int64  `json:"quantity"`
}

func (s *Server) availability(c *Call) error {
	var q AvailabilityRequest
	if err := c.Decode(&q); err != nil {
		return err
	}
	scope, err := s.scope(&q)
	if err != nil {
		return err
	}
	book, cat, now := s.engine.Book(), s.engine.Catalog(), s.engine.Now()
	out := append(c.scratch.out[:0], `{"as_of":"`...)
	out = now.AppendFormat(out, time.RFC3339Nano)
	out = append(out, `","confidence":"`...)
	out = append(out, s.confidence()...)
	out = append(out, `","lag_ms":`...)
	out = strconv.AppendInt(out, s.engine.Lag().Milliseconds(), 10)
	out = append(out, `,"items":[`...)
	m := &c.scratch.availability
	inquiry := inventory.Inquiry{Locations: scope.indexes, Buffer: scope.buffer, By: q.By}
	if w := s.engine.Withholding(q.Channel, now); w != nil {
		inquiry.Withheld = w.Of
	}
	for i, it := range q.Items {
		if i > 0 {
			out = append(out, ',')
		}
		known := cat.Has(it.SKU)
		m.buffer.Reset()
		inquiry.SKU, inquiry.Parts = it.SKU, s.engine.Parts(it.SKU)
		m.answers = book.AppendAvailability(m.answers[:0], &m.buffer, inquiry)
		out = appendAvailability(out, scope, &m.answers[0], max(it.Quantity, 1), !known, now)
	}
	c.scratch.out = append(out, "]}"...)
	c.raw(http.StatusOK, c.scratch.out)
	return nil
}

func appendAvailability(out []byte, scope *availabilityScope, a *inventory.Availability, wanted int64, unknown bool, now time.Time) []byte {
	out = append(out, `{"sku":`...)
	out = appendString(out, a.SKU)
	out = append(out, `,"available":`...)
	out = strconv.AppendBool(out, a.Total >= wanted)
	out = append(out, `,"total":`...)
	out = strconv.AppendInt(out, a.Total, 10)
	if unknown {
		out = append(out, `,"unknown":true`...)
	}
	if !a.Changed.IsZero() {
		out = append(out, `,"age_seconds":`...)
		out = strconv.AppendInt(out, max(int64(now.Sub(a.Changed)/time.Second), 0), 10)
	}
	out = append(out, `,"locations":[`...)
	for i, l := range a.Locations {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, scope.heads[l.Location]...)
		out = strconv.AppendInt(out, l.Units, 10)
		out = append(out, '}')
	}
	return append(out, "]}"...)
}

func (s *Server) confidence() string {
	if s.engine.Store().Exclusive() {
		return "exact"
	}
	return "following"
}

// availabilityScope is which locations a question is about.
type availabilityScope struct {
	indexes []int32
	buffer  int64
	// heads[index] is how the answer for the location begins: written out once, because
	// an answer has hundreds of them.
	heads [][]byte
}

// scopeKey names a scope that is worth remembering.
type scopeKey struct{ channel, method, network, location string }

// scopes remembers the locations of questions for one state of the reference data.
type scopes struct {
	directory *network.Directory
	book      *inventory.Book
	known     map[scopeKey]*availabilityScope
}

const maxScopes = 10_000

func (s *Server) scope(q *AvailabilityRequest) (*availabilityScope, error) {
	var bad problem.Invalid
	if n := len(q.Items); n < 1 || n > maxAvailabilityItems {
		bad.Add("items", problem.OutOfRange, "between 1 and %d items, got %d", maxAvailabilityItems, n)
	}
	for i := range q.Items {
		if it := &q.Items[i]; it.SKU == "" || it.Quantity < 0 || it.Quantity > inventory.MaxQuantity {
			bad.Add(fmt.Sprintf("items[%d]", i), problem.OutOfRange, "name the SKU and a quantity that is not negative")
		}
	}
	if err := bad.Err(); err != nil {
		return nil, err
	}
	d, book := s.engine.Directory(), s.engine.Book()
	key := scopeKey{q.Channel, q.Method, q.Network, q.Location}
	cached := s.scopes.Load()
	if cached != nil && cached.directory == d && cached.book == book {
		if sc := cached.known[key]; sc != nil {
			return sc, nil
		}
	}
	sc, err := findScope(d, book, q)
	if err == nil {
		s.remember(d, book, cached, key, sc)
	}
	return sc, err
}

// remember publishes the scopes with one more; a lost race only costs finding it again.
func (s *Server) remember(d *network.Directory, book *inventory.Book, cached *scopes, key scopeKey, sc *availabilityScope) {
	next := &scopes{directory: d, book: book, known: map[scopeKey]*availabilityScope{}}
	if cached != nil && cached.directory == d && cached.book == book && len(cached.known) < maxScopes {
		for k, v := range cached.known {
			next.known[k] = v
		}
	}
	next.known[key] = sc
	s.scopes.CompareAndSwap(cached, next)
}

func findScope(d *network.Directory, book *inventory.Book, q *AvailabilityRequest) (*availabilityScope, error) {
	var bad problem.Invalid
	ch, ok := d.Channel(q.Channel)
	if !ok {
		bad.Add("channel", problem.Unknown, "there is no channel %q", q.Channel)
	}
	capability := network.CanShip
	switch q.Method {
	case "", "ship":
	case "pickup":
		capability = network.CanPickup
	default:
		bad.Add("method", problem.Unknown, "%q is neither ship nor pickup", q.Method)
	}
	var members map[string]bool
	if q.Network != "" {
		n, ok := d.Network(q.Network)
		if !ok {
			bad.Add("network", problem.Unknown, "there is no network %q", q.Network)
		} else {
			members = map[string]bool{}
			for _, id := range n.Resolve(d.Locations()) {
				members[id] = true
			}
		}
	}
	if _, ok := d.Location(q.Location); q.Location != "" && !ok {
		bad.Add("location", problem.Unknown, "there is no location %q", q.Location)
	}
	if err := bad.Err(); err != nil {
		return nil, err
	}
	sc := &availabilityScope{buffer: ch.Buffer}
	for _, l := range d.Eligible(ch.ID, capability) {
		if (members == nil || members[l.ID]) && (q.Location == "" || q.Location == l.ID) {
			index := book.LocationIndex(l.ID)
			if index == inventory.NoLocation {
				continue // not in this book yet: it has no stock there
			}
			sc.indexes = append(sc.indexes, index)
			for int(index) >= len(sc.heads) {
				sc.heads = append(sc.heads, nil)
			}
			sc.heads[index] = append(appendString([]byte(`{"location":`), l.ID), `,"quantity":`...)
		}
	}
	return sc, nil
}

const hexDigits = "0123456789abcdef"

// appendString appends s as a JSON string. Ids are nearly always plain ASCII.
func appendString(out []byte, s string) []byte {
	out = append(out, '"')
	for i := 0; i < len(s); i++ {
		switch b := s[i]; {
		case b == '"' || b == '\\':
			out = append(out, '\\', b)
		case b < 0x20:
			out = append(out, '\\', 'u', '0', '0', hexDigits[b>>4], hexDigits[b&15])
		default:
			out = append(out, b)
		}
	}
	return append(out, '"')
}
