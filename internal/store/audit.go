package store

import (
	"context"
	"iter"

	"github.com/orderly-oms/orderly/internal/inventory"
)

// Auditor is a store that can be read whole, for an audit.
type Auditor interface {
	// Audit calls read with one state of the store: later commits do not change
	// what it sees, and it does not hold them up. The view ends when read returns.
	// Returns read's error, or ErrUnavailable when there was no view to read.
	Audit(ctx context.Context, read func(*View) error) error
}

// View is one consistent state of a store. Each sequence may be read by one
// reader at a time; readers of different sequences may take turns, but not run
// at the same time. A sequence that fails ends with the error.
type View struct {
	// Heads is the last sequence of each bucket, as the store counts them itself.
	Heads []int64
	// Log is every row of the log with its movements, by bucket and Seq.
	Log iter.Seq2[Commit, error]
	// Streams is every row of the log without its movements, by bucket, kind, id and version; text in the order of its bytes.
	Streams iter.Seq2[Commit, error]
	// Records is every record without its terms, by bucket, kind and id.
	Records iter.Seq2[Record, error]
	// Journal is every line of the stock journal without its stream. Those of a position come by PositionSeq.
	Journal iter.Seq2[JournalLine, error]
	// Positions is every position.
	Positions iter.Seq2[PositionRow, error]
	// Answers is every remembered answer.
	Answers iter.Seq2[Answer, error]
	// Device looks at how the data lies on the device, under the rows. It may run
	// beside the readers of sequences, and may see later commits.
	Device func() (Inspection, error)
}

// PositionRow is a position as stored.
type PositionRow struct {
	inventory.Position
	Moves int64 // movements so far: the last PositionSeq
}

// Inspection is what a store found out about its own files and indexes.
type Inspection struct {
	Tests   []string // that were made
	Skipped []string // that were not, with the reason
	Faults  []string // at most MaxInspectionFaults
}

// MaxInspectionFaults bounds the faults that an inspection lists.
const MaxInspectionFaults = 100
