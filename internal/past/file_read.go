package past

import (
	"errors"
	"fmt"
	"io"
	"sync"
)

// ahead is how many blocks are decoded before they are asked for.
const ahead = 2

// reader is a Reader. A goroutine decodes blocks ahead, until the end or Close.
type reader struct {
	f      io.ReaderAt
	close  func() error
	header *Header

	blocks chan decoded
	stop   chan struct{}
	once   sync.Once
	done   sync.WaitGroup

	now  []Entry
	next int
	err  error
}

// decoded are the entries of a block, or why there are no more.
type decoded struct {
	entries []Entry
	err     error
}

// sized is a file to read.
type sized interface {
	io.ReaderAt
	io.Closer
}

func newReader(f sized) (*reader, error) {
	p, err := readPlace(f)
	if err != nil {
		return nil, err
	}
	r := &reader{f: f, close: f.Close, blocks: make(chan decoded, ahead), stop: make(chan struct{})}
	t, err := lastTrailer(f, p.end)
	if errors.Is(err, ErrDamaged) {
		t, err = earlierTrailer(f, p.end) // reading comes to the damage; until then the file is of use
	}
	if err != nil {
		return nil, err
	}
	r.header = t.Header
	r.done.Add(1)
	go r.decodeAll(p.end)
	return r, nil
}

// earlierTrailer is the last header before what is damaged; an empty one when there is none.
func earlierTrailer(f io.ReaderAt, end int64) (*trailer, error) {
	last := &trailer{Header: &Header{}}
	for at := dataBegin; at < end; {
		kind, body, next, err := frame(f, at, end)
		if errors.Is(err, ErrDamaged) {
			break
		}
		if err != nil {
			return nil, err
		}
		if kind == frameHeader {
			t, err := decodeTrailer(kind, body, at)
			if err != nil {
				break
			}
			last = t
		}
		at = next
	}
	return last, nil
}

// decodeAll sends all blocks up to an offset, and io.EOF or the damage.
func (r *reader) decodeAll(end int64) {
	defer r.done.Done()
	c := coder{reading: true, shared: map[string]string{}}
	for at := dataBegin; at < end; {
		kind, body, next, err := frame(r.f, at, end)
		var entries []Entry
		if err == nil && kind == frameEntries {
			entries, err = c.block(body, at)
		}
		if (err != nil || len(entries) > 0) && !r.send(decoded{entries, err}) || err != nil {
			return
		}
		at = next
	}
	r.send(decoded{err: io.EOF})
}

// block decodes the entries of a frame. Of a damaged one, those before the damage.
func (c *coder) block(body []byte, at int64) ([]Entry, error) {
	c.reset(body)
	n := c.count(0)
	entries := make([]Entry, 0, n)
	since := int64(0)
	for range n {
		var e Entry
		if err := c.entry(&e, since); err != nil {
			return entries, err
		}
		if c.bad {
			return entries, fmt.Errorf("%w at offset %d: an entry in it cannot be read", ErrDamaged, at)
		}
		if since = 0; !e.At.IsZero() {
			since = e.At.Unix()
		}
		entries = append(entries, e)
	}
	return entries, nil
}

func (r *reader) send(d decoded) bool {
	select {
	case r.blocks <- d:
		return true
	case <-r.stop:
		return false
	}
}

// Header implements Reader.
func (r *reader) Header() *Header { return r.header }

// Next implements Reader.
func (r *reader) Next(e *Entry) error {
	for r.next == len(r.now) {
		if r.err != nil {
			return r.err
		}
		select {
		case <-r.stop:
			return errors.New("past: the history is closed")
		default:
		}
		d := <-r.blocks
		r.now, r.next, r.err = d.entries, 0, d.err
	}
	*e = r.now[r.next]
	r.now[r.next] = Entry{} // the rest of the block must not hold on to it
	r.next++
	return nil
}

// Close implements Reader.
func (r *reader) Close() error {
	err := error(nil)
	r.once.Do(func() {
		close(r.stop)
		r.done.Wait()
		r.now, r.next = nil, 0
		err = r.close()
	})
	return err
}
