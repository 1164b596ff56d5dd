package sandbox

import (
	"hash/fnv"
	"io"
	"math/rand/v2"
	"strconv"
	"time"
)

// Faults are the shares, from 0 to 1, of calls that go wrong in some way. Together they are at most 1; what is left is
// answered as it should be. Reports are always true.
type Faults struct {
	Silent      float64 // it takes effect, and there is no answer until the caller gives up
	Cut         float64 // it takes effect, and the connection ends without an answer
	ErrorAfter  float64 // it takes effect, and the answer is 500
	ErrorBefore float64 // the answer is 500, and it does not take effect
	Late        float64 // no answer; the request arrives, and takes effect, after Clears
	Pending     float64 // it takes effect; the answer is 202, and the outcome is told after Clears
	Garbage     float64 // it takes effect, and the answer is no answer of the protocol, with status 200
	Twice       float64 // something on the way sends the request twice
	Delayed     float64 // it takes effect, and the answer takes the time Slow

	// Clears is after how long late requests arrive and pending outcomes are told. Default: 30 minutes.
	Clears time.Duration
	// Slow is how long delayed answers take. Default: 2 seconds.
	Slow time.Duration
	// Most bounds the faults of one operation, its inquiries included; 0: no bound.
	Most int
}

// All spreads a share evenly over all that can go wrong.
func All(share float64) Faults {
	x := share / 9
	return Faults{Silent: x, Cut: x, ErrorAfter: x, ErrorBefore: x, Late: x, Pending: x, Garbage: x, Twice: x, Delayed: x}
}

type fault string

const (
	none        fault = ""
	silent      fault = "silent"
	cut         fault = "cut"
	errorAfter  fault = "error_after"
	errorBefore fault = "error_before"
	lateRequest fault = "late"
	pending     fault = "pending"
	garbage     fault = "garbage"
	twice       fault = "twice"
	slow        fault = "delayed"
)

// HarmlessFault is the name, in Calls, of the fault that callers do not notice.
const HarmlessFault = string(twice)

// operations and inquiries are what can go wrong with each.
var (
	operations = []fault{silent, cut, errorAfter, errorBefore, lateRequest, pending, garbage, twice, slow}
	inquiries  = []fault{silent, cut, errorBefore, garbage, slow}
)

func (f *Faults) share(of fault) float64 {
	switch of {
	case silent:
		return f.Silent
	case cut:
		return f.Cut
	case errorAfter:
		return f.ErrorAfter
	case errorBefore:
		return f.ErrorBefore
	case lateRequest:
		return f.Late
	case pending:
		return f.Pending
	case garbage:
		return f.Garbage
	case twice:
		return f.Twice
	case slow:
		return f.Delayed
	}
	return 0
}

// faults draws what goes wrong.
type faults struct {
	Faults
	seed  uint64
	calls map[string]int // by operation
	had   map[string]int // faults, by operation; only when they are bounded
}

// draw is what goes wrong with the next call about an operation: by the seed, the operation and how often it was
// called about, so that other operations change nothing.
func (f *faults) draw(id string, kinds []fault) fault {
	f.calls[id]++
	if f.Most > 0 && f.had[id] >= f.Most {
		return none
	}
	h := fnv.New64a()
	io.WriteString(h, id+"\x00"+strconv.Itoa(f.calls[id]))
	x := rand.New(rand.NewPCG(f.seed, h.Sum64())).Float64()
	for _, kind := range kinds {
		if x -= f.share(kind); x < 0 {
			if f.Most > 0 {
				if f.had == nil {
					f.had = map[string]int{}
				}
				f.had[id]++
			}
			return kind
		}
	}
	return none
}
