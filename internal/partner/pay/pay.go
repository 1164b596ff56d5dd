// Package pay carries what orders ask of payment providers to them, brings the answers back, and compares the books
// once a day.
//
// A Worker reads the log. For each payment.requested it calls the provider with the operation's id as the
// idempotency key, for each payment.inquiry_requested it asks what became of one, and what it hears becomes a command. It
// keeps nothing but its place in the log: an answer that is lost, a crash between request and answer, or a provider that
// is down leave an operation without an outcome, which the order itself asks about when its time comes. Anything may be
// sent twice under the same id; nothing is ever sent again under another.
//
// It promises that capturing orders never waits for a provider, that only a clear answer is an outcome (everything
// else is unknown), and that a slow provider holds up no other. It does not decide what is asked for (package payment),
// and does not speak the language of any one provider: Client speaks a small protocol of its own, which a gateway
// in front of a provider translates. See docs/payment-providers.md.
package pay

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/payment"
	"github.com/orderly-oms/orderly/internal/problem"
	"github.com/orderly-oms/orderly/internal/store"
)

// Caller talks to one provider.
type Caller interface {
	// Do asks for an operation, under its id. An outcome that is not clear is payment.Unknown, never an error.
	Do(ctx context.Context, op *payment.Operation) payment.Outcome
	// Ask asks what became of an operation; payment.NotFound: the provider never heard of it.
	Ask(ctx context.Context, id string) payment.Outcome
	// Report reads a page of what took effect on a day, in the provider's time zone.
	Report(ctx context.Context, day, cursor string) (*Report, error)
}

// Report is a page of a provider's daily report.
type Report struct {
	Day     string  `json:"day"`
	Entries []Entry `json:"entries"`
	Next    string  `json:"next,omitempty"` // cursor of the next page; "": this is the last
}

// Entry is one operation that took effect.
type Entry struct {
	ID        string    `json:"id"` // the operation's
	Kind      string    `json:"kind"`
	Amount    int64     `json:"amount"` // minor units
	Currency  string    `json:"currency"`
	Reference string    `json:"reference"` // the provider's own id
	At        time.Time `json:"at"`
}

// Limits of providers.
const (
	MaxProviders   = 100
	maxURLBytes    = 2048
	maxSecretBytes = 500
)

// Settings are what somebody says about a provider.
type Settings struct {
	// URL of the gateway, without the paths of the protocol.
	URL string `json:"url"`
	// Secret is sent as bearer token. In answers it is left out; saving without one keeps the one before.
	Secret string `json:"secret,omitempty"`
	// TimeZone is whose days the provider's reports have. Default: UTC.
	TimeZone string `json:"time_zone,omitempty"`
	// ReportTime is when the report of the day before is there, like 02:30. Default: 03:00.
	ReportTime string `json:"report_time,omitempty"`
	// NoReports says that the provider has none: the books are not compared.
	NoReports bool `json:"no_reports,omitempty"`
	// Paused keeps everything from being sent. What is asked for meanwhile is asked about once it is over.
	Paused bool `json:"paused,omitempty"`
}

// Provider is a provider as it is stored and shown.
type Provider struct {
	ID string `json:"id"`
	Settings
	HasSecret bool      `json:"has_secret,omitempty"`
	Version   int64     `json:"version,omitempty"`
	CreatedAt time.Time `json:"created_at,omitzero"`
}

// Validate reports every field that is wrong (problem.Invalid), and fills in defaults.
func (s *Settings) Validate() error {
	var bad problem.Invalid
	bad.Text("url", s.URL, maxURLBytes)
	u, err := url.Parse(s.URL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		bad.Add("url", problem.Malformed, "must be an http or https URL without user, query and fragment")
	}
	bad.Text("secret", s.Secret, maxSecretBytes)
	if s.TimeZone == "" {
		s.TimeZone = "UTC"
	}
	if _, err := time.LoadLocation(s.TimeZone); err != nil || s.TimeZone == "Local" {
		bad.Add("time_zone", problem.Unknown, "must be an IANA time zone like Europe/Berlin")
	}
	if s.ReportTime == "" {
		s.ReportTime = "03:00"
	}
	if _, err := time.Parse("15:04", s.ReportTime); err != nil {
		bad.Add("report_time", problem.Malformed, "must be a time of day like 02:30")
	}
	return bad.Err()
}

