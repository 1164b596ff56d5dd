package pay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/jsonenc"
	"github.com/orderly-oms/orderly/internal/payment"
)

// Limits of one call.
const (
	// DefaultTimeout is from dialling to the end of an answer.
	DefaultTimeout = 20 * time.Second
	maxAnswerBytes = 1 << 20
	maxReportBytes = 16 << 20
	maxReportPages = 10_000
	maxDetailBytes = 200
)

func decode(body []byte, v any) error { return jsonenc.Unmarshal(body, v) }

// Client is a Caller over HTTP: see docs/payment-providers.md for the protocol.
type Client struct {
	http    *http.Client
	url     string
	secret  string
	timeout time.Duration
}

// NewClient makes one for a provider. Redirects are not followed: they would take the secret elsewhere.
func NewClient(p *Provider, transport http.RoundTripper, timeout time.Duration) *Client {
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	return &Client{
		http: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		url:  strings.TrimSuffix(p.URL, "/"), secret: p.Secret, timeout: timeout,
	}
}

// Request is what an operation looks like to a provider.
type Request struct {
	ID       string `json:"id"`
	Kind     string `json:"kind"`
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
	Token    string `json:"token,omitempty"`
	// Parent is the id of the authorization of a capture or void, or of the capture of a refund; ParentReference, the
	// provider's own id of it.
	Parent          string `json:"parent,omitempty"`
	ParentReference string `json:"parent_reference,omitempty"`
}

// Answer is what a provider says of an operation.
type Answer struct {
	Status    string    `json:"status"` // succeeded, declined; anything else is not clear
	Amount    int64     `json:"amount,omitempty"`
	Reference string    `json:"reference,omitempty"`
	Code      string    `json:"code,omitempty"`
	Message   string    `json:"message,omitempty"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	At        time.Time `json:"at,omitzero"`
}

// Do implements Caller.
func (c *Client) Do(ctx context.Context, op *payment.Operation) payment.Outcome {
	body, err := json.Marshal(&Request{
		ID: op.ID, Kind: op.Kind, Amount: op.Amount, Currency: op.Currency, Token: op.Token, Parent: op.Parent, ParentReference: op.ParentRef,
	})
	if err != nil {
		return unclear(op.ID, err.Error())
	}
	status, answer, err := c.call(ctx, http.MethodPost, "/operations", op.ID, body, maxAnswerBytes)
	if err != nil {
		return unclear(op.ID, err.Error())
	}
	switch status {
	case http.StatusOK, http.StatusCreated, http.StatusPaymentRequired:
		return outcome(op.ID, answer)
	}
	return unclear(op.ID, fmt.Sprintf("the provider answered with status %d", status))
}

// Ask implements Caller.
func (c *Client) Ask(ctx context.Context, id string) payment.Outcome {
	status, answer, err := c.call(ctx, http.MethodGet, "/operations/"+url.PathEscape(id), "", nil, maxAnswerBytes)
	switch {
	case err != nil:
		return unclear(id, err.Error())
	case status == http.StatusOK:
		return outcome(id, answer)
	case status == http.StatusNotFound && says(answer, payment.NotFound):
		return payment.Outcome{Operation: id, Status: payment.NotFound}
	}
	return unclear(id, fmt.Sprintf("the provider answered with status %d", status))
}

// says reports whether an answer has a status; a 404 without it may come from anything between.
func says(body []byte, status string) bool {
	var a Answer
	return json.Unmarshal(body, &a) == nil && a.Status == status
}

// Report implements Caller.
func (c *Client) Report(ctx context.Context, day, cursor string) (*Report, error) {
	path := "/reports/" + url.PathEscape(day)
	if cursor != "" {
		path += "?cursor=" + url.QueryEscape(cursor)
	}
	status, answer, err := c.call(ctx, http.MethodGet, path, "", nil, maxReportBytes)
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("the provider answered with status %d for its report of %s", status, day)
	}
	var r Report
	if err := json.Unmarshal(answer, &r); err != nil {
		return nil, fmt.Errorf("the provider's report of %s cannot be read: %w", day, err)
	}
	if r.Day != day {
		return nil, fmt.Errorf("the provider was asked for its report of %s and sent that of %q", day, r.Day)
	}
	return &r, nil
}

// outcome reads a clear answer. One that cannot be read is not clear.
func outcome(id string, body []byte) payment.Outcome {
	var a Answer
	if err := json.Unmarshal(body, &a); err != nil {
		return unclear(id, "the provider's answer cannot be read: "+err.Error())
	}
	if a.Status != payment.Succeeded && a.Status != payment.Declined {
		return unclear(id, "the provider's answer has status "+a.Status)
	}
	if a.Amount < 0 || a.Amount > payment.MaxAmount {
		return unclear(id, "the provider's answer has an amount that cannot be")
	}
	return payment.Outcome{
		Operation: id, Status: a.Status, Amount: a.Amount, Reference: short(a.Reference), Code: short(a.Code), Message: short(a.Message),
		ExpiresAt: a.ExpiresAt.UTC(), At: a.At.UTC(),
	}
}

func unclear(id, why string) payment.Outcome {
	return payment.Outcome{Operation: id, Status: payment.Unknown, Code: "no_clear_answer", Message: short(why)}
}

func short(s string) string {
	s = strings.ToValidUTF8(strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, s), "?")
	for len(s) > maxDetailBytes {
		s = strings.ToValidUTF8(s[:maxDetailBytes], "")
	}
	return s
}

func (c *Client) call(ctx context.Context, method, path, key string, body []byte, limit int64) (status int, answer []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "Orderly-Payments/1")
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Idempotency-Key", key)
	}
	if c.secret != "" {
		r.Header.Set("Authorization", "Bearer "+c.secret)
	}
	a, err := c.http.Do(r)
	if err != nil {
		return 0, nil, withoutURL(err)
	}
	defer a.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(a.Body, limit+1))
	if err == nil && int64(len(answer)) > limit {
		err = fmt.Errorf("the provider's answer is longer than %d bytes", limit)
	}
	return a.StatusCode, answer, err
}

// withoutURL leaves the address out of an error, which goes into orders.
func withoutURL(err error) error {
	if u := (*url.Error)(nil); errors.As(err, &u) {
		if u.Timeout() {
			return errors.New("the provider did not answer in time")
		}
		return u.Err
	}
	return err
}
