package order

import (
	"slices"

	"github.com/orderly-oms/orderly/internal/problem"
)

// AwaitedLines are units that arrived and that a return waits for.
type AwaitedLines struct {
	Return string
	Lines  []ReceivedLine
}

// Awaited shares units that arrived out to the returns that wait for them, oldest first; rest is what none does.
// Lines of kits that were taken apart are replaced by their components. Errors: problem.Invalid.
func (o *Order) Awaited(lines []ReceivedLine) (awaited []AwaitedLines, rest []ReceivedLine, err error) {
	var bad problem.Invalid
	for i, l := range lines {
		units := []ReceivedLine{l}
		if o.Line(l.Line) == nil {
			units = nil
			parts := o.components(l.Line)
			if len(parts) == 0 {
				bad.Add(problem.At("lines", i)+".line", problem.Unknown, "the order has no line %.60q", l.Line)
			}
			for _, p := range parts {
				part := l
				part.Line, part.Quantity = p.ID, l.Quantity*p.Kit.PerKit
				units = append(units, part)
			}
		}
		for _, u := range units {
			for j := range o.Returns {
				r := &o.Returns[j]
				if n := min(u.Quantity, r.expectedOf(u.Line)); n > 0 && !r.Status.Final() {
					take := u
					take.Quantity = n
					awaited = await(awaited, r.ID, take)
					u.Quantity -= n
				}
			}
			if u.Quantity > 0 {
				rest = append(rest, u)
			}
		}
	}
	return awaited, rest, bad.Err()
}

func await(awaited []AwaitedLines, id string, l ReceivedLine) []AwaitedLines {
	i := slices.IndexFunc(awaited, func(a AwaitedLines) bool { return a.Return == id })
	if i < 0 {
		return append(awaited, AwaitedLines{Return: id, Lines: []ReceivedLine{l}})
	}
	awaited[i].Lines = append(awaited[i].Lines, l)
	return awaited
}

func (r *Return) expectedOf(line string) int64 {
	return r.sum(func(l *ReturnedLine) int64 {
		if l.Line != line {
			return 0
		}
		return l.Expected()
	})
}

// Booked returns the return that a receipt's message was booked on; "": none.
func (o *Order) Booked(message string) string {
	for i := range o.Returns {
		if message != "" && slices.Contains(o.Returns[i].Messages, message) {
			return o.Returns[i].ID
		}
	}
	return ""
}
