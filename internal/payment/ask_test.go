package payment_test

import (
	"testing"
	"time"

	"github.com/orderly-oms/orderly/internal/payment"
)

// A person has what is unknown asked for at once, and what was given up; what waits for its first answer is left alone.
func TestAskAgain(t *testing.T) {
	later := noon.Add(time.Hour)
	s := &payment.State{Rules: payment.Rules{AskMinutes: []int64{1, 5}}, Operations: []payment.Operation{
		{ID: "waits", State: payment.Pending, AskAt: later},
		{ID: "unknown", State: payment.Unknown, AskAt: later},
		{ID: "given up", State: payment.Pending, Attempts: 3},
		{ID: "done", State: payment.Succeeded},
		{ID: "refused", State: payment.Declined},
	}}
	all := s.AskAgain(noon)
	if len(all) != 2 || all[0].ID != "unknown" || all[1].ID != "given up" {
		t.Fatalf("asked again: %+v", all)
	}
	for _, op := range all {
		if op.Attempts != 1 || !op.AskAt.Equal(noon.Add(5*time.Minute)) {
			t.Errorf("%s: attempt %d, next at %s", op.ID, op.Attempts, op.AskAt)
		}
	}
}
