// Package engine turns commands into commits: it loads what a command needs,
// lets a pure function decide, and writes the outcome of many commands in one
// durable transaction.
//
// The life of an Engine: Open reads positions and reference data into memory
// and the place in the log they belong to; Run starts one lane per log bucket,
// the timers and, where other processes write to the same store, the follower
// that keeps memory fresh from their log rows. Submit hands a command to its
// lane and waits. A lane takes everything that waits, decides it in order
// against memory, commits it, and only then answers. Close stops taking
// commands, finishes those taken and stops.
//
// It promises: an answer to a write leaves only after its commit is durable;
// a command that fails changes nothing; memory never runs ahead of a commit
// that failed; two nodes on one store never both win a guard. When the outcome
// of a commit is unknown it reloads memory from the store before it decides
// anything else.
//
// It does not know HTTP, call partners, or decide anything itself.
package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/orderly-oms/orderly/internal/catalog"
	"github.com/orderly-oms/orderly/internal/flow"
	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/network"
	"github.com/orderly-oms/orderly/internal/policy"
	"github.com/orderly-oms/orderly/internal/promise"
	"github.com/orderly-oms/orderly/internal/store"
)

// Limits of one engine.
const (
	maxBatchCommands = 512  // commands decided and committed together
	maxQueueCommands = 8192 // waiting per lane; beyond it commands are refused
	maxCached        = 100_000
	maxAttempts      = 50 // of one batch against conflicts with other nodes
	answerRetention  = 72 * time.Hour
	followInterval   = 20 * time.Millisecond
	timerInterval    = 100 * time.Millisecond
	sweepInterval    = time.Minute
)

// Errors of Submit beside those of the decision itself.
var (
	// ErrBusy: the lane's queue is full; nothing was done. Worth trying again.
	ErrBusy = errors.New("too many commands are waiting")
	// ErrClosed: the engine is stopping; nothing was done.
	ErrClosed = errors.New("the node is shutting down")
	// ErrInFlight: a command with the same idempotency key is being decided.
	ErrInFlight = errors.New("a request with this idempotency key is in progress")
	// ErrKeyReused: the idempotency key belongs to a different request.
	ErrKeyReused = errors.New("the idempotency key was used for a different request")
	// ErrContention: other nodes kept winning the same guards; nothing was done.
	ErrContention = errors.New("other nodes are changing the same stock; try again")
	// ErrNotFound: the record the command is about does not exist.
	ErrNotFound = errors.New("not found")
	// ErrVersion: the record is not at the version the caller saw.
	ErrVersion = errors.New("the document has changed since it was read")

	// errImpossible: a movement would leave a position that cannot be.
	errImpossible = errors.New("engine: impossible position")
)

// Missing is an ErrNotFound that says what there is not, where an id alone does not.
type Missing struct{ What string }

func (m *Missing) Error() string { return "there is no " + m.What }

// Is makes a Missing an ErrNotFound.
func (m *Missing) Is(target error) bool { return target == ErrNotFound }

// Options configure an engine. The zero value works.
type Options struct {
	Clock func() time.Time // default time.Now
	NewID func() string    // UUIDv7; default google/uuid
	Node  string           // id of this process; default a new id
	Log   *slog.Logger     // default slog.Default
	// LearnInterval is how often the log is looked at for something to learn, SnapshotInterval
	// how often at most it is persisted. Defaults: DefaultLearnInterval, DefaultSnapshotInterval.
	LearnInterval, SnapshotInterval time.Duration
	// Fatal is called when memory and store cannot be brought together again in
	// this process (a device that failed to sync). It must end the process. Default: panic.
	Fatal func(error)
	// Inline lets nothing run by itself: commands are decided and committed by the goroutine
	// that submits them, and the caller does the node's own tasks (see Tasks). One goroutine uses the engine.
	Inline bool
}

