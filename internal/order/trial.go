package order

import "fmt"

// EventCompared says what the challenger of an experiment would have done, beside what was decided.
const EventCompared = "order.compared"

// Groups of orders in experiments.
const (
	GroupIncumbent  = "incumbent"  // decided by the policy in force
	GroupChallenger = "challenger" // decided by the challenger, as long as the experiment runs
	GroupShadow     = "shadow"     // decided by the policy in force; the challenger is asked as well
)

// Trial is an order's part in an experiment. It is settled when the order is captured, and stays when the experiment is over.
type Trial struct {
	Experiment string    `json:"experiment"`
	Group      string    `json:"group"`
	Compared   *Compared `json:"compared,omitempty"` // of the shadow, once the order was sourced
}

// Compared is one order as two policies decide it at the same moment.
type Compared struct {
	Incumbent  Opinion `json:"incumbent"`
	Challenger Opinion `json:"challenger"`
}

func (o *Order) applyCompared(e *Event) error {
	if e.Compared == nil || o.Trial == nil {
		return fmt.Errorf("order: %s without what was compared, or of an order in no experiment", e.Type)
	}
	t := *o.Trial
	t.Compared = e.Compared
	o.Trial = &t
	return nil
}
