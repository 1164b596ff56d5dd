package webhook_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/store"
	"github.com/orderly-oms/orderly/internal/webhook"
)

// pass lets the bubble's time pass.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestFailedDeliveryIsTriedAgainOnSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{answer: func(_ *message, attempt int) (int, http.Header) {
			switch attempt {
			case 1:
				return 500, nil
			case 2:
				return 0, nil
			case 3:
				return 503, http.Header{"Retry-After": {"20"}}
			}
			return 204, nil
		}}
		n := start(t, openSQLite(t, t.TempDir()), r, webhook.Options{})
		defer n.close()
		sub := n.subscribe(webhook.Settings{})
		pass(time.Second)
		n.emit("a", "order.captured")
		pass(time.Minute)
		got := r.got()
		if len(got) != 4 {
			t.Fatalf("%d attempts, want 4", len(got))
		}
		for i, want := range []time.Duration{time.Second, 2 * time.Second, 20 * time.Second} {
			gap := got[i+1].at.Sub(got[i].at)
			if gap < want || gap > want+time.Second {
				t.Errorf("attempt %d came %v after the one before, want %v", i+2, gap, want)
			}
			if got[i+1].id != got[0].id || string(got[i+1].body) != string(got[0].body) {
				t.Errorf("attempt %d differs in id or body", i+2)
			}
		}
		if d := n.deliveries(sub.ID, webhook.Pending); len(d) != 0 {
			t.Errorf("still pending: %+v", d)
		}
	})
}

func TestHangingReceiverIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := true
		r := &receiver{hold: func(ctx context.Context, _ *message) error {
			if hang {
				hang = false
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}}
		n := start(t, openSQLite(t, t.TempDir()), r, webhook.Options{})
		defer n.close()
		sub := n.subscribe(webhook.Settings{})
		n.emit("a", "order.captured")
		pass(10500 * time.Millisecond)
		d := n.deliveries(sub.ID, webhook.Pending)
		if len(d) != 1 || d[0].Attempts != 1 || d[0].LastError != "no answer within 10s" {
			t.Fatalf("pending after a hang: %+v", d)
		}
		pass(10 * time.Second)
		if got := r.got(); len(got) != 1 || got[0].status != 200 {
			t.Fatalf("got %+v", got)
		}
	})
}

// checkOrder reports where the first acceptance of an event of a stream came
// before that of an earlier one.
func checkOrder(t *testing.T, got []message) {
	t.Helper()
	last, seen := map[string]int64{}, map[string]bool{}
	for _, m := range got {
		if m.status/100 != 2 || seen[m.id] {
			continue
		}
		seen[m.id] = true
		if v := m.event.Version; v < last[m.event.Stream.ID] {
			t.Errorf("stream %s: version %d was first accepted after %d", m.event.Stream.ID, v, last[m.event.Stream.ID])
		} else {
			last[m.event.Stream.ID] = v
		}
	}
}

// Whatever fails, and however often the node crashes, every event is accepted
// once or more, and first acceptances keep the order of each stream.
func TestNothingIsLostAndStreamsKeepOrder(t *testing.T) {
	for seed := range uint64(8) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 7))
			chance := rand.New(rand.NewPCG(seed, 8)) // used one call at a time
			r := &receiver{answer: func(*message, int) (int, http.Header) {
				switch p := chance.IntN(10); {
				case p < 3:
					return 500, nil
				case p < 4:
					return 0, nil
				}
				return 200, nil
			}}
			dir := t.TempDir()
			opt := webhook.Options{Attempts: webhook.MaxAttempts, Waits: []time.Duration{200 * time.Millisecond, 500 * time.Millisecond}}
			n := start(t, openSQLite(t, dir), r, opt)
			sub := n.subscribe(webhook.Settings{})
			for i := range 120 {
				n.emit(name(random.IntN(6)), "order.captured", "order.cancelled")
				switch {
				case i%40 == 39:
					n.crash()
					n = start(t, openSQLite(t, dir), r, opt)
				case random.IntN(4) == 0:
					pass(time.Duration(random.IntN(700)) * time.Millisecond)
				}
			}
			pass(time.Minute)
			defer n.close()
			accepted := r.accepted()
			for _, id := range n.events() {
				if accepted[id] == 0 {
					t.Errorf("seed %d: %s was never accepted", seed, id)
				}
			}
			checkOrder(t, r.got())
			if p, d := n.deliveries(sub.ID, webhook.Pending), n.deliveries(sub.ID, webhook.Dead); len(p)+len(d) > 0 {
				t.Errorf("seed %d: %d pending, %d dead are left", seed, len(p), len(d))
			}
		})
	}
}

