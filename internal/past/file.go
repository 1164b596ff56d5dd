package past

import "errors"

// ErrDamaged: a file ends in the middle of an entry or does not match its checksum.
var ErrDamaged = errors.New("past: the history file is damaged")

// Writer appends entries to a history file.
type Writer interface {
	// Write appends an entry. Entries must ascend by time.
	Write(e *Entry) error
	// Commit makes everything written so far durable, with what the header then says: after a crash the file
	// is as at the last Commit.
	Commit(h *Header) error
	Close() error
}

// Reader reads a history from its beginning.
type Reader interface {
	Header() *Header
	// Next reads the next entry into e; io.EOF at the end. What e points to belongs to the caller and is not
	// used again by the reader.
	Next(e *Entry) error
	Close() error
}
