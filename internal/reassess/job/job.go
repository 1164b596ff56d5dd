// Package job keeps reassessments that were asked for, and makes them one after another, in the background.
//
// A job is a record: what was asked, how far it is, and what became of it; its report is a record of its own. One
// node of several makes jobs at a time (package lease), whichever had room first. Making one is
// given to a Make, which runs it where it does not slow down what the node is for.
//
// What it promises: a request that cannot be carried out is refused before anything is kept, with the field and the reason;
// a job that was being made when its node ended is marked interrupted by the next one that makes jobs, and can be resumed; a
// job that was cancelled stays so, whatever came of it meanwhile.
//
// What it does not do: replay, judge or draw (packages replay, reassess, reassess/report), or take back what a cancelled
// job has calculated: a later job of the same history may use it.
package job

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/reassess"
	"github.com/orderly-oms/orderly/internal/store"
)

// States of a job.
const (
	Waiting     = "waiting"
	Running     = "running"
	Done        = "done"
	Failed      = "failed"
	Cancelled   = "cancelled"
	Interrupted = "interrupted" // its node ended; Resume has it made
)

// Limits.
const (
	MaxWaiting     = 20
	MaxReportBytes = 64 << 20 // of a report's JSON
)

// Refusal codes.
const (
	CodeTooMany   = "too_many_reassessments"
	CodeEnded     = "reassessment_ended"
	CodeNotEnded  = "reassessment_not_ended"
	CodeNoReport  = "no_report"
	EventState    = "reassessment.updated"
	EventReported = "reassessment.reported"
)

// Job is a reassessment that was asked for.
type Job struct {
	ID       string    `json:"id"`
	State    string    `json:"state" doc:"waiting, running, done, failed, cancelled, or interrupted (its node ended while it was made)"`
	Request  Request   `json:"request"`
	By       string    `json:"by"`
	Created  time.Time `json:"created_at"`
	Started  time.Time `json:"started_at,omitzero"`
	Ended    time.Time `json:"ended_at,omitzero"`
	Progress *Progress `json:"progress,omitempty"`
	// Error is why it failed, in a sentence.
	Error string `json:"error,omitempty"`
	// Version of the record, for ETag.
	Version int64 `json:"-"`
}

// Progress is how far a job is.
type Progress struct {
	Part   string `json:"part" doc:"reading the log, or the scenario that is being replayed"`
	Done   int64  `json:"done" doc:"orders, or rows of the log"`
	Of     int64  `json:"of" doc:"0: not known yet"`
	PerSec int64  `json:"per_second,omitempty"`
}

// event is what the log says about a job.
type event struct {
	Type  string `json:"type"`
	ID    string `json:"id"`
	State string `json:"state,omitempty"`
}

// stored is a report as it is kept.
type stored struct {
	Gzip []byte `json:"gzip"`
}

func key(id string) store.Key       { return engine.ReferenceKey(engine.KindReassessment, id) }
func reportKey(id string) store.Key { return engine.ReferenceKey(engine.KindReassessmentReport, id) }

// Jobs are those of one store.
type Jobs struct {
	engine *engine.Engine
	wake   chan struct{} // something waits, or was cancelled
}

// New returns the jobs of an engine's store. Somebody has to make them: see Worker.
func New(e *engine.Engine) *Jobs { return &Jobs{engine: e, wake: make(chan struct{}, 1)} }

func (j *Jobs) nudge() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// Start keeps a request as a job that waits. Errors: problem.Invalid; a refusal CodeTooMany.
func (j *Jobs) Start(ctx context.Context, r *Request, m engine.Meta) (*engine.Reply, error) {
	if err := r.Check(); err != nil {
		return nil, err
	}
	waiting, err := j.engine.Store().Find(ctx, store.Query{Kind: engine.KindReassessment, State: Waiting, Limit: MaxWaiting})
	if err != nil {
		return nil, err
	}
	if len(waiting) >= MaxWaiting {
		return nil, &order.Refusal{Code: CodeTooMany, Message: fmt.Sprintf("%d reassessments wait to be made; cancel one, or ask again when one is done", len(waiting))}
	}
	id := j.engine.NewID()
	reply, err := j.engine.Submit(ctx, &engine.Command{Stream: key(id), Actor: m.Actor, Key: m.Key, Decide: func(tx *engine.Tx) (*engine.Reply, error) {
		x := &Job{ID: id, State: Waiting, Request: *r, By: m.Actor, Created: tx.Now}
		return put(tx, x, http.StatusAccepted)
	}})
	if err == nil {
		j.nudge()
	}
	return reply, err
}

// put writes a job with its event.
func put(tx *engine.Tx, x *Job, status int) (*engine.Reply, error) {
	en := tx.Put(store.Record{Key: key(x.ID), State: x.State, CreatedAt: x.Created}, x)
	if err := tx.Emit(en.Key, en.Version, []any{event{EventState, x.ID, x.State}}, nil); err != nil {
		return nil, err
	}
	return &engine.Reply{Status: status, Value: x, Entry: en, Header: map[string]string{"Location": "/v1/reassessments/" + x.ID}}, nil
}

// Get returns a job. Errors: engine.ErrNotFound.
func (j *Jobs) Get(ctx context.Context, id string) (*Job, error) {
	records, err := j.engine.Store().Load(ctx, []store.Key{key(id)})
	if err != nil {
		return nil, err
	}
	if len(records) == 0 {
		return nil, engine.ErrNotFound
	}
	return parse(&records[0])
}

