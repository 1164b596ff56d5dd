package engine

// Bounds of what is remembered of availability policies.
const (
	MaxWithheldSKUs = maxWithheldSKUs
	MaxWithholdings = maxWithholdings
)

// Remembered is how many SKUs and different lists of rows are remembered.
func (w *Withholding) Remembered() (skus, lists int) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return len(w.bySKU), len(w.byRows)
}
