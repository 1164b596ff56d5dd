package api

import (
	"context"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/auth"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/flow"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/problem"
)

// shelf is a place in the API where documents of some kinds are kept.
type shelf struct {
	base string // path
	tag  string
	one  string // what one document is called, in ids and summaries
	kind string // name of the path's part that says which kind it is
}

var (
	policyShelf = shelf{base: "/v1/policies", tag: "policies", one: "policy", kind: "kind"}
	flowShelf   = shelf{base: "/v1/flows", tag: "flows", one: "flow", kind: "subject"}
)

func policyRoutes() []Route { return policyShelf.routes("sourcing, promise, availability and so on") }

// routes are what can be done with documents: they are saved, checked, tested, put in force and taken back.
func (x shelf) routes(kinds string) []Route {
	yaml := []string{"application/yaml", "text/yaml"}
	name := strings.ToUpper(x.one[:1]) + x.one[1:]
	route := func(method, path, id, summary string, status int, in, out any, handle func(*Server, *Call) error) Route {
		scope := auth.PoliciesWrite
		if method == http.MethodGet {
			scope = auth.PoliciesRead
		}
		return Route{Method: method, Path: x.base + path, ID: id, Tag: x.tag, Scope: scope, Summary: summary, Status: status, In: in, Out: out, Handle: handle}
	}
	document := func(r Route) Route {
		r.RawIn = yaml
		return r
	}
	at := "/{" + x.kind + "}/{name}"
	list := route("GET", "", "list"+strings.ToUpper(x.tag[:1])+x.tag[1:], "List "+x.tag+"; there are at most 1000 documents", 200, nil, Page[*engine.PolicyView]{}, x.list)
	list.Query = []Query{{Name: x.kind, Doc: kinds}}
	diff := route("GET", at+"/diff", "diff"+name, "What differs between two versions, setting by setting", 200, nil, PolicyDiff{}, (*Server).diffPolicy)
	diff.Query = []Query{{Name: "from", Doc: "version; default: the one in force", Integer: true}, {Name: "to", Doc: "version; default: the latest", Integer: true}}
	save := document(route("PUT", at, "save"+name, "Save a document as the next version; nothing is in force until it is published", 201, PolicyDocument{}, engine.PolicyView{}, (*Server).savePolicy))
	save.Query = []Query{{Name: "reason", Doc: "why, when the body is YAML"}}
	check := document(route("POST", "/check", "check"+name, "Check a document without saving it: schema, types, cost, what can never happen", 200, PolicyDocument{}, engine.PolicyCheck{}, checkPolicy(false)))
	test := document(route("POST", "/test", "test"+name, "Check a document and run its examples without saving it", 200, PolicyDocument{}, engine.PolicyCheck{}, checkPolicy(true)))
	check.Scope, test.Scope = auth.PoliciesRead, auth.PoliciesRead
	return []Route{
		list, check, test,
		route("GET", at, "get"+name, "Get a "+x.one+" with its versions and publications", 200, nil, engine.PolicyView{}, (*Server).getPolicy),
		save,
		route("GET", at+"/versions/{version}", "get"+name+"Version", "Get one version with its document; latest is one too", 200, nil, engine.PolicyVersion{}, (*Server).getPolicyVersion),
		diff,
		route("POST", at+"/publish", "publish"+name, "Put a version in force, now or at a time; its examples must come out as expected", 200, PolicyPublish{}, engine.PolicyView{}, command(true, publishPolicy)),
		route("POST", at+"/rollback", "rollback"+name, "Put the version in force, now, that was before the present one, and drop publications ahead", 200, PolicyRollback{}, engine.PolicyView{}, command(true, rollbackPolicy)),
	}
}

// PolicyDocument is a document in JSON; the YAML can also be the whole body.
type PolicyDocument struct {
	Text   string `json:"text" doc:"the document in YAML, at most 262144 bytes"`
	Reason string `json:"reason,omitempty" doc:"why, for the history"`
}

// PolicyPublish asks for a version to be put in force.
type PolicyPublish struct {
	Version int64     `json:"version,omitempty" doc:"default: the latest"`
	At      time.Time `json:"at,omitzero" doc:"default, and when past: now"`
	Reason  string    `json:"reason,omitempty"`
}

// PolicyRollback asks for the version before.
type PolicyRollback struct {
	Reason string `json:"reason,omitempty"`
}

// PolicyDiff is what differs between two versions.
type PolicyDiff struct {
	From    int64           `json:"from"`
	To      int64           `json:"to"`
	Changes []policy.Change `json:"changes"`
}

// policyDocument reads the body, which is YAML or a PolicyDocument.
func (c *Call) policyDocument() (d PolicyDocument, err error) {
	media := "application/json"
	if ct := c.R.Header.Get("Content-Type"); ct != "" {
		if media, _, err = mime.ParseMediaType(ct); err != nil {
			media = ct
		}
	}
	if c.scratch.body, err = readAll(c.scratch.body[:0], c.R.Body, maxBodyBytes); err != nil {
		return d, err
	}
	switch media {
	case "application/yaml", "text/yaml", "application/x-yaml":
		return PolicyDocument{Text: string(c.scratch.body), Reason: c.query("reason")}, nil
	case "application/json":
		return d, c.Decode(&d)
	}
	return d, newProblem(http.StatusUnsupportedMediaType, "unsupported_media_type", "send application/yaml or application/json, not "+media)
}

