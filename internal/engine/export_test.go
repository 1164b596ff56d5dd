package engine

// AwaitReload waits until a reload that has begun, if any, is over.
func (e *Engine) AwaitReload() {
	for e.reloading.Load() > 0 {
		e.trust.RLock()
		e.trust.RUnlock()
	}
}
