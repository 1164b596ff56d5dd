package api

import (
	"context"
	"net/http"

	"github.com/orderly-oms/orderly/internal/auth"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/experiment"
)

func experimentRoutes() []Route {
	const at = "/v1/experiments/{id}"
	return []Route{
		{
			Method: "GET", Path: "/v1/experiments", ID: "listExperiments", Tag: "experiments", Scope: auth.PoliciesRead, Status: 200,
			Summary: "List experiments, the newest first, without the challengers' documents; there are at most 1000",
			Out:     Page[*experiment.Experiment]{}, Handle: (*Server).listExperiments,
		},
		{
			Method: "POST", Path: "/v1/experiments", ID: "createExperiment", Tag: "experiments", Scope: auth.PoliciesWrite, Status: 201,
			Summary: "Describe an experiment: a sourcing policy that challenges those in force, in the shadow or on a share of the orders. Nothing happens until it is started",
			In:      NewExperiment{}, Out: experiment.Experiment{}, Handle: command(false, createExperiment),
		},
		{
			Method: "GET", Path: at, ID: "getExperiment", Tag: "experiments", Scope: auth.PoliciesRead, Status: 200,
			Summary: "Read an experiment: its setup, whether it runs, and what stopped it", Out: experiment.Experiment{}, Handle: (*Server).getExperiment,
		},
		{
			Method: "POST", Path: at + "/start", ID: "startExperiment", Tag: "experiments", Scope: auth.PoliciesWrite, Status: 200,
			Summary: "Start a draft: orders captured from now on take part. An order is in one experiment at a time, so none may run on the same channels",
			Out:     experiment.Experiment{}, Handle: command(true, startExperiment),
		},
		{
			Method: "POST", Path: at + "/stop", ID: "stopExperiment", Tag: "experiments", Scope: auth.PoliciesWrite, Status: 200,
			Summary: "Stop an experiment for good, or withdraw a draft: the policies in force decide everything again",
			In:      StopExperiment{}, Out: experiment.Experiment{}, Handle: command(true, stopExperiment),
		},
		{
			Method: "GET", Path: at + "/result", ID: "getExperimentResult", Tag: "experiments", Scope: auth.PoliciesRead, Status: 200,
			Summary: "What is known so far: both groups, where the guardrails stand, and in words whether the answer is in",
			Out:     experiment.Result{}, Handle: (*Server).experimentResult,
		},
	}
}

// NewExperiment describes an experiment.
type NewExperiment struct {
	experiment.Setup
	Text string `json:"text,omitempty" doc:"the challenger's document in YAML, instead of policy; it is saved as the next version of its policy, and not published"`
}

// StopExperiment says why an experiment is to end.
type StopExperiment struct {
	Reason string `json:"reason,omitempty"`
}

func (s *Server) listExperiments(c *Call) error {
	page := Page[*experiment.Experiment]{Items: []*experiment.Experiment{}}
	for _, x := range s.engine.Experiments() {
		short := *x
		short.Text = ""
		page.Items = append(page.Items, &short)
	}
	return c.json(http.StatusOK, page)
}

func createExperiment(s *Server, ctx context.Context, _ *Call, n *NewExperiment, m engine.Meta) (*engine.Reply, error) {
	return s.engine.CreateExperiment(ctx, n.Setup, n.Text, m)
}

func (s *Server) getExperiment(c *Call) error {
	ctx, cancel := c.Context()
	defer cancel()
	x, version, err := s.engine.Experiment(ctx, c.R.PathValue("id"))
	if err != nil {
		return err
	}
	c.W.Header()["Etag"] = []string{etag(version)}
	return c.json(http.StatusOK, x)
}

func startExperiment(s *Server, ctx context.Context, c *Call, _ *none, m engine.Meta) (*engine.Reply, error) {
	return s.engine.StartExperiment(ctx, c.R.PathValue("id"), m)
}

func stopExperiment(s *Server, ctx context.Context, c *Call, n *StopExperiment, m engine.Meta) (*engine.Reply, error) {
	return s.engine.StopExperiment(ctx, c.R.PathValue("id"), n.Reason, m)
}

func (s *Server) experimentResult(c *Call) error {
	ctx, cancel := c.Context()
	defer cancel()
	r, err := s.engine.ExperimentResult(ctx, c.R.PathValue("id"))
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, r)
}