func TestCrashBeforeTheCursorIsSavedRepeatsTheSameID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, dir := &receiver{}, t.TempDir()
		n := start(t, openSQLite(t, dir), r, webhook.Options{})
		n.subscribe(webhook.Settings{})
		pass(time.Second)
		n.emit("a", "order.captured")
		pass(100 * time.Millisecond) // delivered; the cursor is saved after a second
		if len(r.got()) != 1 {
			t.Fatalf("%d messages before the crash, want 1", len(r.got()))
		}
		n.crash()
		n = start(t, openSQLite(t, dir), r, webhook.Options{})
		pass(100 * time.Millisecond)
		got := r.got()
		if len(got) != 2 || got[0].id != got[1].id || string(got[0].body) != string(got[1].body) {
			t.Fatalf("got %d messages: %+v", len(got), got)
		}
		n.close() // saves what was not yet
		n = start(t, openSQLite(t, dir), r, webhook.Options{})
		defer n.close()
		pass(time.Minute)
		if len(r.got()) != 2 {
			t.Errorf("%d messages after a clean restart, want no more", len(r.got()))
		}
	})
}

func TestDeadDeliveryIsKeptAndTheStreamGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		poison := true
		r := &receiver{answer: func(m *message, _ int) (int, http.Header) {
			if poison && m.event.Version == 1 {
				return 500, nil
			}
			return 200, nil
		}}
		n := start(t, openSQLite(t, t.TempDir()), r, webhook.Options{Attempts: 3})
		defer n.close()
		sub := n.subscribe(webhook.Settings{})
		pass(time.Second)
		n.emit("a", "order.captured")
		pass(500 * time.Millisecond)
		n.emit("a", "order.cancelled")
		pass(500 * time.Millisecond)
		if len(r.accepted()) != 0 || len(n.deliveries(sub.ID, webhook.Pending)) != 2 {
			t.Fatalf("the second event must wait behind the first: %+v", r.got())
		}
		pass(time.Minute)
		dead := n.deliveries(sub.ID, webhook.Dead)
		if len(dead) != 1 || dead[0].Attempts != 3 || dead[0].LastStatus != 500 || len(r.accepted()) != 1 {
			t.Fatalf("dead %+v, accepted %v", dead, r.accepted())
		}
		pass(time.Minute)
		if len(r.got()) != 4 {
			t.Errorf("a dead delivery was tried again by itself: %d attempts", len(r.got()))
		}
		poison = false
		if _, err := n.hooks.Retry(t.Context(), sub.ID, dead[0].ID, engine.Meta{}); err != nil {
			t.Fatal(err)
		}
		pass(10 * time.Second)
		v, _, err := n.hooks.Get(t.Context(), sub.ID)
		if err != nil {
			t.Fatal(err)
		}
		if r.accepted()[dead[0].Event] != 1 || v.Progress.Dead != 0 || v.Progress.Pending != 0 || v.Progress.Delivered != 2 {
			t.Errorf("after the retry: accepted %v, progress %+v", r.accepted(), v.Progress)
		}
	})
}

func TestPoisonDoesNotHoldUpOtherStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{hold: func(ctx context.Context, m *message) error {
			if m.event.Stream.ID == "poison" {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}}
		n := start(t, openSQLite(t, t.TempDir()), r, webhook.Options{})
		defer n.close()
		sub := n.subscribe(webhook.Settings{})
		pass(time.Second)
		for range 20 {
			n.emit("poison", "order.captured")
		}
		for i := range 500 {
			n.emit(name(i), "order.captured")
			pass(10 * time.Millisecond)
		}
		pass(30 * time.Second)
		worst := time.Duration(0)
		for _, m := range r.got() {
			worst = max(worst, m.at.Sub(m.event.Time))
		}
		if len(r.got()) != 500 || worst > 100*time.Millisecond {
			t.Errorf("%d of 500 events of other streams arrived, the slowest after %v", len(r.got()), worst)
		}
		if d := n.deliveries(sub.ID, webhook.Pending); len(d) != 20 {
			t.Errorf("%d events of the poisoned stream are pending, want 20", len(d))
		}
	})
}

// Many hanging streams take the places for retries only: new events have the others.
func TestRetriesLeaveRoomForNewEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{hold: func(ctx context.Context, m *message) error {
			if strings.HasPrefix(m.event.Stream.ID, "poison") {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}}
		n := start(t, openSQLite(t, t.TempDir()), r, webhook.Options{})
		defer n.close()
		n.subscribe(webhook.Settings{})
		pass(time.Second)
		for i := range 20 {
			n.emit("poison"+name(i), "order.captured")
		}
		pass(30 * time.Second) // all were tried once, and retries are always due from here on
		for i := range 100 {
			n.emit(name(i), "order.captured")
			pass(50 * time.Millisecond)
		}
		for _, m := range r.got() {
			if late := m.at.Sub(m.event.Time); late > 100*time.Millisecond {
				t.Fatalf("an event of another stream arrived after %v", late)
			}
		}
		if len(r.got()) != 100 {
			t.Errorf("%d of 100 events arrived", len(r.got()))
		}
	})
}

// The cursor does not pass an attempt that is under way, though it passes a failure behind it.
func TestCrashWithAnAttemptUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		crashed := false
		r := &receiver{
			hold: func(ctx context.Context, m *message) error {
				if m.event.Stream.ID == "slow" && !crashed {
					<-ctx.Done()
					return ctx.Err()
				}
				return nil
			},
			answer: func(m *message, _ int) (int, http.Header) {
				if m.event.Stream.ID == "fails" && !crashed {
					return 500, nil
				}
				return 200, nil
			},
		}
		dir := t.TempDir()
		n := start(t, openSQLite(t, dir), r, webhook.Options{})
		sub := n.subscribe(webhook.Settings{})
		pass(time.Second)
		n.emit("slow", "order.captured")
		n.emit("fails", "order.captured")
		pass(5 * time.Second)
		if d := n.deliveries(sub.ID, webhook.Pending); len(d) != 1 || d[0].Stream.ID != "fails" {
			t.Fatalf("pending %+v", d)
		}
		n.crash()
		crashed = true
		n = start(t, openSQLite(t, dir), r, webhook.Options{})
		defer n.close()
		pass(time.Minute)
		if got := r.accepted(); len(got) != 2 {
			t.Errorf("accepted after the crash: %v, want both", got)
		}
	})
}

func TestReplayMeetsPendingDeliveries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{answer: func(*message, int) (int, http.Header) { return 500, nil }}
		n := start(t, openSQLite(t, t.TempDir()), r, webhook.Options{Waits: []time.Duration{time.Hour}})
		defer n.close()
		sub := n.subscribe(webhook.Settings{})
		pass(time.Second)
		n.emit("a", "order.captured")
		n.emit("a", "order.cancelled")
		pass(5 * time.Second)
		for range 2 {
			if _, err := n.hooks.Replay(t.Context(), sub.ID, engine.Cursor{0}, engine.Meta{}); err != nil {
				t.Fatal(err)
			}
			pass(5 * time.Second)
		}
		if d := n.deliveries(sub.ID, webhook.Pending); len(d) != 2 || len(r.got()) != 1 {
			t.Errorf("%d pending after replays, want the two there were; %d attempts", len(d), len(r.got()))
		}
	})
}

