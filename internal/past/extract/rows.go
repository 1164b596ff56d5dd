package extract

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/jsonenc"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/past"
	"github.com/orderly-oms/orderly/internal/store"
)

// extractor writes rows as entries.
type extractor struct {
	ctx    context.Context
	s      Source
	o      Options
	w      past.Writer
	header past.Header
	last   time.Time // of the last entry

	orders
	reject map[string]bool            // channels that refuse orders that cannot be placed whole
	claims map[string]json.RawMessage // reservations that a command claims, by the command
	// unused are units of claimed reservations that their orders did not take. Their row comes before the order's, but they
	// came free after it was decided.
	unused []unusedUnits
	// versions are the snapshots of learned facts in the history; decisions and unknown count those in it, and those that
	// read a snapshot which is not.
	versions           map[string]bool
	decisions, unknown int64
}

type unusedUnits struct {
	command string
	at      time.Time
	moves   []inventory.Movement
}

// free writes unused units: those of a command, and those of commands that are past.
func (x *extractor) free(command string, at time.Time) error {
	var kept []unusedUnits
	for _, u := range x.unused {
		if u.command != command && !u.at.Before(at) {
			kept = append(kept, u)
			continue
		}
		if err := x.stock(at, u.moves, nil, "reservation"); err != nil {
			return err
		}
	}
	x.unused = kept
	return nil
}

func newExtractor(ctx context.Context, s Source, o Options) *extractor {
	return &extractor{ctx: ctx, s: s, o: o, orders: newOrders(), reject: map[string]bool{}, claims: map[string]json.RawMessage{}, versions: map[string]bool{}}
}

// run reads the log up to where it ends now.
func (x *extractor) run() error {
	heads, err := x.s.Heads(x.ctx)
	if err != nil {
		return err
	}
	var read, all, since int64
	for b := range heads {
		all += heads[b] - x.header.Cursors[b]
	}
	pace := newPacer(x.o.Gentle)
	m := newMerged(x.s, x.header.Cursors, heads)
	for {
		r, err := m.next(x.ctx)
		if err != nil {
			return err
		}
		if r == nil {
			break
		}
		if err := x.row(r); err != nil {
			return fmt.Errorf("log row %d/%d (%s %s): %w", r.bucket, r.Seq, r.Stream.Kind, r.Stream.ID, err)
		}
		if read++; read%page == 0 {
			if err := pace.wait(x.ctx, page); err != nil {
				return err
			}
			if x.o.Progress != nil {
				x.o.Progress(read, all)
			}
		}
		if since++; since >= commitRows && read%page == 0 {
			if seqs, ok := m.cut(); ok && len(x.unused) == 0 {
				since = 0
				copy(x.header.Cursors, seqs)
				if err := x.commit(); err != nil {
					return err
				}
			}
		}
	}
	copy(x.header.Cursors, heads)
	if err := x.free("", x.last.Add(time.Second)); err != nil {
		return err
	}
	if x.o.Progress != nil {
		x.o.Progress(all, all)
	}
	return nil
}

func (x *extractor) commit() error {
	x.header.Orders, x.header.Until, x.header.Quality = x.count, x.last, x.quality()
	h := x.header
	return x.w.Commit(&h)
}

// write writes an entry, at a time that is not before the last.
func (x *extractor) write(at time.Time, e past.Entry) error {
	if at.Before(x.last) {
		at = x.last
	}
	if x.header.From.IsZero() {
		x.header.From = at
	}
	e.At, x.last = at, at
	x.note(&e)
	return x.w.Write(&e)
}

// note counts what quality tells.
func (x *extractor) note(e *past.Entry) {
	if e.Learned != nil {
		x.versions[fmt.Sprintf("%s@%d", e.Learned.ID, e.Learned.Version)] = true
	}
	if e.Decision == nil {
		return
	}
	x.decisions++
	if slices.ContainsFunc(e.Decision.Facts, func(name string) bool { return !x.versions[name] }) {
		x.unknown++
	}
}

// quality says what the log does not tell.
func (x *extractor) quality() []past.Finding {
	var out []past.Finding
	if x.unknown > 0 {
		out = append(out, past.Finding{
			Subject: "learned facts", Missing: "decisions read snapshots of learned facts that were not kept", Assumed: "the newest that was known",
			Count: x.unknown, Of: x.decisions, Matters: "some", Why: "these decisions may come out otherwise with the same policy",
		})
	}
	return out
}

// row writes one row of the log.
func (x *extractor) row(r *row) error {
	if len(x.unused) > 0 && r.Stream.Kind != engine.KindOrder {
		if err := x.free("", r.at); err != nil {
			return err
		}
	}
	switch r.Stream.Kind {
	case engine.KindOrder:
		if err := x.order(r); err != nil || len(x.unused) == 0 {
			return err
		}
		return x.free(r.Command, r.at)
	case engine.KindChannel, engine.KindLocation, engine.KindNetwork, engine.KindCarrier, engine.KindSKU, engine.KindSupply:
		return x.documents(r)
	case engine.KindPolicy:
		return x.policy(r)
	case engine.KindLearnedVersion:
		return x.learned(r)
	case engine.KindReservation:
		return x.reservation(r)
	case engine.KindStock:
		return x.stockRow(r)
	case engine.KindCapacity:
		return x.stock(r.at, r.Movements, nil, "capacity")
	}
	return x.stock(r.at, r.Movements, nil, "other")
}