// Engine is one node's decision maker.
type Engine struct {
	store store.Store
	opt   Options
	log   *slog.Logger

	// trust is held for reading while a batch is decided and committed, and for
	// writing while memory is reloaded.
	trust sync.RWMutex
	// reloading counts reloads that are wanted and not finished.
	reloading atomic.Int64
	// decide serialises decisions, so that what one reads the next cannot take away.
	decide sync.Mutex

	book        atomic.Pointer[inventory.Book]
	directory   atomic.Pointer[network.Directory]
	catalog     atomic.Pointer[catalog.Catalog]
	places      atomic.Pointer[places]
	policies    atomic.Pointer[policy.Set]
	shelf       shelf
	experiments experiments
	flows       atomic.Pointer[map[flowRef]*flow.Compiled]
	ruleCache   atomic.Pointer[ruleCache]
	calendar    *promise.Calendar
	queues      atomic.Pointer[queues]
	keeping     atomic.Bool // queues are being written
	cache       *cache
	lanes       []*lane
	follower    follower
	promised    *openPromises
	waking      *waking
	shortfall   *shortfall
	risks       *risks
	boards      boards
	learning    *learning
	lorePtr     atomic.Pointer[lore]
	kpis        atomic.Pointer[KPIs]
	baseline    atomic.Pointer[pinned]
	ledger      atomic.Pointer[Ledger]
	flowCounts  atomic.Pointer[shownFlows]

	exceptions *openExceptions

	inflight sync.Map // idempotency keys being decided
	// relocating is held by the relocation that runs.
	relocating sync.Mutex
	// left is work that an inline engine has begun and not done.
	left []func()

	stop    chan struct{} // closed by Close
	accept  sync.RWMutex  // held for writing while closing is set
	closing bool
	submits sync.WaitGroup // commands between acceptance and answer
	workers sync.WaitGroup
	// changed is closed and replaced after every commit, to wake log readers.
	changed atomic.Pointer[chan struct{}]

	Stats Stats
}

// Stats counts since start.
type Stats struct {
	Commands, Batches, Conflicts, Refused, Reloads, Wakes atomic.Int64
}

// Open reads the store into memory. Nothing runs until Run.
func Open(ctx context.Context, s store.Store, opt Options) (*Engine, error) {
	if opt.Clock == nil {
		opt.Clock = time.Now
	}
	if opt.NewID == nil {
		opt.NewID = newUUIDv7
	}
	if opt.Node == "" {
		opt.Node = opt.NewID()
	}
	if opt.Log == nil {
		opt.Log = slog.Default()
	}
	if opt.Fatal == nil {
		opt.Fatal = func(err error) { panic(err) }
	}
	opt.LearnInterval = cmp.Or(opt.LearnInterval, DefaultLearnInterval)
	opt.SnapshotInterval = cmp.Or(opt.SnapshotInterval, DefaultSnapshotInterval)
	e := &Engine{store: s, opt: opt, log: opt.Log, cache: newCache(maxCached), calendar: promise.NewCalendar(), stop: make(chan struct{})}
	ch := make(chan struct{})
	e.changed.Store(&ch)
	for b := range s.Buckets() {
		e.lanes = append(e.lanes, &lane{e: e, bucket: b, queue: make(chan *request, maxQueueCommands)})
	}
	e.promised = newOpenPromises(e)
	e.waking = newWaking(e)
	e.shortfall = newShortfall(e)
	e.risks = &risks{e: e}
	e.exceptions = newOpenExceptions(e)
	e.learning = newLearning(e)
	if err := e.load(ctx); err != nil {
		return nil, err
	}
	e.learning.takeUp()
	return e, nil
}

