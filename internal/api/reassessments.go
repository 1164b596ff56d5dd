package api

import (
	"bytes"
	"context"
	"net/http"
	"strconv"

	"github.com/orderly-oms/orderly/internal/auth"
	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/jsonenc"
	"github.com/orderly-oms/orderly/internal/reassess"
	"github.com/orderly-oms/orderly/internal/reassess/job"
	"github.com/orderly-oms/orderly/internal/reassess/report"
)

// maxReassessmentBytes bounds a request, which may bring many policies and documents.
const maxReassessmentBytes = 8 << 20

func reassessmentRoutes() []Route {
	const base = "/v1/reassessments"
	return []Route{
		{
			Method: "POST", Path: base, ID: "startReassessment", Tag: "reassess", Scope: auth.PoliciesWrite, Status: http.StatusAccepted, MaxBytes: maxReassessmentBytes,
			Summary: "Have the recorded history replayed with the rules in force and with others, in the background and one request after another",
			In:      job.Request{}, Out: job.Job{}, Handle: command(false, startReassessment),
		},
		{
			Method: "GET", Path: base, ID: "listReassessments", Tag: "reassess", Scope: auth.PoliciesRead, Status: 200,
			Summary: "List reassessments, newest first, without their reports", Query: pageQuery, Out: Page[*job.Job]{}, Handle: (*Server).listReassessments,
		},
		{
			Method: "GET", Path: base + "/{id}", ID: "getReassessment", Tag: "reassess", Scope: auth.PoliciesRead, Status: 200,
			Summary: "How far a reassessment is and, once it is done, its report", Out: Reassessment{}, Handle: (*Server).getReassessment,
		},
		{
			Method: "GET", Path: base + "/{id}/report.html", ID: "getReassessmentPage", Tag: "reassess", Scope: auth.PoliciesRead, Status: 200,
			Summary: "The report as one page that needs nothing else", RawOut: []string{"text/html"}, Handle: (*Server).getReassessmentPage,
		},
		{
			Method: "DELETE", Path: base + "/{id}", ID: "cancelReassessment", Tag: "reassess", Scope: auth.PoliciesWrite, Status: 200,
			Summary: "Cancel a reassessment that is not done", Out: job.Job{}, Handle: command(true, cancelReassessment),
		},
		{
			Method: "POST", Path: base + "/{id}/resume", ID: "resumeReassessment", Tag: "reassess", Scope: auth.PoliciesWrite, Status: 200,
			Summary: "Have a reassessment made that was interrupted or failed; replays that were finished are not made again", Out: job.Job{}, Handle: command(true, resumeReassessment),
		},
	}
}

// Reassessment is a job with its report.
type Reassessment struct {
	job.Job
	Report *reassess.Report `json:"report,omitempty"`
}

func startReassessment(s *Server, ctx context.Context, _ *Call, r *job.Request, m engine.Meta) (*engine.Reply, error) {
	return s.reassessments.Start(ctx, r, m)
}

func cancelReassessment(s *Server, ctx context.Context, c *Call, _ *none, m engine.Meta) (*engine.Reply, error) {
	return s.reassessments.Cancel(ctx, c.R.PathValue("id"), m)
}

func resumeReassessment(s *Server, ctx context.Context, c *Call, _ *none, m engine.Meta) (*engine.Reply, error) {
	return s.reassessments.Resume(ctx, c.R.PathValue("id"), m)
}

func (s *Server) listReassessments(c *Call) error {
	limit, err := c.limit()
	if err != nil {
		return err
	}
	ctx, cancel := c.Context()
	defer cancel()
	items, err := s.reassessments.List(ctx, c.query("cursor"), limit+1)
	if err != nil {
		return err
	}
	page := Page[*job.Job]{Items: items}
	if len(items) > limit {
		page.Items = items[:limit]
		page.Next = items[limit-1].ID
	}
	return c.json(http.StatusOK, page)
}

// getReassessment writes the report as it is kept, behind the job.
func (s *Server) getReassessment(c *Call) error {
	ctx, cancel := c.Context()
	defer cancel()
	x, err := s.reassessments.Get(ctx, c.R.PathValue("id"))
	if err != nil {
		return err
	}
	body, err := jsonenc.Marshal(x)
	if err != nil {
		return err
	}
	if x.State == job.Done {
		made, err := s.reassessments.ReportJSON(ctx, x.ID)
		if err != nil {
			return err
		}
		body = append(bytes.TrimSuffix(body, []byte("}")), `,"report":`...)
		body = append(append(body, made...), '}')
	}
	c.W.Header()["Etag"] = []string{etag(x.Version)}
	c.raw(http.StatusOK, body)
	return nil
}

// pagePolicy lets a report's page do nothing but look as it does.
const pagePolicy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

func (s *Server) getReassessmentPage(c *Call) error {
	ctx, cancel := c.Context()
	defer cancel()
	r, err := s.reassessments.Report(ctx, c.R.PathValue("id"))
	if err != nil {
		return err
	}
	var page bytes.Buffer
	if err := report.HTML(&page, r); err != nil {
		return err
	}
	h := c.W.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(page.Len()))
	c.W.WriteHeader(http.StatusOK)
	_, err = c.W.Write(page.Bytes())
	return err
}
