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
	"github.com/orderly-oms/orderly/internal/jsonenc"
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

// piece is a row of a stream, or the end of one with its record if it has one,
// or a record without a stream.
type piece struct {
	row    store.Commit
	record *store.Record
	ends   bool // the stream of the rows before ends
}

// piecesAtOnce and piecesAhead bound what is read but not replayed yet.
const (
	piecesAtOnce = 256
	piecesAhead  = 4
)

// readStreams replays every stream and compares it with its record. Reading goes
// on while what was read is replayed.
func (a *auditor) readStreams() error {
	batches := make(chan []piece, piecesAhead)
	m := &merger{auditor: a, batches: batches}
	var err error
	go func() {
		defer close(batches)
		err = m.merge()
	}()
	r := replayer{auditor: a}
	for batch := range batches {
		for i := range batch {
			r.take(&batch[i])
		}
	}
	for _, l := range slices.Sorted(maps.Keys(a.used)) {
		if _, ok := a.exists[l]; !ok && err == nil {
			a.locations.add("fulfillment %s is at location %q, which does not exist", a.used[l], l)
		}
	}
	return err
}

// merger reads streams and records side by side.
type merger struct {
	*auditor
	batches chan<- []piece
	batch   []piece

	next   func() (store.Record, error, bool)
	record store.Record // the next one
	more   bool
	err    error
	key    store.Key // of the stream
	within bool      // a stream
}

func (m *merger) emit(p piece) {
	m.batch = append(m.batch, p)
	if len(m.batch) == piecesAtOnce {
		m.batches <- m.batch
		m.batch = make([]piece, 0, piecesAtOnce)
	}
}

func (m *merger) merge() error {
	next, stop := iter.Pull2(m.view.Records)
	defer stop()
	m.next = next
	m.advance()
	err := each(m.auditor, "streams", m.view.Streams, func(c *store.Commit) {
		if m.err != nil {
			return // the records cannot be read: nothing to compare with
		}
		if m.within && c.Stream != m.key {
			m.endStream()
		}
		m.key, m.within = c.Stream, true
		m.emit(piece{row: *c})
	})
	if err == nil && m.err == nil {
		if m.within {
			m.endStream()
		}
		for m.more && m.err == nil {
			m.take(false)
		}
	}
	m.batches <- m.batch
	if err == nil {
		err = m.err
	}
	return err
}

func (m *merger) advance() { m.record, m.err, m.more = m.next() }

// take emits the next record.
func (m *merger) take(ends bool) {
	r := m.record
	m.emit(piece{record: &r, ends: ends})
	m.advance()
}

// endStream emits the end of a stream, after the records that come before it.
func (m *merger) endStream() {
	for m.more && m.err == nil && compareStreams(m.record.Key, m.key) < 0 {
		m.take(false)
	}
	switch {
	case m.err != nil:
	case m.more && m.record.Key == m.key:
		m.take(true)
	default:
		m.emit(piece{ends: true})
	}
}

// replayer replays what the merger read.
type replayer struct {
	*auditor
	current folder // nil between streams
	version int64  // of the last row
}

func (r *replayer) take(p *piece) {
	if p.record != nil {
		r.checkTimer(p.record)
		if p.record.Kind == engine.KindLocation {
			r.exists[p.record.ID] = struct{}{}
		}
	}
	switch {
	case p.ends:
		if p.record != nil && p.record.Version != r.version {
			r.atomicity.add("%s %s is stored with version %d, its log ends with %d", p.record.Kind, p.record.ID, p.record.Version, r.version)
		}
		r.current.end(p.record)
		r.current = nil
	case p.record != nil:
		r.atomicity.add("%s %s is stored with version %d, but the log does not know it", p.record.Kind, p.record.ID, p.record.Version)
	default:
		r.row(&p.row)
	}
}

func (r *replayer) row(c *store.Commit) {
	if r.current == nil {
		r.version = 0
		r.current = r.folder(c.Stream)
	}
	r.atomicity.LookedAt++
	if c.Version != r.version+1 {
		r.sequences.add("%s %s goes on with version %d after %d", c.Stream.Kind, c.Stream.ID, c.Version, r.version)
	}
	r.version = c.Version
	r.current.row(c)
}

func (a *auditor) folder(k store.Key) folder {
	switch k.Kind {
	case engine.KindOrder:
		return &orderFolder{auditor: a, key: k}
	case engine.KindReservation:
		return &reservationFolder{auditor: a, key: k}
	case engine.KindException:
		return &exceptionFolder{auditor: a, key: k}
	case engine.KindChannel, engine.KindLocation, engine.KindNetwork, engine.KindCarrier, engine.KindSKU, engine.KindSupply, engine.KindPolicyVersion, engine.KindBaseline, engine.KindExperiment:
		return &documentFolder{auditor: a, key: k}
	}
	return &otherFolder{auditor: a}
}

// checkMoves compares the movements that events mean with those in the log.
func (a *auditor) checkMoves(c *store.Commit, meant []inventory.Movement) {
	if row := a.row(c.Stream.Bucket, c.Seq); row != nil && row.log-row.corrections != digestOf(meant) {
		a.atomicity.add("the events of %s %s version %d (log row %d/%d) mean other movements than were recorded with them",
			c.Stream.Kind, c.Stream.ID, c.Version, c.Stream.Bucket, c.Seq)
	}
}

// events decodes the events of a row; a row that cannot be read is a violation.
func events[T any](a *auditor, c *store.Commit) ([]T, bool) {
	var list []T
	err := jsonenc.Unmarshal(c.Events, &list)
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
