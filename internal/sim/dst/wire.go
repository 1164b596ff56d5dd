package dst

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/orderly-oms/orderly/internal/engine"
	"github.com/orderly-oms/orderly/internal/order"
	"github.com/orderly-oms/orderly/internal/problem"
)

// message is something a partner wants of the product. It is sent until there is an answer that
// settles it, always with the same idempotency key, as the API asks of its callers.
type message struct {
	name string
	key  string
	do   func(e *engine.Engine, m engine.Meta) (*engine.Reply, error)
	// settled is called once, with the answer that the sender gets first.
	settled   func(*engine.Reply, error)
	ifVersion int64
	manual    *engine.Manual // who did it by hand

	tries  int
	over   bool
	worked bool   // it took effect, whether the sender knows or not
	body   []byte // of the first answer that said so
	first  time.Time
}

// retention is how long senders try with the same key: less than answers are remembered.
const retention = 48 * time.Hour

// send puts a message on its way.
func (w *World) send(delay time.Duration, m *message) {
	w.messages++
	w.unsettled++
	m.key = fmt.Sprintf("key-%d-%d", w.opt.Seed, w.messages)
	if m.settled == nil {
		m.settled = func(*engine.Reply, error) {}
	}
	m.first = w.now.Add(delay)
	w.post(delay, m)
}

// post is one try: it may be lost, late, or arrive twice.
func (w *World) post(delay time.Duration, m *message) {
	if !w.calm {
		if w.chance(w.weather.late) {
			w.cover.hit(faults, "message_late")
			delay += w.between(time.Minute, 3*time.Hour)
		}
		if w.chance(w.weather.twice) {
			w.cover.hit(faults, "message_twice")
			w.in(delay+w.between(0, time.Hour), func() { w.arrive(m, true) })
		}
		if w.chance(w.weather.lost) {
			w.cover.hit(faults, "message_lost")
			w.again(m)
			return
		}
	}
	w.in(delay, func() { w.arrive(m, false) })
}

// again has the sender try later.
func (w *World) again(m *message) {
	m.tries++
	wait := w.between(time.Second, time.Minute) << min(m.tries, 6)
	if w.now.Sub(m.first) > retention {
		fail(0, "a message gets an answer", "%s was sent %d times in %s", m.name, m.tries, w.now.Sub(m.first))
	}
	w.in(wait, func() {
		if !m.over {
			w.post(0, m)
		}
	})
}

// arrive is a message at a node. extra: nobody waits for the answer of this copy.
func (w *World) arrive(m *message, extra bool) {
	if extra && w.now.Sub(m.first) > retention {
		return
	}
	n := w.some()
	if n == nil {
		if !extra {
			w.again(m)
		}
		return
	}
	var reply *engine.Reply
	var err error
	alive := n.on(func(e *engine.Engine) {
		reply, err = m.do(e, engine.Meta{
			Actor: m.key, IfVersion: m.ifVersion, Manual: m.manual, Key: &engine.IdempotencyKey{Key: m.key, Hash: []byte(m.name)},
		})
	})
	w.say("%s: %s -> %s", n.name, m.name, outcome(alive, reply, err))
	w.watch.look()
	if !alive {
		if !extra {
			w.again(m)
		}
		return
	}
	w.checkAnswer(m, reply, err)
	switch {
	case extra || m.over:
	case err != nil && transient(err):
		w.again(m)
	case !w.calm && w.chance(w.weather.answerLost):
		w.cover.hit(faults, "answer_lost")
		w.again(m)
	default:
		m.over = true
		w.unsettled--
		m.settled(reply, err)
	}
}

// checkAnswer holds every answer against those before: one effect, one answer.
func (w *World) checkAnswer(m *message, reply *engine.Reply, err error) {
	const name = "one effect and one answer per idempotency key"
	if err != nil {
		var refusal *order.Refusal
		var invalid problem.Invalid
		switch {
		case transient(err):
			return
		case errors.As(err, &refusal):
			w.cover.hit(refusals, refusal.Code)
		case errors.As(err, &invalid):
			w.cover.hit(refusals, "invalid")
		case isAny(err, engine.ErrNotFound, engine.ErrVersion):
		default:
			fail(0, "every error is a known one", "%s: %v", m.name, err)
		}
		if m.worked {
			fail(38, name, "%s took effect, and its repetition is refused: %v", m.name, err)
		}
		return
	}
	w.cover.hit(operations, operation(m.name))
	if m.worked {
		if !reply.Repeated {
			fail(38, name, "%s took effect twice", m.name)
		}
		if m.body != nil && reply.Body != nil && !bytes.Equal(m.body, reply.Body) {
			fail(38, name, "%s was answered with %.300s and then with %.300s", m.name, m.body, reply.Body)
		}
		return
	}
	m.worked, m.body = true, reply.Body
	if o, ok := reply.Value.(*order.Order); ok && m.ifVersion != 0 && !reply.Repeated && o.Version > m.ifVersion+1 {
		fail(24, "stale writes are refused", "%s was for version %d and made version %d", m.name, m.ifVersion, o.Version)
	}
}

func isAny(err error, of ...error) bool {
	for _, e := range of {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func outcome(alive bool, reply *engine.Reply, err error) string {
	switch {
	case !alive:
		return "the node died"
	case err != nil:
		return err.Error()
	case reply == nil:
		return "done"
	}
	text := fmt.Sprint(reply.Status)
	if reply.Repeated {
		text += " repeated"
	}
	if o, ok := reply.Value.(*order.Order); ok {
		text += fmt.Sprintf(" %s v%d %s", o.ID, o.Version, o.Status)
	}
	return text
}

// operation is the first word of a message's name.
func operation(name string) string {
	for i := range name {
		if name[i] == ' ' {
			return name[:i]
		}
	}
	return name
}
