package engine

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/orderly-oms/orderly/internal/catalog"
	"github.com/orderly-oms/orderly/internal/experiment"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/problem"
	"github.com/orderly-oms/orderly/internal/store"
)

// States of reference records.
const (
	StateActive  = "active"
	StateRemoved = "removed" // kept, so that the versions of its stream go on
)

// MaxImportDocuments is how many documents one command puts.
const MaxImportDocuments = 1000

// reference collects reference data while the store is scanned.
type reference struct {
	book      *inventory.Book
	catalog   *catalog.Catalog
	directory *network.Directory

	channels  []network.Channel
	locations []network.Location
	networks  []network.Network
	carriers  []network.Carrier
	policies  []*Policy
	baselines []*Baseline // at most one
	learned   []*learnedRecord

	experiments []*experiment.Experiment
}

func (r *reference) collect(rec store.Record) error {
	en, err := decode(rec)
	if err != nil {
		return err
	}
	if rec.State == StateRemoved {
		r.book.RemoveSupply(rec.ID)
		return nil
	}
	r.take(en.Value)
	return nil
}

// take notes a value of any reference kind.
func (r *reference) take(value any) {
	switch v := value.(type) {
	case *network.Channel:
		r.channels = append(r.channels, *v)
	case *network.Location:
		r.locations = append(r.locations, *v)
	case *network.Network:
		r.networks = append(r.networks, *v)
	case *network.Carrier:
		r.carriers = append(r.carriers, *v)
	case *catalog.SKU:
		r.catalog.Put(v)
	case *Policy:
		r.policies = append(r.policies, v)
	case *Baseline:
		r.baselines = append(r.baselines, v)
	case *experiment.Experiment:
		r.experiments = append(r.experiments, v)
	case *learnedRecord:
		r.learned = append(r.learned, v)
	case *inventory.Supply:
		r.book.PutSupply(*v)
	}
}

// finish puts what was collected into the directory, and its locations into
// the book, so that every location of the directory has an index there.
func (r *reference) finish() {
	ids := make([]string, len(r.locations))
	for i := range r.locations {
		ids[i] = r.locations[i].ID
	}
	r.book.AddLocations(ids...)
	d := r.directory
	if len(r.carriers) > 0 {
		d = d.WithCarriers(r.carriers...)
	}
	if len(r.locations) > 0 {
		d = d.WithLocations(r.locations...)
	}
	if len(r.networks) > 0 {
		d = d.WithNetworks(r.networks...)
	}
	if len(r.channels) > 0 {
		d = d.WithChannels(r.channels...)
	}
	r.directory = d
}

// absorbReference brings changed reference data into memory. The caller holds decide.
func (e *Engine) absorbReference(records []store.Record) error {
	if len(records) == 0 {
		return nil
	}
	r := &reference{book: e.Book(), catalog: e.Catalog(), directory: e.Directory()}
	for _, rec := range records {
		if err := r.collect(rec); err != nil {
			return err
		}
	}
	r.finish()
	e.directory.Store(r.directory)
	e.keepPolicies(r.policies)
	for _, b := range r.baselines {
		e.keepBaseline(b)
	}
	e.experiments.keep(e, r.experiments)
	e.learning.hear(r.learned)
	return nil
}

// Document is one piece of reference data with its id and kind.
type Document struct {
	Kind  store.Kind
	ID    string
	Value any // *network.Channel, *network.Location, …, *catalog.SKU, *inventory.Supply
}

// ReferenceKey returns the key of a piece of reference data. All of it is in
// bucket 0: it is small and changes seldom.
func ReferenceKey(kind store.Kind, id string) store.Key { return store.Key{Kind: kind, ID: id} }

type documentEvent struct {
	Type     string `json:"type"`
	ID       string `json:"id"`
	Document any    `json:"document,omitempty"`
}

