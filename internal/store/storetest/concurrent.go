package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/orderly-oms/orderly/internal/inventory"
	"github.com/orderly-oms/orderly/internal/store"
)

// commitUntilDone commits again as long as the store is only unavailable.
func commitUntilDone(ctx context.Context, s store.Store, batch *store.Batch) error {
	for {
		err := s.Commit(ctx, batch)
		if !errors.Is(err, store.ErrUnavailable) || ctx.Err() != nil {
			return err
		}
	}
}

func testCancelledContext(b *bench) {
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	if err := b.s.Commit(ctx, creation(draft(0, order, "o1"))); err == nil {
		b.Fatal("Commit with an ended context returned nil")
	}
	if _, err := b.s.Find(ctx, store.Query{Kind: order, Limit: 1}); err == nil {
		b.Fatal("Find with an ended context returned nil")
	}
	same(b, "records", len(b.load(store.Key{Kind: order, ID: "o1"})), 0)
	same(b, "heads", b.heads(), make([]int64, b.s.Buckets()))
	b.commit(creation(draft(0, order, "o1")))
}

// testCancelAnyTime cancels commits while they run: each must be there as a whole or not at all.
func testCancelAnyTime(b *bench) {
	version := int64(0)
	for i := range 60 {
		ctx, cancel := context.WithCancel(b.ctx)
		r := draft(0, order, fmt.Sprintf("o%03d", i))
		batch := moving(0, "s", version+1, receipt("A", fmt.Sprint("L", i), 1))
		batch.Puts = []store.Put{{Record: r}}
		for range i { // batches of several sizes, so that the cancellation meets several stages
			batch.Commits = append(batch.Commits, row(store.Key{Kind: order, ID: fmt.Sprint("pad", i, "-", len(batch.Commits))}, 1))
		}
		started := make(chan struct{})
		go func() {
			<-started
			cancel()
		}()
		close(started)
		err := b.s.Commit(ctx, batch)
		cancel()
		there := len(b.load(r.Key)) == 1
		if err == nil && !there {
			b.Fatalf("commit %d returned nil and is not there", i)
		}
		if err != nil && there && !errors.Is(err, store.ErrUnknown) {
			b.Fatalf("commit %d returned %v and is there", i, err)
		}
		rows, err := b.s.Stream(b.ctx, store.Key{Kind: "stock", ID: "s"}, version, 10)
		b.must(err)
		if (len(rows) == 1) != there || (len(b.journal("A", fmt.Sprint("L", i), 0, 10)) == 1) != there {
			b.Fatalf("commit %d is there in part", i)
		}
		if there {
			version++
		}
	}
}