// policyName is the kind and name that the path says. Flows go by their subject, which is no kind when it is unknown.
func (c *Call) policyName() (policy.Kind, string) {
	if subject := c.R.PathValue(flowShelf.kind); subject != "" {
		return flow.KindOf(subject), c.R.PathValue("name")
	}
	return policy.Kind(c.R.PathValue(policyShelf.kind)), c.R.PathValue("name")
}

func (x shelf) list(s *Server, c *Call) error {
	page := Page[*engine.PolicyView]{Items: []*engine.PolicyView{}}
	for _, p := range s.engine.StoredPolicies() {
		kind, subject := string(p.Kind), flow.SubjectOf(p.Kind)
		if x == flowShelf {
			if subject == "" {
				continue
			}
			kind = subject
		}
		if want := c.query(x.kind); want == "" || want == kind {
			page.Items = append(page.Items, p)
		}
	}
	return c.json(http.StatusOK, page)
}

func (s *Server) getPolicy(c *Call) error {
	ctx, cancel := c.Context()
	defer cancel()
	kind, name := c.policyName()
	p, version, err := s.engine.Policy(ctx, kind, name)
	if err != nil {
		return err
	}
	c.W.Header()["Etag"] = []string{etag(version)}
	return c.json(http.StatusOK, p.View(s.engine.Now()))
}

// versionNumber reads a version number from text; "" and "latest" are 0.
func versionNumber(pointer, text string) (int64, error) {
	if text == "" || text == "latest" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		var bad problem.Invalid
		bad.Add(pointer, problem.Malformed, "must be the number of a version")
		return 0, bad.Err()
	}
	return n, nil
}

func (s *Server) getPolicyVersion(c *Call) error {
	ctx, cancel := c.Context()
	defer cancel()
	kind, name := c.policyName()
	n, err := versionNumber("version", c.R.PathValue("version"))
	if err != nil {
		return err
	}
	v, err := s.engine.PolicyVersion(ctx, kind, name, n)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, v)
}

func checkPolicy(test bool) func(*Server, *Call) error {
	return func(_ *Server, c *Call) error {
		d, err := c.policyDocument()
		if err != nil {
			return err
		}
		return c.json(http.StatusOK, engine.CheckPolicy(d.Text, test))
	}
}

func (s *Server) savePolicy(c *Call) error {
	d, err := c.policyDocument()
	if err != nil {
		return err
	}
	m, err := c.meta()
	if err != nil {
		return err
	}
	ctx, cancel := c.Context()
	defer cancel()
	kind, name := c.policyName()
	return c.reply(s.engine.SavePolicy(ctx, kind, name, d.Text, d.Reason, m))
}

func publishPolicy(s *Server, ctx context.Context, c *Call, n *PolicyPublish, m engine.Meta) (*engine.Reply, error) {
	kind, name := c.policyName()
	var bad problem.Invalid
	if n.Version < 0 {
		bad.Add("version", problem.OutOfRange, "must be the number of a version")
		return nil, bad.Err()
	}
	return s.engine.PublishPolicy(ctx, kind, name, engine.Publish{Version: n.Version, At: n.At, Reason: n.Reason}, m)
}

func rollbackPolicy(s *Server, ctx context.Context, c *Call, n *PolicyRollback, m engine.Meta) (*engine.Reply, error) {
	kind, name := c.policyName()
	return s.engine.RollbackPolicy(ctx, kind, name, n.Reason, m)
}

// diffPolicy compares two versions; from defaults to what is in force, or else the version before.
func (s *Server) diffPolicy(c *Call) error {
	ctx, cancel := c.Context()
	defer cancel()
	kind, name := c.policyName()
	p, _, err := s.engine.Policy(ctx, kind, name)
	if err != nil {
		return err
	}
	from, err := versionNumber("from", c.query("from"))
	if err != nil {
		return err
	}
	to, err := versionNumber("to", c.query("to"))
	if err != nil {
		return err
	}
	if to == 0 {
		to = int64(len(p.Versions))
	}
	if from == 0 {
		if from = p.InForce(s.engine.Now()); from == 0 {
			from = max(to-1, 1)
		}
	}
	documents := [2]any{}
	for i, n := range []int64{from, to} {
		v, err := s.engine.PolicyVersion(ctx, kind, name, n)
		if err != nil {
			return err
		}
		if documents[i], err = engine.ParseDocument([]byte(v.Text)); err != nil {
			return newProblem(http.StatusConflict, "policy_unreadable", "version "+strconv.FormatInt(n, 10)+" was saved by another version of the program: "+strings.ReplaceAll(err.Error(), "\n", "; "))
		}
	}
	return c.json(http.StatusOK, PolicyDiff{From: from, To: to, Changes: policy.DiffOf(documents[0], documents[1])})
}
