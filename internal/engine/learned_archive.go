package engine

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/orderly-oms/orderly/internal/jsonenc"
	"github.com/orderly-oms/orderly/internal/store"
)

// archivedLearners are those that decisions read: a replay needs the very version that a decision names.
var archivedLearners = []string{LearnedHistory, LearnedDelays, LearnedPrices, LearnedQueues}

// LearnedVersion is a snapshot of learned facts as it is kept for replays, in a record of KindLearnedVersion.
type LearnedVersion struct {
	ID      string `json:"id"`
	Version int64  `json:"version"`
	Gzip    []byte `json:"gzip"` // State
}

// learnedArchived is the log row of such a record. It tells nothing outside.
const learnedArchived = "learned.archived"

func learnedVersionKey(id string, version int64) store.Key {
	return ReferenceKey(KindLearnedVersion, fmt.Sprintf("%s@%d", id, version))
}

// archive keeps the version of a snapshot beside those before it.
func (tx *Tx) archive(r *learnedRecord) error {
	if !slices.Contains(archivedLearners, r.ID) {
		return nil
	}
	v, err := compressLearned(r.ID, r.Version, r.State)
	if err != nil {
		return err
	}
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	key := learnedVersionKey(r.ID, r.Version)
	en := tx.Put(store.Record{Key: key, CreatedAt: tx.Now, State: StateActive, Body: body}, json.RawMessage(nil))
	event := learnedEvent{Type: learnedArchived, ID: r.ID, Version: r.Version, At: r.At, Observed: r.Observed}
	return tx.Emit(key, en.Version, []learnedEvent{event}, nil)
}

func compressLearned(id string, version int64, state []byte) (*LearnedVersion, error) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	if _, err = z.Write(state); err == nil {
		err = z.Close()
	}
	return &LearnedVersion{ID: id, Version: version, Gzip: b.Bytes()}, err
}

// ReadLearnedVersion reads the body of a record of KindLearnedVersion.
func ReadLearnedVersion(body []byte) (*LearnedVersion, error) {
	v := new(LearnedVersion)
	return v, jsonenc.Unmarshal(body, v)
}

// State is what the learner wrote.
func (v *LearnedVersion) State() ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(v.Gzip))
	if err != nil {
		return nil, err
	}
	state, err := io.ReadAll(io.LimitReader(z, MaxLearnedBytes+1))
	if err == nil && len(state) > MaxLearnedBytes {
		err = fmt.Errorf("engine: %s@%d is larger than %d bytes", v.ID, v.Version, MaxLearnedBytes)
	}
	return state, err
}
