package main

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// The collector's pace follows live memory: garbageRoom bytes of garbage may pile
// up, if that is more than live memory, so a small node spends little on collecting and a
// large one (10 M positions are 0.5 GB) does not take twice its memory and more.
const (
	garbageRoom      = 256 << 20
	maxGarbageFactor = 4
	collectorPeriod  = time.Second
)

// relaxCollector sets the collector's pace until ctx ends, unless the operator set GOGC.
func relaxCollector(ctx context.Context) {
	if os.Getenv("GOGC") != "" {
		return
	}
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	set := 100
	t := time.NewTicker(collectorPeriod)
	defer t.Stop()
	for {
		metrics.Read(live)
		room := max(100, min(100*maxGarbageFactor, 100*garbageRoom/int(max(live[0].Value.Uint64(), 1))))
		if room < set || room > set*5/4 {
			debug.SetGCPercent(room)
			set = room
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}
