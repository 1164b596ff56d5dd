package dst

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/store"
	"github.com/orderly-oms/orderly/internal/store/memory"
)

// node is one process: an engine on its handle of the disk. It dies, and is started again.
type node struct {
	w    *World
	name string
	s    *memory.Store
	e    *engine.Engine // nil: it is down
	wake time.Time      // of the tick that is on the agenda
	done map[string]time.Time
}

// quiet is a log that nobody reads.
var quiet = slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelError + 1}))

// ctx is what every call gets: nothing of a simulated node is given up.
var ctx = context.Background()

// skew is how much the node's clock is off: only the second node's.
func (n *node) skew() time.Duration {
	if n == n.w.nodes[0] || n.w.calm {
		return 0
	}
	return n.w.weather.skew
}

// start opens the node; it stays down when that fails.
func (n *node) start() {
	w := n.w
	if n.e != nil {
		return
	}
	s, err := w.disk.Open(memory.Options{Inject: n.inject})
	if err != nil {
		fail(0, "a node can be started", "%v", err)
	}
	var e *engine.Engine
	died := w.survive(n, func() {
		e, err = engine.Open(ctx, s, engine.Options{
			Clock: func() time.Time { return w.now.Add(n.skew()) }, NewID: w.newID, Log: quiet, Inline: true,
			LearnInterval: time.Hour, SnapshotInterval: 20 * time.Hour, Fatal: func(err error) { panic(memory.Crash{}) },
		})
	})
	if died || err != nil {
		s.Close()
		n.down()
		return
	}
	n.s, n.e, n.done = s, e, map[string]time.Time{"learning": w.now, "sweep": w.now, "promises": w.now}
	w.say("node %s is up", n.name)
}

// down is what follows the death of a node: it is started again after a while.
func (n *node) down() {
	w := n.w
	if n.s != nil {
		n.s.Close()
	}
	n.e, n.s = nil, nil
	w.say("node %s is down", n.name)
	w.in(w.between(time.Second, 10*time.Minute), n.start)
}

// survive runs something on a node and reports whether the node died of it.
func (w *World) survive(n *node, f func()) (died bool) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case memory.Crash:
			w.cover.hit(faults, p.Fault.String())
			died = true
		default:
			panic(p)
		}
	}()
	f()
	return false
}

// on runs something on a node; false: the node died of it.
func (n *node) on(f func(*engine.Engine)) bool {
	e := n.e
	if n.w.survive(n, func() { f(e) }) {
		n.down()
		return false
	}
	return true
}

// some is a node that can be asked; nil: none is up.
func (w *World) some() *node {
	var up []*node
	for _, n := range w.nodes {
		if n.e != nil && n != w.busy {
			up = append(up, n)
		}
	}
	if len(up) == 0 {
		return nil
	}
	return up[w.r.IntN(len(up))]
}

// inject has a call of the store fail now and then, or lets another node be faster.
func (n *node) inject(c memory.Call) memory.Fault {
	w := n.w
	if w.calm {
		return memory.None
	}
	if c == memory.CallRead {
		if w.chance(w.weather.readFaults) {
			return w.drawn(choose(w, memory.Unavailable, memory.Unavailable, memory.CrashBefore))
		}
		return memory.None
	}
	if c == memory.CallCommit && w.busy == nil && len(w.nodes) > 1 && w.chance(w.weather.between) {
		w.interleave(n)
	}
	if w.chance(w.weather.commitFaults) {
		return w.drawn(choose(w, memory.Faults()...))
	}
	return memory.None
}

func (w *World) drawn(f memory.Fault) memory.Fault {
	w.cover.hit(faults, f.String())
	w.say("  fault: %s", f)
	return f
}

// interleave lets another node do what is due next, between a node's decision and its commit.
func (w *World) interleave(n *node) {
	if len(w.agenda) == 0 || w.agenda[0].at.After(w.now.Add(time.Minute)) {
		return
	}
	w.busy = n
	w.cover.hit(faults, "another_node_first")
	w.say("  meanwhile, before node %s commits", n.name)
	w.next()
	w.busy = nil
}

// tickInterval is how long at most a node leaves its tasks alone.
const tickInterval = 30 * time.Minute

// tickSoon sees to it that the node does its tasks at the latest after the interval, or when a timer comes due.
func (w *World) tickSoon(n *node) {
	at := w.now.Add(w.between(time.Minute, tickInterval))
	if w.calm {
		at = at.Add(6 * tickInterval)
	}
	if next := w.disk.NextWake(); !next.IsZero() && next.Before(at) {
		at = next.Add(w.between(0, 20*time.Second))
	}
	if !at.After(w.now) {
		at = w.now.Add(w.between(time.Second, 20*time.Second))
	}
	if !n.wake.IsZero() && !n.wake.After(at) {
		return
	}
	n.wake = at
	w.at(at, func() {
		if n.wake.Equal(at) {
			n.wake = time.Time{}
			w.tick(n)
		}
	})
}

// tick lets a node do its own tasks, those that are seldom done seldom.
func (w *World) tick(n *node) {
	defer w.tickSoon(n)
	if n.e == nil || n == w.busy {
		return
	}
	if !w.calm && w.chance(w.weather.jumps) {
		w.now = w.now.Add(w.between(time.Hour, 30*time.Hour))
		w.cover.hit(faults, "clock_jump")
		w.say("the clock jumps")
	}
	if !w.calm && w.chance(w.weather.crashes) {
		w.cover.hit(faults, "killed")
		n.down()
		return
	}
	for _, t := range n.e.Tasks() {
		if w.now.Sub(n.done[t.Name]) < seldom[t.Name] || t.Name == "learning" && !w.weather.learning {
			continue
		}
		n.done[t.Name] = w.now
		if n.e == nil || !n.on(func(*engine.Engine) { t.Do(ctx) }) {
			return
		}
	}
}

// seldom is how often at most tasks are done that nothing waits for.
var seldom = map[string]time.Duration{"sweep": 12 * time.Hour, "learning": 24 * time.Hour, "promises": 8 * time.Hour}

// transient reports an error after which the sender tries again.
func transient(err error) bool {
	return isAny(err, store.ErrUnavailable, store.ErrUnknown, store.ErrFull, store.ErrConflict,
		engine.ErrBusy, engine.ErrClosed, engine.ErrContention, engine.ErrInFlight)
}