// load fills memory from one consistent view of the store.
func (e *Engine) load(ctx context.Context) error {
	book, cat := inventory.NewBook(), catalog.New()
	directory := network.NewDirectory()
	ref := &reference{book: book, catalog: cat, directory: directory}
	snapshot, err := e.store.Scan(ctx, referenceKinds, func(p inventory.Position) error {
		book.Load(p)
		return nil
	}, ref.collect)
	if err != nil {
		return fmt.Errorf("reading the store into memory: %w", err)
	}
	ref.finish()
	e.book.Store(book)
	e.catalog.Store(cat)
	e.directory.Store(ref.directory)
	e.replacePolicies(ref.policies)
	for _, b := range ref.baselines {
		e.keepBaseline(b)
	}
	e.experiments.replace(e, ref.experiments)
	e.learning.hear(ref.learned)
	e.cache.clear()
	e.follower.reset(snapshot.Heads)
	e.follower.current.Store(e.Now().UnixNano())
	return nil
}

// reload throws memory away and reads it anew, for as long as it takes: until
// then nothing may be decided. The caller holds no lock.
func (e *Engine) reload(cause error) {
	e.trust.Lock()
	defer e.trust.Unlock()
	defer e.reloading.Add(-1)
	e.renew()
	e.log.Warn("reloading memory from the store", "cause", cause)
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		err := e.load(ctx)
		cancel()
		if err == nil {
			e.promised.begin()
			e.waking.begin()
			e.shortfall.begin()
			e.exceptions.begin()
			e.log.Info("memory is current again")
			return
		}
		e.log.Error("reload failed; trying again", "error", err, "in", wait)
		select {
		case <-time.After(wait):
		case <-e.stop:
			return
		}
	}
}

// renew gives the node another name before it reads its memory anew: the lost commit may
// still become visible later, and is then followed like any other node's instead of being skipped as our own.
func (e *Engine) renew() {
	e.Stats.Reloads.Add(1)
	e.opt.Node = e.opt.NewID()
}

// Run starts the lanes and the node's own tasks. Call it once, and not on an inline engine.
func (e *Engine) Run() {
	for _, l := range e.lanes {
		e.workers.Go(l.run)
	}
	for _, t := range e.Tasks() {
		e.workers.Go(func() { e.every(t.Every, t.Do) })
	}
}

func (e *Engine) every(interval time.Duration, f func(context.Context)) {
	t := time.NewTicker(interval)
	defer t.Stop()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for {
		select {
		case <-e.stop:
			return
		case <-t.C:
			f(ctx)
		}
	}
}

// Close refuses new commands, answers those accepted, and stops. The store
// stays open: it is the caller's.
func (e *Engine) Close() {
	e.accept.Lock()
	was := e.closing
	e.closing = true
	e.accept.Unlock()
	if was {
		return
	}
	e.submits.Wait()
	close(e.stop)
	e.workers.Wait()
}

// enter counts a command as accepted; false: the engine is closing. The caller ends it with submits.Done.
func (e *Engine) enter() bool {
	e.accept.RLock()
	defer e.accept.RUnlock()
	if e.closing {
		return false
	}
	e.submits.Add(1)
	return true
}

// Book returns the stock in memory.
func (e *Engine) Book() *inventory.Book { return e.book.Load() }

// Directory returns the reference data in memory.
func (e *Engine) Directory() *network.Directory { return e.directory.Load() }

// Catalog returns the catalog in memory.
func (e *Engine) Catalog() *catalog.Catalog { return e.catalog.Load() }

// Store returns the store, for reading.
func (e *Engine) Store() store.Store { return e.store }

// Now is the engine's clock, in UTC and to the microsecond, as it is stored.
func (e *Engine) Now() time.Time { return e.opt.Clock().UTC().Truncate(time.Microsecond) }

// NewID makes an id.
func (e *Engine) NewID() string { return e.opt.NewID() }

// Changed returns a channel that is closed at the next commit this node makes or sees.
func (e *Engine) Changed() <-chan struct{} { return *e.changed.Load() }

func (e *Engine) announce() {
	next := make(chan struct{})
	close(*e.changed.Swap(&next))
}

// Queued is the number of commands that wait.
func (e *Engine) Queued() int {
	n := 0
	for _, l := range e.lanes {
		n += len(l.queue)
	}
	return n
}
