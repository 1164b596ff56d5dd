//go:build !plants

package plant

// On reports whether the bug is in force: it never is in this build.
func On(Bug) bool { return false }