// testScanIsConsistent scans while every bucket's batches add a unit, a log row and
// a record version together: each scan must see equally many of all three.
func testScanIsConsistent(b *bench) {
	const rounds = 150
	var writers sync.WaitGroup
	errs := make(chan error, b.s.Buckets())
	for bucket := range b.s.Buckets() {
		writers.Go(func() {
			for v := int64(1); v <= rounds; v++ {
				r := draft(bucket, order, fmt.Sprint("count", bucket))
				r.Version = v
				batch := change(r, v-1)
				batch.Commits[0].Movements = []inventory.Movement{receipt("A", fmt.Sprint("L", bucket), 1), receipt("B", fmt.Sprint("L", bucket), 1)}
				batch.Positions = sums(batch.Commits[0].Movements)
				if err := commitUntilDone(b.ctx, b.s, batch); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { writers.Wait(); close(done) }()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		m := b.scan(order)
		for bucket, head := range m.heads {
			key := store.Key{Bucket: bucket, Kind: order, ID: fmt.Sprint("count", bucket)}
			seen := []int64{
				m.records[key].Version,
				m.positions[inventory.PositionKey{SKU: "A", Location: fmt.Sprint("L", bucket)}].OnHand,
				m.positions[inventory.PositionKey{SKU: "B", Location: fmt.Sprint("L", bucket)}].OnHand,
			}
			same(b, fmt.Sprint("view of bucket ", bucket), seen, []int64{head, head, head})
		}
	}
	select {
	case err := <-errs:
		b.Fatal(err)
	default:
	}
	for _, head := range b.heads() {
		same(b, "head", head, rounds)
	}
}

// testTailNeverSkips reads every bucket's log to its end, over and over, while
// large and small batches are committed to it from several handles at once. A
// batch that takes long must not become visible behind one that was quicker.
func testTailNeverSkips(b *bench) {
	handles := []store.Store{b.s}
	if !b.s.Exclusive() && b.suite.again != nil {
		handles = append(handles, b.suite.again(b.T, b.s), b.suite.again(b.T, b.s))
	}
	const batches = 12
	sizes := []int{1, 300, 2, 40, 1, 1}
	var writers sync.WaitGroup
	errs := make(chan error, len(handles)*b.s.Buckets()*2)
	total := 0
	for h, handle := range handles {
		for w := range 2 * b.s.Buckets() {
			bucket := w % b.s.Buckets()
			for i := range batches {
				total += sizes[(i+h+w)%len(sizes)]
			}
			writers.Go(func() {
				for i := range batches {
					batch := &store.Batch{Bucket: bucket}
					for j := range sizes[(i+h+w)%len(sizes)] {
						batch.Commits = append(batch.Commits, row(store.Key{Bucket: bucket, Kind: order, ID: fmt.Sprint(h, ".", w, ".", i, ".", j)}, 1))
					}
					if err := commitUntilDone(b.ctx, handle, batch); err != nil {
						errs <- fmt.Errorf("handle %d, bucket %d: %w", h, bucket, err)
						return
					}
				}
			})
		}
	}
	done := make(chan struct{})
	go func() { writers.Wait(); close(done) }()
	tail(b, done, total)
	select {
	case err := <-errs:
		b.Fatal(err)
	default:
	}
}

// tail follows every bucket until done and then to the end, and checks that no
// row is missing, late or twice.
func tail(b *bench, done <-chan struct{}, total int) {
	b.Helper()
	after := make([]int64, b.s.Buckets())
	seen := map[store.Key]bool{}
	for last := false; ; {
		progress := false
		for bucket := range after {
			for _, c := range b.log(bucket, after[bucket], 64) {
				progress = true
				after[bucket]++
				if c.Seq != after[bucket] {
					b.Fatalf("bucket %d: row %d follows row %d", bucket, c.Seq, after[bucket]-1)
				}
				if seen[c.Stream] {
					b.Fatalf("bucket %d: row %d shows %v again", bucket, c.Seq, c.Stream)
				}
				seen[c.Stream] = true
			}
		}
		if last && !progress {
			break
		}
		select {
		case <-done:
			last = true
		default:
		}
	}
	if len(seen) != total {
		b.Fatalf("the tail saw %d rows, %d were committed", len(seen), total)
	}
}

// testOversellRace lets several writers take guarded single units of one
// position: exactly as many may succeed as there are.
func testOversellRace(b *bench) {
	const units, takers, tries = 25, 4, 20
	b.commit(moving(0, "receipt", 1, receipt("hot", "L1", units)))
	var mutex sync.Mutex
	taken := 0
	var group sync.WaitGroup
	var failure error
	for w := range takers {
		group.Go(func() {
			bucket := w % b.s.Buckets()
			version := int64(0)
			for range tries {
				batch := moving(bucket, fmt.Sprint("taker", w), version+1, move("hot", "L1", inventory.Free, inventory.Reserved, 1))
				batch.Positions[0].Need = 1
				err := commitUntilDone(b.ctx, b.s, batch)
				mutex.Lock()
				switch {
				case err == nil:
					taken++
					version++
				case !errors.Is(err, store.ErrConflict):
					failure = err
				}
				mutex.Unlock()
			}
		})
	}
	group.Wait()
	b.must(failure)
	same(b, "units taken", taken, units)
	p := b.position("hot", "L1")
	same(b, "reserved", p.Reserved, units)
	lines := b.journal("hot", "L1", 0, 1000)
	same(b, "journal lines", len(lines), units+1)
	for i, l := range lines {
		if l.PositionSeq != int64(i+1) {
			b.Fatalf("line %d has place %d", i, l.PositionSeq)
		}
	}
}

// testTwoNodes writes through two handles. Their guards must see each other's commits.
func testTwoNodes(b *bench) {
	if b.s.Exclusive() {
		testExclusive(b)
		return
	}
	other := b.suite.again(b.T, b.s)
	r := draft(0, order, "o1")
	b.commit(creation(r))
	r.Version = 2
	b.must(other.Commit(b.ctx, change(r, 1)))
	b.refused(change(r, 1), "replace what the other node replaced")
	b.commit(moving(0, "s", 1, receipt("A", "L1", 1)))
	take := moving(0, "s", 2, move("A", "L1", inventory.Free, inventory.Reserved, 1))
	take.Positions[0].Need = 1
	b.must(other.Commit(b.ctx, take))
	take = moving(0, "s", 3, move("A", "L1", inventory.Free, inventory.Reserved, 1))
	take.Positions[0].Need = 1
	b.refused(take, "take what the other node took")
	heads, err := other.Heads(b.ctx)
	b.must(err)
	same(b, "heads", heads, b.heads())
}

// testExclusive checks that an exclusive store serves again after a hand-over.
func testExclusive(b *bench) {
	b.commit(creation(draft(0, order, "o1")))
	b.s = b.suite.again(b.T, b.s)
	b.commit(creation(draft(0, order, "o2")))
	same(b, "records", len(b.scan(order).records), 2)
}
