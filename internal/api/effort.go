package api

import (
	"net/http"

	"github.com/orderly-oms/orderly/internal/kpi"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/problem"
)

// Effort is what people had to do about orders.
type Effort struct {
	From  network.Date `json:"from"`
	To    network.Date `json:"to"`
	By    string       `json:"by"`
	Items []EffortRow  `json:"items"`
}

// EffortRow is the effort of a channel, location or day: of orders that were completed there; or of a cause or an action, whenever it was.
type EffortRow struct {
	Key     string `json:"key"`
	Touches int64  `json:"touches"`
	// Share is that of all touches; of causes and actions only.
	Share *float64 `json:"share,omitempty"`

	Seconds         int64    `json:"seconds,omitempty"`
	Orders          int64    `json:"orders,omitempty"`           // completed
	TouchlessOrders int64    `json:"touchless_orders,omitempty"` // completed without a touch
	TouchesPerOrder *float64 `json:"touches_per_order,omitempty"`
	SecondsPerOrder *float64 `json:"seconds_per_order,omitempty"`
	TouchlessShare  *float64 `json:"touchless_share,omitempty"`
}

// effort answers from the KPI counters, so that both say the same.
func (s *Server) effort(c *Call) error {
	q, err := s.kpiQuestion(c)
	if err != nil {
		return err
	}
	by := q.By
	switch by {
	case "":
		by, q.By = kpi.ByChannel, kpi.ByChannel
	case "cause":
		q.By = ""
	case "action":
		q.By = ""
	case kpi.ByChannel, kpi.ByLocation, kpi.ByDay:
	default:
		var bad problem.Invalid
		bad.Add("by", problem.Unknown, "%.60q is none of channel, location, day, cause, action", by)
		return bad.Err()
	}
	switch by {
	case "cause":
		q.KPIs = []string{"touch_causes"}
	case "action":
		q.KPIs = []string{"touch_actions"}
	default:
		q.KPIs = []string{"touches_per_order", "touch_seconds_per_order", "touchless_share"}
	}
	if err := q.Check(); err != nil {
		return err
	}
	known := s.engine.KPIs()
	values, err := known.Ask(q)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, Effort{From: q.From, To: q.To, By: by, Items: effortRows(by, values)})
}

// effortRows puts the values of one place or day in one row.
func effortRows(by string, values []kpi.Value) []EffortRow {
	rows := []EffortRow{}
	at := map[string]int{}
	for i := range values {
		v := &values[i]
		key := v.Key
		switch by {
		case kpi.ByChannel:
			key = v.Channel
		case kpi.ByLocation:
			key = v.Location
		case kpi.ByDay:
			key = v.Day.String()
		}
		n, ok := at[key]
		if !ok {
			n = len(rows)
			at[key], rows = n, append(rows, EffortRow{Key: key})
		}
		r := &rows[n]
		switch v.KPI {
		case "touch_causes", "touch_actions":
			r.Touches, r.Share = v.Numerator, v.Value
		case "touches_per_order":
			r.Touches, r.Orders, r.TouchesPerOrder = v.Numerator, v.Denominator, v.Value
		case "touch_seconds_per_order":
			r.Seconds, r.SecondsPerOrder = v.Numerator, v.Value
		case "touchless_share":
			r.TouchlessOrders, r.TouchlessShare = v.Numerator, v.Value
		}
	}
	return rows
}