// What the worker saves before it notices a replay must not undo it.
func TestSaveDoesNotUndoAReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{answer: func(m *message, _ int) (int, http.Header) {
			if m.event.Stream.ID == "fails" {
				return 500, nil
			}
			return 200, nil
		}}
		n := start(t, openSQLite(t, t.TempDir()), r, webhook.Options{Waits: []time.Duration{time.Hour}})
		defer n.close()
		sub := n.subscribe(webhook.Settings{})
		pass(time.Second)
		n.emit("a", "order.captured")
		pass(5 * time.Second)
		if _, err := n.hooks.Replay(t.Context(), sub.ID, engine.Cursor{0}, engine.Meta{}); err != nil {
			t.Fatal(err)
		}
		n.emit("fails", "order.captured") // is written down at once
		pass(5 * time.Second)
		if got := r.accepted(); len(got) != 1 || len(r.got()) < 3 {
			t.Errorf("accepted %v in %d attempts: the replay was lost", got, len(r.got()))
		}
	})
}

func TestReplaySendsAgainWithTheSameIDs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{answer: func(m *message, attempt int) (int, http.Header) {
			if m.event.Stream.ID == "dies" && attempt == 1 {
				return 500, nil
			}
			return 200, nil
		}}
		n := start(t, openSQLite(t, t.TempDir()), r, webhook.Options{Attempts: 1})
		defer n.close()
		n.emit("before", "order.captured")
		sub := n.subscribe(webhook.Settings{})
		pass(time.Minute)
		n.emit("a", "order.captured")
		n.emit("dies", "order.captured")
		pass(time.Minute)
		half := n.Now()
		n.emit("b", "order.captured")
		pass(time.Minute)
		if len(r.accepted()) != 2 || len(n.deliveries(sub.ID, webhook.Dead)) != 1 {
			t.Fatalf("accepted %v before the replay", r.accepted())
		}
		replay := func(from engine.Cursor) {
			if _, err := n.hooks.Replay(t.Context(), sub.ID, from, engine.Meta{}); err != nil {
				t.Fatal(err)
			}
			pass(time.Minute)
		}
		since, err := n.hooks.Since(t.Context(), half)
		if err != nil {
			t.Fatal(err)
		}
		replay(since)
		if got := len(r.got()); got != 4 {
			t.Errorf("a replay of the last event led to %d messages, want 4", got)
		}
		replay(engine.Cursor{0})
		if got := r.accepted(); len(got) != 4 || len(r.got()) != 8 {
			t.Errorf("a replay of everything: %d events accepted, %d messages", len(got), len(r.got()))
		}
		if d := n.deliveries(sub.ID, webhook.Dead); len(d) != 0 {
			t.Errorf("delivered by the replay, but still dead: %+v", d)
		}
		replay(engine.Cursor{1 << 40})
		n.emit("c", "order.captured")
		pass(time.Minute)
		if len(r.accepted()) != 5 {
			t.Error("a replay from beyond the end skipped events")
		}
	})
}

func TestGonePausesUntilResumed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		status := 500
		r := &receiver{answer: func(*message, int) (int, http.Header) { return status, nil }}
		n := start(t, openSQLite(t, t.TempDir()), r, webhook.Options{})
		defer n.close()
		sub := n.subscribe(webhook.Settings{})
		pass(time.Second)
		n.emit("a", "order.captured")
		pass(30 * time.Second)
		failed := len(r.got())
		status = 410
		n.emit("b", "order.captured")
		pass(time.Minute)
		v, _, err := n.hooks.Get(t.Context(), sub.ID)
		if err != nil {
			t.Fatal(err)
		}
		if v.Status != webhook.Paused || v.Reason == "" || len(r.got()) != failed+1 {
			t.Fatalf("after 410: %+v, %d attempts", v, len(r.got()))
		}
		n.emit("b", "order.cancelled")
		status = 200
		pass(30 * time.Second)
		if len(r.got()) != failed+1 {
			t.Fatal("a paused subscription was sent to")
		}
		if _, err := n.hooks.Update(t.Context(), sub.ID, webhook.Settings{Status: new(webhook.Active)}, engine.Meta{}); err != nil {
			t.Fatal(err)
		}
		pass(5 * time.Second)
		if len(r.accepted()) != 3 {
			t.Errorf("after resuming: accepted %v", r.accepted())
		}
		checkOrder(t, r.got())
	})
}

