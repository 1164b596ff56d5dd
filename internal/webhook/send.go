package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
)

// Limits of one attempt.
const (
	attemptTimeout     = 10 * time.Second // from dialling to the end of the answer
	maxAnswerBytes     = 64 << 10         // read, so that the connection can be used again; more closes it
	maxAnswerHeader    = 64 << 10
	maxRetryAfter      = 12 * time.Hour
	maxErrorBytes      = 200
	maxIdlePerReceiver = maxFlying
)

// SenderOptions configure a Sender. The zero value is for production.
type SenderOptions struct {
	// AllowPrivate lets deliveries go to private addresses and over plain http.
	AllowPrivate bool
	// Transport replaces the network. Default: one that guards addresses.
	Transport http.RoundTripper
	// Names resolves host names when a subscription is made; default net.DefaultResolver.
	Names resolver
}

// Sender makes single attempts.
type Sender struct {
	opt    SenderOptions
	client *http.Client
}

// NewSender makes a sender. It uses no proxy: a proxy would dial addresses the guard never sees.
func NewSender(opt SenderOptions) *Sender {
	if opt.Names == nil {
		opt.Names = net.DefaultResolver
	}
	if opt.Transport == nil {
		dialer := &net.Dialer{Timeout: attemptTimeout, KeepAlive: 30 * time.Second}
		if !opt.AllowPrivate {
			dialer.Control = refusePrivate
		}
		opt.Transport = &http.Transport{
			DialContext: dialer.DialContext, ForceAttemptHTTP2: true, MaxIdleConns: 256, MaxIdleConnsPerHost: maxIdlePerReceiver,
			IdleConnTimeout: 90 * time.Second, TLSHandshakeTimeout: attemptTimeout, MaxResponseHeaderBytes: maxAnswerHeader, DisableCompression: true,
		}
	}
	return &Sender{opt: opt, client: &http.Client{
		Transport: opt.Transport,
		// A redirect would take the request to an address nobody subscribed.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Outcome is what one attempt led to.
type Outcome struct {
	// Status is that of the answer; 0: none came, and Error says why.
	Status     int
	Error      string
	RetryAfter time.Duration // asked for by the receiver, at most 12 hours; 0: not
	Took       time.Duration
}

// Delivered reports whether the receiver has accepted the event.
func (o *Outcome) Delivered() bool { return o.Status >= 200 && o.Status < 300 }

// envelope is the body of every delivery, as the Standard Webhooks specification has it.
type envelope struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"` // of the event, the same on every attempt
	Data      any       `json:"data"`
}

// body is the same bytes on every attempt: all of it comes from the log.
func body(e *engine.Published) ([]byte, error) {
	return json.Marshal(envelope{e.Type, e.Time, e})
}

// Send posts one message, signed with the secrets valid now, and waits for the answer.
func (s *Sender) Send(ctx context.Context, sub *Subscription, id string, now time.Time, body []byte) Outcome {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	start := time.Now()
	out := s.send(ctx, sub, id, now, body)
	out.Took = time.Since(start)
	return out
}

func (s *Sender) send(ctx context.Context, sub *Subscription, id string, now time.Time, body []byte) Outcome {
	signature, err := sub.sign(id, now, body)
	if err != nil {
		return failure(err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, sub.URL, bytes.NewReader(body))
	if err != nil {
		return failure(err)
	}
	if r.URL.Scheme != "https" && !s.opt.AllowPrivate {
		return failure(errors.New("plain http is refused on this server (--webhook-allow-private)"))
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "Orderly-Webhooks/1")
	r.Header.Set(HeaderID, id)
	r.Header.Set(HeaderTimestamp, strconv.FormatInt(now.Unix(), 10))
	r.Header.Set(HeaderSignature, signature)
	answer, err := s.client.Do(r)
	if err != nil {
		return failure(err)
	}
	defer answer.Body.Close()
	// An answer that never ends is cut by the timeout; its status counts.
	io.Copy(io.Discard, io.LimitReader(answer.Body, maxAnswerBytes))
	out := Outcome{Status: answer.StatusCode, RetryAfter: retryAfter(answer.Header.Get("Retry-After"), now)}
	if !out.Delivered() {
		out.Error = "the receiver answered " + strconv.Itoa(answer.StatusCode)
		if answer.StatusCode >= 300 && answer.StatusCode < 400 {
			out.Error += "; redirects are not followed"
		}
	}
	return out
}

// failure says why no answer came, without the address, whose query may hold a token.
func failure(err error) Outcome {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	text := err.Error()
	if errors.Is(err, context.DeadlineExceeded) {
		text = "no answer within " + attemptTimeout.String()
	}
	return Outcome{Error: text[:min(len(text), maxErrorBytes)]}
}

func retryAfter(v string, now time.Time) time.Duration {
	if v == "" {
		return 0
	}
	d := time.Duration(0)
	if n, err := strconv.ParseInt(v, 10, 64); err == nil {
		d = time.Duration(min(max(n, 0), int64(maxRetryAfter/time.Second))) * time.Second
	} else if t, err := http.ParseTime(v); err == nil {
		d = t.Sub(now)
	}
	return min(max(d, 0), maxRetryAfter)
}
