package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/orderly-oms/orderly/internal/jsonenc"
	"github.com/orderly-oms/orderly/internal/store"
)

// What is learned, by learner.
const (
	LearnedHistory = "history"     // of locations and SKUs
	LearnedDelays  = "delays"      // of deliveries and of work at locations
	LearnedPrices  = "prices"      // of stock
	LearnedKPIs    = "kpis"        // counters of how orders went
	LearnedROI     = "roi"         // sums of what deciding was worth
	LearnedFlows   = "flows"       // how many are in each state of each flow
	LearnedQueues  = "queues"      // of work at locations; counted, and written down for replays
	LearnedTrials  = "experiments" // what orders in experiments came to
)

// EventLearnedUpdated says that a new snapshot of learned facts was persisted.
const EventLearnedUpdated = "learned.updated"

// LearnedEventTypes lists the events of learned facts.
var LearnedEventTypes = []string{EventLearnedUpdated}

// MaxLearnedBytes bounds the record of one learner. The bounds of the learners keep far below it.
const MaxLearnedBytes = 64 << 20

// Learned describes a snapshot of learned facts.
type Learned struct {
	ID      string    `json:"id"`
	Version int64     `json:"version"` // decisions name it id@version
	At      time.Time `json:"at"`
	// Observed is how many commands on orders it was learned from, since the beginning.
	Observed int64 `json:"observed"`
	// Bytes is how large its record is.
	Bytes int `json:"bytes"`
}

// learnedRecord is the body of a record of KindLearned.
type learnedRecord struct {
	ID       string          `json:"id"`
	Version  int64           `json:"version"`
	At       time.Time       `json:"at"`
	Observed int64           `json:"observed"`
	Cursors  []int64         `json:"cursors"` // by bucket: the log up to there is in the state
	State    json.RawMessage `json:"state"`

	bytes int
}

func intoLearned(body []byte) (any, error) {
	r := &learnedRecord{bytes: len(body)}
	return r, jsonenc.Unmarshal(body, r)
}

type learnedEvent struct {
	Type     string    `json:"type"`
	ID       string    `json:"id"`
	Version  int64     `json:"version"`
	At       time.Time `json:"at"`
	Observed int64     `json:"observed"`
}

// LearnedKey returns the key of what a learner knows.
func LearnedKey(id string) store.Key { return ReferenceKey(KindLearned, id) }

// persist writes the state of a study as the next version and lets decisions read it.
// Returns ErrVersion when another node was faster; the study then goes on from what that one wrote.
func (l *learning) persist(ctx context.Context, s *study) error {
	r := &learnedRecord{ID: s.id(), Version: s.version + 1, At: l.e.Now(), Observed: s.observed, Cursors: slices.Clone(s.cursors)}
	var err error
	if r.State, err = s.encode(r.Version, r.At); err != nil {
		return fmt.Errorf("encoding what was learned (%s): %w", r.ID, err)
	}
	body, err := encodeLearned(r)
	if err != nil {
		return err
	}
	err = l.submit(ctx, r, body)
	if errors.Is(err, ErrVersion) {
		l.standby = r.At.Add(standbySnapshots * l.e.opt.SnapshotInterval)
		return errors.Join(ErrVersion, l.goOn(ctx, s))
	}
	if err != nil {
		return err // whether it is durable or not, the next attempt finds out
	}
	s.version, s.at, s.unsaved = r.Version, r.At, 0
	l.publish(s, len(body))
	return nil
}

// encodeLearned writes a record. The state is copied as it is: it was just made.
func encodeLearned(r *learnedRecord) ([]byte, error) {
	head := *r
	head.State = nil
	body, err := json.Marshal(&head)
	if err != nil {
		return nil, err
	}
	before, found := bytes.CutSuffix(body, []byte("null}"))
	if !found {
		return nil, fmt.Errorf("engine: the state is not the last field of a learned record")
	}
	if size := len(before) + len(r.State) + 1; size > MaxLearnedBytes {
		return nil, fmt.Errorf("what was learned (%s) takes %d bytes; at most %d are kept", r.ID, size, MaxLearnedBytes)
	}
	return append(append(before, r.State...), '}'), nil
}

