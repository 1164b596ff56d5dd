package api

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"

	"github.com/orderly-oms/orderly/internal/auth"
	"github.com/orderly-oms/orderly/internal/catalog"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/problem"
	"github.com/orderly-oms/orderly/internal/store"
)

// resource is one kind of reference data.
type resource struct {
	kind       store.Kind
	path, name string
	example    any
	page       any
	// read decodes a document and checks it by itself.
	read func(c *Call) (id string, value any, err error)
	// list returns the documents after an id, ascending by id.
	list func(s *Server, after string, limit int) (items any, next string)
}

var resources = []resource{
	{
		kind: engine.KindChannel, path: "channels", name: "channel", example: network.Channel{}, page: Page[network.Channel]{},
		read: readDocument(func(v *network.Channel) *string { return &v.ID }, (*network.Channel).Validate),
		list: func(s *Server, after string, limit int) (any, string) {
			return pageOf(s.engine.Directory().Channels(), func(v *network.Channel) string { return v.ID }, after, limit)
		},
	},
	{
		kind: engine.KindLocation, path: "locations", name: "location", example: network.Location{}, page: Page[network.Location]{},
		read: readDocument(func(v *network.Location) *string { return &v.ID }, (*network.Location).Validate),
		list: func(s *Server, after string, limit int) (any, string) {
			return pageOf(s.engine.Directory().Locations(), func(v *network.Location) string { return v.ID }, after, limit)
		},
	},
	{
		kind: engine.KindNetwork, path: "networks", name: "network", example: network.Network{}, page: Page[network.Network]{},
		read: readDocument(func(v *network.Network) *string { return &v.ID }, (*network.Network).Validate),
		list: func(s *Server, after string, limit int) (any, string) {
			return pageOf(s.engine.Directory().Networks(), func(v *network.Network) string { return v.ID }, after, limit)
		},
	},
	{
		kind: engine.KindCarrier, path: "carriers", name: "carrier", example: network.Carrier{}, page: Page[network.Carrier]{},
		read: readDocument(func(v *network.Carrier) *string { return &v.ID }, (*network.Carrier).Validate),
		list: func(s *Server, after string, limit int) (any, string) {
			return pageOf(s.engine.Directory().Carriers(), func(v *network.Carrier) string { return v.ID }, after, limit)
		},
	},
	{
		kind: engine.KindSKU, path: "catalog", name: "SKU", example: catalog.SKU{}, page: Page[catalog.SKU]{},
		read: readDocument(func(v *catalog.SKU) *string { return &v.SKU }, (*catalog.SKU).Validate),
	},
}

func readDocument[T any](id func(*T) *string, validate func(*T) error) func(c *Call) (string, any, error) {
	return func(c *Call) (string, any, error) {
		v := new(T)
		if err := c.Decode(v); err != nil {
			return "", nil, err
		}
		want := c.R.PathValue("id")
		if got := id(v); *got == "" {
			*got = want
		} else if *got != want {
			var bad problem.Invalid
			bad.Add("id", problem.Conflict, "the document says %q, the address %q", *got, want)
			return "", nil, bad.Err()
		}
		return want, v, validate(v)
	}
}

func pageOf[T any](sorted []*T, id func(*T) string, after string, limit int) (any, string) {
	from, found := slices.BinarySearchFunc(sorted, after, func(v *T, a string) int { return cmp.Compare(id(v), a) })
	if found && after != "" {
		from++
	}
	rest := sorted[from:]
	next := ""
	if len(rest) > limit {
		rest = rest[:limit]
		next = id(rest[limit-1])
	}
	return append([]*T{}, rest...), next
}

