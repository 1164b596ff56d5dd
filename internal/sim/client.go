package sim

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Limits of a client.
const (
	requestTimeout = 30 * time.Second
	maxAnswerBytes = 64 << 20
	connections    = 64
)

// client speaks the API with the key of one partner.
type client struct {
	base, key string
	http      *http.Client
	stats     *apiStats
}

var transport = &http.Transport{
	DialContext: (&net.Dialer{Timeout: 10 * time.Second}).DialContext, MaxIdleConns: 4 * connections, MaxIdleConnsPerHost: 4 * connections,
	IdleConnTimeout: time.Minute, DisableCompression: true,
}

func newClient(base, key string, stats *apiStats) *client {
	return &client{base: base, key: key, stats: stats, http: &http.Client{Transport: transport, Timeout: requestTimeout}}
}

// refusal is an answer from 400 on.
type refusal struct {
	Status int    `json:"status"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
	about  string
}

func (r *refusal) Error() string {
	return fmt.Sprintf("%s: %d %s: %s", r.about, r.Status, r.Code, r.Detail)
}

// request is one question to the API.
type request struct {
	name   string // under which its latency is kept; empty: not kept
	method string
	path   string
	key    string // Idempotency-Key
	media  string // default application/json
	body   any    // []byte goes as it is
}

func (c *client) get(ctx context.Context, path string, out any) error {
	return c.do(ctx, request{method: http.MethodGet, path: path}, out)
}

func (c *client) post(ctx context.Context, name, path string, body, out any) error {
	return c.do(ctx, request{name: name, method: http.MethodPost, path: path, body: body}, out)
}

// do asks and decodes the answer. An answer from 400 on is a *refusal.
func (c *client) do(ctx context.Context, q request, out any) error {
	raw, ok := q.body.([]byte)
	if !ok && q.body != nil {
		var err error
		if raw, err = json.Marshal(q.body); err != nil {
			return err
		}
	}
	r, err := http.NewRequestWithContext(ctx, q.method, c.base+q.path, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+c.key)
	if r.Header.Set("Content-Type", "application/json"); q.media != "" {
		r.Header.Set("Content-Type", q.media)
	}
	if q.key != "" {
		r.Header.Set("Idempotency-Key", q.key)
	}
	start := time.Now()
	answer, err := c.http.Do(r)
	if err != nil {
		if ctx.Err() == nil {
			c.stats.unreachable(err)
		}
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswerBytes))
	if err != nil {
		return err
	}
	c.stats.answered(q, answer.StatusCode, time.Since(start), body)
	if answer.StatusCode >= 400 {
		p := &refusal{about: q.method + " " + q.path}
		json.Unmarshal(body, p) // what is no problem document leaves the code empty
		p.Status = answer.StatusCode
		return p
	}
	if out == nil || len(body) == 0 {
		return nil
	}
	return json.Unmarshal(body, out)
}

func query(pairs ...string) string {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return "?" + v.Encode()
}

// latencies counts durations in steps of about 5 %, so that any number of them
// takes little memory.
type latencies struct {
	count [400]int64
	n     int64
}

const latencyStep = 1.05

func (l *latencies) add(d time.Duration) {
	at := int(math.Log(math.Max(float64(d)/float64(10*time.Microsecond), 1)) / math.Log(latencyStep))
	l.count[min(at, len(l.count)-1)]++
	l.n++
}

// quantile is the duration below which the share q of the answers came, within 5 %.
func (l *latencies) quantile(q float64) time.Duration {
	rank := int64(math.Ceil(q * float64(l.n)))
	for i, n := range l.count {
		if rank -= n; rank <= 0 && l.n > 0 {
			return time.Duration(math.Pow(latencyStep, float64(i+1)) * float64(10*time.Microsecond))
		}
	}
	return 0
}

// apiStats are the answers of the server, of all clients.
type apiStats struct {
	mu       sync.Mutex
	requests int64
	refused  map[string]int64 // 4xx by code
	failures []string         // 5xx and broken connections, the first few
	failed   int64
	latency  map[string]*latencies
}

const maxFailuresListed = 10

func newAPIStats() *apiStats {
	return &apiStats{refused: map[string]int64{}, latency: map[string]*latencies{}}
}

func (s *apiStats) answered(q request, status int, d time.Duration, body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	if q.name != "" {
		l := s.latency[q.name]
		if l == nil {
			l = &latencies{}
			s.latency[q.name] = l
		}
		l.add(d)
	}
	switch {
	case status >= 500:
		s.fail(fmt.Sprintf("%s %s: %d %.300s", q.method, q.path, status, body))
	case status >= 400:
		var p refusal
		json.Unmarshal(body, &p) // an unreadable one counts under an empty code
		s.refused[p.Code]++
	}
}

func (s *apiStats) unreachable(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail(err.Error())
}

func (s *apiStats) fail(text string) {
	s.failed++
	if len(s.failures) < maxFailuresListed {
		s.failures = append(s.failures, text)
	}
}

// Latency is how long the answers to one kind of request took.
type Latency struct {
	Requests int64   `json:"requests"`
	P50MS    float64 `json:"p50_ms"`
	P99MS    float64 `json:"p99_ms"`
}

func (s *apiStats) latencyOf(name string) Latency {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.latency[name]
	if l == nil {
		return Latency{}
	}
	ms := func(q float64) float64 { return math.Round(l.quantile(q).Seconds()*1e5) / 100 }
	return Latency{Requests: l.n, P50MS: ms(.5), P99MS: ms(.99)}
}