func parse(r *store.Record) (*Job, error) {
	x := &Job{Version: r.Version}
	if err := json.Unmarshal(r.Body, x); err != nil {
		return nil, fmt.Errorf("reassessment %s: %w", r.ID, err)
	}
	return x, nil
}

// List returns jobs, newest first, those before an id.
func (j *Jobs) List(ctx context.Context, before string, limit int) ([]*Job, error) {
	records, err := j.engine.Store().Find(ctx, store.Query{Kind: engine.KindReassessment, Before: before, Limit: limit})
	if err != nil {
		return nil, err
	}
	out := make([]*Job, 0, len(records))
	for i := range records {
		x, err := parse(&records[i])
		if err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, nil
}

// change changes a job as f says; f may refuse.
func (j *Jobs) change(ctx context.Context, id string, m engine.Meta, f func(x *Job, now time.Time) error) (*engine.Reply, error) {
	return j.engine.Submit(ctx, &engine.Command{Stream: key(id), Actor: m.Actor, Key: m.Key, Decide: func(tx *engine.Tx) (*engine.Reply, error) {
		en := tx.Entry(key(id))
		if en == nil {
			return nil, engine.ErrNotFound
		}
		if m.IfVersion != 0 && en.Version != m.IfVersion {
			return nil, engine.ErrVersion
		}
		x, err := jobOf(en)
		if err != nil {
			return nil, err
		}
		if err := f(x, tx.Now); err != nil {
			return nil, err
		}
		return put(tx, x, http.StatusOK)
	}})
}

// jobOf is a copy of the job of an entry, which memory holds as it was written or as it was stored.
func jobOf(en *engine.Entry) (*Job, error) {
	switch v := en.Value.(type) {
	case *Job:
		x := *v
		return &x, nil
	case json.RawMessage:
		x := new(Job)
		return x, json.Unmarshal(v, x)
	}
	return nil, fmt.Errorf("reassessment %s: unexpected %T", en.ID, en.Value)
}

func ended(state string) bool { return state == Done || state == Failed || state == Cancelled }

// Cancel ends a job that is not done. Errors: engine.ErrNotFound; a refusal CodeEnded.
func (j *Jobs) Cancel(ctx context.Context, id string, m engine.Meta) (*engine.Reply, error) {
	reply, err := j.change(ctx, id, m, func(x *Job, now time.Time) error {
		if ended(x.State) {
			return &order.Refusal{Code: CodeEnded, Message: "the reassessment is " + x.State + " already"}
		}
		x.State, x.Ended, x.Progress = Cancelled, now, nil
		return nil
	})
	if err == nil {
		j.nudge()
	}
	return reply, err
}

// Resume has a job made that was interrupted or failed; runs that were finished are not made again. Errors: engine.ErrNotFound; a
// refusal CodeNotEnded.
func (j *Jobs) Resume(ctx context.Context, id string, m engine.Meta) (*engine.Reply, error) {
	reply, err := j.change(ctx, id, m, func(x *Job, _ time.Time) error {
		if x.State != Interrupted && x.State != Failed {
			return &order.Refusal{Code: CodeNotEnded, Message: "the reassessment is " + x.State + "; only one that was interrupted or failed can be resumed"}
		}
		x.State, x.Error, x.Ended = Waiting, "", time.Time{}
		return nil
	})
	if err == nil {
		j.nudge()
	}
	return reply, err
}

// ReportJSON returns the report of a job that is done. Errors: engine.ErrNotFound; a refusal CodeNoReport.
func (j *Jobs) ReportJSON(ctx context.Context, id string) ([]byte, error) {
	x, err := j.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	if x.State != Done {
		return nil, &order.Refusal{Code: CodeNoReport, Message: "the reassessment is " + x.State + " and has no report"}
	}
	records, err := j.engine.Store().Load(ctx, []store.Key{reportKey(id)})
	if err != nil {
		return nil, err
	}
	if len(records) == 0 {
		return nil, engine.ErrNotFound
	}
	var s stored
	if err := json.Unmarshal(records[0].Body, &s); err != nil {
		return nil, err
	}
	z, err := gzip.NewReader(bytes.NewReader(s.Gzip))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(z, MaxReportBytes+1))
}

// Report is ReportJSON, read.
func (j *Jobs) Report(ctx context.Context, id string) (*reassess.Report, error) {
	body, err := j.ReportJSON(ctx, id)
	if err != nil {
		return nil, err
	}
	r := new(reassess.Report)
	return r, json.Unmarshal(body, r)
}

// keep stores the report of a job.
func (j *Jobs) keep(ctx context.Context, id string, body []byte) error {
	if len(body) > MaxReportBytes {
		return fmt.Errorf("the report has %d bytes; at most %d are kept: compare fewer scenarios at once", len(body), MaxReportBytes)
	}
	if !json.Valid(body) {
		return errors.New("the report is not JSON")
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(body)
	if err := z.Close(); err != nil {
		return err
	}
	_, err := j.engine.PutRecord(ctx, store.Record{Key: reportKey(id), State: engine.StateActive}, stored{b.Bytes()}, event{Type: EventReported, ID: id}, engine.Meta{Actor: actor})
	return err
}
