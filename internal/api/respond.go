package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/jsonenc"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/problem"
	"github.com/orderly-oms/orderly/internal/store"
)

var timeType = reflect.TypeFor[time.Time]()

// Problem is a problem document (RFC 9457).
type Problem struct {
	Type   string          `json:"type"`
	Title  string          `json:"title"`
	Status int             `json:"status"`
	Code   string          `json:"code"` // stable: programs may depend on it
	Detail string          `json:"detail,omitempty"`
	Errors []problem.Field `json:"errors,omitempty"`

	retryAfter string
}

func (p *Problem) Error() string { return p.Code + ": " + p.Detail }

func newProblem(status int, code, detail string) *Problem {
	return &Problem{Type: "urn:orderly:problem:" + code, Title: http.StatusText(status), Status: status, Code: code, Detail: detail}
}

func (p *Problem) later() *Problem {
	p.retryAfter = "1"
	return p
}

var errOverloaded = newProblem(http.StatusServiceUnavailable, "overloaded", "too many requests are being served; try again").later()

// problemOf says what an error means to a caller. This is the only place that
// turns errors into statuses.
func problemOf(err error) *Problem {
	var (
		p       *Problem
		invalid problem.Invalid
		refusal *order.Refusal
		missing *engine.Missing
	)
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &invalid):
		p = newProblem(http.StatusUnprocessableEntity, "invalid", "some fields cannot be accepted; nothing was changed")
		p.Errors = invalid
		return p
	case errors.As(err, &refusal):
		status := http.StatusConflict
		if refusal.Code == order.CodeNoFulfillment || refusal.Code == order.CodeNoOperation {
			status = http.StatusNotFound
		}
		if refusal.Code == engine.CodeNotPermitted {
			status = http.StatusForbidden
		}
		p = newProblem(status, refusal.Code, refusal.Message)
		if refusal.Pointer != "" {
			p.Errors = []problem.Field{{Pointer: refusal.Pointer, Code: refusal.Code, Message: refusal.Message}}
		}
		return p
	case errors.As(err, &missing):
		return newProblem(http.StatusNotFound, "not_found", missing.Error())
	case errors.Is(err, engine.ErrNotFound), errors.Is(err, store.ErrNotFound):
		return newProblem(http.StatusNotFound, "not_found", "there is nothing with this id")
	case errors.Is(err, engine.ErrVersion):
		return newProblem(http.StatusPreconditionFailed, "version_mismatch", err.Error()+"; read it again and repeat with its ETag")
	case errors.Is(err, engine.ErrInFlight):
		return newProblem(http.StatusConflict, "request_in_progress", err.Error()).later()
	case errors.Is(err, engine.ErrKeyReused):
		return newProblem(http.StatusUnprocessableEntity, "idempotency_key_reused", err.Error())
	case errors.Is(err, engine.ErrBusy), errors.Is(err, engine.ErrContention):
		return newProblem(http.StatusServiceUnavailable, "overloaded", err.Error()).later()
	case errors.Is(err, engine.ErrClosed):
		return newProblem(http.StatusServiceUnavailable, "shutting_down", err.Error()+"; nothing was changed").later()
	case errors.Is(err, store.ErrFull):
		return newProblem(http.StatusInsufficientStorage, "storage_full", "the store has no room left: nothing was changed, reads still work, and writes will once there is room").later()
	case errors.Is(err, store.ErrUnavailable):
		return newProblem(http.StatusServiceUnavailable, "store_unavailable", "the store cannot be reached; nothing was changed").later()
	case errors.Is(err, store.ErrUnknown), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return newProblem(http.StatusServiceUnavailable, "outcome_unknown",
			"whether the request took effect is not known; repeat it with the same Idempotency-Key or external_id").later()
	}
	return newProblem(http.StatusInternalServerError, "internal", "something that should not happen did; the log of the node has the details")
}

func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err)
	if p.Status == http.StatusInternalServerError {
		s.log.Error("request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	if p.retryAfter != "" {
		h.Set("Retry-After", p.retryAfter)
	}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="orderly"`)
	}
	body, err := json.Marshal(p)
	if err != nil {
		body = []byte(`{"status":500,"code":"internal"}`)
	}
	w.WriteHeader(p.Status)
	w.Write(body)
}

func (s *Server) notFound(w http.ResponseWriter, r *http.Request) {
	s.fail(w, r, newProblem(http.StatusNotFound, "no_such_route", r.Method+" "+r.URL.Path+" is not part of the API; see /openapi.json"))
}

var jsonType = []string{"application/json"}

// json writes a document.
func (c *Call) json(status int, v any) error {
	body, err := jsonenc.Marshal(v)
	if err != nil {
		return err
	}
	c.raw(status, body)
	return nil
}

func (c *Call) raw(status int, body []byte) {
	h := c.W.Header()
	h["Content-Type"] = jsonType
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	c.W.WriteHeader(status)
	c.W.Write(body)
}

// reply writes what a command answered.
func (c *Call) reply(r *engine.Reply, err error) error {
	if err != nil {
		return err
	}
	h := c.W.Header()
	for k, v := range r.Header {
		h.Set(k, v)
	}
	if r.Repeated {
		h.Set("Idempotency-Replayed", "true")
	}
	body := r.Body
	if en := r.Entry; en != nil {
		h["Etag"] = []string{etag(en.Version)}
		if body == nil {
			body = en.Body
		}
	}
	if body == nil && r.Value != nil {
		if body, err = jsonenc.Marshal(r.Value); err != nil {
			return err
		}
	}
	if r.Status == http.StatusNoContent {
		c.W.WriteHeader(r.Status)
		return nil
	}
	c.raw(r.Status, body)
	return nil
}

func etag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// Page is one page of a list.
type Page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"` // cursor of the next page; absent: this is the last
}

// command makes the handler of a write: it decodes the body into a T (which may be
// missing when optional), reads the guards from the headers, bounds the wait, runs, and writes the reply.
func command[T any](optional bool, run func(s *Server, ctx context.Context, c *Call, body *T, m engine.Meta) (*engine.Reply, error)) func(*Server, *Call) error {
	return func(s *Server, c *Call) error {
		body := new(T)
		decode := c.Decode
		if optional {
			decode = c.DecodeOptional
		}
		if err := decode(body); err != nil {
			return err
		}
		m, err := c.meta()
		if err != nil {
			return err
		}
		ctx, cancel := c.Context()
		defer cancel()
		return c.reply(run(s, ctx, c, body, m))
	}
}

// none is the body of a command that has none.
type none struct{}
