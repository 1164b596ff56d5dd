package bench

import (
	"bytes"
	"fmt"
	"strconv"
)

// counters are values of the server's metrics page by name; those with labels are left out.
type counters map[string]float64

// scrape reads the server's metrics.
func scrape(s *setup) (counters, error) {
	c := conn{host: s.host}
	defer c.close()
	status, body, err := c.do(s.head.request(nil, "GET", "/metrics"))
	if err != nil {
		return nil, err
	}
	if status != 200 {
		return nil, fmt.Errorf("GET /metrics: status %d", status)
	}
	return parseMetrics(body), nil
}

func parseMetrics(body []byte) counters {
	out := counters{}
	for line := range bytes.Lines(body) {
		name, value, _ := bytes.Cut(bytes.TrimSpace(line), []byte(" "))
		if v, err := strconv.ParseFloat(string(value), 64); err == nil && !bytes.ContainsRune(name, '{') {
			out[string(name)] = v
		}
	}
	return out
}

// since returns what changed from before, for so many requests.
func (c counters) since(before counters, requests int64) *ServerFigures {
	diff := func(name string) float64 { return c[name] - before[name] }
	f := &ServerFigures{
		Commands: int64(diff("orderly_engine_commands_total")), Batches: int64(diff("orderly_engine_batches_total")),
		Conflicts: int64(diff("orderly_engine_conflicts_total")), CPUSeconds: diff("process_cpu_seconds_total"),
		ResidentMB: c["process_resident_memory_bytes"] / (1 << 20),
	}
	if f.Batches > 0 {
		f.CommandsPerBatch = float64(f.Commands) / float64(f.Batches)
	}
	if requests > 0 {
		f.CPUPerRequestUS = f.CPUSeconds / float64(requests) * 1e6
	}
	return f
}
