package report_test

import (
	"bytes"
	"encoding/xml"
	"flag"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/orderly-oms/orderly/internal/past"
	"github.com/orderly-oms/orderly/internal/reassess"
	"github.com/orderly-oms/orderly/internal/reassess/report"
	"github.com/orderly-oms/orderly/internal/replay"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs from what is drawn now; look at it with -update and git diff", name)
	}
}

func html(t *testing.T, r *reassess.Report) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := report.HTML(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func text(t *testing.T, r *reassess.Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := report.Text(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestGolden(t *testing.T) {
	golden(t, "season.txt", []byte(text(t, season(60))))
	golden(t, "season.html", html(t, season(60)))
	golden(t, "fortnight.txt", []byte(text(t, alone())))
}

// alone is a report of one run that is as good as empty: no bound, no candidates, nothing known.
func alone() *reassess.Report {
	r := season(10)
	r.Runs = r.Runs[:1]
	r.Runs[0].GapClosed, r.Runs[0].Result.Lanes, r.Runs[0].Result.Identity = nil, nil, nil
	r.Bound, r.Changed, r.Findings, r.Quality, r.Baseline = nil, nil, nil, nil, ""
	for i := range r.Questions {
		r.Questions[i].Trend, r.Questions[i].Number, r.Questions[i].Verdict = nil, "", "unknown"
	}
	return r
}

// elements reads the page as XML is read, which it is but for void elements, and so finds tags that are not closed.
func elements(t *testing.T, page []byte, see func(xml.StartElement)) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(page))
	d.AutoClose, d.Entity, d.Strict = []string{"meta"}, xml.HTMLEntity, true
	for {
		tok, err := d.Token()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := tok.(xml.StartElement); ok {
			see(e)
		}
	}
}

func TestPageNeedsNothingElse(t *testing.T) {
	ids, refs := map[string]int{}, []string{}
	headings := 0
	elements(t, html(t, season(60)), func(e xml.StartElement) {
		switch e.Name.Local {
		case "script", "link", "img", "iframe", "object", "use", "image":
			t.Errorf("the page has <%s>", e.Name.Local)
		case "h1":
			headings++
		case "th":
			if attribute(e, "scope") == "" {
				t.Error("a table's head says not whether it is of a row or a column")
			}
		case "svg":
			if attribute(e, "role") != "img" || attribute(e, "aria-label") == "" {
				t.Error("a drawing has no title")
			}
		}
		for _, a := range e.Attr {
			switch a.Name.Local {
			case "href", "src", "action":
				if !strings.HasPrefix(a.Value, "#") {
					t.Errorf("the page refers to %q", a.Value)
				}
			case "id":
				ids[a.Value]++
			case "aria-labelledby":
				refs = append(refs, a.Value)
			case "d", "x", "y", "cx", "cy", "width", "height":
				if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
					t.Errorf("a coordinate is %q", a.Value)
				}
			default:
				if strings.HasPrefix(a.Name.Local, "on") {
					t.Errorf("the page runs %q", a.Value)
				}
			}
		}
	})
	if headings != 1 {
		t.Errorf("%d main headings", headings)
	}
	for id, n := range ids {
		if n > 1 {
			t.Errorf("id %q is there %d times", id, n)
		}
	}
	for _, r := range refs {
		if ids[r] == 0 {
			t.Errorf("nothing is called %q", r)
		}
	}
	style := string(html(t, season(20)))
	if regexp.MustCompile(`url\(|@import|https?:`).MatchString(style) {
		t.Error("the page loads something")
	}
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// TestFourQuestionsFirst: the answers come before anything else, in their order.
func TestFourQuestionsFirst(t *testing.T) {
	r := season(60)
	for name, s := range map[string]string{"text": text(t, r), "html": string(html(t, r))} {
		last := -1
		for _, q := range r.Questions {
			i := strings.Index(s, q.Asked)
			if i <= last {
				t.Errorf("%s: %q is not where it belongs", name, q.Asked)
			}
			last = i
		}
		if i := strings.Index(s, "Cost per order"); i < last {
			t.Errorf("%s: a measure comes before the answers", name)
		}
	}
}

// TestNothingIsRun: whatever comes from customers and partners stays text, on the page and on the terminal.
func TestNothingIsRun(t *testing.T) {
	evil := "</title><script>alert(1)</script>\x1b[2J\" onload=\"x"
	r := season(20)
	r.Runs[1].Result.Scenario = evil
	for i := range r.Runs[0].Result.Lanes {
		r.Runs[0].Result.Lanes[i].Location += evil
	}
	r.Runs[0].Result.Locations[0].Location = evil
	r.Changed[0].Base = []string{evil}
	r.Findings[0].Subject, r.Questions[0].Answer, r.Questions[0].Trend = evil, evil, []float64{1, 2}
	r.Questions[0].TrendOf = evil
	r.Quality = append(r.Quality, past.Finding{Subject: evil, Matters: evil})
	page := string(html(t, r))
	if strings.Contains(page, "<script") || strings.Contains(page, `" onload="`) {
		t.Error("the page runs what a location is called")
	}
	if strings.Contains(text(t, r), "\x1b") {
		t.Error("a name steers the terminal")
	}
}

func TestEmptyReports(t *testing.T) {
	nan := math.NaN()
	short := season(3)
	for i := range short.Runs {
		short.Runs[i].Result.Days = nil
		short.Runs[i].GapClosed = &nan
	}
	one := season(1)
	one.Questions[0].Trend = []float64{nan, nan}
	for name, r := range map[string]*reassess.Report{
		"nothing": {}, "one run": alone(), "no days": short, "one day": one,
		"empty run": {Runs: []reassess.Run{{Result: &replay.Result{}}}, Bound: &reassess.Bound{}},
	} {
		elements(t, html(t, r), func(e xml.StartElement) {
			for _, a := range e.Attr {
				if strings.Contains(a.Value, "NaN") {
					t.Errorf("%s: %s is %q", name, a.Name.Local, a.Value)
				}
			}
		})
		if s := text(t, r); strings.Contains(s, "NaN") || strings.Contains(s, "%!") {
			t.Errorf("%s: %s", name, s)
		}
	}
}

func TestSameReportSameBytes(t *testing.T) {
	if !bytes.Equal(html(t, season(60)), html(t, season(60))) {
		t.Error("two pages of one report differ")
	}
}
