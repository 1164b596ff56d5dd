package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/orderly-oms/orderly/internal/auth"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/flow"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/problem"
)

func flowRoutes() []Route {
	at := flowShelf.base + "/{subject}/{name}"
	diagram := Route{
		Method: "GET", Path: at + "/diagram.svg", ID: "drawFlow", Tag: "flows", Scope: auth.PoliciesRead, Status: 200,
		Summary: "A version of a flow drawn: states, what they wait for, timers, what leads from one to the next, and how many are in each now",
		Query: []Query{
			{Name: "version", Doc: "default: the one in force, else the latest saved", Integer: true},
			{Name: "counts", Doc: "false leaves out how many are in each state"},
		},
		RawOut: []string{"image/svg+xml"}, Handle: (*Server).drawFlow,
	}
	return append(flowShelf.routes("order, fulfillment or return"),
		Route{
			Method: "GET", Path: flowShelf.base + "/library", ID: "listReadyFlows", Tag: "flows", Scope: auth.PoliciesRead, Status: 200,
			Summary: "Ready flows that come with the program, with their documents, to start from",
			Out:     Page[ReadyFlow]{}, Handle: (*Server).readyFlows,
		},
		Route{
			Method: "GET", Path: at + "/counts", ID: "countFlow", Tag: "flows", Scope: auth.PoliciesRead, Status: 200,
			Summary: "How many orders, fulfillments or returns are in each state of each version, as of a moment a few seconds ago",
			Out:     engine.FlowCount{}, Handle: (*Server).countFlow,
		},
		diagram,
		Route{
			Method: "POST", Path: at + "/migrations", ID: "migrateFlow", Tag: "flows", Scope: auth.PoliciesWrite, Status: 200,
			Summary: "Take what is in flight from other versions to one, a page of orders at a time; with dry_run, check the mapping and count",
			In:      engine.MigrateRequest{}, Out: engine.Migrated{}, Handle: (*Server).migrateFlow,
		},
	)
}

// ReadyFlow is a flow of the library.
type ReadyFlow struct {
	Subject     string `json:"subject"`
	Name        string `json:"name"`
	Description string `json:"description"`
	// Default says that it is in force for its subject while nothing else is.
	Default bool   `json:"default,omitempty"`
	Text    string `json:"text"`
}

func (s *Server) readyFlows(c *Call) error {
	page := Page[ReadyFlow]{Items: []ReadyFlow{}}
	for _, e := range flow.Library() {
		page.Items = append(page.Items, ReadyFlow{
			Subject: e.Flow.Subject, Name: e.Flow.Name, Description: strings.TrimSpace(e.Flow.Doc.Description), Default: e.Default, Text: e.Text,
		})
	}
	return c.json(http.StatusOK, page)
}

func (s *Server) countFlow(c *Call) error {
	kind, name := c.policyName()
	counts := s.engine.FlowCounts(kind, name)
	if len(counts.Versions) == 0 {
		ctx, cancel := c.Context()
		defer cancel()
		if _, _, err := s.engine.Policy(ctx, kind, name); err != nil {
			return err
		}
	}
	return c.json(http.StatusOK, counts)
}

// drawFlow draws a version that was saved, whether or not it was ever in force, or one of the program's own.
func (s *Server) drawFlow(c *Call) error {
	ctx, cancel := c.Context()
	defer cancel()
	kind, name := c.policyName()
	version, err := versionNumber("version", c.query("version"))
	if err != nil {
		return err
	}
	counted := true
	switch text := c.query("counts"); text {
	case "", "true":
	case "false":
		counted = false
	default:
		var bad problem.Invalid
		bad.Add("counts", problem.Malformed, "must be true or false")
		return bad.Err()
	}
	f, err := s.flowToDraw(ctx, kind, name, version)
	if err != nil {
		return err
	}
	var counts map[string]int64
	if counted {
		counts = map[string]int64{}
		for _, v := range s.engine.FlowCounts(kind, name).Versions {
			if v.Ref == f.Ref {
				for _, state := range v.States {
					counts[state.State] = state.Count
				}
			}
		}
	}
	c.W.Header().Set("Content-Type", "image/svg+xml")
	c.W.WriteHeader(http.StatusOK)
	_, err = c.W.Write(flow.Diagram(f, counts))
	return err
}

func (s *Server) flowToDraw(ctx context.Context, kind policy.Kind, name string, version int64) (*flow.Compiled, error) {
	if version == 0 {
		if f := s.engine.FlowInForce(kind, name); f != nil {
			return f, nil
		}
	}
	if flow.SubjectOf(kind) == "" {
		return nil, engine.ErrNotFound
	}
	v, err := s.engine.PolicyVersion(ctx, kind, name, version)
	if err != nil {
		return nil, err
	}
	compiled, err := flow.CompileText([]byte(v.Text))
	if err != nil {
		return nil, newProblem(http.StatusConflict, "policy_unreadable", "the version was saved by another version of the program: "+strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return flow.Of(compiled).Versioned(v.Version), nil
}

func (s *Server) migrateFlow(c *Call) error {
	var r engine.MigrateRequest
	if err := c.Decode(&r); err != nil {
		return err
	}
	ctx, cancel := c.Context()
	defer cancel()
	kind, name := c.policyName()
	out, err := s.engine.MigrateFlow(ctx, kind, name, &r, engine.Meta{Actor: c.Principal.Name})
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, out)
}