// PutDocuments creates or replaces reference data, at most MaxImportDocuments at
// once, all or none. Documents must be valid. A location that is closed by it loses what it
// has not accepted to others, in the background. The reply's value is the document
// when there is one, its status 201 when it is new.
func (e *Engine) PutDocuments(ctx context.Context, docs []Document, m Meta) (*Reply, error) {
	if len(docs) == 0 || len(docs) > MaxImportDocuments {
		return nil, fmt.Errorf("engine: %d documents at once", len(docs))
	}
	keys := make([]store.Key, len(docs))
	for i, d := range docs {
		keys[i] = ReferenceKey(d.Kind, d.ID)
	}
	needs := slices.Concat(keys[1:], closings(docs))
	return e.Submit(ctx, &Command{Stream: keys[0], Needs: needs, Actor: m.Actor, Key: m.Key, Decide: func(tx *Tx) (*Reply, error) {
		reply := &Reply{Status: http.StatusOK}
		for i, d := range docs {
			was := tx.Entry(keys[i])
			if m.IfVersion != 0 && (was == nil || was.Version != m.IfVersion) {
				return nil, ErrVersion
			}
			event := string(d.Kind) + ".updated"
			if was == nil || was.State == StateRemoved {
				event = string(d.Kind) + ".created"
				reply.Status = http.StatusCreated
			}
			en := tx.Put(store.Record{Key: keys[i], CreatedAt: tx.Now, State: StateActive}, d.Value)
			if err := tx.Emit(keys[i], en.Version, []documentEvent{{Type: event, ID: d.ID, Document: d.Value}}, nil); err != nil {
				return nil, err
			}
			if err := tx.startRelocation(was, d); err != nil {
				return nil, err
			}
			reply.Value = d.Value
			reply.Header = map[string]string{"ETag": fmt.Sprintf("%q", fmt.Sprint(en.Version))}
		}
		tx.After(func() { e.afterPut(docs) })
		return reply, nil
	}})
}

// afterPut brings documents into memory once they are durable.
func (e *Engine) afterPut(docs []Document) {
	e.decide.Lock()
	defer e.decide.Unlock()
	r := &reference{book: e.Book(), catalog: e.Catalog(), directory: e.Directory()}
	for _, d := range docs {
		r.take(d.Value)
	}
	r.finish()
	e.directory.Store(r.directory)
}

// RemoveSupply deletes expected stock: it arrived or will not.
func (e *Engine) RemoveSupply(ctx context.Context, id string, m Meta) (*Reply, error) {
	key := ReferenceKey(KindSupply, id)
	return e.Submit(ctx, &Command{Stream: key, Actor: m.Actor, Key: m.Key, Decide: func(tx *Tx) (*Reply, error) {
		was := tx.Entry(key)
		if was == nil || was.State == StateRemoved {
			return nil, ErrNotFound
		}
		en := tx.Put(store.Record{Key: key, State: StateRemoved}, was.Value)
		if err := tx.Emit(key, en.Version, []documentEvent{{Type: "supply.removed", ID: id}}, nil); err != nil {
			return nil, err
		}
		tx.After(func() {
			e.decide.Lock()
			defer e.decide.Unlock()
			e.Book().RemoveSupply(id)
		})
		return &Reply{Status: http.StatusNoContent}, nil
	}})
}

// Check validates a document against the reference data it names.
func (e *Engine) Check(d Document) error {
	dir := e.Directory()
	switch v := d.Value.(type) {
	case *network.Channel:
		return dir.CheckChannel(v)
	case *network.Network:
		return dir.CheckNetwork(v)
	case *network.Carrier:
		return dir.CheckCarrier(v)
	case *catalog.SKU:
		return e.Catalog().Check(v)
	case *inventory.Supply:
		var bad problem.Invalid
		if !e.Catalog().Has(v.SKU) {
			bad.Add("sku", problem.Unknown, "the catalog has no SKU %q", v.SKU)
		}
		if _, ok := dir.Location(v.Location); !ok {
			bad.Add("location", problem.Unknown, "there is no location %q", v.Location)
		}
		return bad.Err()
	}
	return nil
}
