package order

import (
	"strings"

	"github.com/orderly-oms/orderly/internal/problem"
)

// Disposal is what becomes of accepted units; without lines, of all that have no place yet.
type Disposal struct {
	Disposition string         `json:"disposition,omitempty"` // of all lines that do not say
	Lines       []DisposedLine `json:"lines,omitempty"`
}

// DisposedLine is where some units go.
type DisposedLine struct {
	Line        string `json:"line"`
	Location    string `json:"location,omitempty"` // as in InspectedLine
	Quantity    int64  `json:"quantity"`
	Disposition string `json:"disposition,omitempty"`
}

// Validate reports every field that is wrong in itself (problem.Invalid).
func (d *Disposal) Validate() error {
	var bad problem.Invalid
	disposition(&bad, "disposition", d.Disposition)
	bad.Count("lines", len(d.Lines), MaxLines)
	if len(d.Lines) == 0 && d.Disposition == "" {
		bad.Add("disposition", problem.Required, "say what becomes of the units: one of %s", strings.Join(Dispositions, ", "))
	}
	for i := range d.Lines[:min(len(d.Lines), MaxLines)] {
		l, at := &d.Lines[i], problem.At("lines", i)
		bad.ID(at+".line", l.Line)
		bad.Text(at+".location", l.Location, 200)
		bad.Range(at+".quantity", l.Quantity, 1, MaxLineQuantity)
		disposition(&bad, at+".disposition", l.Disposition)
		if l.Disposition == "" && d.Disposition == "" {
			bad.Add(at+".disposition", problem.Required, "say what becomes of the units")
		}
	}
	return bad.Err()
}

// Dispose gives the event of accepted units that find their place, or a *Refusal.
func (o *Order) Dispose(id string, in Disposal) ([]Event, error) {
	r, err := o.findReturn(id)
	if err != nil {
		return nil, err
	}
	lines := in.Lines
	left := make([]int64, len(r.Lines))
	for i := range r.Lines {
		if left[i] = r.Lines[i].ToDispose(); left[i] > 0 && len(in.Lines) == 0 {
			lines = append(lines, DisposedLine{Line: r.Lines[i].Line, Location: r.Lines[i].At, Quantity: left[i]})
		}
	}
	e := Event{Type: EventReturnDisposed, ReturnID: id}
	for i, l := range lines {
		at := problem.At("lines", i)
		if l.Disposition == "" {
			l.Disposition = in.Disposition
		}
		if err := r.onePlace(at, l.Line, l.Location, left); err != nil {
			return nil, err
		}
		for j := range r.Lines {
			item := &r.Lines[j]
			n := min(l.Quantity, left[j])
			if n == 0 || item.Line != l.Line || l.Location != "" && item.At != l.Location {
				continue
			}
			left[j] -= n
			l.Quantity -= n
			e.ReturnSteps = append(e.ReturnSteps, ReturnStep{Item: j + 1, Line: l.Line, Quantity: n, Disposition: l.Disposition})
		}
		if l.Quantity > 0 {
			return nil, refuse(CodeTooMany, at+".quantity", "of line %s %d units fewer wait for their place", l.Line, l.Quantity)
		}
	}
	if len(e.ReturnSteps) == 0 {
		return nil, refuse(CodeNothingToDo, "", "nothing waits for its place")
	}
	return []Event{e}, nil
}