func TestTypesAndSignaturesAndRemoval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{}
		n := start(t, openSQLite(t, t.TempDir()), r, webhook.Options{Attempts: 1})
		defer n.close()
		sub := n.subscribe(webhook.Settings{Types: &[]string{"order.*", "fulfillment.created"}})
		n.emit("a", "order.captured", "fulfillment.created", "fulfillment.shipped", "orders")
		pass(time.Minute)
		if len(r.got()) != 2 {
			t.Fatalf("%d messages, want the two wanted", len(r.got()))
		}
		turned, err := n.hooks.Rotate(t.Context(), sub.ID, new(int64(50)), engine.Meta{})
		if err != nil {
			t.Fatal(err)
		}
		next := turned.Value.(webhook.View).Secret
		pass(time.Second)
		n.emit("a", "order.cancelled")
		pass(time.Minute)
		n.emit("a", "order.captured")
		pass(time.Minute)
		got := r.got()
		for i, want := range [][]webhook.Secret{{sub.Secret}, {sub.Secret}, {next, sub.Secret}, {next}} {
			var all []string
			for _, secret := range want {
				sig, err := secret.Sign(got[i].id, got[i].at, got[i].body)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, sig)
			}
			if h := got[i].header.Get("webhook-signature"); h != strings.Join(all, " ") {
				t.Errorf("message %d is signed %q, want %q", i, h, all)
			}
		}
		r.answer = func(*message, int) (int, http.Header) { return 500, nil }
		for i := range 200 {
			n.emit(name(i), "order.captured")
		}
		pass(time.Minute)
		if d := n.deliveries(sub.ID, webhook.Dead); len(d) != 200 {
			t.Fatalf("%d dead, want 200", len(d))
		}
		if _, err := n.hooks.Remove(t.Context(), sub.ID, engine.Meta{}); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		left, err := n.Store().Find(t.Context(), store.Query{Kind: engine.KindDelivery, Limit: 1000})
		if err != nil || len(left) != 0 {
			t.Errorf("%d deliveries of a removed subscription are left (%v)", len(left), err)
		}
		if _, _, err := n.hooks.Get(t.Context(), sub.ID); !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("a removed subscription is still there: %v", err)
		}
	})
}

func TestPendingDeliveriesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := true
		r := &receiver{answer: func(*message, int) (int, http.Header) {
			if down {
				return 503, nil
			}
			return 200, nil
		}}
		n := start(t, openSQLite(t, t.TempDir()), r, webhook.Options{Waits: []time.Duration{time.Hour}})
		defer n.close()
		sub := n.subscribe(webhook.Settings{})
		const events = 13_000 // of 100 streams, ten per log row
		types := slices.Repeat([]string{"order.captured"}, 10)
		var wait sync.WaitGroup
		for w := range 20 {
			wait.Go(func() {
				for i := range events / 200 {
					if err := n.tryEmit(name(w*5+i%5), types...); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wait.Wait()
		pass(time.Minute)
		v, _, err := n.hooks.Get(t.Context(), sub.ID)
		if err != nil {
			t.Fatal(err)
		}
		if p := v.Progress.Pending; p < 10_000 || p > 11_600 {
			t.Errorf("%d pending, want about 10,000: beyond that the log is not read on", p)
		}
		down = false
		for _, status := range []webhook.Status{webhook.Paused, webhook.Active} { // resuming makes all of them due
			if _, err := n.hooks.Update(t.Context(), sub.ID, webhook.Settings{Status: &status}, engine.Meta{}); err != nil {
				t.Fatal(err)
			}
			pass(5 * time.Second)
		}
		pass(20 * time.Second)
		if got := len(r.accepted()); got != events {
			t.Errorf("%d of %d events were accepted in the end", got, events)
		}
	})
}
