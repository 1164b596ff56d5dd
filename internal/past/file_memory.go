package past

import (
	"io"
	"slices"
	"sync"
)

// memoryFile is a file in memory.
type memoryFile struct {
	mu   sync.RWMutex
	data []byte
}

// NewMemory begins a history in memory. open reads it, as at its last commit, any number of times.
func NewMemory() (w Writer, open func() (Reader, error)) {
	f := &memoryFile{}
	w, err := begin(f, &Header{})
	if err != nil {
		panic(err) // memory does not fail
	}
	return w, func() (Reader, error) { return newReader(f) }
}

func (f *memoryFile) ReadAt(b []byte, at int64) (int, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if at >= int64(len(f.data)) {
		return 0, io.EOF
	}
	n := copy(b, f.data[at:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memoryFile) WriteAt(b []byte, at int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if end := int(at) + len(b); end > len(f.data) {
		f.data = append(f.data, make([]byte, end-len(f.data))...)
	}
	return copy(f.data[at:], b), nil
}

func (f *memoryFile) Truncate(size int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.data = slices.Clone(f.data[:min(int(size), len(f.data))])
	return nil
}

func (f *memoryFile) Sync() error  { return nil }
func (f *memoryFile) Close() error { return nil }
