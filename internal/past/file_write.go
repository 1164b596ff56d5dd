package past

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// file is what a history is written to.
type file interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	Sync() error
}

// writer is a Writer. What fails once fails from then on: the file is as at the last commit.
type writer struct {
	f      file
	c      coder
	count  uint64
	since  int64     // of the last entry in the block
	last   time.Time // of the last entry
	place  place
	at     int64 // where the next frame goes
	out    []byte
	failed error
}

// trailer is what a header frame holds.
type trailer struct {
	Header *Header   `json:"header"`
	Last   time.Time `json:"last,omitzero"` // of the last entry
}

func newWriter(f file) *writer {
	w := &writer{f: f}
	w.c.index = map[string]uint64{}
	w.c.reset(nil)
	return w
}

func begin(f file, h *Header) (*writer, error) {
	w := newWriter(f)
	if err := f.Truncate(0); err != nil {
		return nil, err
	}
	if _, err := f.WriteAt([]byte(magic), 0); err != nil {
		return nil, err
	}
	w.at = dataBegin
	return w, w.Commit(h)
}

func goOn(f file) (*writer, error) {
	w := newWriter(f)
	var err error
	if w.place, err = readPlace(f); err != nil {
		return nil, err
	}
	t, err := lastTrailer(f, w.place.end)
	if err != nil {
		return nil, err
	}
	w.last, w.at = t.Last, w.place.end
	return w, f.Truncate(w.at)
}

// Write implements Writer.
func (w *writer) Write(e *Entry) error {
	if w.failed != nil {
		return w.failed
	}
	if e.At.Before(w.last) {
		return fmt.Errorf("past: an entry of %s comes after one of %s", e.At.Format(time.RFC3339Nano), w.last.Format(time.RFC3339Nano))
	}
	size, strings := w.c.mark()
	if err := w.c.entry(e, w.since); err != nil {
		w.c.back(size, strings)
		return err
	}
	w.count++
	w.last = e.At
	if w.since = 0; !e.At.IsZero() {
		w.since = e.At.Unix()
	}
	if len(w.c.buf) >= blockSize {
		return w.flush()
	}
	return nil
}

// flush writes the block.
func (w *writer) flush() error {
	if w.count == 0 {
		return nil
	}
	body := binary.AppendUvarint(nil, w.count)
	body = append(body, w.c.buf...)
	if err := w.frame(frameEntries, body); err != nil {
		return err
	}
	w.c.reset(w.c.buf[:0])
	w.count, w.since = 0, 0
	return nil
}

func (w *writer) frame(kind byte, body []byte) error {
	if len(body) > maxFrame {
		return w.fail(fmt.Errorf("past: an entry of %d bytes is too large", len(body)))
	}
	w.out = appendFrame(w.out[:0], kind, body)
	if _, err := w.f.WriteAt(w.out, w.at); err != nil {
		return w.fail(fmt.Errorf("past: writing the history: %w", err))
	}
	w.at += int64(len(w.out))
	return nil
}

func (w *writer) fail(err error) error {
	w.failed = err
	return err
}

// Commit implements Writer.
func (w *writer) Commit(h *Header) error {
	if w.failed != nil {
		return w.failed
	}
	if err := w.flush(); err != nil {
		return err
	}
	body, err := json.Marshal(trailer{Header: h, Last: w.last})
	if err != nil {
		return err
	}
	// The header's frame is followed by its length, to find it from the end.
	if err := w.frame(frameHeader, binary.BigEndian.AppendUint32(body, uint32(len(body)))); err != nil {
		return err
	}
	if err := w.f.Sync(); err != nil {
		return w.fail(fmt.Errorf("past: making the history durable: %w", err))
	}
	next := place{commit: w.place.commit + 1, end: w.at}
	if _, err := w.f.WriteAt(next.encode(), next.at()); err != nil {
		return w.fail(fmt.Errorf("past: writing the history: %w", err))
	}
	if err := w.f.Sync(); err != nil {
		return w.fail(fmt.Errorf("past: making the history durable: %w", err))
	}
	w.place = next
	return nil
}

// Close implements Writer. What was not committed is gone.
func (w *writer) Close() error {
	if w.failed == nil {
		w.failed = fmt.Errorf("past: the history is closed")
	}
	return w.f.Close()
}

// lastTrailer reads the header that ends at an offset.
func lastTrailer(f io.ReaderAt, end int64) (*trailer, error) {
	var tail [4]byte
	if end < dataBegin+frameSize+4 {
		return nil, fmt.Errorf("%w at offset %d: it is cut off", ErrDamaged, end)
	}
	if n, err := f.ReadAt(tail[:], end-4); n < len(tail) {
		return nil, damagedRead(end-4, err)
	}
	at := end - 4 - int64(binary.BigEndian.Uint32(tail[:])) - frameSize
	if at < dataBegin {
		return nil, fmt.Errorf("%w at offset %d: there is no header", ErrDamaged, end-4)
	}
	kind, body, _, err := frame(f, at, end)
	if err != nil {
		return nil, err
	}
	return decodeTrailer(kind, body, at)
}

func decodeTrailer(kind byte, body []byte, at int64) (*trailer, error) {
	t := &trailer{}
	if kind != frameHeader || len(body) < 4 || json.Unmarshal(body[:len(body)-4], t) != nil || t.Header == nil {
		return nil, fmt.Errorf("%w at offset %d: there is no header", ErrDamaged, at)
	}
	return t, nil
}
