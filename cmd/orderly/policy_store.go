package main

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

	"github.com/orderly-oms/orderly/internal/api"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/policy"
)

// policyWhere says whose policies a command is about.
type policyWhere struct {
	where  `embed:""`
	Target string `help:"A running server, instead of a store." env:"ORDERLY_TARGET" placeholder:"URL"`
	Key    string `help:"API key for the server." env:"ORDERLY_KEY"`
}

// policyStore is where policies are kept: a store, or a server with one.
type policyStore interface {
	policyReader
	policyWriter
}

type policyReader interface {
	list(ctx context.Context) ([]*engine.PolicyView, error)
	get(ctx context.Context, kind policy.Kind, name string) (*engine.PolicyView, error)
	version(ctx context.Context, kind policy.Kind, name string, version int64) (engine.PolicyVersion, error)
}

type policyWriter interface {
	save(ctx context.Context, kind policy.Kind, name, text, reason string) (*engine.PolicyView, error)
	publish(ctx context.Context, kind policy.Kind, name string, n engine.Publish) (*engine.PolicyView, error)
	rollback(ctx context.Context, kind policy.Kind, name, reason string) (*engine.PolicyView, error)
	migrate(ctx context.Context, kind policy.Kind, name string, r *engine.MigrateRequest) (*engine.Migrated, error)
}

// with runs f on the server, or else on the store. A SQLite store must not be served meanwhile.
func (w policyWhere) with(ctx context.Context, f func(policyStore) error) error {
	if w.Target != "" {
		if w.Data != "" || w.Database != "" {
			return errors.New("name a server with --target or a store with --data or --database, not both")
		}
		return f(&remotePolicies{base: strings.TrimSuffix(w.Target, "/"), key: w.Key, client: &http.Client{Timeout: time.Minute}})
	}
	return withEngine(ctx, w.where, func(e *engine.Engine) error { return f(localPolicies{e}) })
}

var (
	_ policyStore = localPolicies{}
	_ policyStore = (*remotePolicies)(nil)
)

// localPolicies are those of a store that this process has open.
type localPolicies struct{ e *engine.Engine }

var operator = engine.Meta{Actor: "operator"}

func (l localPolicies) list(context.Context) ([]*engine.PolicyView, error) {
	return l.e.StoredPolicies(), nil
}

func (l localPolicies) get(ctx context.Context, kind policy.Kind, name string) (*engine.PolicyView, error) {
	p, _, err := l.e.Policy(ctx, kind, name)
	if err != nil {
		return nil, named(err, kind, name)
	}
	return p.View(l.e.Now()), nil
}

func (l localPolicies) version(ctx context.Context, kind policy.Kind, name string, version int64) (engine.PolicyVersion, error) {
	v, err := l.e.PolicyVersion(ctx, kind, name, version)
	return v, named(err, kind, name)
}

func (l localPolicies) save(ctx context.Context, kind policy.Kind, name, text, reason string) (*engine.PolicyView, error) {
	return viewOf(l.e.SavePolicy(ctx, kind, name, text, reason, operator))
}

func (l localPolicies) publish(ctx context.Context, kind policy.Kind, name string, n engine.Publish) (*engine.PolicyView, error) {
	p, err := viewOf(l.e.PublishPolicy(ctx, kind, name, n, operator))
	return p, named(err, kind, name)
}

func (l localPolicies) rollback(ctx context.Context, kind policy.Kind, name, reason string) (*engine.PolicyView, error) {
	p, err := viewOf(l.e.RollbackPolicy(ctx, kind, name, reason, operator))
	return p, named(err, kind, name)
}

func viewOf(r *engine.Reply, err error) (*engine.PolicyView, error) {
	if err != nil {
		return nil, err
	}
	return r.Value.(*engine.PolicyView), nil
}

// named says which policy was not found.
func named(err error, kind policy.Kind, name string) error {
	if errors.Is(err, engine.ErrNotFound) {
		return fmt.Errorf("%s/%s: %w; orderly policy list shows what there is", kind, name, err)
	}
	return err
}

// remotePolicies are those of a running server.
type remotePolicies struct {
	base, key string
	client    *http.Client
}

// maxAnswerBytes bounds what is read of a server's answer: a list of histories can be long.
const maxAnswerBytes = 64 << 20

func (r *remotePolicies) do(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	q, err := http.NewRequestWithContext(ctx, method, r.base+path, body)
	if err != nil {
		return err
	}
	if in != nil {
		q.Header.Set("Content-Type", "application/json")
	}
	if r.key != "" {
		q.Header.Set("Authorization", "Bearer "+r.key)
	}
	a, err := r.client.Do(q)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	text, err := io.ReadAll(io.LimitReader(a.Body, maxAnswerBytes))
	if err != nil {
		return err
	}
	if a.StatusCode < 300 {
		return json.Unmarshal(text, out)
	}
	var p api.Problem
	if json.Unmarshal(text, &p) != nil || p.Code == "" {
		return fmt.Errorf("the server answered %s", a.Status)
	}
	lines := []string{p.Detail}
	for _, f := range p.Errors {
		lines = append(lines, f.String())
	}
	return errors.New(strings.Join(lines, "\n  "))
}

func (r *remotePolicies) list(ctx context.Context) ([]*engine.PolicyView, error) {
	var page api.Page[*engine.PolicyView]
	err := r.do(ctx, "GET", policiesPath, nil, &page)
	return page.Items, err
}

// policiesPath is where a server keeps documents of all kinds.
const policiesPath = "/v1/policies"

func policyPath(kind policy.Kind, name string) string {
	return "/" + url.PathEscape(string(kind)) + "/" + url.PathEscape(name)
}

func (r *remotePolicies) get(ctx context.Context, kind policy.Kind, name string) (*engine.PolicyView, error) {
	p := new(engine.PolicyView)
	return p, r.do(ctx, "GET", policiesPath+policyPath(kind, name), nil, p)
}

func (r *remotePolicies) version(ctx context.Context, kind policy.Kind, name string, version int64) (v engine.PolicyVersion, err error) {
	number := "latest"
	if version > 0 {
		number = fmt.Sprint(version)
	}
	err = r.do(ctx, "GET", policiesPath+policyPath(kind, name)+"/versions/"+number, nil, &v)
	return v, err
}

func (r *remotePolicies) save(ctx context.Context, kind policy.Kind, name, text, reason string) (*engine.PolicyView, error) {
	p := new(engine.PolicyView)
	return p, r.do(ctx, "PUT", policiesPath+policyPath(kind, name), api.PolicyDocument{Text: text, Reason: reason}, p)
}

func (r *remotePolicies) publish(ctx context.Context, kind policy.Kind, name string, n engine.Publish) (*engine.PolicyView, error) {
	p := new(engine.PolicyView)
	return p, r.do(ctx, "POST", policiesPath+policyPath(kind, name)+"/publish", api.PolicyPublish{Version: n.Version, At: n.At, Reason: n.Reason}, p)
}

func (r *remotePolicies) rollback(ctx context.Context, kind policy.Kind, name, reason string) (*engine.PolicyView, error) {
	p := new(engine.PolicyView)
	return p, r.do(ctx, "POST", policiesPath+policyPath(kind, name)+"/rollback", api.PolicyRollback{Reason: reason}, p)
}
