// Package memory is the store port in memory: for the simulator and for tests that
// look at the engine and not at a disk.
//
// A Disk keeps what was committed; a Store is one node's handle on it. Several may be
// open at once unless the disk is exclusive, as several processes are on one database.
// Opening a disk anew is what a restart is: everything that was committed is there, and
// nothing else. Everything is guarded as the other adapters guard it; the
// conformance suite of package storetest proves it.
//
// A store can be made to fail: Options.Inject is asked before every call and answers
// with the fault to have. A crash is a panic with a Crash, at the point where the
// process would have died; the handle is dead from then on.
//
// It promises that the same calls give the same answers, in the same order: nothing
// depends on the iteration of a map. It does not copy bodies and events: who
// hands them over does not change them afterwards. It keeps nothing on a device, and
// has no limit but the machine's memory.
package memory

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/store"
)

var (
	_ store.Store   = (*Store)(nil)
	_ store.Auditor = (*Store)(nil)
)

// MaxBuckets bounds the log buckets of a disk.
const MaxBuckets = 256

// Disk is what the handles on it share. The zero value is not usable; see New.
type Disk struct {
	exclusive bool

	mu        sync.RWMutex
	open      int // handles
	logs      [][]store.Commit
	written   []int32 // bucket of each log row, in the order of their commits
	streams   map[store.Key][]rowRef
	records   map[store.Kind]map[store.Key]*row
	external  map[externalKey]string // id of the record
	positions map[inventory.PositionKey]*position
	answers   map[answerKey]*store.Answer
	cursors   map[string][]int64
	wakes     []queue // by bucket
	expiries  queue   // of answers
}

// row is a record with its terms. Rows are replaced, never changed.
type row struct {
	store.Record
	terms map[string]bool
}

// rowRef is a log row of a stream.
type rowRef struct{ version, seq int64 }

// position is a balance and the lines that explain it.
type position struct {
	inventory.Position
	journal []lineRef
}

// lineRef is where a line of the journal is in the log.
type lineRef struct {
	bucket, index int32
	seq           int64
	latest        int64 // greatest time of this and all earlier lines, in µs
}

type externalKey struct {
	bucket              int
	kind                store.Kind
	channel, externalID string
}

type answerKey struct {
	bucket int
	key    string
}

// New returns an empty disk with so many log buckets, 1 to MaxBuckets. One that is exclusive
// has at most one handle open.
func New(buckets int, exclusive bool) *Disk {
	if buckets < 1 || buckets > MaxBuckets {
		panic(fmt.Sprintf("memory: %d buckets, must be between 1 and %d", buckets, MaxBuckets))
	}
	return &Disk{
		exclusive: exclusive, logs: make([][]store.Commit, buckets), wakes: make([]queue, buckets),
		streams: map[store.Key][]rowRef{}, records: map[store.Kind]map[store.Key]*row{}, external: map[externalKey]string{},
		positions: map[inventory.PositionKey]*position{}, answers: map[answerKey]*store.Answer{}, cursors: map[string][]int64{},
	}
}

// Options configure a handle. The zero value works.
type Options struct {
	// Inject chooses the fault of the next call; nil: none ever.
	Inject func(Call) Fault
}

// Store is one node's handle on a disk.
type Store struct {
	d      *Disk
	inject func(Call) Fault

	mu   sync.Mutex
	dead bool
}

// Open opens the disk. Returns ErrUnavailable when it is exclusive and open already.
func (d *Disk) Open(opt Options) (*Store, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.exclusive && d.open > 0 {
		return nil, fmt.Errorf("memory: %w: the disk is open already", store.ErrUnavailable)
	}
	d.open++
	return &Store{d: d, inject: opt.Inject}, nil
}

// Close ends the handle; what was committed stays on the disk.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.dead {
		s.dead = true
		s.d.mu.Lock()
		s.d.open--
		s.d.mu.Unlock()
	}
	return nil
}

var errClosed = errors.New("memory: the store is closed")

// begin is the start of every call: it refuses those of a dead handle or an ended
// context, and meets the fault that is due.
func (s *Store) begin(ctx context.Context, c Call) (Fault, error) {
	s.mu.Lock()
	dead := s.dead
	s.mu.Unlock()
	if dead {
		return None, errClosed
	}
	if err := ctx.Err(); err != nil {
		return None, fmt.Errorf("memory: %w: %w", store.ErrUnavailable, err)
	}
	if s.inject == nil {
		return None, nil
	}
	f := s.inject(c)
	return f, s.meet(f, c)
}

// Buckets is the number of log buckets.
func (s *Store) Buckets() int { return len(s.d.logs) }

// Exclusive reports whether no other handle can be open.
func (s *Store) Exclusive() bool { return s.d.exclusive }

// Check returns nil while the handle is open.
func (s *Store) Check(ctx context.Context) error {
	_, err := s.begin(ctx, CallRead)
	return err
}

// stored is a time as it is kept: UTC, to the microsecond.
func stored(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMicro(t.UnixMicro()).UTC()
}
