package api

import (
	"bytes"
	"encoding/csv"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/orderly-oms/orderly/internal/auth"
	"github.com/orderly-oms/orderly/internal/bulk"
	"github.com/orderly-oms/orderly/internal/kpi"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/problem"
)

// maxKPINames bounds the KPIs that one question names.
const maxKPINames = 200

func kpiRoutes() []Route {
	return []Route{
		{
			Method: "GET", Path: "/v1/kpis", ID: "getKPIs", Tag: "kpis", Scope: auth.OrdersRead, Status: 200,
			Summary: "How orders went, in days of UTC: each KPI with what it was calculated from and its change from the days before; with Accept: text/csv, as a table",
			Query: []Query{
				{Name: "from", Doc: "first day, like 2026-11-01; default: 28 days up to the last one"},
				{Name: "to", Doc: "last day; default: today"},
				{Name: "by", Doc: "one value for each day, channel or location; default: one for all together"},
				{Name: "kpi", Doc: "ids of KPIs, separated by commas or given several times; default: all"},
				{Name: "channel", Doc: "only orders of this channel"},
				{Name: "location", Doc: "only what counts at this location"},
			},
			Out: KPIs{}, RawOut: []string{"text/csv"}, Handle: (*Server).kpis,
		},
		{
			Method: "GET", Path: "/v1/kpis/dictionary", ID: "getKPIDictionary", Tag: "kpis", Scope: auth.OrdersRead, Status: 200,
			Summary: "What each KPI means: sentence, unit, numerator, denominator, when and where an order counts, what is left out, which way is better, where the definition comes from",
			Out:     KPIDictionary{}, Handle: (*Server).kpiDictionary,
		},
	}
}

// KPIDictionary defines all KPIs.
type KPIDictionary struct {
	Items []kpi.Definition `json:"items"`
	// TimeZone is whose days are counted.
	TimeZone      string  `json:"time_zone"`
	RetentionDays int     `json:"retention_days"`
	DetailDays    int     `json:"detail_days"` // in older ones, location is "*"
	QuantileError float64 `json:"quantile_error"`
}

// KPIs are values of KPIs.
type KPIs struct {
	From network.Date `json:"from"`
	To   network.Date `json:"to"`
	By   string       `json:"by,omitempty"`
	// At is when they were counted: they have everything that happened before, unless Behind says that there was
	// more in the log than could be counted by then.
	At     time.Time `json:"at,omitzero"`
	Behind bool      `json:"behind"`
	// FirstDay is the first day there is something of, LocationsFrom the first that tells locations apart.
	FirstDay      network.Date `json:"first_day,omitzero"`
	LocationsFrom network.Date `json:"locations_from,omitzero"`
	Items         []kpi.Value  `json:"items"`
}

func (s *Server) kpiDictionary(c *Call) error {
	return c.json(http.StatusOK, KPIDictionary{
		Items: kpi.Dictionary(), TimeZone: "UTC", RetentionDays: kpi.RetentionDays, DetailDays: kpi.DetailDays, QuantileError: kpi.MaxQuantileError,
	})
}

// kpiQuestion reads the query.
func (s *Server) kpiQuestion(c *Call) (kpi.Question, error) {
	var bad problem.Invalid
	q := kpi.Question{By: c.query("by"), Channel: c.query("channel"), Location: c.query("location"), Today: kpi.DayOf(s.engine.Now())}
	day := func(name string) network.Date {
		text := c.query(name)
		if text == "" {
			return 0
		}
		d, err := network.ParseDate(text)
		if err != nil {
			bad.Add(name, problem.Malformed, "%s", err)
		}
		return d
	}
	q.From, q.To = day("from"), day("to")
	for _, names := range c.R.URL.Query()["kpi"] {
		for name := range strings.SplitSeq(names, ",") {
			if name = strings.TrimSpace(name); name != "" {
				q.KPIs = append(q.KPIs, name)
			}
		}
	}
	bad.Count("kpi", len(q.KPIs), maxKPINames)
	return q, bad.Err()
}

func (s *Server) kpis(c *Call) error {
	q, err := s.kpiQuestion(c)
	if err == nil {
		err = q.Check()
	}
	if err != nil {
		return err
	}
	known := s.engine.KPIs()
	values, err := known.Ask(q)
	if err != nil {
		return err
	}
	if wantsCSV(c.R.Header.Get("Accept")) {
		return c.kpiTable(values)
	}
	out := KPIs{From: q.From, To: q.To, By: q.By, At: known.At, Behind: known.Behind, Items: values}
	out.FirstDay, _ = known.Days()
	out.LocationsFrom = max(known.DetailFrom(), 0)
	return c.json(http.StatusOK, out)
}

// wantsCSV reports that a table was asked for, and JSON was not.
func wantsCSV(accept string) bool {
	return strings.Contains(accept, "text/csv") && !strings.Contains(accept, "application/json")
}

var kpiColumns = []string{"kpi", "day", "channel", "location", "key", "currency", "numerator", "denominator", "value", "previous", "change", "unit"}

// kpiTable writes values as CSV (RFC 4180). No cell is taken for a formula.
func (c *Call) kpiTable(values []kpi.Value) error {
	var body bytes.Buffer
	out := csv.NewWriter(&body)
	out.UseCRLF = true
	out.Write(kpiColumns)
	number := func(x *float64) string {
		if x == nil {
			return ""
		}
		return strconv.FormatFloat(*x, 'f', -1, 64)
	}
	for i := range values {
		v := &values[i]
		d, _ := kpi.Find(v.KPI)
		row := []string{
			v.KPI, v.Day.String(), v.Channel, v.Location, v.Key, v.Currency, strconv.FormatInt(v.Numerator, 10), strconv.FormatInt(v.Denominator, 10),
			number(v.Value), number(v.Previous), number(v.Change), d.Unit,
		}
		for k := range row {
			row[k] = bulk.Neutralise(row[k])
		}
		out.Write(row)
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return err
	}
	h := c.W.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8; header=present")
	h.Set("Content-Length", strconv.Itoa(body.Len()))
	c.W.WriteHeader(http.StatusOK)
	_, err := c.W.Write(body.Bytes())
	return err
}