// zone is the provider's, which Validate has checked.
func (p *Provider) zone() *time.Location {
	if z, err := time.LoadLocation(p.TimeZone); err == nil {
		return z
	}
	return time.UTC
}

// day is the first moment of a day of the provider.
func (p *Provider) day(day string) (time.Time, error) {
	t, err := time.ParseInLocation(time.DateOnly, day, p.zone())
	if err != nil {
		var bad problem.Invalid
		bad.Add("day", problem.Malformed, "must be a day like 2026-11-25")
		return t, bad.Err()
	}
	return t, nil
}

// shown is a provider without its secret.
func (p Provider) shown() *Provider {
	p.HasSecret, p.Secret = p.Secret != "", ""
	return &p
}

// Providers are the payment providers of a store.
type Providers struct{ engine *engine.Engine }

// NewProviders returns those of the engine's store.
func NewProviders(e *engine.Engine) *Providers { return &Providers{e} }

func providerKey(id string) store.Key { return engine.ReferenceKey(engine.KindPaymentProvider, id) }

// Put creates or replaces a provider. The reply's value is a *Provider. Errors: problem.Invalid, those of Submit.
func (p *Providers) Put(ctx context.Context, id string, s Settings, m engine.Meta) (*engine.Reply, error) {
	var bad problem.Invalid
	bad.ID("id", id)
	bad.Nest("", s.Validate())
	if err := bad.Err(); err != nil {
		return nil, err
	}
	all, err := p.read(ctx)
	if err != nil {
		return nil, err
	}
	key := providerKey(id)
	for i := range all {
		if all[i].ID == id && s.Secret == "" {
			s.Secret = all[i].Secret
		}
	}
	if len(all) >= MaxProviders {
		bad.Add("", problem.TooMany, "there are %d payment providers already", len(all))
		return nil, bad.Err()
	}
	value := &Provider{ID: id, Settings: s}
	reply, err := p.engine.PutRecord(ctx, store.Record{Key: key, State: engine.StateActive}, value, recordEvent{"payment_provider.saved", id}, m)
	if err != nil {
		return nil, err
	}
	out := value.shown()
	out.Version, out.CreatedAt = reply.Entry.Version, reply.Entry.CreatedAt
	return &engine.Reply{Status: reply.Status, Value: out}, nil
}

// recordEvent is all that the log says of a record that may hold secrets.
type recordEvent struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

// List returns all providers, by id, without their secrets.
func (p *Providers) List(ctx context.Context) ([]*Provider, error) {
	all, err := p.read(ctx)
	out := make([]*Provider, len(all))
	for i := range all {
		out[i] = all[i].shown()
	}
	return out, err
}

// Get returns a provider without its secret. Errors: engine.ErrNotFound.
func (p *Providers) Get(ctx context.Context, id string) (*Provider, error) {
	found, err := p.find(ctx, id)
	if err != nil {
		return nil, err
	}
	return found.shown(), nil
}

func (p *Providers) find(ctx context.Context, id string) (*Provider, error) {
	all, err := p.read(ctx)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].ID == id {
			return &all[i], nil
		}
	}
	return nil, engine.ErrNotFound
}

func (p *Providers) read(ctx context.Context) ([]Provider, error) {
	records, err := p.engine.Store().Find(ctx, store.Query{Kind: engine.KindPaymentProvider, Ascending: true, Limit: MaxProviders + 1})
	if err != nil {
		return nil, err
	}
	out := make([]Provider, 0, len(records))
	for i := range records {
		var x Provider
		if err := decode(records[i].Body, &x); err != nil {
			return nil, fmt.Errorf("payment provider %s: %w", records[i].ID, err)
		}
		x.Version, x.CreatedAt = records[i].Version, records[i].CreatedAt
		out = append(out, x)
	}
	return out, nil
}
