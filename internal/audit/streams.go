package audit

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/store"
)

// folder replays one stream.
type folder interface {
	// row takes the next log row.
	row(c *store.Commit)
	// end takes the stream's record, nil when there is none.
	end(r *store.Record)
}

// compareStreams is the order of the streams and of the records.
func compareStreams(a, b store.Key) int {
	return cmp.Or(cmp.Compare(a.Bucket, b.Bucket), strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.ID, b.ID))
}

// merger walks through streams and records side by side.
type merger struct {
	*auditor
	next    func() (store.Record, error, bool)
	record  store.Record // the next one
	more    bool
	err     error
	current folder
	key     store.Key
	version int64 // of the last row
}

// readStreams replays every stream and compares it with its record.
func (a *auditor) readStreams() error {
	next, stop := iter.Pull2(a.view.Records)
	defer stop()
	m := &merger{auditor: a, next: next}
	m.advance()
	err := each(a, "streams", a.view.Streams, m.row)
	if err == nil && m.err == nil {
		m.endStream()
		for m.more && m.err == nil {
			m.orphan()
		}
	}
	if err == nil {
		err = m.err
	}
	for _, l := range slices.Sorted(maps.Keys(a.used)) {
		if _, ok := a.exists[l]; !ok {
			a.locations.add("fulfillment %s is at location %q, which does not exist", a.used[l], l)
		}
	}
	return err
}

func (m *merger) advance() {
	m.record, m.err, m.more = m.next()
	if m.more && m.err == nil && m.record.Kind == engine.KindLocation {
		m.exists[m.record.ID] = struct{}{}
	}
}

func (m *merger) row(c *store.Commit) {
	if m.err != nil {
		return // the records cannot be read: nothing to compare with
	}
	if m.current == nil || c.Stream != m.key {
		if m.current != nil {
			m.endStream()
		}
		m.key, m.version = c.Stream, 0
		m.current = m.folder(c.Stream)
	}
	m.atomicity.LookedAt++
	if c.Version != m.version+1 {
		m.sequences.add("%s %s goes on with version %d after %d", c.Stream.Kind, c.Stream.ID, c.Version, m.version)
	}
	m.version = c.Version
	m.current.row(c)
}

// endStream compares the stream that ended with its record.
func (m *merger) endStream() {
	if m.current == nil {
		return
	}
	for m.more && m.err == nil && compareStreams(m.record.Key, m.key) < 0 {
		m.orphan()
	}
	var r *store.Record
	if m.more && m.err == nil && m.record.Key == m.key {
		found := m.record
		r = &found
		if r.Version != m.version {
			m.atomicity.add("%s %s is stored with version %d, its log ends with %d", r.Kind, r.ID, r.Version, m.version)
		}
		m.checkTimer(r)
		m.advance()
	}
	m.current.end(r)
	m.current = nil
}

// orphan is a record that no log row explains.
func (m *merger) orphan() {
	m.atomicity.add("%s %s is stored with version %d, but the log does not know it", m.record.Kind, m.record.ID, m.record.Version)
	m.checkTimer(&m.record)
	m.advance()
}

func (a *auditor) folder(k store.Key) folder {
	switch k.Kind {
	case engine.KindOrder:
		return &orderFolder{auditor: a, key: k}
	case engine.KindReservation:
		return &reservationFolder{auditor: a, key: k}
	case engine.KindChannel, engine.KindLocation, engine.KindNetwork, engine.KindCarrier, engine.KindSKU, engine.KindSupply:
		return &documentFolder{auditor: a, key: k}
	}
	return &otherFolder{auditor: a}
}

// checkMoves compares the movements that events mean with those in the log.
func (a *auditor) checkMoves(c *store.Commit, meant []inventory.Movement) {
	if row := a.row(c.Stream.Bucket, c.Seq); row != nil && row.log != digestOf(meant) {
		a.atomicity.add("the events of %s %s version %d (log row %d/%d) mean other movements than were recorded with them",
			c.Stream.Kind, c.Stream.ID, c.Version, c.Stream.Bucket, c.Seq)
	}
}

// events decodes the events of a row; a row that cannot be read is a violation.
func events[T any](a *auditor, c *store.Commit) ([]T, bool) {
	var list []T
	err := json.Unmarshal(c.Events, &list)
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("there are none")
	}
	if err != nil {
		a.replay.add("the events of %s %s version %d (log row %d/%d) cannot be read: %v", c.Stream.Kind, c.Stream.ID, c.Version, c.Stream.Bucket, c.Seq, err)
		return nil, false
	}
	return list, true
}

// checkBody compares a stored document with its replays.
func (a *auditor) checkBody(r *store.Record, replays ...any) (same bool) {
	a.replay.LookedAt++
	for _, v := range replays {
		body, err := json.Marshal(v)
		if err != nil || !bytes.Equal(body, r.Body) {
			a.replay.add("%s %s is stored with another document than its log gives%s", r.Kind, r.ID, firstDifference(r.Body, body))
			return false
		}
	}
	return true
}

// firstDifference shows the field at which two documents part; not its value,
// which may be a customer's.
func firstDifference(stored, folded []byte) string {
	i := 0
	for i < len(stored) && i < len(folded) && stored[i] == folded[i] {
		i++
	}
	end := bytes.LastIndex(stored[:i], []byte(`":`))
	if end < 0 {
		return fmt.Sprintf(", from byte %d on", i)
	}
	start := bytes.LastIndexByte(stored[:end], '"')
	return fmt.Sprintf(", from byte %d on, in or after the field %q", i, stored[start+1:end])
}

// checkColumns compares the search columns of a record with its document.
func (a *auditor) checkColumns(r *store.Record, state, channel, external string, created time.Time) {
	if r.State != state || r.Channel != channel || r.ExternalID != external || !r.CreatedAt.Equal(created.Truncate(time.Microsecond)) {
		a.atomicity.add("%s %s is filed under state %q, channel %q, external id %q and time %s; its events say %q, %q, %q and %s", r.Kind, r.ID,
			r.State, r.Channel, r.ExternalID, r.CreatedAt.Format(time.RFC3339Nano), state, channel, external, created.Format(time.RFC3339Nano))
	}
}

// documentFolder replays reference data: each row has the whole document.
type documentFolder struct {
	*auditor
	key  store.Key
	last json.RawMessage
	bad  bool
}

type documentEvent struct {
	Type     string          `json:"type"`
	Document json.RawMessage `json:"document"`
}

func (f *documentFolder) row(c *store.Commit) {
	list, ok := events[documentEvent](f.auditor, c)
	f.bad = f.bad || !ok
	for _, e := range list {
		if len(e.Document) > 0 { // a removal has none and leaves the document
			f.last = e.Document
		}
	}
}

func (f *documentFolder) end(r *store.Record) {
	switch {
	case r == nil:
		f.atomicity.add("%s %s is in the log but not stored", f.key.Kind, f.key.ID)
	case !f.bad:
		f.checkBody(r, f.last)
	}
}

// otherFolder looks at streams whose documents belong to packages that the audit
// does not know, and at feeds of stock, which have no record. Their records may be deleted.
type otherFolder struct{ *auditor }

func (f *otherFolder) row(c *store.Commit) {
	events[struct {
		Type string `json:"type"`
	}](f.auditor, c)
}

func (f *otherFolder) end(*store.Record) {}
