package past

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
)

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

// The file begins with magic and two places that say how far it goes, written in turn, so that one is
// whole whenever a write of the other is cut off. Frames follow: a type, the length and the checksum of what
// is in it. A frame of entries can be read without those before it. Each commit ends with a frame
// that has the header; what is behind the last one does not count.
const (
	magic     = "orderly history\x01"
	placeSize = 24 // number of the commit, end of the file, checksum, four bytes unused
	dataBegin = int64(len(magic) + 2*placeSize)

	frameSize    = 9 // type, length, checksum
	frameEntries = 'E'
	frameHeader  = 'H'
	// blockSize is about how large frames of entries are, maxFrame what a frame may be at most.
	blockSize = 256 << 10
	maxFrame  = 1 << 30
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// place says how far the file goes after a commit.
type place struct {
	commit, end int64
}

func (p place) encode() []byte {
	b := make([]byte, placeSize)
	binary.BigEndian.PutUint64(b, uint64(p.commit))
	binary.BigEndian.PutUint64(b[8:], uint64(p.end))
	binary.BigEndian.PutUint32(b[16:], crc32.Checksum(b[:16], castagnoli))
	return b
}

// at is where the place of a commit is written.
func (p place) at() int64 { return int64(len(magic)) + p.commit%2*placeSize }

// readPlace returns the newest place of a file.
func readPlace(f io.ReaderAt) (place, error) {
	head := make([]byte, dataBegin)
	if n, err := f.ReadAt(head, 0); n < len(head) {
		if !errors.Is(err, io.EOF) {
			return place{}, err
		}
		if n == 0 {
			return place{}, fmt.Errorf("%w: it is empty", ErrDamaged)
		}
	}
	if string(head[:len(magic)]) != magic {
		return place{}, fmt.Errorf("%w at offset 0: it does not begin like a history of this version; make it anew", ErrDamaged)
	}
	newest, doubt := place{commit: -1}, false
	for i := range int64(2) {
		b := head[int64(len(magic))+i*placeSize:][:placeSize]
		p := place{int64(binary.BigEndian.Uint64(b)), int64(binary.BigEndian.Uint64(b[8:]))}
		switch ok := binary.BigEndian.Uint32(b[16:]) == crc32.Checksum(b[:16], castagnoli) && p.end >= dataBegin; {
		case !ok:
			doubt = true
		case p.commit > newest.commit:
			newest = p
		}
	}
	if newest.commit < 0 {
		return place{}, fmt.Errorf("%w at offset %d: it does not say how far it goes; make it anew", ErrDamaged, len(magic))
	}
	if doubt {
		newest.end = lastCommit(f, newest.end)
	}
	return newest, nil
}

// lastCommit is the end of the last commit that is whole, from the end of one on: the place of a later one may be
// what is damaged.
func lastCommit(f io.ReaderAt, end int64) int64 {
	for at := end; ; {
		kind, _, next, err := frame(f, at, math.MaxInt64)
		if err != nil {
			return end
		}
		if at = next; kind == frameHeader {
			end = next
		}
	}
}

// frame reads the frame at an offset, and says where the next one is.
func frame(f io.ReaderAt, at, end int64) (kind byte, body []byte, next int64, err error) {
	var head [frameSize]byte
	if at+frameSize > end {
		return 0, nil, 0, fmt.Errorf("%w at offset %d: it is cut off", ErrDamaged, at)
	}
	if n, err := f.ReadAt(head[:], at); n < frameSize {
		return 0, nil, 0, damagedRead(at, err)
	}
	size := int64(binary.BigEndian.Uint32(head[1:]))
	if size > maxFrame || at+frameSize+size > end {
		return 0, nil, 0, fmt.Errorf("%w at offset %d: a part of it would be %d bytes long", ErrDamaged, at, size)
	}
	body = make([]byte, size)
	if n, err := f.ReadAt(body, at+frameSize); int64(n) < size {
		return 0, nil, 0, damagedRead(at, err)
	}
	sum := crc32.Update(crc32.Checksum(head[:5], castagnoli), castagnoli, body)
	if sum != binary.BigEndian.Uint32(head[5:]) {
		return 0, nil, 0, fmt.Errorf("%w at offset %d: it does not match its checksum", ErrDamaged, at)
	}
	return head[0], body, at + frameSize + size, nil
}

func damagedRead(at int64, err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%w at offset %d: it is cut off", ErrDamaged, at)
	}
	return fmt.Errorf("past: reading the history at offset %d: %w", at, err)
}

func appendFrame(b []byte, kind byte, body []byte) []byte {
	at := len(b)
	b = append(b, kind)
	b = binary.BigEndian.AppendUint32(b, uint32(len(body)))
	sum := crc32.Update(crc32.Checksum(b[at:], castagnoli), castagnoli, body)
	b = binary.BigEndian.AppendUint32(b, sum)
	return append(b, body...)
}

// Create begins a history file. One that is there is replaced; another file is refused.
func Create(path string, h Header) (Writer, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	was := make([]byte, len(magic)-1)
	if n, _ := f.ReadAt(was, 0); n > 0 && string(was[:n]) != magic[:n] {
		_ = f.Close()
		return nil, fmt.Errorf("past: %s is there and is not a history; name another file", path)
	}
	w, err := begin(f, &h)
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return w, nil
}

// Append goes on at the end of a history file, behind its last commit.
func Append(path string) (Writer, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	w, err := goOn(f)
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return w, nil
}

// Open reads a history file, as at the last commit before it was opened.
func Open(path string) (Reader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	r, err := newReader(f)
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return r, nil
}
