package memory

import (
	"fmt"

	"github.com/orderly-oms/orderly/internal/store"
)

// Call is what is about to be done.
type Call int

// The calls that can fail.
const (
	CallRead   Call = iota // any method of Reader and LogReader
	CallCommit             // Commit
	CallKeep               // SaveCursor, Purge
)

func (c Call) String() string { return [...]string{"read", "commit", "keep"}[c] }

// Fault is how a call fails.
type Fault int

// The faults. Those from Conflict on are met by writes only; a read that is to have one has none.
const (
	None        Fault = iota
	Unavailable       // ErrUnavailable, nothing was done
	CrashBefore       // the process dies before anything was done
	Conflict          // ErrConflict although every guard holds, as when another node was faster
	Full              // ErrFull, nothing was written
	UnknownLost       // ErrUnknown, nothing was written
	UnknownDone       // ErrUnknown, everything was written
	CrashAfter        // the process dies after everything was written, before it is told
)

var faultNames = [...]string{"none", "unavailable", "crash_before", "conflict", "full", "unknown_lost", "unknown_done", "crash_after"}

func (f Fault) String() string { return faultNames[f] }

// Faults are all faults but None.
func Faults() []Fault {
	return []Fault{Unavailable, CrashBefore, Conflict, Full, UnknownLost, UnknownDone, CrashAfter}
}

// Crash is what a handle panics with when the process that holds it dies.
type Crash struct {
	Call  Call
	Fault Fault
}

func (c Crash) Error() string { return fmt.Sprintf("memory: crash (%s of a %s)", c.Fault, c.Call) }

// meet has the fault, as far as it comes before the call.
func (s *Store) meet(f Fault, c Call) error {
	switch {
	case f == None || c == CallRead && f >= Conflict:
		return nil
	case f == CrashBefore:
		s.crash(f, c)
	case f == Unavailable:
		return fmt.Errorf("memory: %w: injected", store.ErrUnavailable)
	case f == Conflict:
		return fmt.Errorf("memory: %w: injected", store.ErrConflict)
	case f == Full:
		return fmt.Errorf("memory: %w: injected", store.ErrFull)
	case f == UnknownLost:
		return fmt.Errorf("memory: %w: injected, nothing was written", store.ErrUnknown)
	}
	return nil // comes after the call: see after
}

// after has the fault that comes once the call was made.
func (s *Store) after(f Fault, c Call) error {
	switch {
	case f == CrashAfter && c != CallRead:
		s.crash(f, c)
	case f == UnknownDone && c != CallRead:
		return fmt.Errorf("memory: %w: injected, everything was written", store.ErrUnknown)
	}
	return nil
}

// crash is the death of the process that holds the handle.
func (s *Store) crash(f Fault, c Call) {
	s.Close()
	panic(Crash{Call: c, Fault: f})
}
