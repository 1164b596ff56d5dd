package api

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/orderly-oms/orderly/internal/engine"
)

// metrics are the server's Prometheus metrics. Names follow the convention
// orderly_<part>_<what>_<unit>.
type metrics struct {
	registry *prometheus.Registry
	seconds  *prometheus.HistogramVec
}

func newMetrics(e *engine.Engine) metrics {
	m := metrics{
		registry: prometheus.NewRegistry(),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "orderly_http_request_seconds", Help: "Time to answer, by operation and status class.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1, 5, 30},
		}, []string{"operation", "status"}),
	}
	m.registry.MustRegister(m.seconds, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	counter := func(name, help string, f func() int64) {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return float64(f()) }))
	}
	gauge := func(name, help string, f func() float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, f))
	}
	st := &e.Stats
	counter("orderly_engine_commands_total", "Commands decided.", st.Commands.Load)
	counter("orderly_engine_refused_total", "Commands refused or failed.", st.Refused.Load)
	counter("orderly_engine_batches_total", "Batches decided; commands per batch is how well commits are shared.", st.Batches.Load)
	counter("orderly_engine_conflicts_total", "Batches decided again because another node won a guard or a key was known.", st.Conflicts.Load)
	counter("orderly_engine_reloads_total", "Times memory was read anew after a commit with unknown outcome.", st.Reloads.Load)
	counter("orderly_engine_wakes_total", "Timers fired.", st.Wakes.Load)
	gauge("orderly_engine_queued_commands", "Commands that wait for a lane.", func() float64 { return float64(e.Queued()) })
	gauge("orderly_engine_follow_lag_seconds", "How far memory may trail other nodes' writes.", func() float64 { return e.Lag().Seconds() })
	gauge("orderly_book_positions", "Positions in memory.", func() float64 { return float64(e.Book().Len()) })
	return m
}

// route returns the function that records one answer of a route.
func (m *metrics) route(rt *Route) func(status int, d time.Duration) {
	var classes [6]prometheus.Observer
	for class := 1; class < 6; class++ {
		classes[class] = m.seconds.WithLabelValues(rt.ID, strconv.Itoa(class)+"xx")
	}
	return func(status int, d time.Duration) {
		if status == 0 {
			status = http.StatusOK
		}
		if class := status / 100; class < 6 {
			classes[class].Observe(d.Seconds())
		}
	}
}
