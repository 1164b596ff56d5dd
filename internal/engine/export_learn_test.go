package engine

import "context"

// LookAtLog is one look of the worker that learns.
func (e *Engine) LookAtLog(ctx context.Context) { e.learning.run(ctx) }
