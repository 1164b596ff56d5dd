// Package api is the HTTP surface: it decodes and checks requests, hands them
// to the engine, and writes answers and problems.
//
// It promises that every route declares its scope, its types and its errors in
// one table (routes), from which routing, authorisation, metrics and the OpenAPI
// document all follow; that bad input is answered with a problem document
// (RFC 9457) that names the field and changes nothing; and that a write is only
// answered once it is durable.
//
// It decides nothing about orders or stock and keeps no state beside caches.
package api

import (
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/orderly-oms/orderly/internal/auth"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/partner/pay"
	"github.com/orderly-oms/orderly/internal/reassess/job"
	"github.com/orderly-oms/orderly/internal/webhook"
)

// Limits of a request.
const (
	maxBodyBytes    = 1 << 20  // documents and commands
	maxFeedBytes    = 16 << 20 // inventory feeds
	maxImportBytes  = 64 << 20 // bulk imports
	maxPageSize     = 200
	defaultPageSize = 50
	// requestTimeout bounds how long a caller waits for a decision and its commit.
	requestTimeout = 30 * time.Second
)

// Options configure a Server. The zero value works.
type Options struct {
	// Open lets requests without a key in, with all scopes. For loopback only.
	Open    bool
	Version string // of the program, for the OpenAPI document
	Log     *slog.Logger
	// MaxInFlight bounds requests being served at once; default 4096. More are answered 503.
	MaxInFlight int64
	// Webhooks are the engine's subscriptions; default: with a sender that refuses private addresses.
	Webhooks *webhook.Subscriptions
	// Reassessments are the engine's; default: such that wait for a node that makes them.
	Reassessments *job.Jobs
}

// Server answers the API.
type Server struct {
	engine   *engine.Engine
	opt      Options
	log      *slog.Logger
	mux      *http.ServeMux
	routes   []Route
	openapi  []byte
	keys     keyCache
	scopes   atomic.Pointer[scopes]
	inFlight atomic.Int64
	draining atomic.Bool
	drained  chan struct{} // closed when draining
	metrics  metrics
	buffers  sync.Pool

	providers     *pay.Providers
	books         *pay.Books
	reassessments *job.Jobs
}

// New makes a server for an engine.
func New(e *engine.Engine, opt Options) *Server {
	if opt.Log == nil {
		opt.Log = slog.Default()
	}
	if opt.MaxInFlight == 0 {
		opt.MaxInFlight = 4096
	}
	if opt.Webhooks == nil {
		opt.Webhooks = webhook.NewSubscriptions(e, webhook.NewSender(webhook.SenderOptions{}))
	}
	if opt.Reassessments == nil {
		opt.Reassessments = job.New(e)
	}
	s := &Server{engine: e, reassessments: opt.Reassessments, opt: opt, log: opt.Log, mux: http.NewServeMux(), drained: make(chan struct{})}
	s.providers, s.books = pay.NewProviders(e), pay.NewBooks(e, pay.Options{Log: opt.Log})
	s.buffers.New = func() any { return new(scratch) }
	s.metrics = newMetrics(e)
	s.routes = routes()
	for i := range s.routes {
		s.mount(&s.routes[i])
	}
	s.openapi = describe(s.routes, opt.Version)
	s.mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{}))
	s.mux.HandleFunc("/", s.notFound)
	return s
}

// Handler returns the server's handler.
func (s *Server) Handler() http.Handler { return s.mux }

// Drain makes the server report that it is not ready, so that no new traffic is sent to it,
// and ends event streams.
func (s *Server) Drain() {
	if !s.draining.Swap(true) {
		close(s.drained)
	}
}

// Registry is where further metrics can be registered.
func (s *Server) Registry() *prometheus.Registry { return s.metrics.registry }

// Route is one operation of the API.
type Route struct {
	Method, Path string
	ID           string // operation id
	Summary      string
	Tag          string
	Scope        auth.Scope
	Query        []Query
	In, Out      any // zero values of the body types; nil: no body
	Status       int // of success
	MaxBytes     int64
	Handle       func(s *Server, c *Call) error
	// RawIn and RawOut are media types of bodies that are not JSON documents.
	RawIn, RawOut []string
	// Stream marks answers that take as long as the client listens.
	Stream bool
}

// Query is a query parameter.
type Query struct {
	Name, Doc string
	Integer   bool
}

// Call is one request being served.
type Call struct {
	W         http.ResponseWriter
	R         *http.Request
	Principal *Principal
	Operation string // the route's id
	scratch   *scratch
}

// scratch is memory that requests reuse.
type scratch struct {
	body []byte
	out  []byte
	// availability is what answering POST /v1/availability fills.
	availability struct {
		answers []inventory.Availability
		buffer  inventory.AvailabilityBuffer
	}
}

// maxPooledBytes keeps the buffers of rare large requests from staying.
const maxPooledBytes = 64 << 10

func (s *Server) mount(rt *Route) {
	if rt.MaxBytes == 0 {
		rt.MaxBytes = maxBodyBytes
	}
	observe := s.metrics.route(rt)
	s.mux.HandleFunc(rt.Method+" "+rt.Path, func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		rec := &statusRecorder{ResponseWriter: w}
		s.serve(rt, rec, r)
		observe(rec.status, time.Since(start))
	})
}

func (s *Server) serve(rt *Route, w *statusRecorder, r *http.Request) {
	if s.inFlight.Add(1) > s.opt.MaxInFlight && rt.Scope != auth.Public {
		s.inFlight.Add(-1)
		s.fail(w, r, errOverloaded)
		return
	}
	defer s.inFlight.Add(-1)
	if err := checkText(r); err != nil {
		s.fail(w, r, err)
		return
	}
	p, err := s.admit(w, r, rt.Scope)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	c := &Call{W: w, R: r, Principal: p, Operation: rt.ID, scratch: s.buffers.Get().(*scratch)}
	defer func() {
		if cap(c.scratch.body) <= maxPooledBytes && cap(c.scratch.out) <= maxPooledBytes {
			s.buffers.Put(c.scratch)
		}
	}()
	if rt.RawIn == nil {
		if err := c.read(rt); err != nil {
			s.fail(w, r, err)
			return
		}
	}
	if err := rt.Handle(s, c); err != nil {
		s.fail(w, r, err)
	}
}

// statusRecorder remembers the status for metrics.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (w *statusRecorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusRecorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *statusRecorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
