package api_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/orderly-oms/orderly/internal/api"
	"github.com/orderly-oms/orderly/internal/reassess/job"
)

// TestReassessmentOverHTTP takes a request through to its page.
func TestReassessmentOverHTTP(t *testing.T) {
	e, _ := serve(t, nil)
	jobs := job.New(e)
	handler := api.New(e, api.Options{Open: true, Log: slog.New(slog.DiscardHandler), Reassessments: jobs}).Handler()
	call := func(method, path, body string, status int) string {
		t.Helper()
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != status {
			t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
		}
		return w.Body.String()
	}
	const base = "/v1/reassessments"
	if bad := call("POST", base, `{"candidates":[{"name":"a","changes":{"rejects":{"s1":3}}}]}`, 422); !strings.Contains(bad, "candidates[0].changes.rejects.s1") {
		t.Errorf("the problem names no field: %s", bad)
	}
	if bad := call("POST", base, `{"candidates":[{"nam":"a"}]}`, 422); !strings.Contains(bad, "candidates[0].nam") {
		t.Errorf("the problem names no field: %s", bad)
	}
	if list := call("GET", base, "", 200); !strings.Contains(list, `"items":[]`) {
		t.Errorf("refused requests were kept: %s", list)
	}
	var x job.Job
	if err := json.Unmarshal([]byte(call("POST", base, `{"name":"close s4","candidates":[{"name":"without s4","changes":{"close":["s4"]}}]}`, 202)), &x); err != nil || x.State != job.Waiting {
		t.Fatalf("%+v, %v", x, err)
	}
	call("GET", base+"/"+x.ID+"/report.html", "", 409)
	call("POST", base+"/"+x.ID+"/resume", "", 409)
	call("GET", base+"/none", "", 404)
	call("GET", base+"/none/report.html", "", 404)
	call("DELETE", base+"/none", "", 404)
	made := make(chan bool, 1)
	w := job.NewWorker(jobs, func(_ context.Context, r *job.Request, _ func(job.Progress)) (json.RawMessage, error) {
		defer close(made)
		if got := r.Candidates[0].Changes.Close; len(got) != 1 || got[0] != "s4" {
			t.Errorf("what was asked came as %v", r)
		}
		return json.RawMessage(`{"orders":42,"currency":"EUR","questions":[{"id":"fit","asked":"Are our rules still fit?","answer":"Yes.","number":"97 %","verdict":"good"}],"runs":[],"assumptions":[]}`), nil
	}, slog.New(slog.DiscardHandler))
	w.Run()
	<-made
	w.Stop()
	var done struct {
		State  string
		Report struct{ Orders int }
	}
	if err := json.Unmarshal([]byte(call("GET", base+"/"+x.ID, "", 200)), &done); err != nil || done.State != job.Done || done.Report.Orders != 42 {
		t.Errorf("%+v, %v", done, err)
	}
	if page := call("GET", base+"/"+x.ID+"/report.html", "", 200); !strings.HasPrefix(page, "<!doctype html>") || !strings.Contains(page, "Are our rules still fit?") {
		t.Errorf("the page: %.300s", page)
	}
	call("DELETE", base+"/"+x.ID, "", 409)
	if list := call("GET", base, "", 200); !strings.Contains(list, "close s4") || strings.Contains(list, "97 %") {
		t.Errorf("the list: %s", list)
	}
}