func (l *learning) submit(ctx context.Context, r *learnedRecord, body []byte) error {
	key := LearnedKey(r.ID)
	_, err := l.e.Submit(ctx, &Command{Stream: key, Actor: "learning", Decide: func(tx *Tx) (*Reply, error) {
		known := int64(0)
		if was := tx.Entry(key); was != nil {
			known = was.Version
		}
		if known != r.Version-1 {
			return nil, ErrVersion
		}
		head := *r
		head.State = nil // the value is for those who ask which version there is; the state is in the body
		en := tx.Put(store.Record{Key: key, CreatedAt: tx.Now, State: StateActive, Body: body}, &head)
		if err := tx.archive(r); err != nil {
			return nil, err
		}
		event := learnedEvent{Type: EventLearnedUpdated, ID: r.ID, Version: r.Version, At: r.At, Observed: r.Observed}
		return &Reply{Status: http.StatusOK}, tx.Emit(key, en.Version, []learnedEvent{event}, nil)
	}})
	return err
}

// publish lets decisions read what a study encoded or restored last.
func (l *learning) publish(s *study, size int) {
	l.e.publishLore(func(next *lore) {
		s.learner.publish(next)
		next.known[s.id()] = Learned{ID: s.id(), Version: s.version, At: s.at, Observed: s.observed, Bytes: size}
	})
}

// goOn drops what a study knows and goes on from the stored record.
func (l *learning) goOn(ctx context.Context, s *study) error {
	l.e.cache.drop(LearnedKey(s.id()))
	records, err := l.e.store.Load(ctx, []store.Key{LearnedKey(s.id())})
	if err != nil {
		return err
	}
	if len(records) == 0 {
		s.forget(0)
		return nil
	}
	en, err := decode(records[0])
	if err != nil {
		return err
	}
	l.restore(s, en.Value.(*learnedRecord))
	return nil
}

// restore lets a study go on from a record. What another version of the program wrote and this one
// cannot read is learned anew from the log.
func (l *learning) restore(s *study, r *learnedRecord) {
	fresh := s.make()
	err := fresh.restore(r.State)
	if err == nil && len(r.Cursors) != len(s.cursors) {
		err = fmt.Errorf("it has %d places in the log, which has %d buckets", len(r.Cursors), len(s.cursors))
	}
	if err != nil {
		l.e.log.Warn("what was learned cannot be read; it is learned anew", "id", r.ID, "version", r.Version, "error", err)
		s.forget(r.Version)
		return
	}
	s.learner, s.version, s.at, s.observed, s.unsaved = fresh, r.Version, r.At, r.Observed, 0
	copy(s.cursors, r.Cursors)
	l.publish(s, r.bytes)
	l.show(s, r.At, true)
}

// hear notes records that a load or the follower came across. They are taken up at the next
// look, not here: reading a large one must not hold up decisions.
func (l *learning) hear(records []*learnedRecord) {
	l.heard.Lock()
	defer l.heard.Unlock()
	for _, r := range records {
		if was := l.heard.records[r.ID]; was == nil || was.Version < r.Version {
			l.heard.records[r.ID] = r
		}
	}
}

// takeUp lets the studies go on from newer records of other nodes. The node that wrote them goes on learning,
// this one stands by.
func (l *learning) takeUp() {
	l.heard.Lock()
	records := l.heard.records
	l.heard.records = map[string]*learnedRecord{}
	l.heard.Unlock()
	for _, s := range l.studies {
		r := records[s.id()]
		if r == nil || r.Version <= s.version {
			continue
		}
		if s.version > 0 || s.observed > 0 { // else this node just started
			l.standby = l.e.Now().Add(standbySnapshots * l.e.opt.SnapshotInterval)
		}
		l.restore(s, r)
	}
}
