package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"time"

	"github.com/orderly-oms/orderly/internal/past"
)

// progressEvery is how many decisions lie between two calls of Progress.
const progressEvery = 500

func run(ctx context.Context, open Open, scenarios []Scenario, o Options) ([]*Result, error) {
	fit, err := fitHistory(ctx, open, o)
	if err != nil {
		return nil, err
	}
	if o.Parallel <= 0 {
		o.Parallel = runtime.GOMAXPROCS(0)
	}
	if report := o.Progress; report != nil {
		var one sync.Mutex
		o.Progress = func(scenario string, orders, of int64) {
			one.Lock()
			defer one.Unlock()
			report(scenario, orders, of)
		}
	}
	results, failed := make([]*Result, len(scenarios)), make([]error, len(scenarios))
	free := make(chan struct{}, o.Parallel)
	var all sync.WaitGroup
	for i := range scenarios {
		all.Go(func() {
			free <- struct{}{}
			defer func() { <-free }()
			if results[i], failed[i] = replay(ctx, open, &scenarios[i], fit, o); failed[i] != nil {
				failed[i] = fmt.Errorf("scenario %q: %w", scenarios[i].Name, failed[i])
			}
		})
	}
	all.Wait()
	return results, errors.Join(failed...)
}

// replay makes one run.
func replay(ctx context.Context, open Open, sc *Scenario, fit *fitted, o Options) (*Result, error) {
	r, err := open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	began := time.Now()
	w, err := newWorld(sc, r.Header(), fit, o)
	if err != nil {
		return nil, err
	}
	for {
		var e past.Entry
		switch err := r.Next(&e); {
		case errors.Is(err, io.EOF):
			if err := w.end(); err != nil {
				return nil, err
			}
			w.out.Took = time.Since(began)
			return w.result(), nil
		case err != nil:
			return nil, err
		}
		if err := w.entry(&e); err != nil {
			return nil, err
		}
		if w.read++; w.read%progressEvery == 0 {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if o.Progress != nil {
				o.Progress(sc.Name, w.seen, w.header.Orders)
			}
		}
	}
}
