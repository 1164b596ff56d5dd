package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/orderly-oms/orderly/internal/reassess/job"
)

// progressInterval is how often progress is told.
const progressInterval = 500 * time.Millisecond

// pace adds to progress how fast it is. Several runs report at the same time.
type pace struct {
	mu    sync.Mutex
	tell  func(job.Progress)
	began map[string]time.Time
	told  time.Time
}

func newPace(tell func(job.Progress)) *pace { return &pace{tell: tell, began: map[string]time.Time{}} }

// orders takes how far a scenario is.
func (p *pace) orders(scenario string, done, of int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	began, ok := p.began[scenario]
	if !ok {
		p.began[scenario] = now
		began = now
	}
	if now.Sub(p.told) < progressInterval && done < of || p.tell == nil {
		return
	}
	p.told = now
	out := job.Progress{Part: scenario, Done: done, Of: of}
	if passed := now.Sub(began).Seconds(); passed > .1 {
		out.PerSec = int64(float64(done) / passed)
	}
	p.tell(out)
}

// reassessProgress keeps a line of a terminal up to date, and clears it; in a pipe it does nothing.
func reassessProgress(w io.Writer) (tell func(job.Progress), done func()) {
	line, done := progressLine(w)
	if line == nil {
		return nil, done
	}
	return func(p job.Progress) { line(progressText(p), p.Done) }, done
}

// progressText says what is being done, how much of it there is, and how long it will take; the count follows.
func progressText(p job.Progress) string {
	s := p.Part
	if p.Of > 0 {
		s += fmt.Sprintf(", of %d", p.Of)
	}
	if p.PerSec > 0 {
		s += fmt.Sprintf(", %d/s", p.PerSec)
		if left := p.Of - p.Done; left > 0 {
			s += ", " + (time.Duration(left/p.PerSec) * time.Second).String() + " left"
		}
	}
	return s
}
