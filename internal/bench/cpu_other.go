//go:build !unix

package bench

// processSeconds is not known here; the report then has no such figure.
func processSeconds() float64 { return 0 }
