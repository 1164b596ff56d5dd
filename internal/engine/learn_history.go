package engine

import (
	"time"

	"github.com/orderly-oms/orderly/internal/history"
)

// historyEvery is how many snapshot intervals lie between two snapshots of history: every version is kept for
// replays, and rates that go back weeks do not change in minutes.
const historyEvery = 10

// historyLearner learns how locations work and how SKUs sell.
type historyLearner struct {
	history *history.History
	facts   *history.Facts
}

func newHistoryLearner() *historyLearner { return &historyLearner{history: history.New()} }

func (h *historyLearner) id() string { return LearnedHistory }

func (h *historyLearner) observe(x *lesson) { h.history.Observe(x.order, x.events, x.at) }

func (h *historyLearner) encode(version int64, at time.Time) ([]byte, error) {
	h.facts = h.history.Facts(version, at)
	return h.facts.MarshalJSON()
}

func (h *historyLearner) restore(body []byte) error {
	facts := new(history.Facts)
	if err := facts.UnmarshalJSON(body); err != nil {
		return err
	}
	if err := h.history.Restore(body); err != nil {
		return err
	}
	h.facts = facts
	return nil
}

func (h *historyLearner) publish(into *lore) { into.facts = h.facts }