func (x *extractor) documents(r *row) error {
	var list []struct {
		Type     string          `json:"type"`
		ID       string          `json:"id"`
		Document json.RawMessage `json:"document"`
	}
	if err := jsonenc.Unmarshal(r.Events, &list); err != nil {
		return err
	}
	for _, e := range list {
		d := &past.Document{Kind: string(r.Stream.Kind), ID: e.ID}
		switch {
		case strings.HasSuffix(e.Type, ".removed"):
			d.Removed = true
		case len(e.Document) == 0:
			continue
		default:
			d.JSON = e.Document
		}
		x.document(d)
		if err := x.write(r.at, past.Entry{Document: d}); err != nil {
			return err
		}
	}
	return x.stock(r.at, r.Movements, nil, "other")
}

// document notes what is needed of reference data.
func (x *extractor) document(d *past.Document) {
	if d.Kind != string(engine.KindChannel) || d.Removed {
		return
	}
	var c network.Channel
	if jsonenc.Unmarshal(d.JSON, &c) == nil {
		x.reject[d.ID] = c.OnShortage() == network.Reject
		x.header.Currency = c.Currency
	}
}

func (x *extractor) policy(r *row) error {
	var list []struct {
		Type    string    `json:"type"`
		Kind    string    `json:"kind"`
		Name    string    `json:"name"`
		Version int64     `json:"version"`
		From    time.Time `json:"from"`
	}
	if err := jsonenc.Unmarshal(r.Events, &list); err != nil {
		return err
	}
	for _, e := range list {
		if e.Type == engine.EventPolicySaved {
			continue // in force only when it is published
		}
		p := &past.Policy{Kind: e.Kind, Name: e.Name, Version: e.Version, From: e.From, Withdrawn: e.Version == 0}
		if !p.Withdrawn {
			key := engine.ReferenceKey(engine.KindPolicyVersion, fmt.Sprintf("%s/%s/%d", e.Kind, e.Name, e.Version))
			records, err := x.s.Load(x.ctx, []store.Key{key})
			if err != nil {
				return err
			}
			if len(records) == 0 {
				return fmt.Errorf("version %d of policy %s/%s has no text", e.Version, e.Kind, e.Name)
			}
			if err := jsonenc.Unmarshal(records[0].Body, &struct {
				Text *string `json:"text"`
			}{&p.Text}); err != nil {
				return err
			}
		}
		if err := x.write(r.at, past.Entry{Policy: p}); err != nil {
			return err
		}
	}
	return nil
}

func (x *extractor) learned(r *row) error {
	records, err := x.s.Load(x.ctx, []store.Key{r.Stream})
	if err != nil || len(records) == 0 {
		return err
	}
	v, err := engine.ReadLearnedVersion(records[0].Body)
	if err != nil {
		return err
	}
	state, err := v.State()
	if err != nil {
		return err
	}
	return x.write(r.at, past.Entry{Learned: &past.Learned{ID: v.ID, Version: v.Version, State: state}})
}

// reservation keeps what a command claims, as it was before.
func (x *extractor) reservation(r *row) error {
	var list []inventory.ReservationEvent
	if err := jsonenc.Unmarshal(r.Events, &list); err != nil {
		return err
	}
	for i := range list {
		if list[i].Type == inventory.EventReservationClaimed {
			held, err := x.reservationBefore(r)
			if err != nil {
				return err
			}
			x.claims[r.Command] = held
			x.unused = append(x.unused, unusedUnits{r.Command, r.at, r.Movements})
			return nil
		}
	}
	return x.stock(r.at, r.Movements, nil, "reservation")
}

func (x *extractor) reservationBefore(r *row) (json.RawMessage, error) {
	var now *inventory.Reservation
	for after := int64(0); after < r.Version-1; {
		rows, err := x.s.Stream(x.ctx, r.Stream, after, page)
		if err != nil {
			return nil, err
		}
		if len(rows) == 0 {
			break
		}
		for i := range rows {
			c := &rows[i]
			if after = c.Version; c.Version >= r.Version {
				break
			}
			var list []inventory.ReservationEvent
			if err := jsonenc.Unmarshal(c.Events, &list); err != nil {
				return nil, err
			}
			for _, e := range list {
				if now, err = now.Apply(e, c.Version); err != nil {
					return nil, err
				}
			}
		}
	}
	return json.Marshal(now)
}

func (x *extractor) stockRow(r *row) error {
	var list []struct {
		Type   string              `json:"type"`
		Reason string              `json:"reason"`
		Safety []engine.SafetyItem `json:"safety"`
	}
	if err := jsonenc.Unmarshal(r.Events, &list); err != nil {
		return err
	}
	why := "other"
	safety := map[inventory.PositionKey]int64{}
	for _, e := range list {
		for _, s := range e.Safety {
			safety[inventory.PositionKey{SKU: s.SKU, Location: s.Location}] = s.Quantity
		}
		switch {
		case e.Type == engine.EventCounted:
			why = "count"
		case e.Reason == "receipt" || e.Reason == "sale":
			why = e.Reason
		}
	}
	return x.stock(r.at, r.Movements, safety, why)
}

// stock writes movements that no order under way made.
func (x *extractor) stock(at time.Time, moves []inventory.Movement, safety map[inventory.PositionKey]int64, why string) error {
	if len(moves)+len(safety) == 0 {
		return nil
	}
	return x.write(at, past.Entry{Stock: sum(moves, safety, why)})
}