func referenceRoutes() []Route {
	var out []Route
	for _, r := range resources {
		tag := "reference"
		out = append(out,
			Route{
				Method: "PUT", Path: "/v1/" + r.path + "/{id}", ID: "put" + title(r.name), Tag: tag, Scope: auth.ReferenceWrite, Status: 200,
				Summary: "Create or replace a " + r.name, In: r.example, Out: r.example, Handle: func(s *Server, c *Call) error { return s.putReference(c, r) },
			},
			Route{
				Method: "GET", Path: "/v1/" + r.path + "/{id}", ID: "get" + title(r.name), Tag: tag, Scope: auth.ReferenceRead, Status: 200,
				Summary: "Read a " + r.name, Out: r.example, Handle: func(s *Server, c *Call) error { return s.document(c, engine.ReferenceKey(r.kind, c.R.PathValue("id"))) },
			},
			Route{
				Method: "GET", Path: "/v1/" + r.path, ID: "list" + title(r.name) + "s", Tag: tag, Scope: auth.ReferenceRead, Status: 200,
				Summary: "List, by id", Query: pageQuery, Out: r.page, Handle: func(s *Server, c *Call) error { return s.listReference(c, r) },
			},
		)
	}
	for _, to := range []network.Status{network.Active, network.Suspended} {
		verb := map[network.Status]string{network.Active: "resume", network.Suspended: "suspend"}[to]
		out = append(out, Route{
			Method: "POST", Path: "/v1/locations/{id}/" + verb, ID: verb + "Location", Tag: "reference", Scope: auth.ReferenceWrite, Status: 200,
			Summary: map[string]string{"resume": "Let a location take new work again", "suspend": "Give a location no new work; what it accepted goes on, what it did not is decided again elsewhere, in the background"}[verb],
			In:      Reason{}, Out: network.Location{}, Handle: func(s *Server, c *Call) error { return s.setLocationStatus(c, to) },
		})
	}
	return out
}

func title(s string) string { return string(s[0]&^0x20) + s[1:] }

// Reason says why.
type Reason struct {
	Reason string `json:"reason,omitempty"`
}

func (s *Server) putReference(c *Call, r resource) error {
	id, v, err := r.read(c)
	if err != nil {
		return err
	}
	return s.putDocument(c, engine.Document{Kind: r.kind, ID: id, Value: v})
}

func (s *Server) putDocument(c *Call, d engine.Document) error {
	if err := s.engine.Check(d); err != nil {
		return err
	}
	m, err := c.meta()
	if err != nil {
		return err
	}
	ctx, cancel := c.Context()
	defer cancel()
	return c.reply(s.engine.PutDocuments(ctx, []engine.Document{d}, m))
}

func (s *Server) listReference(c *Call, r resource) error {
	limit, err := c.limit()
	if err != nil {
		return err
	}
	if r.list == nil { // too many for memory order: from the store
		return s.list(c, store.Query{Kind: r.kind, Before: c.query("cursor"), Limit: limit + 1, Ascending: true}, limit)
	}
	items, next := r.list(s, c.query("cursor"), limit)
	return c.json(http.StatusOK, struct {
		Items any    `json:"items"`
		Next  string `json:"next,omitempty"`
	}{items, next})
}

func (s *Server) setLocationStatus(c *Call, to network.Status) error {
	var body Reason
	if err := c.DecodeOptional(&body); err != nil {
		return err
	}
	key := engine.ReferenceKey(engine.KindLocation, c.R.PathValue("id"))
	r, err := s.loadOne(c, key)
	if err != nil {
		return err
	}
	en, err := engine.Decode(*r)
	if err != nil {
		return err
	}
	l := *en.Value.(*network.Location)
	l.Status, l.SuspendedReason = to, ""
	if to == network.Suspended {
		l.SuspendedReason = body.Reason
	}
	if err := l.Validate(); err != nil {
		return err
	}
	m, err := c.meta()
	if err != nil {
		return err
	}
	if m.IfVersion == 0 {
		m.IfVersion = en.Version // nobody else's change may be lost
	}
	ctx, cancel := c.Context()
	defer cancel()
	if _, err := s.engine.PutDocuments(ctx, []engine.Document{{Kind: engine.KindLocation, ID: l.ID, Value: &l}}, m); err != nil {
		return fmt.Errorf("location %s: %w", l.ID, err)
	}
	return c.json(http.StatusOK, &l)
}
