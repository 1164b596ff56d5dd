package sandbox_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/orderly-oms/orderly/internal/partner/pay"
	"github.com/orderly-oms/orderly/internal/partner/sandbox"
	"github.com/orderly-oms/orderly/internal/payment"
)

// mostTries bounds how often a shop asks; with half of all calls going wrong, it is never met.
const mostTries = 60

// shop asks a provider through its client and resolves what is not clear by asking with the same id.
type shop struct {
	*testing.T
	client *pay.Client
	r      *rand.Rand
	name   string
	count  int
	known  []booked
	redone int // operations that had to be sent again
	asked  int
}

// booked is an operation with its outcome.
type booked struct {
	op    payment.Operation
	out   payment.Outcome
	taken int64 // by operations with this parent that succeeded
}

// step sends one operation: a valid one mostly, sometimes one that takes too much.
func (s *shop) step() {
	s.count++
	op := payment.Operation{ID: fmt.Sprintf("%s-p%d", s.name, s.count), Currency: "EUR", Amount: 1 + s.r.Int64N(1000)}
	switch kind := payment.Kinds[s.r.IntN(len(payment.Kinds))]; kind {
	case payment.KindAuthorize:
		op.Kind, op.Token = kind, []string{"tok", "decline_x", "decline_once_" + op.ID, "decline_once_" + s.name}[s.r.IntN(4)]
	case payment.KindRefund:
		s.from(&op, kind, payment.KindCapture)
	default:
		s.from(&op, kind, payment.KindAuthorize)
	}
	if op.Kind != "" {
		s.known = append(s.known, booked{op: op, out: s.resolve(&op)})
	}
	s.take()
}

// from takes a parent of the kind at random, that succeeded or not.
func (s *shop) from(op *payment.Operation, kind, parent string) {
	for _, i := range s.r.Perm(len(s.known)) {
		if p := &s.known[i]; p.op.Kind == parent && (p.out.Status == payment.Succeeded || s.r.IntN(8) == 0) {
			op.Kind, op.Parent, op.ParentRef = kind, p.op.ID, p.out.Reference
			if left := p.op.Amount - p.taken; left > 0 && s.r.IntN(4) > 0 {
				op.Amount = 1 + s.r.Int64N(left)
			}
			return
		}
	}
}

// take books the last operation with its parent.
func (s *shop) take() {
	if len(s.known) == 0 {
		return
	}
	last := &s.known[len(s.known)-1]
	if last.out.Status != payment.Succeeded || last.op.Parent == "" || last.op.ID != fmt.Sprintf("%s-p%d", s.name, s.count) {
		return
	}
	i := slices.IndexFunc(s.known, func(b booked) bool { return b.op.ID == last.op.Parent })
	p := &s.known[i]
	if p.taken += last.op.Amount; p.taken > p.op.Amount {
		s.Errorf("%s of %d: the provider let %d be taken", p.op.ID, p.op.Amount, p.taken)
	}
}

func (s *shop) resolve(op *payment.Operation) payment.Outcome {
	out := s.client.Do(context.Background(), op)
	for try := 0; try < mostTries; try++ {
		switch out.Status {
		case payment.Succeeded, payment.Declined:
			return out
		case payment.NotFound:
			s.redone++
			out = s.client.Do(context.Background(), op)
			continue
		}
		time.Sleep(time.Duration(1+s.r.IntN(20)) * time.Minute) // of the bubble's clock
		s.asked++
		out = s.client.Ask(context.Background(), op.ID)
	}
	s.Fatalf("%s was never resolved: %+v", op.ID, out)
	return out
}

// Whatever goes wrong on the way, what a shop learns by asking with the same id is what the provider's ledger says, and
// nothing takes effect twice or beyond its bounds.
func TestAskingResolvesEverything(t *testing.T) {
	const shops, steps = 8, 60
	faults, operations := map[string]int64{}, 0
	for seed := range uint64(12) {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			sb := sandbox.New(sandbox.Options{
				Seed: seed, Faults: sandbox.All(.5), Lifetime: 3 * time.Hour,
				Outages: []sandbox.Window{{From: start.Add(time.Hour), To: start.Add(2 * time.Hour)}},
			})
			client := pay.NewClient(&pay.Provider{Settings: pay.Settings{URL: "http://sandbox"}}, near{sb}, 0)
			all := make([]*shop, shops)
			var wait sync.WaitGroup
			for i := range all {
				all[i] = &shop{T: t, client: client, r: rand.New(rand.NewPCG(seed, uint64(i))), name: fmt.Sprintf("o%d", i)}
				wait.Go(func() {
					for range steps {
						all[i].step()
					}
				})
			}
			wait.Wait()
			sb.Arrive() // what is still on its way is a repeat by now
			operations += compare(t, sb, all)
			for name, n := range sb.Calls().Faults {
				faults[name] += n
			}
			books(t, sb, client, start)
		})
	}
	if len(faults) != 9 || operations < 3000 {
		t.Errorf("%d operations, faults %v: too little went wrong", operations, faults)
	}
}

// compare checks what shops know against the ledger.
func compare(t *testing.T, sb *sandbox.Sandbox, all []*shop) (operations int) {
	t.Helper()
	redone, asked := 0, 0
	for _, s := range all {
		redone, asked = redone+s.redone, asked+s.asked
		for _, b := range s.known {
			operations++
			op, ok := sb.Find(b.op.ID)
			if !ok || op.Status != b.out.Status || op.Reference != b.out.Reference || op.Code != b.out.Code || !op.At.Equal(b.out.At) || !op.ExpiresAt.Equal(b.out.ExpiresAt) {
				t.Errorf("the shop has %+v, the ledger %+v", b.out, op)
			}
			if ok && op.Status == payment.Succeeded && (op.Amount != b.op.Amount || b.out.Amount != b.op.Amount) {
				t.Errorf("%s: %d asked for, %d done, %d told", b.op.ID, b.op.Amount, op.Amount, b.out.Amount)
			}
		}
	}
	if n := sb.Sums(nil).Operations; n != int64(operations) {
		t.Errorf("the ledger has %d operations, the shops %d", n, operations)
	}
	if redone == 0 || asked == 0 {
		t.Errorf("%d sent again, %d asked for: too little went wrong", redone, asked)
	}
	if wrong := sb.Check(); wrong != nil {
		t.Error(wrong)
	}
	return operations
}

// books checks that the daily reports are all entries, each once.
func books(t *testing.T, sb *sandbox.Sandbox, client *pay.Client, start time.Time) {
	t.Helper()
	var reported []pay.Entry
	for day := start; day.Before(time.Now().AddDate(0, 0, 1)); day = day.AddDate(0, 0, 1) {
		r, err := client.Report(t.Context(), day.UTC().Format(time.DateOnly), "")
		if err != nil {
			t.Fatal(err)
		}
		if r.Next != "" {
			t.Fatal("more than a page a day: the test compares too little")
		}
		reported = append(reported, r.Entries...)
	}
	if !slices.EqualFunc(reported, sb.Entries(), func(a, b pay.Entry) bool { return a.ID == b.ID && a.Amount == b.Amount && a.At.Equal(b.At) }) {
		t.Errorf("reports have %d entries, the ledger %d", len(reported), len(sb.Entries()))
	}
}
