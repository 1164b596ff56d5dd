//go:build plants

package plant

import (
	"fmt"
	"os"
	"sync/atomic"
)

// Variable names the bug that a program built with the tag starts with.
const Variable = "ORDERLY_PLANT"

var (
	current atomic.Pointer[Bug]
	met     atomic.Int64
)

func init() { Set(Bug(os.Getenv(Variable))) }

// Set puts a bug in force, in place of the one before; "": none. It panics for one that there is not.
func Set(b Bug) {
	if b != "" && !b.Known() {
		panic(fmt.Sprintf("plant: there is no bug %q", b))
	}
	current.Store(&b)
	met.Store(0)
}

// On reports whether the bug is in force.
func On(b Bug) bool {
	if *current.Load() != b {
		return false
	}
	met.Add(1)
	return true
}

// Met is how often the place of the bug in force was come by since it was put there.
func Met() int64 { return met.Load() }
