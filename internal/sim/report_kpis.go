package sim

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/orderly-oms/orderly/internal/api"
	"github.com/orderly-oms/orderly/internal/kpi"
)

const (
	// kpiAsk is how often the server is asked whether it has counted everything, maxKPIWait for how long.
	kpiAsk     = 250 * time.Millisecond
	maxKPIWait = 2 * time.Minute
	// maxKPIKeys is how many reasons or types of one KPI the report names.
	maxKPIKeys = 3
)

// askKPIs asks the server for its KPIs once it has counted what has happened so far.
func (w *world) askKPIs(ctx context.Context, r *Report) error {
	since, until := w.clock.Now(), time.Now().Add(maxKPIWait)
	tick := time.NewTicker(kpiAsk)
	defer tick.Stop()
	for {
		var page api.KPIs
		if err := w.admin.get(ctx, "/v1/kpis", &page); err != nil {
			return err
		}
		r.KPIs = page.Items
		if r.Interrupted || !page.Behind && page.At.After(since) {
			return nil
		}
		if time.Now().After(until) {
			r.Notes = append(r.Notes, "the server had not counted all KPIs in "+maxKPIWait.String())
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// writeKPIs prints what the server counted, beside the baseline when there is one.
func (r *Report) writeKPIs(w io.Writer) error {
	if len(r.KPIs) == 0 {
		return nil
	}
	out := tabwriter.NewWriter(w, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(out, "KPIs of the server\tvalue\tof\t")
	if r.BaselineKPIs != nil {
		fmt.Fprintf(out, "%s\t", r.Baseline.Rule)
	}
	fmt.Fprintln(out)
	for _, d := range kpi.Dictionary() {
		if d.Keyed {
			continue
		}
		for i := range r.KPIs {
			v := &r.KPIs[i]
			if v.KPI != d.ID || v.Value == nil {
				continue
			}
			of := v.Denominator
			if of == 0 {
				of = v.Numerator
			}
			fmt.Fprintf(out, "%s\t%s\t%d\t", d.Title, d.String(v), of)
			if r.BaselineKPIs != nil {
				fmt.Fprintf(out, "%s\t", baseline(&d, r.BaselineKPIs, v.Currency))
			}
			fmt.Fprintln(out)
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	for _, d := range kpi.Dictionary() {
		if text := keys(&d, r.KPIs); text != "" {
			fmt.Fprintf(w, "%s: %s\n", strings.ToLower(d.Title), text)
		}
	}
	_, err := fmt.Fprint(w, "durations are by the retailer's clock; GET /v1/kpis/dictionary says what each KPI means\n\n")
	return err
}

// baseline is the value of the KPI under the other rule.
func baseline(d *kpi.Definition, values []kpi.Value, currency string) string {
	for i := range values {
		if v := &values[i]; v.KPI == d.ID && v.Currency == currency {
			return d.String(v)
		}
	}
	return "-"
}

// keys lists the largest parts of a keyed KPI.
func keys(d *kpi.Definition, values []kpi.Value) string {
	if !d.Keyed {
		return ""
	}
	var parts []string
	for i := range values {
		if v := &values[i]; v.KPI == d.ID {
			if len(parts) == maxKPIKeys {
				return strings.Join(parts, ", ") + ", …"
			}
			parts = append(parts, fmt.Sprintf("%s %s", v.Key, d.String(v)))
		}
	}
	return strings.Join(parts, ", ")
}
