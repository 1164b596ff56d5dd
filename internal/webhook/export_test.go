package webhook

// Idle reports that the worker runs nothing: it does not own the deliveries.
func (w *Worker) Idle() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.runners) == 0
}
