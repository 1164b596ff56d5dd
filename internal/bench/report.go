package bench

import "time"

// Report is the outcome of a run.
type Report struct {
	Kind      Kind    `json:"kind"`
	Store     string  `json:"store,omitempty"` // sqlite, postgres, or nothing when a running server was measured
	Clients   int     `json:"clients"`
	DurationS float64 `json:"duration_s"` // of the measured part
	// Requests were answered with success; the latencies are of all that were answered.
	Requests      int64   `json:"requests"`
	ThroughputPS  float64 `json:"throughput_per_s"`
	P50MS         float64 `json:"p50_ms"`
	P99MS         float64 `json:"p99_ms"`
	P999MS        float64 `json:"p999_ms"`
	MaxMS         float64 `json:"max_ms"`
	RequestBytes  int     `json:"request_bytes,omitempty"`  // mean size of a body sent
	ResponseBytes int     `json:"response_bytes,omitempty"` // size of a usual body received
	// Errors counts by status and problem code; no_answer: the connection broke.
	Errors map[string]int64 `json:"errors"`

	Lifecycle    *LifecycleFigures    `json:"lifecycle,omitempty"`
	Inventory    *InventoryFigures    `json:"inventory,omitempty"`
	Availability *AvailabilityFigures `json:"availability,omitempty"`
	Promise      *PromiseFigures      `json:"promise,omitempty"`

	// Server is what the server's own metrics say of the measured part.
	Server *ServerFigures `json:"server,omitempty"`
	// ClientCPUSeconds is what generating the load took.
	ClientCPUSeconds float64 `json:"client_cpu_s,omitempty"`
}

// ServerFigures are differences of the server's counters.
type ServerFigures struct {
	Commands         int64   `json:"commands"` // decided
	Batches          int64   `json:"batches"`  // commits that carried them
	CommandsPerBatch float64 `json:"commands_per_batch"`
	Conflicts        int64   `json:"conflicts"`
	CPUSeconds       float64 `json:"cpu_s,omitempty"`
	CPUPerRequestUS  float64 `json:"cpu_us_per_request,omitempty"`
	ResidentMB       float64 `json:"resident_mb,omitempty"` // at the end
}

// LifecycleFigures count whole orders, from the reservation to the delivery.
type LifecycleFigures struct {
	Orders        int64   `json:"orders"`
	OrdersPS      float64 `json:"orders_per_s"`
	DurableSteps  int64   `json:"durable_steps"` // writes answered; one read per order comes on top
	StepsPS       float64 `json:"durable_steps_per_s"`
	StepsPerOrder float64 `json:"durable_steps_per_order"`
	OrderP50MS    float64 `json:"order_p50_ms"`
	OrderP99MS    float64 `json:"order_p99_ms"`
}

// InventoryFigures count deltas.
type InventoryFigures struct {
	Positions int     `json:"positions"`
	BatchSize int     `json:"batch_size"`
	Deltas    int64   `json:"deltas"`
	DeltasPS  float64 `json:"deltas_per_s"`
}

// AvailabilityFigures say what was asked.
type AvailabilityFigures struct {
	Positions int `json:"positions"`
	SKUs      int `json:"skus_per_question"`
	Locations int `json:"locations"`
	BareFigures
}

// PromiseFigures say what was asked, and how baskets fared.
type PromiseFigures struct {
	Locations    int `json:"locations"`
	SKUs         int `json:"skus"`
	Destinations int `json:"destinations"`
	BareFigures
	BasketLines int     `json:"basket_lines"`
	Baskets     int64   `json:"baskets"` // answered with all their options
	BasketsPS   float64 `json:"baskets_per_s"`
	BasketP50MS float64 `json:"basket_p50_ms"`
	BasketP99MS float64 `json:"basket_p99_ms"`
}

// BareFigures compare with a server that only writes the same bytes.
type BareFigures struct {
	Rounds        int     `json:"rounds,omitempty"`
	BarePS        float64 `json:"bare_throughput_per_s,omitempty"`
	BareP50MS     float64 `json:"bare_p50_ms,omitempty"`
	BareP99MS     float64 `json:"bare_p99_ms,omitempty"`
	Ratio         float64 `json:"ratio,omitempty"` // throughput divided by the bare one: the median of the rounds
	RatioSmallest float64 `json:"ratio_smallest,omitempty"`
	RatioLargest  float64 `json:"ratio_largest,omitempty"`
}

func newReport(o *Options, t *tally) *Report {
	r := &Report{
		Kind: o.Kind, Clients: o.Clients, DurationS: t.elapsed.Seconds(), Requests: t.ok, ThroughputPS: perSecond(t.ok, t.elapsed),
		P50MS: ms(t.latency.quantile(.5)), P99MS: ms(t.latency.quantile(.99)), P999MS: ms(t.latency.quantile(.999)), MaxMS: ms(t.latency.max),
		Errors: t.errors,
	}
	if r.Errors == nil {
		r.Errors = map[string]int64{}
	}
	return r
}

func perSecond(n int64, d time.Duration) float64 {
	if d <= 0 {
		return 0
	}
	return float64(n) / d.Seconds()
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
