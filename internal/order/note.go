package order

import (
	"time"

	"github.com/orderly-oms/orderly/internal/problem"
)

// MaxNoteBytes bounds one note.
const MaxNoteBytes = 2000

// CheckNote reports what is wrong with the text of a note (problem.Invalid).
func CheckNote(s string) error {
	var bad problem.Invalid
	if s == "" {
		bad.Add("text", problem.Required, "write something")
	}
	text(&bad, "text", s, MaxNoteBytes)
	if looksLikeCardNumber(s) {
		bad.Add("text", "card_number", "looks like a card number; it is not kept here")
	}
	return bad.Err()
}

// AddNote gives the event that keeps a note with the order, or a *Refusal at the limit.
func (o *Order) AddNote(s, by string, at time.Time) ([]Event, error) {
	if len(o.Notes) >= MaxNotes {
		return nil, refuse(CodeTooMany, "", "the order has %d notes already", len(o.Notes))
	}
	return []Event{{Type: EventNoted, Note: &Note{By: by, At: at, Text: s}}}, nil
}
